"""Siting against brute force, direct models, published optima and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from gridmap.analysis import _select
from gridmap.analysis._costs import Costs
from gridmap.analysis._watch import Watch
from gridmap.analysis.siting import (
    InfeasibleError,
    Progress,
    Siting,
    SolveStopped,
    lscp,
    mclp,
    p_center,
    p_median,
)
from gridmap.errors import InvalidInput
from tests.analysis.siting_cases import (
    Case,
    best_center,
    best_cover,
    best_median,
    fewest_sites,
    orlib,
    road_like_costs,
    small_case,
)

SEEDS = range(200)
TEN = [f"pmed{number}" for number in range(1, 11)]


def check(answer: Siting, case: Case, optimum: float, *, is_lower: bool) -> None:
    """The answer is the optimum, proven by a bound on the right side, and names the sites it should."""
    slack = 1e-8 * max(1.0, abs(optimum))
    assert answer.objective == pytest.approx(optimum, rel=1e-9, abs=1e-12)
    assert answer.is_optimal
    assert answer.gap == 0
    assert abs(answer.bound - answer.objective) <= slack
    rounding = 1e-12 * abs(optimum)
    assert answer.bound <= optimum + rounding if is_lower else answer.bound >= optimum - rounding
    sites = answer.sites.tolist()
    assert tuple(sites[: len(case.fixed)]) == case.fixed
    assert len(set(sites)) == len(sites) == case.p + len(case.fixed)
    assert set(answer.assignment.tolist()) <= {*sites, -1}


@pytest.mark.parametrize("block", range(4))
def test_p_median_equals_brute_force(block: int) -> None:
    for seed in SEEDS[block::4]:
        case = small_case(seed)
        optimum = best_median(case)
        if np.isinf(optimum):
            with pytest.raises(InfeasibleError) as caught:
                p_median(case.cost, case.weight, case.p, fixed=case.fixed)
            assert caught.value.rows
            assert (case.weight[caught.value.rows] > 0).all()
            continue
        answer = p_median(case.cost, case.weight, case.p, fixed=case.fixed)
        check(answer, case, optimum, is_lower=True)
        served = case.weight > 0
        paid = case.cost[np.arange(len(case.cost)), answer.assignment][served]
        assert case.weight[served] @ paid == pytest.approx(optimum)


@pytest.mark.parametrize("block", range(4))
def test_p_center_equals_brute_force(block: int) -> None:
    for seed in SEEDS[block::4]:
        case = small_case(seed)
        optimum = best_center(case)
        if np.isinf(optimum):
            with pytest.raises(InfeasibleError) as caught:
                p_center(case.cost, case.p, fixed=case.fixed)
            assert caught.value.rows
            continue
        answer = p_center(case.cost, case.p, fixed=case.fixed)
        check(answer, case, optimum, is_lower=True)
        assert answer.objective == optimum  # one of the given costs, not a rounded one
        assert case.cost[np.arange(len(case.cost)), answer.assignment].max() == optimum


@pytest.mark.parametrize("block", range(4))
def test_mclp_equals_brute_force(block: int) -> None:
    for seed in SEEDS[block::4]:
        case = small_case(seed)
        dense = mclp(case.reach, case.weight, case.p, fixed=case.fixed)
        check(dense, case, best_cover(case), is_lower=False)
        for row, site in enumerate(dense.assignment.tolist()):
            assert case.reach[row, site] if site >= 0 else not case.reach[row, dense.sites].any()
        thin = mclp(sparse.coo_matrix(case.reach), case.weight, case.p, fixed=case.fixed)
        assert thin.objective == pytest.approx(dense.objective)


@pytest.mark.parametrize("block", range(4))
def test_lscp_equals_brute_force(block: int) -> None:
    for seed in SEEDS[block::4]:
        case = small_case(seed)
        answer = lscp(case.reach, fixed=case.fixed)
        assert answer.objective == answer.bound == len(answer.sites) == fewest_sites(case)
        assert answer.is_optimal
        assert ((answer.assignment >= 0) == case.reach.any(axis=1)).all()


# middle sizes against the whole model


def direct_median(cost: np.ndarray, weight: np.ndarray, p: int, fixed: tuple[int, ...] = ()) -> float:
    """The optimum of the textbook p-median model, solved by HiGHS as it stands."""
    n, m = cost.shape
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("mip_rel_gap", 0.0)
    usable = np.isfinite(cost)
    row, column = np.nonzero(usable)
    paid = weight[row] * cost[row, column]
    lower = np.zeros(m + len(row))
    lower[list(fixed)] = 1
    model.addVars(m + len(row), lower, np.ones(m + len(row)))
    everything = np.arange(m + len(row), dtype=np.int32)
    model.changeColsCost(len(everything), everything, np.r_[np.zeros(m), paid])
    model.changeColsIntegrality(
        m, everything[:m], np.array([highspy.HighsVarType.kInteger] * m, dtype=object)
    )
    count = p + len(fixed)
    model.addRow(count, count, m, everything[:m], np.ones(m))
    for i in range(n):
        mine = m + np.flatnonzero(row == i)
        model.addRow(1, 1, len(mine), mine.astype(np.int32), np.ones(len(mine)))
    for k, j in enumerate(column.tolist()):
        model.addRow(0, np.inf, 2, np.array([j, m + k], np.int32), np.array([1.0, -1.0]))
    model.run()
    return float(model.getInfo().objective_function_value)


@pytest.mark.parametrize(("seed", "p", "fixed"), [(1, 3, ()), (2, 4, (5, 0)), (3, 22, ())])
def test_p_median_equals_the_whole_model_on_middle_sizes(seed: int, p: int, fixed: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    cost = np.linalg.norm(rng.random((45, 1, 2)) - rng.random((1, 30, 2)), axis=2)
    cost[rng.random(cost.shape) < 0.3] = np.inf
    weight = rng.random(45)
    answer = p_median(cost, weight, p, fixed=fixed)
    assert answer.is_optimal
    assert answer.objective == pytest.approx(direct_median(cost, weight, p, fixed), rel=1e-6)


def test_p_median_with_many_sites_uses_cuts_and_still_proves() -> None:
    rng = np.random.default_rng(8)
    cost = np.round(rng.random((90, 60)), 3)
    answer = p_median(cost, np.ones(90), 22)
    assert answer.is_optimal
    assert answer.objective == pytest.approx(direct_median(cost, np.ones(90), 22), rel=1e-6)


def test_mclp_and_lscp_equal_the_whole_model_on_middle_sizes() -> None:
    rng = np.random.default_rng(4)
    demand, sites = rng.random((300, 2)), rng.random((60, 2))
    reach = np.linalg.norm(demand[:, None] - sites[None], axis=2) <= 0.12
    weight = rng.random(300)
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("mip_rel_gap", 0.0)
    everything = np.arange(360, dtype=np.int32)
    model.addVars(360, np.zeros(360), np.ones(360))
    model.changeColsCost(360, everything, np.r_[np.zeros(60), -weight])
    model.changeColsIntegrality(
        60, everything[:60], np.array([highspy.HighsVarType.kInteger] * 60, dtype=object)
    )
    model.addRow(7, 7, 60, everything[:60], np.ones(60))
    for i in range(300):
        near = np.flatnonzero(reach[i])
        model.addRow(
            0, np.inf, len(near) + 1, np.r_[near, 60 + i].astype(np.int32), np.r_[np.ones(len(near)), -1.0]
        )
    model.run()
    answer = mclp(reach, weight, 7)
    assert answer.is_optimal
    assert answer.objective == pytest.approx(-model.getInfo().objective_function_value, rel=1e-6)
    fewest = lscp(reach)
    assert fewest.is_optimal
    # as many sites cover all that can be covered, one fewer do not
    everyone = weight[reach.any(axis=1)].sum()
    assert mclp(reach, weight, len(fewest.sites)).objective == pytest.approx(everyone)
    assert mclp(reach, weight, len(fewest.sites) - 1).objective < everyone - 1e-9


# the proof alone


@pytest.mark.parametrize("means", ["prices", "cuts", "grouped cuts"])
def test_the_search_finds_the_optimum_from_a_poor_first_answer(
    means: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without exchanges every column that the proof drops by mistake would show in the answer."""

    def no_exchange(
        costs: Costs, cap: np.ndarray, chosen: np.ndarray, watch: Watch
    ) -> tuple[np.ndarray, float]:
        return chosen, float(costs.serving(chosen, cap).nearest.sum())

    def last_columns(costs: Costs, cap: np.ndarray, count: int, watch: Watch) -> np.ndarray:
        return np.arange(costs.columns)[::-1][:count]

    monkeypatch.setattr(_select, "interchange", no_exchange)
    monkeypatch.setattr(_select, "kicked", lambda costs, cap, chosen, watch, *, rounds: (chosen, 0.0))
    monkeypatch.setattr(_select, "greedy", last_columns)
    monkeypatch.setattr(_select, "_CUT_TREE_COUNT", 20 if means == "prices" else 0)
    monkeypatch.setattr(_select, "_CUT_ROWS", 0 if means == "grouped cuts" else 4000)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cost = rng.integers(0, 30, (14, 11)).astype(float)
        if seed % 2:
            cost = np.where(rng.random(cost.shape) < 0.4, np.inf, cost + rng.random(cost.shape))
        fixed = (2, 7) if seed % 4 > 1 else ()
        case = Case(cost, rng.integers(0, 4, 14).astype(float), int(rng.integers(1, 5)), fixed)
        optimum = best_median(case)
        if np.isfinite(optimum):
            check(p_median(cost, case.weight, case.p, fixed=fixed), case, optimum, is_lower=True)
        check(mclp(case.reach, case.weight, case.p, fixed=fixed), case, best_cover(case), is_lower=False)


