"""Scenarios and runs in the store, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gridmap.domain.scenarios import Add, Close
from gridmap.storage import scenarios as stored
from gridmap.storage.scenarios import Run, Scenario
from tests.support.clock import FakeClock
from tests.support.district import make_district

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_scenarios_and_runs_come_back_as_they_were(database_url: str, tmp_path: Path) -> None:
    district = make_district(database_url, tmp_path, FakeClock())
    one = Scenario(
        "s-1", "方案", "说明", (Add(121.5, 30.9, "新"), Close("a")), {"mode": "foot"}, "analyst", AT, AT, 1, 7
    )
    run = Run("r-1", "site", "选址", {"count": 2}, 7, {"objective": 5.5, "sites": [1]}, "analyst", AT)

    with district.database.write() as connection:
        stored.add(connection, one)
        stored.add_run(connection, run)
        newer = replace(one, name="改名", revision=2)
        assert stored.replace(connection, newer, base_revision=1)
        assert not stored.replace(connection, newer, base_revision=1)
    with district.database.read() as connection:
        assert stored.get(connection, "s-1") == newer
        assert stored.find(connection) == [newer]
        assert stored.get_run(connection, "r-1") == run
        assert stored.find_runs(connection, created_by="analyst") == [run]
        assert stored.find_runs(connection, created_by="nobody") == []
    with district.database.write() as connection:
        assert stored.remove(connection, "s-1")
        assert not stored.remove(connection, "s-1")
        assert stored.get(connection, "s-1") is None
    district.close()
