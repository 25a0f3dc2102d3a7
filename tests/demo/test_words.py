"""Made-up names."""

from __future__ import annotations

from gridmap.demo.chance import stream
from gridmap.demo.words import Words, choose


def test_names_never_repeat_even_when_the_pairs_run_out() -> None:
    words = Words(1)
    names = [words.road("路") for _ in range(9_000)] + [words.water("港") for _ in range(3_000)]
    assert len(set(names)) == len(names)


def test_choices_come_with_their_weights() -> None:
    got = choose(stream(1, "x"), ("a", "b", "c"), (7, 3, 0), 2_000)
    assert 0.66 < got.count("a") / 2_000 < 0.74
    assert "c" not in got
