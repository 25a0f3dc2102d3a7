"""
Mapbox Vector Tile 2.1 encoding of whole layers at once: arrays in, bytes out.

The tile messages are those of `mapbox-vector-tile`; the geometry commands are computed here for all features
together, since its encoder walks every vertex in Python and takes some ten times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from mapbox_vector_tile.Mapbox import vector_tile_pb2

Array = np.ndarray[Any, Any]

_MOVE_TO, _LINE_TO, _CLOSE = 9, 2, 15
_POINT, _LINE, _POLYGON = 1, 2, 3
Value = str | int | float | bool

_MEMBERS = {bool: "bool_value", int: "sint_value", float: "double_value"}


def encode_layer(
    name: str,
    geometries: Array,
    ids: Sequence[int | None],
    attributes: Mapping[str, Sequence[Value | None]],
    *,
    extent: int = 4096,
) -> bytes:
    """
    One layer of a tile as the bytes of a tile that holds it alone; tiles are joined by joining their bytes.

    Parameters
    ----------
    geometries : (n,) shapely geometries of one dimension, in tile units: x to the right, y down, rounded here.
        Parts that collapse in rounding are left out, and features without any part left.
    ids : feature ids, None for none
    attributes : per name the values of all features, None for none

    Returns
    -------
    bytes; empty when no feature is left.
    """
    kind, commands, offsets = _commands(geometries)
    tile = vector_tile_pb2.tile()
    layer = tile.layers.add()
    layer.name, layer.version, layer.extent = name, 2, extent
    is_kept = np.diff(offsets) > 0
    attributes = {name: one for name, one in attributes.items() if any(value is not None for value in one)}
    tags, values = _tags(attributes, is_kept.tolist())
    for number in np.flatnonzero(is_kept).tolist():
        geometry = commands[offsets[number] : offsets[number + 1]]
        # one call each: every step into a message costs as much as a feature's whole geometry
        if ids[number] is None:
            layer.features.add(type=kind, tags=tags[number], geometry=geometry)
        else:
            layer.features.add(id=ids[number], type=kind, tags=tags[number], geometry=geometry)
    if not len(layer.features):
        return b""
    layer.keys.extend(attributes)
    for kind_of_value, value in values:
        layer.values.add(**{_MEMBERS.get(kind_of_value, "string_value"): value})
    return tile.SerializeToString()


def _tags(
    attributes: Mapping[str, Sequence[Value | None]], is_kept: Sequence[bool]
) -> tuple[list[list[int]], list[tuple[type, Value]]]:
    """Per feature its tags (number of the name, number of the value, …), and the values by their number."""
    tags: list[list[int]] = [[] for _ in is_kept]
    # True == 1 == 1.0 in Python, and three values in a tile
    numbers: dict[tuple[type, Value], int] = {}
    for name, column in enumerate(attributes.values()):
        for of_feature, kept, value in zip(tags, is_kept, column, strict=True):
            if kept and value is not None:
                of_feature += (name, numbers.setdefault((type(value), value), len(numbers)))
    return tags, list(numbers)


def _commands(geometries: Array) -> tuple[int, list[int], list[int]]:
    """The geometry type, all commands one after the other, and where each feature's begin."""
    count = len(geometries)
    if count == 0:
        return 0, [], [0]
    dimension = int(shapely.get_dimensions(geometries).max(initial=0))
    parts, owner = shapely.get_parts(geometries, return_index=True)
    if dimension <= 0:
        return _POINT, *_point_commands(parts, owner, count)
    if dimension == 1:
        return _LINE, *_path_commands(parts, owner, np.zeros(len(parts), dtype=bool), count, is_closed=False)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    is_hole = np.zeros(len(rings), dtype=bool)
    is_hole[1:] = of_part[1:] == of_part[:-1]
    return _POLYGON, *_path_commands(rings, owner[of_part], is_hole, count, is_closed=True)


def _zigzag(values: Array) -> Array:
    return (values << 1) ^ (values >> 63)


def _starts(lengths: Array) -> Array:
    return np.concatenate([[0], np.cumsum(lengths)])


def _point_commands(points: Array, owner: Array, count: int) -> tuple[list[int], list[int]]:
    xy = np.rint(shapely.get_coordinates(points)).astype(np.int64)
    number = np.bincount(owner, minlength=count)
    is_first = np.ones(len(owner), dtype=bool)
    is_first[1:] = owner[1:] != owner[:-1]
    steps = _zigzag(np.where(is_first[:, None], xy, xy - np.roll(xy, 1, axis=0)))
    offsets = _starts(np.where(number > 0, 2 * number + 1, 0))
    commands = np.empty(offsets[-1], dtype=np.int64)
    first = np.flatnonzero(is_first)
    commands[offsets[owner[first]]] = (number[owner[first]] << 3) | 1
    place = offsets[owner] + 1 + 2 * (np.arange(len(owner)) - first[np.cumsum(is_first) - 1])
    commands[place], commands[place + 1] = steps[:, 0], steps[:, 1]
    return commands.tolist(), offsets.tolist()


