"""The ground tells the datum: shifted files are noticed, right ones are left in peace."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from gridmap.domain.crs import BD09, GCJ02, WGS84, from_wgs84, parse_datum, to_wgs84
from gridmap.exchange import datum_suspicion, read_table

DISTRICT = shapely.box(121.35, 30.78, 121.73, 31.03)


@pytest.fixture(scope="module")
def towns(shared_data: Path) -> np.ndarray[Any, Any]:
    return read_table(shared_data / "boundaries" / "fengxian_streets_wgs84.geojson").geometry


@pytest.fixture(scope="module")
def district(towns: np.ndarray[Any, Any]) -> shapely.Geometry:
    return shapely.union_all(towns)


@pytest.fixture(scope="module")
def places(shared_data: Path) -> np.ndarray[Any, Any]:
    return read_table(shared_data / "points" / "fengxian_poi_wgs84.csv").geometry


@pytest.mark.parametrize("name", ["wgs84", "cgcs2000", "gcj02", "bd09"])
def test_a_file_read_as_what_it_is_is_not_suspicious(
    name: str, towns: Any, district: Any, places: Any
) -> None:
    for geometries in (towns, places, towns[:1]):
        imported = to_wgs84(from_wgs84(geometries, name), name)
        suspicion = datum_suspicion(imported, district, stated=name)
        assert not suspicion.is_suspicious, suspicion.message
        assert suspicion.likely == suspicion.stated == parse_datum(name)


@pytest.mark.parametrize(("true", "stated"), list(permutations([WGS84, GCJ02, BD09], 2)), ids=str)
def test_outlines_and_points_read_as_another_datum_are_noticed_and_named(
    true: Any, stated: Any, towns: Any, district: Any, places: Any
) -> None:
    for geometries, measure in ((towns, "iou"), (places, "inside")):
        misread = to_wgs84(from_wgs84(geometries, true), stated)
        suspicion = datum_suspicion(misread, district, stated=stated)
        assert suspicion.is_suspicious
        assert suspicion.measure == measure
        assert suspicion.likely == true
        assert true.title in suspicion.message
        assert suspicion.fit[str(true)] > suspicion.fit[str(stated)]


def test_points_in_the_middle_are_told_by_the_roads_they_lie_on() -> None:
    roads = [shapely.LineString([(121.45, y), (121.55, y)]) for y in np.arange(30.85, 30.95, 0.005)]
    rng = np.random.default_rng(1)
    on_roads = shapely.points(
        np.column_stack([rng.uniform(121.46, 121.54, 60), rng.choice(np.arange(30.86, 30.94, 0.005), 60)])
    )
    assert not datum_suspicion(on_roads, DISTRICT, references=roads).is_suspicious
    shifted = from_wgs84(on_roads, "gcj02")
    assert not datum_suspicion(shifted, DISTRICT).is_suspicious  # inside the district either way
    suspicion = datum_suspicion(shifted, DISTRICT, references=roads)
    assert suspicion.likely == GCJ02
    assert suspicion.measure == "snap"
    assert "道路" in suspicion.message
    assert datum_suspicion(shifted, None, references=roads).likely == GCJ02


def test_places_outside_are_counted() -> None:
    points = [shapely.Point(121.5, 30.9)] * 8 + [shapely.Point(120.0, 30.9)] * 2
    suspicion = datum_suspicion(points, DISTRICT)
    assert suspicion.is_suspicious
    assert suspicion.outside == 2
    assert suspicion.likely == WGS84
    assert "2 个" in suspicion.message


def test_swapped_axes_are_noticed() -> None:
    points = [shapely.Point(30.9, 121.5), shapely.Point(30.85, 121.6)]
    suspicion = datum_suspicion(points, DISTRICT)
    assert "填反" in suspicion.message


def test_a_file_of_somewhere_else_is_noticed() -> None:
    suspicion = datum_suspicion([shapely.box(113, 22, 114, 23)], DISTRICT, stated="EPSG:4549")
    assert suspicion.is_suspicious
    assert "不是本区" in suspicion.message


@pytest.mark.parametrize("geometries", [[], [None], [shapely.Point()], [None, shapely.Point(np.inf, np.inf)]])
def test_nothing_is_not_suspicious(geometries: list[Any]) -> None:
    assert not datum_suspicion(geometries, DISTRICT).is_suspicious
    assert not datum_suspicion(geometries, None, references=[DISTRICT]).is_suspicious


def test_without_anything_to_compare_nothing_is_said() -> None:
    assert datum_suspicion([shapely.Point(121.5, 30.9)], None).message == ""
    assert datum_suspicion([shapely.Point(121.5, 30.9)], None, references=[]).message == ""


def test_invalid_areas_are_compared_all_the_same() -> None:
    bow = shapely.Polygon([(121.35, 30.78), (121.73, 31.03), (121.73, 30.78), (121.35, 31.03)])
    assert not datum_suspicion([bow], DISTRICT).is_suspicious
