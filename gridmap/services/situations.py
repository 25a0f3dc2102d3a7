"""A question on the data of one commit, as arrays: points, demand, groups, and the cost between them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from gridmap.analysis.coverage import Coverage, coverage, line_cost
from gridmap.analysis.network import Direction
from gridmap.analysis.snapping import Snap
from gridmap.domain.crs import to_metric, xy_in_metres
from gridmap.domain.layers import FieldClass, FieldType, Layer
from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import Add, Block, Bridge, Close, Move
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.membership import grid_codes, representative_points
from gridmap.services.networks import LAYERS, SNAP_M, Network, crs_of, network
from gridmap.services.questions import Heading, Question, Travel, cost_text, is_open
from gridmap.services.snapshots import Rows, Shelf, Snapshot
from gridmap.storage import scenarios as stored

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]
Objects = NDArray[np.object_]

_TOWN, _DISTRICT = "town", "district"
_situations = Shelf(10)
_places = Shelf(12)
_ways = Shelf(10)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """
    The points of a question: stored ones by code, then those that a scenario adds. Parallel arrays.

    `is_active` ones count; the others are closed by the scenario or not open at the time asked for.
    `change` is None, `moved`, `added` or `closed`. `ready_s` are seconds to get ready.
    """

    id: Objects
    code: Objects
    name: Objects
    lonlat: Floats
    xy: Floats
    officers: Floats
    ready_s: Floats
    capacity: Floats
    hours: Objects
    address: Objects
    services: Objects
    change: Objects
    is_active: Flags

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Where people are: parallel arrays. `weight` are people, or 1 for each element (`unit`: 人 or 个)."""

    id: Objects
    lonlat: Floats
    xy: Floats
    weight: Floats
    unit: str
    field: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """
    Grids by code, and the one of each demand point (-1: none).

    `area` are their polygons in metres.
    """

    layer: Layer
    code: Objects
    name: Objects
    area: Objects
    of_demand: Ints
    key: Hashable

    def __len__(self) -> int:
        return len(self.code)


class Ways:
    """
    Costs between points, demand and nodes, whatever the threshold and the grids: what is dear to compute.

    Columns are the active points, `ready` their seconds to get ready where those count.
    """

    def __init__(
        self, made: Network | None, direction: Direction, xy: Floats, ready: Floats, demand_xy: Floats
    ) -> None:
        self.network, self.direction, self.xy, self.ready, self.demand_xy = (
            made,
            direction,
            xy,
            ready,
            demand_xy,
        )

    @cached_property
    def point_snap(self) -> Snap:
        assert self.network is not None
        return self.network.snap(self.xy)

    @cached_property
    def demand_snap(self) -> Snap:
        assert self.network is not None
        return self.network.snap(self.demand_xy)

    @property
    def cost(self) -> Floats:
        return self._costs[0]

    @property
    def between(self) -> Floats:
        return self._costs[1]

    @cached_property
    def _costs(self) -> tuple[Floats, Floats]:
        if self.network is None:
            cost, between = line_cost(self.demand_xy, self.xy), line_cost(self.xy, self.xy)
        else:
            # one search per point answers for demand and for the other points
            found = self.network.graph.point_cost(
                self.point_snap, _joined(self.demand_snap, self.point_snap), direction=self.direction,
                off_road_mps=self.network.off_road_mps,
            )  # fmt: skip
            n = len(self.demand_xy)
            cost = np.ascontiguousarray((found[:, :n] + self.ready[:, None]).T)
            between = found[:, n:].T.copy() if self.direction is Direction.TO_SOURCES else found[:, n:].copy()
        np.fill_diagonal(between, np.inf)
        return cost, between

    @cached_property
    def by_node(self) -> tuple[Floats, Ints]:
        assert self.network is not None
        return self.network.graph.nearest_to_points(
            self.point_snap,
            direction=self.direction,
            offset=self.ready,
            off_road_mps=self.network.off_road_mps,
        )


def _joined(first: Snap, second: Snap) -> Snap:
    return Snap(
        np.r_[first.edge, second.edge],
        np.r_[first.fraction, second.fraction],
        np.r_[first.offset_m, second.offset_m],
    )


