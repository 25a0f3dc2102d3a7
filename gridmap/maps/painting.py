"""Elements painted with matplotlib in the live map's styles, without a window and without pyplot's global state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from matplotlib.artist import Artist
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox, IdentityTransform

from gridmap.domain.layers import GeometryType, Layer, Shape, Symbol
from gridmap.maps import styles
from gridmap.maps.ground import Ground, project
from gridmap.maps.lettering import Lettering

POINTS_PER_PIXEL = 72 / 96
_WHITE = "#ffffff"
_CASING = "#fffdf8"
_CASING_ZOOM = 12
_LABEL_POINTS = 7.0
# No name stands on a mark that the catalogue makes this large.
_KEPT_CLEAR_PX = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """
    Elements of one layer to draw: `geometry` in lon, lat and, for each, what decides its symbol.

    `plane` may bring the geometry projected already (`gridmap.maps.ground.project`) and `tree` its search tree,
    so that many figures share that work.
    """

    layer: Layer
    geometry: np.ndarray
    values: Sequence[Mapping[str, Any]]
    names: Sequence[str] = ()
    plane: np.ndarray | None = None
    tree: shapely.STRtree | None = None

    def prepared(self) -> Drawn:
        """The same with everything that figures share worked out."""
        plane = project(self.geometry) if self.plane is None else self.plane
        tree = shapely.STRtree(plane) if self.tree is None else self.tree
        return Drawn(self.layer, self.geometry, self.values, self.names, plane, tree)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend: a symbol that was drawn at least once, with its words."""

    kind: GeometryType
    symbol: Symbol
    title: str


@dataclass(slots=True)
class Canvas:
    """
    Where elements are painted: a figure, the part of it that is the map, what was painted, where names stand.

    `frame` is the map's rectangle in pixels from the lower left; nothing is painted beyond it.
    """

    figure: Figure
    ground: Ground
    frame: Bbox
    lettering: Lettering
    entries: list[Entry] = field(default_factory=list)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def transform(self) -> Affine2D:
        """From the plane to pixels."""
        scale = self.frame.width / (self.ground.x1 - self.ground.x0)
        return (
            Affine2D()
            .translate(-self.ground.x0, -self.ground.y0)
            .scale(scale)
            .translate(self.frame.x0, self.frame.y0)
        )

    def add(self, artist: Artist) -> None:
        """Paint something, cut at the map's edge."""
        artist.set_clip_box(self.frame)
        self.figure.add_artist(artist, clip=False)

    @property
    def points_per_unit(self) -> float:
        """Paper points per metre of the plane."""
        return self.ground.width_in * 72 / (self.ground.x1 - self.ground.x0)

    def note(self, kind: GeometryType, symbol: Symbol, title: str) -> None:
        """Put a symbol into the legend, once."""
        entry = Entry(kind, symbol, title)
        if entry not in self.entries:
            self.entries.append(entry)


# --- order ------------------------------------------------------------------------------------------------


def _rank(layer: Layer) -> int:
    if layer.geometry is GeometryType.POINT:
        return 6
    if layer.geometry is GeometryType.LINE:
        return 2 if layer.is_basemap else 4
    if layer.is_grid:
        return 5
    return 1 if layer.is_basemap else 3


def in_drawing_order(drawn: Iterable[Drawn]) -> list[Drawn]:
    """Layers from the bottom up, as the live map has them: wider grids over the finer ones they consist of."""
    return sorted(
        drawn,
        key=lambda one: (_rank(one.layer), -one.layer.order if _rank(one.layer) == 5 else one.layer.order),
    )


# --- painting ---------------------------------------------------------------------------------------------


