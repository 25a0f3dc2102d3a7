"""
The fractional optimum of a siting problem by cuts (Benders), on HiGHS.

One value variable per group of rows; a cut says what its rows pay at least, given how much of each column is
open: for thresholds s, `sum(s) - sum over columns of open * sum(max(0, s - cost))`. The best thresholds at a
point are where the open shares of a row's cheapest columns reach one, found by one pass over sorted entries
(Cordeau, Furini & Ljubić 2019 for cover; Durán-Mateo, Alès & Elloumi 2023 for the median). Any thresholds are
valid anywhere, so cuts serve the whole search tree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._costs import Costs
from gridmap.analysis._highs import Lp
from gridmap.analysis._lagrange import Bound, lowest
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ROUNDS = 200
_ENOUGH = 0.01
"""Cuts end when they could lift the bound by no more than this share of its distance to the cutoff."""


class CutLp:
    """The cut program of one problem: `count` of the columns open, `groups` of rows valued together."""

    def __init__(self, costs: Costs, count: int, *, paid: float, is_grouped: bool, watch: Watch) -> None:
        self.costs = costs
        self.count = count
        self.is_converged = False
        self._rows, self._columns, self._values = costs.triples()
        n, m = len(costs.base), costs.columns
        self._start = np.searchsorted(self._rows, np.arange(n + 1))
        self._flat = sparse.csr_array((np.ones(len(self._columns)), self._columns, self._start), shape=(n, m))
        self._flat_by_column = self._flat.T.tocsr()
        self._group = np.zeros(n, np.intp) if is_grouped else np.arange(n)
        self._groups = 1 if is_grouped else n
        self.is_grouped = is_grouped
        self._unit = paid / max(self._groups, 1000)
        self._history: list[tuple[Ints, Floats]] = []
        self._used: list[bool] = []
        self._lp = Lp(
            np.r_[np.zeros(m), np.ones(self._groups)],
            np.zeros(m + self._groups),
            np.r_[np.ones(m), np.full(self._groups, np.inf)],
            watch,
        )
        self._watch = watch
        self._add_structure(n, m)
        self._first_cut = self._rows_now
        self._inner = np.full(m, count / max(1, m))

    def _add_structure(self, n: int, m: int) -> None:
        """Exactly `count` open, and one open column for each row that nothing else serves."""
        must = np.flatnonzero(np.isinf(self.costs.base) & (np.diff(self._start) < m))
        rows = sparse.vstack([np.ones((1, m)), self._flat[must]], format="csr")
        rows = sparse.hstack([rows, sparse.csr_array((rows.shape[0], self._groups))], format="csr")
        lower = np.ones(1 + len(must))
        upper = np.full(1 + len(must), np.inf)
        lower[0] = upper[0] = self.count
        self._lp.add_rows(lower, upper, rows)
        self._rows_now = 1 + len(must)

    def thresholds(self, share: Floats) -> Floats:
        """Per row the cost at which its cheapest columns' shares reach one; `base` where they never do."""
        n = len(self.costs.base)
        if self.costs.is_flat:
            return np.where(self._flat @ share < 1 - 1e-9, self.costs.base, 0.0)
        reached = np.r_[0.0, np.cumsum(share[self._columns])]
        short = reached[1:] - reached[self._start[self._rows]] < 1 - 1e-9
        place = self._start[:-1] + np.add.reduceat(np.r_[short, False], self._start[:-1]) * (
            np.diff(self._start) > 0
        )
        never = place >= self._start[1:]
        at = np.where(never, self.costs.base, self._values[np.minimum(place, len(self._values) - 1)])
        # a row that must be served reaches one at its last column up to rounding
        last = np.where(np.diff(self._start) > 0, self._values[self._start[1:] - 1], 0.0)
        return np.where(np.isinf(at), last, at) if n else at

    def add_cuts(self, threshold: Floats, value: Floats | None = None, share: Floats | None = None) -> int:
        """Add the cuts of these thresholds; with a point, only those that it violates. Returns how many."""
        m = self.costs.columns
        if self.costs.is_flat and self._groups == 1:
            self._add_flat_cut(threshold)
            return 1
        constant = np.bincount(self._group, threshold, minlength=self._groups)
        gain = threshold[self._rows] - self._values
        keep = gain > 0
        slope = sparse.csr_array(
            (gain[keep], (self._group[self._rows[keep]], self._columns[keep])), shape=(self._groups, m)
        )
        wanted = np.arange(self._groups)
        if value is not None and share is not None:
            least = constant - slope @ share
            wanted = np.flatnonzero(least > value + 1e-7 * np.maximum(self._unit, np.abs(least)))
        if len(wanted) == 0:
            return 0
        slope.data = slope.data / self._unit
        pick = sparse.csr_array(
            (np.ones(len(wanted)), (np.arange(len(wanted)), wanted)), shape=(len(wanted), self._groups)
        )
        self._lp.add_rows(
            constant[wanted] / self._unit,
            np.full(len(wanted), np.inf),
            sparse.hstack([slope[wanted], pick], format="csr"),
        )
        self._history.append((wanted, threshold))
        return len(wanted)

    def _add_flat_cut(self, threshold: Floats) -> None:
        slope = self._flat_by_column @ threshold
        used = np.flatnonzero(slope)
        self._lp.add_row(
            float(threshold.sum()) / self._unit,
            np.r_[used, self.costs.columns],
            np.r_[slope[used] / self._unit, 1.0],
        )
        self._history.append((np.zeros(1, np.intp), threshold))

    def solve(self, lower: Floats, upper: Floats, *, cutoff: float, rounds: int = _ROUNDS) -> Bound:
        """
        The fractional optimum between column bounds, as far as `rounds` of cuts bring it.

        Ends earlier when the bound passes `cutoff`, or when what is left to gain no longer matters beside
        the distance to it (`is_converged`). The bound comes from row prices read off the cuts in use, in
        plain arithmetic. Raises `LpInfeasible`, `LpStopped`.
        """
        self._lp.set_bounds(np.r_[lower, np.zeros(self._groups)], np.r_[upper, np.full(self._groups, np.inf)])
        best_paid = np.inf
        self.is_converged = False
        for _ in range(max(1, rounds)):
            solved = self._lp.solve()
            share = solved.x[: self.costs.columns]
            value = solved.x[self.costs.columns :] * self._unit
            total = float(value.sum())
            threshold = self.thresholds(share)
            paid = self._paid(threshold, share)
            if total > cutoff or paid - total <= _ENOUGH * (cutoff - total) + 1e-12 * paid:
                self.is_converged = True
                break
            added = self.add_cuts(threshold, value, share)
            if not added:
                self.is_converged = True
                break
            if self._groups == 1:
                # a cut between the best point and this one goes deeper (in-out separation)
                if paid < best_paid:
                    best_paid, self._inner = paid, share
                self.add_cuts(self.thresholds((share + np.clip(self._inner, lower, upper)) / 2))
        return self._bound(solved.row_price, share, lower, upper)

    def thresholds_in_use(self) -> list[Floats]:
        """The thresholds whose cuts held the last optimum in place (grouped rows only)."""
        return [threshold for (_, threshold), used in zip(self._history, self._used, strict=False) if used]

    def _paid(self, threshold: Floats, share: Floats) -> float:
        """What all rows pay at fractional openings, given the thresholds there."""
        if self.costs.is_flat:
            # no dot product: waking a second thread takes longer than the sum
            return float((threshold * (1.0 - self._flat @ share)).sum())
        gain = np.maximum(threshold[self._rows] - self._values, 0.0)
        return float(threshold.sum() - gain @ share[self._columns])

    def _bound(self, row_price: Floats, share: Floats, lower: Floats, upper: Floats) -> Bound:
        price = np.zeros(len(self.costs.base))
        weight = np.zeros(self._groups)
        at = self._first_cut
        self._used = []
        for wanted, threshold in self._history:
            if at + len(wanted) > len(row_price):
                break  # added after the last solve
            use = np.maximum(row_price[at : at + len(wanted)], 0.0)
            at += len(wanted)
            self._used.append(bool(use.any()))
            if self._used[-1]:
                by_group = np.zeros(self._groups)
                by_group[wanted] = use
                price += by_group[self._group] * threshold
                weight += by_group
        price = np.minimum(price / np.maximum(weight, 1.0)[self._group], self.costs.base)
        must, free = np.flatnonzero(lower > 0), np.flatnonzero((upper > 0) & (lower <= 0))
        relief = self.costs.relief(price)
        left = self.count - len(must)
        value = price.sum() + relief[must].sum() + relief[free][lowest(relief[free], left)].sum()
        return Bound(float(value), price, relief, share)
