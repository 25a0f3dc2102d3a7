"""Periods that figures are compared over: a week, a month, a quarter or a year as China counts days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum

from gridmap.domain.freshness import CHINA, day_of, first_moment, last_moment


class PeriodKind(Enum):
    """How long a period is."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def title(self) -> str:
        """What a person calls the present one."""
        return {"week": "本周", "month": "本月", "quarter": "本季度", "year": "本年"}[self.value]

    @property
    def before_title(self) -> str:
        """What a person calls the state it is compared with: that at the end of the period before."""
        return {"week": "上周末", "month": "上月末", "quarter": "上季末", "year": "上年末"}[self.value]

    @property
    def whole_before_title(self) -> str:
        """What a person calls the whole of the period before, with whose events the present ones are compared."""
        return {"week": "上周", "month": "上月", "quarter": "上季度", "year": "上年"}[self.value]


@dataclass(frozen=True, slots=True)
class Period:
    """
    A period up to `until`.

    `since` is its first moment (inclusive), `until` the moment that is looked at (inclusive), `before` the last
    moment of the period before, with whose state the present one is compared.
    """

    kind: PeriodKind
    since: datetime
    until: datetime

    @property
    def before(self) -> datetime:
        """The last moment of the period before."""
        return self.since - timedelta(microseconds=1)

    @property
    def title(self) -> str:
        """The period by its name: 2026年3月, 2026年第1季度."""
        day = day_of(self.since)
        if self.kind is PeriodKind.WEEK:
            year, week, _ = day.isocalendar()
            return f"{year}年第{week}周"
        if self.kind is PeriodKind.MONTH:
            return f"{day.year}年{day.month}月"
        if self.kind is PeriodKind.QUARTER:
            return f"{day.year}年第{(day.month + 2) // 3}季度"
        return f"{day.year}年"


def _first_day(kind: PeriodKind, day: date) -> date:
    if kind is PeriodKind.WEEK:
        return day - timedelta(days=day.weekday())
    if kind is PeriodKind.MONTH:
        return day.replace(day=1)
    if kind is PeriodKind.QUARTER:
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1)


def period_at(kind: PeriodKind | str, at: datetime) -> Period:
    """The period of this kind that `at` (aware) lies in, up to `at`; raises ValueError for an unknown kind."""
    kind = PeriodKind(kind)
    return Period(kind, first_moment(_first_day(kind, day_of(at))), at)


def whole_period(kind: PeriodKind | str, at: datetime) -> Period:
    """The same period up to its very last moment."""
    kind = PeriodKind(kind)
    first = _first_day(kind, day_of(at))
    beyond = _first_day(
        kind, first + timedelta(days={"week": 7, "month": 32, "quarter": 93, "year": 366}[kind.value])
    )
    return Period(kind, first_moment(first), last_moment(beyond - timedelta(days=1)))


def ends_of_weeks(until: datetime, count: int) -> tuple[datetime, ...]:
    """`until` and the last moments of the `count` - 1 weeks (Monday to Sunday) before, oldest first."""
    monday = _first_day(PeriodKind.WEEK, day_of(until))
    earlier = [last_moment(monday - timedelta(days=1 + 7 * back)) for back in range(count - 1)]
    return (*reversed(earlier), until)


def day_words(at: datetime) -> str:
    """The day of a moment as China counts days: 2026年03月01日."""
    return f"{at.astimezone(CHINA):%Y年%m月%d日}"


def moment_words(at: datetime) -> str:
    """The day, with the time of day where it is not the end of it."""
    is_whole = at == last_moment(day_of(at))
    return day_words(at) if is_whole else f"{day_words(at)} {at.astimezone(CHINA):%H:%M}"
