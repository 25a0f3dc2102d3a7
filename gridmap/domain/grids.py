"""
Areas that share their ground without overlap, and the edits that keep them so.

Every edit is a list of transfers: this piece of ground goes from one area to another. All borders are cut at
each other into faces, each face gets its owner, and the areas are put together again from their faces. So the
ground that one area loses is, vertex by vertex, the ground that another gains, and neighbours share every
vertex. Coordinates are degrees or metres, told apart by their range; nothing is projected, because a straight
edge in degrees is no straight edge in metres and both sides of a border must bend alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gridmap.errors import InvalidInput, StateConflict

Array = np.ndarray[Any, Any]

NOBODY = -1
TOLERANCE_M2 = 1.0
SNAP_M = 0.05
# how far the end of a drawn line may stay away from the border it is meant to reach
REACH_M = 30.0
_METRES_PER_DEGREE = 111_320.0
_NARROW_M = 0.05


class GridEditError(InvalidInput):
    """
    A grid edit makes no sense on the ground: a line that cuts nothing, an outline that is no area.

    Attributes
    ----------
    place : (x, y) where it happens, where that is known
    """

    title = "网格编辑无法完成"


class GroundLeftOver(StateConflict):
    """
    Ground would belong to nobody: an area gives it up and no neighbour of the same parent touches it.

    Attributes
    ----------
    place : (x, y) on the piece; area_m2 : its size
    """

    title = "会留下空白"


class GridSwallowed(StateConflict):
    """
    An area would lose all its ground; merging is the edit that says so.

    Attributes
    ----------
    index : its position among the areas
    """

    title = "网格会消失"


@dataclass(frozen=True, slots=True)
class Scale:
    """Metres per unit of x and y near a place: a ruler for tolerances, within 1 % for pieces of a grid's size."""

    x: float
    y: float

    def area_m2(self, geometry: Any) -> Any:
        """Area of a geometry (or of each in an array), m²."""
        return shapely.area(geometry) * (self.x * self.y)

    def is_slight(self, piece: BaseGeometry) -> bool:
        """Whether a piece is a slip of the pen: 1 m² at most, or nowhere wider than centimetres."""
        area, around = self.area_m2(piece), piece.length * max(self.x, self.y)
        return area <= TOLERANCE_M2 or 2 * area < _NARROW_M * around

    def units(self, metres: float) -> float:
        """A distance in the larger unit: at least that many metres in both directions."""
        return metres / min(self.x, self.y)


def scale_of(geometries: ArrayLike) -> Scale:
    """The scale where the geometries lie."""
    west, south, east, north = shapely.total_bounds(np.asarray(geometries, dtype=object))
    if west < -180 or east > 180 or south < -90 or north > 90:
        return Scale(1.0, 1.0)
    return Scale(_METRES_PER_DEGREE * float(np.cos(np.radians((south + north) / 2))), _METRES_PER_DEGREE)


@dataclass(frozen=True, slots=True)
class Transfer:
    """`piece` goes from area `giver` to area `taker` (positions; NOBODY stands for ground without an area)."""

    piece: BaseGeometry
    giver: int
    taker: int


@dataclass(frozen=True, slots=True)
class Edit:
    """
    What an edit makes of areas.

    Attributes
    ----------
    areas : in the order given, new ones behind them; None where an area has no ground left, the very same
        object where nothing changed
    transfers : the ground that changed hands
    clipped : ground that the drawing took beyond the parent, and that was left out (None: none)
    """

    areas: Array
    transfers: tuple[Transfer, ...] = ()
    clipped: BaseGeometry | None = None

    @property
    def moved(self) -> set[int]:
        """Positions of the areas whose ground changed; others may have gained vertices alone."""
        return {one for move in self.transfers for one in (move.giver, move.taker)} - {NOBODY}


# --- faces ------------------------------------------------------------------------------------------------


def _array(geometries: Any) -> Array:
    array = np.empty(len(geometries), dtype=object)
    array[:] = list(geometries)
    return array


