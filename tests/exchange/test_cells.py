"""No text runs as a formula, and every text is itself again after the guard."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.exchange.cells import guarded, text_of, unguarded


@settings(deadline=None)
@given(st.one_of(st.text(max_size=10), st.text("'=+-@\t\r\n", max_size=6)))
def test_the_guard_can_always_be_taken_off(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in (
        "=",
        "+",
        "-",
        "@",
        "\t",
        "\r",
        "\n",
        "\uff1d",
        "\uff0b",
        "\uff0d",
        "\uff20",
    )


@pytest.mark.parametrize("text", ["=1+1", "+86", "-5", "@SUM(A1)", "\t=1", "\uff1d1", "'=1", "''-1"])
def test_what_a_spreadsheet_would_run_is_guarded(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", "南桥", "a=b", "'quoted'", " =1", "1-2"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert guarded(text) == text == unguarded(text)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("", ""), ("007", "007"), (7, "7"), (0.1, "0.1"), (1e-7, "1e-07"), (True, "true"), (False, "false"),
        (date(2024, 2, 29), "2024-02-29"), (datetime(2024, 1, 1, 8, tzinfo=UTC), "2024-01-01T08:00:00+00:00"),
        (["a", 1], '["a", 1]'), ({"甲": None}, '{"甲": null}'), (Colour.RED, "red"),
    ],
)  # fmt: skip
def test_values_become_the_text_they_are_read_back_from(value: object, text: str | None) -> None:
    assert text_of(value) == text