class Situation:
    """
    Everything that figures of coverage are made from. Made by `prepare`.

    Columns of `cost` are the active points (`active` holds their rows in `points`).
    """

    def __init__(
        self,
        question: Question,
        snapshot: Snapshot,
        crs: CRS,
        points: Points,
        demand: Demand,
        groups: Groups,
        towns: Groups | None,
        made: Network | None,
        key: Hashable,
    ) -> None:
        self.question, self.crs, self.points, self.demand = question, crs, points, demand
        self.groups, self.towns, self.network, self.key = groups, towns, made, key
        self.is_simulated = any(
            snapshot.rows(one).is_simulated for one in layers_of(question, snapshot.district)
        )
        self.active: Ints = np.flatnonzero(points.is_active)
        self.threshold = question.within.amount
        self.unit = question.within.unit
        ready = points.ready_s if question.has_readiness else np.zeros(len(points))
        self.ready: Floats = ready[self.active]
        """Seconds before help leaves each active point; zero where they do not count."""
        self._boundary = (
            snapshot.rows(_DISTRICT).geometry if _has(snapshot.district, _DISTRICT) else np.zeros(0, object)
        )
        self._road_stamp = snapshot.stamps(*LAYERS) if made is not None else ()
        self.ways: Ways = _ways.of(snapshot.district).get(
            self._ways_key(snapshot),
            lambda: Ways(made, self.direction, points.xy[self.active], self.ready, demand.xy),
        )

    def _ways_key(self, snapshot: Snapshot) -> Hashable:
        question = self.question
        return (
            self.road_key, snapshot.stamps(question.points, question.demand), self.direction, question.points,
            question.demand, question.changes, question.has_readiness, self.active.tobytes(),
        )  # fmt: skip

    @property
    def direction(self) -> Direction:
        """The same as the engine says it, the points being its sources."""
        is_coming = self.question.heading is Heading.TO_POINT
        return Direction.TO_SOURCES if is_coming else Direction.FROM_SOURCES

    @property
    def road_key(self) -> Hashable:
        """What tells this network from any other of the store, changes included."""
        roads = tuple(one for one in self.question.changes if isinstance(one, Bridge | Block))
        return self._road_stamp, self.crs.to_epsg(), self.question.mode, self.unit, roads

    @property
    def point_snap(self) -> Snap:
        """Where the active points meet the network."""
        return self.ways.point_snap

    @property
    def demand_snap(self) -> Snap:
        """Where demand meets the network."""
        return self.ways.demand_snap

    @cached_property
    def point_is_near(self) -> Flags:
        """(active,) whether a point has a way to the network; always by straight line."""
        if self.network is None:
            return np.ones(len(self.active), bool)
        return self.point_snap.is_snapped

    @cached_property
    def demand_is_near(self) -> Flags:
        """(n,) the same of demand."""
        if self.network is None:
            return np.ones(len(self.demand.xy), bool)
        return self.demand_snap.is_snapped

    @property
    def cost(self) -> Floats:
        """(n demand, active points) seconds or metres, readiness included; `inf` without a way."""
        return self.ways.cost

    @property
    def between(self) -> Floats:
        """(active, active) cost from point to point, without readiness; `inf` to itself."""
        return self.ways.between

    @property
    def by_node(self) -> tuple[Floats, Ints]:
        """Per node of the network the cost of its nearest active point, readiness included, and which (-1: none)."""
        return self.ways.by_node

    @cached_property
    def cover(self) -> Coverage:
        """Who is covered."""
        return coverage(self.cost, self.demand.weight, self.threshold)

    @cached_property
    def boundary(self) -> shapely.Geometry:
        """
        The district in metres: its own layer, else what the grids cover.

        Raises
        ------
        InvalidInput
            There is neither.
        """
        if len(self._boundary):
            return shapely.union_all(to_metric(self._boundary, self.crs))
        if len(self.groups):
            return shapely.union_all(self.groups.area)
        raise InvalidInput(
            "there is no district boundary; import the layers district or police_grid first",
            zh="没有辖区边界,无法画出范围。请先导入“辖区”或网格图层。",
        )

    def warnings(self) -> list[str]:
        """What a reader of the figures has to know (Chinese)."""
        told, question = [], self.question
        if len(self.points) == 0:
            told.append("站点图层没有要素:所有需求都未被覆盖。")
        elif len(self.active) == 0:
            told.append("没有开放的站点:所有需求都未被覆盖。")
        if not self.demand.weight.sum() > 0:
            told.append("需求总数为 0:请检查需求图层的人口字段。")
        if self.network is not None:
            told += self._network_warnings()
        same = len(self.active) - len(np.unique(np.round(self.points.xy[self.active], 2), axis=0))
        if same:
            told.append(f"有 {same} 个站点与另一站点位置相同。")
        outside = float(self.demand.weight[self.groups.of_demand < 0].sum())
        if outside and len(self.groups):
            told.append(
                f"有 {outside:,.0f} {self.demand.unit}不在任何{self.groups.layer.title}内,单列为“不在网格内”。"
            )
        if question.has_readiness and not self.ready.any() and len(self.active):
            told.append("各站点的出警准备时间均为 0。")
        return told

    def _network_warnings(self) -> list[str]:
        told = []
        far = int((~self.point_is_near).sum())
        if far:
            told.append(f"有 {far} 个站点离道路超过 {SNAP_M:.0f} 米,不计入覆盖。")
        lost = ~self.demand_is_near
        if lost.any():
            people = self.demand.weight[lost].sum()
            told.append(
                f"有 {int(lost.sum())} 处需求({people:,.0f} {self.demand.unit})离道路超过 {SNAP_M:.0f} 米,按未覆盖计。"
            )
        if len(self.active):
            cut = ~np.isfinite(self.cover.near.cost[:, 0]) & self.demand_is_near
            if cut.any():
                people = self.demand.weight[cut].sum()
                told.append(
                    f"有 {int(cut.sum())} 处需求({people:,.0f} {self.demand.unit})沿路网到不了任何站点(路网不连通),按未覆盖计。"
                )
        return told

    def method(self) -> dict[str, Any]:
        """How the figures were made, for every place that shows one."""
        question = self.question
        way = "直线距离" if self.network is None else f"{question.mode.title}沿路网"
        ready = ",含出警准备时间" if question.has_readiness else ""
        direction = "" if self.network is None else f",{question.heading.title}"
        return {
            "mode_title": question.mode.title,
            "measure": "line" if self.network is None else "network",
            "unit": self.unit,
            "threshold": self.threshold,
            "within_text": question.within.chinese,
            "direction_title": question.heading.title,
            "has_readiness": question.has_readiness,
            "snap_m": SNAP_M,
            "demand_unit": self.demand.unit,
            "demand_field": self.demand.field,
            "sentence": f"{way}不超过 {question.within.chinese}{direction}{ready};恰在阈值上算覆盖。",
        }

    def cost_text(self, cost: float | None) -> str:
        """A cost as a person reads it."""
        return cost_text(cost, self.unit)


