"""
The first `make run` on a machine: makes the demo district where there is no database yet.

Only the embedded database is made without being asked; a server database belongs to somebody who
decides what goes into it (`gridmap init`, `gridmap demo`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gridmap.settings import Settings, load_settings

UNFINISHED = "first-run-unfinished"


def steps(settings: Settings) -> list[list[str]]:
    """
    The gridmap commands that still have to run before serving, in order; none when a database is there.

    A first run that broke off half-way (its mark is still in the home folder) starts over.
    """
    file = settings.database_file
    if file is None or os.environ.get("GRIDMAP_NO_DEMO"):
        return []
    if file.exists() and not (settings.home / UNFINISHED).exists():
        return []
    return [["init"], ["demo"]]


def _remove_unfinished(file: Path) -> None:
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        (file.parent / name).unlink(missing_ok=True)


def main() -> int:
    settings = load_settings()
    to_do = steps(settings)
    if not to_do:
        return 0
    mark = settings.home / UNFINISHED
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if mark.exists() and settings.database_file:
        _remove_unfinished(settings.database_file)
    mark.touch()
    program = str(Path(sys.executable).with_name("gridmap"))
    print("no database yet: making the demo district 示范区 (正在生成示范区数据,请稍候)", file=sys.stderr)
    for arguments in to_do:
        # A separate process each: what the commands print (passwords, once) goes straight to the terminal.
        done = subprocess.run([program, *arguments], check=False)
        if done.returncode:
            print(f"`gridmap {' '.join(arguments)}` failed; `gridmap doctor` may say why", file=sys.stderr)
            return done.returncode
    mark.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
