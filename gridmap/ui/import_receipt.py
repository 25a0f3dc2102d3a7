"""The last step of an import: what was stored, and taking it back, now or later."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import imports
from gridmap.services.district import District
from gridmap.ui import state, widgets
from gridmap.ui.element_work import ImportWork
from gridmap.ui.import_steps import again


def show_receipt(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    """Show what was stored, and offer to take it back."""
    receipt = work.receipt
    assert receipt is not None
    said = imports.ImportReceipt(**receipt)
    if work.undone:
        st.success(work.undone)
    else:
        st.success(said.chinese())
    widgets.cards(
        {
            "提交编号": receipt["sequence"] if receipt["sequence"] is not None else "—(无需入库)",
            "图层": layer.title,
            "新增": f"{said.new:,}",
            "更新": f"{said.changed + said.restored:,}",
            "未导入": f"{said.refused:,}",
        }
    )
    if work.problems and said.refused:
        st.download_button(
            "下载问题清单(CSV)", work.problems, file_name=f"问题清单_{layer.title}.csv", mime="text/csv",
            on_click="ignore", key="elements.import.left_over",
        )  # fmt: skip
    with st.container(horizontal=True):
        if st.button("导入另一个文件", type="primary", key="elements.import.next"):
            again(user, layer)
        if said.sequence is not None and not work.undone:
            _undo(district, user, said.sequence, lambda words: setattr(work, "undone", words))
    if not work.undone:
        st.caption("提交编号也可用于以后撤销:在“批量导入”第一步的“撤销以前的导入”中填写。")


def _undo(district: District, user: User, sequence: int, keep: Callable[[str], None]) -> None:
    with st.popover("撤销本次导入"):
        st.write(
            f"将撤销提交编号 {sequence} 的整次导入:新增的要素被删除,更新的恢复原来的内容。"
            "如果其中有要素在导入后又被修改,则不能整体撤销。"
        )
        if not st.button("确定撤销", type="primary", key=f"elements.import.undo.{sequence}"):
            return
    receipt = widgets.attempt(user, lambda: imports.undo_import(district, user, sequence))
    if receipt is not None:
        keep(_undone_words(sequence, receipt))
        st.rerun()


def _undone_words(sequence: int, receipt: imports.ImportReceipt) -> str:
    return f"已撤销提交编号 {sequence} 的导入:删除 {receipt.refused} 个,恢复原内容 {receipt.changed} 个(新的提交编号 {receipt.sequence})。"


def undo_earlier(district: District, user: User, layer: Layer) -> None:
    """Offer to take an earlier import back by its number."""
    with st.expander("撤销以前的导入"):
        sequence = st.number_input(
            "提交编号(见导入回执)",
            min_value=1,
            value=None,
            step=1,
            width=240,
            key=f"elements.import.earlier.{layer.id}",
        )
        if sequence is not None:
            _undo(district, user, int(sequence), lambda words: setattr(state.of(user), "notice", words))
