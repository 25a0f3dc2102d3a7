"""Siting with capacities against brute force, on paper, as laws, and what cannot be done."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from gridmap.analysis import _allocate, _capacity, _limited
from gridmap.analysis.siting import InfeasibleError, Progress, Siting, SolveStopped, mclp, p_median
from gridmap.errors import InvalidInput, TooLarge
from tests.analysis.siting_cases import Case, road_like_costs

SEEDS = range(60)


def limited_case(seed: int) -> tuple[Case, np.ndarray]:
    """At most six rows, five sites and three open ones, with capacities about as large as the demand."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 7)), int(rng.integers(1, 6))
    fixed = tuple(rng.permutation(m)[: int(rng.integers(0, 2))].tolist())
    p = int(rng.integers(0, min(3, m - len(fixed)) + 1))
    cost = rng.integers(0, 12, (n, m)).astype(float) if seed % 2 else rng.random((n, m)) * 9
    if seed % 3 == 0:
        cost[rng.random((n, m)) < 0.25] = np.inf
    weight = rng.choice([0.0, 1.0, 2.0, 5.0], n) if seed % 4 else rng.random(n) * 3
    open_ = max(1, p + len(fixed))
    capacity = weight.sum() / open_ * (0.9 + rng.random(m))
    if seed % 5 == 0:
        capacity[0] = np.inf
    return Case(cost, weight, p, fixed), capacity


def best_sharing(case: Case, capacity: np.ndarray) -> tuple[float, float]:
    """By trying every choice and every owner: least cost of serving all, and most weight in reach."""
    rows = np.flatnonzero(case.weight > 0)
    weight, cost, reach = case.weight[rows], case.cost[rows], case.reach[rows]
    least, most = np.inf, 0.0
    for choice in case.choices():
        for owners in itertools.product([*choice, -1], repeat=len(rows)):
            owner = np.array(owners, int)
            served = owner >= 0
            load = np.bincount(owner[served], weight[served], minlength=case.cost.shape[1])
            if (load > capacity * (1 + 1e-9)).any():
                continue
            at = np.flatnonzero(served)
            if served.all():
                least = min(least, float(weight @ cost[at, owner[at]]))
            if reach[at, owner[at]].all():
                most = max(most, float(weight[at].sum()))
    return least, most


def holds(answer: Siting, case: Case, capacity: np.ndarray) -> bool:
    served = (answer.assignment >= 0) & (case.weight > 0)
    load = np.bincount(answer.assignment[served], case.weight[served], minlength=len(capacity))
    return bool((load <= capacity * (1 + 1e-9)).all()) and set(answer.assignment) <= {*answer.sites, -1}


@pytest.mark.parametrize("block", range(3))
def test_sites_with_capacities_equal_brute_force(block: int) -> None:
    for seed in SEEDS[block::3]:
        case, capacity = limited_case(seed)
        least, most = best_sharing(case, capacity)
        cover = mclp(case.reach, case.weight, case.p, fixed=case.fixed, capacity=capacity)
        assert cover.objective == pytest.approx(most, rel=1e-9, abs=1e-12)
        assert cover.is_optimal
        assert holds(cover, case, capacity)
        served = np.flatnonzero(cover.assignment >= 0)
        assert case.reach[served, cover.assignment[served]].all()
        if np.isinf(least):
            with pytest.raises(InfeasibleError) as caught:
                p_median(case.cost, case.weight, case.p, fixed=case.fixed, capacity=capacity)
            assert caught.value.chinese().endswith("。")
            continue
        median = p_median(case.cost, case.weight, case.p, fixed=case.fixed, capacity=capacity)
        assert median.objective == pytest.approx(least, rel=1e-9, abs=1e-12)
        assert median.is_optimal
        assert median.gap == 0
        assert median.bound == pytest.approx(median.objective)
        assert holds(median, case, capacity)
        assert tuple(median.sites[: len(case.fixed)].tolist()) == case.fixed
        assert len(set(median.sites.tolist())) == case.p + len(case.fixed)


