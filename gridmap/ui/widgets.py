"""Pieces of pages that several pages use."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st

from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.exchange.delimited import csv_text
from gridmap.services import accounts, names
from gridmap.services.district import District
from gridmap.services.problems import chinese
from gridmap.ui import state
from gridmap.ui.words import time_words

T = TypeVar("T")


def frame(user: User, *, is_simulated: bool, base_path: str, page: str = "", group: str = "") -> None:
    """
    What surrounds every page: who is signed in, the way out, the mark of simulated data.

    `page` and `group` are the titles of the open page and of the heading it stands under; the menu shows them.
    """
    badge = '<span class="gm-simulated" title="当前辖区含有模拟数据">模拟数据</span>' if is_simulated else ""
    name, role = html.escape(user.display_name), html.escape(user.role.title)
    base = html.escape(base_path)
    st.html(
        f'<div class="gm-bar" data-page="{html.escape(page)}" data-group="{html.escape(group)}">{badge}<span class="gm-who" title="{name}"><b>{name}</b>{role}</span>'
        f'<button type="button" class="gm-button" data-gridmap-signout="{base}"'
        f' data-user="{html.escape(user.username)}">退出登录</button></div>'
    )


def fill_screen() -> None:
    """Let this page's only content take the whole window below the header, without margins (the map)."""
    st.html(
        "<style>.stMainBlockContainer{padding:var(--gm-header) 0 0!important;max-width:none!important}</style>"
    )


def attempt(user: User, action: Callable[[], T], *, done: str | None = None) -> T | None:
    """
    Run `action`; a refusal becomes a sentence on the page, success the notice `done` after the next run.

    Answers None when it was refused.
    """
    try:
        result = action()
    except GridmapError as error:
        st.error(chinese(error))
        return None
    if done is not None:
        state.of(user).notice = done
    return result


