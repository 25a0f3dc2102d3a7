"""
Roads as edges from junction to junction, the motorway's carriageways, and the places where they cross barriers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from gridmap.demo.barriers import Barriers, Rank
from gridmap.demo.chance import Floats, stream
from gridmap.demo.lattice import Indices, Lattice, Shape
from gridmap.demo.plane import to_lonlat
from gridmap.demo.roads import Links, RoadClass, hearts

_SPEED_KMH = {
    RoadClass.PATH: 15, RoadClass.RESIDENTIAL: 30, RoadClass.TERTIARY: 40, RoadClass.SECONDARY: 50,
    RoadClass.PRIMARY: 60, RoadClass.MOTORWAY: 100,
}  # fmt: skip
_RAMP_KMH = 40
_CARRIAGEWAY = 0.14  # of a side: how far each carriageway runs from the motorway's middle line
_RAMP_AT = (0.2, 0.8)  # of a cell's width: where ramps meet the carriageway
_INTERCHANGE_SPACING_M = 3_500.0
_ONE_WAY_SHARE = 0.09


@dataclass(frozen=True, slots=True)
class Edge:
    """One road edge; `points` are degrees in drawing order, its ends are junctions."""

    class_: RoadClass
    name: str
    points: Floats
    speed_kmh: int
    is_one_way: bool = False


@dataclass(frozen=True, slots=True)
class Crossing:
    """A place where a road crosses a barrier: `side` is a side of a cell as (is_upright, i, j)."""

    side: tuple[bool, int, int]
    point: Floats
    road: RoadClass
    road_name: str
    rank: Rank
    barrier_name: str


@dataclass(slots=True)
class Net:
    """All edges and crossings."""

    edges: list[Edge] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)

    def lines(self) -> np.ndarray:
        """The edges as shapely lines."""
        count = [len(edge.points) for edge in self.edges]
        return shapely.linestrings(
            np.concatenate([edge.points for edge in self.edges]),
            indices=np.repeat(np.arange(len(count)), count),
        )


def build_net(
    seed: int, lattice: Lattice, shape: Shape, corner: Floats, links: Links, barriers: Barriers
) -> Net:
    """The road net on the settled lattice; `corner` are the corners' lattice coordinates that made `shape`."""
    net = Net()
    interchanges = _interchanges(lattice, links, barriers)
    if len(interchanges) > 1:
        barriers.end_motorway(interchanges[0], interchanges[-1])
    stops = {(i, barriers.motorway_row - below) for i in interchanges for below in (0, 1)}
    table = _Table.of(links, shape, barriers)
    _add_crossings(net, table, links, barriers)
    _add_streets(net, table, links, shape, stops)
    if len(interchanges) > 1:
        _add_motorway(net, lattice, shape, corner, barriers, interchanges)
    _make_one_way(net, seed)
    return net


@dataclass(frozen=True, slots=True)
class _Table:
    """Every laid link: its cells (flat numbers), class, name, the side it crosses and its gate there."""

    a: Indices
    b: Indices
    class_: Indices
    name: Indices
    gate: Floats
    is_upright: np.ndarray
    side: Indices
    number: Indices

    @classmethod
    def of(cls, links: Links, shape: Shape, barriers: Barriers) -> _Table:
        ny = links.class_x.shape[1]
        parts = []
        for classes, names, gates, numbers, is_x in (
            (links.class_x, links.name_x, shape.gate_y, barriers.number_y[1:-1], True),
            (links.class_y, links.name_y, shape.gate_x, barriers.number_x[:, 1:-1], False),
        ):
            i, j = np.nonzero(classes)
            side = np.stack([i + 1, j] if is_x else [i, j + 1], axis=1)
            parts.append((
                i * ny + j, (i + is_x) * ny + j + (not is_x), classes[i, j], names[i, j], gates[i, j],
                np.full(len(i), is_x), side, numbers[i, j],
            ))  # fmt: skip
        return cls(*(np.concatenate(one) for one in zip(*parts, strict=True)))


def _add_crossings(net: Net, table: _Table, links: Links, barriers: Barriers) -> None:
    for k in np.flatnonzero(table.number):
        line = barriers.lines[table.number[k] - 1]
        side = (bool(table.is_upright[k]), int(table.side[k, 0]), int(table.side[k, 1]))
        net.crossings.append(
            Crossing(
                side,
                table.gate[k],
                RoadClass(int(table.class_[k])),
                links.names[table.name[k]],
                line.rank,
                line.name,
            )
        )