def paint(canvas: Canvas, drawn: Drawn) -> None:
    """Draw the layer's elements that lie in the figure, as the live map would at this scale."""
    layer, zoom = drawn.layer, canvas.ground.zoom
    if not layer.min_zoom <= round(zoom, 1) <= layer.max_zoom:
        return
    drawn = drawn.prepared()
    assert drawn.tree is not None
    assert drawn.plane is not None
    view = shapely.box(canvas.ground.x0, canvas.ground.y0, canvas.ground.x1, canvas.ground.y1)
    rows = np.sort(drawn.tree.query(view, predicate="intersects"))
    if layer.geometry is GeometryType.AREA:
        rows = _with_something_to_see(layer, drawn, rows, view)
    groups: dict[int, tuple[Symbol, list[int]]] = {}
    for row in rows.tolist():
        symbol = layer.symbol_for(drawn.values[row])
        if round(zoom, 1) >= symbol.min_zoom:
            groups.setdefault(id(symbol), (symbol, []))[1].append(row)
    # narrow roads below wide ones, small marks below large ones
    ordered = sorted(groups.values(), key=lambda one: one[0].size)
    kind = layer.geometry
    if kind is GeometryType.LINE and layer.is_basemap and zoom >= _CASING_ZOOM:
        for symbol, members in ordered:
            if symbol.size >= 2:
                width = _line_width(layer, symbol, zoom) + 2.4
                _stroke(canvas, drawn.plane[members], _CASING, width, z=2.0)
    for symbol, members in ordered:
        geometry = drawn.plane[members]
        if kind is GeometryType.POINT:
            _markers(canvas, geometry, symbol, zoom)
        elif kind is GeometryType.LINE:
            opacity = styles.scaled(styles.BASE_LINE_OPACITY, zoom) if layer.is_basemap else 1.0
            _line(canvas, geometry, symbol, max(0.7, _line_width(layer, symbol, zoom)), opacity, z=2.1)
        else:
            _area(canvas, geometry, symbol, _line_width(layer, symbol, zoom), is_faint=_is_faint(layer, zoom))
        canvas.note(kind, symbol, symbol_title(layer, symbol))


def _with_something_to_see(layer: Layer, drawn: Drawn, rows: np.ndarray, view: shapely.Polygon) -> np.ndarray:
    """Of areas around the view those that are filled, or whose border crosses it."""
    assert drawn.plane is not None
    is_filled = np.array(
        [layer.symbol_for(drawn.values[row]).fill_opacity > 0 for row in rows.tolist()], dtype=bool
    )
    return rows[is_filled | shapely.intersects(shapely.boundary(drawn.plane[rows]), view)]


def symbol_title(layer: Layer, symbol: Symbol) -> str:
    """A symbol's words in a legend."""
    rule = layer.symbol_rule
    if rule is None or symbol is layer.symbol:
        return layer.title
    every = [(rule.field, value, one) for value, one in rule.symbols.items()]
    every += [(one.field, one.value, one.symbol) for one in rule.exceptions]
    name, value = next(((name, value) for name, value, one in every if one is symbol), (rule.field, ""))
    words = symbol.title or layer.field(name).choice_title(value)
    return words if layer.is_basemap else f"{layer.title}:{words}"


def _is_faint(layer: Layer, zoom: float) -> bool:
    return zoom <= 11 and not layer.is_basemap and layer.parent != "district"


def _line_width(layer: Layer, symbol: Symbol, zoom: float) -> float:
    stops = styles.BASE_LINE_SCALE if layer.geometry is GeometryType.LINE else styles.BORDER_SCALE
    return symbol.size * styles.scaled(stops, zoom)


def _path(geometry: np.ndarray, *, is_area: bool) -> Path | None:
    """One path of all rings or lines of these geometries; rings turn so that holes stay open."""
    if is_area:
        geometry = shapely.orient_polygons(geometry)
    parts = shapely.get_parts(geometry)
    lines = shapely.get_rings(parts) if is_area else parts
    coordinates, owner = shapely.get_coordinates(lines, return_index=True)
    if not len(coordinates):
        return None
    codes = np.full(len(coordinates), Path.LINETO, dtype=Path.code_type)
    codes[np.flatnonzero(np.diff(owner, prepend=-1))] = Path.MOVETO
    return Path(coordinates, codes)


def _add(canvas: Canvas, path: Path | None, z: float, **look: Any) -> None:
    if path is None:
        return
    canvas.add(PathPatch(path, zorder=z, joinstyle="round", transform=canvas.transform, **look))


def _stroke(canvas: Canvas, geometry: np.ndarray, color: str, width_px: float, *, z: float) -> None:
    _add(
        canvas, _path(geometry, is_area=False), z, fill=False, edgecolor=color, linewidth=width_px * POINTS_PER_PIXEL,
        capstyle="round",
    )  # fmt: skip


def _dashes(symbol: Symbol, width_px: float) -> Any:
    pattern = styles.DASHES.get(symbol.shape) or []
    # matplotlib counts dashes in line widths, the live map in pixels of at least one
    factor = max(1.0, width_px) / width_px
    return (0, [one * factor for one in pattern]) if pattern else "solid"