def _polygons(geometry: Any) -> Array:
    """The polygons in a geometry or an array of geometries."""
    parts = shapely.get_parts(np.atleast_1d(np.asarray(geometry, dtype=object)))
    while (nested := np.isin(shapely.get_type_id(parts), (6, 7))).any():
        parts = np.concatenate([parts[~nested], shapely.get_parts(parts[nested])])
    return parts[(shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)]


@dataclass(frozen=True, slots=True)
class _Faces:
    """
    The smallest areas that all borders enclose, an inner point of each, and who owns it (several: overlap).

    Their vertices are rounded to a tenth of a millimetre; `known` turns them back.
    """

    faces: Array
    inner: Array
    owned: Array  # (areas, faces) bool
    known: _Known

    def union(self, which: Array) -> BaseGeometry:
        return shapely.coverage_union_all(self.faces[which]) if which.any() else Polygon()

    def inside(self, geometry: BaseGeometry) -> Array:
        shapely.prepare(geometry)
        return shapely.intersects(geometry, self.inner)


def _faces(areas: Array, extra: Sequence[BaseGeometry] = ()) -> _Faces:
    grid = _grid_of(areas)
    borders = shapely.union_all([*shapely.boundary(areas), *extra], grid_size=grid)
    faces = shapely.get_parts(shapely.polygonize([borders]))
    inner = shapely.point_on_surface(faces)
    owned = np.zeros((len(areas), len(faces)), dtype=bool)
    tree = shapely.STRtree(areas)
    face, area = tree.query(inner, predicate="intersects")
    owned[area, face] = True
    # the inner point of a face as thin as the grid may fall just beside the area that it came from
    lost = np.flatnonzero(~owned.any(axis=0))
    face, area = tree.query(inner[lost], predicate="dwithin", distance=grid)
    _, first = np.unique(face, return_index=True)
    owned[area[first], lost[face[first]]] = True
    return _Faces(faces, inner, owned, _Known.of([*areas, *extra], grid))


def _grid_of(areas: Array) -> float:
    """A tenth of a millimetre in the unit of the coordinates: what crossings are rounded to."""
    return 1e-4 if scale_of(areas) == Scale(1.0, 1.0) else 1e-9


@dataclass(frozen=True, slots=True)
class _Known:
    """
    The vertices that were there before everything was rounded, by their rounded places.

    Cutting is only safe on a grid, but a vertex that others share must come out of it to the last bit.
    """

    cells: Array
    xy: Array
    grid: float

    @classmethod
    def of(cls, sources: Sequence[BaseGeometry], grid: float) -> _Known:
        xy = shapely.get_coordinates(sources)
        cells, first = np.unique(_cells(xy, grid), return_index=True)
        return cls(cells, xy[first], grid)

    def find(self, xy: Array) -> tuple[Array, Array]:
        """Which of the places are known, and for each the known place (where it is)."""
        cells = _cells(xy, self.grid)
        at = np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)
        return self.cells[at] == cells, self.xy[at]

    def restored(self, area: BaseGeometry) -> BaseGeometry:
        """The area with known vertices as they were."""
        xy = shapely.get_coordinates(area)
        if not len(xy):
            return area
        is_known, there = self.find(xy)
        moved = shapely.set_coordinates(area, np.where(is_known[:, None], there, xy))
        return moved if moved.is_valid else area


def _cells(xy: Array, grid: float) -> Array:
    """One (complex) number for the grid cell of each coordinate pair."""
    cell = np.rint(xy / grid)
    return cell[:, 0] + 1j * cell[:, 1]


