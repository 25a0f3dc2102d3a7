"""Neighbouring areas that become one."""

from __future__ import annotations

from collections.abc import Sequence

import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids.faces import Faces
from gridmap.domain.grids.polygons import array_of
from gridmap.domain.grids.refusals import GridEditError
from gridmap.domain.grids.scale import Scale
from gridmap.domain.grids.transfers import Change, Edit


def joined(areas: ArrayLike, members: Sequence[int]) -> Edit:
    """
    The members become one new area, behind the others; they have no ground left.

    Raises
    ------
    GridEditError
        Fewer than two members, or one that shares no border with the rest.
    """
    given = array_of(areas)
    chosen = sorted(set(members))
    if len(chosen) < 2:
        raise GridEditError("merging takes at least two grids", zh="请至少选择两个网格进行合并。")
    faces = Faces.of(given)
    _require_connected([faces.union(faces.owned[at]) for at in chosen], faces.scale)
    change = Change.on(faces, new=1)
    for at in chosen:
        change.move(given[at], faces.owned[at], at, len(given))
    return change.done(given)


def _require_connected(areas: list[BaseGeometry], scale: Scale) -> None:
    """Refuse areas that cannot be walked through from the first, over borders longer than a centimetre."""
    reached, waiting = {0}, [0]
    while waiting:
        here = shapely.boundary(areas[waiting.pop()])
        for at, area in enumerate(areas):
            if at in reached:
                continue
            if shapely.intersection(here, shapely.boundary(area)).length > scale.units(1e-2):
                reached.add(at)
                waiting.append(at)
    if len(reached) < len(areas):
        alone = next(at for at in range(len(areas)) if at not in reached)
        place = shapely.point_on_surface(areas[alone])
        raise GridEditError(
            "the grids share no border; merge neighbours only",
            zh="所选网格没有公共边界,只能合并相邻的网格。",
            place=(place.x, place.y),
        )
