"""What storing the rows would change: elements as they are and as they would be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element, Operation, Source, due_after, new_ids, quoted
from gridmap.domain.layers import Field
from gridmap.services.imports.plans import Action, Write
from gridmap.services.imports.sameness import is_same_place
from gridmap.services.imports.work import Work
from gridmap.storage import elements as stored
from gridmap.storage.newcomers import Newcomers
from gridmap.validation.attributes import order_problems

_COLUMNS_FROM = 1_000


def merged(work: Work, at: int, present: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The row's properties on top of the present ones, and whether they differ."""
    merged = dict(present)
    for name in work.property_names:
        value = work.values[name][at]
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged, merged != present


def compare(work: Work) -> None:
    work.actions = np.full(work.n, Action.REFUSED.value, dtype=object)
    work.writes = []
    work.newcomers = None
    _compare_known(work)
    _restore(work)
    _add_new(work)
    work.actions[work.is_repeated & work.is_good] = Action.REPEATED.value


def _compare_known(work: Work) -> None:
    known = np.flatnonzero(work.is_good & (work.match >= 0) & ~work.is_repeated)
    if not len(known):
        return
    arrays, at_stored = work.frame.arrays, work.match[known]
    moved = ~is_same_place(work.geometry[known], arrays.geometry[at_stored])
    revisions = work.system.get("revision")
    sources, names, codes = work.system.get("source"), work.values.get("name"), work.values.get("code")
    changed: list[tuple[int, dict[str, Any], bool]] = []
    for at, position, is_moved in zip(known.tolist(), at_stored.tolist(), moved.tolist(), strict=True):
        properties, differs = merged(work, at, json.loads(arrays.properties[position]))
        differs |= is_moved
        differs |= names is not None and (names[at] or "") != arrays.name[position]
        differs |= codes is not None and codes[at] != arrays.code[position]
        differs |= sources is not None and sources[at] not in (None, arrays.source[position])
        if not differs:
            work.actions[at] = Action.UNCHANGED.value
        elif revisions is not None and revisions[at] not in (None, int(arrays.revision[position])):
            now = int(arrays.revision[position])
            message = f"文件依据第 {revisions[at]} 版,现为第 {now} 版:导出之后有人修改过,请重新导出后再改"
            work.refuse(at, "revision", "stale", message)
        else:
            changed.append((at, properties, is_moved))
    _write_changed(work, changed)


def _write_changed(work: Work, changed: list[tuple[int, dict[str, Any], bool]]) -> None:
    arrays = work.frame.arrays
    with work.district.database.read() as connection:
        present = stored.get_many(connection, [arrays.id[work.match[at]] for at, _, _ in changed])
    for at, properties, is_moved in changed:
        before = present[arrays.id[work.match[at]]]
        _write_over(
            work, at, before, properties, work.geometry[at] if is_moved else before.geometry, Operation.UPDATE
        )


def _write_over(
    work: Work,
    at: int,
    before: Element,
    properties: dict[str, Any],
    geometry: BaseGeometry,
    operation: Operation,
) -> None:
    missing = [one for one in work.required if _is_missing(work, one, at, before, properties)]
    for one in missing:
        work.refuse(at, one.name, "required", f"“{one.title}”必填")
    if missing or _is_out_of_order(work, at, properties):
        return
    source = (work.system.get("source") or {at: None})[at]
    element = replace(
        before,
        code=work.values["code"][at] if "code" in work.values else before.code,
        name=(work.values["name"][at] or "") if "name" in work.values else before.name,
        geometry=geometry,
        properties=properties,
        source=Source(source) if source else before.source,
        due_at=due_after(work.layer, properties, before.verified_at),
        is_retired=False,
    )
    work.writes.append(Write(element, before, operation))
    work.actions[at] = (Action.CHANGED if operation is Operation.UPDATE else Action.RESTORED).value


def _is_missing(work: Work, one: Field, at: int, before: Element, properties: Mapping[str, Any]) -> bool:
    """Whether a required field has no value and no problem that says so already."""
    if one.name in work.values:
        return False
    return (before.values() | properties).get(one.name) in (None, "")


def _is_out_of_order(work: Work, at: int, properties: Mapping[str, Any]) -> bool:
    """Whether what the file says and what it leaves as it was contradict; the file's own was judged before."""
    if not work.layer.rules:
        return False
    whole = {one.name: [properties.get(one.name)] for one in work.layer.fields}
    wrong = [one for one in order_problems(work.layer, whole) if not one.is_warning]
    for one in wrong:
        work.refuse(at, one.field, one.rule, one.message)
    return bool(wrong)


def _restore(work: Work) -> None:
    rows = [at for at in work.restored if work.is_good[at]]
    if not rows:
        return
    with work.district.database.read() as connection:
        present = stored.get_many(connection, [work.restored[at] for at in rows])
    for at in rows:
        before = present[work.restored[at]]
        properties, _ = merged(work, at, dict(before.properties))
        _write_over(work, at, before, properties, work.geometry[at], Operation.RESTORE)


