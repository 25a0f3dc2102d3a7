"""Grids that share one area without overlap: what an edit of one grid may not do to the others."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import metric_crs
from gridmap.domain.elements import Element
from gridmap.domain.grids import scale_of
from gridmap.domain.layers import Layer
from gridmap.errors import StateConflict
from gridmap.services.district import District
from gridmap.validation.geometry import valid_form
from gridmap.validation.topology import PartitionReport, partition_problems

TOLERANCE_M2 = 1.0
# A parent of which more belongs to no grid is still being filled.
_WHOLE_SHARE = 0.99
_MOST_NAMED = 3


class GridOverlapError(StateConflict):
    """
    A grid would overlap another of the same partition.

    Attributes
    ----------
    grid_codes : the two codes
    area_m2 : the overlap, m²
    """

    title = "网格重叠"


class OutsideParentError(StateConflict):
    """
    A grid would reach out of the parent layer's areas.

    Attributes
    ----------
    area_m2 : the part outside, m²
    """

    title = "超出上级范围"


@functools.lru_cache(maxsize=64)
def _to_metres(zone: int) -> Transformer:
    return Transformer.from_crs(4326, metric_crs(zone * 6 - 183, 30.0), always_xy=True)


def projected(geometry: BaseGeometry) -> BaseGeometry:
    """A lon/lat geometry in metres, in the UTM zone of its middle."""
    min_x, _, max_x, _ = geometry.bounds
    transformer = _to_metres(int(((min_x + max_x) / 2 + 180) // 6) + 1)
    return shapely.transform(geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))


def area_m2(geometry: BaseGeometry) -> float:
    """Area of a lon/lat geometry in m², in the UTM zone of its middle; 0 for an empty one."""
    return 0.0 if geometry.is_empty else float(projected(geometry).area)


def distance_m(first: BaseGeometry, second: BaseGeometry) -> float:
    """Distance of two lon/lat geometries in metres, in the UTM zone of the first one's middle."""
    both = projected(shapely.GeometryCollection([first, second]))
    return float(shapely.distance(*both.geoms))


def check(district: District, layer: Layer, element: Element) -> list[str]:
    """
    Warnings about what the element does to its layer's partition (none for other layers).

    Raises
    ------
    GridOverlapError
        It overlaps another grid by more than 1 m².
    OutsideParentError
        More than 1 m² of it lies outside the parent layer, and that is a partition too.
    """
    if not layer.is_partition:
        return []
    _refuse_overlap(district, layer, element)
    return [*_outside(district, layer, element), *_lost_ground(district, layer, element)]


class GroundLostError(StateConflict):
    """
    Ground that a grid covered would belong to none.

    Attributes
    ----------
    area_m2 : how much, m²
    """

    title = "会留下空白"


class ChildOutsideError(StateConflict):
    """
    Areas of a layer below would no longer lie in one grid.

    Attributes
    ----------
    child_layer : its id; child_codes : their codes
    """

    title = "下级网格越界"


class HoleLeftError(GroundLostError):
    """
    A grid would be taken out of a partition that is whole.

    Attributes
    ----------
    area_m2 : the hole, m²
    neighbours : codes of the grids that could take it over, those with the longest common border first
    """


