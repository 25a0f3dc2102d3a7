"""Network costs against NetworkX and on paper; bad input."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.analysis._hilbert import hilbert_order
from gridmap.analysis.network import Direction, RoadGraph
from gridmap.errors import InvalidInput
from tests.analysis.networks import Roads, least_costs, random_roads, with_points

FROM, TO = Direction.FROM_SOURCES, Direction.TO_SOURCES


def nothing_snapped(roads: Roads, by: str) -> nx.DiGraph:
    return with_points(roads, roads.graph.snap(np.zeros((0, 2)), max_distance_m=1), by, 1.0)


def line_of(nodes: int, *, oneway: bool = False) -> RoadGraph:
    """Nodes 100 m apart on a line, 10 s between neighbours."""
    xy = np.c_[np.arange(nodes) * 100.0, np.zeros(nodes)]
    tail = np.arange(nodes - 1)
    return RoadGraph.from_edges(
        xy, tail, tail + 1, np.full(nodes - 1, 10.0), oneway=np.full(nodes - 1, oneway)
    )


@pytest.mark.parametrize("by", ["seconds", "length_m"])
@pytest.mark.parametrize("direction", [FROM, TO])
def test_costs_equal_networkx(by: str, direction: Direction) -> None:
    for seed in range(12):
        roads = random_roads(seed)
        rng = np.random.default_rng(seed)
        sources, targets = rng.integers(0, 40, 7), rng.integers(0, 40, 11)
        expected = least_costs(
            nothing_snapped(roads, by), sources.tolist(), targets.tolist(), reverse=direction is TO
        )
        for a, b, want in ((sources, targets, expected), (sources, targets[:3], expected[:, :3])):
            got = roads.graph.cost(a, b, by=by, direction=direction)
            np.testing.assert_allclose(got, want, rtol=1e-12)
        limit = float(np.median(expected[np.isfinite(expected)]))
        got = roads.graph.cost(sources, targets, limit=limit, by=by, direction=direction)
        np.testing.assert_allclose(
            got, np.where(expected <= limit * (1 + 1e-12), expected, np.inf), rtol=1e-12
        )


def test_a_cost_of_exactly_the_limit_is_within_it() -> None:
    graph = line_of(4)
    assert graph.cost([0], [0, 1, 2, 3], limit=20).tolist() == [[0, 10, 20, np.inf]]
    assert graph.nearest([0], limit=20)[0].tolist() == [0, 10, 20, np.inf]
    assert graph.cost([0], [3], by="length_m").tolist() == [[300]]


def test_one_way_streets_bind_and_direction_turns_them() -> None:
    graph = line_of(3, oneway=True)
    assert graph.cost([0, 2], [0, 2]).tolist() == [[0, 20], [np.inf, 0]]
    assert graph.cost([0, 2], [0, 2], direction=TO).tolist() == [[0, np.inf], [20, 0]]
    assert graph.nearest([1])[1].tolist() == [-1, 0, 0]
    assert graph.nearest([1], direction=TO)[1].tolist() == [0, 0, -1]


def test_of_parallel_edges_the_cheapest_counts_for_each_measure() -> None:
    graph = RoadGraph.from_edges([[0, 0], [1, 0]], [0, 1, 0], [1, 0, 0], [9, 5, 1], length_m=[2, 7, 1])
    assert graph.cost([0], [1]).tolist() == [[5]]
    assert graph.cost([0], [1], by="length_m").tolist() == [[2]]
    assert graph.quality().parallel.tolist() == [0]
    assert graph.quality().loops.tolist() == [2]


def test_repeated_sources_and_empty_lists_keep_their_shape() -> None:
    graph = line_of(3)
    assert graph.cost([2, 0, 2], [1, 1]).tolist() == [[10, 10], [10, 10], [10, 10]]
    assert graph.cost([], [1, 2]).shape == (0, 2)
    assert graph.cost([1], []).shape == (1, 0)
    cost, source = graph.nearest([])
    assert np.isinf(cost).all()
    assert (source == -1).all()
    empty = RoadGraph.from_edges(np.zeros((0, 2)), [], [], [])
    assert empty.nearest([])[0].shape == (0,)
    assert empty.quality().main_share == 1.0
    assert not empty.snap([[0, 0]], max_distance_m=5).is_snapped.any()


@pytest.mark.parametrize("direction", [FROM, TO])
def test_nearest_equals_the_least_of_all_costs(direction: Direction) -> None:
    for seed in range(12):
        graph = random_roads(seed).graph
        rng = np.random.default_rng(seed)
        sources = rng.integers(0, 40, 5)  # repeats on purpose
        offset = rng.choice([0.0, 3.0, 50.0], 5) if seed % 2 else None
        everything = graph.cost(sources, np.arange(40), direction=direction)
        everything += (np.zeros(5) if offset is None else offset)[:, None]
        cost, source = graph.nearest(sources, direction=direction, offset=offset)
        np.testing.assert_allclose(cost, everything.min(axis=0), rtol=1e-12)
        reached = np.isfinite(cost)
        assert (source[~reached] == -1).all()
        np.testing.assert_allclose(everything[source[reached], np.flatnonzero(reached)], cost[reached])


def test_nearest_splits_the_network_into_connected_parts() -> None:
    roads = random_roads(3)
    sources = np.array([1, 17, 30])
    _, source = roads.graph.nearest(sources)
    whole = nx.DiGraph(nothing_snapped(roads, "seconds"))
    for place in range(3):
        part = whole.subgraph(np.flatnonzero(source == place).tolist())
        reached = nx.descendants(part, int(sources[place])) | {int(sources[place])}
        assert reached == set(part.nodes)


@pytest.mark.parametrize("by", ["seconds", "length_m"])
@pytest.mark.parametrize("direction", [FROM, TO])
def test_point_costs_equal_networkx_with_edges_cut_at_the_points(by: str, direction: Direction) -> None:
    for seed in range(10):
        roads = random_roads(seed)
        rng = np.random.default_rng(seed)
        points = rng.random((16, 2)) * 1000
        points[8:12] = points[4:8] + rng.random((4, 2))  # neighbours on one edge
        snap = roads.graph.snap(points, max_distance_m=120)
        off_road = 1.0 if by == "length_m" else 1 / 1.5
        cut = with_points(roads, snap, by, off_road)
        names = [("point", k) for k in range(16)]
        expected = least_costs(cut, names[:6], names, reverse=direction is TO)
        rows, columns = snap.take(np.arange(6)), snap
        got = roads.graph.point_cost(rows, columns, by=by, direction=direction, off_road_mps=1.5)
        # a point is nowhere but at itself, although the formula walks to the road and back
        mine = np.arange(6)
        expected[mine, mine] = got[mine, mine]
        np.testing.assert_allclose(got, expected, rtol=1e-9)
        turned = FROM if direction is TO else TO
        back = roads.graph.point_cost(columns, rows, by=by, direction=turned, off_road_mps=1.5)
        np.testing.assert_allclose(back.T, got, rtol=1e-12)
        limit = float(np.nanmedian(got[np.isfinite(got)]))
        near = roads.graph.point_cost(
            rows, columns, limit=limit, by=by, direction=direction, off_road_mps=1.5
        )
        np.testing.assert_allclose(near, np.where(got <= limit, got, np.inf), rtol=1e-12)


def test_points_on_one_edge_need_not_go_round_by_its_ends() -> None:
    graph = line_of(2)
    snap = graph.snap([[20, 0], [50, 0], [50, 5]], max_distance_m=10)
    seconds = graph.point_cost(snap, snap, off_road_mps=1.0)
    np.testing.assert_allclose(seconds, [[0, 3, 8], [3, 0, 5], [8, 5, 10]])


def test_the_way_along_a_one_way_edge_runs_forward_only() -> None:
    graph = line_of(2, oneway=True)
    snap = graph.snap([[20, 0], [50, 0]], max_distance_m=10)
    np.testing.assert_allclose(graph.point_cost(snap, snap), [[0, 3], [np.inf, 0]])
    np.testing.assert_allclose(graph.point_cost(snap, snap, direction=TO), [[0, np.inf], [3, 0]])


def test_nearest_to_points_takes_the_nearer_end_and_the_time_to_get_ready() -> None:
    graph = line_of(5)
    snap = graph.snap([[20, 0], [390, 3], [9000, 0]], max_distance_m=50)
    assert snap.is_snapped.tolist() == [True, True, False]
    cost, source = graph.nearest_to_points(snap, off_road_mps=1.0)
    np.testing.assert_allclose(cost, [2, 8, 18, 12, 4])  # the middle is nearer to the first by one second
    assert source.tolist() == [0, 0, 0, 1, 1]
    cost, source = graph.nearest_to_points(snap, offset=[15, 0, 0], off_road_mps=1.0)
    np.testing.assert_allclose(cost, [17, 23, 22, 12, 4])
    assert source.tolist() == [0, 0, 1, 1, 1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_costs_obey_the_triangle_and_node_numbers_are_the_callers(seed: int) -> None:
    roads = random_roads(seed, n=20)
    everyone = np.arange(20)
    cost = roads.graph.cost(everyone, everyone)
    assert (np.diagonal(cost) == 0).all()
    for via in range(20):
        assert (cost <= cost[:, [via]] + cost[[via], :] + 1e-9).all()
    order = np.random.default_rng(seed).permutation(20)
    place = np.argsort(order)
    again = RoadGraph.from_edges(
        roads.node_xy[order], place[roads.tail], place[roads.head], roads.seconds, oneway=roads.oneway
    )
    np.testing.assert_allclose(again.cost(place, place), cost)


def test_the_hilbert_curve_steps_from_cell_to_neighbouring_cell() -> None:
    x, y = np.meshgrid(np.arange(16), np.arange(16))
    xy = np.c_[x.ravel(), y.ravel()].astype(float)
    walk = xy[hilbert_order(xy)]
    assert (np.abs(np.diff(walk, axis=0)).sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({"seconds": [1.0, 0.0]}, [1]),
        ({"seconds": [-1.0, 2.0]}, [0]),
        ({"seconds": [1.0, np.nan]}, [1]),
        ({"seconds": [np.inf, 1.0]}, [0]),
        ({"tail": [0, 7]}, [1]),
        ({"head": [-1, 0]}, [0]),
        ({"length_m": [1.0, 0.0]}, [1]),
        ({"node_xy": [[0.0, np.nan], [1.0, 1.0]]}, [0]),
        ({"seconds": [1.0]}, None),
        ({"length_m": [1.0]}, None),
        ({"oneway": [True]}, None),
        ({"tail": [0.5, 1.0]}, None),
        ({"node_xy": [[0.0, 1.0, 2.0]]}, None),
    ],
)
def test_bad_edges_are_refused_by_row(change: dict, rows: list[int] | None) -> None:
    good = {"node_xy": [[0.0, 0.0], [1.0, 1.0]], "tail": [0, 1], "head": [1, 0], "seconds": [1.0, 2.0]}
    with pytest.raises(InvalidInput) as caught:
        RoadGraph.from_edges(**(good | change))
    if rows is not None:
        assert caught.value.rows == rows


def test_bad_questions_are_refused() -> None:
    graph = line_of(3)
    for ask in (
        lambda: graph.cost([3], [0]),
        lambda: graph.cost([0], [0], limit=-1),
        lambda: graph.cost([0], [1], by="minutes"),  # type: ignore[arg-type]
        lambda: graph.nearest([0], offset=[-1]),
        lambda: graph.nearest([0], offset=[1, 2]),
        lambda: graph.snap([[0, 0]], max_distance_m=0),
        lambda: graph.snap([[0, 0, 0]], max_distance_m=5),
        lambda: graph.point_cost(
            graph.snap([[0, 0]], max_distance_m=5), graph.snap([[9, 0]], max_distance_m=5), off_road_mps=0
        ),
    ):
        with pytest.raises(InvalidInput):
            ask()


# a real network


@pytest.mark.parametrize("by", ["seconds", "length_m"])
def test_a_hundred_real_pairs_equal_networkx(futian: Roads, by: str) -> None:
    rng = np.random.default_rng(0)
    sources, targets = rng.integers(0, len(futian.node_xy), (2, 10))
    expected = least_costs(nothing_snapped(futian, by), sources.tolist(), targets.tolist())
    got = futian.graph.cost(sources, targets, by=by)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert np.isfinite(got).mean() > 0.5
    assert not np.allclose(got, futian.graph.cost(sources, targets, by=by, direction=TO))
