"""
GeoPackage and Shapefile through GDAL, from private copies under names of our own.

GDAL guesses drivers from names and contents, and some of its drivers open other files or the network. It is
therefore given nothing but files that were copied, checked and named here. It must never be given the live
database: GDAL's own SQLite would drop the locks of ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import DatabaseError, connect
from typing import Any

import numpy as np
import pyarrow
import pyogrio
import shapely

from gridmap.domain.crs import Datum, crs_text, datum_of_crs
from gridmap.errors import TooLarge
from gridmap.exchange.cells import text_of
from gridmap.exchange.delimited import too_many_rows
from gridmap.exchange.errors import FileBroken, LayerMissing
from gridmap.exchange.table import Draft, Limits, RowProblem, unique_names

# --- reading ----------------------------------------------------------------------------------------------


def layer_names(path: Path) -> tuple[str, ...]:
    """Names of the layers of a GeoPackage; those with geometry first."""
    layers = _quiet(pyogrio.list_layers, path)
    spatial = [name for name, kind in layers if kind is not None]
    return tuple(spatial + [name for name, kind in layers if kind is None])


def check_geopackage(path: Path) -> None:
    """
    Raise FileBroken unless the file is a whole GeoPackage.

    GDAL reads a cut-off file as far as it goes and calls it success, so SQLite is asked first.
    """
    try:
        with closing(connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.text_factory = lambda data: data.decode(errors="replace")  # names may be damaged too
            database.execute("PRAGMA trusted_schema = OFF")
            verdict = database.execute("PRAGMA quick_check(1)").fetchone()
            names = {name for (name,) in database.execute("SELECT lower(name) FROM sqlite_master")}
    except (DatabaseError, UnicodeDecodeError) as error:  # the complaint itself may quote damaged names
        raise _broken("GeoPackage", "不完整或已损坏") from error
    if verdict != ("ok",):
        raise _broken("GeoPackage", "已损坏")
    if not {"gpkg_contents", "gpkg_spatial_ref_sys"} <= names:
        raise FileBroken(
            "the file is an SQLite database, but no GeoPackage",
            zh="文件是 SQLite 数据库,但不是 GeoPackage。请用 QGIS 等软件导出为 GeoPackage 后重试。",
        )


def read_geopackage(path: Path, *, limits: Limits, layer_name: str | None = None) -> Draft:
    """
    The features of one layer, numbered in the layer's order: the named layer, or the only one.

    `path` is a private copy that `check_geopackage` has passed.

    Raises
    ------
    LayerMissing
        There are several and none was named, or there is none of that name.
    """
    names = layer_names(path)
    if not names:
        raise FileBroken(
            "the GeoPackage has no layer", zh="GeoPackage 里没有图层。请检查是否导出成功后重试。"
        )
    if (layer_name is None and len(names) > 1) or (layer_name is not None and layer_name not in names):
        what = f"没有名为“{layer_name}”的图层" if layer_name else f"文件里有 {len(names)} 个图层"
        raise LayerMissing(
            f"choose one of the layers {', '.join(names)}",
            zh=f"{what}。请选择其中一个:{'、'.join(names[:30])}。",
            layers=list(names),
        )
    return read_layer(path, limits, layer=layer_name or names[0])


def read_layer(path: Path, limits: Limits, *, layer: str | None = None, encoding: str | None = None) -> Draft:
    """All features of a layer as Python values; texts in `encoding` where the format has one."""
    info = _quiet(pyogrio.read_info, path, layer=layer, force_feature_count=True, encoding=encoding)
    if info["features"] > limits.max_rows:
        raise too_many_rows(limits)
    if len(info["fields"]) > limits.max_columns:
        raise TooLarge(
            f"{len(info['fields'])} fields",
            zh=f"字段过多({len(info['fields'])} 个,上限 {limits.max_columns} 个)。",
        )
    meta, table = _quiet(pyogrio.read_arrow, path, layer=layer, encoding=encoding)
    draft = Draft(rows=list(range(1, table.num_rows + 1)))
    declared = datum_of_crs(meta["crs"])
    draft.declared_crs = str(declared) if declared is not None else (meta["crs"] or None)
    names = table.column_names
    geometry_name = meta["geometry_name"] or "wkb_geometry"
    is_geometry = [
        _is_binary(one.type) and name == geometry_name for name, one in zip(names, table.columns, strict=True)
    ]
    for name, column, is_place in zip(unique_names(names), table.columns, is_geometry, strict=True):
        if is_place:
            draft.geometry = _geometry(column.to_pylist(), draft.problems)
        elif _is_binary(column.type):
            draft.notes.append(f"字段“{name}”是二进制内容(例如照片),没有读取。")
        else:
            draft.columns[name] = _values(column, name, draft.notes)
    return draft


def _is_binary(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


def _geometry(blobs: list[bytes | None], problems: list[RowProblem]) -> np.ndarray[Any, Any]:
    geometry = np.asarray(shapely.from_wkb(np.array(blobs, dtype=object), on_invalid="ignore"), dtype=object)
    for place, blob in enumerate(blobs):
        if blob is not None and geometry[place] is None:
            problems.append(RowProblem(place + 1, "geometry", "图形已损坏或类型不受支持,无法读取。"))
    return geometry.reshape(len(blobs))


def _values(column: pyarrow.ChunkedArray, name: str, notes: list[str]) -> list[Any]:
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        notes.append(f"字段“{name}”有无法识别的文字,已用“\ufffd”代替。")
        blobs = column.cast(pyarrow.binary()).to_pylist()
        return [None if blob is None else blob.decode(errors="replace") for blob in blobs]
    except (OverflowError, ValueError):
        notes.append(f"字段“{name}”有超出范围的日期,该字段按文字读取。")
        return column.cast(pyarrow.string()).to_pylist()
    if pyarrow.types.is_floating(column.type):
        return [None if value is None or np.isnan(value) else value for value in values]
    if pyarrow.types.is_nested(column.type) or pyarrow.types.is_time(column.type):
        return [None if value is None else str(value) for value in values]
    return values


def _quiet(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call GDAL; what it cannot do with the file is one error, what it mutters about it is nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **options)
    except MemoryError:
        raise
    except Exception as error:  # pyogrio lets through whatever its own code stumbles over
        raise _broken("文件", "已损坏或含有不支持的内容") from error


def _broken(what: str, how: str) -> FileBroken:
    return FileBroken(f"the file is damaged: {what}", zh=f"{what}{how},无法读取。请重新导出或下载后重试。")


# --- writing ----------------------------------------------------------------------------------------------


def write_layer(
    path: Path,
    columns: dict[str, tuple[type, list[Any]]],
    geometry: np.ndarray[Any, Any],
    *,
    driver: str,
    layer: str,
    datum: Datum,
    options: dict[str, Any] | None = None,
) -> None:
    """
    Write one layer with typed columns: (Python type, values) each; geometry types as `common_type` says.

    `driver` is "GPKG" or "ESRI Shapefile"; times are kept to the millisecond, in UTC.
    """
    kind, geometry = common_type(geometry)
    names = [*columns, "geometry"]
    arrays = [
        pyarrow.array(map(text_of, values) if one is str else values, type=_ARROW[one])
        for one, values in columns.values()
    ]
    arrays.append(pyarrow.array(shapely.to_wkb(geometry).tolist(), type=pyarrow.binary()))
    _written(
        pyogrio.write_arrow,
        pyarrow.table(arrays, names=names),
        path,
        layer=layer,
        driver=driver,
        geometry_name="geometry",
        geometry_type=kind,
        crs=crs_text(datum),
        **(options or {}),
    )


def _written(function: Callable[..., Any], *args: Any, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GDAL knows no register entry for GCJ-02, which is the point
        function(*args, **options)


_ARROW = {
    bool: pyarrow.bool_(),
    int: pyarrow.int64(),
    float: pyarrow.float64(),
    str: pyarrow.string(),
    "date": pyarrow.date32(),
    "datetime": pyarrow.timestamp("ms", tz="UTC"),
}

_FAMILIES: Sequence[tuple[str, str]] = (
    ("Point", "MultiPoint"),
    ("LineString", "MultiLineString"),
    ("Polygon", "MultiPolygon"),
)
_MULTI = {
    "MultiPoint": shapely.multipoints,
    "MultiLineString": shapely.multilinestrings,
    "MultiPolygon": shapely.multipolygons,
}


def common_type(geometry: np.ndarray[Any, Any]) -> tuple[str, np.ndarray[Any, Any]]:
    """
    One geometry type for a whole layer, and the geometry in it.

    A mixture of single and multi of one family becomes multi; any other mixture is "Unknown" (the format's
    own word for everything). Nothing at all is "Unknown" too.
    """
    kinds = {one.geom_type for one in geometry if one is not None}
    for single, multi in _FAMILIES:
        if kinds == {single}:
            return single, geometry
        if kinds and kinds <= {single, multi}:
            return multi, np.array([_as_multi(one, multi) for one in geometry] + [None], dtype=object)[:-1]
    return "Unknown", geometry


def _as_multi(geometry: Any, multi: str) -> Any:
    if geometry is None or geometry.geom_type == multi:
        return geometry
    return _MULTI[multi]([geometry] if not geometry.is_empty else [])
