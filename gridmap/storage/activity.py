"""Who wrote what and when, without the elements themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from gridmap.domain.elements import Operation
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