def _edge(
    canvas: Canvas, path: Path | None, symbol: Symbol, width_px: float, opacity: float, z: float
) -> None:
    is_double = symbol.shape is Shape.DOUBLE
    outer = width_px * 1.6 + 1.5 if is_double else width_px
    look = {
        "fill": False,
        "alpha": opacity,
        "capstyle": "butt" if symbol.shape is not Shape.SOLID else "round",
    }
    _add(
        canvas, path, z, edgecolor=symbol.color, linewidth=outer * POINTS_PER_PIXEL,
        linestyle=_dashes(symbol, outer), **look,
    )  # fmt: skip
    if is_double:
        inner = max(0.8, width_px * 0.7)
        _add(canvas, path, z, edgecolor=styles.LAND, linewidth=inner * POINTS_PER_PIXEL, **look)


def _line(
    canvas: Canvas, geometry: np.ndarray, symbol: Symbol, width_px: float, opacity: float, *, z: float
) -> None:
    _edge(canvas, _path(geometry, is_area=False), symbol, width_px, opacity, z)


def _area(
    canvas: Canvas, geometry: np.ndarray, symbol: Symbol, width_px: float, *, is_faint: bool = False
) -> None:
    path = _path(geometry, is_area=True)
    if symbol.fill_opacity > 0:
        _add(canvas, path, 3.0, facecolor=symbol.color, alpha=symbol.fill_opacity, linewidth=0)
    _edge(canvas, path, symbol, width_px, 0.55 if is_faint else 0.9, 3.1)


def land(canvas: Canvas, geometry: np.ndarray) -> None:
    """The district's own ground, so that inside and outside differ."""
    _add(canvas, _path(project(geometry), is_area=True), 0.5, facecolor=styles.LAND, linewidth=0)


def outline(
    canvas: Canvas, geometry: np.ndarray, symbol: Symbol, title: str, *, names: Sequence[str] = ()
) -> None:
    """
    What is set off from all else (lon, lat), such as the grid that a page is about; its words go into the legend.

    Points stand above every marker, each with its name of `names`.
    """
    plane = project(geometry)
    kind = GeometryType.AREA
    dimensions = shapely.get_dimensions(plane)
    if (dimensions == 0).all():
        kind = GeometryType.POINT
        xy = shapely.get_coordinates(plane)
        canvas.add(markers(xy, symbol, symbol.size, canvas.transform, z=6.5))
        for name, (x, y) in zip(names, xy.tolist(), strict=True):
            _name_mark(canvas, name, x, y, symbol)
    elif (dimensions == 1).all():
        kind = GeometryType.LINE
        _line(canvas, plane, symbol, symbol.size, 1.0, z=5.0)
    else:
        _area(canvas, plane, symbol, symbol.size)
    canvas.note(kind, symbol, title)


def _name_mark(canvas: Canvas, name: str, x: float, y: float, symbol: Symbol) -> None:
    """A mark's name below, above, to the right or to the left of it, where the first of these is free."""
    radius = symbol.size * POINTS_PER_PIXEL / 2
    aside = radius + 3 + canvas.lettering.width_points(name, _LABEL_POINTS, is_bold=True) / 2
    over = radius + 1.4 + _LABEL_POINTS * 0.62
    for right, up in (
        (0.0, -over),
        (0.0, over),
        (aside, 0.0),
        (-aside, 0.0),
        (aside, -over),
        (-aside, -over),
    ):
        spot = x + right / canvas.points_per_unit, y + up / canvas.points_per_unit
        if write(canvas, name, *spot, color=_dark(symbol.color), is_bold=True):
            return


def _ring(ring: styles.Ring) -> Path:
    # outlines have y downwards
    return Path(np.array([(x, -y) for x, y in [*ring, ring[0]]]), closed=True)


def marker_paths(symbol: Symbol, size_px: float) -> list[tuple[Path, float, str, str, float]]:
    """A marker's (path, radius in points, fill, edge, edge width in points): white rim, colour, inset."""
    radius = size_px / 2 * POINTS_PER_PIXEL
    rim = max(2.5, size_px / 5) * POINTS_PER_PIXEL
    shape = _ring(styles.OUTLINES.get(symbol.shape, styles.OUTLINES[Shape.CIRCLE]))
    found = [(shape, radius, _WHITE, _WHITE, rim), (shape, radius, symbol.color, "none", 0.0)]
    if symbol.shape in styles.INSETS and size_px >= 11:
        found.append((_ring(styles.INSETS[symbol.shape]), radius, _WHITE, "none", 0.0))
    return found


