"""Random networks, and the same networks in NetworkX with points put into their edges."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gridmap.analysis.network import RoadGraph
from gridmap.analysis.snapping import Snap


@dataclass(frozen=True)
class Roads:
    """Edges as a caller has them."""

    node_xy: NDArray[np.float64]
    tail: NDArray[np.intp]
    head: NDArray[np.intp]
    seconds: NDArray[np.float64]
    length_m: NDArray[np.float64]
    oneway: NDArray[np.bool_]

    @property
    def graph(self) -> RoadGraph:
        return RoadGraph.from_edges(
            self.node_xy, self.tail, self.head, self.seconds, length_m=self.length_m, oneway=self.oneway
        )


def random_roads(seed: int, n: int = 40) -> Roads:
    """Nodes in the plane joined to near ones; parallel edges, loops, one-way streets, a cut-off part."""
    rng = np.random.default_rng(seed)
    node_xy = rng.random((n, 2)) * 1000
    gap = np.hypot(*(node_xy[:, None] - node_xy[None]).T).T
    pairs = [(i, j) for i in range(n) for j in np.argsort(gap[i])[1:3].tolist()]
    pairs += [(pairs[k][0], pairs[k][1]) for k in rng.integers(0, len(pairs), 6).tolist()] + [(0, 0)]
    tail, head = np.array(pairs).T
    length = np.maximum(gap[tail, head], 1.0) * (1 + rng.random(len(pairs)) / 5)
    seconds = length / rng.choice([2.0, 5.0, 10.0], len(pairs))
    return Roads(node_xy, tail, head, seconds, length, rng.random(len(pairs)) < 0.25)


def with_points(roads: Roads, points: Snap, by: str, off_road: float) -> nx.DiGraph:
    """
    The network with every snapped point as a node ("point", k) that hangs on a node ("foot", k) in its edge.

    Each edge is cut at its feet, so that no formula of partial costs is needed.
    """
    cost = roads.seconds if by == "seconds" else roads.length_m
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(roads.node_xy)))
    for edge in range(len(roads.tail)):
        tail, head = int(roads.tail[edge]), int(roads.head[edge])
        stops: list = [(0.0, tail), (1.0, head)]
        for k in np.flatnonzero(points.is_snapped).tolist():
            # edges between the same nodes are one street, whichever of them the point is said to stand on
            along = float(points.fraction[k])
            named = (int(roads.tail[points.edge[k]]), int(roads.head[points.edge[k]]))
            if named == (tail, head):
                stops.append((along, ("foot", k)))
            elif named == (head, tail):
                stops.append((1 - along, ("foot", k)))
        stops.sort(key=lambda stop: stop[0])
        for (f, a), (g, b) in zip(stops, stops[1:], strict=False):
            _cheaper(graph, a, b, (g - f) * cost[edge])
            if not roads.oneway[edge] or f == g:
                _cheaper(graph, b, a, (g - f) * cost[edge])
    for k in np.flatnonzero(points.is_snapped).tolist():
        walk = float(points.offset_m[k]) * off_road
        graph.add_edge(("point", k), ("foot", k), weight=walk)
        graph.add_edge(("foot", k), ("point", k), weight=walk)
    return graph


def _cheaper(graph: nx.DiGraph, a: object, b: object, weight: float) -> None:
    if not graph.has_edge(a, b) or graph[a][b]["weight"] > weight:
        graph.add_edge(a, b, weight=weight)


def least_costs(
    graph: nx.DiGraph, sources: list, targets: list, *, reverse: bool = False
) -> NDArray[np.float64]:
    """Costs by NetworkX: (n sources, m targets), from the targets to the sources when reversed."""
    if reverse:
        graph = graph.reverse()
    result = np.full((len(sources), len(targets)), np.inf)
    for row, source in enumerate(sources):
        if source in graph:
            costs = nx.single_source_dijkstra_path_length(graph, source)
            result[row] = [costs.get(target, np.inf) for target in targets]
    return result
