"""待确认的修改: edits brought back in work packages that others' edits or the rules stand in the way of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import shapely
import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.merge import GEOMETRY, Choice, FieldConflict
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import district as districts
from gridmap.services import names, packages
from gridmap.services.district import District
from gridmap.services.merging import MergeConflict
from gridmap.services.problems import chinese
from gridmap.storage.packages import Trouble, WaitingEdit
from gridmap.ui import gate, state, widgets
from gridmap.ui.element_words import field_titles, label_of, literal, value_words
from gridmap.ui.links import to_map
from gridmap.ui.sketch import sketch
from gridmap.ui.words import time_words

_ROWS = 6
_EDIT = "edit"


def edits_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    waiting = packages.waiting(district, user)
    if not waiting:
        widgets.empty("没有待确认的修改。工作包带回的修改与他人冲突或不符合规则时,会在这里等您决定。")
        return
    titles = {one.id: one.title for one in packages.sent(district, user)}
    st.caption(f"共 {len(waiting)} 条,地图在您决定之前保持不变。")
    for edit in widgets.page_of(waiting, size=_ROWS, key="inbox.edits_page"):
        with st.container(border=True, key=f"inbox_edit_{edit.id}"):
            _edit(district, user, edit, titles.get(edit.package_id, "工作包"))


def _edit(district: District, user: User, edit: WaitingEdit, package: str) -> None:
    layer = district.catalogue.layer(edit.layer)
    try:
        found = packages.conflict(district, user, edit.id)
    except GridmapError as error:
        st.error(literal(chinese(error)))
        return
    present = found.theirs if found is not None else None
    label = label_of(present) if present is not None else _label_of_new(edit)
    st.markdown(f"**{literal(layer.title)} {literal(label)}** :orange-badge[{literal(edit.problem.title)}]")
    st.caption(
        literal(
            f"{package} · {names.one(district, edit.created_by)} 于 {time_words(edit.created_at)} 带回 · {edit.message}"
        )
    )
    if found is not None and not edit.is_delete and not found.theirs.is_retired:
        _sides(district, user, layer, edit, found)
    elif edit.is_delete or (present is not None and present.is_retired):
        _deletion(district, user, layer, edit, present)
    else:
        _values(district, user, layer, edit)


def _label_of_new(edit: WaitingEdit) -> str:
    parts = [str(edit.changes.get(name) or "") for name in ("code", "name")]
    return " ".join(one for one in parts if one) or ("新要素" if not edit.element_id else "要素")


# --- the same field on both sides ----------------------------------------------------------------------------


def _sides(district: District, user: User, layer: Layer, edit: WaitingEdit, found: MergeConflict) -> None:
    theirs: Element = found.theirs
    st.write(
        literal(
            f"{found.facts['updated_by_name']} 于 {time_words(theirs.updated_at)} 保存了第 {theirs.revision} 版,"
            f"您的修改依据第 {edit.base_revision} 版。请逐项选择:"
        )
    )
    choices: dict[str, Choice] = {}
    changes: dict[str, Any] = {}
    for one in found.conflicts:
        if one.field == GEOMETRY:
            choices[GEOMETRY] = _shape(edit, found)
        else:
            choices[one.field], changed = _field(layer, edit, one)
            if changed is not None:
                changes[one.field] = changed
    with st.container(horizontal=True):
        if st.button("按选择保存", type="primary", key=f"inbox.save.{edit.id}"):
            _decide(district, user, edit, choices=choices, changes=changes)
        _drop(district, user, edit)
        _to_map(theirs)


def _field(layer: Layer, edit: WaitingEdit, one: FieldConflict) -> tuple[Choice, Any]:
    """The side that was chosen, and the value typed instead of either."""
    title = field_titles(layer).get(one.field, one.field)
    words = {
        Choice.MINE.value: f"保留我的:{literal(value_words(layer, one.field, one.mine))}",
        Choice.THEIRS.value: f"用他们的:{literal(value_words(layer, one.field, one.theirs))}",
        _EDIT: "另填:",
    }
    key = f"inbox.side.{edit.id}.{one.field}"
    side = st.radio(
        f"{literal(title)}(原来:{literal(value_words(layer, one.field, one.base))})",
        list(words),
        format_func=words.__getitem__,
        horizontal=True,
        key=key,
    )
    if side != _EDIT:
        return Choice(side), None
    return Choice.MINE, _input(layer, one.field, one.mine, f"{key}.value")


def _input(layer: Layer, name: str, value: Any, key: str) -> Any:
    """A field of the form for one value; texts are read by the layer's rules when they are stored."""
    title = field_titles(layer).get(name, name)
    field = next((one for one in layer.fields if one.name == name), None)
    if field is not None and field.choices:
        options = [one.value for one in field.choices]
        return st.selectbox(
            title, options, index=options.index(value) if value in options else None,
            format_func=field.choice_title, placeholder="请选择", width=320, key=key,
        )  # fmt: skip
    text = st.text_input(title, value="" if value is None else str(value), width=320, key=key).strip()
    return text or None


