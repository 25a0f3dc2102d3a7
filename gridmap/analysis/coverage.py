"""
How well service points cover demand: who is reached, by how many points, how fast, and what each point carries.

`cost[i, j]` is what demand point i pays to reach service point j, in seconds or metres, straight or along a
network; `inf` where there is no way. A cost of exactly the threshold is covered. Sums of people are exact:
weights are first rounded to multiples of a power of two so small (2^-52 of the total) that no later addition
rounds, in whatever order. Hence covered + uncovered = total and groups sum to the whole, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_RANKS = 3
"""Nearest, backup, and the one after: enough to close any two points."""
_BLOCK = 4_000_000


def covered_share(demand_xy: ArrayLike, weight: ArrayLike, point_xy: ArrayLike, radius_m: float) -> float:
    """
    Share of weighted demand within `radius_m` of the nearest service point.

    Straight-line distance; a demand point exactly on the radius is covered (d <= radius_m).

    Parameters
    ----------
    demand_xy : (n, 2) metres, projected CRS
    weight : (n,) people, >= 0
    point_xy : (m, 2) metres, same CRS as `demand_xy`

    Returns
    -------
    float in [0, 1]; 0.0 when the total weight is zero.

    Raises
    ------
    ValueError
        A shape disagrees, a weight is negative, or the radius is not positive (`InvalidInput`).

    References
    ----------
    Church & ReVelle (1974), The maximal covering location problem.
    """
    return line_coverage(demand_xy, weight, point_xy, radius_m).covered_share


def exact_weights(weight: ArrayLike) -> Floats:
    """
    The weights as multiples of one power of two, so that sums of any of them are exact in any order.

    Whole numbers below 2^52 in all stay as they are; others change by less than 2^-52 of their total.

    Raises
    ------
    InvalidInput
        A weight is negative, NaN or infinite; `rows` names them.
    """
    people = np.asarray(weight, dtype=np.float64)
    if people.ndim != 1:
        raise InvalidInput(f"weight has shape {people.shape}; give one number per row", zh="人口须为一列数。")
    wrong = np.flatnonzero(~((people >= 0) & (people < np.inf)))
    if wrong.size:
        raise InvalidInput(
            f"weight is negative, NaN or infinite in {len(wrong)} rows, first row {wrong[0]}",
            zh=f"第 {wrong[0] + 1} 个需求点的人口不是有效的非负数。",
            rows=wrong.tolist(),
        )
    total = float(people.sum())
    if total == 0:
        return people
    unit = 2.0 ** (math.frexp(total)[1] + 1 - 53)
    return np.round(people / unit) * unit


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """
    The three nearest points of each demand point, nearest first.

    Attributes
    ----------
    cost : (n, 3), `inf` where there are fewer
    point : (n, 3) point numbers, -1 where there are fewer; of equal costs the lower number comes first
    points : number of points
    """

    cost: Floats
    point: Ints
    points: int


def ranked(cost: ArrayLike) -> Ranked:
    """The three nearest points of each row of an (n, m) cost matrix."""
    matrix = np.asarray(cost)
    if matrix.ndim != 2:
        raise InvalidInput(
            f"cost has {matrix.ndim} dimensions; give one row per demand point and one column per point",
            zh="成本矩阵须为二维:每行一个需求点,每列一个站点。",
        )
    n, m = matrix.shape
    result_cost = np.full((n, _RANKS), np.inf)
    result_point = np.full((n, _RANKS), -1, np.intp)
    step = max(1, _BLOCK // max(1, m))
    for start in range(0, n if m else 0, step):
        block = np.array(matrix[start : start + step], dtype=np.float64)
        if not (block >= 0).all():
            rows = start + np.flatnonzero(~(block >= 0).all(axis=1))
            raise InvalidInput(
                f"cost is negative or NaN in {len(rows)} rows, first row {rows[0]}; use inf for unreachable",
                zh=f"成本矩阵第 {rows[0] + 1} 行含负数或空值,不可达请用无穷大。",
                rows=rows.tolist(),
            )
        line = np.arange(len(block))
        part = slice(start, start + len(block))
        for rank in range(min(_RANKS, m)):
            point = block.argmin(axis=1)
            value = block[line, point]
            result_cost[part, rank] = value
            result_point[part, rank] = np.where(np.isfinite(value), point, -1)
            block[line, point] = np.inf
    return Ranked(result_cost, result_point, m)


def ranked_by_line(demand_xy: ArrayLike, point_xy: ArrayLike) -> Ranked:
    """The three nearest points of each demand point by straight line, metres."""
    demand, points = _places(demand_xy), _places(point_xy)
    n, m = len(demand), len(points)
    cost, point = np.full((n, _RANKS), np.inf), np.full((n, _RANKS), -1, np.intp)
    if n and m:
        count = min(_RANKS, m)
        _, found = cKDTree(points).query(demand, k=np.arange(1, count + 1))
        distance = line_cost_pairs(demand[:, None, :], points[found])
        order = np.lexsort((found, distance), axis=1)  # equal distances: the lower number first
        cost[:, :count] = np.take_along_axis(distance, order, axis=1)
        point[:, :count] = np.take_along_axis(found, order, axis=1)
    return Ranked(cost, point, m)


def line_cost(demand_xy: ArrayLike, point_xy: ArrayLike) -> Floats:
    """Straight-line metres from each demand point to each point: (n, m)."""
    return line_cost_pairs(_places(demand_xy)[:, None, :], _places(point_xy)[None])


def line_cost_pairs(a: Floats, b: Floats) -> Floats:
    """Straight-line metres between places, shapes broadcast; the last axis is x, y."""
    return np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1])


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """
    Who is covered within a threshold. Made by `coverage` or `line_coverage`.

    Attributes
    ----------
    threshold : seconds or metres; this much is still covered
    weight : (n,) people, rounded as `exact_weights` does
    near : the three nearest points of each demand point
    within : (m,) people within the threshold of each point, shared ones counted at each
    """

    threshold: float
    weight: Floats
    near: Ranked
    within: Floats

    @property
    def is_covered(self) -> NDArray[np.bool_]:
        """(n,) whether any point is within the threshold."""
        return self.near.cost[:, 0] <= self.threshold

    @property
    def times(self) -> Ints:
        """(n,) 0, 1 or 2: covered by no point, one point, two or more."""
        return (self.near.cost[:, :2] <= self.threshold).sum(axis=1)

    @property
    def total(self) -> float:
        """All people."""
        return float(self.weight.sum())

    @property
    def covered(self) -> float:
        """People with a point within the threshold."""
        return float(self.weight[self.is_covered].sum())

    @property
    def uncovered(self) -> float:
        """People without; `covered + uncovered == total` exactly."""
        return float(self.weight[~self.is_covered].sum())

    @property
    def by_times(self) -> Floats:
        """(3,) people covered by no point, one, two or more."""
        return np.bincount(self.times, self.weight, minlength=3).astype(np.float64)

    @property
    def covered_share(self) -> float:
        """Share of people covered, 0 to 1; 0.0 when there are none."""
        return self.covered / self.total if self.total else 0.0

    @property
    def unique(self) -> Floats:
        """(m,) people whom this point alone covers: exactly what closing it loses."""
        alone = self.times == 1
        return np.bincount(self.near.point[alone, 0], self.weight[alone], minlength=self.near.points).astype(
            np.float64
        )

    @property
    def assigned(self) -> Floats:
        """(m,) people for whom this point is the nearest, however far."""
        known = self.near.point[:, 0] >= 0
        return np.bincount(self.near.point[known, 0], self.weight[known], minlength=self.near.points).astype(
            np.float64
        )

    @property
    def cost(self) -> CostFigures:
        """Mean, median and 95th percentile of the cost to the nearest point."""
        figures = self.by_group(np.zeros(len(self.weight), np.intp), 1).cost
        return CostFigures(*(float(np.asarray(value)[0]) for value in figures.values()))

    def by_group(self, group: ArrayLike, count: int) -> GroupCoverage:
        """
        The figures of each group (grid, town) of demand points.

        Parameters
        ----------
        group : (n,) group number, 0 to `count` - 1, or -1 for demand in no group
        """
        member = np.asarray(group)
        if member.shape != self.weight.shape or ((member < -1) | (member >= count)).any():
            raise InvalidInput(
                f"group has shape {member.shape} or a number outside -1..{count - 1}",
                zh="分组编号的个数或取值有误。",
            )
        row = np.where(member < 0, count, member).astype(np.intp)
        by_times = np.bincount(row * 3 + self.times, self.weight, minlength=3 * (count + 1))
        return GroupCoverage(
            by_times.astype(np.float64).reshape(count + 1, 3),
            _cost_figures(self.near.cost[:, 0], self.weight, row, count + 1),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CostFigures:
    """
    Costs to the nearest point, weighted by people.

    Attributes
    ----------
    mean : over those who reach a point at all; NaN when nobody does
    median, p95 : the least cost within which half (95 %) of all people have a point; infinite when so many
        reach none, NaN without people
    unreached : people who reach no point at any cost
    """

    mean: float | Floats
    median: float | Floats
    p95: float | Floats
    unreached: float | Floats

    def values(self) -> tuple[float | Floats, ...]:
        """Mean, median, p95, unreached."""
        return self.mean, self.median, self.p95, self.unreached


@dataclass(frozen=True, slots=True, eq=False)
class GroupCoverage:
    """
    Figures per group; the last row is demand in no group, so that columns sum to the whole exactly.

    Attributes
    ----------
    by_times : (groups + 1, 3) people covered by no point, one, two or more
    cost : arrays (groups + 1,)
    """

    by_times: Floats
    cost: CostFigures

    @property
    def total(self) -> Floats:
        """People per group."""
        return self.by_times.sum(axis=1)

    @property
    def covered(self) -> Floats:
        """Covered people per group."""
        return self.by_times[:, 1:].sum(axis=1)

    @property
    def uncovered(self) -> Floats:
        """Uncovered people per group."""
        return self.by_times[:, 0]

    @property
    def covered_share(self) -> Floats:
        """Share of people covered, 0 to 1; 0.0 where a group has none."""
        total = self.total
        return np.divide(self.covered, total, out=np.zeros(len(total)), where=total > 0)


def coverage(cost: ArrayLike, weight: ArrayLike, threshold: float) -> Coverage:
    """
    Who is covered within a threshold of cost.

    Parameters
    ----------
    cost : (n, m) from demand to point, >= 0, `inf` where unreachable; m may be 0
    weight : (n,) people, >= 0
    threshold : > 0, in the unit of `cost`

    Raises
    ------
    InvalidInput
        A shape disagrees, a cost or weight is negative or NaN, or the threshold is not positive.
    """
    limit = _threshold(threshold)
    people = exact_weights(weight)
    matrix = np.asarray(cost)
    near = ranked(matrix)
    if len(near.cost) != len(people):
        raise InvalidInput(
            f"cost has {len(near.cost)} rows but weight {len(people)}", zh="成本矩阵行数与人口个数不一致。"
        )
    step = max(1, _BLOCK // max(1, near.points))
    within = np.zeros(near.points)
    for start in range(0, len(people), step):
        part = slice(start, start + step)
        # sums of exact weights stay exact in any order, so a matrix product is as good as a loop
        within += people[part] @ (
            matrix[part] <= np.float64(limit)
        )  # float32 costs: compare as near.cost does
    return Coverage(limit, people, near, within)


def line_coverage(demand_xy: ArrayLike, weight: ArrayLike, point_xy: ArrayLike, radius_m: float) -> Coverage:
    """Who is covered within a straight-line radius; parameters and errors as in `covered_share`."""
    limit = _threshold(radius_m)
    people = exact_weights(weight)
    demand, points = _places(demand_xy), _places(point_xy)
    if len(demand) != len(people):
        raise InvalidInput(
            f"{len(demand)} demand points have {len(people)} weights", zh="需求点与人口个数不一致。"
        )
    within = np.zeros(len(points))
    step = max(1, _BLOCK // max(1, len(points)))
    for start in range(0, len(demand), step):
        part = slice(start, start + step)
        within += people[part] @ (line_cost(demand[part], points) <= limit)
    return Coverage(limit, people, ranked_by_line(demand, points), within)


@dataclass(frozen=True, slots=True, eq=False)
class Closures:
    """
    What closing each point does, everybody going to their next nearest.

    Attributes
    ----------
    lost : (m,) people no longer covered; equals `Coverage.unique`
    mean : (m,) mean cost afterwards, over those who still reach a point
    added : (m,) people times cost added in all, over those who still reach a point
    cut_off : (m,) people who then reach no point at all
    """

    lost: Floats
    mean: Floats
    added: Floats
    cut_off: Floats

    @property
    def order(self) -> Ints:
        """Points by falling loss of cover, then by falling added cost."""
        return np.lexsort((-self.added, -self.lost))


def closures(cover: Coverage) -> Closures:
    """Every point closed in turn."""
    m = cover.near.points
    nearest, second = cover.near.cost[:, 0], cover.near.cost[:, 1]
    point = cover.near.point[:, 0]
    served = point >= 0
    stays = served & np.isfinite(second)
    lost = _sum_at(point, cover.weight, served & (nearest <= cover.threshold) & (second > cover.threshold), m)
    cut_off = _sum_at(point, cover.weight, served & ~stays, m)
    longer = np.where(stays, second, 0.0) - np.where(stays, nearest, 0.0)
    added = _sum_at(point, cover.weight * longer, stays, m)
    gone_cost = _sum_at(point, cover.weight * np.where(served, nearest, 0.0), served & ~stays, m)
    people = float(cover.weight[served].sum()) - cut_off
    spent = float(cover.weight[served] @ nearest[served]) + added - gone_cost
    return Closures(lost, np.divide(spent, people, out=np.full(m, np.nan), where=people > 0), added, cut_off)


def pair_closures(cover: Coverage) -> Floats:
    """
    People no longer covered when two points close together: (m, m), symmetric, single losses on the diagonal.

    A pair loses what each loses alone plus those whom exactly these two cover.
    """
    m = cover.near.points
    within = (cover.near.cost <= cover.threshold).sum(axis=1)
    single = cover.unique
    both = within == 2
    a, b = cover.near.point[both, 0], cover.near.point[both, 1]
    shared = np.bincount(a * m + b, cover.weight[both], minlength=m * m).astype(np.float64).reshape(m, m)
    return np.where(np.eye(m, dtype=bool), single, single[:, None] + single[None] + shared + shared.T)


def weighted_quantile(values: ArrayLike, weight: ArrayLike, share: float) -> float:
    """The least value within which at least `share` of the weight lies; NaN without weight."""
    people = exact_weights(weight)
    numbers = np.asarray(values, dtype=np.float64)
    return float(_quantiles(numbers, people, np.zeros(len(numbers), np.intp), 1, (share,))[0][0])


def _cost_figures(cost: Floats, weight: Floats, group: Ints, count: int) -> CostFigures:
    reached = np.isfinite(cost)
    people = np.bincount(group[reached], weight[reached], minlength=count)
    spent = np.bincount(group[reached], weight[reached] * cost[reached], minlength=count)
    median, p95 = _quantiles(cost, weight, group, count, (0.5, 0.95))
    return CostFigures(
        np.divide(spent, people, out=np.full(count, np.nan), where=people > 0),
        median,
        p95,
        np.bincount(group[~reached], weight[~reached], minlength=count).astype(np.float64),
    )


def _quantiles(
    values: Floats, weight: Floats, group: Ints, count: int, shares: tuple[float, ...]
) -> list[Floats]:
    """Per group the least value within which each share of its weight lies."""
    some = np.flatnonzero(weight > 0)
    order = some[np.lexsort((values[some], group[some]))]
    sums = np.cumsum(weight[order])
    ends = np.searchsorted(group[order], np.arange(count), side="right")
    starts = np.r_[0, ends[:-1]]
    before = np.where(starts > 0, sums[starts - 1], 0.0) if len(order) else np.zeros(count)
    total = (np.where(ends > 0, sums[ends - 1], 0.0) if len(order) else np.zeros(count)) - before
    result = []
    for share in shares:
        # exact sums: the target is met without an epsilon, save for the rounding of the product
        place = np.searchsorted(sums, before + share * total * (1 - 1e-15), side="left")
        place = np.clip(place, starts, np.maximum(ends - 1, starts))
        found = np.full(count, np.nan)
        has = total > 0
        found[has] = values[order[place[has]]]
        result.append(found)
    return result


def _sum_at(point: Ints, amount: Floats, rows: NDArray[np.bool_], m: int) -> Floats:
    return np.bincount(point[rows], amount[rows], minlength=m).astype(np.float64)


def _threshold(threshold: float) -> float:
    if not (threshold > 0 and threshold < math.inf):
        raise InvalidInput(
            f"threshold is {threshold}; give metres or seconds above 0", zh="覆盖半径或时限须大于 0。"
        )
    return float(threshold)


def _places(xy: ArrayLike) -> Floats:
    places = np.asarray(xy, dtype=np.float64)
    if places.size == 0:
        return places.reshape(0, 2)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise InvalidInput(
            f"places have shape {places.shape} or a coordinate is NaN; give (n, 2) metres",
            zh="坐标须为两列有限数值(米)。",
        )
    return places
