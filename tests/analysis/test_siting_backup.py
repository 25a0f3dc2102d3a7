"""Backup cover against brute force, on paper, as laws, and bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.analysis.siting import InfeasibleError, Progress, lscp, mclp
from gridmap.errors import InvalidInput
from tests.analysis.siting_cases import Case, small_case

SEEDS = range(80)


def most_twice(case: Case, covers: int, backup: float) -> float:
    """The most weight over all choices: `backup` of it at cover number `covers`, the rest at the first."""
    counts = [case.reach[:, choice].sum(axis=1) for choice in case.choices()]
    return max(
        float(case.weight @ ((1 - backup) * (times >= 1) + backup * (times >= covers))) for times in counts
    )


def fewest_twice(case: Case, covers: int) -> int:
    """Fewest sites, fixed included, so that each row has `covers` in reach, or all that reach it."""
    need = np.minimum(covers, case.reach.sum(axis=1))
    free = [site for site in range(case.cost.shape[1]) if site not in case.fixed]
    for new in range(len(free) + 1):
        for chosen in itertools.combinations(free, new):
            if (case.reach[:, [*case.fixed, *chosen]].sum(axis=1) >= need).all():
                return new + len(case.fixed)
    raise AssertionError


@pytest.mark.parametrize("covers", [2, 3])
@pytest.mark.parametrize("backup", [1.0, 0.4])
def test_mclp_with_several_covers_equals_brute_force(covers: int, backup: float) -> None:
    for seed in SEEDS:
        case = small_case(seed)
        if backup == 1 and case.p + len(case.fixed) < covers:
            with pytest.raises(InfeasibleError):
                mclp(case.reach, case.weight, case.p, fixed=case.fixed, covers=covers)
            continue
        answer = mclp(case.reach, case.weight, case.p, fixed=case.fixed, covers=covers, backup=backup)
        optimum = most_twice(case, covers, backup)
        assert answer.objective == pytest.approx(optimum, rel=1e-9, abs=1e-12)
        assert answer.is_optimal
        assert answer.bound == answer.objective
        assert tuple(answer.sites[: len(case.fixed)].tolist()) == case.fixed
        assert len(set(answer.sites.tolist())) == case.p + len(case.fixed)


@pytest.mark.parametrize("covers", [2, 3])
def test_lscp_with_several_covers_equals_brute_force(covers: int) -> None:
    for seed in SEEDS:
        case = small_case(seed)
        answer = lscp(case.reach, fixed=case.fixed, covers=covers)
        assert answer.objective == answer.bound == len(answer.sites) == fewest_twice(case, covers)
        assert answer.is_optimal
        times = case.reach[:, answer.sites].sum(axis=1)
        assert (times >= np.minimum(covers, case.reach.sum(axis=1))).all()


def test_a_street_for_paper() -> None:
    """Homes at 0, 1, … 5 on a street, sites at the same places, each reaching one step both ways."""
    place = np.arange(6)
    reach = abs(place[:, None] - place) <= 1
    assert lscp(reach).sites.tolist() == [1, 4]
    # the ends have two sites in reach, both needed; one more between them gives homes 2 and 3 their second
    assert lscp(reach, covers=2).objective == 5
    # nobody at the ends can have three: they need their two, and all others all of theirs
    assert lscp(reach, covers=3).objective == 6
    # side by side at one end: homes 0 and 1 twice; at both ends: 0, 1, 4 and 5
    people = np.array([5.0, 1, 1, 1, 1, 5])
    assert mclp(reach, people, 2, covers=2).objective == 6
    assert mclp(reach, people, 4, covers=2).objective == 12
    # half of each home counts at the first cover: all once (14 / 2) beat one end twice (6 + 1 / 2)
    half = mclp(reach, people, 2, covers=2, backup=0.5)
    assert (half.sites.tolist(), half.objective) == ([1, 4], 7)


def test_middle_sizes_have_a_bound_that_a_stop_keeps_true() -> None:
    rng = np.random.default_rng(4)
    reach = np.linalg.norm(rng.random((250, 1, 2)) - rng.random((1, 60, 2)), axis=2) <= 0.16
    weight = rng.integers(1, 50, 250).astype(float)
    proven = mclp(reach, weight, 8, fixed=(3, 5), covers=2)
    assert proven.is_optimal
    seen: list[Progress] = []
    early = mclp(reach, weight, 8, fixed=(3, 5), covers=2, on_progress=seen.append, should_stop=lambda: True)
    assert early.objective <= proven.objective <= early.bound < weight.sum()
    assert len(early.sites) == 10
    assert seen
    fewest = lscp(reach, covers=2, time_limit=0)
    assert fewest.bound <= lscp(reach, covers=2).objective <= fewest.objective


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(1000, 100_000))
def test_one_cover_is_the_plain_problem_and_more_covers_never_gain(seed: int) -> None:
    case = small_case(seed)
    plain = mclp(case.reach, case.weight, case.p, fixed=case.fixed)
    once = mclp(case.reach, case.weight, case.p, fixed=case.fixed, covers=1, backup=0.3)
    assert once.sites.tolist() == plain.sites.tolist()
    assert once.objective == plain.objective
    unpaid = mclp(case.reach, case.weight, case.p, fixed=case.fixed, covers=2, backup=0.0)
    assert unpaid.objective == plain.objective
    some = mclp(case.reach, case.weight, case.p, fixed=case.fixed, covers=2, backup=0.5)
    assert some.objective <= plain.objective + 1e-9
    fewest = [lscp(case.reach, fixed=case.fixed, covers=covers).objective for covers in (1, 2, 3)]
    assert fewest == sorted(fewest)
    assert fewest[0] == lscp(case.reach, fixed=case.fixed).objective


@pytest.mark.parametrize(
    "solve",
    [
        lambda: mclp(np.ones((2, 2)), [1, 1], 1, covers=0),
        lambda: mclp(np.ones((2, 2)), [1, 1], 1, covers=1.5),  # type: ignore[arg-type]
        lambda: mclp(np.ones((2, 2)), [1, 1], 2, covers=2, backup=1.1),
        lambda: mclp(np.ones((2, 2)), [1, 1], 2, covers=2, backup=float("nan")),
        lambda: mclp(np.ones((2, 2)), [1, 1], 2, covers=2, capacity=3),
        lambda: lscp(np.ones((2, 2)), covers=-1),
    ],
)
def test_bad_input_is_refused(solve: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        solve()  # type: ignore[operator]
    assert caught.value.chinese().endswith("。")


def test_fewer_sites_than_covers_is_no_silent_zero() -> None:
    with pytest.raises(InfeasibleError) as caught:
        mclp(np.ones((3, 4)), np.ones(3), 1, fixed=[2], covers=3)
    assert "至少覆盖 3 次" in caught.value.chinese()
