"""汇报: stories are made, put in order, toured and presented; their figures are those of whoever looks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import Any

import shapely

from gridmap.domain.freshness import day_of
from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import Permission, User
from gridmap.domain.stories import CompareKind, Focus, Slide, checked_words, parse_slides
from gridmap.errors import EditConflict, InvalidInput, NotFound
from gridmap.services import access, cards, names, outlook, overview
from gridmap.services.district import District
from gridmap.services.figures import Figure, Stamp
from gridmap.storage import past
from gridmap.storage import stories as stored
from gridmap.storage.stories import StoredStory

TOUR_FIGURES = ("people", "covered_share", "overdue", "open_risks")
PAST_CLOSED = "您没有查看历史的权限,指标截至该日,地图为现在的状态。"
COMPARE_CLOSED = "您没有查看历史的权限,不能前后对比。"
_TOUR_TEXT = "自动巡览"


@dataclass(frozen=True, slots=True)
class Story:
    """A story; `may_change` says whether the reader may (its author and administrators)."""

    id: str
    title: str
    slides: tuple[Slide, ...]
    revision: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    may_change: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """
    A slide as one reader sees it: its figures at present (or at the slide's date), and what they speak of.

    `box` is the lon/lat box of what the slide is about; None where it has a view of its own or shows the whole.
    `area` is the town or grid that it is about (EPSG:4326).
    """

    slide: Slide
    stamp: Stamp
    figures: tuple[Figure, ...]
    box: tuple[float, float, float, float] | None
    subtitle: str = ""
    area: shapely.Geometry | None = None


class Tour(Enum):
    """What an automatic tour goes through."""

    TOWNS = "town"
    GRIDS = "police_grid"
    POINTS = "workstation"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"town": "逐街镇巡览", "police_grid": "逐网格巡览", "workstation": "逐警务站巡览"}[self.value]


# --- keeping ----------------------------------------------------------------------------------------------


def _story(user: User, found: StoredStory) -> Story:
    return Story(
        found.id, found.title, parse_slides(found.slides), found.revision, found.created_by, found.created_at,
        found.updated_at, _may_change(user, found),
    )  # fmt: skip


def _may_change(user: User, found: StoredStory) -> bool:
    is_own = found.created_by == user.username
    return user.may(Permission.SAVE_STORIES) and (is_own or user.may(Permission.ADMINISTER))


def list_stories(district: District, user: User) -> list[Story]:
    """All stories, the last changed first."""
    access.require(district, user, Permission.VIEW_ELEMENTS, "stories")
    with district.database.read() as connection:
        return [_story(user, one) for one in stored.newest(connection)]


def get(district: District, user: User, story_id: str) -> Story:
    """One story; raises NotFound."""
    access.require(district, user, Permission.VIEW_ELEMENTS, "stories")
    return _story(user, _found(district, story_id))


def _found(district: District, story_id: str) -> StoredStory:
    with district.database.read() as connection:
        found = stored.get(connection, story_id)
    if found is None:
        raise NotFound(f"no story {story_id}", zh="没有这份汇报,可能已被删除。", story=story_id)
    return found


def create(district: District, user: User, title: str, slides: Sequence[Any] = ()) -> Story:
    """
    Store a new story of slides (or their JSON documents).

    Raises
    ------
    PermissionDenied, InvalidInput (an incomplete slide, personal data in the words)
    """
    access.require(district, user, Permission.SAVE_STORIES, "stories")
    now, name = district.clock(), user.username
    made = StoredStory(
        str(uuid.uuid4()), checked_words(title, "汇报标题", most=100, is_required=True),
        [one.document() for one in checked(district, slides)], 1, name, now, name, now,
    )  # fmt: skip
    with district.database.write() as connection:
        stored.add(connection, made)
    return _story(user, made)


def save(
    district: District,
    user: User,
    story_id: str,
    *,
    base: int,
    title: str | None = None,
    slides: Sequence[Any] | None = None,
) -> Story:
    """
    Change title or slides of a story that was read at revision `base`.

    Raises
    ------
    EditConflict (somebody saved it since), PermissionDenied, NotFound, InvalidInput
    """
    found = _own(district, user, story_id)
    changed = replace(
        found,
        title=found.title if title is None else checked_words(title, "汇报标题", most=100, is_required=True),
        slides=found.slides if slides is None else [one.document() for one in checked(district, slides)],
        revision=base + 1,
        updated_by=user.username,
        updated_at=district.clock(),
    )
    with district.database.write() as connection:
        is_saved = stored.change(connection, changed, base=base)
    if not is_saved:
        raise _stale(district, found, base)
    return _story(user, changed)


def _stale(district: District, found: StoredStory, base: int) -> EditConflict:
    return EditConflict(
        f"story {found.id} is at revision {found.revision}, the edit is based on {base}",
        zh=f"这份汇报已被 {names.one(district, found.updated_by)} 修改,您的改动未保存,请刷新后再试。",
        story=found.id,
    )


def save_slide(district: District, user: User, story_id: str, slide: Slide, *, was: Slide) -> Story:
    """
    Put `slide` in the place of the slide that was read as `was`, whatever has happened to the others since.

    Raises
    ------
    EditConflict (somebody changed or dropped this slide since), PermissionDenied, NotFound, InvalidInput
    """
    found = _own(district, user, story_id)
    slides = parse_slides(found.slides)
    if was not in slides:
        what = "修改" if any(one.id == was.id for one in slides) else "删除"
        raise EditConflict(
            f"slide {was.id} of story {story_id} has changed since it was read",
            zh=f"这一页已被 {names.one(district, found.updated_by)} {what},您的改动还在下方,尚未保存。",
            story=story_id,
        )
    slides = tuple(slide if one == was else one for one in slides)
    return save(district, user, story_id, base=found.revision, slides=slides)


def reorder(district: District, user: User, story_id: str, order: Sequence[str], *, base: int) -> Story:
    """
    Put the slides into another order, given by their ids, each once.

    Raises
    ------
    EditConflict (somebody saved it since), InvalidInput (an id is missing or new), PermissionDenied, NotFound
    """
    found = _found(district, story_id)
    if found.revision != base:
        raise _stale(district, found, base)
    slides = {one.id: one for one in parse_slides(found.slides)}
    if sorted(order) != sorted(slides):
        raise InvalidInput(
            "the order must name each slide once", zh="页面顺序与汇报内容不一致,请刷新后再试。"
        )
    return save(district, user, story_id, base=base, slides=[slides[one] for one in order])


def arranged(story: Story, order: Sequence[str]) -> list[str]:
    """
    The ids of the story's slides in an `order` that may be of an older revision.

    Slides that it does not know follow the one that they follow in the story; those that are gone are left out.
    """
    ids = [one.id for one in story.slides]
    found = [one for one in order if one in ids]
    for at, one in enumerate(ids):
        if one not in found:
            found.insert(found.index(ids[at - 1]) + 1 if at else 0, one)
    return found


def delete(district: District, user: User, story_id: str) -> None:
    """Drop a story; raises PermissionDenied, NotFound."""
    _own(district, user, story_id)
    with district.database.write() as connection:
        stored.remove(connection, story_id)


def _own(district: District, user: User, story_id: str) -> StoredStory:
    access.require(district, user, Permission.SAVE_STORIES, f"story {story_id}")
    found = _found(district, story_id)
    if not _may_change(user, found):
        raise access.refuse(
            district, user, "change a story", story_id, zh="只能修改自己的汇报,可另存一份再改。"
        )
    return found


def checked(district: District, slides: Sequence[Any]) -> tuple[Slide, ...]:
    """Slides (or their JSON documents) whose layers and figures exist; raises NotFound, InvalidInput."""
    parsed = parse_slides(slides)
    keys = overview.FIGURE_KEYS
    for one in parsed:
        for layer in (*one.layers, *([one.focus.layer] if one.focus else [])):
            district.catalogue.layer(layer)
        unknown = next((key for key in one.figures if key not in keys), None)
        if unknown is not None:
            raise InvalidInput(f"no figure {unknown!r}", zh=f"没有“{unknown}”这个指标。")
    return parsed


# --- showing ----------------------------------------------------------------------------------------------


def present(district: District, user: User, slides: Sequence[Slide]) -> list[Shown]:
    """The slides with their figures as this reader may see them."""
    return [show(district, user, one) for one in slides]


def show(district: District, user: User, slide: Slide) -> Shown:
    """
    One slide with its figures: of the grid or linkage point that it is about, else of the district.

    A slide that compares a scenario with today has the scenario's figures, beside today's.

    Raises
    ------
    PermissionDenied, NotFound (what it is about, or its scenario, is gone)
    """
    shown, known = _shown(district, user, slide)
    if slide.compare is None or slide.compare.kind is not CompareKind.SCENARIO:
        return shown
    found = outlook.outlook(
        district, user, slide.compare.scenario or "", known=known, chosen=[one.key for one in shown.figures],
        focus=slide.focus, at=slide.at,
    )  # fmt: skip
    method = f"{shown.stamp.method};“{outlook.AGAINST}”的指标按方案“{found.name}”推演"
    return replace(shown, figures=found.figures, stamp=replace(shown.stamp, method=method))


def _shown(district: District, user: User, slide: Slide) -> tuple[Shown, tuple[Figure, ...]]:
    """The slide with today's figures (or its date's), and all figures of what it is about."""
    whole = overview.overview(district, user, period=slide.period, at=slide.at)
    focus = slide.focus
    if focus is None:
        chosen = tuple(whole.figure(key) for key in slide.figures)
        return Shown(slide, whole.stamp, chosen, None), whole.figures
    if focus.layer == cards.POST:
        post = cards.post_card(district, user, focus.key, at=slide.at)
        reach = 0.012
        box = (post.place.lon - reach, post.place.lat - reach, post.place.lon + reach, post.place.lat + reach)
        return Shown(slide, post.stamp, post.figures, box, f"{post.town} {post.grid}".strip()), post.figures
    card = cards.card(district, user, focus.layer, focus.key, period=slide.period, at=slide.at)
    by_key = {one.key: one for one in card.figures}
    figures = tuple(by_key[key] for key in slide.figures if key in by_key) or card.figures
    box = shapely.bounds(card.geometry).tolist()
    return Shown(slide, card.stamp, figures, box, card.officer or card.town, card.geometry), card.figures


def tour(
    district: District,
    user: User,
    kind: Tour | str,
    *,
    town: str | None = None,
    layers: Sequence[str] = (),
    period: PeriodKind | str = PeriodKind.MONTH,
) -> tuple[Slide, ...]:
    """
    Slides through every town, grid or linkage point by code, of one town only where its code is given.

    Raises
    ------
    PermissionDenied, InvalidInput (no such tour)
    """
    try:
        kind, period = Tour(kind), PeriodKind(period)
    except ValueError as error:
        raise InvalidInput(f"no such tour: {error}", zh="没有这种巡览。") from None
    stops = (
        [(key, name) for key, _, name in cards.post_ids(district, user, town=town)]
        if kind is Tour.POINTS
        else cards.area_codes(district, user, kind.value, town=town)
    )
    return tuple(
        Slide(
            title=name or key, text=_TOUR_TEXT, layers=tuple(layers), period=period, figures=TOUR_FIGURES,
            focus=Focus(kind.value, key),
        )
        for key, name in stops
    )  # fmt: skip


def first_day(district: District) -> date | None:
    """The day on which the district's history begins; None for an empty one."""
    with district.database.read() as connection:
        first = past.first_write(connection)
    return None if first is None else day_of(first)
