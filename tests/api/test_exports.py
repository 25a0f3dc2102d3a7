"""A layer as a file over HTTP: by the rights and marks of every export, and nothing left behind."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import geopandas
import pytest

from gridmap.api import exports
from gridmap.storage import access_log
from tests.api.conftest import World, item_path
from tests.support.district import ADMIN, KEEPER, VIEWER


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files of this test go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_an_export_is_a_named_file_and_logged(world: World, scratch: Path) -> None:
    answer = world.client(KEEPER).get("/api/export/workstation?format=geojson")
    frame = geopandas.read_file(BytesIO(answer.content))

    assert answer.headers["content-type"] == "application/geo+json"
    assert "警务站" in unquote(answer.headers["content-disposition"])
    assert sorted(frame["code"]) == [f"JWZ{n:02}" for n in range(1, 7)]
    with world.district.database.read() as connection:
        [line] = access_log.newest(connection, kinds=("export",))
    assert (line.username, line.target, line.address) == ("keeper", "workstation", "testclient")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("format=gpkg", b"SQLite format 3"),
        ("format=csv&headings=titles", b"\xef\xbb\xbf"),
        ("format=xlsx", b"PK"),
        ("format=shapefile", b"PK"),
        ("format=kml", b"<?xml"),
    ],
)
def test_formats_come_as_what_they_are(world: World, scratch: Path, query: str, start: bytes) -> None:
    answer = world.client(KEEPER).get(f"/api/export/workstation?{query}")

    assert answer.status_code == 200
    assert answer.content.startswith(start)
    assert list(scratch.iterdir()) == []


def test_an_export_of_a_time_a_grid_or_another_datum(world: World, scratch: Path) -> None:
    client = world.client(ADMIN)
    world.clock.advance(hours=1)
    client.delete(item_path(world.elements["JWZ01"]), headers={"If-Match": "*"})

    def codes(query: str) -> list[str]:
        frame = geopandas.read_file(
            BytesIO(client.get(f"/api/export/workstation?format=geojson&{query}").content)
        )
        return sorted(frame["code"])

    assert "JWZ01" not in codes("")
    assert "JWZ01" in codes("as_of=2026-03-02T08:30:00Z")
    assert codes("grid=police_grid:310199102001001") == ["JWZ03", "JWZ05"]
    shifted = client.get(
        "/api/export/workstation?format=geojson&datum=gcj02&grid=police_grid:310199102001001"
    )
    assert "gcj02" in unquote(shifted.headers["content-disposition"])
    assert geopandas.read_file(BytesIO(shifted.content)).geometry.x.min() > 121.5205


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("workstation?format=dwg", 415), ("workstation?datum=mars", 422), ("workstation?as_of=yesterday", 400),
        ("workstation?headings=both", 400), ("workstation?grid=none:1", 404), ("none", 404), ("workstation?x=1", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(world: World, scratch: Path, path: str, status: int) -> None:
    answer = world.client(ADMIN).get(f"/api/export/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert list(scratch.iterdir()) == []


def test_an_export_keeps_to_the_accounts_rights(world: World, scratch: Path) -> None:
    viewer = world.client(VIEWER)

    assert viewer.get("/api/export/risk").status_code == 403
    assert viewer.get("/api/export/workstation?as_of=2026-03-02T08:30:00Z").status_code == 403
    assert set(
        geopandas.read_file(BytesIO(viewer.get("/api/export/workstation").content))["officer_count"]
    ) == {"*"}


def test_exports_wait_for_one_another(world: World, scratch: Path) -> None:
    client = world.client(KEEPER)
    for _ in range(exports.MOST_AT_ONCE):
        exports._turns.acquire()
    try:
        busy = client.get("/api/export/workstation")
    finally:
        for _ in range(exports.MOST_AT_ONCE):
            exports._turns.release()

    assert (busy.status_code, busy.headers["retry-after"]) == (429, "10")
    assert client.get("/api/export/workstation").status_code == 200
