"""The demo district in the store."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridmap.domain.elements import Source
from gridmap.errors import StateConflict
from gridmap.services import accounts, demo, elements
from gridmap.services.demo import DemoReport
from gridmap.services.district import District
from gridmap.settings import PROJECT_ROOT
from gridmap.storage import elements as stored
from gridmap.storage import history
from gridmap.storage.elements import Query
from gridmap.validation.attributes import clean_values
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, make_district


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[District, DemoReport, list[float]]]:
    home: Path = tmp_path_factory.mktemp("demo")
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    shares: list[float] = []
    report = demo.install(district, scale=0.2, progress=lambda share, _: shares.append(share))
    yield district, report, shares
    district.close()


def test_every_layer_is_stored_whole_in_one_commit(installed) -> None:
    district, report, _ = installed
    with district.database.read() as connection:
        assert stored.counts(connection) == report.counts
    assert report.sequence == 1
    assert report.counts["workstation"] == 40
    assert report.counts["police_grid"] == 400


def test_every_element_says_that_it_is_simulated(installed) -> None:
    district, _, _ = installed
    for layer in district.catalogue:
        assert set(district.frames.frame(layer.id).arrays.source) == {Source.SIMULATED.value}, layer.id


def test_every_element_keeps_the_rules_of_its_layer(installed) -> None:
    district, _, _ = installed
    for layer in district.catalogue:
        for one in elements.find(district, ADMIN, Query(layer.id), limit=50).elements:
            values, problems = clean_values(layer, one.values())
            assert problems == []
            assert one.with_values(values).values() == one.values()


def test_stations_know_their_town_and_grid(installed) -> None:
    district, _, _ = installed
    found = elements.find(district, ADMIN, Query("workstation"), limit=100).elements
    grids = [elements.grids_of(district, one) for one in found]
    assert all(
        {"town", "committee", "police_grid", "governance_grid", "micro_grid"} <= set(one) for one in grids
    )
    assert all(one["police_grid"].startswith(one["town"]) for one in grids)


def test_some_elements_are_overdue_and_most_are_not(installed) -> None:
    district, _, _ = installed
    found = elements.find(district, ADMIN, Query("safe_house"), limit=500).elements
    overdue = sum(one.due_at < district.clock() for one in found)
    assert 0 < overdue < len(found) / 2


def test_each_demo_account_can_sign_in(installed) -> None:
    district, report, _ = installed
    assert {"viewer", "officer", "keeper", "analyst", "admin"} <= set(report.passwords)
    signed = accounts.sign_in(district, "officer", report.passwords["officer"], address="127.0.0.1")
    assert signed.user.area == frozenset({demo.OFFICER_AREAS[0]})


def test_a_second_demo_is_refused_and_nothing_changes(installed) -> None:
    district, _, _ = installed
    with pytest.raises(StateConflict):
        demo.install(district)
    assert district.database.sequence() == 1


def test_progress_rises_to_the_end(installed) -> None:
    _, _, shares = installed
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_chain_of_a_demo_is_valid(installed) -> None:
    district, _, _ = installed
    with district.database.read() as connection:
        assert history.verify(connection, district.settings.secret).is_valid


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_officer_may_edit_the_station_that_the_readme_names(installed, readme: str) -> None:
    district, _, _ = installed
    text = (PROJECT_ROOT / readme).read_text("utf-8")
    [code] = set(re.findall(r"JWZ\d\d", text))
    [found] = [one for one in elements.search(district, ADMIN, code, layers=["workstation"]) if one.code == code]
    officer = next(one for one in accounts.list_accounts(district, ADMIN) if one.username == "officer")
    assert elements.grids_of(district, found)["town"] in officer.area