def notices(user: User, page: str) -> None:
    """What the last action left to be said on `page`: its notice, and a secret that is shown this once."""
    mine = state.of(user)
    if mine.notice is not None:
        st.success(mine.notice)
        mine.notice = None
    if mine.faults:
        st.warning("\n".join(f"- {one}" for one in mine.faults))
        mine.faults = []
    if mine.secret is None:
        return
    if mine.secret.page != page:
        mine.secret = None
        return
    secret = mine.secret
    with st.container(border=True, key="secret"):
        st.html(
            f'<p class="gm-secret-title">{html.escape(secret.title)}</p>'
            f'<div class="gm-secret"><code>{html.escape(secret.text)}</code>'
            f'<button type="button" class="gm-button" data-gridmap-copy="{html.escape(secret.text)}">复制</button></div>'
            f"<p>{html.escape(secret.hint)}</p>"
        )
        if st.button("已记下,不再显示", key=f"{page}.secret_noted"):
            mine.secret = None
            st.rerun()


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    empty: str,
    height: int | None = None,
    links: Sequence[str] | None = None,
) -> None:
    """
    A plain table; every value is shown as text, whatever it holds.

    Parameters
    ----------
    empty : the sentence that stands there instead when there is no row
    height : at most so many pixels, then it scrolls
    links : (n,) where each row is on the map; a last column leads there
    """
    if not rows:
        st.html(f'<p class="gm-empty">{html.escape(empty)}</p>')
        return
    headings = [*columns, "地图"] if links is not None else columns
    head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in headings)
    ends = [_map_cell(one) for one in links] if links is not None else [""] * len(rows)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in row) + end + "</tr>"
        for row, end in zip(rows, ends, strict=True)
    )
    style = f' style="max-height: {height}px"' if height else ""
    st.html(
        f'<div class="gm-table" tabindex="0" role="region" aria-label="{html.escape(columns[0])}"{style}>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _map_cell(link: str) -> str:
    if not link:
        return "<td></td>"
    return f'<td class="gm-to-map"><a href="{html.escape(link)}" target="_blank">在图上看</a></td>'


def map_button(link: str, label: str = "在图上看") -> None:
    """A button that opens a place on the map in a window of its own, so that the page stays as it is."""
    st.html(
        f'<a class="gm-button" href="{html.escape(link)}" target="_blank">{html.escape(label)}</a>',
        width="content",
    )


def empty(sentence: str) -> None:
    """What stands where there is nothing to show."""
    st.html(f'<p class="gm-empty">{html.escape(sentence)}</p>')


def csv_button(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    name: str,
    key: str,
    label: str = "导出表格(CSV)",
) -> None:
    """The rows as a CSV file to take away, with a mark by which spreadsheet programs know UTF-8."""
    st.download_button(
        label,
        # made when it is asked for: a file beforehand would be gone, and missed, once the page runs again
        lambda: "".join(csv_text(columns, iter(rows))).encode("utf-8-sig"),
        file_name=f"{name}.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=not rows,
        key=key,
    )


def page_of(rows: Sequence[T], *, size: int, key: str) -> Sequence[T]:
    """One page of the rows, with the numbers of the pages below where there are several."""
    count = max(1, -(-len(rows) // size))
    if count == 1:
        return rows
    number = st.pagination(count, key=f"{key}.{len(rows)}", max_visible_pages=5)
    return rows[(number - 1) * size : number * size]


def cards(facts: Mapping[str, object]) -> None:
    """Facts side by side, each under its name."""
    body = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd></div>"
        for name, value in facts.items()
    )
    st.html(f'<dl class="gm-cards">{body}</dl>')


def tokens(user: User, district: District, page: str, username: str | None, owner: str | None = None) -> None:
    """
    API tokens with a form for a new one and a way to revoke one.

    Parameters
    ----------
    page : where this stands; widgets' keys begin with it
    username : whose tokens are listed; None for everybody's
    owner : whose the new token will be, where it is not `username`
    """
    found = accounts.list_tokens(district, user, username)
    called = names.with_accounts(district, [one.username for one in found])
    table(
        ["账号", "用途", "创建时间", "有效期至", "最近使用", "状态"],
        [
            (
                called[one.username],
                one.label,
                time_words(one.created_at),
                time_words(one.ends_at),
                time_words(one.used_at),
                "有效" if one.is_valid else "已撤销" if one.revoked_at else "已过期",
            )
            for one in found
        ],
        empty="还没有令牌。",
        height=360,
    )
    new, old = st.columns(2, gap="large")
    with new:
        _new_token(user, district, page, username or owner)
    with old:
        _revoke_token(user, district, page, [one for one in found if one.is_valid], called)


def _new_token(user: User, district: District, page: str, owner: str | None) -> None:
    with st.form(f"{page}.token", clear_on_submit=True):
        label = st.text_input("用途", placeholder="例如:QGIS 工作站", max_chars=80, key=f"{page}.token_label")
        days = st.number_input(
            "有效天数", min_value=1, max_value=accounts.MAX_TOKEN_DAYS, value=180, key=f"{page}.token_days"
        )
        if not st.form_submit_button("创建令牌"):
            return
    if owner is None:
        st.error("请先选择令牌所属账号。")
        return
    text = attempt(user, lambda: accounts.create_token(district, user, owner, label, int(days)))
    if text is not None:
        hint = "程序访问时置于请求头 Authorization: Bearer 之后。离开或关闭后无法再次查看。"
        state.of(user).secret = state.Secret(page, f"新令牌:{label.strip()}({owner})", text, hint)
        st.rerun()


def _revoke_token(
    user: User, district: District, page: str, valid: Sequence[accounts.Token], called: Mapping[str, str]
) -> None:
    picked = st.selectbox(
        "撤销令牌",
        valid,
        index=None,
        format_func=lambda one: f"{one.label} · {called[one.username]} · {time_words(one.created_at)}",
        placeholder="请选择",
        disabled=not valid,
        key=f"{page}.token_picked",
    )
    if picked is None:
        return
    with st.popover("撤销该令牌"):
        st.write("撤销后,使用该令牌的程序立即无法访问,且不能恢复。")
        if st.button("确定撤销", type="primary", key=f"{page}.token_revoke"):
            done = attempt(
                user, lambda: accounts.revoke_token(district, user, picked.id) or True, done="令牌已撤销。"
            )
            if done:
                st.rerun()


def deep(color: str) -> str:
    """A symbol's colour (#rrggbb), darkened until white words on it can be read."""
    channels = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(one * 0.76):02x}" for one in channels)
