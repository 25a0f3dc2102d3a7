"""What a siting solve answers, or why it cannot: the sites, the bound, the errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.errors import GridmapError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

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


def check_reached(cost: NDArray[np.floating], rows: Ints, columns: Ints) -> None:
    """Raise when a row reaches none of the columns."""
    reached = np.zeros(cost.shape[0], bool)
    if len(columns) == cost.shape[1]:
        reached = np.isfinite(cost.min(axis=1, initial=np.inf))
    elif len(columns):
        reached = np.isfinite(cost[:, columns].min(axis=1))
    lost = rows[~reached[rows]]
    if lost.size:
        raise InfeasibleError(
            f"no site reaches {len(lost)} demand rows: {named(lost)}; add sites there or leave the rows out",
            zh=f"有 {len(lost)} 个需求点任何站点都无法到达,请补充候选点或剔除这些需求点。",
            rows=lost.tolist(),
        )


def too_few_sites(rows: Ints, p: int) -> InfeasibleError:
    return InfeasibleError(
        f"{p} new sites cannot reach all rows; left over at best: {named(rows)}; allow more sites",
        zh=f"新增 {p} 处无法到达全部需求点,至少还剩 {len(rows)} 个,请增加数量。",
        rows=rows.tolist(),
        p=p,
    )


def named(rows: Ints) -> str:
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return ", ".join(str(row) for row in rows[:_NAMED].tolist()) + more


def stopped() -> SolveStopped:
    return SolveStopped(
        "stopped before any choice was found that reaches all rows; allow more time or more sites"
    )


def nearest_site(cost: NDArray[np.floating], sites: Ints) -> tuple[Ints, Floats]:
    """Per row the cheapest of the sites (-1 where none is finite) and its cost; the first named wins a tie."""
    n = cost.shape[0]
    if len(sites) == 0:
        return np.full(n, -1), np.full(n, np.inf)
    block = cost[:, sites]
    place = block.argmin(axis=1)
    nearest = block[np.arange(n), place].astype(np.float64)
    return np.where(np.isfinite(nearest), sites[place], -1), nearest


def first_reaching(near: sparse.csr_array, sites: Ints) -> Ints:
    """Per row the first of the sites that reaches it, -1 where none does."""
    block = near[:, sites]
    block.sort_indices()
    filled = np.diff(block.indptr) > 0
    found = np.full(near.shape[0], -1)
    found[filled] = sites[block.indices[block.indptr[:-1][filled]]]
    return found


def padded(chosen: Ints, candidates: Ints, p: int) -> Ints:
    """`p` sites: the chosen ones and, where they are fewer, the lowest-numbered other candidates."""
    spare = np.setdiff1d(candidates, chosen)
    return np.sort(np.r_[chosen, spare[: p - len(chosen)]]).astype(np.intp)


def spread(cost: NDArray[np.floating], base: Floats, chosen: Ints, p: int) -> Ints:
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


def flags(size: int, chosen: Ints) -> Floats:
    flags = np.zeros(size)
    flags[chosen] = 1
    return flags