def check_removal(district: District, layer: Layer, element: Element) -> None:
    """
    Refuse to take a grid away where its parent's area would then have a hole.

    Nothing is refused where there is no whole partition to be harmed: in a layer that is none or has no parent,
    while more than a hundredth of the parent belongs to no grid, for the last grid of a parent, and for a grid
    whose ground others cover too.

    Raises
    ------
    HoleLeftError
        More than 1 m² of the parent would belong to no grid.
    """
    if not layer.is_partition or layer.parent is None:
        return
    parent = parent_of(district, layer, element.geometry)
    if parent is None:
        return
    own, parent = _sound(np.array([element.geometry, parent], dtype=object))
    frame = district.frames.frame(layer.id)
    others = frame.query(parent, predicate="intersects")
    others = others[frame.arrays.id[others] != element.id]
    areas = _sound(frame.arrays.geometry[others])
    rest = shapely.intersection(shapely.union_all(areas), parent)
    hole = area_m2(shapely.difference(shapely.intersection(own, parent), rest))
    covered = area_m2(rest)
    is_whole = covered + hole >= _WHOLE_SHARE * area_m2(parent)
    if not is_whole or hole <= TOLERANCE_M2 or covered <= TOLERANCE_M2:
        return
    beside = others[_beside(own, areas, parent)]
    named = "、".join(f"“{frame.arrays.name[at] or frame.arrays.code[at]}”" for at in beside[:_MOST_NAMED])
    titles = district.catalogue.layer(layer.parent).title, layer.title
    raise HoleLeftError(
        f"{hole:,.0f} m² would belong to no grid without {element.code}; merge it with a neighbour",
        zh=f"“{element.name or element.code}”与其他{titles[1]}一起铺满所属{titles[0]},删除后会有 {hole:,.0f} 平方米"
        f"不属于任何{titles[1]},未删除。请改用“合并”,并入相邻的{named or titles[1]}。",
        area_m2=round(hole, 1),
        neighbours=[frame.arrays.code[at] for at in beside],
    )


def _beside(own: BaseGeometry, areas: np.ndarray, parent: BaseGeometry) -> np.ndarray:
    """Positions of the areas in the parent that share a border with `own`, the longest common border first."""
    shared = shapely.length(shapely.intersection(shapely.boundary(areas), shapely.boundary(own)))
    shared[~shapely.intersects(parent, shapely.point_on_surface(areas))] = 0.0
    return np.argsort(-shared, kind="stable")[: np.count_nonzero(shared)]


def parent_of(district: District, layer: Layer, geometry: BaseGeometry) -> BaseGeometry | None:
    """
    The ground of the parent that an area of `layer` belongs to: the one with most of it.

    None where the layer has no parent, or none lies there.
    """
    if layer.parent is None:
        return None
    parents = district.frames.frame(layer.parent)
    hits = parents.query(geometry, predicate="intersects")
    if len(hits) == 0:
        return None
    shared = shapely.area(shapely.intersection(parents.arrays.geometry[hits], geometry))
    return parents.arrays.geometry[hits[int(np.argmax(shared))]]


def check_together(district: District, layer: Layer, written: Sequence[Element]) -> list[str]:
    """
    Refuse grids written in one commit when the partition would be worse than it is; warnings (Chinese) otherwise.

    Nothing is projected: neighbours share their vertices with each other, but not with the parent, and a
    border bends between vertices when it is projected.

    Raises
    ------
    GridOverlapError, GroundLostError, OutsideParentError, ChildOutsideError
        By more than 1 m².
    """
    if not layer.is_partition or not written:
        return []
    frame = district.frames.frame(layer.id)
    is_own = np.isin(frame.arrays.id.astype(str), [one.id for one in written]) & ~frame.is_hidden
    old = dict(zip(frame.arrays.id[is_own], _sound(frame.arrays.geometry[is_own]), strict=True))
    new = {one.id: one for one in written if not one.is_retired}
    ground = shapely.union_all([*old.values(), *(one.geometry for one in new.values())])
    around = frame.query(ground)
    others = _sound(frame.arrays.geometry[around[~is_own[around]]])
    codes = [*(one.code for one in new.values()), *frame.arrays.code[around[~is_own[around]]]]
    within = _parents_ground(district, layer, ground)
    _refuse_worse([*old.values(), *others], [*(one.geometry for one in new.values()), *others], codes, within)
    warnings: list[str] = []
    for one in new.values():
        if one.id not in old or not shapely.equals_identical(old[one.id], one.geometry):
            warnings += _outside_own(district, layer, one, old.get(one.id))
    _refuse_children_outside(district, layer, ground, old, new)
    return warnings