def _shape(edit: WaitingEdit, found: MergeConflict) -> Choice:
    drawing, sides = st.columns([1, 2], gap="medium")
    with drawing:
        st.html(
            sketch(
                [
                    ("before", [found.base.geometry]),
                    ("theirs", [found.theirs.geometry]),
                    ("after", [found.mine.geometry]),
                ],
                "灰色为原来,橙色为他们的,蓝色为我的",
            )
            + '<p class="gm-note">灰色:原来;橙色:他们的;蓝色:我的</p>'
        )
    with sides:
        words = {Choice.MINE: "保留我的位置或范围(蓝色)", Choice.THEIRS: "用他们的位置或范围(橙色)"}
        return st.radio(
            "位置", list(words), format_func=words.__getitem__, key=f"inbox.side.{edit.id}.{GEOMETRY}"
        )


# --- deleted on one side -------------------------------------------------------------------------------------


def _deletion(
    district: District, user: User, layer: Layer, edit: WaitingEdit, present: Element | None
) -> None:
    is_theirs = present is not None and present.is_retired
    if present is not None:
        who = f"{names.one(district, present.updated_by)} 于 {time_words(present.updated_at)}"
        st.write(
            literal(
                f"{who} 已在地图上删除该要素。如仍需要,请先在“要素”页的历史中恢复,再保存这条修改。"
                if is_theirs
                else f"您在工作包中删除了它,但 {who} 又修改了它。"
            )
        )
    if not is_theirs and edit.base_revision is not None and present is not None:
        widgets.table(["内容", "他们修改后"], _words(layer, present), empty="", height=220)
    with st.container(horizontal=True):
        if is_theirs:
            if st.button("重试保存", key=f"inbox.save.{edit.id}"):
                _decide(district, user, edit)
        else:
            with st.popover("仍然删除"):
                st.write("将删除该要素,他们的修改保留在历史中,可以恢复。")
                if st.button("确定删除", type="primary", key=f"inbox.save.{edit.id}"):
                    _decide(district, user, edit)
        _drop(district, user, edit, "保留要素,放弃删除" if not is_theirs else "放弃我的修改")
        if present is not None and not is_theirs:
            _to_map(present)


def _words(layer: Layer, one: Element) -> list[tuple[str, str]]:
    titles = field_titles(layer)
    return [
        (titles.get(name, name), value_words(layer, name, value))
        for name, value in one.values().items()
        if value not in (None, "")
    ]


# --- values that break a rule, or an edit that was refused ---------------------------------------------------


def _values(district: District, user: User, layer: Layer, edit: WaitingEdit) -> None:
    if not edit.element_id and edit.geometry is None:
        st.write("这个新要素没有图形,不能保存。请在“一张图”上新建。")
        with st.container(horizontal=True):
            _drop(district, user, edit)
        return
    if edit.problem is Trouble.CONFLICT:
        st.write("冲突已不存在,可以直接保存。")
    with st.form(f"inbox.values.{edit.id}", border=False):
        changed = {
            name: _input(layer, name, value, f"inbox.value.{edit.id}.{name}")
            for name, value in edit.changes.items()
        }
        if edit.geometry is not None and edit.element_id:
            st.caption("图形也有改动。")
        is_asked = st.form_submit_button("改正并保存" if changed else "重试保存", type="primary")
    if is_asked:
        _decide(district, user, edit, changes=changed)
    with st.container(horizontal=True):
        _drop(district, user, edit)
        if edit.geometry is not None:
            place = shapely.from_wkb(edit.geometry).representative_point()
            widgets.map_button(to_map(gate.base_path(), (place.x, place.y)))


# --- buttons -------------------------------------------------------------------------------------------------


def _decide(
    district: District,
    user: User,
    edit: WaitingEdit,
    *,
    choices: Mapping[str, Choice] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    done = widgets.attempt(
        user,
        lambda: (packages.decide(district, user, edit.id, choices=choices, changes=changes), True),
        done="已保存,这条修改处理完毕。",
    )
    if done is not None:
        st.rerun()


def _drop(district: District, user: User, edit: WaitingEdit, title: str = "放弃我的修改") -> None:
    with st.popover(title):
        st.write("这条修改将被放弃,地图保持现在的样子。")
        if st.button("确定放弃", key=f"inbox.drop.{edit.id}"):
            packages.drop(district, user, edit.id)
            state.of(user).notice = "已放弃这条修改。"
            st.rerun()


def _to_map(one: Element) -> None:
    place = one.geometry.representative_point()
    link = to_map(
        gate.base_path(), (place.x, place.y), box=one.geometry.bounds if one.geometry.area else None,
        layer=one.layer, element=one.id,
    )  # fmt: skip
    widgets.map_button(link)
