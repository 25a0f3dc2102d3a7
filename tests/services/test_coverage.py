"""Reports on the district of the canal, where every figure can be found on paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from gridmap.domain.scenarios import parse_changes
from gridmap.errors import InvalidInput, NotFound, PermissionDenied
from gridmap.services.coverage import hidden_rows, report, resilience
from gridmap.services.district import District
from gridmap.services.questions import Heading, Question, Travel, parse_question, parse_within
from tests.support.canal import EAST_GRID, WEST_GRID, home, lonlat, make_canal, road, station
from tests.support.clock import FakeClock
from tests.support.district import ANALYST, VIEWER, element, put

FAR = parse_within("1000m")
NEAR = parse_within("500m")


def by_code(rows, code):
    return next(one for one in rows if one.code == code)


def test_people_are_counted_once_per_way_along_the_roads(either_canal: District) -> None:
    found = report(either_canal, ANALYST, Question(within=FAR))

    assert (found.total.people, found.total.covered, found.total.uncovered) == (450, 450, 0)
    assert (found.total.once, found.total.twice) == (350, 100)
    assert found.total.mean == pytest.approx((100 * 400 + 300 * 950 + 50 * 100) / 450, abs=1)
    assert found.total.median == pytest.approx(950, abs=1)
    assert found.total.p95 == pytest.approx(950, abs=1)


def test_a_canal_without_a_bridge_is_a_wall(either_canal: District) -> None:
    by_road = report(either_canal, ANALYST, Question(within=NEAR))
    by_line = report(either_canal, ANALYST, Question(mode=Travel.LINE, within=NEAR))

    assert by_road.total.covered == 150  # 300 people live 206 m away, on the other bank
    assert by_line.total.covered == 450
    line = [[*lonlat(0, 0)], [*lonlat(200, 0)]]
    bridged = Question(within=NEAR, changes=parse_changes([{"op": "bridge", "line": line}]))
    assert report(either_canal, ANALYST, bridged).total.covered == 450


def test_a_bridge_for_walkers_does_not_carry_cars(canal: District) -> None:
    line = [[*lonlat(0, 0)], [*lonlat(200, 0)]]
    question = Question(
        mode=Travel.CAR,
        within=NEAR,
        changes=parse_changes([{"op": "bridge", "line": line, "modes": ["foot"]}]),
    )

    assert report(canal, ANALYST, question).total.covered == 150


def test_groups_and_towns_sum_to_the_whole(either_canal: District) -> None:
    found = report(either_canal, ANALYST, Question(within=NEAR))

    for rows in (found.groups, found.towns):
        for name in ("people", "covered", "uncovered", "once", "twice"):
            assert sum(getattr(one.figures, name) for one in rows) == getattr(found.total, name)
    assert by_code(found.groups, WEST_GRID).figures.covered == 100
    assert by_code(found.groups, EAST_GRID).figures.covered == 50


def test_what_one_point_carries(either_canal: District) -> None:
    found = report(either_canal, ANALYST, Question(within=FAR))
    a, b = by_code(found.points, "JWZ01"), by_code(found.points, "JWZ02")

    assert (a.within, a.unique, a.assigned) == (100, 0, 100)
    assert (b.within, b.unique, b.assigned) == (450, 350, 350)
    assert b.load_per_officer == 175
    assert a.nearest is not None
    assert a.nearest["id"] == b.id
    assert a.nearest["cost"] == pytest.approx(1200, abs=1)
    assert a.second is None
    assert a.readiness_minutes == 2


def test_a_points_unique_cover_is_what_closing_it_loses(canal: District) -> None:
    question = Question(within=FAR)
    before = report(canal, ANALYST, question)
    for point in before.points:
        closed = Question(within=FAR, changes=parse_changes([{"op": "close", "id": point.id}]))
        after = report(canal, ANALYST, closed)
        assert before.total.covered - after.total.covered == point.unique
        assert by_code(after.points, point.code).state == "closed"


def test_cars_count_the_minutes_to_get_ready_and_walkers_do_not(canal: District) -> None:
    car = report(canal, ANALYST, Question(mode=Travel.CAR, within=parse_within("10min")))
    foot = report(canal, ANALYST, Question(within=parse_within("10min")))

    assert car.method["has_readiness"]
    assert car.question.heading is Heading.FROM_POINT
    # A: 120 s ready and 400 m at 22 km/h = 65 s; B: 800 m = 131 s
    assert by_code(car.groups, WEST_GRID).figures.mean == pytest.approx(800 * 3.6 / 22, abs=0.5)
    assert not foot.method["has_readiness"]
    assert by_code(foot.groups, WEST_GRID).figures.mean == pytest.approx(400 * 3.6 / 4.8, abs=0.5)


def test_a_closed_day_station_covers_nobody_at_night(canal: District) -> None:
    night = parse_question({"within": "1000m", "open_at": "22:30"}, now=canal.clock())
    noon = parse_question({"within": "1000m", "open_at": "12:00"}, now=canal.clock())

    assert report(canal, ANALYST, night).total.covered == 100
    assert report(canal, ANALYST, noon).total.covered == 450
    assert by_code(report(canal, ANALYST, night).points, "JWZ02").state == "closed"


def test_one_way_streets_bind_wheels_but_not_feet(tmp_path: Path) -> None:
    district = make_canal(
        f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock(), without=("road", "workstation")
    )
    put(district, road("单行", (0, 0), (0, 500), oneway=True), station("JWZ01", 0, 500))
    rides = Question(mode=Travel.EBIKE, within=NEAR, direction=Heading.FROM_POINT)
    comes = Question(mode=Travel.EBIKE, within=NEAR, direction=Heading.TO_POINT)
    walks = Question(within=NEAR, direction=Heading.FROM_POINT)

    assert report(district, ANALYST, rides).total.covered == 0  # from 500 back to 400 against the way
    assert report(district, ANALYST, comes).total.covered == 100
    assert report(district, ANALYST, walks).total.covered == 100
    district.close()


def test_access_is_officers_shared_among_who_can_reach_them(canal: District) -> None:
    found = report(canal, ANALYST, Question(within=FAR))

    # A: 3 officers for D1's 100; B: 2 for all 450. Weighted by people: all 5 officers over 450 people
    assert found.access["two_step_mean"] == pytest.approx(5 / 450 * 10_000)
    assert 0 < found.access["two_step_gini"] < 1
    assert found.access["lorenz"][0] == [0.0, 0.0]
    assert found.access["lorenz"][-1] == [1.0, 1.0]


def test_a_report_says_how_it_was_made(canal: District) -> None:
    found = report(canal, ANALYST, Question(within=FAR)).document()

    assert found["crs"] == "EPSG:32651"
    assert found["sequence"] == canal.database.sequence()
    assert found["method"]["sentence"].startswith("步行沿路网不超过 1000 米")
    assert found["is_simulated"] is False
    assert found["data_time"].startswith("2026-03-02")


# --- resilience -------------------------------------------------------------------------------------------


def test_closures_are_ranked_and_pairs_lose_more_than_their_parts(canal: District) -> None:
    found = resilience(canal, ANALYST, Question(within=FAR), pairs=True)

    assert [(one["code"], one["lost"]) for one in found["closures"]] == [("JWZ02", 350), ("JWZ01", 0)]
    assert found["pairs"][0]["lost"] == 450


# --- any number of points, odd input ----------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 40, 400])
@pytest.mark.parametrize("mode", [Travel.FOOT, Travel.LINE])
def test_identities_hold_for_any_number_of_points(
    count: int, mode: Travel, crowds: dict[int, District]
) -> None:
    district = crowds[count]
    found = report(district, ANALYST, Question(mode=mode, within=NEAR))

    assert len(found.points) == count
    assert found.total.covered + found.total.uncovered == found.total.people == 450
    assert sum(one.figures.covered for one in found.groups) == found.total.covered
    assert sum(one.assigned for one in found.points if one.assigned is not None) == (450 if count else 0)
    assert sum(one.unique for one in found.points) <= found.total.covered
    assert (found.total.covered == 0) == (count == 0)
    assert any("没有要素" in one for one in found.warnings) == (count == 0)


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory):
    made = {}
    rng = np.random.default_rng(4)
    for count in (0, 1, 40, 400):
        folder = tmp_path_factory.mktemp(f"crowd{count}")
        made[count] = make_canal(
            f"sqlite:///{folder / 'd.gpkg'}", folder, FakeClock(), without=("workstation",)
        )
        places = [(0, 300)] if count == 1 else rng.uniform([-50, 0], [250, 1000], (count, 2)).tolist()
        if count:
            put(made[count], *(station(f"JWZ{at:03}", x, y) for at, (x, y) in enumerate(places)))
    yield made
    for one in made.values():
        one.close()


def test_points_and_people_far_from_every_road_are_listed(tmp_path: Path) -> None:
    district = make_canal(f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock())
    put(district, station("JWZ09", -2_000, -2_000), home("D9", 5_000, 5_000, 70))

    found = report(district, ANALYST, Question(within=FAR))

    assert found.off_network == {"points": ["JWZ09"], "demand_count": 1, "people": 70}
    assert by_code(found.points, "JWZ09").state == "off_network"
    assert found.total.unreached == 70
    assert sum("超过 500 米" in one for one in found.warnings) == 2
    assert found.groups[-1].code is None
    assert found.groups[-1].figures.people == 70
    district.close()


def test_no_roads_no_network_and_no_demand_are_refused_in_words(tmp_path: Path) -> None:
    district = make_canal(
        f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock(), without=("road", "residential_area")
    )

    with pytest.raises(InvalidInput, match="no elements") as nobody:
        report(district, ANALYST, Question(mode=Travel.LINE))
    assert "没有数据" in nobody.value.chinese()
    put(district, home("D1", 0, 0, 0))
    with pytest.raises(InvalidInput, match="no road"):
        report(district, ANALYST, Question())
    empty = report(district, ANALYST, Question(mode=Travel.LINE))
    assert empty.total.people == 0
    assert any("需求总数为 0" in one for one in empty.warnings)
    district.close()


def test_identical_points_are_told_and_shared(tmp_path: Path) -> None:
    district = make_canal(f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock())
    put(district, station("JWZ03", 0, 0))

    found = report(district, ANALYST, Question(within=NEAR))

    assert any("位置相同" in one for one in found.warnings)
    assert by_code(found.points, "JWZ03").unique == by_code(found.points, "JWZ01").unique == 0
    district.close()


def test_unknown_layers_and_a_layer_that_is_no_grid_are_refused(canal: District) -> None:
    with pytest.raises(NotFound):
        report(canal, ANALYST, Question(points="nothing"))
    with pytest.raises(InvalidInput, match="no grid layer"):
        report(canal, ANALYST, Question(by="road"))
    with pytest.raises(NotFound):
        report(canal, ANALYST, Question(scenario="no-such-scenario"))
    with pytest.raises(InvalidInput, match="no count"):
        report(canal, ANALYST, Question(demand_field="kind"))


# --- what may be seen -------------------------------------------------------------------------------------


def test_small_counts_are_hidden_from_viewers_and_cannot_be_computed(tmp_path: Path) -> None:
    district = make_canal(f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock())
    put(district, home("D4", 0, 900, 3))  # 3 people on the west bank that nobody covers within 500 m on foot

    seen = report(district, VIEWER, Question(within=NEAR))
    whole = report(district, ANALYST, Question(within=NEAR))

    assert seen.is_masked
    assert not whole.is_masked
    assert by_code(whole.groups, WEST_GRID).figures.uncovered in (0, 3)
    shown = [one for one in seen.groups if not one.figures.is_hidden]
    assert all(
        not 0 < getattr(one.figures, name) < 5
        for one in shown
        for name in ("covered", "uncovered", "once", "twice")
    )
    assert len(shown) != len(seen.groups) - 1  # one hidden alone would follow from the total
    district.close()


def test_a_row_is_hidden_whole_and_never_alone() -> None:
    rows, groups, is_total_hidden = hidden_rows(
        [np.array([3.0, 100, 200]), np.array([50.0, 60, 70])], ["a", "a", "a"]
    )

    assert rows.tolist() == [True, True, False]
    assert groups == set()
    assert not is_total_hidden


def test_a_sensitive_layer_is_no_demand_for_a_viewer(canal: District) -> None:
    with pytest.raises(PermissionDenied):
        report(canal, VIEWER, Question(demand="care_point"))


def test_an_edit_is_in_the_next_report(canal_copy: District) -> None:
    before = report(canal_copy, ANALYST, Question(within=NEAR))
    put(canal_copy, element("crossing", None, "南桥", shapely.Point(lonlat(100, 0)), kind="bridge"))
    after = report(canal_copy, ANALYST, Question(within=NEAR))
    then = report(canal_copy, ANALYST, Question(within=NEAR), sequence=before.sequence)

    assert (before.total.covered, after.total.covered, then.total.covered) == (150, 450, 150)
    assert after.sequence == before.sequence + 1