def test_a_street_for_paper() -> None:
    """Homes at 0, 1, 2 and 10 with 4, 3, 3 and 2 people; one may stand at each."""
    place = np.array([0.0, 1, 2, 10])
    cost = abs(place[:, None] - place)
    people = np.array([4.0, 3, 3, 2])
    assert p_median(cost, people, 2).objective == 4 + 3
    # 7 at most: {0, 1} and {2, 10} with sites at 0 and 2 cost 3 + 2·8; {0, 2} and {1, 10} cost more
    limited = p_median(cost, people, 2, capacity=7)
    assert (limited.sites.tolist(), limited.objective, limited.is_optimal) == ([0, 2], 19, True)
    assert limited.assignment.tolist() == [0, 0, 2, 2]
    # 6 at most each: whole homes do not go in two sixes, although twelve people would
    with pytest.raises(InfeasibleError) as caught:
        p_median(cost, people, 2, capacity=5.9)
    assert caught.value.needed == 3
    # a site within one step, five people at most: 4 at one place, 3 + 0 at another
    assert mclp(cost <= 1, people, 2, capacity=5).objective == 7
    assert mclp(cost <= 1, people, 2, capacity=6).objective == 4 + 6 - 0


def test_middle_sizes_are_proven_and_a_stop_keeps_the_best_with_a_true_bound() -> None:
    cost = road_like_costs(60, seed=5)
    rng = np.random.default_rng(5)
    weight = rng.integers(1, 20, 60).astype(float)
    capacity = np.full(60, np.ceil(1.15 * weight.sum() / 6))
    proven = p_median(cost, weight, 6, capacity=capacity, time_limit=60)
    assert proven.is_optimal
    assert proven.objective > p_median(cost, weight, 6).objective
    seen: list[Progress] = []
    early = p_median(
        cost, weight, 6, capacity=capacity, on_progress=seen.append, should_stop=lambda: len(seen) > 1
    )
    assert early.bound <= proven.objective <= early.objective
    assert early.bound > 0
    assert not early.is_optimal
    assert 0 < early.gap < 0.5
    whole = Case(cost, weight, 6, ())
    assert holds(early, whole, capacity)
    assert holds(proven, whole, capacity)


def direct_median(case: Case, capacity: np.ndarray) -> float:
    """The optimum of the textbook model with capacities and whole rows, by another front of the solver."""
    n, m = case.cost.shape
    x = np.arange(n * m).reshape(n, m)
    size = n * m + m
    rows = [LinearConstraint(_ones(size, x[i]), 1, 1) for i in range(n)]
    for j in range(m):
        carry = np.zeros(size)
        carry[x[:, j]], carry[n * m + j] = case.weight, -capacity[j]
        rows.append(LinearConstraint(carry, -np.inf, 0))
    rows.append(LinearConstraint(_ones(size, n * m + np.arange(m)), case.p, case.p))
    paid = np.r_[(case.weight[:, None] * case.cost).ravel(), np.zeros(m)]
    found = milp(paid, constraints=rows, integrality=np.ones(size), bounds=Bounds(0, 1))
    return float(found.fun) if found.fun is not None else np.inf


def _ones(size: int, at: np.ndarray) -> np.ndarray:
    flags = np.zeros(size)
    flags[at] = 1
    return flags


def test_what_the_prices_drop_is_in_no_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """With poor first answers, a pair or site that the prices drop by mistake shows in the program's answer."""
    monkeypatch.setattr(_capacity._Search, "exchange", lambda self: None)
    monkeypatch.setattr(_allocate, "_improved", lambda paid, weight, room, owner, watch: owner)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        place = rng.random((16, 2)) * 50
        cost = np.round(np.linalg.norm(place[:, None] - place[None, :7], axis=2))
        case = Case(cost, rng.integers(1, 9, 16).astype(float), 3, ())
        capacity = np.full(7, np.ceil(case.weight.sum() / 3 * 1.1))
        optimum = direct_median(case, capacity)
        answer = p_median(cost, case.weight, 3, capacity=capacity)
        assert answer.is_optimal
        assert answer.objective == pytest.approx(optimum)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(1000, 100_000), share=st.floats(1.0, 3.0))
