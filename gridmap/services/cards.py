"""一格一图: one town, grid or linkage point on one card, with its figures, its points and what changed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import metric_crs_of, to_metric
from gridmap.domain.elements import Operation
from gridmap.domain.freshness import day_of
from gridmap.domain.layers import Layer
from gridmap.domain.periods import Period, PeriodKind
from gridmap.domain.roles import User
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import access, figures, freshness, keeping, lookup, overview, standing
from gridmap.services.district import District
from gridmap.services.figures import Figure, Form, RankRow, Scope, Stamp
from gridmap.services.masking import hide_row
from gridmap.services.overview import Sums
from gridmap.storage import activity

LEVELS = (standing.TOWN, standing.GRID)
POST = "workstation"
# Where police are found, nearest to the beat last.
POST_LAYERS = ("police_station", "workstation", "police_office", "safe_house", "service_point")
_MOST_POSTS = 30
_MOST_RISKS = 30
_FORMS = {one.key: one for one in figures.COLUMNS}


@dataclass(frozen=True, slots=True)
class Place:
    """A point on a card."""

    element_id: str
    layer: str
    layer_title: str
    code: str
    name: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class OpenRisk:
    """An open risk of the card's area; only for those who may see risks one by one."""

    place: Place
    category: str
    grade: str
    grade_title: str
    color: str
    state: str
    deadline_on: date | None
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class LayerCount:
    """How many elements of a layer lie in the area, and how many were made, changed and verified in the period."""

    layer: str
    title: str
    total: int
    created: int = 0
    updated: int = 0
    verified: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """
    One town or grid.

    `figures` carry the change against the end of the period before; `counts` are the layers that the user sees,
    `risks` is empty for those who see only totals. `geometry` is lon, lat.
    """

    stamp: Stamp
    period: Period
    layer: str
    layer_title: str
    code: str
    name: str
    town: str
    officer: str
    geometry: BaseGeometry
    area_km2: float
    figures: tuple[Figure, ...]
    posts: tuple[Place, ...]
    risks: tuple[OpenRisk, ...]
    counts: tuple[LayerCount, ...]

    @property
    def changes(self) -> tuple[LayerCount, ...]:
        """The layers in which something changed in the period."""
        return tuple(one for one in self.counts if one.created or one.updated or one.verified)


@dataclass(frozen=True, slots=True)
class PostCard:
    """
    One linkage point (警务站).

    `facts` are (title, text) pairs of its own fields; `figures` say whom it reaches. `nearest` is the nearest
    other point as the crow flies.
    """

    stamp: Stamp
    place: Place
    town: str
    grid: str
    geometry: BaseGeometry
    facts: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    nearest: Place | None
    nearest_m: float | None


def card(
    district: District,
    user: User,
    layer: str,
    code: str,
    *,
    period: PeriodKind | str = PeriodKind.MONTH,
    at: datetime | None = None,
) -> Card:
    """
    The card of the town or police grid with this code, now or at `at`.

    Raises
    ------
    NotFound (no such area), InvalidInput (another layer), PermissionDenied
    """
    if layer not in LEVELS:
        raise InvalidInput(f"no cards for layer {layer!r}; use {LEVELS}", zh="只有街镇和警务网格有卡片。")
    whole = overview.overview(district, user, period=period, at=at)
    now, then = overview.sums(district, user, period=period, at=at)
    places = now.standing.grids if layer == standing.GRID else now.standing.towns
    if code not in places.code:
        title = district.catalogue.layer(layer).title
        raise NotFound(f"no {layer} {code}", zh=f"没有编码为“{code}”的{title}。", code=code)
    row, side = places.code.index(code), 0 if layer == standing.GRID else 1
    lies = _located(district, at)
    geometry = places.geometry[row]
    town = int(places.town[row]) if side == 0 else row
    officer = freshness.officers_of(district, user, standing.GRID).get(code, "") if side == 0 else ""
    return Card(
        whole.stamp, whole.period, layer, district.catalogue.layer(layer).title, code, places.name[row],
        now.standing.towns.name[town] if town >= 0 else "", officer, geometry, _area_km2(geometry),
        _figures(now, then, places, row, side),
        tuple(_posts(district, user, lies, row, side))[:_MOST_POSTS],
        tuple(_risks(district, user, lies, row, side, whole.stamp.at))[:_MOST_RISKS],
        _counts(district, user, whole.period, lies, row, side),
    )  # fmt: skip


def _area_km2(geometry: BaseGeometry) -> float:
    return float(shapely.area(to_metric([geometry])[0])) / 1e6


def _figures(now: Sums, then: Sums | None, places: standing.Areas, row: int, side: int) -> tuple[Figure, ...]:
    present = overview.rank_row(now, places, row, side)
    before = _row_of(then, places.code[row], side)
    found = []
    for column in figures.COLUMNS:
        value = present.values[column.key]
        earlier = before.values[column.key] if before else None
        change = None if value is None or earlier is None else value - earlier
        is_told = now.scope is Scope.MASKED and column.key in (
            "people",
            "gap_people",
            "open_risks",
            "overdue_risks",
        )
        if is_told and change is not None and 0 < abs(change) < figures.SMALL_CHANGE:
            earlier = change = None
        found.append(
            Figure(
                column.key, column.title, value, column.unit, column.form, earlier, change, column.good,
                column.key in present.hidden,
            )
        )  # fmt: skip
    return tuple(found)


