"""The sign-in page, and the entrance that leads everybody there who asks for a page without a session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gridmap.domain.roles import User
from gridmap.errors import AuthenticationRequired, GridmapError
from gridmap.services import accounts
from gridmap.services.district import District

ASSETS = Path(__file__).resolve().parents[1] / "assets"
_FOLDERS = ("signin", "ui")
# Everything that is no page: our own routes guard themselves, Streamlit's serve its scripts.
_OPEN = ("api", "ogc", "assets", "signin", "_stcore", "static", "media", "component", "oauth2callback")
_DEMO = (
    '<p class="demo">这是示范区,数据均为<strong>模拟数据</strong>。'
    "示例账号的用户名和密码在建立示范区时显示于终端。</p>"
)


def asset_version() -> str:
    """A short fingerprint of the scripts and styles of sign-in and pages: browsers keep them until it changes."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        for file in sorted((ASSETS / folder).iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def routes(
    get_district: Callable[[], District], *, base_path: str = "", ahead: Sequence[str] = ()
) -> list[BaseRoute]:
    """
    The route of the sign-in page.

    Whoever has a living session already is sent on to where they wanted to go (`next`). The browser fetches
    the addresses in `ahead` while somebody types, so that the first page finds its files there.
    """
    template = (ASSETS / "signin" / "signin.html").read_text("utf-8").replace("{{version}}", asset_version())
    links = "\n".join(f'  <link rel="prefetch" href="{escape(one)}">' for one in ahead)
    template = template.replace("{{ahead}}", links)

    def page(request: Request) -> Response:
        try:
            district = get_district()
        except GridmapError as error:
            return _apology(error)
        if _visitor(district, request.cookies.get(district.settings.cookie_name)):
            return RedirectResponse(
                _inside(request.query_params.get("next"), base_path), 303, headers=_NO_STORE
            )
        demo = _DEMO if accounts.has_demo_accounts(district) else ""
        return HTMLResponse(template.replace("{{demo}}", demo), headers=_NO_STORE | _STRICT)

    return [Route(f"{base_path}/signin", page, methods=["GET"])]


_NO_STORE = {"Cache-Control": "no-store"}
# the page where passwords are typed runs nothing but its own script, and stands in no frame
_STRICT = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
}


def _visitor(district: District, key: str | None) -> User | None:
    try:
        return accounts.user_of_session(district, key, touch=False)
    except AuthenticationRequired:
        return None


def _inside(target: str | None, base_path: str) -> str:
    """`target` when it is a place inside the application, else the application's first page."""
    home = f"{base_path}/"
    is_path = target is not None and target.startswith(home) and target.isprintable()
    # "//host" and "/\host" are other hosts to a browser
    if not is_path or target.startswith(("//", "/\\")) or target.startswith(f"{base_path}/signin"):
        return home
    return quote(target, safe="/?&=%:,;+-._~")


class Entrance:
    """
    Middleware: answers every request for a page of the application, and lets all else through.

    Without a living session it leads to the sign-in page; the bare address and unknown ones lead to the first
    page. It spares people an empty page and a "not found"; the guard in every page and service decides all
    the same.

    Parameters
    ----------
    pages : names of the pages, the first page first
    html : the document that all of them start in
    """

    def __init__(
        self,
        app: ASGIApp,
        get_district: Callable[[], District],
        pages: Sequence[str],
        html: str,
        base_path: str = "",
    ) -> None:
        self.app = app
        self.get_district = get_district
        self.pages = tuple(pages)
        self.html = html
        self.base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_page(scope):
            response = await run_in_threadpool(self._answer, Request(scope))
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _parts(self, scope: Scope) -> list[str]:
        return scope["path"].removeprefix(self.base_path).strip("/").split("/")

    def _is_page(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return False
        return self._parts(scope)[0] not in _OPEN

    def _answer(self, request: Request) -> Response:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        parts = self._parts(request.scope)
        is_known = len(parts) == 1 and parts[0] in self.pages
        if parts[-1].startswith("favicon."):
            return RedirectResponse(f"{self.base_path}/assets/ui/icon.svg", 307)
        if "." in parts[-1]:
            return PlainTextResponse("没有这个地址。", 404, headers=_NO_STORE)
        try:
            district = self.get_district()
        except GridmapError as error:
            return _apology(error)
        user = _visitor(district, request.cookies.get(district.settings.cookie_name))
        if user is None:
            back = f"?next={quote(wanted, safe='')}" if is_known else ""
            return RedirectResponse(f"{self.base_path}/signin{back}", 303, headers=_NO_STORE)
        if not is_known:
            first = "account" if user.must_change_password else self.pages[0]
            return RedirectResponse(f"{self.base_path}/{first}", 303, headers=_NO_STORE)
        return HTMLResponse(self.html, headers=_NO_STORE)


def _apology(error: GridmapError) -> Response:
    text = f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{error.title}</title><p>{escape(error.chinese())}'
    return HTMLResponse(text, error.status, headers=_NO_STORE)
