"""What a scenario would make of headline figures: the same figures counted with its changes, beside today's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gridmap.domain.roles import User
from gridmap.domain.scenarios import Add, Close, Move
from gridmap.domain.stories import Focus
from gridmap.services import cards, elements, reach, scenarios, standing
from gridmap.services.coverage import Figures, PointFigures, Report, report
from gridmap.services.district import District
from gridmap.services.figures import SMALL_CHANGE, Figure, Scope, scope_of
from gridmap.storage.elements import Query
from gridmap.storage.scenarios import Scenario

AGAINST = "较现状"
# What is told of a scenario where none of the chosen figures depends on it.
_LEADING = ("covered_share", "gap_people")
_COUNTED = ("gap_people", "within", "unique", "nearest")


@dataclass(frozen=True, slots=True)
class Outlook:
    """Figures with a scenario's in place of those that it changes, and the scenario's name."""

    figures: tuple[Figure, ...]
    name: str


@dataclass(frozen=True, slots=True)
class PointChange:
    """
    A linkage point that a scenario adds, moves or closes.

    `place` is where it would stand, for a closed one where it stands; `was` where one that is moved stands today
    (lon, lat in EPSG:4326).
    """

    kind: str
    name: str
    place: tuple[float, float]
    was: tuple[float, float] | None = None

    @property
    def title(self) -> str:
        """The word a person reads."""
        return {"add": "新增", "move": "迁移", "close": "裁撤"}[self.kind]


def called(scenario: Scenario) -> str:
    """A scenario beside 现状: by its name, told to be a 方案 where the name does not say so."""
    return scenario.name if "方案" in scenario.name else f"方案:{scenario.name}"


def point_changes(district: District, user: User, scenario: Scenario) -> list[PointChange]:
    """What a scenario changes among the points, for a map; a point that is gone meanwhile is left out."""
    named = [one.id for one in scenario.changes if isinstance(one, Move | Close)]
    points = {}
    if named:
        query = Query(cards.POST, ids=named, is_retired=None)
        found = elements.find(district, user, query, limit=len(named)).elements
        points = {one.id: one for one in found}
    changes = []
    for change in scenario.changes:
        if isinstance(change, Add):
            changes.append(PointChange("add", change.name, (change.lon, change.lat)))
        elif isinstance(change, Move | Close) and change.id in points:
            point = points[change.id]
            here = (point.geometry.x, point.geometry.y)
            if isinstance(change, Move):
                changes.append(PointChange("move", point.name, (change.lon, change.lat), here))
            else:
                changes.append(PointChange("close", point.name, here))
    return changes


def outlook(
    district: District,
    user: User,
    scenario_id: str,
    *,
    known: Sequence[Figure],
    chosen: Sequence[str],
    focus: Focus | None = None,
    at: datetime | None = None,
) -> Outlook:
    """
    The chosen figures as they would be with a scenario, in the district, or where `focus` is.

    They are counted by the overview's own definition of cover (`reach.QUESTION`), so that today's side is the
    figure of every other slide, whatever the scenario was made for. `before` is today's and `change` is against
    it; figures that points and roads have no part in stay today's. Where none of the chosen ones is concerned,
    covered share and people not covered come first.

    Parameters
    ----------
    known : all of today's figures of the place
    chosen : keys of those that are shown, in order

    Raises
    ------
    PermissionDenied, NotFound (the scenario, or a point that it moves, is gone), InvalidInput
    """
    name = scenarios.get(district, user, scenario_id).name
    question = replace(reach.QUESTION, scenario=scenario_id)
    found = report(district, user, question, sequence=reach.sequence_at(district, at))
    after = _of_point(found, focus.key) if focus and focus.layer == cards.POST else _of_area(found, focus)
    keys = list(chosen)
    if not after.keys() & set(keys):
        keys = [*(one for one in _LEADING if one in after), *keys]
    by_key = {one.key: one for one in known}
    is_masked = scope_of(user) is Scope.MASKED
    is_told = not (is_masked and _is_small(after, by_key))
    return Outlook(
        tuple(
            _compared(by_key[key], after[key] if is_told else None) if key in after else by_key[key]
            for key in keys
            if key in by_key
        ),
        name,
    )


def _compared(today: Figure, value: float | None) -> Figure:
    change = None if value is None or today.value is None else value - today.value
    return replace(
        today, value=value, before=today.value, change=change, is_hidden=value is None, against=AGAINST
    )


def _is_small(after: Mapping[str, float | None], today: Mapping[str, Figure]) -> bool:
    """Whether the scenario concerns so few people that the difference would tell of them."""
    pairs = [(after[key], today[key].value) for key in _COUNTED if key in after and key in today]
    return any(
        now is not None and was is not None and 0 < abs(now - was) < SMALL_CHANGE for now, was in pairs
    )


def _of_area(found: Report, focus: Focus | None) -> dict[str, float | None]:
    """Figures of the whole, or of one town or grid."""
    if focus is None:
        opened = [one for one in found.points if one.state != "closed"]
        return _covered(found.total) | {"gap_grids": _gap_grids(found), "posts": float(len(opened))}
    rows = found.towns if focus.layer == standing.TOWN else found.groups
    return next((_covered(one.figures) for one in rows if one.code == focus.key), {})


def _covered(one: Figures) -> dict[str, float | None]:
    return {"covered_share": one.covered_share, "gap_people": one.uncovered}


def _gap_grids(found: Report) -> float | None:
    """How many grids have people who are not covered; None where some of them are hidden."""
    if any(one.figures.is_hidden for one in found.groups):
        return None
    return float(sum((one.figures.uncovered or 0) > 0 for one in found.groups if one.code is not None))


_CARRIED: dict[str, Callable[[PointFigures], float | None]] = {
    "within": lambda one: one.within,
    "unique": lambda one: one.unique,
    "nearest": lambda one: one.assigned,
}


def _of_point(found: Report, element_id: str) -> dict[str, float | None]:
    """What one point carries; nothing once it is closed."""
    point = next((one for one in found.points if one.id == element_id), None)
    if point is None:
        return {}
    carried = {key: 0.0 if point.state == "closed" else of(point) for key, of in _CARRIED.items()}
    people, within = found.total.people, carried["within"]
    return carried | {"share": within / people if people and within is not None else None}
