"""Elements written: create, change, verify, delete, restore, undo; each with its history line in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element, Operation, Source, due_after, new_id
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import NotFound, StateConflict
from gridmap.services import access, membership, partition
from gridmap.services.district import District
from gridmap.services.elements import repeats
from gridmap.services.elements.judging import (
    checked,
    is_elsewhere,
    refuse_taken_code,
    require_revision,
    stale,
)
from gridmap.services.elements.reading import any_state, living
from gridmap.services.elements.results import Also, Receipt
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage import lineage
from gridmap.storage.database import Commit
from gridmap.storage.idempotency import Key
from gridmap.storage.lineage import Descent, Link


def create(
    district: District,
    user: User,
    layer_id: str,
    values: Mapping[str, Any],
    geometry: BaseGeometry,
    *,
    reason: str = "",
    source: Source = Source.REAL,
    idempotency_key: str | None = None,
) -> Receipt:
    """
    Put a new element on the map.

    A repeated `idempotency_key` of the same user with the same content stores nothing and answers what was
    answered the first time, whatever others stored since; with other content it is refused.

    Raises
    ------
    PermissionDenied, InvalidElement, StateConflict, NotFound (no such layer)
    """
    layer = _editable(district, user, layer_id)
    access.require_inside(district, user, layer, [geometry], layer.id)
    key = repeats.key_of(user, idempotency_key, layer.id, dict(values), shapely.to_wkb(geometry, hex=True))
    if (earlier := repeats.answered(district, key)) is not None:
        return earlier
    now = district.clock()
    defaults = {one.name: one.default for one in layer.fields if one.default is not None}
    raw = Element(
        new_id(), layer_id, None, "", geometry, source=source, verified_at=now, verified_by=user.username
    )
    element, warnings = checked(district, layer, _with_raw_values(raw, {**defaults, **values}))
    element = replace(element, due_at=due_after(layer, element.properties, now))
    return _write(district, user, layer, element, Operation.CREATE, reason=reason, warnings=warnings, key=key)


def _with_raw_values(element: Element, values: Mapping[str, Any]) -> Element:
    """`with_values` for values that were not checked yet."""
    rest = {key: value for key, value in values.items() if key not in ("code", "name")}
    return replace(element, code=values.get("code"), name=values.get("name"), properties=rest)


def change(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    base_revision: int | None,
    changes: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
    geometry: BaseGeometry | None = None,
    reason: str = "",
    idempotency_key: str | Key | None = None,
    also: Also | None = None,
) -> Receipt:
    """
    Change an element: some attributes (`changes`; None clears one) or all of them (`values`), its geometry,
    or both at once. A change that changes nothing stores nothing. `also` runs inside the commit.

    A repeated `idempotency_key` is answered as in `create`.

    Raises
    ------
    RevisionRequired, EditConflict, PermissionDenied, InvalidElement, StateConflict, NotFound
    """
    layer = _editable(district, user, layer_id)
    shape = None if geometry is None else shapely.to_wkb(geometry, hex=True)
    key = repeats.key_of(user, idempotency_key, "change", layer.id, element_id, changes, values, shape)
    if (earlier := repeats.answered(district, key)) is not None:
        return earlier
    present = living(district, layer, element_id)
    require_revision(district, present, base_revision)
    wanted = dict(values) if values is not None else {**present.values(), **(changes or {})}
    moved = replace(present, geometry=present.geometry if geometry is None else geometry)
    access.require_inside(
        district, user, layer, [present.geometry, moved.geometry], f"{layer_id}/{element_id}"
    )
    element, warnings = checked(district, layer, _with_raw_values(moved, wanted), present)
    if _is_same(element, present):
        return Receipt(present, ("没有改动,未产生新版本",), is_unchanged=True)
    element = replace(element, due_at=due_after(layer, element.properties, element.verified_at))
    return _write(
        district, user, layer, element, Operation.UPDATE,
        reason=reason, warnings=warnings, key=key, also=also,
    )  # fmt: skip


def _is_same(first: Element, second: Element) -> bool:
    same_shape = shapely.equals_identical(first.geometry, second.geometry)
    return bool(same_shape) and first.values() == second.values()


def verify(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    base_revision: int | None,
    reason: str = "",
) -> Receipt:
    """
    Confirm that the element is on the ground as it is on the map; its due date moves on.

    Raises
    ------
    RevisionRequired, EditConflict, PermissionDenied, NotFound
        Nothing is stored then.
    """
    layer = _editable(district, user, layer_id)
    present = _own(district, user, layer, element_id, base_revision)
    now = district.clock()
    element = replace(
        present,
        verified_at=now,
        verified_by=user.username,
        due_at=due_after(layer, present.properties, now),
    )
    return _write(district, user, layer, element, Operation.VERIFY, reason=reason)


def delete(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    base_revision: int | None,
    reason: str = "",
    idempotency_key: str | None = None,
) -> Receipt:
    """
    Take an element off the map; it keeps its id, its code and its history, and can be restored.

    A repeated `idempotency_key` is answered as in `create`.

    Raises
    ------
    RevisionRequired, EditConflict, PermissionDenied, NotFound
        Nothing is stored then.
    HoleLeftError
        It is a grid of a whole partition: it is merged instead.
    """
    layer = _editable(district, user, layer_id)
    key = repeats.key_of(user, idempotency_key, "delete", layer.id, element_id)
    if (earlier := repeats.answered(district, key)) is not None:
        return earlier
    present = _own(district, user, layer, element_id, base_revision)
    partition.check_removal(district, layer, present)
    return _retire(district, user, layer, present, reason, key)


def _retire(
    district: District,
    user: User,
    layer: Layer,
    present: Element,
    reason: str,
    key: Key | None = None,
) -> Receipt:
    element = replace(present, is_retired=True)
    return _write(district, user, layer, element, Operation.DELETE, reason=reason, key=key)


def restore(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    to_revision: int | None = None,
    reason: str = "",
) -> Receipt:
    """
    Bring an element back to an earlier revision, with its own id: a deleted one to its last living state
    where `to_revision` is not given, or any one to the state that `to_revision` left.

    Raises
    ------
    NotFound (no such revision, or its content was redacted), StateConflict (nothing to restore),
    PermissionDenied, InvalidElement
    """
    layer = _editable(district, user, layer_id)
    present = any_state(district, layer, element_id)
    if to_revision is None and not present.is_retired:
        raise StateConflict(f"element {element_id} is not deleted", zh="该要素没有被删除,无需恢复。")
    with district.database.read() as connection:
        past = revisions.at_revision(connection, element_id, to_revision or present.revision - 1)
    if past is None or past.element is None:
        raise NotFound(
            f"element {element_id} has no readable revision {to_revision}",
            zh="没有这一版本,或其内容已被清除。",
        )
    target = f"{layer_id}/{element_id}"
    access.require_inside(district, user, layer, [present.geometry, past.element.geometry], target)
    element, warnings = checked(district, layer, replace(past.element, is_retired=False))
    element = replace(element, revision=present.revision)
    if not present.is_retired and _is_same(element, present):
        return Receipt(present, ("与现在的状态相同,未产生新版本",), is_unchanged=True)
    text = reason or f"恢复到第 {past.revision} 版"
    return _write(district, user, layer, element, Operation.RESTORE, reason=text, warnings=warnings)


def undo(
    district: District, user: User, layer_id: str, element_id: str, *, base_revision: int | None
) -> Receipt:
    """
    Take back the element's last write, by writing the state before it: a creation and a restoration are undone
    by deleting, a deletion by restoring. Only while nobody wrote after it (`base_revision` is that write's revision).
    """
    layer = _editable(district, user, layer_id)
    present = any_state(district, layer, element_id)
    require_revision(district, present, base_revision)
    if present.revision == 1:
        return _take_back(district, user, layer, present, "撤销新建")
    reason = f"撤销第 {present.revision} 版"
    with district.database.read() as connection:
        before = revisions.at_revision(connection, element_id, present.revision - 1)
    if before is not None and before.element is not None and before.element.is_retired:
        return _take_back(district, user, layer, present, reason)
    return restore(district, user, layer_id, element_id, to_revision=present.revision - 1, reason=reason)


def _take_back(district: District, user: User, layer: Layer, present: Element, reason: str) -> Receipt:
    """Retire what came last; also a grid that has just filled a hole, which then is as open as it was."""
    living(district, layer, present.id)
    access.require_inside(district, user, layer, [present.geometry], f"{layer.id}/{present.id}")
    return _retire(district, user, layer, present, reason)


def _editable(district: District, user: User, layer_id: str) -> Layer:
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    return layer


def _own(district: District, user: User, layer: Layer, element_id: str, base_revision: int | None) -> Element:
    """The living element at this revision, where it lies in the user's area."""
    present = living(district, layer, element_id)
    require_revision(district, present, base_revision)
    access.require_inside(district, user, layer, [present.geometry], f"{layer.id}/{element_id}")
    return present


def _write(
    district: District,
    user: User,
    layer: Layer,
    element: Element,
    operation: Operation,
    *,
    reason: str,
    warnings: Sequence[str] = (),
    key: Key | None = None,
    also: Also | None = None,
) -> Receipt:
    """
    Store one element whose rights and rules were checked against its own `revision` (0: a new one).

    The revision is compared again in the district's turn, so what was checked is what is replaced.
    """
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        if key is not None and (earlier := repeats.answered_in(commit.connection, key)) is not None:
            return earlier
        present = stored.get(commit.connection, element.id)
        if (present.revision if present else 0) != element.revision:
            raise stale(district, present, element.revision)
        refuse_taken_code(commit, layer, element)
        if not element.is_retired and is_elsewhere(present, element):
            # again, now that nobody else writes: a neighbour may have moved since the first look
            partition.check(district, layer, element)
        [written] = stored.save(commit, [element], operation, bases=[element.revision or None])
        receipt = Receipt(written, tuple(warnings))
        _note_recoding(commit, layer, present, written)
        if key is not None:
            repeats.keep(commit, key, receipt)
        membership.derive(district, commit.connection, [written], [present])
        if also is not None:
            also(commit)
    return receipt


def _note_recoding(commit: Commit, layer: Layer, before: Element | None, after: Element) -> None:
    """Write down what became of a grid's code."""
    if not layer.is_grid or before is None or before.code in (None, after.code):
        return
    step = Link(commit.sequence, layer.id, Descent.RECODE, after.id, before.code, after.id, after.code)
    lineage.add(commit.connection, [step])
