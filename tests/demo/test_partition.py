"""Splitting regions along a graph."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.demo.partition import Graph, grow, split, unit_graph

SIDE = 12


def _board(seed: int, wall: int | None = None) -> Graph:
    """A square board of cells; crossing column `wall` is dear."""
    number = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    a = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    b = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    cost = np.full(len(a), 1_000)
    if wall is not None:
        cost[(a // SIDE == wall) & (b // SIDE == wall + 1)] = 50_000
    xy = np.stack(np.divmod(np.arange(SIDE * SIDE), SIDE), axis=1) * 100.0
    return Graph(xy, np.random.default_rng(seed).random(SIDE * SIDE) + 0.1, a, b, cost)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1_000), st.integers(1, 9), st.integers(1, 9))
def test_every_part_is_in_one_piece_within_its_parent(seed: int, left: int, right: int) -> None:
    board = _board(seed)
    parent = (np.arange(SIDE * SIDE) // SIDE >= SIDE // 2).astype(np.int64)
    label = split(board, parent, np.array([left, right]))
    assert sorted(set(label.tolist())) == list(range(left + right))
    assert ((label >= left) == (parent == 1)).all()
    graph = nx.Graph(list(zip(board.a.tolist(), board.b.tolist(), strict=True)))
    assert all(
        nx.is_connected(graph.subgraph(np.flatnonzero(label == k).tolist())) for k in range(left + right)
    )


def test_parts_have_about_equal_mass() -> None:
    board = _board(4)
    label = split(board, np.zeros(SIDE * SIDE, dtype=np.int64), np.array([4]))
    mass = np.bincount(label, board.mass)
    assert mass.max() / mass.min() < 1.6


def test_growth_stops_at_a_dear_wall() -> None:
    board = _board(1, wall=8)
    seeds = np.full(SIDE * SIDE, -1)
    seeds[[5, SIDE * SIDE - 6]] = [0, 1]
    label = grow(board, seeds)
    assert (label == (np.arange(SIDE * SIDE) // SIDE > 8)).all()


def test_units_that_share_a_side_are_neighbours() -> None:
    board = _board(1)
    unit = (np.arange(SIDE * SIDE) // SIDE) // 4
    units = unit_graph(board, unit, np.ones(3))
    assert list(zip(units.a.tolist(), units.b.tolist(), strict=True)) == [(0, 1), (1, 2)]
    assert units.xy[0].tolist() == [150.0, 550.0]
