"""Two systems of grids side by side, checkable on paper, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shapely import box

from gridmap.errors import InvalidInput
from gridmap.services.correspondence import correspondence
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import KEEPER, OFFICER_WEST, VIEWER, element, open_store, put
from tests.support.partition import M2_PER_SQUARE_DEGREE

SOUTH, NORTH = "310199101001001", "310199101001002"
TOWN = box(121.4, 30.9, 121.5, 31.0)


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    yield made
    made.close()


def test_two_grid_systems_are_matched_by_area_and_people(district: District) -> None:
    put(
        district,
        element("governance_grid", "310199101001801", "治一", box(121.4, 30.9, 121.45, 31.0)),
        element("governance_grid", "310199101001802", "治二", box(121.45, 30.9, 121.5, 31.0)),
    )
    put(
        district,
        element(
            "residential_area", "JZ01", "一", box(121.41, 30.91, 121.42, 30.92), kind="小区", population=700
        ),
        element(
            "residential_area", "JZ02", "二", box(121.46, 30.96, 121.47, 30.97), kind="小区", population=300
        ),
        element(
            "residential_area", "JZ03", "三", box(121.55, 30.96, 121.56, 30.97), kind="村宅", population=50
        ),
    )
    table = correspondence(district, OFFICER_WEST, "police_grid", "governance_grid")
    rows = {(one.first_code, one.second_code): one for one in table.matches}

    assert set(rows) == {(a, b) for a in (SOUTH, NORTH) for b in ("310199101001801", "310199101001802")}
    assert rows[SOUTH, "310199101001801"].people == 700
    assert rows[NORTH, "310199101001802"].people == 300
    assert rows[SOUTH, "310199101001802"].people == 0
    assert (table.people, table.unmatched_people) == (1_050, 50)
    for one in rows.values():
        assert one.first_share == pytest.approx(0.5, abs=1e-3)
        assert one.second_share == pytest.approx(0.5, abs=2e-3)
    assert sum(one.area_m2 for one in rows.values()) == pytest.approx(
        TOWN.area * M2_PER_SQUARE_DEGREE, rel=0.01
    )


def test_people_are_not_shown_to_those_who_see_totals_only(district: District) -> None:
    table = correspondence(district, VIEWER, "town", "police_grid")
    assert (table.people, {one.people for one in table.matches}) == (None, {None})
    with pytest.raises(InvalidInput):
        correspondence(district, KEEPER, "town", "workstation")