def _row_of(sums: Sums | None, code: str, side: int) -> RankRow | None:
    if sums is None:
        return None
    places = sums.standing.towns if side else sums.standing.grids
    return overview.rank_row(sums, places, places.code.index(code), side) if code in places.code else None


# --- what lies where --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Located:
    """Every layer at a moment, and the grid row and town row of each of its elements."""

    states: dict[str, standing.LayerState]
    rows: dict[str, tuple[np.ndarray, np.ndarray]]
    row_of_id: dict[str, tuple[int, int]]

    def inside(self, layer: str, row: int, side: int) -> np.ndarray:
        """Positions of the layer's elements that lie in the grid (`side` 0) or town (1)."""
        return np.flatnonzero(self.rows[layer][side] == row)


def _located(district: District, at: datetime | None) -> _Located:
    return keeping.kept(district, ("located", at), lambda: _locate(district, at), is_past=at is not None)


def _locate(district: District, at: datetime | None) -> _Located:
    towns = standing.areas(district, standing.TOWN, at)
    grids = standing.areas(district, standing.GRID, at, towns)
    counter = standing.Counter(towns, grids)
    states, rows, row_of_id = {}, {}, {}
    for layer in district.catalogue:
        if layer.is_basemap:
            continue
        state = states[layer.id] = standing.layer_state(district, layer.id, at)
        rows[layer.id] = counter.places(state.geometry)
        pairs = zip(*(one.tolist() for one in rows[layer.id]), strict=True)
        row_of_id |= dict(zip(state.id.tolist(), pairs, strict=True))
    return _Located(states, rows, row_of_id)


def _places(layer: Layer, state: standing.LayerState, positions: np.ndarray) -> list[Place]:
    points = shapely.point_on_surface(state.geometry[positions])
    return [
        Place(
            state.id[at], layer.id, layer.title, state.code[at] or "", state.name[at],
            float(shapely.get_x(point)), float(shapely.get_y(point)),
        )
        for at, point in zip(positions.tolist(), points, strict=True)
    ]  # fmt: skip


def _posts(district: District, user: User, lies: _Located, row: int, side: int) -> list[Place]:
    found: list[Place] = []
    for layer_id in POST_LAYERS:
        if layer_id in district.catalogue and access.sees(user, district.catalogue.layer(layer_id)):
            layer = district.catalogue.layer(layer_id)
            found += _places(layer, lies.states[layer_id], lies.inside(layer_id, row, side))
    return found


def _risks(
    district: District, user: User, lies: _Located, row: int, side: int, now: datetime
) -> list[OpenRisk]:
    layer = district.catalogue.layer("risk")
    if not access.sees(user, layer):
        return []
    state, today = lies.states["risk"], day_of(now)
    found = []
    positions = lies.inside("risk", row, side)
    for at, place in zip(positions.tolist(), _places(layer, state, positions), strict=True):
        values = json.loads(state.properties[at])
        if values.get("state") == standing.CLOSED:
            continue
        grade, text = str(values.get("grade") or ""), str(values.get("deadline_on") or "")[:10]
        deadline = date.fromisoformat(text) if text else None
        found.append(
            OpenRisk(
                place, str(values.get("category") or ""), grade, layer.field("grade").choice_title(grade),
                layer.symbol_for(values).color, layer.field("state").choice_title(values.get("state")), deadline,
                deadline is not None and deadline < today,
            )
        )  # fmt: skip
    rank = {grade: number for number, grade in enumerate(standing.GRADES)}
    return sorted(found, key=lambda one: (rank.get(one.grade, 9), not one.is_overdue, one.place.code))


def _edits(district: District, user: User, period: Period) -> list[activity.Edit]:
    layers = [one.id for one in access.visible_layers(district, user) if not one.is_basemap]

    def read() -> list[activity.Edit]:
        with district.database.read() as connection:
            # up to and with the last moment
            until = period.until + timedelta(microseconds=1)
            return activity.edits(connection, since=period.since, until=until, layers=layers)

    return keeping.kept(district, ("edits", period.since, day_of(period.until), *layers), read)


def _counts(
    district: District, user: User, period: Period, lies: _Located, row: int, side: int
) -> tuple[LayerCount, ...]:
    changed: dict[str, Counter[Operation]] = {}
    nowhere = (-1, -1)
    for one in _edits(district, user, period):
        if lies.row_of_id.get(one.element_id, nowhere)[side] == row:
            changed.setdefault(one.layer, Counter())[one.operation] += 1
    found = []
    for layer in access.visible_layers(district, user):
        if layer.is_basemap or layer.is_grid:
            continue
        total = len(lies.inside(layer.id, row, side))
        edits = changed.get(layer.id, Counter())
        if total or edits:
            found.append(
                LayerCount(
                    layer.id, layer.title, total, edits[Operation.CREATE], edits[Operation.UPDATE],
                    edits[Operation.VERIFY],
                )
            )  # fmt: skip
    return tuple(found)


