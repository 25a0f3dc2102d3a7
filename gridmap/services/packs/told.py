"""A story on paper: a page for each slide with its map and figures, two for what is swiped on the screen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gridmap.domain.elements import Box
from gridmap.domain.periods import day_words, moment_words
from gridmap.domain.roles import User
from gridmap.domain.stories import Compare, CompareKind, Slide, View
from gridmap.errors import GridmapError
from gridmap.services import access, as_of, cards, outlook, pictures, reach, scenarios, standing, stories
from gridmap.services.district import District
from gridmap.services.figures import Stamp
from gridmap.services.packs.page import MapSpec, Page
from gridmap.services.problems import chinese

# What a slide's view shows at its zoom: a window of this many pixels.
_WINDOW_PX = (1600, 900)
_TILE_PX = 256
_PAST_IS_CLOSED = "您没有查看历史的权限,地图为现在的状态。"


def count(user: User, slide: Slide) -> int:
    """How many pages the slide has."""
    return 2 if slide.compare is not None and (_is_scenario(slide.compare) or as_of.may_look(user)) else 1


def pages(
    district: District, user: User, slide: Slide, number: int, *, at: datetime | None, stamp: Stamp
) -> Iterator[Page]:
    """
    The pages of one slide, as this user may see it.

    What the slide is about, or its scenario, may be gone: then the page says so, and shows the map alone.

    Parameters
    ----------
    number : its place in the story, from 1
    at : the pack's date, for a slide that has none (None: now)
    stamp : of the pack, for a page without figures
    """
    slide = replace(slide, at=slide.at or at)
    compare, key = slide.compare, f"汇报 {number}"
    if compare is None or count(user, slide) == 1:
        yield _page(district, user, slide, key, stamp)
    elif _is_scenario(compare):
        yield _page(district, user, replace(slide, compare=None), f"{key} 前", stamp, words="现状")
        yield _scenario_page(district, user, slide, f"{key} 后", stamp)
    else:
        for side, moment in (("前", compare.before), ("后", compare.after or at)):
            words = "现在" if moment is None else day_words(moment)
            yield _page(
                district, user, replace(slide, compare=None, at=moment), f"{key} {side}", stamp, words=words
            )


def _is_scenario(compare: Compare) -> bool:
    return compare.kind is CompareKind.SCENARIO


def _scenario_page(district: District, user: User, slide: Slide, key: str, stamp: Stamp) -> Page:
    assert slide.compare is not None
    try:
        one = scenarios.get(district, user, slide.compare.scenario or "")
    except GridmapError as error:
        return _page(district, user, replace(slide, compare=None), key, stamp, words=chinese(error))
    marks = tuple(outlook.point_changes(district, user, one))
    # a slide that is called as its scenario needs no second name
    words = "方案" if one.name in slide.title else outlook.called(one)
    return _page(district, user, slide, key, stamp, words=words, marks=marks)


def _page(
    district: District,
    user: User,
    slide: Slide,
    key: str,
    stamp: Stamp,
    *,
    words: str = "",
    marks: tuple[outlook.PointChange, ...] = (),
) -> Page:
    try:
        shown = stories.show(district, user, slide)
    except GridmapError as error:
        shown = stories.Shown(slide, stamp, (), None, chinese(error))
    map_at, subtitle = slide.at, [shown.subtitle] if shown.subtitle != slide.title else []
    if slide.compare is not None and count(user, slide) == 1:
        subtitle.append("您没有查看历史的权限,不能前后对比。")
    if slide.at is not None:
        if not as_of.may_look(user):
            map_at = None
            subtitle.append(_PAST_IS_CLOSED)
        elif not words:
            subtitle.append(f"截至 {moment_words(slide.at)}")
    figures = "".join(f"{one.title} {one.text}{one.unit},{one.since(slide.period)} {one.change_text or '–'}。" for one in shown.figures)  # fmt: skip
    return Page(
        f"{slide.title}({words})" if words else slide.title, " · ".join(one for one in subtitle if one), shown.stamp,
        tuple(replace(one, title=f"{one.title}(方案)") if one.against else one for one in shown.figures),
        map=_map(district, user, slide, shown, map_at, marks), text=slide.text,
        notes="\n".join(one for one in (slide.text, figures, shown.stamp.text) if one), key=key,
    )  # fmt: skip


def _map(
    district: District,
    user: User,
    slide: Slide,
    shown: stories.Shown,
    at: datetime | None,
    marks: tuple[outlook.PointChange, ...],
) -> MapSpec:
    visible = {one.id for one in access.visible_layers(district, user)}
    layers = tuple(one for one in slide.layers if one in visible)
    outline = None if shown.area is None else (shown.area, slide.title)
    reached, box = None, shown.box
    if slide.view is not None:
        box = _window(slide.view)
    elif slide.focus is not None and slide.focus.layer == cards.POST and shown.box is not None:
        shape = reach.shape(district, slide.focus.key, at=at)
        if shape is not None and not shape.is_empty:
            reached, box = (shape, "服务范围"), shape.bounds
    named = {standing.TOWN} if box is None else {cards.POST} if slide.focus else set()
    return MapSpec(
        box or pictures.district_box(district, at), outline, reached, frozenset(named), layers or None, at, marks,
        is_own=bool(marks) or at is not None,
    )  # fmt: skip


def _window(view: View) -> Box:
    """The lon/lat box that a window shows which looks there."""
    degrees = 360 / (_TILE_PX * 2**view.zoom)
    half_x = _WINDOW_PX[0] / 2 * degrees
    half_y = _WINDOW_PX[1] / 2 * degrees * math.cos(math.radians(view.lat))
    return (view.lon - half_x, view.lat - half_y, view.lon + half_x, view.lat + half_y)
