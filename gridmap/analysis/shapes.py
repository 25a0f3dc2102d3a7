"""
Shapes of travel time: what can be reached within a threshold, and the gaps that cannot.

A raster of cells is tied to the road network once; a search then gives every cell its time, and contours give
polygons. The polygons are for the eye, true to about a cell; people are always counted from demand points
(`coverage`), never from polygons. What the polygons do promise: no network node beyond the threshold lies
inside, nothing lies across a barrier that was not passed, and a smaller threshold's shape lies inside a larger
one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import contourpy
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from gridmap.analysis.coverage import exact_weights
from gridmap.analysis.network import Direction, RoadGraph
from gridmap.analysis.snapping import Snap, points_array
from gridmap.analysis.speeds import OFF_ROAD_MPS
from gridmap.errors import InvalidInput, TooLarge

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]

MOST_CELLS = 20_000_000
_WALL_M = 0.5
"""Half the width that a barrier line takes out of a shape."""


class TravelRaster:
    """
    Cells over an area, each tied to the nearest edge that no barrier hides.

    Built once per network, mode and cell size; seconds for a million cells.

    Attributes
    ----------
    cell_m : side of a cell; shapes are true to about this
    x, y : centers of columns and rows, metres, projected CRS of the graph
    """

    def __init__(
        self,
        graph: RoadGraph,
        *,
        cell_m: float,
        bounds: tuple[float, float, float, float] | None = None,
        max_off_road_m: float = 250.0,
        off_road_mps: float = OFF_ROAD_MPS,
        direction: Direction = Direction.FROM_SOURCES,
        barriers: Iterable[shapely.Geometry] | None = None,
    ) -> None:
        """
        Tie a raster to a network.

        Parameters
        ----------
        cell_m : metres, > 0
        bounds : west, south, east, north; the network's own, widened by the off-road distance, when not given
        max_off_road_m : cells farther than this from every edge are nobody's
        direction : as of the costs that will be drawn
        barriers : lines and polygons (water, railways) that no way off the roads may cross

        Raises
        ------
        InvalidInput
            A size is not positive.
        TooLarge
            The area has more than 20 million cells; take larger ones.
        """
        if not (cell_m > 0 and max_off_road_m > 0):
            raise InvalidInput(
                f"cell_m {cell_m} and max_off_road_m {max_off_road_m} must be above 0",
                zh="栅格边长须大于 0。",
            )
        self.graph = graph
        self.cell_m = float(cell_m)
        self.direction = direction
        self.max_off_road_m = float(max_off_road_m)
        self.off_road_mps = float(off_road_mps)
        self.barriers = np.array(
            [wall for wall in (() if barriers is None else barriers) if not wall.is_empty], dtype=object
        )
        self.x, self.y = _centers(_bounds(graph, bounds, max_off_road_m), self.cell_m)
        shape = (len(self.y), len(self.x))
        center_xy = np.stack(np.meshgrid(self.x, self.y), axis=-1).reshape(-1, 2)
        snap = graph.snap(
            center_xy,
            max_distance_m=self.max_off_road_m,
            barriers=self.barriers,
            is_exact=False,
        )
        self._snap = snap
        by_tail, by_head = graph.end_costs(snap, direction=_turned(direction), off_road_mps=self.off_road_mps)
        edge = np.where(snap.is_snapped, snap.edge, 0)
        is_empty = len(graph.tail) == 0
        self._tail = (
            np.zeros(len(edge), np.int32) if is_empty else graph.tail[edge].astype(np.int32)
        ).reshape(shape)
        self._head = (
            np.zeros(len(edge), np.int32) if is_empty else graph.head[edge].astype(np.int32)
        ).reshape(shape)
        self._by_tail = by_tail.reshape(shape)
        self._by_head = by_head.reshape(shape)
        self._longest = _longest_edges(graph)
        corner = np.array([self.y[0], self.x[0]])
        self._node_cell = np.rint((graph.node_xy[:, ::-1] - corner) / self.cell_m).astype(np.intp)

    # seconds per cell

    def seconds(self, by_node: ArrayLike, sources: Snap | None = None) -> Floats:
        """
        Seconds of every cell (rows, columns), `inf` where it is out of reach.

        Parameters
        ----------
        by_node : (n nodes,) seconds, as `RoadGraph.node_cost`, `nearest` or `nearest_to_points` give them
        sources : the snapped points the search began at, so that cells on their own edge count straight to them
        """
        cost = self._checked(by_node)
        return self._seconds(cost, sources, (slice(None), slice(None)))

    def _seconds(self, cost: Floats, sources: Snap | None, window: tuple[slice, slice]) -> Floats:
        if len(cost) == 0:
            return np.full(self._by_tail[window].shape, np.inf)
        field = cost[self._tail[window]] + self._by_tail[window]
        np.minimum(field, cost[self._head[window]] + self._by_head[window], out=field)
        if sources is not None:
            self._along_own_edges(field, sources, window)
        return field

    def _along_own_edges(self, field: Floats, sources: Snap, window: tuple[slice, slice]) -> None:
        """Cells tied to a source's own edge need not go round by its ends."""
        wide = len(self.x)
        rows, columns = np.arange(len(self.y))[window[0]], np.arange(wide)[window[1]]
        if len(rows) == 0 or len(columns) == 0:
            return
        inside = (rows[:, None] * wide + columns).ravel()
        own = np.flatnonzero(np.isin(self._snap.edge[inside], sources.edge[sources.is_snapped]))
        if own.size:
            nowhere = np.full((len(sources), len(self.graph.node_xy)), np.inf)
            straight = self.graph.reach_points(
                nowhere,
                sources,
                self._snap.take(inside[own]),
                direction=self.direction,
                off_road_mps=self.off_road_mps,
            )
            flat = field.reshape(-1)
            flat[own] = np.minimum(flat[own], straight.min(axis=0, initial=np.inf))

    # shapes

    def reach(self, by_node: ArrayLike, thresholds: Sequence[float], sources: Snap | None = None) -> Shapes:
        """
        What lies within each threshold: (k,) polygons or multi-polygons, empty where nothing does.

        Shapes of one call nest. Parameters as in `seconds`; thresholds in seconds, > 0.
        """
        cost = self._checked(by_node)
        levels = _levels(thresholds)
        window = self._window(cost, max(levels), sources)
        field = self._seconds(cost, sources, window)
        if field.shape[0] < 2 or field.shape[1] < 2 or not (field <= max(levels)).any():
            return np.array([shapely.Polygon()] * len(levels), dtype=object)
        # out-of-reach cells get a height one cell's walk above the top level: every level meets the same field
        top = max(levels) + self.cell_m / self.off_road_mps
        contours = contourpy.contour_generator(
            self.x[window[1]],
            self.y[window[0]],
            np.minimum(field, top),
            name="serial",
            fill_type=contourpy.FillType.ChunkCombinedOffsetOffset,
        )
        result = np.empty(len(levels), dtype=object)
        for number, level in enumerate(levels):
            shape = self._behind_walls(_filled(contours, level), field, window, level)
            result[number] = self._without_far_nodes(shape, field, window, cost, level)
        return result

    def _window(self, cost: Floats, most: float, sources: Snap | None) -> tuple[slice, slice]:
        """The part of the raster that a search up to `most` seconds can colour."""
        near = np.flatnonzero(cost <= most)
        xy, reach = self.graph.node_xy[near], self._longest[near, None]
        if sources is not None and sources.is_snapped.any():
            edge = sources.edge[sources.is_snapped]
            ends = np.r_[self.graph.tail[edge], self.graph.head[edge]]
            xy, reach = (
                np.vstack([xy, self.graph.node_xy[ends]]),
                np.vstack([reach, self._longest[ends, None]]),
            )
        if len(xy) == 0:
            return slice(0, 0), slice(0, 0)
        # the edges of a node within reach stick out beyond it
        margin = self.max_off_road_m + 2 * self.cell_m
        west, south = (xy - reach).min(axis=0) - margin
        east, north = (xy + reach).max(axis=0) + margin
        return (
            slice(*np.searchsorted(self.y, [south, north]).tolist()),
            slice(*np.searchsorted(self.x, [west, east]).tolist()),
        )

    def _behind_walls(
        self, shape: shapely.Geometry, field: Floats, window: tuple[slice, slice], level: float
    ) -> shapely.Geometry:
        """The shape cut along barriers, without the slivers that lean over to the far side."""
        if len(self.barriers) == 0 or shape.is_empty:
            return shape
        near = self.barriers[shapely.intersects(self.barriers, shapely.box(*shape.bounds))]
        if len(near) == 0:
            return shape
        walls = shapely.union_all(shapely.buffer(near, _WALL_M, cap_style="flat"))
        pieces = shapely.get_parts(shapely.difference(shape, walls))
        pieces = pieces[shapely.get_dimensions(pieces) == 2]
        row, column = np.nonzero(field <= level)
        centers = shapely.points(self.x[window[1]][column], self.y[window[0]][row])
        tree = shapely.STRtree(pieces)
        held = np.unique(tree.query(centers, predicate="intersects")[1])
        return shapely.union_all(pieces[held]) if len(held) else shapely.Polygon()

    def _without_far_nodes(
        self, shape: shapely.Geometry, field: Floats, window: tuple[slice, slice], cost: Floats, level: float
    ) -> shapely.Geometry:
        """The shape with a small square cut out around every node beyond the level."""
        if shape.is_empty:
            return shape
        row, column = self._node_cell[:, 0] - window[0].start, self._node_cell[:, 1] - window[1].start
        tall, wide = field.shape
        far = np.flatnonzero((cost > level) & (row >= 0) & (row < tall) & (column >= 0) & (column < wide))
        # a square can meet the shape only where a cell next to its node is within the level
        far = far[_widened(field <= level)[row[far], column[far]]]
        if len(far) == 0:
            return shape
        # all far nodes, not only those inside: what is cut at a larger level is then cut at a smaller one too
        half = self.cell_m / 4
        x, y = self.graph.node_xy[far].T
        squares = shapely.box(x - half, y - half, x + half, y + half)
        parts = shapely.get_parts(shape)
        part, square = shapely.STRtree(squares).query(parts, predicate="intersects")
        order = np.argsort(part, kind="stable")
        part, square = part[order], square[order]
        first = np.flatnonzero(np.diff(part, prepend=-1))
        for number, chosen in zip(part[first].tolist(), np.split(square, first[1:]), strict=False):
            parts[number] = shapely.difference(parts[number], shapely.union_all(squares[chosen]))
        return _polygonal(parts)

    # gaps

    def gaps(
        self,
        by_node: ArrayLike,
        threshold: float,
        within: shapely.Geometry,
        *,
        demand_xy: ArrayLike,
        weight: ArrayLike,
        cost: ArrayLike,
        sources: Snap | None = None,
        smallest_m2: float = 0.0,
    ) -> Gaps:
        """
        The parts of an area that no point reaches within a threshold, most people first (治安死角).

        One search from all points at once gives `by_node`; the shapes are the area without what is reached.

        Parameters
        ----------
        by_node : (n nodes,) seconds to the nearest point
        within : polygon of the district
        demand_xy, weight : (n, 2) metres and (n,) people
        cost : (n,) each demand point's own seconds to its nearest point; the people of a gap are those beyond
            the threshold
        smallest_m2 : shapes below this are left out unless somebody lives in them
        """
        shape = self.reach(by_node, [threshold], sources)[0]
        left = shapely.get_parts(_polygonal(shapely.difference(within, shape)))
        return _ranked(left, threshold, demand_xy, weight, cost, self.cell_m, smallest_m2)

    def _checked(self, by_node: ArrayLike) -> Floats:
        cost = np.asarray(by_node, dtype=np.float64)
        if cost.shape != (len(self.graph.node_xy),):
            raise InvalidInput(
                f"by_node has shape {cost.shape}; give one number for each of {len(self.graph.node_xy)} nodes",
                zh="节点时间的个数与路网不一致。",
            )
        return cost


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """
    Uncovered parts of an area, most people first, then largest.

    Attributes
    ----------
    polygon : (k,) polygons
    people : (k,) uncovered people; `people.sum() + elsewhere` is all uncovered people, exactly
    area_m2 : (k,)
    worst : (k,) seconds of the farthest demand point in it, NaN without demand, `inf` where it reaches none
    gap : (n,) number of the gap of each demand point, -1 for covered ones and those elsewhere
    elsewhere : uncovered people that no polygon holds (outside the area, or in a spot smaller than a cell)
    """

    polygon: Shapes
    people: Floats
    area_m2: Floats
    worst: Floats
    gap: Ints
    elsewhere: float


