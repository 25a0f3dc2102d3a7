"""
Partitions: whether areas cover their parent exactly once, and how neighbours come to share every vertex.

Grids are stored noded: where two areas touch, both have the same vertices. Otherwise a corner of one on a
long edge of another (a T-junction) turns into a false gap of square metres as soon as the coordinates are
projected, because the edge bends and the corner does not. `noded` brings areas into that form,
`partition_problems` reports everything that keeps them from being a partition; nothing here repairs silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from gridmap.errors import InvalidInput
from gridmap.validation.geometry import valid_form

Array = np.ndarray[Any, Any]

TOLERANCE_M2 = 1.0
SLIVER_WIDTH_M = 2.0


@dataclass(frozen=True, slots=True)
class Overlap:
    """One connected piece of ground that two areas share: `i < j` are their positions in the input."""

    i: int
    j: int
    piece: BaseGeometry
    area_m2: float


@dataclass(frozen=True, slots=True)
class Gap:
    """One connected piece of ground that no area covers; `neighbours` are the areas that touch it."""

    piece: BaseGeometry
    area_m2: float
    neighbours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outside:
    """One connected piece of area `i` that lies outside the parent."""

    i: int
    piece: BaseGeometry
    area_m2: float


@dataclass(frozen=True, slots=True)
class Invalid:
    """Area `i` is no proper area: `reason` in the words of GEOS, at `place` where that is known."""

    i: int
    reason: str
    place: Point | None


@dataclass(frozen=True, slots=True)
class Sliver:
    """One part of area `i` that is so narrow (twice area by perimeter, metres) that it looks like a slip."""

    i: int
    piece: BaseGeometry
    area_m2: float
    width_m: float


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """
    Everything that keeps areas from being a partition, place by place, the largest first.

    `empty` lists the missing and empty areas, `duplicates` the pairs that cover the same ground (each is an
    overlap too). Slivers are a warning: they do not spoil a partition.
    """

    overlaps: tuple[Overlap, ...] = ()
    gaps: tuple[Gap, ...] = ()
    outside: tuple[Outside, ...] = ()
    invalid: tuple[Invalid, ...] = ()
    empty: tuple[int, ...] = ()
    duplicates: tuple[tuple[int, int], ...] = ()
    slivers: tuple[Sliver, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether the areas are a partition: no overlap, gap, piece outside, invalid or empty area."""
        return not (self.overlaps or self.gaps or self.outside or self.invalid or self.empty)

    @property
    def overlap_m2(self) -> float:
        """Ground covered more than once, counted once for each pair of areas."""
        return float(sum(one.area_m2 for one in self.overlaps))

    @property
    def gap_m2(self) -> float:
        """Ground covered by none."""
        return float(sum(one.area_m2 for one in self.gaps))


