"""Backup and restore, on both databases."""

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gridmap.errors import NotFound, StateConflict
from gridmap.services import backup, elements, jobs
from gridmap.services.backup import BackupBroken
from gridmap.services.district import District, assemble
from gridmap.services.packs import archive, making, shelf
from gridmap.services.packs.requests import parse_request
from gridmap.storage import status as figures
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, make_district, seed


@pytest.fixture
def district(database_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = make_district(database_url, tmp_path / "home", clock)
    seed(made)
    yield made
    made.close()


@pytest.fixture
def embedded(gpkg_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = make_district(gpkg_url, tmp_path / "home", clock)
    seed(made)
    yield made
    made.close()


def rename_first_station(district: District) -> None:
    [one] = elements.find(district, ADMIN, Query("workstation", equals={"code": "JWZ01"})).elements
    elements.change(
        district, ADMIN, "workstation", one.id, base_revision=one.revision, changes={"name": "备份之后"}
    )  # fmt: skip


def names(district: District) -> list[str]:
    return [one.name for one in elements.find(district, ADMIN, Query("workstation")).elements]


def test_a_restored_backup_is_the_store_as_it_was(district: District, tmp_path: Path) -> None:
    report = backup.backup(district, tmp_path / "backups")
    before = names(district)
    rename_first_station(district)
    district.close()

    restored = backup.restore(district.settings, report.file, force=True)
    again = assemble(district.settings)
    assert names(again) == before
    assert (restored.sequence, restored.chain_head) == (report.sequence, report.chain_head)
    assert again.database.sequence() == report.sequence
    again.close()


def test_a_backup_is_private_and_no_half_one_is_left(district: District, tmp_path: Path) -> None:
    report = backup.backup(district, tmp_path / "backups")
    assert report.file.stat().st_mode & 0o077 == 0
    assert [one.name for one in (tmp_path / "backups").iterdir()] == [report.file.name]


def test_two_backups_of_one_second_are_two_files(district: District, tmp_path: Path) -> None:
    files = {backup.backup(district, tmp_path / "backups").file for _ in range(2)}
    assert len(files) == 2


def test_the_administrator_sees_when_the_last_backup_was(district: District, tmp_path: Path) -> None:
    report = backup.backup(district, tmp_path / "backups")
    with district.database.read() as connection:
        assert figures.figures(connection).last_backup_at == report.at


def test_a_store_is_not_replaced_without_being_told_so(district: District, tmp_path: Path) -> None:
    report = backup.backup(district, tmp_path / "backups")
    with pytest.raises(StateConflict):
        backup.restore(district.settings, report.file)


def test_the_replaced_store_is_kept(embedded: District, tmp_path: Path) -> None:
    report = backup.backup(embedded, tmp_path / "backups")
    rename_first_station(embedded)
    embedded.close()
    backup.restore(embedded.settings, report.file, force=True)

    live = embedded.settings.database_file
    kept = tmp_path / "kept.gpkg"
    shutil.copyfile(live.with_name(live.name + ".replaced"), kept)
    old = assemble(replace(embedded.settings, database_url=f"sqlite:///{kept}"))
    assert "备份之后" in names(old)
    old.close()


def test_a_store_in_use_is_not_replaced(embedded: District, tmp_path: Path) -> None:
    report = backup.backup(embedded, tmp_path / "backups")
    rename_first_station(embedded)
    with pytest.raises(StateConflict, match="in use"):
        backup.restore(embedded.settings, report.file, force=True)
    assert "备份之后" in names(embedded)
    embedded.close()
    backup.restore(embedded.settings, report.file, force=True)
    again = assemble(embedded.settings)
    assert "备份之后" not in names(again)
    again.close()


@pytest.mark.parametrize("damage", ["not a database", "cut short", "changed history"])
def test_a_broken_backup_is_refused_and_the_store_stays(
    embedded: District, tmp_path: Path, damage: str
) -> None:
    report = backup.backup(embedded, tmp_path / "backups")
    before = names(embedded)
    if damage == "not a database":
        report.file.write_bytes("这不是数据库".encode() * 1000)
    elif damage == "cut short":
        report.file.write_bytes(report.file.read_bytes()[: report.bytes // 2])
    else:
        content = report.file.read_bytes()
        report.file.write_bytes(content.replace("西镇第一警务站".encode(), "西镇第七警务站".encode()))
    with pytest.raises(BackupBroken):
        backup.restore(embedded.settings, report.file, force=True)
    assert names(embedded) == before


def test_a_backup_made_with_another_secret_is_refused(embedded: District, tmp_path: Path) -> None:
    report = backup.backup(embedded, tmp_path / "backups")
    with pytest.raises(BackupBroken):
        backup.restore(replace(embedded.settings, secret=b"another"), report.file, force=True)


def test_a_missing_file_is_not_found(embedded: District, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        backup.restore(embedded.settings, tmp_path / "nothing.gpkg", force=True)


def test_a_job_backs_up_for_administrators_alone(embedded: District) -> None:
    job = jobs.start(embedded, ADMIN, "backup", "备份", {})
    result = jobs.wait(embedded, ADMIN, job.id).result
    assert (embedded.settings.home / "backups" / result["file"]).stat().st_size == result["bytes"]

    refused = jobs.start(embedded, VIEWER, "backup", "备份", {})
    with pytest.raises(jobs.JobFailed):
        jobs.wait(embedded, VIEWER, refused.id)


def packed(district: District) -> tuple[str, Path]:
    """The id of a finished pack and the folder of its file."""
    folder = district.settings.home / "work"
    request = parse_request({"formats": ["xlsx"]})
    made = making.make(district, ADMIN, request, folder)
    making.store(district, ADMIN, made, folder)
    return made.id, making.folder_of(district.settings, made.id)


def test_finished_packs_come_back_with_the_store(district: District, tmp_path: Path) -> None:
    pack, folder = packed(district)
    content = (folder / "pack.xlsx").read_bytes()
    report = backup.backup(district, tmp_path / "backups")
    assert report.packs == 1
    assert archive.beside(report.file).stat().st_mode & 0o077 == 0
    shelf.delete(district, ADMIN, pack)
    district.close()

    assert backup.restore(district.settings, report.file, force=True).packs == 1
    again = assemble(district.settings)
    assert shelf.fetch(again, ADMIN, pack, "xlsx").path.read_bytes() == content
    assert (folder / "pack.xlsx").stat().st_mode & 0o077 == 0
    again.close()


def test_a_pack_without_its_files_is_made_again_from_the_data_of_then(
    embedded: District, tmp_path: Path, clock: FakeClock
) -> None:
    pack, folder = packed(embedded)
    report = backup.backup(embedded, tmp_path / "backups")
    archive.beside(report.file).unlink()
    shutil.rmtree(folder)
    embedded.close()

    assert backup.restore(embedded.settings, report.file, force=True).packs == 0
    again = assemble(embedded.settings, clock=clock)
    clock.set(clock() + timedelta(hours=1))
    rename_first_station(again)
    assert shelf.get(again, ADMIN, pack).files == ()
    started = shelf.again(again, ADMIN, pack)
    result = jobs.wait(again, ADMIN, started.job.id).result
    assert result["sequence"] == shelf.get(again, ADMIN, pack).sequence < again.database.sequence()
    assert shelf.get(again, ADMIN, result["pack"]).files
    again.close()


@pytest.mark.parametrize("damage", ["cut short", "climbs"])
def test_broken_packs_are_refused_before_the_store_is_touched(
    embedded: District, tmp_path: Path, damage: str
) -> None:
    packed(embedded)
    report = backup.backup(embedded, tmp_path / "backups")
    file = archive.beside(report.file)
    if damage == "cut short":
        file.write_bytes(file.read_bytes()[:2000])
    else:
        with tarfile.open(file, "w") as changed:
            changed.add(report.file, "../outside")
    rename_first_station(embedded)
    with pytest.raises(BackupBroken, match="archive of packs"):
        backup.restore(embedded.settings, report.file, force=True)
    assert "备份之后" in names(embedded)
    assert not (embedded.settings.home / "outside").exists()
