"""What cannot be answered is an error with a sentence for people, or a clear answer, never a silent zero."""

from __future__ import annotations

import numpy as np
import pytest

from gridmap.analysis.areas import balanced_areas, network_areas
from gridmap.analysis.coverage import coverage, covered_share
from gridmap.analysis.network import RoadGraph
from gridmap.analysis.shapes import TravelRaster
from gridmap.analysis.siting import InfeasibleError, SolveStopped, lscp, mclp, p_center, p_median
from gridmap.analysis.whatif import WhatIf
from gridmap.errors import GridmapError, InvalidInput


def two_islands() -> RoadGraph:
    """Two streets of 300 m with nothing between them."""
    xy = [[0, 0], [300, 0], [5000, 0], [5300, 0]]
    return RoadGraph.from_edges(xy, [0, 2], [1, 3], [225.0, 225.0])


def test_a_disconnected_network_is_reported_and_its_far_part_unreached() -> None:
    graph = two_islands()
    assert graph.quality().component_sizes.tolist() == [2, 2]
    assert graph.quality().off_main.tolist() == [2, 3]
    point = graph.snap([[0, 0]], max_distance_m=10)
    homes = graph.snap([[150, 0], [5150, 0]], max_distance_m=10)
    cover = coverage(graph.point_cost(point, homes).T, [3, 4], 600)
    assert (cover.covered, cover.uncovered, cover.cost.unreached) == (3, 4, 4)
    with pytest.raises(InfeasibleError) as caught:
        p_median(graph.point_cost(point, homes).T, [3, 4], 1)
    assert caught.value.rows == [1]


def test_points_on_no_road_are_told_apart_and_cover_nobody() -> None:
    graph = two_islands()
    points = graph.snap([[150, 900], [150, 3]], max_distance_m=500)
    assert points.is_snapped.tolist() == [False, True]
    homes = graph.snap([[200, 0]], max_distance_m=500)
    cover = coverage(graph.point_cost(points, homes).T, [9], 600)
    assert cover.within.tolist() == [0, 9]
    assert WhatIf(graph, homes, [9], points, 600).close([1]).covered == 0


def test_zero_population_is_a_share_of_nothing_not_a_crash() -> None:
    cover = coverage([[5.0, 9.0], [7.0, np.inf]], [0, 0], 6)
    assert (cover.total, cover.covered, cover.covered_share) == (0, 0, 0)
    assert np.isnan(cover.cost.mean)
    assert p_median([[5.0, 9.0]], [0], 1).objective == 0
    assert mclp([[True, False]], [0], 1).is_optimal


def test_identical_points_share_what_they_cover() -> None:
    cover = coverage([[5.0, 5.0], [8.0, 8.0]], [2, 3], 6)
    assert cover.unique.tolist() == [0, 0]
    assert cover.by_times.tolist() == [3, 0, 2]
    assert cover.assigned.tolist() == [5, 0]
    raster = TravelRaster(two_islands(), cell_m=25)
    twice = network_areas(raster.graph, [1, 1])
    assert set(twice.owner.tolist()) == {0, -1}


@pytest.mark.parametrize("solve", ["median", "center", "mclp"])
def test_more_sites_than_candidates_is_refused(solve: str) -> None:
    ask = {
        "median": lambda: p_median([[1.0, 2.0]], [1], 3),
        "center": lambda: p_center([[1.0, 2.0]], 3),
        "mclp": lambda: mclp([[True, True]], [1], 3),
    }[solve]
    with pytest.raises(InfeasibleError) as caught:
        ask()
    assert (caught.value.p, caught.value.candidates) == (3, 2)
    assert "候选点" in caught.value.chinese()


def test_empty_layers_have_answers() -> None:
    assert coverage(np.zeros((0, 3)), [], 5).covered_share == 0
    without = coverage(np.zeros((4, 0)), [1, 1, 1, 1], 5)
    assert (without.covered, without.uncovered, without.cost.median) == (0, 4, np.inf)
    assert lscp(np.zeros((3, 0), bool)).assignment.tolist() == [-1, -1, -1]
    with pytest.raises(InfeasibleError):
        p_median(np.zeros((4, 0)), np.ones(4), 0)
    no_roads = RoadGraph.from_edges(np.zeros((0, 2)), [], [], [])
    homes = no_roads.snap([[0, 0]], max_distance_m=5)
    assert np.isinf(no_roads.point_cost(homes, homes)).all()
    with pytest.raises(InvalidInput):
        balanced_areas(np.zeros((4, 0)), np.ones(4), [], [], tolerance=0.2)


@pytest.mark.parametrize("threshold", [0, -1, np.nan, np.inf])
def test_a_threshold_of_nothing_is_refused_everywhere(threshold: float) -> None:
    graph = two_islands()
    one = graph.snap([[0, 0]], max_distance_m=5)
    for ask in (
        lambda: coverage([[1.0]], [1], threshold),
        lambda: covered_share([[0, 0]], [1], [[0, 0]], threshold),
        lambda: WhatIf(graph, one, [1], one, threshold),
        lambda: TravelRaster(graph, cell_m=25).reach(np.zeros(4), [threshold]),
    ):
        with pytest.raises(InvalidInput) as caught:
            ask()
        assert "大于 0" in caught.value.chinese()


def test_unreachable_demand_is_counted_listed_and_refused_where_it_must_be_served() -> None:
    cost = np.array([[1.0, 4.0], [np.inf, np.inf], [2.0, 3.0]])
    cover = coverage(cost, [1, 5, 1], 10)
    assert (cover.uncovered, cover.cost.unreached, cover.cost.p95) == (5, 5, np.inf)
    assert mclp(np.isfinite(cost), [1, 5, 1], 1).assignment.tolist() == [0, -1, 0]
    with pytest.raises(InfeasibleError) as caught:
        p_center(cost, 1)
    assert caught.value.rows == [1]
    assert "1 个需求点" in caught.value.chinese()


def test_a_cancelled_solve_returns_what_it_has_with_a_true_bound_or_says_that_it_has_nothing() -> None:
    rng = np.random.default_rng(9)
    xy = rng.random((120, 2))
    cost = np.hypot(*(xy[:, None] - xy[None]).T).T
    stopped = p_median(cost, np.ones(120), 8, should_stop=lambda: True)
    proven = p_median(cost, np.ones(120), 8)
    assert len(stopped.sites) == 8
    assert 0 < stopped.bound <= proven.objective <= stopped.objective
    assert not stopped.is_optimal
    early = p_center(cost, 8, should_stop=lambda: True)
    assert early.bound <= p_center(cost, 8).objective <= early.objective
    cover = mclp(cost < 0.1, np.ones(120), 8, should_stop=lambda: True)
    assert cover.objective <= mclp(cost < 0.1, np.ones(120), 8).objective <= cover.bound
    islands = np.where(np.eye(40, dtype=bool) | (rng.random((40, 40)) < 0.06), 1.0, np.inf)
    fewest = len(lscp(np.isfinite(islands)).sites)
    with pytest.raises(SolveStopped) as caught:
        p_median(islands, np.ones(40), fewest, should_stop=lambda: True)
    assert isinstance(caught.value, GridmapError)
    assert caught.value.chinese()


def test_degrees_in_place_of_metres_are_refused() -> None:
    with pytest.raises(InvalidInput, match="metres"):
        RoadGraph.from_edges(
            [[121.47, 30.92], [121.48, 30.93], [121.50, 30.95]],
            [0, 1],
            [1, 2],
            [60.0, 60.0],
            length_m=[1469, 2938],
        )
