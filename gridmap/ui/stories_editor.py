"""One story being made: the map whose views become slides, and the slides in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import streamlit as st

from gridmap.domain.freshness import day_of, last_moment
from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import User
from gridmap.domain.stories import MOST_FIGURES, Compare, CompareKind, Slide, parse_slide
from gridmap.services import district as districts
from gridmap.services import overview, scenarios, stories
from gridmap.services.district import District
from gridmap.services.stories import Story
from gridmap.ui import scenes, state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.show_work import Play

_MODE = "story"
_FIRST_FIGURES = ("covered_share", "gap_people", "open_risks", "overdue")
_COMPARES = {None: "不对比", CompareKind.DATES: "两个日期", CompareKind.SCENARIO: "方案与现状"}


def editor(user: User) -> None:
    """The whole screen of one story."""
    mine, district = state.of(user).show, districts.running()
    story = widgets.attempt(user, lambda: stories.get(district, user, mine.story or ""))
    if story is None:
        mine.story = None
        return
    _head(user, district, story)
    chart, side = st.columns([3, 2], gap="small")
    with chart, st.container(key="stories_map"):
        shown = next((one for one in story.slides if one.id == mine.slide), None)
        scene = {
            "key": f"{story.id}.{story.revision}.{mine.slide}",
            "may_keep": story.may_change,
            "shown": None if shown is None else _shown(shown),
        }
        said = scenes.show(_MODE, scene, heard=mine.heard)
    if said is not None and said.get("kind") == "slide":
        _add(user, district, story, said)
    with side, st.container(key="stories_slides"):
        st.caption("在地图上打开要讲的图层、移到要讲的位置,点“存为一页”。")
        if not story.slides:
            widgets.empty("还没有页面。")
        for number, one in enumerate(story.slides):
            _row(user, district, story, number, one)


def _shown(one: Slide) -> dict[str, Any]:
    return {"key": one.id, "layers": list(one.layers), "view": one.document()["view"]}


def _head(user: User, district: District, story: Story) -> None:
    mine = state.of(user).show
    with st.container(horizontal=True, vertical_alignment="bottom", key="stories_head"):
        if st.button("返回列表", icon=":material/arrow_back:", key="stories.back"):
            mine.story = mine.slide = None
            st.rerun()
        title = st.text_input(
            "汇报标题", story.title, max_chars=100, key=f"stories.title.{story.id}.{story.revision}"
        )
        if title.strip() != story.title and widgets.attempt(
            user, lambda: stories.save(district, user, story.id, base=story.revision, title=title)
        ):
            st.rerun()
        if st.button(
            "放映",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not story.slides,
            key=f"gm_full_{story.id}",
        ):
            mine.play = Play(story=story.id)
            st.rerun()


def _save(user: User, district: District, story: Story, slides: Sequence[Slide]) -> bool:
    made = widgets.attempt(
        user, lambda: stories.save(district, user, story.id, base=story.revision, slides=slides)
    )
    return made is not None


def _add(user: User, district: District, story: Story, said: dict[str, Any]) -> None:
    title = f"第 {len(story.slides) + 1} 页"
    fields = {name: said.get(name) for name in ("id", "view", "layers", "at")}
    made = widgets.attempt(
        user, lambda: parse_slide(fields | {"title": title, "figures": list(_FIRST_FIGURES)})
    )
    if made is not None and _save(user, district, story, [*story.slides, made]):
        state.of(user).show.slide = made.id
        st.rerun()


# --- one slide in the list ---------------------------------------------------------------------------------------


def _row(user: User, district: District, story: Story, number: int, one: Slide) -> None:
    mine = state.of(user).show
    is_open = mine.slide == one.id
    with st.container(border=True, key=f"slide_{one.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            label = f"{number + 1}. {literal(one.title)}"
            if st.button(label, type="tertiary", key=f"slide.open.{one.id}", help="在地图上看,并修改这一页"):
                mine.slide = None if is_open else one.id
                st.rerun()
            st.space("stretch")
            if story.may_change:
                _move(user, district, story, number, -1)
                _move(user, district, story, number, 1)
                if st.button("", icon=":material/delete:", help="删除这一页", key=f"slide.delete.{one.id}"):
                    rest = [slide for slide in story.slides if slide.id != one.id]
                    if _save(user, district, story, rest):
                        st.rerun()
        if is_open and story.may_change:
            _form(user, district, story, one)


def _move(user: User, district: District, story: Story, number: int, step: int) -> None:
    one, to = story.slides[number], number + step
    icon, words = (":material/arrow_upward:", "上移") if step < 0 else (":material/arrow_downward:", "下移")
    is_end = not 0 <= to < len(story.slides)
    if not st.button("", icon=icon, help=words, disabled=is_end, key=f"slide.move.{one.id}.{step}"):
        return
    order = [slide.id for slide in story.slides]
    order[number], order[to] = order[to], order[number]
    if widgets.attempt(user, lambda: stories.reorder(district, user, story.id, order, base=story.revision)):
        st.rerun()


def _form(user: User, district: District, story: Story, one: Slide) -> None:
    key = f"slide.{one.id}.{story.revision}"
    titles = {each.key: each.title for each in overview.overview(district, user, period=one.period).figures}
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
    compare, is_complete = _compare(user, district, one, key)
    if not st.button("保存这一页", type="primary", disabled=not is_complete, key=f"{key}.save"):
        return
    changed = replace(
        one, title=title, text=text, figures=tuple(figures), period=period or one.period, compare=compare
    )
    slides = [changed if slide.id == one.id else slide for slide in story.slides]
    if _save(user, district, story, slides):
        state.of(user).show.slide = None
        st.rerun()


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
    before = _day(now.before, today - timedelta(days=30)) if now else today - timedelta(days=30)
    after = _day(now.after, today) if now else today
    with st.container(horizontal=True):
        earlier = st.date_input("之前", before, max_value=today, format="YYYY-MM-DD", key=f"{key}.before")
        later = st.date_input("之后", after, max_value=today, format="YYYY-MM-DD", key=f"{key}.after")
    if not isinstance(earlier, date) or not isinstance(later, date) or earlier >= later:
        st.caption("请先选较早的日期,再选较晚的日期。")
        return None, False
    return Compare(kind, last_moment(earlier), None if later >= today else last_moment(later)), True


def _day(at: Any, otherwise: date) -> date:
    return otherwise if at is None else day_of(at)
