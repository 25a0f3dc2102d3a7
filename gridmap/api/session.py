"""Signing in and out, and the first password."""

from __future__ import annotations

from starlette.responses import Response

from gridmap.api.bodies import read_object, text_of
from gridmap.api.calls import BadRequest, Call, answer, empty
from gridmap.services import accounts, documents


def who(call: Call) -> Response:
    """`GET /api/session`"""
    return answer({"user": documents.user_document(call.user)})


def sign_in(call: Call) -> Response:
    """
    `POST /api/session`: the key travels in the cookie alone.

    No header of ours is asked for, since nobody is signed in yet: the content type guards it.
    """
    _require_json_type(call)
    body = read_object(call, known=("username", "password"))
    signed = accounts.sign_in(
        call.district,
        text_of(body, "username"),
        text_of(body, "password", max_length=1000),
        address=call.address,
    )
    response = answer({"user": documents.user_document(signed.user)})
    set_cookie(call, response, signed.key)
    return response


def _require_json_type(call: Call) -> None:
    # a foreign page can send forms and plain text without asking, but not this type
    if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadRequest("sign-in needs the content type application/json", zh="登录请求应为 JSON。")


def sign_out(call: Call) -> Response:
    """`DELETE /api/session`: harmless when nobody is signed in."""
    call.require_own_page()
    accounts.sign_out(call.district, call.session_key, address=call.address)
    response = empty()
    set_cookie(call, response, "")
    return response


def change_password(call: Call) -> Response:
    """`POST /api/session/password`: other sessions of the account end, this one goes on."""
    user, body = call.user, read_object(call, known=("old", "new"))
    old, new = text_of(body, "old", max_length=1000), text_of(body, "new", max_length=1000)
    accounts.change_password(call.district, user, old, new, key=call.session_key or "")
    return empty()


def set_cookie(call: Call, response: Response, key: str) -> None:
    """Hand the browser the session's key, or take it away when `key` is empty."""
    settings = call.district.settings
    response.set_cookie(
        settings.cookie_name,
        key,
        max_age=settings.session_hours * 3600 if key else 0,
        path=settings.base_path or "/",
        secure=settings.secure_cookies,
        httponly=True,
        # a link in another system may lead in; nothing else from elsewhere carries the session along, and
        # writes need a header besides
        samesite="lax",
    )