# published optima


@pytest.mark.parametrize("name", TEN)
def test_published_optima_are_proven(name: str, shared_data: Path) -> None:
    folder = shared_data / "siting"
    expected = json.loads((folder / "expected.json").read_text())
    cost, p = orlib(folder / f"{name}.txt")
    median = p_median(cost, np.ones(len(cost)), p)
    assert median.is_optimal
    assert median.objective == median.bound == expected["p_median_optimum"][name]
    center = p_center(cost, p)
    assert center.is_optimal
    assert center.objective == center.bound == expected["p_center_optimum"][name]


@pytest.mark.parametrize(("n", "p"), [(300, 5), (300, 30), (400, 133)])
def test_larger_road_like_cases_are_proven_and_bounds_hold_when_stopped(n: int, p: int) -> None:
    cost = road_like_costs(n, seed=n + p)
    weight = np.ones(n)
    proven = p_median(cost, weight, p)
    assert proven.is_optimal
    for seconds in (0.0, 0.02, 0.1):
        early = p_median(cost, weight, p, time_limit=seconds)
        assert early.bound <= proven.objective <= early.objective
        assert early.bound > 0
        assert early.is_optimal == (early.bound == early.objective)
        assert early.gap >= 0
    center = p_center(cost, p)
    assert center.is_optimal
    early = p_center(cost, p, time_limit=0.0)
    assert early.bound <= center.objective <= early.objective


