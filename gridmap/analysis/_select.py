"""
Which k columns cost least in all: the search behind p-median and maximal cover.

Interchange gives the answer to beat; row prices (or cuts) give the bound and settle most columns; a tree over
the unsettled ones, lowest bound first, proves the rest or stops with the bound it has.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._costs import Costs
from gridmap.analysis._cuts import CutLp
from gridmap.analysis._exchange import greedy, interchange, kicked
from gridmap.analysis._highs import LpInfeasible, LpStopped, solve_binary
from gridmap.analysis._lagrange import Bound, Fixing, ascend, bound_at, decide, lowest
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_CUT_TREE_COUNT = 20
"""With more columns left to open than this the tree takes bounds from cuts: single prices settle too little."""
_CUT_ROWS = 4_000
"""With more rows than this they share one value variable in the cut program."""
_ROUNDS_BETWEEN_SHRINKS = 30
_FIRST_NODES = 150
"""So many branches are tried with prices alone before cuts refine the root."""
_SECONDS_BETWEEN_NEWS = 0.25


@dataclass(frozen=True, slots=True)
class Selection:
    """The columns, what all rows pay, a true lower bound, and whether that proves the columns best."""

    columns: Ints
    paid: float
    bound: float
    is_optimal: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """The problem with some columns opened and some dropped: what is left of it, and what is already paid."""

    opened: Ints
    free: Ints
    costs: Costs
    rows: Ints
    paid: float

    def restricted(self, opened: Ints, free: Ints) -> _Part:
        """A smaller part; `opened` and `free` count among this part's free columns."""
        base = self.costs.serving(opened, self.costs.base).nearest
        costs, rows = self.costs.take(free, base)
        settled = np.ones(len(base), bool)
        settled[rows] = False
        return _Part(
            np.r_[self.opened, self.free[opened]],
            self.free[free],
            costs,
            rows,
            self.paid + float(base[settled].sum()),
        )


@dataclass(frozen=True, slots=True)
class _Node:
    """A branch of the search tree: columns of the root part, and the bound and row prices it inherits."""

    bound: float
    opened: Ints
    free: Ints
    price: Floats


def select(
    costs: Costs, count: int, watch: Watch, *, unit: float, scale: float = 0.0, start: Ints | None = None
) -> Selection:
    """
    The `count` columns under which the rows pay least; `0 <= count <= costs.columns`.

    Parameters
    ----------
    unit : every total is a multiple of it (0 where none is known); lets bounds be rounded up
    scale : size of the sums involved where it exceeds what is paid, for the rounding error to allow
    start : columns that serve every row of infinite base; needed when greedy could miss such rows
    """
    search = _Search(costs, count, watch, unit=unit, scale=scale)
    search.first_answer(start)
    search.settle_by_prices()
    if search.left <= _CUT_TREE_COUNT and not search.is_flat:
        search.grow_tree(most_nodes=_FIRST_NODES)  # most searches end here, before a program would be built
    search.settle_by_cuts()
    if search.is_flat:
        search.prove_by_program()
    else:
        search.grow_tree()
    return search.result()


