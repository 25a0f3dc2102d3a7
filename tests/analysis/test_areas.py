"""Responsibility areas: connected, exact partitions, balanced within the tolerance."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial import Delaunay

from gridmap.analysis.areas import area_polygons, balanced_areas, load_ratio, network_areas
from gridmap.analysis.siting import InfeasibleError
from gridmap.errors import InvalidInput
from tests.analysis.networks import random_roads


def town(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Units of uneven load in the plane, their touching pairs, and centers: cost, weight, pairs, centers."""
    rng = np.random.default_rng(seed)
    xy = rng.random((n, 2))
    corners = Delaunay(xy).simplices
    pairs = np.unique(
        np.sort(np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1), axis=0
    )
    centers = rng.choice(n, k, replace=False)
    cost = np.hypot(*(xy[:, None] - xy[centers][None]).T).T
    return cost, rng.integers(20, 900, n).astype(float), pairs, centers


def assert_one_piece_each(area: np.ndarray, pairs: np.ndarray, centers: np.ndarray) -> None:
    graph = nx.Graph()
    graph.add_nodes_from(range(len(area)))
    graph.add_edges_from(pairs.tolist())
    assert set(area.tolist()) == set(range(len(centers)))
    for number, center in enumerate(np.asarray(centers).tolist()):
        assert area[center] == number
        assert nx.is_connected(graph.subgraph(np.flatnonzero(area == number).tolist()))


def test_a_street_is_cut_where_loads_are_equal() -> None:
    #  six houses in a row, centers at both ends, the second house heavy: nearest would give 8 and 3
    pairs = [(i, i + 1) for i in range(5)]
    cost = np.c_[np.arange(6), np.arange(6)[::-1]]
    area = balanced_areas(cost, [1, 3, 1, 1, 1, 1], pairs, [0, 5], tolerance=0.05)
    assert area.tolist() == [0, 0, 1, 1, 1, 1]
    assert load_ratio(area, [1, 3, 1, 1, 1, 1], 2).tolist() == [1, 1]
    loose = balanced_areas(cost, [1, 3, 1, 1, 1, 1], pairs, [0, 5], tolerance=0.3)
    assert loose.tolist() == [0, 0, 0, 1, 1, 1]  # with room for it, cost decides


@pytest.mark.parametrize(("n", "k"), [(150, 5), (400, 20), (2000, 40)])
def test_areas_are_connected_and_within_the_tolerance(n: int, k: int) -> None:
    cost, weight, pairs, centers = town(n, n, k)
    area = balanced_areas(cost, weight, pairs, centers, tolerance=0.2)
    assert_one_piece_each(area, pairs, centers)
    assert load_ratio(area, weight, k).max() <= 1.2 + 1e-9
    nearest = cost.argmin(axis=1)
    assert load_ratio(nearest, weight, k).max() > 1.2  # the case asks for something
    line = np.arange(n)
    assert weight @ cost[line, area] <= 1.6 * (weight @ cost[line, nearest])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1_000_000))
def test_areas_are_connected_whatever_the_costs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 60))
    k = int(rng.integers(1, 6))
    cost, weight, pairs, centers = town(seed, n, k)
    cost = rng.permutation(cost)  # costs that know nothing of the map
    cost[rng.random(cost.shape) < 0.2] = np.inf
    weight[rng.random(n) < 0.3] = 0.0
    dense = np.zeros((n, n))
    dense[pairs[:, 0], pairs[:, 1]] = 1
    area = balanced_areas(cost, weight, dense, centers, tolerance=0.1)
    assert_one_piece_each(area, pairs, centers)
    thin = sparse.coo_matrix(dense.T)
    np.testing.assert_array_equal(area, balanced_areas(cost, weight, thin, centers, tolerance=0.1))


