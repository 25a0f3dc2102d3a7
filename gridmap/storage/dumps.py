"""Whole copies of the store: taken by the database itself, and put back."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import make_url

from gridmap.errors import GridmapError, Unavailable
from gridmap.settings import child_environment
from gridmap.storage.database import Database


class DumpFailed(GridmapError):
    """The database's own program could not copy the store, or put a copy back."""

    status = 500
    title = "备份或恢复失败"


def snapshot(database: Database, target: Path) -> None:
    """
    Copy the embedded store as it is now into the new file `target` (mode 0600), by SQLite; nobody waits.

    The copy is complete and closed: other programs may open it.
    """
    connection = database.engine.raw_connection()
    try:
        # not inside a transaction: VACUUM refuses to run there
        connection.driver_connection.execute("VACUUM INTO ?", (str(target),))  # type: ignore[union-attr]
    finally:
        connection.close()
    target.chmod(0o600)


def is_whole(file: Path) -> bool:
    """Whether a copy of an embedded store is a sound SQLite file with our tables. Never for the live file."""
    try:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            sound = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            return sound and {"element", "revision", "district_state"} <= tables
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False


def _server(url: str) -> dict[str, str]:
    """The environment that tells PostgreSQL's programs where the database is, without a visible password."""
    parts = make_url(url)
    host = parts.host or parts.query.get("host", "")
    env = {"PGDATABASE": parts.database or "", "PGUSER": parts.username or "", "PGHOST": str(host)}
    if parts.port:
        env["PGPORT"] = str(parts.port)
    if parts.password:
        env["PGPASSWORD"] = str(parts.password)
    return {name: value for name, value in env.items() if value}


def _run(program: str, *arguments: str, env: Mapping[str, str]) -> None:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(
            f"{program} is not on this machine; install PostgreSQL's client programs",
            zh=f"本机没有 {program},请安装 PostgreSQL 客户端程序后再试。",
        )
    done = subprocess.run([path, *arguments], env=child_environment(env), capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise DumpFailed(
            f"{program} failed: {said[-1] if said else done.returncode}", zh=f"{program} 执行失败,未完成。"
        )


def dump_server(url: str, target: Path) -> None:
    """Copy a PostgreSQL store into the new file `target`, by `pg_dump` (custom format)."""
    _run("pg_dump", "--format=custom", "--no-owner", f"--file={target}", env=_server(url))
    target.chmod(0o600)


def load_server(url: str, source: Path) -> None:
    """Put a copy that `dump_server` made in place of a PostgreSQL store's tables, all or nothing."""
    _run(
        "pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error",
        f"--dbname={_server(url)['PGDATABASE']}", str(source), env=_server(url),
    )  # fmt: skip
