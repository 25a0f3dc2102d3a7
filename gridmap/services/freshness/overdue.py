"""What is overdue, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import shapely

from gridmap.domain.elements import Element, parse_time
from gridmap.domain.freshness import days_over
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, Role, User
from gridmap.errors import InvalidInput
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.membership import representative_points
from gridmap.storage import accounts
from gridmap.storage import elements as stored
from gridmap.storage import membership as members
from gridmap.storage.elements import properties_of

SOON_DAYS = 7
NOBODY = "未指定"
_OFFICER_FIELD = "community_officer"


@dataclass(frozen=True, slots=True)
class Due:
    """
    One element that must be verified.

    `place` is (lon, lat). `days_over` counts from 1 on the first overdue day, is 0 on the due day and negative
    before; None for an element that was never verified. `officer` answers for its grid.
    """

    element_id: str
    layer: str
    layer_title: str
    code: str
    name: str
    place: tuple[float, float]
    grid_code: str | None
    officer: str
    due_at: datetime | None
    days_over: int | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How fresh a group is: `total` elements with a rule, of which overdue, due soon, and never verified."""

    key: str
    title: str
    total: int = 0
    overdue: int = 0
    soon: int = 0
    never: int = 0
    worst_days: int = 0

    @property
    def fresh_share(self) -> float:
        """Share (0 to 1) that is verified and not overdue; 1 where nothing needs to be."""
        return 1.0 if self.total == 0 else 1 - (self.overdue + self.never) / self.total


@dataclass(frozen=True, slots=True)
class Board:
    """
    The overdue board at one moment.

    `overdue` and `soon` list elements, the longest overdue (or soonest due) first, never verified ones ahead;
    at most `limit` each, while the tallies count all.
    """

    at: datetime
    grid_layer: str
    soon_days: int
    total: Tally
    by_grid: tuple[Tally, ...]
    by_officer: tuple[Tally, ...]
    by_layer: tuple[Tally, ...]
    overdue: tuple[Due, ...]
    soon: tuple[Due, ...]


@dataclass(slots=True)
class _Sums:
    title: str
    total: int = 0
    overdue: int = 0
    soon: int = 0
    never: int = 0
    worst: int = 0

    def add(self, over: int | None, soon_days: int) -> None:
        self.total += 1
        if over is None:
            self.never += 1
        elif over > 0:
            self.overdue += 1
            self.worst = max(self.worst, over)
        elif over >= -soon_days:
            self.soon += 1

    def tally(self, key: str) -> Tally:
        return Tally(key, self.title, self.total, self.overdue, self.soon, self.never, self.worst)


def watched_layers(district: District, user: User) -> list[Layer]:
    """Layers with a freshness rule that the user may see one by one."""
    return [one for one in access.visible_layers(district, user) if one.freshness]


def board(
    district: District,
    user: User,
    *,
    grid_layer: str = "police_grid",
    layers: Sequence[str] = (),
    soon_days: int = SOON_DAYS,
    own_area: bool = False,
    limit: int = 500,
) -> Board:
    """
    What is overdue, due within `soon_days` days (the due day itself included), and never verified.

    `own_area` leaves out what lies outside the user's area.

    Raises
    ------
    PermissionDenied, NotFound (no such layer), InvalidInput (no grid layer)
    """
    grid = require_grid_layer(district, user, grid_layer)
    chosen = chosen_layers(district, user, layers)
    now, names = district.clock(), grid_names(district, grid)
    officers = officers_of(district, user, grid_layer)
    sums: dict[str, dict[str, _Sums]] = {"grid": {}, "officer": {}, "layer": {}}
    whole, late, soon = _Sums("合计"), [], []
    for one in dues(district, user, chosen, grid, officers, now, own_area=own_area):
        groups = (
            ("grid", one.grid_code or "", names.get(one.grid_code or "", NOBODY)),
            ("officer", one.officer, one.officer),
            ("layer", one.layer, one.layer_title),
        )
        for kind, key, title in groups:
            sums[kind].setdefault(key, _Sums(title)).add(one.days_over, soon_days)
        whole.add(one.days_over, soon_days)
        if one.days_over is None or one.days_over > 0:
            late.append(one)
        elif one.days_over >= -soon_days:
            soon.append(one)
    late.sort(key=lambda one: (-1e9 if one.days_over is None else -one.days_over, one.layer, one.code))
    soon.sort(key=lambda one: (-(one.days_over or 0), one.layer, one.code))
    return Board(
        now, grid_layer, soon_days, whole.tally(""), *(_tallies(sums[kind]) for kind in ("grid", "officer", "layer")),
        tuple(late[:limit]), tuple(soon[:limit]),
    )  # fmt: skip


