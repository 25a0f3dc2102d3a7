"""The district's own ground, and what lies beside it."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.layers import GeometryType, Layer
from gridmap.services.district import District


def district_area(district: District, *, beside: str = "") -> BaseGeometry | None:
    """
    The district's ground (EPSG:4326): the district layer, else the towns together; None while there is neither.

    `beside` is a layer that is not asked, since it is being judged itself.
    """
    for layer_id in ("district", "town"):
        if layer_id == beside or layer_id not in district.catalogue:
            continue
        frame = district.frames.frame(layer_id)
        if len(frame):
            return shapely.union_all(frame.arrays.geometry[frame.living])
    return None


def is_outside(district: District, layer: Layer, geometry: np.ndarray) -> np.ndarray:
    """
    (n,) whether elements of a layer lie wholly beside the district's ground.

    Never so for the district and its towns, nor for roads, waters and bridges, which go on beyond the border so
    that the way round is known.
    """
    network = {
        one.group for one in district.catalogue if one.is_basemap and one.geometry is GeometryType.LINE
    }
    nothing = np.zeros(len(geometry), dtype=bool)
    if layer.is_basemap or layer.group in network or layer.id == "town":
        return nothing
    area = district_area(district, beside=layer.id)
    if area is None:
        return nothing
    shapely.prepare(area)
    return ~shapely.intersects(area, geometry)
