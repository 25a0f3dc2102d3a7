"""
One request and its answer: who asks, what they sent, and how errors leave the house.

A handler is a plain function of a `Call` that runs in a worker thread and returns a response or raises. The
resource around it reads the body within its limit, finds out who asks, insists on the header that a foreign
page cannot send, and turns whatever is raised into a problem document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gridmap.domain.roles import User
from gridmap.errors import (
    AuthenticationRequired,
    EditConflict,
    GridmapError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    TooLarge,
)
from gridmap.services import accounts, documents, elements, problems
from gridmap.services.district import District

GetDistrict = Callable[[], District]

MAX_BODY = 2 * 2**20
PROBLEM = "application/problem+json"
CSRF_HEADER = "x-gridmap"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class BadRequest(InvalidInput):
    """A request that does not follow HTTP or this API's grammar: a parameter, a header, JSON."""

    status = 400
    title = "请求格式有误"


class MethodNotAllowed(GridmapError):
    """
    The address exists and does not answer this method.

    Attributes
    ----------
    allowed : the methods it answers
    """

    status = 405
    title = "不支持的请求方法"


class UnsupportedMediaType(GridmapError):
    """The body is of a kind that this address does not read."""

    status = 415
    title = "不支持的内容类型"


class CsrfHeaderMissing(PermissionDenied):
    """A write by a browser's session came without the header that only our own pages send."""

    title = "请求来源未通过检查"


# --- answers ---------------------------------------------------------------------------------------------


def encoded(document: Any) -> bytes:
    """The document as JSON bytes: UTF-8, no NaN."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def answer(
    document: Any,
    *,
    status: int = 200,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON response that nobody keeps, unless `headers` say otherwise."""
    return Response(
        encoded(document), status, {"Cache-Control": "no-store", **(headers or {})}, media_type=media_type
    )


def empty(headers: Mapping[str, str] | None = None) -> Response:
    """A response without content."""
    return Response(status_code=204, headers={"Cache-Control": "no-store", **(headers or {})})


def refusal(error: BaseException) -> Response:
    """The problem document of an error, with the headers that belong to its status."""
    document = problems.problem(error)
    headers: dict[str, str] = {}
    if isinstance(error, AuthenticationRequired):
        headers["WWW-Authenticate"] = 'Bearer realm="gridmap"'
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.facts["allowed"])
    if document["status"] == 503:
        headers["Retry-After"] = "5"
    if "retry_after" in document:
        headers["Retry-After"] = str(document["retry_after"])
    return answer(document, status=document["status"], media_type=PROBLEM, headers=headers)


def _http_error(error: HTTPException) -> GridmapError:
    """Starlette's own error as one of ours."""
    if error.status_code == 405:
        return MethodNotAllowed("this address does not answer that method", allowed=["GET", "HEAD"])
    return NotFound("there is nothing at this address", zh="没有这个地址。")


# --- the request -----------------------------------------------------------------------------------------


@dataclass
class Call:
    """A request on its way through a handler. `user` raises AuthenticationRequired when nobody is signed in."""

    request: Request
    district: District
    body: bytes = b""

    @property
    def path(self) -> Mapping[str, str]:
        """The variable parts of the path."""
        return self.request.path_params

    @property
    def address(self) -> str:
        """Where the request came from, for the logs."""
        if self.district.settings.trusts_proxy:
            # the last entry is the one that our own proxy wrote
            forwarded = self.request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            if forwarded:
                return forwarded[:60]
        return self.request.client.host if self.request.client else ""

    @property
    def is_secure(self) -> bool:
        """Whether the browser sees TLS."""
        return self.origin.startswith("https:")

    @cached_property
    def origin(self) -> str:
        """Scheme and host as the client sees them."""
        headers, scheme = self.request.headers, self.request.url.scheme
        host = headers.get("host", "")
        if self.district.settings.trusts_proxy:
            scheme = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
            host = headers.get("x-forwarded-host", host).partition(",")[0].strip()
        if not _HOST.fullmatch(host):
            host = "localhost"
        return f"{'https' if scheme == 'https' else 'http'}://{host}"

    def url(self, path: str) -> str:
        """The whole address of a path of ours, such as `/ogc/collections`."""
        return f"{self.origin}{self.district.settings.base_path}{path}"

    @property
    def session_key(self) -> str | None:
        """The key in the session cookie."""
        return self.request.cookies.get(self.district.settings.cookie_name)

    @cached_property
    def bearer(self) -> str | None:
        """The token of a machine client."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @cached_property
    def user(self) -> User:
        """Who asks, with the rights the account has now."""
        if self.bearer is not None:
            return accounts.user_of_token(self.district, self.bearer, address=self.address)
        return accounts.user_of_session(self.district, self.session_key, address=self.address)

    def listener(self) -> User:
        """Who asks, without that counting as a use of the session: an idle one ends though its map is open."""
        if self.bearer is not None:
            return accounts.user_of_token(self.district, self.bearer, address=self.address)
        return accounts.user_of_session(self.district, self.session_key, address=self.address, touch=False)

    def require_own_page(self) -> None:
        """Pass for reads, for requests without a session's cookie, and for writes that carry our own header."""
        if self.request.method in _SAFE_METHODS or self.bearer is not None or not self.session_key:
            return
        if self.request.headers.get(CSRF_HEADER) != "1":
            raise CsrfHeaderMissing(
                "a write by a session needs the header X-Gridmap: 1",
                zh="写入请求缺少 X-Gridmap 请求头,未执行。请从本系统页面操作。",
            )