def _add_streets(net: Net, table: _Table, links: Links, shape: Shape, stops: set[tuple[int, int]]) -> None:
    ny = shape.middle.shape[1]
    middle = hearts(links, shape)
    for i, j in stops:
        middle[i, j] = shape.middle[i, j]
    middle = middle.reshape(-1, 2)
    for nodes, ids in _chains(table, {i * ny + j for i, j in stops}, len(middle)):
        first = ids[0]
        class_ = RoadClass(int(table.class_[first]))
        points = np.concatenate([middle[nodes[:1]], table.gate[ids], middle[nodes[-1:]]])
        net.edges.append(Edge(class_, links.names[table.name[first]], points, _SPEED_KMH[class_]))


def _chains(table: _Table, stops: set[int], cells: int) -> list[tuple[list[int], list[int]]]:
    """
    Links strung together from junction to junction, as cells passed and links used.

    A junction is a cell where not exactly two links of one class meet, or one of `stops`. No chain returns to
    where it began and no two chains join the same two junctions (as far as they are longer than a link).
    """
    a, b, class_ = table.a.tolist(), table.b.tolist(), table.class_.tolist()
    at: list[list[int]] = [[] for _ in range(cells)]
    for k, (p, q) in enumerate(zip(a, b, strict=True)):
        at[p].append(k)
        at[q].append(k)

    def is_junction(cell: int) -> bool:
        here = at[cell]
        return len(here) != 2 or class_[here[0]] != class_[here[1]] or cell in stops

    used = [False] * len(a)
    chains: list[tuple[list[int], list[int]]] = []

    def follow(cell: int, link: int) -> None:
        nodes, ids = [cell], []
        while True:
            used[link] = True
            ids.append(link)
            nodes.append(b[link] if a[link] == nodes[-1] else a[link])
            if nodes[-1] == cell or is_junction(nodes[-1]):
                chains.append((nodes, ids))
                return
            one, other = at[nodes[-1]]
            link = other if one == link else one

    for cell in range(cells):
        if at[cell] and is_junction(cell):
            for link in at[cell]:
                if not used[link]:
                    follow(cell, link)
    for link in range(len(a)):  # rings without a junction
        if not used[link]:
            follow(a[link], link)
    return _without_twins(chains)


