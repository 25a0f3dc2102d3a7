"""The district on the canal, made once for all tests that only ask."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridmap.services.district import District, assemble
from gridmap.settings import load_settings
from tests.support.canal import make_canal
from tests.support.clock import FakeClock


@pytest.fixture(scope="session")
def canal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    """The district on the canal, embedded; tests that use it must not change elements."""
    home = tmp_path_factory.mktemp("canal")
    made = make_canal(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgis_canal(postgis_cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    """The same on PostGIS."""
    with postgis_cluster.database() as url:
        made = make_canal(url, tmp_path_factory.mktemp("canal"), FakeClock())
        yield made
        made.close()


@pytest.fixture(scope="session", params=["canal", "postgis_canal"])
def either_canal(request: pytest.FixtureRequest) -> District:
    """The district on each kind of database."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def canal_copy(canal: District, tmp_path: Path) -> Iterator[District]:
    """A district of one's own to write in."""
    source = canal.settings.database_file
    assert source is not None
    canal.close()  # what is still in the write-ahead log goes into the file; the next use opens it again
    shutil.copyfile(source, tmp_path / "district.gpkg")
    settings = load_settings(
        {"GRIDMAP_HOME": str(tmp_path), "GRIDMAP_DATABASE_URL": f"sqlite:///{tmp_path / 'district.gpkg'}"},
        secret=b"a secret of the tests",
    )
    made = assemble(settings, clock=FakeClock())
    yield made
    made.close()
