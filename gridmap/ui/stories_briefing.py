"""平安通报: a month and a template make a text, which a person edits, keeps and takes away."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from gridmap.domain.freshness import day_of, last_moment
from gridmap.domain.periods import period_at
from gridmap.domain.roles import Permission, User
from gridmap.services import briefings, names
from gridmap.services import district as districts
from gridmap.services.briefings import Briefing, Draft
from gridmap.services.district import District
from gridmap.services.figures import Scope
from gridmap.ui import state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.words import time_words

_MONTHS = 12
_HEIGHT = 460


def briefing_tab(user: User) -> None:
    """The order and the kept briefings on the left, the text on the right."""
    district = districts.running()
    left, right = st.columns([2, 3], gap="large")
    with left:
        _order(user, district)
        _kept(user, district)
    with right:
        mine = state.of(user).show
        if mine.briefing is not None:
            found = widgets.attempt(user, lambda: briefings.get(district, user, mine.briefing or ""))
            if found is not None:
                _open(user, district, found)
        elif mine.draft is not None:
            _draft(user, district, mine.draft)
        else:
            widgets.empty("请在左侧选择月份和模板,点“生成通报”;数字由系统填好,文字可以修改。")


def _order(user: User, district: District) -> None:
    st.subheader("生成通报", anchor=False)
    months = _months(district.clock())
    titles = {one.id: one.title.replace("{period}", "") for one in briefings.templates()}
    month = st.selectbox("月份", list(months), key="briefing.month")
    template = st.selectbox(
        "模板", list(titles), index=list(titles).index("monthly") if "monthly" in titles else 0,
        format_func=titles.__getitem__, key="briefing.template",
    )  # fmt: skip
    is_masked = user.may(Permission.VIEW_SENSITIVE) and st.toggle(
        "供查看者阅读(隐去小数量)", key="briefing.masked"
    )
    if st.button("生成通报", type="primary", key="briefing.make"):
        made = widgets.attempt(
            user,
            lambda: briefings.draft(
                district, user, template or "monthly", at=months[month], is_masked=is_masked
            ),
        )
        if made is not None:
            state.of(user).show.draft, state.of(user).show.briefing = made, None
            st.rerun()


def _months(now: datetime) -> dict[str, datetime | None]:
    """The months by name, newest first: the present one up to now, earlier ones up to their last moment."""
    found: dict[str, datetime | None] = {}
    at: datetime | None = None
    for _ in range(_MONTHS):
        period = period_at("month", at or now)
        found[period.title + ("(至今)" if at is None else "")] = at
        at = last_moment(day_of(period.before))
    return found


def _kept(user: User, district: District) -> None:
    st.subheader("已保存的通报", anchor=False)
    found = briefings.list_briefings(district, user)
    if not found:
        widgets.empty("还没有保存的通报。")
    called = names.of(district, [one.created_by for one in found])
    for one in found[:20]:
        label = f"{literal(one.title)} · {literal(called[one.created_by])} · {time_words(one.updated_at)}"
        if one.scope is Scope.MASKED and user.may(Permission.VIEW_SENSITIVE):
            label += " · 查看者版"
        if st.button(label, type="tertiary", icon=":material/article:", key=f"briefing.open.{one.id}"):
            state.of(user).show.briefing = one.id
            st.rerun()


def _words(key: str, title: str, text: str, *, may_change: bool) -> tuple[str, str]:
    title = st.text_input("标题", title, max_chars=100, disabled=not may_change, key=f"{key}.title")
    text = st.text_area("正文", text, height=_HEIGHT, disabled=not may_change, key=f"{key}.text")
    return title, text


def _export(key: str, title: str, text: str) -> None:
    st.download_button(
        "导出文本", f"{title}\n\n{text}\n".encode("utf-8-sig"), file_name=f"{title}.txt", mime="text/plain",
        on_click="ignore", icon=":material/download:", key=f"{key}.export",
    )  # fmt: skip


def _draft(user: User, district: District, made: Draft) -> None:
    mine = state.of(user).show
    key = f"briefing.draft.{made.template}.{made.data_at:%Y%m%d%H%M%S}"
    may = user.may(Permission.SAVE_STORIES)
    title, text = _words(key, made.title, made.text, may_change=True)
    st.caption(f"数据时间 {time_words(made.data_at)} · 数据序号 {made.sequence} · {made.scope.title}")
    with st.container(horizontal=True):
        if may and st.button("保存通报", type="primary", key=f"{key}.save"):
            kept = widgets.attempt(
                user,
                lambda: briefings.create(district, user, made, title=title, text=text),
                done="通报已保存。",
            )
            if kept is not None:
                mine.draft, mine.briefing = None, kept.id
                st.rerun()
        _export(key, title, text)
    if not may:
        st.caption("您可以修改后导出;保存由汇报员或研判员进行。")


def _open(user: User, district: District, found: Briefing) -> None:
    mine = state.of(user).show
    key = f"briefing.{found.id}.{found.revision}"
    title, text = _words(key, found.title, found.text, may_change=found.may_change)
    called = names.of(district, [found.created_by, found.updated_by])
    st.caption(
        f"数据时间 {time_words(found.data_at)} · 数据序号 {found.sequence} · {literal(called[found.created_by])} 制作,"
        f"{literal(called[found.updated_by])} 于 {time_words(found.updated_at)} 修改"
    )
    with st.container(horizontal=True):
        if found.may_change and st.button("保存修改", type="primary", key=f"{key}.save"):
            kept = widgets.attempt(
                user,
                lambda: briefings.save(district, user, found.id, base=found.revision, title=title, text=text),
                done="修改已保存。",
            )
            if kept is not None:
                st.rerun()
        _export(key, title, text)
        if found.may_change:
            with st.popover("删除"):
                st.write("删除后不能恢复。")
                if st.button("确定删除", type="primary", key=f"{key}.delete") and widgets.attempt(
                    user, lambda: briefings.delete(district, user, found.id) or True, done="通报已删除。"
                ):
                    mine.briefing = None
                    st.rerun()
        if st.button("关闭", key=f"{key}.close"):
            mine.briefing = None
            st.rerun()
