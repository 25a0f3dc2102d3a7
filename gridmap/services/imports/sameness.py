"""Whether two geometries are the same place, as far as a file can keep one."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

SAME_PLACE_DEGREES = 1e-7


def is_same_place(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """
    Whether geometries are equal within `SAME_PLACE_DEGREES`.

    Points and lines vertex by vertex (a line has a direction); areas by their outline, wherever it begins,
    whichever way it runs and however many vertices lie on its edges. A Multi of one part equals that part.
    """
    same = shapely.equals_exact(first, second, tolerance=SAME_PLACE_DEGREES)
    for at in np.flatnonzero(~same).tolist():
        one, other = _unwrapped(first[at]), _unwrapped(second[at])
        if one.geom_type != other.geom_type or len(shapely.get_parts(one)) != len(shapely.get_parts(other)):
            continue
        if shapely.get_dimensions(one) == 2:
            same[at] = shapely.hausdorff_distance(one.boundary, other.boundary) <= SAME_PLACE_DEGREES
        elif shapely.get_num_coordinates(one) == shapely.get_num_coordinates(other):
            same[at] = shapely.equals_exact(one, other, tolerance=SAME_PLACE_DEGREES)
    return same


def _unwrapped(geometry: BaseGeometry) -> BaseGeometry:
    parts = getattr(geometry, "geoms", None)
    return parts[0] if parts is not None and len(parts) == 1 else geometry


class PlaceIndex:
    """Finds geometries of the same name at the same place, by the cell of their lower left corner."""

    _CELL = 1e-6

    def __init__(self, geometry: np.ndarray) -> None:
        self.geometry = geometry
        self.corner = shapely.bounds(geometry)[:, :2] / self._CELL
        self.cells: dict[tuple[str, int, int], list[int]] = {}

    def add(self, at: int, name: str) -> None:
        """Let this geometry be found."""
        x, y = np.floor(self.corner[at]).astype(int).tolist()
        self.cells.setdefault((name, x, y), []).append(at)

    def same(self, geometry: BaseGeometry, name: str) -> list[int]:
        """Those that were added under the name and are at the same place, in their order."""
        x, y = (value / self._CELL for value in geometry.bounds[:2])
        reach = SAME_PLACE_DEGREES / self._CELL
        cells = {
            (int(np.floor(x + dx)), int(np.floor(y + dy))) for dx in (-reach, reach) for dy in (-reach, reach)
        }
        near = sorted({at for cx, cy in cells for at in self.cells.get((name, cx, cy), ())})
        if not near:
            return []
        asked = np.full(len(near), geometry, dtype=object)
        return [at for at, hit in zip(near, is_same_place(asked, self.geometry[near]), strict=True) if hit]