def partition_problems(
    polygons: ArrayLike,
    *,
    within: BaseGeometry | None = None,
    tolerance_m2: float = TOLERANCE_M2,
    sliver_width_m: float = SLIVER_WIDTH_M,
) -> PartitionReport:
    """
    What keeps `polygons` from covering `within` exactly once.

    A connected piece of overlap, gap or outside counts when its area is above `tolerance_m2` (exactly on it
    does not). An invalid area is reported and then judged by its `make_valid` form, so that it does not leave
    a false gap; missing and empty areas are reported and left out.

    Parameters
    ----------
    polygons : (n,) Polygon or MultiPolygon (None allowed), projected, metres
    within : the parent's area, same system; None: only holes enclosed by the areas themselves are gaps
    tolerance_m2 : square metres, >= 0
    sliver_width_m : parts narrower than this are listed as slivers

    Raises
    ------
    InvalidInput
        Something is no area at all, or the parent is missing its ground.
    """
    given = _as_areas(polygons)
    invalid, sound = _sound(given)
    numbers = np.flatnonzero(~(shapely.is_missing(sound) | shapely.is_empty(sound)))
    areas = sound[numbers]
    parent = _sound_parent(within)

    broken = ~shapely.is_empty(shapely.coverage_invalid_edges(areas)) if len(areas) else np.zeros(0, bool)
    if not tolerance_m2 >= 0:
        raise InvalidInput(f"tolerance_m2 is {tolerance_m2}; give 0 or more", zh="容差不能为负。")
    overlaps, duplicates = _overlaps(areas, broken, tolerance_m2)
    ground = shapely.union_all(areas) if broken.any() else shapely.coverage_union_all(areas)
    found = sorted(set(range(len(given))) - set(numbers.tolist()) - {one.i for one in invalid})
    return PartitionReport(
        overlaps=tuple(
            Overlap(int(numbers[i]), int(numbers[j]), piece, area) for i, j, piece, area in overlaps
        ),
        gaps=_gaps(areas, numbers, ground, parent, tolerance_m2),
        outside=() if parent is None else _outside(areas, numbers, parent, tolerance_m2),
        invalid=tuple(invalid),
        empty=tuple(found),
        duplicates=tuple((int(numbers[i]), int(numbers[j])) for i, j in duplicates),
        slivers=_slivers(areas, numbers, sliver_width_m),
    )


def _as_areas(polygons: ArrayLike) -> Array:
    array = np.empty(len(polygons), dtype=object)  # type: ignore[arg-type]
    array[:] = list(polygons)  # type: ignore[arg-type]
    types = shapely.get_type_id(array)
    wrong = np.flatnonzero(~np.isin(types, (-1, 3, 6)))
    if len(wrong):
        raise InvalidInput(
            f"geometry {wrong[0]} is a {array[wrong[0]].geom_type}; a partition is made of polygons",
            zh=f"第 {wrong[0] + 1} 个图形不是面,无法检查网格划分。",
            index=int(wrong[0]),
        )
    return array


def _sound(areas: Array) -> tuple[list[Invalid], Array]:
    """The faults of the areas, and the areas with every fault mended for the sake of comparison."""
    broken = np.flatnonzero(~shapely.is_valid(areas) & ~shapely.is_missing(areas))
    faults = []
    sound = areas.copy()
    for i in broken:
        reason, place = _reason(areas[i])
        faults.append(Invalid(int(i), reason, place))
        finite = np.isfinite(shapely.get_coordinates(areas[i])).all()
        sound[i] = _area_part(valid_form(areas[i])) if finite else None
    return faults, sound


def _reason(geometry: BaseGeometry) -> tuple[str, Point | None]:
    text = shapely.is_valid_reason(geometry)
    reason, _, place = text.partition("[")
    try:
        x, y = map(float, place.rstrip("]").split()[:2])
    except ValueError:
        return reason.strip(), None
    return reason.strip(), Point(x, y) if np.isfinite([x, y]).all() else None


def _sound_parent(within: BaseGeometry | None) -> BaseGeometry | None:
    if within is None:
        return None
    parent = _area_part(valid_form(within))
    if parent.is_empty:
        raise InvalidInput("the parent has no ground", zh="上级范围为空,无法检查网格划分。")
    return parent


def _area_part(geometry: BaseGeometry) -> BaseGeometry:
    """The polygons of a geometry as one Polygon or MultiPolygon, possibly empty."""
    parts = _pieces(geometry)
    if len(parts) == 1:
        return parts[0]
    return MultiPolygon(list(parts)) if len(parts) else Polygon()


def _pieces(geometry: Any) -> Array:
    """The polygons in a geometry or an array of them."""
    parts = shapely.get_parts(np.atleast_1d(np.asarray(geometry, dtype=object)))
    nested = shapely.get_type_id(parts) == 7
    while nested.any():
        parts = np.concatenate([parts[~nested], shapely.get_parts(parts[nested])])
        nested = shapely.get_type_id(parts) == 7
    parts = shapely.get_parts(parts)
    return parts[(shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)]


