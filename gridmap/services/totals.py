"""Totals per grid: how many elements of a layer, or the sum of one of its counts, with small ones hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmap.domain.layers import FieldClass, FieldType, Layer
from gridmap.domain.privacy import mask_small_counts
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.membership import grid_codes, representative_points
from gridmap.storage.elements import properties_of

# Grid codes begin with the code of their town, which is the group whose totals may be shown beside them.
_TOWN_DIGITS = 9


@dataclass(frozen=True, slots=True)
class GridTotal:
    """One grid's figure; None where it is hidden because it, or one that would give it away, is small."""

    code: str
    name: str
    total: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures of all grids of a layer and their sum (None where hidden); `hidden` tells how many are."""

    grids: tuple[GridTotal, ...]
    total: int | None
    hidden: int


def _weights(district: District, layer: Layer, field_name: str | None, positions: np.ndarray) -> np.ndarray:
    if field_name is None:
        return np.ones(len(positions), dtype=np.int64)
    field = layer.field(field_name)
    if field.type is not FieldType.INTEGER or field.field_class is not FieldClass.COUNT:
        raise InvalidInput(
            f"field {field_name} of {layer.id} is no count; name one that is, or none to count elements",
            zh=f"字段“{field.title}”不是数量,不能汇总。",
            field=field_name,
        )
    arrays = district.frames.frame(layer.id).arrays
    values = (properties_of(arrays, at).get(field_name) or 0 for at in positions)
    return np.fromiter(values, dtype=np.int64, count=len(positions))


def by_grid(
    district: District, user: User, layer_id: str, grid_layer_id: str, *, field: str | None = None
) -> Totals:
    """
    The layer's total in each grid: of its elements, or of `field` where given.

    Everybody who may see elements may see totals, also of layers whose elements are hidden from them; for
    those without sensitive sight, counts below 5 and as many others as it takes are hidden.

    Raises
    ------
    NotFound (no such layer or field), InvalidInput (no grid layer, no count), PermissionDenied
    """
    layer, grid = district.catalogue.layer(layer_id), district.catalogue.layer(grid_layer_id)
    access.require(district, user, Permission.VIEW_ELEMENTS, layer_id)
    if not grid.is_grid:
        raise InvalidInput(
            f"layer {grid.id} is no grid layer", zh=f"“{grid.title}”不是网格图层,不能按它汇总。"
        )
    elements, areas = district.frames.frame(layer.id), district.frames.frame(grid.id)
    order = areas.living[np.argsort(areas.arrays.code[areas.living].astype(str))]
    codes = areas.arrays.code[order]
    living = elements.living
    found = grid_codes(
        areas.arrays.geometry[order], codes, representative_points(elements.arrays.geometry[living])
    )
    row_of = {code: row for row, code in enumerate(codes)}
    is_inside = np.array([code is not None for code in found], dtype=bool)
    rows = np.array([row_of[code] for code in found[is_inside]], dtype=np.int64)
    weights = _weights(district, layer, field, living)[is_inside]
    counts = np.bincount(rows, weights=weights, minlength=len(codes)).astype(np.int64)
    return _shown(user, codes.tolist(), areas.arrays.name[order].tolist(), counts)


def _shown(user: User, codes: Sequence[str], names: Sequence[str], counts: np.ndarray) -> Totals:
    hidden, is_total_hidden = np.zeros(len(counts), dtype=bool), False
    if not user.may(Permission.VIEW_SENSITIVE) and len(counts):
        suppression = mask_small_counts(counts, [code[:_TOWN_DIGITS] for code in codes])
        hidden, is_total_hidden = suppression.cells, bool(suppression.total)
    grids = tuple(
        GridTotal(code, name, None if is_hidden else int(count))
        for code, name, count, is_hidden in zip(codes, names, counts, hidden, strict=True)
    )
    return Totals(grids, None if is_total_hidden else int(counts.sum()), int(hidden.sum()))
