"""What is worked out before anybody asks: done once, behind everything else, and never fatal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridmap.errors import Unavailable
from gridmap.services import overview, standing, warming
from gridmap.services.district import District
from gridmap.services.warming import Warming
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, make_district
from tests.support.leaders import populated


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home: Path = tmp_path_factory.mktemp("warming")
    made = populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


def test_a_warm_overview_counts_nothing_anew(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    assert overview.warm(district)
    monkeypatch.setattr(standing, "standing", lambda *_, **__: pytest.fail("counted again"))
    for user in (ADMIN, VIEWER):
        assert overview.overview(district, user).figure("posts").value == 6


def test_an_empty_district_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = make_district(f"sqlite:///{tmp_path / 'district.gpkg'}", tmp_path, FakeClock())
    monkeypatch.setattr(standing, "standing", lambda *_, **__: pytest.fail("counted nothing"))
    assert not overview.warm(empty)
    empty.close()


def test_a_stop_leaves_out_the_period_before(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    monkeypatch.setattr(overview, "standing_at", lambda *given: counted.append(given[2]))
    overview.warm(district, is_over=lambda: True)
    assert counted == [None]


def test_starting_does_not_wait_and_stopping_does(
    monkeypatch: pytest.MonkeyPatch, district: District
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def warm(_: District, *, is_over: object) -> None:
        begun.set()
        may_end.wait(30)

    monkeypatch.setattr(overview, "warm", warm)
    one = Warming(lambda: district)
    one.start()
    assert begun.wait(30)
    may_end.set()
    one.stop()
    assert not [each for each in threading.enumerate() if each.name == "gridmap-warming"]


def test_what_goes_wrong_is_logged_alone(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> District:
        raise Unavailable("there is no district")

    monkeypatch.setattr(warming, "_NICE", 0)
    one = Warming(missing)
    one.start()
    one.stop()
    assert "the overview could not be prepared" in caplog.text
