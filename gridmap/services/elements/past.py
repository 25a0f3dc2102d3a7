"""Elements as they were: the revisions of one, and a layer or an element at a moment."""

from __future__ import annotations

from datetime import datetime

from gridmap.domain.elements import Element, Revision
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import NotFound
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.elements.reading import any_state
from gridmap.storage import history as revisions


def history(district: District, user: User, layer_id: str, element_id: str) -> list[Revision]:
    """All revisions of an element, newest first; a deleted element has a history too."""
    layer = _with_history(district, user, layer_id)
    any_state(district, layer, element_id)
    with district.database.read() as connection:
        return revisions.of_element(connection, element_id)


def as_of(district: District, user: User, layer_id: str, at: datetime) -> list[Element]:
    """The layer's elements as they stood at `at` (inclusive)."""
    _with_history(district, user, layer_id)
    with district.database.read() as connection:
        return revisions.as_of(connection, layer_id, at)


def element_as_of(district: District, user: User, layer_id: str, element_id: str, at: datetime) -> Element:
    """One element as it stood at `at`; raises NotFound before it was made or after it was deleted."""
    layer = _with_history(district, user, layer_id)
    with district.database.read() as connection:
        state = revisions.element_as_of(connection, element_id, at)
    if state is None or state.is_retired or state.layer != layer.id:
        raise NotFound(
            f"element {element_id} did not exist at {at.isoformat()}",
            zh="在所选时间,该要素还不存在或已删除。",
        )
    return state


def _with_history(district: District, user: User, layer_id: str) -> Layer:
    """The layer, where the user may see it and its past."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    access.require(district, user, Permission.VIEW_HISTORY, layer.id)
    return layer
