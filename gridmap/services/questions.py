"""The question behind every figure of coverage: which points, whose demand, how, within what, at what time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from gridmap.analysis.speeds import Mode
from gridmap.domain.elements import time_text
from gridmap.domain.freshness import CHINA
from gridmap.domain.scenarios import Change, documents, parse_changes
from gridmap.errors import InvalidInput
from gridmap.services.networks import Unit

POINTS, DEMAND, GRID = "workstation", "residential_area", "police_grid"
MOST_METRES = 100_000.0
MOST_SECONDS = 12 * 3600.0
_WITHIN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(m|米|km|公里|千米|min|分|分钟|s|秒)\s*")
_UNITS: dict[str, tuple[Unit, float]] = {
    "m": ("m", 1.0), "米": ("m", 1.0), "km": ("m", 1000.0), "公里": ("m", 1000.0), "千米": ("m", 1000.0),
    "min": ("s", 60.0), "分": ("s", 60.0), "分钟": ("s", 60.0), "s": ("s", 1.0), "秒": ("s", 1.0),
}  # fmt: skip
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class NotReadable(InvalidInput):
    """A threshold or time that is not written as one."""

    title = "写法无法识别"


class Travel(Enum):
    """How the way between demand and point is measured."""

    LINE = "line"
    FOOT = "foot"
    EBIKE = "ebike"
    CAR = "car"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return "直线距离" if self is Travel.LINE else Mode(self.value).title

    @property
    def mode(self) -> Mode | None:
        """The mode on the network; None for the straight line."""
        return None if self is Travel.LINE else Mode(self.value)


class Heading(Enum):
    """Which way the cost runs."""

    TO_POINT = "to_point"
    FROM_POINT = "from_point"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"to_point": "居民到站点", "from_point": "站点到居民"}[self.value]


@dataclass(frozen=True, slots=True)
class Within:
    """A threshold: `amount` seconds or metres, which is still covered."""

    amount: float
    unit: Unit

    @property
    def text(self) -> str:
        """As it is asked: `1000m`, `15min`."""
        if self.unit == "m":
            return f"{self.amount:g}m"
        return f"{self.amount / 60:g}min" if self.amount % 6 == 0 else f"{self.amount:g}s"

    @property
    def chinese(self) -> str:
        """The words a person reads."""
        if self.unit == "m":
            return f"{self.amount:g} 米"
        return f"{self.amount / 60:g} 分钟" if self.amount % 6 == 0 else f"{self.amount:g} 秒"


def parse_within(text: str | Within) -> Within:
    """The threshold that `1000m`, `1.5km`, `15min` or `90s` names; raises InvalidInput."""
    if isinstance(text, Within):
        return text
    match = _WITHIN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise NotReadable(
            f"no threshold {str(text)[:40]!r}; write 1000m or 15min",
            zh="覆盖半径或时限的写法应为 1000m(米)或 15min(分钟)。",
        )
    unit, factor = _UNITS[match[2]]
    amount = float(match[1]) * factor
    most = MOST_METRES if unit == "m" else MOST_SECONDS
    if not 0 < amount <= most:
        raise InvalidInput(
            f"threshold {text} must be above 0 and at most {most:g} {unit}",
            zh="覆盖半径须大于 0 且不超过 100 公里。" if unit == "m" else "时限须大于 0 且不超过 12 小时。",
        )
    return Within(amount, unit)


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked; equal questions on equal data have equal answers.

    Attributes
    ----------
    points, demand, by : layer ids; `by` is a grid layer
    direction : None leaves it to the mode (residents walk and ride to a point, cars come from it)
    demand_field : count that weighs the demand; None: `population` where the layer has it, else 1 each
    open_at : only points open at this time; None: all
    scenario : id of the stored scenario that `changes` came from, or None
    changes : applied to points and roads
    """

    points: str = POINTS
    demand: str = DEMAND
    mode: Travel = Travel.FOOT
    within: Within = Within(1000.0, "m")
    by: str = GRID
    direction: Heading | None = None
    demand_field: str | None = None
    open_at: datetime | None = None
    scenario: str | None = None
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if self.mode is Travel.LINE and self.within.unit == "s":
            raise InvalidInput(
                "a straight line has no time; give metres, or a mode of travel",
                zh="直线距离不能按时间计算,请填米数(例如 1000m),或改选步行、电动自行车、警车。",
            )

    @property
    def heading(self) -> Heading:
        """Which way the cost runs."""
        return self.direction or (Heading.FROM_POINT if self.mode is Travel.CAR else Heading.TO_POINT)

    @property
    def has_readiness(self) -> bool:
        """Whether minutes to get ready count: only where help comes from the point, in time."""
        return self.within.unit == "s" and self.heading is Heading.FROM_POINT

    def document(self) -> dict[str, Any]:
        """The question as JSON values, as `parse_question` reads it."""
        return {
            "points": self.points,
            "demand": self.demand,
            "mode": self.mode.value,
            "within": self.within.text,
            "by": self.by,
            "direction": self.heading.value,
            "demand_field": self.demand_field,
            "open_at": None if self.open_at is None else time_text(self.open_at),
            "scenario": self.scenario,
            "changes": documents(self.changes),
        }

    def today(self) -> Question:
        """The same question without any change."""
        return replace(self, scenario=None, changes=())


