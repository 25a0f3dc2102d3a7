"""Three-way merge of two edits of one element that began at the same state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import shapely

from gridmap.domain.elements import Element

GEOMETRY = "geometry"


class Choice(Enum):
    """Which side of a conflict a person took."""

    MINE = "mine"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """One field that both sides changed, to different values; None stands for no value."""

    field: str
    base: Any
    mine: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Merge:
    """
    Both edits together.

    `element` has theirs wherever a conflict is open; it may be stored only when `conflicts` is empty.
    """

    element: Element
    conflicts: tuple[FieldConflict, ...]


def _attributes(element: Element) -> dict[str, Any]:
    return {**element.values(), GEOMETRY: element.geometry}


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, shapely.Geometry) and isinstance(second, shapely.Geometry):
        return bool(shapely.equals_identical(first, second))
    return type(first) is type(second) and first == second


def merge(
    base: Element, mine: Element, theirs: Element, *, choices: Mapping[str, Choice] | None = None
) -> Merge:
    """
    `theirs` with every change that `mine` made to `base`.

    A field (or the geometry, whole) that only one side changed takes that side's value; one that both changed
    to the same value takes it; one that both changed differently is a conflict unless `choices` decides it.
    Everything else (revision, dates, who) is theirs.
    """
    before, ours, others = _attributes(base), _attributes(mine), _attributes(theirs)
    merged: dict[str, Any] = {}
    conflicts: list[FieldConflict] = []
    for field in sorted(before.keys() | ours.keys() | others.keys()):
        then, my, their = before.get(field), ours.get(field), others.get(field)
        if _same(my, then) or _same(my, their):
            merged[field] = their
        elif _same(their, then) or (choices or {}).get(field) is Choice.MINE:
            merged[field] = my
        else:
            merged[field] = their
            if field not in (choices or {}):
                conflicts.append(FieldConflict(field, then, my, their))
    geometry = merged.pop(GEOMETRY)
    return Merge(replace(theirs, geometry=geometry).with_values(merged), tuple(conflicts))