def _ranked(
    left: Shapes,
    threshold: float,
    demand_xy: ArrayLike,
    weight: ArrayLike,
    cost: ArrayLike,
    cell_m: float,
    smallest_m2: float,
) -> Gaps:
    xy, people, seconds = points_array(demand_xy), exact_weights(weight), np.asarray(cost, dtype=np.float64)
    if not len(xy) == len(people) == len(seconds):
        raise InvalidInput(
            f"{len(xy)} places, {len(people)} weights and {len(seconds)} costs differ",
            zh="需求点、人口与时间个数不一致。",
        )
    gap = np.full(len(xy), -1, np.intp)
    missed = np.flatnonzero(seconds > threshold)
    if len(left) and len(missed):
        places = shapely.STRtree(shapely.points(xy[missed]))
        polygon, place = places.query(left, predicate="contains")
        gap[missed[place]] = polygon
        # a cell's breadth of tolerance, since the shapes are no truer than that; contours have a corner per cell
        stray = np.flatnonzero(gap[missed] < 0)
        corners, owner = shapely.get_coordinates(left, return_index=True)
        near, corner = cKDTree(corners).query(xy[missed[stray]], distance_upper_bound=1.5 * cell_m)
        found = np.isfinite(near)
        gap[missed[stray[found]]] = owner[corner[found]]
    k = len(left)
    held = gap >= 0
    inside = np.bincount(gap[held], people[held], minlength=k).astype(np.float64)
    area = shapely.area(left)
    order = np.lexsort((-area, -inside))
    order = order[(inside[order] > 0) | (area[order] >= smallest_m2)]
    rank = np.full(k + 1, -1, np.intp)
    rank[order] = np.arange(len(order))
    gap = rank[gap]
    held = gap >= 0
    worst = np.full(len(order), -np.inf)
    np.maximum.at(worst, gap[held], seconds[held])
    worst[worst == -np.inf] = np.nan
    return Gaps(
        left[order],
        inside[order],
        area[order],
        worst,
        gap,
        float(people[missed].sum() - people[held].sum()),
    )


