"""The guard of every page: who is there, and whether they may see this page. Asked at every run."""

from __future__ import annotations

import html
from urllib.parse import quote, urlsplit

import streamlit as st

from gridmap.domain.roles import Permission, User
from gridmap.errors import AuthenticationRequired, PermissionDenied
from gridmap.services import access, accounts
from gridmap.services import district as districts
from gridmap.services.problems import chinese

LOOPBACK = "127.0.0.1"


def require(permission: Permission | None = None, *, with_first_password: bool = False) -> User:
    """
    Whoever has a living session and `permission`; everybody else gets a sentence, and the run ends.

    The first statement of every page. A refusal is written to the log.

    Parameters
    ----------
    permission : None when being signed in is enough
    with_first_password : let in who must still change the first password (the page where they do it)
    """
    district = districts.running()
    try:
        user = accounts.user_of_session(district, session_key(), address=address())
        if not with_first_password:
            accounts.require_settled(user)
        if permission is not None:
            access.require(district, user, permission, "page")
    except AuthenticationRequired as error:
        _turn_away("请登录", chinese(error), "前往登录", sign_in_link())
    except accounts.PasswordChangeRequired as error:
        _turn_away("请先修改初始密码", chinese(error), "修改密码", f"{base_path()}/account")
    except PermissionDenied as error:
        _turn_away("没有权限", chinese(error), "返回首页", f"{base_path()}/")
    return user


def session_key() -> str | None:
    """The key in the browser's session cookie, as it was when the page was loaded."""
    return st.context.cookies.get(districts.running().settings.cookie_name)


def address() -> str:
    """Where the browser is, for the log."""
    forwarded = ""
    if districts.running().settings.trusts_proxy:
        # the last entry is the one that our own proxy wrote
        forwarded = st.context.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return forwarded[:60] or st.context.ip_address or LOOPBACK


def base_path() -> str:
    """What stands before every path of ours."""
    return districts.running().settings.base_path


def sign_in_link() -> str:
    """The sign-in page, with the way back to this page."""
    here = urlsplit(st.context.url or "").path
    return f"{base_path()}/signin" + (f"?next={quote(here, safe='')}" if here.strip("/") else "")


def _turn_away(title: str, sentence: str, label: str, link: str) -> None:
    with st.container(key="gate"):
        st.header(title, anchor=False)
        st.write(sentence)
        st.html(f'<a class="gm-button" href="{html.escape(link)}">{label}</a>')
    st.stop()
