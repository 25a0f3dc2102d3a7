"""What-if figures equal a full recount, to the last person, wherever the point is dragged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.analysis.coverage import coverage
from gridmap.analysis.network import Direction
from gridmap.analysis.whatif import WhatIf
from gridmap.errors import InvalidInput
from tests.analysis.networks import random_roads

FROM, TO = Direction.FROM_SOURCES, Direction.TO_SOURCES


def a_town(
    seed: int, direction: Direction = FROM, *, ready: bool = False
) -> tuple[WhatIf, np.random.Generator]:
    rng = np.random.default_rng(seed)
    graph = random_roads(seed).graph
    demand = graph.snap(rng.random((120, 2)) * 1000, max_distance_m=150)
    points = graph.snap(rng.random((5, 2)) * 1000, max_distance_m=300)
    group = rng.integers(-1, 4, 120)
    whatif = WhatIf(
        graph,
        demand,
        rng.random(120) * 50,
        points,
        float(rng.choice([40.0, 120.0])),
        group=group,
        groups=4,
        ready=rng.random(5) * 20 if ready else None,
        direction=direction,
    )
    return whatif, rng


def recount(whatif: WhatIf, points: list[int], *more: tuple) -> float:
    """Covered people from scratch: these points and further (snap, ready) ones."""
    graph, options = whatif.graph, {"direction": whatif.direction}
    columns = [
        graph.point_cost(whatif.points.take(points), whatif.demand, **options).T + whatif.ready[points]
    ]
    columns += [graph.point_cost(snap, whatif.demand, **options).T + ready for snap, ready in more]
    return coverage(np.hstack(columns), whatif.weight, whatif.threshold).covered


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000), direction=st.sampled_from([FROM, TO]), ready=st.booleans())
def test_every_change_equals_a_full_recount(seed: int, direction: Direction, ready: bool) -> None:
    whatif, rng = a_town(seed, direction, ready=ready)
    everyone = list(range(5))
    today = whatif.today()
    assert today.covered == recount(whatif, everyone)
    assert today.gain == 0
    assert today.covered + today.uncovered == today.total
    for gone in ([], [2], [0, 4]):
        rest = [point for point in everyone if point not in gone]
        closed = whatif.close(gone)
        assert closed.covered == recount(whatif, rest)
        wait = float(rng.choice([0.0, 25.0]))
        drag = whatif.pick_up(gone, ready=wait, snap_distance_m=300)
        for _ in range(3):
            place = drag.snap(rng.random(2) * 1000)
            effect = drag.at(place)
            assert effect.covered == recount(whatif, rest, (place, wait))
            assert effect.gain == effect.covered - today.covered
            assert effect.by_group.sum() == effect.covered
            assert effect.gain_by_group.sum() == effect.gain
            assert effect.covered + effect.uncovered == effect.total
            assert whatif.weight[effect.is_covered].sum() == effect.covered
            again = whatif.change(closed=gone, added=place, ready=wait)
            assert again.covered == effect.covered
            assert (again.is_covered == effect.is_covered).all()


def test_closing_a_point_loses_its_unique_cover() -> None:
    whatif, _ = a_town(11)
    cover = coverage(whatif.cost.T, whatif.weight, whatif.threshold)
    assert cover.unique.sum() > 0
    assert [-whatif.close([point]).gain for point in range(5)] == cover.unique.tolist()


def test_putting_a_point_back_where_it_was_changes_nothing() -> None:
    whatif, _ = a_town(11)
    effect = whatif.pick_up([3]).at(whatif.points.take([3]))
    assert effect.gain == 0
    assert (effect.is_covered == whatif.today().is_covered).all()


@pytest.mark.parametrize("direction", [FROM, TO])
def test_node_seconds_equal_a_search_from_all_points(direction: Direction) -> None:
    for seed in range(6):
        whatif, rng = a_town(seed, direction, ready=True)
        drag = whatif.pick_up([1], ready=7.0)
        place = drag.snap(rng.random(2) * 1000)
        got = drag.node_seconds(place)
        rest = whatif.points.take([0, 2, 3, 4])
        first, _ = whatif.graph.nearest_to_points(
            rest, direction=direction, offset=whatif.ready[[0, 2, 3, 4]]
        )
        second, _ = whatif.graph.nearest_to_points(place, direction=direction, offset=[7.0])
        expected = np.minimum(first, second)
        near = expected <= whatif.threshold
        np.testing.assert_allclose(got[near], expected[near])
        assert (got[~near] >= expected[~near] - 1e-9).all()


def test_a_place_far_from_every_road_adds_nothing() -> None:
    whatif, _ = a_town(2)
    drag = whatif.pick_up([0])
    effect = drag.at(drag.snap([99_000, 0]))
    assert effect.covered == whatif.close([0]).covered
    assert np.array_equal(
        drag.node_seconds(drag.snap([99_000, 0])), drag.node_seconds(drag.snap([88_000, 0]))
    )


def test_no_points_and_no_demand_are_fine() -> None:
    graph = random_roads(1).graph
    nowhere = graph.snap([], max_distance_m=10)
    demand = graph.snap([[500, 500]], max_distance_m=400)
    whatif = WhatIf(graph, demand, [4], nowhere, 1e6)
    assert whatif.today().covered == 0
    drag = whatif.pick_up()
    assert drag.at(demand).gain == 4
    empty = WhatIf(graph, nowhere, [], demand, 60)
    assert empty.pick_up([0]).at(demand).covered_share == 0.0


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0},
        {"threshold": np.inf},
        {"weight": [1, 2]},
        {"weight": [-1]},
        {"group": [3], "groups": 2},
        {"ready": [1, 2]},
        {"ready": [-1]},
    ],
)
def test_bad_input_is_refused(change: dict) -> None:
    graph = random_roads(1).graph
    one = graph.snap([[500, 500]], max_distance_m=400)
    good = {"graph": graph, "demand": one, "weight": [1], "points": one, "threshold": 60}
    with pytest.raises(InvalidInput):
        WhatIf(**(good | change))
    whatif = WhatIf(**good)
    with pytest.raises(InvalidInput):
        whatif.close([1])
    with pytest.raises(InvalidInput):
        whatif.pick_up([-1])
    with pytest.raises(InvalidInput):
        whatif.pick_up([0], ready=-1)
