"""The demo district in the store: generated, marked 模拟数据 element by element, with an account per role."""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from gridmap.demo import Demo, PlausibilityReport, generate
from gridmap.domain.elements import Element, Operation, Source, due_after
from gridmap.domain.freshness import day_of
from gridmap.domain.layers import Layer
from gridmap.errors import StateConflict
from gridmap.services import accounts, demo_work, membership
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.storage import elements, registered
from gridmap.validation.attributes import clean_columns

ACTOR = "示例民警"
# Ids come from the seed, so that a link into one demo opens in every other.
_NAMESPACE = uuid.UUID("6f0e1b8a-52a5-5c0e-9d4d-3f6a3c7e1b10")
# The towns of the two demo officers, side by side: 南桥镇, the seat of the district, and 柘林镇.
OFFICER_AREAS = ("310120101", "310120118")
_FIRST_STATE = "reported"
_REGISTERED, _MISSING_STEP = "premises", 35

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was stored: elements per layer, the accounts' first passwords, how plausible the district is."""

    counts: dict[str, int]
    passwords: dict[str, str]
    plausibility: PlausibilityReport
    sequence: int


def install(
    district: District, *, seed: int = 1, scale: float = 1.0, progress: Progress | None = None
) -> DemoReport:
    """
    Generate the demo district, store it with its past and make its accounts.

    The map was first filled a year and some weeks ago; each week since is one commit, with what came, what was
    verified and which risks moved on. The demo's people have begun their work. The newest day is today, so that what is overdue in the demo is overdue
    on the screen. `progress` is told a share from 0 to 1 and a Chinese sentence.

    Raises
    ------
    StateConflict
        The store holds elements already.
    """
    tell = progress or (lambda share, message: None)
    if district.database.sequence() > 0:
        raise StateConflict(
            "the store holds elements already; a demo goes into an empty one (set GRIDMAP_HOME to a new folder)",
            zh="数据库中已有要素,示范区只能装入空库。请用 GRIDMAP_HOME 指定一个新的文件夹。",
        )
    tell(0.0, "正在生成示范区")
    now = district.clock()
    demo = generate(seed, scale=scale, today=day_of(now))
    tell(0.4, "正在写入数据库")
    lives = [one for layer in district.catalogue for one in _lives(layer, demo)]
    for share in _live_through(district, lives, demo, now):
        tell(0.4 + 0.5 * share, "正在写入数据库")
    _register(district, [one for one in lives if one.layer.id == _REGISTERED], now)
    tell(0.97, "正在建立演示账号")
    passwords = accounts.create_demo_accounts(district, officer_areas=list(OFFICER_AREAS))
    tell(0.98, "正在准备示例方案、汇报和待办")
    demo_work.begin(district, OFFICER_AREAS)
    tell(1.0, "完成")
    counts = {name: len(table) for name, table in demo.layers.items()}
    return DemoReport(counts, passwords, demo.report, district.database.sequence())


@dataclass(frozen=True, slots=True)
class _Life:
    """An element as it is today, and the days that made it so; `visits` oldest first."""

    element: Element
    layer: Layer
    appeared: date
    visits: Sequence[date]
    moved_on: date | None

    def days(self) -> Iterator[date]:
        """All of these days."""
        yield self.appeared
        yield from self.visits
        if self.moved_on is not None:
            yield self.moved_on

    def as_of(self, day: date, present: Element | None, end: datetime) -> Element:
        """The element at the end of a day, as a change of what is stored of it."""
        one = self.element
        properties = one.properties
        if self.moved_on is not None and day < self.moved_on:
            properties = {**properties, "state": _FIRST_STATE}
        visits = bisect_right(self.visits, day)
        at = min(_morning(self.visits[visits - 1]), end) if visits else end
        return replace(
            present or one,
            properties=properties,
            verified_at=at,
            verified_by=ACTOR,
            due_at=due_after(self.layer, properties, at),
        )


