"""Lines drawn from border to border that divide ground: between two areas, or one area into parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely import LineString
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids.borders import SNAP_M, snapped
from gridmap.domain.grids.faces import Faces
from gridmap.domain.grids.polygons import Array, array_of, keys
from gridmap.domain.grids.refusals import GridEditError
from gridmap.domain.grids.scale import scale_of
from gridmap.domain.grids.transfers import Change, Edit

# Ground with the faces it is made of (bool each).
Part = tuple[BaseGeometry, Array]
# how far the end of a drawn line may stay away from the border it is meant to reach
REACH_M = 30.0


def realigned(
    areas: ArrayLike,
    first: int,
    second: int,
    line: BaseGeometry,
    *,
    snap_m: float = SNAP_M,
    reach_m: float = REACH_M,
) -> Edit:
    """
    The common border of two areas becomes `line`; other borders stay.

    The line is cut off at the outline of the two, and an end that stays inside by up to `reach_m` is led to
    it. With two pieces the one is the first area and the other the second, whichever way moves less ground;
    with more, each piece goes to the area that has more of it.

    Raises
    ------
    GridEditError
        The line does not divide the ground of the two.
    """
    given = array_of(areas)
    faces, parts = _cut(given, [first, second], line, snap_m, reach_m)
    change, owned = Change.on(faces), faces.owned
    for owner, (_, where) in zip(_owners(faces, parts, first, second), parts, strict=True):
        other = second if owner == first else first
        for piece, moving in change.pieces(where & owned[other] & ~owned[owner]):
            change.move(piece, moving, other, owner)
    return change.done(given)


def _owners(faces: Faces, parts: Sequence[Part], first: int, second: int) -> list[int]:
    """Whose each part becomes, so that little ground moves."""
    size = shapely.area(faces.faces)
    has = np.array([[size[where & faces.owned[at]].sum() for at in (first, second)] for _, where in parts])
    if len(parts) != 2:
        return [first if mine >= theirs else second for mine, theirs in has]
    stays = has[0, 0] + has[1, 1] >= has[0, 1] + has[1, 0]
    return [first, second] if stays else [second, first]


def divided(
    areas: ArrayLike, which: int, line: BaseGeometry, *, snap_m: float = SNAP_M, reach_m: float = REACH_M
) -> Edit:
    """
    Area `which` is cut by `line`; its parts are new areas, the largest first, and it has no ground left.

    Neighbours get the vertices where the line meets their border. Ends of the line are treated as in
    `realigned`.

    Raises
    ------
    GridEditError
        The line does not divide the area.
    """
    given = array_of(areas)
    faces, parts = _cut(given, [which], line, snap_m, reach_m)
    parts.sort(key=lambda one: -one[0].area)
    change = Change.on(faces, new=len(parts))
    for at, (piece, where) in enumerate(parts, len(given)):
        change.move(piece, where, which, at)
    return change.done(given)


def _cut(
    areas: Array, whose: Sequence[int], line: BaseGeometry, snap_m: float, reach_m: float
) -> tuple[Faces, list[Part]]:
    """The parts of some areas' ground on both sides of a line."""
    if line.geom_type not in ("LineString", "MultiLineString") or line.is_empty or not line.is_valid:
        raise GridEditError("the divider is no line", zh="分割线不是线,请重新绘制。")
    scale = scale_of(areas)
    drawn = snapped(line, areas, scale.units(snap_m))
    ground = shapely.union_all(areas[list(whose)])
    lines = [_reaching(one, ground, scale.units(reach_m)) for one in shapely.get_parts(drawn)]
    faces = Faces.of(areas, lines)
    parts = _sides(faces, faces.owned[list(whose)].any(axis=0), lines)
    if len(parts) < 2:
        place = shapely.line_interpolate_point(lines[0], 0.5, normalized=True)
        raise GridEditError(
            "the line does not divide the ground: draw it from border to border",
            zh="这条线没有把网格分开:请从一侧边界画到另一侧边界。",
            place=(place.x, place.y),
        )
    return faces, parts


def _sides(faces: Faces, mine: Array, lines: Sequence[BaseGeometry]) -> list[Part]:
    """The faces `mine`, grouped by the side of the lines they are on; a side that is a slip joins the next one."""
    cut = Faces.of(array_of([faces.union(mine)]), lines)
    sides = cut.faces[cut.owned[0]]
    here = np.flatnonzero(mine)
    at, side = shapely.STRtree(sides).query_nearest(faces.inner[here], all_matches=False)
    masks = np.zeros((len(sides), len(mine)), dtype=bool)
    masks[side, here[at]] = True
    parts = [(faces.union(mask), mask) for mask in masks if mask.any()]
    large = [one for one in parts if not faces.scale.is_slight(one[0])]
    for slip, mask in (one for one in parts if faces.scale.is_slight(one[0])):
        if not large:
            break
        edge = shapely.boundary(slip)
        best = int(np.argmax([shapely.intersection(edge, shapely.boundary(one)).length for one, _ in large]))
        both = large[best][1] | mask
        large[best] = (faces.union(both), both)
    return large


def _reaching(line: LineString, ground: BaseGeometry, reach: float) -> BaseGeometry:
    """The line with each end that stays inside the ground led across the nearest border within `reach`."""
    xy = shapely.get_coordinates(line)
    border = shapely.boundary(ground)
    lead = [_lead(xy[0], border, ground, reach), _lead(xy[-1], border, ground, reach)]
    return LineString([*lead[0][::-1], *xy, *lead[1]]) if any(lead) else line


def _lead(end: Array, border: BaseGeometry, ground: BaseGeometry, reach: float) -> list[tuple[float, float]]:
    """The place just across the border that this end of a line is led to; none where it needs no leading."""
    point = shapely.Point(end)
    distance = shapely.distance(border, point)
    on_vertex = bool(np.isin(keys(end[None, :]), keys(shapely.get_coordinates(border)))[0])
    if on_vertex or distance > reach or (distance > 0 and not shapely.intersects(ground, point)):
        return []
    foot = shapely.get_point(shapely.shortest_line(border, point), 0)
    # the foot lies beside the border in the last digit: a small step on, so that the two surely cross
    toward = np.array([foot.x - end[0], foot.y - end[1]])
    length = float(np.hypot(*toward))
    if length < 1e-3 * reach:
        toward, length = _outward(foot, ground, reach), 1.0
    step = toward / length * (reach * 1e-5)
    return [(foot.x + step[0], foot.y + step[1])]


def _outward(foot: shapely.Point, ground: BaseGeometry, reach: float) -> Array:
    """A direction (unit vector) from a place on the border out of the ground."""
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ways = np.column_stack([np.cos(angles), np.sin(angles)])
    ends = shapely.points(np.array([foot.x, foot.y]) + ways * (reach * 1e-3))
    away = np.where(shapely.intersects(ground, ends), -1.0, shapely.distance(ground, ends))
    return ways[int(np.argmax(away))]
