"""
Vector tiles of the layers, made from the layer frames and kept until an edit touches their ground.

A tile is a pure function of what its frame holds there, so its entity tag is a hash of its bytes: an edit in
one corner of the district leaves all other tags as they are.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from gridmap.domain.elements import Source, time_text
from gridmap.domain.layers import FieldClass, GeometryType, Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import NotFound
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.frames import Frame, Frames, Movement
from gridmap.services.mvt import encode_layer

Array = np.ndarray[Any, Any]
Key = tuple[str, bool, int, int, int]

EXTENT = 4096
MAX_ZOOM = 22
CACHE_BYTES = 64 * 2**20
LABEL_SUFFIX = "_label"

# Tiles are drawn 256 pixels wide, so a pixel is 16 units.
_PIXEL = EXTENT // 256
_SHAPE_BUFFER = 64
# a marker's icon and halo reach this far into the next tile
_POINT_BUFFER = 512
# up to here, lines of the basemap are drawn as one figure per symbol
_MERGE_UNTIL = 11
# beyond so many points in one tile, those on the same pixel are drawn once
_THIN_BEYOND = 4_000
_FEW_BOXES = 200


@dataclass(frozen=True, slots=True)
class Tile:
    """The bytes of a vector tile (none where nothing is) and its entity tag, quoted."""

    content: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class _Kept:
    content: bytes
    # when an element in it becomes overdue, so that its look changes without an edit; as RFC 3339 text
    until: str | None


def tile(district: District, user: User, layer_ids: Sequence[str], z: int, row: int, col: int) -> Tile:
    """
    The vector tile of some layers in the tile matrix set WebMercatorQuad; row 0 is the northernmost.

    Every layer is an MVT layer with its id as the name; above their `label_min_zoom`, area layers come with a
    second one, named with `LABEL_SUFFIX`, that has one point per area whose label belongs into this tile.

    Raises
    ------
    NotFound
        No such layer, or no such tile.
    PermissionDenied
        The user may not see a layer.
    """
    layers = [district.catalogue.layer(one) for one in dict.fromkeys(layer_ids)]
    for layer in layers:
        access.require_sight(district, user, layer)
    require_place(z, row, col)
    content = _store(district.frames).tiles(district, user, layers, z, col, row)
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return Tile(content, f'"{digest}"')


def require_place(z: int, row: int, col: int) -> None:
    """Pass when there is such a tile; raises NotFound."""
    if not (0 <= z <= MAX_ZOOM and 0 <= row < 2**z and 0 <= col < 2**z):
        raise NotFound(
            f"there is no tile {z}/{row}/{col}; zooms are 0 to {MAX_ZOOM}, rows and columns below 2^zoom",
            zh=f"没有瓦片 {z}/{row}/{col}。",
        )


def drawn(layer: Layer, frame: Frame, user: User, z: int, x: int, y: int, *, now: str) -> bytes:
    """One layer's part of a tile from any frame of it; nothing is kept. What was due before `now` is marked."""
    looks = (
        None if layer.symbol_rule is None else _Looks(layer, _symbol_values(layer, frame.arrays.properties))
    )
    hides = _hides_symbol(layer, user)
    return _make(layer, frame, looks, z, x, y, now=now, hides_symbol=hides).content


# --- keeping ---------------------------------------------------------------------------------------------


_stores: weakref.WeakKeyDictionary[Frames, _Store] = weakref.WeakKeyDictionary()
_stores_lock = threading.Lock()


def _store(frames: Frames) -> _Store:
    with _stores_lock:
        if frames not in _stores:
            store = _Store()
            frames.on_movement(store.forget)
            _stores[frames] = store
        return _stores[frames]


