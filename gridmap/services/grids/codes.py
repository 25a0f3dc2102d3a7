"""Codes of grids: the scheme they are written by, new ones, and what became of old ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from gridmap.domain.codes import CodeScheme, default_scheme, parse_scheme
from gridmap.domain.crs import to_metric
from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput, StateConflict
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.grids.plans import Plan
from gridmap.storage import elements as stored
from gridmap.storage import lineage as descents
from gridmap.storage import settings as choices
from gridmap.storage.database import Commit
from gridmap.storage.lineage import Link


def scheme_of(district: District, layer_id: str) -> CodeScheme:
    """How codes of the layer are written: as the district chose, else as usual."""
    district.catalogue.layer(layer_id)
    with district.database.read() as connection:
        chosen = choices.get(connection, f"codes.{layer_id}")
    return parse_scheme(**chosen) if chosen else default_scheme(layer_id)


def choose_scheme(district: District, user: User, layer_id: str, scheme: CodeScheme) -> None:
    """Write the layer's codes by `scheme` from now on; administrators only."""
    access.require(district, user, Permission.ADMINISTER, layer_id)
    district.catalogue.layer(layer_id)
    value = {"text": scheme.text, "order": scheme.order.value, "band_m": scheme.band_m}
    with district.database.write() as connection:
        choices.put(connection, f"codes.{layer_id}", value)


def lineage(district: District, user: User, layer_id: str, code: str) -> list[Link]:
    """Every step that leads to or from this code, oldest first; steps taken back say so."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    access.require(district, user, Permission.VIEW_HISTORY, layer.id)
    with district.database.read() as connection:
        return descents.of_code(connection, layer_id, code)


def middles(areas: np.ndarray) -> np.ndarray:
    """(n, 2) metres: the middle of each area, by which it is numbered."""
    return shapely.get_coordinates(shapely.centroid(to_metric(areas)))


def next_codes(district: District, layer_id: str, like: str, count: int) -> list[str]:
    """
    Codes that were never used, under the prefix of the code `like`.

    Raises
    ------
    CodeSchemeError (`like` does not fit the layer's scheme), CodesExhausted
    """
    scheme = scheme_of(district, layer_id)
    prefix, _ = scheme.split(like)
    with district.database.read() as connection:
        used = descents.codes_ever_used(connection, layer_id, prefix)
    return scheme.next_codes(prefix, used, count)


def new_codes(
    district: District, layer: Layer, like: Element, count: int, given: Sequence[str] = ()
) -> list[str]:
    """
    Codes for new grids: those `given`, else the next under the prefix of the grid `like`.

    Raises
    ------
    InvalidInput (not as many different codes as grids), CodeSchemeError, CodesExhausted
    """
    if given:
        if len(given) != count or len(set(given)) != count:
            raise InvalidInput(
                f"{count} different codes are needed, {len(set(given))} were given",
                zh=f"需要 {count} 个不同的新编码,收到 {len(set(given))} 个。",
            )
        return list(given)
    return next_codes(district, layer.id, like.code or "", count)


def refuse_taken_codes(commit: Commit, plan: Plan) -> None:
    """Raise StateConflict where a new code of the plan belongs to another grid, living or ended."""
    fresh = [
        after
        for before, after in plan.changes
        if after.code and (before is None or before.code != after.code)
    ]
    taken = stored.codes_taken(commit.connection, plan.layer.id, [one.code for one in fresh if one.code])
    for one in fresh:
        holder = taken.get(one.code or "", one.id)
        if holder != one.id:
            raise StateConflict(
                f"code {one.code} is taken by element {holder} of layer {plan.layer.id}; codes are never reused",
                zh=f"编码“{one.code}”已被使用(含已停用的网格),请换一个编码。",
                code=one.code,
                element=holder,
            )


def note_lineage(commit: Commit, plan: Plan) -> None:
    """Write down what became of each code, where the plan's codes descend from others."""
    if plan.descent is None:
        return
    codes = {one.id: one.code for one in (*plan.created, *plan.changed)}
    links = [
        Link(commit.sequence, plan.layer.id, plan.descent, start, plan.before[start].code, end, codes[end])
        for start, end in plan.links
    ]
    descents.add(commit.connection, links)
