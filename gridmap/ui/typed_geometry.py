"""Lines and outlines that somebody types or pastes, for those who do not draw on the map."""

from __future__ import annotations

import re

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from gridmap.errors import InvalidInput

HINT = "GeoJSON、WKT,或每行一个点“经度,纬度”(WGS 84)"
_LONGEST = 2_000_000
_SEPARATORS = re.compile(r"[\s,,]+")
_KINDS = {"line": ("LineString", "MultiLineString"), "area": ("Polygon", "MultiPolygon")}
_TITLES = {"line": "线", "area": "面"}


def parse_geometry(text: str, kind: str) -> BaseGeometry:
    """
    The line (`kind` = "line") or area ("area") that the text describes, in lon/lat.

    Raises
    ------
    InvalidInput
        It is none of the three forms, another kind of geometry, or not in degrees.
    """
    if len(text) > _LONGEST:
        raise InvalidInput("the text is too long", zh="图形文字过长,请改用导入。")
    found = _read(text.strip(), kind)
    if found is None or found.is_empty:
        raise InvalidInput(
            "the text is neither GeoJSON nor WKT nor lines of lon,lat", zh=f"无法识别图形,请使用{HINT}。"
        )
    if found.geom_type not in _KINDS[kind]:
        raise InvalidInput(
            f"a {found.geom_type} is no {kind}", zh=f"这里需要{_TITLES[kind]},收到的是其他类型的图形。"
        )
    xy = shapely.get_coordinates(found)
    if not np.isfinite(xy).all() or (np.abs(xy) > (180, 90)).any():
        raise InvalidInput("the coordinates are no degrees", zh="坐标应为经纬度(度),经度在前。")
    return shapely.force_2d(found)


def _read(text: str, kind: str) -> BaseGeometry | None:
    try:
        if text.startswith("{"):
            found = shapely.from_geojson(text)
            parts = shapely.get_parts(found)
            return parts[0] if found.geom_type == "GeometryCollection" and len(parts) == 1 else found
        if text[:1].isalpha():
            return shapely.from_wkt(text)
        points = [
            [float(one) for one in _SEPARATORS.split(line.strip()) if one]
            for line in re.split(r"[\n;;]+", text)
            if line.strip()
        ]
        if len(points) < (2 if kind == "line" else 3) or any(len(one) != 2 for one in points):
            return None
        return shapely.LineString(points) if kind == "line" else shapely.Polygon(points)
    except (ShapelyError, ValueError):
        return None
