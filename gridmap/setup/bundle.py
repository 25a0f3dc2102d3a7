"""
One archive that installs gridmap where there is no network: `make bundle`.

It holds the project's files, the browser libraries, and every pinned package as a wheel for the kind of
machine and the Python version it was made on. `install.sh` and `start.sh` inside do the rest.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from gridmap import __version__
from gridmap.setup import vendor

PROJECT = vendor.PROJECT
SCRIPTS = Path(__file__).with_name("bundle_files")
# What installing needs beside the pinned packages: pip itself, and what an editable install builds with.
INSTALLERS = ("pip", "setuptools>=77")
LEFT_OUT = ("tests/", ".ci/", ".github/")
CHUNK = 1 << 20


def bundle_name() -> str:
    """For example gridmap-0.1.0-linux-x86_64-py3.11."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"gridmap-{__version__}-{platform.system().lower()}-{platform.machine()}-py{python}"


def project_files(project: Path = PROJECT) -> Iterator[str]:
    """
    Paths of the project's own files: what git tracks or would track, without tests.

    A change that is not committed is part of it; what git ignores (data, secrets, databases) never is.
    """
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project,
        capture_output=True,
        check=True,
    )
    for name in listing.stdout.decode().split("\0"):
        if name and not name.startswith(LEFT_OUT) and (project / name).is_file():
            yield name


def _copy(project: Path, stage: Path) -> None:
    for name in project_files(project):
        target = stage / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project / name, target)
    shutil.copytree(project / "gridmap" / "assets" / "vendor", stage / "gridmap" / "assets" / "vendor")
    for script in SCRIPTS.glob("*.sh"):
        shutil.copy2(script, stage / script.name)
        (stage / script.name).chmod(0o755)


def _wheels(stage: Path) -> None:
    """Every pinned package as a wheel; a package that has none for this machine is built here, once."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-qq",
        "--disable-pip-version-check",
        "--no-deps",
        "--wheel-dir",
    ]
    wheels = str(stage / "wheels")
    subprocess.run([*pip, wheels, "--requirement", str(stage / "requirements.lock")], check=True)
    subprocess.run([*pip, wheels, *INSTALLERS], check=True)


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _write_facts(stage: Path) -> None:
    """BUNDLE says which machine it is for; SHA256SUMS lets install.sh see a damaged copy."""
    uname = os.uname()
    version = ".".join(platform.python_version_tuple()[:2])
    (stage / "BUNDLE").write_text(
        f'PYTHON_VERSION="{version}"\nMACHINE="{uname.sysname}-{uname.machine}"\n', "utf-8"
    )
    files = sorted(f for f in stage.rglob("*") if f.is_file() and f.name != "SHA256SUMS")
    lines = [f"{_digest(f)}  {f.relative_to(stage).as_posix()}" for f in files]
    (stage / "SHA256SUMS").write_text("\n".join(lines) + "\n", "utf-8")


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the name and number of whoever made the archive."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def make_bundle(project: Path = PROJECT, target: Path | None = None) -> Path:
    """
    Write the archive and its checksum into `target` (dist/ of the project) and answer its path.

    Needs the network, or a full pip cache; the machine it installs on does not.
    """
    target = target or project / "dist"
    name = bundle_name()
    stage = target / name
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    if vendor.missing_assets(project / "gridmap" / "assets" / "vendor", project):
        vendor.fetch(project, project / "gridmap" / "assets" / "vendor")
    _copy(project, stage)
    _wheels(stage)
    _write_facts(stage)
    archive = target / f"{name}.tar.gz"
    # Wheels are compressed already: more effort buys nothing.
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(stage, arcname=name, filter=_anonymous)
    (target / f"{archive.name}.sha256").write_text(f"{_digest(archive)}  {archive.name}\n", "utf-8")
    shutil.rmtree(stage)
    return archive


def main() -> int:
    archive = make_bundle()
    print(f"{archive.relative_to(PROJECT)}  {archive.stat().st_size / 2**20:.0f} MB")
    print("copy it to the other machine, unpack it there, and run ./install.sh and ./start.sh")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
