"""The server store: PostgreSQL with PostGIS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine

CHANNEL = "gridmap_changes"


def make_engine(url: str, **options: Any) -> Engine:
    """An engine on the PostgreSQL database `url` (`postgresql+psycopg://…`)."""
    # a request may read while it reads: more connections than the server has threads, and room for a second server
    return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=40, **options)


def create_spatial(connection: Connection) -> None:
    """Make the PostGIS extension and the spatial index, where they are missing."""
    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS postgis")
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS ix_element_geom ON element USING gist (geom)")


def announce(connection: Connection, sequence: int) -> None:
    """Tell listeners, when this transaction commits, that the district has reached `sequence`."""
    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, str(sequence)))


@contextmanager
def listening(engine: Engine) -> Iterator[Callable[[float], bool]]:
    """
    A connection of its own that hears announcements.

    Yields a function that waits for up to so many seconds and tells whether one came; it raises the driver's
    error when the server is gone.
    """
    fairy = engine.raw_connection()
    driver: Any = fairy.driver_connection
    fairy.detach()  # it stays open for hours and must not count as one of the pool's
    try:
        driver.autocommit = True
        driver.execute(f"LISTEN {CHANNEL}")

        def heard(seconds: float) -> bool:
            return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))

        yield heard
    finally:
        driver.close()
