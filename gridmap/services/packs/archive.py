"""Finished packs' files in one archive beside a backup of the store, and back from it."""

from __future__ import annotations

import shutil
import tarfile
import uuid
from pathlib import Path

from gridmap.settings import Settings

SUFFIX = ".packs.tar"


def beside(backup: Path) -> Path:
    """Where the packs of a backup of the store lie."""
    return backup.with_name(backup.name + SUFFIX)


def collect(settings: Settings, target: Path) -> int:
    """
    Write every finished pack's files into the new file `target` (mode 0600); how many packs, and no file for none.

    A pack that is deleted meanwhile is left out.
    """
    folder = settings.home / "packs"
    found = sorted(one for one in folder.iterdir() if _is_pack(one.name)) if folder.is_dir() else []
    if not found:
        return 0
    partial = target.with_name(target.name + ".partial")
    partial.touch(mode=0o600)
    # packs are compressed already
    with tarfile.open(partial, "w") as archive:
        for pack in found:
            for file in sorted(pack.glob("*")):
                try:
                    archive.add(file, f"{pack.name}/{file.name}", recursive=False)
                except FileNotFoundError:
                    break
    partial.rename(target)
    return len(found)


def is_whole(source: Path) -> bool:
    """Whether the archive can be read to its end and holds files of packs alone."""
    try:
        with tarfile.open(source) as archive:
            return all(one.isfile() and _place(one.name) is not None for one in _read(archive))
    except (tarfile.TarError, EOFError, OSError):
        return False


def _read(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members = archive.getmembers()
    end = max((one.offset_data + one.size for one in members), default=0)
    size = Path(str(archive.name)).stat().st_size
    if end > size:
        raise tarfile.ReadError("the archive is cut short")
    return members


def put_back(settings: Settings, source: Path) -> int:
    """Put the files of `source` where packs are kept, beside those that are there; how many packs it holds."""
    folder = settings.home / "packs"
    packs = set()
    with tarfile.open(source) as archive:
        for one in archive:
            place, content = _place(one.name), archive.extractfile(one)
            if place is None or content is None:
                continue
            pack, name = place
            packs.add(pack)
            target = folder / pack / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
            target.chmod(0o600)
    return len(packs)


def _place(name: str) -> tuple[str, str] | None:
    """The pack and the file that a member names; None for what is no file of a pack, or climbs."""
    pack, _, file = name.partition("/")
    return (pack, file) if _is_pack(pack) and file and Path(file).name == file and file != ".." else None


def _is_pack(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
