"""Ground handed over as it stands: pieces between grids, or outlines that another program drew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain import grids as ground
from gridmap.domain.grids import NOBODY, Edit, Transfer
from gridmap.domain.layers import Layer
from gridmap.errors import InvalidInput
from gridmap.services.district import District
from gridmap.services.grids.plans import Plan
from gridmap.services.grids.sight import Sight, look

# A piece of ground, the id of the grid that gives it, and that of the one that takes it (None: no grid).
Piece = tuple[BaseGeometry, str | None, str | None]


@dataclass(frozen=True, slots=True)
class HandedPieces:
    """Pieces of ground go from one grid to another; no grid may lose all it has."""

    pieces: Sequence[Piece]
    base_revisions: Mapping[str, int]

    def title(self, layer: Layer) -> str:
        return f"调整{layer.title}范围"

    def plan(self, district: District, layer: Layer) -> Plan:
        named = sorted({one for _, *sides in self.pieces for one in sides if one is not None})
        bases = {one: self.base_revisions.get(one) for one in named}
        sight = look(district, layer, bases, *(piece for piece, _, _ in self.pieces))
        moves = [
            Transfer(piece, _position(sight, giver), _position(sight, taker))
            for piece, giver, taker in self.pieces
        ]
        edit = ground.reassigned(sight.areas, moves)
        if any(edit.areas[at] is None for at in sight.positions(named)):
            raise InvalidInput(
                "a grid would lose all its ground", zh="有网格会失去全部范围,请改用合并或停用。"
            )
        return Plan(layer, sight.by_id, sight.as_of, sight.redrawn(edit))


def _position(sight: Sight, element_id: str | None) -> int:
    return NOBODY if element_id is None else sight.position(element_id)


@dataclass(frozen=True, slots=True)
class DrawnOutlines:
    """Several grids get new outlines at once, as drawn: nothing is handed over, missing vertices are put in."""

    outlines: Mapping[str, BaseGeometry]
    base_revisions: Mapping[str, int]

    def title(self, layer: Layer) -> str:
        return f"重画{layer.title}"

    def plan(self, district: District, layer: Layer) -> Plan:
        bases = {one: self.base_revisions.get(one) for one in self.outlines}
        sight = look(district, layer, bases, *self.outlines.values())
        areas = sight.areas
        for at, one in enumerate(sight.grids):
            areas[at] = self.outlines.get(one.id, one.geometry)
        # an outline that is no area is refused when its grid is judged
        if shapely.is_valid(areas).all():
            areas = ground.noded(areas)
        return Plan(layer, sight.by_id, sight.as_of, sight.redrawn(Edit(areas)))
