"""
Map figures drawn on the server, without a browser: the live map's styles on paper.

A figure has a legend of exactly what was drawn, a scale bar that is right at its latitude, a north arrow (north is
up), the data's time, its maker, and 模拟数据 where anything is made up.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox
from PIL import Image

from gridmap.domain.elements import Box
from gridmap.domain.layers import GeometryType, Shape, Symbol
from gridmap.maps import painting, styles
from gridmap.maps.ground import Ground, ScaleBar, ground_for, project, scale_bar
from gridmap.maps.lettering import Lettering
from gridmap.maps.painting import Canvas, Drawn, Entry

_MM = 1 / 25.4
_TITLE_MM, _FOOTER_MM, _LEGEND_MM, _GAP_MM, _LINE_MM = 10.0, 6.5, 40.0, 2.0, 5.2
# A legend below the map: its height, enough for four lines of as many columns as fit.
_LEGEND_BELOW_MM = 30.0
_ALERT = "#b3261e"
SIMULATED = "模拟数据"


@dataclass(frozen=True, slots=True, eq=False)
class Highlight:
    """
    Areas, lines or points (lon, lat) set off from everything else, with the words of their legend line.

    `names` stand beside points, one for each.
    """

    geometry: np.ndarray
    symbol: Symbol
    title: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FigureSpec:
    """
    What a figure shows.

    `box` is the lon/lat box that must be visible. An empty `title` or `footer` takes no room. Names are written
    from each layer's `label_min_zoom` on, of layers in `always_named` at every scale.
    """

    box: Box
    layers: tuple[Drawn, ...]
    land: np.ndarray | None = None
    highlights: tuple[Highlight, ...] = ()
    title: str = ""
    footer: str = ""
    maker: str = ""
    watermark: str = ""
    is_simulated: bool = False
    has_legend: bool = True
    always_named: frozenset[str] = frozenset()
    width_mm: float = 277.0
    height_mm: float = 170.0
    dpi: int = 200


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """
    A finished figure.

    `legend` is what the legend lists; `frame_px` is (left, top, width, height) of the map in it, `bar_px` the
    (left, right) ends of the scale bar, in pixels from the upper left.
    """

    image: Image.Image
    legend: tuple[Entry, ...]
    bar: ScaleBar
    bar_px: tuple[float, float]
    frame_px: tuple[float, float, float, float]
    ground: Ground
    dpi: int

    def png(self) -> bytes:
        """The figure as a PNG file that knows its resolution."""
        stream = io.BytesIO()
        self.image.save(stream, "PNG", dpi=(self.dpi, self.dpi), compress_level=4)
        return stream.getvalue()

    def pixel(self, lon: float, lat: float) -> tuple[float, float]:
        """Where a place lies in the picture, in pixels from the upper left."""
        import shapely

        x, y = shapely.get_coordinates(project(np.array([shapely.Point(lon, lat)])))[0]
        left, top, width, height = self.frame_px
        ground = self.ground
        return (
            left + (x - ground.x0) / (ground.x1 - ground.x0) * width,
            top + (ground.y1 - y) / (ground.y1 - ground.y0) * height,
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand, in millimetres from the lower left."""

    width: float
    height: float
    left: float
    bottom: float
    map_width: float
    map_height: float
    is_legend_below: bool = False


def _layout(spec: FigureSpec) -> _Layout:
    """Where the map stands; the legend beside it, or below where that leaves the ground more room."""
    bottom = _FOOTER_MM if spec.footer or spec.maker or spec.is_simulated else 0.5
    top = _TITLE_MM if spec.title else 0.5
    width, height = spec.width_mm - 1.0, spec.height_mm - bottom - top
    if not spec.has_legend:
        return _Layout(spec.width_mm, spec.height_mm, 0.5, bottom, width, height)
    beside = _Layout(
        spec.width_mm, spec.height_mm, 0.5, bottom, spec.width_mm - _LEGEND_MM - _GAP_MM - 0.5, height
    )
    below = _Layout(
        spec.width_mm, spec.height_mm, 0.5, bottom + _LEGEND_BELOW_MM, width, height - _LEGEND_BELOW_MM, True
    )
    per_mm = {
        one.is_legend_below: 1
        / max(ground_for(spec.box, one.map_width, one.map_height).width_units, 1e-9)
        * one.map_width
        for one in (beside, below)
    }
    return below if per_mm[True] > per_mm[False] * 1.1 else beside


