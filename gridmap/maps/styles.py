"""
How elements look, in plain values: the one source for the map in the browser and for printed figures.

The catalogue says which shape, colour and size a symbol has. This module adds what the shapes look like, how
lines are dashed, what the paper behind everything is, and how sizes follow the zoom. `map_style()` travels to
the browser inside the shell's constant script; a figure drawn by Python takes the same values.
"""

from __future__ import annotations

import math
from typing import Any

from gridmap.domain.layers import Layer, Shape, Symbol

Ring = list[tuple[float, float]]
Stops = list[tuple[float, float]]

# Quiet colours that no symbol has, so that the page is never white and the symbols stand out.
PAPER = "#e9e6df"
LAND = "#f8f6f0"
INK = "#2b3442"
HALO = "#ffffff"
SELECTED = "#d6336c"
MINE = "#00796b"

FONT = (
    "'Microsoft YaHei', 'PingFang SC', 'Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', "
    "'WenQuanYi Micro Hei', sans-serif"
)

# Dash and gap in line widths; a solid line has none.
DASHES: dict[Shape, list[float]] = {
    Shape.SOLID: [],
    Shape.DASHED: [5.0, 3.0],
    Shape.DOTTED: [1.2, 2.2],
    Shape.DOUBLE: [],
}

# (zoom, factor): between two stops the factor is interpolated, outside the nearest one holds.
MARKER_SCALE: Stops = [(8, 0.5), (10, 0.6), (12, 0.8), (13, 0.9), (14, 1.1), (16, 1.45), (18, 1.7)]
BASE_LINE_SCALE: Stops = [(8, 0.2), (10, 0.32), (12, 0.6), (14, 1.15), (16, 2.4), (18, 4.5)]
BORDER_SCALE: Stops = [(8, 0.6), (11, 0.75), (14, 1.2), (17, 1.6)]
# How strongly the lines of the ground are drawn, so that what stands on it is seen first.
BASE_LINE_OPACITY: Stops = [(9, 0.4), (12, 0.6), (15, 0.8)]


def _regular(corners: int, *, turn: float = 0.0, radius: float = 1.0) -> Ring:
    """A regular polygon with its first corner at the top, turned clockwise by `turn` (a share of a full turn)."""
    angles = [2 * math.pi * (k / corners + turn) for k in range(corners)]
    return [(round(radius * math.sin(a), 4), round(-radius * math.cos(a), 4)) for a in angles]


def _star(points: int, *, inner: float, radius: float = 1.0) -> Ring:
    ring: Ring = []
    for k in range(2 * points):
        angle, reach = math.pi * k / points, radius * (1.0 if k % 2 == 0 else inner)
        ring.append((round(reach * math.sin(angle), 4), round(-reach * math.cos(angle), 4)))
    return ring


def _cross(arm: float) -> Ring:
    a = arm
    return [
        (-a, -1),
        (a, -1),
        (a, -a),
        (1, -a),
        (1, a),
        (a, a),
        (a, 1),
        (-a, 1),
        (-a, a),
        (-1, a),
        (-1, -a),
        (-a, -a),
    ]


# Outlines of the markers in a square from -1 to 1, y downwards; a circle is a polygon too, so that whoever
# draws needs no special case.
OUTLINES: dict[Shape, Ring] = {
    Shape.CIRCLE: _regular(36, radius=0.92),
    Shape.SQUARE: [(-0.82, -0.82), (0.82, -0.82), (0.82, 0.82), (-0.82, 0.82)],
    Shape.DIAMOND: _regular(4, radius=1.06),
    Shape.TRIANGLE: [(0, -1.0), (1.0, 0.8), (-1.0, 0.8)],
    Shape.TRIANGLE_DOWN: [(0, 1.0), (-1.0, -0.8), (1.0, -0.8)],
    Shape.PENTAGON: _regular(5),
    Shape.HEXAGON: _regular(6),
    Shape.STAR: _star(5, inner=0.45, radius=1.12),
    Shape.CROSS: _cross(0.34),
    Shape.SHIELD: [
        (0, -1.05), (0.36, -0.86), (0.88, -0.78), (0.88, -0.05), (0.78, 0.36), (0.52, 0.72), (0, 1.08),
        (-0.52, 0.72), (-0.78, 0.36), (-0.88, -0.05), (-0.88, -0.78), (-0.36, -0.86),
    ],
    Shape.HOUSE: [(0, -1.0), (1.02, -0.14), (0.74, -0.14), (0.74, 0.9), (-0.74, 0.9), (-0.74, -0.14), (-1.02, -0.14)],
}  # fmt: skip

# A white figure inside the outline, for shapes that would look alike at a glance.
INSETS: dict[Shape, Ring] = {
    Shape.SHIELD: [(x, y - 0.08) for x, y in _star(5, inner=0.42, radius=0.56)],
    Shape.HOUSE: [(-0.2, 0.2), (0.2, 0.2), (0.2, 0.9), (-0.2, 0.9)],
    Shape.HEXAGON: _regular(12, radius=0.34),
    Shape.SQUARE: [(-0.34, -0.34), (0.34, -0.34), (0.34, 0.34), (-0.34, 0.34)],
}


def scaled(stops: Stops, zoom: float) -> float:
    """The factor at `zoom`: linear between stops, that of the nearest stop outside."""
    if zoom <= stops[0][0]:
        return stops[0][1]
    for (low, first), (high, second) in zip(stops, stops[1:], strict=False):
        if zoom <= high:
            return first + (second - first) * (zoom - low) / (high - low)
    return stops[-1][1]


def symbol_style(symbol: Symbol) -> dict[str, Any]:
    """One symbol as the catalogue document and figures state it."""
    return {
        "shape": symbol.shape.value,
        "color": symbol.color,
        "size": symbol.size,
        "fill_opacity": symbol.fill_opacity,
        "title": symbol.title,
        "min_zoom": symbol.min_zoom,
    }


def layer_style(layer: Layer) -> dict[str, Any]:
    """A layer's symbols: its own, the field that varies them, and the symbol of each of that field's values."""
    rule = layer.symbol_rule
    return {
        "symbol": symbol_style(layer.symbol),
        "symbol_by": rule.field if rule else None,
        "symbols": {value: symbol_style(one) for value, one in rule.symbols.items()} if rule else {},
        "symbol_exceptions": [
            {"field": one.field, "value": one.value, "symbol": symbol_style(one.symbol)}
            for one in (rule.exceptions if rule else ())
        ],
    }


def map_style() -> dict[str, Any]:
    """Everything a drawing program needs beside the catalogue: outlines, dashes, colours, fonts, scales."""
    return {
        "outlines": {shape.value: ring for shape, ring in OUTLINES.items()},
        "insets": {shape.value: ring for shape, ring in INSETS.items()},
        "dashes": {shape.value: dash for shape, dash in DASHES.items()},
        "paper": PAPER,
        "land": LAND,
        "ink": INK,
        "halo": HALO,
        "selected": SELECTED,
        "mine": MINE,
        "font": FONT,
        "scales": {
            "marker": MARKER_SCALE,
            "line": BASE_LINE_SCALE,
            "border": BORDER_SCALE,
            "line_opacity": BASE_LINE_OPACITY,
        },
    }
