"""Coverage on paper, its identities to the last bit, and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.analysis.coverage import (
    Coverage,
    closures,
    coverage,
    covered_share,
    exact_weights,
    line_cost,
    line_coverage,
    pair_closures,
    ranked,
    ranked_by_line,
    weighted_quantile,
)
from gridmap.errors import InvalidInput


def some_cover(seed: int, *, whole: bool = False) -> tuple[Coverage, np.ndarray]:
    """A random cover with ties, islands, nobody's rows, and its costs."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(0, 60)), int(rng.integers(0, 7))
    cost = np.round(rng.random((n, m)) * 20, int(rng.integers(0, 3)))
    cost[rng.random((n, m)) < 0.2] = np.inf
    weight = rng.integers(0, 9, n).astype(float) if whole else rng.random(n) * 10.0 ** rng.integers(-3, 4)
    return coverage(cost, weight, float(rng.choice([1.0, 5.0, 12.5]))), cost


# on paper


def test_a_street_of_five_houses() -> None:
    #  points at 0 and 400; houses at 0, 100, 200, 300, 1000 with 1, 2, 4, 8, 16 people; radius 250
    houses = np.c_[[0, 100, 200, 300, 1000], np.zeros(5)]
    points = [[0, 0], [400, 0]]
    cover = line_coverage(houses, [1, 2, 4, 8, 16], points, 250)
    assert cover.times.tolist() == [1, 1, 2, 1, 0]
    assert (cover.covered, cover.uncovered, cover.total) == (15, 16, 31)
    assert cover.by_times.tolist() == [16, 11, 4]
    assert cover.within.tolist() == [7, 12]
    assert cover.unique.tolist() == [3, 8]
    assert cover.assigned.tolist() == [7, 24]  # the middle house is 200 from both: the lower number
    assert cover.near.cost[:, 1].tolist() == [400, 300, 200, 300, 1000]
    assert (cover.cost.mean, cover.cost.median, cover.cost.p95) == ((200 + 800 + 800 + 9600) / 31, 600, 600)
    assert closures(cover).lost.tolist() == [3, 8]
    assert pair_closures(cover).tolist() == [[3, 15], [15, 8]]
    by_street = cover.by_group([0, 0, 1, 1, -1], 2)
    assert by_street.total.tolist() == [3, 12, 16]
    assert by_street.covered.tolist() == [3, 12, 0]
    assert by_street.covered_share.tolist() == [1, 1, 0]
    assert by_street.cost.mean.tolist() == [pytest.approx(200 / 3), pytest.approx(1600 / 12), 600]


def test_demand_on_the_radius_counts_as_covered() -> None:
    assert covered_share([[300, 400]], [5], [[0, 0]], 500) == 1.0
    assert covered_share([[300, 400.001]], [5], [[0, 0]], 500) == 0.0
    assert coverage([[15.0]], [1], 15).covered == 1
    third = np.float32(1 / 3)
    assert coverage(np.array([[third]], np.float32), [1], float(third)).covered == 1


def test_no_people_and_no_points_are_answers_not_errors() -> None:
    assert covered_share([], [], [[0, 0]], 100) == 0.0
    assert covered_share([[0, 0]], [0], [[0, 0]], 100) == 0.0
    cover = line_coverage([[0, 0], [1, 1]], [2, 3], [], 100)
    assert (cover.covered, cover.uncovered) == (0, 5)
    assert cover.unique.shape == (0,)
    assert pair_closures(cover).shape == (0, 0)
    assert closures(cover).order.tolist() == []
    assert cover.cost.unreached == 5
    assert math.isnan(cover.cost.mean)
    assert cover.cost.p95 == math.inf
    nobody = coverage(np.zeros((0, 2)), [], 1)
    assert nobody.covered_share == 0.0
    assert math.isnan(nobody.cost.median)


# identities


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1_000_000))
def test_identities_hold_to_the_last_bit(seed: int) -> None:
    cover, cost = some_cover(seed)
    rng = np.random.default_rng(seed)
    n, m = cost.shape
    assert cover.covered + cover.uncovered == cover.total
    assert cover.by_times.sum() == cover.total
    assert cover.by_times[1:].sum() == cover.covered
    for _ in range(3):  # any grouping, any order
        groups = int(rng.integers(1, 6))
        grouped = cover.by_group(rng.integers(-1, groups, n), groups)
        assert grouped.covered.sum() == cover.covered
        assert grouped.uncovered[::-1].sum() == cover.uncovered
        assert (grouped.covered + grouped.uncovered == grouped.total).all()
    closed = closures(cover)
    pairs = pair_closures(cover)
    for point in range(m):
        rest = np.delete(cost, point, axis=1)
        after = coverage(rest, cover.weight, cover.threshold)
        assert (
            cover.unique[point] == closed.lost[point] == pairs[point, point] == cover.covered - after.covered
        )
        assert after.cost.unreached == cover.cost.unreached + closed.cut_off[point]
        np.testing.assert_allclose(after.cost.mean, closed.mean[point], rtol=1e-9, equal_nan=True)
        for other in range(point):
            fewer = coverage(np.delete(cost, [point, other], axis=1), cover.weight, cover.threshold)
            assert pairs[point, other] == pairs[other, point] == cover.covered - fewer.covered
    added = np.c_[cost, rng.random(n) * 20]
    gain = coverage(added, cover.weight, cover.threshold)
    assert gain.unique[m] == gain.covered - cover.covered


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1_000_000), factor=st.floats(1.0, 3.0))
def test_a_larger_threshold_never_covers_fewer(seed: int, factor: float) -> None:
    cover, cost = some_cover(seed)
    wider = coverage(cost, cover.weight, cover.threshold * factor)
    assert wider.covered >= cover.covered
    assert (wider.times >= cover.times).all()
    assert (wider.within >= cover.within).all()


