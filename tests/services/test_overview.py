"""The overview's figures, checked on paper and against the services that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely

from gridmap.errors import InvalidInput
from gridmap.services import cards, coverage, freshness, overview, reach
from gridmap.services.district import District
from gridmap.services.figures import Figure, Form, Scope
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, element, make_district, put, seed
from tests.support.leaders import NOW, PRESENTER, populated


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> Iterator[District]:
    home: Path = tmp_path_factory.mktemp("leaders")
    made = populated(f"sqlite:///{home / 'district.gpkg'}", home, clock)
    yield made
    made.close()


def values(district: District, user=ADMIN) -> dict[str, Figure]:
    return {one.key: one for one in overview.overview(district, user).figures}


def test_headline_figures_are_what_paper_says(district: District) -> None:
    found = values(district)
    assert found["people"].value == 3700
    assert found["posts"].value == 6
    # of twelve risks one is closed; one deadline was yesterday
    assert (found["open_risks"].value, found["overdue_risks"].value) == (11, 1)
    assert found["new_risks"].value == 11
    # an officer and two auxiliaries in each of four grids
    assert found["force_per_grid"].value == 3.0
    assert tuple(found) == overview.FIGURE_KEYS


def test_changes_are_against_the_end_of_the_month_before(district: District) -> None:
    found = values(district)
    assert (found["people"].before, found["people"].change, found["people"].change_text) == (
        3300,
        400,
        "+400",
    )
    assert found["posts"].change == 1
    # in February the only risk was closed
    assert found["open_risks"].before == 0
    assert found["open_risks"].is_better is False


def test_coverage_equals_the_coverage_service(district: District) -> None:
    report = coverage.report(district, ADMIN, reach.QUESTION)
    found = values(district)
    assert found["gap_people"].value == report.total.uncovered
    assert found["covered_share"].value == pytest.approx(report.total.covered_share)
    assert 0 < found["covered_share"].value < 1
    rows = {one.code: one.values for one in overview.overview(district, ADMIN).grids.rows}
    for group in report.groups:
        if group.code is not None:
            assert rows[group.code]["gap_people"] == group.figures.uncovered


def test_overdue_equals_the_board(district: District) -> None:
    board = freshness.board(district, ADMIN)
    found = values(district)
    assert found["overdue"].value == board.total.overdue == 4
    assert found["fresh_share"].value == pytest.approx(board.total.fresh_share)
    grids = {one.key: one.overdue for one in board.by_grid}
    for row in overview.overview(district, ADMIN).grids.rows:
        assert row.values["overdue"] == grids.get(row.code, 0)


def test_towns_and_grids_sum_to_the_district(district: District) -> None:
    found = overview.overview(district, ADMIN)
    for key in ("people", "gap_people", "overdue", "open_risks", "overdue_risks", "force"):
        towns = sum(one.values[key] for one in found.towns.rows)
        assert towns == sum(one.values[key] for one in found.grids.rows)
        if key in overview.FIGURE_KEYS:
            assert towns == found.figure(key).value


def test_a_ranking_puts_the_worst_first_and_the_unknown_last(district: District) -> None:
    towns = overview.overview(district, ADMIN).towns
    assert [one.name for one in towns.ordered("open_risks")] == ["东镇", "西镇"]
    shares = [one.values["covered_share"] for one in towns.ordered("covered_share")]
    assert shares == sorted(shares)
    with pytest.raises(InvalidInput):
        towns.ordered("beauty")


def test_small_counts_are_hidden_from_viewers(district: District) -> None:
    full, masked = values(district), values(district, VIEWER)
    assert masked["people"].value == full["people"].value
    # one overdue risk of eleven
    assert masked["overdue_risks"].text == "*"
    assert masked["overdue_risks"].change_text == ""
    grades = {one.grade: one for one in overview.overview(district, VIEWER).grades}
    assert grades["red"].open is None
    west = next(one for one in overview.overview(district, VIEWER).towns.rows if one.name == "西镇")
    assert "open_risks" in west.hidden
    assert west.values["open_risks"] is None


def test_a_scope_never_gets_the_figures_of_another(district: District) -> None:
    for user, scope in (
        (ADMIN, Scope.FULL),
        (PRESENTER, Scope.FULL),
        (VIEWER, Scope.MASKED),
        (ADMIN, Scope.FULL),
    ):
        assert overview.overview(district, user).stamp.scope is scope
    assert overview.overview(district, ADMIN) is overview.overview(district, PRESENTER)


def test_figures_carry_their_time_commit_and_mark(district: District) -> None:
    stamp = overview.overview(district, ADMIN).stamp
    assert stamp.sequence == district.database.sequence()
    assert stamp.at == NOW
    # the grids of this district are made up, its homes and stations are not
    assert "2026-03-20 10:00" in stamp.text
    assert "电动自行车 10 分钟" in stamp.text


def test_trends_count_by_weeks(district: District) -> None:
    trends = {one.key: one for one in overview.overview(district, ADMIN).trends}
    assert len(trends["new_risks"].points) == overview.TREND_WEEKS
    by_week = [value for _, value in trends["new_risks"].points]
    # 9 to 15 March: FX0002; 2 to 8: nine; 9 to 15 February: FX0003; the week of FX0001 is not over
    assert by_week[-5:] == [1.0, 0.0, 0.0, 9.0, 1.0]
    assert trends["new_risks"].points[-1][0].isoformat() == "2026-03-15T15:59:59.999999+00:00"
    # nothing is known of the weeks before the district's history
    verified = [value for _, value in trends["verified"].points]
    assert verified == [None] * 7 + [0.0] * 5


def test_a_week_counts_from_its_last_day(district: District) -> None:
    sunday = datetime(2026, 3, 15, 2, tzinfo=UTC)
    [new_risks, *_] = overview.overview(district, ADMIN, at=sunday).trends
    assert len(new_risks.points) == overview.TREND_WEEKS
    assert new_risks.points[-1][0] == sunday


def test_an_earlier_moment_gives_its_own_figures(district: District) -> None:
    then = overview.overview(district, ADMIN, at=datetime(2026, 2, 20, tzinfo=UTC))
    assert then.figure("people").value == 3300
    assert then.figure("overdue").value == 0
    with pytest.raises(InvalidInput):
        overview.overview(district, ADMIN, at=NOW + timedelta(days=1))


def test_a_card_shows_what_lies_in_its_grid(district: District) -> None:
    card = cards.card(district, ADMIN, "police_grid", "310199102001002")
    assert (card.name, card.town, card.officer) == ("东镇二格", "东镇", "示例民警01")
    figures = {one.key: one for one in card.figures}
    assert (figures["people"].value, figures["people"].change) == (400, 400)
    assert len(card.risks) == 9
    assert [one.code for one in card.posts] == ["JWZ04"]
    # 9.55 by 5.54 km
    assert card.area_km2 == pytest.approx(52.9, rel=0.01)
    assert {one.layer: one.created for one in card.changes}["risk"] == 9
    assert cards.card(district, VIEWER, "police_grid", "310199102001002").risks == ()


def test_a_post_card_equals_the_coverage_report(district: District) -> None:
    report = {one.code: one for one in coverage.report(district, ADMIN, reach.QUESTION).points}
    for element_id, code, _ in cards.post_ids(district, ADMIN):
        card = cards.post_card(district, ADMIN, element_id)
        figures = {one.key: one.value for one in card.figures}
        assert figures["within"] == report[code].within
        assert figures["unique"] == report[code].unique


def test_an_edit_is_seen_at_once(tmp_path: Path) -> None:
    clock = FakeClock()
    district = populated(f"sqlite:///{tmp_path / 'district.gpkg'}", tmp_path, clock)
    try:
        assert values(district)["posts"].value == 6
        station = element(
            "workstation", "JWZ99", "新站", shapely.Point(121.55, 30.95), opening_hours="24h", officer_count=1
        )
        put(district, station)
        assert values(district)["posts"].value == 7
        assert overview.overview(district, ADMIN).stamp.sequence == district.database.sequence()
    finally:
        district.close()


@pytest.mark.parametrize(
    ("figure", "text", "change"),
    [
        (Figure("a", "甲", 12345.0, "人", before=12000, change=345), "12,345", "+345"),
        (Figure("a", "甲", 0.875, form=Form.SHARE, change=-0.004), "87.5%", "-0.4个百分点"),
        (Figure("a", "甲", 2.5, form=Form.DECIMAL, change=0.0), "2.50", "持平"),
        (Figure("a", "甲", None), "–", ""),
        (Figure("a", "甲", None, is_hidden=True), "*", ""),
    ],
)
def test_figures_read_as_people_write_them(figure: Figure, text: str, change: str) -> None:
    assert (figure.text, figure.change_text) == (text, change)


def test_an_empty_district_has_an_overview_too(tmp_path: Path, clock: FakeClock) -> None:
    district = make_district(f"sqlite:///{tmp_path / 'district.gpkg'}", tmp_path, FakeClock())
    try:
        for user in (ADMIN, VIEWER):
            found = overview.overview(district, user)
            assert found.figure("people").value == 0
            assert found.figure("covered_share").value is None
            assert found.grids.rows == ()
            assert "未计算" in found.stamp.text
        seed(district)
        assert overview.overview(district, ADMIN).figure("posts").value == 6
    finally:
        district.close()
