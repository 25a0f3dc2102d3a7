"""
Siting: which sites to open, with a bound that says how good the choice is (选址).

Runs in a worker process as a job of the kind `site`; the command line solves in its own process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmap.analysis import siting as engine
from gridmap.analysis.coverage import coverage, exact_weights
from gridmap.analysis.siting import InfeasibleError, Progress, Siting
from gridmap.domain.elements import new_id, time_text
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import candidates, jobs, situations
from gridmap.services.coverage import number
from gridmap.services.district import District
from gridmap.services.jobs import Job, JobContext
from gridmap.services.questions import Question, parse_question
from gridmap.services.situations import Situation
from gridmap.services.snapshots import Snapshot
from gridmap.storage import scenarios as stored

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Tell = Callable[[float, str], None]

KIND = "site"
MOST_SECONDS = 3600.0
MOST_NEW = 10_000
_MOST_CURVE = 60
_SHARE = 0.95


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

    def __post_init__(self) -> None:
        _within("count", self.count, 0, MOST_NEW, "新增点数")
        _within("closable", self.closable, 0, 10_000, "可撤点数")
        _within("curve", self.curve, 0, _MOST_CURVE, "曲线点数")
        _within("time_limit", self.time_limit, 0.1, MOST_SECONDS, "计算时限(秒)")
        if self.share is not None:
            _within("share", self.share, 0.01, 1.0, "目标覆盖率")
        if self.problem is not Problem.LSCP and self.count == 0 and not self.is_movable and not self.closable:
            raise InvalidInput(
                "count is 0 and nothing may move: there is nothing to choose",
                zh="新增点数为 0,且现有站点不可移动,没有可选的方案。",
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
        }


def _within(name: str, value: Any, least: float, most: float, zh: str) -> None:
    whole = name not in ("time_limit", "share")
    is_number = type(value) is int or (not whole and type(value) is float and math.isfinite(value))
    if not is_number or not least <= value <= most:
        raise InvalidInput(
            f"{name} must be from {least:g} to {most:g}",
            zh=f"{zh}应在 {least:g} 至 {most:g} 之间。",
            member=name,
        )


MEMBERS = (
    "problem", "count", "candidates", "is_movable", "closable", "time_limit", "curve", "share", "cost_field",
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


# --- solving ----------------------------------------------------------------------------------------------


def solve(
    district: District,
    user: User,
    asked: SitingQuestion,
    *,
    tell: Tell | None = None,
    keep: bool = True,
    sequence: int | None = None,
) -> dict[str, Any]:
    """
    The best sites, with a proof or its gap; the answer as JSON values (see `docs/api.md`).

    Parameters
    ----------
    tell : hears a share of the time and a Chinese sentence with the best answer and the bound so far
    keep : store the answer as a run
    sequence : the commit whose data are meant, the newest when None (a candidates' layer is always today's)

    Raises
    ------
    InvalidInput, InfeasibleError, NotFound, PermissionDenied, TooLarge
    """
    started = time.perf_counter()
    situation, snapshot = situations.prepared(district, user, asked.question, sequence=sequence)
    if not situation.demand.weight.sum() > 0:
        raise InvalidInput(
            "the demand is zero everywhere; nothing to serve",
            zh="需求总数为 0,无法选址。请检查需求图层的人口字段。",
        )
    solver = _Solver(district, user, asked, situation, tell or (lambda share, message: None))
    result = solver.solve()
    result |= _frame(asked, situation, snapshot, time.perf_counter() - started)
    if keep:
        _store(district, user, asked, snapshot, result)
    return result


def _frame(asked: SitingQuestion, situation: Situation, snapshot: Snapshot, seconds: float) -> dict[str, Any]:
    return {
        "question": asked.document(),
        "method": situation.method(),
        "crs": f"EPSG:{situation.crs.to_epsg()}",
        "data_time": time_text(snapshot.data_time),
        "sequence": snapshot.sequence,
        "is_simulated": situation.is_simulated,
        "seconds": round(seconds, 3),
    }


def _store(
    district: District, user: User, asked: SitingQuestion, snapshot: Snapshot, result: dict[str, Any]
) -> None:
    run = stored.Run(
        id=new_id(), kind=KIND, title=asked.problem.title, parameters=asked.document(), sequence=snapshot.sequence,
        result=result, created_by=user.username, created_at=district.clock(),
    )  # fmt: skip
    with district.database.write() as connection:
        stored.add_run(connection, run)
    result["run"] = run.id


class _Solver:
    """One siting problem: today's points first, then the candidates, as columns of one matrix."""

    def __init__(
        self, district: District, user: User, asked: SitingQuestion, situation: Situation, tell: Tell
    ) -> None:
        self.asked, self.situation, self.tell, self.user = asked, situation, tell, user
        tell(0.02, "正在计算候选点的路程")
        self.sites = candidates.from_source(
            district, user, situation, asked.candidates, cost_field=asked.cost_field
        )
        self.old = len(situation.active)
        new_cost = candidates.site_cost(
            situation, self.sites, limit=self._limit(), ready_s=candidates.typical_ready(situation),
            tell=lambda share: tell(0.02 + 0.28 * share, f"正在计算候选点的路程:{share:.0%}"),
        )  # fmt: skip
        self.cost: Floats = np.hstack([situation.cost, new_cost])
        self.weight = exact_weights(situation.demand.weight)
        self.reach = self.cost <= situation.threshold
        self.fixed, self.options, self.p = self._roles()
        self.started = time.perf_counter()

    def _limit(self) -> float:
        """Costs beyond the threshold matter only where costs themselves are added up."""
        if self.asked.problem in (Problem.MCLP, Problem.LSCP):
            return self.situation.threshold
        nearest = self.situation.cover.near.cost[:, 0]
        if self.asked.is_movable or self.asked.closable or not np.isfinite(nearest).all():
            return math.inf
        # nobody goes to a new site that is farther than the point they have
        return float(nearest.max(initial=0.0)) + 1.0

    def _roles(self) -> tuple[Ints, Ints, int]:
        """Columns that stay open, all columns in play, and how many to choose beside the fixed."""
        asked, everything = self.asked, np.arange(self.cost.shape[1])
        if asked.is_movable:
            return np.zeros(0, np.intp), everything, self.old + asked.count
        if asked.closable:
            free = min(asked.closable, self.old)
            weakest = np.argsort(self.situation.cover.unique, kind="stable")[:free]
            return np.setdiff1d(np.arange(self.old), weakest), everything, asked.count + free
        return np.arange(self.old), everything, asked.count

    def solve(self) -> dict[str, Any]:
        if self.asked.problem is not Problem.LSCP and self.p > len(self.options) - len(self.fixed):
            free = len(self.options) - len(self.fixed)
            raise InfeasibleError(
                f"{self.p} sites are asked for and only {free} can be chosen; ask for fewer or add candidates",
                zh=f"要求布设 {self.p} 处,但可选的只有 {free} 处,请减少数量或增加候选点。",
                rows=[], p=self.p, candidates=free,
            )  # fmt: skip
        found, rows = self._solved()
        is_cover = self.asked.problem in (Problem.MCLP, Problem.LSCP)
        result = self._described(found, rows, is_cover)
        result["curve"] = self._curve() if self.asked.curve else []
        result["fewest"] = self._fewest() if self.asked.share is not None else None
        return result

    def _solved(self) -> tuple[Siting, Ints]:
        """The engine's answer, and the demand rows it was given."""
        asked = self.asked
        options: dict[str, Any] = {
            "fixed": self.fixed.tolist(), "time_limit": asked.time_limit, "on_progress": self._on_progress,
        }  # fmt: skip
        people = np.flatnonzero(self.weight > 0)
        if asked.problem is Problem.MCLP:
            return engine.mclp(self.reach[people], self.weight[people], self.p, **options), people
        if asked.problem is Problem.LSCP:
            reachable = people[self.reach[people].any(axis=1)]
            return engine.lscp(self.reach[reachable], **options), reachable
        reachable = people[np.isfinite(self.cost[people]).any(axis=1)]
        if len(reachable) == 0:
            raise InfeasibleError(
                "no candidate reaches any demand",
                zh="没有任何候选点能到达需求点,请检查路网和候选点。",
                rows=[],
            )
        if asked.problem is Problem.P_MEDIAN:
            return engine.p_median(self.cost[reachable], self.weight[reachable], self.p, **options), reachable
        return engine.p_center(self.cost[reachable], self.p, **options), reachable

    def _on_progress(self, progress: Progress) -> None:
        share = min(0.9, 0.3 + 0.6 * progress.seconds / self.asked.time_limit)
        self.tell(share, f"{self._progress_text(progress)};已用 {progress.seconds:.0f} 秒")

    def _progress_text(self, progress: Progress) -> str:
        """The best answer and the bound so far, as far as the solver's own scale says something about them."""
        best, bound = progress.objective, progress.bound
        if not math.isfinite(best):
            return "正在寻找第一个方案"
        if self.asked.problem is Problem.MCLP:  # it counts who is missed among those that some site covers
            coverable = float(self.weight[self.reach.any(axis=1)].sum())
            left = self._objective_text(coverable - bound) if math.isfinite(bound) else "未知"
            return f"当前最好:{self._objective_text(coverable - best)};界限:{left}"
        if self.asked.problem is Problem.P_MEDIAN and math.isfinite(bound) and best > 0:
            return f"已有方案,正在证明:与界限相差 {(best - bound) / best:.2%}"
        if self.asked.problem is Problem.P_CENTER and progress.stage == "radius":
            return f"当前最好:{self._objective_text(best)};界限:{self._objective_text(bound)}"
        return "已有方案,正在证明"

    def _objective_text(self, value: float) -> str:
        if not math.isfinite(value):
            return "未知"
        problem, unit = self.asked.problem, self.situation.demand.unit
        if problem is Problem.MCLP:
            return f"覆盖 {value:,.0f} {unit}"
        if problem is Problem.LSCP:
            return f"{value:.0f} 个点"
        if problem is Problem.P_CENTER:
            return f"最远 {self.situation.cost_text(value)}"
        return f"人均 {self.situation.cost_text(value / float(self.weight.sum()))}"

    # what it means

    def _described(self, found: Siting, rows: Ints, is_cover: bool) -> dict[str, Any]:
        situation = self.situation
        opened = np.asarray(found.sites, np.intp)
        before, after = situation.cover, coverage(self.cost[:, opened], self.weight, situation.threshold)
        left_out = float(self.weight.sum() - self.weight[rows].sum())
        warnings = situation.warnings()
        if left_out:
            what = "任何候选点在阈值内都覆盖不到" if is_cover else "沿路网到不了任何候选点"
            warnings.append(f"有 {left_out:,.0f} {situation.demand.unit}{what},不参与求解。")
        sites = [self._site(int(one), at, before.is_covered, after) for at, one in enumerate(opened)]
        gone = [at for at in range(self.old) if at not in set(opened.tolist())]
        small = not self.user.may(Permission.VIEW_SENSITIVE)
        objective, bound = float(found.objective), float(found.bound)
        return {
            "problem": self.asked.problem.value,
            "problem_title": self.asked.problem.title,
            "sites": sites if not small else [_masked(one) for one in sites],
            "closed": [self._point(at) for at in gone],
            "objective": number(objective),
            "objective_text": self._objective_text(objective),
            "bound": number(bound),
            "gap": number(found.gap),
            "is_optimal": bool(found.is_optimal) and not self.asked.closable,
            "proof_text": self._proof_text(found),
            "before": self._figures(before),
            "after": self._figures(after),
            "unreachable": number(left_out),
            "candidates": len(self.sites),
            "warnings": warnings,
        }

    def _proof_text(self, found: Siting) -> str:
        if found.is_optimal:
            limit = ",前提是只有单独贡献最小的站点可以撤" if self.asked.closable else ""
            return f"已证明最优{limit}"
        return f"未证明最优:与界限最多相差 {found.gap:.2%}" if math.isfinite(found.gap) else "未证明最优"

    def _figures(self, cover: Any) -> dict[str, Any]:
        cost = cover.cost
        finite = cover.near.cost[:, 0][np.isfinite(cover.near.cost[:, 0]) & (self.weight > 0)]
        # costs of new sites are only known up to the threshold where cover is what counts
        is_known = self.asked.problem in (Problem.P_MEDIAN, Problem.P_CENTER) or cover is self.situation.cover
        return {
            "people": number(cover.total),
            "covered": number(cover.covered),
            "covered_share": cover.covered_share,
            "mean": number(float(cost.mean)) if is_known else None,
            "farthest": number(float(finite.max())) if is_known and len(finite) else None,
        }

    def _point(self, at: int) -> dict[str, Any]:
        points, row = self.situation.points, self.situation.active[at]
        return {
            "id": points.id[row], "code": points.code[row], "name": points.name[row],
            "lon": float(points.lonlat[row, 0]), "lat": float(points.lonlat[row, 1]),
        }  # fmt: skip

    def _site(self, column: int, at: int, was_covered: NDArray[np.bool_], after: Any) -> dict[str, Any]:
        """One open site: people within, newly covered ones, those for whom it is nearest, against its capacity."""
        own = self.reach[:, column]
        figures = {
            "people": number(float(self.weight[own].sum())),
            "gained": number(float(self.weight[own & ~was_covered].sum())),
            "assigned": number(float(after.assigned[at])),
        }
        if column < self.old:
            capacity = float(self.situation.points.capacity[self.situation.active[column]])
            over = math.isfinite(capacity) and after.assigned[at] > capacity
            return {
                "candidate": None, **self._point(column), "is_new": False, "cost": None,
                "capacity": number(capacity), "is_over_capacity": bool(over), **figures,
            }  # fmt: skip
        number_ = column - self.old
        return {
            "candidate": number_, "id": self.sites.id[number_], "code": None, "name": self.sites.name[number_],
            "lon": float(self.sites.lonlat[number_, 0]), "lat": float(self.sites.lonlat[number_, 1]), "is_new": True,
            "cost": number(float(self.sites.cost[number_])), "capacity": None, "is_over_capacity": False, **figures,
        }  # fmt: skip

    # how many points are enough

    def _best_cover(self, p: int, time_limit: float) -> Siting:
        people = np.flatnonzero(self.weight > 0)
        return engine.mclp(
            self.reach[people], self.weight[people], p, fixed=self.fixed.tolist(), time_limit=time_limit
        )

    def _curve(self) -> list[list[Any]]:
        """`[new sites, covered people, proven]`, from none on."""
        most = min(self.asked.curve, len(self.options) - len(self.fixed))
        each = max(0.5, self.asked.time_limit / (most + 1))
        curve = []
        for p in range(most + 1):
            self.tell(0.9 + 0.05 * p / (most + 1), f"正在计算“点数—覆盖”曲线:{p}/{most}")
            found = self._best_cover(p, each)
            curve.append([p, number(found.objective), bool(found.is_optimal)])
        return curve

    def _fewest(self) -> dict[str, Any]:
        """The fewest sites beside the fixed ones with which the share of people is covered."""
        assert self.asked.share is not None
        total = float(self.weight.sum())
        goal = self.asked.share * total * (1 - 1e-12)
        most = float(self.weight[self.reach.any(axis=1)].sum())
        answer: dict[str, Any] = {
            "share": self.asked.share,
            "sites": None,
            "covered": None,
            "is_optimal": True,
        }
        if most < goal:
            return answer | {"most_share": most / total}
        # cover grows with every site, each adding no more than the one before: double, then halve
        high, free = 1, len(self.options) - len(self.fixed)
        each = max(1.0, self.asked.time_limit / 12)
        found: dict[int, Siting] = {0: self._best_cover(0, each)}
        while high < free and self._tried(found, high, each).objective < goal:
            high = min(high * 2, free)
        low = 0
        while low < high:
            middle = (low + high) // 2
            self.tell(0.96, f"正在求覆盖 {self.asked.share:.0%} 所需的最少点数")
            if self._tried(found, middle, each).objective >= goal:
                high = middle
            else:
                low = middle + 1
        best = self._tried(found, high, each)
        # proven when one fewer provably cannot do
        is_optimal = high == 0 or self._tried(found, high - 1, each).bound < goal
        return answer | {
            "sites": high,
            "covered": number(best.objective),
            "is_optimal": bool(is_optimal),
            "most_share": most / total,
        }

    def _tried(self, found: dict[int, Siting], p: int, each: float) -> Siting:
        if p not in found:
            found[p] = self._best_cover(p, each)
        return found[p]


def _masked(site: dict[str, Any]) -> dict[str, Any]:
    """A site as those without sensitive sight see it."""
    return {
        name: None
        if name in ("people", "gained", "assigned") and value is not None and 0 < value < 5
        else value
        for name, value in site.items()
    }


# --- as a job ---------------------------------------------------------------------------------------------


def start(district: District, user: User, asked: SitingQuestion) -> Job:
    """Solve in a worker process; what can be refused is refused now."""
    situations.require(district, user, asked.question)
    resolved = replace(asked, question=replace(situations.resolved(district, asked.question), scenario=None))
    situations.prepare(district, user, resolved.question)
    if asked.candidates not in (candidates.ROADS, candidates.GRID):
        district.catalogue.layer(asked.candidates)
    return jobs.start(district, user, KIND, f"选址:{asked.problem.title}", resolved.document())


def run_job(context: JobContext) -> dict[str, Any]:
    """Solve in a worker; the result is the answer of `solve`."""
    question = parse_question(context.parameters, now=context.district.clock())
    asked = parse_siting(context.parameters, question)
    context.progress(0.01, "正在准备路网与需求")
    return solve(context.district, context.user, asked, tell=context.progress)