def _needless(areas: Array, known: _Known) -> Array:
    """Cells of vertices that cutting made and that nothing needs: in the middle of a straight common border."""
    rings = shapely.get_rings(shapely.get_parts(areas[~shapely.is_empty(areas)]))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inside = ring[1:] == ring[:-1]
    starts, ends = xy[:-1][inside], xy[1:][inside]
    # every edge from both of its ends
    here, there = np.vstack([starts, ends]), np.vstack([ends, starts])
    is_new = ~known.find(here)[0]
    here, there = here[is_new], there[is_new]
    cells, which = np.unique(_cells(here, known.grid), return_inverse=True)
    _, first = np.unique(np.column_stack([which, _cells(there, known.grid)]), axis=0, return_index=True)
    here, there, which = here[first], there[first], which[first]
    order = np.argsort(which, kind="stable")
    ways = np.bincount(which, minlength=len(cells))
    begin = np.concatenate([[0], np.cumsum(ways)[:-1]])
    between = np.flatnonzero(ways == 2)
    one, other, middle = (
        there[order[begin[between]]], there[order[begin[between] + 1]], here[order[begin[between]]],
    )  # fmt: skip
    edges = shapely.linestrings(np.stack([one, other], axis=1)) if len(between) else np.empty(0, dtype=object)
    straight = shapely.distance(edges, shapely.points(middle)) <= 2 * known.grid
    return cells[between[straight]]


def _without(area: BaseGeometry, cells: Array, grid: float) -> BaseGeometry:
    """The area without the vertices in these cells."""
    xy = shapely.get_coordinates(area)
    if not len(xy) or not np.isin(_cells(xy, grid), cells).any():
        return area
    rings = []
    for ring in shapely.get_rings(shapely.get_parts(area)):
        points = shapely.get_coordinates(ring)[:-1]
        kept = points[~np.isin(_cells(points, grid), cells)]
        rings.append(np.vstack([kept, kept[:1]]))
    return _rebuilt(area, rings)


def _assembled(faces: _Faces, owned: Array, areas: Array, transfers: Sequence[Transfer]) -> Array:
    """
    Areas put together from the faces they own.

    Only areas that a piece touches may change, and by no vertex more than they need; others stay the very
    object they are.
    """
    edges = shapely.union_all([shapely.boundary(move.piece) for move in transfers])
    near = np.ones(len(owned), dtype=bool)
    near[: len(areas)] = shapely.dwithin(areas, edges, scale_of(areas).units(1e-3))
    unions = _array([faces.union(mine) for mine in owned])
    needless = _needless(unions, faces.known)
    result = np.empty(len(owned), dtype=object)
    for at, union in enumerate(unions):
        before = areas[at] if at < len(areas) else None
        if not near[at]:
            result[at] = before
        elif not union.is_empty:
            after = shapely.orient_polygons(faces.known.restored(_without(union, needless, faces.known.grid)))
            result[at] = _like(after, before)
    return result


def _like(after: BaseGeometry, before: BaseGeometry | None) -> BaseGeometry:
    """The area in the type it had, and the object itself where not a vertex changed."""
    if before is None:
        return after
    if _same_vertices(before, after):
        return before
    is_multi = before.geom_type == "MultiPolygon" and after.geom_type == "Polygon"
    return MultiPolygon([after]) if is_multi else after


def _keys(xy: Array) -> Array:
    """One comparable value a coordinate pair."""
    return np.ascontiguousarray(xy + 0.0).view(np.dtype((np.void, 16))).ravel()


def _same_vertices(first: BaseGeometry, second: BaseGeometry) -> bool:
    one, other = (MultiPolygon(list(_polygons(each))).normalize() for each in (first, second))
    return bool(shapely.equals_identical(one, other))


def reassigned(areas: ArrayLike, transfers: Sequence[Transfer]) -> Edit:
    """
    The areas after the transfers; a taker beyond the last position makes a new area.

    Parameters
    ----------
    areas : (n,) valid Polygon or MultiPolygon
    transfers : pieces that do not overlap each other; ground of a piece that the giver does not own stays
    """
    given = _array(areas)
    if not transfers:
        return Edit(given)
    faces = _faces(given, [shapely.boundary(move.piece) for move in transfers])
    count = max(len(given), *(move.taker + 1 for move in transfers))
    owned = np.zeros((count, len(faces.faces)), dtype=bool)
    owned[: len(given)] = faces.owned
    for move in transfers:
        _hand_over(owned, move, faces.inside(move.piece))
    return Edit(_assembled(faces, owned, given, transfers), tuple(transfers))


def _hand_over(owned: Array, move: Transfer, where: Array) -> None:
    """Faces `where` go from the giver to the taker, as far as the giver has them."""
    had = where & (owned[move.giver] if move.giver != NOBODY else ~owned.any(axis=0))
    if move.giver != NOBODY:
        owned[move.giver, had] = False
    if move.taker != NOBODY:
        owned[move.taker, had] = True