@dataclass(slots=True)
class _Store:
    """Tiles of one layer each, the least recently used dropped first."""

    kept: OrderedDict[Key, _Kept] = field(default_factory=OrderedDict)
    size: int = 0
    # the commit of a layer's last movement: what was made of an older frame is not kept
    moved: dict[str, int] = field(default_factory=dict)
    making: dict[tuple[Key, int], Future[_Kept]] = field(default_factory=dict)
    looks: dict[str, _BaseLooks] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tiles(self, district: District, user: User, layers: Sequence[Layer], z: int, x: int, y: int) -> bytes:
        drawn = [one for one in layers if one.min_zoom <= z <= one.max_zoom]
        if not drawn:
            return b""
        sequence, now = district.database.sequence(), time_text(district.clock()) or ""
        parts = []
        for layer in drawn:
            frame = district.frames.frame(
                layer.id, sequence
            )  # announces what moved, so that `forget` has run
            key = (layer.id, _hides_symbol(layer, user), z, x, y)
            parts.append(self._tile(layer, frame, key, now).content)
        return b"".join(parts)

    def _tile(self, layer: Layer, frame: Frame, key: Key, now: str) -> _Kept:
        with self.lock:
            known = self.kept.get(key)
            if known is not None and (known.until is None or now <= known.until):
                self.kept.move_to_end(key)
                return known
            promise = self.making.get((key, frame.sequence))
            is_mine = promise is None
            if promise is None:
                promise = self.making[key, frame.sequence] = Future()
        if not is_mine:
            return promise.result()
        try:
            made = self._made(layer, frame, key, now)
            self._keep(key, made, frame.sequence)
            promise.set_result(made)
        except BaseException as error:
            promise.set_exception(error)
            raise
        finally:
            with self.lock:
                self.making.pop((key, frame.sequence), None)
        return made

    def _made(self, layer: Layer, frame: Frame, key: Key, now: str) -> _Kept:
        _, hides_symbol, z, x, y = key
        looks = self._looks(layer, frame)
        return _make(layer, frame, looks, z, x, y, now=now, hides_symbol=hides_symbol)

    def _looks(self, layer: Layer, frame: Frame) -> _Looks | None:
        if layer.symbol_rule is None:
            return None
        base = self.looks.get(layer.id)
        if base is None or base.tree is not frame.tree:
            values = _symbol_values(layer, frame.arrays.properties[: frame.base_count])
            base = self.looks[layer.id] = _BaseLooks(frame.tree, values)
        later = _symbol_values(layer, frame.arrays.properties[frame.base_count :])
        return _Looks(layer, np.concatenate([base.values, later]))

    def _keep(self, key: Key, made: _Kept, sequence: int) -> None:
        with self.lock:
            if sequence < self.moved.get(key[0], 0):
                return
            self._drop(key)
            self.kept[key] = made
            self.size += _weight(made)
            while self.size > CACHE_BYTES:
                self._drop(next(iter(self.kept)))

    def _drop(self, key: Key) -> None:
        dropped = self.kept.pop(key, None)
        if dropped is not None:
            self.size -= _weight(dropped)

    def forget(self, movement: Movement) -> None:
        """Drop the layer's tiles that the movement touches."""
        with self.lock:
            self.moved[movement.layer] = movement.sequence
            keys = [key for key in self.kept if key[0] == movement.layer]
            for key in keys if len(movement.boxes) > _FEW_BOXES else _touched(keys, movement.boxes):
                self._drop(key)


def _weight(kept: _Kept) -> int:
    return len(kept.content) + 300


def _touched(keys: Sequence[Key], boxes: Array) -> list[Key]:
    """The tiles whose ground, buffer included, meets one of the lon/lat boxes."""
    touched: list[Key] = []
    by_zoom: dict[int, list[Key]] = {}
    for key in keys:
        by_zoom.setdefault(key[2], []).append(key)
    reach = _POINT_BUFFER / EXTENT
    for z, of_zoom in by_zoom.items():
        west, north = _to_world(boxes[:, 0], boxes[:, 3], z)
        east, south = _to_world(boxes[:, 2], boxes[:, 1], z)
        for key in of_zoom:
            x, y = key[3], key[4]
            across = (west <= x + 1 + reach) & (east >= x - reach)
            along = (north <= y + 1 + reach) & (south >= y - reach)
            if (across & along).any():
                touched.append(key)
    return touched


def _hides_symbol(layer: Layer, user: User) -> bool:
    """Whether the symbol is chosen by a count that this user may see masked only."""
    rule = layer.symbol_rule
    if rule is None or all(layer.field(one).field_class is not FieldClass.COUNT for one in rule.fields):
        return False
    return not user.may(Permission.VIEW_SENSITIVE)


# --- looks -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _BaseLooks:
    """What decides the symbols of a frame's base, which stays the same object through many edits."""

    tree: shapely.STRtree
    values: Array


class _Looks:
    """What decides the symbol of each entry of a frame (a tuple of values), and from which zoom on it is drawn."""

    def __init__(self, layer: Layer, values: Array) -> None:
        self.values = values
        self._layer, self._fields = layer, _symbol_fields(layer)
        self._least: dict[Any, int] = {}

    def is_drawn(self, at: Array, z: int) -> Array:
        return np.array([self._min_zoom(values) for values in self.values[at]], dtype=np.int64) <= z

    def _min_zoom(self, values: tuple[Any, ...]) -> int:
        key = str(values)
        if key not in self._least:
            symbol = self._layer.symbol_for(dict(zip(self._fields, values, strict=True)))
            self._least[key] = symbol.min_zoom
        return self._least[key]


def _symbol_fields(layer: Layer) -> tuple[str, ...]:
    return layer.symbol_rule.fields if layer.symbol_rule else ()


