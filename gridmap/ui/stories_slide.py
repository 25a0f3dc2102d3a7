"""One slide of a story in a form: its words and figures, its date, what it compares."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import streamlit as st

from gridmap.domain.freshness import day_of, last_moment
from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import User
from gridmap.domain.stories import MOST_FIGURES, Compare, CompareKind, Slide
from gridmap.errors import EditConflict
from gridmap.services import district as districts
from gridmap.services import overview, scenarios, stories
from gridmap.services.district import District
from gridmap.services.stories import Story
from gridmap.ui import state, widgets
from gridmap.ui.element_words import literal

_COMPARES = {None: "不对比", CompareKind.DATES: "两个日期", CompareKind.SCENARIO: "方案与现状"}


def slide_form(user: User, story: Story) -> None:
    """The form of the slide that is open; what somebody else does to the story meanwhile empties no field of it."""
    district, work = districts.running(), state.of(user).show.work
    one = work.opened
    if one is None:
        return
    key = f"slide.{one.id}.{work.openings}"
    titles = {each.key: each.title for each in overview.overview(district, user, period=one.period).figures}
    with st.container(border=True, key="slide_form"):
        if work.clash is not None:
            _settle(user, district, story, one, work.clash)
        title = st.text_input("标题", one.title, max_chars=100, key=f"{key}.title")
        text = st.text_area("说明(一两句话)", one.text, max_chars=500, height=80, key=f"{key}.text")
        figures = st.multiselect(
            "指标", list(titles), list(one.figures), format_func=titles.__getitem__, max_selections=MOST_FIGURES,
            key=f"{key}.figures", placeholder="请选择",
        )  # fmt: skip
        period = st.segmented_control(
            "与哪一期比", list(PeriodKind), default=one.period, format_func=lambda each: each.before_title,
            key=f"{key}.period", required=True,
        )  # fmt: skip
        at = _date(district, one, key)
        compare, is_complete = _compare(user, district, one, key)
        changed = replace(
            one, title=title, text=text, figures=tuple(figures), period=period or one.period, at=at,
            compare=compare,
        )  # fmt: skip
        with st.container(horizontal=True):
            is_wanted = st.button("保存这一页", type="primary", disabled=not is_complete, key=f"{key}.save")
            st.space("stretch")
            if st.button("收起", key=f"{key}.close"):
                work.open(None)
                st.rerun()
            _delete(user, district, story, one)
    if is_wanted and _keep(user, district, story, changed, was=one):
        st.rerun()


def _keep(user: User, district: District, story: Story, changed: Slide, *, was: Slide) -> bool:
    """Whether the page must run again: the slide is stored, or somebody else's change stands in the way."""
    work = state.of(user).show.work
    try:
        if not widgets.attempt(user, lambda: _stored(user, district, story, changed, was)):
            return False
    except _Clash:
        work.clash = changed
        return True
    work.open(None)
    return True


class _Clash(Exception):
    """Somebody else changed or dropped the slide meanwhile."""


def _stored(user: User, district: District, story: Story, changed: Slide, was: Slide) -> Story:
    try:
        return stories.save_slide(district, user, story.id, changed, was=was)
    except EditConflict as error:
        raise _Clash from error


def _settle(user: User, district: District, story: Story, one: Slide, mine: Slide) -> None:
    """What somebody else made of the slide, and the choice between the two."""
    work = state.of(user).show.work
    theirs = next((each for each in story.slides if each.id == one.id), None)
    if theirs is None:
        st.warning("这一页已被他人删除,您的改动还在下方,尚未保存。")
    else:
        words = f"标题“{literal(theirs.title)}”" + (f",说明“{literal(theirs.text)}”" if theirs.text else "")
        st.warning(f"这一页已被他人修改为:{words}。您的改动还在下方,尚未保存。")
    with st.container(horizontal=True):
        if st.button("以我的为准", key="slide.mine"):
            slides = [mine if each.id == one.id else each for each in story.slides]
            slides += [mine] if theirs is None else []
            if widgets.attempt(
                user, lambda: stories.save(district, user, story.id, base=story.revision, slides=slides)
            ):
                work.open(None)
                st.rerun()
        if st.button("放弃我的改动" if theirs is None else "采用对方的", key="slide.theirs"):
            work.open(theirs)
            st.rerun()


def _delete(user: User, district: District, story: Story, one: Slide) -> None:
    with st.popover("删除这一页"):
        st.write("删除后不能恢复。")
        if not st.button("确定删除", type="primary", key=f"slide.delete.{one.id}"):
            return
        rest = [each for each in story.slides if each.id != one.id]
        if widgets.attempt(
            user, lambda: stories.save(district, user, story.id, base=story.revision, slides=rest)
        ):
            state.of(user).show.work.open(None)
            st.rerun()


# --- dates ---------------------------------------------------------------------------------------------------


def _date(district: District, one: Slide, key: str) -> datetime | None:
    """The moment that the slide's map and figures are of: the end of the chosen day; None for now."""
    today, now = day_of(district.clock()), None if one.at is None else day_of(one.at)
    first = stories.first_day(district) or today
    chosen = st.date_input(
        "这一页的日期(地图与指标截至当日,留空为现在)", now, min_value=min(first, now or first), max_value=today,
        format="YYYY-MM-DD", key=f"{key}.at",
    )  # fmt: skip
    if not isinstance(chosen, date) or chosen >= today:
        return None
    # a view that was kept at some hour of that day stays of that hour
    return one.at if chosen == now else last_moment(chosen)


def _compare(user: User, district: District, one: Slide, key: str) -> tuple[Compare | None, bool]:
    """What the slide's swipe shows, and whether enough of it is chosen."""
    now = one.compare
    kind = st.segmented_control(
        "前后对比", list(_COMPARES), default=now.kind if now else None, format_func=_COMPARES.__getitem__,
        key=f"{key}.compare",
    )  # fmt: skip
    if kind is None:
        return None, True
    if kind is CompareKind.SCENARIO:
        found = {each.id: each.name for each in scenarios.find(district, user)}
        if not found:
            st.caption("还没有方案,请先由研判员在“覆盖分析”中保存方案。")
            return None, False
        index = list(found).index(now.scenario) if now and now.scenario in found else 0
        chosen = st.selectbox(
            "方案", list(found), index=index, format_func=found.__getitem__, key=f"{key}.scenario"
        )
        return Compare(kind, scenario=chosen), True
    today = day_of(district.clock())
    # before the first day there is nothing to show
    first = stories.first_day(district) or today
    month = max(first, today - timedelta(days=30))
    before = _day(now.before, month) if now else month
    after = _day(now.after, today) if now else today
    limits = {"min_value": min(first, before), "max_value": today, "format": "YYYY-MM-DD"}
    with st.container(horizontal=True):
        earlier = st.date_input("之前", before, key=f"{key}.before", **limits)
        later = st.date_input("之后", after, key=f"{key}.after", **limits)
    if not isinstance(earlier, date) or not isinstance(later, date) or earlier >= later:
        st.caption("请先选较早的日期,再选较晚的日期。")
        return None, False
    return Compare(kind, last_moment(earlier), None if later >= today else last_moment(later)), True


def _day(at: datetime | None, otherwise: date) -> date:
    return otherwise if at is None else day_of(at)
