"""Writing a table to a file of any known format."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import shapely

from gridmap.domain.crs import WGS84, Datum, DatumKind, datum_of_crs, from_wgs84, parse_datum
from gridmap.errors import InvalidInput, NotFound
from gridmap.exchange.delimited import csv_text
from gridmap.exchange.errors import EncodingUnknown, OptionUseless
from gridmap.exchange.formats import Format, parse_format, safe_name, suggested_name
from gridmap.exchange.gdal import write_layer
from gridmap.exchange.geojson import geojson_text
from gridmap.exchange.kml import kml_text
from gridmap.exchange.places import OWN_PAIRS
from gridmap.exchange.shapefile import write_shapefile
from gridmap.exchange.source import refuse_live
from gridmap.exchange.table import GEOMETRY, WriteReport, plain_values
from gridmap.exchange.text import python_encoding, without_controls
from gridmap.exchange.workbook import write_xlsx

Remarks = Sequence[tuple[str, str]]
_WKT_CHUNK = 32_000  # characters that an XLSX cell takes, with some to spare


def write_table(
    frame: pandas.DataFrame,
    path: Path | str,
    *,
    format: Format | str | None = None,
    datum: Datum | str = WGS84,
    title: str = "",
    remarks: Remarks = (),
    encoding: str | None = None,
    forbidden: Path | str | Iterable[Path | str] | None = None,
) -> WriteReport:
    """
    Write the table; the file appears whole or not at all.

    Parameters
    ----------
    frame : attributes, and (in a GeoDataFrame) geometry in WGS 84; a column `id` becomes the feature's id
    path : of the new file; an old one is replaced
    format : by default what the path's extension says
    datum : of the coordinates written; one other than WGS 84 is stated in the file wherever the format has a
        place for it, and in `WriteReport.suggested_name`
    title : Chinese name of the layer: name of the GeoPackage layer, of the sheet, of the shapefile
    remarks : (heading, text) pairs that go with the file where it has a place for them: who exported, when,
        whether the data are simulated
    encoding : of CSV: `utf-8-sig` (default), `utf-8` or `gb18030`
    forbidden : paths that must not be written: the live database

    Raises
    ------
    FormatCannotHold
        The format has no place for something; the sentence says what to use instead.
    InvalidInput, NotFound, OptionUseless, LiveFileRefused
        Geometry in another system, no such folder, an encoding for another format than CSV, the live database.
    """
    path = Path(path)
    format = parse_format(format if format is not None else path)
    datum = parse_datum(datum)
    if encoding and format is not Format.CSV:
        raise OptionUseless("encoding", "文字编码", format.title)
    refuse_live(path, forbidden)
    if not path.parent.is_dir():
        raise NotFound(
            f"no folder {path.parent}", zh=f"文件夹“{path.parent.name}”不存在。请先建立或改选其他位置。"
        )
    columns = _columns(frame)
    geometry = _geometry(frame, datum)
    with tempfile.TemporaryDirectory(prefix=".gridmap-", dir=path.parent) as folder:
        draft = Path(folder) / f"data{format.extension}"
        notes = _write(
            draft, format, columns, geometry, datum=datum, title=title, remarks=remarks, encoding=encoding
        )
        os.replace(draft, path)
    return WriteReport(
        path=path,
        format=format,
        rows=len(frame),
        suggested_name=suggested_name(title or path.stem, format, datum),
        notes=tuple(notes),
    )


def write_layers(
    layers: Sequence[tuple[str, pandas.DataFrame]],
    path: Path | str,
    *,
    datum: Datum | str = WGS84,
    remarks: Remarks = (),
    forbidden: Path | str | Iterable[Path | str] | None = None,
) -> WriteReport:
    """
    Write several tables as the layers of one GeoPackage, each under its Chinese title.

    Everything else as in `write_table`; `rows` of the report counts all layers together. Raises InvalidInput
    unless there is a layer, and no two of one title.
    """
    if not layers or len({title.casefold() for title, _ in layers}) < len(layers):
        raise InvalidInput(
            f"a GeoPackage needs layers of different titles, not {[title for title, _ in layers]}",
            zh="没有可导出的图层,或有两个图层同名。",
        )
    path, datum = Path(path), parse_datum(datum)
    refuse_live(path, forbidden)
    if not path.parent.is_dir():
        raise NotFound(
            f"no folder {path.parent}", zh=f"文件夹“{path.parent.name}”不存在。请先建立或改选其他位置。"
        )
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".gridmap-", dir=path.parent) as folder:
        draft = Path(folder) / "data.gpkg"
        for title, frame in layers:
            notes += _write_geopackage(draft, _columns(frame), _geometry(frame, datum), datum, title, remarks)
        os.replace(draft, path)
    return WriteReport(
        path=path,
        format=Format.GEOPACKAGE,
        rows=sum(len(frame) for _, frame in layers),
        suggested_name=suggested_name(path.stem, Format.GEOPACKAGE, datum),
        notes=tuple(notes),
    )


def _write(
    path: Path,
    format: Format,
    columns: dict[str, tuple[Any, list[Any]]],
    geometry: np.ndarray[Any, Any],
    *,
    datum: Datum,
    title: str,
    remarks: Remarks,
    encoding: str | None,
) -> list[str]:
    title = without_controls(title).strip() or "导出"
    names, rows = list(columns), _rows(columns, len(geometry))
    match format:
        case Format.GEOJSON:
            _write_text(
                path, geojson_text(names, rows, geometry, datum=datum, title=title, remarks=remarks), "utf-8"
            )
        case Format.KML:
            types = [kind for kind, _ in columns.values()]
            pieces = kml_text(names, rows, geometry, types=types, datum=datum, title=title, remarks=remarks)
            _write_text(path, pieces, "utf-8")
        case Format.CSV:
            return _write_csv(path, columns, geometry, datum, remarks, encoding)
        case Format.XLSX:
            if datum.kind is not DatumKind.WGS84:
                remarks = [("坐标系", str(datum)), *remarks]
            names, rows = _with_places(columns, geometry, datum, chunk=_WKT_CHUNK)
            return write_xlsx(path, names, rows, title=title, remarks=remarks)
        case Format.SHAPEFILE:
            stem = safe_name(title) + datum.suffix
            return write_shapefile(path, columns, geometry, stem=stem, datum=datum, remarks=remarks)
        case Format.GEOPACKAGE:
            return _write_geopackage(path, columns, geometry, datum, title, remarks)
    return []


def _write_text(path: Path, pieces: Iterable[str], encoding: str) -> None:
    with path.open("x", encoding=encoding, newline="") as file:
        file.writelines(pieces)


def _write_csv(
    path: Path,
    columns: dict[str, tuple[Any, list[Any]]],
    geometry: np.ndarray[Any, Any],
    datum: Datum,
    remarks: Remarks,
    encoding: str | None,
) -> list[str]:
    codec = python_encoding(encoding or "utf-8-sig")
    if codec not in ("utf-8", "utf-8-sig", "gb18030"):
        raise EncodingUnknown(
            f"CSV is written in UTF-8 or GB18030, not {codec}", zh="CSV 只能以 UTF-8 或 GB18030 编码保存。"
        )
    headings, rows = _with_places(columns, geometry, datum)
    _write_text(path, csv_text(headings, rows), codec)
    return ["CSV 没有放说明的地方,附注没有写入文件。"] if remarks else []


def _write_geopackage(
    path: Path,
    columns: dict[str, tuple[Any, list[Any]]],
    geometry: np.ndarray[Any, Any],
    datum: Datum,
    title: str,
    remarks: Remarks,
) -> list[str]:
    names = _free_names(list(columns))
    renamed = [f"“{old}”→“{new}”" for old, new in zip(columns, names, strict=True) if old != new]
    options = {"layer_metadata": dict(remarks)} if remarks else {}
    write_layer(
        path,
        dict(zip(names, columns.values(), strict=True)),
        geometry,
        driver="GPKG",
        layer=title,
        datum=datum,
        options=options,
    )
    return [f"GeoPackage 的字段名不分大小写且有保留字,已改名:{'、'.join(renamed)}。"] if renamed else []


def _free_names(names: list[str]) -> list[str]:
    """The names, without GeoPackage's own two columns, and different from each other whatever their case."""
    taken = {"fid", "geom"}
    result = []
    for name in names:
        candidate, number = name, 2
        while candidate.casefold() in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate.casefold())
        result.append(candidate)
    return result


