"""
Elements as people work with them: find, create, change, verify, delete, restore, undo, and their history.

Every write names the revision it is based on. A stale one is refused with the present state and nothing is
stored: merging, or asking a person, is the caller's next step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element, Operation, Revision, Source, due_after, new_id
from gridmap.domain.layers import FieldClass, Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import EditConflict, InvalidInput, NotFound, RevisionRequired, StateConflict
from gridmap.services import access, membership, partition
from gridmap.services.district import District
from gridmap.services.frames import Frame
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage import idempotency, lineage
from gridmap.storage import membership as members
from gridmap.storage.database import Commit
from gridmap.storage.elements import Query
from gridmap.storage.lineage import Descent, Link
from gridmap.validation.attributes import Problem, clean_values
from gridmap.validation.geometry import geometry_problems

SMALL_COUNT = 5

# Something else to store in the same transaction.
Also = Callable[[Commit], None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a write answers: the stored element, and warnings that a person should read (Chinese)."""

    element: Element
    warnings: tuple[str, ...] = ()
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Part of the elements that a query matches, and how many match in all."""

    elements: tuple[Element, ...]
    total: int


class InvalidElement(InvalidInput):
    """
    An element breaks hard rules of its layer.

    Attributes
    ----------
    problems : list of {"field", "rule", "message"}
    """

    title = "要素不符合图层规则"

    def __init__(self, problems: Sequence[Problem]) -> None:
        listed = [{"field": one.field, "rule": one.rule, "message": one.message} for one in problems]
        text = "; ".join(f"{one.field}: {one.rule}" for one in problems)
        super().__init__(f"the element breaks {len(listed)} rule(s): {text}", problems=listed)
        self.zh = "未保存:" + ";".join(one.message for one in problems[:5]) + "。"


# --- reading -------------------------------------------------------------------------------------------


def masked(user: User, layer: Layer, element: Element) -> Element:
    """The element as this user may see it: without sensitive sight, small counts are `blanked`."""
    if user.may(Permission.VIEW_SENSITIVE):
        return element
    counts = {one.name for one in layer.fields if one.field_class is FieldClass.COUNT}
    small = frozenset(
        name
        for name, value in element.properties.items()
        if name in counts and value is not None and 0 < value < SMALL_COUNT
    )
    shown = {name: None if name in small else value for name, value in element.properties.items()}
    return replace(element, properties=shown, blanked=small)


def get(district: District, user: User, layer_id: str, element_id: str) -> Element:
    """The living element; raises NotFound (also for a deleted one) or PermissionDenied."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    return masked(user, layer, living(district, layer, element_id))


def _any(district: District, layer: Layer, element_id: str) -> Element:
    with district.database.read() as connection:
        found = stored.get(connection, element_id)
    if found is None or found.layer != layer.id:
        raise NotFound(
            f"layer {layer.id} has no element {element_id}",
            zh=f"图层“{layer.title}”中没有这个要素,可能已被移走,请刷新后再试。",
            layer=layer.id,
            element=element_id,
        )
    return found


def living(district: District, layer: Layer, element_id: str) -> Element:
    """The element as stored, whoever asks; raises NotFound (also for a deleted one)."""
    found = _any(district, layer, element_id)
    if found.is_retired:
        raise NotFound(
            f"element {element_id} was deleted in revision {found.revision}; restore it to use it again",
            zh="该要素已被删除,可在“要素”页的历史中恢复。",
            layer=layer.id,
            element=element_id,
        )
    return found


