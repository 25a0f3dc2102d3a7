"""What a siting solve is asked: the problem, how many new points, from where, within which limits (选址)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gridmap.errors import InvalidInput
from gridmap.services import candidates
from gridmap.services.questions import Question

MOST_SECONDS = 3600.0
MOST_NEW = 10_000
_MOST_CURVE = 60
MOST_COVERS = 9
MOST_CAPACITY = 1e9


class Problem(Enum):
    """What makes one choice of sites better than another."""

    MCLP = "mclp"
    LSCP = "lscp"
    P_MEDIAN = "p-median"
    P_CENTER = "p-center"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {
            "mclp": "覆盖人口最多", "lscp": "用最少的点全部覆盖", "p-median": "人均路程最短", "p-center": "最远居民最近",
        }[self.value]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SitingQuestion:
    """
    A siting problem on a question of coverage.

    Attributes
    ----------
    count : new sites beside today's (not for LSCP)
    candidates : a layer, `roads` or `grid`
    is_movable : today's points may all go elsewhere: as many as today and `count` more are placed anew
    closable : how many of today's points, those that carry least alone, may be placed anew
    time_limit : seconds for the proof
    curve : also the best cover with 1, 2, … this many new sites (MCLP)
    share : also the fewest new sites that cover this share of people; None leaves it out
    cost_field : field of the candidates' layer that holds what a site costs
    covers : points that people must have within the threshold to count as covered (MCLP, LSCP)
    backup : with `covers`, the share of people that counts at the last of them, the rest at the first (MCLP)
    capacity : most people that a point serves (MCLP, p-median): new ones, and those of today without a
        capacity of their own; None without a limit
    """

    question: Question
    problem: Problem
    count: int = 1
    candidates: str = candidates.ROADS
    is_movable: bool = False
    closable: int = 0
    time_limit: float = 60.0
    curve: int = 0
    share: float | None = None
    cost_field: str | None = None
    covers: int = 1
    backup: float = 1.0
    capacity: float | None = None

    def __post_init__(self) -> None:
        _within("count", self.count, 0, MOST_NEW, "新增点数")
        _within("closable", self.closable, 0, 10_000, "可撤点数")
        _within("curve", self.curve, 0, _MOST_CURVE, "曲线点数")
        _within("time_limit", self.time_limit, 0.1, MOST_SECONDS, "计算时限(秒)")
        if self.share is not None:
            _within("share", self.share, 0.01, 1.0, "目标覆盖率")
        _within("covers", self.covers, 1, MOST_COVERS, "至少覆盖次数")
        _within("backup", self.backup, 0.0, 1.0, "重复覆盖所占比重")
        if self.capacity is not None:
            _within("capacity", self.capacity, 1, MOST_CAPACITY, "每站服务人数上限")
        self._check_limits()
        if self.problem is not Problem.LSCP and self.count == 0 and not self.is_movable and not self.closable:
            raise InvalidInput(
                "count is 0 and nothing may move: there is nothing to choose",
                zh="新增点数为 0,且现有站点不可移动,没有可选的方案。",
            )

    def _check_limits(self) -> None:
        """Refuse limits that the problem does not know."""
        if self.covers > 1 and self.problem not in (Problem.MCLP, Problem.LSCP):
            raise InvalidInput(
                "covers is for mclp and lscp; leave it out",
                zh=f"“至少覆盖次数”只用于“{Problem.MCLP.title}”和“{Problem.LSCP.title}”,其他目标请填 1。",
                member="covers",
            )
        if self.backup != 1 and (self.covers == 1 or self.problem is not Problem.MCLP):
            raise InvalidInput(
                "backup is for mclp with covers of 2 or more; leave it out",
                zh=f"“兼顾首次覆盖”只用于“{Problem.MCLP.title}”且至少覆盖次数为 2 以上。",
                member="backup",
            )
        if self.capacity is not None and self.problem not in (Problem.MCLP, Problem.P_MEDIAN):
            raise InvalidInput(
                "capacity is for mclp and p-median; leave it out",
                zh=f"“每站服务人数上限”只用于“{Problem.MCLP.title}”和“{Problem.P_MEDIAN.title}”,其他目标请留空。",
                member="capacity",
            )
        if self.capacity is not None and self.covers > 1:
            raise InvalidInput(
                "covers and capacity cannot be combined; ask for one of them",
                zh="“至少覆盖次数”与“每站服务人数上限”不能同时使用,请只选一项。",
                member="capacity",
            )

    def document(self) -> dict[str, Any]:
        """As JSON values, as `parse_siting` reads it."""
        return {
            **self.question.document(),
            "problem": self.problem.value,
            "count": self.count,
            "candidates": self.candidates,
            "is_movable": self.is_movable,
            "closable": self.closable,
            "time_limit": self.time_limit,
            "curve": self.curve,
            "share": self.share,
            "cost_field": self.cost_field,
            "covers": self.covers,
            "backup": self.backup,
            "capacity": self.capacity,
        }


def _within(name: str, value: Any, least: float, most: float, zh: str) -> None:
    whole = name not in ("time_limit", "share", "backup", "capacity")
    is_number = type(value) is int or (not whole and type(value) is float and math.isfinite(value))
    if not is_number or not least <= value <= most:
        raise InvalidInput(
            f"{name} must be from {least:g} to {most:g}",
            zh=f"{zh}应在 {least:,g} 至 {most:,g} 之间。",
            member=name,
        )


MEMBERS = (
    "problem", "count", "candidates", "is_movable", "closable", "time_limit", "curve", "share", "cost_field",
    "covers", "backup", "capacity",
)  # fmt: skip


def parse_siting(document: Mapping[str, Any], question: Question) -> SitingQuestion:
    """The siting problem that these JSON values describe; raises InvalidInput."""
    given = {name: document[name] for name in MEMBERS if document.get(name) is not None}
    try:
        problem = Problem(given.pop("problem", None))
    except ValueError:
        raise InvalidInput(
            "problem must be mclp, lscp, p-median or p-center",
            zh="选址目标应为 mclp(覆盖最多)、lscp(最少点全覆盖)、p-median(人均最短)或 p-center(最远最近)。",
        ) from None
    for name in ("candidates", "cost_field"):
        if name in given and not isinstance(given[name], str):
            raise InvalidInput(f"{name} must be a text", zh=f"“{name}”应为文字。", member=name)
    if not isinstance(given.get("is_movable", False), bool):
        raise InvalidInput(
            "is_movable must be true or false", zh="“is_movable”应为 true 或 false。", member="is_movable"
        )
    return SitingQuestion(question, problem, **given)