MEMBERS = (
    "points",
    "demand",
    "mode",
    "within",
    "by",
    "direction",
    "demand_field",
    "open_at",
    "scenario",
    "changes",
)


def parse_question(document: Mapping[str, Any], *, now: datetime) -> Question:
    """
    The question that these JSON values (or texts of a query) ask; what is left out has its default.

    Raises
    ------
    InvalidInput
        A value is of the wrong kind or names nothing known.
    """
    given = {name: document[name] for name in MEMBERS if document.get(name) not in (None, "")}
    texts = {name: _text(name, given[name]) for name in MEMBERS[:-1] if name in given}
    return Question(
        points=texts.get("points", POINTS),
        demand=texts.get("demand", DEMAND),
        mode=parse_travel(texts.get("mode", Travel.FOOT.value)),
        within=parse_within(texts.get("within", "1000m")),
        by=texts.get("by", GRID),
        direction=parse_heading(texts["direction"]) if "direction" in texts else None,
        demand_field=texts.get("demand_field"),
        open_at=parse_open_at(texts["open_at"], now=now) if "open_at" in texts else None,
        scenario=texts.get("scenario"),
        changes=parse_changes(given.get("changes", [])),
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 80:
        raise InvalidInput(f"{name} must be a short text", zh=f"“{name}”应为文字。", member=name)
    return value


def parse_travel(text: str | Travel) -> Travel:
    """The way of measuring that `text` names; raises InvalidInput."""
    try:
        return Travel(text)
    except ValueError:
        raise InvalidInput(
            f"no mode {str(text)[:20]!r}; use line, foot, ebike or car",
            zh="出行方式应为 line(直线)、foot(步行)、ebike(电动自行车)或 car(警车)。",
        ) from None


def parse_heading(text: str | Heading) -> Heading:
    """The direction that `text` names; raises InvalidInput."""
    try:
        return Heading(text)
    except ValueError:
        raise InvalidInput(
            f"no direction {str(text)[:20]!r}; use to_point or from_point",
            zh="方向应为 to_point(居民到站点)或 from_point(站点到居民)。",
        ) from None


def parse_open_at(text: str, *, now: datetime) -> datetime:
    """`now`, `HH:MM` of today's local time, or an RFC 3339 time; raises InvalidInput."""
    if text == "now":
        return now.replace(microsecond=0)
    clock = _CLOCK.fullmatch(text)
    if clock:
        local = now.astimezone(CHINA)
        return local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=CHINA)
        at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotReadable(
            f"no time {text[:40]!r}; use now, HH:MM or RFC 3339",
            zh="时间应为 now、HH:MM 或带时区的完整时间。",
        ) from None
    return at


_DAY_OPENS, _DAY_CLOSES = 8, 20


def is_open(hours: str | None, at: datetime) -> bool:
    """Whether a point with these opening hours is open; `day` is 8:00 to 20:00, unknown hours count as open."""
    return hours != "day" or _DAY_OPENS <= at.astimezone(CHINA).hour < _DAY_CLOSES


def cost_text(cost: float | None, unit: Unit) -> str:
    """A cost as a person reads it: `820 米`, `12.4 分钟`; `不可达` without a way."""
    if cost is None or not math.isfinite(cost):
        return "不可达"
    return f"{cost:,.0f} 米" if unit == "m" else f"{cost / 60:.1f} 分钟"
