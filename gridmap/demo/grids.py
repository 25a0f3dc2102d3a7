"""
The nested divisions of the demo district with their codes: two grid systems over the same committees.

Police: station → beat → police grid. Governance: governance grid → micro grid. No grid crosses the line of a
committee; a beat or a governance grid is one committee or several.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmap.demo.chance import Floats
from gridmap.demo.facts import Committee, Facts
from gridmap.demo.land import Land
from gridmap.demo.lattice import Indices
from gridmap.demo.partition import Graph, grow, split, unit_graph

_POLICE_GRIDS = 400
_COMMITTEES_PER_BEAT = 3.0
_COMMITTEES_PER_GOVERNANCE_GRID = 1.45
_RESIDENTS_PER_MICRO_GRID = 720.0
_SMALLEST = 4  # cells in a micro grid
_LARGE_STATION = 50  # committees from which a town has two police stations


@dataclass(frozen=True, slots=True)
class Division:
    """
    One system of areas: a number per cell of the district, and code and name per number.

    Attributes
    ----------
    label : (cells,) number of the area of each cell
    parent : number of the area above, per area (the town's for stations and governance grids)
    """

    label: Indices
    codes: list[str]
    names: list[str]
    parent: Indices


@dataclass(frozen=True, slots=True)
class Grids:
    """All divisions; `committee_of` gives the committees' facts in the order of their numbers."""

    town: Division
    committee: Division
    committees: list[Committee]
    police_station: Division
    police_beat: Division
    police_grid: Division
    governance_grid: Division
    micro_grid: Division


def draw_grids(cells: Graph, town: Indices, land: Land, facts: Facts) -> Grids:
    """All divisions of the district below the towns, which are given per cell."""
    ground = np.where(land.ground[land.inside], land.area_m2[land.inside], 0.04 * land.area_m2[land.inside])
    towns = Division(
        town, [one.code for one in facts.towns], [one.name for one in facts.towns], _none(len(facts.towns))
    )
    committee, committees = _draw_committees(cells, towns, ground, facts)
    people = np.bincount(committee.label, cells.mass, len(committees))
    units = unit_graph(cells, committee.label, people)
    station, beat = _draw_beats(cells, units, towns, committee)
    governance = _draw_governance(units, towns, committee)
    return Grids(
        towns, committee, committees, station, beat,
        _draw_police_grids(cells, committee, people, ground),
        governance, _draw_micro_grids(cells, committee, governance, people, ground),
    )  # fmt: skip


def _none(count: int) -> Indices:
    return np.zeros(count, dtype=np.int64)


def _mixed(cells: Graph, parent: Indices, ground: Floats, by_ground: float) -> Graph:
    """The graph with mass made of people and ground, each as a share of its parent's."""
    people = cells.mass / np.maximum(np.bincount(parent, cells.mass)[parent], 1e-9)
    space = ground / np.maximum(np.bincount(parent, ground)[parent], 1e-9)
    return Graph(cells.xy, people + by_ground * space, cells.a, cells.b, cells.cost)


def _centres(cells: Graph, label: Indices, count: int) -> Floats:
    size = np.bincount(label, minlength=count)
    return np.stack([np.bincount(label, cells.xy[:, k], count) / size for k in range(2)], axis=1)


def _reading_order(parent: Indices, xy: Floats) -> Indices:
    """Areas by parent, then west to east, then north to south."""
    return np.lexsort((-xy[:, 1], xy[:, 0], parent))


def _numbers_within(parent: Indices) -> Indices:
    """1, 2, 3, … within each parent; `parent` ascends."""
    starts = np.searchsorted(parent, parent)
    return np.arange(len(parent)) - starts + 1


def _renumbered(label: Indices, order: Indices) -> Indices:
    """Labels after putting the areas into `order`."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[label]


def _draw_committees(
    cells: Graph, towns: Division, ground: Floats, facts: Facts
) -> tuple[Division, list[Committee]]:
    """Committees of each town: neighbourhoods where people live closest, villages around; official codes and names."""
    of_town = [[one for one in facts.committees if one.town_code == code] for code in towns.codes]
    counts = np.array([len(one) for one in of_town])
    label = split(_mixed(cells, towns.label, ground, 0.7), towns.label, counts, rounds=7)
    parent = np.repeat(np.arange(len(counts)), counts)
    people = np.bincount(label, cells.mass, len(parent))
    space = np.bincount(label, ground, len(parent))
    order = []
    for town, members in enumerate(of_town):
        own = np.flatnonzero(parent == town)
        urban = sum(one.kind == "居委会" for one in members)
        dense_first = own[np.argsort(-(people[own] / space[own]), kind="stable")]
        for part in (dense_first[:urban], dense_first[urban:]):
            order.extend(part[np.lexsort((-_centres(cells, label, len(parent))[part, 1],
                                          _centres(cells, label, len(parent))[part, 0]))].tolist())  # fmt: skip
    committees = [one for members in of_town for one in members]
    division = Division(
        _renumbered(label, np.array(order)),
        [one.code for one in committees],
        [one.name for one in committees],
        parent,
    )
    return division, committees


def _draw_beats(
    cells: Graph, units: Graph, towns: Division, committee: Division
) -> tuple[Division, Division]:
    """Police stations, about one a town, and their beats of about three committees."""
    count = np.bincount(committee.parent)
    even = Graph(units.xy, np.ones(len(units.xy)), units.a, units.b, units.cost)
    stations = np.where(count >= _LARGE_STATION, 2, 1)
    station = split(even, committee.parent, stations)
    in_town = np.repeat(np.arange(len(stations)), stations)
    beats = np.maximum(np.rint(np.bincount(station) / _COMMITTEES_PER_BEAT), 1).astype(np.int64)
    beat = split(even, station, beats)
    in_station = np.repeat(np.arange(len(beats)), beats)
    station_order = _reading_order(in_town, _centres(cells, station[committee.label], len(in_town)))
    number = _numbers_within(in_town[station_order])
    station_codes = [f"{towns.codes[t]}5{n:02d}" for t, n in zip(in_town[station_order], number, strict=True)]
    short = [name.removesuffix("街道").removesuffix("镇") for name in towns.names]
    station_names = [
        f"{short[t]}{'' if stations[t] == 1 else ('第一', '第二')[n - 1]}派出所(模拟)"
        for t, n in zip(in_town[station_order], number, strict=True)
    ]
    stations_ = Division(
        _renumbered(station[committee.label], station_order),
        station_codes,
        station_names,
        in_town[station_order],
    )
    in_station = _renumbered(in_station, station_order)
    beat_order = _reading_order(in_station, _centres(cells, beat[committee.label], len(in_station)))
    parent = in_station[beat_order]
    number = _numbers_within(parent)
    beats_ = Division(
        _renumbered(beat[committee.label], beat_order),
        [f"{station_codes[s]}{n:02d}" for s, n in zip(parent, number, strict=True)],
        [
            f"{station_names[s].removesuffix('派出所(模拟)')}第{n:02d}警务区"
            for s, n in zip(parent, number, strict=True)
        ],
        parent,
    )
    return stations_, beats_


def _draw_police_grids(cells: Graph, committee: Division, people: Floats, ground: Floats) -> Division:
    """Police grids: one a committee; the most populous committees have two, so that there are about 400."""
    twice = np.argsort(-people, kind="stable")[: max(_POLICE_GRIDS - len(people), 0)]
    counts = np.ones(len(people), dtype=np.int64)
    counts[twice] = 2
    label = split(_mixed(cells, committee.label, ground, 0.5), committee.label, counts)
    parent = np.repeat(np.arange(len(counts)), counts)
    order = _reading_order(parent, _centres(cells, label, len(parent)))
    number = _numbers_within(parent[order])
    return Division(
        _renumbered(label, order),
        [f"{committee.codes[c]}{n:03d}" for c, n in zip(parent[order], number, strict=True)],
        [f"{_short(committee.names[c])}警格{n:02d}" for c, n in zip(parent[order], number, strict=True)],
        parent[order],
    )


def _draw_governance(units: Graph, towns: Division, committee: Division) -> Division:
    """Governance grids: a committee or two small ones, coded by the first of them."""
    counts = np.rint(np.bincount(committee.parent) / _COMMITTEES_PER_GOVERNANCE_GRID).astype(np.int64)
    group = split(units, committee.parent, np.maximum(counts, 1))
    first = np.array([np.flatnonzero(group == k)[0] for k in range(int(counts.sum()))])
    order = np.argsort(first, kind="stable")
    parent = committee.parent[first[order]]
    number = _numbers_within(parent)
    short = [name.removesuffix("街道").removesuffix("镇") for name in towns.names]
    return Division(
        _renumbered(group[committee.label], order),
        [f"{committee.codes[k]}801" for k in first[order]],
        [f"{short[t]}第{n:02d}治理网格" for t, n in zip(parent, number, strict=True)],
        parent,
    )


def _draw_micro_grids(
    cells: Graph, committee: Division, governance: Division, people: Floats, ground: Floats
) -> Division:
    """Micro grids: parts of about equal population of each committee, numbered within its governance grid."""
    room = np.bincount(committee.label) // 3
    counts = np.clip(np.rint(people / _RESIDENTS_PER_MICRO_GRID).astype(np.int64), 1, np.maximum(room, 1))
    label = split(_mixed(cells, committee.label, ground, 0.6), committee.label, counts)
    label = _without_scraps(cells, committee.label, label)
    count = int(label.max()) + 1
    above = np.zeros(count, dtype=np.int64)
    above[label] = governance.label
    order = _reading_order(above, _centres(cells, label, count))
    parent = above[order]
    number = _numbers_within(parent)
    return Division(
        _renumbered(label, order),
        [f"{governance.codes[g]}{n:03d}" for g, n in zip(parent, number, strict=True)],
        [
            f"{governance.names[g].removesuffix('治理网格')}网格微格{n:02d}"
            for g, n in zip(parent, number, strict=True)
        ],
        parent,
    )


def _without_scraps(cells: Graph, parent: Indices, label: Indices) -> Indices:
    """Labels 0, 1, 2, … after areas of fewer than `_SMALLEST` cells went to their neighbours of the same parent."""
    size = np.bincount(label)
    largest = np.zeros(int(parent.max()) + 1, dtype=np.int64)
    np.maximum.at(largest, parent, size[label])
    is_scrap = (size[label] < _SMALLEST) & (size[label] < largest[parent])
    grown = grow(cells.within(parent), np.where(is_scrap, -1, label))
    return np.unique(grown, return_inverse=True)[1]


def _short(name: str) -> str:
    """A committee's name without its kind."""
    return name.removesuffix("居委会").removesuffix("村委会")
