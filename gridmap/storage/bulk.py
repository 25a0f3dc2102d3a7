"""Many rows into one table, by the fastest way that each database has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

_COPY_FROM = 20


def insert(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """
    Write rows whose values are as the database keeps them (texts, numbers, blobs; JSON as text).

    SQLite takes them as one prepared statement; PostgreSQL takes many by COPY, where a geometry is given as
    hexadecimal EWKB.
    """
    if not rows:
        return
    names = ", ".join(columns)
    if connection.engine.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        if len(rows) < _COPY_FROM:
            connection.exec_driver_sql(statement, list(rows))
        else:  # past SQLAlchemy, which looks at every row
            connection.connection.cursor().executemany(statement, rows)
    elif len(rows) < _COPY_FROM:
        marks = ", ".join(["%s"] * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(rows))
    else:
        _copy(connection, f"COPY {table} ({names}) FROM STDIN", rows)


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
