"""GeoJSON feature by feature: ids, members, faults in their row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.exchange import read_table, write_table
from gridmap.exchange.geojson import BadGeometry, geometry_of, read_geojson
from gridmap.exchange.table import Draft, Limits
from tests.exchange.samples import AREA, areas, frame_of, lines, points, workstations


def read(document: Any, **options: Any) -> Draft:
    data = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    return read_geojson(data, limits=Limits(), **options)


def collection(*features: Any, **members: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", **members, "features": list(features)}


def feature(properties: Any = None, geometry: Any = None, **members: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry, **members}


POINT = {"type": "Point", "coordinates": [121.5, 30.9]}


def test_a_byte_order_mark_and_gbk_are_read() -> None:
    document = json.dumps(collection(feature({"名称": "南桥"})), ensure_ascii=False)
    for codec in ("utf-8-sig", "gbk", "utf-8"):
        assert read(document.encode(codec)).columns == {"名称": ["南桥"]}


@pytest.mark.parametrize("document", [collection(feature({"a": 1}, POINT)), feature({"a": 1}, POINT), POINT])
def test_a_collection_a_feature_and_a_bare_geometry_are_tables(document: Any) -> None:
    draft = read(document)
    assert draft.rows == [1]
    assert draft.geometry[0] == shapely.Point(121.5, 30.9)


def test_ids_of_features_become_a_column() -> None:
    assert read(collection(feature({"a": 1}, id="x"), feature({"a": 2}, id=7))).columns == {
        "id": ["x", 7],
        "a": [1, 2],
    }
    assert read(collection(feature({"id": "x"}, id="x"))).columns == {"id": ["x"]}
    draft = read(collection(feature({"id": "other"}, id="x")))
    assert draft.columns == {"id": ["x"], "id_2": ["other"]}
    assert any("id_2" in note for note in draft.notes)
    assert read(collection(feature({"id": "own"}))).columns == {"id": ["own"]}


def test_values_keep_their_type_and_a_lacking_property_is_missing() -> None:
    values = {
        "text": "007",
        "n": 7,
        "x": 0.5,
        "yes": True,
        "none": None,
        "list": [1, "甲"],
        "object": {"a": 1},
    }
    draft = read(collection(feature(values), feature({})))
    assert {name: column[0] for name, column in draft.columns.items()} == values | {
        "list": '[1, "甲"]', "object": '{"a": 1}',
    }  # fmt: skip
    assert all(column[1] is None for column in draft.columns.values())


def test_whole_numbers_stay_whole_beside_missing_ones() -> None:
    table = read_table(json.dumps(collection(feature({"n": 2**53 + 1}), feature({"n": None}))).encode())
    assert [row["n"] for _, row, _ in table.records()] == [2**53 + 1, None]


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ({"type": "Circle", "coordinates": [1, 2]}, "Circle"),
        ({"type": "Point"}, "缺少坐标"),
        ({"type": "Point", "coordinates": ["121.5", "30.9"]}, "数字"),
        ({"type": "Point", "coordinates": [None, None]}, "数字"),
        ({"type": "Point", "coordinates": [121.5]}, "数字"),
        ({"type": "Point", "coordinates": {"x": 1}}, "缺少坐标"),
        ({"type": "Point", "coordinates": [True, False]}, "数字"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "点数不足"),
        ({"type": "LineString", "coordinates": [[1, 2], [3]]}, "数字"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "闭合"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}, "点数不足"),
        ({"type": "Polygon", "coordinates": [[0, 0], [1, 0]]}, "点数不足"),
        ({"type": "MultiPolygon", "coordinates": 7}, "缺少坐标"),
        ({"type": "GeometryCollection"}, "几何集合"),
        ("POINT (1 2)", "未知"),
        ([], "未知"),
    ],
)
def test_a_bad_geometry_is_reported_in_its_row_and_hides_no_other(geometry: Any, words: str) -> None:
    draft = read(collection(feature({"a": 1}, POINT), feature({"a": 2}, geometry), feature({"a": 3}, POINT)))
    assert [one is None for one in draft.geometry] == [False, True, False]
    (problem,) = draft.problems
    assert (problem.row, problem.column) == (2, "geometry")
    assert words in problem.message


def test_what_is_no_feature_is_reported_in_its_row() -> None:
    draft = read(collection("x", None, {"type": "Feature", "properties": [1]}, feature({"a": 1}, POINT)))
    assert draft.rows == [1, 2, 3, 4]
    assert [one.row for one in draft.problems] == [1, 2, 3]
    assert draft.columns == {"a": [None, None, None, 1]}


def test_heights_are_dropped_and_nan_is_kept_for_the_validation() -> None:
    assert not geometry_of({"type": "Point", "coordinates": [1, 2, 3]}).has_z
    draft = read(b'{"type":"LineString","coordinates":[[NaN, 1],[2, Infinity]]}')
    assert str(draft.geometry[0]).lower().startswith("linestring (nan 1")


def test_nested_collections_are_read_to_a_depth() -> None:
    nested: Any = POINT
    for _ in range(60):
        nested = {"type": "GeometryCollection", "geometries": [nested]}
    with pytest.raises(BadGeometry):
        geometry_of(nested)
    assert geometry_of(nested, 100).geom_type == "GeometryCollection"


@pytest.mark.parametrize(
    ("members", "declared"),
    [
        ({}, None),
        ({"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}}, "wgs84"),
        ({"crs": {"type": "name", "properties": {"name": "EPSG:4549"}}}, "EPSG:4549"),
        ({"datum": {"id": "gcj02"}}, "gcj02"),
        ({"crs": None}, None),
        ({"crs": {"type": "name"}}, None),
        ({"crs": {"properties": {"name": 7}}, "datum": "x"}, None),
    ],
)
def test_what_the_file_says_of_its_datum_is_read(members: dict[str, Any], declared: str | None) -> None:
    table = read_table(json.dumps(collection(**members)).encode())
    assert table.declared_crs == declared


def test_an_unknown_system_is_noted() -> None:
    crs = {"type": "name", "properties": {"name": "local grid"}}
    table = read_table(json.dumps(collection(crs=crs)).encode())
    assert table.declared_crs == "local grid"
    assert any("坐标系" in note for note in table.notes)


def test_broken_characters_are_replaced() -> None:
    assert read(b'{"type":"Feature","properties":{"a":"x\\ud800y"},"geometry":null}').columns == {
        "a": ["x?y"]
    }


@settings(deadline=None)
@given(st.one_of(points, lines(), areas()))
def test_geometry_is_what_shapely_writes(geometry: shapely.Geometry) -> None:
    assert shapely.equals_identical(geometry_of(json.loads(shapely.to_geojson(geometry))), geometry)


# --- writing ----------------------------------------------------------------------------------------------


def written(tmp_path: Path, **options: Any) -> dict[str, Any]:
    path = write_table(workstations(), tmp_path / "out.geojson", title="警务站", **options).path
    return json.loads(path.read_text("utf-8"))


def test_what_is_written_is_rfc_7946(tmp_path: Path) -> None:
    document = written(tmp_path)
    assert document["type"] == "FeatureCollection"
    assert document["name"] == "警务站"
    assert "crs" not in document
    assert "datum" not in document
    first = document["features"][0]
    assert set(first) == {"type", "id", "geometry", "properties"}
    assert first["id"] == workstations()["id"][0]
    assert "id" not in first["properties"]
    assert first["properties"]["people"] == 12
    assert first["properties"]["is_open"] is True
    assert document["features"][1]["geometry"] is None


def test_outer_rings_run_counter_clockwise(tmp_path: Path) -> None:
    clockwise = shapely.orient_polygons(AREA, exterior_cw=True)
    write_table(frame_of({"id": ["a"]}, [clockwise]), tmp_path / "a.geojson")
    rings = json.loads((tmp_path / "a.geojson").read_text())["features"][0]["geometry"]["coordinates"]
    assert [shapely.LinearRing(ring).is_ccw for ring in rings] == [True, False]


def test_another_datum_is_a_foreign_member_and_crs_where_the_register_knows_it(tmp_path: Path) -> None:
    gcj02 = written(tmp_path, datum="gcj02")
    assert gcj02["datum"]["id"] == "gcj02"
    assert "crs" not in gcj02
    projected = written(tmp_path, datum="EPSG:4549")
    assert projected["datum"]["id"] == "EPSG:4549"
    assert projected["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::4549"


def test_remarks_are_a_member(tmp_path: Path) -> None:
    assert written(tmp_path, remarks=[("数据来源", "模拟数据")])["remarks"] == {"数据来源": "模拟数据"}


def test_gdal_reads_the_same(tmp_path: Path) -> None:
    written(tmp_path)
    other = pyogrio.read_dataframe(tmp_path / "out.geojson")
    assert other["name"].tolist() == workstations()["name"].tolist()
    assert other["id"].tolist() == workstations()["id"].tolist()
    assert other.geometry[0].equals(workstations().geometry[0])
    assert other.crs.to_epsg() == 4326
