"""The demo district in the store."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gridmap.api.collections import schema_document
from gridmap.demo.chronicle import BEGAN_DAYS
from gridmap.domain.elements import Element, Source
from gridmap.domain.freshness import day_of
from gridmap.domain.roles import User
from gridmap.domain.stories import CompareKind
from gridmap.errors import StateConflict
from gridmap.services import (
    access,
    accounts,
    demo,
    demo_work,
    documents,
    elements,
    overview,
    proposals,
    reach,
    scenarios,
    stories,
)
from gridmap.services.demo import DemoReport
from gridmap.services.district import District
from gridmap.settings import PROJECT_ROOT
from gridmap.storage import elements as stored
from gridmap.storage import history
from gridmap.storage.elements import Query
from gridmap.validation.attributes import clean_values
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, ANALYST, VIEWER, make_district


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[District, DemoReport, list[float]]]:
    home: Path = tmp_path_factory.mktemp("demo")
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    shares: list[float] = []
    report = demo.install(district, scale=0.2, progress=lambda share, _: shares.append(share))
    yield district, report, shares
    district.close()


def test_every_layer_is_stored_whole(installed) -> None:
    district, report, _ = installed
    with district.database.read() as connection:
        assert stored.counts(connection) == report.counts
    assert report.counts["workstation"] == 40
    assert report.counts["police_grid"] == 400


def test_the_past_is_a_commit_a_week_and_ends_now(installed) -> None:
    district, report, _ = installed
    with district.database.read() as connection:
        times = [history.time_of(connection, one + 1) for one in range(report.sequence)]
    assert times == sorted(times)
    assert times[-1] == district.clock()
    today = day_of(district.clock())
    between = [today - timedelta(days=days) for days in range(1, BEGAN_DAYS)]
    assert report.sequence == 2 + sum(one.weekday() == 6 for one in between)
    assert times[-1] - times[0] > timedelta(days=BEGAN_DAYS - 1)


def test_a_station_that_opened_was_not_there_before_and_a_closed_risk_was_open(installed) -> None:
    district, _, _ = installed
    now = district.clock()

    def then(layer: str, days: int) -> list[Element]:
        with district.database.read() as connection:
            return history.as_of(connection, layer, now - timedelta(days=days))

    assert [len(then("workstation", days)) for days in (380, 200, 60, 20, 0)] == [36, 37, 38, 39, 40]
    today = {one.id: one.properties["state"] for one in then("risk", 0)}
    reopened = [one for one in then("risk", 30) if one.properties["state"] != today[one.id]]
    assert reopened
    assert {one.properties["state"] for one in reopened} == {"reported"}


def test_the_overview_has_a_month_before_to_compare_with(installed) -> None:
    district, _, _ = installed
    found = overview.overview(district, ADMIN)
    for key in ("covered_share", "overdue", "mapped_share", "open_risks", "new_risks", "posts"):
        assert found.figure(key).before is not None, key
    assert 0.9 < found.figure("mapped_share").value < 1
    verified = next(one for one in found.trends if one.key == "verified")
    assert all(value > 0 for _, value in verified.points)


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


@pytest.mark.parametrize("user", [ADMIN, VIEWER], ids=lambda one: one.username)
def test_every_feature_fits_the_schema_that_is_published_for_its_reader(installed, user: User) -> None:
    district, _, _ = installed
    for layer in access.visible_layers(district, user):
        judge = Draft202012Validator(
            schema_document(layer, user), format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        found = elements.find(district, user, Query(layer.id), limit=100_000)
        assert len(found.elements) == found.total > 0
        for one in found.elements:
            judge.validate(documents.feature(district, one)["properties"])


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
    district, report, _ = installed
    with pytest.raises(StateConflict):
        demo.install(district)
    assert district.database.sequence() == report.sequence


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
    [found] = [
        one for one in elements.search(district, ADMIN, code, layers=["workstation"]) if one.code == code
    ]
    officer = next(one for one in accounts.list_accounts(district, ADMIN) if one.username == "officer")
    assert elements.grids_of(district, found)["town"] in officer.area


def test_the_analyst_has_a_scenario_that_gains_what_the_overview_lacks(installed) -> None:
    district, _, _ = installed
    [scenario] = scenarios.find(district, ANALYST)
    assert scenario.created_by == "analyst"
    assert len(scenario.changes) == demo_work.NEW_POSTS
    _, change = scenarios.compare(district, ANALYST, reach.QUESTION, [scenario.id])["columns"]
    [lacking] = [one.value for one in overview.overview(district, ADMIN).figures if one.key == "gap_people"]
    assert 0 < change["gained"] <= lacking


def test_the_presenter_has_a_story_of_which_every_slide_can_be_shown(installed) -> None:
    district, _, _ = installed
    presenter = accounts.demo_user(district, "presenter")
    [story] = stories.list_stories(district, presenter)
    shown = stories.present(district, presenter, story.slides)
    assert len(shown) == 6
    assert all(figure.value is not None for slide in shown for figure in slide.figures)
    assert {one.compare.kind for one in story.slides if one.compare} == set(CompareKind)


def test_an_officer_is_asked_to_take_a_safe_house_over_and_may(installed) -> None:
    district, report, _ = installed
    officer = accounts.demo_user(district, "officer")
    [asked] = proposals.inbox(district, officer)
    assert asked.created_by == "officer2"
    [before], [after] = proposals.preview(district, officer, asked.id)
    towns = {one.code: one.geometry for one in elements.find(district, ADMIN, Query("town")).elements}
    assert towns[demo.OFFICER_AREAS[0]].contains(after.geometry)
    assert towns[demo.OFFICER_AREAS[1]].contains(before.geometry)
    assert towns[demo.OFFICER_AREAS[0]].touches(towns[demo.OFFICER_AREAS[1]])
    # what people have only begun has changed no element yet
    assert district.database.sequence() == report.sequence
