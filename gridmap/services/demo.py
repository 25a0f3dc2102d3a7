"""The demo district in the store: generated, marked 模拟数据 element by element, with an account per role."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from gridmap.demo import Demo, PlausibilityReport, generate
from gridmap.domain.elements import Element, Operation, Source, due_after
from gridmap.domain.layers import Layer
from gridmap.errors import StateConflict
from gridmap.services import accounts, membership
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.storage import elements
from gridmap.validation.attributes import clean_columns

ACTOR = "demo"
# Ids come from the seed, so that a link into one demo opens in every other.
_NAMESPACE = uuid.UUID("6f0e1b8a-52a5-5c0e-9d4d-3f6a3c7e1b10")
# The towns of the two demo officers: the seat of the district, and its largest neighbour.
OFFICER_AREAS = ("310120101", "310120102")

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
    Generate the demo district, store it as one commit and make its accounts.

    The district's newest day is today, so that what is overdue in the demo is overdue on the screen.
    `progress` is told a share from 0 to 1 and a Chinese sentence.

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
    demo = generate(seed, scale=scale, today=now.date())
    tell(0.5, "正在写入数据库")
    made = [one for layer in district.catalogue for one in _elements_of(layer, demo, now)]
    reason = f"装入示范区(模拟数据,种子 {seed})"
    with district.database.commit(actor=ACTOR, at=now, reason=reason) as commit:
        written = elements.save(commit, made, Operation.CREATE)
        tell(0.85, "正在归入网格")
        membership.derive(district, commit.connection, written, [None] * len(written))
    tell(0.95, "正在建立演示账号")
    passwords = accounts.create_demo_accounts(district, officer_areas=list(OFFICER_AREAS))
    tell(1.0, "完成")
    counts = {name: len(table) for name, table in demo.layers.items()}
    return DemoReport(counts, passwords, demo.report, district.database.sequence())


def _elements_of(layer: Layer, demo: Demo, now: datetime) -> Iterator[Element]:
    table = demo.layers.get(layer.id)
    if table is None:
        return
    names = ["code", "name", *(one for one in layer.field_names if one in table)]
    columns, problems = clean_columns(layer, {name: table[name].tolist() for name in names})
    if problems:
        raise InvalidElement(problems)
    verified = demo.verified_on.get(layer.id, [None] * len(table))
    for number, (geometry, verified_on) in enumerate(zip(table.geometry, verified, strict=True)):
        values = {name: column[number] for name, column in columns.items()}
        at = _morning(verified_on, now)
        bare = Element(
            id=str(uuid.uuid5(_NAMESPACE, f"{demo.seed}/{layer.id}/{number}")),
            layer=layer.id,
            code=None,
            name="",
            geometry=geometry,
            source=Source.SIMULATED,
            verified_at=at,
            verified_by=ACTOR,
        ).with_values(values)
        yield replace(bare, due_at=due_after(layer, bare.properties, at))


def _morning(day: Any, now: datetime) -> datetime:
    """Nine in the morning (China time) of a day, but never later than now."""
    if day is None:
        return now
    at = datetime.combine(date.fromisoformat(str(day)[:10]), time(1), tzinfo=UTC)
    return min(at, now - timedelta(seconds=1))
