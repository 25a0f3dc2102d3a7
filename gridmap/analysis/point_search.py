"""Searches from one place that moves to targets that stay, as a person drags a marker."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from gridmap.analysis._arcs import Entries, entered
from gridmap.analysis._given import limit_of
from gridmap.analysis.network import By, Direction, RoadGraph
from gridmap.analysis.snapping import Snap
from gridmap.analysis.speeds import OFF_ROAD_MPS

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class SearchTargets:
    """Targets of a `PointSearch`: the inside numbers of their edges' ends and the costs from there."""

    snap: Snap
    tail: Ints
    head: Ints
    by_tail: Floats
    by_head: Floats


class PointSearch:
    """
    Searches from one moving place to fixed targets, as fast as they go.

    Same costs as `RoadGraph.point_cost`. The place's own node waits in a private copy of the matrix, and only
    its two arcs change between searches. Not for use from several threads at once.
    """

    def __init__(
        self,
        graph: RoadGraph,
        targets: Snap,
        *,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> None:
        self._graph = graph
        self._snap = targets
        self._by: By = by
        self._direction = direction
        self._off_road_mps = off_road_mps
        # two arcs that wait for the ends of the street that the place stands on
        slots = Entries(np.zeros(2, np.intp), np.zeros(2, np.intp), np.zeros(2))
        matrix = graph.arcs.matrix(by, is_backward=direction is Direction.TO_SOURCES)
        self._matrix = entered(matrix, slots, 1) if len(graph.node_xy) else matrix
        self._ends = graph.end_costs(targets, by=by, direction=direction.turned, off_road_mps=off_road_mps)

    def targets(self, rows: Ints) -> SearchTargets:
        """Some of the targets, made ready for searches."""
        graph, snap = self._graph, self._snap.take(rows)
        edge = np.where(snap.is_snapped, snap.edge, 0)
        if len(graph.tail) == 0:
            nowhere = np.zeros(len(rows), np.int32)
            return SearchTargets(snap, nowhere, nowhere, self._ends[0][rows], self._ends[1][rows])
        tail, head = graph.arcs.inside[graph.tail[edge]], graph.arcs.inside[graph.head[edge]]
        return SearchTargets(snap, tail, head, self._ends[0][rows], self._ends[1][rows])

    def seconds(self, place: Snap, targets: SearchTargets, *, limit: float = math.inf) -> Floats:
        """Cost of each target from (or to) the one place, `inf` beyond the limit."""
        found = self._search(place, limit)
        if found is None or len(self._graph.tail) == 0:
            return np.full(len(targets.snap), np.inf)
        result = found[targets.tail] + targets.by_tail
        np.minimum(result, found[targets.head] + targets.by_head, out=result)
        own = np.flatnonzero(targets.snap.edge == place.edge[0])
        if own.size:
            nowhere = np.full((1, len(self._graph.node_xy)), np.inf)
            straight = self._graph.reach_points(
                nowhere,
                place,
                targets.snap.take(own),
                by=self._by,
                direction=self._direction,
                off_road_mps=self._off_road_mps,
            )
            result[own] = np.minimum(result[own], straight[0])
        result[result > limit] = np.inf
        return result

    def node_seconds(self, place: Snap, *, limit: float = math.inf) -> Floats:
        """Cost of every node by its public number."""
        result = np.full(len(self._graph.node_xy), np.inf)
        found = self._search(place, limit)
        if found is not None:
            result[self._graph.arcs.order] = found[:-1]
        return result

    def _search(self, place: Snap, limit: float) -> Floats | None:
        """Costs by inside number, the place itself last; None where it stands off the network."""
        graph = self._graph
        entries = graph.entries(
            place, by=self._by, direction=self._direction, off_road_mps=self._off_road_mps
        )
        entries = graph.arcs.placed(entries)
        if len(entries.node) == 0:
            return None
        # a street that can be left one way only fills both slots with it
        self._matrix.indices[-2:] = entries.node[[0, -1]]
        self._matrix.data[-2:] = entries.ahead[[0, -1]]
        return csgraph.dijkstra(self._matrix, indices=len(graph.node_xy), limit=limit_of(limit))
