"""
Waters, railway and motorway of the demo district: lines along the sides of cells that roads cross only at bridges.

Rivers, canals and brooks make the dense, roughly rectangular net of a river-delta plain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from gridmap.demo.chance import Floats, line_noise, stream
from gridmap.demo.land import Land
from gridmap.demo.lattice import Indices, Mask, walk
from gridmap.demo.plane import to_plane
from gridmap.demo.words import Words

_RAILWAY = (
    (121.300, 30.826), (121.385, 30.833), (121.450, 30.843), (121.520, 30.846), (121.600, 30.857),
    (121.680, 30.876), (121.760, 30.884), (121.830, 30.897),
)  # fmt: skip
_MOTORWAY_AT = (121.545, 30.9425)  # the motorway follows the row of sides through this place


class Rank(IntEnum):
    """How much a side of a cell keeps apart; a higher rank takes the side when two lines share it."""

    NONE = 0
    BROOK = 1
    CANAL = 2
    RIVER = 3
    BIG_RIVER = 4
    RAILWAY = 5
    MOTORWAY = 6

    @property
    def kind(self) -> str:
        """The kind in the words of the layer catalogue."""
        return {Rank.RAILWAY: "railway", Rank.MOTORWAY: "motorway"}.get(self, "water")


@dataclass(frozen=True, slots=True)
class Line:
    """One named barrier."""

    rank: Rank
    name: str
    width_m: int


@dataclass(slots=True)
class Barriers:
    """
    All barriers, as numbers on the sides of cells.

    Attributes
    ----------
    lines : the named barriers; number n on a side means `lines[n - 1]`, 0 none
    number_x : (nx, ny + 1), sides between corners (i, j) and (i + 1, j)
    number_y : (nx + 1, ny), sides between corners (i, j) and (i, j + 1)
    motorway_row : the row of corners along which the motorway runs
    """

    number_x: Indices
    number_y: Indices
    motorway_row: int
    lines: list[Line] = field(default_factory=list)

    def rank_x(self) -> Indices:
        """Ranks of the sides in `number_x`."""
        return self._ranks()[self.number_x]

    def rank_y(self) -> Indices:
        """Ranks of the sides in `number_y`."""
        return self._ranks()[self.number_y]

    def _ranks(self) -> Indices:
        return np.array([0, *(line.rank for line in self.lines)], dtype=np.int64)

    def end_motorway(self, first: int, last: int) -> None:
        """Keep of the motorway the sides from column `first` to `last`."""
        row = self.number_x[:, self.motorway_row]
        columns = np.arange(len(row))
        is_motorway = self._ranks()[row] == Rank.MOTORWAY
        row[is_motorway & ((columns < first) | (columns > last))] = 0

    def lay(self, path: Indices, line: Line) -> None:
        """Put `line` on the sides along `path` (n, 2) that carry nothing yet."""
        self.lines.append(line)
        number = len(self.lines)
        step = np.diff(path, axis=0)
        low = np.minimum(path[:-1], path[1:])
        for array, moved in ((self.number_x, step[:, 0] != 0), (self.number_y, step[:, 1] != 0)):
            i, j = low[moved, 0], low[moved, 1]
            free = array[i, j] == 0
            array[i[free], j[free]] = number


def draw_barriers(seed: int, land: Land, bustle: Floats, words: Words) -> Barriers:
    """
    All barriers of the district and its margin.

    Parameters
    ----------
    bustle : (nx, ny) 0 to 1, how built-up a cell is: brooks were filled in where it is high
    """
    nx, ny = land.lattice.nx, land.lattice.ny
    corners = land.corner_tree()
    shape = (nx + 1, ny + 1)
    row = int(np.unravel_index(corners.query(to_plane([_MOTORWAY_AT]))[1][0], shape)[1])
    barriers = Barriers(np.zeros((nx, ny + 1), np.int64), np.zeros((nx + 1, ny), np.int64), row)
    allowed = _wet_corners(land)
    _lay_motorway(barriers, land, words)
    _lay_drawn(barriers, corners, shape, land, allowed)
    for family in _FAMILIES:
        _lay_family(barriers, family, seed, land, allowed, bustle, words)
    return barriers


def _wet_corners(land: Land) -> Mask:
    """Corners with firm ground on all sides: waters end at the sea wall and at the end of the margin."""
    dry = np.pad(land.dry, 1)
    return dry[1:, 1:] & dry[:-1, 1:] & dry[1:, :-1] & dry[:-1, :-1]


def _runs(path: Indices, allowed: Mask) -> list[Indices]:
    """The longest stretches of `path` whose corners are all allowed, two corners or more."""
    good = allowed[path[:, 0], path[:, 1]]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    return [path[a:b] for a, b in edges.reshape(-1, 2) if b - a > 1]


def _lay_motorway(barriers: Barriers, land: Land, words: Words) -> None:
    row = barriers.motorway_row
    dry = land.dry & ~land.beyond_river
    columns = np.flatnonzero(dry[:, row] & dry[:, row - 1])
    path = np.stack(
        [np.arange(columns[0] + 2, columns[-1]), np.full(columns[-1] - columns[0] - 2, row)], axis=1
    )
    barriers.lay(path, Line(Rank.MOTORWAY, words.road("高速公路"), 35))


def _lay_drawn(
    barriers: Barriers, corners: cKDTree, shape: tuple[int, int], land: Land, allowed: Mask
) -> None:
    """The railway and the big river, which are drawn by hand; the river hugs the district's edge."""
    step_m = land.lattice.side_m / 3
    for run in _runs(walk(corners, shape, np.array(_RAILWAY), step_m), allowed):
        barriers.lay(run, Line(Rank.RAILWAY, "示范铁路", 12))
    near, far = np.pad(land.dry & ~land.beyond_river, 1), np.pad(land.beyond_river, 1)
    barriers.lines.append(Line(Rank.BIG_RIVER, "示范江", 380))
    for array, a, b in (
        (barriers.number_x, (slice(1, -1), slice(1, None)), (slice(1, -1), slice(None, -1))),
        (barriers.number_y, (slice(1, None), slice(1, -1)), (slice(None, -1), slice(1, -1))),
    ):
        bank = (near[a] & far[b]) | (near[b] & far[a])
        array[bank & (array == 0)] = len(barriers.lines)


