"""
Lower bounds for siting from row prices (Lagrangian relaxation; Held & Karp 1971, Beasley 1985).

If row i may be served for the price u_i, a column is worth the sum of what its rows cost below their price.
Whatever the prices, no k columns cost less than all prices plus the k best worths: so any price vector gives a
true bound, and a price above `base` is never needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridmap.analysis._costs import Costs
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Bound:
    """
    A true lower bound and where it came from.

    `price` per row, `relief` per column at that price (zero or negative), `share` per column: how often it
    was among the best, an estimate of its fractional value.
    """

    value: float
    price: Floats
    relief: Floats
    share: Floats


def bound_at(costs: Costs, price: Floats, count: int) -> tuple[float, Floats, Ints]:
    """The bound that these prices give, each column's relief and the `count` best columns."""
    relief = costs.relief(price)
    best = lowest(relief, count)
    return float(price.sum() + relief[best].sum()), relief, best


def ascend(
    costs: Costs,
    price: Floats,
    count: int,
    *,
    paid: float,
    cutoff: float,
    steps: int,
    watch: Watch,
    step_size: float = 1.5,
    patience: int = 10,
    smallest_step: float = 1e-3,
) -> Bound:
    """
    Raise the bound by moving prices towards each row being served exactly once.

    Ends when the bound passes `cutoff`, the steps are used up or too short, or the watch expires. `paid` is
    what the best known answer costs; it sets the length of the steps.
    """
    # no row is worth more than the whole answer; without a ceiling the price of a row that must be served runs
    # off to where sums lose their digits
    ceiling = np.minimum(costs.base, paid)
    price = np.clip(price, 0.0, ceiling)
    best = -np.inf
    best_price = price
    best_relief = np.zeros(costs.columns)
    share = np.zeros(costs.columns)
    direction = np.zeros(len(price))
    stalled = 0
    for step in range(max(1, steps)):
        value, relief, chosen = bound_at(costs, price, count)
        weight = max(0.1, 1 / (step + 1))
        share *= 1 - weight
        share[chosen] += weight
        if value > best:
            stalled = 0 if value > best + 1e-5 * abs(best) else stalled + 1
            best, best_price, best_relief = value, price, relief
            if best > cutoff:
                break
        else:
            stalled += 1
        if stalled >= patience:
            step_size *= 0.6
            stalled = 0
            price = best_price
            if step_size < smallest_step:
                break
        slope = 1.0 - costs.cheaper(price, chosen)
        slope[(price >= ceiling) & (slope > 0)] = 0.0
        direction = slope + 0.5 * direction
        length = float(direction @ direction)
        if length == 0.0 or watch.expired:
            break
        aim = max(paid - value, 1e-12 * abs(paid))
        price = np.clip(price + (step_size * aim / length) * direction, 0.0, ceiling)
    return Bound(best, best_price, best_relief, share)


def lowest(values: Floats, count: int) -> Ints:
    """The numbers of the `count` lowest values (all of them where there are fewer)."""
    if count <= 0:
        return np.zeros(0, np.intp)
    if count >= len(values):
        return np.arange(len(values))
    return np.argpartition(values, count - 1)[:count]


@dataclass(frozen=True, slots=True)
class Fixing:
    """What a bound decides: columns that no better answer opens, and those that every better answer opens."""

    never: NDArray[np.bool_]
    always: NDArray[np.bool_]


def decide(value: float, relief: Floats, count: int, cutoff: float) -> Fixing:
    """Columns settled because the opposite choice would lift the bound above `cutoff`."""
    if count >= len(relief):
        return Fixing(np.zeros(len(relief), bool), np.ones(len(relief), bool))
    if count <= 0:
        return Fixing(np.ones(len(relief), bool), np.zeros(len(relief), bool))
    ordered = np.partition(relief, (count - 1, count))
    last_in, first_out = ordered[count - 1], ordered[count]
    never = (relief >= first_out) & (value + relief - last_in > cutoff)
    always = (relief <= last_in) & (value - relief + first_out > cutoff)
    return Fixing(never & ~always, always & ~never)
