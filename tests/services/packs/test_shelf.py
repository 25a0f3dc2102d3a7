"""Packs are made in the background, kept, fetched and made again; masking scopes never mix."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import shapely
from pypdf import PdfReader

from gridmap.errors import InvalidInput, NotFound, PermissionDenied
from gridmap.services import jobs
from gridmap.services.district import District, assemble
from gridmap.services.packs import making, shelf
from gridmap.services.packs.requests import parse_request
from gridmap.services.packs.shelf import Pack
from gridmap.settings import load_settings
from gridmap.storage import access_log
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, VIEWER, element, put
from tests.support.leaders import NOW, PRESENTER, populated

ASKED = {"title": "例会", "formats": ["pdf"]}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock()).close()
    return home


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def district(template: Path, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    """A copy of the district of leaders."""
    shutil.copy(template / "district.gpkg", tmp_path / "district.gpkg")
    settings = load_settings(
        {"GRIDMAP_HOME": str(tmp_path), "GRIDMAP_DATABASE_URL": f"sqlite:///{tmp_path / 'district.gpkg'}"},
        secret=b"a secret of the tests",
    )
    made = assemble(settings, clock=clock)
    yield made
    made.close()


def made(district: District, user, monkeypatch: pytest.MonkeyPatch, request: dict = ASKED) -> Pack:
    """A pack made in this process."""
    finished: list[str] = []

    def at_once(inner: District, who, kind: str, title: str, parameters: dict):
        assert kind == shelf.KIND
        folder = inner.settings.home / "work"
        pack = making.make(inner, who, parse_request(dict(parameters)), folder / "pack")
        making.store(inner, who, pack, folder / "pack")
        finished.append(pack.id)

    monkeypatch.setattr(jobs, "start", at_once)
    started = shelf.start(district, user, request)
    if started.pack is not None:
        return started.pack
    return shelf.get(district, user, finished[0])


def numbers(pack: Pack) -> str:
    text = "".join(PdfReader(pack.files[0].path).pages[0].extract_text().split())
    return text[: text.index("数据时间")]


def test_a_job_makes_a_pack(template: Path, tmp_path: Path) -> None:
    shutil.copy(template / "district.gpkg", tmp_path / "district.gpkg")
    settings = load_settings(
        {"GRIDMAP_HOME": str(tmp_path), "GRIDMAP_DATABASE_URL": f"sqlite:///{tmp_path / 'district.gpkg'}"},
        secret=b"a secret of the tests",
    )
    district = assemble(settings)
    try:
        started = shelf.start(district, ADMIN, ASKED)
        assert started.job is not None
        done = jobs.wait(district, ADMIN, started.job.id, seconds=120)
        [pack] = shelf.list_packs(district, ADMIN)
        assert done.result["pack"] == pack.id
        assert (done.progress, pack.pages, pack.created_by) == (1.0, 3, "admin")
        assert pack.sequence == district.database.sequence()
        assert len(PdfReader(pack.files[0].path).pages) == 3
        # nothing is left in the job's folder
        assert not (jobs.folder_of(settings, started.job.id) / "pack").exists()
    finally:
        district.close()


def test_the_same_pack_is_not_made_twice(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(district, ADMIN, monkeypatch)
    assert made(district, ADMIN, monkeypatch).id == first.id
    # somebody else's has another watermark
    assert made(district, KEEPER, monkeypatch).id != first.id


def test_a_change_of_the_district_makes_a_new_pack(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(district, ADMIN, monkeypatch)
    put(
        district,
        element(
            "workstation", "JWZ50", "新站", shapely.Point(121.55, 30.95), opening_hours="24h", officer_count=1
        ),
    )
    second = made(district, ADMIN, monkeypatch)
    assert second.id != first.id
    assert second.sequence == first.sequence + 1
    assert numbers(first) != numbers(second)


def test_a_pack_can_be_made_again_after_changes(
    district: District, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(district, ADMIN, monkeypatch)
    clock.advance(days=3)
    put(
        district,
        element(
            "workstation", "JWZ50", "新站", shapely.Point(121.55, 30.95), opening_hours="24h", officer_count=1
        ),
    )
    finished: list[Pack] = []

    def at_once(inner: District, who, kind: str, title: str, parameters: dict):
        pack = making.make(inner, who, parse_request(dict(parameters)), inner.settings.home / "again")
        making.store(inner, who, pack, inner.settings.home / "again")
        finished.append(shelf.get(inner, who, pack.id))

    monkeypatch.setattr(jobs, "start", at_once)
    shelf.again(district, ADMIN, first.id)
    assert finished[0].id != first.id
    assert numbers(finished[0]) == numbers(first)
    assert (finished[0].sequence, finished[0].data_at) == (first.sequence, first.data_at)


def test_scopes_never_get_one_another_s_packs(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    full, masked = made(district, ADMIN, monkeypatch), made(district, VIEWER, monkeypatch)
    assert full.id != masked.id
    assert [one.id for one in shelf.list_packs(district, ADMIN)] == [full.id]
    assert [one.id for one in shelf.list_packs(district, KEEPER)] == [full.id]
    assert [one.id for one in shelf.list_packs(district, PRESENTER)] == [full.id]
    assert [one.id for one in shelf.list_packs(district, VIEWER)] == [masked.id]
    for user, other in ((VIEWER, full), (ADMIN, masked)):
        with pytest.raises(NotFound):
            shelf.get(district, user, other.id)
        with pytest.raises(NotFound):
            shelf.fetch(district, user, other.id, "pdf")
        with pytest.raises(NotFound):
            shelf.again(district, user, other.id)
        with pytest.raises(NotFound):
            shelf.delete(district, user, other.id)


def test_fetching_is_logged(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = made(district, VIEWER, monkeypatch)
    file = shelf.fetch(district, VIEWER, pack.id, "pdf")
    assert file.path.is_file()
    assert file.media_type == "application/pdf"
    with district.database.read() as connection:
        lines = access_log.newest(connection, kinds=("export",))
    assert [(one.username, one.action) for one in lines[:2]] == [
        ("viewer", "fetch a pack"),
        ("viewer", "make a pack"),
    ]
    with pytest.raises(NotFound):
        shelf.fetch(district, VIEWER, pack.id, "pptx")


def test_only_its_maker_or_an_administrator_drops_a_pack(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = made(district, VIEWER, monkeypatch)
    with pytest.raises(PermissionDenied):
        shelf.delete(district, replace(VIEWER, username="viewer2"), pack.id)
    shelf.delete(district, VIEWER, pack.id)
    assert shelf.list_packs(district, VIEWER) == []
    assert not pack.files[0].path.exists()


def test_a_viewer_takes_no_pack_of_the_past(district: District) -> None:
    with pytest.raises(PermissionDenied):
        shelf.start(district, VIEWER, ASKED | {"at": (NOW - timedelta(days=20)).isoformat()})
    with pytest.raises(InvalidInput):
        shelf.start(district, VIEWER, ASKED | {"formats": ["docx"]})