@dataclass(frozen=True, slots=True)
class _Family:
    """Waters of one rank that run roughly parallel: how far apart, how winding, how much of them exists."""

    rank: Rank
    is_upright: bool
    spacing_m: float
    wander_m: float
    wavelength_m: float
    kept: float
    suffixes: str
    width_m: tuple[int, int]


# The rivers first: what is laid later ends at what is there.
_FAMILIES = (
    _Family(Rank.RIVER, True, 9_200, 900, 4_500, 1.0, "港", (55, 95)),
    _Family(Rank.RIVER, False, 8_600, 1_000, 6_000, 1.0, "河", (45, 80)),
    _Family(Rank.CANAL, True, 2_500, 330, 2_200, 0.85, "港塘", (20, 40)),
    _Family(Rank.CANAL, False, 2_900, 380, 2_600, 0.80, "河塘", (18, 36)),
    _Family(Rank.BROOK, True, 830, 150, 900, 0.55, "泾浜沟", (6, 15)),
    _Family(Rank.BROOK, False, 900, 170, 1_000, 0.50, "浦泾浜", (6, 15)),
)


def _lay_family(
    barriers: Barriers, family: _Family, seed: int, land: Land, allowed: Mask, bustle: Floats, words: Words
) -> None:
    side_m, shape = land.lattice.side_m, allowed.shape
    rng = stream(seed, f"waters {family.rank.name} {family.is_upright}")
    length, breadth = (shape[1], shape[0]) if family.is_upright else shape
    places = np.arange(0.5 * family.spacing_m, breadth * side_m, family.spacing_m) / side_m
    for place in places + (rng.random(len(places)) - 0.5) * 0.5 * family.spacing_m / side_m:
        along_m = (np.arange(length) - length / 2) * side_m
        wander = family.wander_m * line_noise(rng, family.wavelength_m, along_m)
        across = np.clip(np.rint(place + wander / side_m), 1, breadth - 2).astype(np.int64)
        path = _stairs(across)
        path = path if family.is_upright else path[:, ::-1]
        for run in _runs(path, allowed):
            for stretch in _stretches(run, barriers, bustle, family, rng):
                low, high = family.width_m
                name = words.water(family.suffixes[int(rng.integers(len(family.suffixes)))])
                barriers.lay(stretch, Line(family.rank, name, int(rng.integers(low, high))))


def _stairs(across: Indices) -> Indices:
    """Path (n, 2) of neighbouring corners that follows `across` over 0, 1, 2, …"""
    path = [(int(across[0]), 0)]
    for k, goal in enumerate(across[1:].tolist(), start=1):
        path.append((path[-1][0], k))
        while path[-1][0] != goal:
            path.append((path[-1][0] + (1 if goal > path[-1][0] else -1), k))
    return np.array(path, dtype=np.int64)


def _stretches(
    run: Indices, barriers: Barriers, bustle: Floats, family: _Family, rng: np.random.Generator
) -> list[Indices]:
    """
    The parts of `run` that become water.

    A run is cut where it meets what is there already, and each part is kept or not, so that waters begin and
    end at other waters; a part that would run beside another line is dropped.
    """
    taken = _taken(barriers)
    met = taken[run[:, 0], run[:, 1]]
    cuts = [0, *(np.flatnonzero(met[1:-1]) + 1).tolist(), len(run) - 1]
    beside = ndimage.binary_dilation(taken, np.ones((3, 3)))[run[:, 0], run[:, 1]]
    i, j = np.minimum(run[:, 0], bustle.shape[0] - 1), np.minimum(run[:, 1], bustle.shape[1] - 1)
    busy = bustle[i, j]
    kept: list[tuple[int, int]] = []
    for a, b in zip(cuts[:-1], cuts[1:], strict=True):
        room = 1.0 - 0.75 * float(busy[a : b + 1].mean()) if family.rank is Rank.BROOK else 1.0
        is_kept = float(rng.random()) < family.kept * room
        ends_early = family.rank is Rank.BROOK and float(rng.random()) < 0.2
        if not is_kept or b - a < 3 or int(beside[a : b + 1].sum()) > max(6, 0.4 * (b - a)):
            continue
        end = (a + b) // 2 if ends_early and b - a > 6 else b
        if kept and kept[-1][1] == a:
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((a, end))
    return [run[a : b + 1] for a, b in kept]


def _taken(barriers: Barriers) -> Mask:
    """Corners that some barrier passes."""
    taken = np.zeros((barriers.number_y.shape[0], barriers.number_x.shape[1]), dtype=bool)
    for array, axis in ((barriers.number_x > 0, 0), (barriers.number_y > 0, 1)):
        first, last = (slice(None, -1), slice(1, None))
        taken[(first, slice(None)) if axis == 0 else (slice(None), first)] |= array
        taken[(last, slice(None)) if axis == 0 else (slice(None), last)] |= array
    return taken
