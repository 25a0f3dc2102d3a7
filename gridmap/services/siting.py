"""
Siting: which sites to open, with a bound that says how good the choice is (选址).

Runs in a worker process as a job of the kind `site`; the command line solves in its own process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmap.analysis import siting as engine
from gridmap.analysis.coverage import coverage, exact_weights
from gridmap.analysis.siting import InfeasibleError, Progress, Siting
from gridmap.domain.elements import new_id, time_text
from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import Add, Change, Close
from gridmap.errors import InvalidInput
from gridmap.services import candidates, jobs, situations
from gridmap.services.coverage import number
from gridmap.services.district import District
from gridmap.services.job_worker import JobContext
from gridmap.services.jobs import Job
from gridmap.services.questions import parse_question
from gridmap.services.siting_questions import (
    MEMBERS,
    MOST_CAPACITY,
    MOST_COVERS,
    MOST_NEW,
    MOST_SECONDS,
    Problem,
    SitingQuestion,
    parse_siting,
)
from gridmap.services.situations import Situation
from gridmap.services.snapshots import Snapshot
from gridmap.storage import scenarios as stored

__all__ = [
    "KIND", "MEMBERS", "MOST_CAPACITY", "MOST_COVERS", "MOST_NEW", "MOST_SECONDS", "Problem", "SitingQuestion", "parse_siting", "run_job", "solve",
    "start",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Tell = Callable[[float, str], None]

KIND = "site"


# --- solving ----------------------------------------------------------------------------------------------


def solve(
    district: District,
    user: User,
    asked: SitingQuestion,
    *,
    tell: Tell | None = None,
    should_stop: Callable[[], bool] | None = None,
    keep: bool = True,
    sequence: int | None = None,
) -> dict[str, Any]:
    """
    The best sites, with a proof or its gap; the answer as JSON values (see `docs/api.md`).

    Parameters
    ----------
    tell : hears a share of the time and a Chinese sentence with the best answer and the bound so far
    should_stop : asked now and then; True ends the solve with the best choice so far and its gap
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
    solver = _Solver(district, user, asked, situation, tell or (lambda share, message: None), should_stop)
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
        self,
        district: District,
        user: User,
        asked: SitingQuestion,
        situation: Situation,
        tell: Tell,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.should_stop = should_stop or (lambda: False)
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
        self.capacity = self._capacities()
        self.fixed, self.options, self.p = self._roles()
        self.started = time.perf_counter()

    def _limit(self) -> float:
        """Costs beyond the threshold matter only where costs themselves are added up."""
        if self.asked.problem in (Problem.MCLP, Problem.LSCP):
            return self.situation.threshold
        nearest = self.situation.cover.near.cost[:, 0]
        may_go_on = self.asked.is_movable or self.asked.closable or self.asked.capacity is not None
        if may_go_on or not np.isfinite(nearest).all():
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
        more = not self.should_stop()
        result["curve"] = self._curve() if self.asked.curve and more else []
        result["fewest"] = self._fewest() if self.asked.share is not None and more else None
        return result

    def _solved(self) -> tuple[Siting, Ints]:
        """The engine's answer, and the demand rows it was given."""
        asked = self.asked
        options: dict[str, Any] = {
            "fixed": self.fixed.tolist(), "time_limit": asked.time_limit, "on_progress": self._on_progress,
            "should_stop": self.should_stop,
        }  # fmt: skip
        people = np.flatnonzero(self.weight > 0)
        if asked.problem is Problem.MCLP:
            options |= self._cover_limits()
            return engine.mclp(self.reach[people], self.weight[people], self.p, **options), people
        if asked.problem is Problem.LSCP:
            reachable = people[self.reach[people].any(axis=1)]
            return engine.lscp(self.reach[reachable], covers=asked.covers, **options), reachable
        reachable = people[np.isfinite(self.cost[people]).any(axis=1)]
        if len(reachable) == 0:
            raise InfeasibleError(
                "no candidate reaches any demand",
                zh="没有任何候选点能到达需求点,请检查路网和候选点。",
                rows=[],
            )
        if asked.problem is Problem.P_MEDIAN:
            options["capacity"] = self.capacity
            return engine.p_median(self.cost[reachable], self.weight[reachable], self.p, **options), reachable
        return engine.p_center(self.cost[reachable], self.p, **options), reachable

    def _cover_limits(self) -> dict[str, Any]:
        return {"covers": self.asked.covers, "backup": self.asked.backup, "capacity": self.capacity}

    def _capacities(self) -> Floats | None:
        """Most people per column: today's points as recorded, else what was asked; None without a limit."""
        if self.asked.capacity is None:
            return None
        recorded = self.situation.points.capacity[self.situation.active]
        today = np.where(np.isfinite(recorded), recorded, self.asked.capacity)
        return np.r_[today, np.full(len(self.sites), self.asked.capacity)]

    def _on_progress(self, progress: Progress) -> None:
        share = min(0.9, 0.3 + 0.6 * progress.seconds / self.asked.time_limit)
        self.tell(share, f"{self._progress_text(progress)};已用 {progress.seconds:.0f} 秒")

    def _progress_text(self, progress: Progress) -> str:
        """The best answer and the bound so far, as far as the solver's own scale says something about them."""
        best, bound = progress.objective, progress.bound
        if not math.isfinite(best):
            return "正在寻找第一个方案"
        if progress.stage == "multiple cover":
            if self.asked.problem is Problem.LSCP:
                return "已有方案,正在证明"
            return f"当前最好:{self._objective_text(best)};界限:{self._objective_text(bound)}"
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
            return f"{self._cover_words()} {value:,.0f} {unit}"
        if problem is Problem.LSCP:
            return f"{value:.0f} 个点"
        if problem is Problem.P_CENTER:
            return f"最远 {self.situation.cost_text(value)}"
        return f"人均 {self.situation.cost_text(value / float(self.weight.sum()))}"

    def _cover_words(self) -> str:
        asked = self.asked
        if asked.covers > 1:
            return f"至少 {asked.covers} 次覆盖" if asked.backup == 1 else "折算覆盖"
        return "上限内覆盖" if asked.capacity is not None else "覆盖"

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
        warnings += self._short_of_covers()
        carried = after.assigned
        if self.capacity is not None:  # what the answer assigns, not who is nearest
            served = found.assignment >= 0
            load = np.bincount(found.assignment[served], self.weight[rows][served], self.cost.shape[1])
            carried = load[opened]
        sites = [self._site(int(one), carried[at], before.is_covered) for at, one in enumerate(opened)]
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
            "is_cancelled": self.should_stop(),
            "limits_text": self._limits_text(),
            "before": self._figures(before, np.arange(self.old)),
            "after": self._figures(after, opened),
            "unreachable": number(left_out),
            "candidates": len(self.sites),
            "warnings": warnings,
        }

    def _proof_text(self, found: Siting) -> str:
        if found.is_optimal:
            limit = ",前提是只有单独贡献最小的站点可以撤" if self.asked.closable else ""
            return f"已证明最优{limit}"
        why = "计算已取消,保留停止时最好的方案,未证明最优" if self.should_stop() else "到计算时限仍未证明最优"
        return f"{why}:与界限最多相差 {found.gap:.2%}" if math.isfinite(found.gap) else why

    def _limits_text(self) -> str:
        """The limits in words; empty without any."""
        asked, unit = self.asked, self.situation.demand.unit
        if asked.covers > 1:
            halves = (
                f",首次覆盖计 {1 - asked.backup:.0%}、满 {asked.covers} 次再计 {asked.backup:.0%}"
                if asked.backup < 1
                else ""
            )
            return f"至少覆盖 {asked.covers} 次{halves}"
        if self.capacity is None:
            return ""
        own = np.isfinite(self.situation.points.capacity[self.situation.active]).any()
        today = ",现有站点有登记容量的按登记值" if own else ""
        return f"每站最多服务 {asked.capacity:,.0f} {unit}{today},每个需求点整体归一个站"

    def _short_of_covers(self) -> list[str]:
        """A warning where some whom a point can reach cannot have as many points as asked for."""
        if self.asked.covers == 1:
            return []
        times = self.reach.sum(axis=1)
        short = float(self.weight[(times > 0) & (times < self.asked.covers)].sum())
        if not short:
            return []
        then = "按其最多可达的次数覆盖" if self.asked.problem is Problem.LSCP else "不计入至少覆盖次数"
        unit = self.situation.demand.unit
        return [f"有 {short:,.0f} {unit}即使启用全部候选点也达不到 {self.asked.covers} 次覆盖,{then}。"]

    def _figures(self, cover: Any, columns: Ints) -> dict[str, Any]:
        cost = cover.cost
        finite = cover.near.cost[:, 0][np.isfinite(cover.near.cost[:, 0]) & (self.weight > 0)]
        # costs of new sites are only known up to the threshold where cover is what counts
        is_known = self.asked.problem in (Problem.P_MEDIAN, Problem.P_CENTER) or cover is self.situation.cover
        return {
            "people": number(cover.total),
            "covered": number(cover.covered),
            "covered_share": cover.covered_share,
            "covered_often": number(
                float(self.weight[self.reach[:, columns].sum(axis=1) >= self.asked.covers].sum())
            ),
            "mean": number(float(cost.mean)) if is_known else None,
            "farthest": number(float(finite.max())) if is_known and len(finite) else None,
        }

    def _point(self, at: int) -> dict[str, Any]:
        points, row = self.situation.points, self.situation.active[at]
        return {
            "id": points.id[row], "code": points.code[row], "name": points.name[row],
            "lon": float(points.lonlat[row, 0]), "lat": float(points.lonlat[row, 1]),
        }  # fmt: skip

    def _site(self, column: int, assigned: float, was_covered: NDArray[np.bool_]) -> dict[str, Any]:
        """One open site: people within, newly covered ones, those assigned to it, against its capacity."""
        own = self.reach[:, column]
        figures = {
            "people": number(float(self.weight[own].sum())),
            "gained": number(float(self.weight[own & ~was_covered].sum())),
            "assigned": number(float(assigned)),
        }
        if column < self.old:
            capacity = float(self.situation.points.capacity[self.situation.active[column]])
            if self.capacity is not None:
                capacity = float(self.capacity[column])
            over = math.isfinite(capacity) and assigned > capacity * (1 + 1e-9)
            return {
                "candidate": None, **self._point(column), "is_new": False, "cost": None,
                "capacity": number(capacity), "is_over_capacity": bool(over), **figures,
            }  # fmt: skip
        number_ = column - self.old
        return {
            "candidate": number_, "id": self.sites.id[number_], "code": None, "name": self.sites.name[number_],
            "lon": float(self.sites.lonlat[number_, 0]), "lat": float(self.sites.lonlat[number_, 1]), "is_new": True,
            "cost": number(float(self.sites.cost[number_])), "capacity": number(self.asked.capacity or math.nan),
            "is_over_capacity": False, **figures,
        }  # fmt: skip

    # how many points are enough

    def _best_cover(self, p: int, time_limit: float) -> Siting:
        people = np.flatnonzero(self.weight > 0)
        if self.asked.backup == 1 and len(self.fixed) + p < self.asked.covers:
            return Siting(self.fixed, 0.0, 0.0, True, np.full(len(people), -1))  # too few points for that
        return engine.mclp(
            self.reach[people], self.weight[people], p, fixed=self.fixed.tolist(), time_limit=time_limit,
            should_stop=self.should_stop, **self._cover_limits(),
        )  # fmt: skip

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
        least_times = self.asked.covers if self.asked.backup == 1 else 1
        most = float(self.weight[self.reach.sum(axis=1) >= least_times].sum())
        answer: dict[str, Any] = {
            "share": self.asked.share,
            "sites": None,
            "covered": None,
            "is_optimal": True,
        }
        if most < goal:
            return answer | {"most_share": most / total}
        # cover never falls with a site more: double, then halve
        high, free = 1, len(self.options) - len(self.fixed)
        each = max(1.0, self.asked.time_limit / 12)
        found: dict[int, Siting] = {0: self._best_cover(0, each)}
        while high < free and self._tried(found, high, each).objective < goal:
            high = min(high * 2, free)
        last = self._tried(found, high, each)
        if last.objective < goal:  # within the capacities not even all of them do
            return answer | {"is_optimal": last.bound < goal, "most_share": last.objective / total}
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


def changes_of(result: Mapping[str, Any]) -> list[Change]:
    """The answer as changes of a scenario: new sites are added, sites given up closed."""
    added: list[Change] = [
        Add(one["lon"], one["lat"], f"选址{at + 1}")
        for at, one in enumerate(each for each in result["sites"] if each["is_new"])
    ]
    return [*added, *(Close(one["id"]) for one in result["closed"])]


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
    stoppable = cache(
        context.stoppable
    )  # from the first time the solver asks: before, there is nothing to keep

    def should_stop() -> bool:
        return stoppable()()

    return solve(context.district, context.user, asked, tell=context.progress, should_stop=should_stop)