def test_extremes_have_an_answer() -> None:
    cost, weight, pairs, centers = town(1, 30, 3)
    assert balanced_areas(cost[:, :1], weight, pairs, centers[:1], tolerance=0.2).tolist() == [0] * 30
    nobody = balanced_areas(cost, np.zeros(30), pairs, centers, tolerance=0.2)
    assert_one_piece_each(nobody, pairs, centers)
    heavy = np.where(np.arange(30) == 4, 1e6, 1.0)  # one unit over any limit
    assert_one_piece_each(balanced_areas(cost, heavy, pairs, centers, tolerance=0.1), pairs, centers)
    every = np.arange(30)
    own = balanced_areas(np.ones((30, 30)), weight, pairs, every, tolerance=0.2)
    assert own.tolist() == every.tolist()


def test_units_cut_off_from_every_center_are_named() -> None:
    with pytest.raises(InfeasibleError) as caught:
        balanced_areas(np.ones((5, 1)), np.ones(5), [(0, 1), (1, 2), (3, 4)], [0], tolerance=0.2)
    assert caught.value.rows == [3, 4]


@pytest.mark.parametrize(
    ("change"),
    [
        {"cost": np.ones((3, 2))},
        {"cost": np.full((4, 2), np.nan)},
        {"weight": [1, 1, 1, -1]},
        {"adjacency": [(0, 9)]},
        {"adjacency": np.ones((3, 3))},
        {"centers": [0, 0]},
        {"centers": [0, 7]},
        {"tolerance": 0.0},
    ],
)
def test_bad_input_is_refused(change: dict) -> None:
    good = {
        "cost": np.ones((4, 2)),
        "weight": np.ones(4),
        "adjacency": [(0, 1), (1, 2), (2, 3)],
        "centers": [0, 3],
        "tolerance": 0.2,
    }
    with pytest.raises(InvalidInput):
        balanced_areas(**(good | change))


# the network's own areas


def test_each_network_area_is_one_piece_around_its_point() -> None:
    roads = random_roads(7)
    areas = network_areas(roads.graph, [3, 12, 25])
    graph = nx.Graph()
    graph.add_nodes_from(range(40))
    graph.add_edges_from(zip(roads.tail.tolist(), roads.head.tolist(), strict=True))
    for number, source in enumerate((3, 12, 25)):
        nodes = np.flatnonzero(areas.owner == number)
        assert source in nodes
        assert nx.is_connected(graph.subgraph(nodes.tolist()))
    assert (np.isinf(areas.cost) == (areas.owner == -1)).all()


def test_area_polygons_share_out_the_district_exactly() -> None:
    rng = np.random.default_rng(3)
    node_xy = rng.random((200, 2)) * 1000
    node_xy[10] = node_xy[11]  # two nodes on one place
    owner = rng.integers(-1, 4, 200)
    owner[owner == 2] = -1
    district = shapely.Polygon([(0, 0), (1000, 0), (1000, 600), (400, 1000), (0, 800)])
    areas = area_polygons(node_xy, owner, 4, district)
    assert shapely.is_valid(areas).all()
    assert areas[2].is_empty
    assert shapely.area(areas).sum() == pytest.approx(district.area, rel=1e-9)
    assert shapely.union_all(areas).symmetric_difference(district).area < 1e-6
    for i in range(4):
        for j in range(i):
            assert areas[i].intersection(areas[j]).area < 1e-6
    known = np.flatnonzero(owner >= 0)
    places = rng.random((300, 2)) * 1000
    places = places[shapely.contains_xy(district, places)]
    nearest = known[np.hypot(*(places[:, None] - node_xy[known][None]).T).T.argmin(axis=1)]
    inside = shapely.contains_xy(areas[owner[nearest]], places[:, 0], places[:, 1])
    assert inside.all()


def test_one_owner_has_the_whole_district_and_none_has_nothing() -> None:
    district = shapely.box(0, 0, 9, 9)
    assert area_polygons([[1, 1], [5, 5]], [1, 1], 2, district).tolist() == [shapely.Polygon(), district]
    assert area_polygons([[1, 1]], [-1], 1, district)[0].is_empty
