"""Answers already given, so that a request sent twice is carried out once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gridmap.errors import StateConflict
from gridmap.storage.tables import idempotency as table


@dataclass(frozen=True, slots=True)
class Key:
    """A sender's own name for one request, with a hash of what it asks."""

    username: str
    key: str
    request_hash: str


def find(connection: Connection, key: Key) -> dict[str, Any] | None:
    """
    The answer kept for this key; None when it is new.

    Raises
    ------
    StateConflict
        The key was used for a request with other content.
    """
    statement = select(table).where(table.c.username == key.username, table.c.key == key.key)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    if row.request_hash != key.request_hash:
        raise StateConflict(
            f"idempotency key {key.key!r} was used for another request; send a new key",
            zh="同一请求编号被用于不同内容,未保存,请重新提交。",
        )
    return row.response


def keep(connection: Connection, key: Key, response: dict[str, Any], at: datetime) -> None:
    """Keep the answer to this key."""
    connection.execute(
        insert(table).values(
            username=key.username, key=key.key, request_hash=key.request_hash, response=response, at=at
        )
    )


def forget_before(connection: Connection, at: datetime) -> int:
    """Drop answers older than `at`; how many there were."""
    return connection.execute(delete(table).where(table.c.at < at)).rowcount
