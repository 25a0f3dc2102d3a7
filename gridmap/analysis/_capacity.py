"""
Which k columns to open when each carries only so much: the search behind siting with capacities.

Prices of rows and of capacity bound the cost from below (Lagrangian relaxation over one fractional knapsack
per column; Pirkul 1987); what they settle is dropped, and HiGHS proves the rest. The answers to beat come from
the columns that the prices favour, shared out by `_allocate` and exchanged one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._allocate import LOAD_SLACK, Sharing, loads, shared
from gridmap.analysis._highs import solve_binary
from gridmap.analysis._lagrange import decide, lowest
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_STEPS = 400
_MOST_PAIRS = 400_000
"""Pairs of row and column beyond which the integer program is not begun: it would not fit the memory."""
_PAIRS_AT_ONCE = 4_000_000
_KICKS = 12


@dataclass(frozen=True, slots=True)
class CapacityProblem:
    """
    Whole rows to columns of limited capacity.

    Attributes
    ----------
    paid : (n, m) what a row pays at a column, `inf` where it may not go
    base : (n,) what it pays unserved, `inf` where it must be served
    weight : (n,) > 0, what it asks of a column's capacity
    capacity : (m,) may be infinite
    opened, candidates : columns open anyway, and those to choose `count` of
    unit : every total is a multiple of it; 0 where no such number is known
    """

    paid: Floats
    base: Floats
    weight: Floats
    capacity: Floats
    opened: Ints
    candidates: Ints
    count: int
    unit: float

    @property
    def must(self) -> NDArray[np.bool_]:
        """Which rows must be served."""
        return np.isinf(self.base)


@dataclass(frozen=True, slots=True)
class Placement:
    """
    New columns and the column of each row (-1 unserved); no columns when none was found that serves all.

    `bound` is infinite when it is proven that no choice serves all rows that must be served; `owner` is then
    the best attempt.
    """

    columns: Ints | None
    owner: Ints
    paid: float
    bound: float


def place(problem: CapacityProblem, watch: Watch, *, bound: float, starts: list[Ints]) -> Placement:
    """
    The `count` columns under which the rows pay least.

    Parameters
    ----------
    bound : a number below which no choice can go
    starts : choices of columns to begin from
    """
    search = _Search(problem, watch, bound)
    for start in starts:
        search.offer(start)
    search.price_rows()
    search.exchange()
    search.prove()
    return search.result()


@dataclass(frozen=True, slots=True)
class _Priced:
    """At some prices: each column's worth (zero or below), its price of capacity, the value of the bound."""

    value: float
    worth: Floats
    rate: Floats
    chosen: Ints
    served: Floats


