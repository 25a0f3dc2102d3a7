"""
Geometry of single elements: whether it is what its layer asks for, and what is wrong with it where.

Nothing is repaired here. `geometry_problems` says what a person has to mend; `proposed_repair` offers a
mended form and says what it changes, for that person to accept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely import GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gridmap.errors import InvalidInput

Array = np.ndarray[Any, Any]
Bounds = tuple[float, float, float, float]

LON_LAT = (-180.0, -90.0, 180.0, 90.0)
MAX_VERTICES = 100_000

TYPE_TITLES = {
    "Point": "点",
    "MultiPoint": "多点",
    "LineString": "线",
    "LinearRing": "闭合线",
    "MultiLineString": "多段线",
    "Polygon": "面",
    "MultiPolygon": "多部分面",
    "GeometryCollection": "几何集合",
}
_MULTI: dict[str, Any] = {
    "MultiPoint": MultiPoint,
    "MultiLineString": MultiLineString,
    "MultiPolygon": MultiPolygon,
}


class GeometryFault(Enum):
    """What can be wrong with one geometry."""

    MISSING = "missing"
    EMPTY = "empty"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    TOO_MANY_VERTICES = "too_many_vertices"
    NO_LENGTH = "no_length"
    NO_AREA = "no_area"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class GeometryProblem:
    """
    One fault of the geometry at position `index`.

    `message` is Chinese and says what and where; `place` is the (x, y) of the fault where it has one.
    """

    index: int
    fault: GeometryFault
    message: str
    place: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """
    A mended geometry that a person may accept.

    `area_change` is in square units of the coordinates (lines: units of length), after minus before;
    `message` is Chinese and says what changed.
    """

    geometry: BaseGeometry
    area_change: float
    message: str


# What GEOS says, in the words of a person. Longer phrases first: the first that fits is taken.
_REASONS = {
    "Ring Self-intersection": "同一条边界环与自身相接或相交",
    "Self-intersection": "边界自相交",
    "Hole lies outside shell": "内环(洞)位于外环之外",
    "Holes are nested": "内环(洞)互相嵌套",
    "Nested shells": "各部分互相嵌套",
    "Interior is disconnected": "内环把面切断成互不相连的几块",
    "Duplicate Rings": "有重复的边界环",
    "Too few points": "点数不足",
    "Ring is not closed": "边界环没有闭合",
    "Invalid Coordinate": "坐标无效",
}


def accepted_types(expected_type: str) -> frozenset[str]:
    """
    Geometry types that pass for `expected_type`.

    A Multi type accepts its single form (a Polygon is a MultiPolygon of one part); "Geometry" accepts all.
    """
    if expected_type == "Geometry":
        return frozenset(TYPE_TITLES) - {"LinearRing"}
    if expected_type not in TYPE_TITLES:
        raise InvalidInput(f"{expected_type!r} is no geometry type; known are {', '.join(TYPE_TITLES)}")
    return frozenset({expected_type, expected_type.removeprefix("Multi")})


def promoted(geometries: ArrayLike, expected_type: str) -> Array:
    """
    The geometries in exactly `expected_type` where that changes nothing but the form.

    A single geometry becomes a Multi of one part, a Multi of one part becomes single; others stay as they
    are, for `geometry_problems` to refuse.
    """
    array = _as_array(geometries)
    result = array.copy()
    for i, geometry in enumerate(array):
        if geometry is None or geometry.geom_type == expected_type:
            continue
        if geometry.geom_type == expected_type.removeprefix("Multi") and expected_type in _MULTI:
            result[i] = _MULTI[expected_type]([] if geometry.is_empty else [geometry])
        elif geometry.geom_type == f"Multi{expected_type}" and len(geometry.geoms) == 1:
            result[i] = geometry.geoms[0]
    return result


def geometry_problems(
    geometries: ArrayLike,
    *,
    expected_type: str,
    bounds: Bounds | None = LON_LAT,
    max_vertices: int = MAX_VERTICES,
) -> list[GeometryProblem]:
    """
    Everything that is wrong with the geometries, in order of position; nothing is changed.

    Parameters
    ----------
    geometries : (n,) shapely geometries (None: missing)
    expected_type : a GeoJSON geometry type, or "Geometry"; promotion as in `accepted_types`, and a Multi of
        one part passes for a single
    bounds : (west, south, east, north), both ends allowed; None: anywhere
    max_vertices : more than these are too many

    Returns
    -------
    One problem for each fault; a geometry with a fault of type, number or range is not judged further.
    """
    array = _as_array(geometries)
    accepted = accepted_types(expected_type)
    problems: dict[int, GeometryProblem] = {}

    def note(where: Array, fault: GeometryFault, message: Any, place: Any = lambda i: None) -> None:
        for i in np.flatnonzero(where).tolist():
            if i not in problems:
                problems[i] = GeometryProblem(
                    i, fault, message(i) if callable(message) else message, place(i)
                )

    note(shapely.is_missing(array), GeometryFault.MISSING, "缺少图形。请补上坐标或图形。")
    note(shapely.is_empty(array), GeometryFault.EMPTY, "图形为空。请补上坐标或图形。")
    note(
        ~np.array([_fits(one, expected_type, accepted) for one in array], dtype=bool),
        GeometryFault.WRONG_TYPE,
        lambda i: (
            f"图形类型是“{_type_title(array[i])}”,本图层要求“{TYPE_TITLES.get(expected_type, '任意')}”。"
        ),
    )
    xy, owner = shapely.get_coordinates(array, return_index=True)
    infinite = ~np.isfinite(xy).all(axis=1)
    infinite = _any(infinite, owner, len(array))
    note(infinite, GeometryFault.NOT_FINITE, "坐标不是有限的数(NaN 或无穷大)。请改正坐标。")
    if bounds is not None:
        _note_range(note, xy, owner, bounds, len(array))
    vertices = np.bincount(owner, minlength=len(array))
    note(
        vertices > max_vertices,
        GeometryFault.TOO_MANY_VERTICES,
        lambda i: f"顶点过多({vertices[i]:,} 个,上限 {max_vertices:,} 个)。请先简化图形。",
    )
    rest = np.array([i not in problems for i in range(len(array))], dtype=bool)
    _note_shape(note, array, rest)
    return [problems[i] for i in sorted(problems)]


def _note_range(note: Any, xy: Array, owner: Array, bounds: Bounds, n: int) -> None:
    west, south, east, north = bounds
    beyond = (xy[:, 0] < west) | (xy[:, 0] > east) | (xy[:, 1] < south) | (xy[:, 1] > north)
    first = dict(zip(owner[beyond][::-1].tolist(), xy[beyond][::-1].tolist(), strict=True))

    def message(i: int) -> str:
        x, y = first[i]
        text = f"坐标({x:.7g}, {y:.7g})超出范围(经度 {west:g} 至 {east:g},纬度 {south:g} 至 {north:g})。"
        if bounds == LON_LAT and abs(x) > 180 and abs(y) > 180:
            return text + "看起来是以米为单位的投影坐标,请在导入时选择对应的 EPSG 坐标系。"
        if abs(y) > 90 and west <= y <= east and south <= x <= north:
            return text + "经度和纬度可能填反了。"
        return text + "请改正坐标或坐标系。"

    note(_any(beyond, owner, n), GeometryFault.OUT_OF_RANGE, message, lambda i: tuple(first[i]))


def _note_shape(note: Any, array: Array, rest: Array) -> None:
    """Zero extent and invalid rings, of those that are sound so far."""
    dimension = shapely.get_dimensions(array)
    note(
        rest & (dimension == 1) & (shapely.length(array) == 0),
        GeometryFault.NO_LENGTH,
        "线的长度为零:所有顶点重合。",
        lambda i: _first_position(array[i]),
    )
    flat = rest & (dimension == 2)
    flat[flat] = shapely.area(shapely.convex_hull(array[flat])) == 0
    note(flat, GeometryFault.NO_AREA, "面积为零:边界没有围出面。", lambda i: _first_position(array[i]))
    broken = rest & ~flat
    broken[broken] = ~shapely.is_valid(array[broken])
    reasons = {i: explained(array[i]) for i in np.flatnonzero(broken).tolist()}
    note(broken, GeometryFault.INVALID, lambda i: reasons[i][0], lambda i: reasons[i][1])


def explained(geometry: BaseGeometry) -> tuple[str, tuple[float, float] | None]:
    """Why an invalid geometry is invalid, as a Chinese sentence, and where."""
    text = shapely.is_valid_reason(geometry)
    words = next((chinese for english, chinese in _REASONS.items() if english in text), "图形无效")
    match = re.search(r"\[(\S+) (\S+)", text)
    if match is None:
        return f"{words}。请修正图形。", None
    x, y = float(match[1]), float(match[2].rstrip("]"))
    return f"{words},位置({x:.7f}, {y:.7f})。请修正图形。", (x, y)


def proposed_repair(geometry: BaseGeometry | None) -> Repair | None:
    """
    A valid form of an invalid geometry, for a person to accept; None when it needs none or none exists.

    Polygons keep the ground that their rings enclose; lines and points left over from spikes are dropped.
    """
    if geometry is None or geometry.is_empty or not np.isfinite(shapely.get_coordinates(geometry)).all():
        return None
    if geometry.is_valid:
        return None
    mended = valid_form(geometry)
    dimension = shapely.get_dimensions(geometry)
    parts = shapely.get_parts(mended)
    while (shapely.get_type_id(parts) > 3).any():
        parts = shapely.get_parts(parts)
    parts = parts[(shapely.get_dimensions(parts) == dimension) & ~shapely.is_empty(parts)]
    if not len(parts):
        return None
    result = _gathered(parts)
    measure = shapely.area if dimension == 2 else shapely.length
    before, after = measure(geometry), measure(result)
    reason, _ = explained(geometry)
    message = f"{reason.partition('。')[0]}。修正后为 {len(parts)} 个部分,请核对后再保存。"
    return Repair(result, float(after - before), message)


def valid_form(geometry: BaseGeometry) -> BaseGeometry:
    """The geometry as `make_valid` mends it, by the rings' structure; may hold leftover lines and points."""
    # GEOS gives an invalid answer for some rings that touch themselves (0 0, 1 0, 0 1, 0 2, 1 0, 0 1); a
    # second pass mends it.
    for method in ("structure", "structure", "linework"):
        if not geometry.is_valid:
            geometry = shapely.make_valid(geometry, method=method)
    return geometry


def _gathered(parts: Array) -> BaseGeometry:
    if len(parts) == 1:
        return parts[0]
    kinds: dict[type, type] = {Polygon: MultiPolygon, LineString: MultiLineString}
    return kinds.get(type(parts[0]), GeometryCollection)(list(parts))


def _as_array(geometries: ArrayLike) -> Array:
    items = list(geometries)  # type: ignore[arg-type]
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _any(flags: Array, owner: Array, n: int) -> Array:
    result = np.zeros(n, dtype=bool)
    result[owner[flags]] = True
    return result


def _fits(geometry: BaseGeometry | None, expected_type: str, accepted: frozenset[str]) -> bool:
    if geometry is None or geometry.geom_type in accepted:
        return True
    return geometry.geom_type == f"Multi{expected_type}" and len(geometry.geoms) == 1


def _type_title(geometry: BaseGeometry) -> str:
    return TYPE_TITLES.get(geometry.geom_type, geometry.geom_type)


def _first_position(geometry: BaseGeometry) -> tuple[float, float]:
    x, y = shapely.get_coordinates(geometry)[0]
    return float(x), float(y)
