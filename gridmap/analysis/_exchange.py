"""
First answers for siting: greedy, then fast interchange (Whitaker 1983; Resende & Werneck 2007), then kicks.

`cap` is what an unserved row pays here; it is finite even where the row must be served, only larger than
anything that serving can cost, so that an exchange prefers to serve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridmap.analysis._costs import Costs
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def greedy(costs: Costs, cap: Floats, count: int, watch: Watch) -> Ints:
    """`count` columns, the one that saves most first; after a stop the rest are the lowest free numbers."""
    chosen: list[int] = []
    price = cap.copy()
    while len(chosen) < count and not watch.expired:
        saving = costs.relief(price)
        saving[chosen] = np.inf
        column = int(saving.argmin())
        chosen.append(column)
        price = np.minimum(price, costs.serving(np.array([column]), cap).nearest)
    if len(chosen) < count:
        spare = np.setdiff1d(np.arange(costs.columns), chosen)
        chosen.extend(spare[: count - len(chosen)].tolist())
    return np.array(chosen, np.intp)


def interchange(costs: Costs, cap: Floats, chosen: Ints, watch: Watch) -> tuple[Ints, float]:
    """
    The chosen columns after swapping one for another as long as that pays, and what all rows then pay.

    The result is never worse than the start; equal places keep their order.
    """
    chosen = np.array(chosen, np.intp)
    places = len(chosen)
    serving = costs.serving(chosen, cap)
    paid = float(serving.nearest.sum())
    if places == 0 or places == costs.columns:
        return chosen, paid
    while not watch.expired:
        served = serving.owner >= 0
        loss = np.bincount(
            serving.owner[served], (serving.second - serving.nearest)[served], minlength=places
        )
        profit = costs.swap_table(serving, places)
        profit -= costs.relief(serving.nearest)
        profit -= loss[:, None]
        profit[:, chosen] = -np.inf
        place, column = divmod(int(profit.argmax()), costs.columns)
        trial = chosen.copy()
        trial[place] = column
        after = costs.serving(trial, cap)
        cheaper = float(after.nearest.sum())
        if not cheaper < paid - 1e-12 * abs(paid):  # rounding must not make it circle
            break
        chosen, serving, paid = trial, after, cheaper
    return chosen, paid


def kicked(
    costs: Costs, cap: Floats, chosen: Ints, watch: Watch, *, rounds: int, seed: int = 0
) -> tuple[Ints, float]:
    """The best of several interchanges, each begun from the best so far with a few columns exchanged at random."""
    rng = np.random.default_rng(seed)
    best, paid = interchange(costs, cap, chosen, watch)
    spare_count = costs.columns - len(best)
    if len(best) == 0 or spare_count == 0:
        return best, paid
    for _ in range(rounds):
        if watch.expired:
            break
        size = min(len(best), spare_count, 1 + int(rng.integers(1, 2 + max(1, len(best) // 10))))
        trial = best.copy()
        spare = np.setdiff1d(np.arange(costs.columns), best)
        trial[rng.choice(len(best), size, replace=False)] = rng.choice(spare, size, replace=False)
        trial, cheaper = interchange(costs, cap, trial, watch)
        if cheaper < paid:
            best, paid = trial, cheaper
    return best, paid
