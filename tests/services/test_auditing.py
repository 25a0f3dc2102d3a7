"""The ledger: what was changed behind the history shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shapely
from sqlalchemy import text

from gridmap.services import auditing, elements
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, make_district, seed


@pytest.fixture
def district(database_url: str, tmp_path, clock: FakeClock) -> Iterator[District]:
    made = make_district(database_url, tmp_path, clock)
    seed(made)
    station = shapely.Point(121.4321, 30.9321)
    values = {
        "code": "JWZ77", "name": "“引号”站", "opening_hours": "24h", "officer_count": 4, "readiness_minutes": 1.0,
        "address": "一号\\二号\n三层",
    }  # fmt: skip
    elements.create(made, ADMIN, "workstation", values, station)
    yield made
    made.close()


def change(district: District, statement: str) -> None:
    with district.database.write() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def test_an_untouched_store_is_whole(district: District) -> None:
    report = auditing.verify(district)
    assert (report.is_valid, report.problem) == (True, "")
    assert report.revisions > 10


@pytest.mark.parametrize(
    "behind_the_back",
    [
        "UPDATE element SET name = '改名' WHERE code = 'JWZ77'",
        "UPDATE element SET is_retired = true WHERE code = 'JWZ77'",
        "UPDATE element SET revision = 9 WHERE code = 'JWZ77'",
        "DELETE FROM element WHERE code = 'JWZ77'",
    ],
    ids=["changed", "retired", "renumbered", "deleted"],
)
def test_a_state_that_no_revision_says_shows(district: District, behind_the_back: str) -> None:
    change(district, behind_the_back)
    report = auditing.verify(district)
    assert not report.is_valid
    assert report.problem.startswith("1 element(s)")


def test_a_change_through_the_service_leaves_all_whole(district: District) -> None:
    [station] = elements.search(district, ADMIN, "JWZ77")
    elements.delete(district, ADMIN, "workstation", station.id, base_revision=1)
    assert auditing.verify(district).is_valid
