"""Barriers as strips of ground, in tiles, so that a shape is cut only where it ends at them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]
Flags = NDArray[np.bool_]

HALF_WIDTH_M = 0.5
"""Half the width that a barrier line takes out of a shape."""
_TILE_CELLS = 8


class Walls:
    """
    Barriers a metre wider than they are, by tiles of 8 x 8 squares of a raster.

    Parameters
    ----------
    barriers : (k,) lines and polygons, none empty, metres
    x, y : centers of the raster's columns and rows, metres, evenly spaced; a square has four centers as corners
    """

    def __init__(self, barriers: Shapes, x: Floats, y: Floats) -> None:
        self.barriers = barriers
        self._x, self._y = x, y
        self._shape = -(-len(y) // _TILE_CELLS), -(-len(x) // _TILE_CELLS)

    def along(self, within: Sequence[Flags], first_row: int, first_column: int) -> Shapes:
        """
        The strips in the tiles where shapes end, and all of the areas among the barriers: (n,) polygons.

        Of all shapes, so that a wall which parts one parts the larger ones too.

        Parameters
        ----------
        within : (rows, columns) whether a center lies in the shape, for each shape
        first_row, first_column : where these rows and columns begin in the raster
        """
        strip, tile = self._strips
        if len(strip) == 0:
            return strip
        row, column = np.nonzero(np.logical_or.reduce([_is_mixed(flags) for flags in within]))
        wanted = np.zeros(self._shape, bool)
        wanted[(row + first_row) // _TILE_CELLS, (column + first_column) // _TILE_CELLS] = True
        wanted |= self._has_area
        return strip[wanted.reshape(-1)[tile]]

    @cached_property
    def _has_area(self) -> Flags:
        """Per tile whether an area among the barriers, such as a lake, lies in it."""
        result = np.zeros(self._shape, bool)
        areas = shapely.union_all(self.barriers[shapely.get_dimensions(self.barriers) == 2])
        if not areas.is_empty:
            result.reshape(-1)[self._tiles(areas)[1]] = True
        return result

    @cached_property
    def _strips(self) -> tuple[Shapes, Ints]:
        """Polygons that overlap nowhere, and the tile of each."""
        is_line = shapely.get_dimensions(self.barriers) == 1
        lines = shapely.get_parts(
            shapely.line_merge(shapely.multilinestrings(shapely.get_parts(self.barriers[is_line])))
        )
        # few vertices make quick cuts: a strip of half its width to either side still holds its line, and mitred
        # corners have one vertex where round ones have many
        lines = shapely.simplify(lines, HALF_WIDTH_M / 2)
        broad = shapely.buffer(
            np.concatenate([lines, self.barriers[~is_line]]),
            HALF_WIDTH_M,
            cap_style="flat",
            join_style="mitre",
        )
        return self._tiles(shapely.union_all(broad))

    def _tiles(self, areas: shapely.Geometry) -> tuple[Shapes, Ints]:
        """The parts of areas within each tile: halved again and again, since a clip costs what it is given."""
        polygons: list[Shapes] = []
        tiles: list[Ints] = []
        rows, columns = self._shape
        todo = [(areas, 0, rows, 0, columns)]
        while todo:
            part, south, north, west, east = todo.pop()
            if part.is_empty:
                continue
            if north - south == east - west == 1:
                single = shapely.get_parts(part)
                polygons.append(single[shapely.get_dimensions(single) == 2])
                tiles.append(np.full(len(polygons[-1]), south * columns + west, np.intp))
            elif north - south >= east - west:
                middle = (south + north) // 2
                todo += [
                    (self._clip(part, a, b, west, east), a, b, west, east)
                    for a, b in ((south, middle), (middle, north))
                ]
            else:
                middle = (west + east) // 2
                todo += [
                    (self._clip(part, south, north, a, b), south, north, a, b)
                    for a, b in ((west, middle), (middle, east))
                ]
        return np.concatenate([np.zeros(0, object), *polygons]), np.concatenate(
            [np.zeros(0, np.intp), *tiles]
        )

    def _clip(self, part: shapely.Geometry, south: int, north: int, west: int, east: int) -> shapely.Geometry:
        side = (self._x[1] - self._x[0]) * _TILE_CELLS
        x, y = self._x[0], self._y[0]
        return shapely.clip_by_rect(
            part, x + west * side, y + south * side, x + east * side, y + north * side
        )


def apart(strips: Shapes, squares: Shapes) -> Shapes:
    """Both as polygons that overlap nowhere; strips keep the sides that they share where tiles meet."""
    met = np.unique(shapely.STRtree(strips).query(squares, predicate="intersects")[1])
    joined = shapely.disjoint_subset_union_all(np.concatenate([strips[met], squares]))
    return np.concatenate([np.delete(strips, met), shapely.get_parts(joined)])


def _is_mixed(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(rows - 1, columns - 1) whether the four corners of a square differ."""
    some, every = flags[1:] | flags[:-1], flags[1:] & flags[:-1]
    return (some[:, 1:] | some[:, :-1]) & ~(every[:, 1:] & every[:, :-1])