@dataclass(slots=True)
class _Change:
    """An edit in the making: who owns which face so far, and the ground that changed hands."""

    faces: _Faces
    owned: Array
    scale: Scale
    transfers: list[Transfer]

    @classmethod
    def on(cls, faces: _Faces, scale: Scale, *, new: int = 0) -> _Change:
        return cls(faces, np.vstack([faces.owned, np.zeros((new, len(faces.faces)), dtype=bool)]), scale, [])

    def pieces(self, where: Array) -> list[tuple[BaseGeometry, Array]]:
        """The connected pieces of these faces, each with its faces; slips of the pen left out."""
        found = []
        for piece in _polygons(self.faces.union(where)):
            if not self.scale.is_slight(piece):
                found.append((piece, where & self.faces.inside(piece)))
        return found

    def move(self, piece: BaseGeometry, where: Array, giver: int, taker: int) -> None:
        """Hand these faces over and note it."""
        move = Transfer(piece, giver, taker)
        _hand_over(self.owned, move, where)
        self.transfers.append(move)

    def done(self, areas: Array, clipped: BaseGeometry | None = None) -> Edit:
        """The finished edit; raises GridSwallowed where an old area has no ground left."""
        if not self.transfers:
            return Edit(areas, (), clipped)
        gone = np.flatnonzero(self.faces.owned.any(axis=1) & ~self.owned[: len(areas)].any(axis=1))
        if len(gone) and len(self.owned) == len(areas):
            raise GridSwallowed(
                f"area {gone[0]} would lose all its ground; merge the grids instead",
                zh="有网格会失去全部范围,未保存。如要合并,请使用“合并网格”。",
                index=int(gone[0]),
            )
        after = _assembled(self.faces, self.owned, areas, self.transfers)
        return Edit(after, tuple(self.transfers), clipped)


# --- moving borders ---------------------------------------------------------------------------------------


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
    given = _array(areas)
    _require_area(outline)
    scale = scale_of(given)
    target = snapped(outline, given, scale.units(snap_m))
    clipped = None
    if within is not None:
        beyond = shapely.difference(shapely.difference(target, within), given[which])
        if scale.area_m2(beyond) > TOLERANCE_M2:
            clipped = beyond
            target = _area(shapely.difference(target, beyond))
    if target.is_empty:
        raise GridEditError("nothing of the outline lies inside the parent", zh="新边界完全在上级范围之外。")
    change = _Change.on(_faces(given, [shapely.boundary(target)]), scale)
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


def _area(geometry: BaseGeometry) -> BaseGeometry:
    parts = _polygons(geometry)
    return parts[0] if len(parts) == 1 else MultiPolygon(list(parts))


def _take(change: _Change, which: int, is_inside: Array) -> None:
    owned = change.faces.owned
    wanted = is_inside & ~owned[which]
    for giver in range(len(owned)):
        for piece, where in change.pieces(wanted & owned[giver]):
            change.move(piece, where, giver, which)
    for piece, where in change.pieces(wanted & ~owned.any(axis=0)):
        change.move(piece, where, NOBODY, which)


def _give_up(change: _Change, which: int, lost: Array, takers: Array) -> None:
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
        change.move(piece, where, which, _longest_neighbour(piece, sides, change.scale))


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
    given = _array(areas)
    change, pieces = _cut(given, [first, second], line, snap_m, reach_m)
    owned = change.faces.owned
    size = shapely.area(change.faces.faces)
    has = np.array([[size[where & owned[at]].sum() for at in (first, second)] for _, where in pieces])
    if len(pieces) == 2:
        stays = has[0, 0] + has[1, 1] >= has[0, 1] + has[1, 0]
        owners = [first, second] if stays else [second, first]
    else:
        owners = [first if mine >= theirs else second for mine, theirs in has]
    for owner, (_, where) in zip(owners, pieces, strict=True):
        other = second if owner == first else first
        for piece, moving in change.pieces(where & owned[other] & ~owned[owner]):
            change.move(piece, moving, other, owner)
    return change.done(given)


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
    given = _array(areas)
    change, pieces = _cut(given, [which], line, snap_m, reach_m)
    pieces.sort(key=lambda one: -one[0].area)
    change = _Change.on(change.faces, change.scale, new=len(pieces))
    for at, (piece, where) in enumerate(pieces, len(given)):
        change.move(piece, where, which, at)
    return change.done(given)