def _sound(areas: np.ndarray) -> np.ndarray:
    """The areas in a form that can be computed with, should a file from elsewhere have brought broken ones."""
    sound = areas.copy()
    for at in np.flatnonzero(~shapely.is_valid(areas)):
        sound[at] = valid_form(areas[at])
    return sound


def _parents_ground(district: District, layer: Layer, near: BaseGeometry) -> BaseGeometry | None:
    """The ground of the parents near a place; None where the layer has no parent or the parent no areas."""
    if layer.parent is None or len(parents := district.frames.frame(layer.parent)) == 0:
        return None
    return shapely.union_all(_sound(parents.arrays.geometry[parents.query(near)]))


def _refuse_worse(
    before: Sequence[BaseGeometry],
    after: Sequence[BaseGeometry],
    codes: Sequence[str | None],
    within: BaseGeometry | None,
) -> None:
    # square degrees of a square metre here: a report in degrees needs no projection
    scale = scale_of([*before, *after])
    unit = 1 / (scale.x * scale.y)
    ground = shapely.union_all(list(before))
    then, now = (_overlaps(areas, unit) for areas in (before, after))
    overlap = now.overlap_m2 - then.overlap_m2
    if overlap > TOLERANCE_M2 * unit:
        worst = now.overlaps[0]
        pair = [codes[worst.i] or "", codes[worst.j] or ""]
        raise GridOverlapError(
            f"grids {pair[0]} and {pair[1]} would overlap by {overlap / unit:,.0f} m²; edit the border",
            zh=f"“{pair[0]}”与“{pair[1]}”会重叠 {overlap / unit:,.0f} 平方米,未保存,请调整边界。",
            grid_codes=pair,
            area_m2=round(overlap / unit, 1),
        )
    gone = shapely.difference(ground, shapely.union_all(list(after)))
    lost = area_m2(gone if within is None else shapely.intersection(gone, within))
    if lost > TOLERANCE_M2:
        raise GroundLostError(
            f"{lost:,.0f} m² would belong to no grid; edit the border",
            zh=f"有 {lost:,.0f} 平方米会不属于任何网格,未保存,请调整边界。",
            area_m2=round(lost, 1),
        )


def _overlaps(areas: Sequence[BaseGeometry], unit: float) -> PartitionReport:
    """What overlaps among areas in degrees; `unit` is a square metre in square degrees."""
    if not len(areas):
        return PartitionReport()
    return partition_problems(
        areas, within=shapely.union_all(list(areas)), tolerance_m2=TOLERANCE_M2 * unit, sliver_width_m=0.0
    )


def _outside_own(
    district: District, layer: Layer, element: Element, before: BaseGeometry | None
) -> list[str]:
    parent = parent_of(district, layer, element.geometry if before is None else before)
    if parent is None or layer.parent is None:
        return []
    was = 0.0 if before is None else area_m2(shapely.difference(before, parent))
    outside = area_m2(shapely.difference(element.geometry, parent))
    if outside <= was + TOLERANCE_M2:
        return []
    return _told_outside(district.catalogue.layer(layer.parent), element, outside)


def _told_outside(parent: Layer, element: Element, outside: float) -> list[str]:
    """
    A warning, or OutsideParentError where the parent is a partition, with neighbours who answer for that ground.

    The outline of a whole district comes from elsewhere and never fits to the metre.
    """
    title = f"“{element.code}”有 {outside:,.0f} 平方米超出所属“{parent.title}”"
    if not parent.is_partition:
        return [title]
    raise OutsideParentError(
        f"{outside:,.0f} m² of {element.code} lie outside its {parent.id}; edit its boundary",
        zh=f"{title},未保存,请调整边界。",
        area_m2=round(outside, 1),
    )


