"""Snapping to edges: exactness, distance, walls."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import shapely.ops
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.analysis.network import RoadGraph
from gridmap.analysis.snapping import snap


def roads(node_xy: list, edges: list[tuple[int, int]]) -> RoadGraph:
    tail, head = np.array(edges).T
    return RoadGraph.from_edges(node_xy, tail, head, np.ones(len(edges)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_the_snapped_place_is_the_nearest_of_all_edges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    node_xy = rng.random((30, 2)) * rng.choice([30.0, 3000.0])
    tail, head = rng.integers(0, 30, (2, 60))
    graph = RoadGraph.from_edges(node_xy, tail, head, np.ones(60), length_m=np.ones(60))
    points = (rng.random((40, 2)) * 1.4 - 0.2) * node_xy.max()
    most = float(rng.choice([5.0, 100.0, 5000.0]))
    lines = shapely.linestrings(np.stack([node_xy[tail], node_xy[head]], axis=1))
    gap = shapely.distance(shapely.points(points)[:, None], lines[None])
    snapped = graph.snap(points, max_distance_m=most)
    assert (snapped.is_snapped == (gap.min(axis=1) <= most)).all()
    on = snapped.is_snapped
    np.testing.assert_allclose(snapped.offset_m[on], gap.min(axis=1)[on], atol=1e-9)
    place = (
        node_xy[tail][snapped.edge[on]]
        + snapped.fraction[on, None] * (node_xy[head] - node_xy[tail])[snapped.edge[on]]
    )
    np.testing.assert_allclose(np.hypot(*(place - points[on]).T), snapped.offset_m[on], atol=1e-9)
    assert (snapped.edge[~on] == -1).all()
    assert np.isinf(snapped.offset_m[~on]).all()


def test_a_point_exactly_at_the_distance_snaps_and_a_missing_place_does_not() -> None:
    graph = roads([[0, 0], [100, 0]], [(0, 1)])
    snapped = graph.snap([[25, 30], [25, 30.001], [np.nan, 0]], max_distance_m=30)
    assert snapped.is_snapped.tolist() == [True, False, False]
    assert snapped.fraction[0] == pytest.approx(0.25)
    assert len(graph.snap([], max_distance_m=30)) == 0


def test_a_snap_across_a_canal_goes_to_the_own_bank_instead() -> None:
    #  the house at y=20 is nearer to the road at y=0, but the canal runs at y=10
    graph = roads([[0, 0], [100, 0], [0, 60], [100, 60]], [(0, 1), (2, 3)])
    canal = shapely.LineString([(-50, 10), (150, 10)])
    assert graph.snap([[50, 20]], max_distance_m=100).edge.tolist() == [0]
    snapped = graph.snap([[50, 20]], max_distance_m=100, barriers=[canal])
    assert snapped.edge.tolist() == [1]
    assert snapped.offset_m.tolist() == [40]
    snapped = graph.snap([[50, 20]], max_distance_m=39, barriers=[canal])
    assert snapped.edge.tolist() == [-1]  # refused rather than led through water


def test_water_as_an_area_blocks_and_a_gap_in_it_does_not() -> None:
    graph = roads([[0, 0], [100, 0]], [(0, 1)])
    water = [shapely.box(-50, 5, 40, 10), shapely.box(60, 5, 150, 10), shapely.Polygon()]
    snapped = graph.snap([[50, 20], [20, 20], [20, 7]], max_distance_m=100, barriers=water)
    assert snapped.edge.tolist() == [0, -1, -1]


def test_a_road_along_the_bank_is_reached_from_the_bank() -> None:
    graph = roads([[0, 0], [100, 0]], [(0, 1)])
    bank = shapely.LineString([(-50, 0), (150, 0)])
    # the line ends on the barrier, which the road itself runs along: touching is not crossing
    assert graph.snap([[50, 20], [50, 0]], max_distance_m=100, barriers=[bank]).edge.tolist() == [0, 0]
    jetty = shapely.LineString([(50, 20), (50, 60)])
    assert graph.snap([[50, 20]], max_distance_m=100, barriers=[jetty]).edge.tolist() == [0]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_behind_walls_the_nearest_reachable_edge_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    node_xy = rng.random((40, 2)) * 300
    tail, head = rng.integers(0, 40, (2, 50))
    graph = RoadGraph.from_edges(node_xy, tail, head, np.ones(50), length_m=np.ones(50))
    points = rng.random((30, 2)) * 300
    ends = rng.random((6, 2, 2)) * 300
    walls = list(shapely.linestrings(ends))
    snapped = graph.snap(points, max_distance_m=150, barriers=walls)
    lines = shapely.linestrings(np.stack([node_xy[tail], node_xy[head]], axis=1))
    for row, place in enumerate(shapely.points(points)):
        gaps = []
        for edge, line in enumerate(lines):
            way = shapely.shortest_line(place, line)
            # the last centimetre at either end is standing on the wall, not crossing it
            inner = (
                shapely.ops.substring(way, 0.01, way.length - 0.01) if way.length > 0.02 else shapely.Point()
            )
            if way.length <= 150 and not any(inner.intersects(wall) for wall in walls):
                gaps.append((way.length, edge))
        if gaps:
            assert snapped.offset_m[row] == pytest.approx(min(gaps)[0], abs=1e-9)
        else:
            assert snapped.edge[row] == -1


def test_the_quick_look_is_at_most_half_a_sample_off() -> None:
    rng = np.random.default_rng(6)
    node_xy = rng.random((60, 2)) * 800
    tail, head = rng.integers(0, 60, (2, 90))
    graph = RoadGraph.from_edges(node_xy, tail, head, np.ones(90), length_m=np.ones(90))
    points = rng.random((400, 2)) * 800
    exact = graph.snap(points, max_distance_m=100)
    quick = snap(graph.edge_index, points, max_distance_m=100, is_exact=False)
    both = exact.is_snapped & quick.is_snapped
    assert (quick.offset_m[both] <= exact.offset_m[both] + 6).all()
    assert (exact.is_snapped == quick.is_snapped).mean() > 0.98
