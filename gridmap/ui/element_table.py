"""表格: a layer's elements page by page; what may be edited is edited in place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import FieldClass, Layer
from gridmap.domain.merge import Choice
from gridmap.domain.roles import Permission, User
from gridmap.services import access, elements
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.ui import element_drafts as drafts
from gridmap.ui import element_filters as filters
from gridmap.ui import element_keeping as keeping
from gridmap.ui import element_rows as rows
from gridmap.ui import gate, state, widgets
from gridmap.ui.element_drafts import Edits
from gridmap.ui.element_words import field_titles, literal, value_words
from gridmap.ui.element_work import Draft, Outcome, TableWork
from gridmap.ui.words import time_words


def table_tab(user: User, layer: Layer) -> None:
    """Everything of this tab."""
    district = districts.running()
    work = state.of(user).elements.table(layer.id)
    drafts.fold(layer, work, typed(work.editor))
    if access.may_edit(user, layer):
        if found := keeping.recall(district, user, layer, work):
            st.info(f"已找回您上次未保存的 {found} 行修改,请核对后保存或放弃。")
        keeping.keep(district, user, layer, work)
    asked = filters.inputs(district, layer)
    with st.container(horizontal=True, vertical_alignment="center", key="elements_paging"):
        page = _page(district, user, layer, asked)
    # what to do with the rows stands above them, in sight, and is known only after them
    above = st.container()
    if page.total:
        _tables(district, user, layer, work, page.elements)
    else:
        work.shown, work.editor = (), ""
        _nothing(user, layer, asked)
    if access.may_edit(user, layer) and (work.shown or work.drafts or work.outcomes):
        with above:
            _actions(district, user, layer, work)
            _results(district, user, layer, work)


def typed(key: str) -> Edits:
    """What the editor with this key remembers of what was typed into it, by row and column."""
    held = st.session_state.get(key) if key else None
    return held["edited_rows"] if held else {}


# --- the page that is shown ----------------------------------------------------------------------------------


def _page(district: District, user: User, layer: Layer, asked: filters.Filter) -> elements.Page:
    """The page that is chosen, with the widgets that choose it."""
    size = st.selectbox(
        "每页行数",
        filters.PAGE_SIZES,
        format_func=lambda one: f"每页 {one} 行",
        label_visibility="collapsed",
        width=140,
        key="elements.page_size",
    )
    with st.spinner("正在读取…"):
        first = filters.one_page(district, user, asked, limit=size, offset=0)
    st.html(f'<span class="gm-count">共 <b>{first.total:,}</b> 个</span>', width="content")
    count = max(1, -(-first.total // size))
    if count == 1:
        return first
    # another filter begins at its first page
    digest = hashlib.sha256(repr((asked, size)).encode()).hexdigest()[:8]
    number = st.pagination(count, key=f"elements.page.{layer.id}.{digest}", max_visible_pages=5)
    if number == 1:
        return first
    with st.spinner("正在读取…"):
        return filters.one_page(district, user, asked, limit=size, offset=(number - 1) * size)


def _nothing(user: User, layer: Layer, asked: filters.Filter) -> None:
    if asked.is_overdue and not asked.query.text:
        words = f"没有逾期未核实的{layer.title}。"
    elif asked.is_narrow:
        words = "没有符合条件的要素。请放宽或清除筛选条件。"
    elif access.may_edit(user, layer):
        words = f"还没有{layer.title}。可以在“一张图”上新增,或在“批量导入”中导入文件。"
    else:
        words = f"还没有{layer.title}。"
    st.html(f'<p class="gm-empty">{words}</p>')


def _tables(district: District, user: User, layer: Layer, work: TableWork, shown: Sequence[Element]) -> None:
    """The rows that are the user's to edit, and below them the others."""
    is_mine = rows.editable(district, user, layer, shown)
    mine = tuple(one for one, yes in zip(shown, is_mine, strict=True) if yes)
    others = [one for one, yes in zip(shown, is_mine, strict=True) if not yes]
    if mine:
        _editor(district, layer, work, mine)
    else:
        work.shown, work.editor = (), ""
    if not user.may(Permission.VIEW_SENSITIVE) and any(
        one.field_class is FieldClass.COUNT for one in layer.fields
    ):
        st.caption(f"您的角色看不到小于 {elements.SMALL_COUNT} 的数量,这些格显示为空。")
    if others:
        _read_only(district, user, layer, others)


