"""
Siting: which sites to open so that demand is best served, with a bound that proves how good the answer is.

Four problems, one answer type; cover may be asked for several times over, sites may have capacities. Rows of `cost` and `reach` are demand points, columns are sites; a site number
is a column. Units are the caller's (seconds, metres); nothing here knows a coordinate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from gridmap.analysis._answer import (
    InfeasibleError,
    Siting,
    SolveStopped,
    check_reached,
    first_reaching,
    flags,
    nearest_site,
    padded,
    spread,
    stopped,
    too_few_sites,
)
from gridmap.analysis._center import least_radius
from gridmap.analysis._costs import SparseCosts
from gridmap.analysis._cover import minimum_cover, rows_alike
from gridmap.analysis._exchange import greedy, interchange
from gridmap.analysis._limited import capacities, limited_cover, limited_median
from gridmap.analysis._median import MedianProblem, median_problem
from gridmap.analysis._multicover import Worth, fewest_columns, most_worth
from gridmap.analysis._question import (
    Reach,
    backup_share,
    cost_array,
    opened_sites,
    reach_matrix,
    times_asked,
    watching,
    weights,
    whole_unit,
)
from gridmap.analysis._select import select
from gridmap.analysis._watch import Progress, Watch
from gridmap.errors import InvalidInput

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

DEFAULT_TIME_LIMIT = 120.0
"""Seconds after which a solve returns what it has, with the bound proven by then."""


def p_median(
    cost: ArrayLike,
    weight: ArrayLike,
    p: int,
    *,
    fixed: Iterable[int] = (),
    capacity: ArrayLike | None = None,
    time_limit: float = DEFAULT_TIME_LIMIT,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Siting:
    """
    `p` new sites beside the fixed ones that make the weighted total cost least.

    Each row goes to its cheapest open site; with `capacity`, each row goes whole to one open site so that no
    site carries more than its capacity (a load of exactly the capacity fits). Rows of weight zero ask for nothing: they may stay unreached
    (assignment -1) and never make a problem impossible.

    Parameters
    ----------
    cost : (n, m) from demand to site, >= 0; `inf` where unreachable; need not be square or symmetric
    weight : (n,) people, >= 0
    p : number of new sites
    fixed : columns that are open anyway
    capacity : most weight that a site carries, one number or (m,), `inf` without a limit; fixed sites too
    time_limit : seconds
    on_progress : called now and then with `Progress`
    should_stop : asked now and then; True ends the solve with what is known

    Raises
    ------
    InfeasibleError
        A row of positive weight is out of every site's reach, no `p` sites reach all rows, or `p` exceeds
        the sites that are not fixed. With capacities also: a row alone or all rows together are more than
        the sites carry, or no choice carries all rows whole.
    InvalidInput
        Shapes disagree, or a number is NaN, negative or out of range.
    TooLarge
        Capacities are given for more than twenty million pairs of row and site.
    SolveStopped
        Time was up before any choice was found that serves all rows (only where costs contain `inf`, or
        capacities are tight).

    References
    ----------
    Pirkul (1987), Efficient algorithms for the capacitated concentrator location problem;
    Hakimi (1964), Optimum locations of switching centers; Beasley (1985), A note on solving large p-median
    problems; Durán-Mateo, Alès & Elloumi (2023), An efficient Benders decomposition for the p-median problem.
    """
    costs = cost_array(cost)
    people = weights(weight, costs.shape[0])
    opened, candidates = opened_sites(costs.shape[1], p, fixed)
    watch = watching(time_limit, on_progress, should_stop)
    check_reached(costs, np.flatnonzero(people > 0), opened if p == 0 else np.arange(costs.shape[1]))
    room = capacities(capacity, costs.shape[1])
    if room is None:
        return _plain_median(costs, people, p, opened, candidates, watch)

    def plain(part: Watch) -> Siting:
        return _plain_median(costs, people, p, opened, candidates, part)

    return limited_median(costs, people, room, opened, candidates, p, plain, watch)


def _plain_median(
    costs: NDArray[np.floating], people: Floats, p: int, opened: Ints, candidates: Ints, watch: Watch
) -> Siting:
    demand = np.flatnonzero(people > 0)
    problem = median_problem(costs, people, opened, candidates)
    count = min(p, len(problem.column))
    start = _serving_start(problem, count, watch)
    found = select(problem.costs, count, watch, unit=problem.unit, start=start)
    new = padded(problem.column[found.columns], candidates, p)
    sites = np.r_[opened, new]
    assignment, nearest = nearest_site(costs, sites)
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
    costs = cost_array(cost)
    opened, candidates = opened_sites(costs.shape[1], p, fixed)
    watch = watching(time_limit, on_progress, should_stop)
    n = costs.shape[0]
    check_reached(costs, np.arange(n), opened if p == 0 else np.arange(costs.shape[1]))
    if n == 0:
        return Siting(np.r_[opened, candidates[:p]], 0.0, 0.0, True, np.zeros(0, np.intp))
    base = costs[:, opened].min(axis=1, initial=np.inf).astype(np.float64)
    options = costs if len(candidates) == costs.shape[1] else costs[:, candidates]
    found = least_radius(options, base, p, watch)
    if found.is_impossible:
        bare = np.flatnonzero(np.isinf(base))
        near = sparse.csr_array(np.isfinite(options[bare]).astype(float))
        raise too_few_sites(bare[_left_over(near, p)], p)
    if found.columns is None:
        raise stopped()
    new = spread(options, base, found.columns, p)
    sites = np.r_[opened, np.sort(candidates[new])]
    assignment, nearest = nearest_site(costs, sites)
    objective = float(nearest.max())
    return Siting(sites, objective, min(found.bound, objective), found.bound >= objective, assignment)


def mclp(
    reach: Reach,
    weight: ArrayLike,
    p: int,
    *,
    fixed: Iterable[int] = (),
    covers: int = 1,
    backup: float = 1.0,
    capacity: ArrayLike | None = None,
    time_limit: float = DEFAULT_TIME_LIMIT,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Siting:
    """
    `p` new sites beside the fixed ones that cover the most weight (maximal covering location problem).

    `objective` is all weight covered, by fixed sites too; rows that no open site reaches are assigned -1.
    With `covers` a row counts once that many open sites reach it (backup cover). With `capacity` a row counts
    when it is assigned, whole, to a site that reaches it and carries no more than its capacity.

    Parameters
    ----------
    reach : (n, m) true where a site covers a demand row: dense, or SciPy sparse (stored zeros count as false)
    weight : (n,) people, >= 0
    p, fixed, capacity, time_limit, on_progress, should_stop : as in `p_median`
    covers : open sites that must reach a row, 1 or more; sites on one place are different sites
    backup : with `covers` of 2 or more, the share of a row's weight that counts at the last cover needed, 0
        to 1; the rest counts at the first

    Raises
    ------
    InfeasibleError
        `p` exceeds the sites that are not fixed, or all open sites together are fewer than `covers`.
    InvalidInput
        Shapes disagree, a number is NaN, negative or out of range, or `covers` and `capacity` are combined.
    TooLarge
        As in `p_median`.

    References
    ----------
    Church & ReVelle (1974), The maximal covering location problem; Cordeau, Furini & Ljubić (2019), Benders
    decomposition for very large scale partial set covering and maximal covering location problems; Hogan &
    ReVelle (1986), Concepts and applications of backup coverage; Pirkul & Schilling (1991), The maximal
    covering location problem with capacities on total workload.
    """
    near = reach_matrix(reach)
    people = weights(weight, near.shape[0])
    opened, candidates = opened_sites(near.shape[1], p, fixed)
    watch = watching(time_limit, on_progress, should_stop)
    times = times_asked(covers)
    share = backup_share(backup)
    room = capacities(capacity, near.shape[1])
    if room is not None and times > 1:
        raise InvalidInput(
            "covers and capacity cannot be combined; ask for one of them",
            zh="“至少覆盖次数”与“每站服务人数上限”不能同时使用,请只选一项。",
        )
    if times > 1 and share > 0:
        if share == 1 and len(opened) + p < times:
            raise InfeasibleError(
                f"{len(opened) + p} open sites cannot cover any row {times} times; allow more sites",
                zh=f"一共只有 {len(opened) + p} 个站点,无法做到至少覆盖 {times} 次,请增加新增点数。",
                rows=[],
            )
        return _repeated_cover(near, people, p, opened, candidates, times, share, watch)
    if room is None:
        return _plain_cover(near, people, p, opened, candidates, watch)

    def plain(part: Watch) -> Siting:
        return _plain_cover(near, people, p, opened, candidates, part)

    return limited_cover(near, people, room, opened, candidates, p, plain, watch)


def _plain_cover(
    near: sparse.csr_array, people: Floats, p: int, opened: Ints, candidates: Ints, watch: Watch
) -> Siting:
    problem, columns = _covering(near, people, opened, candidates)
    scale = float(people.sum())
    count = min(p, len(columns))
    found = select(problem, count, watch, unit=whole_unit(problem.base), scale=scale)
    sites = np.r_[opened, padded(columns[found.columns], candidates, p)]
    assignment = first_reaching(near, sites)
    objective = float(people[assignment >= 0].sum())
    slack = found.paid - found.bound
    if found.is_optimal and whole_unit(people) == 0:
        slack = max(slack, 1e-12 * scale)  # sums of fractions round
    return Siting(sites, objective, objective + slack, found.is_optimal, assignment)


def _repeated_cover(
    near: sparse.csr_array,
    people: Floats,
    p: int,
    opened: Ints,
    candidates: Ints,
    times: int,
    share: float,
    watch: Watch,
) -> Siting:
    """Maximal cover where a share of each row counts only at its cover number `times`."""
    before = near @ flags(near.shape[1], opened)
    options = near[:, candidates]
    options.sort_indices()
    worth = Worth(
        np.where(before == 0, (1 - share) * people, 0.0),
        np.where(before < times, share * people, 0.0),
        np.maximum(times - before, 1).astype(np.intp),
    )
    # whoever gains by any further cover at all: the plain problem bounds it from above
    once = worth.first + np.where(np.diff(options.indptr) >= worth.need, worth.full, 0.0)
    bounded = _plain_cover(
        options, once, p, np.zeros(0, np.intp), np.arange(len(candidates)), watch.part(0.3)
    )
    unit = whole_unit(people) if share == 1 else 0.0
    least = unit * (1 - 1e-3) if unit else 1e-9 * float(people.sum())
    paid = float((1 - share) * people[before >= 1].sum() + share * people[before >= times].sum())
    found = most_worth(options, worth, p, watch, ceiling=bounded.bound, least=least, offset=paid)
    sites = np.r_[opened, candidates[found.columns]]
    after = near @ flags(near.shape[1], sites)
    objective = float((1 - share) * people[after >= 1].sum() + share * people[after >= times].sum())
    is_optimal = found.bound <= found.value
    bound = objective if is_optimal else objective + found.bound - found.value
    return Siting(sites, objective, bound, is_optimal, first_reaching(near, sites))


def lscp(
    reach: Reach,
    *,
    fixed: Iterable[int] = (),
    covers: int = 1,
    time_limit: float = DEFAULT_TIME_LIMIT,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Siting:
    """
    The fewest sites, fixed ones included, that reach every row that any site reaches (location set covering).

    Rows that no site reaches at all cannot be anybody's fault: they are assigned -1 and the rest is solved.
    With `covers` each row needs that many open sites in reach (backup cover); one that fewer sites reach needs
    all of those. `objective` is the number of open sites.

    Parameters
    ----------
    reach, fixed, covers, time_limit, on_progress, should_stop : as in `mclp`

    References
    ----------
    Toregas, Swain, ReVelle & Bergman (1971), The location of emergency service facilities; Daskin & Stern
    (1981), A hierarchical objective set covering model for emergency medical service vehicle deployment.
    """
    near = reach_matrix(reach)
    opened, candidates = opened_sites(near.shape[1], 0, fixed)
    watch = watching(time_limit, on_progress, should_stop)
    times = times_asked(covers)
    if times > 1:
        before = near @ flags(near.shape[1], opened)
        need = (np.minimum(times, np.diff(near.indptr)) - before).astype(np.intp)
        options = near[:, candidates]
        options.sort_indices()
        several = fewest_columns(options, need, watch)
        assert several.columns is not None
        return _covering_all(near, opened, candidates[several.columns], several.bound)
    bare = near[near @ flags(near.shape[1], opened) == 0]
    bare = bare[np.diff(bare.indptr) > 0]
    cover = minimum_cover(bare, watch)
    new = np.zeros(0, np.intp) if cover.columns is None else cover.columns
    return _covering_all(near, opened, new, cover.bound)


def _covering_all(near: sparse.csr_array, opened: Ints, new: Ints, least: int) -> Siting:
    sites = np.r_[opened, new]
    bound = float(len(opened) + min(least, len(new)))
    return Siting(sites, float(len(sites)), bound, bound == len(sites), first_reaching(near, sites))


# what the cost problems are made of


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
        raise too_few_sites(problem.row[np.flatnonzero(must)[_left_over(near[must], count)]], count)
    raise stopped()


def _covering(
    near: sparse.csr_array, people: Floats, opened: Ints, candidates: Ints
) -> tuple[SparseCosts, Ints]:
    """
    Maximal cover as a cost problem: an uncovered row pays its weight, a covered one nothing.

    Left out: rows without weight, covered already or out of reach; equal rows and columns count once.
    Second, the site of each column.
    """
    bare = np.flatnonzero((near @ flags(near.shape[1], opened) == 0) & (people > 0))
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
