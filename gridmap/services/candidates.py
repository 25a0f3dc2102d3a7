"""Candidate sites: where a point could stand, and how such places compare for the residents (视频选址)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gridmap.analysis.coverage import line_cost
from gridmap.domain.crs import from_metric, xy_in_metres
from gridmap.domain.elements import time_text
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput, TooLarge
from gridmap.services import access, situations
from gridmap.services.coverage import number
from gridmap.services.district import District
from gridmap.services.membership import grid_codes, representative_points
from gridmap.services.questions import Question
from gridmap.services.situations import Situation
from gridmap.services.snapshots import Snapshot

Floats = NDArray[np.float64]

ROADS, GRID = "roads", "grid"
MOST_SITES = 3_000
MOST_COMPARED = 200
_SPACING_M = 600.0
_MOST_GENERATED = 2_000
_SCHOOL = "学校幼儿园"
_PREMISES = "premises"
_SMALL = 5
_SITES_AT_ONCE = 128


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Places where a point could stand: parallel arrays. `cost` is what each would cost, NaN where unknown."""

    id: tuple[str | None, ...]
    name: tuple[str, ...]
    lonlat: Floats
    xy: Floats
    cost: Floats

    def __len__(self) -> int:
        return len(self.id)


def from_source(
    district: District, user: User, situation: Situation, source: str, *, cost_field: str | None = None
) -> Sites:
    """
    Candidates from a layer, or made: `roads` (nodes of the road network, thinned out) or `grid` (a lattice of
    points), inside the district.

    Raises
    ------
    NotFound, PermissionDenied, InvalidInput (none), TooLarge (more than 3,000)
    """
    if source == ROADS:
        return _generated(situation, _thinned(_inside(situation, _nodes(situation)), _SPACING_M))
    if source == GRID:
        return _generated(situation, _lattice(situation))
    layer = district.catalogue.layer(source)
    access.require_sight(district, user, layer)
    rows = Snapshot(district, [source]).rows(source)
    if len(rows) == 0:
        raise InvalidInput(
            f"layer {source} has no elements to choose sites from",
            zh=f"候选点图层“{layer.title}”没有数据,请先导入,或改用道路节点生成候选点。",
        )
    if len(rows) > MOST_SITES:
        raise TooLarge(
            f"{len(rows)} candidates are more than {MOST_SITES}",
            zh=f"候选点过多({len(rows):,} 个,上限 {MOST_SITES:,} 个),请缩小范围。",
        )
    lonlat = shapely.get_coordinates(representative_points(rows.geometry))
    cost = np.full(len(rows), np.nan)
    if cost_field is not None:
        layer.field(cost_field)
        cost = rows.numbers(cost_field)
    names = tuple(name or code or "" for name, code in zip(rows.name, rows.code, strict=True))
    return Sites(tuple(rows.id), names, lonlat, xy_in_metres(*lonlat.T, situation.crs), cost)


def _nodes(situation: Situation) -> Floats:
    if situation.network is None:
        raise InvalidInput(
            "candidates from roads need a mode of travel; use grid or a layer",
            zh="按直线距离计算时不能用道路节点作候选点,请改用网格布点(grid)或候选点图层。",
        )
    return situation.network.graph.node_xy


def _inside(situation: Situation, xy: Floats) -> Floats:
    area = situation.boundary
    shapely.prepare(area)
    return xy[shapely.contains_xy(area, xy[:, 0], xy[:, 1])]


def _thinned(xy: Floats, spacing: float) -> Floats:
    """One place per square of a lattice; wider squares where that leaves too many."""
    while len(xy):
        square = np.floor(xy / spacing).astype(np.int64)
        _, first = np.unique(square, axis=0, return_index=True)
        if len(first) <= _MOST_GENERATED:
            return xy[np.sort(first)]
        spacing *= 1.2
    return xy


def _lattice(situation: Situation) -> Floats:
    west, south, east, north = situation.boundary.bounds
    area = shapely.area(situation.boundary)
    step = max(_SPACING_M, math.sqrt(area / _MOST_GENERATED))
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    return _inside(situation, np.stack([x.ravel(), y.ravel()], axis=1))


