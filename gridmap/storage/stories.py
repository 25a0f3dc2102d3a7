"""Stories (汇报) in the store: ordered slides under a title, each save with the next revision number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, String, Table, Text, delete, insert, select, update

from gridmap.storage.tables import Json, Time, metadata

table = Table(
    "story",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("title", Text, nullable=False),
    Column("slides", Json, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_by", String(60), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_by", String(60), nullable=False),
    Column("updated_at", Time, nullable=False),
)


@dataclass(frozen=True, slots=True)
class StoredStory:
    """One story; `slides` are JSON documents in the order in which they are shown."""

    id: str
    title: str
    slides: Sequence[Mapping[str, Any]]
    revision: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


def add(connection: Connection, story: StoredStory) -> None:
    """Store a new story."""
    connection.execute(insert(table).values({name: getattr(story, name) for name in StoredStory.__slots__}))


def change(connection: Connection, story: StoredStory, *, base: int) -> bool:
    """Put `story` in the place of its revision `base`; whether that was still the newest one."""
    values = {
        name: getattr(story, name) for name in ("title", "slides", "revision", "updated_by", "updated_at")
    }
    found = connection.execute(
        update(table).where(table.c.id == story.id, table.c.revision == base).values(values)
    )
    return found.rowcount == 1


def get(connection: Connection, story_id: str) -> StoredStory | None:
    """The story with this id; None when there is none."""
    row = connection.execute(select(table).where(table.c.id == story_id)).one_or_none()
    return None if row is None else StoredStory(**row._mapping)


def newest(connection: Connection) -> list[StoredStory]:
    """All stories, the last changed first."""
    rows = connection.execute(select(table).order_by(table.c.updated_at.desc(), table.c.id))
    return [StoredStory(**row._mapping) for row in rows]


def remove(connection: Connection, story_id: str) -> bool:
    """Drop a story; whether there was one."""
    return connection.execute(delete(table).where(table.c.id == story_id)).rowcount == 1
