"""Where people live: how densely, around which centres. Town totals are our invention; only their sum is a fact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from gridmap.demo.chance import Floats, smooth_noise, stream
from gridmap.demo.facts import Facts
from gridmap.demo.land import Land
from gridmap.demo.plane import to_plane

_PER_COMMITTEE = {"居委会": 4_200.0, "村委会": 2_270.0}  # residents: a guess that gives the right total
_RURAL_PER_KM2 = 480.0
_RURAL_SHARE = 0.4  # of a town's people at most: the empty coast is emptier than the rest
_HALF_BUSY_PER_KM2 = 3_200.0  # where a place counts as half built-up
_FROM_EDGE_M = 700.0  # a town's centre keeps this distance from water and from the district's edge


@dataclass(frozen=True, slots=True)
class People:
    """
    The spread of residents.

    Attributes
    ----------
    centres : (towns, 2) metres, the built-up centre of each town
    per_km2 : (nx, ny) residents per km², about; 0 off the ground
    bustle : (nx, ny) 0 to 1, how built-up a cell is
    """

    centres: Floats
    per_km2: Floats
    bustle: Floats


def spread_people(seed: int, land: Land, facts: Facts) -> People:
    """Residents thick in the towns' centres, thin between them; large towns have smaller nuclei besides."""
    towns = to_plane([(town.lon, town.lat) for town in facts.towns])
    centres = _on_ground(towns, land)
    rng = stream(seed, "nuclei")
    totals = np.array([_guess(town.code, facts) for town in facts.towns])
    rural = np.minimum(_RURAL_PER_KM2, _RURAL_SHARE * totals / [town.land_km2 for town in facts.towns])
    nearest = cKDTree(centres).query(land.xy)[1]
    per_km2 = rural[nearest]
    for town, centre, total, thin in zip(facts.towns, centres, totals, rural, strict=True):
        urban = total - thin * town.land_km2
        # a unit of the contiguous city is built-up nearly throughout; a country town has a compact centre
        radius_m = 1_000.0 + 1_200.0 * min(total / town.land_km2 / 4_000.0, 1.0)
        nuclei = [(centre, urban, radius_m)]
        if town.land_km2 > 60:
            nuclei = [(centre, 0.72 * urban, radius_m)]
            for place in _minor_nuclei(rng, centre):
                nuclei.append((_on_ground(place[None], land)[0], 0.14 * urban, 0.5 * radius_m))
        for place, people, reach_m in nuclei:
            d2 = ((land.xy - place) ** 2).sum(axis=-1) / (reach_m * reach_m)
            per_km2 += people / (np.pi * reach_m * reach_m / 1e6) / ((1 + d2) * (1 + d2))
    per_km2 *= 1.0 + 0.18 * smooth_noise(stream(seed, "people"), 1_500.0, land.xy[..., 0], land.xy[..., 1])
    bustle = np.where(land.dry, per_km2 / (per_km2 + _HALF_BUSY_PER_KM2), 0.0)
    return People(centres, np.where(land.ground, per_km2, 0.0), bustle)


def _guess(town_code: str, facts: Facts) -> float:
    """Residents of a town, guessed from its committees."""
    return sum(_PER_COMMITTEE[one.kind] for one in facts.committees if one.town_code == town_code)


def _minor_nuclei(rng: np.random.Generator, centre: Floats) -> list[Floats]:
    """Two places a few kilometres from `centre`, on different sides of it."""
    east, north = 2_600.0 + 1_400.0 * rng.random(2)
    sides = ((1, 1), (-1, -1)) if rng.random() < 0.5 else ((1, -1), (-1, 1))
    return [
        centre + (sx * east * f, sy * north * (1.2 - f))
        for (sx, sy), f in zip(sides, (0.85, 0.5), strict=True)
    ]


def _on_ground(places: Floats, land: Land) -> Floats:
    """Each place, or the nearest one well inside the district's firm ground."""
    depth = ndimage.distance_transform_edt(land.ground) * land.lattice.side_m
    firm = land.xy[depth > _FROM_EDGE_M]
    return firm[cKDTree(firm).query(places)[1]]
