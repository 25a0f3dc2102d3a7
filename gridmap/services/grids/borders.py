"""Borders that move: a grid drawn anew, or a new line between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain import grids as ground
from gridmap.domain.elements import Element
from gridmap.domain.grids import NOBODY, Edit
from gridmap.domain.layers import Layer
from gridmap.errors import InvalidInput
from gridmap.services import partition
from gridmap.services.district import District
from gridmap.services.grids.plans import Plan
from gridmap.services.grids.sight import Sight, family, look, share_a_parent


@dataclass(frozen=True, slots=True)
class NewOutline:
    """One grid gets a new outline; neighbours give and take exactly the difference inside the parent."""

    kind: ClassVar[str] = "border"

    element_id: str
    outline: BaseGeometry
    base_revision: int | None

    def title(self, layer: Layer) -> str:
        return f"调整{layer.title}边界"

    def plan(self, district: District, layer: Layer) -> Plan:
        sight = look(district, layer, {self.element_id: self.base_revision}, self.outline)
        parent, may_take = family(district, layer, sight, self.element_id)
        at = sight.position(self.element_id)
        return _plan(
            layer, sight, ground.redrawn(sight.areas, at, self.outline, within=parent, may_take=may_take)
        )

    def arguments(self) -> dict[str, Any]:
        outline = shapely.to_wkb(self.outline, hex=True)
        return {"element": self.element_id, "outline": outline, "base_revision": self.base_revision}

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        outline = shapely.from_wkb(arguments["outline"])
        return cls(arguments["element"], outline, arguments["base_revision"])


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line becomes the common border of two grids of one parent; all their other borders stay."""

    kind: ClassVar[str] = "line"

    first_id: str
    second_id: str
    line: BaseGeometry
    base_revisions: Mapping[str, int]

    def title(self, layer: Layer) -> str:
        return f"重画{layer.title}公共边界"

    def plan(self, district: District, layer: Layer) -> Plan:
        pair = (self.first_id, self.second_id)
        sight = look(district, layer, self._bases())
        if not share_a_parent(district, layer, sight, pair):
            raise InvalidInput(
                "the two grids have different parents", zh="两个网格不属于同一上级,不能移动公共边界。"
            )
        return _plan(layer, sight, ground.realigned(sight.areas, *sight.positions(pair), self.line))

    def _bases(self) -> dict[str, int | None]:
        return {one: self.base_revisions.get(one) for one in (self.first_id, self.second_id)}

    def arguments(self) -> dict[str, Any]:
        line = shapely.to_wkb(self.line, hex=True)
        ends = {"first": self.first_id, "second": self.second_id}
        return {**ends, "line": line, "base_revisions": self._bases()}

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        line = shapely.from_wkb(arguments["line"])
        return cls(arguments["first"], arguments["second"], line, arguments["base_revisions"])


def _plan(layer: Layer, sight: Sight, edit: Edit) -> Plan:
    changed = sight.redrawn(edit)
    return Plan(layer, sight.by_id, sight.as_of, changed, warnings=tuple(_warnings(sight, edit, changed)))


def _warnings(sight: Sight, edit: Edit, changed: tuple[Element, ...]) -> list[str]:
    """What of the edit is not as it was drawn, or may not be meant (Chinese)."""
    told = []
    if edit.clipped is not None:
        told.append(f"超出上级范围的 {partition.area_m2(edit.clipped):,.0f} 平方米未计入")
    if free := sum(partition.area_m2(one.piece) for one in edit.transfers if one.giver == NOBODY):
        told.append(f"接管了原来不属于任何网格的 {free:,.0f} 平方米")
    for one in changed:
        before = sight.by_id[one.id].geometry
        if shapely.get_num_geometries(one.geometry) > shapely.get_num_geometries(before):
            told.append(f"“{one.code}”被分成了不相连的几块")
    if any(one.taker == NOBODY for one in edit.transfers):
        told.append("让出的部分中有与其他网格重叠的范围")
    return told
