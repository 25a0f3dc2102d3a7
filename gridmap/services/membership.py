"""Which grid an element lies in: derived from the geometries, kept beside the elements, never part of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from sqlalchemy import Connection

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.services.district import District
from gridmap.storage import membership
from gridmap.storage.membership import Member


def representative_points(geometries: np.ndarray) -> np.ndarray:
    """Where each geometry counts as being: a point itself, anything else a point on it."""
    is_point = shapely.get_type_id(geometries) == 0
    points = geometries.copy()
    points[~is_point] = shapely.point_on_surface(geometries[~is_point])
    return points


def grid_codes(areas: np.ndarray, codes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """
    The code of the area that each point lies in; None outside every area.

    A point on a shared border belongs to the area with the smaller code.
    """
    found = np.full(len(points), None, dtype=object)
    if len(areas) == 0 or len(points) == 0:
        return found
    order = np.argsort(codes.astype(str))
    point, rank = shapely.STRtree(areas[order]).query(points, predicate="intersects")
    # the last write wins, so write from the largest code down to the smallest
    for at in np.lexsort((-rank, point)):
        found[point[at]] = codes[order[rank[at]]]
    return found


def _grids_for(district: District, layer: Layer) -> list[Layer]:
    """The grid layers an element of `layer` is assigned to; none for the basemap's roads and water."""
    if layer.is_basemap:
        return []
    return [grid for grid in district.catalogue.grids if grid.id != layer.id and not grid.is_basemap]


def _areas(district: District, grid: Layer, written: Sequence[Element]) -> tuple[np.ndarray, np.ndarray]:
    """Areas and codes of a grid layer as they will be once `written` is committed."""
    frame = district.frames.frame(grid.id)
    pending = [one for one in written if one.layer == grid.id]
    living = frame.living
    living = living[~np.isin(frame.arrays.id[living].astype(str), [one.id for one in pending])]
    fresh = [one for one in pending if not one.is_retired and one.code]
    areas = np.array([*frame.arrays.geometry[living], *(one.geometry for one in fresh)], dtype=object)
    codes = np.array([*frame.arrays.code[living], *(one.code for one in fresh)], dtype=object)
    return areas, codes


def derive(
    district: District, connection: Connection, written: Sequence[Element], before: Sequence[Element | None]
) -> None:
    """
    Derive the grids of elements that are being committed, and of everything near a grid among them.

    Runs inside the commit, so a border and the elements it moves past change together. `before` are the
    earlier states, None for new elements.
    """
    _assign(district, connection, written)
    for grid in district.catalogue.grids:
        moved = [
            shape
            for now, then in zip(written, before, strict=True)
            if now.layer == grid.id and not _same_ground(now, then)
            for shape in (now.geometry, *([then.geometry] if then else []))
        ]
        if moved:
            _reassign_near(district, connection, grid, written, moved)


def _same_ground(now: Element, then: Element | None) -> bool:
    return then is not None and (
        now.code == then.code
        and now.is_retired == then.is_retired
        and bool(shapely.equals_identical(now.geometry, then.geometry))
    )


def _assign(district: District, connection: Connection, written: Sequence[Element]) -> None:
    members: list[Member] = []
    for layer_id in sorted({one.layer for one in written}):
        living = [one for one in written if one.layer == layer_id and not one.is_retired]
        points = representative_points(np.array([one.geometry for one in living], dtype=object))
        for grid in _grids_for(district, district.catalogue.layer(layer_id)):
            codes = grid_codes(*_areas(district, grid, written), points)
            pairs = zip(living, codes, strict=True)
            members += [Member(one.id, grid.id, code) for one, code in pairs if code is not None]
    membership.replace(connection, [one.id for one in written], members)


def _reassign_near(
    district: District,
    connection: Connection,
    grid: Layer,
    written: Sequence[Element],
    moved: Sequence[object],
) -> None:
    areas, codes = _areas(district, grid, written)
    own = {one.id for one in written}
    for layer in district.catalogue:
        if grid not in _grids_for(district, layer):
            continue
        frame = district.frames.frame(layer.id)
        if len(frame) == 0:
            continue
        hits = np.unique(np.concatenate([frame.query(shape) for shape in moved]))
        hits = hits[[frame.arrays.id[at] not in own for at in hits]] if len(hits) else hits
        ids = frame.arrays.id[hits].tolist()
        found = grid_codes(areas, codes, representative_points(frame.arrays.geometry[hits]))
        members = [
            Member(one, grid.id, code) for one, code in zip(ids, found, strict=True) if code is not None
        ]
        membership.replace(connection, ids, members, grid_layer=grid.id)
