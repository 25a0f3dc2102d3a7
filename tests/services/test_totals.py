"""Totals per grid and what viewers see of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

from gridmap.errors import InvalidInput, NotFound
from gridmap.services import totals
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, element, open_store, put


@pytest.fixture
def district(seeded_gpkg_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_gpkg_url, tmp_path, clock)
    yield made
    made.close()


def care(code: str, lon: float, lat: float, count: int):
    return element("care_point", code, "点", shapely.Point(lon, lat), kind="留守", care_count=count)


def test_totals_count_the_elements_of_each_grid(district: District) -> None:
    result = totals.by_grid(district, ADMIN, "workstation", "police_grid")
    assert [one.total for one in result.grids] == [2, 1, 2, 1]
    assert result.total == 6


def test_totals_sum_a_count_field(district: District) -> None:
    result = totals.by_grid(district, ADMIN, "workstation", "town", field="officer_count")
    assert [(one.name, one.total) for one in result.grids] == [("西镇", 9), ("东镇", 9)]


def test_a_viewer_sees_care_points_as_totals_with_small_ones_hidden(district: District) -> None:
    # beside the 3 of the lower western grid: 40 in the upper western, 20 and 30 in the eastern ones
    put(
        district,
        care("GAD002", 121.43, 30.97, 40),
        care("GAD003", 121.53, 30.92, 20),
        care("GAD004", 121.53, 30.97, 30),
    )
    result = totals.by_grid(district, VIEWER, "care_point", "police_grid", field="care_count")

    shown = [one.total for one in result.grids]
    assert shown[0] is None
    # one more of the same town must go, or the town's total would give the 3 away
    assert shown[1] is None
    assert shown[2:] == [20, 30]
    assert result.hidden == 2


def test_those_with_sensitive_sight_see_every_total(district: District) -> None:
    result = totals.by_grid(district, ADMIN, "care_point", "police_grid", field="care_count")
    assert [one.total for one in result.grids] == [3, 0, 0, 0]


def test_a_field_that_is_no_count_is_refused(district: District) -> None:
    with pytest.raises(InvalidInput):
        totals.by_grid(district, ADMIN, "workstation", "town", field="readiness_minutes")
    with pytest.raises(NotFound):
        totals.by_grid(district, ADMIN, "workstation", "town", field="nothing")
    with pytest.raises(InvalidInput):
        totals.by_grid(district, ADMIN, "workstation", "risk")
