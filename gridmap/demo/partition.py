"""
Splitting the district: towns, committees, grids.

Everything here is a label per unit (a cell, or a committee) of a graph of neighbours. Regions grow from seeds
along the graph, so each is in one piece, and growth is slow across water: borders prefer canals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from gridmap.demo.barriers import Barriers, Rank
from gridmap.demo.chance import Floats, stream
from gridmap.demo.facts import Facts
from gridmap.demo.land import Land
from gridmap.demo.lattice import Indices, Mask
from gridmap.demo.plane import to_plane

_CROSSING_COST = {
    Rank.NONE: 0, Rank.BROOK: 3_000, Rank.CANAL: 7_000, Rank.RIVER: 25_000, Rank.BIG_RIVER: 90_000,
    Rank.RAILWAY: 6_000, Rank.MOTORWAY: 9_000,
}  # fmt: skip
_STEP_COST = 1_000
_STEP = 0.10  # of the area that is missing: larger steps overshoot where small towns touch
_TOWN_BAND_M = 600.0  # a town's border may leave its ideal line by this much to follow water


@dataclass(frozen=True, slots=True)
class Graph:
    """
    Units and the links between neighbours.

    Attributes
    ----------
    xy : (n, 2) metres
    mass : (n,) what a region should have its fair share of
    a, b : (m,) the two units of each link
    cost : (m,) whole numbers > 0, how unwilling a region is to grow over the link
    """

    xy: Floats
    mass: Floats
    a: Indices
    b: Indices
    cost: Indices

    def within(self, parent: Indices) -> Graph:
        """The graph without links between units of different parents."""
        same = parent[self.a] == parent[self.b]
        return Graph(self.xy, self.mass, self.a[same], self.b[same], self.cost[same])

    def matrix(self) -> csr_array:
        """Costs as a symmetric matrix."""
        n, m = len(self.xy), len(self.a)
        rows, columns = np.concatenate([self.a, self.b]), np.concatenate([self.b, self.a])
        # the number of a link makes its cost differ a little from others, so that no two ways tie
        cost = self.cost * 1.0 + np.arange(m) / max(m, 1)
        return csr_array((np.concatenate([cost, cost]), (rows, columns)), shape=(n, n))


def grow(graph: Graph, label: Indices) -> Indices:
    """Labels for all units: each gets that of the labelled unit it is nearest to along the graph (-1: none)."""
    seeds = np.flatnonzero(label >= 0)
    _, _, source = dijkstra(
        graph.matrix(), directed=False, indices=seeds, min_only=True, return_predecessors=True
    )
    return np.where(source >= 0, label[np.maximum(source, 0)], -1)


def cell_graph(seed: int, land: Land, barriers: Barriers, mass: Floats) -> tuple[Graph, Indices]:
    """The graph of the district's cells, and the number of each cell in it ((nx, ny), -1 outside)."""
    number = np.where(land.inside, np.cumsum(land.inside).reshape(land.inside.shape) - 1, -1)
    costs = np.array([_CROSSING_COST[rank] for rank in Rank]) + _STEP_COST
    parts = []
    for left, right, rank in (
        (number[:-1], number[1:], barriers.rank_y()[1:-1]),
        (number[:, :-1], number[:, 1:], barriers.rank_x()[:, 1:-1]),
    ):
        both = (left >= 0) & (right >= 0)
        parts.append((left[both], right[both], costs[rank[both]]))
    a, b, cost = (np.concatenate(one) for one in zip(*parts, strict=True))
    cost = cost + stream(seed, "growth").integers(0, 700, len(cost))
    return Graph(land.xy[land.inside], mass[land.inside], a, b, cost), number


def unit_graph(cells: Graph, unit: Indices, mass: Floats) -> Graph:
    """The graph of units made of cells: neighbours share a side, and far neighbours cost more."""
    count = len(mass)
    size = np.bincount(unit, minlength=count)
    xy = np.stack([np.bincount(unit, cells.xy[:, k], count) / size for k in range(2)], axis=1)
    a, b = unit[cells.a], unit[cells.b]
    pairs = np.unique(np.minimum(a, b)[a != b] * count + np.maximum(a, b)[a != b])
    first, second = pairs // count, pairs % count
    gap = np.sqrt(((xy[first] - xy[second]) ** 2).sum(axis=1))
    return Graph(xy, mass, first, second, np.maximum(gap, 1).astype(np.int64))


def split(graph: Graph, parent: Indices, counts: Indices, *, rounds: int = 5) -> Indices:
    """
    Every parent region split into `counts[parent]` parts of about equal mass, each in one piece.

    Parts are numbered from 0 over all parents: those of parent 0 first.
    """
    first = np.concatenate([[0], np.cumsum(counts)])
    inner = graph.within(parent)
    seeds = _first_seeds(graph, parent, counts)
    for _ in range(rounds):
        label = np.full(len(parent), -1, dtype=np.int64)
        label[seeds] = np.arange(first[-1])
        label = grow(inner, label)
        seeds = _middles(graph, label, int(first[-1]))
    return label


