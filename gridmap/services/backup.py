"""Backup and restore of the whole store and the finished packs: one command each."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gridmap.domain.elements import time_text
from gridmap.domain.roles import Permission
from gridmap.errors import InvalidInput, NotFound, StateConflict
from gridmap.services import access
from gridmap.services.district import District, assemble
from gridmap.services.job_worker import JobContext
from gridmap.services.packs import archive
from gridmap.settings import Settings
from gridmap.storage import dumps, history, migrate, preferences
from gridmap.storage.database import Database
from gridmap.storage.history import ChainReport

LAST_BACKUP = "last_backup"


class BackupBroken(InvalidInput):
    """A file offered for restoring is no whole backup, or its history was made with another secret."""

    title = "备份文件无法使用"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """
    A finished backup.

    `chain_head` is the hash of its newest revision: write it down, and a later change of the history shows.
    The secret that keys the hashes is not in the file; keep a copy of it apart. The files of `packs` finished packs
    lie in an archive beside it (`gridmap.services.packs.archive.beside`), where there are any.
    """

    file: Path
    bytes: int
    sequence: int
    revisions: int
    chain_head: str
    at: datetime
    packs: int = 0


def backup(district: District, folder: Path) -> BackupReport:
    """
    Copy the store as it is now into a new file in `folder`; people go on working meanwhile.

    Raises
    ------
    Unavailable (no pg_dump), DumpFailed, BackupBroken (the stored history does not verify)
    """
    at = district.clock()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    suffix = "gpkg" if district.database.is_embedded else "pgdump"
    stem = f"gridmap-{at:%Y%m%dT%H%M%S}Z"
    target = next(
        path
        for number in range(10_000)
        if not (path := folder / f"{stem}{f'-{number}' if number else ''}.{suffix}").exists()
    )
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    if district.database.is_embedded:
        dumps.snapshot(district.database, partial)
        chain, sequence = _chain_of_copy(partial, district.settings.secret)
    else:
        with district.database.read() as connection:
            chain = history.verify(connection, district.settings.secret)
        sequence = district.database.sequence()
        dumps.dump_server(district.settings.database_url, partial)
    # after the store, so that no pack that it lists is missing
    packs = archive.collect(district.settings, archive.beside(target))
    partial.rename(target)
    with district.database.write() as connection:
        preferences.keep(
            connection, LAST_BACKUP, {"at": time_text(at), "file": target.name, "sequence": sequence}
        )
    return BackupReport(target, target.stat().st_size, sequence, chain.revisions, chain.head, at, packs)


def _chain_of_copy(file: Path, secret: bytes) -> tuple[ChainReport, int]:
    """The verified chain and the sequence of a copy of an embedded store; raises BackupBroken."""
    if not dumps.is_whole(file):
        raise BackupBroken(
            f"{file.name} is no whole gridmap store; take another backup",
            zh=f"“{file.name}”不是完整的备份文件,请换一个备份。",
        )
    copy = Database(f"sqlite:///{file.absolute()}", secret=secret)
    try:
        with copy.read() as connection:
            chain = history.verify(connection, secret)
        sequence = copy.sequence()
    finally:
        copy.close()
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
    if not chain.is_valid:
        raise BackupBroken(
            f"the history in {file.name} does not verify (revision {chain.broken_at}): {chain.problem}; "
            "was it made with another secret?",
            zh=f"“{file.name}”中的历史无法验证:可能被改动,或使用了另一个密钥(secret)。",
        )
    return chain, sequence


def restore(settings: Settings, file: Path, *, force: bool = False) -> BackupReport:
    """
    Put a backup in place of the store, after it was checked; the replaced store is kept beside it.

    The finished packs that lie beside the backup come back too; without their archive they are listed and can be
    made again. The server must not run meanwhile.

    Raises
    ------
    NotFound (no such file), BackupBroken, StateConflict (there is a store already and `force` is not set)
    """
    if not file.is_file():
        raise NotFound(f"there is no file {file}", zh=f"找不到备份文件“{file.name}”。")
    packs = archive.beside(file)
    if packs.exists() and not archive.is_whole(packs):
        raise BackupBroken(
            f"{packs.name} is no whole archive of packs; take another backup, or put it away to restore without packs",
            zh=f"“{packs.name}”不是完整的材料包存档。请换一个备份,或移走该文件后只恢复数据。",
        )
    report = (_restore_embedded if settings.is_embedded else _restore_server)(settings, file, force=force)
    return replace(report, packs=archive.put_back(settings, packs)) if packs.exists() else report


def _restore_embedded(settings: Settings, file: Path, *, force: bool) -> BackupReport:
    live = settings.database_file
    assert live is not None
    if live.exists() and not force:
        raise StateConflict(
            f"{live} exists; stop the server and add --force to replace it",
            zh="已有数据库。请先停止服务,再加 --force 覆盖(原库会保留一份)。",
        )
    live.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = live.with_name(live.name + ".restoring")
    shutil.copyfile(file, fresh)
    fresh.chmod(0o600)
    try:
        chain, sequence = _chain_of_copy(fresh, settings.secret)
    except BackupBroken:
        fresh.unlink()
        raise
    if live.exists() and not _is_ours_alone(live):
        fresh.unlink()
        raise StateConflict(
            f"{live} is in use; stop the server first: what it stored from now on would be lost",
            zh="数据库正在使用。请先停止服务,再恢复备份,否则恢复期间的修改会丢失。",
        )
    if live.exists():
        for suffix in ("", "-wal", "-shm"):
            old = live.with_name(live.name + suffix)
            if old.exists():
                old.replace(live.with_name(f"{live.name}.replaced{suffix}"))
    os.replace(fresh, live)
    district = assemble(settings)
    try:
        migrate.upgrade(district.database)
        at = district.clock()
    finally:
        district.close()
    return BackupReport(live, live.stat().st_size, sequence, chain.revisions, chain.head, at)


def _is_ours_alone(live: Path) -> bool:
    """Whether nobody else has the file open: to leave its write-ahead log, SQLite must have it alone."""
    connection = sqlite3.connect(live, timeout=0.5)
    try:
        [mode] = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True  # no database at all: nothing is lost with it
    finally:
        connection.close()
    return str(mode) == "delete"


def _restore_server(settings: Settings, file: Path, *, force: bool) -> BackupReport:
    district = assemble(settings)
    try:
        if migrate.current(district.database) is not None and not force:
            raise StateConflict(
                "the database holds a district; stop the server and add --force to replace it",
                zh="数据库中已有辖区。请先停止服务,再加 --force 覆盖。",
            )
        district.database.close()
        dumps.load_server(settings.database_url, file)
        migrate.upgrade(district.database)
        with district.database.read() as connection:
            chain = history.verify(connection, settings.secret)
        if not chain.is_valid:
            raise BackupBroken(
                f"restored, but the history does not verify: {chain.problem or chain.broken_at}",
                zh="已恢复,但历史无法验证:可能被改动,或使用了另一个密钥(secret)。",
            )
        sequence, at = district.database.sequence(), district.clock()
    finally:
        district.close()
    return BackupReport(file, file.stat().st_size, sequence, chain.revisions, chain.head, at)


def run_job(context: JobContext) -> dict[str, Any]:
    """Back up in a worker, into the home's `backups`; the result tells what `gridmap backup` tells."""
    access.require(context.district, context.user, Permission.ADMINISTER, "backup")
    context.progress(0.1, "复制数据库")
    report = backup(context.district, context.district.settings.home / "backups")
    return {
        "file": report.file.name,
        "bytes": report.bytes,
        "sequence": report.sequence,
        "revisions": report.revisions,
        "chain_head": report.chain_head,
        "at": time_text(report.at),
        "packs": report.packs,
    }
