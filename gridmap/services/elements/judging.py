"""An element judged before it is stored: rules of its layer, its place among others, its revision and code."""

from __future__ import annotations

import numpy as np
import shapely

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.errors import EditConflict, RevisionRequired, StateConflict
from gridmap.services import names, partition
from gridmap.services.district import District
from gridmap.services.elements.results import InvalidElement
from gridmap.services.ground import is_outside
from gridmap.storage import elements as stored
from gridmap.storage.database import Commit
from gridmap.validation.attributes import Problem, clean_values
from gridmap.validation.geometry import geometry_problems


def checked(
    district: District, layer: Layer, element: Element, before: Element | None = None
) -> tuple[Element, list[str]]:
    """
    The element with its values as the store keeps them, and warnings; raises InvalidElement.

    Its place is judged unless it is that of `before`: values can be mended where the ground cannot yet.
    """
    values, problems = clean_values(layer, element.values())
    problems += [
        Problem(0, "geometry", one.fault.value, one.message)
        for one in geometry_problems(
            np.array([element.geometry], dtype=object), expected_type=layer.geometry.value
        )
    ]
    hard = [one for one in problems if not one.is_warning]
    if hard:
        raise InvalidElement(hard)
    checked = element.with_values(values)
    warnings = [one.message for one in problems]
    if is_elsewhere(before, checked):
        warnings += partition.check(district, layer, checked)
        warnings += _near_duplicates(district, layer, checked)
        if is_outside(district, layer, np.array([checked.geometry], dtype=object))[0]:
            warnings.append("位置在本区范围之外,请确认坐标和坐标系")
    return checked, warnings


def is_elsewhere(before: Element | None, after: Element) -> bool:
    """Whether the element stands where it did not stand before."""
    return (
        before is None or before.is_retired or not shapely.equals_identical(before.geometry, after.geometry)
    )


def _near_duplicates(district: District, layer: Layer, element: Element) -> list[str]:
    if layer.duplicate_radius_m is None:
        return []
    reach = layer.duplicate_radius_m / 111_320 / max(0.2, np.cos(np.radians(element.geometry.centroid.y)))
    frame = district.frames.frame(layer.id)
    for at in frame.in_box(element.geometry.buffer(reach).bounds):
        if frame.arrays.id[at] == element.id:
            continue
        if partition.distance_m(frame.arrays.geometry[at], element.geometry) <= layer.duplicate_radius_m:
            code = frame.arrays.code[at] or frame.arrays.name[at]
            return [f"{layer.duplicate_radius_m:g} 米内已有“{code}”,请确认不是重复登记"]
    return []


def refuse_taken_code(commit: Commit, layer: Layer, element: Element) -> None:
    """Raise StateConflict where another element of the layer has or had the code."""
    if not element.code:
        return
    holder = stored.codes_taken(commit.connection, layer.id, [element.code]).get(element.code)
    if holder not in (None, element.id):
        raise StateConflict(
            f"code {element.code} is taken by element {holder} of layer {layer.id}; codes are never reused",
            zh=f"编码“{element.code}”已被使用(含已停用的要素),请换一个编码。",
            code=element.code,
            element=holder,
        )


def stale(district: District, theirs: Element | None, base_revision: int) -> EditConflict:
    """The error for an edit of an earlier revision than the present one."""
    if theirs is None:
        return EditConflict("the element is gone", zh="该要素已不存在。", revision=None)
    who, when = names.one(district, theirs.updated_by), theirs.updated_at
    return EditConflict(
        f"the edit is based on revision {base_revision}, the element is at {theirs.revision}; "
        "read it again and repeat the edit",
        zh=f"该要素已被 {who} 修改(现为第 {theirs.revision} 版,您基于第 {base_revision} 版),未保存。",
        revision=theirs.revision,
        base_revision=base_revision,
        updated_by=theirs.updated_by,
        updated_by_name=who,
        updated_at=None if when is None else when.isoformat(),
        theirs=theirs,
    )


def require_revision(district: District, present: Element, base_revision: int | None) -> None:
    """Raise RevisionRequired or EditConflict unless the edit is based on the present revision."""
    if base_revision is None:
        raise RevisionRequired(
            f"the revision that the edit of {present.id} is based on is missing; send If-Match",
            zh="缺少所依据的版本号,请刷新后再保存。",
        )
    if base_revision != present.revision:
        raise stale(district, present, base_revision)
