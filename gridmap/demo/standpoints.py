"""Where police and services stand, and what else is marked at a place: the point layers of the demo district."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import geopandas as gpd
import numpy as np

from gridmap.demo.chance import Floats, shares, smooth_noise, stream
from gridmap.demo.events import draw_incidents, draw_risks, utc_text
from gridmap.demo.frames import frame, numbered, points
from gridmap.demo.grids import Grids
from gridmap.demo.houses import Houses
from gridmap.demo.lattice import Indices
from gridmap.demo.partition import Graph, split
from gridmap.demo.places import Cells, anywhere, beside_road, pick_cells
from gridmap.demo.plane import to_lonlat
from gridmap.demo.roads import RoadClass
from gridmap.demo.words import choose

WORKSTATIONS = 40
_STATIONS_APART_M = 900.0
_OFFICES, _SAFE_HOUSES, _SERVICE_POINTS = 176, 400, 250
_PREMISES, _CARE_POINTS, _INCIDENTS, _RISKS = 2_500, 300, 5_000, 760

_PREMISES_SHARES = {
    "旅馆业": 0.07, "网吧": 0.03, "娱乐场所": 0.05, "物流寄递": 0.11, "危化品": 0.03, "加油站": 0.02,
    "学校幼儿园": 0.09, "医院": 0.03, "金融网点": 0.06, "商场市场": 0.15, "其他": 0.36,
}  # fmt: skip
_STRICT = {"危化品", "加油站", "学校幼儿园", "医院"}
_BUSINESS = {
    "党务": "党员报到、组织生活", "警务": "户籍、居住证、治安咨询", "事务": "社保、民政、残联", "服务": "便民维修、助餐、调解",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """What point layers are drawn from; `scale` shortens the long layers, never the workstations."""

    seed: int
    scale: float
    today: date
    cells: Cells
    graph: Graph
    grids: Grids
    houses: Houses

    def people(self) -> Floats:
        """Residents of each cell, about."""
        return self.cells.per_km2 * self.cells.area_m2 / 1e6

    def count(self, full: int) -> int:
        """`full` at this scale."""
        return max(round(full * self.scale), 10)

    def committee_name(self, cell: Indices) -> list[str]:
        """Name of the committee of each cell."""
        return [self.grids.committee.names[k] for k in self.grids.committee.label[cell]]

    def town_name(self, cell: Indices) -> list[str]:
        """Name of the town of each cell."""
        return [self.grids.town.names[k] for k in self.grids.town.label[cell]]


def point_layers(setting: Setting) -> dict[str, gpd.GeoDataFrame]:
    """All point layers but the crossings, by layer id."""
    return {
        "workstation": _workstations(setting),
        "police_office": _offices(setting),
        "safe_house": _safe_houses(setting),
        "service_point": _service_points(setting),
        "premises": _premises(setting),
        "care_point": _care_points(setting),
        "incident": _incidents(setting),
        "risk": _risks(setting),
    }


def _west_to_east(setting: Setting, group: Indices, cell: Indices) -> Indices:
    """`cell` ordered by group, then west to east."""
    return cell[np.lexsort((setting.cells.heart[cell, 0], group[cell]))]


def _workstations(setting: Setting) -> gpd.GeoDataFrame:
    """Forty stations, shared out to towns by people, at junctions of great roads; the thin country keeps its gaps."""
    cells, town = setting.cells, setting.grids.town.label
    rng = stream(setting.seed, "workstations")
    towns = len(setting.grids.town.codes)
    people = np.bincount(town, setting.people(), towns)
    counts = 1 + shares(WORKSTATIONS - towns, people)
    crowd = Graph(setting.graph.xy, setting.people() * cells.per_km2, *(_links(setting.graph)))
    part = split(crowd, town, counts)
    legs = (cells.road >= RoadClass.TERTIARY).sum(axis=0)
    is_junction = cells.by_car & (legs >= 3) & (cells.best_road >= RoadClass.SECONDARY)
    chosen: list[int] = []
    for k in range(WORKSTATIONS):
        own = np.flatnonzero(part == k)
        mass = crowd.mass[own] + 1e-9
        middle = (cells.heart[own] * mass[:, None]).sum(axis=0) / mass.sum() + 500.0 * (rng.random(2) - 0.5)
        able = own[is_junction[own]] if is_junction[own].any() else own[cells.by_car[own]]
        away = np.sqrt(((cells.heart[able] - middle) ** 2).sum(axis=1))
        for other in chosen:  # two stations at one town's border would be one too many
            near = np.sqrt(((cells.heart[able] - cells.heart[other]) ** 2).sum(axis=1)) < _STATIONS_APART_M
            away += np.where(near, 100_000.0, 0.0)
        chosen.append(int(able[np.argmin(away)]))
    cell = _west_to_east(setting, town, np.array(chosen))
    place = to_lonlat(
        cells.inside(cell, rng.integers(0, 4, len(cell)), np.full(len(cell), 0.3), np.full(len(cell), 0.3))
    )
    is_busy = people[town[cell]] / counts[town[cell]] > np.median(people / counts)
    officers = rng.integers(3, 6, len(cell)) + 2 * is_busy
    return frame(
        numbered("JWZ", WORKSTATIONS, 2),
        [f"示范警务站{k:02d}(模拟)" for k in range(1, WORKSTATIONS + 1)],
        points(place),
        opening_hours=np.where(is_busy | (rng.random(len(cell)) < 0.5), "24h", "day").tolist(),
        officer_count=officers,
        auxiliary_count=officers * rng.integers(2, 5, len(cell)),
        vehicle_count=rng.integers(1, 4, len(cell)),
        ebike_count=rng.integers(2, 8, len(cell)),
        readiness_minutes=rng.choice([1.0, 1.5, 2.0, 3.0], len(cell)),
        capacity=officers * 6_000,
        services=choose(
            rng,
            ("接处警、巡逻、户籍、出入境、车驾管、调解", "接处警、巡逻、户籍、调解", "接处警、巡逻、调解"),
            (2, 4, 3),
            len(cell),
        ),
        address=[f"{name}(模拟地址)" for name in setting.committee_name(cell)],
        duty_phone=None,
    )


def _links(graph: Graph) -> tuple[Indices, Indices, Indices]:
    return graph.a, graph.b, graph.cost


def _offices(setting: Setting) -> gpd.GeoDataFrame:
    """One police office in each of the most populous committees, near where its people are."""
    cells, committee = setting.cells, setting.grids.committee.label
    rng = stream(setting.seed, "offices")
    count = len(setting.grids.committee.codes)
    people = setting.people()
    total = np.bincount(committee, people, count)
    middle = np.stack(
        [np.bincount(committee, people * cells.heart[:, k], count) / total for k in range(2)], axis=1
    )
    able = np.flatnonzero(cells.by_car)
    gap = ((cells.heart[able] - middle[committee[able]]) ** 2).sum(axis=1)
    nearest = able[np.lexsort((gap, committee[able]))]
    first = nearest[np.unique(committee[nearest], return_index=True)[1]]
    top = np.sort(np.argsort(-total[committee[first]], kind="stable")[:_OFFICES])
    cell = first[top]
    return frame(
        numbered("JWS", len(cell), 3),
        [
            f"{name.removesuffix('居委会').removesuffix('村委会')}警务室(模拟)"
            for name in setting.committee_name(cell)
        ],
        points(beside_road(rng, cells, cell)),
        opening_hours=choose(rng, ("24h", "day"), (1, 4), len(cell)),
        officer_count=rng.integers(1, 4, len(cell)),
        has_mediation_room=rng.random(len(cell)) < 0.6,
        duty_phone=None,
    )


def _safe_houses(setting: Setting) -> gpd.GeoDataFrame:
    rng = stream(setting.seed, "safe houses")
    cells = setting.cells
    cell = pick_cells(rng, cells, setting.count(_SAFE_HOUSES), cells.per_km2)
    cell = _west_to_east(setting, setting.grids.committee.label, cell)
    host = choose(rng, ("小区门卫", "商铺", "企业", "医院", "学校", "其他"), (38, 28, 16, 4, 7, 7), len(cell))
    return frame(
        numbered("PAW", len(cell), 3),
        [f"示范平安屋{k:03d}" for k in range(1, len(cell) + 1)],
        points(beside_road(rng, cells, cell)),
        host=host,
        opening_hours=[
            "24h" if one in ("小区门卫", "医院") or late < 0.4 else "day"
            for one, late in zip(host, rng.random(len(cell)), strict=True)
        ],
        is_alliance_member=[
            one in ("商铺", "企业") and joined < 0.7
            for one, joined in zip(host, rng.random(len(cell)), strict=True)
        ],
    )


def _service_points(setting: Setting) -> gpd.GeoDataFrame:
    rng = stream(setting.seed, "service points")
    cells = setting.cells
    cell = pick_cells(rng, cells, setting.count(_SERVICE_POINTS), cells.per_km2)
    cell = _west_to_east(setting, setting.grids.committee.label, cell)
    family = choose(rng, tuple(_BUSINESS), (20, 25, 25, 30), len(cell))
    return frame(
        numbered("FWD", len(cell), 3),
        [
            f"示范{one}服务点{k:03d}" if one != "服务" else f"示范便民服务点{k:03d}"
            for k, one in enumerate(family, 1)
        ],
        points(beside_road(rng, cells, cell)),
        family=family,
        business=[_BUSINESS[one] for one in family],
        opening_hours=choose(rng, ("24h", "day"), (1, 6), len(cell)),
    )


def _premises(setting: Setting) -> gpd.GeoDataFrame:
    """Premises and trades: thick in town centres and along greater roads."""
    rng = stream(setting.seed, "premises")
    cells = setting.cells
    along = np.where(cells.best_road >= RoadClass.TERTIARY, 3.0, 1.0)
    cell = pick_cells(rng, cells, setting.count(_PREMISES), cells.per_km2 * along)
    cell = _west_to_east(setting, setting.grids.committee.label, cell)
    category = choose(rng, tuple(_PREMISES_SHARES), tuple(_PREMISES_SHARES.values()), len(cell))
    is_strict = np.array([one in _STRICT for one in category])
    draw = rng.random(len(cell))
    grade = np.where(draw < np.where(is_strict, 0.45, 0.06), "一级", np.where(draw < 0.55, "二级", "三级"))
    return frame(
        numbered("CS", len(cell), 5),
        [f"示范{one}{k:04d}" for k, one in enumerate(category, 1)],
        points(beside_road(rng, cells, cell)),
        category=category,
        grade=grade.tolist(),
        staff_count=(2 + 90 * rng.random(len(cell)) * rng.random(len(cell)) * rng.random(len(cell))).astype(
            np.int64
        ),
        is_key_unit=is_strict & (rng.random(len(cell)) < 0.5),
        address=[
            f"{town}{name}(模拟地址)"
            for town, name in zip(setting.town_name(cell), setting.committee_name(cell), strict=True)
        ],
    )


def _care_points(setting: Setting) -> gpd.GeoDataFrame:
    """Buildings to visit: places with a count, drawn from residential areas with many elders."""
    rng = stream(setting.seed, "care points")
    houses = setting.houses
    weight = np.zeros(len(setting.cells.i))
    weight[houses.cell] = houses.elders * np.where(houses.is_estate, 1.0, 1.6)
    cell = pick_cells(rng, setting.cells, setting.count(_CARE_POINTS), weight)
    cell = _west_to_east(setting, setting.grids.committee.label, cell)
    return frame(
        numbered("GAD", len(cell), 3),
        [f"示范关爱点{k:03d}" for k in range(1, len(cell) + 1)],
        points(beside_road(rng, setting.cells, cell)),
        kind=choose(rng, ("高龄独居", "留守", "残障", "其他"), (55, 22, 16, 7), len(cell)),
        care_count=1 + (14 * rng.random(len(cell)) * rng.random(len(cell))).astype(np.int64),
    )


def _hot_spots(setting: Setting, purpose: str) -> Floats:
    """Weight per cell: people and trade, gathered in hot spots."""
    cells = setting.cells
    heat = smooth_noise(stream(setting.seed, purpose), 1_100.0, cells.heart[:, 0], cells.heart[:, 1])
    heat = np.maximum(heat + 0.9, 0.08)
    greater = np.where(cells.best_road >= RoadClass.TERTIARY, 2.0, 1.0)
    return setting.people() * heat * heat * heat * greater * cells.by_car


def _incidents(setting: Setting) -> gpd.GeoDataFrame:
    """A year of incidents; several may fall into one cell."""
    rng = stream(setting.seed, "incidents")
    incidents = draw_incidents(rng, setting.count(_INCIDENTS), setting.today)
    bounds = np.cumsum(_hot_spots(setting, "hot spots"))
    draw = np.searchsorted(bounds / bounds[-1], rng.random(len(incidents.at)), side="right")
    cell = np.minimum(draw, len(bounds) - 1)
    codes, of_day = [], {}
    for at in incidents.at:
        of_day[at.date()] = of_day.get(at.date(), 0) + 1
        codes.append(f"JQ{at:%Y%m%d}{of_day[at.date()]:03d}")
    return frame(
        codes,
        [f"示范警情{k:05d}({one})" for k, one in enumerate(incidents.category, 1)],
        points(anywhere(rng, setting.cells, cell)),
        category=incidents.category,
        occurred_at=[utc_text(at) for at in incidents.at],
        is_settled=incidents.is_settled,
        note="模拟警情",
    )


def _risks(setting: Setting) -> gpd.GeoDataFrame:
    rng = stream(setting.seed, "risks")
    risks = draw_risks(rng, setting.count(_RISKS), setting.today)
    cell = pick_cells(rng, setting.cells, len(risks.grade), _hot_spots(setting, "troubles"))
    cell = cell[rng.permutation(len(cell))]
    return frame(
        numbered("FX", len(cell), 5),
        [f"示范风险{k:03d}({one})" for k, one in enumerate(risks.category, 1)],
        points(beside_road(rng, setting.cells, cell)),
        category=risks.category,
        grade=risks.grade,
        state=risks.state,
        handling_level=risks.handling_level,
        reported_on=[day.isoformat() for day in risks.reported_on],
        deadline_on=[day.isoformat() for day in risks.deadline_on],
        note=[f"模拟风险:{one},附着于地点" for one in risks.category],
    )
