"""The figures an administrator sees agree with what happened, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import shapely
from sqlalchemy import insert

from gridmap import __version__
from gridmap.domain.elements import Source
from gridmap.errors import PermissionDenied
from gridmap.services import accounts, elements, status
from gridmap.services.district import District
from gridmap.storage.tables import district_state, job
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, make_district, seed


@pytest.fixture
def district(database_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = make_district(database_url, tmp_path, clock)
    seed(made)
    yield made
    made.close()


def put_job(district: District, name: str, kind: str, state: str, clock: FakeClock) -> None:
    with district.database.write() as connection:
        connection.execute(
            insert(job).values(
                id=name, kind=kind, title=name, username="admin", state=state, progress=1.0, message="",
                parameters={}, log="", created_at=clock(), ended_at=clock(),
            )
        )  # fmt: skip


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


def test_only_a_backup_that_succeeded_is_the_last_one(district: District, clock: FakeClock) -> None:
    assert status.status(district, ADMIN).last_backup_at is None
    put_job(district, "first", "backup", "done", clock)
    then = clock()
    clock.advance(hours=1)
    put_job(district, "second", "backup", "failed", clock)
    put_job(district, "other", "export", "done", clock)
    found = status.status(district, ADMIN)
    assert found.last_backup_at == then
    assert {one.title for one in found.jobs} == {"first", "second", "other"}


def test_sessions_now_are_those_that_live(district: District, clock: FakeClock) -> None:
    passwords = accounts.create_demo_accounts(district)
    accounts.sign_in(district, "viewer", passwords["viewer"], address="10.1.1.7")
    assert [one.username for one in status.status(district, ADMIN).sessions] == ["viewer"]
    assert status.status(district, ADMIN).has_demo_accounts
    clock.advance(minutes=30)
    assert status.status(district, ADMIN).sessions == ()
    assert status.status(district, ADMIN).at - clock() == timedelta(0)