class _Search:
    def __init__(self, costs: Costs, count: int, watch: Watch, *, unit: float, scale: float) -> None:
        self.costs = costs
        self.count = count
        self.watch = watch
        self.unit = unit
        self.slack = 1e-13 * scale
        self.cap = _capped(costs)
        self.best = np.zeros(0, np.intp)
        self.paid = math.inf
        self.bound = 0.0
        self.nodes = 0
        everything = np.arange(costs.columns)
        self.part = _Part(np.zeros(0, np.intp), everything, costs, np.arange(len(costs.base)), 0.0)
        self.price = np.zeros(len(costs.base))
        self.last_news = -math.inf

    # the answer to beat

    @property
    def cutoff(self) -> float:
        """A bound above this proves that nothing better is left."""
        if self.is_whole:
            return self.paid - self.unit * (1 - 1e-3)
        return self.paid - 1e-9 * abs(self.paid) - self.slack

    @property
    def is_whole(self) -> bool:
        """Totals are multiples of a unit that stands well above rounding errors."""
        return 0 < self.paid < 1e9 * self.unit and self.slack < 1e-4 * self.unit

    @property
    def is_closed(self) -> bool:
        return self.bound >= self.cutoff or self.paid <= 0

    def offer(self, columns: Ints) -> bool:
        """Take these columns as the answer if they are the best so far."""
        paid = float(self.costs.serving(columns, self.costs.base).nearest.sum())
        if not paid < self.paid:
            return False
        self.best, self.paid = np.array(columns, np.intp), paid
        self.tell("exchange")
        return True

    def improve(self, columns: Ints) -> bool:
        """Interchange from these columns, then `offer` them."""
        return self.offer(interchange(self.costs, self.cap, columns, self.watch)[0])

    def first_answer(self, start: Ints | None) -> None:
        columns = greedy(self.costs, self.cap, self.count, self.watch)
        if start is not None:
            self.offer(_filled(start, columns, self.count))
        self.improve(columns)
        if start is not None and math.isinf(self.paid):
            self.improve(_filled(start, columns, self.count))
        if self.count <= _CUT_TREE_COUNT:
            kicked_columns, _ = kicked(self.costs, self.cap, self.best, self.watch, rounds=3)
            self.offer(kicked_columns)

    def tell(self, stage: str) -> None:
        if self.watch.seconds - self.last_news > _SECONDS_BETWEEN_NEWS:
            self.last_news = self.watch.seconds
            self.watch.tell(stage, self.paid, self.bound)

    # the root

    @property
    def left(self) -> int:
        """How many columns are still to open in the root part."""
        return self.count - len(self.part.opened)

    def settle_by_prices(self) -> None:
        """Bound the whole problem by row prices and settle columns."""
        self._enumerate_trivial()
        self.price = self._first_price()
        if not self.is_flat and not self.is_closed:
            # bounds that cost next to nothing, for when the time is already up
            everything = self.costs.serving(np.arange(self.costs.columns), self.cap)
            cheap, _, _ = bound_at(self.costs, np.minimum(everything.second, self.price), self.count)
            priced, _, _ = bound_at(self.costs, self.price, self.count)
            self.bound = max(self.bound, float(everything.nearest.sum()), cheap, priced)
        for steps in () if self.is_flat else (400, 300, 300):
            if self.is_closed or self.watch.expired:
                return
            self._learn(
                ascend(
                    self.part.costs,
                    self.price,
                    self.left,
                    paid=self.paid - self.part.paid,
                    cutoff=self.cutoff - self.part.paid,
                    steps=steps,
                    watch=self.watch,
                )
            )

    def _first_price(self) -> Floats:
        """What each row would pay if its column closed; a row that nobody else serves: its highest cost."""
        second = self.costs.serving(self.best, self.cap).second
        return np.minimum(second, _highest(self.costs)) if np.isinf(self.costs.base).any() else second

    @property
    def is_flat(self) -> bool:
        """Being served costs nothing: a maximal cover, which cuts bound better and faster than prices."""
        return self.part.costs.is_flat

    def settle_by_cuts(self) -> None:
        """Bound the root part by its fractional optimum, shrinking it on the way."""
        carried: list[Floats] = []
        while not self.is_closed and not self.watch.expired and 0 < self.left < len(self.part.free):
            before, bound = len(self.part.free), self.bound
            program = self._program(carried)
            try:
                found = program.solve(
                    np.zeros(before),
                    np.ones(before),
                    cutoff=self.cutoff - self.part.paid,
                    rounds=_ROUNDS_BETWEEN_SHRINKS,
                )
            except LpStopped:
                return
            except LpInfeasible:
                self.bound = math.inf
                return
            carried = program.thresholds_in_use() if program.is_grouped else []
            fold = self._learn(found)
            carried = [fold(threshold) for threshold in carried]
            is_smaller = len(self.part.free) < 0.8 * before
            is_closer = self.bound - bound > 0.1 * (self.cutoff - bound) and not program.is_converged
            if not is_smaller and not is_closer:
                return

    def _program(self, carried: list[Floats]) -> CutLp:
        program = CutLp(
            self.part.costs,
            self.left,
            paid=self.paid - self.part.paid,
            is_grouped=len(self.part.rows) > _CUT_ROWS or self.is_flat,
            watch=self.watch,
        )
        for threshold in [*carried, self.price]:
            program.add_cuts(np.minimum(threshold, self.part.costs.base))
        return program

    def _learn(self, found: Bound) -> Callable[[Floats], Floats]:
        """
        Use a bound on the root part: better answers near it, then settle columns and shrink the part.

        Returns what turns a number per row before into a number per row after.
        """
        part = self.part
        self.bound = max(self.bound, part.paid + found.value)
        self.price = found.price
        for worth in (found.relief, -found.share):
            self.improve(np.r_[part.opened, part.free[lowest(worth, self.left)]])
        self.tell("bound")
        if self.is_closed:
            return lambda values: values
        return self._shrink(decide(part.paid + found.value, found.relief, self.left, self.cutoff))

    def _shrink(self, fixing: Fixing) -> Callable[[Floats], Floats]:
        free = np.flatnonzero(~fixing.never & ~fixing.always)
        part = self.part.restricted(np.flatnonzero(fixing.always), free)
        costs, like = part.costs.folded()
        count = len(costs.base)

        def fold(values: Floats) -> Floats:
            return np.bincount(like, values[part.rows], minlength=count).astype(np.float64)

        self.price = fold(self.price)
        # rows are counted within the root part from here on
        self.part = _Part(part.opened, part.free, costs, np.arange(count), part.paid)
        self._enumerate_trivial()
        return fold

    def _enumerate_trivial(self) -> None:
        """Close the search where the root part leaves no choice."""
        if self.left == 0 or self.left >= len(self.part.free):
            self.offer(np.r_[self.part.opened, self.part.free[: self.left]])
            self.bound = self.paid
        elif self.paid <= 0:
            self.bound = self.paid

    # the tree

    def grow_tree(self, most_nodes: float = math.inf) -> None:
        """Branch until nothing below the cutoff is left, the nodes are used up or the watch expires."""
        if self.is_closed or self.watch.expired:
            return
        program = self._program([]) if self.left > _CUT_TREE_COUNT else None
        order = itertools.count()
        root = _Node(self.bound, np.zeros(0, np.intp), np.arange(len(self.part.free)), self.price)
        heap = [(root.bound, next(order), root)]
        while heap and not self.watch.expired and len(heap) + self.nodes < most_nodes:
            bound, _, node = heapq.heappop(heap)
            self.bound = max(self.bound, min(bound, self.cutoff))
            if bound > self.cutoff:
                break
            self.nodes += 1
            self.tell("tree")
            try:
                children = self._branch(node, program)
            except LpStopped:
                heapq.heappush(heap, (bound, next(order), node))
                break
            for child in children:
                heapq.heappush(heap, (child.bound, next(order), child))
        if not heap or heap[0][0] > self.cutoff:
            self.bound = max(self.bound, self.cutoff)
        else:
            self.bound = max(self.bound, heap[0][0])

    def _branch(self, node: _Node, program: CutLp | None) -> list[_Node]:
        """Bound one node; its two children, or none when it is closed."""
        opened, free = node.opened, node.free
        left = self.left - len(opened)
        part = self.part.restricted(opened, free)
        if left == 0 or left >= len(free):
            self.offer(np.r_[part.opened, part.free[:left]])
            return []
        if left == 1:
            self.offer(np.r_[part.opened, part.free[[int(part.costs.totals().argmin())]]])
            return []
        found = (
            self._bound_by_prices(part, node, left)
            if program is None
            else self._bound_by_cuts(part, node, left, program)
        )
        if found is None:
            return []
        value, local, price = found
        if value > self.cutoff:
            return []
        fixing = decide(value, local.relief, left, self.cutoff)
        opened = np.r_[opened, free[fixing.always]]
        keep = ~fixing.never & ~fixing.always
        share, free = local.share[keep], free[keep]
        bound = max(value, node.bound)
        if len(opened) >= self.left or len(free) == 0:
            return [_Node(bound, opened, free, price)] if len(opened) == self.left else []
        pick = int(share.argmax() if program is None else np.minimum(share, 1 - share).argmax())
        rest = np.delete(free, pick)
        children = [_Node(bound, np.r_[opened, free[pick]], rest, price)]
        if len(opened) + len(rest) >= self.left:
            children.append(_Node(bound, opened, rest, price))
        return children

    def _bound_by_prices(self, part: _Part, node: _Node, left: int) -> tuple[float, Bound, Floats] | None:
        found = ascend(
            part.costs,
            node.price[part.rows],
            left,
            paid=self.paid - part.paid,
            cutoff=self.cutoff - part.paid,
            steps=30,
            watch=self.watch,
            step_size=1.0,
            patience=4,
            smallest_step=0.02,
        )
        price = node.price.copy()
        price[part.rows] = found.price
        return part.paid + found.value, found, price

    def _bound_by_cuts(
        self, part: _Part, node: _Node, left: int, program: CutLp
    ) -> tuple[float, Bound, Floats] | None:
        lower, upper = np.zeros(len(self.part.free)), np.zeros(len(self.part.free))
        lower[node.opened] = 1
        upper[node.opened] = upper[node.free] = 1
        try:
            found = program.solve(lower, upper, cutoff=self.cutoff - self.part.paid)
        except LpInfeasible:
            return None
        price = np.minimum(found.price[part.rows], part.costs.base)
        value, relief, _ = bound_at(part.costs, price, left)
        share = found.share[node.free]
        if np.minimum(share, 1 - share).max(initial=0.0) < 1e-6:
            self.offer(np.r_[part.opened, part.free[lowest(-share, left)]])
        return part.paid + value, Bound(value, price, relief, share), found.price

    # maximal cover

    def prove_by_program(self) -> None:
        """Give what is left of a maximal cover to the integer solver, which knows more cuts for it."""
        if self.is_closed or self.watch.expired:
            return
        costs, left = self.part.costs, self.left
        rows, columns, _ = costs.triples()
        n, m = len(costs.base), costs.columns
        unit = (self.paid - self.part.paid) / 1000
        cover = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, m))
        program = sparse.vstack(
            [
                sparse.hstack([cover, sparse.eye_array(n)]),
                sparse.hstack([sparse.csr_array(np.ones((1, m))), sparse.csr_array((1, n))]),
            ],
            format="csr",
        )
        result = solve_binary(
            np.r_[np.zeros(m), costs.base / unit],
            np.r_[np.ones(n), left],
            np.r_[np.full(n, np.inf), left],
            program,
            self.watch,
            whole=m,
            worth=(self.paid - self.cutoff) / unit,
        )
        if result.x is not None:
            self.offer(np.r_[self.part.opened, self.part.free[result.x[:m] > 0.5]])
        if result.bound > -math.inf:
            self.bound = max(self.bound, self.part.paid + result.bound * unit)
        if result.is_proven:
            self.bound = max(self.bound, self.cutoff)

    def result(self) -> Selection:
        is_optimal = self.is_closed
        if is_optimal:
            bound = self.paid if self.is_whole else max(self.bound, self.cutoff, 0.0)
        else:
            bound = max(0.0, self.bound - self.slack)
            if self.is_whole:
                bound = math.ceil(bound / self.unit - 1e-3) * self.unit
        return Selection(self.best, self.paid, min(bound, self.paid), is_optimal)


def _filled(start: Ints, spare: Ints, count: int) -> Ints:
    """`start` made up to `count` with columns of `spare` that it lacks."""
    return np.r_[start, spare[~np.isin(spare, start)][: count - len(start)]]


def _capped(costs: Costs) -> Floats:
    """`base` with a finite value in place of infinity, above any cost that serving all rows can come to."""
    must = np.isinf(costs.base)
    if not must.any():
        return costs.base
    worst = _highest(costs)
    return np.where(must, 2 * float(worst.sum()) + 1.0, costs.base)


def _highest(costs: Costs) -> Floats:
    """Per row the most that it pays: its base, or its highest cost where it must be served."""
    rows, _, values = costs.triples()
    worst = np.zeros(len(costs.base))
    np.maximum.at(worst, rows, values)
    return np.where(np.isinf(costs.base), worst, costs.base)
