"""GeoJSON (RFC 7946), read feature by feature so that one bad feature does not hide the others."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import Datum, DatumKind, crs_text
from gridmap.errors import TooLarge
from gridmap.exchange.cells import text_of
from gridmap.exchange.delimited import too_many_rows
from gridmap.exchange.errors import FileBroken, FormatUnknown
from gridmap.exchange.table import Draft, Limits, RowProblem
from gridmap.exchange.text import decode

_GEOMETRIES = (
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection",
)  # fmt: skip
ID = "id"


class BadGeometry(ValueError):
    """A geometry object that is none; the message is Chinese."""


def read_geojson(data: bytes, *, limits: Limits, encoding: str | None = None) -> Draft:
    """
    The features of a GeoJSON document.

    A feature's id becomes the column `id` (a property of that name, where it says something else, moves to
    `id_2`); a property that a feature lacks is missing; lists and objects become JSON text.
    """
    text, codec = decode(data, encoding)
    document = _parsed(text)
    features = _features(document)
    if len(features) > limits.max_rows:
        raise too_many_rows(limits)
    draft = Draft(rows=list(range(1, len(features) + 1)), encoding=codec)
    draft.declared_crs = _declared(document)
    draft.geometry = np.full(len(features), None, dtype=object)
    properties = []
    for row, feature in enumerate(features, 1):
        draft.geometry[row - 1] = _geometry(feature, row, draft.problems, limits)
        properties.append(_properties(feature, row, draft.problems))
    _fill_columns(draft, features, properties, limits)
    if not features:
        draft.notes.append("文件里没有要素。")
    return draft


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"第 {error.lineno} 行第 {error.colno} 列"
        is_cut_off = error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg
        raise FileBroken(
            f"line {error.lineno}, column {error.colno}: {error.msg}",
            zh=(
                "文件不完整:内容在末尾中断。请重新导出或下载后重试。"
                if is_cut_off
                else f"JSON 语法错误({where})。请检查文件。"
            ),
            line=error.lineno,
            column=error.colno,
        ) from error
    except (RecursionError, ValueError) as error:  # nested or long beyond all reason
        raise FileBroken("the JSON is nested too deeply", zh="JSON 嵌套过深或数字过长,无法读取。") from error


def _features(document: Any) -> list[Any]:
    kind = document.get("type") if isinstance(document, Mapping) else None
    if kind == "FeatureCollection" and isinstance(document.get("features"), list):
        return document["features"]
    if kind == "Feature":
        return [document]
    if kind in _GEOMETRIES:
        return [{"type": "Feature", "geometry": document, "properties": {}}]
    if kind == "Topology":
        raise FormatUnknown("the file is TopoJSON", zh="文件是 TopoJSON。请转换为 GeoJSON 后再导入。")
    if isinstance(document, Mapping) and "rings" in str(document.get("features", ""))[:20_000]:
        raise FormatUnknown("the file is Esri JSON", zh="文件是 Esri JSON。请转换为 GeoJSON 后再导入。")
    raise FormatUnknown(
        "the file is JSON, but not GeoJSON",
        zh="文件是 JSON,但不是 GeoJSON(缺少 FeatureCollection)。请导出为 GeoJSON 后重试。",
    )


def _declared(document: Any) -> str | None:
    """What the document says of its coordinates: our own member `datum`, or the `crs` of the 2008 format."""
    datum = document.get("datum")
    if isinstance(datum, Mapping) and isinstance(datum.get("id"), str):
        return datum["id"]
    crs = document.get("crs")
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    return name if isinstance(name, str) and name else None


def _geometry(feature: Any, row: int, problems: list[RowProblem], limits: Limits) -> BaseGeometry | None:
    if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
        problems.append(RowProblem(row, None, "不是要素(Feature)。"))
        return None
    geometry = feature.get("geometry")
    if geometry is None:
        return None
    try:
        return geometry_of(geometry, limits.max_depth)
    except BadGeometry as error:
        problems.append(RowProblem(row, "geometry", str(error)))
        return None


def _properties(feature: Any, row: int, problems: list[RowProblem]) -> Mapping[str, Any]:
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    if isinstance(properties, Mapping):
        return properties
    if properties is not None:
        problems.append(RowProblem(row, None, "属性(properties)不是对象,已忽略。"))
    return {}


def _fill_columns(
    draft: Draft, features: list[Any], properties: list[Mapping[str, Any]], limits: Limits
) -> None:
    ids = [feature.get(ID) if isinstance(feature, Mapping) else None for feature in features]
    names = dict.fromkeys(name for one in properties for name in one)
    if len(names) + any(value is not None for value in ids) > limits.max_columns:
        raise TooLarge(
            f"{len(names)} properties, more than {limits.max_columns}",
            zh=f"字段过多({len(names)} 个,上限 {limits.max_columns} 个)。",
            limit=limits.max_columns,
        )
    if any(value is not None for value in ids):
        values = [one.get(ID) for one in properties]
        if all(mine is None or mine == theirs for mine, theirs in zip(values, ids, strict=True)):
            names.pop(ID, None)
        else:
            draft.notes.append("要素编号与属性“id”不同:编号放在“id”列,属性放在“id_2”列。")
        draft.columns[ID] = [_value(value) for value in ids]
    for name in names:
        draft.columns["id_2" if name in draft.columns else name] = [
            _value(one.get(name)) for one in properties
        ]


def _value(value: Any) -> Any:
    """A JSON value as a cell: lists and objects as text, broken characters replaced, NaN missing."""
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# --- geometry ---------------------------------------------------------------------------------------------


def geometry_of(document: Any, max_depth: int = 50) -> BaseGeometry:
    """
    The geometry that a GeoJSON geometry object describes, in two dimensions.

    Raises BadGeometry with a Chinese reason: unknown type, coordinates that are no numbers or too few, a ring
    that is not closed. NaN and infinity (which JSON does not know, but programs write) are kept for the
    validation to point at.
    """
    with np.errstate(invalid="ignore"):  # shapely warns of NaN, which is not for this floor to judge
        return _geometry_of(document, max_depth)


def _geometry_of(document: Any, max_depth: int) -> BaseGeometry:
    kind = document.get("type") if isinstance(document, Mapping) else None
    if kind == "GeometryCollection":
        parts = document.get("geometries")
        if not isinstance(parts, list) or max_depth <= 0:
            raise BadGeometry("几何集合(GeometryCollection)不完整或嵌套过深。")
        return shapely.GeometryCollection([_geometry_of(part, max_depth - 1) for part in parts])
    build = _BUILDERS.get(kind)  # type: ignore[arg-type]
    if build is None:
        raise BadGeometry(f"未知的几何类型“{str(kind)[:40]}”。")
    return build(document.get("coordinates"))


def _positions(coordinates: Any, least: int) -> np.ndarray[Any, Any]:
    """(n, 2) positions."""
    if not isinstance(coordinates, list):
        raise BadGeometry("缺少坐标(coordinates)。")
    if len(coordinates) < least:
        raise BadGeometry(f"坐标点数不足:至少 {least} 个,只有 {len(coordinates)} 个。")
    try:
        array = np.array([position[:2] for position in coordinates])
    except (TypeError, ValueError, OverflowError) as error:
        raise BadGeometry("坐标不是成对的数字。") from error
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        raise BadGeometry("坐标不是成对的数字。")
    return array.astype(float)


def _position(coordinates: Any) -> np.ndarray[Any, Any]:
    if not isinstance(coordinates, list):
        raise BadGeometry("缺少坐标(coordinates)。")
    return _positions([coordinates], 1)[0]


def _point(coordinates: Any) -> BaseGeometry:
    return shapely.Point() if coordinates == [] else shapely.points(_position(coordinates))


def _line(coordinates: Any) -> BaseGeometry:
    return shapely.LineString() if coordinates == [] else shapely.linestrings(_positions(coordinates, 2))


def _polygon(coordinates: Any) -> BaseGeometry:
    rings = [_ring(one) for one in _list(coordinates)]
    return shapely.polygons(rings[0], holes=rings[1:] or None) if rings else shapely.Polygon()


def _ring(coordinates: Any) -> BaseGeometry:
    xy = _positions(coordinates, 4)
    if not np.array_equal(xy[0], xy[-1], equal_nan=True):
        raise BadGeometry("面的边界没有闭合:第一个点与最后一个点不同。")
    return shapely.linearrings(xy)


def _list(coordinates: Any) -> list[Any]:
    if not isinstance(coordinates, list):
        raise BadGeometry("缺少坐标(coordinates)。")
    return coordinates


def _many(
    build: Callable[[Any], BaseGeometry], gather: Callable[[list[BaseGeometry]], BaseGeometry]
) -> Callable[[Any], BaseGeometry]:
    return lambda coordinates: gather([build(one) for one in _list(coordinates)])


_BUILDERS: dict[str, Callable[[Any], BaseGeometry]] = {
    "Point": _point,
    "LineString": _line,
    "Polygon": _polygon,
    "MultiPoint": _many(_point, shapely.MultiPoint),
    "MultiLineString": _many(_line, shapely.MultiLineString),
    "MultiPolygon": _many(_polygon, shapely.MultiPolygon),
}


# --- writing ----------------------------------------------------------------------------------------------


def geojson_text(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    geometry: np.ndarray[Any, Any],
    *,
    datum: Datum,
    title: str,
    remarks: Sequence[tuple[str, str]],
) -> Iterator[str]:
    """
    Pieces of a FeatureCollection, one feature a line.

    The column `id` becomes the feature's id. Rings run as RFC 7946 asks (outer ones counter-clockwise).
    A datum other than WGS 84 is stated in the member `datum`, and in `crs` where the register knows it.
    """
    head: dict[str, Any] = {"type": "FeatureCollection", "name": title}
    if datum.kind is not DatumKind.WGS84:
        head["datum"] = {"id": str(datum), "title": datum.title}
        if not datum.is_shifted:
            code = crs_text(datum).removeprefix("EPSG:")
            head["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}}
    if remarks:
        head["remarks"] = dict(remarks)
    yield json.dumps(head, ensure_ascii=False)[:-1] + ',"features":['
    shapes = shapely.to_geojson(shapely.orient_polygons(geometry))
    for number, (record, shape) in enumerate(zip(rows, shapes, strict=True)):
        properties = dict(zip(columns, map(_json_value, record), strict=True))
        feature: dict[str, Any] = {"type": "Feature"}
        if (
            ID in properties
            and isinstance(properties[ID], (str, int))
            and not isinstance(properties[ID], bool)
        ):
            feature[ID] = properties.pop(ID)
        opening = json.dumps(feature, ensure_ascii=False)[:-1]
        closing = json.dumps(properties, ensure_ascii=False, allow_nan=False)
        yield f'{"," if number else ""}\n{opening},"geometry":{shape or "null"},"properties":{closing}}}'
    yield "\n]}\n"


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str, list, dict)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return text_of(value)
