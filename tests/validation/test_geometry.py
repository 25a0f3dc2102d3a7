"""Single geometries: every fault is named with its place, nothing else is, and nothing is changed."""

from __future__ import annotations

import warnings

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import from_wkt

from gridmap.errors import InvalidInput
from gridmap.validation.geometry import (
    GeometryFault,
    GeometryProblem,
    accepted_types,
    geometry_problems,
    promoted,
    proposed_repair,
)

BOX = shapely.box(121.4, 30.8, 121.5, 30.9)
BOWTIE = from_wkt("POLYGON((0 0, 1 1, 1 0, 0 1, 0 0))")


def only(geometry: object, expected_type: str = "MultiPolygon", **options: object) -> GeometryProblem:
    (problem,) = geometry_problems([geometry], expected_type=expected_type, **options)
    return problem


def faulty(text: str) -> shapely.Geometry:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # shapely warns while NaN is built, which is the point
        return from_wkt(text)


@pytest.mark.parametrize(
    ("geometry", "fault", "words"),
    [
        (None, GeometryFault.MISSING, "缺少图形"),
        (shapely.Polygon(), GeometryFault.EMPTY, "图形为空"),
        (shapely.Point(121.5, 30.9), GeometryFault.WRONG_TYPE, "“点”"),
        (shapely.GeometryCollection([BOX]), GeometryFault.WRONG_TYPE, "几何集合"),
        (shapely.box(179, 0, 181, 1), GeometryFault.OUT_OF_RANGE, "超出范围"),
        (shapely.box(30.8, 121.4, 30.9, 121.5), GeometryFault.OUT_OF_RANGE, "填反"),
        (shapely.box(351_000, 3_420_000, 351_100, 3_420_100), GeometryFault.OUT_OF_RANGE, "EPSG"),
        (from_wkt("POLYGON((0 0, 1 1, 2 2, 0 0))"), GeometryFault.NO_AREA, "面积为零"),
        (BOWTIE, GeometryFault.INVALID, "自相交"),
        (
            from_wkt("POLYGON((0 0,9 0,9 9,0 9,0 0),(20 20,21 20,21 21,20 20))"),
            GeometryFault.INVALID,
            "外环之外",
        ),
        (
            from_wkt("MULTIPOLYGON(((0 0,9 0,9 9,0 9,0 0)),((2 2,3 2,3 3,2 2)))"),
            GeometryFault.INVALID,
            "各部分互相嵌套",
        ),
        (
            from_wkt("POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,5 1,5 5,1 5,1 1),(2 2,3 2,3 3,2 3,2 2))"),
            GeometryFault.INVALID,
            "互相嵌套",
        ),
        (from_wkt("POLYGON((0 0,9 0,9 9,0 9,0 0),(0 0,9 4,9 9,0 0))"), GeometryFault.INVALID, "位置"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_every_fault_is_named_in_chinese(geometry: object, fault: GeometryFault, words: str) -> None:
    problem = only(geometry)
    assert problem.fault is fault
    assert words in problem.message
    assert problem.message.endswith("。")


def test_a_nan_and_an_infinity_are_not_finite() -> None:
    for text in ("LINESTRING (121 30, NaN 31)", "LINESTRING (121 30, inf 31)"):
        assert only(faulty(text), "MultiLineString").fault is GeometryFault.NOT_FINITE
    for text in ("POLYGON ((0 0, NaN 1, 1 1, 0 0))", "POLYGON ((0 0, inf 1, 1 1, 0 0))"):
        assert only(faulty(text)).fault is GeometryFault.NOT_FINITE
        assert proposed_repair(faulty(text)) is None


def test_a_fault_has_its_place() -> None:
    assert only(BOWTIE).place == (0.5, 0.5)
    assert only(shapely.box(179, 0, 181, 1)).place == (181, 0)
    assert "0.5000000" in only(BOWTIE).message


def test_a_line_needs_length() -> None:
    assert only(from_wkt("LINESTRING (1 1, 1 1)"), "LineString").fault is GeometryFault.NO_LENGTH
    assert geometry_problems([from_wkt("LINESTRING (1 1, 1 2)")], expected_type="LineString") == []


def test_a_line_may_cross_itself() -> None:
    assert (
        geometry_problems([from_wkt("LINESTRING (0 0, 2 2, 2 0, 0 2)")], expected_type="MultiLineString")
        == []
    )


def test_vertices_are_limited() -> None:
    line = shapely.linestrings(np.column_stack([np.linspace(0, 1, 50), np.zeros(50)]))
    assert geometry_problems([line], expected_type="LineString", max_vertices=50) == []
    problem = only(line, "LineString", max_vertices=49)
    assert problem.fault is GeometryFault.TOO_MANY_VERTICES
    assert "50" in problem.message


@pytest.mark.parametrize(
    ("given_type", "expected_type", "is_accepted"),
    [
        ("POINT (1 2)", "Point", True), ("POINT (1 2)", "MultiPoint", True),
        ("MULTIPOINT ((1 2))", "Point", True), ("MULTIPOINT ((1 2), (3 4))", "Point", False),
        ("LINESTRING (0 0, 1 1)", "MultiLineString", True), ("LINESTRING (0 0, 1 1)", "MultiPolygon", False),
        ("POLYGON ((0 0, 1 0, 1 1, 0 0))", "MultiPolygon", True), ("POINT (1 2)", "Polygon", False),
        ("GEOMETRYCOLLECTION (POINT (1 2))", "Geometry", True),
    ],
)  # fmt: skip
def test_single_and_multi_pass_for_each_other_where_nothing_is_lost(
    given_type: str, expected_type: str, is_accepted: bool
) -> None:
    geometry = from_wkt(given_type)
    problems = geometry_problems([geometry], expected_type=expected_type)
    assert [one.fault for one in problems] == ([] if is_accepted else [GeometryFault.WRONG_TYPE])
    if is_accepted and expected_type != "Geometry":
        (form,) = promoted([geometry], expected_type)
        assert form.geom_type == expected_type
        assert shapely.equals(form, geometry)


def test_what_cannot_be_promoted_stays_as_it_is() -> None:
    two = from_wkt("MULTIPOINT ((1 2), (3 4))")
    assert promoted([None, two, BOX], "Point").tolist() == [None, two, BOX]
    assert promoted([shapely.Polygon()], "MultiPolygon")[0].geom_type == "MultiPolygon"


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Circle"):
        geometry_problems([BOX], expected_type="Circle")
    assert "Point" in accepted_types("MultiPoint")


def test_positions_of_problems_are_positions_of_the_input() -> None:
    problems = geometry_problems([BOX, None, BOX, BOWTIE, BOX], expected_type="Polygon")
    assert [(one.index, one.fault) for one in problems] == [
        (1, GeometryFault.MISSING),
        (3, GeometryFault.INVALID),
    ]


def test_nothing_has_no_problems() -> None:
    assert geometry_problems([], expected_type="Point") == []


def test_bounds_are_inclusive_and_may_be_left_out() -> None:
    corner = shapely.Point(180, 90)
    assert geometry_problems([corner], expected_type="Point") == []
    far = shapely.Point(351_000, 3_420_000)
    assert geometry_problems([far], expected_type="Point", bounds=None) == []
    assert only(corner, "Point", bounds=(121, 30, 122, 31)).fault is GeometryFault.OUT_OF_RANGE


def test_the_input_is_left_alone() -> None:
    geometries = [BOWTIE, BOX]
    before = [shapely.to_wkb(one) for one in geometries]
    geometry_problems(geometries, expected_type="Polygon")
    assert [shapely.to_wkb(one) for one in geometries] == before


# --- repair -----------------------------------------------------------------------------------------------


def test_a_repair_says_what_it_changes() -> None:
    repair = proposed_repair(BOWTIE)
    assert repair is not None
    assert repair.geometry.is_valid
    assert repair.geometry.area == pytest.approx(0.5)
    assert repair.area_change == pytest.approx(0.5)  # the two halves of a bow-tie cancel out before
    assert "自相交" in repair.message
    assert "2 个部分" in repair.message


@pytest.mark.parametrize("geometry", [None, BOX, shapely.Polygon(), shapely.Point(1, 2)])
def test_what_is_sound_or_nothing_needs_no_repair(geometry: object) -> None:
    assert proposed_repair(geometry) is None


def test_a_place_without_ground_cannot_be_repaired() -> None:
    assert proposed_repair(from_wkt("POLYGON((0 0, 1 1, 2 2, 0 0))")) is None


def test_a_repair_is_valid_even_where_geos_needs_two_passes() -> None:
    touching = shapely.Polygon([(0, 0), (1, 0), (0, 1), (0, 2), (1, 0), (0, 1)])
    repair = proposed_repair(touching)
    assert repair is not None
    assert repair.geometry.is_valid
    assert repair.geometry.area == pytest.approx(1.0)


coordinates = st.tuples(st.integers(0, 6), st.integers(0, 6))


@settings(deadline=None)
@given(st.lists(coordinates, min_size=3, max_size=8))
def test_a_repair_is_valid_and_inside_the_hull(ring: list[tuple[int, int]]) -> None:
    polygon = shapely.Polygon(ring)
    repair = proposed_repair(polygon)
    faults = [one.fault for one in geometry_problems([polygon], expected_type="Polygon")]
    assert (repair is None) or (faults in ([GeometryFault.INVALID], [GeometryFault.NO_AREA]))
    if repair is not None:
        assert geometry_problems([repair.geometry], expected_type="MultiPolygon") == []
        assert polygon.convex_hull.buffer(1e-9).covers(repair.geometry)
    if polygon.is_valid and polygon.area > 0:
        assert faults == []


def test_the_real_towns_and_roads_are_sound(shared_data: object) -> None:
    towns = geopandas.read_file(shared_data / "boundaries" / "fengxian_streets_wgs84.geojson")
    assert geometry_problems(towns.geometry, expected_type="MultiPolygon") == []
    roads = geopandas.read_file(shared_data / "roads" / "shenzhen_futian_osm_drive_edges.geojson")
    assert geometry_problems(roads.geometry, expected_type="MultiLineString") == []
