"""
Whole rows shared out among sites of limited capacity (generalised assignment), well and fast, without a proof.

The last column is nobody: it holds any number of rows, each at the price of staying unserved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LOAD_SLACK = 1e-9
"""A load may exceed a capacity by this share of it: sums of fractions round."""

_SWAP_ROWS = 900
_ROUNDS = 40


@dataclass(frozen=True, slots=True)
class Sharing:
    """The column of each row, and what all rows pay."""

    owner: Ints
    paid: float


def loads(owner: Ints, weight: Floats, columns: int) -> Floats:
    """What each column carries."""
    return np.bincount(owner, weight, minlength=columns)[:columns]


def shared(paid: Floats, weight: Floats, room: Floats, watch: Watch) -> Sharing:
    """
    Rows to columns under `room`; `paid` is (n, k) with `inf` where a row may not go, its last column finite.

    First the row that would lose most by its second choice (Martello & Toth 1981), then shifts and swaps.
    """
    room = room * (1 + LOAD_SLACK)
    owner = _by_regret(paid, weight, room)
    owner = _improved(paid, weight, room, owner, watch)
    return Sharing(owner, float(paid[np.arange(len(owner)), owner].sum()))


def _by_regret(paid: Floats, weight: Floats, room: Floats) -> Ints:
    n, k = paid.shape
    owner = np.full(n, k - 1)
    left = room.copy()
    waiting = np.arange(n)
    while waiting.size:
        options = np.where(weight[waiting, None] <= left, paid[waiting], np.inf)
        best = options.argmin(axis=1)
        price = options[np.arange(len(waiting)), best]
        options[np.arange(len(waiting)), best] = np.inf
        regret = options.min(axis=1, initial=np.inf) - price
        missed = []
        for at in np.argsort(-regret, kind="stable").tolist():
            row, column = waiting[at], best[at]
            if weight[row] <= left[column]:
                owner[row] = column
                left[column] -= weight[row]
            else:
                missed.append(row)
        waiting = np.array(missed, np.intp)
    return owner


def _improved(paid: Floats, weight: Floats, room: Floats, owner: Ints, watch: Watch) -> Ints:
    """Shifts of one row, swaps of two and pushes through a third as long as something pays."""
    columns = len(room)
    for _ in range(_ROUNDS):
        left = room - loads(owner, weight, columns)
        moved = _shift(paid, weight, left, owner)
        moved |= _swap(paid, weight, left, owner)
        moved |= _push(paid, weight, left, owner)
        if not moved or watch.expired:
            break
    return owner


def _tolerance(paid: Floats, owner: Ints) -> float:
    return 1e-12 * float(paid[np.arange(len(owner)), owner].sum())


def _shift(paid: Floats, weight: Floats, left: Floats, owner: Ints) -> bool:
    """Move rows to cheaper columns that have room, the greatest saving first; changes `owner` and `left`."""
    rows = np.arange(len(owner))
    change = np.where(weight[:, None] <= left, paid, np.inf) - paid[rows, owner][:, None]
    best = change.argmin(axis=1)
    least = change[rows, best]
    small = _tolerance(paid, owner)
    moved = False
    for row in np.argsort(least, kind="stable").tolist():
        if not least[row] < -small:
            break
        column = best[row]
        if weight[row] <= left[column]:
            left[owner[row]] += weight[row]
            left[column] -= weight[row]
            owner[row] = column
            moved = True
    return moved


def _swap(paid: Floats, weight: Floats, left: Floats, owner: Ints) -> bool:
    """Let two rows change columns where that pays and both fit; changes `owner` and `left`."""
    rows = np.arange(len(owner))
    if len(rows) > _SWAP_ROWS:  # those that pay most above their best column
        extra = paid[rows, owner] - paid.min(axis=1)
        rows = np.argpartition(-extra, _SWAP_ROWS)[:_SWAP_ROWS]
    own = owner[rows]
    there = paid[np.ix_(rows, own)]
    now = paid[rows, own]
    change = there + there.T
    change -= now[:, None]
    change -= now[None, :]
    heavier = weight[rows][:, None] - weight[rows][None, :]
    change[(heavier > left[own][None, :]) | (-heavier > left[own][:, None])] = np.inf
    best = change.argmin(axis=1)
    least = change[np.arange(len(rows)), best]
    small = _tolerance(paid, owner)
    moved = False
    touched: set[int] = set()
    for at in np.argsort(least, kind="stable").tolist():
        if not least[at] < -small:
            break
        one, other = rows[at], rows[best[at]]
        a, b = int(owner[one]), int(owner[other])
        if a in touched or b in touched:
            continue
        touched |= {a, b}
        left[a] += weight[one] - weight[other]
        left[b] += weight[other] - weight[one]
        owner[one], owner[other] = b, a
        moved = True
    return moved


def _push(paid: Floats, weight: Floats, left: Floats, owner: Ints) -> bool:
    """Make room for unserved rows by pushing one row on to a third column; changes `owner` and `left`."""
    nobody = paid.shape[1] - 1
    small = _tolerance(paid, owner)
    moved = False
    for row in np.flatnonzero(owner == nobody).tolist():
        # each other row, its cheapest other column with room, and what leaves when it goes there
        freed = left[owner] + weight
        gain = paid[row, owner] - paid[row, nobody]
        able = np.flatnonzero((owner != nobody) & (freed >= weight[row]) & (gain < 0))
        if able.size == 0:
            continue
        onward = np.where(weight[able, None] <= left, paid[able], np.inf)
        onward[np.arange(len(able)), owner[able]] = np.inf
        target = onward.argmin(axis=1)
        change = gain[able] + onward[np.arange(len(able)), target] - paid[able, owner[able]]
        at = int(change.argmin())
        if not change[at] < -small:
            continue
        other, column = able[at], owner[able[at]]
        left[target[at]] -= weight[other]
        left[column] += weight[other] - weight[row]
        left[nobody] += weight[row]
        owner[other], owner[row] = target[at], column
        moved = True
    return moved