def _first_seeds(graph: Graph, parent: Indices, counts: Indices) -> Indices:
    """For every part the unit at the middle of its share of the mass, along a space-filling order."""
    order = np.lexsort((_morton(graph.xy), parent))
    seeds = []
    bounds = np.searchsorted(parent[order], np.arange(len(counts) + 1))
    for k, count in enumerate(counts.tolist()):
        members = order[bounds[k] : bounds[k + 1]]
        mass = np.cumsum(graph.mass[members] + 1e-9)
        marks = np.searchsorted(mass, (np.arange(count) + 0.5) * (mass[-1] / count))
        for c in range(1, count):  # every part needs a unit of its own
            marks[c] = max(marks[c], marks[c - 1] + 1)
        marks = np.minimum(marks, len(members) - count + np.arange(count))
        seeds.append(members[marks])
    return np.concatenate(seeds)


def _morton(xy: Floats) -> Indices:
    """Place of each point along the Z-order curve over the plane."""
    cells = ((xy + 100_000.0) / 50.0).astype(np.int64)
    key = np.zeros(len(xy), dtype=np.int64)
    for bit in range(13):
        key |= ((cells[:, 0] >> bit) & 1) << (2 * bit) | ((cells[:, 1] >> bit) & 1) << (2 * bit + 1)
    return key


def _middles(graph: Graph, label: Indices, count: int) -> Indices:
    """For every label the unit nearest to the middle of its mass."""
    mass = graph.mass + 1e-9
    total = np.bincount(label, mass, count)
    middle = np.stack([np.bincount(label, mass * graph.xy[:, k], count) / total for k in range(2)], axis=1)
    gap = ((graph.xy - middle[label]) ** 2).sum(axis=1)
    order = np.lexsort((gap, label))
    return order[np.searchsorted(label[order], np.arange(count))]


def draw_towns(graph: Graph, land: Land, facts: Facts) -> Indices:
    """
    The town of each cell: near its true area and centroid, with borders that follow water where it is near.

    Areas and centroids are met by a power diagram whose sites and weights are moved until they fit; then the
    band along its borders is handed out anew by growth over the canals.
    """
    area = land.area_m2[land.inside]
    goal_area = np.array([town.area_km2 for town in facts.towns])
    goal_area = goal_area * (area.sum() / goal_area.sum())
    goal_xy = to_plane([(town.lon, town.lat) for town in facts.towns])
    site, weight = goal_xy.copy(), np.zeros(len(goal_area))
    some = slice(None, None, 7)  # a seventh of the cells is plenty to find sites and weights
    for turn in range(150):
        label = np.argmin(_power(graph.xy[some], site, weight), axis=1)
        has, centre = _areas_and_centres(graph.xy[some], 7 * area[some], label, len(goal_area))
        weight += _STEP * (goal_area - has)
        if turn % 3 == 2:
            site += 0.25 * (goal_xy - centre)
    for _ in range(5):
        label = _along_water(graph, site, weight)
        has, _ = _areas_and_centres(graph.xy, area, label, len(goal_area))
        weight += _STEP * (goal_area - has)
    return label


def _power(xy: Floats, site: Floats, weight: Floats) -> Floats:
    dx, dy = xy[:, 0, None] - site[:, 0], xy[:, 1, None] - site[:, 1]
    return dx * dx + dy * dy - weight


def _areas_and_centres(xy: Floats, area: Floats, label: Indices, count: int) -> tuple[Floats, Floats]:
    has = np.maximum(np.bincount(label, area, count), 1.0)
    centre = np.stack([np.bincount(label, area * xy[:, k], count) / has for k in range(2)], axis=1)
    return has, centre


def _along_water(graph: Graph, site: Floats, weight: Floats) -> Indices:
    """Labels of the power diagram, with the band along its borders divided along water."""
    power = _power(graph.xy, site, weight)
    two = np.argsort(power, axis=1, kind="stable")[:, :2]
    units = np.arange(len(power))
    between = np.sqrt(((site[two[:, 0]] - site[two[:, 1]]) ** 2).sum(axis=1))
    to_border_m = (power[units, two[:, 1]] - power[units, two[:, 0]]) / (2 * np.maximum(between, 1.0))
    sure = np.where(to_border_m > _TOWN_BAND_M, two[:, 0], -1)
    return grow(graph, _largest_pieces(graph, sure))


def _largest_pieces(graph: Graph, label: Indices) -> Indices:
    """`label` kept only on the largest connected piece of each label; -1 elsewhere."""
    same = (label[graph.a] == label[graph.b]) & (label[graph.a] >= 0)
    n = len(label)
    links = csr_array((np.ones(int(same.sum())), (graph.a[same], graph.b[same])), shape=(n, n))
    _, piece = connected_components(links, directed=False)
    size = np.bincount(piece)
    kept: Mask = np.zeros(n, dtype=bool)
    for one in np.unique(label[label >= 0]):
        members = label == one
        kept |= members & (piece == np.argmax(np.where(np.bincount(piece, members, len(size)) > 0, size, 0)))
    return np.where(kept, label, -1)
