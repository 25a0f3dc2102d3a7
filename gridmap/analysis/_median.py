"""A p-median problem made small: useless entries, equal rows and equal columns left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridmap.analysis._costs import Costs, DenseCosts, SparseCosts

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_BLOCK = 2_000_000
_DENSE_SHARE = 1 / 6


@dataclass(frozen=True, slots=True)
class MedianProblem:
    """
    What a solver needs of a p-median problem.

    `costs` counts rows and columns anew: `column[j]` is the site of its column j, `row[i]` one of the demand
    rows that its row i stands for. `paid` is what the rows pay that no candidate serves cheaper than a fixed
    site does. Every total is a multiple of `unit`; 0 where no such number is known.
    """

    costs: Costs
    column: Ints
    row: Ints
    paid: float
    unit: float


def median_problem(
    cost: NDArray[np.floating], weight: Floats, opened: Ints, candidates: Ints
) -> MedianProblem:
    """The problem of the rows of positive weight, with some columns open and others to choose from."""
    demand = np.flatnonzero(weight > 0)
    row_like, column_like = _alike(cost, demand)
    is_first = row_like == np.arange(len(demand))
    people = np.bincount(row_like, weight[demand], minlength=len(demand))[is_first]
    rows = demand[is_first]
    columns = candidates[np.unique(column_like[candidates], return_index=True)[1]]
    base = np.full(len(rows), np.inf)
    if len(opened):
        base = people * cost[np.ix_(rows, opened)].min(axis=1).astype(np.float64)
    weighted = _Weighted(cost, rows, np.sort(columns), people, base)
    unit = weighted.common_unit()
    costs = weighted.sparse() if weighted.is_sparse else weighted.dense()
    costs, alive = costs.take(np.arange(costs.columns), base)
    settled = np.ones(len(rows), bool)
    settled[alive] = False
    return MedianProblem(costs, weighted.columns, rows[alive], float(base[settled].sum()), unit)


class _Weighted:
    """Weighted costs of some rows and columns, read block by block so that a large matrix is never copied."""

    def __init__(
        self, cost: NDArray[np.floating], rows: Ints, columns: Ints, people: Floats, base: Floats
    ) -> None:
        self.cost = cost
        self.rows = rows
        self.columns = columns
        self.people = people
        self.base = base
        counts = [np.count_nonzero(below) for _, _, below in self._blocks()]
        self.entries = int(sum(counts))

    @property
    def is_sparse(self) -> bool:
        return self.entries < _DENSE_SHARE * len(self.rows) * len(self.columns)

    def _blocks(self) -> Iterator[tuple[int, Floats, NDArray[np.bool_]]]:
        step = max(1, _BLOCK // max(1, len(self.columns)))
        for start in range(0, len(self.rows), step):
            part = slice(start, start + step)
            block = self.cost[np.ix_(self.rows[part], self.columns)].astype(np.float64)
            block *= self.people[part, None]
            yield start, block, block < self.base[part, None]

    def dense(self) -> DenseCosts:
        whole = np.empty((len(self.rows), len(self.columns)))
        for start, block, _ in self._blocks():
            whole[start : start + len(block)] = block
        return DenseCosts(whole, self.base)

    def sparse(self) -> SparseCosts:
        row = np.empty(self.entries, np.intp)
        column = np.empty(self.entries, np.intp)
        value = np.empty(self.entries)
        at = 0
        for start, block, below in self._blocks():
            r, c = np.nonzero(below)
            end = at + len(r)
            row[at:end], column[at:end], value[at:end] = r + start, c, block[below]
            at = end
        order = np.argsort(column, kind="stable")
        ends = np.cumsum(np.bincount(column, minlength=len(self.columns)))
        return SparseCosts(value[order], row[order], np.r_[0, ends], self.base)

    def common_unit(self) -> float:
        """The greatest number that divides every whole-numbered cost; 0 when some cost is not whole."""
        finite = self.base[np.isfinite(self.base)]
        if (finite % 1).any() or finite.max(initial=0) >= 2**53:
            return 0.0
        unit = int(np.gcd.reduce(finite.astype(np.int64), initial=0))
        for _, block, below in self._blocks():
            values = block[below]
            if (values % 1).any() or values.max(initial=0) >= 2**53:
                return 0.0
            unit = int(np.gcd(unit, np.gcd.reduce(values.astype(np.int64), initial=0)))
        return float(unit)


def _alike(cost: NDArray[np.floating], demand: Ints) -> tuple[Ints, Ints]:
    """
    For each demand row the first one of equal costs (counted among `demand`), and the same for each column.

    Identical points and sites are common in real data and would only multiply equal answers.
    """
    m = cost.shape[1]
    rng = np.random.default_rng(0)
    by_column = rng.integers(1, 2**63, m, dtype=np.uint64) | np.uint64(1)
    by_row = rng.integers(1, 2**63, len(demand), dtype=np.uint64) | np.uint64(1)
    row_word = np.zeros(len(demand), np.uint64)
    column_word = np.zeros(m, np.uint64)
    step = max(1, _BLOCK // max(1, m))
    for start in range(0, len(demand), step):
        part = slice(start, start + step)
        bits = (cost[demand[part]].astype(np.float64) + 0.0).view(np.uint64)  # + 0.0: no negative zero
        bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
        row_word[part] = (bits * by_column).sum(axis=1, dtype=np.uint64)
        column_word += (bits * by_row[part, None]).sum(axis=0, dtype=np.uint64)
    row_like, column_like = _first_of(row_word), _first_of(column_word)
    # a word may collide: what is called equal is compared in full
    for place in np.flatnonzero(row_like != np.arange(len(demand))).tolist():
        if not np.array_equal(cost[demand[place]], cost[demand[row_like[place]]]):
            row_like[place] = place
    for place in np.flatnonzero(column_like != np.arange(m)).tolist():
        if not np.array_equal(cost[demand, place], cost[demand, column_like[place]]):
            column_like[place] = place
    return row_like, column_like


def _first_of(words: NDArray[np.uint64]) -> Ints:
    _, first, inverse = np.unique(words, return_index=True, return_inverse=True)
    return first[inverse].astype(np.intp)