def present_revision(district: District, user: User, layer_id: str, element_id: str) -> int:
    """The number of the element's newest revision, deleted or not; for writers who take it as it is."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    return _any(district, layer, element_id).revision


def find(district: District, user: User, query: Query, *, limit: int = 100, offset: int = 0) -> Page:
    """One page of the elements that `query` asks for, and their total number."""
    layer = district.catalogue.layer(query.layer)
    access.require_sight(district, user, layer)
    with district.database.read() as connection:
        found = stored.find(connection, query, limit=limit, offset=offset)
        total = stored.count(connection, query)
    return Page(tuple(masked(user, layer, one) for one in found), total)


def search(
    district: District,
    user: User,
    text: str,
    *,
    layers: Sequence[str] = (),
    limit: int = 20,
    grid: tuple[str, str] | None = None,
) -> list[Element]:
    """
    Elements of visible layers whose code, name or pinyin contains `text`, best first; none for blank text.

    `grid` (layer, code) leaves out what lies elsewhere. Finding something of a sensitive layer is a sight of it.
    """
    visible = [one.id for one in access.visible_layers(district, user) if not layers or one.id in layers]
    if not text.strip() or not visible:
        return []
    with district.database.read() as connection:
        found = stored.search(connection, text, visible, limit=limit, grid=grid)
    _note_sight(district, user, found)
    return [masked(user, district.catalogue.layer(one.layer), one) for one in found]


def identify(
    district: District,
    user: User,
    lon: float,
    lat: float,
    *,
    tolerance: float,
    layers: Sequence[str],
    limit: int = 20,
) -> list[Element]:
    """
    Elements of `layers` within `tolerance` degrees of the place, topmost first: points before lines before
    areas, nearer before farther, smaller areas before larger.
    """
    place = shapely.Point(lon, lat)
    found_here: list[tuple[Any, str]] = []
    for layer in access.visible_layers(district, user):
        if layer.id not in layers:
            continue
        found_here += hits(district.frames.frame(layer.id), layer, place, tolerance)
    ids = [one for _, one in sorted(found_here)[:limit]]
    with district.database.read() as connection:
        found = stored.get_many(connection, ids)
    _note_sight(district, user, list(found.values()))
    return [
        masked(user, district.catalogue.layer(found[one].layer), found[one]) for one in ids if one in found
    ]


def hits(
    frame: Frame, layer: Layer, place: shapely.Point, tolerance: float
) -> list[tuple[tuple[int, float, float, int], str]]:
    """Ids of a frame's elements within `tolerance` degrees of the place, each with its rank for sorting."""
    found = []
    for at in frame.in_box(
        (place.x - tolerance, place.y - tolerance, place.x + tolerance, place.y + tolerance)
    ):
        geometry = frame.arrays.geometry[at]
        distance = shapely.distance(geometry, place)
        if distance <= tolerance:
            rank = (int(shapely.get_dimensions(geometry)), geometry.area, float(distance), -layer.order)
            found.append((rank, frame.arrays.id[at]))
    return found


def _note_sight(district: District, user: User, found: Sequence[Element]) -> None:
    for layer_id in dict.fromkeys(one.layer for one in found):
        access.require_sight(district, user, district.catalogue.layer(layer_id))


def grids_of(district: District, element: Element) -> dict[str, str]:
    """The codes of the grids the element lies in, by grid layer."""
    with district.database.read() as connection:
        return members.of_element(connection, element.id)


def history(district: District, user: User, layer_id: str, element_id: str) -> list[Revision]:
    """All revisions of an element, newest first; a deleted element has a history too."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    access.require(district, user, Permission.VIEW_HISTORY, layer.id)
    _any(district, layer, element_id)
    with district.database.read() as connection:
        return revisions.of_element(connection, element_id)


def as_of(district: District, user: User, layer_id: str, at: datetime) -> list[Element]:
    """The layer's elements as they stood at `at` (inclusive)."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    access.require(district, user, Permission.VIEW_HISTORY, layer.id)
    with district.database.read() as connection:
        return revisions.as_of(connection, layer_id, at)