# --- linkage points ---------------------------------------------------------------------------------------


def post_card(district: District, user: User, element_id: str, *, at: datetime | None = None) -> PostCard:
    """
    The card of one linkage point, now or at `at`.

    Raises
    ------
    NotFound, PermissionDenied
    """
    layer = district.catalogue.layer(POST)
    access.require_sight(district, user, layer)
    whole = overview.overview(district, user, at=at)
    now, _ = overview.sums(district, user, at=at)
    lies = _located(district, at)
    state = lies.states[POST]
    found = np.flatnonzero(state.id == element_id)
    if not len(found):
        raise NotFound(f"no workstation {element_id}", zh="没有这个警务站,可能已被移走。", element=element_id)
    row = int(found[0])
    grid, town = (int(one[row]) for one in lies.rows[POST])
    nearest, distance = _nearest(layer, state, row)
    areas = now.standing
    return PostCard(
        whole.stamp, _places(layer, state, found[:1])[0],
        areas.towns.name[town] if town < len(areas.towns) else "",
        areas.grids.name[grid] if grid < len(areas.grids) else "",
        state.geometry[row], _facts(layer, json.loads(state.properties[row])), _post_figures(now, row),
        nearest, distance,
    )  # fmt: skip


def post_ids(
    district: District, user: User, *, at: datetime | None = None, town: str | None = None
) -> list[tuple[str, str, str]]:
    """(id, code, name) of every linkage point by code, of one town only where its code is given."""
    access.require_sight(district, user, district.catalogue.layer(POST))
    lies = _located(district, at)
    state, (_, towns) = lies.states[POST], lies.rows[POST]
    chosen = (
        range(len(state)) if town is None else np.flatnonzero(towns == _town_row(district, at, town)).tolist()
    )
    rows = [(state.id[row], state.code[row] or "", state.name[row]) for row in chosen]
    return sorted(rows, key=lambda one: (one[1], one[0]))


def require_town(district: District, code: str, *, at: datetime | None = None) -> None:
    """Pass when there is a town of this code, now or at `at`; raises NotFound."""
    _town_row(district, at, code)


def _town_row(district: District, at: datetime | None, code: str) -> int:
    towns = standing.areas(district, standing.TOWN, at)
    lookup.require_code(district.catalogue.layer(standing.TOWN), code, towns.code)
    return towns.code.index(code)


def _facts(layer: Layer, values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for field in layer.fields:
        value = values.get(field.name)
        if value is None or value == "":
            continue
        text = (
            field.choice_title(value)
            if field.choices
            else f"{value:,}"
            if isinstance(value, int)
            else str(value)
        )
        found.append((field.title, f"{text}{field.unit or ''}"))
    return tuple(found)


def _post_figures(now: Sums, at: int) -> tuple[Figure, ...]:
    cover = now.standing.cover
    is_masked = now.scope is Scope.MASKED
    found = []
    carried = (cover.within, cover.unique, cover.nearest)
    is_hidden = is_masked and any(hide_row([round(one) for one in counts])[0][at] for counts in carried)
    titles = (
        ("within", "服务范围内人口"),
        ("unique", "仅由本站覆盖人口"),
        ("nearest", "以本站为最近站的人口"),
    )
    for (key, title), counts in zip(titles, carried, strict=True):
        value = None if is_hidden else float(counts[at])
        found.append(Figure(key, title, value, "人", Form.COUNT, is_hidden=is_hidden))
    total = now.total(standing.PEOPLE)
    share = found[0].value / total if total and found[0].value is not None else None
    found.append(Figure("share", "占全区人口", share, "", Form.SHARE, is_hidden=found[0].is_hidden))
    return tuple(found)


def _nearest(layer: Layer, state: standing.LayerState, row: int) -> tuple[Place | None, float | None]:
    """The nearest other point as the crow flies, in metres."""
    if len(state) < 2:
        return None, None
    xy = shapely.get_coordinates(to_metric(state.geometry, metric_crs_of(state.geometry)))
    metres = np.hypot(*(xy - xy[row]).T)
    metres[row] = np.inf
    other = int(metres.argmin())
    return _places(layer, state, np.array([other]))[0], float(metres[other])


def area_codes(
    district: District, user: User, layer: str, *, at: datetime | None = None, town: str | None = None
) -> list[tuple[str, str]]:
    """(code, name) of every town or police grid by code, of one town only where its code is given."""
    now, _ = overview.sums(district, user, at=at)
    places = now.standing.grids if layer == standing.GRID else now.standing.towns
    rows = list(zip(places.code, places.name, strict=True))
    if town is None:
        return rows
    row = _town_row(district, at, town)
    if layer == standing.TOWN:
        return [rows[row]]
    return [one for one, of in zip(rows, places.town.tolist(), strict=True) if of == row]
