"""
Scenarios as people work with them: save, open by link, rename, delete, compare side by side, apply.

Saving one never touches the base. Everybody who sees coverage may open a scenario by its id; its maker or an
administrator changes it; applying it writes real edits in the name and with the rights of whoever applies it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import shapely

from gridmap.domain.elements import new_id, time_text
from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import Add, Change, Close, Move, document, documents
from gridmap.errors import EditConflict, GridmapError, InvalidInput, NotFound, PermissionDenied
from gridmap.services import access, elements, proposals, situations
from gridmap.services.coverage import Figures, Report, report
from gridmap.services.district import District
from gridmap.services.questions import Question, parse_question
from gridmap.storage import scenarios as stored
from gridmap.storage.scenarios import Scenario

MOST_COMPARED = 4
_NAME_LENGTH, _NOTE_LENGTH = 60, 500
_NUMBERED = re.compile(r"(.*?)([0-9]+)")


# --- keeping ----------------------------------------------------------------------------------------------


def find(district: District, user: User) -> list[Scenario]:
    """All scenarios, the one changed last first."""
    access.require(district, user, Permission.VIEW_COVERAGE, "scenarios")
    with district.database.read() as connection:
        return stored.find(connection)


def get(district: District, user: User, scenario_id: str) -> Scenario:
    """The scenario with this id; raises NotFound."""
    access.require(district, user, Permission.VIEW_COVERAGE, scenario_id)
    with district.database.read() as connection:
        found = stored.get(connection, scenario_id)
    if found is None:
        raise NotFound(
            f"there is no scenario {scenario_id}", zh="没有这个方案,可能已被删除。", scenario=scenario_id
        )
    return found


def save(
    district: District,
    user: User,
    name: str,
    changes: Sequence[Change],
    question: Question,
    *,
    note: str = "",
) -> Scenario:
    """
    Keep changes under a name, with the question they were made for.

    Raises
    ------
    PermissionDenied, InvalidInput (no name; no change), NotFound (a change names a point that is not there)
    """
    access.require(district, user, Permission.SAVE_SCENARIOS, "scenarios")
    made = _checked(district, user, name, note, changes, question)
    now = district.clock()
    one = Scenario(
        id=new_id(),
        name=made[0],
        note=made[1],
        changes=tuple(changes),
        question=made[2],
        created_by=user.username,
        created_at=now,
        updated_at=now,
        revision=1,
        sequence=district.database.sequence(),
    )
    with district.database.write() as connection:
        stored.add(connection, one)
    return one


def _checked(
    district: District, user: User, name: str, note: str, changes: Sequence[Change], question: Question
) -> tuple[str, str, dict[str, Any]]:
    name, note = name.strip(), note.strip()
    if not 0 < len(name) <= _NAME_LENGTH or not name.isprintable():
        raise InvalidInput(
            f"a name needs 1 to {_NAME_LENGTH} characters", zh=f"方案名称应为 1 至 {_NAME_LENGTH} 字。"
        )
    if len(note) > _NOTE_LENGTH:
        raise InvalidInput(
            f"a note has at most {_NOTE_LENGTH} characters", zh=f"说明不超过 {_NOTE_LENGTH} 字。"
        )
    if not changes:
        raise InvalidInput("a scenario needs a change", zh="方案中还没有任何改动。")
    situations.prepare(district, user, replace(question, scenario=None, changes=tuple(changes)))
    asked = question.document()
    return name, note, {key: asked[key] for key in asked if key not in ("scenario", "changes")}


def may_edit(user: User, one: Scenario) -> bool:
    """Whether the user may rename, change or delete the scenario."""
    is_own = one.created_by == user.username and user.may(Permission.SAVE_SCENARIOS)
    return is_own or user.may(Permission.ADMINISTER)


def _own(district: District, user: User, scenario_id: str) -> Scenario:
    one = get(district, user, scenario_id)
    if not may_edit(user, one):
        raise access.refuse(
            district,
            user,
            "change scenario",
            scenario_id,
            zh="只有方案的建立者可以修改或删除它。您可以另存为自己的方案。",
        )
    return one


def change(
    district: District,
    user: User,
    scenario_id: str,
    *,
    base_revision: int,
    name: str | None = None,
    note: str | None = None,
    changes: Sequence[Change] | None = None,
    question: Question | None = None,
) -> Scenario:
    """
    Rename a scenario or give it other changes; what is None stays.

    Raises
    ------
    EditConflict
        It is not at `base_revision` any more.
    PermissionDenied, InvalidInput, NotFound
    """
    one = _own(district, user, scenario_id)
    asked = question or question_of(district, one)
    kept = one.changes if changes is None else tuple(changes)
    made = _checked(
        district, user, one.name if name is None else name, one.note if note is None else note, kept, asked
    )
    newer = replace(
        one,
        name=made[0],
        note=made[1],
        question=made[2],
        changes=kept,
        updated_at=district.clock(),
        revision=base_revision + 1,
        sequence=district.database.sequence(),
    )
    with district.database.write() as connection:
        is_stored = stored.replace(connection, newer, base_revision=base_revision)
    if not is_stored:
        raise EditConflict(
            f"scenario {scenario_id} is at revision {one.revision}, not {base_revision}; read it again",
            zh="方案已在别处改动,未保存。请重新打开后再试。",
            scenario=scenario_id,
            revision=one.revision,
        )
    return newer


def remove(district: District, user: User, scenario_id: str) -> None:
    """Delete a scenario; raises NotFound, PermissionDenied."""
    _own(district, user, scenario_id)
    with district.database.write() as connection:
        stored.remove(connection, scenario_id)


def question_of(district: District, one: Scenario) -> Question:
    """The question that the scenario was made for, without its changes."""
    return parse_question(one.question, now=district.clock())


def scenario_document(user: User, one: Scenario) -> dict[str, Any]:
    """The scenario as JSON values."""
    return {
        "id": one.id,
        "name": one.name,
        "note": one.note,
        "changes": documents(one.changes),
        "question": dict(one.question),
        "created_by": one.created_by,
        "created_at": time_text(one.created_at),
        "updated_at": time_text(one.updated_at),
        "revision": one.revision,
        "sequence": one.sequence,
        "may_edit": may_edit(user, one),
    }


# --- comparing --------------------------------------------------------------------------------------------


def compare(
    district: District, user: User, question: Question, scenario_ids: Sequence[str]
) -> dict[str, Any]:
    """
    Today and up to four scenarios side by side under one question.

    `columns` begin with today; `gained` are covered people more than today. `towns` list all towns, `groups`
    only grids that differ in a column; their `covered` has one entry per column.
    """
    if not 0 < len(scenario_ids) <= MOST_COMPARED:
        raise InvalidInput(
            f"compare 1 to {MOST_COMPARED} scenarios, not {len(scenario_ids)}",
            zh=f"请选择 1 至 {MOST_COMPARED} 个方案与现状对比。",
        )
    base = question.today()
    made = [report(district, user, base)]
    made += [report(district, user, replace(base, scenario=one)) for one in scenario_ids]
    today = made[0]
    return {
        "question": base.document(),
        "method": today.method,
        "crs": today.crs,
        "data_time": time_text(today.data_time),
        "sequence": today.sequence,
        "is_simulated": today.is_simulated,
        "columns": [_column(one, today) for one in made],
        "towns": _rows([one.towns for one in made], only_different=False),
        "groups": _rows([one.groups for one in made], only_different=True),
    }


def _column(one: Report, today: Report) -> dict[str, Any]:
    opened = [point for point in one.points if point.state == "open"]
    loads = [point.assigned for point in opened if point.assigned is not None]
    return {
        "scenario": one.scenario,
        "points": len(opened),
        "total": one.total.document(),
        "gained": _less(one.total.covered, today.total.covered),
        "access_gini": one.access["e2sfca_gini"],
        "largest_load": max(loads, default=None),
        "warnings": list(one.warnings),
    }


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _rows(columns: Sequence[Sequence[Any]], *, only_different: bool) -> list[dict[str, Any]]:
    rows = []
    for same in zip(*columns, strict=True):
        figures: list[Figures] = [one.figures for one in same]
        covered = [one.covered for one in figures]
        if only_different and len(set(covered)) == 1:
            continue
        rows.append(
            {
                "code": same[0].code,
                "name": same[0].name,
                "people": figures[0].people,
                "covered": covered,
                "covered_share": [one.covered_share for one in figures],
                "mean": [one.mean for one in figures],
            }
        )
    return rows


# --- applying ---------------------------------------------------------------------------------------------


def apply(
    district: District, user: User, scenario_id: str, *, values: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """
    Write the moved, added and closed points of a scenario as edits of the user; each stands for itself.

    A move that leads out of the user's own area becomes a proposal. Bridges and blocked roads are what-if only.

    Parameters
    ----------
    values : attributes of added points (code, name, fields), by the change's index as text; a code is made
        from those in use where none is given

    Returns
    -------
    `{"results": [{"change", "element", "status", "message"}]}` with status done, proposed or refused.
    """
    one = get(district, user, scenario_id)
    layer_id = question_of(district, one).points
    access.require_edit(district, user, district.catalogue.layer(layer_id))
    applier = _Applier(district, user, one, layer_id, values or {})
    return {"results": [applier.apply(index, each) for index, each in enumerate(one.changes)]}


class _Applier:
    """One scenario being applied."""

    def __init__(
        self,
        district: District,
        user: User,
        one: Scenario,
        layer_id: str,
        values: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.district, self.user, self.one, self.layer_id, self.values = district, user, one, layer_id, values
        self.reason = f"应用方案“{one.name}”"

    def apply(self, index: int, each: Change) -> dict[str, Any]:
        result: dict[str, Any] = {
            "change": document(each),
            "element": None,
            "status": "refused",
            "message": "",
        }
        try:
            if isinstance(each, Move):
                return result | self._move(each)
            if isinstance(each, Add):
                return result | self._add(index, each)
            if isinstance(each, Close):
                present = elements.living(self.district, self.layer, each.id)
                elements.delete(
                    self.district, self.user, self.layer_id, each.id,
                    base_revision=present.revision, reason=self.reason,
                )  # fmt: skip
                return result | {"element": each.id, "status": "done", "message": "已裁撤该站点"}
            return result | {"message": "桥梁与封路只用于推演,不会写入道路数据"}
        except GridmapError as error:
            return result | {"element": getattr(each, "id", None), "message": error.chinese()}

    @property
    def layer(self) -> Any:
        return self.district.catalogue.layer(self.layer_id)

    def _move(self, each: Move) -> dict[str, Any]:
        present = elements.living(self.district, self.layer, each.id)
        place = shapely.Point(each.lon, each.lat)
        base = {"base_revision": present.revision, "geometry": place, "reason": self.reason}
        try:
            elements.change(self.district, self.user, self.layer_id, each.id, **base)
        except PermissionDenied:
            if not proposals.may_propose(self.district, self.user, self.layer_id, each.id, place):
                raise
            made = proposals.propose_change(self.district, self.user, self.layer_id, each.id, **base)
            return {"element": each.id, "status": "proposed", "message": f"已提交提议:{made.title}"}
        return {"element": each.id, "status": "done", "message": "已移动"}

    def _add(self, index: int, each: Add) -> dict[str, Any]:
        earlier = self._standing(each)
        if earlier is not None:
            return {"element": earlier, "status": "done", "message": "已在此前新增"}
        names = {one.name for one in self.layer.fields}
        given = {
            "code": self._next_code(),
            "name": each.name or f"{self.layer.title}(新增)",
            "officer_count": each.officers,
            "readiness_minutes": each.readiness_minutes,
            "opening_hours": each.opening_hours or "24h",
            **self.values.get(str(index), {}),
        }
        given = {
            key: one for key, one in given.items() if one is not None and key in {"code", "name", *names}
        }
        if "officer_count" in names and "officer_count" not in given:
            given["officer_count"] = 0
        receipt = elements.create(
            self.district,
            self.user,
            self.layer_id,
            given,
            shapely.Point(each.lon, each.lat),
            reason=self.reason,
        )
        return {
            "element": receipt.element.id,
            "status": "done",
            "message": f"已新增 {receipt.element.code or ''}",
        }

    def _standing(self, each: Add) -> str | None:
        """The element that an earlier application of this addition made: at the very place, under its name."""
        frame = self.district.frames.frame(self.layer_id)
        place = shapely.Point(each.lon, each.lat)
        for at in frame.query(place, predicate="intersects"):
            if not each.name or frame.arrays.name[at] == each.name:
                return str(frame.arrays.id[at])
        return None

    def _next_code(self) -> str | None:
        """The code after the highest of those numbered alike, such as JWZ41 after JWZ40."""
        frame = self.district.frames.frame(self.layer_id)
        found = [_NUMBERED.fullmatch(str(code)) for code in frame.arrays.code if code]
        numbered = [(one[1], int(one[2]), len(one[2])) for one in found if one]
        if not numbered:
            return None
        prefix = max({one[0] for one in numbered}, key=lambda text: sum(one[0] == text for one in numbered))
        highest, digits = max((one[1], one[2]) for one in numbered if one[0] == prefix)
        return f"{prefix}{highest + 1:0{digits}}"
