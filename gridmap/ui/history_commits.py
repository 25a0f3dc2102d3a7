"""提交记录: who stored what, and a whole commit (a bad import, say) taken back."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from gridmap.domain.freshness import day_of, first_moment
from gridmap.domain.roles import User
from gridmap.services import access, comparing, imports, names
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.storage.activity import CommitLine
from gridmap.ui import state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.words import time_words

_MOST = 300
_SPANS = {1: "今天", 7: "近 7 天", 30: "近 30 天", 366: "近一年"}


def commits_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    titles = {one.id: one.title for one in access.visible_layers(district, user)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.selectbox(
            "时间", list(_SPANS), index=1, format_func=_SPANS.__getitem__, width=150, key="history.span"
        )
        layer = st.selectbox(
            "图层", list(titles), index=None, format_func=titles.__getitem__, placeholder="全部", width=180,
            key="history.commits_layer",
        )  # fmt: skip
        actor = st.text_input("操作人", max_chars=60, width=160, key="history.actor").strip()
        only_imports = st.toggle("只看批量导入", key="history.imports")
    since = first_moment(day_of(district.clock()) - timedelta(days=days - 1))
    with st.spinner("正在读取…"):
        found = comparing.commits(
            district, user, layers=[layer] if layer else [], since=since, actor=actor or None, limit=_MOST
        )
    if only_imports:
        found = [one for one in found if imports.is_import(one.reason)]
    columns = ["提交", "时间", "操作人", "图层", "操作", "要素数", "说明"]
    called = names.of(district, [one.actor for one in found])
    rows = [_row(one, titles, called) for one in found]
    widgets.table(columns, rows, empty="没有符合条件的提交。", height=460)
    if len(found) == _MOST:
        st.caption(f"只显示最近的 {_MOST} 次提交。")
    accounts = [(*row, one.actor) for row, one in zip(rows, found, strict=True)]
    widgets.csv_button([*columns, "操作账号"], accounts, name="提交记录", key="history.commits_csv")
    _undo(district, user, found, titles, called)


def _row(one: CommitLine, titles: dict[str, str], called: dict[str, str]) -> tuple[object, ...]:
    return (
        one.sequence, time_words(one.at, seconds=True), called[one.actor],
        "、".join(titles.get(layer, layer) for layer in one.layers),
        "、".join(each.title for each in one.operations), one.count, one.reason or "—",
    )  # fmt: skip


def _undo(
    district: District, user: User, found: list[CommitLine], titles: dict[str, str], called: dict[str, str]
) -> None:
    mine = [
        one
        for one in found
        if all(access.may_edit(user, district.catalogue.layer(each)) for each in one.layers)
    ]
    if not mine:
        return
    by_number = {one.sequence: one for one in mine}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "撤回一次提交", list(by_number), index=None, placeholder="请选择或输入提交编号", width=460,
            format_func=lambda one: _label(by_number[one], titles, called) if one in by_number else str(one),
            key="history.commit",
        )  # fmt: skip
        with st.popover("撤回该提交", disabled=picked is None):
            st.write(
                "这次提交写入的要素将全部恢复到提交之前的状态,新增的将停用。"
                "如果其中有要素之后又被修改,则不能整体撤回。"
            )
            sure = st.button("确定撤回", type="primary", key="history.undo_commit")
    if sure and picked is not None:
        with st.spinner("正在撤回…"):
            done = widgets.attempt(user, lambda: comparing.undo_commit(district, user, picked))
        if done is not None:
            state.of(
                user
            ).notice = f"提交 {picked} 已撤回,共 {len(done.elements):,} 个要素,提交编号 {done.sequence}。"
            st.rerun()


def _label(one: CommitLine, titles: dict[str, str], called: dict[str, str]) -> str:
    layers = "、".join(titles.get(each, each) for each in one.layers)
    return literal(
        f"{one.sequence} · {called[one.actor]} · {layers} {one.count} 个 · {one.reason or '无说明'}"
    )
