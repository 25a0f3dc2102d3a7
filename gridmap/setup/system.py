"""
Programs of the operating system that gridmap uses, and how to get them.

Chromium and PostGIS serve the tests (PostGIS also a server deployment), a Chinese font serves every
picture and page drawn on this machine. `python -m gridmap.setup.system` installs the missing ones
from the distribution's packages where it may.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "msedge")
# No file of these may be missing, since each stands for Chinese text that would show as boxes.
CJK_FILE_PATTERNS = (
    "*CJK*",
    "*wqy*",
    "*DroidSansFallback*",
    "*SourceHan*",
    "msyh*",
    "simsun*",
    "PingFang*",
    "Hiragino*",
)
FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)


def find_chromium() -> str | None:
    """Path of a Chromium-like browser: GRIDMAP_CHROMIUM, else the first known name on PATH."""
    if named := os.environ.get("GRIDMAP_CHROMIUM"):
        return named if Path(named).is_file() else None
    return next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


def _share_folder(programs: Path) -> Path | None:
    """Where the PostgreSQL whose programs lie in `programs` keeps its extensions."""
    config = programs / "pg_config"
    if not config.exists():
        # Debian ships pg_config with the development files only; its layout is fixed.
        guess = Path("/usr/share/postgresql") / programs.parent.name
        return guess if guess.is_dir() else None
    answer = subprocess.run([str(config), "--sharedir"], capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip()) if answer.returncode == 0 else None


def find_postgis() -> Path | None:
    """
    Folder of the newest PostgreSQL programs that have PostGIS beside them.

    PostgreSQL alone is not enough, so PostGIS' control file is what decides.
    """
    folders = [Path(p) for p in glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")]
    folders.sort(
        key=lambda p: [int(n) for n in p.parent.name.replace("pgsql-", "").split(".") if n.isdigit()]
    )
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    for folder in reversed(folders):
        share = _share_folder(folder)
        if (folder / "initdb").exists() and share and (share / "extension" / "postgis.control").exists():
            return folder
    return None


def find_cjk_font() -> str | None:
    """Path of a font file with Chinese characters, by fontconfig where it is installed, else by file name."""
    if listing := shutil.which("fc-list"):
        answer = subprocess.run([listing, ":lang=zh-cn", "file"], capture_output=True, text=True, check=False)
        if first := answer.stdout.strip().splitlines():
            return first[0].rstrip(": ")
    for folder in FONT_FOLDERS:
        for pattern in CJK_FILE_PATTERNS:
            if found := next(Path(folder).expanduser().glob(f"**/{pattern}"), None):
                return str(found)
    return None


@dataclass(frozen=True, slots=True)
class Need:
    """One thing this machine should have, how to see it, and the Debian packages that bring it."""

    name: str
    purpose: str
    find: Callable[[], object | None]
    packages: tuple[str, ...]


NEEDS = (
    Need("chromium", "the browser tests", find_chromium, ("chromium",)),
    Need("postgis", "the tests on a server database", find_postgis, ("postgresql", "postgresql-postgis")),
    Need("cjk", "Chinese text in pictures and pages", find_cjk_font, ("fonts-noto-cjk",)),
)


def missing_needs() -> list[Need]:
    return [need for need in NEEDS if need.find() is None]


def _root_prefix() -> list[str] | None:
    """What to put before a command so that it runs as root: nothing, sudo, or None when neither is possible."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def install(needs: Sequence[Need]) -> bool:
    """
    Try to install the packages of `needs` with apt; True when apt said yes to all.

    It never asks for a password: without root or a sudo that needs none, it declines.
    """
    prefix = _root_prefix()
    apt = shutil.which("apt-get")
    if prefix is None or apt is None:
        return False
    packages = [package for need in needs for package in need.packages]
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", apt]
    quiet = {"stdin": subprocess.DEVNULL, "check": False}
    subprocess.run([*command, "update", "-q"], stdout=subprocess.DEVNULL, **quiet)
    done = subprocess.run([*command, "install", "-q", "-y", "--no-install-recommends", *packages], **quiet)
    return done.returncode == 0


def main() -> int:
    """Install what is missing where that is possible, and say plainly what is left. Never fails set-up by itself."""
    needs = missing_needs()
    if not needs:
        return 0
    print(f"missing: {', '.join(n.name for n in needs)}; trying the distribution's packages", file=sys.stderr)
    install(needs)
    for need in missing_needs():
        print(
            f"\n  !! {need.name} is not on this machine: {need.purpose} will be skipped (under CI they fail).\n"
            f"     It could not be installed from here. As root, on Debian or Ubuntu:\n"
            f"       apt-get install --no-install-recommends {' '.join(need.packages)}\n",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
