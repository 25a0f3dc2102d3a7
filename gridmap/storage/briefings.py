"""Briefings (平安通报) in the store: texts whose figures belong to one masking scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from gridmap.storage.tables import Time, metadata

table = Table(
    "briefing",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("template", String(40), nullable=False),
    Column("scope", String(10), nullable=False, index=True),
    Column("data_at", Time, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_by", String(60), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_by", String(60), nullable=False),
    Column("updated_at", Time, nullable=False),
)


@dataclass(frozen=True, slots=True)
class StoredBriefing:
    """One briefing; its figures are those of `data_at` and commit `sequence`, as `scope` may see them."""

    id: str
    title: str
    text: str
    template: str
    scope: str
    data_at: datetime
    sequence: int
    revision: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


def add(connection: Connection, briefing: StoredBriefing) -> None:
    """Store a new briefing."""
    connection.execute(
        insert(table).values({name: getattr(briefing, name) for name in StoredBriefing.__slots__})
    )


def change(connection: Connection, briefing: StoredBriefing, *, base: int) -> bool:
    """Put `briefing` in the place of its revision `base`; whether that was still the newest one."""
    values = {
        name: getattr(briefing, name) for name in ("title", "text", "revision", "updated_by", "updated_at")
    }
    found = connection.execute(
        update(table).where(table.c.id == briefing.id, table.c.revision == base).values(values)
    )
    return found.rowcount == 1


def get(connection: Connection, briefing_id: str) -> StoredBriefing | None:
    """The briefing with this id; None when there is none."""
    row = connection.execute(select(table).where(table.c.id == briefing_id)).one_or_none()
    return None if row is None else StoredBriefing(**row._mapping)


def newest(connection: Connection, scopes: Sequence[str], *, limit: int = 50) -> list[StoredBriefing]:
    """The briefings of these masking scopes, the last changed first."""
    rows = connection.execute(
        select(table)
        .where(table.c.scope.in_(scopes))
        .order_by(table.c.updated_at.desc(), table.c.id)
        .limit(limit)
    )
    return [StoredBriefing(**row._mapping) for row in rows]


def remove(connection: Connection, briefing_id: str) -> bool:
    """Drop a briefing; whether there was one."""
    return connection.execute(delete(table).where(table.c.id == briefing_id)).rowcount == 1
