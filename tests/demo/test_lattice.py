"""The lattice that keeps roads and barriers apart."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from gridmap.demo.lattice import Lattice, centres, convex, keep_inside, lattice_for, settle, shape_of, walk
from gridmap.demo.plane import to_lonlat

LATTICE = Lattice(12, 9, 100.0, 1)


def _cells(corner: np.ndarray) -> np.ndarray:
    ring = np.stack([corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]], axis=2)
    return shapely.polygons(ring.reshape(-1, 4, 2))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_however_corners_are_thrown_every_cell_becomes_convex_with_its_middle_inside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    home = LATTICE.corners()
    corner = convex(home + 0.8 * (rng.random(home.shape) - 0.5), home)
    cells = _cells(corner)
    assert shapely.area(cells) == pytest.approx(shapely.area(shapely.convex_hull(cells)))
    middle = keep_inside(centres(corner) + 1.5 * (rng.random((12, 9, 2)) - 0.5), corner)
    inside = shapely.contains_properly(cells, shapely.points(middle.reshape(-1, 2)))
    assert inside.all()


def test_a_line_with_a_jog_is_smoothed_and_held_corners_stay() -> None:
    home = LATTICE.corners()
    rank_x, rank_y = np.zeros((12, 10), np.int64), np.zeros((13, 9), np.int64)
    rank_x[:6, 4], rank_y[6, 4], rank_x[6:, 5] = 1, 1, 1
    free = settle(home.copy(), home, rank_x, rank_y, np.zeros((13, 10), dtype=bool))
    assert free[6, 4, 1] > 4.2
    assert free[6, 5, 1] < 4.8
    assert (free[:, 0] == home[:, 0]).all()
    held = np.ones((13, 10), dtype=bool)
    assert (settle(home.copy(), home, rank_x, rank_y, held) == home).all()


def test_a_road_passes_the_side_it_shares_with_the_next_cell() -> None:
    home = LATTICE.corners()
    shape = shape_of(LATTICE, home, LATTICE.middles())
    a, b = shape.corner[5, 3], shape.corner[5, 4]
    gate = shape.gate_y[4, 3]
    assert shapely.distance(shapely.LineString([a, b]), shapely.Point(gate)) < 2e-7
    way = shapely.LineString([shape.middle[4, 3], shape.middle[5, 3]])
    assert shapely.distance(way, shapely.Point(gate)) < 2e-7


def test_a_walk_steps_from_neighbour_to_neighbour_and_never_returns() -> None:
    corner = LATTICE.corners()
    xy = LATTICE.bend(corner[..., 0], corner[..., 1])
    drawn = to_lonlat(xy[[1, 8, 3, 11], [1, 7, 8, 2]])
    path = walk(cKDTree(xy.reshape(-1, 2)), (13, 10), drawn, 30.0)
    assert (np.abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()
    assert len({tuple(one) for one in path.tolist()}) == len(path)
    assert path[0].tolist() == [1, 1]
    assert path[-1].tolist() == [11, 2]


def test_a_lattice_covers_the_box_it_was_made_for() -> None:
    lattice = lattice_for(5, 200.0, 30_000.0, 20_000.0)
    corner = lattice.corners()
    xy = lattice.bend(corner[..., 0], corner[..., 1])
    rim = np.concatenate([xy[:, 0], xy[-1], xy[::-1, -1], xy[0, ::-1]])
    assert shapely.Polygon(rim).covers(shapely.box(-15_000, -10_000, 15_000, 10_000))
