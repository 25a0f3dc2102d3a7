"""Which stored element is which row: by id, else by code, else by name and place."""

from __future__ import annotations

import json

import numpy as np

from gridmap.services.district import District
from gridmap.services.imports.changes import merged
from gridmap.services.imports.sameness import PlaceIndex
from gridmap.services.imports.work import Work
from gridmap.storage import elements as stored
from gridmap.storage import history, lineage

UNDO_REASON = "撤销批量导入"


def match_rows(work: Work) -> None:
    """Sets `match[at]` to the position of the row's element among the living, or -1."""
    work.match = np.full(work.n, -1, dtype=np.int64)
    work.restored = {}
    work.ids = work.system.get("id", [None] * work.n)
    work.codes = work.values.get("code", [None] * work.n)
    _match_ids(work)
    _match_codes(work)
    _match_places(work)


def _match_ids(work: Work) -> None:
    seen: dict[str, int] = {}
    strangers: list[int] = []
    for at, one in enumerate(work.ids):
        if one is None:
            continue
        if one in seen:
            work.refuse(at, "id", "duplicate", f"要素标识与第 {work.rows[seen[one]]} 行重复")
            continue
        seen[one] = at
        if one in work.position:
            work.match[at] = work.position[one]
        else:
            strangers.append(at)
    if not strangers:
        return
    with work.district.database.read() as connection:
        traces = stored.traces(connection, [work.ids[at] for at in strangers if work.ids[at]])
    for at in strangers:
        trace = traces.get(work.ids[at] or "")
        if trace is None:
            continue
        if trace.layer != work.layer.id:
            title = _layer_title(work.district, trace.layer)
            work.refuse(
                at, "id", "other_layer", f"该要素标识属于图层“{title}”,不能导入到“{work.layer.title}”"
            )
        else:
            work.restored[at] = trace.id


def _match_codes(work: Work) -> None:
    living = {code: at for at in work.frame.living if (code := work.frame.arrays.code[at])}
    with work.district.database.read() as connection:
        retired = lineage.all_holders(connection, work.layer.id)
        retired |= {one.code: one.id for one in stored.retired(connection, work.layer.id) if one.code}
    seen: dict[str, int] = {}
    for at, code in enumerate(work.codes):
        if not code:
            continue
        if code in seen:
            work.refuse(at, "code", "duplicate", f"编码“{code}”与第 {work.rows[seen[code]]} 行重复")
            continue
        seen[code] = at
        holder = living.get(code, -1)
        if work.match[at] < 0 and at not in work.restored and holder >= 0:
            work.match[at] = holder
        elif holder >= 0 and holder != work.match[at]:
            work.refuse(at, "code", "taken", f"编码“{code}”已被另一个要素使用,请换一个编码")
        elif code in retired and work.restored.get(at, retired[code]) == retired[code] and work.match[at] < 0:
            work.restored[at] = retired[code]
        elif code in retired and not _is_own(work, at, retired[code]):
            work.refuse(at, "code", "retired", f"编码“{code}”属于已停用的要素,停用的编码不再使用")
    _refuse_twice_matched(work)
    _judge_restored(work)


def _is_own(work: Work, at: int, element_id: str) -> bool:
    """Whether the row's element is this one."""
    return work.match[at] >= 0 and work.frame.arrays.id[work.match[at]] == element_id


def _refuse_twice_matched(work: Work) -> None:
    """One element, once by its id and once by its code."""
    seen: dict[int, int] = {}
    for at in np.flatnonzero(work.match >= 0).tolist():
        position = int(work.match[at])
        if position in seen:
            work.refuse(at, "id", "duplicate", f"与第 {work.rows[seen[position]]} 行是同一个要素")
        seen.setdefault(position, at)


def _judge_restored(work: Work) -> None:
    """A retired element comes back only where an undone import had retired it."""
    if not work.restored:
        return
    with work.district.database.read() as connection:
        reasons = history.last_reasons(connection, list(set(work.restored.values())))
    for at, element_id in list(work.restored.items()):
        if not reasons.get(element_id, "").startswith(UNDO_REASON):
            del work.restored[at]
            work.refuse(at, "code", "retired", "该要素已停用(删除);如需恢复,请在“历史与恢复”中操作")


def _match_places(work: Work) -> None:
    names = work.values.get("name", [None] * work.n)
    rows = [
        at
        for at in range(work.n)
        if work.is_good[at] and not work.codes[at] and work.ids[at] is None and work.match[at] < 0
    ]
    if not rows:
        return
    arrays = work.frame.arrays
    taken = set(work.match[work.match >= 0].tolist())
    free = [at for at in work.frame.living.tolist() if at not in taken]
    known = PlaceIndex(arrays.geometry)
    for at in free:
        known.add(at, arrays.name[at] or "")
    inside = PlaceIndex(work.geometry)
    for at in rows:
        name = names[at] or ""
        found = [one for one in known.same(work.geometry[at], name) if one not in taken]
        if found:
            same = [one for one in found if _is_equal_to(work, at, one)]
            work.match[at] = (same or found)[0]
            taken.add(int(work.match[at]))
        twin = next((one for one in inside.same(work.geometry[at], name) if _is_twin(work, at, one)), None)
        if twin is not None and not found:
            work.is_repeated[at] = True
            work.remark(at, "", "repeated", f"与第 {work.rows[twin]} 行完全相同,只导入一次")
        inside.add(at, name)


def _is_equal_to(work: Work, at: int, position: int) -> bool:
    return merged(work, at, json.loads(work.frame.arrays.properties[position]))[1] is False


def _is_twin(work: Work, at: int, other: int) -> bool:
    return all(column[at] == column[other] for column in work.values.values())


def _layer_title(district: District, layer_id: str) -> str:
    return district.catalogue.layer(layer_id).title if layer_id in district.catalogue else layer_id
