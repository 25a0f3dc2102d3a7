"""Two systems of grids side by side (警格 / 治理网格): which share ground and people with which."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import shapely

from gridmap.domain.crs import metric_crs_of, to_metric
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.frames import Frame
from gridmap.services.grid_check import TOLERANCE_M2, sound_areas
from gridmap.services.membership import grid_codes, representative_points
from gridmap.storage.elements import properties_of


@dataclass(frozen=True, slots=True)
class Match:
    """
    Where a grid of one system and a grid of another share ground.

    `first_share` and `second_share` are parts of the two grids' areas (0 to 1). `people` live in both, by
    where their residential area lies; None where the user may not see it.
    """

    first_code: str
    first_name: str
    second_code: str
    second_name: str
    area_m2: float
    first_share: float
    second_share: float
    people: int | None


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Two grid systems side by side; `unmatched_people` live in only one of them, or in none."""

    first_layer: str
    second_layer: str
    matches: tuple[Match, ...]
    people: int | None
    unmatched_people: int | None
    crs: str
    sequence: int


def correspondence(
    district: District,
    user: User,
    first_layer: str,
    second_layer: str,
    *,
    population_layer: str = "residential_area",
) -> Correspondence:
    """
    How the grids of two systems map onto each other, by area (UTM) and by people.

    People are those of the elements of `population_layer` (field `population`), each counted in the pair of
    grids that it lies in; shares of ground of 1 m² and less are left out.

    Raises
    ------
    InvalidInput (no grid layer), NotFound, PermissionDenied
    """
    layers = [district.catalogue.layer(one) for one in (first_layer, second_layer)]
    for one in layers:
        access.require_sight(district, user, one)
        if not one.is_grid:
            raise InvalidInput(
                f"layer {one.id} is no grid layer", zh=f"“{one.title}”不是网格图层。", layer=one.id
            )
    first, second = (district.frames.frame(one.id) for one in layers)
    areas = [sound_areas(one.arrays.geometry[one.living]) for one in (first, second)]
    crs = metric_crs_of(np.concatenate(areas)) if len(areas[0]) + len(areas[1]) else None
    pairs = _shared_ground(areas[0], areas[1], crs) if crs is not None else []
    sizes = [shapely.area(to_metric(one, crs)) for one in areas] if crs is not None else [[], []]
    people, total, unmatched = _people(district, user, population_layer, first, second)
    rows = []
    for i, j, area in pairs:
        a, b = first.living[i], second.living[j]
        codes = first.arrays.code[a], second.arrays.code[b]
        rows.append(
            Match(
                codes[0], first.arrays.name[a], codes[1], second.arrays.name[b], round(area, 1),
                float(area / sizes[0][i]), float(area / sizes[1][j]),
                None if people is None else people.get(codes, 0),
            )
        )  # fmt: skip
    rows.sort(key=lambda one: (one.first_code or "", -one.area_m2))
    return Correspondence(
        first_layer, second_layer, tuple(rows), total, unmatched, "" if crs is None else crs.to_string(),
        district.database.sequence(),
    )  # fmt: skip


def _shared_ground(first: np.ndarray, second: np.ndarray, crs: object) -> list[tuple[int, int, float]]:
    if not len(first) or not len(second):
        return []
    j, i = shapely.STRtree(first).query(second, predicate="intersects")
    shared = shapely.intersection(first[i], second[j])
    size = shapely.area(to_metric(shared, crs))  # type: ignore[arg-type]
    keep = size > TOLERANCE_M2
    return list(zip(i[keep].tolist(), j[keep].tolist(), size[keep].tolist(), strict=True))


def _people(
    district: District, user: User, layer_id: str, first: Frame, second: Frame
) -> tuple[dict[tuple[str, str], int] | None, int | None, int | None]:
    layer = district.catalogue.layer(layer_id)
    layer.field("population")
    if not (user.may(Permission.VIEW_SENSITIVE) and access.sees(user, layer)):
        return None, None, None
    frame = district.frames.frame(layer_id)
    living = frame.living
    points = representative_points(sound_areas(frame.arrays.geometry[living]))
    lies = [
        grid_codes(sound_areas(one.arrays.geometry[one.living]), one.arrays.code[one.living], points)
        for one in (first, second)
    ]
    counts: Counter[tuple[str, str]] = Counter()
    total = unmatched = 0
    for at, position in enumerate(living):
        number = int(properties_of(frame.arrays, position).get("population") or 0)
        total += number
        if lies[0][at] is None or lies[1][at] is None:
            unmatched += number
        else:
            counts[lies[0][at], lies[1][at]] += number
    return dict(counts), total, unmatched
