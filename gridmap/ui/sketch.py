"""A small drawing of shapes without a map: what a change does to an outline, where something is wrong."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape

import shapely
from shapely.geometry.base import BaseGeometry

_WIDTH, _HEIGHT, _MARGIN = 320, 200, 12
# A drawing of this size shows no more.
_TOLERANCE_PX = 0.4

# Fill and line of each look; a drawing stands alone, out of reach of the page's styles.
_LOOKS = {
    "before": 'fill="#6b7688" fill-opacity=".18" stroke="#6b7688" stroke-width="1.5" stroke-dasharray="4 3"',
    "after": 'fill="#1f4e9d" fill-opacity=".16" stroke="#1f4e9d" stroke-width="2"',
    "theirs": 'fill="#b06f00" fill-opacity=".16" stroke="#b06f00" stroke-width="2" stroke-dasharray="7 3"',
    "around": 'fill="#ffffff" stroke="#98a2b3" stroke-width="1"',
    "fault": 'fill="#a3161b" fill-opacity=".35" stroke="#a3161b" stroke-width="2"',
}

Layers = Sequence[tuple[str, Sequence[BaseGeometry]]]


def sketch(layers: Layers, title: str) -> str:
    """
    The shapes as an image element, first ones below.

    An SVG in an `img`: Streamlit takes SVG elements out of HTML.

    Parameters
    ----------
    layers : (look, shapes in lon/lat) each; the look is `before`, `after`, `theirs`, `around` or `fault`
    title : what it shows, for those who cannot see it
    """
    everything = [one for _, shapes in layers for one in shapes if not one.is_empty]
    if not everything:
        return ""
    frame = _Frame.around(everything)
    parts = "".join(frame.drawn(one, look) for look, shapes in layers for one in shapes if not one.is_empty)
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
        f' height="{_HEIGHT}">{parts}</svg>'
    )
    data = base64.b64encode(drawing.encode()).decode()
    return (
        f'<img class="gm-sketch" src="data:image/svg+xml;base64,{data}" alt="{escape(title)}" width="{_WIDTH}"'
        f' height="{_HEIGHT}">'
    )


class _Frame:
    """Degrees to pixels, true to shape at the drawing's latitude."""

    def __init__(
        self, west: float, north: float, scale: float, squeeze: float, left: float, top: float
    ) -> None:
        self.west, self.north, self.scale, self.squeeze, self.left, self.top = (
            west, north, scale, squeeze, left, top,
        )  # fmt: skip

    @classmethod
    def around(cls, shapes: Sequence[BaseGeometry]) -> _Frame:
        west, south, east, north = shapely.total_bounds(list(shapes)).tolist()
        squeeze = math.cos(math.radians((south + north) / 2))
        # a point alone is shown as if it were some hundred metres wide
        wide, high = max((east - west) * squeeze, 1e-3), max(north - south, 1e-3)
        scale = min((_WIDTH - 2 * _MARGIN) / wide, (_HEIGHT - 2 * _MARGIN) / high)
        left = (_WIDTH - (east - west) * squeeze * scale) / 2
        top = (_HEIGHT - (north - south) * scale) / 2
        return cls(west, north, scale, squeeze, left, top)

    def drawn(self, shape: BaseGeometry, look: str) -> str:
        simple = shapely.simplify(shape, _TOLERANCE_PX / self.scale)
        drawn = []
        for part in shapely.get_parts(simple):
            if part.geom_type == "Point":
                x, y = self._pixel(part.x, part.y)
                drawn.append(f'<circle {_LOOKS[look]} cx="{x:.1f}" cy="{y:.1f}" r="6"/>')
            elif part.geom_type == "Polygon":
                rings = [part.exterior, *part.interiors]
                drawn.append(
                    f'<path fill-rule="evenodd" {_LOOKS[look]} d="{"".join(self._path(one) + "Z" for one in rings)}"/>'
                )
            elif part.geom_type in ("LineString", "LinearRing"):
                drawn.append(f'<path {_LOOKS[look]} style="fill: none" d="{self._path(part)}"/>')
            else:
                drawn += [self.drawn(one, look) for one in shapely.get_parts(part)]
        return "".join(drawn)

    def _pixel(self, lon: float, lat: float) -> tuple[float, float]:
        return (
            self.left + (lon - self.west) * self.squeeze * self.scale,
            self.top + (self.north - lat) * self.scale,
        )

    def _path(self, line: BaseGeometry) -> str:
        points = [self._pixel(*one) for one in shapely.get_coordinates(line).tolist()]
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