def _filled(contours: contourpy.ContourGenerator, level: float) -> shapely.Geometry:
    """Everything at or below a level as one valid (multi-)polygon."""
    points, offsets, outer = (chunk[0] for chunk in contours.filled(-1.0, level))
    if points is None:
        return shapely.Polygon()
    parts = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points, (offsets, outer))
    parts = parts[shapely.area(parts) > 0]
    return _polygonal(np.where(shapely.is_valid(parts), parts, shapely.make_valid(parts)))


def _polygonal(geometry: shapely.Geometry | Shapes) -> shapely.Geometry:
    """The areas among the parts of geometries, as one polygon or multi-polygon."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    parts = parts[(shapely.get_dimensions(parts) == 2) & ~shapely.is_empty(parts)]
    if len(parts) == 0:
        return shapely.Polygon()
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def _widened(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Flags that also hold where any of the eight neighbours does."""
    wide = flags.copy()
    wide[1:] |= flags[:-1]
    wide[:-1] |= flags[1:]
    result = wide.copy()
    result[:, 1:] |= wide[:, :-1]
    result[:, :-1] |= wide[:, 1:]
    return result


def _longest_edges(graph: RoadGraph) -> Floats:
    """Per node the straight length of its longest edge."""
    longest = np.zeros(len(graph.node_xy))
    length = np.hypot(*(graph.node_xy[graph.head] - graph.node_xy[graph.tail]).T)
    np.maximum.at(longest, graph.tail, length)
    np.maximum.at(longest, graph.head, length)
    return longest