def _generated(situation: Situation, xy: Floats) -> Sites:
    if len(xy) == 0:
        raise InvalidInput("no candidate lies in the district", zh="辖区内没有可用的候选点。")
    shown = from_metric(shapely.points(xy), situation.crs)
    lonlat = np.round(shapely.get_coordinates(shown), 6)
    return Sites(
        (None,) * len(xy),
        tuple(f"候选点 {at + 1}" for at in range(len(xy))),
        lonlat,
        xy_in_metres(*lonlat.T, situation.crs),
        np.full(len(xy), np.nan),
    )


def listed(situation: Situation, places: Any) -> Sites:
    """Candidates that somebody lists: `[{"lon", "lat", "name", "cost"}]`; raises InvalidInput."""
    if not isinstance(places, Sequence) or isinstance(places, str) or not 0 < len(places) <= MOST_COMPARED:
        raise InvalidInput(
            f"list 1 to {MOST_COMPARED} candidates", zh=f"请列出 1 至 {MOST_COMPARED} 个候选点。"
        )
    rows = [_place(at, one) for at, one in enumerate(places)]
    lonlat = np.array([one[:2] for one in rows], dtype=np.float64)
    xy = xy_in_metres(*lonlat.T, situation.crs)
    if not np.isfinite(xy).all():
        raise InvalidInput("a candidate is outside the projection", zh="有候选点超出投影范围,请检查坐标。")
    cost = np.array([math.nan if one[3] is None else one[3] for one in rows], dtype=np.float64)
    return Sites((None,) * len(rows), tuple(one[2] for one in rows), lonlat, xy, cost)


def _place(at: int, one: Any) -> tuple[float, float, str, float | None]:
    if isinstance(one, Mapping):
        lon, lat, name, cost = (
            one.get("lon"),
            one.get("lat"),
            one.get("name") or f"候选点 {at + 1}",
            one.get("cost"),
        )
        numbers = [each for each in (lon, lat) if type(each) in (int, float) and math.isfinite(each)]
        is_cost = cost is None or (type(cost) in (int, float) and math.isfinite(cost))
        if len(numbers) == 2 and abs(lon) <= 180 and abs(lat) <= 90 and isinstance(name, str) and is_cost:  # type: ignore[arg-type]
            return float(lon), float(lat), name[:60], cost  # type: ignore[arg-type]
    raise InvalidInput(
        f"candidate {at} needs lon and lat in degrees",
        zh=f"第 {at + 1} 个候选点的经纬度、名称或费用有误。",
        index=at,
    )


def site_cost(
    situation: Situation,
    sites: Sites,
    *,
    limit: float = math.inf,
    ready_s: float = 0.0,
    tell: Callable[[float], None] | None = None,
) -> Floats:
    """
    (n demand, sites) cost, as `Situation.cost` has it for points; `inf` beyond the limit.

    `ready_s` is added where readiness counts; `tell` hears the share that is done.
    """
    if situation.network is None:
        return line_cost(situation.demand.xy, sites.xy)
    made = situation.network
    snap, result = made.snap(sites.xy), np.empty((len(situation.demand.xy), len(sites)))
    for start in range(0, len(sites), _SITES_AT_ONCE):
        part = np.arange(start, min(start + _SITES_AT_ONCE, len(sites)))
        found = made.graph.point_cost(
            snap.take(part), situation.demand_snap, limit=limit, direction=situation.direction,
            off_road_mps=made.off_road_mps,
        )  # fmt: skip
        result[:, part] = found.T
        if tell is not None:
            tell((int(part[-1]) + 1) / len(sites))
    return result + ready_s


def typical_ready(situation: Situation) -> float:
    """Seconds a new point needs to get ready: the middle of today's, where they count."""
    if not situation.question.has_readiness or len(situation.points) == 0:
        return 0.0
    return float(np.median(situation.points.ready_s))


