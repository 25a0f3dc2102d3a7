"""
Costs between rows (demand) and columns (sites) as the siting solvers ask for them, dense or sparse.

Both classes stand for the same thing: entry (i, j) is what row i pays when column j serves it, weight
included; `base[i]` is what it pays when no column does (infinite: some column must serve it). Entries at or
above `base` may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._cover import rows_alike

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Serving:
    """What chosen columns give each row: lowest cost, who gives it (-1 nobody), and the next lowest."""

    nearest: Floats
    owner: Ints
    second: Floats


class Costs(Protocol):
    """What the solvers need to know about costs."""

    base: Floats
    columns: int
    entries: int
    is_flat: bool  # serving costs nothing, only leaving out does

    def relief(self, price: Floats) -> Floats:
        """Per column, the sum over rows of min(0, cost - price): zero or negative; `price` must be finite."""

    def cheaper(self, price: Floats, chosen: Ints) -> Ints:
        """Per row, how many of the chosen columns cost less than its price."""

    def serving(self, chosen: Ints, cap: Floats) -> Serving:
        """Nearest and second nearest of the chosen columns per row, `cap` where there is none below it."""

    def swap_table(self, serving: Serving, places: int) -> Floats:
        """(places, columns): what column j saves the rows of an owner that leaves, beyond their second."""

    def take(self, columns: Ints, base: Floats) -> tuple[Costs, Ints]:
        """These columns under a lower base, and the rows that still have a column below it."""

    def folded(self) -> tuple[Costs, Ints]:
        """Rows that choose alike joined into one, where that is easy to see; and the new row of each."""

    def triples(self) -> tuple[Ints, Ints, Floats]:
        """All entries below base as rows, columns, costs; by row and then cost."""

    def totals(self) -> Floats:
        """Per column, what all rows pay when it alone is open (infinite where a row then has nobody)."""


class DenseCosts:
    """Costs as a full (n, m) array."""

    def __init__(self, cost: Floats, base: Floats) -> None:
        self.cost = cost
        self.base = base
        self.columns = cost.shape[1]
        self.entries = cost.size
        self.is_flat = False
        self._work = np.empty_like(cost)

    def relief(self, price: Floats) -> Floats:
        np.subtract(self.cost, price[:, None], out=self._work)
        np.minimum(self._work, 0.0, out=self._work)
        return self._work.sum(axis=0)

    def cheaper(self, price: Floats, chosen: Ints) -> Ints:
        return (self.cost[:, chosen] < price[:, None]).sum(axis=1)

    def serving(self, chosen: Ints, cap: Floats) -> Serving:
        n = len(cap)
        if len(chosen) == 0:
            return Serving(cap.copy(), np.full(n, -1), cap.copy())
        block = self.cost[:, chosen]
        owner = block.argmin(axis=1)
        nearest = block[np.arange(n), owner]
        block[np.arange(n), owner] = np.inf
        second = np.minimum(block.min(axis=1), cap)
        return Serving(np.minimum(nearest, cap), np.where(nearest < cap, owner, -1), second)

    def swap_table(self, serving: Serving, places: int) -> Floats:
        table = np.zeros((places, self.columns))
        order = np.argsort(serving.owner, kind="stable")
        order = order[serving.owner[order] >= 0]
        step = max(1, _BLOCK // max(1, self.columns))
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            owners = serving.owner[rows]
            nearest, second = serving.nearest[rows, None], serving.second[rows, None]
            saved = self.cost[rows]
            np.clip(saved, nearest, second, out=saved)
            np.subtract(second, saved, out=saved)
            first = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
            table[owners[first]] += np.add.reduceat(saved, first, axis=0)
        return table

    def take(self, columns: Ints, base: Floats) -> tuple[Costs, Ints]:
        cost = self.cost[:, columns]
        alive = np.flatnonzero((cost < base[:, None]).any(axis=1) | np.isinf(base))
        cost = cost[alive] if len(alive) < len(base) else cost
        below = cost < base[alive, None]
        if below.sum() * 6 < cost.size:
            by_column = below.T
            columns_of, rows_of = np.nonzero(by_column)
            counts = np.bincount(columns_of, minlength=len(columns))
            return SparseCosts(cost.T[by_column], rows_of, np.r_[0, np.cumsum(counts)], base[alive]), alive
        np.minimum(cost, base[alive, None], out=cost)
        return DenseCosts(cost, base[alive]), alive

    def folded(self) -> tuple[Costs, Ints]:
        return self, np.arange(len(self.base))

    def triples(self) -> tuple[Ints, Ints, Floats]:
        rows, columns = np.nonzero(self.cost < self.base[:, None])
        return _by_row_and_cost(rows, columns, self.cost[rows, columns])

    def totals(self) -> Floats:
        return np.minimum(self.cost, self.base[:, None]).sum(axis=0)


class SparseCosts:
    """Costs by column: entries `start[j]` to `start[j + 1]` of `cost` and `row` belong to column j."""

    def __init__(self, cost: Floats, row: Ints, start: Ints, base: Floats) -> None:
        self.cost = cost
        self.row = row
        self.start = start
        self.base = base
        self.columns = len(start) - 1
        self.entries = len(cost)
        self.is_flat = not cost.any()
        self._column: Ints | None = None
        self._filled = np.flatnonzero(np.diff(start))

    def _column_of_entries(self) -> Ints:
        if self._column is None:
            self._column = np.repeat(np.arange(self.columns), np.diff(self.start))
        return self._column

    def _sum_by_column(self, values: Floats) -> Floats:
        sums = np.zeros(self.columns)
        if self._filled.size:
            sums[self._filled] = np.add.reduceat(values, self.start[self._filled])
        return sums

    def _entries_of(self, chosen: Ints) -> tuple[Ints, Ints]:
        """Entry numbers of the chosen columns, and the place in `chosen` of each."""
        counts = self.start[chosen + 1] - self.start[chosen]
        place = np.repeat(np.arange(len(chosen)), counts)
        offset = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.start[chosen][place] + offset, place

    def relief(self, price: Floats) -> Floats:
        value = self.cost - price[self.row]
        np.minimum(value, 0.0, out=value)
        return self._sum_by_column(value)

    def cheaper(self, price: Floats, chosen: Ints) -> Ints:
        entry, _ = self._entries_of(np.asarray(chosen, np.intp))
        row = self.row[entry]
        return np.bincount(row[self.cost[entry] < price[row]], minlength=len(price))

    def serving(self, chosen: Ints, cap: Floats) -> Serving:
        entry, place = self._entries_of(np.asarray(chosen, np.intp))
        row, cost = self.row[entry], self.cost[entry]
        keep = cost < cap[row]
        row, cost, place = row[keep], cost[keep], place[keep]
        order = np.lexsort((cost, row))
        row, cost, place = row[order], cost[order], place[order]
        nearest, second, owner = cap.copy(), cap.copy(), np.full(len(cap), -1)
        first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]]) if row.size else np.zeros(0, np.intp)
        nearest[row[first]], owner[row[first]] = cost[first], place[first]
        follows = first + 1
        follows = follows[follows < len(row)]
        follows = follows[row[follows] == row[follows - 1]]
        second[row[follows]] = cost[follows]
        return Serving(nearest, owner, second)

    def swap_table(self, serving: Serving, places: int) -> Floats:
        row = self.row
        entry = np.flatnonzero((serving.owner[row] >= 0) & (self.cost < serving.second[row]))
        row = row[entry]
        saved = serving.second[row] - np.maximum(self.cost[entry], serving.nearest[row])
        key = serving.owner[row] * self.columns + self._column_of_entries()[entry]
        table = np.bincount(key, saved, minlength=places * self.columns).astype(np.float64)  # empty: whole
        return table.reshape(places, self.columns)

    def take(self, columns: Ints, base: Floats) -> tuple[Costs, Ints]:
        entry, place = self._entries_of(columns)
        row, cost = self.row[entry], self.cost[entry]
        keep = cost < base[row]
        row, cost, place = row[keep], cost[keep], place[keep]
        is_alive = np.isinf(base)
        is_alive[row] = True
        alive = np.flatnonzero(is_alive)
        number = np.zeros(len(base), np.intp)
        number[alive] = np.arange(len(alive))
        counts = np.bincount(place, minlength=len(columns))
        return SparseCosts(cost, number[row], np.r_[0, np.cumsum(counts)], base[alive]), alive

    def folded(self) -> tuple[Costs, Ints]:
        if not self.is_flat:
            return self, np.arange(len(self.base))
        shape = (self.columns, len(self.base))
        rows = sparse.csr_array((np.ones(self.entries), self.row, self.start), shape=shape).T.tocsr()
        first, like = rows_alike(rows)
        by_column = rows[first].T.tocsr()
        base = np.bincount(like, self.base, minlength=len(first))
        row, start = by_column.indices.astype(np.intp), by_column.indptr.astype(np.intp)
        return SparseCosts(np.zeros(len(row)), row, start, base), like

    def triples(self) -> tuple[Ints, Ints, Floats]:
        column = self._column_of_entries()
        keep = self.cost < self.base[self.row]
        return _by_row_and_cost(self.row[keep], column[keep], self.cost[keep])

    def totals(self) -> Floats:
        open_ended = np.isinf(self.base)
        price = np.where(open_ended, 0.0, self.base)
        paid = np.minimum(self.cost - price[self.row], np.where(open_ended[self.row], np.inf, 0.0))
        total = price.sum() + self._sum_by_column(paid)
        if open_ended.any():
            served = self._sum_by_column(open_ended[self.row].astype(float))
            total[served < open_ended.sum()] = np.inf
        return total


def _by_row_and_cost(rows: Ints, columns: Ints, costs: Floats) -> tuple[Ints, Ints, Floats]:
    order = np.lexsort((costs, rows))
    return rows[order], columns[order], costs[order]
