"""Periods begin and end as China counts days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.domain.periods import PeriodKind, ends_of_weeks, period_at, whole_period

# Eight in the morning of Wednesday the 11th of March in China.
AT = datetime(2026, 3, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "since", "title"),
    [
        ("week", "2026-03-08T16:00:00+00:00", "2026年第11周"),
        ("month", "2026-02-28T16:00:00+00:00", "2026年3月"),
        ("quarter", "2025-12-31T16:00:00+00:00", "2026年第1季度"),
        ("year", "2025-12-31T16:00:00+00:00", "2026年"),
    ],
)
def test_a_period_begins_at_its_first_midnight(kind: str, since: str, title: str) -> None:
    found = period_at(kind, AT)
    assert (found.since.isoformat(), found.until, found.title) == (since, AT, title)
    assert found.before == found.since - timedelta(microseconds=1)


def test_an_evening_in_utc_is_the_next_day_in_china() -> None:
    assert period_at("month", datetime(2026, 2, 28, 16, tzinfo=UTC)).title == "2026年3月"
    assert period_at("month", datetime(2026, 2, 28, 15, 59, tzinfo=UTC)).title == "2026年2月"


@settings(max_examples=25, deadline=None)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)), st.sampled_from(PeriodKind))
def test_whole_periods_join_without_a_gap(at: datetime, kind: PeriodKind) -> None:
    found = whole_period(kind, at.replace(tzinfo=UTC))
    assert found.since <= at.replace(tzinfo=UTC) <= found.until
    following = whole_period(kind, found.until + timedelta(microseconds=1))
    assert following.since == found.until + timedelta(microseconds=1)
    assert following.before == found.until


def test_weeks_end_on_sundays_and_now() -> None:
    ends = ends_of_weeks(AT, 3)
    assert [one.isoformat() for one in ends] == [
        "2026-03-01T15:59:59.999999+00:00", "2026-03-08T15:59:59.999999+00:00", AT.isoformat(),
    ]  # fmt: skip


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="decade"):
        period_at("decade", AT)
