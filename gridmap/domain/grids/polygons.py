"""Polygons as arrays: the parts of a geometry, areas put together from rings, vertices compared bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

Array = np.ndarray[Any, Any]

_MULTIPOLYGON, _COLLECTION = 6, 7


def array_of(geometries: Any) -> Array:
    """(n,) the geometries as an array of their own, whose places can be written."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = list(geometries)
    return array


def polygons_of(geometry: Any) -> Array:
    """The polygons in a geometry or an array of geometries, however deep; lines and points are left out."""
    parts = shapely.get_parts(np.atleast_1d(np.asarray(geometry, dtype=object)))
    while (nested := np.isin(shapely.get_type_id(parts), (_MULTIPOLYGON, _COLLECTION))).any():
        parts = np.concatenate([parts[~nested], shapely.get_parts(parts[nested])])
    return parts[(shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)]


def area_of(geometry: BaseGeometry) -> BaseGeometry:
    """What of a geometry is ground, as a Polygon or a MultiPolygon."""
    parts = polygons_of(geometry)
    return parts[0] if len(parts) == 1 else MultiPolygon(list(parts))


def rings_of(area: BaseGeometry) -> list[Array]:
    """(k, 2) each: closed rings in the order in which `rebuilt` takes them."""
    return [shapely.get_coordinates(one) for one in shapely.get_rings(shapely.get_parts(area))]


def rebuilt(area: BaseGeometry, rings: Sequence[Array]) -> BaseGeometry:
    """An area of the same build as `area`, with these rings in place of its own."""
    polygons, start = [], 0
    for part in shapely.get_parts(area):
        end = start + 1 + len(part.interiors)
        polygons.append(Polygon(rings[start], rings[start + 1 : end]))
        start = end
    return polygons[0] if area.geom_type == "Polygon" else MultiPolygon(polygons)


def keys(xy: Array) -> Array:
    """One value a coordinate pair, equal where both numbers are to the last bit."""
    # adding zero makes one of the two zeros
    return np.ascontiguousarray(xy + 0.0).view(np.dtype((np.void, 16))).ravel()


def has_same_vertices(first: BaseGeometry, second: BaseGeometry) -> bool:
    """Whether two areas have the same parts and vertices, wherever their rings start."""
    one, other = (MultiPolygon(list(polygons_of(each))).normalize() for each in (first, second))
    return bool(shapely.equals_identical(one, other))
