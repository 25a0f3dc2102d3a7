"""Metres on the ground where areas have coordinates in degrees: a ruler for tolerances, not a projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

TOLERANCE_M2 = 1.0
_NARROW_M = 0.05
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Metres per unit of x and y near a place, within 1 % for pieces of a grid's size."""

    x: float
    y: float

    @property
    def is_metric(self) -> bool:
        """Whether the coordinates are metres themselves."""
        return self.x == self.y == 1.0

    @property
    def rounding(self) -> float:
        """A tenth of a millimetre in the unit of the coordinates: what crossings are rounded to."""
        return 1e-4 if self.is_metric else 1e-9

    def area_m2(self, geometry: Any) -> Any:
        """Area of a geometry (or of each in an array), m²."""
        return shapely.area(geometry) * (self.x * self.y)

    def is_slight(self, piece: BaseGeometry) -> bool:
        """Whether a piece is a slip of the pen: at most 1 m², or on average narrower than 5 cm."""
        area, around = self.area_m2(piece), piece.length * max(self.x, self.y)
        return area <= TOLERANCE_M2 or 2 * area < _NARROW_M * around

    def units(self, metres: float) -> float:
        """A distance in the larger unit: at least that many metres in both directions."""
        return metres / min(self.x, self.y)


def scale_of(geometries: ArrayLike) -> Scale:
    """The scale where the geometries lie; degrees and metres are told apart by their range."""
    west, south, east, north = shapely.total_bounds(np.asarray(geometries, dtype=object))
    if west < -180 or east > 180 or south < -90 or north > 90:
        return Scale(1.0, 1.0)
    return Scale(_METRES_PER_DEGREE * float(np.cos(np.radians((south + north) / 2))), _METRES_PER_DEGREE)
