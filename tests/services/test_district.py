"""A store is opened where it is, brought forward where it is old, and never made where it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridmap.errors import Unavailable
from gridmap.services.district import assemble, migrate_store, open_district
from gridmap.settings import Settings, load_settings
from gridmap.storage import migrate


@pytest.fixture(params=["gpkg", "postgis"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that name a store which nobody made yet."""
    url = request.getfixturevalue(f"{request.param}_url")
    return load_settings(
        {"GRIDMAP_HOME": str(tmp_path), "GRIDMAP_DATABASE_URL": url}, secret=b"a secret of the tests"
    )


def test_a_missing_store_is_not_made_by_looking_or_migrating(empty: Settings) -> None:
    with pytest.raises(Unavailable, match="gridmap init"):
        open_district(empty)
    district = assemble(empty)
    with pytest.raises(Unavailable, match="gridmap init"):
        migrate_store(district)
    assert empty.database_file is None or not empty.database_file.exists()
    assert empty.database_file is not None or migrate.current(district.database) is None
    district.close()


def test_an_old_store_is_brought_forward_and_both_forms_are_told(seeded_url: str, tmp_path: Path) -> None:
    settings = load_settings(
        {"GRIDMAP_HOME": str(tmp_path), "GRIDMAP_DATABASE_URL": seeded_url}, secret=b"a secret of the tests"
    )
    district = assemble(settings)
    migrate.downgrade(district.database, "0006")

    with pytest.raises(Unavailable, match="gridmap migrate"):
        open_district(settings)
    assert migrate_store(district) == ("0006", migrate.newest())
    assert migrate_store(district) == (migrate.newest(), migrate.newest())
    open_district(settings).close()
    district.close()
