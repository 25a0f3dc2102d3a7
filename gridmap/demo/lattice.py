"""
The warped lattice that everything in the demo district is drawn on.

A lattice of square cells is bent by a smooth warp. **Borders, canals, railway and motorway run along the sides
of cells; roads run from the middle of a cell to the middle of a neighbour.** So a road meets a barrier in one
known place of a side, its gate, and nowhere else; and all areas are unions of cells, so that neighbours share
every corner. Corners and middles stray from their place as far as cells stay convex with their middle inside,
which is all that this needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gridmap.demo.chance import Floats, smooth_noise, stream
from gridmap.demo.plane import to_lonlat, to_plane

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

_STRAY = 0.40  # of a side: the farthest a corner or middle may be from its place
_GATE = 0.22  # of a side: how far from its ends a road passes it
_CONVEX = 0.10  # of a side squared: twice the smallest triangle that two sides of a cell, or a side and its middle, span
_TILT = (0.9925, 0.1222)  # cosine and sine of the lattice's tilt
_WARPS = ((9_000.0, 620.0), (2_600.0, 65.0))  # wavelength and amplitude in metres


@dataclass(frozen=True, slots=True)
class Lattice:
    """
    `nx` by `ny` cells of about `side_m` metres; cell (i, j) lies between corners (i, j) and (i + 1, j + 1).

    Lattice coordinates are (u, v): corner (i, j) stands near (i, j), the middle of a cell near (i + ½, j + ½).
    """

    nx: int
    ny: int
    side_m: float
    seed: int

    def bend(self, u: Floats, v: Floats) -> Floats:
        """Metres (..., 2) on the plane of lattice coordinates."""
        x, y = (u - self.nx / 2) * self.side_m, (v - self.ny / 2) * self.side_m
        bent = np.stack([_TILT[0] * x - _TILT[1] * y, _TILT[1] * x + _TILT[0] * y], axis=-1)
        for number, (wavelength, amplitude) in enumerate(_WARPS):
            for axis in range(2):
                rng = stream(self.seed, f"warp {number} {axis}")
                bent[..., axis] += amplitude * smooth_noise(rng, wavelength, x, y)
        return bent

    def corners(self) -> Floats:
        """Lattice coordinates (nx + 1, ny + 1, 2) of the corners at their places."""
        return np.stack(
            np.meshgrid(np.arange(self.nx + 1.0), np.arange(self.ny + 1.0), indexing="ij"), axis=-1
        )

    def middles(self) -> Floats:
        """Lattice coordinates (nx, ny, 2) of the cells' middles at their places."""
        return self.corners()[:-1, :-1] + 0.5


def lattice_for(seed: int, side_m: float, width_m: float, height_m: float) -> Lattice:
    """A lattice that covers a box of this size around the middle of the plane, tilted and warped."""
    slack_m = 2 * sum(amplitude for _, amplitude in _WARPS)
    across = _TILT[0] * width_m + _TILT[1] * height_m + slack_m
    upward = _TILT[0] * height_m + _TILT[1] * width_m + slack_m
    # multiples of three: rural roads run along every third row of cells
    return Lattice(3 * round(across / side_m / 3), 3 * round(upward / side_m / 3), side_m, seed)


@dataclass(frozen=True, slots=True)
class Shape:
    """
    Where corners and middles stand in the end, and where roads pass the sides between them.

    Attributes
    ----------
    corner : (nx + 1, ny + 1, 2) degrees
    middle : (nx, ny, 2) degrees
    gate_x : (nx, ny - 1, 2) degrees, on the side that cells (i, j) and (i, j + 1) share
    gate_y : (nx - 1, ny, 2) degrees, on the side that cells (i, j) and (i + 1, j) share
    """

    corner: Floats
    middle: Floats
    gate_x: Floats
    gate_y: Floats


def shape_of(lattice: Lattice, corner: Floats, middle: Floats) -> Shape:
    """The shape made by corners and middles at these lattice coordinates."""
    corner = lattice.bend(corner[..., 0], corner[..., 1])
    middle = lattice.bend(middle[..., 0], middle[..., 1])
    gate_x = _gates(corner[:-1, 1:-1], corner[1:, 1:-1], middle[:, :-1], middle[:, 1:])
    gate_y = _gates(corner[1:-1, :-1], corner[1:-1, 1:], middle[:-1], middle[1:])
    return Shape(
        *(to_lonlat(one.reshape(-1, 2)).reshape(one.shape) for one in (corner, middle, gate_x, gate_y))
    )


def _gates(start: Floats, end: Floats, near: Floats, far: Floats) -> Floats:
    """Where the straight way from `near` to `far` passes the side from `start` to `end`, kept off its ends."""
    way, side, to_near = far - near, end - start, near - start
    share = (to_near[..., 0] * way[..., 1] - to_near[..., 1] * way[..., 0]) / (
        side[..., 0] * way[..., 1] - side[..., 1] * way[..., 0]
    )
    return start + np.clip(share, _GATE, 1 - _GATE)[..., None] * side


