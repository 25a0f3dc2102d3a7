"""What is written comes back: every format, every type, every datum; and the real data."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings

from gridmap.domain.crs import metric_crs, to_metric, to_wgs84
from gridmap.exchange import Format, datum_suspicion, read_table, write_table
from gridmap.exchange.cells import text_of
from tests.exchange.samples import AREA, frame_of, frames, same_geometry, values, workstations

DATUMS = ["wgs84", "cgcs2000", "gcj02", "bd09", "EPSG:4549", "EPSG:32651"]


def there_and_back(frame: geopandas.GeoDataFrame, folder: Path, format: Format, **options: Any) -> Any:
    report = write_table(frame, folder / f"out{format.extension}", title="警务站", **options)
    return read_table(report.path, filename=report.suggested_name)


def expected(frame: geopandas.GeoDataFrame, format: Format) -> dict[str, list[Any]]:
    """The values as the format can hold them."""

    def held(value: Any) -> Any:
        if format is Format.XLSX and isinstance(value, float) and abs(value) >= 9.99e307:
            return str(value)  # beyond what a workbook calls a number
        if format is Format.CSV:
            return text_of(value)
        if format is Format.XLSX and value == "":
            return None  # an empty text and an empty cell are the same thing in a workbook
        if format is Format.XLSX and isinstance(value, datetime):
            return value.isoformat()
        if format is Format.XLSX and isinstance(value, int) and abs(value) >= 10**15:
            return str(value)  # a workbook keeps 15 digits of a number
        if format in (Format.GEOJSON, Format.KML) and isinstance(value, date):
            return value.isoformat()
        return value

    columns = {name: [held(value) for value in column] for name, column in values(frame).items()}
    if format is Format.KML:  # its whole numbers have 32 bits; longer ones are texts
        for name, column in columns.items():
            if any(type(value) is int and abs(value) >= 2**31 for value in column):
                columns[name] = [text_of(value) for value in column]
    return columns


def close(got: Any, want: Any, format: Format) -> bool:
    if format is Format.XLSX and isinstance(want, float):
        return got == pytest.approx(want, rel=1e-15)  # sixteen digits
    return got == want and (got is None or isinstance(want, int | float) or type(got) is type(want))


def check_values(got: dict[str, list[Any]], want: dict[str, list[Any]], format: Format) -> None:
    assert got.keys() == want.keys()
    for name, column in want.items():
        wrong = [pair for pair in zip(got[name], column, strict=True) if not close(*pair, format)]
        assert wrong == [], name


@pytest.mark.parametrize("format", Format)
def test_every_type_of_value_comes_back(format: Format, tmp_path: Path) -> None:
    frame = workstations()
    table = there_and_back(frame, tmp_path, format)
    check_values(values(table.frame), expected(frame, format), format)
    assert same_geometry(table.geometry, frame.geometry)
    assert table.problems == ()
    assert table.format is format
    first = 2 if format in (Format.CSV, Format.XLSX) else 1
    assert table.rows.tolist() == [first, first + 1, first + 2]


@pytest.mark.parametrize("format", Format)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=frames())
def test_any_table_comes_back(format: Format, frame: geopandas.GeoDataFrame, tmp_path: Path) -> None:
    table = there_and_back(frame, tmp_path, format)
    check_values(values(table.frame), expected(frame, format), format)
    assert same_geometry(table.geometry, frame.geometry)


@pytest.mark.parametrize("datum", DATUMS)
@pytest.mark.parametrize("format", Format)
def test_every_datum_comes_back_and_says_what_it_is(format: Format, datum: str, tmp_path: Path) -> None:
    frame = frame_of({"id": ["a", "b"]}, [AREA, shapely.box(121.6, 30.8, 121.7, 31.0)])
    table = there_and_back(frame, tmp_path, format, datum=datum)
    if datum != "wgs84" or format in (Format.GEOPACKAGE, Format.SHAPEFILE):
        assert table.declared_crs == datum
    else:
        assert table.declared_crs is None
    moved = to_wgs84(table.geometry, datum)
    assert same_geometry(moved, frame.geometry, tolerance=1e-8)
    if datum in ("gcj02", "bd09", "EPSG:4549"):
        assert not same_geometry(table.geometry, frame.geometry, tolerance=1e-4)


@pytest.mark.parametrize("format", Format)
def test_a_table_without_rows_is_a_table(format: Format, tmp_path: Path) -> None:
    frame = workstations().iloc[:0]
    table = there_and_back(frame, tmp_path, format)
    assert len(table) == 0
    if format is not Format.GEOJSON:  # GeoJSON has no place for fields that no feature has
        assert set(table.columns) == set(expected(frame, format))


@pytest.mark.parametrize("format", Format)
def test_a_table_without_places_is_a_table(format: Format, tmp_path: Path) -> None:
    frame = workstations().drop(columns="geometry")
    table = there_and_back(frame, tmp_path, format)
    check_values(values(table.frame), expected(frame, format), format)
    assert table.geometry.tolist() == [None] * 3


@pytest.mark.parametrize("format", [one for one in Format if one is not Format.SHAPEFILE])
def test_mixed_geometry_comes_back_where_the_format_takes_it(format: Format, tmp_path: Path) -> None:
    shapes = [shapely.Point(121.5, 30.9), AREA, shapely.LineString([(121.5, 30.9), (121.6, 31)]), None]
    shapes.append(shapely.GeometryCollection([shapes[0], shapes[2]]))
    shapes.append(shapely.MultiPoint([(121.5, 30.9), (121.6, 31)]))
    table = there_and_back(frame_of({"id": list("abcdef")}, shapes), tmp_path, format)
    assert same_geometry(table.geometry, shapes)


@pytest.mark.parametrize("format", Format)
def test_reading_what_was_read_and_written_changes_nothing(format: Format, tmp_path: Path) -> None:
    once = there_and_back(workstations(), tmp_path, format)
    twice = there_and_back(once.frame, tmp_path, format)
    assert values(once.frame) == values(twice.frame)
    assert same_geometry(once.geometry, twice.geometry, tolerance=1e-13)


# --- real data --------------------------------------------------------------------------------------------

REAL = {
    "towns": ("boundaries/fengxian_streets_wgs84.geojson", 12),
    "points": ("points/fengxian_poi_wgs84.csv", 1453),
    "roads": ("roads/shenzhen_futian_osm_drive_edges.geojson", 4009),
    "nodes": ("roads/shenzhen_futian_osm_drive_nodes.csv", 1751),
}


@pytest.fixture(scope="module", params=REAL)
def real(request: pytest.FixtureRequest, shared_data: Path) -> Any:
    name, n = REAL[request.param]
    table = read_table(shared_data / name)
    assert len(table) == n
    assert table.problems == ()
    assert all(geometry is not None for geometry in table.geometry)
    return table


@pytest.mark.parametrize("format", Format)
def test_real_data_come_back_in_every_format(real: Any, format: Format, tmp_path: Path) -> None:
    table = there_and_back(real.frame, tmp_path, format)
    check_values(values(table.frame), expected(real.frame, format), format)
    assert same_geometry(table.geometry, real.geometry, tolerance=1e-7)


@pytest.mark.parametrize("real", ["towns", "points"], indirect=True)
@pytest.mark.parametrize("format", Format)
def test_real_data_come_back_from_gcj02_within_a_metre(real: Any, format: Format, tmp_path: Path) -> None:
    table = there_and_back(real.frame, tmp_path, format, datum="gcj02")
    assert table.declared_crs == "gcj02"
    assert same_geometry(to_wgs84(table.geometry, "gcj02"), real.geometry, tolerance=1e-8)


def test_the_datav_district_fits_the_towns_after_the_import_as_gcj02(shared_data: Path) -> None:
    towns = read_table(shared_data / "boundaries" / "fengxian_streets_wgs84.geojson")
    district = shapely.union_all(towns.geometry)
    table = read_table(shared_data / "boundaries" / "shanghai_districts_datav_gcj02.geojson")
    assert table.declared_crs == "gcj02"  # by its name
    outline = table.geometry[[row["name"] == "奉贤区" for _, row, _ in table.records()]]
    imported = to_wgs84(outline, table.declared_crs)
    metric = to_metric([district, imported[0]], metric_crs(121.5, 30.9))
    iou = shapely.intersection(*metric).area / shapely.union(*metric).area
    assert iou >= 0.99
    assert datum_suspicion(outline, district).likely.kind.value == "gcj02"
    assert not datum_suspicion(imported, district, stated="gcj02").is_suspicious


def test_names_and_codes_of_the_real_lists_are_read_as_texts(shared_data: Path) -> None:
    table = read_table(shared_data / "codes" / "villages_5counties_2023.csv")
    assert len(table) == 1211
    first = next(table.records())
    assert first[0] == 2
    assert first[1]["code"] == "310120001001"
    assert first[2] is None
    assert np.all([isinstance(code, str) for code in values(table.frame)["streetCode"]])
