"""A plan judged before it is stored: hard rules of the layer, and lines that grids should not cross."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element
from gridmap.services import partition, reverting
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.services.grids.codes import scheme_of
from gridmap.services.grids.plans import Plan
from gridmap.validation.attributes import Problem, clean_values
from gridmap.validation.geometry import geometry_problems


def judged(district: District, plan: Plan) -> Plan:
    """
    The plan with values as the store keeps them, and with warnings.

    Raises
    ------
    InvalidElement
        A grid breaks a hard rule of its layer.
    """
    plan = replace(
        plan,
        changed=tuple(_clean(plan, one) for one in plan.changed),
        created=tuple(_clean(plan, one) for one in plan.created),
    )
    return replace(plan, warnings=(*plan.warnings, *_crossed_lines(district, plan)))


def _clean(plan: Plan, one: Element) -> Element:
    found = geometry_problems(np.array([one.geometry], dtype=object), expected_type=plan.layer.geometry.value)
    problems = [Problem(0, "geometry", each.fault.value, each.message) for each in found]
    before = plan.before.get(one.id)
    if before is None or before.values() != one.values():
        values, more = clean_values(plan.layer, one.values())
        one, problems = one.with_values(values), problems + more
    hard = [each for each in problems if not each.is_warning]
    if hard:
        raise InvalidElement(hard)
    return one


def _crossed_lines(district: District, plan: Plan) -> Iterator[str]:
    """
    Warnings about grids that newly reach over the area their code begins with: a committee's line, say.

    The catalogue names one parent; codes often name another area in between, which grids should not cross.
    """
    last = scheme_of(district, plan.layer.id).widths[-1]
    moved = [
        (_ground_before(plan, before), after, (after.code or "")[:-last])
        for before, after in plan.changes
        if not after.is_retired and reverting.ground_moved(before, after)
    ]
    prefixes = sorted({prefix for _, _, prefix in moved})
    for other in district.catalogue.grids:
        if other.id in (plan.layer.id, plan.layer.parent):
            continue
        areas = district.frames.by_code(other.id, prefixes)
        for old, after, prefix in moved:
            area = areas.get(prefix)
            if area is None or not area.is_valid:
                continue
            over = _area_beyond(after.geometry, area)
            if over > _area_beyond(old, area) + partition.TOLERANCE_M2:
                yield f"“{after.code}”有 {over:,.0f} 平方米越过{other.title}界线"


def _ground_before(plan: Plan, before: Element | None) -> BaseGeometry:
    """The ground that a state comes from: a new grid goes on from those that ended."""
    if before is not None:
        return before.geometry
    return shapely.union_all([plan.before[one.id].geometry for one in plan.retired])


def _area_beyond(ground: BaseGeometry, area: BaseGeometry) -> float:
    return partition.area_m2(shapely.difference(ground, area))
