"""The demo district 示范区 as a whole: `generate` makes every layer of the catalogue from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from gridmap.demo.areas import cell_polygons, settle_corners, union_by
from gridmap.demo.barriers import Barriers, Rank, draw_barriers
from gridmap.demo.chance import Floats, stream
from gridmap.demo.chronicle import Chronicle, write_chronicle
from gridmap.demo.facts import FACTS_FOLDER, Facts, read_facts
from gridmap.demo.frames import frame, numbered, points
from gridmap.demo.grids import Grids, draw_grids
from gridmap.demo.houses import Houses, build_houses
from gridmap.demo.land import draw_land
from gridmap.demo.lattice import Shape, shape_of
from gridmap.demo.net import Crossing, Net, build_net
from gridmap.demo.partition import cell_graph, draw_towns
from gridmap.demo.people import spread_people
from gridmap.demo.places import list_cells
from gridmap.demo.plane import to_lonlat
from gridmap.demo.report import METRIC_CRS, Ground, PlausibilityReport, measure
from gridmap.demo.roads import RoadClass, draw_links, settle_middles
from gridmap.demo.standpoints import Setting, point_layers
from gridmap.demo.words import Words
from gridmap.errors import InvalidInput

DISTRICT_NAME = "示范区"
TODAY = date(2026, 6, 30)
SMALLEST_SCALE = 0.2
_SIDE_M = 100.0


@dataclass(frozen=True, slots=True)
class Demo:
    """
    A generated district.

    Attributes
    ----------
    layers : per layer id a frame in EPSG:4326 with `code`, `name`, the layer's fields and `geometry`; times are
        RFC 3339 texts in UTC, dates ISO texts
    chronicle : when each element came, was verified and changed its state
    report : measured figures
    seed, scale, today : what it was made from
    """

    layers: Mapping[str, gpd.GeoDataFrame]
    chronicle: Chronicle
    report: PlausibilityReport
    seed: int
    scale: float
    today: date


def generate(
    seed: int = 1, *, scale: float = 1.0, today: date = TODAY, facts_folder: Path = FACTS_FOLDER
) -> Demo:
    """
    The demo district of a seed: the same on every machine.

    Parameters
    ----------
    scale : 1 is the full district. Less makes coarser cells, fewer roads and shorter long layers, for quick
        trials; towns, committees, grids, residents and workstations stay whole, but roads are then sparser
        than the bounds that `PlausibilityReport.faults` checks. At least `SMALLEST_SCALE`.
    today : the last day of the simulated year is the day before

    Raises
    ------
    InvalidInput
        `scale` is not from `SMALLEST_SCALE` to 1, or `seed` is negative.
    FactsError
        The facts are missing or contradict each other.
    """
    if not SMALLEST_SCALE <= scale <= 1 or seed < 0:
        raise InvalidInput(
            f"seed must be 0 or more and scale from {SMALLEST_SCALE} to 1, not {seed} and {scale}",
            zh=f"示范区的种子不能为负,规模须在 {SMALLEST_SCALE} 与 1 之间。",
            seed=seed,
            scale=scale,
        )
    facts = read_facts(facts_folder)
    words = Words(seed)
    land = draw_land(seed, _SIDE_M / float(np.sqrt(scale)))
    people = spread_people(seed, land, facts)
    barriers = draw_barriers(seed, land, people.bustle, words)
    residents = people.per_km2 * land.area_m2 / 1e6
    graph, number = cell_graph(seed, land, barriers, residents)
    grids = draw_grids(graph, draw_towns(graph, land, facts), land, facts)
    links = draw_links(seed, land, people, barriers, words)
    corner = settle_corners(seed, land.lattice, barriers, number, grids)
    middle = settle_middles(seed, land, links, corner)
    shape = shape_of(land.lattice, corner, middle)
    net = build_net(seed, land.lattice, shape, corner, links, barriers)
    cells = list_cells(land, people.per_km2, links, barriers, shape)
    is_urban = np.array([one.kind == "居委会" for one in grids.committees])
    houses = build_houses(seed, scale, cells, grids.committee.label, is_urban, facts.residents)
    setting = Setting(seed, scale, today, cells, graph, grids, houses)
    layers = {
        **_area_layers(seed, cell_polygons(shape, number), grids, houses, facts),
        **_line_layers(shape, barriers, net),
        "residential_area": _residential_areas(houses),
        **point_layers(setting),
    }
    ground = cells.is_ground
    report = measure(
        layers,
        Ground(
            to_lonlat(cells.heart[ground]), cells.area_m2[ground], grids.town.label[ground],
            grids.committee.label[ground],
        ),
        to_lonlat(people.centres),
        facts,
    )  # fmt: skip
    return Demo(layers, write_chronicle(seed, layers, today), report, seed, scale, today)


def _area_layers(
    seed: int, polygons: np.ndarray, grids: Grids, houses: Houses, facts: Facts
) -> dict[str, gpd.GeoDataFrame]:
    rng = stream(seed, "duties")
    area = {
        name: union_by(polygons, division.label, len(division.codes))
        for name, division in (
            ("micro_grid", grids.micro_grid), ("police_grid", grids.police_grid), ("committee", grids.committee),
            ("governance_grid", grids.governance_grid), ("police_beat", grids.police_beat),
            ("police_station", grids.police_station), ("town", grids.town),
        )
    }  # fmt: skip
    whole = union_by(polygons, np.zeros(len(polygons), dtype=np.int64), 1)

    def homes(division_label: np.ndarray, count: int) -> np.ndarray:
        return np.bincount(division_label[houses.cell], houses.households, count).astype(np.int64)

    def basic(name: str, **fields: object) -> gpd.GeoDataFrame:
        division = getattr(grids, name)
        return frame(division.codes, division.names, area[name], **fields)

    beats, patrols = len(grids.police_beat.codes), len(grids.police_grid.codes)
    governed, micro = len(grids.governance_grid.codes), len(grids.micro_grid.codes)
    beat_of = np.zeros(patrols, dtype=np.int64)
    beat_of[grids.police_grid.label] = grids.police_beat.label
    micro_homes = homes(grids.micro_grid.label, micro)
    micro_count = np.bincount(grids.micro_grid.parent, minlength=governed)
    return {
        "district": frame([facts.division_code], [DISTRICT_NAME], whole, area_km2=_km2(whole)),
        "town": basic("town", area_km2=_km2(area["town"])),
        "committee": basic("committee", kind=[one.kind for one in grids.committees]),
        "police_station": basic(
            "police_station",
            town_code=[grids.town.codes[k] for k in grids.police_station.parent],
            duty_phone=None,
        ),
        "police_beat": basic(
            "police_beat", officer_count=rng.integers(1, 4, beats), auxiliary_count=rng.integers(2, 9, beats)
        ),
        "police_grid": basic(
            "police_grid",
            beat_code=[grids.police_beat.codes[k] for k in beat_of],
            community_officer=[f"示例民警{k + 1:02d}" for k in beat_of],
            auxiliary_count=rng.integers(0, 5, patrols),
            household_count=homes(grids.police_grid.label, patrols),
        ),
        "governance_grid": basic(
            "governance_grid",
            grid_worker_count=np.maximum(micro_count // 2, 1) + rng.integers(0, 3, governed),
            sector_leader_count=1 + micro_count // 6,
        ),
        "micro_grid": basic(
            "micro_grid", household_leader_count=np.maximum(micro_homes // 40, 1), household_count=micro_homes
        ),
    }


def _km2(polygons: np.ndarray) -> list[float]:
    metric = gpd.GeoSeries(polygons, crs="EPSG:4326").to_crs(METRIC_CRS)
    return [round(float(one) / 1e6, 2) for one in metric.area]


def _line_layers(shape: Shape, barriers: Barriers, net: Net) -> dict[str, gpd.GeoDataFrame]:
    class_ = np.array([edge.class_ for edge in net.edges])
    is_path, is_motorway = class_ == RoadClass.PATH, class_ == RoadClass.MOTORWAY
    roads = frame(
        numbered("RD", len(net.edges), 5),
        [edge.name for edge in net.edges],
        net.lines(),
        **{"class": [edge.class_.name.lower() for edge in net.edges]},
        oneway=np.array([edge.is_one_way for edge in net.edges]),
        speed_kmh=np.array([float(edge.speed_kmh) for edge in net.edges]),
        foot=~is_motorway,
        ebike=~is_motorway,
        car=~is_path,
    )
    return {"road": roads, "barrier": _barriers(shape, barriers, net), "crossing": _crossings(net)}


def _barriers(shape: Shape, barriers: Barriers, net: Net) -> gpd.GeoDataFrame:
    parts = barrier_parts(shape, barriers, net.crossings)
    kept = sorted(parts)
    lines = [barriers.lines[number - 1] for number in kept]
    return frame(
        numbered("ZG", len(kept), 4),
        [line.name for line in lines],
        [shapely.line_merge(shapely.MultiLineString(parts[number])) for number in kept],
        kind=[line.rank.kind for line in lines],
        blocks_foot=True,
        blocks_ebike=True,
        blocks_car=True,
        width_m=[float(line.width_m) for line in lines],
    )


def barrier_parts(shape: Shape, barriers: Barriers, crossings: list[Crossing]) -> dict[int, list[Floats]]:
    """Per barrier number its sides as points in degrees; where a road crosses, the crossing is one of them."""
    on_side: dict[tuple[bool, int, int], list[Floats]] = {}
    for crossing in crossings:
        on_side.setdefault(crossing.side, []).append(crossing.point)
    parts: dict[int, list[Floats]] = {}
    for is_upright, numbers in ((False, barriers.number_x), (True, barriers.number_y)):
        for i, j in np.argwhere(numbers).tolist():
            start = shape.corner[i, j]
            end = shape.corner[i, j + 1] if is_upright else shape.corner[i + 1, j]
            between = on_side.get((is_upright, i, j), [])
            between = sorted(between, key=lambda point, start=start: float(((point - start) ** 2).sum()))
            parts.setdefault(int(numbers[i, j]), []).append(np.array([start, *between, end]))
    return parts


_CROSSING_KINDS = {
    Rank.RAILWAY: {RoadClass.PATH: "footbridge", RoadClass.RESIDENTIAL: "level_crossing",
                   RoadClass.TERTIARY: "level_crossing"},
    Rank.MOTORWAY: {RoadClass.PATH: "footbridge"},
}  # fmt: skip


def _crossings(net: Net) -> gpd.GeoDataFrame:
    def kind(crossing: Crossing) -> str:
        over_water = crossing.rank.kind == "water"
        if over_water:
            return "footbridge" if crossing.road is RoadClass.PATH else "bridge"
        return _CROSSING_KINDS[crossing.rank].get(crossing.road, "tunnel")

    noun = {"bridge": "桥", "footbridge": "人行桥", "tunnel": "通道", "level_crossing": "道口"}
    kinds = [kind(one) for one in net.crossings]
    is_motorway = np.array([one.road is RoadClass.MOTORWAY for one in net.crossings])
    is_path = np.array([one.road is RoadClass.PATH for one in net.crossings])
    return frame(
        numbered("QL", len(kinds), 4),
        [f"{one.road_name}{one.barrier_name}{noun[k]}" for one, k in zip(net.crossings, kinds, strict=True)],
        points([one.point for one in net.crossings]),
        kind=kinds,
        foot=~is_motorway,
        ebike=~is_motorway,
        car=~is_path,
    )


def _residential_areas(houses: Houses) -> gpd.GeoDataFrame:
    estates, villages = np.cumsum(houses.is_estate), np.cumsum(~houses.is_estate)
    return frame(
        numbered("JZ", len(houses.cell), 5),
        [
            f"示范小区{a:03d}" if estate else f"示范村宅{b:03d}"
            for estate, a, b in zip(houses.is_estate, estates, villages, strict=True)
        ],
        houses.footprint,
        kind=np.where(houses.is_estate, "小区", "村宅").tolist(),
        population=houses.population,
        household_count=houses.households,
        elder_count=houses.elders,
    )
