"""
The road net of the demo district, from motorway to footpath, as links between the middles of neighbouring cells.

Arterials are long rows of cells; diagonal connectors join neighbouring towns; streets fill what is built-up;
lanes reach the hamlets. A link that would cross water or rails stays only where a bridge is plausible, and a
few bridges are added until every place that has a road is reached by car.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import Delaunay

from gridmap.demo.barriers import Barriers, Rank
from gridmap.demo.chance import Floats, stream
from gridmap.demo.land import Land
from gridmap.demo.lattice import Indices, Mask, Shape, centres, keep_inside, settle
from gridmap.demo.people import People
from gridmap.demo.plane import DECIMALS
from gridmap.demo.words import Words


class RoadClass(IntEnum):
    """Classes from least to greatest; a greater class takes a link that two roads share."""

    NONE = 0
    PATH = 1
    RESIDENTIAL = 2
    TERTIARY = 3
    SECONDARY = 4
    PRIMARY = 5
    MOTORWAY = 6


# The chance that a road of a class is carried over a barrier of a rank.
_BRIDGED = {
    Rank.NONE: (0, 1.00, 1.00, 1.00, 1.00, 1.00),
    Rank.BROOK: (0, 0.30, 0.30, 1.00, 1.00, 1.00),
    Rank.CANAL: (0, 0.12, 0.08, 0.85, 1.00, 1.00),
    Rank.RIVER: (0, 0.00, 0.00, 0.45, 1.00, 1.00),
    Rank.BIG_RIVER: (0, 0.00, 0.00, 0.00, 0.00, 1.00),
    Rank.RAILWAY: (0, 0.06, 0.04, 0.50, 1.00, 1.00),
    Rank.MOTORWAY: (0, 0.03, 0.02, 0.55, 1.00, 1.00),
}
# What it costs to add a bridge where a place would be cut off.
_REPAIR_COST = np.array([10, 25, 60, 400, 4_000, 200, 300])
_ARTERIAL_SPACING_M = {RoadClass.PRIMARY: 5_000.0, RoadClass.SECONDARY: 2_900.0, RoadClass.TERTIARY: 1_150.0}
_CONNECTOR_REACH_M = 11_000.0


@dataclass(slots=True)
class Links:
    """
    Roads as numbers on links between neighbouring cells.

    Attributes
    ----------
    class_x, class_y : (nx - 1, ny) and (nx, ny - 1), `RoadClass` of the link to the east or north neighbour
    name_x, name_y : same shapes, numbers into `names`
    """

    class_x: Indices
    class_y: Indices
    name_x: Indices
    name_y: Indices
    names: list[str] = field(default_factory=list)

    def lay_path(self, path: Indices, class_: RoadClass, name: str) -> None:
        """Put a road along neighbouring cells (n, 2), wherever nothing greater is."""
        self.names.append(name)
        step = np.diff(path, axis=0)
        low = np.minimum(path[:-1], path[1:])
        for classes, numbers, moved in (
            (self.class_x, self.name_x, step[:, 0] != 0),
            (self.class_y, self.name_y, step[:, 1] != 0),
        ):
            i, j = low[moved, 0], low[moved, 1]
            less = classes[i, j] < class_
            classes[i[less], j[less]] = class_
            numbers[i[less], j[less]] = len(self.names) - 1


def draw_links(seed: int, land: Land, people: People, barriers: Barriers, words: Words) -> Links:
    """All roads but the motorway, cut at barriers and joined into one net that a car can use."""
    nx, ny = land.lattice.nx, land.lattice.ny
    shape_x, shape_y = (nx - 1, ny), (nx, ny - 1)
    links = Links(*(np.zeros(shape, np.int64) for shape in (shape_x, shape_y, shape_x, shape_y)))
    street = _streetness(seed, land, people)
    _lay_arterials(links, seed, land, people, words)
    _lay_connectors(links, land, people, words)
    _lay_streets(links, seed, land, street, words)
    _cut(links, seed, barriers)
    _join(links, land, barriers)
    _add_paths(links, seed, land, street, barriers)
    return links


def _streetness(seed: int, land: Land, people: People) -> Floats:
    """(nx, ny) 0 to 1: how dense streets are; high in towns, middling in scattered hamlets, 0 beyond the edge."""
    rng = stream(seed, "hamlets")
    blocks = (land.lattice.nx // 3, land.lattice.ny // 3)
    hamlet = np.kron((rng.random(blocks) < 0.135) * (0.25 + 0.30 * rng.random(blocks)), np.ones((3, 3)))
    return np.where(land.ground, np.maximum(people.bustle, hamlet), 0.15 * people.bustle)


def _lay_arterials(links: Links, seed: int, land: Land, people: People, words: Words) -> None:
    """Long roads along rows and columns of cells, in a loose hierarchy; lesser ones have gaps in the country."""
    rng = stream(seed, "arterials")
    suffixes = {RoadClass.PRIMARY: "大道", RoadClass.SECONDARY: "公路", RoadClass.TERTIARY: "路"}
    for is_upright in (True, False):
        length, breadth = (
            (land.lattice.ny, land.lattice.nx) if is_upright else (land.lattice.nx, land.lattice.ny)
        )
        taken: set[int] = set()
        for class_, spacing_m in _ARTERIAL_SPACING_M.items():
            spacing = spacing_m / land.lattice.side_m
            for place in np.arange(0.5 * spacing, breadth, spacing):
                row = 3 * int((place + (rng.random() - 0.5) * 0.45 * spacing) / 3) + 1
                gaps = rng.random(length // 9 + 1) < (0.28 if class_ is RoadClass.TERTIARY else 0.0)
                if taken & {row - 3, row, row + 3} or not 0 <= row < breadth:
                    continue
                taken.add(row)
                along = np.arange(length)
                path = np.stack(
                    [np.full(length, row), along] if is_upright else [along, np.full(length, row)], axis=1
                )
                open_ = ~gaps[along // 9] | (people.bustle[path[:, 0], path[:, 1]] > 0.35)
                for run in _runs(path, open_ & land.dry[path[:, 0], path[:, 1]]):
                    links.lay_path(run, class_, words.road(suffixes[class_]))


def _runs(path: Indices, good: Mask) -> list[Indices]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    return [path[a:b] for a, b in edges.reshape(-1, 2) if b - a > 1]


def _lay_connectors(links: Links, land: Land, people: People, words: Words) -> None:
    """Diagonal roads from town centre to town centre, each with a straight end where no arterial runs beside it."""
    cells = np.stack(np.unravel_index(land.cell_tree().query(people.centres)[1], land.dry.shape), axis=1)
    triangles = Delaunay(people.centres).simplices
    for a, b in sorted({tuple(sorted((int(t[k]), int(t[k - 1])))) for t in triangles for k in range(3)}):
        if float(np.hypot(*(people.centres[b] - people.centres[a]))) > _CONNECTOR_REACH_M:
            continue
        diagonal, straight = _bent_path(cells[a], cells[b])
        if _beside_arterial(links, straight).mean() > 0.5:
            path = _to_arterial(links, diagonal)
        else:
            path = np.concatenate([diagonal, straight[1:]])
        for run in _runs(path, land.dry[path[:, 0], path[:, 1]]):
            links.lay_path(run, RoadClass.SECONDARY, words.road("公路"))


def _beside_arterial(links: Links, path: Indices) -> Mask:
    """Cells of `path` with an arterial in the three rows or columns to either side."""
    beside = np.zeros(len(path), dtype=bool)
    for shift in range(-3, 4):
        for axis in range(2):
            beside |= _on_arterial(links, path + shift * np.eye(2, dtype=np.int64)[axis])
    return beside


def _on_arterial(links: Links, cells: Indices) -> Mask:
    """Cells from which an arterial goes east or north."""
    on = np.zeros(len(cells), dtype=bool)
    for classes in (links.class_x, links.class_y):
        near = np.clip(cells, 0, np.array(classes.shape) - 1)
        on |= classes[near[:, 0], near[:, 1]] >= RoadClass.TERTIARY
    return on


def _to_arterial(links: Links, diagonal: Indices) -> Indices:
    """`diagonal` carried on until it meets an arterial."""
    if len(diagonal) < 3:
        return diagonal
    step = diagonal[2] - diagonal[0]
    more = np.concatenate([diagonal[-2:] + (k + 1) * step for k in range(12)])
    longer = np.concatenate([diagonal, more])
    end = np.flatnonzero(_on_arterial(links, longer[len(diagonal) - 1 :]))
    return longer[: len(diagonal) + int(end[0])] if len(end) else diagonal


def _bent_path(start: Indices, goal: Indices) -> tuple[Indices, Indices]:
    """A path of cells from `start` to `goal`: first diagonal, in single steps east or west and north or south, then straight."""
    step = np.sign(goal - start)
    diagonal = int(np.abs(goal - start).min())
    k = np.arange(2 * diagonal + 1)
    first = start + np.stack([(k + 1) // 2, k // 2], axis=1) * step
    rest = goal - first[-1]
    n = np.arange(int(np.abs(rest).max()) + 1)
    return first, first[-1] + n[:, None] * np.sign(rest)


def _lay_streets(links: Links, seed: int, land: Land, street: Floats, words: Words) -> None:
    """Streets and lanes in runs of three links: along every third row in the country, along every row in towns."""
    rng = stream(seed, "streets")
    for is_upright in (True, False):
        field_ = street if is_upright else street.T
        dry = land.dry if is_upright else land.dry.T
        breadth, length = field_.shape
        runs = (length - 2) // 3
        middle = field_[:, 2 : 2 + 3 * runs : 3]  # the cell in the middle of each run of links 1-2, 2-3, 3-4
        lane = (np.arange(breadth) % 3 == 1)[:, None]
        # half of the chance belongs to a whole stretch of a row, so that streets are longer than a block
        stretch = np.repeat(rng.random((breadth, runs // 4 + 1)), 4, axis=1)[:, :runs]
        keep = 0.5 * (rng.random((breadth, runs)) + stretch) < np.where(
            lane, 0.04 + 0.90 * middle, 0.10 * middle + 0.50 * middle * middle
        )
        stub = ~keep & (rng.random((breadth, runs)) < 2.0 * middle * (1.0 - middle))
        on = np.repeat(keep, 3, axis=1)
        on[:, 0::3] |= stub
        links_on = np.zeros((breadth, length - 1), dtype=bool)
        links_on[:, 1 : 1 + 3 * runs] = on
        links_on &= dry[:, 1:] & dry[:, :-1]
        numbers = _street_names(links, breadth, length - 1, is_upright, words)
        classes, names = (links.class_y, links.name_y) if is_upright else (links.class_x.T, links.name_x.T)
        new = links_on & (classes == 0)
        classes[new] = RoadClass.RESIDENTIAL
        names[new] = numbers[new]


def _street_names(links: Links, breadth: int, length: int, is_upright: bool, words: Words) -> Indices:
    """A name for every row's stretch of some three kilometres."""
    stretch = 24
    columns = -(-length // stretch)
    first = len(links.names)
    suffixes = ("路", "街") if is_upright else ("路", "巷")
    links.names.extend(words.road(suffixes[k % 2]) for k in range(breadth * columns))
    return first + np.arange(breadth)[:, None] * columns + np.arange(length)[None, :] // stretch


def _crossed(barriers: Barriers) -> tuple[Indices, Indices]:
    """Rank of the side that each link crosses, shaped as `Links.class_x` and `class_y`."""
    return barriers.rank_y()[1:-1], barriers.rank_x()[:, 1:-1]


def _cut(links: Links, seed: int, barriers: Barriers) -> None:
    """Remove links over barriers where there is no bridge."""
    rng = stream(seed, "bridges")
    chance = np.array([_BRIDGED[rank] for rank in Rank])
    for classes, rank in zip((links.class_x, links.class_y), _crossed(barriers), strict=True):
        stays = rng.random(classes.shape) < chance[rank, classes]
        classes[~stays] = RoadClass.NONE


def _link_table(links: Links) -> tuple[Indices, Indices, Indices]:
    """All possible links as cell numbers a, b and class; x links first."""
    nx, ny = links.class_y.shape[0], links.class_x.shape[1]
    cell = np.arange(nx * ny).reshape(nx, ny)
    a = np.concatenate([cell[:-1].ravel(), cell[:, :-1].ravel()])
    b = np.concatenate([cell[1:].ravel(), cell[:, 1:].ravel()])
    return a, b, np.concatenate([links.class_x.ravel(), links.class_y.ravel()])


def _join(links: Links, land: Land, barriers: Barriers) -> None:
    """Add the cheapest links that join all roads into one net; drop scraps that no single link can join."""
    a, b, class_ = _link_table(links)
    n = land.dry.size
    dry = land.dry.ravel()
    used = class_ >= RoadClass.RESIDENTIAL
    node = np.zeros(n, dtype=bool)
    node[a[used]] = node[b[used]] = True
    rank = np.concatenate([one.ravel() for one in _crossed(barriers)])
    can = node[a] & node[b] & dry[a] & dry[b]
    # whole numbers with the link's number behind the point: no two links tie, so the tree is the only one
    cost = np.where(used, 1.0, _REPAIR_COST[rank]) + np.arange(len(a)) / len(a)
    tree = minimum_spanning_tree(csr_array((cost[can], (a[can], b[can])), shape=(n, n))).tocoo()
    chosen = np.zeros(len(a), dtype=bool)
    key = a * n + b
    order = np.argsort(key)
    place = order[np.searchsorted(key[order], tree.row.astype(np.int64) * n + tree.col)]
    chosen[place] = True
    class_ = np.where(chosen & ~used, RoadClass.RESIDENTIAL, class_)
    class_ = _largest_net(a, b, class_, n)
    split = links.class_x.size
    links.class_x[:] = class_[:split].reshape(links.class_x.shape)
    links.class_y[:] = class_[split:].reshape(links.class_y.shape)


def _largest_net(a: Indices, b: Indices, class_: Indices, n: int) -> Indices:
    """`class_` with 0 for links outside the largest connected net of roads."""
    on = class_ > 0
    _, piece = connected_components(csr_array((on[on] * 1.0, (a[on], b[on])), shape=(n, n)), directed=False)
    main = np.argmax(np.bincount(piece[a[on]]))
    return np.where(on & (piece[a] == main), class_, RoadClass.NONE)


def _add_paths(links: Links, seed: int, land: Land, street: Floats, barriers: Barriers) -> None:
    """Footpaths: short cuts between road ends, some with a footbridge over a brook or canal."""
    rng = stream(seed, "paths")
    a, b, class_ = _link_table(links)
    node = np.zeros(land.dry.size, dtype=bool)
    node[a[class_ > 0]] = node[b[class_ > 0]] = True
    rank = np.concatenate([one.ravel() for one in _crossed(barriers)])
    near = np.minimum(street.ravel()[a], street.ravel()[b])
    chance = np.where(rank == Rank.NONE, 0.02 + 0.16 * near, np.where(rank <= Rank.CANAL, 0.05, 0.0))
    new = (class_ == 0) & node[a] & node[b] & (rng.random(len(a)) < chance)
    split = links.class_x.size
    for classes, names, part in (
        (links.class_x, links.name_x, new[:split]),
        (links.class_y, links.name_y, new[split:]),
    ):
        on = part.reshape(classes.shape)
        classes[on] = RoadClass.PATH
        names[on] = len(links.names)
    links.names.append("步道")


def settle_middles(seed: int, land: Land, links: Links, corner: Floats) -> Floats:
    """Lattice coordinates of the cells' middles: a little disorder, then greater roads smoothed."""
    home = land.lattice.middles()
    place = centres(corner) + (stream(seed, "middles").random(home.shape) - 0.5) * 0.16
    rank_x, rank_y = (np.where(one >= RoadClass.TERTIARY, one, 0) for one in (links.class_x, links.class_y))
    nowhere = np.zeros(land.dry.shape, dtype=bool)
    return keep_inside(settle(place, home, rank_x, rank_y, nowhere), corner)


def gates_around(links: Links, shape: Shape) -> tuple[Indices, Floats]:
    """
    Class of the link in each direction (4, nx, ny) and where it leaves the cell (4, nx, ny, 2), in degrees.

    Directions are 0 east, 1 north, 2 west, 3 south; without a neighbour the place is nan.
    """
    none = {"constant_values": np.nan}
    road_x, road_y = np.pad(links.class_x, ((1, 1), (0, 0))), np.pad(links.class_y, ((0, 0), (1, 1)))
    gate_x = np.pad(shape.gate_x, ((0, 0), (1, 1), (0, 0)), **none)
    gate_y = np.pad(shape.gate_y, ((1, 1), (0, 0), (0, 0)), **none)
    return (
        np.stack([road_x[1:], road_y[:, 1:], road_x[:-1], road_y[:, :-1]]),
        np.stack([gate_y[1:], gate_x[:, 1:], gate_y[:-1], gate_x[:, :-1]]),
    )


def hearts(links: Links, shape: Shape) -> Floats:
    """Degrees (nx, ny, 2): where a cell's roads meet, or halfway between the gates of one that only passes."""
    road, gate = gates_around(links, shape)
    is_on = road > 0
    passes = (is_on.sum(axis=0) == 2) & (2 * road.max(axis=0) == road.sum(axis=0))
    halfway = np.round(np.where(is_on[..., None], gate, 0.0).sum(axis=0) / 2, DECIMALS)
    return np.where(passes[..., None], halfway, shape.middle)
