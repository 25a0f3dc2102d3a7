"""Roads as drawn become edges of a graph: joined where they share a vertex, cut where a barrier has no crossing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]
Shapes = NDArray[np.object_]

JOIN_M = 0.01
"""Vertices this near to each other are one node."""
CROSSING_M = 20.0
"""A crossing (bridge, level crossing) serves the roads that meet the barrier this near to it."""
_WALL_VERTICES = 8


@dataclass(frozen=True, slots=True, eq=False)
class RoadEdges:
    """
    Straight edges between nodes.

    Attributes
    ----------
    node_xy : (n, 2) metres
    tail, head : (e,) node numbers, in drawing order
    line : (e,) the road that the edge is part of
    length_m : (e,) > 0
    cut_xy : (k, 2) where a barrier interrupts a road
    """

    node_xy: Floats
    tail: Ints
    head: Ints
    line: Ints
    length_m: Floats
    cut_xy: Floats


def road_edges(lines: Shapes, barriers: Shapes, crossing_xy: Floats) -> RoadEdges:
    """
    Edges from vertex to vertex of road lines.

    Roads are joined where they share a vertex (to a centimetre) and nowhere else, so a flyover stays one. A
    road that meets a barrier farther than 20 m from every crossing is interrupted there; both of its ends
    remain. A road that runs along a barrier is not interrupted by it.

    Parameters
    ----------
    lines : (r,) lines or multi-lines, metres, projected CRS
    barriers : lines in the same CRS, those that stop the mode in question
    crossing_xy : (c, 2) crossings that the mode may use
    """
    parts, owner = shapely.get_parts(lines, return_index=True)
    xy, part = shapely.get_coordinates(parts, return_index=True)
    nodes, number = _joined(xy)
    first = np.flatnonzero(part[1:] == part[:-1]) if len(part) else np.zeros(0, np.intp)
    first = first[number[first] != number[first + 1]]
    tail, head, line = number[first], number[first + 1], owner[part[first]]
    start, end = xy[first], xy[first + 1]
    segment, along, place = _interruptions(start, end, barriers, crossing_xy)
    return _cut(nodes, tail, head, line, start, end, segment, along, place)


def short_walls(barriers: Shapes) -> Shapes:
    """The lines in pieces of a few vertices: a search tree tells short pieces apart, long rivers not."""
    pieces: list[shapely.Geometry] = []
    for part in shapely.get_parts(barriers):
        if part.geom_type != "LineString":
            pieces.append(part)
            continue
        xy = shapely.get_coordinates(part)
        starts = range(0, len(xy) - 1, _WALL_VERTICES)
        pieces += [shapely.LineString(xy[at : at + _WALL_VERTICES + 1]) for at in starts]
    result = np.empty(len(pieces), dtype=object)
    result[:] = pieces
    return result


def _joined(xy: Floats) -> tuple[Floats, Ints]:
    """Nodes and the node of each vertex."""
    if len(xy) == 0:
        return np.zeros((0, 2)), np.zeros(0, np.intp)
    _, first, number = np.unique(np.round(xy / JOIN_M), axis=0, return_index=True, return_inverse=True)
    return xy[first], number.reshape(-1).astype(np.intp)


def _interruptions(
    start: Floats, end: Floats, barriers: Shapes, crossing_xy: Floats
) -> tuple[Ints, Floats, Floats]:
    """Where barriers stop segments: the segment, metres from its start, the place."""
    nothing = np.zeros(0, np.intp), np.zeros(0), np.zeros((0, 2))
    if len(start) == 0 or len(barriers) == 0:
        return nothing
    walls = short_walls(barriers)
    segments = shapely.linestrings(np.stack([start, end], axis=1))
    segment, wall = shapely.STRtree(walls).query(segments, predicate="intersects")
    meets = shapely.intersection(segments[segment], walls[wall])
    single, at = shapely.get_parts(meets, return_index=True)
    is_point = shapely.get_type_id(single) == 0
    place, segment = shapely.get_coordinates(single[is_point]), segment[at[is_point]]
    if len(crossing_xy) and len(place):
        away, _ = cKDTree(crossing_xy).query(place)
        place, segment = place[away > CROSSING_M], segment[away > CROSSING_M]
    if len(place) == 0:
        return nothing
    return segment, np.hypot(*(place - start[segment]).T), place


def _cut(
    nodes: Floats,
    tail: Ints,
    head: Ints,
    line: Ints,
    start: Floats,
    end: Floats,
    segment: Ints,
    along: Floats,
    place: Floats,
) -> RoadEdges:
    length = np.hypot(*(end - start).T) if len(start) else np.zeros(0)
    tail, head = tail.copy(), head.copy()
    extra: list[Floats] = []
    count = len(nodes)

    def private(at: Floats) -> int:
        extra.append(at)
        return count + len(extra) - 1

    whole = np.ones(len(tail), bool)
    pieces: list[tuple[int, int, int, float]] = []
    for one in np.unique(segment).tolist():
        mine = np.flatnonzero(segment == one)
        order = mine[np.argsort(along[mine])]
        # a vertex on the barrier: each road that ends there gets an end of its own
        if along[order[0]] < JOIN_M:
            tail[one] = private(place[order[0]])
        if length[one] - along[order[-1]] < JOIN_M:
            head[one] = private(place[order[-1]])
        inner = [at for at in order if JOIN_M <= along[at] <= length[one] - JOIN_M]
        here, done = int(tail[one]), 0.0
        for at in inner:
            if along[at] - done < JOIN_M:
                continue
            pieces.append((here, private(place[at]), int(line[one]), float(along[at] - done)))
            here, done = private(place[at]), float(along[at])
        if inner:
            whole[one] = False
            pieces.append((here, int(head[one]), int(line[one]), float(length[one] - done)))
    new = np.array([one[:3] for one in pieces], np.intp).reshape(-1, 3)
    return RoadEdges(
        np.vstack([nodes, np.array(extra).reshape(-1, 2)]),
        np.r_[tail[whole], new[:, 0]],
        np.r_[head[whole], new[:, 1]],
        np.r_[line[whole], new[:, 2]].astype(np.intp),
        np.r_[length[whole], np.array([one[3] for one in pieces])],
        np.unique(place, axis=0) if len(place) else np.zeros((0, 2)),
    )