Handler = Callable[[Call], Response]
Check = Callable[[Call], None]


class Resource:
    """
    What stands at one address: a handler for each method it answers.

    Parameters
    ----------
    handlers : by method; GET answers HEAD too
    is_open : whether nobody needs to be signed in; the handler may still ask for `call.user`
    is_for_unsettled : whether accounts may come here that have to change their first password
    is_from_anywhere : whether a write needs no header of ours; the handler guards itself
    check : what is asked of every call before its handler runs, such as that its parameters are known
    max_body : bytes of body accepted
    """

    def __init__(
        self,
        get_district: GetDistrict,
        handlers: Mapping[str, Handler],
        *,
        is_open: bool = False,
        is_for_unsettled: bool = False,
        is_from_anywhere: bool = False,
        check: Check | None = None,
        max_body: int = MAX_BODY,
    ) -> None:
        self.get_district = get_district
        self.handlers = dict(handlers)
        self.is_open = is_open
        self.is_for_unsettled = is_for_unsettled
        self.is_from_anywhere = is_from_anywhere
        self.check = check
        self.max_body = max_body

    @property
    def allowed(self) -> list[str]:
        """The methods that are answered here."""
        extra = ["HEAD"] if "GET" in self.handlers else []
        return sorted([*self.handlers, *extra, "OPTIONS"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # what is answered is made for each request: a part of it would be a part of another answer
        whole = [(name, value) for name, value in scope["headers"] if name != b"range"]
        scope = {**scope, "headers": whole}
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        except Exception as error:
            response = refusal(error)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return empty({"Allow": ", ".join(self.allowed)})
        method = "GET" if request.method == "HEAD" else request.method
        handler = self.handlers.get(method)
        if handler is None:
            raise MethodNotAllowed(
                f"{request.method} is not answered here; use {', '.join(self.allowed)}",
                zh=f"此地址不支持 {request.method[:20]} 请求。",
                allowed=self.allowed,
            )
        body = await self._body(request)
        return await run_in_threadpool(self._handle, request, handler, body)

    async def _body(self, request: Request) -> bytes:
        if request.method in _SAFE_METHODS:
            return b""
        stated = request.headers.get("content-length", "0")
        if not stated.isdecimal() or int(stated[:12]) > self.max_body:
            raise self._too_large()
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self.max_body:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the body is larger than {self.max_body} bytes; send less at once",
            zh=f"提交的内容超过 {_size(self.max_body)} 上限,请简化图形或分次提交。",
            max_bytes=self.max_body,
        )

    def _handle(self, request: Request, handler: Handler, body: bytes) -> Response:
        call: Call | None = None
        try:
            call = Call(request, self.get_district(), body)
            _refuse_odd_path(request)
            _refuse_odd_query(request)
            if not self.is_from_anywhere:
                call.require_own_page()
            if not self.is_open:
                user = call.user
                if not self.is_for_unsettled:
                    accounts.require_settled(user)
            if self.check is not None:
                self.check(call)
            return handler(call)
        except EditConflict as error:
            return _conflict(call, error) if call else refusal(error)
        except Exception as error:
            return refusal(error)


def _refuse_odd_path(request: Request) -> None:
    """No id or code of ours has control characters, and PostgreSQL chokes on some."""
    for value in request.path_params.values():
        if len(value) > 200 or not value.isprintable():
            raise NotFound("there is nothing at this address", zh="没有这个地址,请检查链接。")


def _refuse_odd_query(request: Request) -> None:
    """Chinese in another encoding than UTF-8 would be read as other words, and found nowhere."""
    for text in (request.scope.get("raw_path") or b"", request.scope["query_string"]):
        try:
            unquote_to_bytes(text).decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest(
                "the address is not percent-encoded UTF-8", zh="地址或参数不是 UTF-8 编码,请改用 UTF-8 编码。"
            ) from None


def _conflict(call: Call, error: EditConflict) -> Response:
    """The problem document of a stale write: the present state and its entity tag come with it."""
    document = problems.problem(error)
    headers = {}
    document["theirs"] = None
    for side in ("base", "mine", "theirs"):
        state = error.facts.get(side)
        if state is not None:
            layer = call.district.catalogue.layer(state.layer)
            document[side] = documents.feature(call.district, elements.masked(call.user, layer, state))
    theirs = error.facts.get("theirs")
    if theirs is not None:
        document["etag"] = headers["ETag"] = documents.etag(theirs)
        document["is_deleted"] = theirs.is_retired
    if "conflicts" in error.facts:
        document["fields"] = [one.field for one in error.facts["conflicts"]]
    return answer(document, status=error.status, media_type=PROBLEM, headers=headers)


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """The end of every address that leads nowhere: a problem document, never a page."""
    error = NotFound("there is nothing at this address", zh="没有这个地址,请检查链接。")
    await refusal(error)(scope, receive, send)


def with_problems(app: ASGIApp) -> ASGIApp:
    """`app` with Starlette's own errors told as problem documents."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except HTTPException as error:
            await refusal(_http_error(error))(scope, receive, send)

    return guarded


def _size(count: int) -> str:
    return f"{count // 2**20} MB" if count >= 2**20 else f"{count // 1000} KB"