def _lives(layer: Layer, demo: Demo) -> Iterator[_Life]:
    table = demo.layers.get(layer.id)
    if table is None:
        return
    names = ["code", "name", *(one for one in layer.field_names if one in table)]
    columns, problems = clean_columns(layer, {name: table[name].tolist() for name in names})
    if problems:
        raise InvalidElement(problems)
    told, count = demo.chronicle, len(table)
    appeared = told.appeared.get(layer.id, [told.began] * count)
    visits: Sequence[Sequence[date]] = told.visits.get(layer.id, [()] * count)
    moved: Sequence[date | None] = told.moved_on if layer.id == "risk" else [None] * count
    for number, geometry in enumerate(table.geometry):
        bare = Element(
            id=str(uuid.uuid5(_NAMESPACE, f"{demo.seed}/{layer.id}/{number}")),
            layer=layer.id,
            code=None,
            name="",
            geometry=geometry,
            source=Source.SIMULATED,
        ).with_values({name: column[number] for name, column in columns.items()})
        yield _Life(bare, layer, appeared[number], visits[number], moved[number])


def _live_through(district: District, lives: Sequence[_Life], demo: Demo, now: datetime) -> Iterator[float]:
    """Store the first day and then week after week, the last one until now; the share that is done."""
    began, today = demo.chronicle.began, demo.today
    # a commit each Sunday: every week of a trend has one
    sunday = began + timedelta(days=6 - began.weekday() or 7)
    ends = [began, *(sunday + timedelta(days=days) for days in range(0, (today - sunday).days, 7)), today]
    touched: list[set[int]] = [set() for _ in ends]
    for number, life in enumerate(lives):
        for day in life.days():
            touched[bisect_left(ends, day)].add(number)
    stored: dict[int, Element] = {}
    for week, day in enumerate(ends):
        at = now if day == today else _evening(day)
        reason = f"{ends[week - 1]:%m-%d} 至 {day:%m-%d} 的更新" if week else f"装入示范区,种子 {demo.seed}"
        with district.database.commit(actor=ACTOR, at=at, reason=f"{reason}(模拟数据)") as commit:
            changed: dict[Operation, list[int]] = {one: [] for one in _OPERATIONS}
            fresh: dict[int, Element] = {}
            for number in sorted(touched[week]):
                fresh[number] = lives[number].as_of(day, stored.get(number), at)
                changed[_operation(stored.get(number), fresh[number])].append(number)
            for operation, numbers in changed.items():
                written = elements.save(commit, [fresh[one] for one in numbers], operation)
                stored.update(zip(numbers, written, strict=True))
                if operation is Operation.CREATE:
                    membership.derive(district, commit.connection, written, [None] * len(written))
        yield (week + 1) / len(ends)


_OPERATIONS = (Operation.CREATE, Operation.UPDATE, Operation.VERIFY)


def _operation(before: Element | None, after: Element) -> Operation:
    if before is None:
        return Operation.CREATE
    return Operation.VERIFY if before.properties == after.properties else Operation.UPDATE


def _register(district: District, lives: Sequence[_Life], now: datetime) -> None:
    """A register of premises, of which one in thirty-five is not on the map yet."""
    grids = district.frames.frame("police_grid")
    places = np.array([one.element.geometry for one in lives], dtype=object)
    codes = membership.grid_codes(
        grids.arrays.geometry[grids.living], grids.arrays.code[grids.living], places
    ).tolist()
    listed = [
        registered.Item(str(one.element.code), one.element.name, code)
        for one, code in zip(lives, codes, strict=True)
    ]
    missing = [
        registered.Item(f"CS9{number:04d}", f"示范待上图场所{number:03d}", code)
        for number, code in enumerate(codes[::_MISSING_STEP], 1)
    ]
    with district.database.write() as connection:
        registered.put_items(connection, _REGISTERED, [*listed, *missing], by=ACTOR, at=now)


def _morning(day: date) -> datetime:
    """Nine in the morning (China time) of a day."""
    return datetime.combine(day, time(1), tzinfo=UTC)


def _evening(day: date) -> datetime:
    """Eight in the evening (China time) of a day."""
    return datetime.combine(day, time(12), tzinfo=UTC)
