"""
How fresh the map is (核实): what is overdue and whose it is, reminders, spot checks, and what is not mapped yet.

An element is overdue from the day after its due day (`gridmap.domain.freshness`); one with a rule that nobody
ever verified counts apart.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import shapely

from gridmap.domain.elements import Element, Operation, parse_time
from gridmap.domain.freshness import day_of, days_over, first_moment, last_moment, month_end
from gridmap.domain.layers import Layer
from gridmap.domain.privacy import find_personal_data
from gridmap.domain.roles import Permission, Role, User
from gridmap.errors import InvalidInput
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.membership import representative_points
from gridmap.storage import accounts, activity, registered
from gridmap.storage import elements as stored
from gridmap.storage import membership as members
from gridmap.storage.elements import properties_of
from gridmap.storage.registered import Item as RegisteredItem

SOON_DAYS = 7
NOBODY = "未指定"
_OFFICER_FIELD = "community_officer"
_MOST_REGISTERED = 200_000


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
    grid = _require_grid_layer(district, user, grid_layer)
    chosen = _chosen(district, user, layers)
    now, names = district.clock(), _grid_names(district, grid)
    officers = officers_of(district, user, grid_layer)
    sums: dict[str, dict[str, _Sums]] = {"grid": {}, "officer": {}, "layer": {}}
    whole, late, soon = _Sums("合计"), [], []
    for one in _dues(district, user, chosen, grid, officers, now, own_area=own_area):
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


def _require_grid_layer(district: District, user: User, grid_layer: str) -> Layer:
    grid = district.catalogue.layer(grid_layer)
    access.require(district, user, Permission.VIEW_ELEMENTS, grid_layer)
    if not grid.is_grid:
        raise InvalidInput(
            f"layer {grid.id} is no grid layer", zh=f"“{grid.title}”不是网格图层。", layer=grid.id
        )
    return grid


def _chosen(district: District, user: User, layers: Sequence[str]) -> list[Layer]:
    chosen = [district.catalogue.layer(one) for one in layers] or watched_layers(district, user)
    for one in chosen:
        access.require_sight(district, user, one)
    return [one for one in chosen if one.freshness]


def _grid_names(district: District, grid: Layer) -> dict[str, str]:
    frame = district.frames.frame(grid.id)
    return {frame.arrays.code[at]: frame.arrays.name[at] for at in frame.living if frame.arrays.code[at]}


def _dues(
    district: District,
    user: User,
    layers: Sequence[Layer],
    grid: Layer,
    officers: Mapping[str, str],
    now: datetime,
    *,
    own_area: bool,
) -> Iterable[Due]:
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
    grid = _require_grid_layer(district, user, grid_layer)
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


# --- reminders --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prompt:
    """The monthly prompt (月督促) to one officer: what is overdue now and what falls due by the month's end."""

    officer: str
    month: date
    overdue: int
    never: int
    due: int
    text: str


def monthly_prompts(district: District, user: User, *, grid_layer: str = "police_grid") -> tuple[Prompt, ...]:
    """The prompts of the present month, one for each officer with something to do, most urgent first."""
    now = district.clock()
    grid = _require_grid_layer(district, user, grid_layer)
    officers = officers_of(district, user, grid_layer)
    end = last_moment(month_end(day_of(now)))
    work: dict[str, Counter[str]] = defaultdict(Counter)
    for one in _dues(district, user, _chosen(district, user, ()), grid, officers, now, own_area=False):
        if one.days_over is None:
            work[one.officer]["never"] += 1
        elif one.days_over > 0:
            work[one.officer]["overdue"] += 1
        elif one.due_at is not None and one.due_at <= end:
            work[one.officer]["due"] += 1
    prompts = [
        Prompt(
            officer, day_of(now).replace(day=1), count["overdue"], count["never"], count["due"],
            _prompt_text(officer, count, month_end(day_of(now))),
        )
        for officer, count in work.items()
    ]  # fmt: skip
    return tuple(sorted(prompts, key=lambda one: (-one.overdue - one.never, -one.due, one.officer)))


def _prompt_text(officer: str, count: Counter[str], end: date) -> str:
    parts = [
        f"{count[key]} 个{words}"
        for key, words in (
            ("overdue", "已逾期"),
            ("never", "从未核实"),
            ("due", f"须在 {end.month} 月 {end.day} 日前核实"),
        )
        if count[key]
    ]
    return f"{officer}:本月{','.join(parts)}。"


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """
    A quarter's spot check (季抽查): `items` drawn from `population` elements.

    Whoever repeats the draw with the same `seed` from the same elements gets the same list.
    """

    year: int
    quarter: int
    seed: str
    population: int
    items: tuple[Due, ...]


