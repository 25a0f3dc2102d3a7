"""
What points reach and what they leave, as polygons: reach with its bands, responsibility areas, gaps (死角).

Shapes are for the eye, true to about a cell of the travel-time raster; people are always counted from demand
points. A gap is one uncovered piece of one grid: demand beyond the threshold belongs to the nearest piece of
its own grid, so that gaps sum to everybody uncovered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridmap.analysis.areas import area_polygons
from gridmap.analysis.network import Direction
from gridmap.analysis.shapes import TravelRaster
from gridmap.analysis.snapping import Snap
from gridmap.domain.crs import from_metric
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import situations
from gridmap.services.coverage import hidden_rows, number
from gridmap.services.district import District
from gridmap.services.questions import Question, Within, parse_within
from gridmap.services.situations import Situation
from gridmap.services.snapshots import Shelf

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]

CELL_M = 50.0
SMALLEST_M2 = 10_000.0
"""Uninhabited pieces below a hectare are left out."""
MOST_BANDS = 6
_MOST_CELLS = 600_000
_CIRCLE_STEPS = 32
_PLACE_DIGITS = 6
_MARGIN_M = 1_500.0
"""Nodes this far from a grid still matter to its shapes: longer than an edge and a cell's way off the road."""
_rasters = Shelf(6)
_node_grids = Shelf(6)
_reaches = Shelf(500)
_gap_lists = Shelf(12)
_areas = Shelf(8)


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """
    One uncovered piece of a grid. `polygon` is in WGS 84; None figures are hidden or unknown.

    `worst` is the cost of the resident who is worst off (where nobody lives: of the middle of the piece) to
    `nearest`, their nearest point; `lon`, `lat` is that place.
    """

    rank: int
    polygon: shapely.Geometry
    people: float | None
    area_km2: float
    grid_code: str | None
    grid_name: str
    worst: float | None
    nearest: dict[str, Any] | None
    lon: float
    lat: float
    is_hidden: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON values, without the polygon."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "polygon"}


# --- what is reached --------------------------------------------------------------------------------------


def raster(district: District, situation: Situation) -> TravelRaster:
    """The travel-time raster of the situation's network and direction; seconds to make, then kept."""
    made = situation.network
    assert made is not None

    def make() -> TravelRaster:
        west, south, east, north = situation.boundary.bounds
        cell_m = max(CELL_M, math.sqrt((east - west) * (north - south) / _MOST_CELLS))
        return TravelRaster(
            made.graph, cell_m=cell_m, bounds=(west, south, east, north), off_road_mps=made.off_road_mps,
            direction=situation.direction, barriers=made.walls,
        )  # fmt: skip

    return _rasters.of(district).get(
        (situation.road_key, situation.direction, situation.boundary.bounds), make
    )


def reach_of(
    district: District,
    situation: Situation,
    xy: Floats,
    snap: Snap | None,
    ready: float,
    levels: Sequence[float],
) -> list[shapely.Geometry]:
    """What lies within each of `levels` of one place, in metres; empty where a level is used up getting ready."""
    if situation.network is None:
        center = shapely.Point(xy)
        # inscribed polygons: no corner lies beyond the radius
        return [center.buffer(level, quad_segs=_CIRCLE_STEPS) for level in levels]
    left = [level - ready for level in levels]
    usable = [one for one in left if one > 0]
    if snap is None or not snap.is_snapped[0] or not usable:
        return [shapely.Polygon()] * len(levels)
    made = situation.network
    by_node = made.graph.node_cost(
        snap, limit=max(usable), direction=situation.direction, off_road_mps=made.off_road_mps
    )[0]
    found = iter(raster(district, situation).reach(by_node, usable, snap))
    return [next(found) if one > 0 else shapely.Polygon() for one in left]


def reached(
    district: District, situation: Situation, by_node: Floats, sources: Snap | None, grids: Ints
) -> shapely.Geometry:
    """
    What is within the threshold on and around some grids, given every node's cost to its nearest point; metres.

    Only nodes near these grids are looked at: a few grids cost a few milliseconds.
    """
    made = situation.network
    assert made is not None
    if len(grids) < len(situation.groups):
        boxes = shapely.buffer(shapely.box(*shapely.bounds(situation.groups.area[grids]).T), _MARGIN_M)
        near = np.zeros(len(by_node), bool)
        xy = made.graph.node_xy
        for west, south, east, north in shapely.bounds(boxes):
            near |= (xy[:, 0] >= west) & (xy[:, 0] <= east) & (xy[:, 1] >= south) & (xy[:, 1] <= north)
        by_node = np.where(near, by_node, np.inf)
        if sources is not None:
            tail = made.graph.tail[np.where(sources.is_snapped, sources.edge, 0)]
            sources = sources.take(np.flatnonzero(sources.is_snapped & near[tail]))
    return raster(district, situation).reach(by_node, [situation.threshold], sources)[0]


