"""Edits that wait for a person: what stands against each, and storing or dropping it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from gridmap.domain.elements import Element
from gridmap.domain.merge import Choice, merge
from gridmap.domain.roles import User
from gridmap.errors import InvalidInput, NotFound, StateConflict
from gridmap.services import access, elements, merging, names
from gridmap.services.district import District
from gridmap.services.merging import MergeConflict
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage import packages as kept
from gridmap.storage.database import Commit
from gridmap.storage.packages import WaitingEdit

_REASON = "工作包回传:已人工确认"


def waiting(district: District, user: User, *, package_id: str | None = None) -> list[WaitingEdit]:
    """Edits of returned packages that wait for this user (grid keepers and administrators: for anybody)."""
    with district.database.read() as connection:
        return kept.waiting(
            connection, username=None if user.writes_everywhere else user.username, package_id=package_id
        )


def _open(district: District, user: User, edit_id: str) -> WaitingEdit:
    with district.database.read() as connection:
        found = kept.get_waiting(connection, edit_id)
    if found is None or not (user.writes_everywhere or found.created_by == user.username):
        raise NotFound(f"no waiting edit {edit_id}", zh="没有这条待处理的修改。", edit=edit_id)
    if found.state != "open":
        raise StateConflict(f"edit {edit_id} was decided", zh="这条修改已处理。", edit=edit_id)
    return found


def conflict(district: District, user: User, edit_id: str) -> MergeConflict | None:
    """The three sides of a waiting edit as it stands today; None where it could now be stored as it is."""
    edit = _open(district, user, edit_id)
    access.require_sight(district, user, district.catalogue.layer(edit.layer))
    if not edit.element_id or edit.base_revision is None:
        return None
    with district.database.read() as connection:
        theirs = stored.get(connection, edit.element_id)
        past = revisions.at_revision(connection, edit.element_id, edit.base_revision)
    if theirs is None or past is None or past.element is None:
        return None
    base = past.element
    mine = _mine(edit, base)
    found = merge(base, mine, theirs)
    if not (found.conflicts or theirs.is_retired or edit.is_delete):
        return None
    return MergeConflict(
        f"element {theirs.id} was changed by {theirs.updated_by} since revision {edit.base_revision}",
        zh=edit.message,
        base=base,
        mine=mine,
        theirs=theirs,
        conflicts=found.conflicts,
        revision=theirs.revision,
        base_revision=edit.base_revision,
        updated_by=theirs.updated_by,
        updated_by_name=names.one(district, theirs.updated_by),
        updated_at=theirs.updated_at.isoformat() if theirs.updated_at else None,
    )


def _mine(edit: WaitingEdit, base: Element) -> Element:
    """The element as the waiting edit would have it."""
    geometry = _shape(edit) or base.geometry
    mine = replace(base, geometry=geometry, is_retired=edit.is_delete)
    return mine.with_values({**base.values(), **edit.changes})


def _shape(edit: WaitingEdit) -> BaseGeometry | None:
    return shapely.from_wkb(edit.geometry) if edit.geometry else None


def decide(
    district: District,
    user: User,
    edit_id: str,
    *,
    choices: Mapping[str, Choice] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Element:
    """
    Store a waiting edit, with a side chosen for each field in conflict and, where given, values set right.

    A waiting deletion is carried out. The element as it stands then comes back.

    Raises
    ------
    NotFound, StateConflict (decided already), MergeConflict (fields that `choices` leave open), InvalidElement,
    InvalidInput (a new element without a place), PermissionDenied
    """
    edit = _open(district, user, edit_id)
    values = {**edit.changes, **(changes or {})}
    if edit.is_delete:
        after = _delete(district, user, edit)
    elif not edit.element_id:
        after = _create(district, user, edit, values)
    else:
        return _change(district, user, edit, values, choices)
    _close(district, user, edit, "stored")
    return after


def _delete(district: District, user: User, edit: WaitingEdit) -> Element:
    present = elements.living(district, district.catalogue.layer(edit.layer), edit.element_id)
    return elements.delete(
        district, user, edit.layer, present.id, base_revision=present.revision, reason=_REASON
    ).element


def _create(district: District, user: User, edit: WaitingEdit, values: Mapping[str, Any]) -> Element:
    geometry = _shape(edit)
    if geometry is None:
        raise InvalidInput("the new element has no place", zh="新要素没有图形,请在地图上新建。")
    return elements.create(
        district, user, edit.layer, values, geometry, reason=_REASON, idempotency_key=f"waiting:{edit.id}"
    ).element


def _change(
    district: District,
    user: User,
    edit: WaitingEdit,
    values: Mapping[str, Any],
    choices: Mapping[str, Choice] | None,
) -> Element:
    """Merge the edit, closing it in the same commit; by itself where every choice was theirs, and nothing is written."""
    is_closed = False

    def close(commit: Commit) -> None:
        nonlocal is_closed
        _close_in(commit.connection, district, user, edit, "stored")
        is_closed = True

    done = merging.save(
        district, user, edit.layer, edit.element_id, base_revision=edit.base_revision, changes=values,
        geometry=_shape(edit), choices=choices, reason=_REASON, also=close,
    )  # fmt: skip
    if not is_closed:
        _close(district, user, edit, "stored")
    return done.receipt.element


def drop(district: District, user: User, edit_id: str) -> None:
    """Let a waiting edit go; the map stays as it is."""
    _close(district, user, _open(district, user, edit_id), "dropped")


def _close(district: District, user: User, edit: WaitingEdit, state: str) -> None:
    with district.database.write() as connection:
        _close_in(connection, district, user, edit, state)


def _close_in(connection: Connection, district: District, user: User, edit: WaitingEdit, state: str) -> None:
    if not kept.close(connection, edit.id, state, by=user.username, at=district.clock()):
        raise StateConflict(f"edit {edit.id} was decided", zh="这条修改刚刚已被处理。", edit=edit.id)
