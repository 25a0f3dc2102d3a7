"""Who may see and write what: role × layer × area, asked by every other service and logged when refused."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.layers import Layer, Privacy
from gridmap.domain.roles import WHOLE_DISTRICT, Permission, User
from gridmap.errors import PermissionDenied
from gridmap.services.district import District
from gridmap.storage import access_log, lineage
from gridmap.storage.database import Database

# A border drawn with the neighbour's own vertices may leave a few centimetres to rounding.
_SLACK_DEGREES = 2e-6


def refuse(district: District, user: User, action: str, target: str, *, zh: str) -> PermissionDenied:
    """The error for something `user` may not do, after it was written to the log of refusals."""
    with district.database.write() as connection:
        access_log.append(
            connection,
            at=district.clock(),
            kind="refusal",
            username=user.username,
            address=user.address,
            action=action,
            target=target,
        )
    return PermissionDenied(f"{user.username} may not {action} {target}", zh=zh, action=action, target=target)


def require(district: District, user: User, permission: Permission, target: str = "") -> None:
    """Pass when the user's role includes `permission`; raises PermissionDenied otherwise."""
    if not user.may(permission):
        zh = f"您的角色“{user.role.title}”没有此项权限,如需要请联系系统管理员。"
        raise refuse(district, user, permission.value, target, zh=zh)


def sees(user: User, layer: Layer) -> bool:
    """Whether the user may see the layer's elements one by one."""
    if not user.may(Permission.VIEW_ELEMENTS):
        return False
    return layer.privacy is Privacy.INTERNAL or user.may(Permission.VIEW_SENSITIVE)


def visible_layers(district: District, user: User) -> list[Layer]:
    """The layers whose elements the user may see, in catalogue order."""
    return [layer for layer in district.catalogue if sees(user, layer)]


def require_seen(district: District, user: User, layer: Layer) -> None:
    """Pass when the user may see the layer, before anything of it is shown; raises PermissionDenied otherwise."""
    if not sees(user, layer):
        raise refuse(district, user, "view", layer.id, zh=f"您没有查看“{layer.title}”图层的权限。")


def require_sight(district: District, user: User, layer: Layer) -> None:
    """
    Pass when the user may see the layer; raises PermissionDenied otherwise.

    Sight of a layer that is not for everybody is written to the log, once an hour for each user and address.
    """
    require_seen(district, user, layer)
    if layer.privacy is not Privacy.INTERNAL:
        _note_view(district, user, layer)


_NOTE_EVERY = timedelta(hours=1)
_MOST_NOTED = 50_000
_noted: weakref.WeakKeyDictionary[Database, dict[tuple[str, str, str], datetime]] = (
    weakref.WeakKeyDictionary()
)
_noted_lock = threading.Lock()


def _note_view(district: District, user: User, layer: Layer) -> None:
    now, key = district.clock(), (user.username, user.address, layer.id)
    with _noted_lock:
        noted = _noted.setdefault(district.database, {})
        if key in noted and now - noted[key] < _NOTE_EVERY:
            return
        if len(noted) > _MOST_NOTED:
            noted.clear()
        noted[key] = now
    with district.database.write() as connection:
        access_log.append(
            connection, at=now, kind="view", username=user.username, address=user.address, target=layer.id
        )


def may_edit(user: User, layer: Layer) -> bool:
    """Whether role and layers let the user write in this layer at all; the area is asked element by element."""
    in_layers = WHOLE_DISTRICT in user.layers or layer.id in user.layers
    return (
        user.may(Permission.EDIT_ELEMENTS) and user.role in layer.editors and in_layers and sees(user, layer)
    )


def require_edit(district: District, user: User, layer: Layer) -> None:
    """Pass when the user may write in the layer; raises PermissionDenied otherwise."""
    if not may_edit(user, layer):
        raise refuse(district, user, "edit", layer.id, zh=f"您没有编辑“{layer.title}”图层的权限。")


def area_of(district: District, user: User) -> BaseGeometry | None:
    """
    Where the user may write: the union of the grids and towns of the account's codes (EPSG:4326).

    None means everywhere; an account whose codes name nothing gets an empty geometry. A code that was retired
    by splitting, merging or re-numbering stands for the grids that followed it.
    """
    if user.writes_everywhere:
        return None
    parts = _areas(district, user.area)
    missing = user.area - parts.keys()
    if missing:
        with district.database.read() as connection:
            parts |= _areas(district, lineage.successors(connection, missing))
    return shapely.union_all(list(parts.values())) if parts else shapely.GeometryCollection()


def _areas(district: District, codes: Collection[str]) -> dict[str, BaseGeometry]:
    """The ground of each of these codes that names a living grid; of several layers, together."""
    found: dict[str, BaseGeometry] = {}
    for layer in district.catalogue.grids:
        for code, area in district.frames.by_code(layer.id, sorted(codes)).items():
            found[code] = shapely.union(found[code], area) if code in found else area
    return found


def lies_inside(district: District, user: User, geometries: Sequence[BaseGeometry]) -> bool:
    """Whether each geometry lies in the user's area, borders included."""
    area = area_of(district, user)
    if area is None:
        return True
    shapely.prepare(reach := area.buffer(_SLACK_DEGREES))
    return all(bool(shapely.covers(reach, _sound(geometry))) for geometry in geometries)


def _sound(geometry: BaseGeometry) -> BaseGeometry:
    """A form that can be computed with: the rules refuse broken shapes with better words, but later."""
    if shapely.is_valid(geometry) or not np.isfinite(shapely.get_coordinates(geometry)).all():
        return geometry
    return shapely.make_valid(geometry)


def _outside(layer: Layer) -> str:
    return f"该位置不在您的责任区内,不能编辑“{layer.title}”。请联系所在网格的民警或网格管理员。"


def require_inside(
    district: District, user: User, layer: Layer, geometries: Sequence[BaseGeometry], target: str
) -> None:
    """Pass when each geometry lies in the user's area (borders included); raises PermissionDenied otherwise."""
    if not lies_inside(district, user, geometries):
        raise refuse(district, user, "edit outside the own area", target, zh=_outside(layer))


def why_not_edit(district: District, user: User, layer: Layer, geometry: BaseGeometry) -> str | None:
    """Why the user may not edit this element (Chinese); None when it is theirs to edit. Nothing is logged."""
    if not may_edit(user, layer):
        return f"您没有编辑“{layer.title}”图层的权限。"
    return None if lies_inside(district, user, [geometry]) else _outside(layer)
