"""When things happened: a year of simulated incidents and risks with their hours, seasons, states and deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from gridmap.demo.chance import Floats
from gridmap.demo.lattice import Indices
from gridmap.demo.words import choose
from gridmap.domain.freshness import CHINA

DAYS = 365

INCIDENT_SHARES = {
    "盗窃": 0.14, "诈骗": 0.17, "纠纷": 0.26, "治安": 0.07, "交通": 0.16, "求助": 0.13, "走失": 0.02, "其他": 0.05,
}  # fmt: skip
_MONTHS = (0.88, 0.80, 0.95, 1.00, 1.05, 1.10, 1.18, 1.20, 1.06, 1.02, 0.94, 0.90)
_WEEKDAYS = (0.97, 0.95, 0.96, 0.98, 1.06, 1.08, 1.00)
_DAY_HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 9, 8, 9, 10, 10, 10, 10, 9, 8, 7, 6, 5, 3)
_NIGHT_HOURS = (8, 8, 7, 6, 4, 3, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 6, 8, 9, 10, 10, 9)
_RUSH_HOURS = (1, 1, 1, 1, 1, 2, 6, 13, 12, 7, 6, 6, 6, 6, 6, 7, 9, 13, 11, 7, 5, 4, 3, 2)
_HOURS = {"盗窃": _NIGHT_HOURS, "治安": _NIGHT_HOURS, "交通": _RUSH_HOURS}


@dataclass(frozen=True, slots=True)
class Incidents:
    """Incidents in order of time: categories, local times of day and whether they are settled."""

    category: list[str]
    at: list[datetime]
    is_settled: list[bool]


def draw_incidents(rng: np.random.Generator, count: int, today: date) -> Incidents:
    """`count` incidents over the year that ends with yesterday."""
    days = [today - timedelta(days=DAYS - k) for k in range(DAYS)]
    weight = np.array([_MONTHS[day.month - 1] * _WEEKDAYS[day.weekday()] for day in days])
    day = _draw(rng, weight, count)
    category = choose(rng, tuple(INCIDENT_SHARES), tuple(INCIDENT_SHARES.values()), count)
    hour = np.zeros(count, dtype=np.int64)
    for name in INCIDENT_SHARES:
        own = np.array([one == name for one in category])
        hour[own] = _draw(rng, np.array(_HOURS.get(name, _DAY_HOURS), dtype=np.float64), int(own.sum()))
    minute = rng.integers(0, 60, count)
    order = np.lexsort((minute, hour, day))
    settled = rng.random(count) < np.where(day < DAYS - 30, 0.985, 0.35 + 0.6 * (DAYS - day) / 30)
    at = [datetime.combine(days[day[k]], time(int(hour[k]), int(minute[k])), CHINA) for k in order.tolist()]
    return Incidents([category[k] for k in order], at, [bool(settled[k]) for k in order])


def _draw(rng: np.random.Generator, weight: Floats, count: int) -> Indices:
    bounds = np.cumsum(weight / weight.sum())
    return np.minimum(np.searchsorted(bounds, rng.random(count), side="right"), len(weight) - 1)


def utc_text(at: datetime) -> str:
    """The time as RFC 3339 text in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


RISK_SHARES = {
    "矛盾纠纷": 0.30, "消防隐患": 0.19, "反诈": 0.13, "交通隐患": 0.12, "治安乱点": 0.09, "涉水安全": 0.08,
    "走失风险": 0.05, "其他": 0.04,
}  # fmt: skip
_GRADES = {"red": 0.08, "orange": 0.18, "yellow": 0.35, "blue": 0.39}
_LINGERING = {"red": 0.12, "orange": 0.11, "yellow": 0.07, "blue": 0.06}
_OPEN_STATES = ("reported", "accepted", "dispatched", "handling", "checking")
_TERM_DAYS = {"red": 3, "orange": 7, "yellow": 15, "blue": 30}
_LEVELS = {
    "red": (0.0, 0.1, 0.9),
    "orange": (0.1, 0.4, 0.5),
    "yellow": (0.4, 0.5, 0.1),
    "blue": (0.8, 0.2, 0.0),
}


def term_days(grade: str) -> int:
    """The days in which a risk of a grade is to be settled."""
    return _TERM_DAYS[grade]


@dataclass(frozen=True, slots=True)
class Risks:
    """Risks in order of report: category, grade, state, handling level, dates of report and deadline."""

    category: list[str]
    grade: list[str]
    state: list[str]
    handling_level: list[str]
    reported_on: list[date]
    deadline_on: list[date]


def draw_risks(rng: np.random.Generator, count: int, today: date) -> Risks:
    """`count` risks reported over the year before `today`: most are closed, some are open, a few are overdue."""
    age = np.sort((DAYS * rng.random(count)).astype(np.int64) + 1)[::-1]
    grade = choose(rng, tuple(_GRADES), tuple(_GRADES.values()), count)
    category = choose(rng, tuple(RISK_SHARES), tuple(RISK_SHARES.values()), count)
    term = np.array([_TERM_DAYS[one] for one in grade])
    # a case past its term is nearly always closed, a grave one less often; a young one has come as far as its age
    late = 1.0 - np.array([_LINGERING[one] for one in grade])
    is_closed = rng.random(count) < np.where(age > term, late, 0.35 * age / term)
    step = np.minimum((age / term * 5 * (0.5 + rng.random(count))).astype(np.int64), 4)
    state = ["closed" if done else _OPEN_STATES[k] for done, k in zip(is_closed, step, strict=True)]
    level = [choose(rng, ("grid", "net", "station"), _LEVELS[one], 1)[0] for one in grade]
    reported = [today - timedelta(days=int(one)) for one in age]
    deadline = [day + timedelta(days=int(days)) for day, days in zip(reported, term, strict=True)]
    return Risks(category, grade, state, level, reported, deadline)


_CYCLE_DAYS = {
    "police_grid": 180, "workstation": 30, "police_office": 60, "safe_house": 90, "service_point": 90,
    "care_point": 30, "residential_area": 365,
}  # fmt: skip
_CYCLE_BY_GRADE = {
    "premises": {"一级": 30, "二级": 90, "三级": 180},
    "risk": {"red": 3, "orange": 7, "yellow": 15, "blue": 30},
}
VISITED_LAYERS = (*_CYCLE_DAYS, *_CYCLE_BY_GRADE)


def cycle_days(layer: str, grade: Sequence[str] | None, count: int) -> Indices:
    """The days within which each of `count` elements of a layer is to be verified again."""
    if grade is None:
        return np.full(count, _CYCLE_DAYS[layer])
    return np.array([_CYCLE_BY_GRADE[layer][one] for one in grade], dtype=np.int64)


def draw_visits(
    rng: np.random.Generator, layer: str, grade: Sequence[str] | None, count: int, today: date
) -> list[date]:
    """When each of `count` elements of a layer was last verified: about one in eight is past its usual cycle."""
    cycle = cycle_days(layer, grade, count)
    late = rng.random(count) < 0.12
    age = np.where(late, cycle * (1.0 + 0.6 * rng.random(count)) + 1, cycle * rng.random(count))
    return [today - timedelta(days=int(one)) for one in age]