# laws


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(1000, 100_000))
def test_one_more_site_never_hurts_and_order_does_not_matter(seed: int) -> None:
    case = small_case(seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(case.cost)), rng.permutation(case.cost.shape[1])
    covered = [
        mclp(case.reach, case.weight, p, fixed=case.fixed).objective
        for p in range(case.cost.shape[1] - len(case.fixed) + 1)
    ]
    assert (np.diff(covered) >= -1e-9).all()
    place = np.argsort(columns)
    shuffled = mclp(
        case.reach[rows][:, columns],
        case.weight[rows],
        case.p,
        fixed=[int(place[site]) for site in case.fixed],
    )
    assert shuffled.objective == pytest.approx(covered[case.p])


# edges


def test_nothing_to_serve_is_served_at_no_cost() -> None:
    assert p_median(np.zeros((0, 4)), [], 2, fixed=[3]).sites.tolist() == [3, 0, 1]
    for answer in (
        p_median(np.zeros((0, 4)), [], 2),
        p_center(np.zeros((0, 4)), 2),
        mclp(np.zeros((0, 4), bool), [], 2),
    ):
        assert answer.objective == answer.bound == 0
        assert answer.is_optimal
        assert len(answer.sites) == 2
    assert lscp(np.zeros((0, 4), bool)).sites.tolist() == []