def _large_pieces(geometry: Any, tolerance_m2: float) -> list[tuple[BaseGeometry, float]]:
    pieces = _pieces(geometry)
    areas = shapely.area(pieces)
    keep = areas > tolerance_m2
    return list(zip(pieces[keep], areas[keep].tolist(), strict=True))


def _overlaps(
    areas: Array, broken: Array, tolerance_m2: float
) -> tuple[list[tuple[int, int, BaseGeometry, float]], list[tuple[int, int]]]:
    """Pieces shared by two areas, and the pairs that are the same ground."""
    if not broken.any():
        return [], []
    tree = shapely.STRtree(areas)
    # Whoever overlaps has an edge that fits nowhere, or the other one has: begin from those.
    suspects = np.flatnonzero(broken)
    first, second = tree.query(areas[suspects], predicate="intersects")
    first = suspects[first]
    pairs = np.unique(np.sort(np.column_stack([first, second])[first != second], axis=1), axis=0)
    if not len(pairs):
        return [], []
    left, right = areas[pairs[:, 0]], areas[pairs[:, 1]]
    shared = shapely.intersection(left, right)
    shared_m2 = shapely.area(shared)
    duplicates, overlaps = [], []
    for (i, j), piece, area in zip(pairs.tolist(), shared, shared_m2.tolist(), strict=True):
        if area <= tolerance_m2:
            continue
        overlaps += [(i, j, one, one_area) for one, one_area in _large_pieces(piece, tolerance_m2)]
        if areas[i].area - area <= tolerance_m2 and areas[j].area - area <= tolerance_m2:
            duplicates.append((i, j))
    overlaps.sort(key=lambda one: -one[3])
    return overlaps, duplicates


def _gaps(
    areas: Array, numbers: Array, ground: BaseGeometry, parent: BaseGeometry | None, tolerance_m2: float
) -> tuple[Gap, ...]:
    if parent is None:
        # Everything that the outlines enclose, also between areas that meet in corners only.
        parent = shapely.union_all(_pieces(shapely.polygonize([shapely.union_all(ground.boundary)])))
    missing = _large_pieces(shapely.difference(parent, ground), tolerance_m2)
    if not missing:
        return ()
    if not len(areas):
        return tuple(Gap(piece, area, ()) for piece, area in missing)
    pieces = np.array([piece for piece, _ in missing], dtype=object)
    # Touching is judged within a millimetre: corners computed by an overlay are rounded.
    place, near = shapely.STRtree(areas).query(pieces, predicate="dwithin", distance=1e-3)
    gaps = [
        Gap(piece, area, tuple(sorted(int(numbers[one]) for one in near[place == number])))
        for number, (piece, area) in enumerate(missing)
    ]
    return tuple(sorted(gaps, key=lambda gap: -gap.area_m2))


def _outside(areas: Array, numbers: Array, parent: BaseGeometry, tolerance_m2: float) -> tuple[Outside, ...]:
    shapely.prepare(parent)
    beyond = np.flatnonzero(~shapely.covers(parent, areas))
    found = [
        Outside(int(numbers[i]), piece, area)
        for i, rest in zip(beyond, shapely.difference(areas[beyond], parent), strict=True)
        for piece, area in _large_pieces(rest, tolerance_m2)
    ]
    return tuple(sorted(found, key=lambda one: -one.area_m2))


def _slivers(areas: Array, numbers: Array, width_m: float) -> tuple[Sliver, ...]:
    parts, owner = shapely.get_parts(areas, return_index=True)
    surface, around = shapely.area(parts), shapely.length(parts)
    width = np.divide(2 * surface, around, out=np.zeros_like(surface), where=around > 0)
    return tuple(
        Sliver(int(numbers[owner[k]]), parts[k], float(surface[k]), float(width[k]))
        for k in np.flatnonzero(width < width_m)
    )


# --- noding -----------------------------------------------------------------------------------------------


