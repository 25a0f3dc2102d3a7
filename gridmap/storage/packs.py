"""Finished packs in the store: what went into each, so that the same can be made again, and its files' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)

from gridmap.storage.tables import Json, Time, metadata

table = Table(
    "pack",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("title", Text, nullable=False),
    Column("key", String(64), nullable=False, index=True),
    Column("scope", String(10), nullable=False, index=True),
    Column("parameters", Json, nullable=False),
    Column("data_at", Time, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("is_simulated", Boolean(create_constraint=False), nullable=False),
    Column("pages", Integer, nullable=False),
    Column("files", Json, nullable=False),
    Column("created_by", String(60), nullable=False),
    Column("created_at", Time, nullable=False),
)


@dataclass(frozen=True, slots=True)
class StoredPack:
    """
    One finished pack.

    `key` tells packs of the same contents: parameters, data, masking scope and maker. `files` are
    {"name", "format", "bytes"} below the pack's folder.
    """

    id: str
    title: str
    key: str
    scope: str
    parameters: Mapping[str, Any]
    data_at: datetime
    sequence: int
    is_simulated: bool
    pages: int
    files: Sequence[Mapping[str, Any]]
    created_by: str
    created_at: datetime


def add(connection: Connection, pack: StoredPack) -> None:
    """Store a finished pack."""
    connection.execute(insert(table).values({name: getattr(pack, name) for name in StoredPack.__slots__}))


def get(connection: Connection, pack_id: str) -> StoredPack | None:
    """The pack with this id; None when there is none."""
    row = connection.execute(select(table).where(table.c.id == pack_id)).one_or_none()
    return None if row is None else StoredPack(**row._mapping)


def newest(
    connection: Connection, scope: str, *, key: str | None = None, limit: int = 50
) -> list[StoredPack]:
    """The packs of one masking scope (with this key, where given), newest first."""
    statement = select(table).where(table.c.scope == scope)
    if key is not None:
        statement = statement.where(table.c.key == key)
    rows = connection.execute(statement.order_by(table.c.created_at.desc(), table.c.id).limit(limit))
    return [StoredPack(**row._mapping) for row in rows]


def remove(connection: Connection, pack_id: str) -> bool:
    """Drop a pack; whether there was one."""
    return connection.execute(delete(table).where(table.c.id == pack_id)).rowcount == 1