def test_no_new_sites_evaluates_the_fixed_ones() -> None:
    cost = np.array([[1.0, 5.0], [4.0, 2.0]])
    assert p_median(cost, [1, 1], 0, fixed=[1]).objective == 7
    assert p_center(cost, 0, fixed=[1]).objective == 5
    assert mclp(cost <= 2, [1, 3], 0, fixed=[1]).objective == 3
    with pytest.raises(InfeasibleError) as caught:
        p_median(cost, [1, 0], 0)
    assert caught.value.rows == [0]


def test_all_sites_open_when_as_many_are_asked_for() -> None:
    cost = np.array([[1.0, 5.0, 2.0], [4.0, 2.0, 9.0]])
    answer = p_median(cost, [1, 1], 2, fixed=[1])
    assert answer.sites.tolist() == [1, 0, 2]
    assert answer.objective == 3
    assert answer.assignment.tolist() == [0, 1]


def test_rows_out_of_reach_are_named() -> None:
    cost = np.array([[1.0, 2.0], [np.inf, np.inf], [3.0, 1.0], [np.inf, np.inf]])
    for solve in (lambda: p_median(cost, np.ones(4), 1), lambda: p_center(cost, 1)):
        with pytest.raises(InfeasibleError) as caught:
            solve()
        assert caught.value.rows == [1, 3]
        assert "2 个需求点" in caught.value.chinese()
    assert mclp(np.isfinite(cost), np.ones(4), 1).assignment.tolist() == [0, -1, 0, -1]
    assert lscp(np.isfinite(cost)).objective == 1


def test_rows_of_no_weight_need_no_site_in_the_median() -> None:
    cost = np.array([[1.0, np.inf], [np.inf, np.inf]])
    answer = p_median(cost, [2, 0], 1)
    assert (answer.objective, answer.sites.tolist(), answer.assignment.tolist()) == (2, [0], [0, -1])


def test_islands_need_a_site_each() -> None:
    cost = np.full((6, 6), np.inf)
    for island in (slice(0, 2), slice(2, 4), slice(4, 6)):
        cost[island, island] = [[0, 1], [1, 0]]
    for solve in (lambda p: p_median(cost, np.ones(6), p), lambda p: p_center(cost, p)):
        with pytest.raises(InfeasibleError) as caught:
            solve(2)
        assert len(caught.value.rows) == 2
        assert solve(3).is_optimal
    assert p_median(cost, np.ones(6), 3).objective == 3
    # one site is forced on each island although it serves a single row of little weight
    assert p_median(cost, [1e-6, 0, 9, 9, 9, 9], 3).objective == pytest.approx(18, abs=1e-6)


def test_costs_cut_off_beyond_a_distance_give_a_close_bound_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_select, "_SECONDS_BETWEEN_NEWS", -1.0)
    xy = np.random.default_rng(200).integers(0, 4000, (200, 2)).astype(float)
    cost = np.round(np.hypot(*(xy[:, None] - xy[None]).T).T)
    whole = p_median(cost, np.ones(200), 5)
    cut = np.where(cost > np.quantile(cost, 0.35), np.inf, cost)
    used = cut[np.arange(200), whole.assignment]
    assert np.isfinite(used).all()  # the cut takes nothing that the optimum uses
    seen: list[Progress] = []
    assert p_median(cut, np.ones(200), 5, on_progress=seen.append).objective == whole.objective
    first = next(report for report in seen if report.stage == "bound")
    assert first.bound > 0.95 * whole.objective


def test_more_sites_than_there_are_is_refused_with_the_numbers() -> None:
    with pytest.raises(InfeasibleError, match="only 1 sites") as caught:
        mclp(np.ones((3, 2), bool), np.ones(3), 2, fixed=[0])
    assert caught.value.rows == []
    assert caught.value.candidates == 1
    assert isinstance(caught.value, ValueError)


