"""
The plane the demo district is drawn on: metres east and north of its middle.

An affine image of longitude and latitude, true to scale in the middle of the district (within 0.2 % at its
edges). It serves for drawing only; measured figures use the projected CRS of the data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gridmap.demo.chance import Floats

MIDDLE_LON, MIDDLE_LAT = 121.56, 30.89
METRES_PER_DEGREE_LON, METRES_PER_DEGREE_LAT = 95_612.0, 110_868.0
DECIMALS = (
    7  # of a degree: about a centimetre; rounding is one function of a point, so shared points stay shared
)


def to_plane(lonlat: ArrayLike) -> Floats:
    """Metres (n, 2) of degrees (n, 2)."""
    degrees = np.asarray(lonlat, dtype=np.float64)
    return (degrees - (MIDDLE_LON, MIDDLE_LAT)) * (METRES_PER_DEGREE_LON, METRES_PER_DEGREE_LAT)


def to_lonlat(xy: ArrayLike) -> Floats:
    """Degrees (n, 2) in EPSG:4326 of metres (n, 2), rounded to `DECIMALS`."""
    metres = np.asarray(xy, dtype=np.float64)
    degrees = metres / (METRES_PER_DEGREE_LON, METRES_PER_DEGREE_LAT) + (MIDDLE_LON, MIDDLE_LAT)
    return np.round(degrees, DECIMALS)