def circles(situation: Situation) -> Shapes:
    """What the active points reach by straight line."""
    return shapely.buffer(
        shapely.points(situation.points.xy[situation.active]), situation.threshold, quad_segs=_CIRCLE_STEPS
    )


def node_grids(district: District, situation: Situation) -> Ints:
    """Per node of the network the grid it lies in, -1 for none."""
    made = situation.network
    assert made is not None

    def make() -> Ints:
        found = np.full(len(made.graph.node_xy), -1, np.intp)
        nodes = shapely.STRtree(shapely.points(made.graph.node_xy))
        grid, node = nodes.query(situation.groups.area, predicate="intersects")
        found[node] = grid
        return found

    return _node_grids.of(district).get((situation.road_key, situation.groups.key), make)


def _reach(
    district: District, situation: Situation, at: int, levels: Sequence[float]
) -> list[shapely.Geometry]:
    xy = situation.points.xy[situation.active[at]]
    snap = None if situation.network is None else situation.point_snap.take([at])
    return reach_of(district, situation, xy, snap, float(situation.ready[at]), levels)


# --- what is left -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Uncovered pieces in metres, the grid of each, and the piece of each uncovered demand point."""

    polygon: Shapes
    grid: Ints
    demand: Ints
    piece: Ints


def uncovered_pieces(
    situation: Situation, reached: Shapes, is_covered: NDArray[np.bool_], grids: Ints
) -> _Pieces:
    """
    The pieces of these grids that none of the polygons reaches.

    Every uncovered demand point of the grids gets a piece of its own grid: the nearest one, or a square of a
    cell's size where the shapes leave none.
    """
    parts = shapely.get_parts(reached[~shapely.is_empty(reached)]) if len(reached) else np.zeros(0, object)
    tree = shapely.STRtree(parts)
    polygons: list[Shapes] = []
    grid: list[Ints] = []
    demand: list[Ints] = []
    piece: list[Ints] = []
    missed = np.flatnonzero(~is_covered & (situation.demand.weight > 0))
    owner = situation.groups.of_demand[missed]
    count = 0
    for number_ in grids.tolist():
        area = situation.groups.area[number_]
        near = parts[tree.query(area, predicate="intersects")]
        left = shapely.difference(area, shapely.union_all(near)) if len(near) else area
        found = shapely.get_parts(left)
        found = found[shapely.get_dimensions(found) == 2]
        own = missed[owner == number_]
        if len(found) == 0 and len(own):
            found = _squares(situation, own, area)
        at = np.zeros(len(own), np.intp)
        if len(found) > 1 and len(own):
            places = shapely.points(situation.demand.xy[own])
            at = shapely.distance(places[:, None], found[None]).argmin(axis=1)
        keep = (shapely.area(found) >= SMALLEST_M2) | np.isin(np.arange(len(found)), at if len(own) else [])
        rank = np.cumsum(keep) - 1
        polygons.append(found[keep])
        grid.append(np.full(int(keep.sum()), number_, np.intp))
        demand.append(own)
        piece.append(count + rank[at])
        count += int(keep.sum())
    return _Pieces(
        np.concatenate([np.zeros(0, object), *polygons]),
        np.concatenate([np.zeros(0, np.intp), *grid]),
        np.concatenate([np.zeros(0, np.intp), *demand]),
        np.concatenate([np.zeros(0, np.intp), *piece]),
    )


def _squares(situation: Situation, demand: Ints, area: shapely.Geometry) -> Shapes:
    """A square around demand that the shapes take for reached although its own cost says otherwise."""
    squares = shapely.buffer(shapely.points(situation.demand.xy[demand]), CELL_M / 2, cap_style="square")
    found = shapely.get_parts(shapely.intersection(shapely.union_all(squares), area))
    return found[shapely.get_dimensions(found) == 2]


