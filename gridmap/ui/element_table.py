"""表格: a layer's elements page by page; what may be edited is edited in place."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import FieldClass, Layer
from gridmap.domain.roles import Permission, User
from gridmap.services import access, elements, names
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.ui import element_conflict as conflicts
from gridmap.ui import element_drafts as drafts
from gridmap.ui import element_filters as filters
from gridmap.ui import element_keeping as keeping
from gridmap.ui import element_rows as rows
from gridmap.ui import gate, state, widgets
from gridmap.ui.element_drafts import Edits
from gridmap.ui.element_work import ElementsWork, Outcome, TableWork

# How long an edit may be on its way from the browser: it is held back for 0.15 s, and travels.
UNDER_WAY_SECONDS = 0.35


def gather(user: User, layer: Layer | None) -> None:
    """
    Take in what was typed into the table that is on the screen, before anything else of the page.

    `layer` is the one whose table this run shows, None for a run without a table: what is on its way from an
    editor that goes is waited for.
    """
    mine = state.of(user).elements
    if mine.open_table is None:
        return
    on_screen = districts.running().catalogue.layer(mine.open_table)
    work = mine.table(on_screen.id)
    drafts.fold(on_screen, work, typed(work.editor))
    keeping.keep(districts.running(), user, on_screen, work)
    if layer is None or layer.id != on_screen.id:
        _let_arrive(mine)
        mine.open_table, mine.has_waited = None, False
        work.editor, work.shown = "", ()


def typed(key: str) -> Edits:
    """What the editor with this key remembers of what was typed into it, by row and column."""
    held = state.answer(key) if key else None
    return held["edited_rows"] if held else {}


def _let_arrive(mine: ElementsWork) -> None:
    """
    Run again a moment later, once, with all that was typed before the click that led here.

    The editor sends an edit 150 ms after it was typed: a click on a button overtakes it, and once the editor
    is gone from the screen, so is the edit.
    """
    if mine.has_waited:
        return
    mine.has_waited = True
    time.sleep(UNDER_WAY_SECONDS)
    st.rerun()


def table_tab(user: User, layer: Layer) -> None:
    """Everything of this tab."""
    district = districts.running()
    mine = state.of(user).elements
    work = mine.table(layer.id)
    may_edit = access.may_edit(user, layer)
    if may_edit:
        keeping.recall(district, user, layer, work)
        _do_asked(mine, work)
        keeping.keep(district, user, layer, work)
    asked = filters.inputs(district, user, layer)
    with st.container(horizontal=True, vertical_alignment="center", key="elements_paging"):
        page = _page(district, user, layer, asked)
    # what to do with the rows stands above them, in sight, and is known only after them
    above = st.container()
    if page.total:
        _tables(district, user, layer, page.elements)
    else:
        _editor(district, layer, mine, ())
        _nothing(district, user, layer, asked)
    if may_edit and (work.shown or work.drafts or work.outcomes):
        with above:
            _actions(district, user, layer, work)
            _results(district, user, layer, work)


def _do_asked(mine: ElementsWork, work: TableWork) -> None:
    """Do what a button asked for, once everything that was typed before has arrived."""
    if work.asked is None:
        return
    _let_arrive(mine)
    action, work.asked, mine.has_waited = work.asked, None, False
    with st.spinner("正在保存…"):
        work.outcomes = action()
    work.reset()


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


def _nothing(district: District, user: User, layer: Layer, asked: filters.Filter) -> None:
    is_empty = len(district.frames.frame(layer.id).living) == 0
    if asked.is_overdue and not asked.query.text:
        words = f"没有逾期未核实的{layer.title}。"
    elif asked.is_narrow and (asked.query.text or not is_empty):
        words = "没有符合条件的要素。请放宽或清除筛选条件。"
    elif access.may_edit(user, layer):
        words = f"还没有{layer.title}。可以在“一张图”上新增,或在“批量导入”中导入文件。"
    else:
        words = f"还没有{layer.title}。"
    st.html(f'<p class="gm-empty">{words}</p>')


def _tables(district: District, user: User, layer: Layer, shown: Sequence[Element]) -> None:
    """The rows that are the user's to edit, and below them the others."""
    is_mine = rows.editable(district, user, layer, shown)
    mine = tuple(one for one, yes in zip(shown, is_mine, strict=True) if yes)
    others = [one for one, yes in zip(shown, is_mine, strict=True) if not yes]
    _editor(district, layer, state.of(user).elements, mine)
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
        layer, others, links=rows.map_links(district, others, gate.base_path()), called=_called(district, others),
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


def _called(district: District, shown: Sequence[Element]) -> dict[str, str]:
    return names.of(district, [one.updated_by for one in shown])


