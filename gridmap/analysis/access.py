"""Spatial accessibility: how much supply people can reach, shared with all who can reach it too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridmap.analysis.coverage import exact_weights
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]

_BLOCK = 500_000
_SPARSE_SHARE = 0.2
"""Below this share of pairs within reach, going through them alone is faster than through the matrix."""


def two_step_fca(cost: ArrayLike, demand: ArrayLike, supply: ArrayLike, within: float) -> Floats:
    """
    Supply per head that each demand point reaches within a cost (two-step floating catchment area).

    Step one shares each site's supply among all demand within `within` of it; step two adds up the shares
    that a demand point reaches. A cost of exactly `within` is reached.

    Parameters
    ----------
    cost : (n, m) from demand i to site j, `inf` where unreachable
    demand : (n,) people, >= 0
    supply : (m,) officers, beds, hours, >= 0
    within : > 0, in the unit of `cost`

    Returns
    -------
    (n,) accessibility. Weighted by demand it sums to the supply of all sites that somebody reaches; a site
    that nobody reaches is nobody's.

    References
    ----------
    Luo & Wang (2003), Measures of spatial accessibility to health care in a GIS environment.
    """
    return e2sfca(cost, demand, supply, [(within, 1.0)])


def e2sfca(
    cost: ArrayLike, demand: ArrayLike, supply: ArrayLike, bands: Sequence[tuple[float, float]]
) -> Floats:
    """
    As `two_step_fca`, nearer bands of cost counting more in both steps (enhanced 2SFCA).

    Parameters
    ----------
    cost, demand, supply : as in `two_step_fca`
    bands : `[(upper cost, weight), …]` by rising upper cost; a cost belongs to the first band whose upper
        cost is not below it, and beyond the last one to none

    Raises
    ------
    InvalidInput
        Shapes disagree, a number is negative or NaN, or the bands do not rise.

    References
    ----------
    Luo & Qi (2009), An enhanced two-step floating catchment area method.
    """
    matrix = np.asarray(cost)
    people = exact_weights(demand)
    amount = np.asarray(supply, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape != (len(people), amount.size) or amount.ndim != 1:
        raise InvalidInput(
            f"cost is {matrix.shape}, demand {people.shape}, supply {amount.shape}; give (n, m), (n,), (m,)",
            zh="成本矩阵、需求与供给的形状不一致。",
        )
    if not ((amount >= 0) & (amount < np.inf)).all():
        raise InvalidInput("supply is negative, NaN or infinite", zh="供给量须为有效的非负数。")
    if not (matrix >= 0).all():
        raise InvalidInput("cost is negative or NaN; use inf for unreachable", zh="成本矩阵含负数或空值。")
    steps = _bands(bands)
    near = matrix <= np.float64(steps[-1][0])
    if np.count_nonzero(near) < _SPARSE_SHARE * matrix.size:
        return _shared_out_sparse(matrix, near, people, amount, steps)
    weight = _band_weights(matrix, steps)
    return weight @ _per_head(amount, people @ weight)


def _per_head(amount: Floats, crowd: Floats) -> Floats:
    return np.divide(amount, crowd, out=np.zeros(len(amount)), where=crowd > 0)


def _shared_out_sparse(
    cost: NDArray[np.floating],
    near: NDArray[np.bool_],
    people: Floats,
    amount: Floats,
    steps: list[tuple[float, float]],
) -> Floats:
    """Both steps over the pairs within reach alone."""
    pair = np.flatnonzero(near)
    row, column = np.divmod(pair, cost.shape[1])
    value = cost.ravel()[pair] if cost.flags.c_contiguous else cost[row, column]
    uppers, weights = np.array(steps).T
    weight = weights[np.searchsorted(uppers, value)]  # the first upper cost that is not below it
    crowd = np.bincount(column, people[row] * weight, minlength=len(amount))
    return np.bincount(row, weight * _per_head(amount, crowd)[column], minlength=len(people))


def lorenz(values: ArrayLike, weight: ArrayLike) -> tuple[Floats, Floats]:
    """
    The Lorenz curve: share of people, from the worst served on, and the share of all access they have.

    Both arrays begin at 0 and end at 1; without people or without access the curve is the diagonal.

    Parameters
    ----------
    values : (n,) access per head, >= 0
    weight : (n,) people, >= 0
    """
    access, people = np.asarray(values, dtype=np.float64), exact_weights(weight)
    if access.shape != people.shape or not ((access >= 0) & (access < np.inf)).all():
        raise InvalidInput(
            f"values have shape {access.shape} or one is negative, NaN or infinite; weights have {people.shape}",
            zh="可达性数值须为非负有限数,且与人口个数一致。",
        )
    some = people > 0
    access, people = access[some], people[some]
    order = np.argsort(access, kind="stable")
    amount = (access * people)[order]
    if amount.sum() == 0:
        return np.array([0.0, 1.0]), np.array([0.0, 1.0])
    heads = np.cumsum(people[order])
    amounts = np.cumsum(amount)
    return np.r_[0.0, heads / heads[-1]], np.r_[0.0, amounts / amounts[-1]]


def gini(values: ArrayLike, weight: ArrayLike) -> float:
    """
    Gini coefficient of access, 0 (everybody the same) to 1 (one has it all), weighted by people.

    Twice the area between the Lorenz curve and the diagonal; 0.0 without people or without access.
    """
    heads, amounts = lorenz(values, weight)
    return float(max(0.0, 1.0 - (np.diff(heads) * (amounts[1:] + amounts[:-1])).sum()))


def _bands(bands: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    steps = [(float(upper), float(weight)) for upper, weight in bands]
    uppers = [upper for upper, _ in steps]
    if not steps or not uppers[0] > 0 or not all(a < b for a, b in zip(uppers, uppers[1:], strict=False)):
        raise InvalidInput(
            f"upper costs {uppers} do not rise from above 0", zh="距离衰减的各档上限须从小到大。"
        )
    if not all(0 <= weight < np.inf for _, weight in steps):
        raise InvalidInput(f"band weights of {steps} must be 0 or more", zh="距离衰减的权重须为非负数。")
    return steps


def _band_weights(cost: NDArray[np.floating], bands: list[tuple[float, float]]) -> Floats:
    """(n, m) weight of each cost: a staircase, added up step by step from the top band down."""
    result = np.zeros(cost.shape)
    rows = max(1, _BLOCK // max(1, cost.shape[1]))
    for start in range(0, len(cost), rows):  # in pieces that stay in the processor's cache
        block, out = cost[start : start + rows], result[start : start + rows]
        for upper, weight in reversed(bands):
            np.copyto(out, weight, where=block <= np.float64(upper))
    return result
