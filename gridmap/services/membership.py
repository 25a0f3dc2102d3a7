"""Which grid an element lies in: derived from the geometries, kept beside the elements, never part of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from sqlalchemy import Connection

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.services.district import District
from gridmap.services.frames import Frame
from gridmap.storage import membership


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
    ranks, ordered = _grid_ranks(areas, codes, shapely.STRtree(points), len(points))
    found[ranks >= 0] = ordered[ranks[ranks >= 0]]
    return found


def _grid_ranks(
    areas: np.ndarray, codes: np.ndarray, points: shapely.STRtree, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each of the tree's `count` points the position of its area in the sorted codes (-1: none), and those."""
    ranks = np.full(count, -1, dtype=np.int64)
    order = np.argsort(codes.astype(str))
    if len(areas) == 0 or count == 0:
        return ranks, codes[order]
    # asked from the areas, which are prepared once each, and not from the points, which have no use of it
    rank, point = points.query(areas[order], predicate="intersects")
    # the last write wins, so write from the largest code down to the smallest
    backwards = np.argsort(-rank, kind="stable")
    ranks[point[backwards]] = rank[backwards]
    return ranks, codes[order]


def _grids_for(district: District, layer: Layer) -> list[Layer]:
    """The grid layers an element of `layer` is assigned to; none for the basemap's roads and water."""
    if layer.is_basemap:
        return []
    return [grid for grid in district.catalogue.grids if grid.id != layer.id and not grid.is_basemap]


def _areas(district: District, grid_id: str, written: Sequence[Element]) -> tuple[np.ndarray, np.ndarray]:
    """Areas and codes of a grid layer as they will be once `written` is committed."""
    frame = district.frames.frame(grid_id)
    pending = [one for one in written if one.layer == grid_id]
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
    _assign(district, connection, written, is_new=all(one is None for one in before))
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


def derive_new(
    district: District, connection: Connection, layer: Layer, ids: Sequence[str], geometry: np.ndarray
) -> None:
    """`derive` for new elements of one layer that is no grid itself, given as columns."""
    _note(district, connection, layer, ids, geometry, [], is_new=True)


def _assign(district: District, connection: Connection, written: Sequence[Element], *, is_new: bool) -> None:
    for layer_id in sorted({one.layer for one in written}):
        elements = [one for one in written if one.layer == layer_id]
        geometry = np.empty(len(elements), dtype=object)
        geometry[:] = [None if one.is_retired else one.geometry for one in elements]
        layer, ids = district.catalogue.layer(layer_id), [one.id for one in elements]
        _note(district, connection, layer, ids, geometry, written, is_new=is_new)


def _note(
    district: District,
    connection: Connection,
    layer: Layer,
    ids: Sequence[str],
    geometry: np.ndarray,
    written: Sequence[Element],
    *,
    is_new: bool,
) -> None:
    """Note the grids of elements of one layer (geometry None: of none); `written` may hold grids themselves."""
    grids = _grids_for(district, layer)
    if not grids and is_new:
        return
    areas = [(grid.id, *_areas(district, grid.id, written)) for grid in grids]
    combinations, which = _combined(areas, representative_points(geometry))
    membership.put(connection, ids, combinations, which, is_new=is_new)


def _combined(
    grids: Sequence[tuple[str, np.ndarray, np.ndarray]], points: np.ndarray
) -> tuple[list[dict[str, str]], list[int]]:
    """The different combinations of grid codes that the points lie in, and which one each point has."""
    tree = shapely.STRtree(points)
    combination = np.zeros(len(points), dtype=np.int64)
    rows: list[dict[str, str]] = [{}]
    for layer_id, areas, codes in grids:
        ranks, ordered = _grid_ranks(areas, codes, tree, len(points))
        # one number for the pair (combination so far, rank), packed again at once so that it never overflows
        numbers = combination * (len(ordered) + 1) + ranks + 1
        pairs, combination = np.unique(numbers, return_inverse=True)
        before, rank = pairs // (len(ordered) + 1), pairs % (len(ordered) + 1) - 1
        rows = [
            {**rows[old], layer_id: ordered[at]} if at >= 0 else rows[old]
            for old, at in zip(before.tolist(), rank.tolist(), strict=True)
        ]
    return rows, combination.tolist()


def _reassign_near(
    district: District,
    connection: Connection,
    grid: Layer,
    written: Sequence[Element],
    moved: Sequence[object],
) -> None:
    areas, codes = _areas(district, grid.id, written)
    own = np.array([one.id for one in written], dtype=object)
    for layer in district.catalogue:
        if grid not in _grids_for(district, layer):
            continue
        frame = district.frames.frame(layer.id)
        if len(frame) == 0:
            continue
        hits = _near(frame, moved)
        hits = hits[~np.isin(frame.arrays.id[hits].astype(str), own.astype(str))]
        ids = frame.arrays.id[hits].tolist()
        found = grid_codes(areas, codes, representative_points(frame.arrays.geometry[hits]))
        membership.move(connection, ids, grid.id, found.tolist())


def _near(frame: Frame, shapes: Sequence[object]) -> np.ndarray:
    """Positions of the frame's living elements whose boxes meet one of the shapes' boxes."""
    asked = np.array(shapes, dtype=object)
    hits = np.concatenate([frame.tree.query(asked)[1], frame.overlay_tree.query(asked)[1] + frame.base_count])
    hits = np.unique(hits)
    return hits[~frame.is_hidden[hits]]
