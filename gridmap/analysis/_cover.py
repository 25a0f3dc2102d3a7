"""
Set cover: the fewest columns of a sparse 0/1 matrix that touch every row.

Reductions (equal rows and columns, containment, rows with one choice) shrink the matrix to a core first; the
core goes to HiGHS. They lose no optimum (Toregas & ReVelle 1972; Balas & Ho 1980).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._cover_tree import CoverTree
from gridmap.analysis._highs import LpStopped, solve_binary
from gridmap.analysis._watch import Watch

Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

_PAIRS_AT_ONCE = 2_000_000
_QUICK_STEPS = 250
_STEPS = 800
_MOST_NODES = 20_000
"""Branches of the search tree before the integer program is asked instead."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Columns that touch every row (None when none was found), and a number below which no cover can go."""

    columns: Ints | None
    bound: int


@dataclass(frozen=True, slots=True)
class Core:
    """What is left of a set cover after reduction: `matrix` over `columns`, plus the `forced` ones."""

    matrix: sparse.csr_array
    columns: Ints
    forced: Ints


def rows_alike(matrix: sparse.csr_array) -> tuple[Ints, Ints]:
    """
    The first row of each set of equal rows, and for every row the place of its like among those.

    Rows are matched by the sum of a random 64-bit word per column and then compared index by index, so a
    collision cannot join different rows. Column indices must be sorted.
    """
    n = matrix.shape[0]
    lengths = np.diff(matrix.indptr)
    filled = np.flatnonzero(lengths)
    own = np.repeat(np.arange(n), lengths)
    for seed in range(8):
        words = np.random.default_rng(seed).integers(1, 2**63, matrix.shape[1], dtype=np.uint64)
        sums = np.zeros(n, np.uint64)
        if filled.size:
            sums[filled] = np.add.reduceat(words[matrix.indices], matrix.indptr[filled])
        _, first, inverse = np.unique(sums, return_index=True, return_inverse=True)
        like = first[inverse]
        if not np.array_equal(lengths[like], lengths):
            continue
        place = np.arange(matrix.nnz) - matrix.indptr[own] + matrix.indptr[like[own]]
        if np.array_equal(matrix.indices[place], matrix.indices):
            order = np.argsort(first)
            rank = np.empty_like(order)
            rank[order] = np.arange(len(order))
            return first[order], rank[inverse]
    raise AssertionError("eight random words in a row collided")  # pragma: no cover


def _contained_pairs(matrix: sparse.csr_array) -> Iterator[tuple[Ints, Ints]]:
    """
    All pairs (i, k) of rows where row k has every column of row i, in batches; no row may be empty.

    Only rows that share row i's rarest column can contain it, and 64 columns are compared at a time, so
    nearly all pairs fall out after one word.
    """
    n, m = matrix.shape
    words = -(-m // 64)
    owner = np.repeat(np.arange(n), np.diff(matrix.indptr))
    bits = np.zeros((words, n), np.uint64)
    flag = np.left_shift(np.uint64(1), (matrix.indices % 64).astype(np.uint64))
    np.add.at(bits, (matrix.indices // 64, owner), flag)  # distinct columns: adding is joining
    by_column = matrix.T.tocsr()
    heights = np.diff(by_column.indptr)
    order = np.lexsort((heights[matrix.indices], owner))
    rarest = matrix.indices[order[matrix.indptr[:-1]]]
    pairs = heights[rarest].astype(np.int64)
    ends = np.cumsum(pairs)
    start = 0
    while start < n:
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE)))
        count = pairs[start:stop]
        inner = np.repeat(np.arange(start, stop), count)
        offset = np.arange(len(inner)) - np.repeat(np.cumsum(count) - count, count)
        outer = by_column.indices[by_column.indptr[rarest[inner]] + offset]
        keep = inner != outer
        inner, outer = inner[keep], outer[keep]
        for word in range(words):
            keep = (bits[word, inner] & ~bits[word, outer]) == 0
            inner, outer = inner[keep], outer[keep]
        yield inner, outer
        start = stop


def _rows_containing_another(matrix: sparse.csr_array) -> Flags:
    """Which rows contain all columns of another; the rows must be distinct and not empty."""
    marked = np.zeros(matrix.shape[0], bool)
    for _, outer in _contained_pairs(matrix):
        marked[outer] = True
    return marked


def _rows_inside_another(matrix: sparse.csr_array) -> Flags:
    """Which rows have all their columns in another; the rows must be distinct and not empty."""
    marked = np.zeros(matrix.shape[0], bool)
    for inner, _ in _contained_pairs(matrix):
        marked[inner] = True
    return marked


