"""Places inside cells: beside a road, clear of roads and borders, each within one cell and so within one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmap.demo.barriers import Barriers, Rank
from gridmap.demo.chance import Floats, pick
from gridmap.demo.land import Land
from gridmap.demo.lattice import Indices, Mask, Shape
from gridmap.demo.plane import to_lonlat, to_plane
from gridmap.demo.roads import Links, RoadClass, gates_around, hearts

# Directions 0 east, 1 north, 2 west, 3 south; quarter q of a cell lies between directions q and q + 1.
_QUARTER_CORNERS = ((1, 1), (0, 1), (0, 0), (1, 0))


@dataclass(frozen=True, slots=True)
class Cells:
    """
    The cells of the district as a list, in the order of the divisions' labels.

    Attributes
    ----------
    i, j : (cells,) lattice indices
    heart : (cells, 2) metres, where roads meet, or the middle of the one that passes
    side : (4, cells, 2) metres, by direction: where the road passes the side, or the side's middle
    corner : (4, cells, 2) metres, corners by quarter
    road : (4, cells) `RoadClass` of the link in each direction
    area_m2, per_km2 : (cells,) size, and residents per km²
    is_ground : (cells,) firm ground
    is_quiet : (cells,) no river, railway or motorway along any side
    """

    i: Indices
    j: Indices
    heart: Floats
    side: Floats
    corner: Floats
    road: Indices
    area_m2: Floats
    per_km2: Floats
    is_ground: Mask
    is_quiet: Mask

    @property
    def best_road(self) -> Indices:
        """Greatest class of road through each cell."""
        return self.road.max(axis=0)

    @property
    def by_car(self) -> Mask:
        """Cells on firm ground that a car reaches."""
        return self.is_ground & (self.best_road >= RoadClass.RESIDENTIAL)

    def inside(self, cell: Indices, quarter: Indices, s: Floats, t: Floats) -> Floats:
        """Metres (n, 2) of the place at share `s` along direction `quarter` and `t` along the next one."""
        s, t = s[:, None], t[:, None]
        return (
            (1 - s) * (1 - t) * self.heart[cell]
            + s * (1 - t) * self.side[quarter, cell]
            + (1 - s) * t * self.side[(quarter + 1) % 4, cell]
            + s * t * self.corner[quarter, cell]
        )


def list_cells(land: Land, per_km2: Floats, links: Links, barriers: Barriers, shape: Shape) -> Cells:
    """The district's cells with the roads through them; `per_km2` is (nx, ny)."""
    i, j = np.nonzero(land.inside)
    flat = to_plane(shape.corner.reshape(-1, 2)).reshape(shape.corner.shape)
    corners = np.stack([flat[i + a, j + b] for a, b in _QUARTER_CORNERS])
    halves = np.stack([(corners[k - 1] + corners[k]) / 2 for k in range(4)])
    road, gate = (one[:, i, j] for one in gates_around(links, shape))
    side = np.where((road > 0)[..., None], to_plane(gate), halves)
    heart = to_plane(hearts(links, shape)[i, j])
    rank_x, rank_y = barriers.rank_x(), barriers.rank_y()
    around = np.stack([rank_y[i + 1, j], rank_x[i, j + 1], rank_y[i, j], rank_x[i, j]])
    is_quiet = around.max(axis=0) < Rank.RIVER
    return Cells(
        i, j, heart, side, corners, road, land.area_m2[i, j], per_km2[i, j], land.ground[i, j], is_quiet
    )


def beside_road(rng: np.random.Generator, cells: Cells, cell: Indices) -> Floats:
    """A place (n, 2) in degrees in each cell, a few metres to some tens of metres from a road there."""
    n = len(cell)
    turn = rng.integers(0, 4, n)
    direction = turn.copy()
    for step in range(3, -1, -1):  # the first direction from `turn` on that has a road
        ahead = (turn + step) % 4
        direction = np.where(cells.road[ahead, cell] > 0, ahead, direction)
    along, off = 0.25 + 0.5 * rng.random(n), 0.16 + 0.14 * rng.random(n)
    left = rng.random(n) < 0.5
    quarter = np.where(left, direction, (direction - 1) % 4)
    return to_lonlat(cells.inside(cell, quarter, np.where(left, along, off), np.where(left, off, along)))


def anywhere(rng: np.random.Generator, cells: Cells, cell: Indices) -> Floats:
    """A place (n, 2) in degrees anywhere in each cell, but not on its rim."""
    s, t = 0.06 + 0.8 * rng.random((2, len(cell)))
    return to_lonlat(cells.inside(cell, rng.integers(0, 4, len(cell)), s, t))


def pick_cells(rng: np.random.Generator, cells: Cells, count: int, weight: Floats) -> Indices:
    """`count` different cells that a car reaches, ascending, by `weight`; fewer where there are not so many."""
    able = np.flatnonzero(cells.by_car & (weight > 0))
    return able[pick(rng, min(count, len(able)), weight[able])]
