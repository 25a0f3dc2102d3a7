"""Chance that repeats."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.demo.chance import line_noise, pick, shares, smooth_noise, stream


def test_a_stream_repeats_and_differs_by_purpose_and_seed() -> None:
    first = stream(1, "roads").random(5)
    assert (first == stream(1, "roads").random(5)).all()
    assert (first != stream(1, "houses").random(5)).all()
    assert (first != stream(2, "roads").random(5)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40))
def test_shares_add_up_and_stay_within_one_of_the_exact_share(total: int, weight: list[float]) -> None:
    got = shares(total, np.array(weight))
    assert got.sum() == total
    assert np.abs(got - total * np.array(weight) / sum(weight)).max() < 1.001


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1_000))
def test_pick_gives_that_many_different_items_and_none_without_weight(count: int, seed: int) -> None:
    weight = np.concatenate([np.random.default_rng(seed).random(80) + 0.01, np.zeros(20)])
    got = pick(stream(seed, "pick"), count, weight)
    assert len(got) in (count - 1, count)
    assert len(set(got.tolist())) == len(got)
    assert got.max() < 80


def test_pick_prefers_heavy_items() -> None:
    weight = np.where(np.arange(1_000) < 500, 9.0, 1.0)
    got = pick(stream(1, "pick"), 100, weight)
    assert 80 <= (got < 500).sum() <= 98


def test_noise_is_smooth_and_about_one_high() -> None:
    x = np.linspace(-20_000, 20_000, 4_001)
    noise = smooth_noise(stream(3, "noise"), 2_000.0, x, 0.3 * x)
    assert 0.4 < np.abs(noise).max() < 1.7
    assert np.abs(np.diff(noise)).max() < 0.03
    assert np.abs(np.diff(line_noise(stream(3, "noise"), 2_000.0, x))).max() < 0.03