def test_capacity_without_end_is_the_plain_problem_and_less_never_helps(seed: int, share: float) -> None:
    case, capacity = limited_case(seed)
    plain = mclp(case.reach, case.weight, case.p, fixed=case.fixed)
    for endless in (np.inf, case.weight.sum()):
        answer = mclp(case.reach, case.weight, case.p, fixed=case.fixed, capacity=endless)
        assert answer.objective == plain.objective
        assert answer.sites.tolist() == plain.sites.tolist()
    less = mclp(case.reach, case.weight, case.p, fixed=case.fixed, capacity=capacity)
    more = mclp(case.reach, case.weight, case.p, fixed=case.fixed, capacity=capacity * share)
    assert less.objective <= more.objective + 1e-9 <= plain.objective + 2e-9
    try:
        median = p_median(case.cost, case.weight, case.p, fixed=case.fixed)
    except InfeasibleError:
        return
    endless = p_median(case.cost, case.weight, case.p, fixed=case.fixed, capacity=case.weight.sum())
    assert endless.objective == median.objective
    assert endless.sites.tolist() == median.sites.tolist()


def test_what_cannot_be_carried_is_named() -> None:
    cost = np.ones((4, 3))
    people = np.array([4.0, 3, 3, 9])
    with pytest.raises(InfeasibleError) as heavy:
        p_median(cost, people, 2, capacity=8)
    assert heavy.value.rows == [3]
    assert "1 个需求点的人数超过" in heavy.value.chinese()
    with pytest.raises(InfeasibleError) as total:
        p_median(cost, people, 1, capacity=9)
    assert (total.value.demand, total.value.capacity, total.value.needed) == (19, 9, 3)
    assert "还差 10 人(至少要新增 3 处)" in total.value.chinese()
    # ten people fit two sites of five only if somebody is divided
    with pytest.raises(InfeasibleError) as whole:
        p_median(cost[:3], people[:3], 2, capacity=5)
    assert len(whole.value.rows) == 1
    assert "拆分" in whole.value.chinese()
    # a fixed site is limited too; of no capacity it carries nobody
    answer = p_median(cost, people, 1, fixed=[1], capacity=[19, 0, 5])
    assert answer.assignment.tolist() == [0, 0, 0, 0]
    assert mclp(cost <= 1, people, 0, fixed=[1], capacity=[19, 0, 5]).objective == 0


def test_time_up_before_any_answer_says_who_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_capacity._Search, "prove", lambda self: None)
    with pytest.raises(SolveStopped) as caught:
        p_median(np.ones((3, 3)), [4, 3, 3], 2, capacity=5)
    assert "无处可归" in caught.value.chinese()


def test_rows_without_people_ask_for_no_room() -> None:
    cost = np.array([[1.0, 5.0], [2.0, 1.0], [3.0, 4.0]])
    answer = p_median(cost, [2, 2, 0], 2, capacity=2)
    assert (answer.objective, answer.assignment.tolist()) == (4, [0, 1, 0])


@pytest.mark.parametrize("capacity", [-1, float("nan"), [1.0, 2.0, 3.0], [[1.0, 2.0]]])
def test_bad_capacities_are_refused(capacity: object) -> None:
    for solve in (p_median, mclp):
        with pytest.raises(InvalidInput) as caught:
            solve(np.ones((2, 2)), [1, 1], 1, capacity=capacity)  # type: ignore[arg-type]
        assert caught.value.chinese().endswith("。")


def test_more_pairs_than_the_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_limited, "MOST_PAIRS", 5)
    with pytest.raises(TooLarge) as caught:
        mclp(np.ones((3, 2)), np.ones(3), 1, capacity=1)
    assert "减少候选点" in caught.value.chinese()
