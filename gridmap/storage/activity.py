"""Who wrote what and when, without the elements themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from gridmap.domain.elements import Operation, parse_time
from gridmap.storage.tables import revision as table


@dataclass(frozen=True, slots=True)
class Edit:
    """One write of one element."""

    at: datetime
    actor: str
    operation: Operation
    layer: str
    element_id: str
    sequence: int


def edits(connection: Connection, *, since: datetime, until: datetime, layers: Sequence[str]) -> list[Edit]:
    """The writes in these layers from `since` (inclusive) to `until` (exclusive), oldest first."""
    statement = (
        select(
            table.c.at, table.c.actor, table.c.operation, table.c.layer, table.c.element_id, table.c.sequence
        )
        .where(table.c.layer.in_(layers))
        .where(table.c.at >= since)
        .where(table.c.at < until)
        .order_by(table.c.pk)
    )
    return [
        Edit(row.at, row.actor, Operation(row.operation), row.layer, row.element_id, row.sequence)
        for row in connection.execute(statement)
    ]


@dataclass(frozen=True, slots=True)
class CommitLine:
    """One commit as a line of a list: how many elements it wrote, in which layers, by which operations."""

    sequence: int
    at: datetime
    actor: str
    reason: str
    layers: tuple[str, ...]
    operations: tuple[Operation, ...]
    count: int


def commits(
    connection: Connection,
    *,
    layers: Sequence[str],
    since: datetime | None = None,
    until: datetime | None = None,
    actors: Sequence[str] | None = None,
    limit: int = 200,
) -> list[CommitLine]:
    """
    The newest commits that wrote in these layers, from `since` (inclusive) to `until` (exclusive), newest first.

    With `actors`, only theirs.
    """
    grouped = (
        select(
            table.c.sequence, func.max(table.c.at).label("at"), func.max(table.c.actor).label("actor"),
            func.max(table.c.reason).label("reason"), func.count().label("count"),
        )
        .where(table.c.layer.in_(layers))
        .group_by(table.c.sequence)
        .order_by(table.c.sequence.desc())
        .limit(limit)
    )  # fmt: skip
    if since is not None:
        grouped = grouped.where(table.c.at >= since)
    if until is not None:
        grouped = grouped.where(table.c.at < until)
    if actors is not None:
        grouped = grouped.where(table.c.actor.in_(actors))
    rows = connection.execute(grouped).all()
    kinds: dict[int, set[tuple[str, str]]] = {}
    statement = (
        select(table.c.sequence, table.c.layer, table.c.operation)
        .where(table.c.sequence.in_([row.sequence for row in rows]), table.c.layer.in_(layers))
        .distinct()
    )
    for sequence, layer, operation in connection.execute(statement):
        kinds.setdefault(sequence, set()).add((layer, operation))
    return [
        CommitLine(
            row.sequence, row.at if isinstance(row.at, datetime) else parse_time(row.at), row.actor, row.reason,  # type: ignore[arg-type]
            tuple(sorted({layer for layer, _ in kinds[row.sequence]})),
            tuple(sorted({Operation(one) for _, one in kinds[row.sequence]}, key=lambda one: one.value)),
            row.count,
        )
        for row in rows
    ]  # fmt: skip


def sequence_at(connection: Connection, layer: str, at: datetime) -> int:
    """The newest commit that had written in the layer by `at` (inclusive); 0 when none had."""
    statement = select(func.max(table.c.sequence)).where(table.c.layer == layer, table.c.at <= at)
    return connection.execute(statement).scalar() or 0


def first_at(connection: Connection, *, layers: Sequence[str]) -> datetime | None:
    """When the first revision in these layers was written; None when there is none."""
    statement = select(table.c.at).where(table.c.layer.in_(layers)).order_by(table.c.pk).limit(1)
    return connection.execute(statement).scalar()
