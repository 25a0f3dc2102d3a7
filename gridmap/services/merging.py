"""
Saving an edit whose element has moved on: what can be merged is merged, what cannot is put to a person.

The strict writes of `services.elements` refuse a stale revision; forms and the map come here instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.merge import Choice, FieldConflict, merge
from gridmap.domain.roles import User
from gridmap.errors import EditConflict, NotFound, RevisionRequired
from gridmap.services import access, elements, names
from gridmap.services.district import District
from gridmap.services.elements import Also, InvalidElement, Receipt
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.validation.attributes import clean_values

# How often a merge is tried again when somebody else commits between reading and writing.
_TRIES = 20


class MergeConflict(EditConflict):
    """
    Both sides changed the same field differently, or the element was deleted meanwhile.

    Attributes
    ----------
    base, mine, theirs : Element, the three states; theirs is retired when it was deleted
    conflicts : tuple of FieldConflict; empty when the element was deleted
    revision : theirs' revision, on which a decided edit must stand
    """

    status = 409
    title = "编辑冲突:请选择保留哪一个"


@dataclass(frozen=True, slots=True)
class MergeReceipt:
    """A stored edit; `merged_fields` are those that others alone had changed meanwhile and that were kept."""

    receipt: Receipt
    merged_fields: tuple[str, ...] = ()


def _base(district: District, layer: Layer, element_id: str, base_revision: int) -> Element:
    with district.database.read() as connection:
        past = revisions.at_revision(connection, element_id, base_revision)
    if past is None or past.element is None or past.layer != layer.id:
        raise NotFound(
            f"element {element_id} has no readable revision {base_revision}; read it again and repeat the edit",
            zh="编辑所依据的版本已不可读,请刷新后重新编辑。",
            element=element_id,
        )
    return past.element


def _present(district: District, layer: Layer, element_id: str) -> Element:
    with district.database.read() as connection:
        found = stored.get(connection, element_id)
    if found is None or found.layer != layer.id:
        raise NotFound(f"layer {layer.id} has no element {element_id}", zh="没有这个要素,可能已被移走。")
    return found


def _edited(
    layer: Layer, base: Element, changes: Mapping[str, Any], geometry: BaseGeometry | None
) -> Element:
    """`base` with the person's edit, its values as the store would keep them."""
    values, problems = clean_values(layer, {**base.values(), **changes})
    hard = [one for one in problems if not one.is_warning]
    if hard:
        raise InvalidElement(hard)
    return replace(base, geometry=base.geometry if geometry is None else geometry).with_values(values)


def _conflict(
    district: District, base: Element, mine: Element, theirs: Element, conflicts: tuple[FieldConflict, ...]
) -> MergeConflict:
    who = names.one(district, theirs.updated_by)
    what = "deleted" if theirs.is_retired else f"changed in {', '.join(one.field for one in conflicts)}"
    zh = f"该要素已被 {who} 删除。" if theirs.is_retired else f"{who} 修改了相同的内容,请选择保留哪一个。"
    return MergeConflict(
        f"element {theirs.id} was {what} by {theirs.updated_by} since revision {base.revision}; choose a side for each field",
        zh=zh,
        base=base,
        mine=mine,
        theirs=theirs,
        conflicts=conflicts,
        revision=theirs.revision,
        base_revision=base.revision,
        updated_by=theirs.updated_by,
        updated_by_name=who,
        updated_at=theirs.updated_at.isoformat() if theirs.updated_at else None,
    )


def save(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    base_revision: int | None,
    changes: Mapping[str, Any],
    geometry: BaseGeometry | None = None,
    choices: Mapping[str, Choice] | None = None,
    reason: str = "",
    idempotency_key: str | None = None,
    also: Also | None = None,
) -> MergeReceipt:
    """
    Store an edit based on `base_revision`, merged field by field with what others stored since.

    `choices` decide fields (or "geometry") that were in conflict before; a conflict they do not decide
    stores nothing. A repeated `idempotency_key` is answered as in `elements.create`. `also` runs inside the commit.

    Raises
    ------
    MergeConflict, RevisionRequired, PermissionDenied, InvalidElement, StateConflict, NotFound
    """
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    if base_revision is None:
        raise RevisionRequired("the revision that the edit is based on is missing", zh="缺少所依据的版本号。")
    shape = None if geometry is None else shapely.to_wkb(geometry, hex=True)
    key = elements.request_key(user, idempotency_key, "merge", layer.id, element_id, changes, shape, choices)
    if (earlier := elements.answered(district, key)) is not None:
        return MergeReceipt(earlier)
    base = _base(district, layer, element_id, base_revision)
    mine = _edited(layer, base, changes, geometry)
    for attempt in range(_TRIES):
        theirs = _present(district, layer, element_id)
        if theirs.is_retired:
            raise _conflict(district, base, mine, theirs, ())
        result = merge(base, mine, theirs, choices=choices)
        if result.conflicts:
            raise _conflict(district, base, mine, theirs, result.conflicts)
        try:
            receipt = elements.change(
                district,
                user,
                layer_id,
                element_id,
                base_revision=theirs.revision,
                values=result.element.values(),
                geometry=result.element.geometry,
                reason=reason,
                idempotency_key=key,
                also=also,
            )
        except EditConflict:
            if attempt == _TRIES - 1:
                raise
            continue
        own = _changed(base, mine)
        return MergeReceipt(receipt, tuple(one for one in _changed(base, theirs) if one not in own))
    raise AssertionError("unreachable: the last try returns or raises")


def _changed(base: Element, theirs: Element) -> tuple[str, ...]:
    before, after = base.values(), theirs.values()
    fields = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    return (*fields, *(("geometry",) if not base.geometry.equals_exact(theirs.geometry, 0) else ()))