def reduced(matrix: sparse.csr_array) -> Core:
    """
    The core of a set cover with equal costs; every row must have a column.

    Dropped: rows that contain another row (covering the other covers them) and columns that lie inside
    another column. A column that some row cannot do without is forced.
    """
    columns = np.arange(matrix.shape[1])
    forced: list[int] = []
    while matrix.shape[0]:
        before = matrix.shape
        matrix = matrix[rows_alike(matrix)[0]]
        matrix = matrix[~_rows_containing_another(matrix)]
        single = np.diff(matrix.indptr) == 1
        if single.any():
            must = np.unique(matrix.indices[matrix.indptr[:-1][single]])
            forced.extend(columns[must].tolist())
            is_must = np.zeros(matrix.shape[1])
            is_must[must] = 1
            matrix = matrix[matrix @ is_must == 0]
        flipped = matrix.T.tocsr()
        used = np.flatnonzero(np.diff(flipped.indptr))
        flipped, columns = flipped[used], columns[used]
        first = rows_alike(flipped)[0]
        flipped, columns = flipped[first], columns[first]
        keep = ~_rows_inside_another(flipped)
        flipped, columns = flipped[keep], columns[keep]
        matrix = flipped.T.tocsr()
        if matrix.shape == before:
            break
    return Core(matrix, columns, np.array(sorted(forced), np.intp))


def greedy_cover(matrix: sparse.csr_array) -> Ints:
    """Columns that touch every row, most new rows first, then without those made needless by later ones."""
    by_column = matrix.T.tocsr()
    gain = np.diff(by_column.indptr).astype(np.int64)
    times = np.zeros(matrix.shape[0], np.int64)
    chosen: list[int] = []
    while gain.size and (best := int(gain.argmax())) >= 0 and gain[best] > 0:
        chosen.append(best)
        rows = by_column.indices[by_column.indptr[best] : by_column.indptr[best + 1]]
        gain -= np.bincount(matrix[rows[times[rows] == 0]].indices, minlength=len(gain))
        times[rows] += 1
    needed = []
    for column in chosen:
        rows = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
        if (times[rows] > 1).all():
            times[rows] -= 1
        else:
            needed.append(column)
    return np.array(needed, np.intp)


def packing_bound(matrix: sparse.csr_array) -> int:
    """A number of rows no two of which share a column, hence fewer columns can never touch all."""
    lengths = np.diff(matrix.indptr)
    by_column = matrix.T.tocsr()
    heights = np.diff(by_column.indptr)
    own = np.repeat(np.arange(matrix.shape[0]), lengths)
    # a row that shares its columns with few others blocks the fewest
    blocking = np.bincount(own, heights[matrix.indices], minlength=matrix.shape[0])
    taken = np.zeros(matrix.shape[1], bool)
    count = 0
    for row in np.argsort(blocking, kind="stable").tolist():
        columns = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        if not taken[columns].any():
            taken[columns] = True
            count += 1
    return count


def minimum_cover(
    matrix: sparse.csr_array, watch: Watch, *, enough: int | None = None, most_nodes: int | None = None
) -> Cover:
    """
    The fewest columns that touch every row; each row must have a column.

    With `enough`, the question is only whether that many columns do: the answer may come back as soon as a
    cover of that size is known, or none is proven to exist (`bound > enough`). With `most_nodes` the search tree
    breaks off there (0: no tree) and the answer may stay open; without, the integer program has the last word.
    """
    core = reduced(matrix)
    base = len(core.forced)
    if core.matrix.shape[0] == 0:
        return Cover(core.forced, base)
    search = _CoverSearch(core.matrix, None if enough is None else enough - base, watch)
    search.run(most_nodes)
    chosen = np.union1d(core.forced, core.columns[search.chosen]).astype(np.intp)
    return Cover(chosen, base + search.bound)


