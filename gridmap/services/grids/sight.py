"""The grids that an edit may touch: found around the drawing, living, sound, and as of one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element
from gridmap.domain.grids import Edit
from gridmap.domain.layers import Layer
from gridmap.errors import RevisionRequired, StateConflict
from gridmap.services import elements, membership, partition, reverting
from gridmap.services.district import District
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions

# Neighbours are looked for this far (degrees) beyond an edit, so that those that only touch are found.
_TOUCHING_DEGREES = 1e-6


@dataclass(frozen=True, slots=True)
class Sight:
    """The grids that an edit may touch, in the order of their codes, as of one commit."""

    grids: tuple[Element, ...]
    as_of: int

    @property
    def areas(self) -> np.ndarray:
        """(n,) the ground of each; a new array each time."""
        array = np.empty(len(self.grids), dtype=object)
        array[:] = [one.geometry for one in self.grids]
        return array

    @property
    def by_id(self) -> dict[str, Element]:
        return {one.id: one for one in self.grids}

    def position(self, element_id: str) -> int:
        return next(at for at, one in enumerate(self.grids) if one.id == element_id)

    def positions(self, element_ids: Sequence[str]) -> list[int]:
        return [self.position(one) for one in element_ids]

    def redrawn(self, edit: Edit, *, but: Sequence[str] = ()) -> tuple[Element, ...]:
        """The grids in sight whose border an edit changed, with their new one; without those in `but`."""
        return tuple(
            replace(one, geometry=area)
            for one, area in zip(self.grids, edit.areas, strict=False)
            if area is not one.geometry and area is not None and one.id not in but
        )


def present_grid(district: District, layer: Layer, element_id: str, base_revision: int | None) -> Element:
    """
    The living grid, where its ground is still that of `base_revision`; other fields may have changed since.

    Raises
    ------
    NotFound, RevisionRequired, EditConflict
    """
    if base_revision is None:
        raise RevisionRequired(
            f"the revision that the edit of {element_id} is based on is missing",
            zh="缺少所依据的版本号,请刷新后再试。",
        )
    present = elements.living(district, layer, element_id)
    if present.revision == base_revision:
        return present
    with district.database.read() as connection:
        base = revisions.at_revision(connection, element_id, base_revision)
    if base is None or base.element is None or base.element.is_retired:
        raise elements.stale(district, present, base_revision)
    if reverting.ground_moved(base.element, present):
        raise elements.stale(district, present, base_revision)
    return present


def look(
    district: District, layer: Layer, base_revisions: Mapping[str, int | None], *drawn: BaseGeometry
) -> Sight:
    """
    These grids and all that they, or what was drawn, touch.

    Raises
    ------
    NotFound, RevisionRequired, EditConflict (as `present_grid`), StateConflict (a shape is invalid)
    """
    named = [present_grid(district, layer, one, base) for one, base in base_revisions.items()]
    shapes = [*(one.geometry for one in named), *drawn]
    frame = district.frames.frame(layer.id)
    reach = shapely.union_all([one.buffer(_TOUCHING_DEGREES) for one in shapes if one.is_valid])
    touched = frame.arrays.id[frame.query(reach, predicate="intersects")].tolist()
    with district.database.read() as connection:
        found = stored.get_many(connection, sorted({*touched, *base_revisions}))
    living = [one for one in found.values() if not one.is_retired]
    if not base_revisions.keys() <= {one.id for one in living}:
        raise elements.stale(district, None, 0)
    _require_sound(living)
    return Sight(tuple(sorted(living, key=lambda one: one.code or "")), frame.sequence)


def _require_sound(grids: Sequence[Element]) -> None:
    broken = [one.code or one.name for one in grids if not one.geometry.is_valid]
    if broken:
        raise StateConflict(
            f"the shape of grid {broken[0]} is invalid; repair it first",
            zh=f"“{broken[0]}”的图形无效,请先在网格体检中修复。",
            grid_codes=broken,
        )


def family(
    district: District, layer: Layer, sight: Sight, element_id: str
) -> tuple[BaseGeometry | None, list[bool]]:
    """The parent's ground (None: no parent), and which of the grids in sight lie in the same parent."""
    parent = partition.parent_of(district, layer, sight.by_id[element_id].geometry)
    if parent is None:
        return None, [True] * len(sight.grids)
    inner = membership.representative_points(sight.areas)
    return parent, shapely.intersects(parent, inner).tolist()


def share_a_parent(district: District, layer: Layer, sight: Sight, element_ids: Sequence[str]) -> bool:
    """Whether all these grids lie in the parent of the first."""
    _, same = family(district, layer, sight, element_ids[0])
    return all(same[at] for at in sight.positions(element_ids))