def _cut(
    areas: Array, whose: Sequence[int], line: BaseGeometry, snap_m: float, reach_m: float
) -> tuple[_Change, list[tuple[BaseGeometry, Array]]]:
    """The parts (with their faces) of some areas' ground on both sides of a line."""
    if line.geom_type not in ("LineString", "MultiLineString") or line.is_empty or not line.is_valid:
        raise GridEditError("the divider is no line", zh="分割线不是线,请重新绘制。")
    scale = scale_of(areas)
    drawn = snapped(line, areas, scale.units(snap_m))
    ground = shapely.union_all(areas[list(whose)])
    lines = [_reaching(one, ground, scale.units(reach_m)) for one in shapely.get_parts(drawn)]
    faces = _faces(areas, lines)
    mine = faces.owned[list(whose)].any(axis=0)
    parts = _sides(faces, mine, lines, scale)
    if len(parts) < 2:
        place = shapely.line_interpolate_point(lines[0], 0.5, normalized=True)
        raise GridEditError(
            "the line does not divide the ground: draw it from border to border",
            zh="这条线没有把网格分开:请从一侧边界画到另一侧边界。",
            place=(place.x, place.y),
        )
    return _Change.on(faces, scale), parts


def _sides(
    faces: _Faces, mine: Array, lines: Sequence[BaseGeometry], scale: Scale
) -> list[tuple[BaseGeometry, Array]]:
    """The faces `mine`, grouped by the side of the lines they are on; a side that is a slip joins the next one."""
    cut = _faces(_array([faces.union(mine)]), lines)
    sides = cut.faces[cut.owned[0]]
    here = np.flatnonzero(mine)
    at, side = shapely.STRtree(sides).query_nearest(faces.inner[here], all_matches=False)
    masks = []
    for number in range(len(sides)):
        mask = np.zeros(len(mine), dtype=bool)
        mask[here[at[side == number]]] = True
        masks.append(mask)
    parts = [(faces.union(mask), mask) for mask in masks if mask.any()]
    large = [one for one in parts if not scale.is_slight(one[0])]
    for slip, mask in (one for one in parts if scale.is_slight(one[0])):
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
    point = shapely.Point(end)
    distance = shapely.distance(border, point)
    on_vertex = bool(np.isin(_keys(end[None, :]), _keys(shapely.get_coordinates(border)))[0])
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


# --- joining ----------------------------------------------------------------------------------------------


def joined(areas: ArrayLike, members: Sequence[int]) -> Edit:
    """
    The members become one new area, behind the others; they have no ground left.

    Raises
    ------
    GridEditError
        Fewer than two members, or one that shares no border with the rest.
    """
    given = _array(areas)
    chosen = sorted(set(members))
    if len(chosen) < 2:
        raise GridEditError("merging takes at least two grids", zh="请至少选择两个网格进行合并。")
    faces, scale = _faces(given), scale_of(given)
    _require_connected([faces.union(faces.owned[at]) for at in chosen], scale)
    change = _Change.on(faces, scale, new=1)
    for at in chosen:
        change.move(given[at], faces.owned[at], at, len(given))
    return change.done(given)


def _require_connected(areas: list[BaseGeometry], scale: Scale) -> None:
    reached, waiting = {0}, [0]
    while waiting:
        here = shapely.boundary(areas[waiting.pop()])
        for at, area in enumerate(areas):
            if at in reached:
                continue
            if shapely.intersection(here, shapely.boundary(area)).length > scale.units(1e-2):
                reached.add(at)
                waiting.append(at)
    if len(reached) < len(areas):
        alone = next(at for at in range(len(areas)) if at not in reached)
        place = shapely.point_on_surface(areas[alone])
        raise GridEditError(
            "the grids share no border; merge neighbours only",
            zh="所选网格没有公共边界,只能合并相邻的网格。",
            place=(place.x, place.y),
        )