# --- the table --------------------------------------------------------------------------------------------


def _columns(frame: pandas.DataFrame) -> dict[str, tuple[Any, list[Any]]]:
    """
    Each attribute as (kind, plain values): kinds bool, int, float, "date", "datetime", and str for the rest.

    A column of kind str may hold anything; formats with typed fields write its values as texts.
    """
    geometry_name = frame.geometry.name if _has_geometry(frame) else None
    names = [name for name in frame.columns if name != geometry_name]
    if len(set(map(str, names))) < len(names):
        raise InvalidInput("two columns have the same name", zh="有两列同名,无法导出。请先改名。")
    return {str(name): _kind(frame[name]) for name in names}


def _has_geometry(frame: pandas.DataFrame) -> bool:
    return isinstance(frame, geopandas.GeoDataFrame) and frame.active_geometry_name is not None


def _kind(column: pandas.Series) -> tuple[Any, list[Any]]:
    values = plain_values(column)
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return _kind_of_dtype(column), values
    if kinds == {bool}:
        return bool, values
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return int, values
    if kinds <= {int, float}:
        return float, [None if value is None else float(value) for value in values]
    if kinds == {date}:
        return "date", values
    if kinds == {datetime}:
        return "datetime", values
    return str, values


def _kind_of_dtype(column: pandas.Series) -> Any:
    """What a column without any value would hold."""
    types = pandas.api.types
    for test, kind in (
        (types.is_bool_dtype, bool),
        (types.is_integer_dtype, int),
        (types.is_float_dtype, float),
        (types.is_datetime64_any_dtype, "datetime"),
    ):
        if test(column.dtype):
            return kind
    return str


