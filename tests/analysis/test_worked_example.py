"""The town of docs/coverage.md, computed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import shapely

from gridmap.analysis.access import e2sfca, gini, two_step_fca
from gridmap.analysis.coverage import closures, coverage, line_coverage, pair_closures
from gridmap.analysis.network import RoadGraph
from gridmap.analysis.siting import lscp, mclp, p_center, p_median

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
HOMES = np.array([[100, 0], [100, 100], [400, 0], [400, 100], [600, 0]], float)
POINTS = np.array([[0, 0], [600, 100]], float)
PEOPLE = np.array([10.0, 20.0, 30.0, 40.0, 50.0])
T = 500.0


def costs(*, bridge: bool) -> np.ndarray:
    """Metres from home to point, then from home to home."""
    xy = [[0, 0], [200, 0], [600, 0], [0, 100], [200, 100], [600, 100]]
    edges = [(0, 1), (1, 2), (3, 4), (4, 5)] + ([(1, 4)] if bridge else [])
    tail, head = np.array(edges).T
    graph = RoadGraph.from_edges(xy, tail, head, np.ones(len(edges)))
    walls = [shapely.LineString([(-900, 50), (199, 50)]), shapely.LineString([(201, 50), (1500, 50)])]
    homes = graph.snap(HOMES, max_distance_m=1, barriers=walls)
    sites = graph.snap(np.vstack([POINTS, HOMES]), max_distance_m=1, barriers=walls)
    return graph.point_cost(sites, homes, by="length_m").T


def test_the_page_shows_the_costs_that_the_network_gives() -> None:
    text = PAGE.read_text("utf-8")
    rows = re.findall(r"\| h(\d) \| (\d+) \| (\d+) \| (\d+) \| (\d) \| P(\d) \|", text)
    assert len(rows) == 5
    cost = costs(bridge=True)[:, :2]
    cover = coverage(cost, PEOPLE, T)
    for row, (_, people, first, second, times, nearest) in enumerate(rows):
        assert PEOPLE[row] == float(people)
        assert cost[row] == pytest.approx([float(first), float(second)])
        assert cover.times[row] == int(times)
        assert cover.near.point[row, 0] + 1 == int(nearest)


def test_the_figures_of_the_page() -> None:
    cover = coverage(np.round(costs(bridge=True)[:, :2], 9), PEOPLE, T)
    assert (cover.covered, cover.uncovered, cover.total) == (100, 50, 150)
    assert cover.by_times.tolist() == [50, 40, 60]
    assert cover.within.tolist() == [100, 60]
    assert cover.unique.tolist() == [40, 0]
    assert cover.assigned.tolist() == [110, 40]
    assert (cover.cost.mean, cover.cost.median, cover.cost.p95) == (pytest.approx(59_000 / 150), 400, 600)
    assert closures(cover).lost.tolist() == [40, 0]
    assert pair_closures(cover)[0, 1] == 100
    assert line_coverage(HOMES, PEOPLE, POINTS, T).covered == 150


def test_without_the_bridge_the_canal_is_a_wall() -> None:
    cost = costs(bridge=False)[:, :2]
    assert cost.tolist() == [[100, np.inf], [np.inf, 500], [400, np.inf], [np.inf, 200], [600, np.inf]]
    assert coverage(cost, PEOPLE, T).by_times.tolist() == [50, 100, 0]


def test_the_access_of_the_page() -> None:
    cost = np.round(costs(bridge=True)[:, :2], 9)
    plain = two_step_fca(cost, PEOPLE, [2, 3], T)
    np.testing.assert_allclose(plain, [0.02, 0.07, 0.02, 0.07, 0])
    assert plain @ PEOPLE == pytest.approx(5)
    assert gini(plain, PEOPLE) == pytest.approx(0.4933, abs=5e-5)
    banded = e2sfca(cost, PEOPLE, [2, 3], [(200, 1), (400, 0.68), (500, 0.22)])
    np.testing.assert_allclose(banded, [0.0379, 0.0406, 0.0258, 0.0759, 0], atol=5e-5)


def test_the_sites_of_the_page() -> None:
    cost = np.round(costs(bridge=True), 9)
    fixed = [0, 1]
    most = mclp(cost <= T, PEOPLE, 1, fixed=fixed)
    assert (most.objective, most.is_optimal) == (150, True)
    assert most.sites[2] in (2, 4, 6)
    median = p_median(cost, PEOPLE, 1, fixed=fixed)
    assert (median.objective, median.sites.tolist()) == (23_000, [0, 1, 6])
    assert p_center(cost, 1, fixed=fixed).objective == 400
    assert lscp(cost <= T, fixed=fixed).objective == 3
