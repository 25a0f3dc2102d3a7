"""A story on paper: a page for each slide with its map and figures, two for what is swiped on the screen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import shapely

from gridmap.domain.elements import Box
from gridmap.domain.freshness import day_of
from gridmap.domain.periods import PeriodKind, day_words, moment_words
from gridmap.domain.roles import User
from gridmap.domain.stories import Compare, CompareKind, Slide, View
from gridmap.errors import GridmapError, InvalidInput
from gridmap.services import access, as_of, cards, outlook, pictures, reach, scenarios, standing, stories
from gridmap.services.district import District
from gridmap.services.figures import Figure, Stamp
from gridmap.services.packs.page import MapSpec, Page
from gridmap.services.problems import chinese

# What a slide's view shows at its zoom: a window of this many pixels.
_WINDOW_PX = (1600, 900)
_TILE_PX = 256
_TODAY = "现状"
# Characters of a title that has room on every page, and of what tells a page from its other.
_MOST_TITLE, _MOST_WORDS = 26, 18


def count(user: User, slide: Slide, *, at: datetime | None) -> int:
    """How many pages the slide has in a pack of the date `at`."""
    compare = slide.compare
    if compare is None:
        return 1
    if compare.kind is CompareKind.SCENARIO:
        return 2
    return len(_moments(compare, at)) if as_of.may_look(user) else 1


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
    sheet = _Sheet(
        district, user, replace(slide, at=slide.at or at, compare=None), f"汇报 {number}", at, stamp
    )
    compare = slide.compare
    if compare is None:
        yield sheet.page()
    elif compare.kind is CompareKind.SCENARIO:
        yield sheet.page("前", words=_TODAY)
        yield _scenario_page(sheet, compare)
    elif not as_of.may_look(user):
        yield sheet.page(told=(stories.COMPARE_CLOSED,))
    else:
        moments = _moments(compare, at)
        is_one_day = len({None if one is None else day_of(one) for one in moments}) < len(moments)
        for side, moment in zip("前后" if len(moments) == 2 else "后", moments, strict=True):
            words = "现在" if moment is None else moment_words(moment) if is_one_day else day_words(moment)
            yield replace(sheet, slide=replace(sheet.slide, at=moment)).page(side, words=words)


def _moments(compare: Compare, at: datetime | None) -> list[datetime | None]:
    """The two dates; only the later one in a pack of a day when the first was not yet past."""
    after = compare.after or at
    is_past = compare.before is not None and (after is None or compare.before < after)
    return [compare.before, after] if is_past else [after]


def _scenario_page(sheet: _Sheet, compare: Compare) -> Page:
    try:
        one = scenarios.get(sheet.district, sheet.user, compare.scenario or "")
    except GridmapError as error:
        return sheet.page("后", words="方案", told=(chinese(error),))
    marks = tuple(outlook.point_changes(sheet.district, sheet.user, one))
    # a slide that is called as its scenario needs no second name
    words = "方案" if one.name in sheet.slide.title else outlook.called(one)
    return replace(sheet, slide=replace(sheet.slide, compare=compare)).page("后", words=words, marks=marks)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One slide for one reader, in a pack of the date `pack_at`; its pages have keys that begin with `key`."""

    district: District
    user: User
    slide: Slide
    key: str
    pack_at: datetime | None
    stamp: Stamp

    @property
    def map_at(self) -> datetime | None:
        """The date of the map: the slide's where the reader may see the past, else now."""
        return self.slide.at if as_of.may_look(self.user) else None

    def page(
        self,
        side: str = "",
        *,
        words: str = "",
        told: tuple[str, ...] = (),
        marks: tuple[outlook.PointChange, ...] = (),
    ) -> Page:
        """A page; `words` tell it from the slide's other page, `told` is what its reader must know."""
        slide = self.slide
        try:
            shown = stories.show(self.district, self.user, slide)
        except GridmapError as error:
            shown = stories.Shown(slide, self.stamp, (), None)
            told += (chinese(error),)
        subtitle = []
        if slide.at is not None and self.map_at is None:
            told += (stories.PAST_CLOSED,)
        elif slide.at is not None and not words:
            subtitle.append(f"截至 {moment_words(slide.at)}")
        if shown.subtitle and shown.subtitle != slide.title:
            subtitle.append(shown.subtitle)
        spec, left_out = self._map(shown, marks)
        if left_out:
            told += (f"另有 {left_out} 个图层您无权查看,未画出。",)
        text = "\n".join(one for one in (slide.text, *told) if one)
        full = f"{slide.title}({words})" if words else slide.title
        notes = (full, text, "".join(_sentence(one, slide.period) for one in shown.figures), shown.stamp.text)
        return Page(
            _titled(slide.title, words), " · ".join(subtitle), shown.stamp,
            tuple(replace(one, title=f"{one.title}(方案)") if one.against else one for one in shown.figures),
            map=spec, text=text, notes="\n".join(one for one in notes if one), key=f"{self.key} {side}".strip(),
        )  # fmt: skip

    def _map(self, shown: stories.Shown, marks: tuple[outlook.PointChange, ...]) -> tuple[MapSpec, int]:
        """What the map shows, and how many of the slide's layers the reader may not see."""
        slide, at = self.slide, self.map_at
        visible = {one.id for one in access.visible_layers(self.district, self.user)}
        layers = tuple(one for one in slide.layers if one in visible) if slide.layers else None
        area, box, reached = shown.area, shown.box, None
        if slide.focus is not None and at != slide.at:
            # the place as it is on the map that the reader may see
            area, box = self._place_now()
        outline = None if area is None else (area, slide.title)
        if slide.view is not None:
            box = _window(slide.view)
        elif slide.focus is not None and slide.focus.layer == cards.POST and box is not None and not marks:
            shape = reach.shape(self.district, slide.focus.key, at=at)
            if shape is not None and not shape.is_empty:
                reached, box = (shape, "服务范围"), shape.bounds
        named = {standing.TOWN} if box is None else {cards.POST} if slide.focus else set()
        is_own = bool(marks) or layers is not None or at != self.pack_at
        spec = MapSpec(
            box or self._whole(at), outline, reached, frozenset(named), layers, at, marks, is_own=is_own
        )
        return spec, len(slide.layers) - len(layers or ())

    def _place_now(self) -> tuple[shapely.Geometry | None, Box | None]:
        try:
            now = stories.show(self.district, self.user, replace(self.slide, at=None, compare=None))
        except GridmapError:
            return None, None
        return now.area, now.box

    def _whole(self, at: datetime | None) -> Box:
        """The district's box; today's for a day before there was a district."""
        try:
            return pictures.district_box(self.district, at)
        except InvalidInput:
            return pictures.district_box(self.district)


def _titled(title: str, words: str) -> str:
    """The title with what tells the page from its other; what is too long for a line loses its middle."""
    if not words:
        return title
    words = words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 1] + "…"
    most = _MOST_TITLE - len(words)
    return f"{title if len(title) <= most else title[: most - 1] + '…'}({words})"


def _sentence(figure: Figure, period: PeriodKind) -> str:
    """A figure as a speaker says it."""
    value = f"{figure.text}{figure.unit}" if figure.value is not None else figure.text
    change = f",{figure.since(period)} {figure.change_text}" if figure.change_text else ""
    return f"{figure.title} {value}{change}。"


def _window(view: View) -> Box:
    """The lon/lat box that a window shows which looks there."""
    degrees = 360 / (_TILE_PX * 2**view.zoom)
    half_x = _WINDOW_PX[0] / 2 * degrees
    half_y = _WINDOW_PX[1] / 2 * degrees * math.cos(math.radians(view.lat))
    return (view.lon - half_x, view.lat - half_y, view.lon + half_x, view.lat + half_y)
