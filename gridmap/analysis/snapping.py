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
_QUERIES_AT_ONCE = 100_000


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

    def all_within(self, point: Floats, distance_m: float) -> tuple[Ints, Floats, Floats]:
        """Edges within a distance of one point, nearest first, with fraction and distance."""
        samples = self._tree.query_ball_point(point, float(np.hypot(distance_m, self._reach)) * (1 + 1e-12))
        edge = np.unique(self._owner[np.array(samples, np.intp)])
        fraction, gap = self.project(np.broadcast_to(point, (len(edge), 2)), edge)
        order = np.argsort(gap, kind="stable")
        order = order[gap[order] <= distance_m]
        return edge[order], fraction[order], gap[order]


def snap(
    index: EdgeIndex,
    points_xy: ArrayLike,
    *,
    max_distance_m: float,
    barriers: Iterable[shapely.Geometry] | None = None,
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
    """
    xy = points_array(points_xy)
    if not max_distance_m > 0:
        raise InvalidInput(
            f"max_distance_m is {max_distance_m}; give metres above 0", zh="捕捉距离须大于 0 米。"
        )
    result = _nowhere(len(xy))
    known = np.flatnonzero(np.isfinite(xy).all(axis=1))
    found = index.nearest(xy[known], max_distance_m)
    result.edge[known], result.fraction[known], result.offset_m[known] = (
        found.edge,
        found.fraction,
        found.offset_m,
    )
    walls = np.array([wall for wall in barriers or () if not shapely.is_empty(wall)], dtype=object)
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
    for row in rows[crosses(tree, xy[rows], landing)].tolist():
        edge, fraction, gap = index.all_within(xy[row], max_distance_m)
        landing = index.start[edge] + fraction[:, None] * index.step[edge]
        free = np.flatnonzero(~crosses(tree, np.broadcast_to(xy[row], landing.shape), landing))
        if free.size:
            pick = free[0]
            result.edge[row], result.fraction[row], result.offset_m[row] = (
                edge[pick],
                fraction[pick],
                gap[pick],
            )
        else:
            result.edge[row], result.fraction[row], result.offset_m[row] = -1, np.nan, np.inf


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
