"""
When something verified on the ground must be verified again, in days as people count them.

A day is a calendar day of China, which keeps one time. An element verified on day 0 under a rule of 30 days is
due on day 30, until its last moment, and overdue from day 31.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


def day_of(at: datetime) -> date:
    """The day of China that an aware time falls on."""
    return at.astimezone(CHINA).date()


def last_moment(day: date) -> datetime:
    """The last microsecond of a day of China, in UTC."""
    return datetime.combine(day, time.max, CHINA).astimezone(UTC)


def first_moment(day: date) -> datetime:
    """The first moment of a day of China, in UTC."""
    return datetime.combine(day, time.min, CHINA).astimezone(UTC)


def due_at(verified_at: datetime, days: int) -> datetime:
    """Until when a verification holds under a rule of `days` days."""
    return last_moment(day_of(verified_at) + timedelta(days=days))


def days_over(due: datetime, now: datetime) -> int:
    """Days since the due day: 1 on the first day that something is overdue; 0 or less before."""
    return (day_of(now) - day_of(due)).days


def quarter_of(day: date) -> int:
    """The quarter of a day, 1 to 4."""
    return (day.month - 1) // 3 + 1


def month_end(day: date) -> date:
    """The last day of the month."""
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return following - timedelta(days=1)