def compared(
    district: District,
    user: User,
    question: Question,
    places: Any,
    *,
    cost_field: str | None = None,
    school: str = _SCHOOL,
) -> dict[str, Any]:
    """
    Candidate sites in a table, the one that gains most people first.

    Per site: `within` (people inside the threshold), `gained` (of them, covered by nobody today), `nearer`
    (people for whom it would be nearer than today's nearest), `mean_saved` (cost each of those saves),
    `farthest` (the cost of the farthest resident who would come), `school_m` (straight metres to the nearest
    school), `nearest` (the nearest point of today), `cost`, `per_cost` (people gained per unit of cost).

    Parameters
    ----------
    places : a list of places (see `listed`), or the name of a source (see `from_source`)
    """
    situation, snapshot = situations.prepared(district, user, question)
    if isinstance(places, str):
        sites = from_source(district, user, situation, places, cost_field=cost_field)
        if len(sites) > MOST_COMPARED:
            raise TooLarge(
                f"{len(sites)} candidates are more than {MOST_COMPARED} to compare",
                zh=f"候选点过多({len(sites):,} 个),一次最多比较 {MOST_COMPARED} 个;请先用选址求解。",
            )
    else:
        sites = listed(situation, places)
    cost = site_cost(situation, sites, ready_s=typical_ready(situation))
    weight, near = situation.cover.weight, situation.cover.near
    today = near.cost[:, 0]
    within = cost <= situation.threshold
    is_new = within & ~situation.cover.is_covered[:, None]
    nearer = cost < today[:, None]
    schools = _schools(district, user, situation, school)
    grids = grid_codes(situation.groups.area, situation.groups.code, shapely.points(sites.xy))
    is_near = (
        np.ones(len(sites), bool)
        if situation.network is None
        else situation.network.snap(sites.xy).is_snapped
    )
    small = not user.may(Permission.VIEW_SENSITIVE)

    def people(mask: NDArray[np.bool_]) -> float | None:
        found = float(weight[mask].sum())
        return None if small and 0 < found < _SMALL else number(found)

    rows = []
    for at in range(len(sites)):
        coming = nearer[:, at] & (weight > 0)
        had_one = coming & np.isfinite(today)
        saved = weight[had_one] @ (today[had_one] - cost[had_one, at]) if had_one.any() else 0.0
        gained = people(is_new[:, at])
        price = float(sites.cost[at])
        rows.append(
            {
                "index": at,
                "id": sites.id[at],
                "name": sites.name[at],
                "lon": float(sites.lonlat[at, 0]),
                "lat": float(sites.lonlat[at, 1]),
                "is_on_network": bool(is_near[at]),
                "grid_code": grids[at],
                "within": people(within[:, at]),
                "gained": gained,
                "nearer": people(nearer[:, at]),
                "mean_saved": number(float(saved / weight[had_one].sum())) if had_one.any() else None,
                "farthest": number(float(cost[coming, at].max())) if coming.any() else None,
                "school_m": number(float(np.hypot(*(schools - sites.xy[at]).T).min()))
                if len(schools)
                else None,
                "nearest": _nearest(situation, sites.xy[at]),
                "cost": number(price),
                "per_cost": gained / price if gained is not None and price > 0 else None,
            }
        )
    rows.sort(key=lambda one: (-(one["gained"] or 0), -(one["within"] or 0), one["index"]))
    return {
        "question": question.document(),
        "method": situation.method(),
        "crs": f"EPSG:{situation.crs.to_epsg()}",
        "data_time": time_text(snapshot.data_time),
        "sequence": snapshot.sequence,
        "is_simulated": situation.is_simulated,
        "school": school if len(schools) else None,
        "candidates": rows,
    }


def _schools(district: District, user: User, situation: Situation, category: str) -> Floats:
    layers = {one.id: one for one in district.catalogue}
    if _PREMISES not in layers or not access.sees(user, layers[_PREMISES]):
        return np.zeros((0, 2))
    rows = Snapshot(district, [_PREMISES]).rows(_PREMISES)
    chosen = np.flatnonzero([one == category for one in rows.values("category")])
    if len(chosen) == 0:
        return np.zeros((0, 2))
    lonlat = shapely.get_coordinates(representative_points(rows.geometry[chosen]))
    return xy_in_metres(*lonlat.T, situation.crs)


def _nearest(situation: Situation, xy: Floats) -> dict[str, Any] | None:
    """The nearest active point of today by straight line."""
    if len(situation.active) == 0:
        return None
    away, at = cKDTree(situation.points.xy[situation.active]).query(xy)
    row = situation.active[int(at)]
    return {"id": situation.points.id[row], "name": situation.points.name[row], "line_m": float(away)}