def _has(district: District, layer_id: str) -> bool:
    return any(one.id == layer_id for one in district.catalogue)


def layers_of(question: Question, district: District) -> list[str]:
    """The layers that the answer depends on."""
    found = [question.points, question.demand, question.by]
    found += [one for one in (_TOWN, _DISTRICT) if _has(district, one)]
    if question.mode is not Travel.LINE:
        found += LAYERS
    return list(dict.fromkeys(found))


def require(district: District, user: User, question: Question) -> None:
    """
    Pass when the user may ask this, and the layers are of the kinds it takes.

    Raises
    ------
    PermissionDenied, NotFound (no such layer), InvalidInput (`by` is no grid layer)
    """
    access.require(district, user, Permission.VIEW_COVERAGE, question.points)
    for layer_id in (question.points, question.demand, question.by):
        access.require_sight(district, user, district.catalogue.layer(layer_id))
    by = district.catalogue.layer(question.by)
    if not by.is_grid:
        raise InvalidInput(f"layer {by.id} is no grid layer", zh=f"“{by.title}”不是网格图层,不能按它汇总。")


def resolved(district: District, question: Question) -> Question:
    """The question with the changes of the stored scenario it names; raises NotFound."""
    if question.scenario is None:
        return question
    with district.database.read() as connection:
        found = stored.get(connection, question.scenario)
    if found is None:
        raise NotFound(
            f"there is no scenario {question.scenario}",
            zh="没有这个方案,可能已被删除。",
            scenario=question.scenario,
        )
    return replace(question, changes=(*found.changes, *question.changes))