def _rows(columns: dict[str, tuple[Any, list[Any]]], n: int) -> Iterator[tuple[Any, ...]]:
    if not columns:
        return iter([()] * n)
    return zip(*(values for _, values in columns.values()), strict=True)


def _geometry(frame: pandas.DataFrame, datum: Datum) -> np.ndarray[Any, Any]:
    """(n,) geometries in `datum`, in two dimensions; None where there is none or it is empty."""
    if not _has_geometry(frame):
        return np.full(len(frame), None, dtype=object)
    stated = datum_of_crs(frame.crs) if frame.crs is not None else WGS84
    if stated is None or not stated.is_wgs84:
        raise InvalidInput(
            f"the frame is in {frame.crs}; give WGS 84 and say the datum to write",
            zh="待导出的图形不是 WGS 84 坐标。",
        )
    geometry = from_wgs84(frame.geometry.to_numpy(), datum)
    geometry[shapely.is_empty(geometry)] = None
    return geometry


def _with_places(
    columns: dict[str, tuple[Any, list[Any]]],
    geometry: np.ndarray[Any, Any],
    datum: Datum,
    chunk: int | None = None,
) -> tuple[list[str], Iterator[Sequence[Any]]]:
    """Headings and rows of a plain table: points as two numbers, other geometry as WKT, the attributes first."""
    there = [one for one in geometry if one is not None]
    names = list(columns)
    rows = _rows(columns, len(geometry))
    if not there:
        return names, rows
    if all(one.geom_type == "Point" for one in there):
        places: list[Sequence[Any]] = [shapely.get_x(geometry).tolist(), shapely.get_y(geometry).tolist()]
        places = [[None if value != value else value for value in axis] for axis in places]
        headings = list(_free_pair(names, datum))
    else:
        texts = [None if one is None else shapely.to_wkt(one, rounding_precision=-1) for one in geometry]
        places = _chunks(texts, chunk)
        first = "geometry_wkt" if any(name.casefold() == "wkt" for name in names) else "WKT"
        headings = [first, *(f"{first}_{number}" for number in range(2, len(places) + 1))]
    return [*names, *headings], (
        (*row, *place) for row, place in zip(rows, zip(*places, strict=True), strict=True)
    )


def _free_pair(names: list[str], datum: Datum) -> tuple[str, str]:
    usual = ("x", "y") if datum.is_projected else ("lon", "lat")
    return usual if not {name.casefold() for name in names} & _PLACE_NAMES else OWN_PAIRS[datum.is_projected]


_PLACE_NAMES = frozenset(
    {"lon", "lat", "lng", "x", "y", "经度", "纬度", "longitude", "latitude", "wkt", GEOMETRY}
)


def _chunks(texts: list[str | None], size: int | None) -> list[list[str | None]]:
    """The texts in as many columns of `size` characters as the longest takes."""
    longest = max((len(text) for text in texts if text), default=1)
    size = size or longest
    return [
        [text[start : start + size] or None if text else None for text in texts]
        for start in range(0, longest, size)
    ]
