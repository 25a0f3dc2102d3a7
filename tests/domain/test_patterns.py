"""Patterns of the catalogue in words."""

from __future__ import annotations

import pytest

from gridmap.domain.layer_files import load_catalogue
from gridmap.domain.patterns import in_words
from gridmap.settings import DATA_FOLDER


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"JWZ\d{2,4}", "JWZ 加 2 至 4 位数字"),
        (r"\d{15}", "15 位数字"),
        (r"\d{12}\d{2,3}", "14 至 15 位数字"),
        (r"[A-Z0-9-]{4,40}", "4 至 40 位大写字母、数字或连字符"),
        ("ABC", "ABC"),
        (None, ""),
    ],
)
def test_a_known_pattern_is_said_in_words(pattern: str | None, words: str) -> None:
    assert in_words(pattern) == words


@pytest.mark.parametrize("pattern", [r"(a|b)\d{2}", r"\d+", r"\d{2}[A-Z]{3}", r"JWZ\d{2}x", r"[^0-9]{3}"])
def test_what_words_would_get_wrong_is_left_unsaid(pattern: str) -> None:
    assert in_words(pattern) == ""


def test_every_code_of_the_catalogue_can_be_said() -> None:
    patterns = [one.code_pattern for one in load_catalogue([DATA_FOLDER / "layers"]) if one.code_pattern]
    assert patterns
    assert all(in_words(one) for one in patterns)