def _read_only(district: District, user: User, layer: Layer, others: Sequence[Element]) -> None:
    """Rows that are not the user's to edit, with the reason where others are."""
    may_edit = access.may_edit(user, layer)
    marks = ["已删除" if one.is_retired else "责任区外" if may_edit else "" for one in others]
    if may_edit:
        st.subheader(f"只读({len(others)} 行)", anchor=False)
        # the sentence about the area is the same for all of them
        outside = next((one for one in others if not one.is_retired), None)
        why = None if outside is None else access.why_not_edit(district, user, layer, outside.geometry)
        deleted = "已删除的要素可在“历史与恢复”中恢复。" if "已删除" in marks else None
        st.caption("".join(one for one in (why, deleted) if one))
    table = rows.frame(
        layer, others, links=rows.map_links(district, others, gate.base_path()),
        now=district.clock(), reasons=marks if any(marks) else None,
    )  # fmt: skip
    st.dataframe(
        table,
        key="elements.readonly",
        column_config=rows.column_config(layer, is_editable=False),
        hide_index=True,
        row_height=rows.ROW_HEIGHT,
        height=rows.height(len(others)),
        placeholder="",
    )


def _editor(district: District, layer: Layer, work: TableWork, mine: tuple[Element, ...]) -> None:
    ids = {one.id for one in mine}
    work.ticked &= ids
    digest = hashlib.sha256("".join(one.id for one in mine).encode()).hexdigest()[:12]
    work.editor = f"elements.rows.{layer.id}.{digest}.{work.resets}"
    work.shown = mine
    table = rows.frame(
        layer, mine, links=rows.map_links(district, mine, gate.base_path()),
        now=district.clock(), drafts=work.drafts, ticked=work.ticked,
    )  # fmt: skip
    st.data_editor(
        table,
        key=work.editor,
        column_config=rows.column_config(layer, is_editable=True),
        hide_index=True,
        num_rows="fixed",
        row_height=rows.ROW_HEIGHT,
        height=rows.height(len(mine)),
        placeholder="",
    )


# --- what can be done with the rows --------------------------------------------------------------------------


def _actions(district: District, user: User, layer: Layer, work: TableWork) -> None:
    ticked = [one for one in work.shown if one.id in work.ticked]
    if len(ticked) == 1:
        state.of(user).element = ticked[0].id
    here = sum(one.id in work.drafts for one in work.shown)
    elsewhere = len(work.drafts) - here
    with st.container(horizontal=True, vertical_alignment="bottom", key="elements_actions"):
        reason = st.text_input(
            "修改说明(记入历史,可不填)", max_chars=200, width=240, key=f"elements.reason.{layer.id}"
        )
        save = st.button(
            f"保存 {len(work.drafts)} 行" if work.drafts else "保存", type="primary",
            disabled=not work.drafts, key="elements.save",
        )  # fmt: skip
        _discard(user, work)
        _tick_all(work)
        verify = st.button(
            f"批量核实 {len(ticked)} 行" if ticked else "批量核实", disabled=not ticked, key="elements.verify"
        )
        delete = _delete(ticked)
    if elsewhere:
        st.caption(f"另有 {elsewhere} 行未保存的修改不在本页,将一并保存。")
    if save:
        _do(user, work, lambda: drafts.save(district, user, layer, work, list(work.drafts), reason=reason))
    if verify:
        _do(user, work, lambda: drafts.verify(district, user, layer, work, ticked, reason=reason))
    if delete:
        _do(user, work, lambda: drafts.delete(district, user, layer, work, ticked, reason=reason))


def _do(user: User, work: TableWork, action: Callable[[], list[Outcome]]) -> None:
    with st.spinner("正在保存…"):
        work.outcomes = action()
    work.reset()
    st.rerun()


def _discard(user: User, work: TableWork) -> None:
    with st.popover("放弃修改", disabled=not work.drafts):
        st.write(f"将放弃 {len(work.drafts)} 行未保存的修改。")
        if st.button("确定放弃", type="primary", key="elements.discard"):
            work.drafts.clear()
            work.outcomes = []
            work.reset()
            st.rerun()


