"""
What if a point were moved, added or closed: the figures of coverage again, fast enough for every mouse move.

What the other points give is settled when a point is picked up. Each place it is then dragged to costs one
search from there, as far as the threshold, and a look at the demand that the others leave uncovered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gridmap.analysis.coverage import exact_weights
from gridmap.analysis.network import Direction, RoadGraph
from gridmap.analysis.point_search import PointSearch
from gridmap.analysis.snapping import Snap
from gridmap.analysis.speeds import OFF_ROAD_MPS
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """
    Coverage after a change, beside today's.

    Attributes
    ----------
    covered, uncovered, total : people; covered + uncovered == total exactly
    gain : covered people more than today (negative: fewer); exactly after minus before
    by_group : (groups + 1,) covered people per group, demand in no group last
    gain_by_group : the same, more than today
    is_covered : (n,) per demand point
    """

    covered: float
    uncovered: float
    total: float
    gain: float
    by_group: Floats
    gain_by_group: Floats
    is_covered: Flags

    @property
    def covered_share(self) -> float:
        """Share of people covered, 0 to 1; 0.0 when there are none."""
        return self.covered / self.total if self.total else 0.0


class WhatIf:
    """
    A district's points and demand on one network, for asking about changes.

    Made once per network, threshold and revision of the data; building takes one search per point.

    Attributes
    ----------
    cost : (m points, n demand points) seconds, `inf` beyond the threshold
    """

    def __init__(
        self,
        graph: RoadGraph,
        demand: Snap,
        weight: ArrayLike,
        points: Snap,
        threshold: float,
        *,
        group: ArrayLike | None = None,
        groups: int = 0,
        ready: ArrayLike | None = None,
        direction: Direction = Direction.FROM_SOURCES,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> None:
        """
        Settle what today's points cover.

        Parameters
        ----------
        demand, points : snapped to `graph`
        weight : (n,) people
        threshold : seconds, > 0; this much is still covered
        group, groups : (n,) group number of each demand point, 0 to `groups` - 1 or -1
        ready : (m,) seconds before help leaves a point, 0 when not given
        direction : `FROM_SOURCES` for response, `TO_SOURCES` for residents coming
        """
        if not 0 < threshold < math.inf:
            raise InvalidInput(f"threshold is {threshold}; give seconds above 0", zh="时限须大于 0。")
        self.graph = graph
        self.demand = demand
        self.points = points
        self.threshold = float(threshold)
        self.direction = direction
        self.off_road_mps = float(off_road_mps)
        self.weight = exact_weights(weight)
        n, m = len(demand), len(points)
        if len(self.weight) != n:
            raise InvalidInput(
                f"{n} demand points have {len(self.weight)} weights", zh="需求点与人口个数不一致。"
            )
        member = np.full(n, -1) if group is None else np.asarray(group)
        if member.shape != (n,) or ((member < -1) | (member >= groups)).any():
            raise InvalidInput(
                f"group is not one of -1..{groups - 1} for each of {n} rows", zh="分组编号有误。"
            )
        self._group = np.where(member < 0, groups, member).astype(np.intp)
        self.groups = groups
        self.ready = np.zeros(m) if ready is None else np.asarray(ready, dtype=np.float64)
        if self.ready.shape != (m,) or not (self.ready >= 0).all():
            raise InvalidInput(
                f"ready is not one number of seconds for each of {m} points", zh="出动准备时间有误。"
            )
        self.cost = graph.point_cost(
            points, demand, limit=self.threshold, direction=direction, off_road_mps=self.off_road_mps
        )
        self.cost += self.ready[:, None]
        self._hits = (self.cost <= self.threshold).sum(axis=0)
        self.total = float(self.weight.sum())
        covered = self._hits > 0
        self._today = float(self.weight[covered].sum())
        self._today_by_group = self._sums(covered)

    @cached_property
    def search(self) -> PointSearch:
        """Searches from one place after another, tied to the demand; built when first asked for."""
        return PointSearch(self.graph, self.demand, direction=self.direction, off_road_mps=self.off_road_mps)

    def today(self) -> Effect:
        """Coverage as it is."""
        return self._effect(self._hits > 0)

    def close(self, points: Iterable[int]) -> Effect:
        """Coverage without these points."""
        return self._effect(self._without(points) > 0)

    def pick_up(
        self, points: Iterable[int] = (), *, ready: float = 0.0, snap_distance_m: float = 500.0
    ) -> Drag:
        """
        Take points away (none: to place a new one) and hold one in the hand.

        Parameters
        ----------
        ready : seconds before help leaves the new place
        snap_distance_m : a place farther than this from every road reaches nobody
        """
        if not (ready >= 0 and snap_distance_m > 0):
            raise InvalidInput(
                f"ready {ready} must be 0 or more and snap_distance_m {snap_distance_m} above 0",
                zh="准备时间或捕捉距离无效。",
            )
        gone = sorted({int(point) for point in points})
        return Drag(self, gone, self._without(gone), float(ready), float(snap_distance_m))

    def change(self, *, closed: Iterable[int] = (), added: Snap | None = None, ready: float = 0.0) -> Effect:
        """Coverage without some points and with others: a whole scenario at once."""
        covered = self._without(closed) > 0
        if added is not None and len(added):
            cost = self.graph.point_cost(
                added,
                self.demand,
                limit=self.threshold,
                direction=self.direction,
                off_road_mps=self.off_road_mps,
            )
            covered |= (cost + ready <= self.threshold).any(axis=0)
        return self._effect(covered)

    def _without(self, points: Iterable[int]) -> Ints:
        """How many of the other points cover each demand point."""
        gone = sorted({int(point) for point in points})
        if gone and not 0 <= gone[0] <= gone[-1] < len(self.points):
            raise InvalidInput(
                f"points {gone} are not all of 0..{len(self.points) - 1}", zh="站点编号不存在。", points=gone
            )
        return self._hits - (self.cost[gone] <= self.threshold).sum(axis=0)

    def _sums(self, covered: Flags) -> Floats:
        return np.bincount(self._group[covered], self.weight[covered], minlength=self.groups + 1).astype(
            np.float64
        )

    def _effect(self, covered: Flags) -> Effect:
        return self._figures(float(self.weight[covered].sum()), self._sums(covered), covered)

    def _figures(self, covered: float, by_group: Floats, is_covered: Flags) -> Effect:
        return Effect(
            covered,
            self.total - covered,
            self.total,
            covered - self._today,
            by_group,
            by_group - self._today_by_group,
            is_covered,
        )


class Drag:
    """A point in the hand: what the others cover is settled, `at` says what a place adds."""

    def __init__(
        self, whatif: WhatIf, gone: Sequence[int], hits: Ints, ready: float, snap_distance_m: float
    ) -> None:
        self._whatif = whatif
        self._gone = gone
        self._ready = ready
        self._snap_distance_m = snap_distance_m
        self._is_covered = hits > 0
        self._open = np.flatnonzero(~self._is_covered & whatif.demand.is_snapped)
        self._targets = whatif.search.targets(self._open)
        self._covered = float(whatif.weight[self._is_covered].sum())
        self._by_group = whatif._sums(self._is_covered)

    def snap(self, xy: Sequence[float], barriers: Iterable[shapely.Geometry] | None = None) -> Snap:
        """Where the place in the hand meets the network."""
        return self._whatif.graph.snap([list(xy)], max_distance_m=self._snap_distance_m, barriers=barriers)

    def at(self, place: Snap) -> Effect:
        """Coverage with the point at this one place; off the network it adds nothing."""
        owner = self._whatif
        covered, by_group, is_covered = self._covered, self._by_group, self._is_covered
        if place.is_snapped[0]:
            seconds = owner.search.seconds(place, self._targets, limit=owner.threshold)
            won = self._open[seconds + self._ready <= owner.threshold]
            covered += float(owner.weight[won].sum())
            by_group = by_group + np.bincount(
                owner._group[won], owner.weight[won], minlength=owner.groups + 1
            )
            is_covered = is_covered.copy()
            is_covered[won] = True
        return owner._figures(covered, by_group, is_covered)

    def node_seconds(self, place: Snap) -> Floats:
        """Seconds from the nearest point to every node with the point at this place, for `TravelRaster.gaps`."""
        best = self._others_by_node
        if not place.is_snapped[0]:
            return best
        owner = self._whatif
        return np.minimum(best, owner.search.node_seconds(place, limit=owner.threshold) + self._ready)

    @cached_property
    def _others_by_node(self) -> Floats:
        owner = self._whatif
        others = np.setdiff1d(np.arange(len(owner.points)), self._gone)
        return owner.graph.nearest_to_points(
            owner.points.take(others),
            direction=owner.direction,
            offset=owner.ready[others],
            off_road_mps=owner.off_road_mps,
        )[0]