def _markers(canvas: Canvas, geometry: np.ndarray, symbol: Symbol, zoom: float) -> None:
    size = round(symbol.size * styles.scaled(styles.MARKER_SCALE, zoom) * 2) / 2
    xy = shapely.get_coordinates(geometry)
    canvas.add(markers(xy, symbol, size, canvas.transform, z=6.0))
    if symbol.size >= _KEPT_CLEAR_PX:
        half = size / 2 * POINTS_PER_PIXEL / canvas.points_per_unit
        canvas.taken += [(x - half, y - half, x + half, y + half) for x, y in xy.tolist()]


def markers(
    xy: np.ndarray, symbol: Symbol, size_px: float, transform: Affine2D, *, z: float
) -> PathCollection:
    """A marker at each of `xy`, each whole before the next, so that rims part those that overlap."""
    layers = marker_paths(symbol, size_px)
    collection = PathCollection(
        [one[0] for one in layers],
        sizes=[one[1] ** 2 for one in layers],
        facecolors=[one[2] for one in layers],
        edgecolors=[one[3] for one in layers],
        linewidths=[one[4] for one in layers],
        joinstyle="round",
        offsets=np.repeat(xy, len(layers), axis=0),
        offset_transform=transform,
        zorder=z,
    )
    # the sizes' unit: one unit of the path is sqrt(size) points
    collection.set_transform(IdentityTransform())
    return collection


# --- names ------------------------------------------------------------------------------------------------


# Lines of text to the right and upwards of the middle of an area, the nearest first.
_AREA_SPOTS = (
    (0, 0), (0, 1), (0, -1), (2, 0), (-2, 0), (0, 2), (0, -2), (3, 1), (-3, 1), (3, -1), (-3, -1), (0, 3), (0, -3),
)  # fmt: skip


def label(canvas: Canvas, drawn: Drawn, *, is_always: bool = False) -> None:
    """Write the names of the elements in the figure where the live map would, and where no other name stands."""
    layer = drawn.layer
    if not drawn.names or (canvas.ground.zoom < layer.label_min_zoom and not is_always):
        return
    drawn = drawn.prepared()
    assert drawn.tree is not None
    assert drawn.plane is not None
    ground = canvas.ground
    rows = np.sort(
        drawn.tree.query(shapely.box(ground.x0, ground.y0, ground.x1, ground.y1), predicate="intersects")
    )
    is_point = layer.geometry is GeometryType.POINT
    places = shapely.get_coordinates(shapely.point_on_surface(drawn.plane[rows]))
    for row, (x, y) in zip(rows.tolist(), places, strict=True):
        symbol = layer.symbol_for(drawn.values[row])
        below = symbol.size * styles.scaled(styles.MARKER_SCALE, ground.zoom) * POINTS_PER_PIXEL / 2
        color = _dark(symbol.color)
        if is_point:
            write(canvas, drawn.names[row], x, y, below_points=below, color=color)
            continue
        # an area has room elsewhere where a marker stands in its middle
        line = _LABEL_POINTS * 1.3 / canvas.points_per_unit
        area = drawn.plane[row]
        for right, up in _AREA_SPOTS:
            spot = x + right * line, y + up * line
            if shapely.intersects_xy(area, *spot) and write(canvas, drawn.names[row], *spot, color=color):
                break


def write(
    canvas: Canvas,
    text: str,
    x: float,
    y: float,
    *,
    below_points: float | None = None,
    color: str = styles.INK,
    size: float = _LABEL_POINTS,
    is_bold: bool = False,
) -> bool:
    """A name at a place of the plane (below a marker of that radius, else centred) if nothing stands there yet."""
    if not text:
        return False
    unit = canvas.points_per_unit
    width = canvas.lettering.width_points(text, size, is_bold=is_bold)
    drop = 0.0 if below_points is None else below_points + 1.4 + size * 0.62
    centre = y - drop / unit
    half_x, half_y = (width / 2 + 1) / unit, size * 0.62 / unit
    box = (x - half_x, centre - half_y, x + half_x, centre + half_y)
    ground = canvas.ground
    if box[0] < ground.x0 or box[1] < ground.y0 or box[2] > ground.x1 or box[3] > ground.y1:
        return False
    if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in canvas.taken):
        return False
    canvas.taken.append(box)
    px, py = canvas.transform.transform((x, centre))
    canvas.lettering.write(px, py, text, size, is_bold=is_bold, color=color, anchor="mm", has_halo=True)
    return True


def _dark(color: str) -> str:
    """The colour mixed with black until it can be read on white."""
    rgb = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    while 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 95:
        rgb = [int(one * 0.9) for one in rgb]
    return "#" + "".join(f"{one:02x}" for one in rgb)
