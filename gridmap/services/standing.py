"""
The district counted at one moment: people, force, checks and risks of every police grid, as plain arrays.

The present comes from the layer frames; an earlier moment is the present with everything that was written since
put back. Nothing here asks who wants to know: `gridmap.services.overview` decides what is shown to whom.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from gridmap.domain.elements import Source, time_text
from gridmap.domain.freshness import day_of
from gridmap.domain.layers import Layer
from gridmap.services import reach
from gridmap.services.district import District
from gridmap.services.membership import grid_codes, representative_points
from gridmap.storage import past

TOWN, GRID = "town", "police_grid"
GRADES = ("red", "orange", "yellow", "blue")
CLOSED = "closed"


@dataclass(frozen=True, slots=True, eq=False)
class LayerState:
    """One layer's elements at a moment: parallel arrays; `properties` are JSON texts, `due_at` RFC 3339 texts."""

    id: np.ndarray
    code: np.ndarray
    name: np.ndarray
    geometry: np.ndarray
    properties: np.ndarray
    due_at: np.ndarray
    is_simulated: np.ndarray

    def __len__(self) -> int:
        return len(self.id)

    def values(self) -> list[dict[str, Any]]:
        """The properties of every element."""
        return [json.loads(one) for one in self.properties]


def _objects(values: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def layer_state(district: District, layer: str, at: datetime | None = None) -> LayerState:
    """The layer as it stands, or as it stood at `at` (inclusive)."""
    frame = district.frames.frame(layer)
    living, arrays = frame.living, frame.arrays
    if at is None:
        earlier: tuple[Any, ...] = ()
    else:
        with district.database.read() as connection:
            found = past.difference(connection, layer, at)
        earlier = found.states
        is_touched = np.fromiter((one in found.touched for one in arrays.id[living]), bool, len(living))
        living = living[~is_touched]
    columns = {
        name: np.concatenate([getattr(arrays, name)[living], _objects([of(one) for one in earlier])])
        for name, of in _OF_ELEMENT.items()
    }
    is_simulated = columns.pop("source") == Source.SIMULATED.value
    return LayerState(**columns, is_simulated=is_simulated)


_OF_ELEMENT: dict[str, Callable[[Any], Any]] = {
    "id": lambda one: one.id,
    "code": lambda one: one.code,
    "name": lambda one: one.name,
    "geometry": lambda one: one.geometry,
    "properties": lambda one: json.dumps(one.properties, ensure_ascii=False),
    "due_at": lambda one: time_text(one.due_at),
    "source": lambda one: one.source.value,
}


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """The areas of one grid layer, by ascending code; `town` is the row of the town around each, -1 for none."""

    layer: str
    code: list[str]
    name: list[str]
    geometry: np.ndarray
    properties: list[dict[str, Any]]
    town: np.ndarray

    def __len__(self) -> int:
        return len(self.code)

    def rows_of(self, points: np.ndarray) -> np.ndarray:
        """The row of the area that each point lies in; the number of areas where it lies in none."""
        row_of = {code: row for row, code in enumerate(self.code)}
        found = grid_codes(self.geometry, np.array(self.code, dtype=object), points)
        return np.array([row_of.get(one, len(self.code)) for one in found], dtype=np.int64)


def areas(district: District, layer: str, at: datetime | None = None, towns: Areas | None = None) -> Areas:
    """The areas of a grid layer at a moment, each with its town where `towns` are given."""
    state = layer_state(district, layer, at)
    order = np.argsort(state.code.astype(str), kind="stable")
    geometry = state.geometry[order]
    town = np.full(len(order), -1)
    if towns is not None and len(order):
        town = towns.rows_of(representative_points(geometry))
        town[town == len(towns)] = -1
    values = state.values()
    return Areas(
        layer,
        [str(one) for one in state.code[order]],
        state.name[order].tolist(),
        geometry,
        [values[one] for one in order],
        town,
    )


# What is counted of a grid, each one number per grid; the last entry is what lies in no grid.
PEOPLE, COVERED, FORCE, POSTS = "people", "covered", "force", "posts"
WATCHED, OVERDUE, NEVER = "watched", "overdue", "never"
OPEN_RISKS, OVERDUE_RISKS, NEW_RISKS, INCIDENTS = "open_risks", "overdue_risks", "new_risks", "incidents"
# Of these, layers differ in who may see them one by one.
BY_LAYER = (WATCHED, OVERDUE, NEVER)


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """
    Everything counted at the moment `at`.

    `of_grid[key]` and `of_town[key]` have one count per grid or town and a last one for what lies outside all
    of them. `checks[layer]` holds (watched, overdue, never) by grid and by town of each layer with a freshness
    rule. `open_by_grade` and `overdue_by_grade` are risks of the whole district.
    """

    at: datetime
    towns: Areas
    grids: Areas
    of_town: dict[str, np.ndarray]
    of_grid: dict[str, np.ndarray]
    checks: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]
    open_by_grade: dict[str, int]
    overdue_by_grade: dict[str, int]
    risk_days: tuple[str, ...]
    incident_days: tuple[str, ...]
    codes: dict[str, np.ndarray]
    is_simulated: bool
    cover: reach.Reach
    is_present: bool

    def total(self, key: str) -> int:
        """A count of the whole district."""
        return int(self.of_grid[key].sum())


