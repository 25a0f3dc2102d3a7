"""
Layer frames: each layer's living elements in memory, with a search tree, kept in step with the store.

A frame is a large immutable base plus a small overlay of what was written since, so that an edit costs the
same on a layer of a million elements as on one of forty.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import shapely

from gridmap.domain.elements import Box
from gridmap.storage import elements
from gridmap.storage.database import Database
from gridmap.storage.elements import LayerArrays

_REBASE_SHARE = 0.05
_REBASE_LEAST = 2_000


def _rows(arrays: LayerArrays, where: np.ndarray) -> LayerArrays:
    columns = {one.name: getattr(arrays, one.name)[where] for one in fields(arrays) if one.name != "sequence"}
    return LayerArrays(**columns, sequence=arrays.sequence)


def _joined(first: LayerArrays, second: LayerArrays) -> LayerArrays:
    columns = {
        one.name: np.concatenate([getattr(first, one.name), getattr(second, one.name)])
        for one in fields(first)
        if one.name != "sequence"
    }
    return LayerArrays(**columns, sequence=max(first.sequence, second.sequence))


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One layer's living elements at commit `sequence`.

    `arrays` are parallel (see `LayerArrays`); geometry is lon, lat in EPSG:4326.
    """

    arrays: LayerArrays
    sequence: int
    base_count: int
    tree: shapely.STRtree = field(repr=False)
    overlay_tree: shapely.STRtree = field(repr=False)
    is_hidden: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.arrays) - int(self.is_hidden.sum())

    @property
    def living(self) -> np.ndarray:
        """Positions of the living elements."""
        return np.flatnonzero(~self.is_hidden)

    def query(self, geometry: Any, *, predicate: str | None = None) -> np.ndarray:
        """Positions of living elements whose boxes meet `geometry`'s, or that fulfil `predicate`; ascending."""
        hits = self.tree.query(geometry, predicate=predicate)
        hits = hits[~self.is_hidden[hits]]
        later = self.overlay_tree.query(geometry, predicate=predicate) + self.base_count
        return np.sort(np.concatenate([hits, later]))

    def in_box(self, box: Box) -> np.ndarray:
        """Positions of living elements whose bounding boxes meet the lon/lat box."""
        return self.query(shapely.box(*box))

    def position(self, element_id: str) -> int | None:
        """Position of the element with this id; None when it is not among the living."""
        hits = np.flatnonzero((self.arrays.id == element_id) & ~self.is_hidden)
        return int(hits[0]) if len(hits) else None


def frame_of(arrays: LayerArrays, sequence: int) -> Frame:
    """A frame of nothing but these elements."""
    return Frame(
        arrays=arrays,
        sequence=sequence,
        base_count=len(arrays),
        tree=shapely.STRtree(arrays.geometry),
        overlay_tree=shapely.STRtree([]),
        is_hidden=np.zeros(len(arrays), dtype=bool),
    )


def _advanced(frame: Frame, delta: LayerArrays, sequence: int) -> Frame:
    """`frame` with everything in `delta` (retired elements included) put in place of its older state."""
    living = _rows(delta, ~delta.is_retired)
    is_old = np.isin(frame.arrays.pk, delta.pk)
    is_overlay = np.arange(len(frame.arrays)) >= frame.base_count
    # superseded overlay rows go; superseded base rows stay in the tree and are hidden
    keep = ~(is_overlay & is_old)
    arrays = _joined(_rows(frame.arrays, keep), living)
    is_hidden = np.concatenate([(frame.is_hidden | is_old)[keep], np.zeros(len(living), dtype=bool)])
    if len(arrays) - frame.base_count > max(_REBASE_LEAST, _REBASE_SHARE * frame.base_count):
        return frame_of(_rows(arrays, ~is_hidden), sequence)
    return replace(
        frame,
        arrays=arrays,
        sequence=sequence,
        overlay_tree=shapely.STRtree(arrays.geometry[frame.base_count :]),
        is_hidden=is_hidden,
    )


@dataclass(frozen=True, slots=True)
class Movement:
    """What changed in a layer up to commit `sequence`: the boxes where something was, or is now."""

    layer: str
    boxes: np.ndarray
    sequence: int


class Frames:
    """The frames of all layers that were asked for; safe to use from many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._frames: dict[str, Frame] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Movement], None]] = []

    def on_movement(self, listener: Callable[[Movement], None]) -> None:
        """Call `listener` whenever a frame moves on, before anybody sees the new one."""
        self._listeners.append(listener)

    def frame(self, layer: str, sequence: int | None = None) -> Frame:
        """
        The layer's frame, in step with every commit that ended before this call, or with commit `sequence` at
        least: who reads many layers asks the database once.
        """
        if sequence is None:
            sequence = self._database.sequence()
        frame = self._frames.get(layer)
        if frame is not None and frame.sequence >= sequence:
            return frame
        with self._lock:
            lock = self._locks.setdefault(layer, threading.Lock())
        with lock:
            return self._refresh(layer, sequence)

    def _refresh(self, layer: str, sequence: int) -> Frame:
        frame = self._frames.get(layer)
        if frame is not None and frame.sequence >= sequence:
            return frame
        with self._database.read() as connection:
            if frame is None:
                fresh = frame_of(elements.read_layer(connection, layer), sequence)
                self._frames[layer] = fresh
                return fresh
            delta = elements.read_layer(connection, layer, after=frame.sequence)
        if len(delta) == 0:
            fresh = replace(frame, sequence=sequence)
        else:
            fresh = _advanced(frame, delta, max(sequence, delta.sequence))
            self._announce(layer, frame, delta, fresh.sequence)
        self._frames[layer] = fresh
        return fresh

    def _announce(self, layer: str, before: Frame, delta: LayerArrays, sequence: int) -> None:
        old = before.arrays.geometry[np.isin(before.arrays.pk, delta.pk) & ~before.is_hidden]
        boxes = shapely.bounds(np.concatenate([old, delta.geometry]))
        for listener in self._listeners:
            listener(Movement(layer, boxes, sequence))

    def by_code(self, layer: str, codes: Sequence[str]) -> dict[str, Any]:
        """Geometries of the layer's living elements with these codes, by code."""
        frame = self.frame(layer)
        hits = np.flatnonzero(np.isin(frame.arrays.code.astype(str), list(codes)) & ~frame.is_hidden)
        return {frame.arrays.code[at]: frame.arrays.geometry[at] for at in hits}
