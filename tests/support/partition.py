"""Partitions made at random, and what a partition has to be, computed the plain way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

M2_PER_SQUARE_DEGREE = 111_320.0**2 * 0.857


def cells(seed: int, count: int, frame: BaseGeometry) -> list[BaseGeometry]:
    """`count` cells that share every vertex and fill the frame, with crooked borders, on a millimetre grid."""
    rng = np.random.default_rng(seed)
    west, south, east, north = frame.bounds
    seeds = shapely.points(rng.uniform((west, south), (east, north), (count, 2)))
    diagram = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=frame))
    clipped = shapely.intersection(diagram, frame, grid_size=1e-8)
    lines = shapely.union_all(shapely.boundary(clipped), grid_size=1e-8)
    return list(shapely.get_parts(shapely.polygonize([lines])))


def overlap_m2(areas: Sequence[BaseGeometry]) -> float:
    """Ground that two of the areas share, pair by pair."""
    pairs = itertools.combinations(areas, 2)
    return sum(shapely.intersection(a, b).area for a, b in pairs) * M2_PER_SQUARE_DEGREE


def difference_m2(areas: Sequence[BaseGeometry], ground: BaseGeometry) -> float:
    """Ground that only the areas together, or only `ground`, has."""
    return shapely.symmetric_difference(shapely.union_all(list(areas)), ground).area * M2_PER_SQUARE_DEGREE


def strays(areas: Sequence[BaseGeometry], hair: float = 1e-9) -> list[tuple[float, float]]:
    """Vertices of one area that lie on the border of another without being one of its vertices."""
    corners = [set(map(tuple, shapely.get_coordinates(one).tolist())) for one in areas]
    found = []
    for i, j in itertools.permutations(range(len(areas)), 2):
        others = sorted(corners[i] - corners[j])
        near = shapely.dwithin(shapely.points(others), shapely.boundary(areas[j]), hair) if others else []
        found += [place for place, is_near in zip(others, near, strict=True) if is_near]
    return found
