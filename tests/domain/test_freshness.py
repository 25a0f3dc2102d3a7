"""Days as people count them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmap.domain import freshness
from gridmap.domain.freshness import CHINA


def china(day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=CHINA)


def test_day_thirty_of_a_thirty_day_rule_is_not_overdue_and_day_thirty_one_is() -> None:
    due = freshness.due_at(china(1), 30)
    assert freshness.days_over(due, china(31, 23, 59)) == 0
    assert due >= china(31, 23, 59)
    assert freshness.days_over(due, china(31, 23, 59) + timedelta(minutes=1)) == 1
    assert due < china(31, 23, 59) + timedelta(minutes=1)


@pytest.mark.parametrize("hour", [0, 1, 12, 23])
def test_the_hour_of_the_visit_does_not_matter(hour: int) -> None:
    assert freshness.due_at(china(1, hour), 30) == datetime(2026, 3, 31, 15, 59, 59, 999_999, tzinfo=UTC)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),
    st.integers(1, 800),
    st.integers(-900, 900),
)
def test_a_time_is_past_the_due_moment_exactly_when_days_are_over(
    visit: datetime, days: int, hours: int
) -> None:
    due = freshness.due_at(visit.replace(tzinfo=UTC), days)
    now = due + timedelta(hours=hours)
    assert (now > due) == (freshness.days_over(due, now) > 0)


def test_months_and_quarters() -> None:
    assert [freshness.month_end(date(2026, month, 5)).day for month in (1, 2, 4, 12)] == [31, 28, 30, 31]
    assert freshness.month_end(date(2028, 2, 29)) == date(2028, 2, 29)
    assert [freshness.quarter_of(date(2026, month, 1)) for month in (1, 3, 4, 12)] == [1, 1, 2, 4]
    assert freshness.first_moment(date(2026, 3, 2)) == datetime(2026, 3, 1, 16, tzinfo=UTC)
