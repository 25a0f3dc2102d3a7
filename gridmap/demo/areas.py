"""Polygons of divisions: unions of cells, so that neighbours share every vertex and children fill parents exactly."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from gridmap.demo.barriers import Barriers
from gridmap.demo.chance import stream
from gridmap.demo.grids import Grids
from gridmap.demo.lattice import (
    Indices,
    Lattice,
    Mask,
    Shape,
    convex,
    settle,
)

Geometries = NDArray[np.object_]


def border_ranks(number: Indices, label: Indices) -> tuple[Indices, Indices]:
    """1 on sides (as `Barriers.number_x`, `number_y`) between cells of different labels, outside included."""
    field = np.pad(np.where(number >= 0, label[np.maximum(number, 0)], -1), 1, constant_values=-1)
    along_x = (field[1:-1, 1:] != field[1:-1, :-1]).astype(np.int64)
    along_y = (field[1:, 1:-1] != field[:-1, 1:-1]).astype(np.int64)
    return along_x, along_y


def settle_corners(
    seed: int, lattice: Lattice, barriers: Barriers, number: Indices, grids: Grids
) -> NDArray[np.float64]:
    """Corners' lattice coordinates: a little disorder, then waters and borders smoothed, the motorway kept straight."""
    home = lattice.corners()
    held = _motorway_corners(barriers, home.shape[:2])
    place = home + np.where(held[..., None], 0.0, (stream(seed, "corners").random(home.shape) - 0.5) * 0.20)
    rank_x, rank_y = 2 * barriers.rank_x(), 2 * barriers.rank_y()
    divisions = (
        (1, grids.micro_grid), (1, grids.police_grid), (3, grids.committee), (5, grids.town),
    )  # fmt: skip
    for importance, division in divisions:
        along_x, along_y = border_ranks(number, division.label)
        rank_x, rank_y = np.maximum(rank_x, importance * along_x), np.maximum(rank_y, importance * along_y)
    return convex(settle(place, home, rank_x, rank_y, held), home)


def _motorway_corners(barriers: Barriers, shape: tuple[int, int]) -> Mask:
    held = np.zeros(shape, dtype=bool)
    held[:, barriers.motorway_row] = True
    return held


def cell_polygons(shape: Shape, number: Indices) -> Geometries:
    """One polygon a cell of the district, in the order of `number`, EPSG:4326."""
    i, j = np.nonzero(number >= 0)
    rings = np.stack(
        [shape.corner[i + a, j + b] for a, b in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))], axis=1
    )
    return shapely.polygons(rings)


def union_by(parts: Geometries, label: Indices, count: int) -> Geometries:
    """One polygon for each label from 0 to `count` - 1: the union of its parts, every shared vertex kept."""
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(count + 1))
    unions = [shapely.coverage_union_all(parts[order[bounds[k] : bounds[k + 1]]]) for k in range(count)]
    return shapely.orient_polygons(_single(np.array(unions, dtype=object)))


def _single(geometries: Geometries) -> Geometries:
    """Multi-polygons of one part as that part."""
    one = shapely.get_num_geometries(geometries) == 1
    return np.where(one, shapely.get_geometry(geometries, 0), geometries)