def _path_commands(
    paths: Array, owner: Array, is_hole: Array, count: int, *, is_closed: bool
) -> tuple[list[int], list[int]]:
    xy, path = shapely.get_coordinates(paths, return_index=True)
    xy = np.rint(xy).astype(np.int64)
    xy, path = _without_repeats(xy, path, is_closed=is_closed)
    length = np.bincount(path, minlength=len(paths))
    keep = length >= (3 if is_closed else 2)
    if is_closed:
        area = _areas(xy, path, length)
        keep &= area != 0
        keep &= ~is_hole | keep[_shells(is_hole)]
        xy = _turned(xy, path, length, (area > 0) == is_hole)
    chosen = keep[path]
    xy, path = xy[chosen], (np.cumsum(keep) - 1)[path[chosen]]
    length, owner = length[keep], owner[keep]
    return _laid_out(xy, path, length, owner, count, is_closed=is_closed)


def _without_repeats(xy: Array, path: Array, *, is_closed: bool) -> tuple[Array, Array]:
    """Positions without those equal to the one before in the same path, nor a ring's closing one."""
    keep = np.ones(len(xy), dtype=bool)
    if is_closed:
        keep[:-1] = path[1:] == path[:-1]
        keep[-1:] = False
        xy, path = xy[keep], path[keep]
        keep = np.ones(len(xy), dtype=bool)
    keep[1:] = (xy[1:] != xy[:-1]).any(axis=1) | (path[1:] != path[:-1])
    xy, path = xy[keep], path[keep]
    if is_closed and len(xy):
        # rounding may also have made the last position equal to the first
        is_last = np.append(path[1:] != path[:-1], True)
        first = np.flatnonzero(np.append(True, path[1:] != path[:-1]))
        opening = np.repeat(xy[first], np.diff(np.append(first, len(xy))), axis=0)
        twin = is_last & (xy == opening).all(axis=1)
        twin[first] = False
        xy, path = xy[~twin], path[~twin]
    return xy, path


def _areas(xy: Array, path: Array, length: Array) -> Array:
    """Twice the signed area of each ring; positive is clockwise on a screen."""
    if not len(xy):
        return np.zeros(len(length), dtype=np.int64)
    following = np.arange(1, len(xy) + 1)
    starts = _starts(length)
    is_last = np.append(path[1:] != path[:-1], True)
    following[is_last] = starts[path[is_last]]
    cross = xy[:, 0] * xy[following, 1] - xy[following, 0] * xy[:, 1]
    return np.bincount(path, weights=cross, minlength=len(length))


def _shells(is_hole: Array) -> Array:
    """For each ring the position of its polygon's outer ring."""
    return np.maximum.accumulate(np.where(is_hole, 0, np.arange(len(is_hole))))


def _turned(xy: Array, path: Array, length: Array, is_wrong: Array) -> Array:
    """The rings in the direction that the format asks for: outer ones clockwise on screen, holes against it."""
    starts = _starts(length)
    place = np.arange(len(xy)) - starts[path]
    mirrored = starts[path] + length[path] - 1 - place
    return xy[np.where(is_wrong[path], mirrored, np.arange(len(xy)))]


def _laid_out(
    xy: Array, path: Array, length: Array, owner: Array, count: int, *, is_closed: bool
) -> tuple[list[int], list[int]]:
    size = 2 * length + (3 if is_closed else 2)
    of_feature = np.bincount(owner, weights=size, minlength=count).astype(np.int64)
    offsets = _starts(of_feature)
    if not len(xy):
        return [], offsets.tolist()
    begin = _starts(size)[:-1]
    # the pen stays where it is between the paths of one feature and returns to 0, 0 for the next
    is_new = np.append(True, owner[path[1:]] != owner[path[:-1]])
    steps = _zigzag(np.where(is_new[:, None], xy, xy - np.roll(xy, 1, axis=0)))
    commands = np.empty(begin[-1] + size[-1], dtype=np.int64)
    commands[begin] = _MOVE_TO
    commands[begin + 3] = ((length - 1) << 3) | _LINE_TO
    if is_closed:
        commands[begin + size - 1] = _CLOSE
    at = np.arange(len(xy)) - _starts(length)[path]
    place = begin[path] + np.where(at == 0, 1, 2 + 2 * at)
    commands[place], commands[place + 1] = steps[:, 0], steps[:, 1]
    return commands.tolist(), offsets.tolist()
