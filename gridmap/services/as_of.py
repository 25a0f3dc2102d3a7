"""
The map as it stood: layers, tiles and places at a time in the past.

A layer that nobody wrote since is the present one; any other is put together from the revisions and kept for a
while, since a map asks for many tiles of one time.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import shapely

from gridmap.domain.elements import Element, properties_text, time_text
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import access, elements, tiles
from gridmap.services.district import District
from gridmap.services.frames import Frame, frame_of
from gridmap.services.tiles import Tile
from gridmap.storage import activity
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage.database import Database
from gridmap.storage.elements import LayerArrays

# How many elements of past layers are kept in memory, all layers and times together.
_MOST_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class PastLayer:
    """A layer at a time: its frame, and its elements by id (None: they are as they are now)."""

    frame: Frame
    elements: dict[str, Element] | None


@dataclass(slots=True)
class _Kept:
    layers: OrderedDict[tuple[str, int], PastLayer] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_kept: weakref.WeakKeyDictionary[Database, _Kept] = weakref.WeakKeyDictionary()
_kept_lock = threading.Lock()


def may_look(user: User) -> bool:
    """Whether the user may see the map as it stood: who reads history, and who makes stories of then and now."""
    return user.may(Permission.VIEW_HISTORY) or user.may(Permission.SAVE_STORIES)


def require(
    district: District, user: User, layers: Sequence[Layer], at: datetime, *, is_picture: bool = False
) -> None:
    """
    Pass when the user may look at these layers at that time; with `is_picture` at the drawn map alone.

    Raises
    ------
    PermissionDenied, InvalidInput (the time has no offset, or is yet to come)
    """
    for layer in layers:
        access.require_sight(district, user, layer)
    if not (is_picture and may_look(user)):
        access.require(district, user, Permission.VIEW_HISTORY, "as of")
    if at.tzinfo is None or at > district.clock():
        raise InvalidInput("the time must have an offset and lie in the past", zh="请选择一个过去的时间。")


def layer_at(district: District, layer: Layer, at: datetime) -> PastLayer:
    """The layer as it stood at `at` (inclusive), whoever asks."""
    with district.database.read() as connection:
        then = activity.sequence_at(connection, layer.id, at)
        if then == stored.layer_sequence(connection, layer.id):
            return PastLayer(district.frames.frame(layer.id), None)
    with _kept_lock:
        kept = _kept.setdefault(district.database, _Kept())
    key = layer.id, then
    # one at a time: the next tiles of the same moment find the layer made
    with kept.lock:
        if key not in kept.layers:
            with district.database.read() as connection:
                found = revisions.as_of(connection, layer.id, at)
            kept.layers[key] = PastLayer(_frame(found, then), {one.id: one for one in found})
            while len(kept.layers) > 1 and sum(len(one.frame) for one in kept.layers.values()) > _MOST_KEPT:
                kept.layers.popitem(last=False)
        kept.layers.move_to_end(key)
        return kept.layers[key]


def _frame(found: Sequence[Element], sequence: int) -> Frame:
    def column(values: list[object]) -> np.ndarray:
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array

    arrays = LayerArrays(
        pk=np.arange(1, len(found) + 1, dtype=np.int64),
        id=column([one.id for one in found]),
        code=column([one.code for one in found]),
        name=column([one.name for one in found]),
        geometry=column([one.geometry for one in found]),
        properties=column([properties_text(one) for one in found]),
        source=column([one.source.value for one in found]),
        revision=np.array([one.revision for one in found], dtype=np.int64),
        due_at=column([time_text(one.due_at) for one in found]),
        is_retired=np.zeros(len(found), dtype=bool),
        sequence=sequence,
    )
    return frame_of(arrays, sequence)


def tile(
    district: District, user: User, layer_ids: Sequence[str], z: int, row: int, col: int, at: datetime
) -> Tile:
    """The vector tile of some layers as they stood at `at`; what was overdue then is marked."""
    layers = [district.catalogue.layer(one) for one in dict.fromkeys(layer_ids)]
    require(district, user, layers, at, is_picture=True)
    tiles.require_place(z, row, col)
    content = b"".join(
        _part(district, user, layer, z, row, col, at)
        for layer in layers
        if layer.min_zoom <= z <= layer.max_zoom
    )
    return Tile(content, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')


def _part(district: District, user: User, layer: Layer, z: int, row: int, col: int, at: datetime) -> bytes:
    """One layer of a past tile: where nobody wrote since and nothing grows overdue, it is the kept present one."""
    past = layer_at(district, layer, at)
    if past.elements is None and not layer.freshness:
        present = tiles.tile(district, user, [layer.id], z, row, col).content
        if layer_at(district, layer, at).elements is None:  # nor in this moment
            return present
    return tiles.drawn(layer, past.frame, user, z, col, row, now=time_text(at) or "")


def identify(
    district: District,
    user: User,
    lon: float,
    lat: float,
    *,
    tolerance: float,
    layers: Sequence[str],
    at: datetime,
    limit: int = 20,
) -> list[Element]:
    """Elements of visible `layers` that lay within `tolerance` degrees of the place; topmost first."""
    place, hits = shapely.Point(lon, lat), []
    wanted = [one for one in access.visible_layers(district, user) if one.id in layers]
    require(district, user, wanted, at)
    for layer in wanted:
        past = layer_at(district, layer, at)
        for rank, element_id in elements.hits(past.frame, layer, place, tolerance):
            hits.append((rank, element_id, layer, past))
    found = []
    for _, element_id, layer, past in sorted(hits, key=lambda one: one[:2])[:limit]:
        state = past.elements[element_id] if past.elements is not None else None
        if state is None:
            state = elements.living(district, layer, element_id)
        found.append(elements.masked(user, layer, state))
    return found
