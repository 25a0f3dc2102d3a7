"""The running district: settings, catalogue, store, clock and layer frames, put together once per process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gridmap.domain.layer_files import load_catalogue
from gridmap.domain.layers import Catalogue
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
        The store is missing, or in another form than this program's.
    """
    district = assemble(settings or load_settings(), clock=clock)
    try:
        _require_present_form(district)
    except BaseException:
        district.close()
        raise
    return district


def _require_present_form(district: District) -> None:
    found = _form(district)
    migrate.refuse_newer(found)
    if found != migrate.newest():
        raise Unavailable(
            f"the store has form {found}, this program needs {migrate.newest()}; run `gridmap migrate`",
            zh="数据库版本与程序不一致,请先备份,再运行 gridmap migrate。",
        )


def _form(district: District) -> str:
    """The form of the district's store; raises Unavailable where there is no store."""
    file = district.settings.database_file
    found = None if file is not None and not file.exists() else migrate.current(district.database)
    if found is None:
        place = file or "the database of GRIDMAP_DATABASE_URL"
        raise Unavailable(
            f"there is no district at {place}; run `gridmap init` or `gridmap demo` first",
            zh=f"{file or '所配置的数据库中'}还没有辖区数据库,请先运行 gridmap init 或 gridmap demo。"
            "若应已建立,请检查 GRIDMAP_HOME 和 GRIDMAP_DATABASE_URL。",
        )
    return found


@functools.cache
def running() -> District:
    """The district of this process, opened from the environment at first use. For entry points only."""
    return open_district()


def prepare_store(district: District) -> None:
    """Make the store or bring it to the present form, and list the catalogue's layers in it; safe to repeat."""
    migrate.upgrade(district.database)
    if district.database.is_embedded:
        with district.database.write() as connection:
            sqlite.publish_views(connection, district.catalogue)


def migrate_store(district: District) -> tuple[str, str]:
    """
    Bring a store that is there to the present form; the form that it had, and the one that it has.

    Raises
    ------
    Unavailable
        There is no store (a new one in its place would look like a district that lost everything), or a newer
        program made it.
    """
    before = _form(district)
    prepare_store(district)
    return before, migrate.newest()