def walk(places: cKDTree, shape: tuple[int, int], lonlat: Floats, step_m: float) -> Indices:
    """
    The lattice places (n, 2) that a drawn line passes, each a neighbour of the one before.

    Parameters
    ----------
    places : tree over the metres of all places, in the order of a (nx, ny) array of `shape`
    lonlat : (k, 2) degrees, the drawn line
    step_m : how finely the line is followed
    """
    drawn = to_plane(lonlat)
    legs = [
        drawn[k]
        + np.linspace(0, 1, max(int(np.hypot(*(drawn[k + 1] - drawn[k])) / step_m), 1), endpoint=False)[
            :, None
        ]
        * (drawn[k + 1] - drawn[k])
        for k in range(len(drawn) - 1)
    ]
    hit = places.query(np.concatenate([*legs, drawn[-1:]]))[1]
    stops = np.stack(np.unravel_index(hit, shape), axis=1)
    path = [tuple(stops[0])]
    for i, j in stops[1:]:
        while path[-1][0] != i:
            path.append((path[-1][0] + (1 if i > path[-1][0] else -1), path[-1][1]))
        while path[-1][1] != j:
            path.append((path[-1][0], path[-1][1] + (1 if j > path[-1][1] else -1)))
    return np.array(_without_loops(path), dtype=np.int64)


def _without_loops(path: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """`path` with every return to a place already passed cut out."""
    seen: dict[tuple[int, int], int] = {}
    straight: list[tuple[int, int]] = []
    for place in path:
        if place in seen:
            for dropped in straight[seen[place] + 1 :]:
                del seen[dropped]
            del straight[seen[place] + 1 :]
        else:
            seen[place] = len(straight)
            straight.append(place)
    return straight


def settle(
    place: Floats, home: Floats, rank_x: Indices, rank_y: Indices, held: Mask, rounds: int = 30
) -> Floats:
    """
    Places moved along the lines they are on, until the lines run smoothly.

    A place moves towards the mean of its neighbours on the one or two most important lines through it, never
    farther than `_STRAY` from its home on either axis.

    Parameters
    ----------
    place, home : (a, b, 2) lattice coordinates to begin with, and of the regular lattice
    rank_x : (a - 1, b) importance of the link between (i, j) and (i + 1, j); 0 is no line
    rank_y : (a, b - 1) importance of the link between (i, j) and (i, j + 1)
    held : (a, b) places that must not move
    """
    a, b = held.shape
    rank = np.zeros((4, a, b), dtype=np.int64)
    rank[0, :-1], rank[1, 1:] = rank_x, rank_x
    rank[2, :, :-1], rank[3, :, 1:] = rank_y, rank_y
    second = np.sort(rank, axis=0)[-2]
    pulls = (rank >= second) & (rank > 0) & (second > 0)
    count = pulls.sum(axis=0)
    movers = np.flatnonzero(((count > 0) & ~held).ravel())
    # neighbours of each mover as flat numbers; where a line does not pull, the place itself with weight 0
    offsets = np.array([b, -b, 1, -1])
    weight = pulls.reshape(4, -1)[:, movers] / count.ravel()[movers]
    neighbour = np.where(weight > 0, movers + offsets[:, None], movers)
    flat, homes = place.reshape(-1, 2).copy(), home.reshape(-1, 2)[movers]
    for _ in range(rounds):
        target = sum(weight[k][:, None] * flat[neighbour[k]] for k in range(4))
        flat[movers] = np.clip(0.5 * (flat[movers] + target), homes - _STRAY, homes + _STRAY)
    return flat.reshape(place.shape)


def convex(corner: Floats, home: Floats) -> Floats:
    """Corners pulled back towards `home` as far as needed for every cell to be convex, with room to spare."""
    corner = corner.copy()
    for _ in range(40):
        bad = _narrowest(corner) < _CONVEX
        if not bad.any():
            break
        pulled = np.zeros(corner.shape[:2], dtype=bool)
        for a, b in _AROUND:
            pulled[a : a + bad.shape[0], b : b + bad.shape[1]] |= bad
        corner[pulled] = home[pulled] + 0.8 * (corner[pulled] - home[pulled])
    return corner


_AROUND = ((0, 0), (1, 0), (1, 1), (0, 1))  # a cell's corners, counter-clockwise


def _cell_corners(corner: Floats) -> list[Floats]:
    nx, ny = corner.shape[0] - 1, corner.shape[1] - 1
    return [corner[a : a + nx, b : b + ny] for a, b in _AROUND]


def _cross(p: Floats, q: Floats, r: Floats) -> Floats:
    """Twice the area of the triangles p, q, r, positive when counter-clockwise."""
    return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (
        r[..., 0] - p[..., 0]
    )


def _narrowest(corner: Floats) -> Floats:
    """(nx, ny) twice the smallest triangle made by three corners of each cell; positive when convex."""
    c = _cell_corners(corner)
    return np.min([_cross(c[k - 1], c[k], c[(k + 1) % 4]) for k in range(4)], axis=0)


def centres(corner: Floats) -> Floats:
    """(nx, ny, 2) means of the corners of each cell: inside it when it is convex."""
    return sum(_cell_corners(corner)) / 4


def keep_inside(middle: Floats, corner: Floats) -> Floats:
    """Middles pulled back towards their cells' centres until each is well inside its (convex) cell."""
    middle, centre = middle.copy(), centres(corner)
    c = _cell_corners(corner)
    for _ in range(40):
        room = np.min([_cross(c[k - 1], c[k], middle) for k in range(4)], axis=0)
        own = np.min([_cross(c[k - 1], c[k], centre) for k in range(4)], axis=0)
        bad = room < np.minimum(2 * _CONVEX, 0.6 * own)
        if not bad.any():
            break
        middle[bad] = centre[bad] + 0.7 * (middle[bad] - centre[bad])
    return middle
