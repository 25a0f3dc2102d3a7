"""Where points meet the road network: the nearest place on an edge, not across a wall."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_SPACING_M = 12.0
_STANDING_M = 0.01
_FIRST_LOOK = 8
_SECOND_LOOK = 24
_QUERIES_AT_ONCE = 100_000
_LINES_AT_ONCE = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class Snap:
    """
    Where each point meets the network.

    Attributes
    ----------
    edge : (n,) edge number, -1 where no edge lies near enough without a barrier between
    fraction : (n,) share of the edge from its tail, 0 to 1 (NaN where unsnapped)
    offset_m : (n,) straight-line metres from the point to the edge (infinite where unsnapped)
    """

    edge: Ints
    fraction: Floats
    offset_m: Floats

    @property
    def is_snapped(self) -> NDArray[np.bool_]:
        """(n,) whether the point has a place on the network."""
        return self.edge >= 0

    def __len__(self) -> int:
        return len(self.edge)

    def take(self, rows: ArrayLike) -> Snap:
        """The snaps of these rows."""
        picked = np.asarray(rows)
        return Snap(self.edge[picked], self.fraction[picked], self.offset_m[picked])


class EdgeIndex:
    """
    Nearest edges by sample points every 12 m in one k-d tree, then exact projection.

    A sample of the nearest edge lies at most `hypot(distance, 6)` away: looking that far makes the answer
    exact, and is several times faster than a tree of edge boxes.
    """

    def __init__(self, start_xy: Floats, end_xy: Floats) -> None:
        self.start = start_xy
        self.step = end_xy - start_xy
        length = np.hypot(self.step[:, 0], self.step[:, 1])
        self.square = np.maximum(length**2, 1e-300)
        counts = np.maximum(1, np.ceil(length / _SPACING_M)).astype(np.intp) + 1
        self._owner = np.repeat(np.arange(len(length)), counts)
        place = np.arange(len(self._owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        share = place / (counts[self._owner] - 1)
        self._reach = float((length / (counts - 1)).max(initial=0.0)) / 2
        self._tree = cKDTree(start_xy[self._owner] + share[:, None] * self.step[self._owner])

    def project(self, xy: Floats, edge: Ints) -> tuple[Floats, Floats]:
        """Fraction along the edge of the place nearest each point, and the distance to it."""
        away = xy - self.start[edge]
        step = self.step[edge]
        fraction = np.clip((away * step).sum(axis=-1) / self.square[edge], 0.0, 1.0)
        gap = away - fraction[..., None] * step
        return fraction, np.hypot(gap[..., 0], gap[..., 1])

    def nearest(self, xy: Floats, max_distance_m: float) -> Snap:
        """The nearest edge of each point, exactly; ties go to the lower edge number."""
        result = _nowhere(len(xy))
        for start in range(0, len(xy), _QUERIES_AT_ONCE):
            rows = np.arange(start, min(start + _QUERIES_AT_ONCE, len(xy)))
            self._nearest_into(result, xy, rows, max_distance_m, min(_FIRST_LOOK, self._tree.n))
        return result

    def nearest_by_sample(self, xy: Floats, max_distance_m: float) -> Snap:
        """
        The edge of the nearest sample, within 6 m of the nearest edge: several times faster than `nearest`.

        For raster cells, whose own size is larger than that.
        """
        result = _nowhere(len(xy))
        if len(xy) == 0 or self._tree.n == 0:
            return result
        farthest = float(np.hypot(max_distance_m, self._reach)) + 1e-9
        distance, sample = self._tree.query(xy, distance_upper_bound=farthest)
        rows = np.flatnonzero(np.isfinite(distance))
        edge = self._owner[sample[rows]]
        fraction, gap = self.project(xy[rows], edge)
        near = gap <= max_distance_m
        rows = rows[near]
        result.edge[rows], result.fraction[rows], result.offset_m[rows] = (
            edge[near],
            fraction[near],
            gap[near],
        )
        return result

    def _nearest_into(self, result: Snap, xy: Floats, rows: Ints, most_m: float, look: int) -> None:
        if len(rows) == 0 or self._tree.n == 0:
            return
        farthest = float(np.hypot(most_m, self._reach)) * (1 + 1e-12) + 1e-9
        distance, sample = self._tree.query(xy[rows], k=look, distance_upper_bound=farthest)
        distance, sample = distance.reshape(len(rows), look), sample.reshape(len(rows), look)
        found = np.isfinite(distance)
        edge = self._owner[np.where(found, sample, 0)]
        fraction, gap = self.project(xy[rows][:, None, :], edge)
        gap[~found] = np.inf
        best_gap = gap.min(axis=1)
        tied = np.where(gap <= best_gap[:, None], edge, len(self.start))
        best = tied.argmin(axis=1)
        line = np.arange(len(rows))
        near = best_gap <= most_m
        into = rows[near]
        result.edge[into] = edge[line, best][near]
        result.fraction[into] = fraction[line, best][near]
        result.offset_m[into] = best_gap[near]
        # every edge that could be nearer has a sample within this distance: was that far looked?
        needed = np.hypot(np.minimum(best_gap, most_m), self._reach)
        unsure = rows[np.isfinite(distance[:, -1]) & (distance[:, -1] <= needed)]
        if unsure.size and look < self._tree.n:
            self._nearest_into(result, xy, unsure, most_m, min(look * 4, self._tree.n))

    def candidates(self, xy: Floats, look: int, max_distance_m: float) -> tuple[Ints, Floats, Floats, Floats]:
        """
        Edges near each point, from its `look` nearest samples: edge, fraction and distance, each (n, look).

        Each edge once, by rising distance; infinite where there are fewer or they lie too far. Last, (n,) the distance below
        which no edge can be missing.
        """
        farthest = float(np.hypot(max_distance_m, self._reach)) * (1 + 1e-12) + 1e-9
        distance, sample = self._tree.query(xy, k=np.arange(1, look + 1), distance_upper_bound=farthest)
        found = np.isfinite(distance)
        edge = self._owner[np.where(found, sample, 0)]
        fraction, gap = self.project(xy[:, None, :], edge)
        gap[~found | (gap > max_distance_m)] = np.inf
        gap[_again(edge)] = np.inf
        order = np.argsort(gap, axis=1, kind="stable")
        edge, fraction, gap = (np.take_along_axis(values, order, axis=1) for values in (edge, fraction, gap))
        return edge, fraction, gap, np.sqrt(np.maximum(distance[:, -1] ** 2 - self._reach**2, 0.0))

    @property
    def samples(self) -> int:
        """How many sample points there are."""
        return int(self._tree.n)


def snap(
    index: EdgeIndex,
    points_xy: ArrayLike,
    *,
    max_distance_m: float,
    barriers: Iterable[shapely.Geometry] | None = None,
    is_exact: bool = True,
) -> Snap:
    """
    The nearest place on the network for each point, within a distance and not across a barrier.

    Where a barrier lies between a point and its nearest edge, the next nearest free of barriers is taken. A
    point that lies on a barrier itself (a jetty, a bridge) may leave it: only crossing counts.

    Parameters
    ----------
    points_xy : (n, 2) metres, projected CRS of the index; empty or NaN rows stay unsnapped
    max_distance_m : metres, > 0; exactly this far still snaps
    barriers : lines or polygons in the same CRS
    is_exact : false takes the edge of the nearest sample point, up to 6 m off, several times faster
    """
    xy = points_array(points_xy)
    if not max_distance_m > 0:
        raise InvalidInput(
            f"max_distance_m is {max_distance_m}; give metres above 0", zh="捕捉距离须大于 0 米。"
        )
    result = _nowhere(len(xy))
    known = np.flatnonzero(np.isfinite(xy).all(axis=1))
    look_up = index.nearest if is_exact else index.nearest_by_sample
    found = look_up(xy[known], max_distance_m)
    result.edge[known], result.fraction[known], result.offset_m[known] = (
        found.edge,
        found.fraction,
        found.offset_m,
    )
    walls = np.array(
        [wall for wall in (() if barriers is None else barriers) if not wall.is_empty], dtype=object
    )
    if len(walls):
        _keep_off(index, xy, result, walls, max_distance_m)
    return result


def _keep_off(
    index: EdgeIndex, xy: Floats, result: Snap, walls: NDArray[np.object_], max_distance_m: float
) -> None:
    """Replace the snaps that cross a barrier by the nearest that does not."""
    tree = shapely.STRtree(walls)
    rows = np.flatnonzero(result.edge >= 0)
    landing = index.start[result.edge[rows]] + result.fraction[rows, None] * index.step[result.edge[rows]]
    rows = rows[crosses(tree, xy[rows], landing)]
    result.edge[rows], result.fraction[rows], result.offset_m[rows] = -1, np.nan, np.inf
    look = min(_SECOND_LOOK, index.samples)
    while rows.size:
        unsure = []
        for start in range(0, len(rows), max(1, _LINES_AT_ONCE // look)):
            part = rows[start : start + max(1, _LINES_AT_ONCE // look)]
            unsure.append(part[_first_free(index, xy, result, part, tree, look, max_distance_m)])
        rows = np.concatenate(unsure)
        if look == index.samples:
            return
        look = min(look * 4, index.samples)


def _first_free(
    index: EdgeIndex, xy: Floats, result: Snap, rows: Ints, tree: shapely.STRtree, look: int, most_m: float
) -> NDArray[np.bool_]:
    """Snap rows to their nearest edge not behind a barrier; which of them must look farther for one."""
    edge, fraction, gap, sure_m = index.candidates(xy[rows], look, most_m)
    line, place = np.nonzero(np.isfinite(gap))
    landing = index.start[edge[line, place]] + fraction[line, place, None] * index.step[edge[line, place]]
    is_free = np.zeros(gap.shape, bool)
    is_free[line, place] = ~crosses(tree, xy[rows[line]], landing)
    found = is_free.any(axis=1)
    first = is_free.argmax(axis=1)
    into, own = rows[found], np.flatnonzero(found)
    result.edge[into] = edge[own, first[own]]
    result.fraction[into] = fraction[own, first[own]]
    result.offset_m[into] = gap[own, first[own]]
    nearest = np.where(found, gap[np.arange(len(rows)), first], np.inf)
    return nearest > sure_m  # an edge not looked at might be nearer


def _again(numbers: Ints) -> NDArray[np.bool_]:
    """(n, k) where a number stood further left in its row before."""
    order = np.argsort(numbers, axis=1, kind="stable")
    ordered = np.take_along_axis(numbers, order, axis=1)
    repeated = np.zeros(numbers.shape, bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return repeated


def crosses(tree: shapely.STRtree, start_xy: Floats, end_xy: Floats) -> NDArray[np.bool_]:
    """
    Whether each straight line from start to end crosses a barrier of the tree.

    The last centimetre at either end does not count: whoever stands on a bank has not crossed the water.
    """
    hit = np.zeros(len(start_xy), bool)
    step = end_xy - start_xy
    length = np.hypot(step[:, 0], step[:, 1])
    rows = np.flatnonzero(length > 2 * _STANDING_M)
    if len(rows) == 0:
        return hit
    inset = step[rows] * (_STANDING_M / length[rows])[:, None]
    lines = shapely.linestrings(np.stack([start_xy[rows] + inset, end_xy[rows] - inset], axis=1))
    hit[rows[tree.query(lines, predicate="intersects")[0]]] = True
    return hit


def points_array(points_xy: ArrayLike) -> Floats:
    """Points as an (n, 2) array of floats; an empty list is none."""
    xy = np.asarray(points_xy, dtype=np.float64)
    if xy.size == 0:
        return xy.reshape(0, 2)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise InvalidInput(f"points have shape {xy.shape}; give (n, 2) metres", zh="点坐标须为两列(米)。")
    return xy


def _nowhere(n: int) -> Snap:
    return Snap(np.full(n, -1, np.intp), np.full(n, np.nan), np.full(n, np.inf))
