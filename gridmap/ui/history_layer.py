"""恢复图层: a whole layer as it stood on a day, after a look at what that changes."""

from __future__ import annotations

from datetime import datetime, time

import streamlit as st

from gridmap.domain.freshness import day_of
from gridmap.domain.roles import User
from gridmap.services import access, comparing
from gridmap.services import district as districts
from gridmap.services.comparing import Restored
from gridmap.ui import state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.history_compare import choose_layer
from gridmap.ui.words import CHINA, time_words


def layer_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    layers = {one.id: one for one in access.visible_layers(district, user) if access.may_edit(user, one)}
    if not user.writes_everywhere or not layers:
        widgets.empty("恢复整个图层由网格管理员或系统管理员进行。单个要素可在“对比”或“要素”的历史中恢复。")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(layers, "history.restore_layer")
        today = day_of(district.clock())
        day = st.date_input(
            "恢复到日期",
            value=None,
            max_value=today,
            format="YYYY-MM-DD",
            width=170,
            key="history.restore_day",
        )
        hour = st.time_input("时间", value=time(0, 0), width=130, key="history.restore_time")
    if day is None or hour is None:
        st.caption("请选择日期和时间,先看会改变什么。")
        return
    at = datetime.combine(day, hour, CHINA)  # type: ignore[arg-type]
    with st.spinner("正在比对…"):
        trial = widgets.attempt(
            user, lambda: comparing.restore_layer(district, user, layer.id, at, dry_run=True)
        )
    if trial is None:
        return
    _figures(trial)
    if not (trial.restored or trial.changed or trial.retired):
        widgets.empty(f"“{layer.title}”与那时相同,无需恢复。")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        reason = st.text_input("恢复原因(记入历史)", max_chars=200, width=380, key="history.restore_reason")
        with st.popover(f"恢复“{layer.title}”"):
            st.write(
                literal(
                    f"“{layer.title}”将恢复到 {time_words(at)} 的状态。之后的内容仍保留在历史中,"
                    "这次恢复可以在“提交记录”中撤回。"
                )
            )
            sure = st.button("确定恢复", type="primary", key="history.restore_sure")
    if sure:
        with st.spinner("正在恢复…"):
            done = widgets.attempt(
                user,
                lambda: comparing.restore_layer(district, user, layer.id, at, reason=reason.strip()),
            )
        if done is not None:
            state.of(user).notice = literal(
                f"“{layer.title}”已恢复到 {time_words(at)}:{_words(done)}。提交编号 {done.sequence}。"
            )
            st.rerun()


def _figures(trial: Restored) -> None:
    widgets.cards(
        {
            "改回原内容": f"{trial.changed:,} 个",
            "恢复已删除": f"{trial.restored:,} 个",
            "停用之后新增": f"{trial.retired:,} 个",
        }
    )


def _words(done: Restored) -> str:
    return f"改回 {done.changed} 个,恢复 {done.restored} 个,停用 {done.retired} 个"