# --- noding -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LooseVertex:
    """A vertex of area `i` that lies on an edge of area `j` without being a vertex of it (a T-junction)."""

    i: int
    j: int
    place: tuple[float, float]


def loose_vertices(areas: ArrayLike, *, distance: float | None = None) -> list[LooseVertex]:
    """
    Vertices that lie on a neighbour's edge, within `distance` (by default a millimetre), and are none of its own.

    Parameters
    ----------
    areas : (n,) Polygon or MultiPolygon
    distance : in units of the coordinates
    """
    given = _array(areas)
    if not len(given):
        return []
    hair = scale_of(given).units(1e-3) if distance is None else distance
    edges, owner = _edges(given)
    tree = shapely.STRtree(edges)
    xy, holder = shapely.get_coordinates(given, return_index=True)
    keys = _keys(xy)
    # only vertices that not all areas around them have can be loose: where edges fit nowhere
    suspects = np.flatnonzero(~shapely.is_empty(shapely.coverage_invalid_edges(given)))
    mine = np.flatnonzero(np.isin(holder, suspects))
    point, edge = tree.query(shapely.points(xy[mine]), predicate="dwithin", distance=hair)
    point = mine[point]
    other = owner[edge] != holder[point]
    point, edge = point[other], edge[other]
    own_keys: dict[int, set[bytes]] = {}
    found: dict[tuple[int, bytes], LooseVertex] = {}
    for at, line in zip(point.tolist(), edge.tolist(), strict=True):
        j, key = int(owner[line]), keys[at].tobytes()
        if j not in own_keys:
            own_keys[j] = {one.tobytes() for one in keys[holder == j]}
        if key not in own_keys[j] and not _is_at_end(edges[line], xy[at], hair):
            found.setdefault((j, key), LooseVertex(int(holder[at]), j, (float(xy[at, 0]), float(xy[at, 1]))))
    return list(found.values())


def _edges(areas: Array) -> tuple[Array, Array]:
    """Every edge as a line of two points, and the position of the area it belongs to."""
    parts, part_owner = shapely.get_parts(areas, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    ring_owner = part_owner[of_part]
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    inside = of_ring[1:] == of_ring[:-1]
    edges = shapely.linestrings(np.stack([xy[:-1][inside], xy[1:][inside]], axis=1))
    return edges, ring_owner[of_ring[:-1][inside]]


def _is_at_end(edge: LineString, place: Array, hair: float) -> bool:
    ends = shapely.get_coordinates(edge)
    return bool((np.hypot(*(ends - place).T) <= hair).any())


def with_vertices(area: BaseGeometry, places: Sequence[tuple[float, float]]) -> BaseGeometry:
    """The area with each place put as a vertex into the edge that it lies on (the nearest one)."""
    rings: list[Array] = [shapely.get_coordinates(one) for one in shapely.get_rings(shapely.get_parts(area))]
    for place in places:
        ring, at = _nearest_edge(rings, np.array(place))
        rings[ring] = np.insert(rings[ring], at + 1, place, axis=0)
    return _rebuilt(area, rings)


def _nearest_edge(rings: list[Array], place: Array) -> tuple[int, int]:
    best, found = np.inf, (0, 0)
    for number, ring in enumerate(rings):
        edges = shapely.linestrings(np.stack([ring[:-1], ring[1:]], axis=1))
        away = shapely.distance(edges, shapely.Point(place))
        # of two edges that meet in the nearest corner take the one the place stands beside
        at = int(np.argmin(away))
        if away[at] < best:
            best, found = float(away[at]), (number, at)
    return found


def _rebuilt(area: BaseGeometry, rings: list[Array]) -> BaseGeometry:
    counts = [1 + len(one.interiors) for one in shapely.get_parts(area)]
    polygons, start = [], 0
    for count in counts:
        polygons.append(Polygon(rings[start], rings[start + 1 : start + count]))
        start += count
    return polygons[0] if area.geom_type == "Polygon" else MultiPolygon(polygons)
