"""Layers at one commit, in bulk and in one fixed order, for figures that can be computed again."""

from __future__ import annotations

import json
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from gridmap.domain.elements import Source
from gridmap.domain.layers import Layer
from gridmap.services.district import District
from gridmap.storage import elements, history
from gridmap.storage.database import Database

Objects = NDArray[np.object_]
_TRIES = 5


class Kept:
    """Things that are dear to make, each made once however many ask at the same time; the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What stands under `key`; made now where nothing does."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._made:
                    return self._made[key]
            made = make()
            with self._lock:
                self._made[key] = made
                self._making.pop(key, None)
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            return made


class Shelf:
    """One `Kept` per store, dropped with it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: weakref.WeakKeyDictionary[Database, Kept] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, district: District) -> Kept:
        """What is kept for this district."""
        with self._lock:
            return self._kept.setdefault(district.database, Kept(self._most))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """
    One layer's living elements by code, then by id: parallel arrays.

    `stamp` changes whenever an element of the layer does: of the present it begins with the layer's newest commit,
    of the past with "as of". `geometry` is lon, lat (EPSG:4326).
    """

    layer: Layer
    stamp: tuple[Any, ...]
    id: Objects
    code: Objects
    name: Objects
    geometry: Objects
    properties: tuple[dict[str, Any], ...]
    is_simulated: bool

    def __len__(self) -> int:
        return len(self.id)

    def values(self, field: str, default: Any = None) -> list[Any]:
        """One field of every element; `default` where it is missing."""
        found = (one.get(field) for one in self.properties)
        return [default if one is None else one for one in found]

    def numbers(self, field: str, default: float = np.nan) -> NDArray[np.float64]:
        """One field as numbers."""
        return np.array([float(one) for one in self.values(field, default)], dtype=np.float64)

    def flags(self, field: str, default: bool) -> NDArray[np.bool_]:
        """One field as yes or no."""
        return np.array([bool(one) for one in self.values(field, default)], dtype=bool)


_rows = Shelf(40)
_MOST_NEWEST = 64
_newest: weakref.WeakKeyDictionary[Database, dict[tuple[str, ...], tuple[int, dict[str, Rows]]]] = (
    weakref.WeakKeyDictionary()
)
_newest_lock = threading.Lock()


class Snapshot:
    """
    Some layers at one commit: as they are, or as they stood after commit `sequence`.

    Attributes
    ----------
    sequence : the commit; data_time : now, or when that commit was made
    """

    def __init__(self, district: District, layers: Iterable[str], sequence: int | None = None) -> None:
        self.district = district
        self._found: dict[str, Rows] = {}
        wanted = sorted(set(layers))
        if sequence is None:
            self.sequence = self._read_present(wanted)
            self.data_time: datetime = district.clock()
        else:
            self.sequence = sequence
            self.data_time = self._read_past(wanted, sequence)

    def rows(self, layer_id: str) -> Rows:
        """The layer's elements; KeyError for a layer that was not asked for."""
        return self._found[layer_id]

    def stamps(self, *layers: str) -> tuple[Hashable, ...]:
        """What tells one state of these layers from any other of the same store."""
        return tuple((one, self._found[one].stamp) for one in layers)

    def _read_present(self, layers: list[str]) -> int:
        database, asked = self.district.database, tuple(layers)
        sequence = database.sequence()
        with _newest_lock:
            newest_of = _newest.setdefault(database, {})
            known = newest_of.get(asked)
        if known is not None and known[0] == sequence:  # most looks come between two commits
            self._found = known[1]
            return sequence
        sequence = self._read_frames(layers, sequence)
        with _newest_lock:
            if len(newest_of) > _MOST_NEWEST:
                newest_of.clear()
            newest_of[asked] = (sequence, self._found)
        return sequence

    def _read_frames(self, layers: list[str], sequence: int) -> int:
        database = self.district.database
        for _ in range(_TRIES):  # frames may run ahead while they are read: then look again
            self._found = {one: self._present(one) for one in layers}
            newest = database.sequence()
            if newest == sequence:
                break
            sequence = newest
        return sequence

    def _present(self, layer_id: str) -> Rows:
        layer = self.district.catalogue.layer(layer_id)
        frame = self.district.frames.frame(layer_id)
        stamp = (frame.arrays.sequence, len(frame))

        def make() -> Rows:
            arrays, living = frame.arrays, frame.living
            return _ordered(
                layer,
                stamp,
                arrays.id[living],
                arrays.code[living],
                arrays.name[living],
                arrays.geometry[living],
                [json.loads(text) for text in arrays.properties[living]],
                bool((arrays.source[living] == Source.SIMULATED.value).any()),
            )

        return _rows.of(self.district).get((layer_id, stamp), make)

    def _read_past(self, layers: list[str], sequence: int) -> datetime:
        with self.district.database.read() as connection:
            at = history.time_of(connection, sequence)
            for layer_id in layers:
                layer = self.district.catalogue.layer(layer_id)

                def make(layer: Layer = layer) -> Rows:
                    found = history.as_of_sequence(connection, layer.id, sequence)
                    geometry = np.empty(len(found), dtype=object)
                    geometry[:] = [one.geometry for one in found]
                    return _ordered(
                        layer,
                        ("as of", sequence),
                        np.array([one.id for one in found], dtype=object),
                        np.array([one.code for one in found], dtype=object),
                        np.array([one.name for one in found], dtype=object),
                        geometry,
                        [dict(one.properties) for one in found],
                        any(one.source is Source.SIMULATED for one in found),
                    )

                found = self._unchanged(connection, layer_id, sequence)
                if found is None:
                    found = _rows.of(self.district).get((layer_id, "as of", sequence), make)
                self._found[layer_id] = found
        return at or self.district.clock()

    def _unchanged(self, connection: Connection, layer_id: str, sequence: int) -> Rows | None:
        """The layer as it is, where nothing was written in it after commit `sequence`: roads seldom change."""
        if elements.layer_sequence(connection, layer_id) > sequence:
            return None
        rows = self._present(layer_id)
        return rows if rows.stamp[0] <= sequence else None


def _ordered(
    layer: Layer,
    stamp: tuple[Any, ...],
    ids: Objects,
    codes: Objects,
    names: Objects,
    geometry: Objects,
    properties: list[dict[str, Any]],
    is_simulated: bool,
) -> Rows:
    order = sorted(range(len(ids)), key=lambda at: (codes[at] or "", ids[at]))
    return Rows(
        layer,
        stamp,
        ids[order],
        codes[order],
        names[order],
        geometry[order],
        tuple(properties[at] for at in order),
        is_simulated,
    )