# brute force


def test_figures_equal_counting_people_one_by_one() -> None:
    for seed in range(40):
        cover, cost = some_cover(seed, whole=True)
        n, m = cost.shape
        people = np.repeat(np.arange(n), cover.weight.astype(int))
        best = np.sort(np.c_[cost, np.full((n, 2), np.inf)], axis=1)[people]
        assert cover.covered == (best[:, 0] <= cover.threshold).sum()
        assert cover.by_times[2] == (best[:, 1] <= cover.threshold).sum()
        assert cover.within.tolist() == [(cost[people, j] <= cover.threshold).sum() for j in range(m)]
        one_by_one = np.sort(best[:, 0])
        if len(people):
            assert cover.cost.median == one_by_one[math.ceil(0.5 * len(people)) - 1]
            assert cover.cost.p95 == one_by_one[math.ceil(0.95 * len(people)) - 1]
            assert cover.cost.unreached == np.isinf(one_by_one).sum()
        near = cover.near
        for row in range(n):
            order = [j for j in np.lexsort((np.arange(m), cost[row])).tolist() if np.isfinite(cost[row, j])][
                :3
            ]
            assert [point for point in near.point[row].tolist() if point >= 0] == order
            assert near.cost[row, : len(order)].tolist() == cost[row, order].tolist()


def test_straight_lines_measured_by_tree_and_by_matrix_agree() -> None:
    rng = np.random.default_rng(5)
    demand, points = rng.integers(0, 40, (300, 2)) * 25.0, rng.integers(0, 40, (12, 2)) * 25.0
    weight = rng.random(300)
    by_tree = line_coverage(demand, weight, points, 125.0)
    by_matrix = coverage(line_cost(demand, points), weight, 125.0)
    assert by_tree.covered == by_matrix.covered
    assert by_tree.within.tolist() == by_matrix.within.tolist()
    assert ranked_by_line(demand, points).cost.tolist() == ranked(line_cost(demand, points)).cost.tolist()
    assert by_tree.unique.sum() == by_matrix.unique.sum()
    assert 0 < by_tree.covered_share < 1


@pytest.mark.parametrize("points", [1, 40, 400])
def test_any_number_of_points_works(points: int) -> None:
    rng = np.random.default_rng(points)
    cover = coverage(rng.random((500, points)), np.ones(500), 0.001)
    assert cover.covered + cover.uncovered == 500
    assert closures(cover).lost.sum() == cover.by_times[1]


# weights


@settings(max_examples=60, deadline=None)
@given(
    weight=st.lists(st.floats(0, 1e12, allow_subnormal=False), max_size=40),
    seed=st.integers(0, 1000),
)
def test_exact_weights_add_up_alike_in_any_order_and_hardly_change(weight: list[float], seed: int) -> None:
    exact = exact_weights(weight)
    assert exact.sum() == math.fsum(exact) == np.random.default_rng(seed).permutation(exact).sum()
    assert np.abs(exact - np.array(weight)).max(initial=0.0) <= 2.0**-51 * max(sum(weight), 1e-300)


def test_whole_people_stay_whole() -> None:
    assert exact_weights([1, 2, 3_000_000_001]).tolist() == [1, 2, 3_000_000_001]


def test_a_quantile_is_the_least_value_that_holds_the_share() -> None:
    assert weighted_quantile([3, 1, 2], [1, 1, 2], 0.25) == 1
    assert weighted_quantile([3, 1, 2], [1, 1, 2], 0.2500001) == 2
    assert weighted_quantile([3, 1, 2], [1, 1, 2], 0.75) == 2
    assert weighted_quantile([3, 1, np.inf], [1, 1, 2], 0.5) == 3
    assert weighted_quantile([3, 1, np.inf], [1, 1, 2], 0.51) == np.inf
    assert weighted_quantile([7, 8], [0, 1], 0.0) == 8
    assert math.isnan(weighted_quantile([], [], 0.5))


# refusals


@pytest.mark.parametrize(
    "ask",
    [
        lambda: covered_share([[0, 0]], [1], [[0, 0]], 0),
        lambda: covered_share([[0, 0]], [1], [[0, 0]], -5),
        lambda: covered_share([[0, 0]], [1], [[0, 0]], np.nan),
        lambda: covered_share([[0, 0]], [-1], [[0, 0]], 5),
        lambda: covered_share([[0, 0]], [1, 2], [[0, 0]], 5),
        lambda: covered_share([[0, 0, 0]], [1], [[0, 0]], 5),
        lambda: covered_share([[0, np.nan]], [1], [[0, 0]], 5),
        lambda: coverage([[1.0, np.nan]], [1], 5),
        lambda: coverage([[1.0, -1.0]], [1], 5),
        lambda: coverage([1.0], [1], 5),
        lambda: coverage([[1.0]], [1, 1], 5),
        lambda: coverage([[1.0]], [np.inf], 5),
        lambda: coverage([[1.0]], [[1]], 5),
        lambda: coverage([[1.0]], [1], 5).by_group([3], 2),
        lambda: coverage([[1.0]], [1], 5).by_group([0, 0], 2),
    ],
)
def test_bad_input_is_a_value_error_with_a_chinese_sentence(ask: object) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any message, but ours
        ask()  # type: ignore[operator]
    assert isinstance(caught.value, InvalidInput)
    assert caught.value.chinese()
