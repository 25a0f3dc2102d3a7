"""Areas while they are drawn: units move from full areas to emptier ones as long as nothing comes apart."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ROUNDS_PER_AREA = 50
_LONGEST_WALK = 120
_CHAINS_PER_AREA = 10
_CHAINS = 12
"""Chains of areas tried to hand load on from one full area."""


class Drawing:
    """Areas being redrawn: plain lists, since units move one at a time."""

    def __init__(
        self, cost: Floats, load: Floats, near: sparse.csr_array, seeds: Ints, area: Ints, limit: float
    ) -> None:
        highest = float(cost[np.isfinite(cost)].max(initial=0.0))
        self.cost = np.where(np.isfinite(cost), cost, 10 * highest + 1).tolist()
        self.load: list[float] = load.tolist()
        self.near = [
            near.indices[near.indptr[unit] : near.indptr[unit + 1]].tolist() for unit in range(len(load))
        ]
        self.seed = seeds.tolist()
        self.is_seed = [False] * len(load)
        for unit in self.seed:
            self.is_seed[unit] = True
        self.area: list[int] = area.tolist()
        self.limit = limit
        self.sums = [0.0] * len(seeds)
        self.members: list[set[int]] = []

    def connect(self) -> None:
        """Keep what hangs together with each center and let the rest grow onto its neighbours, cheapest first."""
        area = [-1] * len(self.area)
        for number, seed in enumerate(self.seed):
            for unit in self._piece(seed, number):
                area[unit] = number
        self._start(area)
        # what fits goes first, then what is cheap; loads only rise, so a stale place in the queue is only moved back
        queue: list[tuple[bool, float, int, int]] = []
        for unit, number in enumerate(area):
            if number >= 0:
                self._offer_neighbours(queue, unit)
        while queue:
            entry = heapq.heappop(queue)
            _, spent, unit, number = entry
            if self.area[unit] >= 0:
                continue
            crowded = self.sums[number] + self.load[unit] > self.limit
            if crowded and not entry[0]:
                heapq.heappush(queue, (True, spent, unit, number))
                continue
            self._settle(unit, number)
            self._offer_neighbours(queue, unit)

    def grow(self) -> None:
        """Draw anew: always the area with the least load takes the cheapest unit at its border."""
        area = [-1] * len(self.area)
        for number, seed in enumerate(self.seed):
            area[seed] = number
        self._start(area)
        borders: list[list[tuple[float, int]]] = [[] for _ in self.seed]
        turn = [(self.sums[number], number) for number in range(len(self.seed))]
        for number, seed in enumerate(self.seed):
            borders[number] = [(self.cost[unit][number], unit) for unit in self.near[seed]]
            heapq.heapify(borders[number])
        heapq.heapify(turn)
        while turn:
            _, number = heapq.heappop(turn)
            border = borders[number]
            while border:
                _, unit = heapq.heappop(border)
                if self.area[unit] < 0:
                    self._settle(unit, number)
                    for other in self.near[unit]:
                        if self.area[other] < 0:
                            heapq.heappush(border, (self.cost[other][number], other))
                    heapq.heappush(turn, (self.sums[number], number))
                    break

    def _start(self, area: list[int]) -> None:
        self.area = area
        self.sums = [0.0] * len(self.seed)
        for unit, number in enumerate(area):
            if number >= 0:
                self.sums[number] += self.load[unit]

    def _settle(self, unit: int, number: int) -> None:
        self.area[unit] = number
        self.sums[number] += self.load[unit]

    def _offer_neighbours(self, queue: list[tuple[bool, float, int, int]], unit: int) -> None:
        number = self.area[unit]
        for other in self.near[unit]:
            if self.area[other] < 0:
                crowded = self.sums[number] + self.load[other] > self.limit
                heapq.heappush(queue, (crowded, self.cost[other][number], other, number))

    def level(self) -> None:
        """
        Move border units out of the fullest areas until none is over the limit or nothing helps.

        A unit goes straight to a neighbour while that lowers the sum of squared loads; where all neighbours
        are full, load is handed on along a chain of areas to the nearest one with room.
        """
        self.members = [set() for _ in self.seed]
        for unit, number in enumerate(self.area):
            self.members[number].add(unit)
        stuck: set[int] = set()
        chains = _CHAINS_PER_AREA * len(self.seed)
        for _ in range(_ROUNDS_PER_AREA * len(self.seed)):
            full = [
                number for number, load in enumerate(self.sums) if load > self.limit and number not in stuck
            ]
            if not full:
                return
            number = max(full, key=self.sums.__getitem__)
            if self._spill(number):
                stuck.clear()
                continue
            chains -= 1
            if chains >= 0 and self._hand_on(number):
                stuck.clear()
            else:
                stuck.add(number)

    def _excess(self) -> float:
        return sum((load - self.limit) ** 2 for load in self.sums if load > self.limit)

    def _hand_on(self, number: int) -> bool:
        """Pass a unit from area to area until one has room, if that lowers the excess over the limit."""
        before = {number: number}
        reached = [number]
        for here in reached:
            for there in sorted(
                {self.area[other] for unit in self.members[here] for other in self.near[unit]}
            ):
                if there not in before:
                    before[there] = here
                    reached.append(there)
        excess = self._excess()
        tried = 0
        for goal in reached[1:]:
            if self.sums[goal] >= self.limit:
                continue
            path = [goal]
            while path[-1] != number:
                path.append(before[path[-1]])
            path.reverse()
            done: list[tuple[int, int]] = []
            for here, there in zip(path, path[1:], strict=False):
                move = self._cheapest_move(here, there)
                if move is None:
                    break
                done.append((move[0], here))
                self._move(*move)
            if len(done) == len(path) - 1 and self._excess() < excess * (1 - 1e-12):
                return True
            for unit, home in reversed(done):
                self._move(unit, home)
            tried += 1
            if tried == _CHAINS:
                break
        return False

    def shorten(self) -> None:
        """Move border units to a cheaper neighbouring area that has room, while that lowers the cost."""
        for _ in range(20):
            moved = False
            for unit in range(len(self.area)):
                here = self.area[unit]
                options = {self.area[other] for other in self.near[unit]} - {here}
                for there in sorted(options, key=lambda area, unit=unit: self.cost[unit][area]):
                    if self.cost[unit][there] >= self.cost[unit][here]:
                        break
                    room = self.sums[there] + self.load[unit] <= max(self.limit, self.sums[here])
                    if room and self._may_leave(unit):
                        self._move(unit, there)
                        moved = True
                        break
            if not moved:
                return

    def _spill(self, number: int) -> bool:
        """
        Move units of a full area to neighbours until it is within the limit; whether any moved.

        Into room first, what costs least; else to emptier neighbours, which even out and pass it on in turn.
        """
        options = []
        for unit, there, extra in self._border(number):
            after = self.sums[there] + self.load[unit]
            if after < self.sums[number]:
                crowded = after > self.limit
                options.append((crowded, after if crowded else extra, unit, there))
        moved = False
        for crowded, _, unit, there in sorted(options):
            if self.sums[number] <= self.limit or (crowded and moved):
                break  # pass on to full neighbours one unit at a time: each changes who is emptiest
            after = self.sums[there] + self.load[unit]
            fits = after < self.sums[number] if crowded else after <= self.limit
            if fits and self.area[unit] == number and self._may_leave(unit):
                self._move(unit, there)
                moved = True
        return moved

    def _cheapest_move(self, number: int, goal: int) -> tuple[int, int] | None:
        """The unit of an area that is cheapest to move to a neighbouring one."""
        for _, unit in sorted((extra, unit) for unit, there, extra in self._border(number) if there == goal):
            if self._may_leave(unit):
                return unit, goal
        return None

    def _border(self, number: int) -> Iterator[tuple[int, int, float]]:
        """Units of an area that touch another one and weigh something, that area, and the cost of moving there."""
        for unit in self.members[number]:
            if self.load[unit] > 0 and not self.is_seed[unit]:
                for there in {self.area[other] for other in self.near[unit]} - {number}:
                    yield unit, there, (self.cost[unit][there] - self.cost[unit][number]) * self.load[unit]

    def _may_leave(self, unit: int) -> bool:
        """
        Whether the unit's area surely stays in one piece without it.

        Its neighbours must still find one another within a short walk; where the way round is longer than
        that, the answer is no although the area might hold together.
        """
        if self.is_seed[unit]:
            return False
        number = self.area[unit]
        own = [other for other in self.near[unit] if self.area[other] == number]
        if len(own) <= 1:
            return True
        wanted = set(own[1:])
        seen = {unit, own[0]}
        stack = [own[0]]
        while stack and len(seen) < _LONGEST_WALK:
            for other in self.near[stack.pop(0)]:
                if other not in seen and self.area[other] == number:
                    seen.add(other)
                    wanted.discard(other)
                    if not wanted:
                        return True
                    stack.append(other)
        return False

    def _move(self, unit: int, there: int) -> None:
        self.sums[self.area[unit]] -= self.load[unit]
        self.sums[there] += self.load[unit]
        self.members[self.area[unit]].discard(unit)
        self.members[there].add(unit)
        self.area[unit] = there

    def _piece(self, seed: int, number: int) -> list[int]:
        """The units of an area that hang together with its center."""
        seen, stack = {seed}, [seed]
        while stack:
            for other in self.near[stack.pop()]:
                if other not in seen and self.area[other] == number:
                    seen.add(other)
                    stack.append(other)
        return list(seen)
