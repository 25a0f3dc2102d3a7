"""Findings mended in the way a person chose; whatever is chosen is checked like any other edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridmap.domain.elements import Element
from gridmap.domain.grids import with_vertices
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import elements, grids
from gridmap.services.district import District
from gridmap.services.grid_check.findings import Finding
from gridmap.services.grid_check.look import sound_areas
from gridmap.services.membership import grid_codes, representative_points
from gridmap.storage import elements as stored
from gridmap.storage import membership as members
from gridmap.storage.database import hold_turn


def mend(
    district: District, user: User, layer: Layer, found: Finding, repair_id: str, reason: str
) -> int | None:
    """Do what the repair says (`how`, or `how:id` of a grid); the number of the commit, None where none was needed."""
    how, _, target = repair_id.partition(":")
    with district.database.read() as connection:
        states = stored.get_many(connection, found.elements)
    return _HOW[how](_Mending(district, user, layer, found, states, reason), target)


@dataclass(frozen=True, slots=True)
class _Mending:
    """One finding about to be mended; each method is one way, with the grid that the repair names as target."""

    district: District
    user: User
    layer: Layer
    found: Finding
    states: Mapping[str, Element]
    reason: str

    @property
    def first(self) -> str:
        return self.found.elements[0]

    def present(self, element_id: str) -> Element:
        """The grid as the mending goes out from it; a taker that the finding does not name, as it is now."""
        return self.states.get(element_id) or elements.living(self.district, self.layer, element_id)

    def keep(self, target: str) -> int | None:
        other = next(one for one in self.found.elements if one != target)
        return self.hand_over(other, None)

    def give(self, target: str) -> int | None:
        return self.hand_over(None, target)

    def move(self, target: str) -> int | None:
        return self.hand_over(self.first, target)

    def cut(self, _: str) -> int | None:
        return self.hand_over(self.first, None)

    def hand_over(self, giver: str | None, taker: str | None) -> int | None:
        bases = {one: self.present(one).revision for one in (giver, taker) if one is not None}
        pieces = [(self.found.piece, giver, taker)]
        return grids.transfer(
            self.district, self.user, self.layer.id, pieces, base_revisions=bases, reason=self.reason
        ).sequence

    def retire(self, target: str) -> int:
        base = self.present(target).revision
        return elements.delete(
            self.district, self.user, self.layer.id, target, base_revision=base, reason=self.reason
        ).element.sequence

    def merge(self, target: str) -> int | None:
        bases = {one: self.present(one).revision for one in (self.first, target)}
        return grids.merge(
            self.district, self.user, self.layer.id, list(bases), base_revisions=bases, into=target,
            reason=self.reason, propose=False,
        ).sequence  # fmt: skip

    def mend(self, _: str) -> int:
        broken = np.array([self.present(self.first).geometry], dtype=object)
        return self.change(geometry=sound_areas(broken)[0])

    def recode(self, _: str) -> int:
        code = self.present(self.first).code or ""
        [fresh] = grids.next_codes(self.district, self.layer.id, code, 1)
        return self.change(changes={"code": fresh})

    def node(self, _: str) -> int:
        places = shapely.get_coordinates(self.found.piece).tolist()
        return self.change(geometry=with_vertices(self.present(self.first).geometry, places))

    def change(self, **what: Any) -> int:
        base = self.present(self.first).revision
        return elements.change(
            self.district,
            self.user,
            self.layer.id,
            self.first,
            base_revision=base,
            reason=self.reason,
            **what,
        ).element.sequence

    def derive(self, _: str) -> None:
        """Note for every element which grid of the layer it lies in, in the district's turn."""
        with self.district.database.write() as connection:
            hold_turn(connection)
            frame = self.district.frames.frame(self.layer.id)
            ground, codes = frame.arrays.geometry[frame.living], frame.arrays.code[frame.living]
            for one in self.district.catalogue:
                if one.is_basemap or one.id == self.layer.id:
                    continue
                frame = self.district.frames.frame(one.id)
                points = representative_points(frame.arrays.geometry[frame.living])
                found = grid_codes(ground, codes, points)
                members.move(
                    connection, frame.arrays.id[frame.living].tolist(), self.layer.id, found.tolist()
                )


_HOW: dict[str, Callable[[_Mending, str], int | None]] = {
    "keep": _Mending.keep,
    "retire": _Mending.retire,
    "give": _Mending.give,
    "move": _Mending.move,
    "cut": _Mending.cut,
    "merge": _Mending.merge,
    "mend": _Mending.mend,
    "recode": _Mending.recode,
    "node": _Mending.node,
    "derive": _Mending.derive,
}
