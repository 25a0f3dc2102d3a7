"""The live database is never opened, and no archive gets further than it should."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from gridmap.errors import NotFound, PermissionDenied, TooLarge
from gridmap.exchange.errors import FileBroken, LiveFileRefused
from gridmap.exchange.source import (
    Source,
    archive_names,
    open_source,
    opened_archive,
    private_folder,
    refuse_live,
    unpack,
)
from gridmap.exchange.table import Limits
from tests.exchange.samples import zipped

LIMITS = Limits()


def entries_of(data: bytes, limits: Limits = LIMITS) -> list[str]:
    with opened_archive(Source("a.zip", content=data), limits) as (_, entries):
        return [entry.name for entry in entries]


# --- the live file ----------------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path) -> Path:
    path = tmp_path / "district.gpkg"
    path.write_bytes(b"live")
    (tmp_path / "district.gpkg-wal").write_bytes(b"live")
    return path


def test_the_live_file_is_refused_under_every_name(live: Path, tmp_path: Path) -> None:
    (tmp_path / "soft.gpkg").symlink_to(live)
    os.link(live, tmp_path / "hard.gpkg")
    (tmp_path / "folder").mkdir()
    for path in (
        live,
        tmp_path / "soft.gpkg",
        tmp_path / "hard.gpkg",
        tmp_path / "district.gpkg-wal",
        tmp_path / "folder" / ".." / "district.gpkg",
    ):
        with pytest.raises(LiveFileRefused) as caught:
            open_source(path, filename=None, limits=LIMITS, forbidden=live)
        assert isinstance(caught.value, PermissionDenied)
        assert caught.value.status == 403
        assert "正在使用" in caught.value.chinese()


def test_the_live_file_is_told_without_being_opened(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*args: object, **options: object) -> None:
        raise AssertionError("the live file was opened")

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr("builtins.open", opened)
    with pytest.raises(LiveFileRefused):
        refuse_live(live, [str(live)])


def test_other_files_are_let_through(live: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy.gpkg"
    other.write_bytes(b"live")
    source = open_source(other, filename=None, limits=LIMITS, forbidden=[live, tmp_path / "not there"])
    assert source.filename == "copy.gpkg"
    assert source.read() == b"live"


def test_a_missing_file_and_a_folder_are_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(NotFound):
            open_source(path, filename=None, limits=LIMITS, forbidden=None)


def test_size_is_checked_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_bytes(b"x" * 11)
    small = Limits(max_bytes=10)
    for given in (path, b"x" * 11):
        with pytest.raises(TooLarge) as caught:
            open_source(given, filename=None, limits=small, forbidden=None)
        assert caught.value.limit == 10
        assert caught.value.status == 413
    path.write_bytes(b"x" * 10)
    assert open_source(path, filename=None, limits=small, forbidden=None).read() == b"x" * 10


def test_a_private_folder_is_closed_to_others_and_gone_afterwards() -> None:
    with private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        copy = Source("a", content=b"abc").copy_to(folder / "a")
        assert copy.read_bytes() == b"abc"
    assert not folder.exists()


# --- archives ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../evil.shp", "a/../../evil.shp", "/etc/evil.shp", "..\\evil.shp", "C:\\evil.shp"]
)
def test_paths_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(FileBroken, match="leads out"):
        entries_of(zipped({name: b""}))


def test_links_are_refused() -> None:
    info = zipfile.ZipInfo("evil.shp")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(FileBroken, match="link"):
        entries_of(buffer.getvalue())


def test_encrypted_entries_are_refused() -> None:
    data = bytearray(zipped({"a.shp": b"x"}))
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.find(mark) + place] |= 1
    with pytest.raises(FileBroken, match="encrypted") as caught:
        entries_of(bytes(data))
    assert "密码" in caught.value.chinese()


def test_a_bomb_is_refused_by_its_ratio_and_its_size() -> None:
    bomb = zipped({"a.shp": b"\x00" * 5_000_000})
    with pytest.raises(TooLarge, match="unpacks"):
        entries_of(bomb)
    with pytest.raises(TooLarge, match="unpacks"):
        entries_of(zipped({"a.shp": os.urandom(5000)}), Limits(max_unpacked_bytes=4999))
    assert entries_of(zipped({"a.shp": os.urandom(5000)}), Limits(max_unpacked_bytes=5000)) == ["a.shp"]


def test_an_entry_that_lies_about_its_size_gives_no_more_than_it_said() -> None:
    data = bytearray(zipped({"a.shp": b"\x00" * 100_000}))
    place = data.find(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 10)
    with (
        opened_archive(Source("a.zip", content=bytes(data)), LIMITS) as (archive, entries),
        pytest.raises(FileBroken),
    ):
        unpack(archive, entries[0])


def test_too_many_entries_are_refused() -> None:
    data = zipped({f"{number}.txt": b"" for number in range(6)})
    with pytest.raises(TooLarge, match="entries"):
        entries_of(data, Limits(max_entries=5))
    assert len(entries_of(data, Limits(max_entries=6))) == 6


def test_damage_is_a_clear_error() -> None:
    whole = zipped({"a.shp": b"content " * 100})
    for data in (whole[:-30], whole[: len(whole) // 2], b"PK\x03\x04"):
        with pytest.raises(FileBroken, match="damaged"):
            entries_of(data)
        assert archive_names(Source("a.zip", content=data), LIMITS) is None
    flipped = bytearray(whole)
    flipped[45] ^= 0xFF
    source = Source("a.zip", content=bytes(flipped))
    with opened_archive(source, LIMITS) as (archive, entries), pytest.raises(FileBroken, match="damaged"):
        unpack(archive, entries[0])


def test_clutter_is_overlooked_and_chinese_names_of_windows_are_read() -> None:
    data = zipped({"警务站.shp": b"", "__MACOSX/._警务站.shp": b"", "._x": b"", "空/": b""})
    assert entries_of(data) == ["警务站.shp"]
    # A zip made on Chinese Windows: GBK bytes and no UTF-8 flag.
    name = "警务站.shp".encode("gbk")
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x" * len(name), b"")
    assert entries_of(buffer.getvalue().replace(b"x" * len(name), name)) == ["警务站.shp"]
