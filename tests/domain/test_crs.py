"""Datums: published vectors, inverses, the edge of the box, names, and the choice of metres."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod

from gridmap.domain.crs import (
    BD09,
    CGCS2000,
    CHINA_BOX,
    GCJ02,
    WGS84,
    CrsUnknownError,
    Datum,
    DatumKind,
    bd09_to_gcj02,
    bd09_to_wgs84,
    crs_text,
    datum_of_crs,
    from_metric,
    from_wgs84,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    metric_crs,
    metric_crs_of,
    parse_datum,
    to_metric,
    to_wgs84,
    wgs84_to_bd09,
    wgs84_to_gcj02,
    xy_in_metres,
)
from gridmap.errors import GridmapError, InvalidInput

WEST, SOUTH, EAST, NORTH = CHINA_BOX
FENGXIAN = (121.5, 30.9)
GEOD = Geod(ellps="WGS84")

in_china = st.tuples(st.floats(WEST, EAST), st.floats(SOUTH, NORTH))
outside = st.one_of(
    st.tuples(st.floats(-180, WEST - 0.1), st.floats(-90, 90)),
    st.tuples(st.floats(EAST + 0.1, 180), st.floats(-90, 90)),
    st.tuples(st.floats(-180, 180), st.floats(-90, SOUTH - 0.1)),
    st.tuples(st.floats(-180, 180), st.floats(NORTH + 0.1, 90)),
)
FORWARD = [wgs84_to_gcj02, gcj02_to_bd09, wgs84_to_bd09]
INVERSE = [gcj02_to_wgs84, bd09_to_gcj02, bd09_to_wgs84]


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(GEOD.inv(*a, *b)[2])


# --- formulas ---------------------------------------------------------------------------------------------


def test_published_vectors_are_met_within_their_tolerance(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors" / "crs_vectors_public.json").read_text("utf-8"))
    for name, function in [
        ("wgs84_to_gcj02", wgs84_to_gcj02),
        ("gcj02_to_bd09", gcj02_to_bd09),
        ("wgs84_to_bd09", wgs84_to_bd09),
        ("bd09_to_wgs84_one_step", bd09_to_wgs84),
    ]:
        assert vectors[name]
        for vector in vectors[name]:
            assert metres(function(*vector["in"]), vector["out"]) <= vector["tol_m"], (name, vector)


def test_in_fengxian_gcj02_lies_some_435_m_east_and_229_m_south() -> None:
    lon, lat = wgs84_to_gcj02(*FENGXIAN)
    assert GEOD.inv(*FENGXIAN, lon, FENGXIAN[1])[2] == pytest.approx(435, abs=25)
    assert GEOD.inv(*FENGXIAN, FENGXIAN[0], lat)[2] == pytest.approx(229, abs=25)
    assert lon > FENGXIAN[0]
    assert lat < FENGXIAN[1]


@settings(deadline=None)
@given(in_china)
def test_inverses_give_back_every_place_in_china(place: tuple[float, float]) -> None:
    for forward, inverse in [(wgs84_to_gcj02, gcj02_to_wgs84), (gcj02_to_bd09, bd09_to_gcj02)]:
        assert inverse(*forward(*place)) == pytest.approx(place, abs=1e-10, rel=0)


@settings(deadline=None)
@given(st.tuples(st.floats(73.5, 136), st.floats(3, 54)))
def test_the_forward_formula_gives_back_what_was_inverted(place: tuple[float, float]) -> None:
    for forward, inverse in zip(FORWARD, INVERSE, strict=True):
        assert forward(*inverse(*place)) == pytest.approx(place, abs=1e-10, rel=0)


@settings(deadline=None)
@given(outside)
def test_outside_china_nothing_moves(place: tuple[float, float]) -> None:
    for function in FORWARD + INVERSE:
        assert function(*place) == place


@pytest.mark.parametrize(
    "corner", [(WEST, SOUTH), (EAST, SOUTH), (WEST, NORTH), (EAST, NORTH)], ids=["SW", "SE", "NW", "NE"]
)
def test_the_border_of_the_box_belongs_to_china_and_inverts(corner: tuple[float, float]) -> None:
    moved = wgs84_to_gcj02(*corner)
    assert moved != corner
    assert gcj02_to_wgs84(*moved) == pytest.approx(corner, abs=1e-10, rel=0)
    beyond = (np.nextafter(corner[0], 200 if corner[0] > 100 else 0), corner[1])
    assert wgs84_to_gcj02(*beyond) == beyond


def test_a_place_near_the_box_that_the_shift_does_not_reach_stays() -> None:
    for place in [(EAST + 0.05, 35.0), (WEST - 0.05, 35.0), (100.0, NORTH + 0.05), (100.0, SOUTH - 0.05)]:
        for function in FORWARD + INVERSE:
            assert function(*place) == place


def test_a_place_just_inside_the_box_that_nothing_maps_to_stays_within_the_shift() -> None:
    lon, lat = gcj02_to_wgs84(WEST + 1e-4, 35.0)
    assert abs(lon - WEST) < 0.02
    assert abs(lat - 35.0) < 0.02


def test_nan_and_infinity_pass_without_a_warning() -> None:
    lon = np.array([np.nan, np.inf, -np.inf, 121.5, np.nan])
    lat = np.array([30.9, 30.9, 30.9, np.nan, np.nan])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in FORWARD + INVERSE:
            moved = function(lon, lat)
            np.testing.assert_array_equal(moved[0], lon)
            np.testing.assert_array_equal(moved[1], lat)


def test_a_nan_does_not_spoil_its_neighbours() -> None:
    lon, lat = gcj02_to_wgs84([121.5, np.nan], [30.9, 30.9])
    assert (lon[0], lat[0]) == gcj02_to_wgs84(121.5, 30.9)


def test_scalars_give_scalars_and_arrays_keep_their_shape() -> None:
    for function in FORWARD + INVERSE:
        assert isinstance(function(121, 30)[0], float)
        assert function([], [])[0].shape == (0,)
        assert function(np.full((2, 3), 121.5), 30.9)[1].shape == (2, 3)


def test_input_arrays_are_left_alone() -> None:
    lon, lat = np.array([121.5]), np.array([30.9])
    for function in FORWARD + INVERSE:
        function(lon, lat)
    assert (lon[0], lat[0]) == FENGXIAN


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "datum"),
    [
        ("wgs84", WGS84), ("WGS 84", WGS84), ("EPSG:4326", WGS84), ("4326", WGS84),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", WGS84),
        ("cgcs2000", CGCS2000), ("EPSG:4490", CGCS2000), ("2000国家大地坐标系", CGCS2000),
        ("gcj02", GCJ02), ("GCJ-02", GCJ02), ("火星坐标", GCJ02),
        ("bd09", BD09), ("BD_09", BD09),
        ("EPSG:4549", Datum(DatumKind.EPSG, 4549)), ("epsg:4549", Datum(DatumKind.EPSG, 4549)),
        ("4549", Datum(DatumKind.EPSG, 4549)),
        ("urn:ogc:def:crs:EPSG::4549", Datum(DatumKind.EPSG, 4549)),
    ],
)  # fmt: skip
def test_datums_are_known_by_their_usual_names(text: str, datum: Datum) -> None:
    assert parse_datum(text) == datum
    assert parse_datum(str(datum)) == datum
    assert datum.title


@pytest.mark.parametrize(
    "text", ["", "wgs", "mars", "EPSG:", "EPSG:999999", "99999999999", ":4549", "x" * 5000]
)
def test_unknown_datums_are_refused_by_name(text: str) -> None:
    with pytest.raises(CrsUnknownError) as caught:
        parse_datum(text)
    assert isinstance(caught.value, GridmapError)
    assert isinstance(caught.value, ValueError)
    assert "EPSG:4549" in caught.value.chinese()
    assert len(caught.value.chinese()) < 300


@pytest.mark.parametrize("text", ["EPSG:5773", "EPSG:4978"], ids=["heights", "geocentric"])
def test_a_register_entry_without_horizontal_positions_is_refused(text: str) -> None:
    with pytest.raises(CrsUnknownError, match="horizontal"):
        parse_datum(text)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_datum_or_a_clear_refusal(text: str) -> None:
    try:
        datum = parse_datum(text)
    except CrsUnknownError:
        return
    assert parse_datum(str(datum)) == datum


def test_an_epsg_code_belongs_to_the_kind_epsg_alone() -> None:
    with pytest.raises(ValueError, match="EPSG"):
        Datum(DatumKind.EPSG)
    with pytest.raises(ValueError, match="EPSG"):
        Datum(DatumKind.GCJ02, 4326)


@pytest.mark.parametrize(
    "datum", [WGS84, CGCS2000, GCJ02, BD09, parse_datum("4549"), parse_datum("32651")], ids=str
)
def test_what_a_file_says_of_its_datum_is_known_again(datum: Datum) -> None:
    assert datum_of_crs(crs_text(datum)) == datum
    # Other programs rewrite it: with and without register codes, and with a prefix on geographic names.
    crs = CRS.from_user_input(crs_text(datum))
    for version in ("WKT2_2019", "WKT1_GDAL", "WKT1_ESRI"):
        assert datum_of_crs(crs.to_wkt(version)) == datum
    assert datum.suffix == ("" if datum is WGS84 else f"_{str(datum).lower().replace(':', '')}")


@pytest.mark.parametrize("name", [None, "", "no such system", 'GEOGCS["Mars 2000",broken'])
def test_an_unknown_statement_of_a_file_means_no_datum(name: str | None) -> None:
    assert datum_of_crs(name) is None


# --- geometry ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wgs84", "cgcs2000", "gcj02", "bd09", "EPSG:4549", "EPSG:32651"])
def test_every_datum_brings_geometry_back(name: str) -> None:
    polygon = shapely.Polygon(
        [(121.4, 30.8), (121.6, 30.8), (121.6, 31.0)], [[(121.55, 30.82), (121.58, 30.82), (121.58, 30.85)]]
    )
    geometries = np.array(
        [polygon, shapely.MultiPoint([(121.5, 30.9), (121.51, 30.9)]), None, shapely.Point()]
    )
    there = from_wgs84(geometries, name)
    back = to_wgs84(there, name)
    assert there.shape == back.shape == (4,)
    assert back[2] is None
    assert back[3].is_empty
    for before, after in zip(geometries[:2], back[:2], strict=True):
        assert shapely.equals_exact(before, after, tolerance=1e-9)
    if parse_datum(name).is_shifted:
        assert not shapely.equals_exact(polygon, there[0], tolerance=1e-3)


def test_heights_are_dropped() -> None:
    for name in ("wgs84", "gcj02", "EPSG:4549"):
        assert not to_wgs84([shapely.Point(121.5, 30.9, 7.0)], name)[0].has_z


def test_a_projected_file_is_read_easting_first() -> None:
    # 500,000 m is the false easting of the zone: the central meridian 120° E.
    point = to_wgs84([shapely.Point(500_000, 3_420_000)], "4549")[0]
    assert point.x == pytest.approx(120.0, abs=1e-9)
    assert 30 < point.y < 31


def test_no_geometry_at_all_is_no_error() -> None:
    assert to_wgs84([], "gcj02").shape == (0,)


def test_the_metric_system_of_the_district_is_utm_51_north() -> None:
    assert metric_crs(*FENGXIAN).to_epsg() == 32651
    assert metric_crs_of([shapely.box(121.3, 30.8, 121.7, 31.0), None, shapely.Point()]).to_epsg() == 32651


@pytest.mark.parametrize(
    ("place", "code"),
    [((-180, 0), 32601), ((180, 0), 32660), ((120, -0.1), 32751), ((119.999, 1), 32650), ((120, 1), 32651)],
)
def test_zones_are_six_degrees_wide_and_the_equator_is_north(place: tuple[float, float], code: int) -> None:
    assert metric_crs(*place).to_epsg() == code


@pytest.mark.parametrize("place", [(181, 0), (0, 91), (np.nan, 0), (0, np.inf)])
def test_nowhere_has_no_zone(place: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput):
        metric_crs(*place)


def test_nothing_has_no_zone() -> None:
    with pytest.raises(InvalidInput, match="no position"):
        metric_crs_of([None, shapely.Point(), shapely.Point(np.nan, np.nan)])


def test_metres_are_metres_within_the_scale_of_the_zone() -> None:
    crs = metric_crs(*FENGXIAN)
    ends = np.array([[121.5, 30.9], [121.52, 30.93]])
    xy = xy_in_metres(ends[:, 0], ends[:, 1], crs)
    assert np.hypot(*(xy[1] - xy[0])) == pytest.approx(metres(tuple(ends[0]), tuple(ends[1])), rel=4e-4)
    line = to_metric([shapely.LineString(ends)])[0]
    np.testing.assert_array_equal(shapely.get_coordinates(line), xy)
    assert shapely.equals_exact(from_metric([line], crs)[0], shapely.LineString(ends), tolerance=1e-10)


def test_the_datav_outline_is_the_district_only_after_conversion(shared_data: Path) -> None:
    import geopandas

    towns = geopandas.read_file(shared_data / "boundaries" / "fengxian_streets_wgs84.geojson")
    district = shapely.union_all(towns.geometry.to_numpy())
    datav = geopandas.read_file(shared_data / "boundaries" / "shanghai_districts_datav_gcj02.geojson")
    outline = datav.loc[datav.name == "奉贤区"].geometry.to_numpy()

    def iou(other: object) -> float:
        a, b = to_metric([district, other], metric_crs(*FENGXIAN))
        return shapely.area(shapely.intersection(a, b)) / shapely.area(shapely.union(a, b))

    assert iou(outline[0]) < 0.96
    assert iou(to_wgs84(outline, "gcj02")[0]) >= 0.99
