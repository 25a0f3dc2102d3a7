"""Questions are read from texts, and mean one thing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.errors import InvalidInput
from gridmap.services.questions import (
    Heading,
    NotReadable,
    Question,
    Travel,
    Within,
    cost_text,
    is_open,
    parse_open_at,
    parse_question,
    parse_within,
)

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)  # 16:00 in the district


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("1000m", 1000, "m"),
        ("1.5km", 1500, "m"),
        ("500 米", 500, "m"),
        ("15min", 900, "s"),
        ("90s", 90, "s"),
        ("5分钟", 300, "s"),
    ],
)
def test_thresholds_are_read_with_their_unit(text: str, amount: float, unit: str) -> None:
    assert parse_within(text) == Within(amount, unit)


@settings(max_examples=25)
@given(
    st.one_of(
        st.integers(1, 100_000).map(lambda n: Within(float(n), "m")),
        st.integers(1, 43_200).map(lambda n: Within(float(n), "s")),
    )
)
def test_a_threshold_is_written_as_it_is_read(within: Within) -> None:
    assert parse_within(within.text).amount == pytest.approx(within.amount)


@pytest.mark.parametrize("text", ["", "m", "10", "ten minutes", "-5m", "1e3m", "5 furlongs"])
def test_other_texts_are_no_threshold(text: str) -> None:
    with pytest.raises(NotReadable):
        parse_within(text)


@pytest.mark.parametrize("text", ["0m", "0min", "101km", "13000min"])
def test_a_threshold_of_nothing_or_of_too_much_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_within(text)
    assert "须大于 0" in refused.value.chinese()


def test_the_mode_says_which_way_and_whether_readiness_counts() -> None:
    car = Question(mode=Travel.CAR, within=parse_within("5min"))

    assert Question().heading is Heading.TO_POINT
    assert car.heading is Heading.FROM_POINT
    assert car.has_readiness
    assert not Question(mode=Travel.CAR, within=parse_within("500m")).has_readiness
    assert not Question(
        mode=Travel.CAR, within=parse_within("5min"), direction=Heading.TO_POINT
    ).has_readiness


def test_a_straight_line_takes_no_minutes() -> None:
    with pytest.raises(InvalidInput, match="no time"):
        Question(mode=Travel.LINE, within=parse_within("5min"))


def test_a_question_comes_back_from_its_document() -> None:
    question = parse_question(
        {"mode": "car", "within": "12min", "by": "town", "open_at": "09:30", "demand_field": "elder_count"},
        now=NOW,
    )

    assert parse_question(question.document(), now=NOW).document() == question.document()


def test_times_of_the_clock_are_meant_in_the_district() -> None:
    assert parse_open_at("09:30", now=NOW).astimezone(UTC).hour == 1
    assert parse_open_at("now", now=NOW) == NOW
    assert parse_open_at("2026-01-01T10:00:00", now=NOW).utcoffset() is not None
    with pytest.raises(NotReadable):
        parse_open_at("noon", now=NOW)


@pytest.mark.parametrize(
    ("clock", "expected"), [("07:59", False), ("08:00", True), ("19:59", True), ("20:00", False)]
)
def test_a_day_station_is_open_from_eight_to_eight(clock: str, expected: bool) -> None:
    at = parse_open_at(clock, now=NOW)

    assert is_open("day", at) is expected
    assert is_open("24h", at)
    assert is_open(None, at)


@pytest.mark.parametrize(
    "wrong", [{"mode": "fly"}, {"direction": "up"}, {"points": 5}, {"by": "x" * 100}, {"changes": "close"}]
)
def test_what_names_nothing_is_refused(wrong: dict) -> None:
    with pytest.raises(InvalidInput):
        parse_question(wrong, now=NOW)


def test_costs_are_told_in_words() -> None:
    assert cost_text(820.4, "m") == "820 米"
    assert cost_text(744, "s") == "12.4 分钟"
    assert cost_text(None, "m") == "不可达"
