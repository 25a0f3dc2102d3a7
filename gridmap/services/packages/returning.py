"""Work packages brought back: each row compared with what went out, and stored, merged, or put aside."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.merge import merge
from gridmap.domain.roles import Permission, User
from gridmap.errors import GridmapError
from gridmap.services import access, elements, grids, merging, names, partition, reverting
from gridmap.services.district import District
from gridmap.services.merging import MergeConflict
from gridmap.services.packages.reading import Row, package_of, rows_of, tables_of
from gridmap.services.packages.work import FileEdit, Returned, Work
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage import packages as kept
from gridmap.storage.packages import Trouble


def bring_back(
    district: District,
    user: User,
    file: Path | bytes,
    *,
    filename: str = "package.gpkg",
    package_id: str | None = None,
    dry_run: bool = False,
) -> Returned:
    """
    Store the edits of a package's file; those that cannot be stored by themselves wait for a person.

    Every stored edit is a commit of its own, except outlines of grids, which go together. `package_id` is only
    needed where the file has no row left that tells.

    Raises
    ------
    PackageUnknown, PermissionDenied (somebody else's package), FileBroken and others of reading, InvalidInput
    """
    access.require(district, user, Permission.IMPORT, "work package")
    tables, notes = tables_of(district, file, filename)
    package = package_of(district, user, tables, package_id)
    work = Work(district, user, package, dry_run)
    for layer_id, contents in package.contents.items():
        layer = district.catalogue.layer(layer_id)
        access.require_edit(district, user, layer)
        if layer_id not in tables:
            # a layer that is missing was not taken along any further; nobody deletes a layer by leaving it out
            notes.append(f"文件中没有图层“{layer.title}”,其中的要素保持不变。")
            continue
        _bring_layer(work, layer, contents, rows_of(layer, tables[layer_id]))
    if not dry_run:
        with district.database.write() as connection:
            kept.forget_new(connection, package.id)
            kept.put_waiting(connection, work.waiting)
            kept.mark_returned(connection, package.id, district.clock())
    return work.returned(notes)


def _bring_layer(work: Work, layer: Layer, contents: Mapping[str, int], rows: Sequence[Row]) -> None:
    with work.district.database.read() as connection:
        present = stored.get_many(connection, contents)
        bases = _bases(connection, contents, present)
    known = {row.element_id: row for row in rows if row.element_id in contents}
    outlines: dict[str, tuple[Element, BaseGeometry]] = {}
    for one, row in known.items():
        outline = _bring_row(work, layer, row, bases.get(one), contents[one])
        if outline is not None:
            outlines[one] = (bases[one], outline)
    _bring_outlines(work, layer, outlines)
    for one, revision in contents.items():
        if one not in known:
            _bring_deletion(work, layer, present.get(one), bases.get(one), revision)
    copies = Counter[str]()
    for row in rows:
        if row.element_id not in contents:
            _bring_new(work, layer, row, copies)


def _bases(
    connection: Connection, contents: Mapping[str, int], present: Mapping[str, Element]
) -> dict[str, Element]:
    """The elements as they went out, by id; without those whose state can no longer be read."""
    bases = {}
    for one, revision in contents.items():
        if one not in present:
            continue
        if present[one].revision == revision:
            bases[one] = present[one]
            continue
        past = revisions.at_revision(connection, one, revision)
        if past is not None and past.element is not None:
            bases[one] = past.element
    return bases


# --- rows that went out ---------------------------------------------------------------------------------------


def _bring_row(
    work: Work, layer: Layer, row: Row, base: Element | None, revision: int
) -> BaseGeometry | None:
    """Store what a row changes, or put it aside; a grid's new outline is handed back, to go with the others."""
    if base is None:
        edit = FileEdit(layer, row.element_id, revision, row.values, row.geometry)
        work.wait(edit, Trouble.REFUSED, "领取时的版本已不可读,无法比较")
        return None
    before = base.values()
    changes = {name: value for name, value in row.values.items() if before.get(name) != value}
    if row.geometry is None:
        work.wait(FileEdit(layer, base.id, revision, changes), Trouble.INVALID, "图形缺失")
        return None
    geometry = None if _is_same_shape(base.geometry, row.geometry) else row.geometry
    edit = FileEdit(layer, base.id, revision, changes, geometry)
    if row.problems:
        work.wait(edit, Trouble.INVALID, _told(row))
        return None
    outline = geometry if layer.is_partition else None
    if outline is not None:
        edit = replace(edit, geometry=None)
    if edit.changes or edit.geometry is not None:
        work.attempt(edit, lambda: _merge(work, edit))
    elif outline is None:
        work.unchanged += 1
    return outline


def _told(row: Row) -> str:
    return ";".join(row.problems[:5])


def _is_same_shape(first: BaseGeometry, second: BaseGeometry) -> bool:
    """Whether the vertices are the same; other programs turn a part into a multi-part of one and back."""
    if shapely.equals_identical(first, second):
        return True
    one, other = (shapely.get_parts(each) for each in (first, second))
    return len(one) == len(other) and bool(shapely.equals_identical(one, other).all())


def _merge(work: Work, edit: FileEdit) -> None:
    """Merge one edit with what is stored; raises what stands against it."""
    if work.dry_run:
        _refuse_conflict(work, edit)
        work.changed.append(edit.element_id)
        return
    before = elements.living(work.district, edit.layer, edit.element_id).revision
    done = merging.save(
        work.district, work.user, edit.layer.id, edit.element_id, base_revision=edit.base, changes=edit.changes,
        geometry=edit.geometry, reason=work.reason,
    )  # fmt: skip
    if done.receipt.element.revision == before:
        work.unchanged += 1
        return
    work.changed.append(edit.element_id)
    if done.merged_fields:
        work.merged.append(edit.element_id)


def _refuse_conflict(work: Work, edit: FileEdit) -> None:
    """Raise MergeConflict where storing would; a trial run sees conflicts and no other refusals."""
    assert edit.base is not None
    with work.district.database.read() as connection:
        theirs = stored.get(connection, edit.element_id)
        past = revisions.at_revision(connection, edit.element_id, edit.base)
    assert theirs is not None
    assert past is not None
    assert past.element is not None
    base = past.element
    mine = replace(base, geometry=edit.geometry or base.geometry)
    found = merge(base, mine.with_values({**base.values(), **edit.changes}), theirs)
    if theirs.is_retired or found.conflicts:
        who = names.one(work.district, theirs.updated_by)
        raise MergeConflict("a conflict", zh=f"{who} 修改了相同的内容。", conflicts=found.conflicts)


# --- outlines of grids ------------------------------------------------------------------------------------------


def _bring_outlines(work: Work, layer: Layer, outlines: Mapping[str, tuple[Element, BaseGeometry]]) -> None:
    """Outlines of grids, together: a border that was moved on both sides fits only so."""
    with work.district.database.read() as connection:
        present = stored.get_many(connection, outlines)
    edits = {
        one: FileEdit(layer, one, base.revision, geometry=outline)
        for one, (base, outline) in outlines.items()
    }
    fitting: dict[str, BaseGeometry] = {}
    for one, (base, outline) in outlines.items():
        theirs = present.get(one)
        if theirs is None or theirs.is_retired or reverting.ground_moved(base, theirs):
            who = names.one(work.district, theirs.updated_by) if theirs else "他人"
            work.wait(edits[one], Trouble.CONFLICT, f"{who} 已修改该网格的范围")
        else:
            fitting[one] = outline
    if not fitting:
        return
    try:
        if not work.dry_run:
            numbers = {one: present[one].revision for one in fitting}
            grids.redraw(
                work.district, work.user, layer.id, fitting, base_revisions=numbers, reason=work.reason
            )
    except GridmapError as error:
        for one in fitting:
            work.wait(edits[one], Trouble.REFUSED, error.chinese())
        return
    work.changed += [one for one in fitting if one not in work.changed]


# --- rows that are gone, rows that are new ----------------------------------------------------------------------


def _bring_deletion(
    work: Work, layer: Layer, present: Element | None, base: Element | None, revision: int
) -> None:
    if present is None or present.is_retired:
        work.unchanged += 1
        return
    edit = FileEdit(layer, present.id, revision, is_delete=True)
    is_as_taken = (
        base is not None
        and base.values() == present.values()
        and _is_same_shape(base.geometry, present.geometry)
    )
    if not is_as_taken:
        message = f"您在工作包中删除了该要素,但 {names.one(work.district, present.updated_by)} 已修改它"
        work.wait(edit, Trouble.DELETED, message)
        return

    def remove() -> None:
        if work.dry_run:
            partition.check_removal(work.district, layer, present)
        else:
            elements.delete(
                work.district, work.user, layer.id, present.id, base_revision=present.revision,
                reason=work.reason,
            )  # fmt: skip
        work.deleted.append(present.id)

    work.attempt(edit, remove)


def _bring_new(work: Work, layer: Layer, row: Row, copies: Counter[str]) -> None:
    """Create what a row without a known id describes, once for each such row however often the file comes back."""
    edit = FileEdit(layer, changes=row.values, geometry=row.geometry)
    if row.problems or row.geometry is None:
        work.wait(edit, Trouble.INVALID, f"第 {row.number} 行:{_told(row) or '图形缺失'}")
        return
    geometry, digest = row.geometry, _digest(row.values, row.geometry)
    copies[digest] += 1
    key = f"package:{work.package.id}:{digest}:{copies[digest]}"

    def make() -> None:
        if work.dry_run:
            work.created.append(f"第 {row.number} 行")
            return
        done = elements.create(
            work.district, work.user, layer.id, row.values, geometry, reason=work.reason, idempotency_key=key
        )
        if done.is_repeat:
            work.unchanged += 1
        else:
            work.created.append(done.element.id)

    work.attempt(edit, make)


def _digest(values: Mapping[str, Any], geometry: BaseGeometry) -> str:
    """What a new row says, in 32 characters: the same row brought back again is the same element."""
    content = json.dumps([dict(values), shapely.to_wkb(geometry, hex=True)], default=str, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]
