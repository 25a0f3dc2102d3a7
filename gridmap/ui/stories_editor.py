"""One story being made: the map whose views become slides, and the slides in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from gridmap.domain.freshness import day_of
from gridmap.domain.roles import User
from gridmap.domain.stories import Slide, parse_slide
from gridmap.errors import EditConflict, GridmapError
from gridmap.services import district as districts
from gridmap.services import stories
from gridmap.services.district import District
from gridmap.services.problems import chinese
from gridmap.services.stories import Story
from gridmap.ui import scenes, slide_list, state, stories_slide, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.show_work import Play, StoryWork

_MODE = "story"
_FIRST_FIGURES = ("covered_share", "gap_people", "open_risks", "overdue")
# Heights of the list in pixels: alone, and with a slide's form below it.
_LIST, _LIST_BESIDE_FORM = 620, 260


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
        opened = mine.work.opened
        shown = next((one for one in story.slides if opened and one.id == opened.id), None)
        scene = {
            "key": f"{story.id}.{story.revision}.{opened.id if opened else None}",
            "may_keep": story.may_change,
            "shown": None if shown is None else _shown(shown),
        }
        said = scenes.show(_MODE, scene, heard=mine.heard)
    if said is not None and said.get("kind") == "slide":
        _add(user, district, story, said)
    with side, st.container(key="stories_slides"):
        if not story.slides:
            widgets.empty("还没有页面。在地图上打开要讲的图层、移到要讲的位置,点“存为一页”。")
        else:
            _slides(user, district, story)
        if story.may_change:
            stories_slide.slide_form(user, story)


def _shown(one: Slide) -> dict[str, Any]:
    found = one.document()
    return {"key": f"{one.id}.{found['at']}", **{name: found[name] for name in ("layers", "view", "at")}}


def _head(user: User, district: District, story: Story) -> None:
    mine = state.of(user).show
    with st.container(horizontal=True, vertical_alignment="bottom", key="stories_head"):
        if st.button("返回列表", icon=":material/arrow_back:", key="stories.back"):
            mine.story, mine.work = None, StoryWork()
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
        state.of(user).show.work.open(made)
        st.rerun()


# --- the slides in their order -------------------------------------------------------------------------------


def _slides(user: User, district: District, story: Story) -> None:
    mine = state.of(user).show
    if mine.work.order is not None:
        _arrange(user, district, story, mine.work.order)
    st.caption("拖动左侧 ⠿ 调整顺序,点标题修改这一页。")
    rows = [slide_list.Row(one.id, one.title, _badges(one)) for one in story.slides]
    opened = mine.work.opened.id if mine.work.opened else None
    said = slide_list.show(
        rows, base=story.revision, opened=opened, may_change=story.may_change,
        most_height=_LIST_BESIDE_FORM if opened else _LIST, heard=mine.heard, key=f"slides.{story.id}",
    )  # fmt: skip
    if said is None:
        return
    if said.get("kind") == "open":
        one = next((each for each in story.slides if each.id == said.get("id")), None)
        mine.work.open(None if one is None or one.id == opened else one)
    elif said.get("kind") == "order" and story.may_change:
        _reorder(user, district, story, [str(one) for one in said["order"]], base=int(said["base"]))
    # also where nothing has changed: the list waits for an answer
    st.rerun()


def _badges(one: Slide) -> tuple[str, ...]:
    date = () if one.at is None else (f"{day_of(one.at):%Y-%m-%d}",)
    return date if one.compare is None else (*date, "前后对比")


def _reorder(user: User, district: District, story: Story, order: Sequence[str], *, base: int) -> None:
    mine = state.of(user)
    try:
        stories.reorder(district, user, story.id, order, base=base)
    except EditConflict:
        mine.show.work.order = tuple(order)
    except GridmapError as error:
        mine.faults = [chinese(error)]


def _arrange(user: User, district: District, story: Story, order: Sequence[str]) -> None:
    """An order that could not be kept, and the choice between it and the one that is there now."""
    work = state.of(user).show.work
    wanted = stories.arranged(story, order)
    titles = {one.id: one.title for one in story.slides}
    names = "、".join(literal(titles[one]) for one in wanted)
    st.warning(f"您排序时这份汇报已被他人修改,下面是最新内容。您的顺序未保存:{names}。")
    with st.container(horizontal=True):
        if st.button("按我的顺序排列", type="primary", key="slides.mine"):
            work.order = None
            _reorder(user, district, story, wanted, base=story.revision)
            st.rerun()
        if st.button("保留最新顺序", key="slides.theirs"):
            work.order = None
            st.rerun()
