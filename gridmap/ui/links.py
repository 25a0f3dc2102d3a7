"""Where things are on the map page: zoom, middle and element, as plain text in the address."""

from __future__ import annotations

import math
from urllib.parse import quote

_CLOSEST = 17
_FARTHEST = 9


def to_map(
    base_path: str,
    place: tuple[float, float],
    *,
    box: tuple[float, float, float, float] | None = None,
    layer: str = "",
    element: str = "",
) -> str:
    """
    The address of a place on the map page.

    Parameters
    ----------
    place : (lon, lat)
    box : lon/lat bounds of what is to be seen (west, south, east, north); None for a point
    layer, element : plain ids of the element that is opened there; empty for the place alone
    """
    lon, lat = place
    end = f"/{quote(layer)}/{quote(element)}" if layer and element else ""
    return f"{base_path}/map#{_zoom(lat, box)}/{lat:.6f}/{lon:.6f}{end}"


def _zoom(lat: float, box: tuple[float, float, float, float] | None) -> int:
    if box is None:
        return _CLOSEST
    west, south, east, north = box
    # at zoom z the world is 256 * 2**z pixels wide; let the thing take some 500 of them
    extent = max(east - west, (north - south) / math.cos(math.radians(lat)))
    if extent == 0:
        return _CLOSEST
    return max(_FARTHEST, min(_CLOSEST, math.floor(math.log2(360 / extent * 500 / 256))))