def standing(district: District, at: datetime | None = None, *, since: datetime | None = None) -> Standing:
    """
    Count the district now, or at `at` (aware, inclusive).

    `since` (inclusive) begins the period in which risks and incidents count as new.
    """
    now = at or district.clock()
    towns = areas(district, TOWN, at)
    grids = areas(district, GRID, at, towns)
    count = Counter(towns, grids)
    first = "" if since is None else day_of(since).isoformat()
    today = day_of(now).isoformat()

    homes = layer_state(district, "residential_area", at)
    posts = layer_state(district, "workstation", at)
    people = np.array([one.get("population") or 0 for one in homes.values()], dtype=np.int64)
    places = representative_points(homes.geometry)
    cover = reach.reach(district, homes.id.tolist(), posts.id.tolist(), at=at)
    where = count.places(places)
    count.add(PEOPLE, where, people)
    count.add(COVERED, where, people * cover.is_covered)
    count.add(POSTS, count.places(posts.geometry), np.ones(len(posts), dtype=np.int64))
    count.force()

    risks = layer_state(district, "risk", at)
    risk = _Risks(risks, today)
    where = count.places(risks.geometry)
    count.add(OPEN_RISKS, where, risk.is_open)
    count.add(OVERDUE_RISKS, where, risk.is_overdue)
    count.add(NEW_RISKS, where, risk.is_new(first, today))

    incidents = layer_state(district, "incident", at)
    days = [str(one.get("occurred_at") or "")[:10] for one in incidents.values()]
    is_new = np.array([first <= one <= today for one in days], dtype=bool)
    count.add(INCIDENTS, count.places(incidents.geometry), is_new)

    checks, codes, is_simulated = {}, {}, bool(homes.is_simulated.any() or risks.is_simulated.any())
    for layer in district.catalogue:
        if layer.freshness:
            state = layer_state(district, layer.id, at)
            checks[layer.id] = count.checks(layer, state, now)
            codes[layer.id] = state.code
            is_simulated = is_simulated or bool(state.is_simulated.any())
    return Standing(
        now, towns, grids, count.of_town, count.of_grid, checks,
        {one: int((risk.is_open & (risk.grade == one)).sum()) for one in GRADES},
        {one: int((risk.is_overdue & (risk.grade == one)).sum()) for one in GRADES},
        tuple(risk.days), tuple(days), codes, is_simulated, cover, at is None,
    )  # fmt: skip


class _Risks:
    """Each risk's grade, whether it is open, and whether its deadline has passed."""

    def __init__(self, state: LayerState, today: str) -> None:
        values = state.values()
        self.grade = np.array([str(one.get("grade") or "") for one in values], dtype=object)
        self.days = [str(one.get("reported_on") or "")[:10] for one in values]
        deadline = [str(one.get("deadline_on") or "")[:10] for one in values]
        self.is_open = np.array([one.get("state") != CLOSED for one in values], dtype=bool)
        # a deadline holds until the end of its day
        self.is_overdue = self.is_open & np.array([bool(one) and one < today for one in deadline], dtype=bool)

    def is_new(self, first: str, today: str) -> np.ndarray:
        """Whether each was reported in the period."""
        return np.array([bool(one) and first <= one <= today for one in self.days], dtype=bool)


class Counter:
    """Adds up by grid and by town."""

    def __init__(self, towns: Areas, grids: Areas) -> None:
        self.towns, self.grids = towns, grids
        self.of_town: dict[str, np.ndarray] = {}
        self.of_grid: dict[str, np.ndarray] = {}

    def places(self, geometry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Grid row and town row of each geometry."""
        points = representative_points(geometry)
        return self.grids.rows_of(points), self.towns.rows_of(points)

    def _sums(
        self, where: tuple[np.ndarray, np.ndarray], weight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        sizes = (len(self.grids) + 1, len(self.towns) + 1)
        grid, town = (
            np.bincount(rows, weights=weight, minlength=size).astype(np.int64)
            for rows, size in zip(where, sizes, strict=True)
        )
        return grid, town

    def add(self, key: str, where: tuple[np.ndarray, np.ndarray], weight: np.ndarray) -> None:
        self.of_grid[key], self.of_town[key] = self._sums(where, weight)

    def force(self) -> None:
        """The officer and the auxiliaries that each grid names."""
        force = np.array(
            [
                bool(one.get("community_officer")) + (one.get("auxiliary_count") or 0)
                for one in self.grids.properties
            ],
            dtype=np.int64,
        )
        town = np.where(self.grids.town < 0, len(self.towns), self.grids.town)
        self.of_grid[FORCE] = np.append(force, 0)
        self.of_town[FORCE] = np.bincount(town, weights=force, minlength=len(self.towns) + 1).astype(np.int64)

    def checks(
        self, layer: Layer, state: LayerState, now: datetime
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """
        How many need checks, are overdue, or were never checked, by grid and by town.

        An element is due until the last moment of its day (`gridmap.domain.freshness`), so it is overdue when
        that moment has passed; times are stored as text that sorts.
        """
        moment = time_text(now) or ""
        has_due = np.array([one is not None for one in state.due_at], dtype=bool)
        is_overdue = np.array([one is not None and one < moment for one in state.due_at], dtype=bool)
        is_never = ~has_due
        for row in np.flatnonzero(is_never):
            is_never[row] = layer.days_until_due(json.loads(state.properties[row])) is not None
        where = self.places(state.geometry)
        return {
            WATCHED: self._sums(where, has_due | is_never),
            OVERDUE: self._sums(where, is_overdue),
            NEVER: self._sums(where, is_never),
        }
