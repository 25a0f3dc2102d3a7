"""Residential areas: small footprints that carry all residents of the district, thick where towns are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gridmap.demo.chance import Floats, shares, stream
from gridmap.demo.lattice import Indices, Mask
from gridmap.demo.places import Cells, pick_cells
from gridmap.demo.plane import to_lonlat

_AREAS = 4_400


@dataclass(frozen=True, slots=True)
class Houses:
    """
    Residential areas, by committee, then west to east.

    Attributes
    ----------
    cell : (n,) the cell each lies in
    footprint : (n,) polygons in degrees
    is_estate : (n,) an estate (小区) rather than village houses (村宅)
    population, households, elders : (n,) counts
    """

    cell: Indices
    footprint: np.ndarray
    is_estate: Mask
    population: Indices
    households: Indices
    elders: Indices


def build_houses(
    seed: int, scale: float, cells: Cells, committee: Indices, is_urban: Mask, residents: int
) -> Houses:
    """
    Residential areas with `residents` people in all.

    Parameters
    ----------
    committee : (cells,) number of each cell's committee
    is_urban : per committee, whether it is a neighbourhood (居委会)
    """
    rng = stream(seed, "houses")
    weight = np.sqrt(cells.per_km2) * cells.is_quiet
    cell = pick_cells(rng, cells, round(_AREAS * scale), weight)
    cell = np.union1d(cell, _one_each(cells, committee, len(is_urban), cell))
    cell = cell[np.lexsort((cells.heart[cell, 0], committee[cell]))]
    of = committee[cell]
    pull = np.sqrt(cells.per_km2[cell]) * (0.6 + 0.8 * rng.random(len(cell)))
    # a committee's people are those of its whole ground, wherever its houses happen to stand
    people = np.bincount(committee, cells.per_km2 * cells.area_m2, len(is_urban))
    population = shares(residents, people[of] * pull / np.bincount(of, pull, len(is_urban))[of])
    estate = is_urban[of]
    per_home = np.where(estate, 2.4, 2.7) + 0.4 * rng.random(len(cell))
    elder_share = np.where(estate, 0.16, 0.30) + 0.14 * rng.random(len(cell))
    return Houses(
        cell, _footprints(rng, cells, cell), estate, population,
        np.maximum(np.rint(population / per_home), 1).astype(np.int64),
        np.rint(population * elder_share).astype(np.int64),
    )  # fmt: skip


def _one_each(cells: Cells, committee: Indices, count: int, chosen: Indices) -> Indices:
    """For every committee without a chosen cell, its most populous one that a car reaches."""
    without = np.bincount(committee[chosen], minlength=count) == 0
    able = np.flatnonzero(cells.by_car & without[committee])
    best = able[np.lexsort((-cells.per_km2[able], committee[able]))]
    return best[np.unique(committee[best], return_index=True)[1]]


def _footprints(rng: np.random.Generator, cells: Cells, cell: Indices) -> np.ndarray:
    """A footprint in each cell: in one quarter, or over two where no road lies between them."""
    n = len(cell)
    low, high = 0.13 + 0.08 * rng.random(n), 0.74 + 0.18 * rng.random(n)
    size = np.stack([_quarter_size(cells, cell, q) for q in range(4)]) * (0.6 + 0.4 * rng.random((4, n)))
    quarter = np.argmax(size, axis=0)
    after = (quarter + 1) % 4
    free = cells.road[after, cell] == 0
    is_wide = free & (np.take_along_axis(size, after[None], axis=0)[0] > 0.3 * size.max(axis=0))
    zero = np.zeros(n)

    def ring(*places: tuple[Indices, Floats, Floats]) -> Floats:
        return np.stack([to_lonlat(cells.inside(cell, q, s, t)) for q, s, t in places], axis=1)

    small = ring((quarter, low, low), (quarter, high, low), (quarter, high, high), (quarter, low, high))
    wide = ring(
        (quarter, high, low), (quarter, high, high), (quarter, zero, high),
        (after, high, high), (after, low, high), (after, low, zero),
    )  # fmt: skip
    footprint = np.empty(n, dtype=object)
    footprint[~is_wide] = shapely.polygons(small[~is_wide])
    footprint[is_wide] = shapely.polygons(wide[is_wide])
    odd = ~shapely.is_valid(footprint)
    footprint[odd] = shapely.polygons(small[odd])
    return footprint


def _quarter_size(cells: Cells, cell: Indices, quarter: int) -> Floats:
    """Smallest of the four triangles of a quarter's corners, in square metres; negative when it is not convex."""
    ring = [
        cells.heart[cell], cells.side[quarter, cell], cells.corner[quarter, cell], cells.side[(quarter + 1) % 4, cell],
    ]  # fmt: skip
    smallest = None
    for k in range(4):
        p, q, r = ring[k - 1], ring[k], ring[(k + 1) % 4]
        size = (q[:, 0] - p[:, 0]) * (r[:, 1] - q[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - q[:, 0])
        smallest = size if smallest is None else np.minimum(smallest, size)
    return smallest
