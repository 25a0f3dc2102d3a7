"""Values of new grids, out of those that they are made of: counts add up, the rest is as the model has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from gridmap.domain.elements import Element, Source, due_after, new_id
from gridmap.domain.layers import Field, FieldClass, FieldType, Layer

_NEVER = datetime.min.replace(tzinfo=UTC)


def unstored(model: Element) -> Element:
    """An element that is not stored yet, with everything that `model` says of the ground."""
    return replace(
        model, id=new_id(), revision=0, sequence=0, created_at=None, created_by=None, updated_at=None,
        updated_by=None, is_retired=False,
    )  # fmt: skip


def counts_of(layer: Layer) -> list[Field]:
    """Fields that add up over ground."""
    return [
        one for one in layer.fields if one.field_class is FieldClass.COUNT and one.type is FieldType.INTEGER
    ]


def counted(layer: Layer, grid: Element) -> list[Field]:
    """The layer's counts that the grid has a number for."""
    return [one for one in counts_of(layer) if grid.properties.get(one.name) is not None]


def shared_out(total: int, weights: np.ndarray) -> list[int]:
    """`total` shared out by weight in whole numbers that add up to it; largest remainders first."""
    exact = total * weights / weights.sum()
    counts = np.floor(exact).astype(int)
    rest = np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]
    counts[rest] += 1
    return counts.tolist()


def united(layer: Layer, leader: Element, grids: Sequence[Element]) -> Element:
    """
    `leader` with the counts of all the grids.

    It is only as well verified as the grid that waited longest, and simulated where one of them is.
    """
    sums = {
        one.name: sum(
            grid.properties[one.name] for grid in grids if grid.properties.get(one.name) is not None
        )
        for one in counts_of(layer)
        if any(grid.properties.get(one.name) is not None for grid in grids)
    }
    properties = {**leader.properties, **sums}
    oldest = min(grids, key=lambda one: one.verified_at or _NEVER)
    return replace(
        leader,
        properties=properties,
        source=Source.SIMULATED if any(one.source is Source.SIMULATED for one in grids) else leader.source,
        verified_at=oldest.verified_at,
        verified_by=oldest.verified_by,
        due_at=due_after(layer, properties, oldest.verified_at),
    )


def differing(layer: Layer, grids: Sequence[Element]) -> list[Field]:
    """Fields other than counts in which the grids have not all the same value."""
    counts = counts_of(layer)
    return [
        one
        for one in layer.fields
        if one not in counts and len({str(grid.properties.get(one.name)) for grid in grids}) > 1
    ]