def prepare(district: District, user: User, question: Question, *, sequence: int | None = None) -> Situation:
    """
    The situation that a question asks about, now or after commit `sequence`.

    Kept in memory until a layer that it depends on changes.

    Raises
    ------
    PermissionDenied, NotFound (layer, scenario, or a point that a change names), InvalidInput
    """
    return prepared(district, user, question, sequence=sequence)[0]


def prepared(
    district: District, user: User, question: Question, *, sequence: int | None = None
) -> tuple[Situation, Snapshot]:
    """As `prepare`, with the snapshot of the moment."""
    require(district, user, question)
    question = resolved(district, question)
    snapshot = Snapshot(district, layers_of(question, district), sequence)
    rows = snapshot.rows(question.points)
    hours = rows.values("opening_hours")
    at = question.open_at
    opened = tuple(at is None or is_open(one, at) for one in hours)
    stamps = snapshot.stamps(*layers_of(question, district))
    key = (stamps, replace(question, open_at=None, scenario=None), at is not None, opened)
    kept = _situations.of(district)
    return kept.get(key, lambda: _made(snapshot, question, np.array(opened, bool), key)), snapshot


def _made(snapshot: Snapshot, question: Question, opened: Flags, key: Hashable) -> Situation:
    crs = crs_of(snapshot, *dict.fromkeys([*_first(snapshot), question.demand, question.points]))
    points = _points(snapshot.rows(question.points), question, opened, crs)
    demand = _demand(snapshot, question, crs)
    made = None
    mode = question.mode.mode
    if mode is not None:
        made = network(
            snapshot, crs, mode, question.within.unit,
            bridges=[one for one in question.changes if isinstance(one, Bridge)],
            blocked=[one.id for one in question.changes if isinstance(one, Block)],
        )  # fmt: skip
    groups = _groups(snapshot, question.by, question.demand, crs)
    towns = _groups(snapshot, _TOWN, question.demand, crs) if _has(snapshot.district, _TOWN) else None
    return Situation(question, snapshot, crs, points, demand, groups, towns, made, key)


def _first(snapshot: Snapshot) -> list[str]:
    return [_DISTRICT] if _has(snapshot.district, _DISTRICT) else []


def _located(rows: Rows, crs: CRS) -> tuple[Floats, Floats]:
    """Longitude and latitude, and metres, of where each element counts as being."""
    if len(rows) == 0:
        return np.zeros((0, 2)), np.zeros((0, 2))
    lonlat = shapely.get_coordinates(representative_points(rows.geometry))
    return lonlat, xy_in_metres(*lonlat.T, crs)


def _points(rows: Rows, question: Question, opened: Flags, crs: CRS) -> Points:
    lonlat, xy = _located(rows, crs)
    lonlat = lonlat.copy()
    change = np.full(len(rows), None, dtype=object)
    row_of = {one: at for at, one in enumerate(rows.id.tolist())}
    active = opened.copy()
    added: list[Add] = []
    for one in question.changes:
        if isinstance(one, Move | Close):
            at = row_of.get(one.id)
            if at is None:
                raise NotFound(
                    f"there is no point {one.id} in layer {rows.layer.id}",
                    zh=f"方案涉及的{rows.layer.title}已不存在,请更新方案。",
                    element=one.id,
                )
            if isinstance(one, Move):
                lonlat[at], change[at] = (one.lon, one.lat), "moved"
            else:
                active[at], change[at] = False, "closed"
        elif isinstance(one, Add):
            added.append(one)
    if added:
        lonlat = np.vstack([lonlat, [(one.lon, one.lat) for one in added]])
    if added or (change == "moved").any():
        xy = xy_in_metres(*lonlat.T, crs)
        if not np.isfinite(xy).all():
            raise InvalidInput("a place is outside the projection", zh="有位置超出投影范围,请检查坐标。")
    names = {one.name for one in rows.layer.fields}
    supply = "officer_count" if "officer_count" in names else None
    default_ready = next(
        (float(one.default) for one in rows.layer.fields if one.name == "readiness_minutes" and one.default),
        0.0,
    )
    at = question.open_at
    return Points(
        id=_with(rows.id, [f"new-{number + 1}" for number in range(len(added))]),
        code=_with(rows.code, [None] * len(added)),
        name=_with(rows.name, [one.name or f"新增点 {number + 1}" for number, one in enumerate(added)]),
        lonlat=lonlat,
        xy=xy,
        officers=np.r_[
            rows.numbers(supply, 0.0) if supply else np.ones(len(rows)),
            [_typical(rows, supply) if one.officers is None else one.officers for one in added],
        ],
        ready_s=60.0
        * np.r_[
            rows.numbers("readiness_minutes", default_ready),
            [default_ready if one.readiness_minutes is None else one.readiness_minutes for one in added],
        ],
        capacity=np.r_[rows.numbers("capacity"), [np.nan] * len(added)],
        hours=_with(_objects(rows.values("opening_hours")), [one.opening_hours for one in added]),
        address=_with(_objects(rows.values("address")), [None] * len(added)),
        services=_with(_objects(rows.values("services")), [None] * len(added)),
        change=_with(change, ["added"] * len(added)),
        is_active=np.r_[
            active, np.array([at is None or is_open(one.opening_hours, at) for one in added], bool)
        ],
    )


