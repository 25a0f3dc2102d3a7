"""Small and published siting cases, and their answers by brute force."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra


@dataclass(frozen=True)
class Case:
    """A problem small enough to try every choice."""

    cost: NDArray[np.float64]
    weight: NDArray[np.float64]
    p: int
    fixed: tuple[int, ...]

    @property
    def reach(self) -> NDArray[np.bool_]:
        finite = self.cost[np.isfinite(self.cost)]
        return self.cost <= (np.median(finite) if finite.size else 1.0)

    def choices(self, p: int | None = None) -> list[list[int]]:
        free = [site for site in range(self.cost.shape[1]) if site not in self.fixed]
        return [[*self.fixed, *new] for new in itertools.combinations(free, self.p if p is None else p)]


def small_case(seed: int) -> Case:
    """Whole, fractional, planar or tied costs; some rows cut off; zero weights; fixed sites; any p."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 14)), int(rng.integers(1, 10))
    fixed = (
        tuple(rng.permutation(m)[: int(rng.integers(0, min(3, m) + 1))].tolist())
        if rng.random() < 0.5
        else ()
    )
    p = int(rng.integers(0, m - len(fixed) + 1))
    kind = int(rng.integers(0, 4))
    if kind == 0:
        cost = rng.integers(0, 12, (n, m)).astype(float)
    elif kind == 1:
        cost = rng.random((n, m)) * 100
    elif kind == 2:
        cost = np.round(rng.random((n, m)) * 3, 1)
    else:
        demand, sites = rng.random((n, 2)), rng.random((m, 2))
        sites[::2] = sites[0]  # identical points
        cost = np.linalg.norm(demand[:, None] - sites[None], axis=2)
    if rng.random() < 0.5:
        cost[rng.random((n, m)) < rng.random() / 2] = np.inf
    weight = rng.choice([0.0, 1.0, 2.0, 5.0], n) if rng.random() < 0.5 else rng.random(n) * 3
    return Case(cost, weight, p, fixed)


def best_median(case: Case) -> float:
    """Least weighted cost over all choices; infinite when some row of positive weight stays unreached."""
    rows = case.weight > 0
    totals = [case.weight[rows] @ _nearest(case.cost[rows], choice) for choice in case.choices()]
    return float(min(totals)) if rows.any() else 0.0


def best_center(case: Case) -> float:
    """Least farthest cost over all choices."""
    return float(min(_nearest(case.cost, choice).max() for choice in case.choices()))


def best_cover(case: Case) -> float:
    """Most weight covered over all choices."""
    return float(max(case.weight @ case.reach[:, choice].any(axis=1) for choice in case.choices()))


def fewest_sites(case: Case) -> int:
    """Fewest sites, fixed included, that reach whatever can be reached."""
    wanted = case.reach.any(axis=1)
    for new in range(case.cost.shape[1] - len(case.fixed) + 1):
        if any(np.array_equal(case.reach[:, choice].any(axis=1), wanted) for choice in case.choices(new)):
            return new + len(case.fixed)
    raise AssertionError


def _nearest(cost: NDArray[np.float64], choice: list[int]) -> NDArray[np.float64]:
    return cost[:, choice].min(axis=1, initial=np.inf)


def road_like_costs(n: int, seed: int) -> NDArray[np.float64]:
    """All distances of a random connected graph with n²/50 edges of whole lengths 1 to 100."""
    rng = np.random.default_rng(seed)
    lengths = {(i, i + 1): int(rng.integers(1, 101)) for i in range(n - 1)}
    while len(lengths) < n * n // 50:
        u, v = sorted(rng.integers(0, n, 2).tolist())
        if u != v:
            lengths[u, v] = int(rng.integers(1, 101))
    return _distances(n, lengths)


def orlib(path: Path) -> tuple[NDArray[np.float64], int]:
    """Distances and p of a file of the OR-Library; of a repeated edge the last length counts."""
    numbers = path.read_text().split()
    n, p = int(numbers[0]), int(numbers[2])
    lengths = {}
    for u, v, length in np.array(numbers[3:], int).reshape(-1, 3).tolist():
        lengths[min(u, v) - 1, max(u, v) - 1] = length
    return _distances(n, lengths), p


def _distances(n: int, lengths: dict[tuple[int, int], int]) -> NDArray[np.float64]:
    tail, head = np.array(list(lengths)).T
    graph = sparse.csr_matrix((np.array(list(lengths.values()), float), (tail, head)), shape=(n, n))
    return dijkstra(graph, directed=False)
