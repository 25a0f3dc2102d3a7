"""
Whether k columns can touch every row: a search tree over the fractional optimum, which stays warm on HiGHS.

Each branch is bounded in plain arithmetic from the row prices of its linear program, so that no answer hangs
on the solver's tolerance. The same prices settle columns (reduced costs). A few columns to choose: branch on
the row with the fewest of them left; many: on the most undecided column.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._highs import Lp, LpAnswer, LpInfeasible, LpStopped
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

_ROUNDING = 1e-7
_ROW_BRANCHING_COUNT = 30
"""With more columns still to take than this, a single row says too little to branch on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The cover found, None where there is none; `is_decided` false when the search broke off."""

    columns: Ints | None
    is_decided: bool


@dataclass(frozen=True, slots=True)
class _Node:
    """Columns taken, and columns that may be (the taken ones among them)."""

    taken: Flags
    allowed: Flags


class CoverTree:
    """The search for covers of one sparse 0/1 matrix; every row must have a column."""

    def __init__(self, matrix: sparse.csr_array, watch: Watch) -> None:
        n, m = matrix.shape
        self._matrix = matrix.astype(float)
        self._by_column = self._matrix.T.tocsr()
        self._watch = watch
        self._lp = Lp(np.ones(m), np.zeros(m), np.ones(m), watch)
        self._lp.add_rows(np.ones(n), np.full(n, np.inf), self._matrix)

    def relaxed(self) -> tuple[Floats, int]:
        """The fractional optimum, and a number below which no cover can go; raises `LpStopped`."""
        m = self._matrix.shape[1]
        root = _Node(np.zeros(m, bool), np.ones(m, bool))
        solved = self._solved(root)
        return solved.x, math.ceil(self._bound(root, solved)[0] - _ROUNDING)

    def decide(self, count: int, *, most_nodes: int) -> Decision:
        """
        Find `count` columns (or fewer) that touch every row, or prove that there are none.

        Breaks off after `most_nodes` branches or when the watch expires.
        """
        m = self._matrix.shape[1]
        stack = [_Node(np.zeros(m, bool), np.ones(m, bool))]
        for _ in range(most_nodes):
            if not stack:
                return Decision(None, True)
            if self._watch.expired:
                break
            node = stack.pop()
            touched = self._matrix @ node.taken.astype(float) > 0
            left = count - int(node.taken.sum())
            if touched.all() and left >= 0:
                return Decision(np.flatnonzero(node.taken), True)
            if left <= 0:
                continue
            try:
                stack.extend(self._children(node, touched, count))
            except LpStopped:
                return Decision(None, False)
        return Decision(None, not stack)

    def _children(self, node: _Node, touched: Flags, count: int) -> list[_Node]:
        """The node's branches, the most promising last; none when it holds no cover."""
        if (self._matrix @ node.allowed.astype(float) == 0).any():
            return []
        solved = self._solved(node)
        bound, worth = self._bound(node, solved)
        if bound > count + _ROUNDING:
            return []
        open_to = node.allowed & ~node.taken
        share = solved.x
        if np.minimum(share, 1 - share).max() < 1e-6:
            return [_Node(share > 0.5, node.allowed)]
        # what would lift the bound past the count is settled
        never = open_to & (bound + worth > count + _ROUNDING)
        always = open_to & (bound - worth > count + _ROUNDING)
        if (never & always).any():
            return []
        node = _Node(node.taken | always, node.allowed & ~never)
        free = node.allowed & ~node.taken
        if count - int(node.taken.sum()) > _ROW_BRANCHING_COUNT:
            return self._by_share(node, free, share)
        return self._by_row(node, free, share, touched | (self._matrix @ always.astype(float) > 0))

    @staticmethod
    def _by_share(node: _Node, free: Flags, share: Floats) -> list[_Node]:
        """Without and with the column whose share is nearest one half."""
        if not free.any():
            return [node]
        pick = int(np.where(free, np.abs(share - 0.5), np.inf).argmin())
        without, taken = node.allowed.copy(), node.taken.copy()
        without[pick] = False
        taken[pick] = True
        return [_Node(node.taken, without), _Node(taken, node.allowed)]

    def _by_row(self, node: _Node, free: Flags, share: Floats, touched: Flags) -> list[_Node]:
        """One branch per column that can touch the row with the fewest of them."""
        options = np.where(touched, np.inf, self._matrix @ free.astype(float))
        row = int(options.argmin())
        if not np.isfinite(options[row]):
            return [node]
        columns = self._matrix.indices[self._matrix.indptr[row] : self._matrix.indptr[row + 1]]
        columns = columns[free[columns]]
        children = []
        allowed = node.allowed
        for column in columns[np.argsort(-share[columns], kind="stable")].tolist():
            taken = node.taken.copy()
            taken[column] = True
            children.append(_Node(taken, allowed))
            # the branches that follow need not try this column again
            allowed = allowed.copy()
            allowed[column] = False
        return children[::-1]

    def _solved(self, node: _Node) -> LpAnswer:
        self._lp.set_bounds(node.taken.astype(float), node.allowed.astype(float))
        try:
            return self._lp.solve()
        except LpInfeasible as error:  # every row has a column, so this is the solver's numerical trouble
            raise LpStopped("a feasible cover was called infeasible") from error

    def _bound(self, node: _Node, solved: LpAnswer) -> tuple[float, Floats]:
        """What the row prices prove: the least columns in any cover of the node, and each column's worth."""
        price = np.maximum(solved.row_price, 0.0)
        worth = 1.0 - self._by_column @ price
        must = float(worth[node.taken].sum())
        may = float(np.minimum(worth[node.allowed & ~node.taken], 0.0).sum())
        return float(price.sum()) + must + may, worth