def _refuse_children_outside(
    district: District,
    layer: Layer,
    ground: BaseGeometry,
    old: Mapping[str, BaseGeometry],
    new: Mapping[str, Element],
) -> None:
    after = [one.geometry for one in new.values()]
    for child, positions in children_outside(district, layer, ground, list(old.values()), after):
        codes = district.frames.frame(child.id).arrays.code
        out = [codes[at] for at in positions]
        named = "、".join(f"“{one}”" for one in out[:5])
        raise ChildOutsideError(
            f"{len(out)} area(s) of {child.id} would reach over the border: {', '.join(out[:5])}; edit them first",
            zh=f"{len(out)} 个{child.title}会跨越新边界({named}),未保存。边界应沿{child.title}的边界移动,或先调整{child.title}。",
            child_layer=child.id,
            child_codes=out,
        )


def children_outside(
    district: District,
    layer: Layer,
    ground: BaseGeometry,
    before: Sequence[BaseGeometry],
    after: Sequence[BaseGeometry],
) -> list[tuple[Layer, list[int]]]:
    """
    Areas of each layer below that would reach over a border, by more than 1 m² further than they do.

    Parameters
    ----------
    ground : where grids of `layer` change
    before, after : the grids there, as they are and as they would be

    Returns
    -------
    The child layers that have such areas, with these areas' positions in their frames.
    """
    found = []
    trees = shapely.STRtree(list(before)), shapely.STRtree(list(after))
    for child in district.catalogue:
        if child.parent != layer.id or not child.is_partition:
            continue
        frame = district.frames.frame(child.id)
        out = []
        for at in frame.query(ground, predicate="intersects"):
            was, would = (_outside_best(frame.arrays.geometry[at], tree) for tree in trees)
            if would > was + TOLERANCE_M2:
                out.append(int(at))
        if out:
            found.append((child, out))
    return found


def _outside_best(area: BaseGeometry, grids: shapely.STRtree) -> float:
    """What of an area lies, among these grids, outside the one that has most of it, m²."""
    near = grids.geometries[grids.query(area, predicate="intersects")]
    if not len(near):
        return 0.0
    shared = shapely.area(shapely.intersection(near, area))
    inside = shapely.intersection(area, shapely.union_all(near))
    return area_m2(shapely.difference(inside, near[int(np.argmax(shared))]))


def _refuse_overlap(district: District, layer: Layer, element: Element) -> None:
    frame = district.frames.frame(layer.id)
    for at in frame.query(element.geometry, predicate="intersects"):
        if frame.arrays.id[at] == element.id:
            continue
        overlap = area_m2(shapely.intersection(frame.arrays.geometry[at], element.geometry))
        if overlap > TOLERANCE_M2:
            other = frame.arrays.code[at]
            raise GridOverlapError(
                f"grid {element.code} overlaps {other} by {overlap:,.0f} m²; edit either boundary",
                zh=f"{layer.title}“{element.code}”与“{other}”重叠 {overlap:,.0f} 平方米,未保存,请调整边界。",
                grid_codes=[element.code, other],
                area_m2=round(overlap, 1),
            )


def _outside(district: District, layer: Layer, element: Element) -> list[str]:
    if layer.parent is None:
        return []
    parents = district.frames.frame(layer.parent)
    if len(parents) == 0:
        return []
    near = parents.arrays.geometry[parents.query(element.geometry, predicate="intersects")]
    outside = area_m2(shapely.difference(element.geometry, shapely.union_all(near)))
    if outside <= TOLERANCE_M2:
        return []
    return _told_outside(district.catalogue.layer(layer.parent), element, outside)


def _lost_ground(district: District, layer: Layer, element: Element) -> list[str]:
    frame = district.frames.frame(layer.id)
    at = frame.position(element.id)
    if at is None:
        return []
    lost = shapely.difference(valid_form(frame.arrays.geometry[at]), element.geometry)
    area = area_m2(lost)
    if area <= TOLERANCE_M2:
        return []
    return [f"原范围中有 {area:,.0f} 平方米不再属于任何{layer.title},请由相邻{layer.title}接管"]