class _CoverSearch:
    """Cheapest means first: greedy and packing, the fractional optimum, exchange, then tree and integer program."""

    def __init__(self, matrix: sparse.csr_array, enough: int | None, watch: Watch) -> None:
        self.matrix = matrix
        self.enough = enough
        self.watch = watch
        self.chosen = greedy_cover(matrix)
        self.bound = 1

    @property
    def is_settled(self) -> bool:
        count = len(self.chosen)
        if self.enough is not None and (count <= self.enough or self.bound > self.enough):
            return True
        return self.bound >= count or self.watch.expired

    def run(self, most_nodes: int | None) -> None:
        self.bound = max(self.bound, packing_bound(self.matrix))
        if self.is_settled:
            return
        tree = CoverTree(self.matrix, self.watch)
        try:
            fractional, lp_bound = tree.relaxed()
        except LpStopped:
            return
        self.bound = max(self.bound, lp_bound)
        self._keep(_rounded(self.matrix, fractional))
        self._exchange(_STEPS if self.enough is None else _QUICK_STEPS)
        self.watch.tell("set cover", len(self.chosen), self.bound)
        if most_nodes != 0:
            self._search(tree, _MOST_NODES if most_nodes is None else most_nodes)
        if most_nodes is None:
            self._exchange(_STEPS)
            if not self.is_settled:
                self._prove()

    def _keep(self, columns: Ints | None) -> bool:
        if columns is None or len(columns) >= len(self.chosen):
            return False
        self.chosen = columns
        return True

    def _exchange(self, steps: int) -> None:
        while not self.is_settled:
            size = len(self.chosen) - 1 if self.enough is None else min(len(self.chosen) - 1, self.enough)
            if not self._keep(exchanged_cover(self.matrix, self.chosen, size, self.watch, steps=steps)):
                return

    def _search(self, tree: CoverTree, most_nodes: int) -> None:
        """Ask the tree for ever smaller covers until it finds none, or breaks off."""
        while not self.is_settled:
            size = len(self.chosen) - 1 if self.enough is None else self.enough
            found = tree.decide(size, most_nodes=most_nodes)
            if found.columns is None:
                if found.is_decided:
                    self.bound = max(self.bound, size + 1)
                return
            self._keep(found.columns)

    def _prove(self) -> None:
        rows, columns = self.matrix.shape
        # asked for fewer than are known: then a point is wanted, or the proof that there is none
        limit = len(self.chosen) - 1 if self.enough is None else self.enough
        result = solve_binary(
            np.ones(columns),
            np.append(np.ones(rows), self.bound),
            np.append(np.full(rows, np.inf), limit),
            sparse.vstack([self.matrix.astype(float), np.ones((1, columns))], format="csr"),
            self.watch,
        )
        if result.x is not None:
            self._keep(np.flatnonzero(result.x > 0.5))
        if result.bound == math.inf:
            self.bound = max(self.bound, limit + 1)
        elif result.bound > -math.inf:
            self.bound = max(self.bound, math.ceil(result.bound - 1e-6))


def exchanged_cover(
    matrix: sparse.csr_array, start: Ints, size: int, watch: Watch, *, steps: int, seed: int = 0
) -> Ints | None:
    """
    A cover of `size` columns reached from a larger one by exchanges, or None.

    Rows that stay uncovered grow heavier, which drives the search out of dead ends (weighting local search).
    """
    if size < 1:
        return None
    rng = np.random.default_rng(seed)
    by_column = matrix.T.tocsr().astype(float)
    rows, columns = matrix.shape
    weight = np.ones(rows)
    is_chosen = np.zeros(columns, bool)
    is_chosen[start] = True
    times = (matrix @ is_chosen.astype(float)).astype(np.int64)
    touched = np.zeros(columns, np.int64)  # step at which a column last came or went

    def turn(column: int, step: int, by: int) -> None:
        own = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
        times[own] += by
        is_chosen[column] = by > 0
        touched[column] = step

    count = len(start)
    for step in range(1, steps + 1):
        while count > size - 1:
            loss = np.where(is_chosen, by_column @ (weight * (times == 1)), np.inf)
            loss[(touched == step - 1) & (step > 1)] = np.inf
            if not np.isfinite(loss.min()):
                loss = np.where(is_chosen, 0.0, np.inf)
            turn(int(loss.argmin()), step, -1)
            count -= 1
        bare = np.flatnonzero(times == 0)
        if len(bare) == 0:
            return np.flatnonzero(is_chosen)
        row = int(rng.choice(bare))
        options = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        gain = (by_column @ (weight * (times == 0)))[options]
        gain[touched[options] == step] = -1.0  # do not take back what just left
        best = options[int(np.lexsort((touched[options], -gain))[0])]
        turn(int(best), step, 1)
        count += 1
        bare = times == 0
        if not bare.any():
            return np.flatnonzero(is_chosen)
        weight[bare] += 1
        if step % 64 == 0 and watch.expired:
            break
    return None


def _rounded(matrix: sparse.csr_array, fractional: NDArray[np.float64]) -> Ints:
    """A cover made by taking columns in falling fractional value, then dropping the needless ones."""
    by_column = matrix.T.tocsr()
    times = np.zeros(matrix.shape[0], np.int64)
    chosen = []
    for column in np.argsort(-fractional, kind="stable").tolist():
        rows = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
        if (times[rows] == 0).any():
            times[rows] += 1
            chosen.append(column)
            if times.all():
                break
    needed = []
    for column in reversed(chosen):
        rows = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
        if (times[rows] > 1).all():
            times[rows] -= 1
        else:
            needed.append(column)
    return np.array(needed, np.intp)