def draw(spec: FigureSpec) -> Picture:
    """
    The figure that `spec` describes.

    Raises
    ------
    InvalidInput (no such box), Unavailable (set-up has not brought the font)
    """
    layout = _layout(spec)
    figure = Figure(figsize=(spec.width_mm * _MM, spec.height_mm * _MM), dpi=spec.dpi, facecolor="white")
    agg = FigureCanvasAgg(figure)
    ground = ground_for(spec.box, layout.map_width * _MM, layout.map_height * _MM)
    to_px = spec.dpi * _MM
    lettering = Lettering(spec.dpi, agg.get_width_height()[1])
    left, bottom = layout.left * to_px, layout.bottom * to_px
    frame = Bbox([[left, bottom], [left + layout.map_width * to_px, bottom + layout.map_height * to_px]])
    canvas = Canvas(figure, ground, frame, lettering)
    paper = _Paper(figure, lettering, layout, spec.dpi)
    paper.background()
    bar = scale_bar(ground)
    canvas.taken += paper.reserved(canvas, bar)
    _paint(canvas, spec)
    bar_mm = paper.scale_bar(bar, canvas.points_per_unit / 72 / _MM)
    paper.north()
    paper.surround(spec)
    if spec.has_legend:
        paper.legend(canvas.entries)
    agg.draw()
    image = Image.frombuffer("RGBA", agg.get_width_height(), agg.buffer_rgba(), "raw", "RGBA", 0, 1).convert(
        "RGB"
    )
    lettering.onto(image)
    frame_px = (frame.x0, lettering.height_px - frame.y1, frame.width, frame.height)
    if spec.watermark:
        lettering.watermark(image, spec.watermark, frame_px)
    bar_px = (bar_mm[0] * to_px, bar_mm[1] * to_px)
    return Picture(image, tuple(canvas.entries), bar, bar_px, frame_px, ground, spec.dpi)


def _paint(canvas: Canvas, spec: FigureSpec) -> None:
    if spec.land is not None and len(spec.land):
        painting.land(canvas, spec.land)
    ordered = painting.in_drawing_order(spec.layers)
    for drawn in ordered:
        painting.paint(canvas, drawn)
    for one in spec.highlights:
        painting.outline(canvas, one.geometry, one.symbol, one.title, names=one.names)
    # what stands above is named first
    for drawn in reversed(ordered):
        painting.label(canvas, drawn, is_always=drawn.layer.id in spec.always_named)