def _typical(rows: Rows, supply: str | None) -> float:
    """What a new point has where nobody says: the middle of what the others have."""
    if supply is None or len(rows) == 0:
        return 1.0
    return float(np.median(rows.numbers(supply, 0.0)))


def _objects(values: list[Any]) -> Objects:
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def _with(first: Objects, more: list[Any]) -> Objects:
    return np.concatenate([first, _objects(more)]) if more else first


def weight_field(layer: Layer, asked: str | None) -> str | None:
    """
    The count that weighs a layer's demand; None where each element counts 1.

    Raises
    ------
    NotFound (no such field), InvalidInput (it is no count)
    """
    if asked is None:
        return "population" if any(one.name == "population" for one in layer.fields) else None
    field = layer.field(asked)
    if field.type not in (FieldType.INTEGER, FieldType.NUMBER) or field.field_class is not FieldClass.COUNT:
        raise InvalidInput(
            f"field {asked} of {layer.id} is no count", zh=f"字段“{field.title}”不是数量,不能作为需求。"
        )
    return asked


def _demand(snapshot: Snapshot, question: Question, crs: CRS) -> Demand:
    rows = snapshot.rows(question.demand)
    if len(rows) == 0:
        raise InvalidInput(
            f"layer {rows.layer.id} has no elements; import demand first",
            zh=f"需求图层“{rows.layer.title}”没有数据,无法计算覆盖。请先导入。",
            layer=rows.layer.id,
        )
    field = weight_field(rows.layer, question.demand_field)

    def make() -> Demand:
        lonlat, xy = _located(rows, crs)
        weight = np.ones(len(rows)) if field is None else rows.numbers(field, 0.0)
        wrong = np.flatnonzero(~(weight >= 0))
        if wrong.size:
            name = rows.code[wrong[0]] or rows.name[wrong[0]]
            raise InvalidInput(
                f"{field} of {rows.layer.id} {name} is negative or no number",
                zh=f"“{rows.layer.title}”{name} 的人口不是有效的非负数。",
            )
        unit = "个" if field is None else (rows.layer.field(field).unit or "人")
        return Demand(rows.id, lonlat, xy, weight, unit, field)

    key = ("demand", snapshot.stamps(question.demand), field, crs.to_epsg())
    return _places.of(snapshot.district).get(key, make)


def _groups(snapshot: Snapshot, layer_id: str, demand_id: str, crs: CRS) -> Groups:
    def make() -> Groups:
        rows = snapshot.rows(layer_id)
        has_code = np.flatnonzero([bool(one) for one in rows.code])
        lonlat, _ = _located(snapshot.rows(demand_id), crs)
        found = grid_codes(rows.geometry[has_code], rows.code[has_code], shapely.points(lonlat))
        place = {code: at for at, code in enumerate(rows.code[has_code].tolist())}
        of_demand = np.array([place.get(code, -1) for code in found], np.intp)
        area = to_metric(rows.geometry[has_code], crs) if len(has_code) else np.zeros(0, dtype=object)
        return Groups(rows.layer, rows.code[has_code], rows.name[has_code], area, of_demand, key)

    key = ("groups", snapshot.stamps(layer_id, demand_id), crs.to_epsg())
    return _places.of(snapshot.district).get(key, make)