def spot_check(
    district: District,
    user: User,
    *,
    year: int,
    quarter: int,
    size: int = 20,
    per_grid: int | None = None,
    layers: Sequence[str] = (),
    seed: str = "",
    grid_layer: str = "police_grid",
) -> SpotCheck:
    """
    Elements drawn at random for a quarter: `size` in all, or `per_grid` from each grid.

    Every element has a random number made of seed, quarter and its id, and the smallest are drawn: elements
    that come or go change the list only where they themselves are drawn.

    Raises
    ------
    InvalidInput, PermissionDenied, NotFound
    """
    if not 1 <= quarter <= 4 or size < 1 or (per_grid is not None and per_grid < 1):
        raise InvalidInput(
            "quarter is 1 to 4, sizes are 1 or more", zh="季度应为 1 至 4,抽查数量应为正整数。"
        )
    grid = _require_grid_layer(district, user, grid_layer)
    officers = officers_of(district, user, grid_layer)
    everything = list(
        _dues(
            district, user, _chosen(district, user, layers), grid, officers, district.clock(), own_area=False
        )
    )
    drawn = sorted(
        everything,
        key=lambda one: hashlib.sha256(f"{year}Q{quarter}|{seed}|{one.element_id}".encode()).digest(),
    )
    if per_grid is None:
        chosen = drawn[:size]
    else:
        taken: Counter[str | None] = Counter()
        chosen = []
        for one in drawn:
            if taken[one.grid_code] < per_grid:
                taken[one.grid_code] += 1
                chosen.append(one)
    chosen.sort(key=lambda one: (one.grid_code or "", one.layer, one.code))
    return SpotCheck(year, quarter, seed, len(everything), tuple(chosen))


@dataclass(frozen=True, slots=True)
class YearRow:
    """What was done in a year in one group: writes by kind, and how many different elements were verified."""

    key: str
    title: str
    created: int = 0
    updated: int = 0
    verified: int = 0
    deleted: int = 0
    restored: int = 0
    elements_verified: int = 0


@dataclass(frozen=True, slots=True)
class YearSummary:
    """The yearly summary (年度考核): by who wrote, by layer, and by the grid that the elements lie in today."""

    year: int
    total: YearRow
    by_actor: tuple[YearRow, ...]
    by_layer: tuple[YearRow, ...]
    by_grid: tuple[YearRow, ...]


def yearly(district: District, user: User, year: int, *, grid_layer: str = "police_grid") -> YearSummary:
    """
    What was written between the first and the last moment of a year in layers with a freshness rule.

    Raises
    ------
    PermissionDenied, InvalidInput
    """
    grid = _require_grid_layer(district, user, grid_layer)
    access.require(district, user, Permission.VIEW_HISTORY, "yearly summary")
    layers = {one.id: one.title for one in watched_layers(district, user)}
    since, until = first_moment(date(year, 1, 1)), first_moment(date(year + 1, 1, 1))
    with district.database.read() as connection:
        edits = activity.edits(connection, since=since, until=until, layers=sorted(layers))
        lies = members.of_elements(connection, sorted({one.element_id for one in edits}), grid.id)
        people = {one.username: one.display_name for one in accounts.all_accounts(connection)}
    names = _grid_names(district, grid)

    def rows(key_of: Mapping[int, str], titles: Mapping[str, str]) -> tuple[YearRow, ...]:
        groups: dict[str, list[activity.Edit]] = defaultdict(list)
        for number, one in enumerate(edits):
            groups[key_of[number]].append(one)
        found = [_year_row(key, titles.get(key, key or NOBODY), part) for key, part in groups.items()]
        return tuple(sorted(found, key=lambda one: (-one.verified - one.updated - one.created, one.key)))

    numbered = list(enumerate(edits))
    return YearSummary(
        year,
        _year_row("", "合计", edits),
        rows({number: one.actor for number, one in numbered}, people),
        rows({number: one.layer for number, one in numbered}, layers),
        rows({number: lies.get(one.element_id, "") for number, one in numbered}, names),
    )


def _year_row(key: str, title: str, edits: Sequence[activity.Edit]) -> YearRow:
    kinds = Counter(one.operation for one in edits)
    verified = {one.element_id for one in edits if one.operation is Operation.VERIFY}
    return YearRow(
        key, title, kinds[Operation.CREATE], kinds[Operation.UPDATE], kinds[Operation.VERIFY],
        kinds[Operation.DELETE], kinds[Operation.RESTORE], len(verified),
    )  # fmt: skip


# --- what is on the map of what is registered -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One grid: how many are registered, how many of them on the map, and how many are missing."""

    grid_code: str
    grid_name: str
    registered: int
    mapped: int
    missing: int

    @property
    def share(self) -> float | None:
        """上图率: mapped ÷ registered (above 1 where more is on the map); None where nothing is registered."""
        return self.mapped / self.registered if self.registered else None


@dataclass(frozen=True, slots=True)
class MappedShare:
    """
    上图率 of one layer.

    With a register, an element counts where its code is registered; `missing` names what is not on the map,
    `unregistered` the codes on the map that the register does not know. With counts alone both are empty.
    """

    layer: str
    grid_layer: str
    rows: tuple[MappedRow, ...]
    total: MappedRow
    missing: tuple[RegisteredItem, ...] = ()
    unregistered: tuple[str, ...] = ()
    has_register: bool = field(default=False)