def noded(polygons: ArrayLike, *, grid_size: float | None = None) -> Array:
    """
    The same areas with every vertex of a neighbour's border in their own.

    All borders are rounded to a grid and cut where they meet, a vertex that lies on another's edge (within
    half a grid cell) becomes a vertex of that edge too, and the areas are put together again from the faces.
    Overlaps and gaps wider than the grid stay what they are: noding is no repair.

    Parameters
    ----------
    polygons : (n,) valid Polygon or MultiPolygon (None allowed); degrees or metres
    grid_size : in units of the coordinates; by default a millimetre: 1e-8 where all of them could be
        degrees, else 0.001

    Returns
    -------
    (n,) areas; a MultiPolygon stays one. Missing and empty ones come back as they are; one narrower than the
    grid comes back empty. No area changes by more than its perimeter times `grid_size`.

    Raises
    ------
    InvalidInput
        Something is no area, or an invalid one: say so to a person first, do not node it away.
    """
    given = _as_areas(polygons)
    here = np.flatnonzero(~(shapely.is_missing(given) | shapely.is_empty(given)))
    if not len(here):
        return given.copy()
    _refuse_invalid(given)
    grid = grid_size if grid_size is not None else _millimetre(given)
    faces = _faces(given[here], grid)
    result = given.copy()
    owners, owned = _owners(faces, given[here], grid)
    order = np.argsort(owners, kind="stable")
    owners, owned = owners[order], owned[order]
    starts = np.searchsorted(owners, np.arange(len(here) + 1))
    for place, number in enumerate(here):
        mine = faces[owned[starts[place] : starts[place + 1]]]
        area = shapely.coverage_union_all(mine) if len(mine) else Polygon()
        result[number] = _like(_area_part(area), given[number])
    return result


def _refuse_invalid(areas: Array) -> None:
    broken = np.flatnonzero(~shapely.is_valid(areas) & ~shapely.is_missing(areas))
    if len(broken):
        i = int(broken[0])
        raise InvalidInput(
            f"area {i} is invalid ({shapely.is_valid_reason(areas[i])}); mend it before noding",
            zh=f"第 {i + 1} 个面图形无效,请先修正。",
            index=i,
        )


def _millimetre(areas: Array) -> float:
    west, south, east, north = shapely.total_bounds(areas)
    return 1e-8 if west >= -180 and east <= 180 and south >= -90 and north <= 90 else 1e-3


def _faces(areas: Array, grid: float) -> Array:
    """The smallest areas that all borders, rounded to the grid and cut at each other, enclose."""
    borders = shapely.union_all(shapely.boundary(areas), grid_size=grid)
    return shapely.get_parts(shapely.polygonize([borders]))


def _owners(faces: Array, areas: Array, grid: float) -> tuple[Array, Array]:
    """Pairs (area, face): each face with every area that it is part of."""
    tree = shapely.STRtree(areas)
    inner = shapely.point_on_surface(faces)
    face, area = tree.query(inner, predicate="intersects")
    # The inner point of a face as thin as the grid may fall just beside the area it came from.
    lost = np.setdiff1d(np.arange(len(faces)), face)
    if len(lost):
        near_face, near_area = tree.query(inner[lost], predicate="dwithin", distance=grid)
        _, first = np.unique(near_face, return_index=True)
        face = np.concatenate([face, lost[near_face[first]]])
        area = np.concatenate([area, near_area[first]])
    # A point on the border of two areas would give the face to both.
    twice = np.bincount(face, minlength=len(faces))[face] > 1
    keep = ~twice
    keep[twice] = shapely.contains_properly(areas[area[twice]], inner[face[twice]])
    nobody = np.setdiff1d(face, face[keep])
    for one in nobody:
        keep[np.flatnonzero(face == one)[0]] = True
    return area[keep], face[keep]


def _like(area: BaseGeometry, model: BaseGeometry) -> BaseGeometry:
    if model.geom_type == "MultiPolygon" and area.geom_type == "Polygon":
        return MultiPolygon([area] if not area.is_empty else [])
    return area
