"""Fixtures for every test: public sample data, a database of each kind, a clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import FakeClock
from tests.support.district import make_district, seed, seeded_elements, seeded_file
from tests.support.postgis import PREPARED, SEEDED, Cluster, PostgisMissing, running_cluster
from tests.support.requirements import absent

ROOT = Path(__file__).resolve().parents[1]
# Long files first, so that no worker is left with one at the end; the rest as it comes. A worker keeps one
# server and one browser for the whole folder, if it does the folder in one go.
LONG = ("browser", "services", "ui", "api")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        folders = item.path.parents
        return next((at for at, name in enumerate(LONG) if ROOT / "tests" / name in folders), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public sample data that is not part of the project; skips where there is none."""
    folder = Path(os.environ.get("GRIDMAP_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(
            "no sample data: set GRIDMAP_SHARED_DATA to the folder that holds boundaries/, points/, roads/"
        )
    return folder


@pytest.fixture(scope="session")
def postgis_cluster() -> Iterator[Cluster]:
    """A throwaway PostGIS server of this test process (about a second to start, only when asked for)."""
    try:
        with running_cluster() as cluster:
            yield cluster
    except PostgisMissing as missing:
        absent(str(missing), variable="GRIDMAP_REQUIRE_POSTGIS")


@pytest.fixture
def gpkg_url(tmp_path: Path) -> str:
    """The URL of a GeoPackage file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'district.gpkg'}"


@pytest.fixture
def postgis_url(postgis_cluster: Cluster) -> Iterator[str]:
    """The URL of an empty database with PostGIS."""
    with postgis_cluster.database() as url:
        yield url


@pytest.fixture(scope="session")
def prepared_cluster(postgis_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The server, with a template whose tables are made: copying them takes a fifth of making them."""

    def prepare(url: str) -> None:
        make_district(url, tmp_path_factory.mktemp("prepared"), FakeClock()).close()

    postgis_cluster.create_filled_template(PREPARED, prepare)
    return postgis_cluster


@pytest.fixture
def prepared_postgis_url(prepared_cluster: Cluster) -> Iterator[str]:
    """The URL of a PostGIS database that has all tables and nothing in them."""
    with prepared_cluster.database(PREPARED) as url:
        yield url


@pytest.fixture(params=["gpkg", "postgis"])
def database_url(request: pytest.FixtureRequest) -> str:
    """
    A fresh store without elements; a test that asks for it runs once on each kind.

    `make_district` makes the file's tables; the server's are there.
    """
    return request.getfixturevalue("gpkg_url" if request.param == "gpkg" else "prepared_postgis_url")


@pytest.fixture(scope="session")
def seeded_cluster(prepared_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The server, with a template that holds the small district too."""

    def fill(url: str) -> None:
        district = make_district(url, tmp_path_factory.mktemp("seeded"), FakeClock())
        seed(district, seeded_elements())
        district.close()

    prepared_cluster.create_filled_template(SEEDED, fill, template=PREPARED)
    return prepared_cluster


@pytest.fixture
def seeded_postgis_url(seeded_cluster: Cluster) -> Iterator[str]:
    """The URL of a PostGIS database that holds the small district."""
    with seeded_cluster.database(SEEDED) as url:
        yield url


@pytest.fixture
def seeded_gpkg_url(tmp_path: Path) -> str:
    """The URL of a GeoPackage that holds the small district."""
    file = tmp_path / "district.gpkg"
    file.write_bytes(seeded_file())
    return f"sqlite:///{file}"


@pytest.fixture(params=["gpkg", "postgis"])
def seeded_url(request: pytest.FixtureRequest) -> str:
    """A store of one's own with the small district, for `open_store`; once on each kind."""
    return request.getfixturevalue(f"seeded_{request.param}_url")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at 2026-03-02 08:00 UTC until it is moved."""
    return FakeClock()