def _add_new(work: Work) -> None:
    is_new = work.is_good & (work.match < 0) & ~work.is_repeated
    is_new[list(work.restored)] = False
    rows = np.flatnonzero(is_new)
    for one in work.required:
        if one.name not in work.values and one.default is None and len(rows):
            work.warnings.append(f"必填字段“{one.title}”没有对应的列。")
            for at in rows.tolist():
                work.refuse(at, one.name, "required", f"“{one.title}”必填,文件中没有对应的列")
    rows = np.flatnonzero(is_new & work.is_good)
    # a column for each row would only say the same again; grids have effects beyond their own rows
    shares = not work.layer.is_grid and not {"source", "verified_at"} & work.system.keys()
    if len(rows) >= _COLUMNS_FROM and shares:
        work.newcomers = _new_columns(work, rows)
    else:
        work.writes += [Write(one, None, Operation.CREATE) for one in _new_elements(work, rows)]
    work.actions[rows] = Action.NEW.value


def _defaults(work: Work) -> dict[str, Any]:
    """As in a form: what is left blank stays blank, and what is not asked gets its default."""
    return {
        one.name: one.default
        for one in work.layer.fields
        if one.default is not None and one.name not in work.values
    }


def _new_columns(work: Work, rows: np.ndarray) -> Newcomers:
    """What `_new_elements` makes, without making any element."""
    at = rows.tolist()
    columns = {name: [work.values[name][one] for one in at] for name in work.property_names}
    columns |= {name: [value] * len(at) for name, value in _defaults(work).items()}
    names, now = work.values.get("name"), work.district.clock()
    fresh = new_ids(len(at))
    return Newcomers(
        layer=work.layer.id,
        ids=[work.ids[one] or new for one, new in zip(at, fresh, strict=True)],
        codes=[work.codes[one] for one in at],
        names=[names[one] or "" for one in at] if names else [""] * len(at),
        geometry=work.geometry[rows],
        properties=property_texts(columns, len(at)),
        due_at=_due(work, columns, len(at), now),
        source=work.options.source,
        verified_at=now,
        verified_by=work.user.username,
    )


def _due(work: Work, columns: Mapping[str, list[Any]], count: int, now: datetime) -> list[datetime | None]:
    keys = [one for one in (work.layer.category_field, work.layer.grade_field) if one in columns]
    known: dict[tuple[Any, ...], datetime | None] = {}
    due: list[datetime | None] = []
    for values in zip(*(columns[one] for one in keys), strict=True) if keys else [()] * count:
        if values not in known:
            known[values] = due_after(work.layer, dict(zip(keys, values, strict=True)), now)
        due.append(known[values])
    return due


def _new_elements(work: Work, rows: np.ndarray) -> Iterator[Element]:
    none: list[Any] = [None] * work.n
    now = work.district.clock()
    defaults = _defaults(work)
    given_columns = [work.values[name] for name in work.property_names]
    codes, names = work.codes, work.values.get("name", none)
    sources, verified = work.system.get("source", none), work.system.get("verified_at", none)
    fresh = iter(new_ids(len(rows)))
    due: dict[Any, Any] = {}
    keys = (work.layer.category_field, work.layer.grade_field)
    for at in rows.tolist():
        given = {
            name: column[at]
            for name, column in zip(work.property_names, given_columns, strict=True)
            if column[at] is not None
        }
        properties = {**defaults, **given}
        checked = verified[at] or now
        key = (checked, *(properties.get(one or "") for one in keys))
        if key not in due:
            due[key] = due_after(work.layer, properties, checked)
        element_id = next(fresh)
        yield Element(
            id=work.ids[at] or element_id,
            layer=work.layer.id,
            code=codes[at],
            name=names[at] or "",
            geometry=work.geometry[at],
            properties=properties,
            source=Source(sources[at]) if sources[at] else work.options.source,
            verified_at=checked,
            verified_by=work.user.username,
            due_at=due[key],
        )


_PLAIN_JSON: dict[type, Callable[[Any], str]] = {
    str: quoted,
    int: str,
    bool: {True: "true", False: "false"}.__getitem__,
}


def property_texts(columns: Mapping[str, list[Any]], count: int) -> list[str]:
    """Rows of properties as JSON texts: names sorted, no blanks, values that are None left out."""
    cells: list[list[str | None]] = []
    for name in sorted(columns):
        head = f"{quoted(name)}:"
        cells.append(
            [
                None if value is None else head + _PLAIN_JSON.get(type(value), json.dumps)(value)
                for value in columns[name]
            ]
        )
    if not cells:
        return ["{}"] * count
    return [
        "{" + ",".join([cell for cell in row if cell is not None]) + "}" for row in zip(*cells, strict=True)
    ]
