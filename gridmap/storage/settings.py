"""What a district chose for itself, by key, as JSON."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gridmap.storage.tables import setting as table


def get(connection: Connection, key: str) -> Any:
    """The value kept under `key`; None where nothing was chosen."""
    return connection.execute(select(table.c.value).where(table.c.key == key)).scalar()


def put(connection: Connection, key: str, value: Any) -> None:
    """Keep `value` under `key`, in place of what was there; None forgets it."""
    connection.execute(delete(table).where(table.c.key == key))
    if value is not None:
        connection.execute(insert(table).values(key=key, value=value))