def _tick_all(work: TableWork) -> None:
    ids = {one.id for one in work.shown}
    is_all = bool(ids) and ids == work.ticked
    if st.button("取消全选" if is_all else "全选本页", disabled=not ids, key="elements.tick_all"):
        work.reset()
        work.ticked = set() if is_all else ids
        st.rerun()


def _delete(ticked: Sequence[Element]) -> bool:
    with st.popover(f"删除 {len(ticked)} 行" if ticked else "删除", disabled=not ticked):
        st.write(f"将删除勾选的 {len(ticked)} 个要素。编码和历史会保留,可在“历史与恢复”中恢复。")
        return st.button("确定删除", type="primary", key="elements.delete")


# --- what became of it ---------------------------------------------------------------------------------------


def _results(district: District, user: User, layer: Layer, work: TableWork) -> None:
    for draft in [one for one in work.drafts.values() if one.conflict is not None]:
        _conflict(district, user, layer, work, draft)
    if not work.outcomes:
        return
    failed = sum(not one.done for one in work.outcomes)
    if failed:
        st.warning(f"{failed} 行未保存。未保存的修改仍在表格中,改正后可再次保存。")
    widgets.table(
        ["要素", "结果", "说明"],
        [(one.label, one.done or "未保存", one.words or "—") for one in work.outcomes],
        empty="",
        height=240,
    )
    if st.button("收起结果", key="elements.outcomes_seen"):
        work.outcomes = []
        st.rerun()


def _conflict(district: District, user: User, layer: Layer, work: TableWork, draft: Draft) -> None:
    conflict = draft.conflict
    assert conflict is not None
    theirs: Element = conflict.facts["theirs"]
    key = f"elements.conflict.{theirs.id}"
    with st.container(border=True, key=f"elements_conflict_{theirs.id}"):
        st.subheader(f"编辑冲突:{literal(draft.label)}", anchor=False)
        if theirs.is_retired:
            _deleted(district, user, layer, work, draft, key)
            return
        st.write(
            f"{theirs.updated_by} 于 {time_words(theirs.updated_at)} 保存了第 {theirs.revision} 版,"
            f"您的修改依据第 {draft.base.revision} 版。请逐项选择保留哪一个:"
        )
        choices = {}
        for one in conflict.facts["conflicts"]:
            choices[one.field] = _choice(layer, one.field, one.base, draft, one.theirs, key)
        with st.container(horizontal=True):
            keep = st.button("按选择保存", type="primary", key=f"{key}.save")
            drop = st.button("放弃我的修改", key=f"{key}.drop")
    if drop:
        del work.drafts[theirs.id]
        work.reset()
        st.rerun()
    if keep:
        settled = drafts.decided(draft, choices)
        work.drafts[theirs.id] = settled
        if settled.changes:
            _do(user, work, lambda: drafts.save(district, user, layer, work, [theirs.id]))
        del work.drafts[theirs.id]
        work.outcomes = [Outcome(draft.label, f"已用他们的第 {theirs.revision} 版")]
        work.reset()
        st.rerun()


def _choice(layer: Layer, name: str, base: Any, draft: Draft, theirs: Any, key: str) -> Choice:
    words = {
        Choice.MINE: f"保留我的:{literal(value_words(layer, name, draft.changes.get(name)))}",
        Choice.THEIRS: f"用他们的:{literal(value_words(layer, name, theirs))}",
    }
    title = field_titles(layer).get(name, name)
    return st.radio(
        f"{title}(原来:{literal(value_words(layer, name, base))})",
        list(words),
        format_func=words.__getitem__,
        key=f"{key}.{name}",
    )


def _deleted(district: District, user: User, layer: Layer, work: TableWork, draft: Draft, key: str) -> None:
    theirs: Element = draft.conflict.facts["theirs"]  # type: ignore[union-attr]
    st.write(f"{theirs.updated_by} 于 {time_words(theirs.updated_at)} 删除了这个要素,您的修改没有保存。")
    with st.container(horizontal=True):
        restore = st.button("恢复该要素并保存我的修改", type="primary", key=f"{key}.restore")
        drop = st.button("放弃我的修改", key=f"{key}.drop")
    if drop:
        del work.drafts[theirs.id]
        work.reset()
        st.rerun()
    if restore:
        restored = widgets.attempt(user, lambda: elements.restore(district, user, layer.id, theirs.id))
        if restored is not None:
            _do(user, work, lambda: drafts.save(district, user, layer, work, [theirs.id]))
