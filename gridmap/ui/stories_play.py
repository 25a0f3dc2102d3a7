"""A presentation: slides with the figures of whoever presents, handed to the map that shows them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from gridmap.domain.periods import PeriodKind, day_words, moment_words
from gridmap.domain.roles import User
from gridmap.domain.stories import Compare, CompareKind, Slide
from gridmap.errors import GridmapError
from gridmap.maps.shell import FRAME_STYLE
from gridmap.services import as_of, outlook, scenarios, stories
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.figures import Figure
from gridmap.services.problems import chinese
from gridmap.ui import scenes, state, widgets
from gridmap.ui.show_work import Play

_MODE = "present"


def play(user: User) -> None:
    """The whole window: what is being presented, until somebody ends it."""
    mine = state.of(user).show
    play = mine.play
    assert play is not None
    try:
        with st.spinner("正在准备汇报…"):
            scene = _scene(districts.running(), user, play)
    except GridmapError as error:
        mine.play = None
        state.of(user).faults = [chinese(error)]
        st.rerun()
    widgets.fill_screen()
    st.html(FRAME_STYLE)
    said = scenes.show(_MODE, scene, heard=mine.heard, height=700)
    if said is not None and said.get("kind") == "end":
        mine.play = None
        st.rerun()


def _scene(district: District, user: User, play: Play) -> dict[str, Any]:
    if play.tour is not None:
        title, slides = play.tour.title, stories.tour(district, user, play.tour, town=play.town)
        key = f"{play.tour.value}.{play.town}"
    else:
        story = stories.get(district, user, play.story)
        title, slides, key = story.title, story.slides, f"{story.id}.{story.revision}"
    return {
        "key": f"{key}.{district.database.sequence()}",
        "title": title,
        "slides": [slide_document(district, user, one) for one in slides],
        "start": play.start,
        "seconds": play.seconds,
    }


def slide_document(district: District, user: User, slide: Slide) -> dict[str, Any]:
    """
    One slide for the map's script, with the figures that this user may see.

    What it is about may be gone: then it says so and shows the map alone.
    """
    found: dict[str, Any] = {
        "id": slide.id,
        "title": slide.title,
        "text": slide.text,
        "subtitle": "",
        "layers": list(slide.layers),
        "view": None if slide.view is None else slide.document()["view"],
        "at": None if slide.at is None else slide.at.isoformat(),
        "date": "" if slide.at is None else f"截至 {moment_words(slide.at)}",
        "focus": slide.document()["focus"],
        "figures": [],
        "box": None,
        "stamp": "",
        "compare": None if slide.compare is None else compare_document(district, user, slide.compare),
    }
    try:
        shown = stories.show(district, user, slide)
    except GridmapError as error:
        return found | {"subtitle": chinese(error), "focus": None}
    found |= {
        "subtitle": shown.subtitle if shown.subtitle != slide.title else "",
        "figures": [figure_document(one, slide.period) for one in shown.figures],
        "box": None if shown.box is None else list(shown.box),
        "stamp": shown.stamp.text,
    }
    if slide.at is not None and not as_of.may_look(user):
        found |= {"at": None, "subtitle": stories.PAST_CLOSED}
    return found


def figure_document(one: Figure, period: PeriodKind) -> dict[str, str]:
    """A figure's words: value, unit, change against the period before; a scenario's figure has today's before it."""
    look = {True: "gm-better", False: "gm-worse", None: ""}[one.is_better]
    unit = one.unit if one.value is not None else ""
    return {
        "title": f"{one.title}(方案)" if one.against else one.title,
        "before": f"现状 {one.before_text}{one.unit} → " if one.against else "",
        "text": one.text,
        "unit": unit,
        "change": one.change_text,
        "since": one.since(period),
        "look": look,
    }


# --- before and after -----------------------------------------------------------------------------------------


def compare_document(district: District, user: User, compare: Compare) -> dict[str, Any]:
    """The two sides for the map's script; `problem` instead where this user may not see them."""
    if compare.kind is CompareKind.DATES:
        if not as_of.may_look(user):
            return {"problem": stories.COMPARE_CLOSED}
        assert compare.before is not None
        return {
            "before": compare.before.isoformat(),
            "after": None if compare.after is None else compare.after.isoformat(),
            "words": [
                day_words(compare.before),
                "现在" if compare.after is None else day_words(compare.after),
            ],
        }
    try:
        one = scenarios.get(district, user, compare.scenario or "")
    except GridmapError as error:
        return {"problem": chinese(error)}
    changes = [
        {
            "kind": change.kind, "lon": change.place[0], "lat": change.place[1], "name": change.name,
            "from": None if change.was is None else list(change.was),
        }
        for change in outlook.point_changes(district, user, one)
    ]  # fmt: skip
    return {"changes": changes, "words": ["现状", outlook.called(one)]}
