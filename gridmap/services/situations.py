"""A question on the data of one commit, as arrays: points, demand, groups, and the cost between them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from gridmap.analysis.coverage import Coverage, coverage, line_cost
from gridmap.analysis.network import Direction
from gridmap.analysis.snapping import Snap
from gridmap.domain.crs import to_metric
from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import Block, Bridge
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.networks import LAYERS, SNAP_M, Network, crs_of, network
from gridmap.services.places import (
    Demand,
    Flags,
    Floats,
    Groups,
    Ints,
    Points,
    demand_of,
    groups_of,
    points_of,
)
from gridmap.services.questions import Heading, Question, Travel, cost_text, is_open
from gridmap.services.snapshots import Shelf, Snapshot
from gridmap.storage import scenarios as stored

_TOWN, _DISTRICT = "town", "district"
_situations = Shelf(10)
_ways = Shelf(10)


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
    if question.demand_field not in (None, "population") and not user.may(Permission.VIEW_SENSITIVE):
        # two questions that differ by one place would tell its count
        raise access.refuse(
            district, user, "weigh by another count", question.demand, zh="您只能按人口或要素个数计算覆盖。"
        )
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
    points = points_of(snapshot.rows(question.points), question, opened, crs)
    demand = demand_of(snapshot, question, crs)
    made = None
    mode = question.mode.mode
    if mode is not None:
        made = network(
            snapshot, crs, mode, question.within.unit,
            bridges=[one for one in question.changes if isinstance(one, Bridge)],
            blocked=[one.id for one in question.changes if isinstance(one, Block)],
        )  # fmt: skip
    groups = groups_of(snapshot, question.by, question.demand, crs)
    towns = groups_of(snapshot, _TOWN, question.demand, crs) if _has(snapshot.district, _TOWN) else None
    return Situation(question, snapshot, crs, points, demand, groups, towns, made, key)


def _first(snapshot: Snapshot) -> list[str]:
    return [_DISTRICT] if _has(snapshot.district, _DISTRICT) else []