def _tallies(sums: Mapping[str, _Sums]) -> tuple[Tally, ...]:
    found = [one.tally(key) for key, one in sums.items()]
    return tuple(sorted(found, key=lambda one: (-one.overdue - one.never, -one.soon, one.key)))


def require_grid_layer(district: District, user: User, grid_layer: str) -> Layer:
    """The layer of grids with this id; raises InvalidInput for any other layer."""
    grid = district.catalogue.layer(grid_layer)
    access.require(district, user, Permission.VIEW_ELEMENTS, grid_layer)
    if not grid.is_grid:
        raise InvalidInput(
            f"layer {grid.id} is no grid layer", zh=f"“{grid.title}”不是网格图层。", layer=grid.id
        )
    return grid


def chosen_layers(district: District, user: User, layers: Sequence[str]) -> list[Layer]:
    """These layers, or all that are watched, as far as they have a freshness rule and the user sees them."""
    chosen = [district.catalogue.layer(one) for one in layers] or watched_layers(district, user)
    for one in chosen:
        access.require_sight(district, user, one)
    return [one for one in chosen if one.freshness]


def grid_names(district: District, grid: Layer) -> dict[str, str]:
    """Names of the living grids by code."""
    frame = district.frames.frame(grid.id)
    return {frame.arrays.code[at]: frame.arrays.name[at] for at in frame.living if frame.arrays.code[at]}


def dues(
    district: District,
    user: User,
    layers: Sequence[Layer],
    grid: Layer,
    officers: Mapping[str, str],
    now: datetime,
    *,
    own_area: bool,
) -> Iterable[Due]:
    """Every living element of the layers that has a rule, with its grid and who answers for it."""
    area = access.area_of(district, user) if own_area else None
    for layer in layers:
        frame = district.frames.frame(layer.id)
        arrays, living = frame.arrays, frame.living
        points = representative_points(arrays.geometry[living])
        if area is not None:
            shapely.prepare(area)
            inside = shapely.covers(area, points)
            living, points = living[inside], points[inside]
        xy = shapely.get_coordinates(points)
        with district.database.read() as connection:
            lies = members.of_elements(connection, arrays.id[living].tolist(), grid.id)
        for row, at in enumerate(living.tolist()):
            text = arrays.due_at[at]
            if text is None and layer.days_until_due(properties_of(arrays, at)) is None:
                continue
            due = None if text is None else parse_time(text)
            # a grid lies in itself
            code = arrays.code[at] if layer.id == grid.id else lies.get(arrays.id[at])
            yield Due(
                arrays.id[at], layer.id, layer.title, arrays.code[at] or "", arrays.name[at],
                (float(xy[row, 0]), float(xy[row, 1])), code, officers.get(code or "", NOBODY), due,
                None if due is None else days_over(due, now),
            )  # fmt: skip


def officers_of(district: District, user: User, grid_layer: str = "police_grid") -> dict[str, str]:
    """
    Who answers for each grid, by code: the officer named on the grid, else the officer's account whose area
    names it or the smallest area around it.
    """
    grid = require_grid_layer(district, user, grid_layer)
    frame = district.frames.frame(grid.id)
    with district.database.read() as connection:
        staff = [
            one for one in accounts.all_accounts(connection) if one.is_active and one.role is Role.OFFICER
        ]
    # longer codes name smaller areas; the first to fit wins
    areas = sorted(
        ((code, one.display_name) for one in staff for code in one.area),
        key=lambda each: (-len(each[0]), each),
    )
    found = {}
    for at in frame.living:
        code = frame.arrays.code[at] or ""
        named = (
            properties_of(frame.arrays, at).get(_OFFICER_FIELD)
            if _OFFICER_FIELD in grid.field_names
            else None
        )
        found[code] = named or next((name for prefix, name in areas if code.startswith(prefix)), NOBODY)
    return found


def verified_elements(district: District, items: Sequence[Due]) -> dict[str, Element]:
    """The elements behind lines of a board, by id: for their last verifier and everything else."""
    with district.database.read() as connection:
        return stored.get_many(connection, [one.element_id for one in items])
