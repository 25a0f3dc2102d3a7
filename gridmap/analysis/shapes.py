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

import contourpy
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gridmap.analysis._walls import Walls, apart
from gridmap.analysis.gaps import Gaps, ranked_gaps
from gridmap.analysis.network import Direction, RoadGraph
from gridmap.analysis.snapping import Snap
from gridmap.analysis.speeds import OFF_ROAD_MPS
from gridmap.errors import InvalidInput, TooLarge

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]
Bounds = tuple[float, float, float, float]

MOST_CELLS = 20_000_000


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
        bounds: Bounds | None = None,
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
        self._walls = Walls(self.barriers, self.x, self.y)
        self._longest = _longest_edges(graph)
        # nodes from south to north, with the cell that each is in
        row, column = np.rint((graph.node_xy - (self.x[0], self.y[0])) / self.cell_m).astype(np.intp).T[::-1]
        self._node = np.argsort(row, kind="stable")
        self._node_row, self._node_column = row[self._node], column[self._node]
        self._cells_by_edge = np.argsort(snap.edge, kind="stable")

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
        return self._seconds(cost, sources, (slice(0, len(self.y)), slice(0, len(self.x))))

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
        edges = np.unique(sources.edge[sources.is_snapped])
        first, last = (
            np.searchsorted(self._snap.edge, edges, side, sorter=self._cells_by_edge)
            for side in ("left", "right")
        )
        parts = [self._cells_by_edge[a:b] for a, b in zip(first, last, strict=True)]
        own = np.concatenate([np.zeros(0, np.intp), *parts])
        row, column = np.divmod(own, len(self.x))
        row, column = row - window[0].start, column - window[1].start
        tall, wide = field.shape
        inside = (row >= 0) & (row < tall) & (column >= 0) & (column < wide)
        if inside.any():
            own, row, column = own[inside], row[inside], column[inside]
            nowhere = np.broadcast_to(np.inf, (len(sources), len(self.graph.node_xy)))
            straight = self.graph.reach_points(
                nowhere,
                sources,
                self._snap.take(own),
                direction=self.direction,
                off_road_mps=self.off_road_mps,
            )
            field[row, column] = np.minimum(field[row, column], straight.min(axis=0, initial=np.inf))

    # shapes

    def reach(self, by_node: ArrayLike, thresholds: Sequence[float], sources: Snap | None = None) -> Shapes:
        """
        What lies within each threshold: (k,) polygons or multi-polygons, empty where nothing does.

        Shapes of one call nest. Parameters as in `seconds`; thresholds in seconds, > 0, which are still within.

        Raises
        ------
        InvalidInput
            There is no threshold or one is not above 0, or `by_node` is of another network.
        """
        return self._reach(self._checked(by_node), _levels(thresholds), sources)

    def _reach(
        self, cost: Floats, levels: list[float], sources: Snap | None, bounds: Bounds | None = None
    ) -> Shapes:
        """As `reach`; beyond bounds the shapes may end anywhere."""
        window = self._window(cost, max(levels), sources)
        if bounds is not None:
            window = self._narrowed(window, bounds)
        field = self._seconds(cost, sources, window)
        if field.shape[0] < 2 or field.shape[1] < 2 or not (field <= max(levels)).any():
            return np.array([shapely.Polygon()] * len(levels), dtype=object)
        # out-of-reach cells get a height one cell's walk above the top level: every level meets the same field
        top = max(levels) + self.cell_m / self.off_road_mps
        np.minimum(field, top, out=field)
        _keep_off(field, levels, 1e-7 * top)
        contours = contourpy.contour_generator(
            self.x[window[1]],
            self.y[window[0]],
            field,
            name="serial",
            fill_type=contourpy.FillType.ChunkCombinedOffsetOffset,
        )
        within = [field <= level for level in levels]
        strips = self._walls.along(within, window[0].start, window[1].start)
        result = np.empty(len(levels), dtype=object)
        for number, level in enumerate(levels):
            squares = self._around_far_nodes(cost > level, within[number], window)
            result[number] = self._cut(_filled(contours, level), strips, squares, within[number], window)
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

    def _narrowed(self, window: tuple[slice, slice], bounds: Bounds) -> tuple[slice, slice]:
        """The part of a window within bounds, and two cells around."""
        west, south, east, north = bounds
        margin = 2 * self.cell_m
        low = np.searchsorted(self.y, south - margin), np.searchsorted(self.x, west - margin)
        high = np.searchsorted(self.y, north + margin), np.searchsorted(self.x, east + margin)
        rows, columns = (
            slice(max(part.start, int(least)), max(part.start, int(least), min(part.stop, int(most))))
            for part, least, most in zip(window, low, high, strict=True)
        )
        return rows, columns

    def _around_far_nodes(
        self, is_far: NDArray[np.bool_], is_reached: NDArray[np.bool_], window: tuple[slice, slice]
    ) -> Shapes:
        """A small square around every node beyond the level that may lie within its contour: (n,) polygons."""
        # all far nodes, not only those inside: what is cut at a larger level is then cut at a smaller one too
        tall, wide = is_reached.shape
        rows = np.searchsorted(self._node_row, [window[0].start, window[0].start + tall])
        some = slice(*rows.tolist())
        column = self._node_column[some] - window[1].start
        far = np.flatnonzero(is_far[self._node[some]] & (column >= 0) & (column < wide))
        row, column = self._node_row[some][far] - window[0].start, column[far]
        # a square can meet the shape only where a cell next to its node is within the level
        x, y = self.graph.node_xy[self._node[some][far[_widened(is_reached)[row, column]]]].T
        half = self.cell_m / 4
        return shapely.box(x - half, y - half, x + half, y + half)

    def _cut(
        self,
        shape: shapely.Geometry,
        strips: Shapes,
        squares: Shapes,
        is_reached: NDArray[np.bool_],
        window: tuple[slice, slice],
    ) -> shapely.Geometry:
        """The shape less strips and squares, without the slivers that lean over a barrier to its far side."""
        out = apart(strips, squares)
        if shape.is_empty or len(out) == 0:
            return shape
        # not one valid multi-polygon where tiles meet, but the overlay knows shared sides for what they are
        pieces = shapely.get_parts(shapely.difference(shape, shapely.multipolygons(out)))
        pieces = pieces[shapely.get_dimensions(pieces) == 2]
        if len(strips):
            pieces = pieces[self._hold_a_cell(pieces, is_reached, window)]
        return _polygonal(pieces)

    def _hold_a_cell(
        self, pieces: Shapes, is_reached: NDArray[np.bool_], window: tuple[slice, slice]
    ) -> NDArray[np.bool_]:
        """(k,) whether the center of some reached cell lies in each polygon."""
        x, y = self.x[window[1]], self.y[window[0]]
        west, south, east, north = shapely.bounds(pieces).T
        columns = np.searchsorted(x, west), np.searchsorted(x, east, side="right")
        rows = np.searchsorted(y, south), np.searchsorted(y, north, side="right")
        held = (columns[0] < columns[1]) & (rows[0] < rows[1])
        # so much ground within so short a border has a place that is farther from it than any place from a center
        holes = shapely.get_num_interior_rings(pieces)
        is_roomy = shapely.area(pieces) > self.cell_m * (shapely.length(pieces) + 2 * self.cell_m * holes)
        # of the others most are wider than a cell: the center next to a place well inside settles it
        some = np.flatnonzero(held & ~is_roomy)
        inner = shapely.get_coordinates(shapely.point_on_surface(pieces[some])) - (x[0], y[0])
        column, row = np.rint(inner / self.cell_m).astype(np.intp).T
        column, row = np.clip(column, 0, len(x) - 1), np.clip(row, 0, len(y) - 1)
        is_sure = is_reached[row, column] & shapely.intersects_xy(pieces[some], x[column], y[row])
        for at in some[~is_sure].tolist():
            box = slice(rows[0][at], rows[1][at]), slice(columns[0][at], columns[1][at])
            row, column = np.nonzero(is_reached[box])
            held[at] = shapely.intersects_xy(pieces[at], x[box[1]][column], y[box[0]][row]).any()
        return held

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
        shape = self._reach(self._checked(by_node), _levels([threshold]), sources, within.bounds)[0]
        left = shapely.get_parts(_polygonal(shapely.difference(within, shape)))
        return ranked_gaps(
            left, threshold, demand_xy, weight, cost, cell_m=self.cell_m, smallest_m2=smallest_m2
        )

    def _checked(self, by_node: ArrayLike) -> Floats:
        cost = np.asarray(by_node, dtype=np.float64)
        if cost.shape != (len(self.graph.node_xy),):
            raise InvalidInput(
                f"by_node has shape {cost.shape}; give one number for each of {len(self.graph.node_xy)} nodes",
                zh="节点时间的个数与路网不一致。",
            )
        return cost


def _keep_off(field: Floats, levels: Iterable[float], by: float) -> None:
    """Move heights so near to a level that its contour would touch itself; what is within the level stays so."""
    for level in levels:
        near = np.abs(field - level) < by
        field[near] = np.where(field[near] <= level, level - by, level + by)


def _filled(contours: contourpy.ContourGenerator, level: float) -> shapely.Geometry:
    """Everything at or below a level as one valid (multi-)polygon; no height is as good as equal to the level."""
    points, offsets, outer = (chunk[0] for chunk in contours.filled(-1.0, level))
    if points is None:
        return shapely.Polygon()
    return shapely.from_ragged_array(
        shapely.GeometryType.MULTIPOLYGON, points, (offsets, outer, np.array([0, len(outer) - 1]))
    )[0]


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


def _bounds(graph: RoadGraph, bounds: Bounds | None, margin: float) -> Bounds:
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


def _centers(bounds: Bounds, cell_m: float) -> tuple[Floats, Floats]:
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
