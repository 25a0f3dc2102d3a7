"""Who works where right now: a small row per open map, forgotten when it is not renewed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, Connection, String, Table, Text, delete, func, insert, select, update

from gridmap.storage import postgres
from gridmap.storage.tables import Time, metadata

table = Table(
    "presence",
    metadata,
    Column("username", String(60), primary_key=True),
    Column("client", String(36), primary_key=True),
    Column("layer", String(40)),
    Column("element_id", String(36)),
    Column("grid_code", Text),
    Column("is_editing", Boolean(create_constraint=False), nullable=False),
    # when it last said something new; `seen_at`: when it last said anything
    Column("changed_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False, index=True),
)

# What makes others look again.
Token = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class Presence:
    """One open map of an account: the element that is open there, if any, and the grid."""

    username: str
    client: str
    layer: str | None = None
    element_id: str | None = None
    grid_code: str | None = None
    is_editing: bool = False


def keep(connection: Connection, one: Presence, at: datetime, *, forget_before: datetime) -> bool:
    """Write where somebody is now and drop those not heard of since `forget_before`; whether that is news."""
    gone = connection.execute(delete(table).where(table.c.seen_at < forget_before)).rowcount
    place = {
        "layer": one.layer,
        "element_id": one.element_id,
        "grid_code": one.grid_code,
        "is_editing": one.is_editing,
    }
    mine = (table.c.username == one.username) & (table.c.client == one.client)
    known = connection.execute(select(*(table.c[name] for name in place)).where(mine)).one_or_none()
    is_news = known is None or dict(known._mapping) != place
    values = {"seen_at": at, **({**place, "changed_at": at} if is_news else {})}
    if known is None:
        connection.execute(insert(table).values(username=one.username, client=one.client, **values))
    else:
        connection.execute(update(table).where(mine).values(**values))
    return _announced(connection, is_news or gone > 0)


def drop(connection: Connection, username: str, client: str) -> bool:
    """Forget an open map; whether it was known."""
    statement = delete(table).where(table.c.username == username, table.c.client == client)
    return _announced(connection, connection.execute(statement).rowcount > 0)


def _announced(connection: Connection, is_news: bool) -> bool:
    if is_news and connection.dialect.name == "postgresql":
        postgres.announce(connection, 0)
    return is_news


def alive(connection: Connection, since: datetime) -> list[Presence]:
    """Everybody heard of since then, in a steady order."""
    statement = (
        select(
            table.c.username, table.c.client, table.c.layer, table.c.element_id, table.c.grid_code,
            table.c.is_editing,
        )
        .where(table.c.seen_at >= since)
        .order_by(table.c.username, table.c.client)
    )  # fmt: skip
    return [Presence(**row._mapping) for row in connection.execute(statement)]


def token(connection: Connection) -> Token:
    """Something that differs as soon as anybody came, went or moved on."""
    row = connection.execute(select(func.max(table.c.changed_at), func.count()).select_from(table)).one()
    return row[0], row[1]
