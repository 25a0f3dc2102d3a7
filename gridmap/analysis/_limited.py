"""Siting questions with capacities, made into rows and columns and back: what fits, what cannot, the answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from gridmap.analysis._allocate import LOAD_SLACK, loads
from gridmap.analysis._answer import (
    InfeasibleError,
    Siting,
    SolveStopped,
    first_reaching,
    named,
    nearest_site,
)
from gridmap.analysis._capacity import CapacityProblem, Placement, place
from gridmap.analysis._question import whole_unit
from gridmap.analysis._watch import Watch
from gridmap.errors import InvalidInput, TooLarge

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Plain = Callable[[Watch], Siting]
"""The same question without capacities, under a watch."""

MOST_PAIRS = 20_000_000
"""Rows times columns that a question with capacities may have."""
_PLAIN_SHARE = 0.25
"""Share of the time for the question without capacities, which gives a bound and a start."""


def capacities(capacity: ArrayLike | None, columns: int) -> Floats | None:
    """Each column's capacity; None where none is limited."""
    if capacity is None:
        return None
    room = np.asarray(capacity, dtype=np.float64)
    if room.shape not in ((), (columns,)):
        raise InvalidInput(
            f"capacity has shape {room.shape}; give one number, or one for each of the {columns} sites",
            zh=f"服务人数上限应为一个数,或与站点数({columns})一一对应。",
        )
    room = np.broadcast_to(room, columns).copy()
    wrong = np.flatnonzero(~(room >= 0))
    if wrong.size:
        raise InvalidInput(
            f"capacity is negative or NaN at {len(wrong)} sites, first {wrong[0]}; use inf for no limit",
            zh=f"第 {wrong[0] + 1} 个站点的服务人数上限不是有效的非负数。",
            sites=wrong.tolist(),
        )
    return None if np.isinf(room).all() else room


def limited_median(
    costs: NDArray[np.floating],
    people: Floats,
    room: Floats,
    opened: Ints,
    candidates: Ints,
    p: int,
    plain: Plain,
    watch: Watch,
) -> Siting:
    """The p-median whose sites carry no more than `room`, whole rows each; see `siting.p_median`."""
    demand = np.flatnonzero(people > 0)
    usable = np.arange(costs.shape[1]) if p else opened
    _check_size(len(demand), costs.shape[1])
    _check_heavy(costs, people, room, demand, usable)
    _check_total(people, room, opened, candidates, p)
    bound, starts = 0.0, []
    try:
        free = plain(watch.part(_PLAIN_SHARE))
    except SolveStopped:
        free = None
    if free is not None:
        if free.is_optimal and _fits(free.assignment, people, room):
            return free
        bound, starts = free.bound, [free.sites[len(opened) :]]
    paid = people[demand, None] * costs[demand].astype(np.float64)
    problem = CapacityProblem(
        paid, np.full(len(demand), np.inf), people[demand], room, opened, candidates, p,
        whole_unit(paid[np.isfinite(paid)]),
    )  # fmt: skip
    found = place(problem, watch, bound=bound, starts=starts)
    if found.columns is None:
        raise _no_answer(found, demand[found.owner < 0], people)
    sites = np.r_[opened, found.columns]
    assignment = nearest_site(costs, sites)[0]
    assignment[demand] = found.owner
    objective = float(people[demand] @ costs[demand, found.owner])
    is_optimal = found.bound >= found.paid
    bound = objective if is_optimal else min(found.bound, objective)
    return Siting(sites, objective, bound, is_optimal, assignment)


def limited_cover(
    near: sparse.csr_array,
    people: Floats,
    room: Floats,
    opened: Ints,
    candidates: Ints,
    p: int,
    plain: Plain,
    watch: Watch,
) -> Siting:
    """The maximal cover whose sites carry no more than `room`, whole rows each; see `siting.mclp`."""
    demand = np.flatnonzero((people > 0) & (np.diff(near.indptr) > 0))
    _check_size(len(demand), near.shape[1])
    free = plain(watch.part(_PLAIN_SHARE))
    if free.is_optimal and _fits(free.assignment, people, room):
        return free
    weight = people[demand]
    paid = np.where(near[demand].toarray() > 0, 0.0, np.inf)
    total = float(weight.sum())
    problem = CapacityProblem(paid, weight, weight, room, opened, candidates, p, whole_unit(weight))
    found = place(problem, watch, bound=max(0.0, total - free.bound), starts=[free.sites[len(opened) :]])
    assert found.columns is not None  # nobody must be served
    sites = np.r_[opened, found.columns]
    assignment = first_reaching(near, sites)
    assignment[people > 0] = -1
    assignment[demand] = found.owner
    objective = float(weight[found.owner >= 0].sum())
    is_optimal = found.bound >= found.paid
    bound = objective if is_optimal else objective + max(0.0, found.paid - found.bound)
    return Siting(sites, objective, bound, is_optimal, assignment)


