"""
The arcs of a road network as the matrices that searches run on.

Public numbers are the order in which nodes were given. Inside, nodes lie along a Hilbert curve, so that what
is near on the ground is near in memory, which makes searches faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._hilbert import hilbert_order
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Source `source[k]` may enter the network at `node[k]` after `ahead[k]`."""

    source: Ints
    node: Ints
    ahead: Floats


class Arcs:
    """
    Arcs between nodes in both numberings.

    Attributes
    ----------
    order : (n,) inside number -> public number
    inside : (n,) public number -> inside number
    """

    def __init__(
        self, node_xy: Floats, tail: Ints, head: Ints, oneway: NDArray[np.bool_], costs: Mapping[str, Floats]
    ) -> None:
        self.order = hilbert_order(node_xy)
        self.inside = np.empty(len(node_xy), np.int32)
        self.inside[self.order] = np.arange(len(node_xy), dtype=np.int32)
        self._tail, self._head, self._oneway = tail, head, oneway
        self._costs = costs
        self._matrices: dict[tuple[str, bool], sparse.csr_matrix] = {}
        self._streets_by: dict[str, tuple[Floats, Floats]] = {}

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self.order)

    def cost(self, by: str) -> Floats:
        """(e,) what passing each edge costs; raises InvalidInput where `by` names no cost."""
        if by not in self._costs:
            raise InvalidInput(
                f"by is {by!r}; use 'seconds' or 'length_m'", zh="成本口径须为 seconds 或 length_m。"
            )
        return self._costs[by]

    def matrix(self, by: str, *, is_backward: bool) -> sparse.csr_matrix:
        """Inside-numbered arcs, the cheapest between two nodes; reversed for searches towards a source."""
        key = (by, is_backward)
        if key not in self._matrices:
            cost = self.cost(by)
            tail, head = self.inside[self._tail], self.inside[self._head]
            both = ~self._oneway
            start, goal = np.r_[tail, head[both]], np.r_[head, tail[both]]
            if is_backward:
                start, goal = goal, start
            self._matrices[key] = _cheapest(start, goal, np.r_[cost, cost[both]], len(self))
        return self._matrices[key]

    def street_costs(self, by: str) -> tuple[Floats, Floats]:
        """
        Per edge the least cost from its tail to its head and back, over all edges between the two.

        Infinite where no edge leads that way.
        """
        if by not in self._streets_by:
            there = self._least(by, self._tail, self._head)
            back = self._least(by, self._head, self._tail)
            is_loop = self._tail == self._head  # in no matrix
            there[is_loop] = self.cost(by)[is_loop]
            back[is_loop & ~self._oneway] = self.cost(by)[is_loop & ~self._oneway]
            self._streets_by[by] = (there, back)
        return self._streets_by[by]

    def _least(self, by: str, start: Ints, goal: Ints) -> Floats:
        """The cost of the arc between each two nodes (public numbers), infinite where there is none."""
        matrix, n = self.matrix(by, is_backward=False), len(self)
        found = np.full(len(start), np.inf)
        if matrix.nnz == 0:
            return found
        # rows lie one behind the other with their columns ascending, so arcs are in the order of this number
        arcs = np.repeat(np.arange(n), np.diff(matrix.indptr)) * n + matrix.indices
        wanted = self.inside[start].astype(np.int64) * n + self.inside[goal]
        place = np.minimum(np.searchsorted(arcs, wanted), len(arcs) - 1)
        known = arcs[place] == wanted
        found[known] = matrix.data[place[known]]
        return found

    def placed(self, entries: Entries) -> Entries:
        """The entries with inside numbers."""
        return Entries(entries.source, self.inside[entries.node], entries.ahead)


def _cheapest(start: Ints, goal: Ints, cost: Floats, n: int) -> sparse.csr_matrix:
    """One arc between two nodes, the cheapest; none from a node to itself."""
    order = np.lexsort((cost, goal, start))
    start, goal, cost = start[order], goal[order], cost[order]
    keep = np.r_[True, (np.diff(start) != 0) | (np.diff(goal) != 0)] if len(start) else np.zeros(0, bool)
    keep &= start != goal
    counts = np.bincount(start[keep], minlength=n)
    matrix = sparse.csr_matrix(
        (cost[keep], goal[keep].astype(np.int32), np.r_[0, np.cumsum(counts)].astype(np.int32)), shape=(n, n)
    )
    matrix.has_sorted_indices = True
    return matrix


def entered(matrix: sparse.csr_matrix, entries: Entries, count: int) -> sparse.csr_matrix:
    """The arcs plus one further node per source, from which arcs lead to its entries and none comes back."""
    n = matrix.shape[0]
    order = np.argsort(entries.source, kind="stable")
    ends = matrix.indptr[-1] + np.cumsum(np.bincount(entries.source, minlength=count))
    return sparse.csr_matrix(
        (
            np.r_[matrix.data, entries.ahead[order]],
            np.r_[matrix.indices, entries.node[order]].astype(np.int32),
            np.r_[matrix.indptr, ends].astype(np.int32),
        ),
        shape=(n + count, n + count),
    )
