"""Grids that share one area without overlap: what an edit of one grid may not do to the others."""

from __future__ import annotations

import functools

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import metric_crs
from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.errors import StateConflict
from gridmap.services.district import District

TOLERANCE_M2 = 1.0


class GridOverlapError(StateConflict):
    """
    A grid would overlap another of the same partition.

    Attributes
    ----------
    grid_codes : the two codes
    area_m2 : the overlap, m²
    """

    title = "网格重叠"


class OutsideParentError(StateConflict):
    """
    A grid would reach out of the parent layer's areas.

    Attributes
    ----------
    area_m2 : the part outside, m²
    """

    title = "超出上级范围"


@functools.lru_cache(maxsize=64)
def _to_metres(zone: int) -> Transformer:
    return Transformer.from_crs(4326, metric_crs(zone * 6 - 183, 30.0), always_xy=True)


def projected(geometry: BaseGeometry) -> BaseGeometry:
    """A lon/lat geometry in metres, in the UTM zone of its middle."""
    min_x, _, max_x, _ = geometry.bounds
    transformer = _to_metres(int(((min_x + max_x) / 2 + 180) // 6) + 1)
    return shapely.transform(geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))


def area_m2(geometry: BaseGeometry) -> float:
    """Area of a lon/lat geometry in m², in the UTM zone of its middle; 0 for an empty one."""
    return 0.0 if geometry.is_empty else float(projected(geometry).area)


def distance_m(first: BaseGeometry, second: BaseGeometry) -> float:
    """Distance of two lon/lat geometries in metres, in the UTM zone of the first one's middle."""
    both = projected(shapely.GeometryCollection([first, second]))
    return float(shapely.distance(*both.geoms))


def check(district: District, layer: Layer, element: Element) -> list[str]:
    """
    Warnings about what the element does to its layer's partition (none for other layers).

    Raises
    ------
    GridOverlapError
        It overlaps another grid by more than 1 m².
    OutsideParentError
        More than 1 m² of it lies outside the parent layer.
    """
    if not layer.is_partition:
        return []
    _refuse_overlap(district, layer, element)
    _refuse_outside(district, layer, element)
    return _lost_ground(district, layer, element)


def _refuse_overlap(district: District, layer: Layer, element: Element) -> None:
    frame = district.frames.frame(layer.id)
    for at in frame.query(element.geometry, predicate="intersects"):
        if frame.arrays.id[at] == element.id:
            continue
        overlap = area_m2(shapely.intersection(frame.arrays.geometry[at], element.geometry))
        if overlap > TOLERANCE_M2:
            other = frame.arrays.code[at]
            raise GridOverlapError(
                f"grid {element.code} overlaps {other} by {overlap:,.0f} m²; edit either boundary",
                zh=f"{layer.title}“{element.code}”与“{other}”重叠 {overlap:,.0f} 平方米,未保存,请调整边界。",
                grid_codes=[element.code, other],
                area_m2=round(overlap, 1),
            )


def _refuse_outside(district: District, layer: Layer, element: Element) -> None:
    if layer.parent is None:
        return
    parents = district.frames.frame(layer.parent)
    if len(parents) == 0:
        return
    near = parents.arrays.geometry[parents.query(element.geometry, predicate="intersects")]
    outside = area_m2(shapely.difference(element.geometry, shapely.union_all(near)))
    if outside > TOLERANCE_M2:
        parent = district.catalogue.layer(layer.parent)
        raise OutsideParentError(
            f"{outside:,.0f} m² of {element.code} lie outside layer {parent.id}; edit its boundary",
            zh=f"“{element.code}”有 {outside:,.0f} 平方米超出“{parent.title}”范围,未保存,请调整边界。",
            area_m2=round(outside, 1),
        )


def _lost_ground(district: District, layer: Layer, element: Element) -> list[str]:
    frame = district.frames.frame(layer.id)
    at = frame.position(element.id)
    if at is None:
        return []
    lost = shapely.difference(frame.arrays.geometry[at], element.geometry)
    area = area_m2(lost)
    if area <= TOLERANCE_M2:
        return []
    return [f"原范围中有 {area:,.0f} 平方米不再属于任何{layer.title},请由相邻{layer.title}接管"]