def _editor(district: District, layer: Layer, all_work: ElementsWork, mine: tuple[Element, ...]) -> None:
    work = all_work.table(layer.id)
    digest = hashlib.sha256("".join(one.id for one in mine).encode()).hexdigest()[:12]
    key = f"elements.rows.{layer.id}.{digest}.{work.resets}" if mine else ""
    if work.editor not in ("", key):
        _let_arrive(all_work)
    all_work.has_waited = False
    work.editor, work.shown = key, mine
    work.ticked &= {one.id for one in mine}
    all_work.open_table = layer.id if mine else None
    if not mine:
        return
    table = rows.frame(
        layer, mine, links=rows.map_links(district, mine, gate.base_path()), called=_called(district, mine),
        now=district.clock(), drafts=work.drafts, ticked=work.ticked,
    )  # fmt: skip
    st.data_editor(
        table,
        key=key,
        column_config=rows.column_config(layer, is_editable=True),
        hide_index=True,
        num_rows="fixed",
        row_height=rows.ROW_HEIGHT,
        height=rows.height(len(mine)),
        placeholder="",
    )


# --- what can be done with the rows --------------------------------------------------------------------------


def _actions(district: District, user: User, layer: Layer, work: TableWork) -> None:
    ticked = _ticked(work)
    if len(ticked) == 1:
        state.of(user).element = ticked[0].id
    key = f"elements.reason.{layer.id}"

    # What buttons do runs later: it reads what stands in the inputs then.
    def save() -> list[Outcome]:
        if not work.drafts:
            st.toast("没有需要保存的修改。")
        return drafts.save(district, user, layer, work, list(work.drafts), reason=_typed_text(key))

    def verify() -> list[Outcome]:
        return drafts.verify(district, user, layer, work, _ticked(work), reason=_typed_text(key))

    def delete() -> list[Outcome]:
        return drafts.delete(district, user, layer, work, _ticked(work), reason=_typed_text(key))

    with st.container(horizontal=True, vertical_alignment="bottom", key="elements_actions"):
        st.text_input("修改说明(记入历史,可不填)", max_chars=200, width=240, key=key)
        # never closed: the first edit may still be on its way when the button is pressed
        title = f"保存 {len(work.drafts)} 行" if work.drafts else "保存"
        st.button(title, type="primary", key="elements.save", on_click=work.ask, args=(save,))
        _discard(work)
        _tick_all(work)
        title = f"批量核实 {len(ticked)} 行" if ticked else "批量核实"
        st.button(title, disabled=not ticked, key="elements.verify", on_click=work.ask, args=(verify,))
        with st.popover(f"删除 {len(ticked)} 行" if ticked else "删除", disabled=not ticked):
            st.write(f"将删除勾选的 {len(ticked)} 个要素。编码和历史会保留,可在“历史与恢复”中恢复。")
            if layer.is_partition:
                st.caption("铺满上级范围的网格不能直接删除,请在“一张图”或“网格管理”中合并到相邻网格。")
            st.button("确定删除", type="primary", key="elements.delete", on_click=work.ask, args=(delete,))
    elsewhere = len(work.drafts.keys() - {one.id for one in work.shown})
    if elsewhere:
        st.caption(f"另有 {elsewhere} 行未保存的修改不在本页,将一并保存。")
    if work.recalled and work.drafts:
        st.info(f"打开本页时找回了您上次未保存的 {work.recalled} 行修改,请核对后保存或放弃。")


def _typed_text(key: str) -> str:
    return str(state.answer(key) or "").strip()


def _ticked(work: TableWork) -> list[Element]:
    return [one for one in work.shown if one.id in work.ticked]


def _discard(work: TableWork) -> None:
    def discard() -> list[Outcome]:
        work.drafts.clear()
        return []

    with st.popover("放弃修改", disabled=not work.drafts):
        st.write(f"将放弃 {len(work.drafts)} 行未保存的修改。")
        st.button("确定放弃", type="primary", key="elements.discard", on_click=work.ask, args=(discard,))


def _tick_all(work: TableWork) -> None:
    ids = {one.id for one in work.shown}
    is_all = bool(ids) and ids == work.ticked

    def tick() -> list[Outcome]:
        work.ticked = set() if is_all else ids
        return work.outcomes

    title = "取消全选" if is_all else "全选本页"
    st.button(title, disabled=not ids, key="elements.tick_all", on_click=work.ask, args=(tick,))


# --- what became of it ---------------------------------------------------------------------------------------


def _results(district: District, user: User, layer: Layer, work: TableWork) -> None:
    for draft in [one for one in work.drafts.values() if one.conflict is not None]:
        conflicts.settle(district, user, layer, work, draft)
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
