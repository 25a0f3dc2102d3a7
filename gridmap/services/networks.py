"""
The road network of a mode of travel, made from the layers `road`, `crossing` and `barrier` and kept until one changes.

Costs are seconds or metres: a network in metres is a graph whose "seconds" are metres, so that everything
that can be asked in time can be asked by distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from pyproj import CRS

from gridmap.analysis.network import RoadGraph
from gridmap.analysis.network_quality import NetworkQuality
from gridmap.analysis.snapping import Snap
from gridmap.analysis.speeds import HIGHEST_KMH, OFF_ROAD_MPS, Mode, edge_seconds
from gridmap.domain.crs import from_metric, metric_crs_of, to_metric, xy_in_metres
from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import Bridge
from gridmap.errors import InvalidInput
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.road_edges import Flags, Floats, Ints, Shapes, road_edges, short_walls
from gridmap.services.snapshots import Rows, Shelf, Snapshot

Unit = Literal["s", "m"]

LAYERS = ("road", "crossing", "barrier")
SNAP_M = 500.0
"""Points and demand farther than this from every road are listed, not snapped."""
BRIDGE_CLASS = "residential"
_networks = Shelf(12)
_crs = Shelf(8)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """
    A graph for one mode, in one unit.

    Attributes
    ----------
    road : (e,) row of the edge's road in the layer, -1 for what a scenario adds
    walls : barriers that stop the mode, metres
    off_road_mps : "speed" beside the roads: metres per second, or 1 where costs are metres
    cut_xy : (k, 2) where a barrier without a crossing interrupts a road
    """

    mode: Mode
    unit: Unit
    graph: RoadGraph
    road: Ints
    roads: Rows
    walls: Shapes
    off_road_mps: float
    cut_xy: Floats

    def snap(self, xy: Floats) -> Snap:
        """Where places meet the network, not across a barrier."""
        return self.graph.snap(xy, max_distance_m=SNAP_M, barriers=self.walls)


def crs_of(snapshot: Snapshot, *layers: str) -> CRS:
    """The metric CRS of the district: the UTM zone at the middle of the first of `layers` that has elements."""

    def make() -> CRS:
        for layer in layers:
            rows = snapshot.rows(layer)
            if len(rows):
                return metric_crs_of(rows.geometry)
        raise InvalidInput(
            "no layer has an element to choose a projection from; import data first",
            zh="相关图层都没有数据,无法计算。请先导入站点与需求数据。",
        )

    return _crs.of(snapshot.district).get(snapshot.stamps(*layers), make)


def network(
    snapshot: Snapshot,
    crs: CRS,
    mode: Mode,
    unit: Unit,
    *,
    bridges: Sequence[Bridge] = (),
    blocked: Sequence[str] = (),
) -> Network:
    """
    The network of a mode, with what a scenario adds and blocks.

    Raises
    ------
    InvalidInput
        There is no road that the mode may use; a bridge's end is too far from every road; a blocked road is
        not in the layer.
    """
    kept = _networks.of(snapshot.district)
    key = (snapshot.stamps(*LAYERS), crs.to_epsg(), mode, unit)
    base = kept.get(key, lambda: _compile(snapshot, crs, mode, unit))
    if not bridges and not blocked:
        return base
    changes = (tuple(bridges), tuple(sorted(blocked)))
    return kept.get((key, changes), lambda: _changed(base, crs, bridges, blocked))


def _compile(snapshot: Snapshot, crs: CRS, mode: Mode, unit: Unit) -> Network:
    roads, crossings, barriers = (snapshot.rows(one) for one in LAYERS)
    usable = np.flatnonzero(roads.flags(mode.value, True))
    open_crossings = np.flatnonzero(crossings.flags(mode.value, True))
    stops = np.flatnonzero(barriers.flags(f"blocks_{mode.value}", True))
    walls = to_metric(barriers.geometry[stops], crs) if len(stops) else np.zeros(0, dtype=object)
    crossing_xy = _coordinates(crossings.geometry[open_crossings], crs)
    lines = to_metric(roads.geometry[usable], crs) if len(usable) else np.zeros(0, dtype=object)
    edges = road_edges(lines, walls, crossing_xy)
    row = usable[edges.line] if len(edges.line) else np.zeros(0, np.intp)
    classes = (
        np.array(roads.values("class", "unclassified"), dtype=str)[row] if len(row) else np.zeros(0, str)
    )
    seconds = edge_seconds(edges.length_m, classes, mode, limit_kmh=roads.numbers("speed_kmh")[row])
    keep = np.isfinite(seconds)
    if not keep.any():
        raise InvalidInput(
            f"no road can be used by mode {mode.value}; import roads, or measure by straight line",
            zh=f"“道路”图层中没有可供{mode.title}使用的道路,无法按路网计算。请先导入道路,或改用直线距离。",
            mode=mode.value,
        )
    oneway = roads.flags("oneway", False)[row] & mode.obeys_oneway
    return _made(
        mode, unit, edges.node_xy, edges.tail[keep], edges.head[keep], seconds[keep], edges.length_m[keep],
        oneway[keep], row[keep], roads, short_walls(walls), edges.cut_xy,
    )  # fmt: skip


def _made(
    mode: Mode,
    unit: Unit,
    node_xy: Floats,
    tail: Ints,
    head: Ints,
    seconds: Floats,
    length_m: Floats,
    oneway: Flags,
    row: Ints,
    roads: Rows,
    walls: Shapes,
    cut_xy: Floats,
) -> Network:
    cost = seconds if unit == "s" else length_m
    graph = RoadGraph.from_edges(node_xy, tail, head, cost, length_m=length_m, oneway=oneway)
    return Network(mode, unit, graph, row, roads, walls, OFF_ROAD_MPS if unit == "s" else 1.0, cut_xy)


def _coordinates(points: Shapes, crs: CRS) -> Floats:
    if len(points) == 0:
        return np.zeros((0, 2))
    lon, lat = shapely.get_coordinates(points).T
    return xy_in_metres(lon, lat, crs)


# --- what a scenario does to the roads --------------------------------------------------------------------


def _changed(base: Network, crs: CRS, bridges: Sequence[Bridge], blocked: Sequence[str]) -> Network:
    graph = base.graph
    known = {one: at for at, one in enumerate(base.roads.id.tolist())}
    missing = [one for one in blocked if one not in known]
    if missing:
        raise InvalidInput(
            f"there is no road {missing[0]}; it may have been deleted",
            zh="要封闭的道路不存在,可能已被删除,请重新选择。",
            road=missing[0],
        )
    closed = np.isin(base.road, [known[one] for one in blocked])
    node_xy: list[Any] = graph.node_xy.tolist()
    edges = _Edges(graph, base, ~closed)
    for bridge in bridges:
        if base.mode.value in bridge.modes:
            edges.add(bridge, crs, node_xy)
    tail, head, cost, length, oneway, row = edges.arrays()
    changed = RoadGraph.from_edges(np.array(node_xy), tail, head, cost, length_m=length, oneway=oneway)
    walls = _opened_walls(base, bridges, crs)
    return Network(base.mode, base.unit, changed, row, base.roads, walls, base.off_road_mps, base.cut_xy)


def _opened_walls(base: Network, bridges: Sequence[Bridge], crs: CRS) -> Shapes:
    """Barriers with a gap of a few metres where a bridge passes, so that shapes can pass it too."""
    ours = [one for one in bridges if base.mode.value in one.modes]
    if not ours or len(base.walls) == 0:
        return base.walls
    decks = shapely.union_all([shapely.LineString(_bridge_xy(one, crs)).buffer(4.0) for one in ours])
    left = shapely.get_parts(shapely.difference(base.walls, decks))
    return left[~shapely.is_empty(left)]


def _bridge_xy(bridge: Bridge, crs: CRS) -> Floats:
    lon, lat = np.array(bridge.line, dtype=np.float64).T
    return xy_in_metres(lon, lat, crs)


class _Edges:
    """Edges of a network being changed."""

    def __init__(self, graph: RoadGraph, base: Network, keep: Flags) -> None:
        self.graph, self.base, self.keep = graph, base, keep.copy()
        self.new: list[tuple[int, int, float, float, bool, int]] = []
        self.splits: dict[tuple[int, int], list[tuple[float, int]]] = {}

    def add(self, bridge: Bridge, crs: CRS, node_xy: list[Any]) -> None:
        xy = _bridge_xy(bridge, crs)
        ends = self.graph.snap(xy[[0, -1]], max_distance_m=SNAP_M)
        if not ends.is_snapped.all():
            raise InvalidInput(
                f"an end of the new bridge is farther than {SNAP_M:.0f} m from every road",
                zh=f"新桥的一端离最近道路超过 {SNAP_M:.0f} 米,请把两端画到道路附近。",
            )
        nodes = [self._join(int(ends.edge[0]), float(ends.fraction[0]), node_xy)]
        for place in xy:
            node_xy.append(place.tolist())
            nodes.append(len(node_xy) - 1)
        nodes.append(self._join(int(ends.edge[1]), float(ends.fraction[1]), node_xy))
        speed = edge_seconds([1.0], [BRIDGE_CLASS], self.base.mode)[0] if self.base.unit == "s" else 1.0
        for tail, head in zip(nodes, nodes[1:], strict=False):
            length = float(np.hypot(*np.subtract(node_xy[head], node_xy[tail])))
            length = max(length, 1e-6)
            self.new.append((tail, head, length * float(speed), length, False, -1))

    def _join(self, edge: int, fraction: float, node_xy: list[Any]) -> int:
        """A node at this place of an edge, which will be split there (with all edges between its two nodes)."""
        tail, head = int(self.graph.tail[edge]), int(self.graph.head[edge])
        if fraction <= 1e-9:
            return tail
        if fraction >= 1 - 1e-9:
            return head
        low, high = min(tail, head), max(tail, head)
        share = fraction if tail == low else 1 - fraction
        place = np.array(node_xy[low]) + share * np.subtract(node_xy[high], node_xy[low])
        node_xy.append(place.tolist())
        self.splits.setdefault((low, high), []).append((share, len(node_xy) - 1))
        return len(node_xy) - 1

    def arrays(self) -> tuple[Ints, Ints, Floats, Floats, Flags, Ints]:
        graph = self.graph
        for (low, high), places in self.splits.items():
            pair = (np.minimum(graph.tail, graph.head) == low) & (np.maximum(graph.tail, graph.head) == high)
            for edge in np.flatnonzero(pair & self.keep).tolist():
                self.keep[edge] = False
                is_forward = int(graph.tail[edge]) == low
                stops = sorted((share if is_forward else 1 - share, node) for share, node in places)
                here, done = int(graph.tail[edge]), 0.0
                for share, node in [*stops, (1.0, int(graph.head[edge]))]:
                    part = max(share - done, 1e-9)
                    self.new.append(
                        (here, node, float(graph.seconds[edge]) * part, float(graph.length_m[edge]) * part,
                         bool(graph.oneway[edge]), int(self.base.road[edge]))
                    )  # fmt: skip
                    here, done = node, share
        new = list(zip(*self.new, strict=True)) if self.new else [()] * 6
        keep = self.keep
        return (
            np.r_[graph.tail[keep], np.array(new[0], np.intp)],
            np.r_[graph.head[keep], np.array(new[1], np.intp)],
            np.r_[graph.seconds[keep], np.array(new[2], np.float64)],
            np.r_[graph.length_m[keep], np.array(new[3], np.float64)],
            np.r_[graph.oneway[keep], np.array(new[4], bool)],
            np.r_[self.base.road[keep], np.array(new[5], np.intp)],
        )


# --- quality ----------------------------------------------------------------------------------------------

_LISTED = 50


def quality(
    district: District,
    user: User,
    mode: Mode | str,
    *,
    points: str = "workstation",
    demand: str = "residential_area",
) -> dict[str, Any]:
    """
    What a person should look at before trusting the network of a mode.

    Components, traps of one-way streets, dead ends, impossible speeds, roads interrupted by barriers,
    crossings without a road, roads that cross without a common vertex, points and demand far from any road.
    Each finding has a count and up to 50 places (lon, lat).
    """
    access.require(district, user, Permission.VIEW_COVERAGE, "network")
    mode = parse_mode(mode)
    layers = [district.catalogue.layer(one) for one in (points, demand)]
    for layer in layers:
        access.require_sight(district, user, layer)
    snapshot = Snapshot(district, [*LAYERS, "district", points, demand])
    crs = crs_of(snapshot, "district", "road", demand, points)
    made = network(snapshot, crs, mode, "s")
    found = made.graph.quality(fastest_kmh=HIGHEST_KMH[mode])
    finder = _Finder(made, crs)
    crossings = snapshot.rows("crossing")
    findings = [
        finder.nodes("off_main", "与主路网不连通的节点", found.off_main),
        finder.nodes("one_way_traps", "单行道造成只进不出或只出不进的节点", found.one_way_traps),
        finder.nodes("dead_ends", "断头路端点", found.dead_ends),
        finder.edges("too_fast", "速度不合理(过快)的路段", found.too_fast),
        finder.edges("too_slow", "速度不合理(过慢)的路段", found.too_slow),
        finder.places("cut", "被阻隔切断且没有桥梁道口的道路", made.cut_xy),
        finder.places("unjoined", "相交但没有共同节点的道路", _unjoined(made)),
        finder.places(
            "idle_crossings", "附近没有道路的桥梁道口", _idle(made, _coordinates(crossings.geometry, crs))
        ),
        *(finder.far(snapshot.rows(one.id), one.title) for one in layers),
    ]
    return {
        "mode": mode.value,
        "mode_title": mode.title,
        "crs": f"EPSG:{crs.to_epsg()}",
        "sequence": snapshot.sequence,
        "is_simulated": any(snapshot.rows(one).is_simulated for one in LAYERS),
        "roads": len(np.unique(made.road)),
        "nodes": found.nodes,
        "edges": found.edges,
        "length_km": float(made.graph.length_m.sum() / 1000),
        "components": _components(found),
        "main_share": found.main_share,
        "snap_m": SNAP_M,
        "findings": findings,
    }


def parse_mode(text: Mode | str) -> Mode:
    """The network mode that `text` names; raises InvalidInput."""
    try:
        return Mode(text)
    except ValueError:
        raise InvalidInput(
            f"no network mode {text!r}; use foot, ebike or car",
            zh="出行方式应为 foot(步行)、ebike(电动自行车)或 car(警车)。",
        ) from None


def _components(found: NetworkQuality) -> int:
    return len(found.component_sizes)


class _Finder:
    """Findings with places."""

    def __init__(self, made: Network, crs: CRS) -> None:
        self.made, self.crs = made, crs

    def places(self, kind: str, title: str, xy: Floats) -> dict[str, Any]:
        shown = from_metric(shapely.points(xy[:_LISTED]), self.crs) if len(xy) else []
        lonlat = [[round(one.x, 6), round(one.y, 6)] for one in shown]
        return {"kind": kind, "title": title, "count": len(xy), "places": lonlat}

    def nodes(self, kind: str, title: str, nodes: Ints) -> dict[str, Any]:
        return self.places(kind, title, self.made.graph.node_xy[nodes])

    def edges(self, kind: str, title: str, edges: Ints) -> dict[str, Any]:
        graph = self.made.graph
        middle = (graph.node_xy[graph.tail[edges]] + graph.node_xy[graph.head[edges]]) / 2
        return self.places(kind, title, middle)

    def far(self, rows: Rows, title: str) -> dict[str, Any]:
        xy = _coordinates(shapely.point_on_surface(rows.geometry), self.crs)
        far = ~self.made.snap(xy).is_snapped
        found = self.places(f"far_{rows.layer.id}", f"离道路超过 {SNAP_M:.0f} 米的{title}", xy[far])
        return found | {"codes": [one for one in rows.code[far][:_LISTED].tolist() if one]}


def _unjoined(made: Network) -> Floats:
    """Where two roads cross inside their edges: a flyover, or a forgotten junction."""
    graph = made.graph
    ends = np.stack([graph.node_xy[graph.tail], graph.node_xy[graph.head]], axis=1)
    segments = shapely.linestrings(ends)
    one, other = shapely.STRtree(segments).query(segments, predicate="crosses")
    first = one < other
    meets = shapely.intersection(segments[one[first]], segments[other[first]])
    return np.unique(np.round(shapely.get_coordinates(meets), 2), axis=0).reshape(-1, 2)


def _idle(made: Network, crossing_xy: Floats) -> Floats:
    if len(crossing_xy) == 0:
        return crossing_xy
    near = made.graph.snap(crossing_xy, max_distance_m=20.0)
    return crossing_xy[~near.is_snapped]
