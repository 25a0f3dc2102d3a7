"""A border moved: one area drawn anew, and what its neighbours give and take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids.faces import Faces
from gridmap.domain.grids.polygons import Array, area_of, array_of
from gridmap.domain.grids.refusals import GridEditError, GroundLeftOver
from gridmap.domain.grids.scale import TOLERANCE_M2, Scale, scale_of
from gridmap.domain.grids.transfers import NOBODY, Change, Edit

SNAP_M = 0.05


def snapped(geometry: BaseGeometry, areas: ArrayLike, distance: float) -> BaseGeometry:
    """The geometry with each vertex within `distance` of a vertex of the areas put onto the nearest one."""
    known = np.unique(shapely.get_coordinates(np.asarray(areas, dtype=object)), axis=0)
    xy = shapely.get_coordinates(geometry)
    tree = shapely.STRtree(shapely.points(known))
    mine, theirs = tree.query_nearest(shapely.points(xy), max_distance=distance, all_matches=False)
    xy[mine] = known[theirs]
    moved = shapely.set_coordinates(geometry, xy)
    return moved if shapely.is_valid(moved) else geometry


def redrawn(
    areas: ArrayLike,
    which: int,
    outline: BaseGeometry,
    *,
    within: BaseGeometry | None = None,
    may_take: Sequence[bool] | None = None,
    snap_m: float = SNAP_M,
) -> Edit:
    """
    Area `which` gets a new outline; its neighbours take what it gives up and give what it takes.

    Ground given up goes, piece by piece, to the neighbour with the longest common border. Vertices within
    `snap_m` of an existing one are put onto it; pieces of 1 m² at most, or thinner than 5 cm, are slips of
    the pen and stay where they were.

    Parameters
    ----------
    areas : (n,) the area and every area that it, or the outline, touches
    outline : valid Polygon or MultiPolygon, same coordinates
    within : the parent's ground; what the outline takes beyond it is left out
    may_take : (n,) which areas may take ground: those of the same parent

    Raises
    ------
    GridEditError
        The outline is no valid area, or nothing of it is left inside the parent.
    GroundLeftOver, GridSwallowed
    """
    given = array_of(areas)
    _require_area(outline)
    scale = scale_of(given)
    target = snapped(outline, given, scale.units(snap_m))
    clipped = None if within is None else _beyond(target, within, given[which], scale)
    if clipped is not None:
        target = area_of(shapely.difference(target, clipped))
    if target.is_empty:
        raise GridEditError("nothing of the outline lies inside the parent", zh="新边界完全在上级范围之外。")
    change = Change.on(Faces.of(given, [shapely.boundary(target)]))
    is_inside = change.faces.inside(target)
    _take(change, which, is_inside)
    takers = np.ones(len(given), dtype=bool) if may_take is None else np.asarray(may_take, dtype=bool)
    _give_up(change, which, change.faces.owned[which] & ~is_inside, takers)
    return change.done(given, clipped)


def _require_area(outline: BaseGeometry) -> None:
    if outline.geom_type not in ("Polygon", "MultiPolygon") or outline.is_empty:
        raise GridEditError("the outline is no area", zh="新边界不是面,请重新绘制。")
    if not outline.is_valid:
        reason = shapely.is_valid_reason(outline)
        raise GridEditError(f"the outline is invalid: {reason}", zh="新边界自相交或无效,请调整后再保存。")


def _beyond(
    target: BaseGeometry, within: BaseGeometry, before: BaseGeometry, scale: Scale
) -> BaseGeometry | None:
    """What the outline newly takes beyond the parent; None up to 1 m²."""
    beyond = shapely.difference(shapely.difference(target, within), before)
    return beyond if scale.area_m2(beyond) > TOLERANCE_M2 else None


def _take(change: Change, which: int, is_inside: Array) -> None:
    """Hand over what lies inside the new outline and belonged to others, or to nobody."""
    owned = change.faces.owned
    wanted = is_inside & ~owned[which]
    for giver in range(len(owned)):
        for piece, where in change.pieces(wanted & owned[giver]):
            change.move(piece, where, giver, which)
    for piece, where in change.pieces(wanted & ~owned.any(axis=0)):
        change.move(piece, where, NOBODY, which)


def _give_up(change: Change, which: int, lost: Array, takers: Array) -> None:
    """Hand the lost ground to the neighbours; raises GroundLeftOver where nobody may take a piece."""
    owned, faces = change.faces.owned, change.faces
    # ground that somebody else owns too is not left over
    is_alone = owned.sum(axis=0) == 1
    for piece, where in change.pieces(lost & ~is_alone):
        change.move(piece, where, which, NOBODY)
    sides = {
        at: shapely.boundary(faces.union(owned[at]))
        for at in range(len(owned))
        if at != which and takers[at] and owned[at].any()
    }
    for piece, where in change.pieces(lost & is_alone):
        change.move(piece, where, which, _longest_neighbour(piece, sides, faces.scale))


def _longest_neighbour(piece: BaseGeometry, sides: dict[int, BaseGeometry], scale: Scale) -> int:
    edge = shapely.boundary(piece)
    shared = {at: shapely.intersection(edge, side).length for at, side in sides.items()}
    best = max(shared, key=lambda at: shared[at], default=NOBODY)
    if best == NOBODY or shared[best] <= scale.units(1e-3):
        place, size = shapely.point_on_surface(piece), scale.area_m2(piece)
        raise GroundLeftOver(
            f"{size:,.0f} m² at {place.x:.6f}, {place.y:.6f} would belong to no grid; keep them or move the border",
            zh=f"有 {size:,.0f} 平方米让出后没有相邻网格可以接管,未保存,请调整边界。",
            place=(place.x, place.y),
            area_m2=round(float(size), 1),
        )
    return best
