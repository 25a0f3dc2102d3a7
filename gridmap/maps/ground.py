"""
The plane that figures are drawn on: Web Mercator, as on the live map, with its true scale at the figure's latitude.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from gridmap.domain.elements import Box
from gridmap.errors import InvalidInput

_A = 6_378_137.0
_E2 = 0.006_694_379_990_141_3
# Metres of the plane per CSS pixel at zoom 0: the equator on 256 pixels.
_UNITS_AT_ZOOM_0 = 2 * math.pi * _A / 256
CSS_PIXELS_PER_INCH = 96
_MOST_LATITUDE = 85.0


def project(geometries: np.ndarray) -> np.ndarray:
    """Lon/lat geometries (EPSG:4326) in the plane (EPSG:3857)."""
    return shapely.transform(geometries, _forward)


def _forward(lonlat: np.ndarray) -> np.ndarray:
    latitude = np.radians(np.clip(lonlat[:, 1], -_MOST_LATITUDE, _MOST_LATITUDE))
    return np.column_stack([_A * np.radians(lonlat[:, 0]), _A * np.arctanh(np.sin(latitude))])


def _latitude(y: float) -> float:
    return math.asin(math.tanh(y / _A))


def lonlat(x: float, y: float) -> tuple[float, float]:
    """The longitude and latitude of a position in the plane."""
    return math.degrees(x / _A), math.degrees(_latitude(y))


@dataclass(frozen=True, slots=True)
class Ground:
    """
    A rectangle of the plane and the paper it fills.

    `x0, y0, x1, y1` are metres of the plane; `width_in`, `height_in` inches of paper with the same proportions.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    width_in: float
    height_in: float

    @property
    def zoom(self) -> float:
        """The zoom of a live map with this scale on a screen of 96 pixels an inch."""
        units_per_pixel = (self.x1 - self.x0) / (self.width_in * CSS_PIXELS_PER_INCH)
        return math.log2(_UNITS_AT_ZOOM_0 / units_per_pixel)

    @property
    def metres_per_unit(self) -> float:
        """
        Metres on the ground, on the ellipsoid, per metre of the plane, from west to east in the middle.

        North to south it is up to 0.7 % less; over a district it changes by less than 0.5 %.
        """
        latitude = _latitude((self.y0 + self.y1) / 2)
        return math.cos(latitude) / math.sqrt(1 - _E2 * math.sin(latitude) ** 2)

    @property
    def width_units(self) -> float:
        """Metres of the plane from the left edge to the right."""
        return self.x1 - self.x0

    @property
    def box(self) -> Box:
        """What is drawn, in degrees: (min lon, min lat, max lon, max lat)."""
        return (*lonlat(self.x0, self.y0), *lonlat(self.x1, self.y1))


def ground_for(
    box: Box, width_in: float, height_in: float, *, margin: float = 0.06, least_m: float = 400.0
) -> Ground:
    """
    The ground that shows all of a lon/lat box on paper of this size, with a margin, and never less than `least_m`.

    Raises
    ------
    InvalidInput
        The box is not finite or upside down.
    """
    if not np.isfinite(box).all() or box[0] > box[2] or box[1] > box[3]:
        raise InvalidInput(f"no map of the box {box}", zh="没有可以绘制的范围。")
    (x0, y0), (x1, y1) = _forward(np.array([box[:2], box[2:]]))
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    per_inch = max(
        (x1 - x0) * (1 + 2 * margin) / width_in, (y1 - y0) * (1 + 2 * margin) / height_in, least_m / width_in
    )
    half_x, half_y = per_inch * width_in / 2, per_inch * height_in / 2
    return Ground(
        middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y, width_in, height_in
    )


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of `length_m` on the ground: so many metres of the plane, and its words."""

    length_m: float
    units: float
    text: str


def scale_bar(ground: Ground, *, share: float = 0.22) -> ScaleBar:
    """The longest bar of 1, 2 or 5 times a power of ten that takes at most `share` of the width."""
    most = (ground.x1 - ground.x0) * share * ground.metres_per_unit
    power = 10.0 ** math.floor(math.log10(most))
    length = next(one * power for one in (5, 2, 1) if one * power <= most)
    text = f"{length / 1000:g} 公里" if length >= 1000 else f"{length:g} 米"
    return ScaleBar(length, length / ground.metres_per_unit, text)
