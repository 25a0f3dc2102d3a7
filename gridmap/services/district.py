"""The running district: settings, catalogue, store, clock and layer frames, put together once per process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gridmap.domain.layers import Catalogue, load_catalogue
from gridmap.errors import Unavailable
from gridmap.services.frames import Frames
from gridmap.settings import Settings, load_settings
from gridmap.storage import migrate, sqlite
from gridmap.storage.database import Database

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class District:
    """Everything a service needs to work for one district. Services take it as their first argument."""

    settings: Settings
    catalogue: Catalogue
    database: Database
    frames: Frames
    clock: Clock = utc_now

    def close(self) -> None:
        """End the connections to the store."""
        self.database.close()


def assemble(settings: Settings, *, clock: Clock = utc_now) -> District:
    """The district that `settings` describe, without looking at its store."""
    catalogue = load_catalogue(settings.layer_folders)
    database = Database(settings.database_url, secret=settings.secret)
    return District(settings, catalogue, database, Frames(database), clock)


def open_district(settings: Settings | None = None, *, clock: Clock = utc_now) -> District:
    """
    The district that `settings` (or the environment) describe, ready to serve.

    Raises
    ------
    Unavailable
        The store is missing or in an older form.
    """
    district = assemble(settings or load_settings(), clock=clock)
    file = district.settings.database_file
    if file is not None and not file.exists():
        raise Unavailable(
            f"there is no district at {file}; run `gridmap init` or `gridmap demo` first",
            zh="还没有建立辖区数据库,请先运行 gridmap init 或 gridmap demo。",
        )
    found = migrate.current(district.database)
    if found != migrate.newest():
        raise Unavailable(
            f"the store has form {found}, this program needs {migrate.newest()}; run `gridmap migrate`",
            zh="数据库版本与程序不一致,请先备份,再运行 gridmap migrate。",
        )
    return district


@functools.cache
def running() -> District:
    """The district of this process, opened from the environment at first use. For entry points only."""
    return open_district()


def prepare_store(district: District) -> None:
    """Bring the store to the present form and list the catalogue's layers in it; safe to repeat."""
    migrate.upgrade(district.database)
    if district.database.is_embedded:
        with district.database.write() as connection:
            sqlite.publish_views(connection, district.catalogue)
