"""Each test gets an empty database of its own, a clock that stands, and the truth about what is missing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.support.clock import FakeClock
from tests.support.postgis import Cluster
from tests.support.requirements import absent


def test_every_test_gets_an_empty_database(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        connection.execute(sa.text("CREATE TABLE left_behind (id integer)"))
    engine.dispose()
    assert "left_behind" not in tables


def test_a_server_database_has_postgis(postgis_url: str) -> None:
    engine = sa.create_engine(postgis_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT ST_AsText(ST_Point(121.5, 30.9))")) == "POINT(121.5 30.9)"
    engine.dispose()


def test_a_database_goes_away_even_when_somebody_is_still_connected(postgis_cluster: Cluster) -> None:
    with postgis_cluster.database() as url:
        engine = sa.create_engine(url)
        held = engine.connect()
        held.execute(sa.text("SELECT 1"))
    # The server ended our connection with the database; all that is left is to let go of it.
    held.invalidate()
    held.close()
    engine.dispose()
    with pytest.raises(sa.exc.OperationalError, match="does not exist"):
        sa.create_engine(url).connect()


def test_the_clock_moves_only_when_told(clock: FakeClock) -> None:
    start = clock()
    assert clock() == start
    assert (clock.advance(hours=2) - start).total_seconds() == 7200
    assert clock.set(datetime(2027, 1, 1, tzinfo=UTC)) == clock()


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        FakeClock(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("variables", "outcome"),
    [
        ({}, pytest.skip.Exception),
        ({"CI": "true"}, pytest.fail.Exception),
        ({"NEED_IT": "1"}, pytest.fail.Exception),
    ],
)
def test_what_is_missing_fails_where_the_suite_decides(monkeypatch, variables, outcome) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(outcome, match="no such thing"):
        absent("no such thing", variable="NEED_IT")