class _Search:
    def __init__(self, problem: CapacityProblem, watch: Watch, bound: float) -> None:
        self.problem = problem
        self.watch = watch
        self.bound = bound
        finite = np.where(np.isfinite(problem.paid), problem.paid, 0.0)
        # above anything that serving all rows can come to: an unserved row that must be served shows
        worst = np.where(problem.must, finite.max(axis=1, initial=0.0), problem.base)
        self.penalty = 2 * float(np.maximum(worst, finite.max(axis=1, initial=0.0)).sum() + 1.0)
        self.unserved = np.where(problem.must, self.penalty, problem.base)
        self.best = Sharing(np.full(len(problem.base), -1), math.inf)
        self.sites = np.zeros(0, np.intp)
        self.tried: set[bytes] = set()
        self.price = np.zeros(len(problem.base))
        self.priced: _Priced | None = None

    # answers

    @property
    def is_found(self) -> bool:
        """Whether the best answer serves every row that must be served."""
        return self.best.paid < self.penalty

    @property
    def cutoff(self) -> float:
        """A bound above this proves that nothing better is left."""
        unit, paid = self.problem.unit, self.best.paid
        if not self.is_found:
            return math.inf
        return paid - unit * (1 - 1e-3) if 0 < paid < 1e9 * unit else paid - 1e-9 * abs(paid)

    @property
    def is_done(self) -> bool:
        return self.bound > self.cutoff or self.best.paid <= 0 or self.watch.expired

    def share(self, new: Ints) -> Sharing:
        """Rows shared out among the opened columns and these; the owner counts among them, nobody last."""
        problem = self.problem
        sites = np.r_[problem.opened, new]
        paid = np.c_[problem.paid[:, sites], self.unserved]
        return shared(paid, problem.weight, np.r_[problem.capacity[sites], np.inf], self.watch)

    def offer(self, new: Ints) -> bool:
        """Take these columns as the answer if they are the best so far."""
        new = np.sort(new)
        if new.tobytes() in self.tried:
            return False
        self.tried.add(new.tobytes())
        found = self.share(new)
        if not found.paid < self.best.paid * (1 - 1e-12):
            return False
        sites = np.r_[self.problem.opened, new, -1]
        self.best, self.sites = Sharing(sites[found.owner], found.paid), new
        self.tell("capacity")
        return True

    def tell(self, stage: str) -> None:
        self.watch.tell(stage, self.best.paid if self.is_found else math.nan, self.bound)

    # bounds

    def price_rows(self) -> None:
        """Raise the bound by prices, trying the columns that they favour."""
        problem = self.problem
        ceiling = np.minimum(problem.base, self.penalty)
        cheapest = (
            np.partition(np.c_[problem.paid, self.unserved], 1, axis=1)[:, 1]
            if len(problem.base)
            else problem.base
        )
        price = np.minimum(cheapest, ceiling)
        step_size, stalled, top = 1.5, 0, -math.inf
        half = self.watch.part(0.5)
        direction = np.zeros(len(price))
        for step in range(_STEPS):
            if step and (self.is_done or half.expired):
                return
            found = self.at_prices(price)
            if found.value > top:
                stalled = 0 if found.value > top + 1e-5 * abs(top) else stalled + 1
                top, self.price, self.priced = found.value, price, found
                self.bound = max(self.bound, self.rounded(top))
                if step % 5 == 0:
                    self.offer(found.chosen)
            else:
                stalled += 1
            if stalled >= 12:
                step_size, stalled, price = step_size * 0.6, 0, self.price
                self.offer(found.chosen)
                if step_size < 2e-3:
                    return
            slope = 1.0 - found.served
            slope[(price >= ceiling) & (slope > 0)] = 0.0
            direction = slope + 0.4 * direction
            length = float(direction @ direction)
            if length == 0.0:
                return
            goal = self.best.paid if self.is_found else 1.05 * abs(top) + 1e-9
            price = np.clip(
                price + step_size * max(goal - found.value, 1e-9 * abs(goal)) / length * direction,
                0.0,
                ceiling,
            )

    def rounded(self, value: float) -> float:
        """The next total that is possible at or above a bound."""
        unit = self.problem.unit
        value -= 1e-12 * abs(value)
        return math.ceil(value / unit - 1e-3) * unit if 0 < value < 1e9 * unit else value

    def at_prices(self, price: Floats) -> _Priced:
        """The bound that these prices give: the rows' prices and the worth of the best columns."""
        problem = self.problem
        worth, rate = self.worths(price)
        of_candidates = worth[problem.candidates]
        chosen = problem.candidates[lowest(of_candidates, problem.count)]
        open_ = np.r_[problem.opened, chosen]
        value = float(price.sum() + worth[open_].sum())
        served = self._taken(price, open_)
        return _Priced(value, worth, rate, chosen, served)

    def worths(self, price: Floats) -> tuple[Floats, Floats]:
        """Per column the least that a fractional knapsack of rows at these prices costs, and its last rate."""
        columns = self.problem.paid.shape[1]
        worth, rate = np.zeros(columns), np.zeros(columns)
        step = max(1, _PAIRS_AT_ONCE // max(1, len(price)))
        for start in range(0, columns, step):
            block = np.arange(start, min(columns, start + step))
            gain, is_full = self._gains(price, block)
            worth[block] = -gain.sum(axis=0)
            full = np.flatnonzero(is_full)
            packed, _, shares, rate[block[full]] = self._packed(gain[:, full], block[full])
            worth[block[full]] = -(packed * shares).sum(axis=0)
        return worth, rate

    def _taken(self, price: Floats, columns: Ints) -> Floats:
        """How much of each row these columns take in all at these prices."""
        gain, is_full = self._gains(price, columns)
        taken = (gain[:, ~is_full] > 0).sum(axis=1).astype(np.float64)
        _, order, shares, _ = self._packed(gain[:, is_full], columns[is_full])
        return taken + np.bincount(order.ravel(), shares.ravel(), minlength=len(price))

    def _gains(self, price: Floats, columns: Ints) -> tuple[Floats, NDArray[np.bool_]]:
        """What each row gains at each column at these prices, and which columns cannot take all that gain."""
        gain = np.maximum(price[:, None] - self.problem.paid[:, columns], 0.0)
        return gain, self.problem.weight @ (gain > 0) > self._room(columns)

    def _room(self, columns: Ints) -> Floats:
        return self.problem.capacity[columns] * (1 + LOAD_SLACK)

    def _packed(self, gain: Floats, columns: Ints) -> tuple[Floats, Ints, Floats, Floats]:
        """Gains and shares of full columns, both in `order`, and the rate at which each column is full."""
        weight = self.problem.weight
        order = np.argsort(-gain / weight[:, None], axis=0)
        gain = np.take_along_axis(gain, order, axis=0)
        asked = weight[order]
        before = np.cumsum(asked, axis=0) - asked
        shares = np.clip((self._room(columns) - before) / asked, 0.0, 1.0)
        last = np.where(shares < 1, gain / asked, 0.0).max(axis=0, initial=0.0)
        return gain, order, shares, last

    # exchange

    def exchange(self) -> None:
        """Swap columns one at a time by what a capacity-aware estimate promises, then from shaken starts."""
        if self.problem.count == 0 or self.problem.count >= len(self.problem.candidates):
            self.offer(self.problem.candidates[: self.problem.count])
            return
        half = self.watch.part(0.4)
        self._descend(half)
        rng = np.random.default_rng(0)
        for _ in range(_KICKS):
            if self.is_done or half.expired or len(self.sites) == 0:
                return
            new = self.sites.copy()
            new[rng.integers(len(new))] = rng.choice(np.setdiff1d(self.problem.candidates, new))
            if self.offer(new):
                self._descend(half)

    def _descend(self, watch: Watch) -> None:
        is_better = True
        while is_better and not self.is_done and not watch.expired:
            is_better = False
            for site in self.sites.tolist():
                if self.is_done or watch.expired:
                    return
                if self._swap(site):
                    is_better = True
                    break

    def _swap(self, site: int) -> bool:
        """Close a column for the one that promises most to its rows and to the unserved."""
        problem = self.problem
        rest = self.sites[self.sites != site]
        others = np.c_[problem.paid[:, np.r_[problem.opened, rest]], self.unserved]
        rows = np.arange(len(problem.base))
        owner = self.best.owner
        price = np.where(owner >= 0, problem.paid[rows, owner], self.unserved)
        mine = owner == site
        price[mine] = others[mine].min(axis=1)
        promise = self.worths(np.minimum(price, self.penalty))[0]
        promise[np.r_[problem.opened, self.sites]] = np.inf
        options = problem.candidates[np.argsort(promise[problem.candidates], kind="stable")[:2]]
        return any(np.isfinite(promise[one]) and self.offer(np.r_[rest, one]) for one in options.tolist())

    # proof

    def prove(self) -> None:
        """Give what the prices have not settled to the integer solver."""
        if self.is_done or self.priced is None:
            return
        kept = _Core.of(self)
        if kept.row.size > _MOST_PAIRS:
            return
        program = _Program(self.problem, kept)
        start = program.point(self.sites, self.best.owner) if self.is_found else None
        unit = max(abs(self.best.paid), 1.0) / 1000 if self.is_found else 1.0
        gap = max(self.best.paid - self.cutoff, 1e-9) if self.is_found else 1e-9
        result = solve_binary(
            program.cost / unit, program.lower, program.upper, program.matrix, self.watch,
            whole=program.whole, worth=gap / unit, start=start, tolerance=1e-9,
            on_bound=lambda low: self.watch.tell(
                "program", self.best.paid if self.is_found else math.nan, max(self.bound, low * unit)
            ),
        )  # fmt: skip
        is_kept = True
        if result.x is not None:
            is_kept = self._take(*program.answer(result.x))
        if result.bound == math.inf:
            self.bound = self.cutoff if self.is_found else math.inf
        elif math.isfinite(result.bound):
            # columns and pairs that the prices left out cannot lead below the cutoff
            self.bound = max(
                self.bound, min(self.rounded(result.bound * unit - 1e-9 * abs(self.best.paid)), self.cutoff)
            )
        if result.is_proven and is_kept and self.is_found:
            self.bound = max(self.bound, self.best.paid)

    def _take(self, new: Ints, owner: Ints) -> bool:
        """Keep the program's answer where it is better; whether it holds the capacities exactly."""
        problem = self.problem
        served = owner >= 0
        carried = loads(owner[served], problem.weight[served], len(problem.capacity))
        if (carried > problem.capacity * (1 + LOAD_SLACK)).any():
            return False
        rows = np.arange(len(owner))
        paid = float(np.where(served, problem.paid[rows, owner], self.unserved).sum())
        if paid < self.best.paid:
            self.best, self.sites = Sharing(owner, paid), new
        return True

    def result(self) -> Placement:
        if not self.is_found:
            return Placement(None, self.best.owner, self.best.paid, self.bound)
        is_closed = self.bound > self.cutoff or self.best.paid <= 0
        bound = self.best.paid if is_closed else min(self.bound, self.best.paid)
        return Placement(self.sites, self.best.owner, self.best.paid, bound)


@dataclass(frozen=True, slots=True)
class _Core:
    """What the prices have not settled: candidates, of which `always` stay open, and pairs of row and column."""

    free: Ints
    always: Ints
    row: Ints
    column: Ints

    @staticmethod
    def of(search: _Search) -> _Core:
        problem, priced = search.problem, search.priced
        assert priced is not None
        cutoff = search.cutoff
        worth = priced.worth[problem.candidates]
        fixing = decide(priced.value, worth, problem.count, cutoff)
        always = problem.candidates[fixing.always]
        free = problem.candidates[~fixing.always & ~fixing.never]
        columns = np.r_[problem.opened, always, free]
        last_in = np.sort(worth)[problem.count - 1] if problem.count else 0.0
        dear = np.maximum(priced.worth[columns] - last_in, 0.0)
        dear[: len(problem.opened)] = 0.0
        # a pair costs at least its price above what the column's last unit of capacity brings
        extra = (
            problem.paid[:, columns] - search.price[:, None] + priced.rate[columns] * problem.weight[:, None]
        )
        is_kept = np.isfinite(problem.paid[:, columns]) & (
            priced.value + dear + np.maximum(extra, 0.0) <= cutoff
        )
        is_kept &= problem.weight[:, None] <= problem.capacity[columns] * (1 + LOAD_SLACK)
        row, at = np.nonzero(is_kept)
        return _Core(free, always, row, columns[at])


class _Program:
    """The integer program over a core: y per free column, x per pair, s per row that may stay unserved."""

    def __init__(self, problem: CapacityProblem, core: _Core) -> None:
        self.problem, self.core = problem, core
        n, pairs, free = len(problem.base), len(core.row), len(core.free)
        place = np.full(len(problem.capacity), -1)
        place[core.free] = np.arange(free)
        self.place = place
        self.loose = np.flatnonzero(~problem.must)
        self.whole = free + pairs
        size = self.whole + len(self.loose)
        x = free + np.arange(pairs)
        s = self.whole + np.arange(len(self.loose))
        self.cost = np.r_[np.zeros(free), problem.paid[core.row, core.column], problem.base[self.loose]]
        serve = sparse.csr_array(
            (np.ones(pairs + len(s)), (np.r_[core.row, self.loose], np.r_[x, s])), shape=(n, size)
        )
        used, slot = np.unique(core.column, return_inverse=True)
        room = problem.capacity[used]
        is_tight = np.isfinite(room)
        scale = np.where(is_tight & (room > 0), room, 1.0)
        in_tight = is_tight[slot]
        own = place[used]
        has_choice = is_tight & (own >= 0)
        carry = sparse.csr_array(
            (
                np.r_[(problem.weight[core.row] / scale[slot])[in_tight], -np.ones(int(has_choice.sum()))],
                (np.r_[slot[in_tight], np.flatnonzero(has_choice)], np.r_[x[in_tight], own[has_choice]]),
            ),
            shape=(len(used), size),
        )
        carried = np.where(
            has_choice, 0.0, np.where(is_tight & (room > 0), 1.0, np.where(is_tight, 0.0, np.inf))
        )
        linked = np.flatnonzero(place[core.column] >= 0)
        link = sparse.csr_array(
            (
                np.r_[np.ones(len(linked)), -np.ones(len(linked))],
                (np.tile(np.arange(len(linked)), 2), np.r_[x[linked], place[core.column[linked]]]),
            ),
            shape=(len(linked), size),
        )
        total = sparse.csr_array((np.ones(free), (np.zeros(free, int), np.arange(free))), shape=(1, size))
        left = problem.count - len(core.always)
        self.matrix = sparse.vstack([serve, carry, link, total], format="csr")
        self.lower = np.r_[np.ones(n), np.full(len(used) + len(linked), -np.inf), left]
        self.upper = np.r_[np.ones(n), carried, np.zeros(len(linked)), left]

    def point(self, new: Ints, owner: Ints) -> Floats:
        """An answer as a point of the program; pairs that the core has dropped are left out."""
        y = np.isin(self.core.free, new)
        x = owner[self.core.row] == self.core.column
        return np.r_[y, x, owner[self.loose] < 0].astype(float)

    def answer(self, x: Floats) -> tuple[Ints, Ints]:
        """New columns and the column of each row at a point."""
        free = len(self.core.free)
        taken = np.flatnonzero(x[free : self.whole] > 0.5)
        owner = np.full(len(self.problem.base), -1)
        owner[self.core.row[taken]] = self.core.column[taken]
        return np.sort(np.r_[self.core.always, self.core.free[x[:free] > 0.5]]), owner
