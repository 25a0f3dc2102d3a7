"""
The least radius within which p columns reach all rows (p-center), by set cover over the radii that occur.

Cheap tests narrow the radii first; only what they leave open goes to the integer program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridmap.analysis._cover import minimum_cover
from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


_SOME_NODES = 100


@dataclass(frozen=True, slots=True)
class Center:
    """
    Columns that reach all rows within some radius, and a radius that no choice goes below.

    `columns` is None when none are known; then `is_impossible` tells whether none exist.
    """

    columns: Ints | None
    bound: float
    is_impossible: bool = False


class _Radii:
    """The radii that occur, and which of them are known to suffice or to be too small."""

    def __init__(self, cost: NDArray[np.floating], base: Floats, count: int, watch: Watch) -> None:
        self.cost = cost
        self.base = base
        self.count = count
        self.watch = watch
        least = np.minimum(base, cost.min(axis=1, initial=np.inf)).max()
        values = np.unique(cost[(cost >= least) & np.isfinite(cost)].astype(np.float64))
        self.radius = np.union1d(values, base[(base >= least) & np.isfinite(base)])
        self.low = 0
        self.high = len(self.radius)  # nothing known to suffice
        self.columns: Ints | None = None

    def ask(self, place: int, *, most_nodes: int | None = None) -> bool | None:
        """Whether this radius suffices; None when that stays open (see `minimum_cover`)."""
        bare = self.base > self.radius[place]
        if not bare.any():
            self._suffices(place, np.zeros(0, np.intp))
            return True
        near = sparse.csr_array(self.cost[bare] <= self.radius[place])
        if self.count == 0 or (np.diff(near.indptr) == 0).any():
            self.low = max(self.low, place + 1)
            return False
        cover = minimum_cover(near, self.watch, enough=self.count, most_nodes=most_nodes)
        if cover.columns is not None and len(cover.columns) <= self.count:
            self._suffices(place, cover.columns)
            return True
        if cover.bound > self.count:
            self.low = max(self.low, place + 1)
            return False
        return None

    def _suffices(self, place: int, columns: Ints) -> None:
        reached = self.base
        if len(columns):
            reached = np.minimum(self.base, self.cost[:, columns].min(axis=1))
        # the columns may do better than was asked
        place = min(place, int(np.searchsorted(self.radius, float(reached.max()))))
        if place < self.high:
            self.high, self.columns = place, columns
            self.watch.tell("radius", self.radius[place], self.radius[min(self.low, place)])


def least_radius(cost: NDArray[np.floating], base: Floats, count: int, watch: Watch) -> Center:
    """
    The `count` columns whose farthest row is nearest.

    Parameters
    ----------
    cost : (n, m), n > 0
    base : (n,) cost at which a row is served anyway, infinite where it is not
    """
    radii = _Radii(cost, base, count, watch)
    last = len(radii.radius) - 1
    if last < 0 or radii.ask(last) is False:
        return Center(None, np.inf, is_impossible=True)
    _narrow_upper(radii, 0)
    _narrow_lower(radii)
    _narrow_upper(radii, _SOME_NODES)  # where a proof will take long, a better answer comes first
    while radii.low < radii.high and not watch.expired:
        if radii.ask((radii.low + radii.high) // 2) is None:
            break
    if radii.columns is None:
        return Center(None, float(radii.radius[min(radii.low, last)]))
    return Center(radii.columns, float(radii.radius[min(radii.low, radii.high)]))


def _narrow_upper(radii: _Radii, most_nodes: int) -> None:
    """Search for the least radius that quick means, or so many branches, show to suffice."""
    low = radii.low
    while low < radii.high and not radii.watch.expired:
        middle = (low + radii.high) // 2
        if not radii.ask(middle, most_nodes=most_nodes):
            low = middle + 1


def _narrow_lower(radii: _Radii) -> None:
    """Search for the greatest radius that quick means show to be too small."""
    high = radii.high
    while radii.low < high and not radii.watch.expired:
        middle = (radii.low + high) // 2
        if radii.ask(middle, most_nodes=0) is not False:
            high = min(middle, radii.high)
