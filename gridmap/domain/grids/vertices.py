"""
Vertices as they were before cutting: known ones to the last bit, and none that cutting made in vain.

Cutting is only safe where crossings are rounded to a grid of cells; what comes out of it must not show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids.polygons import Array, rebuilt, rings_of


@dataclass(frozen=True, slots=True)
class Known:
    """The vertices that were there before everything was rounded, by the cells that they are rounded to."""

    cells: Array
    xy: Array
    rounding: float

    @classmethod
    def of(cls, sources: Sequence[BaseGeometry], rounding: float) -> Known:
        xy = shapely.get_coordinates(sources)
        cells, first = np.unique(cells_of(xy, rounding), return_index=True)
        return cls(cells, xy[first], rounding)

    def find(self, xy: Array) -> tuple[Array, Array]:
        """Which of the places are known, and for each the known place (where it is)."""
        cells = cells_of(xy, self.rounding)
        at = np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)
        return self.cells[at] == cells, self.xy[at]

    def restored(self, area: BaseGeometry) -> BaseGeometry:
        """The area with known vertices as they were; the area itself where that would make it invalid."""
        xy = shapely.get_coordinates(area)
        if not len(xy):
            return area
        is_known, there = self.find(xy)
        moved = shapely.set_coordinates(area, np.where(is_known[:, None], there, xy))
        return moved if moved.is_valid else area

    def needless(self, areas: Array) -> Array:
        """Cells of vertices that are not known and that nothing needs: amid a straight common border."""
        here, there = _ways_out(areas)
        is_new = ~self.find(here)[0]
        here, there = here[is_new], there[is_new]
        ways = np.column_stack([cells_of(here, self.rounding), cells_of(there, self.rounding)])
        ways, first = np.unique(ways, axis=0, return_index=True)
        here, there = here[first], there[first]
        # the ways are in the order of their cells: two of one cell stand behind each other
        cells, begin, count = np.unique(ways[:, 0], return_index=True, return_counts=True)
        at = begin[count == 2]
        across = shapely.linestrings(np.stack([there[at], there[at + 1]], axis=1))
        is_straight = shapely.distance(across, shapely.points(here[at])) <= 2 * self.rounding
        return cells[count == 2][is_straight]

    def without(self, area: BaseGeometry, cells: Array) -> BaseGeometry:
        """The area without the vertices in these cells."""
        if not np.isin(cells_of(shapely.get_coordinates(area), self.rounding), cells).any():
            return area
        rings = []
        for ring in rings_of(area):
            points = ring[:-1]
            kept = points[~np.isin(cells_of(points, self.rounding), cells)]
            rings.append(np.vstack([kept, kept[:1]]))
        return rebuilt(area, rings)


def cells_of(xy: Array, rounding: float) -> Array:
    """(n,) one (complex) number for the cell of each coordinate pair."""
    cell = np.rint(xy / rounding)
    return cell[:, 0] + 1j * cell[:, 1]


def _ways_out(areas: Array) -> tuple[Array, Array]:
    """Every edge of the areas from both of its ends: (n, 2) where it starts, (n, 2) where it leads."""
    rings = shapely.get_rings(shapely.get_parts(areas[~shapely.is_empty(areas)]))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    is_edge = ring[1:] == ring[:-1]
    starts, ends = xy[:-1][is_edge], xy[1:][is_edge]
    return np.vstack([starts, ends]), np.vstack([ends, starts])
