"""Which grids lie beside a grid, and what they are called."""

from __future__ import annotations

import shapely

from gridmap.domain.elements import Element
from gridmap.domain.roles import User
from gridmap.services import access, elements, partition
from gridmap.services.district import District
from gridmap.services.membership import representative_points
from gridmap.storage import elements as stored

# Below this (degrees, a decimetre) two grids meet in a corner and have no border to move or to drop.
_LEAST_BORDER = 1e-6


def of_grid(district: District, user: User, layer_id: str, element_id: str) -> list[Element]:
    """
    Grids of the layer that share a border with this one and lie in the same parent, by code.

    Raises
    ------
    PermissionDenied, NotFound
    """
    layer = district.catalogue.layer(layer_id)
    grid = elements.get(district, user, layer_id, element_id)
    frame = district.frames.frame(layer_id)
    at = frame.query(grid.geometry, predicate="intersects")
    at = at[frame.arrays.id[at] != element_id]
    shapes = frame.arrays.geometry[at]
    shared = shapely.length(shapely.intersection(shapely.boundary(shapes), shapely.boundary(grid.geometry)))
    at = at[shared > _LEAST_BORDER]
    parent = partition.parent_of(district, layer, grid.geometry)
    if parent is not None and len(at):
        at = at[shapely.intersects(parent, representative_points(frame.arrays.geometry[at]))]
    with district.database.read() as connection:
        found = stored.get_many(connection, frame.arrays.id[at].tolist())
    living = [elements.masked(user, layer, one) for one in found.values() if not one.is_retired]
    return sorted(living, key=lambda one: one.code or "")


def codes(district: District, user: User, layer_id: str) -> dict[str, str]:
    """The code of every living grid of the layer, by id."""
    access.require_sight(district, user, district.catalogue.layer(layer_id))
    frame = district.frames.frame(layer_id)
    return {frame.arrays.id[at]: frame.arrays.code[at] for at in frame.living if frame.arrays.code[at]}
