"""The number of points is data: 0, 1, 40 and 400 give answers whose figures add up."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from gridmap.analysis.access import e2sfca
from gridmap.analysis.areas import area_polygons, network_areas
from gridmap.analysis.coverage import closures, coverage, line_coverage, pair_closures
from gridmap.analysis.network import Direction
from gridmap.analysis.shapes import TravelRaster
from gridmap.analysis.siting import lscp, mclp, p_center, p_median
from gridmap.analysis.whatif import WhatIf
from tests.analysis.networks import random_roads

DISTRICT = shapely.box(0, 0, 1000, 1000)
LIMIT = 90.0


@pytest.mark.parametrize("count", [0, 1, 40, 400])
def test_every_analysis_answers_and_adds_up(count: int) -> None:
    rng = np.random.default_rng(count)
    graph = random_roads(5, n=120).graph
    homes_xy, points_xy = rng.random((300, 2)) * 1000, rng.random((count, 2)) * 1000
    people = rng.integers(0, 90, 300).astype(float)
    homes, points = (graph.snap(xy, max_distance_m=300) for xy in (homes_xy, points_xy))
    cost = graph.point_cost(points, homes, direction=Direction.TO_SOURCES).T
    cover = coverage(cost, people, LIMIT)
    assert cover.covered + cover.uncovered == cover.total == people.sum()
    grids = cover.by_group(rng.integers(-1, 6, 300), 6)
    assert grids.covered.sum() == cover.covered
    assert closures(cover).lost.tolist() == cover.unique.tolist()
    assert pair_closures(cover).shape == (count, count)
    assert line_coverage(homes_xy, people, points_xy, 200.0).total == cover.total

    officers = np.ones(count)
    access = e2sfca(cost, people, officers, [(30, 1.0), (LIMIT, 0.5)])
    used = ((cost <= LIMIT) & (people > 0)[:, None]).any(axis=0)
    assert access @ people == pytest.approx(used.sum())

    whatif = WhatIf(graph, homes, people, points, LIMIT, direction=Direction.TO_SOURCES)
    assert whatif.today().covered == cover.covered
    drag = whatif.pick_up([0] if count else [])
    place = drag.snap([500.0, 500.0])
    effect = drag.at(place)
    assert effect.covered + effect.uncovered == cover.total

    by_node, _ = graph.nearest_to_points(points, direction=Direction.TO_SOURCES)
    raster = TravelRaster(graph, cell_m=25, direction=Direction.TO_SOURCES)
    gaps = raster.gaps(
        by_node,
        LIMIT,
        DISTRICT,
        demand_xy=homes_xy,
        weight=people,
        cost=cover.near.cost[:, 0],
        sources=points,
    )
    assert gaps.people.sum() + gaps.elsewhere == cover.uncovered
    owner = network_areas(graph, graph.tail[points.edge[points.is_snapped]]).owner
    areas = area_polygons(graph.node_xy, owner, max(count, 1), DISTRICT)
    whole = DISTRICT.area if count else 0.0
    assert shapely.area(areas).sum() == pytest.approx(whole)


@pytest.mark.parametrize("count", [0, 1, 40, 400])
def test_every_siting_answers_beside_any_number_of_fixed_points(count: int) -> None:
    rng = np.random.default_rng(count + 1)
    homes, sites = rng.random((250, 2)), rng.random((count + 60, 2))
    cost = np.hypot(*(homes[:, None] - sites[None]).T).T
    fixed = range(count)
    people = rng.integers(1, 90, 250).astype(float)
    for answer in (
        p_median(cost, people, 5, fixed=fixed),
        p_center(cost, 5, fixed=fixed),
        mclp(cost <= 0.1, people, 5, fixed=fixed),
    ):
        assert answer.is_optimal
        assert answer.sites[:count].tolist() == list(fixed)
        assert len(set(answer.sites.tolist())) == count + 5
    assert lscp(cost <= 0.1, fixed=fixed).objective >= count
