"""Vertices that neighbours should share: corners that lie on an edge of a neighbour, and how to put them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids.polygons import Array, array_of, keys, rebuilt, rings_of
from gridmap.domain.grids.scale import scale_of


@dataclass(frozen=True, slots=True)
class LooseVertex:
    """A vertex of area `i` that lies on an edge of area `j` without being a vertex of it (a T-junction)."""

    i: int
    j: int
    place: tuple[float, float]


def loose_vertices(areas: ArrayLike) -> list[LooseVertex]:
    """
    Vertices within a millimetre of a neighbour's edge that the neighbour has not, to the last bit.

    A vertex within a millimetre of an end of that edge is none: there the two corners differ. Each place is
    told once a neighbour.

    Parameters
    ----------
    areas : (n,) Polygon or MultiPolygon
    """
    given = array_of(areas)
    if not len(given):
        return []
    edges, owner = _edges(given)
    xy, holder = shapely.get_coordinates(given, return_index=True)
    # only vertices that not all areas around them have can be loose: where edges fit nowhere
    suspects = np.flatnonzero(~shapely.is_empty(shapely.coverage_invalid_edges(given)))
    mine = np.flatnonzero(np.isin(holder, suspects))
    hair = scale_of(given).units(1e-3)
    point, edge = shapely.STRtree(edges).query(shapely.points(xy[mine]), predicate="dwithin", distance=hair)
    point = mine[point]
    beside = (owner[edge] != holder[point]) & ~_are_at_ends(edges[edge], xy[point], hair)
    point, neighbour = point[beside], owner[edge[beside]]
    names = [one.tobytes() for one in keys(xy)]
    near = np.flatnonzero(np.isin(holder, neighbour))
    own = set(zip(holder[near].tolist(), (names[at] for at in near), strict=True))
    found: dict[tuple[int, bytes], LooseVertex] = {}
    for at, j in zip(point.tolist(), neighbour.tolist(), strict=True):
        if (j, names[at]) not in own:
            place = (float(xy[at, 0]), float(xy[at, 1]))
            found.setdefault((j, names[at]), LooseVertex(int(holder[at]), j, place))
    return list(found.values())


def _edges(areas: Array) -> tuple[Array, Array]:
    """Every edge as a line of two points, and the position of the area it belongs to."""
    parts, part_owner = shapely.get_parts(areas, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    ring_owner = part_owner[of_part]
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    is_edge = of_ring[1:] == of_ring[:-1]
    edges = shapely.linestrings(np.stack([xy[:-1][is_edge], xy[1:][is_edge]], axis=1))
    return edges, ring_owner[of_ring[:-1][is_edge]]


def _are_at_ends(edges: Array, xy: Array, hair: float) -> Array:
    """(n,) whether each place is within `hair` of an end of its edge."""
    ends = shapely.get_coordinates(edges).reshape(-1, 2, 2)
    away = ends - xy[:, None, :]
    return (np.hypot(away[..., 0], away[..., 1]) <= hair).any(axis=1)


def with_vertices(area: BaseGeometry, places: Sequence[tuple[float, float]]) -> BaseGeometry:
    """The area with each place put as a vertex into the edge that it lies on (the nearest one)."""
    rings = rings_of(area)
    for place in places:
        ring, at = _nearest_edge(rings, np.array(place))
        rings[ring] = np.insert(rings[ring], at + 1, place, axis=0)
    return rebuilt(area, rings)


def _nearest_edge(rings: Sequence[Array], place: Array) -> tuple[int, int]:
    """Number of the ring, and of the edge in it, that is nearest to the place."""
    best, found = np.inf, (0, 0)
    for number, ring in enumerate(rings):
        edges = shapely.linestrings(np.stack([ring[:-1], ring[1:]], axis=1))
        away = shapely.distance(edges, shapely.Point(place))
        at = int(np.argmin(away))
        if away[at] < best:
            best, found = float(away[at]), (number, at)
    return found


def noded(areas: ArrayLike) -> Array:
    """The areas with every loose vertex put into the neighbour that lacks it."""
    result = array_of(areas)
    missing: dict[int, list[tuple[float, float]]] = {}
    for vertex in loose_vertices(result):
        missing.setdefault(vertex.j, []).append(vertex.place)
    for at, places in missing.items():
        result[at] = with_vertices(result[at], places)
    return result
