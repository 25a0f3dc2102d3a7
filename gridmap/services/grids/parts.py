"""Grids cut into parts, and parts made one: old codes end, new ones descend from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain import grids as ground
from gridmap.domain.elements import Element, due_after
from gridmap.domain.layers import Layer
from gridmap.errors import InvalidInput
from gridmap.services.district import District
from gridmap.services.grids.codes import middles, new_codes, scheme_of
from gridmap.services.grids.plans import Plan
from gridmap.services.grids.sight import look, share_a_parent
from gridmap.services.grids.values import counted, differing, shared_out, united, unstored
from gridmap.storage.lineage import Descent


@dataclass(frozen=True, slots=True)
class Split:
    """A grid is cut by a line into new grids, numbered in the scheme's order; it ends."""

    kind: ClassVar[str] = "split"

    element_id: str
    line: BaseGeometry
    base_revision: int | None
    names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    def title(self, layer: Layer) -> str:
        return f"拆分{layer.title}"

    def plan(self, district: District, layer: Layer) -> Plan:
        sight = look(district, layer, {self.element_id: self.base_revision})
        grid = sight.by_id[self.element_id]
        edit = ground.divided(sight.areas, sight.position(grid.id), self.line)
        fresh = edit.areas[len(sight.areas) :]
        fresh = fresh[scheme_of(district, layer.id).reading_order(middles(fresh))]
        codes = new_codes(district, layer, grid, len(fresh), self.codes)
        parts = _parts(layer, grid, fresh, codes, self._called(grid, len(fresh)))
        shared = [one.title for one in counted(layer, grid)]
        return Plan(
            layer, sight.by_id, sight.as_of,
            changed=sight.redrawn(edit, but=[grid.id]),
            created=parts,
            retired=(replace(grid, is_retired=True),),
            descent=Descent.SPLIT,
            links=tuple((grid.id, one.id) for one in parts),
            warnings=(f"已按面积分摊:{'、'.join(shared)},请核实",) if shared else (),
        )  # fmt: skip

    def _called(self, grid: Element, count: int) -> Sequence[str]:
        if self.names and len(self.names) != count:
            raise InvalidInput(
                f"the line makes {count} parts, {len(self.names)} names were given",
                zh=f"拆分成 {count} 个网格,请给出 {count} 个名称。",
            )
        return self.names or [f"{grid.name}-{number}" for number in range(1, count + 1)]

    def arguments(self) -> dict[str, Any]:
        return {
            "element": self.element_id, "line": shapely.to_wkb(self.line, hex=True),
            "base_revision": self.base_revision, "names": list(self.names), "codes": list(self.codes),
        }  # fmt: skip

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        line, base = shapely.from_wkb(arguments["line"]), arguments["base_revision"]
        return cls(arguments["element"], line, base, tuple(arguments["names"]), tuple(arguments["codes"]))


def _parts(
    layer: Layer, grid: Element, areas: np.ndarray, codes: Sequence[str], names: Sequence[str]
) -> tuple[Element, ...]:
    """The grids that a grid is cut into; its counts are shared out by area, so that their sum stays."""
    sizes = shapely.area(areas)
    shares = {one.name: shared_out(grid.properties[one.name], sizes) for one in counted(layer, grid)}
    parts = []
    for at, (area, code, name) in enumerate(zip(areas, codes, names, strict=True)):
        properties = {**grid.properties, **{field: counts[at] for field, counts in shares.items()}}
        part = replace(unstored(grid), geometry=area, code=code, name=name, properties=properties)
        parts.append(replace(part, due_at=due_after(layer, properties, part.verified_at)))
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Merge:
    """
    Neighbouring grids of one parent become one: a new grid, or the one with id `into`.

    Counts are added up; other values are those of the largest grid (or of `into`).
    """

    kind: ClassVar[str] = "merge"

    element_ids: tuple[str, ...]
    base_revisions: Mapping[str, int]
    into: str | None = None
    name: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.into is not None and self.into not in self.element_ids:
            raise InvalidInput(f"{self.into} is none of the grids to merge", zh="保留的网格不在所选网格中。")

    def title(self, layer: Layer) -> str:
        return f"合并{layer.title}"

    def plan(self, district: District, layer: Layer) -> Plan:
        chosen = self.element_ids
        sight = look(district, layer, self._bases())
        if chosen and not share_a_parent(district, layer, sight, chosen):
            raise InvalidInput("the grids have different parents", zh="所选网格不属于同一上级,不能合并。")
        edit = ground.joined(sight.areas, sight.positions(chosen))
        grids = [sight.by_id[one] for one in chosen]
        leader = sight.by_id[self.into] if self.into else max(grids, key=lambda one: one.geometry.area)
        whole = self._whole(district, layer, leader, united(layer, leader, grids), edit.areas[-1])
        retired = tuple(replace(one, is_retired=True) for one in grids if one.id != self.into)
        others = sight.redrawn(edit, but=chosen)
        unlike = [one.title for one in differing(layer, grids)]
        return Plan(
            layer, sight.by_id, sight.as_of,
            changed=(*others, whole) if self.into else others,
            created=() if self.into else (whole,),
            retired=retired,
            descent=Descent.MERGE,
            links=tuple((one.id, whole.id) for one in retired),
            warnings=(f"以下内容各网格不同,取自“{leader.code}”:{'、'.join(unlike)}",) if unlike else (),
        )  # fmt: skip

    def _whole(
        self, district: District, layer: Layer, leader: Element, whole: Element, area: BaseGeometry
    ) -> Element:
        name = leader.name if self.name is None else self.name
        whole = replace(whole, geometry=area, name=name)
        if self.into is not None:
            return whole
        [code] = new_codes(district, layer, leader, 1, [self.code] if self.code else [])
        return replace(unstored(whole), code=code)

    def _bases(self) -> dict[str, int | None]:
        return {one: self.base_revisions.get(one) for one in self.element_ids}

    def arguments(self) -> dict[str, Any]:
        return {
            "elements": list(self.element_ids), "base_revisions": self._bases(), "into": self.into,
            "name": self.name, "code": self.code,
        }  # fmt: skip

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        rest = (arguments[name] for name in ("base_revisions", "into", "name", "code"))
        return cls(tuple(arguments["elements"]), *rest)