def _symbol_values(layer: Layer, properties: Array) -> Array:
    fields = _symbol_fields(layer)
    # tuples, and no second dimension
    return np.fromiter(
        (tuple(map(json.loads(text).get, fields)) for text in properties), dtype=object, count=len(properties)
    )


# --- making ----------------------------------------------------------------------------------------------


def _to_world(lon: Array, lat: Array, z: int) -> tuple[Array, Array]:
    """Web Mercator in tiles of zoom `z`: 0, 0 is the north-west corner of the world."""
    lat = np.clip(lat, -85.06, 85.06)
    x = (lon + 180.0) / 360.0 * 2**z
    y = (0.5 - np.arcsinh(np.tan(np.radians(lat))) / (2.0 * np.pi)) * 2**z
    return x, y


def tile_box(z: int, x: float, y: float, width: float = 1.0) -> tuple[float, float, float, float]:
    """The lon/lat box from tile coordinates x, y to x + width, y + width."""
    west, east = (one / 2**z * 360.0 - 180.0 for one in (x, x + width))
    south, north = (
        math.degrees(math.atan(math.sinh(math.pi * (1.0 - 2.0 * one / 2**z)))) for one in (y + width, y)
    )
    return west, south, east, north


def _make(
    layer: Layer,
    frame: Frame,
    looks: _Looks | None,
    z: int,
    x: int,
    y: int,
    *,
    now: str,
    hides_symbol: bool,
) -> _Kept:
    buffer = _POINT_BUFFER if layer.geometry is GeometryType.POINT else _SHAPE_BUFFER
    margin = buffer / EXTENT
    at = frame.in_box(tile_box(z, x - margin, y - margin, 1.0 + 2.0 * margin))
    if looks is not None:
        at = at[looks.is_drawn(at, z)]
    elif layer.symbol.min_zoom > z:
        at = at[:0]
    if not len(at):
        return _Kept(b"", None)
    shapes = _in_tile_units(frame.arrays.geometry[at], z, x, y)
    symbols = looks.values[at] if looks is not None and not hides_symbol else None
    if layer.geometry is GeometryType.LINE and layer.is_basemap and z <= _MERGE_UNTIL:
        return _Kept(_merged_lines(layer, shapes, symbols, buffer), None)
    if layer.geometry is GeometryType.POINT:
        chosen = _near_points(shapes, symbols, buffer)
    else:
        dimension = 2 if layer.geometry is GeometryType.AREA else 1
        shapes = _simplified(_clipped(shapes, buffer), z, dimension)
        chosen = np.flatnonzero(~shapely.is_empty(shapes))
    attributes, until = _attributes(layer, frame, at[chosen], symbols, chosen, now)
    ids = frame.arrays.pk[at[chosen]].tolist()
    content = encode_layer(layer.id, shapes[chosen], ids, attributes, extent=EXTENT)
    if layer.geometry is GeometryType.AREA and z >= layer.label_min_zoom:
        content += _labels(layer, frame, at, ids, attributes, chosen, (z, x, y))
    return _Kept(content, until)


def _in_tile_units(geometries: Array, z: int, x: int, y: int) -> Array:
    coordinates = shapely.get_coordinates(geometries)
    across, down = _to_world(coordinates[:, 0], coordinates[:, 1], z)
    units = np.column_stack([(across - x) * EXTENT, (down - y) * EXTENT])
    return shapely.set_coordinates(shapely.force_2d(geometries), units)


def _near_points(points: Array, symbols: Array | None, buffer: int) -> Array:
    """Positions of the points inside the tile and its buffer; of a crowd, one per pixel and symbol."""
    xy = shapely.get_coordinates(points)
    chosen = np.flatnonzero(((xy >= -buffer) & (xy <= EXTENT + buffer)).all(axis=1))
    if len(chosen) <= _THIN_BEYOND:
        return chosen
    pixel = np.floor(xy[chosen] / _PIXEL).astype(np.int64)
    look = np.zeros(len(chosen), dtype=np.int64)
    if symbols is not None:
        look = np.unique(symbols[chosen].astype(str), return_inverse=True)[1]
    _, first = np.unique(np.column_stack([pixel, look]), axis=0, return_index=True)
    return chosen[np.sort(first)]


def _clipped(shapes: Array, buffer: int) -> Array:
    low, high = -buffer, EXTENT + buffer
    bounds = shapely.bounds(shapes)
    beyond = (bounds[:, 0] < low) | (bounds[:, 1] < low) | (bounds[:, 2] > high) | (bounds[:, 3] > high)
    if beyond.any():
        shapes = shapes.copy()
        shapes[beyond] = shapely.clip_by_rect(shapes[beyond], low, low, high, high)
    return shapes


def _tolerance(z: int) -> float:
    """How far a simplified line may stray, in tile units: half a pixel, then less, from zoom 16 on nothing."""
    return 0.0 if z >= 16 else _PIXEL / 4 if z >= 14 else _PIXEL / 2