def element_as_of(district: District, user: User, layer_id: str, element_id: str, at: datetime) -> Element:
    """One element as it stood at `at`; raises NotFound before it was made or after it was deleted."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    access.require(district, user, Permission.VIEW_HISTORY, layer.id)
    with district.database.read() as connection:
        state = revisions.element_as_of(connection, element_id, at)
    if state is None or state.is_retired or state.layer != layer.id:
        raise NotFound(
            f"element {element_id} did not exist at {at.isoformat()}",
            zh="在所选时间,该要素还不存在或已删除。",
        )
    return state


# --- writing -------------------------------------------------------------------------------------------


def checked(
    district: District, layer: Layer, element: Element, before: Element | None = None
) -> tuple[Element, list[str]]:
    """
    The element with its values as the store keeps them, and warnings; raises InvalidElement.

    Its place is judged unless it is that of `before`: values can be mended where the ground cannot yet.
    """
    values, problems = clean_values(layer, element.values())
    problems += [
        Problem(0, "geometry", one.fault.value, one.message)
        for one in geometry_problems(
            np.array([element.geometry], dtype=object), expected_type=layer.geometry.value
        )
    ]
    hard = [one for one in problems if not one.is_warning]
    if hard:
        raise InvalidElement(hard)
    checked = element.with_values(values)
    warnings = [one.message for one in problems]
    if _is_elsewhere(before, checked):
        warnings += partition.check(district, layer, checked)
        warnings += _near_duplicates(district, layer, checked)
    return checked, warnings


def _is_elsewhere(before: Element | None, after: Element) -> bool:
    return (
        before is None or before.is_retired or not shapely.equals_identical(before.geometry, after.geometry)
    )


def _near_duplicates(district: District, layer: Layer, element: Element) -> list[str]:
    if layer.duplicate_radius_m is None:
        return []
    reach = layer.duplicate_radius_m / 111_320 / max(0.2, np.cos(np.radians(element.geometry.centroid.y)))
    frame = district.frames.frame(layer.id)
    for at in frame.in_box(element.geometry.buffer(reach).bounds):
        if frame.arrays.id[at] == element.id:
            continue
        if partition.distance_m(frame.arrays.geometry[at], element.geometry) <= layer.duplicate_radius_m:
            code = frame.arrays.code[at] or frame.arrays.name[at]
            return [f"{layer.duplicate_radius_m:g} 米内已有“{code}”,请确认不是重复登记"]
    return []


def _refuse_taken_code(commit: Any, layer: Layer, element: Element) -> None:
    if not element.code:
        return
    holder = stored.codes_taken(commit.connection, layer.id, [element.code]).get(element.code)
    if holder not in (None, element.id):
        raise StateConflict(
            f"code {element.code} is taken by element {holder} of layer {layer.id}; codes are never reused",
            zh=f"编码“{element.code}”已被使用(含已停用的要素),请换一个编码。",
            code=element.code,
            element=holder,
        )


def stale(theirs: Element | None, base_revision: int) -> EditConflict:
    """The error for an edit of an earlier revision than the present one."""
    if theirs is None:
        return EditConflict("the element is gone", zh="该要素已不存在。", revision=None)
    who, when = theirs.updated_by, theirs.updated_at
    return EditConflict(
        f"the edit is based on revision {base_revision}, the element is at {theirs.revision}; "
        "read it again and repeat the edit",
        zh=f"该要素已被 {who} 修改(现为第 {theirs.revision} 版,您基于第 {base_revision} 版),未保存。",
        revision=theirs.revision,
        base_revision=base_revision,
        updated_by=who,
        updated_at=None if when is None else when.isoformat(),
        theirs=theirs,
    )


def _write(
    district: District,
    user: User,
    layer: Layer,
    element: Element,
    operation: Operation,
    *,
    base_revision: int,
    reason: str,
    key: idempotency.Key | None = None,
    also: Also | None = None,
) -> tuple[Element, bool]:
    """
    Store one element whose rights and rules were checked against revision `base_revision` (0: a new one).

    The revision is compared again in the district's turn, so what was checked is what is replaced.
    """
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        if key is not None and (earlier := idempotency.find(commit.connection, key)) is not None:
            repeated = stored.get(commit.connection, earlier["id"])
            if repeated is not None:
                return repeated, True
        present = stored.get(commit.connection, element.id)
        if (present.revision if present else 0) != base_revision:
            raise stale(present, base_revision)
        _refuse_taken_code(commit, layer, element)
        if not element.is_retired and _is_elsewhere(present, element):
            # again, now that nobody else writes: a neighbour may have moved since the first look
            partition.check(district, layer, element)
        [written] = stored.save(commit, [element], operation, bases=[base_revision or None])
        if layer.is_grid and present is not None and present.code not in (None, element.code):
            step = Link(
                commit.sequence, layer.id, Descent.RECODE, element.id, present.code, element.id, element.code
            )
            lineage.add(commit.connection, [step])
        if key is not None:
            idempotency.keep(commit.connection, key, {"id": written.id}, district.clock())
        membership.derive(district, commit.connection, [written], [present])
        if also is not None:
            also(commit)
    return written, False


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

    A repeated `idempotency_key` of the same user with the same content answers with the first element and
    stores nothing; with other content it is refused.

    Raises
    ------
    PermissionDenied, InvalidElement, StateConflict, NotFound (no such layer)
    """
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    access.require_inside(district, user, layer, [geometry], layer.id)
    defaults = {one.name: one.default for one in layer.fields if one.default is not None}
    key = None
    if idempotency_key:
        content = json.dumps(
            [layer_id, dict(values), shapely.to_wkb(geometry, hex=True)], default=str, sort_keys=True
        )
        key = idempotency.Key(user.username, idempotency_key, hashlib.sha256(content.encode()).hexdigest())
        with district.database.read() as connection:
            earlier = idempotency.find(connection, key)
            if earlier is not None and (made := stored.get(connection, earlier["id"])) is not None:
                return Receipt(made, is_repeat=True)
    now = district.clock()
    raw = Element(
        new_id(), layer_id, None, "", geometry, source=source, verified_at=now, verified_by=user.username
    )
    element, warnings = checked(district, layer, _with_raw_values(raw, {**defaults, **values}))
    element = replace(element, due_at=due_after(layer, element.properties, now))
    written, is_repeat = _write(
        district, user, layer, element, Operation.CREATE, base_revision=0, reason=reason, key=key
    )
    return Receipt(written, tuple(warnings), is_repeat)


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
    also: Also | None = None,
) -> Receipt:
    """
    Change an element: some attributes (`changes`; None clears one) or all of them (`values`), its geometry,
    or both at once. A change that changes nothing stores nothing. `also` runs inside the commit.

    Raises
    ------
    RevisionRequired, EditConflict, PermissionDenied, InvalidElement, StateConflict, NotFound
    """
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    present = living(district, layer, element_id)
    _require_revision(present, base_revision)
    wanted = dict(values) if values is not None else {**present.values(), **(changes or {})}
    moved = replace(present, geometry=present.geometry if geometry is None else geometry)
    access.require_inside(
        district, user, layer, [present.geometry, moved.geometry], f"{layer_id}/{element_id}"
    )
    element, warnings = checked(district, layer, _with_raw_values(moved, wanted), present)
    if _is_same(element, present):
        return Receipt(present, ("没有改动,未产生新版本",))
    element = replace(element, due_at=due_after(layer, element.properties, element.verified_at))
    return _receipt(
        district, user, layer, element, Operation.UPDATE, present.revision, reason, warnings, also
    )


