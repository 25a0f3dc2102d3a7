"""The second step of an import: what the file's coordinates and columns mean."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.exchange import SourceTable
from gridmap.services import columns, imports
from gridmap.services.district import District
from gridmap.ui import element_datum as datums
from gridmap.ui import element_upload as upload
from gridmap.ui import state
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import ImportWork
from gridmap.ui.import_steps import go

_IGNORED = ""


def choose_meaning(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    """Ask for the datum and for a field to each column."""
    table = work.table
    assert table is not None
    key = f"elements.import.{state.of(user).elements.imports_begun}"
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("坐标系", anchor=False)
        if declared := upload.declared_words(table):
            st.info(literal(f"文件声明的坐标系:{declared}。请核对后选择。"))
        datum = datums.ask("文件中的坐标是哪一种?", work.datum, f"{key}.datum")
        simulated = st.checkbox(
            "这些是模拟或演练数据", value=work.is_simulated, key=f"{key}.simulated",
            help="新增的要素将标注“模拟数据”,在地图、表格和导出文件中都能看到。",
        )  # fmt: skip
    with right:
        st.subheader("列对应", anchor=False)
        mapping = _mapping(district, layer, table, work, key)
        fault = _mapping_words(layer, mapping)
    if datum != work.datum or simulated != work.is_simulated or mapping != work.mapping:
        work.datum, work.is_simulated, work.mapping = datum, simulated, mapping
        work.forget_plan()
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("上一步", key="elements.import.back_to_file"):
            go(work, 1)
        ready = bool(work.datum) and not fault
        if st.button("下一步:预检", type="primary", disabled=not ready, key="elements.import.to_dry_run"):
            go(work, 3)
        if not work.datum:
            st.caption("请先选择坐标系。", width="content")


def _mapping(
    district: District, layer: Layer, table: SourceTable, work: ImportWork, key: str
) -> dict[str, str]:
    """A field for each column, "" for those left out; proposals stand there at first."""
    present = work.mapping or imports.propose_mapping(district, layer.id, table)
    titles = columns.targets(layer)
    options = [_IGNORED, *titles]
    mapping: dict[str, str] = {}
    with st.container(height=430 if len(table.columns) > 5 else "content", key="elements_mapping"):
        for number, column in enumerate(table.columns):
            mapping[column] = st.selectbox(
                f"{literal(column)}　:gray[{literal(_example_words(table, column))}]",
                options,
                index=options.index(present.get(column, _IGNORED)),
                format_func=lambda one: titles.get(one, "不导入"),
                key=f"{key}.column.{number}",
            )
    if not table.columns:
        st.caption("文件没有属性列。")
    return mapping


def _example_words(table: SourceTable, column: str) -> str:
    example = upload.example(table, column)
    return f"如 {example}" if example else "没有值"


def _mapping_words(layer: Layer, mapping: Mapping[str, str]) -> str:
    """Say what the mapping leaves out; answers the fault that must be mended first, if any."""
    titles = columns.targets(layer)
    used = [one for one in mapping.values() if one]
    twice = [titles[one] for one in dict.fromkeys(used) if used.count(one) > 1]
    if twice:
        words = f"“{'”“'.join(twice)}”对应了不止一列,请只保留一列。"
        st.error(words)
        return words
    ignored = [column for column, one in mapping.items() if not one]
    if ignored:
        st.caption(literal(f"不导入的列:{'、'.join(ignored)}。"))
    missing = upload.missing_required(layer, used)
    if missing:
        st.warning(literal(f"必填字段“{'”“'.join(missing)}”没有对应的列:只能更新已有要素,不能新增。"))
    return ""
