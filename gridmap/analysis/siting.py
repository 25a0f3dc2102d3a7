"""
Siting: which sites to open so that demand is best served, with a bound that proves how good the answer is.

Four problems, one answer type. Rows of `cost` and `reach` are demand points, columns are sites; a site number
is a column. Units are the caller's (seconds, metres); nothing here knows a coordinate.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from gridmap.analysis._center import least_radius
from gridmap.analysis._costs import SparseCosts
from gridmap.analysis._cover import minimum_cover, rows_alike
from gridmap.analysis._exchange import greedy, interchange
from gridmap.analysis._median import MedianProblem, median_problem
from gridmap.analysis._select import select
from gridmap.analysis._watch import Progress, Watch
from gridmap.errors import GridmapError, InvalidInput

__all__ = [
    "DEFAULT_TIME_LIMIT",
    "InfeasibleError",
    "Progress",
    "Siting",
    "SolveStopped",
    "lscp",
    "mclp",
    "p_center",
    "p_median",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Reach = ArrayLike | sparse.spmatrix | sparse.sparray

DEFAULT_TIME_LIMIT = 120.0
"""Seconds after which a solve returns what it has, with the bound proven by then."""

_NAMED = 5
"""How many rows a message names; the error carries all."""


class InfeasibleError(GridmapError, ValueError):
    """
    No choice of sites can meet the demand.

    Attributes
    ----------
    rows : demand rows that cannot be served (all that are out of reach, or those left over at best); empty
        when more sites are asked for than there are
    """

    status = 422
    title = "选址无可行方案"


class SolveStopped(GridmapError):
    """The solve was stopped, or its time was up, before it knew any choice that serves all demand."""

    status = 503
    title = "计算已停止,尚未得到可行方案"


@dataclass(frozen=True, slots=True, eq=False)
class Siting:
    """
    A choice of sites and how good it is.

    Attributes
    ----------
    sites : columns of all open sites: fixed ones first in the order given, then the new ones ascending
    objective : cost, farthest cost, covered weight or number of sites, of everything, fixed sites included
    bound : no choice can do better than this (below for costs and counts, above for cover)
    is_optimal : the bound proves the choice best (within 1e-9 of the cost where costs are not whole numbers)
    assignment : (n,) the open site that serves each demand row, -1 where none does
    """

    sites: Ints
    objective: float
    bound: float
    is_optimal: bool
    assignment: Ints

    @property
    def gap(self) -> float:
        """Distance of the bound from the objective as a share of the objective; 0 when proven."""
        if self.is_optimal or self.objective == self.bound:
            return 0.0
        return abs(self.objective - self.bound) / abs(self.objective) if self.objective else math.inf


def p_median(
    cost: ArrayLike,
    weight: ArrayLike,
    p: int,
    *,
    fixed: Iterable[int] = (),
    time_limit: float = DEFAULT_TIME_LIMIT,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Siting:
    """
    `p` new sites beside the fixed ones that make the weighted total cost least.

    Each row goes to its cheapest open site. Rows of weight zero ask for nothing: they may stay unreached
    (assignment -1) and never make a problem impossible.

    Parameters
    ----------
    cost : (n, m) from demand to site, >= 0; `inf` where unreachable; need not be square or symmetric
    weight : (n,) people, >= 0
    p : number of new sites
    fixed : columns that are open anyway
    time_limit : seconds
    on_progress : called now and then with `Progress`
    should_stop : asked now and then; True ends the solve with what is known

    Raises
    ------
    InfeasibleError
        A row of positive weight is out of every site's reach, no `p` sites reach all rows, or `p` exceeds
        the sites that are not fixed.
    InvalidInput
        Shapes disagree, or a number is NaN, negative or out of range.
    SolveStopped
        Time was up before any choice was found that reaches all rows (only where costs contain `inf`).

    References
    ----------
    Hakimi (1964), Optimum locations of switching centers; Beasley (1985), A note on solving large p-median
    problems; Durán-Mateo, Alès & Elloumi (2023), An efficient Benders decomposition for the p-median problem.
    """
    costs = _cost_array(cost)
    people = _weights(weight, costs.shape[0])
    opened, candidates = _sites(costs.shape[1], p, fixed)
    watch = _watch(time_limit, on_progress, should_stop)
    demand = np.flatnonzero(people > 0)
    _check_reached(costs, demand, opened if p == 0 else np.arange(costs.shape[1]))
    problem = median_problem(costs, people, opened, candidates)
    count = min(p, len(problem.column))
    start = _serving_start(problem, count, watch)
    found = select(problem.costs, count, watch, unit=problem.unit, start=start)
    new = _padded(problem.column[found.columns], candidates, p)
    sites = np.r_[opened, new]
    assignment, nearest = _nearest(costs, sites)
    objective = float(people[demand] @ nearest[demand])
    bound = objective if found.is_optimal and problem.unit else min(found.bound + problem.paid, objective)
    return Siting(sites, objective, bound, found.is_optimal, assignment)


def p_center(
    cost: ArrayLike,
    p: int,
    *,
    fixed: Iterable[int] = (),
    time_limit: float = DEFAULT_TIME_LIMIT,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Siting:
    """
    `p` new sites beside the fixed ones that make the farthest row's cost least.

    Every row counts alike. Sites that the optimum does not need are put where rows are farthest.

    Parameters
    ----------
    cost : (n, m) from demand to site, >= 0; `inf` where unreachable; need not be square or symmetric
    p, fixed, time_limit, on_progress, should_stop : as in `p_median`

    Raises
    ------
    InfeasibleError, InvalidInput, SolveStopped
        As in `p_median`.

    References
    ----------
    Minieka (1970), The m-center problem; Daskin (1995), Network and Discrete Location.
    """
    costs = _cost_array(cost)
    opened, candidates = _sites(costs.shape[1], p, fixed)
    watch = _watch(time_limit, on_progress, should_stop)
    n = costs.shape[0]
    _check_reached(costs, np.arange(n), opened if p == 0 else np.arange(costs.shape[1]))
    if n == 0:
        return Siting(np.r_[opened, candidates[:p]], 0.0, 0.0, True, np.zeros(0, np.intp))
    base = costs[:, opened].min(axis=1, initial=np.inf).astype(np.float64)
    options = costs if len(candidates) == costs.shape[1] else costs[:, candidates]
    found = least_radius(options, base, p, watch)
    if found.is_impossible:
        bare = np.flatnonzero(np.isinf(base))
        near = sparse.csr_array(np.isfinite(options[bare]).astype(float))
        raise _too_few_sites(bare[_left_over(near, p)], p)
    if found.columns is None:
        raise _stopped()
    new = _spread(options, base, found.columns, p)
    sites = np.r_[opened, np.sort(candidates[new])]
    assignment, nearest = _nearest(costs, sites)
    objective = float(nearest.max())
    return Siting(sites, objective, min(found.bound, objective), found.bound >= objective, assignment)


def mclp(
    reach: Reach,
    weight: ArrayLike,
    p: int,
    *,
    fixed: Iterable[int] = (),
    time_limit: float = DEFAULT_TIME_LIMIT,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Siting:
    """
    `p` new sites beside the fixed ones that cover the most weight (maximal covering location problem).

    `objective` is all weight covered, by fixed sites too; rows that no open site reaches are assigned -1.

    Parameters
    ----------
    reach : (n, m) true where a site covers a demand row: dense, or SciPy sparse (stored zeros count as false)
    weight : (n,) people, >= 0
    p, fixed, time_limit, on_progress, should_stop : as in `p_median`

    Raises
    ------
    InfeasibleError
        `p` exceeds the sites that are not fixed.
    InvalidInput
        Shapes disagree, or a number is NaN, negative or out of range.

    References
    ----------
    Church & ReVelle (1974), The maximal covering location problem; Cordeau, Furini & Ljubić (2019), Benders
    decomposition for very large scale partial set covering and maximal covering location problems.
    """
    near = _reach_matrix(reach)
    people = _weights(weight, near.shape[0])
    opened, candidates = _sites(near.shape[1], p, fixed)
    watch = _watch(time_limit, on_progress, should_stop)
    problem, columns = _covering(near, people, opened, candidates)
    scale = float(people.sum())
    count = min(p, len(columns))
    found = select(problem, count, watch, unit=_whole_unit(problem.base), scale=scale)
    sites = np.r_[opened, _padded(columns[found.columns], candidates, p)]
    assignment = _first_reaching(near, sites)
    objective = float(people[assignment >= 0].sum())
    slack = found.paid - found.bound
    if found.is_optimal and _whole_unit(people) == 0:
        slack = max(slack, 1e-12 * scale)  # sums of fractions round
    return Siting(sites, objective, objective + slack, found.is_optimal, assignment)


def lscp(
    reach: Reach,
    *,
    fixed: Iterable[int] = (),
    time_limit: float = DEFAULT_TIME_LIMIT,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Siting:
    """
    The fewest sites, fixed ones included, that reach every row that any site reaches (location set covering).

    Rows that no site reaches at all cannot be anybody's fault: they are assigned -1 and the rest is solved.
    `objective` is the number of open sites.

    Parameters
    ----------
    reach, fixed, time_limit, on_progress, should_stop : as in `mclp`

    References
    ----------
    Toregas, Swain, ReVelle & Bergman (1971), The location of emergency service facilities.
    """
    near = _reach_matrix(reach)
    opened, candidates = _sites(near.shape[1], 0, fixed)
    watch = _watch(time_limit, on_progress, should_stop)
    bare = near[near @ _flags(near.shape[1], opened) == 0]
    bare = bare[np.diff(bare.indptr) > 0]
    cover = minimum_cover(bare, watch)
    new = np.zeros(0, np.intp) if cover.columns is None else cover.columns
    sites = np.r_[opened, new]
    bound = float(len(opened) + min(cover.bound, len(new)))
    return Siting(sites, float(len(sites)), bound, bound == len(sites), _first_reaching(near, sites))


# what comes in


def _cost_array(cost: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(cost)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 2:
        raise InvalidInput(
            f"cost has {array.ndim} dimensions; give one row per demand point and one column per site",
            zh="成本矩阵须为二维:每行一个需求点,每列一个候选点。",
        )
    wrong = np.flatnonzero(~(array >= 0).all(axis=1))
    if wrong.size:
        raise InvalidInput(
            f"cost is negative or NaN in {len(wrong)} rows, first row {wrong[0]}; use inf for unreachable",
            zh=f"成本矩阵第 {wrong[0] + 1} 行含负数或空值,不可达请用无穷大。",
            rows=wrong.tolist(),
        )
    return array


def _reach_matrix(reach: Reach) -> sparse.csr_array:
    """The reach as a sparse matrix of ones with sorted, distinct columns in each row."""
    if sparse.issparse(reach):
        matrix = sparse.csr_array(reach, copy=True)
        matrix.sum_duplicates()
        if not np.isfinite(matrix.data).all():
            raise InvalidInput("reach holds NaN or inf; give true or false", zh="可达矩阵含空值。")
        matrix.eliminate_zeros()
        return sparse.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    array = np.asarray(reach)
    if array.ndim != 2:
        raise InvalidInput(
            f"reach has {array.ndim} dimensions; give one row per demand point and one column per site",
            zh="可达矩阵须为二维:每行一个需求点,每列一个候选点。",
        )
    if array.dtype != bool:
        if not np.isfinite(array.astype(np.float64)).all():
            raise InvalidInput("reach holds NaN or inf; give true or false", zh="可达矩阵含空值。")
        array = array != 0
    n, m = array.shape
    at = np.flatnonzero(array)
    row = at // m if m else at
    starts = np.searchsorted(row, np.arange(n + 1))
    return sparse.csr_array((np.ones(len(at)), at - row * m, starts), shape=(n, m))


def _weights(weight: ArrayLike, rows: int) -> Floats:
    people = np.asarray(weight, dtype=np.float64)
    if people.shape != (rows,):
        raise InvalidInput(
            f"weight has shape {people.shape}; give one number for each of the {rows} demand rows",
            zh=f"权重个数与需求点数({rows})不一致。",
        )
    wrong = np.flatnonzero(~(people >= 0) | np.isinf(people))
    if wrong.size:
        raise InvalidInput(
            f"weight is negative, NaN or infinite in {len(wrong)} rows, first row {wrong[0]}",
            zh=f"第 {wrong[0] + 1} 个需求点的人口不是有效的非负数。",
            rows=wrong.tolist(),
        )
    return people


def _sites(columns: int, p: int, fixed: Iterable[int]) -> tuple[Ints, Ints]:
    """Fixed columns in the order given, and the candidates: all others."""
    try:
        count = operator.index(p)
        opened = np.array([operator.index(site) for site in fixed], np.intp)
    except TypeError as error:
        raise InvalidInput(
            f"p and fixed must be whole numbers: {error}", zh="新增点数与固定点须为整数。"
        ) from error
    if count < 0:
        raise InvalidInput(f"p is {count}; give 0 or more", zh="新增点数不能为负。")
    if ((opened < 0) | (opened >= columns)).any() or len(np.unique(opened)) < len(opened):
        raise InvalidInput(
            f"fixed names sites outside 0..{columns - 1} or one twice: {opened.tolist()}",
            zh="固定点编号超出范围或重复。",
            fixed=opened.tolist(),
        )
    candidates = np.setdiff1d(np.arange(columns), opened)
    if count > len(candidates):
        raise InfeasibleError(
            f"p is {count} but only {len(candidates)} sites are not fixed; ask for fewer or add candidates",
            zh=f"要求新增 {count} 处,但只有 {len(candidates)} 个候选点,请减少数量或增加候选点。",
            rows=[],
            p=count,
            candidates=len(candidates),
        )
    return opened, candidates


def _watch(
    time_limit: float,
    on_progress: Callable[[Progress], None] | None,
    should_stop: Callable[[], bool] | None,
) -> Watch:
    if not time_limit >= 0:
        raise InvalidInput(
            f"time_limit is {time_limit}; give seconds, 0 or more", zh="计算时限须为非负秒数。"
        )
    return Watch(time_limit, on_progress, should_stop)


# what cannot be done


def _check_reached(cost: NDArray[np.floating], rows: Ints, columns: Ints) -> None:
    """Raise when a row reaches none of the columns."""
    reached = np.zeros(cost.shape[0], bool)
    if len(columns) == cost.shape[1]:
        reached = np.isfinite(cost.min(axis=1, initial=np.inf))
    elif len(columns):
        reached = np.isfinite(cost[:, columns].min(axis=1))
    lost = rows[~reached[rows]]
    if lost.size:
        raise InfeasibleError(
            f"no site reaches {len(lost)} demand rows: {_named(lost)}; add sites there or leave the rows out",
            zh=f"有 {len(lost)} 个需求点任何站点都无法到达,请补充候选点或剔除这些需求点。",
            rows=lost.tolist(),
        )


def _too_few_sites(rows: Ints, p: int) -> InfeasibleError:
    return InfeasibleError(
        f"{p} new sites cannot reach all rows; left over at best: {_named(rows)}; allow more sites",
        zh=f"新增 {p} 处无法到达全部需求点,至少还剩 {len(rows)} 个,请增加数量。",
        rows=rows.tolist(),
        p=p,
    )


def _named(rows: Ints) -> str:
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return ", ".join(str(row) for row in rows[:_NAMED].tolist()) + more


def _stopped() -> SolveStopped:
    return SolveStopped(
        "stopped before any choice was found that reaches all rows; allow more time or more sites"
    )


def _left_over(near: sparse.csr_array, p: int) -> Ints:
    """Rows that a good choice of `p` columns leaves unreached."""
    base = np.ones(near.shape[0])
    flipped = near.T.tocsr()
    costs = SparseCosts(np.zeros(flipped.nnz), flipped.indices.astype(np.intp), flipped.indptr, base)
    watch = Watch(5.0)
    chosen, _ = interchange(costs, base, greedy(costs, base, min(p, near.shape[1]), watch), watch)
    return np.flatnonzero(costs.serving(chosen, base).owner < 0)


def _serving_start(problem: MedianProblem, count: int, watch: Watch) -> Ints | None:
    """Columns that serve every row that must be served; None where any columns do."""
    must = np.isinf(problem.costs.base)
    row, column, _ = problem.costs.triples()
    is_must = must[row]
    if is_must.sum() == must.sum() * problem.costs.columns:
        return None
    shape = (len(must), problem.costs.columns)
    near = sparse.csr_array((np.ones(is_must.sum()), (row[is_must], column[is_must])), shape=shape)
    near.sum_duplicates()
    cover = minimum_cover(near[must], watch, enough=count)
    if cover.columns is not None and len(cover.columns) <= count:
        return cover.columns
    if cover.bound > count:
        raise _too_few_sites(problem.row[np.flatnonzero(must)[_left_over(near[must], count)]], count)
    raise _stopped()


# what goes out


def _nearest(cost: NDArray[np.floating], sites: Ints) -> tuple[Ints, Floats]:
    """Per row the cheapest of the sites (-1 where none is finite) and its cost; the first named wins a tie."""
    n = cost.shape[0]
    if len(sites) == 0:
        return np.full(n, -1), np.full(n, np.inf)
    block = cost[:, sites]
    place = block.argmin(axis=1)
    nearest = block[np.arange(n), place].astype(np.float64)
    return np.where(np.isfinite(nearest), sites[place], -1), nearest


def _first_reaching(near: sparse.csr_array, sites: Ints) -> Ints:
    """Per row the first of the sites that reaches it, -1 where none does."""
    block = near[:, sites]
    block.sort_indices()
    filled = np.diff(block.indptr) > 0
    found = np.full(near.shape[0], -1)
    found[filled] = sites[block.indices[block.indptr[:-1][filled]]]
    return found


def _padded(chosen: Ints, candidates: Ints, p: int) -> Ints:
    """`p` sites: the chosen ones and, where they are fewer, the lowest-numbered other candidates."""
    spare = np.setdiff1d(candidates, chosen)
    return np.sort(np.r_[chosen, spare[: p - len(chosen)]]).astype(np.intp)


def _spread(cost: NDArray[np.floating], base: Floats, chosen: Ints, p: int) -> Ints:
    """`p` columns: the chosen ones and, where they are fewer, each time the one nearest the farthest row."""
    columns = list(chosen.tolist())
    nearest = np.minimum(base, cost[:, columns].min(axis=1, initial=np.inf))
    free = np.ones(cost.shape[1], bool)
    free[columns] = False
    while len(columns) < p:
        column = int(np.where(free, cost[int(nearest.argmax())], np.inf).argmin())
        if not free[column]:
            column = int(free.argmax())
        columns.append(column)
        free[column] = False
        nearest = np.minimum(nearest, cost[:, column])
    return np.array(columns, np.intp)


def _flags(size: int, chosen: Ints) -> Floats:
    flags = np.zeros(size)
    flags[chosen] = 1
    return flags


def _covering(
    near: sparse.csr_array, people: Floats, opened: Ints, candidates: Ints
) -> tuple[SparseCosts, Ints]:
    """
    Maximal cover as a cost problem: an uncovered row pays its weight, a covered one nothing.

    Left out: rows without weight, covered already or out of reach; equal rows and columns count once.
    Second, the site of each column.
    """
    bare = np.flatnonzero((near @ _flags(near.shape[1], opened) == 0) & (people > 0))
    rows = near[bare] if len(candidates) == near.shape[1] else near[bare][:, candidates]
    reached = np.diff(rows.indptr) > 0
    rows, weight = rows[reached], people[bare][reached]
    rows.sort_indices()
    first, like = rows_alike(rows)
    weight = np.bincount(like, weight, minlength=len(first))
    columns = rows[first].T.tocsr()
    used = np.flatnonzero(np.diff(columns.indptr))
    columns = columns[used]
    first = rows_alike(columns)[0]
    columns = columns[first]
    costs = SparseCosts(
        np.zeros(columns.nnz), columns.indices.astype(np.intp), columns.indptr.astype(np.intp), weight
    )
    return costs, candidates[used[first]]


def _whole_unit(values: Floats) -> float:
    """The greatest number that divides all these; 0 when some is not whole."""
    if (values % 1).any() or values.max(initial=0) >= 2**53:
        return 0.0
    return float(np.gcd.reduce(values.astype(np.int64), initial=0))
