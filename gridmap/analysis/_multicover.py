"""
Multiple cover: columns of a 0/1 matrix that touch rows several times (backup cover).

Greedy and exchange give the first answer, HiGHS the bound and the proof. A row that needs one more touch is
an ordinary row of a set cover; only rows that need two or more make the integer program harder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._cover import Cover, rows_alike
from gridmap.analysis._highs import solve_binary
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_NUDGE = 1e-3
"""Weight of covers begun but not complete: it leads the exchange on where nothing is gained at once."""


def fewest_columns(matrix: sparse.csr_array, need: Ints, watch: Watch) -> Cover:
    """
    The fewest columns that touch each row at least `need` times; no row may need more than its columns.

    A column counts once, however often it is equal to another.
    """
    keep = need > 0
    matrix, need = matrix[keep], need[keep]
    forced = np.zeros(0, np.intp)
    columns = np.arange(matrix.shape[1])
    while matrix.shape[0]:
        must = np.zeros(matrix.shape[1])
        must[np.unique(matrix[np.diff(matrix.indptr) == need].indices)] = 1
        if not must.any():
            break
        forced = np.r_[forced, columns[must > 0]]
        need = np.maximum(need - (matrix @ must).astype(np.intp), 0)
        keep = need > 0
        matrix, need = matrix[keep][:, must == 0], need[keep]
        matrix.sort_indices()
        columns = columns[must == 0]
    if matrix.shape[0] == 0:
        return Cover(np.sort(forced), len(forced))
    matrix, need = _merged(matrix, need)
    chosen = _greedy_times(matrix, need)
    found = _proven_fewest(matrix, need, chosen, watch)
    assert found.columns is not None
    return Cover(np.sort(np.r_[forced, columns[found.columns]]), len(forced) + found.bound)


def _merged(matrix: sparse.csr_array, need: Ints) -> tuple[sparse.csr_array, Ints]:
    """Equal rows as one that needs the most of them."""
    matrix.sort_indices()
    first, like = rows_alike(matrix)
    most = np.zeros(len(first), np.intp)
    np.maximum.at(most, like, need)
    return matrix[first], most


def _greedy_times(matrix: sparse.csr_array, need: Ints) -> Ints:
    """Columns that touch every row as often as needed, then without those made needless by later ones."""
    by_column = matrix.T.tocsr()
    times = np.zeros(matrix.shape[0])
    chosen: list[int] = []
    is_open = np.zeros(matrix.shape[1], bool)
    while (times < need).any():
        gain = by_column @ (times < need).astype(float)
        column = int(np.where(is_open, -1.0, gain).argmax())
        chosen.append(column)
        is_open[column] = True
        times[_rows_of(by_column, column)] += 1
    for column in chosen:
        rows = _rows_of(by_column, column)
        if (times[rows] > need[rows]).all():
            times[rows] -= 1
            is_open[column] = False
    return np.flatnonzero(is_open)


def _rows_of(by_column: sparse.csr_array, column: int) -> Ints:
    return by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]


def _proven_fewest(matrix: sparse.csr_array, need: Ints, chosen: Ints, watch: Watch) -> Cover:
    columns = matrix.shape[1]
    # no column touches more rows than the widest, and the neediest row needs its own
    widest = int(np.bincount(matrix.indices, minlength=columns).max())
    bound = max(int(need.max()), math.ceil(need.sum() / widest))
    watch.tell("multiple cover", len(chosen), bound)
    if bound >= len(chosen) or watch.expired:
        return Cover(chosen, min(bound, len(chosen)))
    start = np.zeros(columns)
    start[chosen] = 1
    result = solve_binary(
        np.ones(columns),
        need.astype(float),
        np.full(len(need), np.inf),
        matrix.astype(float),
        watch,
        worth=1 - 1e-6,
        start=start,
        on_bound=lambda value: watch.tell("multiple cover", len(chosen), max(bound, math.ceil(value - 1e-6))),
    )
    if result.x is not None:
        found = np.flatnonzero(result.x > 0.5)
        is_enough = (matrix @ (result.x > 0.5).astype(float) >= need).all()
        if is_enough and len(found) < len(chosen):
            chosen = found
    if math.isfinite(result.bound):
        bound = max(bound, math.ceil(result.bound - 1e-6))
    return Cover(chosen, min(bound, len(chosen)))


@dataclass(frozen=True, slots=True)
class Worth:
    """
    What rows are worth: `first` once a row is touched, `full` once it is touched `need` times (1 or more).

    `first` is 0 where the first touch brings nothing more.
    """

    first: Floats
    full: Floats
    need: Ints

    def of(self, times: Floats) -> float:
        """The worth of rows touched so often."""
        return float(self.first @ (times >= 1) + self.full @ (times >= self.need))


@dataclass(frozen=True, slots=True)
class Selection:
    """Columns, what they are worth, and a number that no choice exceeds."""

    columns: Ints
    value: float
    bound: float


def most_worth(
    matrix: sparse.csr_array,
    worth: Worth,
    count: int,
    watch: Watch,
    *,
    ceiling: float,
    least: float,
    offset: float = 0.0,
) -> Selection:
    """
    The `count` columns that are worth most.

    `ceiling` is a value that no choice exceeds, `least` the smallest difference that counts;
    `offset` is what rows are worth already, for the progress report.
    """
    matrix, worth = _joined(matrix, worth)
    chosen = _exchanged(matrix, worth, _begun(matrix, worth, count), watch)
    value = worth.of(matrix @ _opened(matrix, chosen))
    bound = min(ceiling, float(worth.first.sum() + worth.full.sum()))
    watch.tell("multiple cover", offset + value, offset + bound)
    if value >= bound - least or watch.expired or count == 0 or count >= matrix.shape[1]:
        is_only = count in (0, matrix.shape[1])
        return Selection(chosen, value, value if is_only or value >= bound - least else bound)
    return _proven_most(matrix, worth, chosen, bound, least, offset, watch)


def _joined(matrix: sparse.csr_array, worth: Worth) -> tuple[sparse.csr_array, Worth]:
    """Rows with equal columns and needs as one; rows that no choice makes worth anything left out."""
    touched = np.diff(matrix.indptr)
    full = np.where(touched >= worth.need, worth.full, 0.0)
    keep = (touched > 0) & (worth.first + full > 0)
    matrix, first, full, need = matrix[keep], worth.first[keep], full[keep], worth.need[keep]
    marks = sparse.csr_array(
        (np.ones(len(need)), (np.arange(len(need)), need)), shape=(len(need), int(need.max(initial=0)) + 1)
    )
    marked = sparse.hstack([matrix, marks], format="csr")
    marked.sort_indices()
    kept, like = rows_alike(marked)
    size = len(kept)
    return matrix[kept], Worth(
        np.bincount(like, first, minlength=size), np.bincount(like, full, minlength=size), need[kept]
    )


def _opened(matrix: sparse.csr_array, chosen: Ints) -> Floats:
    flags = np.zeros(matrix.shape[1])
    flags[chosen] = 1
    return flags


def _slope(worth: Worth, times: Floats) -> Floats:
    """What one more touch of each row adds where a cover begun counts for its part."""
    return worth.first * (times < 1) + worth.full / worth.need * (times < worth.need)


def _begun(matrix: sparse.csr_array, worth: Worth, count: int) -> Ints:
    by_column = matrix.T.tocsr()
    times = np.zeros(matrix.shape[0])
    is_open = np.zeros(matrix.shape[1], bool)
    for _ in range(count):
        column = int(np.where(is_open, -1.0, by_column @ _slope(worth, times)).argmax())
        is_open[column] = True
        times[_rows_of(by_column, column)] += 1
    return np.flatnonzero(is_open)


def _exchanged(matrix: sparse.csr_array, worth: Worth, chosen: Ints, watch: Watch) -> Ints:
    """The columns after swapping one for another as long as that pays."""
    by_column = matrix.T.tocsr()
    chosen = chosen.copy()
    times = matrix @ _opened(matrix, chosen)

    def gain(times: Floats) -> Floats:
        now = worth.first * (times < 1) + worth.full * (times == worth.need - 1)
        return by_column @ (now + _NUDGE * _slope(worth, times))

    is_better = True
    while is_better and not watch.expired:
        is_better = False
        for place in range(len(chosen)):
            without = times.copy()
            without[_rows_of(by_column, int(chosen[place]))] -= 1
            value = gain(without)
            own = value[chosen[place]]
            value[chosen] = -np.inf
            column = int(value.argmax())
            if value[column] > own * (1 + 1e-9) + 1e-300:
                chosen[place] = column
                times = without
                times[_rows_of(by_column, column)] += 1
                is_better = True
            if watch.expired:
                break
    return np.sort(chosen)


def _proven_most(
    matrix: sparse.csr_array,
    worth: Worth,
    chosen: Ints,
    bound: float,
    least: float,
    offset: float,
    watch: Watch,
) -> Selection:
    """
    The integer program: Σ x ≥ first + (need - 1) full over the columns of a row, full ≤ first.

    Where the first touch is worth nothing, Σ x ≥ need · full. Only `full` of rows that need two or more must
    be whole; the rest is whole by itself.
    """
    rows, columns = matrix.shape
    value = worth.of(matrix @ _opened(matrix, chosen))
    with_full, with_first = np.flatnonzero(worth.full > 0), np.flatnonzero(worth.first > 0)
    order = np.argsort(worth.need[with_full] < 2, kind="stable")
    with_full = with_full[order]
    hard = int((worth.need[with_full] >= 2).sum())
    both = np.intersect1d(with_full, with_first)
    at_full = np.full(rows, -1)
    at_full[with_full] = columns + np.arange(len(with_full))
    at_first = np.full(rows, -1)
    at_first[with_first] = columns + len(with_full) + np.arange(len(with_first))
    size = columns + len(with_full) + len(with_first)
    is_both = np.isin(with_full, both)
    step = worth.need[with_full] - is_both
    touch = sparse.csr_array(
        (
            np.r_[-step.astype(float), -np.ones(len(with_first))],
            (np.r_[with_full, with_first], np.r_[at_full[with_full], at_first[with_first]] - columns),
        ),
        shape=(rows, size - columns),
    )
    chain = sparse.csr_array(
        (
            np.r_[np.ones(len(both)), -np.ones(len(both))],
            (np.tile(np.arange(len(both)), 2), np.r_[at_first[both], at_full[both]]),
        ),
        shape=(len(both), size),
    )
    total = sparse.csr_array(
        (np.ones(columns), (np.zeros(columns, int), np.arange(columns))), shape=(1, size)
    )
    program = sparse.vstack([sparse.hstack([matrix.astype(float), touch]), chain, total], format="csr")
    times = matrix @ _opened(matrix, chosen)
    start = np.r_[
        _opened(matrix, chosen), times[with_full] >= worth.need[with_full], times[with_first] >= 1
    ].astype(float)
    unit = max(bound / 1000, 1e-300)
    result = solve_binary(
        np.r_[np.zeros(columns), -worth.full[with_full] / unit, -worth.first[with_first] / unit],
        np.r_[np.zeros(rows + len(both)), len(chosen)],
        np.r_[np.full(rows + len(both), np.inf), len(chosen)],
        program,
        watch,
        whole=columns + hard,
        worth=max(least, 1e-9 * value) / unit,
        start=start,
        on_bound=lambda low: watch.tell("multiple cover", offset + value, offset + min(bound, -low * unit)),
    )
    if result.x is not None:
        found = np.flatnonzero(result.x[:columns] > 0.5)
        better = worth.of(matrix @ _opened(matrix, found))
        if len(found) == len(chosen) and better > value:
            chosen, value = found, better
    if math.isfinite(result.bound):
        bound = min(bound, -result.bound * unit)
    is_settled = bound - value < max(least * (1 + 1e-6), 2e-9 * value)
    return Selection(chosen, value, value if is_settled else max(bound, value))
