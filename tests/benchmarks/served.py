"""The demo district, generated once per run of the benchmarks, and served as in real use."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from gridmap.services import demo
from gridmap.services.district import District
from tests.browser.server import Server, run_server
from tests.support.district import make_district
from tests.support.live import Live

_SECRET = "a secret of the tests"


@cache
def _made() -> tuple[tempfile.TemporaryDirectory[str], dict[str, str]]:
    folder = tempfile.TemporaryDirectory()
    district = open_demo(Path(folder.name))
    passwords = demo.install(district).passwords
    district.close()
    return folder, passwords


def open_demo(home: Path) -> District:
    """The district in `home`, in this process."""
    return make_district(f"sqlite:///{home / 'district.gpkg'}", home, lambda: datetime.now(UTC))


@contextmanager
def demo_home() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with a fresh copy of the demo district, and its passwords."""
    source, passwords = _made()
    with tempfile.TemporaryDirectory() as folder:
        for file in Path(source.name).iterdir():
            if file.is_file():
                shutil.copy(file, folder)
        yield Path(folder), passwords


@contextmanager
def serving_demo() -> Iterator[Live]:
    """The application on the demo district, and this process' own door to it."""
    with demo_home() as (home, passwords):
        env = {
            "GRIDMAP_HOME": str(home),
            "GRIDMAP_DATABASE_URL": f"sqlite:///{home / 'district.gpkg'}",
            "GRIDMAP_SECRET": _SECRET,
            "GRIDMAP_SIGNINS_PER_MINUTE": "600",
        }
        district = open_demo(home)
        try:
            with run_server((), env=env, log_file=home / "server.log") as server:
                yield Live(server, district, passwords)
        finally:
            district.close()


def resident_mb(server: Server) -> float:
    """Memory of the server process and its children, MB."""
    pages = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            pid, parent, rss = int(status.parent.name), int(fields[1]), int(fields[21])
        except (OSError, IndexError):
            continue
        if server.process.pid in (pid, parent):
            pages += rss
    return pages * 4096 / 2**20