def _without_twins(chains: list[tuple[list[int], list[int]]]) -> list[tuple[list[int], list[int]]]:
    """Chains with loops cut in three, and second ways between the same junctions cut in two."""

    def ends(chain: tuple[list[int], list[int]]) -> tuple[int, int]:
        return min(chain[0][0], chain[0][-1]), max(chain[0][0], chain[0][-1])

    seen = {ends(chain) for chain in chains if len(chain[1]) == 1}
    result = []
    for nodes, ids in chains:
        pair = ends((nodes, ids))
        parts = 1 if len(ids) == 1 else 3 if pair[0] == pair[1] else 2 if pair in seen else 1
        seen.add(pair)
        cuts = [len(ids) * k // parts for k in range(parts + 1)]
        result += [(nodes[p : q + 1], ids[p:q]) for p, q in zip(cuts[:-1], cuts[1:], strict=True)]
    return result


def _interchanges(lattice: Lattice, links: Links, barriers: Barriers) -> list[int]:
    """Columns in which a great road passes the motorway and is joined to it."""
    row = barriers.motorway_row
    crossing = links.class_y[:, row - 1]
    is_motorway = barriers.rank_x()[:, row] == Rank.MOTORWAY
    able = np.flatnonzero((crossing >= RoadClass.SECONDARY) & is_motorway).tolist()
    columns = able[:1]
    for i in able[1:]:
        room = min(i - columns[-1], able[-1] - i) * lattice.side_m
        if room >= _INTERCHANGE_SPACING_M or i == able[-1]:
            columns.append(i)
    return columns


def _add_motorway(
    net: Net, lattice: Lattice, shape: Shape, corner: Floats, barriers: Barriers, interchanges: list[int]
) -> None:
    """Two carriageways between the first and the last interchange, driving on the right, with ramps."""
    row, first, last = barriers.motorway_row, interchanges[0], interchanges[-1]
    name = next(line.name for line in barriers.lines if line.rank is Rank.MOTORWAY)
    metres = lattice.bend(corner[..., 0], corner[..., 1])
    columns = np.arange(first + 1, last + 1)
    for below in (0, 1):  # 0: north of the middle line, westbound; 1: south of it, eastbound
        beyond = row - 1 if below else row + 1
        start, end = metres[columns, row], metres[columns, beyond]
        passed = start + _CARRIAGEWAY * (end - start)
        _add_motorway_crossings(net, barriers, columns, row - below, to_lonlat(passed), name)
        stations = _stations(passed, metres, columns, row, beyond, interchanges)
        ramps = shape.middle[interchanges, row - below]
        _add_carriageway(net, name, stations, ramps, is_eastbound=bool(below))


def _add_motorway_crossings(
    net: Net, barriers: Barriers, columns: Indices, j: int, points: Floats, name: str
) -> None:
    for i, point in zip(columns.tolist(), points, strict=True):
        number = int(barriers.number_y[i, j])
        if number:
            line = barriers.lines[number - 1]
            net.crossings.append(
                Crossing((True, i, j), point, RoadClass.MOTORWAY, name, line.rank, line.name)
            )


def _stations(
    passed: Floats, metres: Floats, columns: Indices, row: int, beyond: int, interchanges: list[int]
) -> list[tuple[Floats, int]]:
    """
    Points of a carriageway from west to east, each with the number of the interchange whose ramp meets it, or -1.

    A ramp's place is told by order: the western one of an interchange comes first.
    """
    first, last = interchanges[0], interchanges[-1]

    def beside(i: int) -> Floats:
        """Where the carriageway meets the line from corner (i, row) outwards."""
        return metres[i, row] + _CARRIAGEWAY * (metres[i, beyond] - metres[i, row])

    at = {i: k for k, i in enumerate(interchanges)}
    stations: list[tuple[Floats, int]] = []
    for i in range(first, last + 1):
        if i > first:
            stations.append((passed[i - columns[0]], -1))
        if i in at:
            west, east = beside(i), beside(i + 1)
            for t in _RAMP_AT:
                if (i == first and t == _RAMP_AT[0]) or (i == last and t == _RAMP_AT[1]):
                    continue  # nothing goes on beyond the ends
                stations.append((west + t * (east - west), at[i]))
    return stations


def _add_carriageway(
    net: Net, name: str, stations: list[tuple[Floats, int]], ramps: Floats, *, is_eastbound: bool
) -> None:
    """Edges between ramp places in driving direction, and the ramps: the first of an interchange leaves."""
    order = stations if is_eastbound else stations[::-1]
    points = to_lonlat(np.array([point for point, _ in order]))
    nodes = [k for k, (_, interchange) in enumerate(order) if interchange >= 0]
    for p, q in zip(nodes[:-1], nodes[1:], strict=True):
        net.edges.append(_motorway_edge(name, points[p : q + 1], _SPEED_KMH[RoadClass.MOTORWAY]))
    met: set[int] = set()
    start, end = order[nodes[0]][1], order[nodes[-1]][1]
    for k in nodes:
        interchange = order[k][1]
        leaves = interchange not in met and interchange != start or interchange == end
        met.add(interchange)
        ways = [points[k], ramps[interchange]]
        net.edges.append(_motorway_edge(f"{name}匝道", np.array(ways if leaves else ways[::-1]), _RAMP_KMH))


def _motorway_edge(name: str, points: Floats, speed_kmh: int) -> Edge:
    return Edge(RoadClass.MOTORWAY, name, points, speed_kmh, is_one_way=True)


def junctions(net: Net) -> tuple[Floats, Indices, Indices]:
    """The junctions (n, 2) in degrees, and the number of each edge's first and last one."""
    ends = np.array([(edge.points[0], edge.points[-1]) for edge in net.edges]).reshape(-1, 2)
    places, number = np.unique(ends, axis=0, return_inverse=True)
    number = number.reshape(-1, 2)
    return places, number[:, 0], number[:, 1]


def _make_one_way(net: Net, seed: int) -> None:
    """Some streets become one-way, but none without which a car could not get somewhere or back."""
    rng = stream(seed, "one-way")
    places, tail, head = junctions(net)
    draw = rng.random((len(net.edges), 2))
    class_ = np.array([edge.class_ for edge in net.edges])
    share = np.where(class_ == RoadClass.RESIDENTIAL, _ONE_WAY_SHARE, 0.4 * _ONE_WAY_SHARE)
    wanted = (draw[:, 0] < share) & np.isin(class_, (RoadClass.RESIDENTIAL, RoadClass.TERTIARY))
    turned = wanted & (draw[:, 1] < 0.5)
    tail, head = np.where(turned, head, tail), np.where(turned, tail, head)
    fixed = np.array([edge.is_one_way for edge in net.edges])
    car = class_ != RoadClass.PATH
    while True:
        both = car & ~wanted & ~fixed
        rows, columns = np.concatenate([tail[car], head[both]]), np.concatenate([head[car], tail[both]])
        graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(places), len(places)))
        _, strong = connected_components(graph, directed=True, connection="strong")
        broken = wanted & (strong[tail] != strong[head])
        if not broken.any():
            break
        wanted &= ~broken
    for k in np.flatnonzero(wanted).tolist():
        edge = net.edges[k]
        points = edge.points[::-1] if turned[k] else edge.points
        net.edges[k] = Edge(edge.class_, edge.name, points, edge.speed_kmh, is_one_way=True)
