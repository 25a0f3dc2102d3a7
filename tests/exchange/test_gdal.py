"""GeoPackages: layers by their Chinese titles, whole or refused, typed both ways."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
import pytest
import shapely

from gridmap.exchange import FileBroken, LayerMissing, list_layers, read_table, write_table
from gridmap.exchange.gdal import common_type
from tests.exchange.samples import AREA, frame_of, same_geometry, values, workstations


def test_gdal_lists_and_reads_the_layer_by_its_chinese_title(tmp_path: Path) -> None:
    write_table(workstations(), tmp_path / "a.gpkg", title="警务站", remarks=[("数据来源", "模拟数据")])
    assert pyogrio.list_layers(tmp_path / "a.gpkg").tolist() == [["警务站", "Point"]]
    info = pyogrio.read_info(tmp_path / "a.gpkg")
    assert info["layer_metadata"]["数据来源"] == "模拟数据"
    other = pyogrio.read_dataframe(tmp_path / "a.gpkg")
    assert other.crs.to_epsg() == 4326
    assert other["code"].tolist() == workstations()["code"].tolist()


def test_the_columns_are_typed_as_a_geopackage_types_them(tmp_path: Path) -> None:
    write_table(workstations(), tmp_path / "a.gpkg", title="警务站")
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as database:
        types = {name: kind for _, name, kind, *_ in database.execute('PRAGMA table_info("警务站")')}
    assert {name: types[name] for name in ("id", "people", "share", "is_open", "checked_on", "verified_at")} == {
        "id": "TEXT", "people": "INTEGER", "share": "REAL", "is_open": "BOOLEAN", "checked_on": "DATE",
        "verified_at": "DATETIME",
    }  # fmt: skip


def test_columns_without_any_value_keep_the_type_of_the_frame(tmp_path: Path) -> None:
    write_table(workstations().iloc[:0], tmp_path / "a.gpkg", title="空")
    assert pyogrio.read_info(tmp_path / "a.gpkg")["dtypes"].tolist()[4:7] == ["int64", "float64", "bool"]


def test_one_of_several_layers_has_to_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for name in ("甲", "乙"):
        pyogrio.write_dataframe(workstations()[["id", "geometry"]], path, layer=name, append=path.exists())
    assert list_layers(path) == ("甲", "乙")
    with pytest.raises(LayerMissing) as caught:
        read_table(path)
    assert caught.value.layers == ["甲", "乙"]
    assert "甲、乙" in caught.value.chinese()
    assert len(read_table(path, layer_name="乙")) == 3


def test_a_table_without_geometry_is_read_too(tmp_path: Path) -> None:
    pyogrio.write_dataframe(pandas.DataFrame({"code": ["007"]}), tmp_path / "a.gpkg", layer="表")
    table = read_table(tmp_path / "a.gpkg")
    assert values(table.frame) == {"code": ["007"]}
    assert table.geometry.tolist() == [None]


def test_a_cut_off_or_damaged_geopackage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    n = 2000
    write_table(frame_of({"id": [str(i) for i in range(n)]}, shapely.points(np.full((n, 2), 30.0))), path)
    whole = path.read_bytes()
    for cut in (whole[:-1], whole[:-4096], whole[: len(whole) // 2], whole[:200], whole[:50]):
        with pytest.raises(FileBroken) as caught:
            read_table(cut, filename="a.gpkg")
        assert "GeoPackage" in caught.value.chinese()
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 5000] = b"\xff" * 5000
    with pytest.raises(FileBroken):
        read_table(bytes(damaged), filename="a.gpkg")


def test_a_database_left_in_wal_mode_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_table(workstations(), path, title="警务站")
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    assert len(read_table(path)) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.gpkg"]


def test_photos_are_left_out_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_table(workstations()[["id", "geometry"]], path, title="警务站")
    with closing(sqlite3.connect(path)) as database:
        for name in ("rtree_警务站_geom_update6", "rtree_警务站_geom_update7"):
            database.execute(f'DROP TRIGGER IF EXISTS "{name}"')  # they call functions that only GDAL has
        database.execute('ALTER TABLE "警务站" ADD COLUMN photo BLOB')
        database.commit()
    table = read_table(path)
    assert table.columns == ("id",)
    assert any("photo" in note for note in table.notes)


def test_a_geometry_that_cannot_be_read_is_reported_in_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    # A ring that does not close: GDAL hands it over, GEOS refuses it.
    bad = bytearray(shapely.to_wkb(shapely.box(121, 30, 122, 31), byte_order=1))
    bad[13:21] = np.float64(120).tobytes()
    import pyarrow

    table = pyarrow.table({"id": ["a", "b"], "geometry": pyarrow.array([shapely.to_wkb(AREA), bytes(bad)])})
    pyogrio.write_arrow(
        table,
        path,
        layer="面",
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="Polygon",
        crs="EPSG:4326",
    )
    read = read_table(path)
    assert [one is None for one in read.geometry] == [False, True]
    assert [one.row for one in read.problems] == [2]


def test_names_that_a_geopackage_reserves_are_changed_with_a_note(tmp_path: Path) -> None:
    frame = frame_of({"fid": ["a"], "Name": ["b"], "name": ["c"], "geom": ["d"]}, [shapely.Point(1, 2)])
    report = write_table(frame, tmp_path / "a.gpkg", title="点")
    assert any("“fid”→“fid_2”" in note for note in report.notes)
    assert values(read_table(tmp_path / "a.gpkg").frame) == {
        "fid_2": ["a"], "Name": ["b"], "name_2": ["c"], "geom_2": ["d"],
    }  # fmt: skip


def test_times_are_kept_in_utc_to_the_millisecond(tmp_path: Path) -> None:
    at = datetime(2026, 3, 2, 16, 0, 0, 123456).astimezone(UTC)
    write_table(frame_of({"at": [at]}, [None]), tmp_path / "a.gpkg")
    assert values(read_table(tmp_path / "a.gpkg").frame)["at"] == [at.replace(microsecond=123000)]


def test_mixed_values_become_texts(tmp_path: Path) -> None:
    frame = frame_of({"x": [1, "a", None, [1, 2]]}, [None] * 4)
    write_table(frame, tmp_path / "a.gpkg")
    assert values(read_table(tmp_path / "a.gpkg").frame)["x"] == ["1", "a", None, "[1, 2]"]


@pytest.mark.parametrize("title", ["警务站'; DROP TABLE x", 'a"b', "a b", "x" * 100, "\x00\x07", ""])
def test_any_title_makes_a_layer(title: str, tmp_path: Path) -> None:
    write_table(workstations(), tmp_path / "a.gpkg", title=title)
    assert len(list_layers(tmp_path / "a.gpkg")) == 1
    assert len(read_table(tmp_path / "a.gpkg")) == 3


def test_a_layer_has_one_geometry_type_where_it_can() -> None:
    box = shapely.box(0, 0, 1, 1)
    multi = shapely.MultiPolygon([box])
    for shapes, kind in [
        ([box, None], "Polygon"), ([box, multi], "MultiPolygon"), ([multi], "MultiPolygon"),
        ([shapely.Point(1, 2), box], "Unknown"), ([None], "Unknown"), ([], "Unknown"),
    ]:  # fmt: skip
        array = np.array([*shapes, None], dtype=object)[:-1]
        found, geometry = common_type(array)
        assert found == kind
        assert same_geometry(geometry, array)
        if kind == "MultiPolygon":
            assert {one.geom_type for one in geometry} == {"MultiPolygon"}


def test_another_programs_geopackage_is_read(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"名称": ["甲", None], "数": [1, 2]}, geometry=[shapely.Point(500_000, 3_420_000)] * 2, crs=4549
    )
    frame.to_file(tmp_path / "a.gpkg", layer="点")
    table = read_table(tmp_path / "a.gpkg")
    assert table.declared_crs == "EPSG:4549"
    assert values(table.frame) == {"名称": ["甲", None], "数": [1, 2]}