def described(
    district: District,
    situation: Situation,
    pieces: _Pieces,
    cost: Floats,
    nearest: Ints,
    *,
    sees_small: bool,
) -> list[Gap]:
    """
    The pieces as gaps, most people first, then largest.

    Parameters
    ----------
    cost, nearest : (n,) each demand point's cost to its nearest active point, and which (-1: none)
    """
    k = len(pieces.polygon)
    weight = situation.demand.weight
    people = np.bincount(pieces.piece, weight[pieces.demand], minlength=k).astype(np.float64)
    area = shapely.area(pieces.polygon) if k else np.zeros(0)
    worst_demand = np.full(k, -1, np.intp)
    order = np.argsort(cost[pieces.demand], kind="stable")
    worst_demand[pieces.piece[order]] = pieces.demand[order]  # the dearest is written last
    place = shapely.get_coordinates(shapely.point_on_surface(pieces.polygon)).reshape(k, 2)
    lived = worst_demand >= 0
    place[lived] = situation.demand.xy[worst_demand[lived]]
    worst, point = np.full(k, np.nan), np.full(k, -1, np.intp)
    worst[lived], point[lived] = cost[worst_demand[lived]], nearest[worst_demand[lived]]
    worst[~lived], point[~lived] = _cost_of_places(situation, place[~lived])
    hidden = np.zeros(k, bool)
    if not sees_small and k:
        uncovered = float(weight[cost > situation.threshold].sum())
        hidden = hidden_rows([np.r_[people, max(uncovered - people.sum(), 0.0)]])[0][:k]
    shown = from_metric(pieces.polygon, situation.crs) if k else []
    lonlat = from_metric(shapely.points(place), situation.crs) if k else []
    order = np.lexsort((-area, -people))
    return [
        Gap(
            rank=rank + 1,
            polygon=shown[at],
            people=None if hidden[at] else number(people[at]),
            area_km2=float(area[at] / 1e6),
            grid_code=situation.groups.code[pieces.grid[at]],
            grid_name=situation.groups.name[pieces.grid[at]],
            worst=number(float(worst[at])),
            nearest=_named(situation, int(point[at])),
            lon=round(lonlat[at].x, _PLACE_DIGITS),
            lat=round(lonlat[at].y, _PLACE_DIGITS),
            is_hidden=bool(hidden[at]),
        )
        for rank, at in enumerate(order.tolist())
    ]


def _named(situation: Situation, at: int) -> dict[str, Any] | None:
    if at < 0:
        return None
    row = situation.active[at]
    return {"id": situation.points.id[row], "name": situation.points.name[row]}


def _cost_of_places(situation: Situation, xy: Floats) -> tuple[Floats, Ints]:
    """Cost to the nearest active point of places where nobody lives, and which it is."""
    if len(xy) == 0 or len(situation.active) == 0:
        return np.full(len(xy), np.nan), np.full(len(xy), -1, np.intp)
    if situation.network is None:
        away = np.hypot(*(xy[:, None] - situation.points.xy[situation.active][None]).transpose(2, 0, 1))
        return away.min(axis=1), away.argmin(axis=1)
    made = situation.network
    graph = made.graph
    by_node, owner = situation.by_node
    snap = made.snap(xy)
    is_coming = situation.direction is Direction.TO_SOURCES
    turned = Direction.FROM_SOURCES if is_coming else Direction.TO_SOURCES
    by_tail, by_head = graph.end_costs(snap, direction=turned, off_road_mps=made.off_road_mps)
    edge = np.where(snap.is_snapped, snap.edge, 0)
    tail, head = graph.tail[edge], graph.head[edge]
    at_tail, at_head = by_node[tail] + by_tail, by_node[head] + by_head
    cost = np.minimum(at_tail, at_head)
    point = np.where(at_tail <= at_head, owner[tail], owner[head])
    return cost, np.where(np.isfinite(cost), point, -1)


def _all_reached(district: District, situation: Situation) -> Shapes:
    if situation.network is None:
        return circles(situation)
    sources = None if situation.ready.any() else situation.point_snap
    every = np.arange(len(situation.groups))
    return np.array([reached(district, situation, situation.by_node[0], sources, every)], dtype=object)


def ranked(district: District, user: User, situation: Situation) -> list[Gap]:
    """All gaps of a situation, most people first."""
    sees_small = user.may(Permission.VIEW_SENSITIVE)

    def make() -> list[Gap]:
        cover = situation.cover
        grids = np.arange(len(situation.groups))
        pieces = uncovered_pieces(situation, _all_reached(district, situation), cover.is_covered, grids)
        near = cover.near
        return described(
            district, situation, pieces, near.cost[:, 0], near.point[:, 0], sees_small=sees_small
        )

    if len(situation.groups) == 0:
        raise InvalidInput(
            f"layer {situation.question.by} has no grids to name gaps by",
            zh=f"“{situation.groups.layer.title}”图层没有网格,无法按网格列出死角。",
        )
    return _gap_lists.of(district).get((situation.key, sees_small), make)


