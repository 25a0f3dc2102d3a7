"""The figures an administrator sees agree with what happened, on both databases."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import shapely
from sqlalchemy import insert

from gridmap import __version__
from gridmap.domain.elements import Source
from gridmap.errors import PermissionDenied
from gridmap.services import accounts, backup, elements, status
from gridmap.services.district import District
from gridmap.storage.tables import district_state, job
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, open_store


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    yield made
    made.close()


def test_nobody_but_an_administrator_sees_them(district: District) -> None:
    with pytest.raises(PermissionDenied):
        status.status(district, KEEPER)


def test_counts_move_with_elements_and_their_deletion(district: District) -> None:
    before = status.status(district, ADMIN)
    made = elements.create(
        district, KEEPER, "workstation", {"code": "JWZ11", "name": "新", "opening_hours": "24h", "officer_count": 1},
        shapely.Point(121.43, 30.98), source=Source.SIMULATED,
    ).element  # fmt: skip
    between = status.status(district, ADMIN)
    elements.delete(district, KEEPER, "workstation", made.id, base_revision=made.revision)
    after = status.status(district, ADMIN)

    assert [one.elements - before.elements for one in (between, after)] == [1, 0]
    assert [one.simulated for one in (before, between, after)] == [0, 1, 0]
    assert [one.revisions - before.revisions for one in (between, after)] == [1, 2]
    assert [one.sequence - before.sequence for one in (between, after)] == [1, 2]
    assert len({one.chain_head for one in (before, between, after)}) == 3
    with district.database.read() as connection:
        assert after.chain_head == connection.execute(district_state.select()).one().chain_head


def test_the_deployment_is_told_by_version_database_and_size(district: District) -> None:
    found = status.status(district, ADMIN)
    assert found.version == __version__
    assert found.database == ("GeoPackage(内嵌)" if district.settings.is_embedded else "PostgreSQL + PostGIS")
    assert found.database_bytes > 100_000
    assert 0 < found.disk_free <= found.disk_total


def test_the_last_backup_is_told_until_the_next(district: District, tmp_path: Path, clock: FakeClock) -> None:
    assert status.status(district, ADMIN).last_backup_at is None
    if not district.settings.is_embedded and shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not on the path of this machine")
    for _ in range(2):
        clock.advance(hours=1)
        made = backup.backup(district, tmp_path / "backups")
        found = status.status(district, ADMIN)
        assert (found.last_backup_at, found.chain_head) == (clock(), made.chain_head)


def test_jobs_of_everybody_are_listed(district: District, clock: FakeClock) -> None:
    with district.database.write() as connection:
        connection.execute(
            insert(job).values(
                id="j1", kind="export", title="导出警务站", username="keeper", state="done", progress=1.0, message="",
                parameters={}, log="", created_at=clock(), ended_at=clock(),
            )
        )  # fmt: skip
    assert [one.title for one in status.status(district, ADMIN).jobs] == ["导出警务站"]


def test_sessions_now_are_those_that_live(district: District, clock: FakeClock) -> None:
    passwords = accounts.create_demo_accounts(district)
    accounts.sign_in(district, "viewer", passwords["viewer"], address="10.1.1.7")
    assert [one.username for one in status.status(district, ADMIN).sessions] == ["viewer"]
    assert status.status(district, ADMIN).has_demo_accounts
    clock.advance(minutes=30)
    assert status.status(district, ADMIN).sessions == ()
    assert status.status(district, ADMIN).at - clock() == timedelta(0)
