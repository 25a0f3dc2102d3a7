"""A search from a moving place costs what a fresh one does, wherever the place goes."""

from __future__ import annotations

import numpy as np
import pytest

from gridmap.analysis.network import Direction
from gridmap.analysis.point_search import PointSearch
from tests.analysis.networks import random_roads

FROM, TO = Direction.FROM_SOURCES, Direction.TO_SOURCES


@pytest.mark.parametrize("by", ["seconds", "length_m"])
@pytest.mark.parametrize("direction", [FROM, TO])
def test_a_moving_search_costs_what_a_fresh_one_does(by: str, direction: Direction) -> None:
    for seed in range(6):
        graph = random_roads(seed).graph
        rng = np.random.default_rng(seed)
        targets = graph.snap(rng.random((50, 2)) * 1000, max_distance_m=200)
        search = PointSearch(graph, targets, by=by, direction=direction)
        everyone = search.targets(np.arange(50))
        for place in rng.random((4, 2)) * 1000:
            snap = graph.snap([place], max_distance_m=400)
            expected = graph.point_cost(snap, targets, by=by, direction=direction)[0]
            np.testing.assert_array_equal(search.seconds(snap, everyone), expected)
            limited = search.seconds(snap, everyone, limit=80)
            np.testing.assert_array_equal(limited, np.where(expected <= 80, expected, np.inf))