# --- GeoJSON ----------------------------------------------------------------------------------------------


def feature(polygon: shapely.Geometry, properties: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON feature; coordinates to a tenth of a metre."""
    rounded = shapely.set_precision(polygon, 1e-6, mode="pointwise") if not polygon.is_empty else polygon
    return {"type": "Feature", "geometry": shapely.geometry.mapping(rounded), "properties": properties}


def _collection(
    situation: Situation, sequence: int, kind: str, features: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "kind": kind,
        "method": situation.method(),
        "crs": f"EPSG:{situation.crs.to_epsg()}",
        "sequence": sequence,
        "is_simulated": situation.is_simulated,
        "features": features,
    }


def gap_shapes(district: District, user: User, question: Question) -> dict[str, Any]:
    """All gaps as a GeoJSON feature collection, most people first."""
    situation, snapshot = situations.prepared(district, user, question)
    found = [feature(one.polygon, one.document()) for one in ranked(district, user, situation)]
    return _collection(situation, snapshot.sequence, "gaps", found)


def parse_bands(texts: Iterable[str], question: Question) -> list[Within]:
    """Thresholds of reach, rising; the question's own where there are none. Raises InvalidInput."""
    bands = [parse_within(one) for one in texts] or [question.within]
    if len(bands) > MOST_BANDS or any(one.unit != question.within.unit for one in bands):
        raise InvalidInput(
            f"bands must be at most {MOST_BANDS}, in the unit of the threshold",
            zh=f"分档最多 {MOST_BANDS} 档,且单位须与覆盖阈值一致。",
        )
    return sorted(bands, key=lambda one: one.amount)


def reach_shapes(
    district: District,
    user: User,
    question: Question,
    *,
    point: str | None = None,
    bands: Sequence[Within] = (),
) -> dict[str, Any]:
    """
    What one point (or each) reaches within each band, as GeoJSON; smaller bands lie inside larger ones.

    Raises
    ------
    NotFound
        No such point is active.
    """
    situation, snapshot = situations.prepared(district, user, question)
    ids = situation.points.id[situation.active].tolist()
    if point is not None and point not in ids:
        raise NotFound(f"no active point {point}", zh="没有这个站点,或它此时未开放。", point=point)
    levels = [one.amount for one in bands] or [situation.threshold]
    rows = range(len(ids)) if point is None else [ids.index(point)]
    features = []
    for at in rows:
        key = (situation.key, at, tuple(levels))
        found = _reaches.of(district).get(key, lambda at=at: _reach(district, situation, at, levels))
        shown = from_metric(np.array(found, dtype=object), situation.crs)
        row = situation.active[at]
        features += [
            feature(
                shape,
                {
                    "id": ids[at],
                    "code": situation.points.code[row],
                    "name": situation.points.name[row],
                    "cost": level,
                },
            )
            for shape, level in zip(shown, levels, strict=True)
        ]
    return _collection(situation, snapshot.sequence, "reach", features)


def areas(district: District, situation: Situation) -> Shapes:
    """Responsibility areas of the active points by nearest way, sharing out the district exactly; metres."""

    def make() -> Shapes:
        count = len(situation.active)
        if situation.network is None:
            return area_polygons(
                situation.points.xy[situation.active], np.arange(count), count, situation.boundary
            )
        made = situation.network
        return area_polygons(made.graph.node_xy, situation.by_node[1], count, situation.boundary)

    return _areas.of(district).get(situation.key, make)


def area_shapes(district: District, user: User, question: Question) -> dict[str, Any]:
    """Responsibility areas (警务区管理范围) as GeoJSON, with the people for whom the point is nearest."""
    situation, snapshot = situations.prepared(district, user, question)
    found = areas(district, situation)
    assigned = situation.cover.assigned
    hidden = np.zeros(len(found), bool)
    if not user.may(Permission.VIEW_SENSITIVE) and len(found):
        hidden = hidden_rows([assigned])[0]
    shown = from_metric(found, situation.crs) if len(found) else []
    features = []
    for at, row in enumerate(situation.active):
        properties = {
            "id": situation.points.id[row],
            "code": situation.points.code[row],
            "name": situation.points.name[row],
            "people": None if hidden[at] else number(assigned[at]),
            "area_km2": float(shapely.area(found[at]) / 1e6),
            "pieces": 0 if found[at].is_empty else int(shapely.get_num_geometries(found[at])),
        }
        features.append(feature(shown[at], properties))
    return _collection(situation, snapshot.sequence, "areas", features)