def test_identical_points_and_sites_count_once_each_but_weigh_together() -> None:
    cost = np.tile([[0.0, 0.0, 7.0, 7.0], [9.0, 9.0, 1.0, 1.0]], (5, 1))
    answer = p_median(cost, np.ones(10), 2)
    assert answer.objective == 5
    assert p_median(cost, np.ones(10), 4).sites.tolist() == [0, 1, 2, 3]
    assert p_center(cost, 2).objective == 1


def test_a_proven_bound_is_a_whole_number_only_where_costs_are() -> None:
    cost = road_like_costs(60, seed=3)
    whole = p_median(cost, np.ones(60), 4)
    assert whole.bound == whole.objective
    thirds = p_median(cost / 3, np.full(60, 0.1), 4)
    assert thirds.is_optimal
    assert thirds.objective == pytest.approx(whole.objective / 30)
    assert thirds.bound <= thirds.objective


@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_the_scale_of_costs_does_not_matter(scale: float) -> None:
    rng = np.random.default_rng(2)
    cost = rng.random((60, 40))
    weight = rng.random(60)
    answer = p_median(cost, weight, 5)
    scaled = p_median(cost * scale, weight, 5)
    assert scaled.is_optimal
    assert scaled.sites.tolist() == answer.sites.tolist()
    assert mclp(cost < 0.1, weight * scale, 5).objective == pytest.approx(
        scale * mclp(cost < 0.1, weight, 5).objective
    )


@pytest.mark.parametrize(
    "solve",
    [
        lambda: p_median([[1.0, np.nan]], [1], 1),
        lambda: p_median([[1.0, -2.0]], [1], 1),
        lambda: p_median([[1.0, 2.0]], [-1], 1),
        lambda: p_median([[1.0, 2.0]], [np.nan], 1),
        lambda: p_median([[1.0, 2.0]], [np.inf], 1),
        lambda: p_median([[1.0, 2.0]], [1, 2], 1),
        lambda: p_median([1.0, 2.0], [1], 1),
        lambda: p_median([[1.0, 2.0]], [1], -1),
        lambda: p_median([[1.0, 2.0]], [1], 1.5),  # type: ignore[arg-type]
        lambda: p_median([[1.0, 2.0]], [1], 1, fixed=[2]),
        lambda: p_median([[1.0, 2.0]], [1], 1, fixed=[0, 0]),
        lambda: p_median([[1.0, 2.0]], [1], 1, time_limit=float("nan")),
        lambda: p_center([[np.nan, 1.0]], 1),
        lambda: mclp([[np.nan, 1.0]], [1], 1),
        lambda: mclp(sparse.csr_matrix([[np.nan, 1.0]]), [1], 1),
        lambda: lscp([True, False]),
    ],
)
def test_bad_input_is_refused(solve: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        solve()  # type: ignore[operator]
    assert caught.value.chinese().endswith("。")


def test_stored_zeros_and_repeats_in_a_sparse_reach_are_read_right() -> None:
    reach = sparse.coo_matrix(([1, 1, 0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert mclp(reach, [1, 1], 1).objective == 1
    assert lscp(reach).sites.tolist() == [1]


# progress and stop


def test_progress_reports_narrowing_bounds_and_a_stop_is_obeyed() -> None:
    cost = np.random.default_rng(0).random((150, 150))
    seen: list[Progress] = []
    answer = p_median(
        cost,
        np.ones(150),
        5,
        on_progress=seen.append,
        should_stop=lambda: bool(seen) and seen[-1].stage == "tree",
    )
    assert not answer.is_optimal
    assert 0 < answer.bound < answer.objective
    assert answer.gap == pytest.approx(1 - answer.bound / answer.objective)
    assert seen
    assert all(report.bound <= report.objective for report in seen)
    assert sorted(report.seconds for report in seen) == [report.seconds for report in seen]


def test_a_stop_before_any_answer_says_so() -> None:
    rng = np.random.default_rng(1)
    cost = np.where(rng.random((60, 60)) < 0.08, 1.0, np.inf)
    np.fill_diagonal(cost, 0.0)
    fewest = len(lscp(np.isfinite(cost)).sites)
    with pytest.raises(SolveStopped):
        p_median(cost, np.ones(60), fewest, should_stop=lambda: True)
    assert p_median(cost, np.ones(60), fewest).is_optimal
