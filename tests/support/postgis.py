"""
A PostGIS server that lives as long as one test run.

It listens on a Unix socket in a private directory, in memory where there is room, keeps nothing safely
(no fsync) and is started by the fixture itself, so nobody needs a server running. PostgreSQL refuses to run as root:
there the programs run as the `postgres` user that the distribution's package creates.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from gridmap.setup.system import find_postgis

TEMPLATE, PREPARED, SEEDED = "gridmap_template", "gridmap_prepared", "gridmap_seeded"
USER = "gridmap"
# What a server and its databases may need, with plenty to spare, in bytes.
ROOM = 2_000_000_000
# Durability costs time and buys nothing for data that dies with the test.
SERVER_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    # Little is written, and what is written once is not worth keeping for the next time.
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
    "autovacuum": "off",
}


class PostgisMissing(Exception):
    """No PostgreSQL with PostGIS is installed on this machine."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server; `host` is the directory of its socket."""

    host: str

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}@/{database}?host={self.host}"

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=self.host, user=USER, dbname="postgres", autocommit=True)

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """
        The URL of a fresh database, dropped afterwards, whoever is connected.

        It is empty but for PostGIS, or a copy of the database `template`, to which nobody may be connected.
        """
        name = f"t_{uuid.uuid4().hex[:12]}"
        self._copy(template, name)
        try:
            yield self.url(name)
        finally:
            with self._admin() as admin:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _copy(self, template: str, name: str) -> None:
        command = "CREATE DATABASE {} TEMPLATE {}"
        with self._admin() as admin:
            if admin.info.server_version >= 150_000:
                # Whole files instead of every page through the log: a quarter of the work.
                command += " STRATEGY file_copy"
            admin.execute(sql.SQL(command).format(sql.Identifier(name), sql.Identifier(template)))

    def create_filled_template(
        self, name: str, fill: Callable[[str], None], *, template: str = TEMPLATE
    ) -> None:
        """A template that `fill`, given its URL, completes; it leaves no connection open."""
        self._copy(template, name)
        fill(self.url(name))

    def create_template(self) -> None:
        """CREATE EXTENSION takes a third of a second, copying a database far less: do the first once."""
        with self._admin() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        with psycopg.connect(host=self.host, user=USER, dbname=TEMPLATE, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")


def _short_directory() -> Path:
    """
    A directory whose path leaves room for a socket name (about 107 bytes in all) and that `postgres` may enter.

    A database is three hundred files, and each test has its own: in memory they are made ten times as fast.
    """
    rooms = [one for one in ("/dev/shm", "/tmp") if os.path.isdir(one) and os.access(one, os.W_OK)]
    base = next((one for one in rooms if one != "/dev/shm" or shutil.disk_usage(one).free > ROOM), None)
    return Path(tempfile.mkdtemp(prefix="gm-pg-", dir=base))


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """
    A fresh server with a template database that has PostGIS.

    Raises
    ------
    PostgisMissing
        No installation has both `initdb` and PostGIS' control file.
    """
    programs = find_postgis()
    if programs is None:
        raise PostgisMissing(
            "no PostgreSQL with PostGIS on this machine; `make test` installs it where it may, "
            "or install the packages postgresql and postgresql-postgis"
        )
    root = _short_directory()
    as_user: dict[str, Any] = {}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        shutil.chown(root, "postgres", "postgres")
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}

    def run(program: str, *arguments: str) -> None:
        # A file, not a pipe: pg_ctl's child keeps its output open for good, and a pipe would never end.
        with (root / f"{program}.err").open("wb") as complaints:
            done = subprocess.run(
                [str(programs / program), *arguments],
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
                check=False,
                **as_user,
            )
        if done.returncode:
            log = "\n".join(
                f.read_text(errors="replace") for f in (root / f"{program}.err", root / "log") if f.exists()
            )
            raise RuntimeError(f"{program} failed with {done.returncode}:\n{log}")

    data = str(root / "data")
    try:
        run("initdb", "-D", data, "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = " ".join(f"-c {name}='{value}'" for name, value in SERVER_OPTIONS.items())
        run("pg_ctl", "-D", data, "-w", "-l", str(root / "log"), "-o", f"{options} -k {root}", "start")
        try:
            cluster = Cluster(host=str(root))
            cluster.create_template()
            yield cluster
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)
