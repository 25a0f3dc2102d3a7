"""Floating catchments on paper and against the formula read literally; Lorenz and Gini."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.analysis.access import e2sfca, gini, lorenz, two_step_fca
from gridmap.errors import InvalidInput


def literal(cost: np.ndarray, demand: np.ndarray, supply: np.ndarray, bands: list) -> np.ndarray:
    """The two steps as the papers print them, one pair at a time."""
    n, m = cost.shape

    def weight(value: float) -> float:
        return next((w for upper, w in bands if value <= upper), 0.0)

    ratio = []
    for j in range(m):
        crowd = sum(demand[k] * weight(cost[k, j]) for k in range(n))
        ratio.append(supply[j] / crowd if crowd > 0 else 0.0)
    return np.array([sum(ratio[j] * weight(cost[i, j]) for j in range(m)) for i in range(n)])


def test_two_villages_share_two_stations() -> None:
    #  station 0 (6 officers) serves both villages, station 1 (4 officers) the second only
    cost = [[10.0, 40.0], [15.0, 5.0]]
    access = two_step_fca(cost, [100, 200], [6, 4], 15)
    np.testing.assert_allclose(access, [6 / 300, 6 / 300 + 4 / 200])
    assert access @ [100, 200] == pytest.approx(10)


def test_nearer_bands_count_more() -> None:
    access = e2sfca([[5.0], [15.0], [99.0]], [100, 50, 70], [10], [(10, 1.0), (30, 0.5)])
    np.testing.assert_allclose(access, [10 / 125, 5 / 125, 0])


def test_a_station_that_nobody_reaches_is_nobodys() -> None:
    np.testing.assert_array_equal(two_step_fca([[np.inf, 3.0]], [10], [5, 5], 10), [0.5])
    np.testing.assert_array_equal(two_step_fca([[1.0]], [0], [5], 10), [0.0])
    assert two_step_fca(np.zeros((0, 2)), [], [5, 5], 10).shape == (0,)
    np.testing.assert_array_equal(two_step_fca(np.zeros((2, 0)), [1, 1], [], 10), [0, 0])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1_000_000))
def test_access_equals_the_formula_and_gives_out_all_supply(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 25)), int(rng.integers(1, 6))
    cost = np.round(rng.random((n, m)) * 30)
    cost[rng.random((n, m)) < 0.2] = np.inf
    demand, supply = rng.integers(0, 50, n).astype(float), rng.random(m) * 9
    bands = [(8.0, 1.0), (17.0, 0.68), (25.0, 0.22)]
    access = e2sfca(cost, demand, supply, bands)
    np.testing.assert_allclose(access, literal(cost, demand, supply, bands), atol=1e-12)
    used = ((cost <= 25) & (demand > 0)[:, None]).any(axis=0)
    assert access @ demand == pytest.approx(supply[used].sum())
    plain = two_step_fca(cost, demand, supply, 17)
    np.testing.assert_allclose(plain, literal(cost, demand, supply, [(17.0, 1.0)]), atol=1e-12)


def test_gini_knows_its_ends_and_a_paper_case() -> None:
    assert gini([3, 3, 3], [1, 5, 2]) == pytest.approx(0)
    assert gini([0, 0, 0], [1, 5, 2]) == 0
    assert gini([], []) == 0
    assert gini([0] * 999 + [1], np.ones(1000)) == pytest.approx(0.999)
    # half the people have a quarter of the access: triangle 0.25 below the diagonal
    assert gini([1, 3], [1, 1]) == pytest.approx(0.25)
    heads, amounts = lorenz([3, 1], [1, 1])
    np.testing.assert_allclose(heads, [0, 0.5, 1])
    np.testing.assert_allclose(amounts, [0, 0.25, 1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1_000_000))
def test_gini_equals_the_mean_difference_and_ignores_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    access, people = rng.random(12), rng.integers(0, 6, 12).astype(float)
    if people.sum() == 0:
        people[0] = 1
    share = people / people.sum()
    mean = share @ access
    difference = (share[:, None] * share[None] * np.abs(access[:, None] - access[None])).sum()
    assert gini(access, people) == pytest.approx(difference / (2 * mean), abs=1e-12)
    assert gini(access * 7, people * 3) == pytest.approx(gini(access, people), abs=1e-12)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: two_step_fca([[1.0]], [1], [1], 0),
        lambda: two_step_fca([[1.0]], [1, 2], [1], 5),
        lambda: two_step_fca([[1.0]], [1], [-1], 5),
        lambda: two_step_fca([[np.nan]], [1], [1], 5),
        lambda: two_step_fca([[1.0]], [np.nan], [1], 5),
        lambda: e2sfca([[1.0]], [1], [1], []),
        lambda: e2sfca([[1.0]], [1], [1], [(9, 1), (5, 0.5)]),
        lambda: e2sfca([[1.0]], [1], [1], [(9, -1)]),
        lambda: gini([1, 2], [1]),
        lambda: gini([-1], [1]),
    ],
)
def test_bad_input_is_refused(ask: object) -> None:
    with pytest.raises(InvalidInput):
        ask()  # type: ignore[operator]