def _simplified(shapes: Array, z: int, dimension: int) -> Array:
    """
    The shapes with no more detail than the zoom shows; an area below a pixel becomes a small square.

    What clipping left of another dimension than the layer's (points and lines along the edge) is emptied.
    """
    tolerance = _tolerance(z)
    result = shapely.simplify(shapes, tolerance, preserve_topology=False) if tolerance else shapes.copy()
    if dimension == 2:
        _dot_small_areas(shapes, result)
    for i in np.flatnonzero(shapely.get_type_id(result) == 7):
        parts = shapely.get_parts(result[i])
        kept = parts[shapely.get_dimensions(parts) == dimension]
        result[i] = shapely.multipolygons(kept) if dimension == 2 else shapely.multilinestrings(kept)
    result[shapely.get_dimensions(result) < dimension] = shapely.GeometryCollection()
    return result


def _dot_small_areas(shapes: Array, result: Array) -> None:
    bounds = shapely.bounds(shapes)
    is_area = (shapely.get_dimensions(shapes) == 2) & ~shapely.is_empty(shapes)
    width = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    is_dot = is_area & ((width < _PIXEL) | shapely.is_empty(result))
    if not is_dot.any():
        return
    x, y = (bounds[is_dot, 0] + bounds[is_dot, 2]) / 2, (bounds[is_dot, 1] + bounds[is_dot, 3]) / 2
    half = _PIXEL / 4
    result[is_dot] = shapely.box(x - half, y - half, x + half, y + half)


def _merged_lines(layer: Layer, shapes: Array, symbols: Array | None, buffer: int) -> bytes:
    """One figure for all lines of a symbol: at these zooms nobody tells one road from the next."""
    groups: dict[Any, list[int]] = {}
    for i in range(len(shapes)):
        groups.setdefault(None if symbols is None else symbols[i], []).append(i)
    figures, values = [], []
    for value, members in groups.items():
        lines = shapely.get_parts(_clipped(shapes[members], buffer))
        lines = shapely.get_parts(lines[~shapely.is_empty(lines)])
        if not len(lines):
            continue
        merged = shapely.line_merge(shapely.multilinestrings(lines[shapely.get_type_id(lines) == 1]))
        # half a pixel here, however short the pieces were before
        figures.append(shapely.simplify(merged, _PIXEL / 2, preserve_topology=False))
        values.append(value)
    array = np.empty(len(figures), dtype=object)
    array[:] = figures
    attributes = {} if symbols is None else _by_field(layer, values)
    return encode_layer(layer.id, array, [None] * len(figures), attributes, extent=EXTENT)


def _by_field(layer: Layer, values: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """What decides the symbols, a column per field."""
    return {
        name: [one if isinstance(one, str | int | float) else None for one in column]
        for name, column in zip(_symbol_fields(layer), zip(*values, strict=True), strict=False)
    }


def _attributes(
    layer: Layer, frame: Frame, at: Array, symbols: Array | None, chosen: Array, now: str
) -> tuple[dict[str, list[Any]], str | None]:
    """What a tile says of each feature, a column per name, and when the first of them becomes overdue."""
    arrays = frame.arrays
    columns: dict[str, list[Any]] = {
        "gid": arrays.id[at].tolist(),
        "code": [one or None for one in arrays.code[at].tolist()],
        "name": [one or None for one in arrays.name[at].tolist()],
        "sim": [1 if one == Source.SIMULATED.value else None for one in arrays.source[at].tolist()],
    }
    if symbols is not None:
        columns |= _by_field(layer, symbols[chosen].tolist())
    due = arrays.due_at[at].tolist()
    columns["due"] = [None if one is None or one >= now else 1 for one in due]
    return columns, min((one for one in due if one is not None and one >= now), default=None)


def _labels(
    layer: Layer,
    frame: Frame,
    at: Array,
    ids: Sequence[int],
    attributes: Mapping[str, Sequence[Any]],
    chosen: Array,
    place: tuple[int, int, int],
) -> bytes:
    """
    Where the areas' labels stand: on the area, in the one tile that this point lies in.

    Without it, a client would repeat the label in every tile that the area reaches into.
    """
    points = _in_tile_units(shapely.point_on_surface(frame.arrays.geometry[at[chosen]]), *place)
    xy = shapely.get_coordinates(points)
    here = np.flatnonzero(((xy >= 0) & (xy < EXTENT)).all(axis=1)).tolist()
    labelled = {name: [column[i] for i in here] for name, column in attributes.items()}
    return encode_layer(
        layer.id + LABEL_SUFFIX, points[here], [ids[i] for i in here], labelled, extent=EXTENT
    )
