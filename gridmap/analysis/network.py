"""
Road networks: least costs between nodes, and between points that stand on or beside edges.

Coordinates are metres in one projected CRS; costs are seconds or metres. Public node and edge numbers are the
order in which they were given.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridmap.analysis._arcs import Arcs, Entries, entered
from gridmap.analysis._given import limit_of, node_numbers, refuse_degrees, refuse_rows
from gridmap.analysis.network_quality import NetworkQuality, pairs_of
from gridmap.analysis.snapping import EdgeIndex, Snap, points_array
from gridmap.analysis.snapping import snap as snap_points
from gridmap.analysis.speeds import OFF_ROAD_MPS
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
By = Literal["seconds", "length_m"]

_SOURCES_AT_ONCE = 16


class Direction(enum.Enum):
    """Which way a cost runs: from the sources outwards (response), or towards them (residents walking in)."""

    FROM_SOURCES = "from_sources"
    TO_SOURCES = "to_sources"

    @property
    def turned(self) -> Direction:
        """The other way."""
        return Direction.TO_SOURCES if self is Direction.FROM_SOURCES else Direction.FROM_SOURCES


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
        self.arcs = Arcs(node_xy, tail, head, oneway, {"seconds": seconds, "length_m": length_m})

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
        refuse_rows(np.flatnonzero(~np.isfinite(xy).all(axis=1)), "coordinates of nodes", "路网节点坐标")
        tails, heads = node_numbers(tail, len(xy)), node_numbers(head, len(xy))
        cost = np.asarray(seconds, dtype=np.float64)
        if not cost.shape == tails.shape == heads.shape:
            raise InvalidInput(
                f"tail {tails.shape}, head {heads.shape} and seconds {cost.shape} differ in shape",
                zh="路网边的起点、终点与耗时个数不一致。",
            )
        refuse_rows(np.flatnonzero(~((cost > 0) & (cost < np.inf))), "seconds of edges", "道路通行时间")
        straight = np.hypot(*(xy[heads] - xy[tails]).T) if len(tails) else np.zeros(0)
        length = straight if length_m is None else np.asarray(length_m, dtype=np.float64)
        if length.shape != cost.shape:
            raise InvalidInput(
                f"length_m has shape {length.shape}, edges {cost.shape}", zh="道路长度个数不一致。"
            )
        if length_m is not None:
            refuse_rows(np.flatnonzero(~((length > 0) & (length < np.inf))), "length_m of edges", "道路长度")
            refuse_degrees(xy, tails, heads, length)
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
        start, goal = node_numbers(sources, len(self.node_xy)), node_numbers(targets, len(self.node_xy))
        most = limit_of(limit)
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
        matrix = self.arcs.matrix(by, is_backward=is_backward)
        result = np.empty((len(origins), len(goals))) if out is None else out
        inside = self.arcs.inside[goals]
        for start in range(0, len(origins), _SOURCES_AT_ONCE):
            part = slice(start, start + _SOURCES_AT_ONCE)
            searched = csgraph.dijkstra(matrix, indices=self.arcs.inside[origins[part]], limit=limit)
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
        start = node_numbers(sources, len(self.node_xy))
        most = limit_of(limit)
        ahead = np.zeros(len(start)) if offset is None else np.asarray(offset, dtype=np.float64)
        if ahead.shape != start.shape:
            raise InvalidInput(
                f"{len(start)} sources have {ahead.shape} offsets", zh="站点与附加时间个数不一致。"
            )
        refuse_rows(np.flatnonzero(~(ahead >= 0)), "offset of sources", "站点附加时间")
        firsts = np.unique(start, return_index=True)[1] if not ahead.any() else np.arange(len(start))
        entries = Entries(firsts, start[firsts], ahead[firsts])
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
        return np.sort(np.unique(pairs_of(self.tail, self.head), axis=0, return_index=True)[1])

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
        most = limit_of(limit)
        result = np.full((len(sources), len(targets)), np.inf)
        if len(targets) < len(sources):
            return self.point_cost(
                targets, sources, limit=limit, by=by, direction=direction.turned, off_road_mps=off_road_mps
            ).T
        snapped = np.flatnonzero(sources.is_snapped)
        for start in range(0, len(snapped), _SOURCES_AT_ONCE):
            rows = snapped[start : start + _SOURCES_AT_ONCE]
            part = sources.take(rows)
            by_node = self.node_cost(part, limit=most, by=by, direction=direction, off_road_mps=off_road_mps)
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
        entries = self.entries(sources, by=by, direction=direction, off_road_mps=off_road_mps)
        matrix = self.arcs.matrix(by, is_backward=direction is Direction.TO_SOURCES)
        matrix = entered(matrix, self.arcs.placed(entries), len(sources))
        n = len(self.node_xy)
        searched = csgraph.dijkstra(matrix, indices=n + np.arange(len(sources)), limit=limit_of(limit))
        result = np.empty((len(sources), n))
        result[:, self.arcs.order] = searched[:, :n]
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
        if len(self.tail) == 0:
            return np.full((len(sources), len(targets)), np.inf)
        by_tail, by_head = self.end_costs(
            targets, by=by, direction=direction.turned, off_road_mps=off_road_mps
        )
        edge = np.where(targets.is_snapped, targets.edge, 0)
        result = by_node[:, self.tail[edge]] + by_tail
        np.minimum(result, by_node[:, self.head[edge]] + by_head, out=result)
        row, column = _same_edge(sources, targets)
        if len(row):
            forward = targets.fraction[column] - sources.fraction[row]
            if direction is Direction.TO_SOURCES:
                forward = -forward
            own = targets.edge[column]
            there, back = self.arcs.street_costs(by)
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
        there, back = self.arcs.street_costs(by)
        is_leaving = direction is Direction.FROM_SOURCES
        to_tail, to_head = (back, there) if is_leaving else (there, back)
        edge = np.where(points.is_snapped, points.edge, 0)
        fraction = np.where(points.is_snapped, points.fraction, 0.0)
        walk = points.offset_m * _off_road(by, off_road_mps)  # infinite off the network
        return _part(fraction, to_tail[edge]) + walk, _part(1 - fraction, to_head[edge]) + walk

    def entries(
        self,
        points: Snap,
        *,
        by: By = "seconds",
        direction: Direction = Direction.FROM_SOURCES,
        off_road_mps: float = OFF_ROAD_MPS,
    ) -> Entries:
        """Where snapped points enter the network: both ends of their edges, as far as the edge leads there."""
        if len(self.tail) == 0:
            return Entries(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))
        to_tail, to_head = self.end_costs(points, by=by, direction=direction, off_road_mps=off_road_mps)
        edge = np.where(points.is_snapped, points.edge, 0)
        source = np.tile(np.arange(len(points)), 2)
        node = np.r_[self.tail[edge], self.head[edge]]
        ahead = np.r_[to_tail, to_head]
        keep = np.isfinite(ahead)
        return Entries(source[keep], node[keep], ahead[keep])

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
        refuse_rows(np.flatnonzero(~(ahead >= 0)), "offset of sources", "站点附加时间")
        entries = self.entries(sources, by=by, direction=direction, off_road_mps=off_road_mps)
        entries = Entries(entries.source, entries.node, entries.ahead + ahead[entries.source])
        return self._spread(entries, len(sources), limit_of(limit), by, direction)

    # quality

    def components(self) -> Ints:
        """Per node its connected component (one-way streets taken as two-way), 0 the largest."""
        n = len(self.node_xy)
        ones = np.ones(len(self.tail))
        graph = sparse.csr_matrix((ones, (self.tail, self.head)), shape=(n, n))
        return _largest_first(csgraph.connected_components(graph, directed=False)[1])

    def quality(self, *, fastest_kmh: float = 130.0, slowest_kmh: float = 1.0) -> NetworkQuality:
        """What looks wrong in the network: cut-off parts, traps, dead ends, odd lengths and speeds."""
        component = self.components()
        return NetworkQuality.of(
            self.node_xy, (self.tail, self.head), self.seconds, self.length_m, component=component,
            strong=self._two_way_parts(component == 0), fastest_kmh=fastest_kmh, slowest_kmh=slowest_kmh,
        )  # fmt: skip

    def _two_way_parts(self, is_main: NDArray[np.bool_]) -> Ints:
        """Per node the part in which every node reaches every other, 0 the largest of the main component."""
        strong = np.empty(len(self.node_xy), np.intp)
        if len(strong) == 0:
            return strong
        graph = self.arcs.matrix("seconds", is_backward=False)
        strong[self.arcs.order] = csgraph.connected_components(graph, connection="strong")[1]
        return _largest_first(np.where(is_main, strong, -1))

    # inside

    def _spread(
        self, entries: Entries, count: int, limit: float, by: By, direction: Direction
    ) -> tuple[Floats, Ints]:
        """Per node the nearest source by its entries, and which."""
        n = len(self.node_xy)
        cost, owner = np.full(n, np.inf), np.full(n, -1, np.intp)
        if n == 0 or len(entries.node) == 0:
            return cost, owner
        matrix = self.arcs.matrix(by, is_backward=direction is Direction.TO_SOURCES)
        inside = self.arcs.placed(entries)
        if entries.ahead.any() or len(np.unique(entries.node)) < len(entries.node):
            matrix = entered(matrix, inside, count)
            started = n + np.unique(entries.source)
            source_of = np.r_[np.full(n, -1), np.arange(count)]
        else:
            started = inside.node
            source_of = np.full(n, -1)
            source_of[inside.node] = entries.source
        found, _, root = csgraph.dijkstra(
            matrix, indices=started, limit=limit, return_predecessors=True, min_only=True
        )
        cost[self.arcs.order] = found[:n]
        owner[self.arcs.order] = np.where(root[:n] >= 0, source_of[np.maximum(root[:n], 0)], -1)
        return cost, owner


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


def _distinct(numbers: Ints, count: int) -> Ints:
    """The numbers of 0 to `count` - 1 that occur, ascending: far faster than sorting or hashing them."""
    occurs = np.zeros(count, bool)
    occurs[numbers] = True
    return np.flatnonzero(occurs)
