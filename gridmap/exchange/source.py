"""A file from outside, as bytes or as a path, kept away from the live database and within the limits."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

from gridmap.errors import NotFound, TooLarge
from gridmap.exchange.errors import FileBroken, LiveFileRefused
from gridmap.exchange.table import MEGABYTE, Limits

_HEAD = 8192


@dataclass(frozen=True, slots=True)
class Source:
    """One uploaded or local file. `content` is set for uploads, `path` for local files."""

    filename: str
    path: Path | None = None
    content: bytes | None = field(default=None, repr=False)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file for reading."""
        stream = BytesIO(self.content) if self.content is not None else self.path.open("rb")  # type: ignore[union-attr]
        with stream:
            yield stream

    def head(self) -> bytes:
        """The first few kilobytes."""
        with self.opened() as stream:
            return stream.read(_HEAD)

    def read(self) -> bytes:
        """All of it."""
        if self.content is not None:
            return self.content
        with self.opened() as stream:
            return stream.read()

    def copy_to(self, path: Path) -> Path:
        """A copy at `path`."""
        with self.opened() as stream, path.open("xb") as copy:
            shutil.copyfileobj(stream, copy)
        return path


def open_source(
    path_or_bytes: Path | str | bytes | bytearray | memoryview,
    *,
    filename: str | None,
    limits: Limits,
    forbidden: Path | str | Iterable[Path | str] | None,
) -> Source:
    """
    The file, after a look at its size and place, but before a byte of it was read.

    Raises
    ------
    NotFound
        No file is there.
    LiveFileRefused
        The path is one of `forbidden` (or its `-wal`, `-shm`, `-journal`), also through a link.
    TooLarge
        It has more than `limits.max_bytes`.
    """
    if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
        source = Source(filename or "上传的文件", content=bytes(path_or_bytes))
        _check_size(len(source.content or b""), source.filename, limits)
        return source
    path = Path(path_or_bytes)
    refuse_live(path, forbidden)
    name = filename or path.name
    if not path.is_file():
        raise NotFound(f"no file at {path}", zh=f"找不到文件“{name}”。请检查路径。")
    _check_size(path.stat().st_size, name, limits)
    return Source(name, path=path)


def refuse_live(path: Path, forbidden: Path | str | Iterable[Path | str] | None) -> None:
    """
    Raise LiveFileRefused when `path` is a forbidden file, told by `stat` alone.

    Opening and closing the live file from here, even only to look at it, would drop SQLite's locks.
    """
    if forbidden is None:
        return
    live_files = [forbidden] if isinstance(forbidden, (str, Path)) else list(forbidden)
    for live in live_files:
        for ending in ("", "-wal", "-shm", "-journal"):
            other = Path(f"{live}{ending}")
            if path.resolve() == other.resolve() or _is_same_file(path, other):
                raise LiveFileRefused(
                    f"{path.name} is the live database; export or back up instead",
                    zh="这是系统正在使用的数据库文件,不能直接导入或覆盖。请使用“导出”或“备份”得到的文件。",
                )


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _check_size(size: int, name: str, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise TooLarge(
            f"{name} has {size:,} bytes, more than {limits.max_bytes:,}",
            zh=f"文件过大({size / MEGABYTE:,.0f} MB,上限 {limits.max_bytes / MEGABYTE:,.0f} MB)。请分成几个文件导入。",
            size=size,
            limit=limits.max_bytes,
        )


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder that only this account can enter, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gridmap-") as name:
        yield Path(name)


# --- archives ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive: its name as a person wrote it, and the archive's own record of it."""

    name: str
    info: zipfile.ZipInfo

    @property
    def stem(self) -> str:
        """The name without folders and ending."""
        return PurePosixPath(self.name).stem

    @property
    def ending(self) -> str:
        """The ending, lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()


@contextmanager
def opened_archive(source: Source, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, list[Entry]]]:
    """
    The archive and its files, after every entry was found harmless by its record.

    Raises
    ------
    FileBroken
        Damaged, encrypted, or with a path that leads out of the archive.
    TooLarge
        Too many entries, too much when unpacked, or packed suspiciously tight.
    """
    with source.opened() as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise _broken_archive(source.filename) from error
        with archive:
            yield archive, _harmless(archive, limits)


def archive_names(source: Source, limits: Limits) -> tuple[str, ...] | None:
    """Names in the archive; None when the file is no readable archive at all."""
    with source.opened() as stream:
        if not stream.read(4).startswith(b"PK\x03\x04") or not zipfile.is_zipfile(stream):
            return None
    with opened_archive(source, limits) as (_, entries):
        return tuple(entry.name for entry in entries)


def unpack(archive: zipfile.ZipFile, entry: Entry) -> bytes:
    """The content of one entry; its size was checked with all the others'."""
    try:
        return archive.read(entry.info)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError) as error:
        raise _broken_archive(entry.name) from error
    except Exception as error:  # zlib.error, lzma.LZMAError: whatever the packer's library raises
        if type(error).__module__ in ("zlib", "_lzma", "lzma", "bz2", "_bz2"):
            raise _broken_archive(entry.name) from error
        raise


def _broken_archive(name: str) -> FileBroken:
    return FileBroken(f"{name} is a damaged archive", zh="压缩包已损坏或不完整。请重新下载或重新打包后重试。")


def _harmless(archive: zipfile.ZipFile, limits: Limits) -> list[Entry]:
    infos = archive.infolist()
    packed = sum(info.compress_size for info in infos)
    unpacked = sum(info.file_size for info in infos)
    if len(infos) > limits.max_entries:
        raise TooLarge(
            f"the archive has {len(infos)} entries, more than {limits.max_entries}",
            zh=f"压缩包里文件过多({len(infos)} 个,上限 {limits.max_entries} 个)。",
        )
    is_bomb = unpacked > MEGABYTE and unpacked > packed * limits.max_ratio
    if unpacked > limits.max_unpacked_bytes or is_bomb:
        raise TooLarge(
            f"the archive unpacks to {unpacked:,} bytes",
            zh=f"压缩包解压后过大({unpacked / MEGABYTE:,.0f} MB)。请分成几个文件导入。",
        )
    return [_checked(info) for info in infos if not _is_clutter(info)]


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(info.filename).parts
    return info.is_dir() or "__MACOSX" in parts or PurePosixPath(info.filename).name.startswith("._")


def _checked(info: zipfile.ZipInfo) -> Entry:
    name = _readable_name(info)
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or (parts and PurePath(parts[0]).drive) or ":" in name:
        raise FileBroken(
            "the archive has a path that leads out of it",
            zh="压缩包里有指向包外的路径,已拒绝。请重新打包后重试。",
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise FileBroken("the archive holds a link", zh="压缩包里有符号链接,已拒绝。请重新打包后重试。")
    if info.flag_bits & 0x1:
        raise FileBroken("the archive is encrypted", zh="压缩包有密码。请去掉密码后重试。")
    return Entry(name, info)


def _readable_name(info: zipfile.ZipInfo) -> str:
    """The entry's name; archives made on Chinese Windows hold it in GBK without saying so."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return info.filename
