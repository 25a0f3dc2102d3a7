"""
Road networks: least costs between nodes, and between points that stand on or beside edges.

Coordinates are metres in one projected CRS; costs are seconds or metres. Public node and edge numbers are the
order in which they were given; inside, nodes lie along a Hilbert curve, which makes searches faster.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridmap.analysis._hilbert import hilbert_order
from gridmap.analysis.snapping import EdgeIndex, Snap, points_array
from gridmap.analysis.snapping import snap as snap_points
from gridmap.analysis.speeds import OFF_ROAD_MPS
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
By = Literal["seconds", "length_m"]

_SOURCES_AT_ONCE = 16
_METRES_PER_DEGREE = 111_320.0


class Direction(enum.Enum):
    """Which way a cost runs: from the sources outwards (response), or towards them (residents walking in)."""

    FROM_SOURCES = "from_sources"
    TO_SOURCES = "to_sources"


@dataclass(frozen=True, slots=True, eq=False)
class NetworkQuality:
    """
    What a person should look at before trusting a network. Node and edge numbers are the public ones.

    Attributes
    ----------
    component_sizes : nodes per connected component (streets taken as two-way), largest first
    off_main : nodes outside the largest component
    one_way_traps : nodes of the largest component that one-way streets cut off from its main part in a
        direction: they can be left but not reached, or reached but not left
    dead_ends : nodes with a single neighbour
    loops, parallel : edges that begin and end at one node; edges beside a cheaper one between the same nodes
    too_short : edges whose length is below the straight line between their nodes by more than 1 %
    too_fast, too_slow : edges passed faster or slower than plausible
    """

    nodes: int
    edges: int
    component_sizes: Ints
    off_main: Ints
    one_way_traps: Ints
    dead_ends: Ints
    loops: Ints
    parallel: Ints
    too_short: Ints
    too_fast: Ints
    too_slow: Ints

    @property
    def main_share(self) -> float:
        """Share of nodes in the largest component; 1.0 for an empty network."""
        return float(self.component_sizes[0] / self.nodes) if self.nodes else 1.0


class RoadGraph:
    """
    A road network. Make one with `from_edges`; it does not change afterwards.

    Attributes
    ----------
    node_xy : (n, 2) metres, projected CRS
    tail, head : (e,) node numbers
    seconds, length_m : (e,) cost of passing the edge
    oneway : (e,) true where only tail to head is allowed
    """

    def __init__(
        self,
        node_xy: Floats,
        tail: Ints,
        head: Ints,
        seconds: Floats,
        length_m: Floats,
        oneway: NDArray[np.bool_],
    ) -> None:
        self.node_xy = node_xy
        self.tail = tail
        self.head = head
        self.seconds = seconds
        self.length_m = length_m
        self.oneway = oneway
        self._order = hilbert_order(node_xy)  # inside number -> public number
        self._inside = np.empty(len(node_xy), np.int32)  # public number -> inside number
        self._inside[self._order] = np.arange(len(node_xy), dtype=np.int32)
        self._matrices: dict[tuple[str, bool], sparse.csr_matrix] = {}
        self._streets_by: dict[str, tuple[Floats, Floats]] = {}

    @classmethod
    def from_edges(
        cls,
        node_xy: ArrayLike,
        tail: ArrayLike,
        head: ArrayLike,
        seconds: ArrayLike,
        *,
        length_m: ArrayLike | None = None,
        oneway: ArrayLike | None = None,
    ) -> RoadGraph:
        """
        A network from its edges.

        Edges between the same two nodes are one street: in each direction the cheapest counts, also for
        points that stand beside it (a two-way street may come as two one-way edges). A loop is kept but
        leads nowhere. Leave edges that a mode may not use out instead of giving them endless seconds.

        Parameters
        ----------
        node_xy : (n, 2) metres, projected CRS
        tail, head : (e,) node numbers, 0 to n - 1
        seconds : (e,) > 0
        length_m : (e,) > 0; the straight line between the nodes when not given
        oneway : (e,) true where the edge may be passed from tail to head only; all two-way when not given

        Raises
        ------
        InvalidInput
            Shapes disagree, a node does not exist, a cost is zero, negative, NaN or infinite; `rows` names
            the edges (or nodes). Or the coordinates are degrees: given lengths fit longitude and latitude.
        """
        xy = points_array(node_xy)
        _refuse(np.flatnonzero(~np.isfinite(xy).all(axis=1)), "coordinates of nodes", "路网节点坐标")
        tails, heads = _node_numbers(tail, len(xy)), _node_numbers(head, len(xy))
        cost = np.asarray(seconds, dtype=np.float64)
        if not cost.shape == tails.shape == heads.shape:
            raise InvalidInput(
                f"tail {tails.shape}, head {heads.shape} and seconds {cost.shape} differ in shape",
                zh="路网边的起点、终点与耗时个数不一致。",
            )
        _refuse(np.flatnonzero(~((cost > 0) & (cost < np.inf))), "seconds of edges", "道路通行时间")
        straight = np.hypot(*(xy[heads] - xy[tails]).T) if len(tails) else np.zeros(0)
        length = straight if length_m is None else np.asarray(length_m, dtype=np.float64)
        if length.shape != cost.shape:
            raise InvalidInput(
                f"length_m has shape {length.shape}, edges {cost.shape}", zh="道路长度个数不一致。"
            )
        if length_m is not None:
            _refuse(np.flatnonzero(~((length > 0) & (length < np.inf))), "length_m of edges", "道路长度")
            _refuse_degrees(xy, tails, heads, length)
        way = np.zeros(cost.shape, bool) if oneway is None else np.asarray(oneway, dtype=bool)
        if way.shape != cost.shape:
            raise InvalidInput(f"oneway has shape {way.shape}, edges {cost.shape}", zh="单行标记个数不一致。")
        return cls(xy, tails, heads, cost, length, way)

    def __repr__(self) -> str:
        return f"RoadGraph({len(self.node_xy)} nodes, {len(self.tail)} edges)"

    # costs between nodes

    def cost(
        self,
        sources: ArrayLike,
        targets: ArrayLike,
        *,
        limit: float = math.inf,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
    ) -> Floats:
        """
        Least cost between nodes: (n sources, m targets), `inf` where there is no way within the limit.

        A cost of exactly `limit` is within it.

        Parameters
        ----------
        sources, targets : node numbers; repeats are fine
        by : what adds up along the way and is made least, "seconds" or "length_m"
        direction : `TO_SOURCES` gives the cost of coming from target j to source i
        """
        start, goal = _node_numbers(sources, len(self.node_xy)), _node_numbers(targets, len(self.node_xy))
        most = _limit(limit)
        result = np.empty((len(start), len(goal)))
        if result.size == 0:
            return result
        is_backward = direction is Direction.TO_SOURCES
        n = len(self.node_xy)
        origins, goals = _distinct(start, n), _distinct(goal, n)
        if len(goals) < len(origins):  # search from the fewer ends, along reversed edges
            result[:] = self._between(goals, start, by, not is_backward, most)[np.searchsorted(goals, goal)].T
        elif np.array_equal(origins, start):
            self._between(origins, goal, by, is_backward, most, out=result)
        else:
            block = self._between(origins, goal, by, is_backward, most)
            np.take(block, np.searchsorted(origins, start), axis=0, out=result)
        return result

    def _between(
        self,
        origins: Ints,
        goals: Ints,
        by: By,
        is_backward: bool,
        limit: float,
        *,
        out: Floats | None = None,
    ) -> Floats:
        matrix = self._matrix(by, is_backward)
        result = np.empty((len(origins), len(goals))) if out is None else out
        inside = self._inside[goals]
        for start in range(0, len(origins), _SOURCES_AT_ONCE):
            part = slice(start, start + _SOURCES_AT_ONCE)
            searched = csgraph.dijkstra(matrix, indices=self._inside[origins[part]], limit=limit)
            np.take(searched, inside, axis=1, out=result[part], mode="clip")  # in range; "raise" would copy
        return result

    def nearest(
        self,
        sources: ArrayLike,
        *,
        limit: float = math.inf,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        offset: ArrayLike | None = None,
    ) -> tuple[Floats, Ints]:
        """
        For every node the cost of the source nearest to it, and which one: its place in `sources`.

        Unreached nodes get `inf` and -1. Each source's nodes are connected through one another on the
        network, so the second array is a network Voronoi diagram.

        Parameters
        ----------
        sources : node numbers
        offset : (n,) >= 0 added to each source's costs (minutes to get ready, way to the network)
        """
        start = _node_numbers(sources, len(self.node_xy))
        most = _limit(limit)
        ahead = np.zeros(len(start)) if offset is None else np.asarray(offset, dtype=np.float64)
        if ahead.shape != start.shape:
            raise InvalidInput(
                f"{len(start)} sources have {ahead.shape} offsets", zh="站点与附加时间个数不一致。"
            )
        _refuse(np.flatnonzero(~(ahead >= 0)), "offset of sources", "站点附加时间")
        firsts = np.unique(start, return_index=True)[1] if not ahead.any() else np.arange(len(start))
        entries = _Entries(firsts, start[firsts], ahead[firsts])
        return self._spread(entries, len(start), most, by, direction)

    # costs between points beside the network

    @cached_property
    def edge_index(self) -> EdgeIndex:
        """Where the streets lie, for snapping; built when first asked for."""
        street = self._streets
        return EdgeIndex(self.node_xy[self.tail[street]], self.node_xy[self.head[street]])

    @cached_property
    def _streets(self) -> Ints:
        """The first edge of each pair of nodes, which stands for all edges between them."""
        pair = np.sort(np.stack([self.tail, self.head], axis=1), axis=1)
        return np.sort(np.unique(pair, axis=0, return_index=True)[1])

    def snap(
        self,
        points_xy: ArrayLike,
        *,
        max_distance_m: float,
        barriers: Iterable[shapely.Geometry] | None = None,
        is_exact: bool = True,
    ) -> Snap:
        """
        The nearest place on an edge for each point, not across a barrier (see `snapping.snap`).

        Edges are straight between their nodes; a bent road is several edges. Of edges between the same two
        nodes the first is named.
        """
        found = snap_points(
            self.edge_index, points_xy, max_distance_m=max_distance_m, barriers=barriers, is_exact=is_exact
        )
        if len(self.tail) == 0:
            return found
        edge = np.where(found.is_snapped, self._streets[found.edge], -1)
        return Snap(edge, found.fraction, found.offset_m)

    def point_cost(
        self,
        sources: Snap,
        targets: Snap,
        *,
        limit: float = math.inf,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> Floats:
        """
        Least cost between snapped points: (n sources, m targets), `inf` beyond the limit or off the network.

        Counts the parts of the first and last edge, the way along one edge that both points stand on, and the
        way between point and edge at `off_road_mps`. One-way edges bind their parts too.
        """
        most = _limit(limit)
        result = np.full((len(sources), len(targets)), np.inf)
        step = _SOURCES_AT_ONCE
        if len(targets) < len(sources):
            turned = Direction.TO_SOURCES if direction is Direction.FROM_SOURCES else Direction.FROM_SOURCES
            return self.point_cost(
                targets, sources, limit=limit, by=by, direction=turned, off_road_mps=off_road_mps
            ).T
        for start in range(0, len(sources), step):
            rows = np.arange(start, min(start + step, len(sources)))
            rows = rows[sources.is_snapped[rows]]
            if rows.size:
                part = sources.take(rows)
                by_node = self.node_cost(
                    part, limit=most, by=by, direction=direction, off_road_mps=off_road_mps
                )
                result[rows] = self.reach_points(
                    by_node, part, targets, by=by, direction=direction, off_road_mps=off_road_mps
                )
        result[result > most] = np.inf
        return result

    def node_cost(
        self,
        sources: Snap,
        *,
        limit: float = math.inf,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> Floats:
        """Least cost between snapped sources and every node: (n sources, n nodes), by public numbers."""
        entries = self._ends(sources, by, direction, off_road_mps)
        matrix = _entered(
            self._matrix(by, direction is Direction.TO_SOURCES), self._placed(entries), len(sources)
        )
        n = len(self.node_xy)
        searched = csgraph.dijkstra(matrix, indices=n + np.arange(len(sources)), limit=_limit(limit))
        result = np.empty((len(sources), n))
        result[:, self._order] = searched[:, :n]
        return result

    def reach_points(
        self,
        by_node: Floats,
        sources: Snap,
        targets: Snap,
        *,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> Floats:
        """Costs of snapped targets, given the sources' costs at every node (as `node_cost` returns them)."""
        turned = Direction.TO_SOURCES if direction is Direction.FROM_SOURCES else Direction.FROM_SOURCES
        by_tail, by_head = self.end_costs(targets, by=by, direction=turned, off_road_mps=off_road_mps)
        edge = np.where(targets.is_snapped, targets.edge, 0)
        if len(self.tail) == 0:
            return np.full((len(sources), len(targets)), np.inf)
        result = by_node[:, self.tail[edge]] + by_tail
        np.minimum(result, by_node[:, self.head[edge]] + by_head, out=result)
        row, column = _same_edge(sources, targets)
        if len(row):
            forward = targets.fraction[column] - sources.fraction[row]
            if direction is Direction.TO_SOURCES:
                forward = -forward
            own = targets.edge[column]
            there, back = self._street_costs(by)
            along = _part(np.abs(forward), np.where(forward >= 0, there[own], back[own]))
            walk = (sources.offset_m[row] + targets.offset_m[column]) * _off_road(by, off_road_mps)
            np.minimum.at(result, (row, column), along + walk)
        return result

    def end_costs(
        self,
        points: Snap,
        *,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> tuple[Floats, Floats]:
        """
        Cost from each point to its edge's tail and to its head (`TO_SOURCES`: from them to the point).

        Infinite against a one-way edge and for points off the network.
        """
        if len(self.tail) == 0:
            return np.full(len(points), np.inf), np.full(len(points), np.inf)
        there, back = self._street_costs(by)
        is_leaving = direction is Direction.FROM_SOURCES
        to_tail, to_head = (back, there) if is_leaving else (there, back)
        edge = np.where(points.is_snapped, points.edge, 0)
        fraction = np.where(points.is_snapped, points.fraction, 0.0)
        walk = points.offset_m * _off_road(by, off_road_mps)  # infinite off the network
        return _part(fraction, to_tail[edge]) + walk, _part(1 - fraction, to_head[edge]) + walk

    def nearest_to_points(
        self,
        sources: Snap,
        *,
        limit: float = math.inf,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        offset: ArrayLike | None = None,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> tuple[Floats, Ints]:
        """As `nearest`, for sources that stand beside edges; unsnapped ones reach nothing."""
        ahead = np.zeros(len(sources)) if offset is None else np.asarray(offset, dtype=np.float64)
        _refuse(np.flatnonzero(~(ahead >= 0)), "offset of sources", "站点附加时间")
        entries = self._ends(sources, by, direction, off_road_mps)
        entries = _Entries(entries.source, entries.node, entries.ahead + ahead[entries.source])
        return self._spread(entries, len(sources), _limit(limit), by, direction)

    # quality

    def components(self) -> Ints:
        """Per node its connected component (one-way streets taken as two-way), 0 the largest."""
        n = len(self.node_xy)
        ones = np.ones(len(self.tail))
        graph = sparse.csr_matrix((ones, (self.tail, self.head)), shape=(n, n))
        return _largest_first(csgraph.connected_components(graph, directed=False)[1])

    def quality(self, *, fastest_kmh: float = 130.0, slowest_kmh: float = 1.0) -> NetworkQuality:
        """What looks wrong in the network: cut-off parts, traps, dead ends, odd lengths and speeds."""
        n = len(self.node_xy)
        component = self.components()
        main = component == 0
        graph = self._matrix("seconds", False)
        strong = np.empty(n, np.intp)
        if n:
            strong[self._order] = csgraph.connected_components(graph, connection="strong")[1]
            strong = _largest_first(np.where(main, strong, -1))
        pair = (
            np.sort(np.stack([self.tail, self.head], axis=1), axis=1)
            if len(self.tail)
            else np.zeros((0, 2), int)
        )
        is_loop = self.tail == self.head
        neighbours = np.unique(pair[~is_loop], axis=0)
        degree = np.bincount(neighbours.ravel(), minlength=n)
        order = np.lexsort((self.seconds, pair[:, 1], pair[:, 0]))
        again = (
            np.r_[False, (np.diff(pair[order], axis=0) == 0).all(axis=1)] if len(order) else np.zeros(0, bool)
        )
        kmh = self.length_m / self.seconds * 3.6
        straight = np.hypot(*(self.node_xy[self.head] - self.node_xy[self.tail]).T)
        return NetworkQuality(
            nodes=n,
            edges=len(self.tail),
            component_sizes=np.bincount(component),
            off_main=np.flatnonzero(~main),
            one_way_traps=np.flatnonzero(main & (strong != 0)),
            dead_ends=np.flatnonzero(degree == 1),
            loops=np.flatnonzero(is_loop),
            parallel=np.sort(order[again & ~is_loop[order]]),
            too_short=np.flatnonzero(self.length_m < 0.99 * straight),
            too_fast=np.flatnonzero(kmh > fastest_kmh),
            too_slow=np.flatnonzero((kmh < slowest_kmh) & (self.length_m > 0)),
        )

    # inside

    def _edge_cost(self, by: By) -> Floats:
        if by == "seconds":
            return self.seconds
        if by == "length_m":
            return self.length_m
        raise InvalidInput(
            f"by is {by!r}; use 'seconds' or 'length_m'", zh="成本口径须为 seconds 或 length_m。"
        )

    def _matrix(self, by: By, is_backward: bool) -> sparse.csr_matrix:
        """Inside-numbered arcs, the cheapest between two nodes; reversed for searches towards a source."""
        key = (by, is_backward)
        if key not in self._matrices:
            cost = self._edge_cost(by)
            tail, head = self._inside[self.tail], self._inside[self.head]
            both = ~self.oneway
            start, goal = np.r_[tail, head[both]], np.r_[head, tail[both]]
            if is_backward:
                start, goal = goal, start
            self._matrices[key] = _cheapest_arcs(start, goal, np.r_[cost, cost[both]], len(self.node_xy))
        return self._matrices[key]

    def _street_costs(self, by: By) -> tuple[Floats, Floats]:
        """
        Per edge the least cost from its tail to its head and back, over all edges between the two.

        Infinite where no edge leads that way.
        """
        if by not in self._streets_by:
            matrix, n = self._matrix(by, False), len(self.node_xy)
            arcs = np.repeat(np.arange(n), np.diff(matrix.indptr)) * n + matrix.indices
            tail, head = self._inside[self.tail].astype(np.int64), self._inside[self.head].astype(np.int64)
            costs = []
            for wanted in (tail * n + head, head * n + tail):
                place = np.minimum(np.searchsorted(arcs, wanted), max(0, len(arcs) - 1))
                known = arcs[place] == wanted if len(arcs) else np.zeros(len(wanted), bool)
                found = np.full(len(wanted), np.inf)
                found[known] = matrix.data[place[known]]
                costs.append(found)
            is_loop = self.tail == self.head  # in no matrix
            costs[0][is_loop] = self._edge_cost(by)[is_loop]
            costs[1][is_loop & ~self.oneway] = self._edge_cost(by)[is_loop & ~self.oneway]
            self._streets_by[by] = (costs[0], costs[1])
        return self._streets_by[by]

    def _spread(
        self, entries: _Entries, count: int, limit: float, by: By, direction: Direction
    ) -> tuple[Floats, Ints]:
        """Per node the nearest source by its entries, and which."""
        n = len(self.node_xy)
        cost, owner = np.full(n, np.inf), np.full(n, -1, np.intp)
        if n == 0 or len(entries.node) == 0:
            return cost, owner
        matrix = self._matrix(by, direction is Direction.TO_SOURCES)
        inside = self._placed(entries)
        if entries.ahead.any() or len(np.unique(entries.node)) < len(entries.node):
            matrix = _entered(matrix, inside, count)
            started = n + np.unique(entries.source)
            source_of = np.r_[np.full(n, -1), np.arange(count)]
        else:
            started = inside.node
            source_of = np.full(n, -1)
            source_of[inside.node] = entries.source
        found, _, root = csgraph.dijkstra(
            matrix, indices=started, limit=limit, return_predecessors=True, min_only=True
        )
        cost[self._order] = found[:n]
        owner[self._order] = np.where(root[:n] >= 0, source_of[np.maximum(root[:n], 0)], -1)
        return cost, owner

    def _placed(self, entries: _Entries) -> _Entries:
        return _Entries(entries.source, self._inside[entries.node], entries.ahead)

    def _ends(self, points: Snap, by: By, direction: Direction, off_road_mps: float) -> _Entries:
        to_tail, to_head = self.end_costs(points, by=by, direction=direction, off_road_mps=off_road_mps)
        edge = np.where(points.is_snapped, points.edge, 0)
        if len(self.tail) == 0:
            return _Entries(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))
        source = np.tile(np.arange(len(points)), 2)
        node = np.r_[self.tail[edge], self.head[edge]]
        ahead = np.r_[to_tail, to_head]
        keep = np.isfinite(ahead)
        return _Entries(source[keep], node[keep], ahead[keep])


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
        slots = _Entries(np.zeros(2, np.intp), np.zeros(2, np.intp), np.zeros(2))
        matrix = graph._matrix(by, direction is Direction.TO_SOURCES)
        self._matrix = _entered(matrix, slots, 1) if len(graph.node_xy) else matrix
        turned = Direction.TO_SOURCES if direction is Direction.FROM_SOURCES else Direction.FROM_SOURCES
        self._ends = graph.end_costs(targets, by=by, direction=turned, off_road_mps=off_road_mps)

    def targets(self, rows: Ints) -> SearchTargets:
        """Some of the targets, made ready for searches."""
        graph, snap = self._graph, self._snap.take(rows)
        edge = np.where(snap.is_snapped, snap.edge, 0)
        if len(graph.tail) == 0:
            nowhere = np.zeros(len(rows), np.int32)
            return SearchTargets(snap, nowhere, nowhere, self._ends[0][rows], self._ends[1][rows])
        tail, head = graph._inside[graph.tail[edge]], graph._inside[graph.head[edge]]
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
            result[self._graph._order] = found[:-1]
        return result

    def _search(self, place: Snap, limit: float) -> Floats | None:
        entries = self._graph._placed(self._graph._ends(place, self._by, self._direction, self._off_road_mps))
        if len(entries.node) == 0:
            return None
        # a street that can be left one way only fills both slots with it
        self._matrix.indices[-2:] = entries.node[[0, -1]]
        self._matrix.data[-2:] = entries.ahead[[0, -1]]
        n = len(self._graph.node_xy)
        return csgraph.dijkstra(self._matrix, indices=n, limit=_limit(limit))


@dataclass(frozen=True, slots=True, eq=False)
class SearchTargets:
    """Targets of a `PointSearch`: the inside numbers of their edges' ends and the costs from there."""

    snap: Snap
    tail: Ints
    head: Ints
    by_tail: Floats
    by_head: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Source `source[k]` may enter the network at `node[k]` after `ahead[k]`."""

    source: Ints
    node: Ints
    ahead: Floats


def _cheapest_arcs(start: Ints, goal: Ints, cost: Floats, n: int) -> sparse.csr_matrix:
    order = np.lexsort((cost, goal, start))
    start, goal, cost = start[order], goal[order], cost[order]
    keep = np.r_[True, (np.diff(start) != 0) | (np.diff(goal) != 0)] if len(start) else np.zeros(0, bool)
    keep &= start != goal
    counts = np.bincount(start[keep], minlength=n)
    matrix = sparse.csr_matrix(
        (cost[keep], goal[keep].astype(np.int32), np.r_[0, np.cumsum(counts)].astype(np.int32)), shape=(n, n)
    )
    matrix.has_sorted_indices = True
    return matrix


def _entered(matrix: sparse.csr_matrix, entries: _Entries, count: int) -> sparse.csr_matrix:
    """The arcs plus one further node per source, from which arcs lead to its entries and none comes back."""
    n = matrix.shape[0]
    order = np.argsort(entries.source, kind="stable")
    ends = matrix.indptr[-1] + np.cumsum(np.bincount(entries.source, minlength=count))
    return sparse.csr_matrix(
        (
            np.r_[matrix.data, entries.ahead[order]],
            np.r_[matrix.indices, entries.node[order]].astype(np.int32),
            np.r_[matrix.indptr, ends].astype(np.int32),
        ),
        shape=(n + count, n + count),
    )


def _same_edge(sources: Snap, targets: Snap) -> tuple[Ints, Ints]:
    """All pairs (source, target) that stand on one edge."""
    by_edge = np.argsort(targets.edge, kind="stable")
    ordered = targets.edge[by_edge]
    wanted = np.flatnonzero(sources.is_snapped)
    first = np.searchsorted(ordered, sources.edge[wanted], side="left")
    counts = np.searchsorted(ordered, sources.edge[wanted], side="right") - first
    row = np.repeat(wanted, counts)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return row, by_edge[np.repeat(first, counts) + offset]


def _part(fraction: Floats, cost: Floats) -> Floats:
    """Part of a cost; none of an impossible way costs nothing."""
    return np.multiply(fraction, cost, out=np.zeros(np.shape(fraction)), where=fraction > 0)


def _off_road(by: By, off_road_mps: float) -> float:
    """Cost of one metre beside the network."""
    if not off_road_mps > 0:
        raise InvalidInput(
            f"off_road_mps is {off_road_mps}; give metres per second above 0", zh="路外速度须大于 0。"
        )
    return 1.0 if by == "length_m" else 1.0 / off_road_mps


def _largest_first(labels: Ints) -> Ints:
    """Labels renumbered by falling count; the lower label first among equals, -1 stays last."""
    names, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    counts = np.where(names < 0, -1, counts)
    rank = np.empty(len(names), np.intp)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return rank[which]


def _limit(limit: float) -> float:
    if not limit >= 0:
        raise InvalidInput(f"limit is {limit}; give 0 or more", zh="上限须为非负数。")
    return float(limit)


def _node_numbers(nodes: ArrayLike, count: int) -> Ints:
    numbers = np.asarray(nodes)
    if numbers.size == 0:
        return np.zeros(0, np.intp)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise InvalidInput(
            f"node numbers are {numbers.dtype} of shape {numbers.shape}; give a list of whole numbers",
            zh="路网节点编号须为整数列表。",
        )
    _refuse(np.flatnonzero((numbers < 0) | (numbers >= count)), "node numbers", "路网节点编号")
    return numbers.astype(np.intp)


def _distinct(numbers: Ints, count: int) -> Ints:
    """The numbers of 0 to `count` - 1 that occur, ascending: far faster than sorting or hashing them."""
    occurs = np.zeros(count, bool)
    occurs[numbers] = True
    return np.flatnonzero(occurs)


def _refuse_degrees(xy: Floats, tail: Ints, head: Ints, length_m: Floats) -> None:
    """Raise when the lengths are what the coordinates measure as longitude and latitude."""
    if len(tail) == 0 or (np.abs(xy) > (180.0, 90.0)).any():
        return
    step = (xy[head] - xy[tail]) * _METRES_PER_DEGREE
    step[:, 0] *= np.cos(np.radians(xy[tail, 1]))
    on_earth = np.hypot(step[:, 0], step[:, 1])
    fits = (length_m > 0.5 * on_earth) & (length_m < 2 * on_earth)
    if fits.mean() >= 0.9:
        raise InvalidInput(
            "node_xy are degrees, not metres: the edges' lengths fit longitude and latitude; project them first",
            zh="路网坐标是经纬度,请先投影到以米为单位的坐标系。",
        )


def _refuse(rows: Ints, what: str, zh: str) -> None:
    if len(rows):
        raise InvalidInput(
            f"{what} are out of range in {len(rows)} rows, first row {rows[0]}",
            zh=f"{zh}在第 {rows[0] + 1} 行无效(共 {len(rows)} 行)。",
            rows=rows.tolist(),
        )