def _bounds(
    graph: RoadGraph, bounds: tuple[float, float, float, float] | None, margin: float
) -> tuple[float, float, float, float]:
    if bounds is not None:
        west, south, east, north = (float(value) for value in bounds)
        if not (west < east and south < north):
            raise InvalidInput(f"bounds {bounds} are empty; give west, south, east, north", zh="范围为空。")
        return west, south, east, north
    if len(graph.node_xy) == 0:
        raise InvalidInput("a network without nodes has no bounds; give them", zh="路网为空,请指定范围。")
    west, south = graph.node_xy.min(axis=0) - margin
    east, north = graph.node_xy.max(axis=0) + margin
    return float(west), float(south), float(east), float(north)


def _centers(bounds: tuple[float, float, float, float], cell_m: float) -> tuple[Floats, Floats]:
    west, south, east, north = bounds
    columns, rows = int(np.ceil((east - west) / cell_m)) + 1, int(np.ceil((north - south) / cell_m)) + 1
    if columns * rows > MOST_CELLS:
        raise TooLarge(
            f"{columns} by {rows} cells of {cell_m} m are too many; take larger cells",
            zh=f"栅格过密({columns}×{rows}),请加大边长。",
            cells=columns * rows,
        )
    return west + cell_m * np.arange(columns), south + cell_m * np.arange(rows)


def _levels(thresholds: Sequence[float]) -> list[float]:
    levels = [float(level) for level in thresholds]
    if not levels or not all(0 < level < np.inf for level in levels):
        raise InvalidInput(f"thresholds {levels} must be seconds above 0", zh="时限须大于 0。")
    return levels


def _turned(direction: Direction) -> Direction:
    return Direction.TO_SOURCES if direction is Direction.FROM_SOURCES else Direction.FROM_SOURCES