def register_counts(
    district: District, user: User, layer_id: str, grid_layer: str, counts: Mapping[str, int]
) -> None:
    """
    Keep how many elements of a layer are registered in each grid, in place of what was kept before.

    Raises
    ------
    PermissionDenied (only for those who import and write in the whole district), InvalidInput, NotFound
    """
    layer = _require_registrar(district, user, layer_id)
    grid = _require_grid_layer(district, user, grid_layer)
    known = _grid_names(district, grid)
    for code, count in counts.items():
        if code not in known:
            raise InvalidInput(
                f"no grid {code} in {grid.id}", zh=f"没有编码为“{code}”的{grid.title}。", code=code
            )
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 10_000_000:
            raise InvalidInput(
                f"{code}: {count!r} is no count", zh=f"“{code}”的登记数应为非负整数。", code=code
            )
    with district.database.write() as connection:
        registered.put_counts(connection, layer.id, grid.id, counts, by=user.username, at=district.clock())


def register_items(district: District, user: User, layer_id: str, items: Sequence[RegisteredItem]) -> None:
    """
    Keep the register of a layer: what should be on the map, by code, in place of what was kept before.

    Raises
    ------
    As `register_counts`; InvalidInput also for a code given twice and for personal data in a name
    """
    layer = _require_registrar(district, user, layer_id)
    if len(items) > _MOST_REGISTERED:
        raise InvalidInput(
            f"more than {_MOST_REGISTERED} items", zh=f"登记清单不能超过 {_MOST_REGISTERED:,} 行。"
        )
    codes = Counter(one.code for one in items)
    doubled = next((code for code, number in codes.items() if number > 1 or not code.strip()), None)
    if doubled is not None:
        raise InvalidInput(
            f"code {doubled!r} is empty or given twice", zh=f"登记清单中编码“{doubled}”为空或重复。"
        )
    for one in items:
        if len(one.name) > 120 or len(one.code) > 60 or find_personal_data(one.name):
            raise InvalidInput(
                f"item {one.code}: the name is too long or holds personal data",
                zh=f"登记清单中“{one.code}”的名称过长或疑似含有个人信息,未保存。",
                code=one.code,
            )
    with district.database.write() as connection:
        registered.put_items(connection, layer.id, items, by=user.username, at=district.clock())


def _require_registrar(district: District, user: User, layer_id: str) -> Layer:
    layer = district.catalogue.layer(layer_id)
    access.require(district, user, Permission.IMPORT, layer_id)
    access.require_edit(district, user, layer)
    if not user.writes_everywhere:
        raise access.refuse(district, user, "register", layer_id, zh="登记数由网格管理员维护。")
    return layer


def mapped_share(
    district: District, user: User, layer_id: str, *, grid_layer: str = "police_grid"
) -> MappedShare:
    """
    上图率 of a layer per grid and in all, by its register where there is one, else by registered counts.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput (no grid layer)
    """
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    grid = _require_grid_layer(district, user, grid_layer)
    with district.database.read() as connection:
        register = registered.items(connection, layer_id)
        numbers = registered.counts(connection, layer_id, grid_layer)
        on_map = members.counts(connection, layer_id, grid_layer)
    if register:
        return _share_of_register(district, layer, grid, register)
    names = _grid_names(district, grid)
    rows = [_row(code, names.get(code, code), numbers[code], on_map.get(code, 0)) for code in sorted(numbers)]
    return MappedShare(layer_id, grid_layer, tuple(rows), _total(rows))


def _share_of_register(
    district: District, layer: Layer, grid: Layer, register: Sequence[RegisteredItem]
) -> MappedShare:
    frame = district.frames.frame(layer.id)
    codes = {code for code in frame.arrays.code[frame.living].tolist() if code}
    names, per_grid = _grid_names(district, grid), defaultdict(lambda: [0, 0])
    for one in register:
        sums = per_grid[one.grid_code or ""]
        sums[0] += 1
        sums[1] += one.code in codes
    rows = [_row(code, names.get(code, code or "未注明"), *per_grid[code]) for code in sorted(per_grid)]
    known = {one.code for one in register}
    return MappedShare(
        layer.id, grid.id, tuple(rows), _total(rows), tuple(one for one in register if one.code not in codes),
        tuple(sorted(codes - known)), True,
    )  # fmt: skip


def _row(code: str, name: str, number: int, mapped: int) -> MappedRow:
    return MappedRow(code, name, number, mapped, max(0, number - mapped))


def _total(rows: Sequence[MappedRow]) -> MappedRow:
    sums = (
        np.array([(one.registered, one.mapped, one.missing) for one in rows], dtype=int)
        .reshape(-1, 3)
        .sum(axis=0)
    )
    return MappedRow("", "合计", *(int(one) for one in sums))


def verified_elements(district: District, items: Sequence[Due]) -> dict[str, Element]:
    """The elements behind lines of a board, by id: for their last verifier and everything else."""
    with district.database.read() as connection:
        return stored.get_many(connection, [one.element_id for one in items])
