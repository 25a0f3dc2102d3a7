"""Gaps, reach and areas on the district of the canal."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from gridmap.domain.crs import to_metric
from gridmap.errors import InvalidInput, NotFound
from gridmap.services.coverage import report
from gridmap.services.district import District
from gridmap.services.gaps import area_shapes, gap_shapes, parse_bands, reach_shapes
from gridmap.services.questions import Question, Travel, parse_within
from tests.support.canal import CORNER, CRS, EAST_GRID
from tests.support.district import ANALYST

NEAR = parse_within("500m")


def in_metres(feature: dict) -> shapely.Geometry:
    """A feature's polygon in metres from the corner."""
    shape = to_metric(np.array([shapely.geometry.shape(feature["geometry"])], dtype=object), CRS)[0]
    return shapely.transform(shape, lambda xy: xy - np.array(CORNER))


@pytest.mark.parametrize("mode", [Travel.FOOT, Travel.LINE])
def test_gaps_hold_everybody_uncovered_and_name_their_grid(canal: District, mode: Travel) -> None:
    question = Question(mode=mode, within=parse_within("300m"))
    found = gap_shapes(canal, ANALYST, question)["features"]
    total = report(canal, ANALYST, question).total

    assert sum(one["properties"]["people"] for one in found) == total.uncovered
    people = [one["properties"]["people"] for one in found]
    assert people == sorted(people, reverse=True)
    assert [one["properties"]["rank"] for one in found] == list(range(1, len(found) + 1))


def test_the_worst_gap_is_where_the_canal_keeps_people_apart(canal: District) -> None:
    worst = gap_shapes(canal, ANALYST, Question(within=NEAR))["features"][0]

    assert worst["properties"]["people"] == 300
    assert worst["properties"]["grid_code"] == EAST_GRID
    assert worst["properties"]["worst"] == pytest.approx(950, abs=1)
    assert worst["properties"]["nearest"]["name"] == "JWZ02站"
    assert worst["properties"]["area_km2"] == pytest.approx(in_metres(worst).area / 1e6, rel=0.01)


def test_gaps_stay_inside_their_grid_and_do_not_overlap(canal: District) -> None:
    found = [in_metres(one) for one in gap_shapes(canal, ANALYST, Question(within=NEAR))["features"]]

    assert shapely.union_all(found).area == pytest.approx(sum(one.area for one in found), rel=1e-6)
    assert shapely.box(-300.2, -300.2, 500.2, 1300.2).covers(shapely.union_all(found))


def test_reach_does_not_lean_over_the_canal(canal: District) -> None:
    point = report(canal, ANALYST, Question()).points[0]
    found = reach_shapes(canal, ANALYST, Question(within=NEAR), point=point.id)["features"]

    assert len(found) == 1
    reached = in_metres(found[0])
    assert reached.contains(shapely.Point(0, 300))
    assert reached.bounds[2] <= 100.1
    assert not reached.contains(shapely.Point(0, 600))


def test_bands_of_reach_nest(canal: District) -> None:
    question = Question(within=NEAR)
    bands = parse_bands(["500m", "200m"], question)
    found = reach_shapes(canal, ANALYST, question, bands=bands)["features"]
    inner, outer = (in_metres(one) for one in found[:2])

    assert [one["properties"]["cost"] for one in found[:2]] == [200, 500]
    assert inner.area < outer.area
    assert inner.difference(outer).area < 1.0


def test_areas_share_out_the_district_exactly(canal: District) -> None:
    for mode in (Travel.FOOT, Travel.LINE):
        found = area_shapes(canal, ANALYST, Question(mode=mode))["features"]
        shapes = [in_metres(one) for one in found]
        whole = shapely.box(-300, -300, 500, 1300)
        assert sum(one.area for one in shapes) == pytest.approx(whole.area, rel=1e-4)
        assert (
            shapely.union_all(shapes).symmetric_difference(whole).area < 250
        )  # a border of 4.8 km, rounded to 5 cm
    by_foot = area_shapes(canal, ANALYST, Question())["features"]
    assert [one["properties"]["people"] for one in by_foot] == [100, 350]


def test_a_point_that_is_not_there_and_bands_of_another_unit_are_refused(canal: District) -> None:
    with pytest.raises(NotFound):
        reach_shapes(canal, ANALYST, Question(), point="nobody")
    with pytest.raises(InvalidInput):
        parse_bands(["5min"], Question())
    with pytest.raises(InvalidInput):
        parse_bands(["100m"] * 7, Question())