class _Paper:
    """Everything around and above the map, placed in millimetres."""

    def __init__(self, figure: Figure, lettering: Lettering, layout: _Layout, dpi: int) -> None:
        self.figure, self.lettering, self.layout = figure, lettering, layout
        self.to_px = dpi * _MM
        self.transform = Affine2D().scale(self.to_px)

    def add(self, path: Path, z: float = 10.0, **look: object) -> None:
        """Paint a path whose unit is the millimetre."""
        self.figure.add_artist(PathPatch(path, zorder=z, transform=self.transform, **look), clip=False)

    def box(self, x: float, y: float, width: float, height: float, z: float = 10.0, **look: object) -> None:
        """Paint a rectangle."""
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
        self.add(Path(corners, closed=True), z, **look)

    def text(
        self, x: float, y: float, words: str, size: float, *, is_bold: bool = False, color: str = styles.INK,
        anchor: str = "lm",
    ) -> None:  # fmt: skip
        self.lettering.write(
            x * self.to_px, y * self.to_px, words, size, is_bold=is_bold, color=color, anchor=anchor
        )

    def background(self) -> None:
        """The map's paper, and its frame above everything in it."""
        layout = self.layout
        frame = (layout.left, layout.bottom, layout.map_width, layout.map_height)
        self.box(*frame, z=0.1, facecolor=styles.PAPER, linewidth=0)
        self.box(*frame, z=9.0, fill=False, edgecolor="#8a8f98", linewidth=0.6)

    def reserved(self, canvas: Canvas, bar: ScaleBar) -> list[tuple[float, float, float, float]]:
        """Where no name may stand, in the plane: below the scale bar and the north arrow."""
        unit = canvas.points_per_unit / 72 / _MM
        ground = canvas.ground
        return [
            (ground.x0, ground.y0, ground.x0 + bar.units + 9 / unit, ground.y0 + 11 / unit),
            (ground.x1 - 12 / unit, ground.y1 - 16 / unit, ground.x1, ground.y1),
        ]

    def surround(self, spec: FigureSpec) -> None:
        """Title above; time, maker and the mark of made-up data below."""
        layout = self.layout
        if spec.title:
            self.text(layout.left, layout.height - _TITLE_MM / 2, spec.title, 15, is_bold=True)
        if spec.footer:
            self.text(layout.left, _FOOTER_MM / 2, spec.footer, 7, color="#4a5260")
        right = layout.width - 0.5
        if spec.is_simulated:
            self.mark(right, _FOOTER_MM / 2)
            right -= 20
        if spec.maker:
            self.text(right, _FOOTER_MM / 2, f"制图:{spec.maker}", 7, color="#4a5260", anchor="rm")

    def mark(self, right: float, middle: float) -> None:
        """模拟数据 in a red frame."""
        self.box(right - 18, middle - 2.2, 18, 4.4, fill=False, edgecolor=_ALERT, linewidth=0.8)
        self.text(right - 9, middle, SIMULATED, 7.5, is_bold=True, color=_ALERT, anchor="mm")

    def scale_bar(self, bar: ScaleBar, mm_per_unit: float) -> tuple[float, float]:
        """Draw the bar into the map's lower left; its ends."""
        length = bar.units * mm_per_unit
        x, y = self.layout.left + 4, self.layout.bottom + 4
        self.box(x - 2, y - 2.2, length + 4, 8.2, facecolor="white", alpha=0.85, linewidth=0)
        for number in range(4):
            color = styles.INK if number % 2 == 0 else "white"
            look = {"facecolor": color, "edgecolor": styles.INK, "linewidth": 0.5}
            self.box(x + number * length / 4, y - 0.7, length / 4, 1.4, z=10.1, **look)
        self.text(x, y + 3, "0", 7)
        self.text(x + length, y + 3, bar.text, 7, anchor="rm")
        return x, x + length

    def north(self) -> None:
        """An arrow in the map's upper right; the map's north is up everywhere."""
        x = self.layout.left + self.layout.map_width - 7
        y = self.layout.bottom + self.layout.map_height - 13
        self.box(x - 4, y - 2, 8, 13, facecolor="white", alpha=0.85, linewidth=0)
        dark = Path([(x, y + 6.5), (x - 2.4, y - 0.8), (x, y + 0.8), (x, y + 6.5)], closed=True)
        light = Path([(x, y + 6.5), (x + 2.4, y - 0.8), (x, y + 0.8), (x, y + 6.5)], closed=True)
        for path, color in ((dark, styles.INK), (light, "white")):
            self.add(path, 10.1, facecolor=color, edgecolor=styles.INK, linewidth=0.5)
        self.text(x, y + 8.8, "北", 8, is_bold=True, anchor="mm")

    def legend(self, entries: list[Entry]) -> None:
        """One line for each symbol that was drawn; closer together where there are many."""
        layout = self.layout
        if layout.is_legend_below:
            self._legend_below(entries)
            return
        x = layout.left + layout.map_width + _GAP_MM
        top = layout.bottom + layout.map_height
        self.text(x, top - 3, "图例", 9, is_bold=True)
        room = layout.map_height - 8
        columns = 1 if len(entries) * _LINE_MM <= room else 2
        lines = math.ceil(len(entries) / columns)
        step = min(_LINE_MM, room / max(lines, 1))
        size = 7.0 if columns == 1 else 5.2
        for number, entry in enumerate(entries):
            column, line = divmod(number, lines)
            left = x + column * _LEGEND_MM / 2
            y = top - 9 - line * step
            self._swatch(entry, left + 3.5, y)
            width = (_LEGEND_MM / columns - 8) / (size * 0.3528)
            self.text(left + 8, y, _shortened(entry.title, width), size)

    def _legend_below(self, entries: list[Entry]) -> None:
        layout = self.layout
        top = layout.bottom - 1.5
        columns = max(1, int(layout.map_width / _LEGEND_MM))
        lines = max(1, math.ceil(len(entries) / columns))
        width = layout.map_width / columns
        step = min(_LINE_MM, (_LEGEND_BELOW_MM - 8) / lines)
        size = 7.0 if step > 3.6 else 5.2
        self.text(layout.left, top - 2.5, "图例", 9, is_bold=True)
        for number, entry in enumerate(entries):
            column, line = divmod(number, lines)
            left, y = layout.left + column * width, top - 8 - line * step
            self._swatch(entry, left + 3.5, y)
            self.text(left + 8, y, _shortened(entry.title, (width - 9) / (size * 0.3528)), size)

    def _swatch(self, entry: Entry, x: float, y: float) -> None:
        symbol = entry.symbol
        if entry.kind is GeometryType.POINT:
            size = min(13.0, max(9.0, symbol.size * 0.9))
            self.figure.add_artist(
                painting.markers(np.array([[x, y]]), symbol, size, self.transform, z=11), clip=False
            )
            return
        is_line = entry.kind is GeometryType.LINE
        if is_line:
            path = Path([(x - 3.2, y), (x + 3.2, y)])
        else:
            path = Path(
                [
                    (x - 3.2, y - 1.6),
                    (x + 3.2, y - 1.6),
                    (x + 3.2, y + 1.6),
                    (x - 3.2, y + 1.6),
                    (x - 3.2, y - 1.6),
                ],
                closed=True,
            )
            if symbol.fill_opacity > 0:
                self.add(path, facecolor=symbol.color, alpha=max(0.06, symbol.fill_opacity), linewidth=0)
        width = min(4.0, max(1.4, symbol.size)) * painting.POINTS_PER_PIXEL
        dashes = styles.DASHES.get(symbol.shape) or []
        outer = width * 1.6 + 1 if symbol.shape is Shape.DOUBLE else width
        style = (0, dashes) if dashes else "solid"
        self.add(path, 10.1, fill=False, edgecolor=symbol.color, linewidth=outer, linestyle=style)
        if symbol.shape is Shape.DOUBLE:
            self.add(path, 10.2, fill=False, edgecolor="white", linewidth=max(0.6, width * 0.7))


def _shortened(words: str, most: float) -> str:
    """The words, cut to about `most` Chinese characters' width."""
    width, kept = 0.0, ""
    for one in words:
        width += 1.0 if ord(one) > 0x2E7F else 0.58
        if width > most:
            return kept[:-1] + "…"
        kept += one
    return kept


def at_resolution(spec: FigureSpec, dpi: int) -> FigureSpec:
    """The same figure, finer or coarser."""
    return replace(spec, dpi=dpi)
