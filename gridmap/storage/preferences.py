"""Small facts of the deployment that outlive a process, by key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gridmap.storage.tables import setting as table


def read(connection: Connection, key: str) -> Any:
    """The value kept under `key`; None when there is none."""
    return connection.execute(select(table.c.value).where(table.c.key == key)).scalar()


def keep(connection: Connection, key: str, value: Any) -> None:
    """Keep a JSON value under `key`, in place of an older one."""
    connection.execute(delete(table).where(table.c.key == key))
    connection.execute(insert(table).values(key=key, value=value))
