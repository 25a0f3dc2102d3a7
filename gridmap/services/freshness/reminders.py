"""督导提醒: monthly prompts, quarterly spot checks, yearly summaries."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gridmap.domain.elements import Operation
from gridmap.domain.freshness import day_of, first_moment, last_moment, month_end
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import access, names
from gridmap.services.district import District
from gridmap.services.freshness.overdue import (
    NOBODY,
    Due,
    chosen_layers,
    dues,
    grid_names,
    officers_of,
    require_grid_layer,
    watched_layers,
)
from gridmap.storage import activity
from gridmap.storage import membership as members


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
    grid = require_grid_layer(district, user, grid_layer)
    officers = officers_of(district, user, grid_layer)
    end = last_moment(month_end(day_of(now)))
    work: dict[str, Counter[str]] = defaultdict(Counter)
    for one in dues(district, user, chosen_layers(district, user, ()), grid, officers, now, own_area=False):
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
    grid = require_grid_layer(district, user, grid_layer)
    officers = officers_of(district, user, grid_layer)
    everything = list(
        dues(
            district,
            user,
            chosen_layers(district, user, layers),
            grid,
            officers,
            district.clock(),
            own_area=False,
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
    grid = require_grid_layer(district, user, grid_layer)
    access.require(district, user, Permission.VIEW_HISTORY, "yearly summary")
    layers = {one.id: one.title for one in watched_layers(district, user)}
    since, until = first_moment(date(year, 1, 1)), first_moment(date(year + 1, 1, 1))
    with district.database.read() as connection:
        edits = activity.edits(connection, since=since, until=until, layers=sorted(layers))
        lies = members.of_elements(connection, sorted({one.element_id for one in edits}), grid.id)
    people = names.of(district, [one.actor for one in edits])
    grids = grid_names(district, grid)

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
        rows({number: lies.get(one.element_id, "") for number, one in numbered}, grids),
    )


def _year_row(key: str, title: str, edits: Sequence[activity.Edit]) -> YearRow:
    kinds = Counter(one.operation for one in edits)
    verified = {one.element_id for one in edits if one.operation is Operation.VERIFY}
    return YearRow(
        key, title, kinds[Operation.CREATE], kinds[Operation.UPDATE], kinds[Operation.VERIFY],
        kinds[Operation.DELETE], kinds[Operation.RESTORE], len(verified),
    )  # fmt: skip
