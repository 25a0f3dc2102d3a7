"""What looks wrong in a road network: cut-off parts, traps, dead ends, odd lengths and speeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkQuality:
    """
    What a person should look at before trusting a network. Node and edge numbers are the public ones.

    Attributes
    ----------
    component_sizes : nodes per connected component (streets taken as two-way), largest first
    off_main : nodes outside the largest component
    one_way_traps : nodes of the largest component that one-way streets cut off from its main part in a
        direction: they can be left but not reached, or reached but not left
    dead_ends : nodes with a single neighbour
    loops, parallel : edges that begin and end at one node; edges beside a cheaper one between the same nodes
    too_short : edges whose length is below the straight line between their nodes by more than 1 %
    too_fast, too_slow : edges passed faster or slower than plausible
    """

    nodes: int
    edges: int
    component_sizes: Ints
    off_main: Ints
    one_way_traps: Ints
    dead_ends: Ints
    loops: Ints
    parallel: Ints
    too_short: Ints
    too_fast: Ints
    too_slow: Ints

    @property
    def main_share(self) -> float:
        """Share of nodes in the largest component; 1.0 for an empty network."""
        return float(self.component_sizes[0] / self.nodes) if self.nodes else 1.0

    @classmethod
    def of(
        cls,
        node_xy: Floats,
        ends: tuple[Ints, Ints],
        seconds: Floats,
        length_m: Floats,
        *,
        component: Ints,
        strong: Ints,
        fastest_kmh: float,
        slowest_kmh: float,
    ) -> NetworkQuality:
        """
        Judge a network.

        Parameters
        ----------
        ends : (e,) tail and (e,) head of each edge
        component, strong : (n,) connected part of each node, streets taken as two-way and as they are; 0 the
            largest, `strong` within the largest component
        fastest_kmh, slowest_kmh : what is still plausible, inclusive
        """
        tail, head = ends
        is_main = component == 0
        is_loop = tail == head
        kmh = length_m / seconds * 3.6
        straight = np.hypot(*(node_xy[head] - node_xy[tail]).T)
        return cls(
            nodes=len(node_xy),
            edges=len(tail),
            component_sizes=np.bincount(component),
            off_main=np.flatnonzero(~is_main),
            one_way_traps=np.flatnonzero(is_main & (strong != 0)),
            dead_ends=_dead_ends(tail, head, len(node_xy)),
            loops=np.flatnonzero(is_loop),
            parallel=_parallel(tail, head, seconds),
            too_short=np.flatnonzero(length_m < 0.99 * straight),
            too_fast=np.flatnonzero(kmh > fastest_kmh),
            too_slow=np.flatnonzero((kmh < slowest_kmh) & (length_m > 0)),
        )


def pairs_of(tail: Ints, head: Ints) -> Ints:
    """(e, 2) the nodes of each edge, the lower number first."""
    return np.sort(np.stack([tail, head], axis=1), axis=1)


def _dead_ends(tail: Ints, head: Ints, count: int) -> Ints:
    neighbours = np.unique(pairs_of(tail, head)[tail != head], axis=0)
    return np.flatnonzero(np.bincount(neighbours.ravel(), minlength=count) == 1)


def _parallel(tail: Ints, head: Ints, seconds: Floats) -> Ints:
    """Edges beside a cheaper one between the same two nodes; of equals all but the first."""
    pair = pairs_of(tail, head)
    order = np.lexsort((seconds, pair[:, 1], pair[:, 0]))
    again = np.zeros(len(order), bool)
    again[1:] = (np.diff(pair[order], axis=0) == 0).all(axis=1)
    return np.sort(order[again & (tail != head)[order]])
