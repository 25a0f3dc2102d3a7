"""Somebody else changed the same row: what it was, what each made of it, and a choice."""

from __future__ import annotations

from typing import Any

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.merge import Choice
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import elements
from gridmap.services.district import District
from gridmap.ui import element_drafts as drafts
from gridmap.ui import state
from gridmap.ui.element_words import field_titles, label_of, literal, value_words
from gridmap.ui.element_work import Action, Draft, Outcome, TableWork
from gridmap.ui.words import time_words


def settle(district: District, user: User, layer: Layer, work: TableWork, draft: Draft) -> None:
    """Show the conflict of a draft, and buttons that end it."""
    assert draft.conflict is not None
    theirs: Element = draft.conflict.facts["theirs"]
    with st.container(border=True, key=f"elements_conflict_{theirs.id}"):
        st.subheader(f"编辑冲突:{literal(draft.label)}", anchor=False)
        if theirs.is_retired:
            _deleted(district, user, layer, work, draft, theirs)
        else:
            _changed(district, user, layer, work, draft, theirs)


def _changed(
    district: District, user: User, layer: Layer, work: TableWork, draft: Draft, theirs: Element
) -> None:
    st.write(
        f"{literal(draft.conflict.facts['updated_by_name'])} 于 {time_words(theirs.updated_at)} 保存了第 {theirs.revision} 版,"
        f"您的修改依据第 {draft.base.revision} 版。请逐项选择保留哪一个:"
    )
    key = f"elements.conflict.{theirs.id}"
    contested = draft.conflict.facts["conflicts"] if draft.conflict else ()
    for one in contested:
        _choice(layer, one.field, one.base, draft, one.theirs, key)

    def keep() -> list[Outcome]:
        # asked now, not when the button was drawn: the last choice may have come together with the click
        choices = {one.field: state.answer(f"{key}.{one.field}") for one in contested}
        settled = drafts.decided(draft, choices)
        if settled.changes:
            work.drafts[theirs.id] = settled
            return drafts.save(district, user, layer, work, [theirs.id])
        del work.drafts[theirs.id]
        return [Outcome(label_of(theirs), f"已用他们的第 {theirs.revision} 版")]

    _buttons("按选择保存", keep, work, theirs, key)


def _choice(layer: Layer, name: str, base: Any, draft: Draft, theirs: Any, key: str) -> None:
    words = {
        Choice.MINE: f"保留我的:{literal(value_words(layer, name, draft.changes.get(name)))}",
        Choice.THEIRS: f"用他们的:{literal(value_words(layer, name, theirs))}",
    }
    title = field_titles(layer).get(name, name)
    st.radio(
        f"{title}(原来:{literal(value_words(layer, name, base))})",
        list(words),
        format_func=words.__getitem__,
        key=f"{key}.{name}",
    )


def _deleted(
    district: District, user: User, layer: Layer, work: TableWork, draft: Draft, theirs: Element
) -> None:
    st.write(
        f"{literal(draft.conflict.facts['updated_by_name'])} 于 {time_words(theirs.updated_at)} 删除了这个要素,您的修改没有保存。"
    )

    def restore() -> list[Outcome]:
        try:
            elements.restore(district, user, layer.id, theirs.id)
        except GridmapError as error:
            return [Outcome(draft.label, words=drafts.refusal(error))]
        return drafts.save(district, user, layer, work, [theirs.id])

    _buttons("恢复该要素并保存我的修改", restore, work, theirs, f"elements.conflict.{theirs.id}")


def _buttons(title: str, action: Action, work: TableWork, theirs: Element, key: str) -> None:
    def drop() -> list[Outcome]:
        work.drafts.pop(theirs.id, None)
        return []

    with st.container(horizontal=True):
        st.button(title, type="primary", key=f"{key}.save", on_click=work.ask, args=(action,))
        st.button("放弃我的修改", key=f"{key}.drop", on_click=work.ask, args=(drop,))
