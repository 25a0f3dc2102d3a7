"""Columns of coordinates are found by their names, and what is in them is read or reported."""

from __future__ import annotations

from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.exchange.places import PlaceColumns, find_place_columns, number_of, place_rows
from gridmap.exchange.table import Draft


def placed(columns: dict[str, list[Any]]) -> Draft:
    n = len(next(iter(columns.values())))
    draft = Draft(columns=columns, rows=list(range(2, n + 2)))
    found = find_place_columns(list(columns))
    assert found is not None
    place_rows(draft, found)
    return draft


@pytest.mark.parametrize(
    ("columns", "x", "y"),
    [
        (["name", "lon", "lat"], "lon", "lat"), (["LNG", "LAT"], "LNG", "LAT"), (["经度", "纬度"], "经度", "纬度"),
        (["纬度", "经度"], "经度", "纬度"), (["Longitude", "Latitude"], "Longitude", "Latitude"),
        (["x", "y"], "x", "y"), (["X坐标", "Y坐标"], "X坐标", "Y坐标"), (["经度(°)", "纬度(°)"], "经度(°)", "纬度(°)"),
        (["lon_wgs84", "lat_wgs84"], "lon_wgs84", "lat_wgs84"), (["gcj_lng", "gcj_lat"], "gcj_lng", "gcj_lat"),
        (["x", "y", "lon", "lat"], "lon", "lat"), (["lon", "lat", "geometry_lon", "geometry_lat"], "geometry_lon", "geometry_lat"),
        (["point_x", "point_y"], "point_x", "point_y"), ([" Lon ", " Lat "], " Lon ", " Lat "),
    ],
)  # fmt: skip
def test_pairs_are_known_by_their_usual_names(columns: list[str], x: str, y: str) -> None:
    assert find_place_columns(columns) == PlaceColumns(x=x, y=y)


@pytest.mark.parametrize(
    "columns", [[], ["name"], ["lon"], ["lat", "name"], ["经度", "lat"], ["length", "width"]]
)
def test_half_a_pair_or_none_is_no_place(columns: list[str]) -> None:
    assert find_place_columns(columns) is None


def test_wkt_and_joined_coordinates_are_known() -> None:
    assert find_place_columns(["name", "WKT", "x", "y"]) == PlaceColumns(wkt=("WKT",))
    assert find_place_columns(["WKT", "WKT_2", "WKT_3", "WKT_5"]) == PlaceColumns(
        wkt=("WKT", "WKT_2", "WKT_3")
    )
    assert find_place_columns(["name", "location"]) == PlaceColumns(both="location")
    assert find_place_columns(["坐标", "lon", "lat"]) == PlaceColumns(x="lon", y="lat")


def test_names_may_speak_of_a_datum() -> None:
    assert placed({"gcj_lng": ["121.5"], "gcj_lat": ["30.9"]}).declared_crs == "gcj02"
    assert placed({"bd09_lng": ["121.5"], "bd09_lat": ["30.9"]}).declared_crs == "bd09"
    assert placed({"lon": ["121.5"], "lat": ["30.9"]}).declared_crs is None


def test_the_place_is_no_attribute() -> None:
    draft = placed({"name": ["甲"], "lon": ["121.5"], "lat": ["30.9"]})
    assert draft.columns == {"name": ["甲"]}
    assert draft.geometry.tolist() == [shapely.Point(121.5, 30.9)]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("121.5", 121.5), (" 121.5 ", 121.5), ("+121", 121.0), ("-.5", -0.5), ("1.215e2", 121.5), (121, 121.0),
        ("\uff11\uff12\uff11\uff0e\uff15", 121.5), (121.5, 121.5),
        ("nan", None), ("inf", None), ("1_000", None), ("121,5", None), ("121°30′", None), ("", None), ("0x10", None),
        (float("nan"), None), (float("inf"), None), (True, None), (None, None), ("1" * 50, None), ("\u0661\u0662", None),
    ],
)  # fmt: skip
def test_what_a_cell_shows_is_a_number_or_not(cell: Any, number: float | None) -> None:
    assert number_of(cell) == number


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_written_number_is_read_to_the_last_bit(number: float) -> None:
    assert number_of(repr(number)) == number


def test_bad_and_half_coordinates_are_reported_with_row_and_column() -> None:
    draft = placed({"lon": ["121.5", "东经", "121.5", None, ""], "lat": ["30.9", "30.9", None, None, " "]})
    assert [geometry is not None for geometry in draft.geometry] == [True, False, False, False, False]
    assert [(one.row, one.column) for one in draft.problems] == [(3, "lon"), (4, "lat")]
    assert "“东经”不是数字" in draft.problems[0].message
    assert "缺少坐标" in draft.problems[1].message


@pytest.mark.parametrize(
    "text", ["121.5,30.9", "121.5, 30.9", "[121.5,30.9]", "(121.5 30.9)", "121.5;30.9", "121.5\uff0c30.9"]
)
def test_joined_coordinates_are_taken_apart(text: str) -> None:
    assert placed({"坐标": [text, None]}).geometry.tolist() == [shapely.Point(121.5, 30.9), None]


def test_joined_coordinates_that_are_none_are_reported() -> None:
    draft = placed({"坐标": ["南桥镇", "121.5,30.9"]})
    assert [one.row for one in draft.problems] == [2]


def test_columns_that_look_swapped_are_noted_and_left_as_they_are() -> None:
    draft = placed({"经度": ["30.9", "30.8"], "纬度": ["121.5", "121.6"]})
    assert draft.geometry[0] == shapely.Point(30.9, 121.5)
    assert any("填反" in note for note in draft.notes)
    assert not placed({"x": ["351000"], "y": ["3420000"]}).notes


def test_broken_wkt_is_reported_with_its_row() -> None:
    draft = placed({"WKT": ["POINT (1 2)", "POINT (1", None, "", "POLYGON ((0 0, 1 1, 1 0, 0 0))", "hello"]})
    assert [one.row for one in draft.problems] == [3, 7]
    assert [geometry is None for geometry in draft.geometry] == [False, True, True, True, False, True]


def test_wkt_in_several_columns_is_put_together() -> None:
    draft = placed({"WKT": ["POINT (1 ", "POINT (5 6)"], "WKT_2": ["2)", None]})
    assert draft.geometry.tolist() == [shapely.Point(1, 2), shapely.Point(5, 6)]
    assert draft.columns == {}