def _fits(assignment: Ints, people: Floats, room: Floats) -> bool:
    served = assignment >= 0
    carried = loads(assignment[served], people[served], len(room))
    return bool((carried <= room * (1 + LOAD_SLACK)).all())


# what cannot be done


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MOST_PAIRS:
        raise TooLarge(
            f"{rows} rows by {columns} sites are more than {MOST_PAIRS} pairs; with capacities ask for fewer",
            zh=f"需求点({rows:,} 个)与站点({columns:,} 个)太多,不能同时限制服务人数;请减少候选点,或先把需求汇总。",
        )


def _check_heavy(
    costs: NDArray[np.floating], people: Floats, room: Floats, demand: Ints, usable: Ints
) -> None:
    """Raise when a row alone is more than any site in its reach carries; rows out of all reach come later."""
    reach = np.isfinite(costs[np.ix_(demand, usable)])
    most = np.where(reach, room[usable], -np.inf).max(axis=1, initial=-np.inf)
    lost = demand[reach.any(axis=1) & (people[demand] > most * (1 + LOAD_SLACK))]
    if lost.size:
        raise InfeasibleError(
            f"{len(lost)} demand rows exceed the capacity of every site that they reach: {named(lost)}; "
            "raise the capacity or split the rows",
            zh=f"有 {len(lost)} 个需求点的人数超过任何一个可到达站点的服务人数上限(最大的一个有 "
            f"{people[lost].max():,.0f} 人),请提高上限或先拆分这些需求点。",
            rows=lost.tolist(),
        )


def _check_total(people: Floats, room: Floats, opened: Ints, candidates: Ints, p: int) -> None:
    """Raise when all sites together, the largest candidates chosen, carry less than everybody."""
    largest = np.sort(room[candidates])[::-1]
    total, held = float(people.sum()), float(room[opened].sum())
    most = held + float(largest[:p].sum())
    if total <= most * (1 + LOAD_SLACK):
        return
    growing = held + np.cumsum(largest)
    enough = int(np.searchsorted(growing * (1 + LOAD_SLACK), total)) + 1
    hint = f"至少要新增 {enough} 处" if enough <= len(largest) else "全部候选点都启用也不够"
    raise InfeasibleError(
        f"the demand of {total:g} exceeds the capacity of {most:g} that {p} new sites bring; "
        "raise the capacity or allow more sites",
        zh=f"需求共 {total:,.0f} 人,而现有站点加新增 {p} 处最多服务 {most:,.0f} 人,还差 {total - most:,.0f} 人"
        f"({hint}),请提高每站服务人数上限或增加新增点数。",
        rows=[],
        demand=total,
        capacity=most,
        needed=enough if enough <= len(largest) else None,
    )


def _no_answer(found: Placement, rows: Ints, people: Floats) -> InfeasibleError | SolveStopped:
    left = f"{people[rows].sum():,.0f}"
    if np.isinf(found.bound):
        return InfeasibleError(
            f"no choice of sites carries all rows within the capacities; left over at best: {named(rows)}; "
            "raise the capacity, allow more sites or split large rows",
            zh=f"在服务人数上限内无法安置全部需求:试到最好仍有 {len(rows)} 个需求点(共 {left} 人)无处可归,"
            "请提高上限、增加新增点数或拆分人数多的需求点。",
            rows=rows.tolist(),
        )
    return SolveStopped(
        f"stopped before any choice was found that carries all rows; left over: {named(rows)}",
        zh=f"计算已停止,尚未找到能在服务人数上限内安置全部需求的方案(试到最好仍有 {left} 人无处可归),"
        "请延长计算时限、提高上限或增加新增点数。",
    )