def _is_same(first: Element, second: Element) -> bool:
    same_shape = shapely.equals_identical(first.geometry, second.geometry)
    return bool(same_shape) and first.values() == second.values()


def _require_revision(present: Element, base_revision: int | None) -> None:
    if base_revision is None:
        raise RevisionRequired(
            f"the revision that the edit of {present.id} is based on is missing; send If-Match",
            zh="缺少所依据的版本号,请刷新后再保存。",
        )
    if base_revision != present.revision:
        raise stale(present, base_revision)


def _receipt(
    district: District,
    user: User,
    layer: Layer,
    element: Element,
    operation: Operation,
    base_revision: int,
    reason: str,
    warnings: Sequence[str] = (),
    also: Also | None = None,
) -> Receipt:
    written, _ = _write(
        district, user, layer, element, operation, base_revision=base_revision, reason=reason, also=also
    )
    return Receipt(written, tuple(warnings))


def verify(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    base_revision: int | None,
    reason: str = "",
) -> Receipt:
    """Confirm that the element is on the ground as it is on the map; its due date moves on."""
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    present = living(district, layer, element_id)
    _require_revision(present, base_revision)
    access.require_inside(district, user, layer, [present.geometry], f"{layer_id}/{element_id}")
    now = district.clock()
    element = replace(
        present,
        verified_at=now,
        verified_by=user.username,
        due_at=due_after(layer, present.properties, now),
    )
    return _receipt(district, user, layer, element, Operation.VERIFY, present.revision, reason)


def delete(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    base_revision: int | None,
    reason: str = "",
) -> Receipt:
    """Take an element off the map; it keeps its id, its code and its history, and can be restored."""
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    present = living(district, layer, element_id)
    _require_revision(present, base_revision)
    access.require_inside(district, user, layer, [present.geometry], f"{layer_id}/{element_id}")
    element = replace(present, is_retired=True)
    return _receipt(district, user, layer, element, Operation.DELETE, present.revision, reason)


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
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    present = _any(district, layer, element_id)
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
        return Receipt(present, ("与现在的状态相同,未产生新版本",))
    text = reason or f"恢复到第 {past.revision} 版"
    return _receipt(district, user, layer, element, Operation.RESTORE, present.revision, text, warnings)


def undo(
    district: District, user: User, layer_id: str, element_id: str, *, base_revision: int | None
) -> Receipt:
    """
    Take back the element's last write, by writing the state before it: a creation and a restoration are undone
    by deleting, a deletion by restoring. Only while nobody wrote after it (`base_revision` is that write's revision).
    """
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    present = _any(district, layer, element_id)
    _require_revision(present, base_revision)
    if present.revision == 1:
        return delete(district, user, layer_id, element_id, base_revision=1, reason="撤销新建")
    reason = f"撤销第 {present.revision} 版"
    with district.database.read() as connection:
        before = revisions.at_revision(connection, element_id, present.revision - 1)
    if before is not None and before.element is not None and before.element.is_retired:
        return delete(district, user, layer_id, element_id, base_revision=present.revision, reason=reason)
    return restore(district, user, layer_id, element_id, to_revision=present.revision - 1, reason=reason)
