"""
Who else is in a grid or on an element, so that people see each other before they collide.

Only those who may edit are told of, and told: nobody else can get in each other's way. What is kept is an
account, a grid and an element, and no longer than the map is open.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import shapely

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.services import access, names
from gridmap.services.district import District
from gridmap.storage import elements as stored
from gridmap.storage import membership as members
from gridmap.storage import presence as kept
from gridmap.storage.presence import Presence

# An open map says where it is every 15 seconds; after three silences it is taken for closed.
ALIVE = timedelta(seconds=45)
_WORK_GRID = "police_grid"


@dataclass(frozen=True, slots=True)
class Person:
    """
    Somebody at an open map.

    `key` tells the maps of one account apart; `element` is None where the reader may not see its layer.
    """

    key: str
    username: str
    display_name: str
    grid_code: str | None
    grid_name: str
    element: Element | None
    is_editing: bool


def work_grid(district: District) -> Layer | None:
    """The layer whose grids people are told to be in: police grids, or the finest partition there is."""
    partitions = [one for one in district.catalogue.grids if one.is_partition and not one.is_basemap]
    return next((one for one in partitions if one.id == _WORK_GRID), partitions[-1] if partitions else None)


def be(
    district: District,
    user: User,
    client: str,
    *,
    layer_id: str | None = None,
    element_id: str | None = None,
    is_editing: bool = False,
    place: tuple[float, float] | None = None,
) -> tuple[Person, ...]:
    """
    Say where an open map is (an element, or the middle of what it shows: lon, lat), and hear who else is there.

    The place itself is not kept, only the grid it lies in. Without a right to edit, nothing is kept or told.

    Raises
    ------
    NotFound, PermissionDenied: no such layer, or one the user does not see
    """
    if not user.may(Permission.EDIT_ELEMENTS):
        return ()
    element = _element(district, user, layer_id, element_id)
    now = district.clock()
    mine = Presence(
        user.username,
        client,
        element.layer if element else None,
        element.id if element else None,
        _grid_of(district, element, place),
        is_editing and element is not None,
    )
    with district.database.write() as connection:
        kept.keep(connection, mine, now, forget_before=now - ALIVE)
    return people(district, user)


def leave(district: District, user: User, client: str) -> None:
    """Say that a map was closed."""
    with district.database.write() as connection:
        kept.drop(connection, user.username, client)


def people(district: District, user: User) -> tuple[Person, ...]:
    """Everybody at an open map, the reader's own maps included."""
    if not user.may(Permission.EDIT_ELEMENTS):
        return ()
    with district.database.read() as connection:
        rows = kept.alive(connection, district.clock() - ALIVE)
        if not rows:
            return ()
        found = stored.get_many(connection, sorted({one.element_id for one in rows if one.element_id}))
    visible = {one.id for one in access.visible_layers(district, user)}
    called = names.of(district, [one.username for one in rows])
    grids = _grid_names(district, {one.grid_code for one in rows if one.grid_code})
    return tuple(
        Person(
            key=one.client,
            username=one.username,
            display_name=called[one.username],
            grid_code=one.grid_code,
            grid_name=grids.get(one.grid_code or "", ""),
            element=found.get(one.element_id or "") if one.layer in visible else None,
            is_editing=one.is_editing and one.layer in visible,
        )
        for one in rows
    )


def _element(district: District, user: User, layer_id: str | None, element_id: str | None) -> Element | None:
    if not layer_id or not element_id:
        return None
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    with district.database.read() as connection:
        found = stored.get(connection, element_id)
    return found if found is not None and found.layer == layer_id else None


def _grid_of(district: District, element: Element | None, place: tuple[float, float] | None) -> str | None:
    grid = work_grid(district)
    if grid is None:
        return None
    if element is not None:
        if element.layer == grid.id:
            return element.code
        with district.database.read() as connection:
            return members.of_element(connection, element.id).get(grid.id)
    if place is None:
        return None
    frame = district.frames.frame(grid.id)
    hits = frame.query(shapely.Point(*place), predicate="intersects")
    codes = sorted(frame.arrays.code[at] for at in hits if frame.arrays.code[at])
    return codes[0] if codes else None


def _grid_names(district: District, codes: Collection[str]) -> dict[str, str]:
    grid = work_grid(district)
    if grid is None or not codes:
        return {}
    frame = district.frames.frame(grid.id)
    return {
        frame.arrays.code[at]: frame.arrays.name[at] for at in frame.living if frame.arrays.code[at] in codes
    }
