"""Edits typed into the table: gathered from the editor, stored row by row, and kept where that fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.merge import Choice
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import elements, merging
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement, Receipt
from gridmap.services.merging import MergeConflict
from gridmap.services.problems import chinese
from gridmap.ui.element_words import field_titles, label_of
from gridmap.ui.element_work import Draft, Outcome, TableWork
from gridmap.validation.attributes import clean_column, core_fields

TICK = "_tick"

Edits = Mapping[int, Mapping[str, Any]]


def fold(layer: Layer, work: TableWork, edits: Edits) -> None:
    """
    Take what the editor remembers into the drafts and ticks.

    Parameters
    ----------
    edits : by position among `work.shown`, then by column: what was typed, as the editor keeps it
    """
    fields = {one.name: one for one in (*core_fields(layer), *layer.fields)}
    for position, cells in edits.items():
        if not 0 <= position < len(work.shown):
            continue
        element = work.shown[position]
        for name, value in cells.items():
            if name == TICK:
                (work.ticked.add if value else work.ticked.discard)(element.id)
            elif name in fields:
                [cleaned], problems = clean_column(fields[name], [value])
                _put(work, element, name, value if problems else cleaned)


def _put(work: TableWork, element: Element, name: str, value: Any) -> None:
    draft = work.drafts.get(element.id) or Draft(element)
    if value == draft.base.values().get(name) or (value in (None, "") and not draft.base.values().get(name)):
        draft.changes.pop(name, None)
    else:
        draft.changes[name] = value
    if draft.changes:
        work.drafts[element.id] = draft
    else:
        work.drafts.pop(element.id, None)


def save(
    district: District, user: User, layer: Layer, work: TableWork, ids: Iterable[str], *, reason: str = ""
) -> list[Outcome]:
    """
    Store the drafts of these elements, each by itself; one that is refused stays a draft.

    A conflict stays with its draft, for a person to decide.
    """
    outcomes = []
    for element_id in list(ids):
        draft = work.drafts[element_id]
        try:
            saved = merging.save(
                district, user, layer.id, element_id,
                base_revision=draft.base.revision, changes=draft.changes, reason=reason,
            )  # fmt: skip
        except MergeConflict as error:
            draft.conflict = error
            outcomes.append(Outcome(draft.label, words=f"编辑冲突:{error.chinese()}"))
        except GridmapError as error:
            outcomes.append(Outcome(draft.label, words=refusal(error)))
        else:
            del work.drafts[element_id]
            kept = "、".join(field_titles(layer).get(one, one) for one in saved.merged_fields)
            merged = [f"已合并他人对“{kept}”的修改"] if kept else []
            outcomes.append(_done("已保存", saved.receipt, merged))
    return outcomes


def _done(verb: str, receipt: Receipt, notes: Iterable[str] = ()) -> Outcome:
    words = ";".join([*notes, *receipt.warnings])
    return Outcome(label_of(receipt.element), f"{verb}第 {receipt.element.revision} 版", words)


def refusal(error: GridmapError) -> str:
    """Why a row was not stored, without saying again that it was not."""
    if isinstance(error, InvalidElement):
        return ";".join(one["message"] for one in error.facts["problems"])
    return chinese(error)


def decided(draft: Draft, choices: Mapping[str, Choice]) -> Draft:
    """
    The draft on top of what the others stored, with the contested fields as a person chose.

    Should the others have written again by now, saving it asks again.
    """
    assert draft.conflict is not None
    theirs: Element = draft.conflict.facts["theirs"]
    values = theirs.values()
    changes = {
        name: value
        for name, value in draft.changes.items()
        if choices.get(name) is not Choice.THEIRS and value != values.get(name)
    }
    return Draft(theirs, changes)


def verify(
    district: District,
    user: User,
    layer: Layer,
    work: TableWork,
    ticked: Iterable[Element],
    *,
    reason: str = "",
) -> list[Outcome]:
    """Confirm the ticked elements as they are; one with edits that are not stored is left out."""
    outcomes = []
    for element in ticked:
        if element.id in work.drafts:
            outcomes.append(Outcome(label_of(element), words="本行有未保存的修改,请先保存再核实"))
            continue
        try:
            receipt = elements.verify(
                district, user, layer.id, element.id, base_revision=element.revision, reason=reason
            )
        except GridmapError as error:
            outcomes.append(Outcome(label_of(element), words=refusal(error)))
        else:
            work.ticked.discard(element.id)
            outcomes.append(_done("已核实,", receipt))
    return outcomes


def delete(
    district: District,
    user: User,
    layer: Layer,
    work: TableWork,
    ticked: Iterable[Element],
    *,
    reason: str = "",
) -> list[Outcome]:
    """Take the ticked elements off the map, with what was typed into them."""
    outcomes = []
    for element in ticked:
        try:
            receipt = elements.delete(
                district, user, layer.id, element.id, base_revision=element.revision, reason=reason
            )
        except GridmapError as error:
            outcomes.append(Outcome(label_of(element), words=refusal(error)))
        else:
            work.drafts.pop(element.id, None)
            work.ticked.discard(element.id)
            outcomes.append(_done("已删除,", receipt))
    return outcomes
