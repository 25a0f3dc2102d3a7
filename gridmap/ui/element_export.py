"""导出: a layer, or the whole district, as a file to take away."""

from __future__ import annotations

import tempfile
from datetime import datetime, time
from pathlib import Path
from typing import Any

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.exchange import Format
from gridmap.services import district as districts
from gridmap.services import elements, exports
from gridmap.services.district import District
from gridmap.services.exports import ExportReport, Headings
from gridmap.ui import cached, state, widgets
from gridmap.ui import element_datum as datums
from gridmap.ui import element_filters as filters
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import Download
from gridmap.ui.words import CHINA, size_words

_HEADINGS = {Headings.TITLES: "中文标题(给人看)", Headings.IDS: "字段标识(给程序用,可再导入)"}


def export_tab(user: User, layer: Layer) -> None:
    """Everything of this tab."""
    district = districts.running()
    _notice(user, is_simulated=cached.is_simulated(district, user))
    with st.container(border=True, key="elements_export_layer"):
        st.subheader(f"导出“{layer.title}”", anchor=False)
        _layer(district, user, layer)
    with st.container(border=True, key="elements_export_district"):
        st.subheader("导出整个辖区", anchor=False)
        _district(district, user)
    _download(user, layer)


def _notice(user: User, *, is_simulated: bool) -> None:
    sentences = ["每次导出都会记入日志,文件中写有导出人和时间。请按规定保管,用后及时删除。"]
    if not user.may(Permission.VIEW_SENSITIVE):
        sentences.append(
            f"您的角色看不到小于 {elements.SMALL_COUNT} 的数量,导出文件中显示为“*”;敏感图层不包含在内。"
        )
    if is_simulated:
        sentences.append("当前辖区含有模拟数据,导出文件中会逐个标注“模拟数据”,不得用于实际决策。")
    st.info(literal("".join(sentences)))


def _layer(district: District, user: User, layer: Layer) -> None:
    key = f"elements.export.{layer.id}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        format = st.selectbox(
            "格式", list(Format), format_func=lambda one: one.title, width=230, key="elements.export.format"
        )
        datum = datums.choose("坐标系", "elements.export.datum")
        headings = st.selectbox(
            "列标题",
            list(_HEADINGS),
            format_func=_HEADINGS.__getitem__,
            width=250,
            key="elements.export.headings",
        )
        grid = filters.grid_input(district, key)
        has_grid = state.answer(f"{key}.grid_layer") is not None
    as_of, is_ready = _as_of(district, user, key)
    if has_grid and grid is None:
        st.caption("请选择所在网格,或清除网格层级以导出全区。")
    is_ready &= bool(datum) and not (has_grid and grid is None)
    if st.button("生成文件", type="primary", disabled=not is_ready, key="elements.export.make"):
        _make(
            user,
            (layer.id, format, datum, headings, grid, as_of),
            lambda folder: exports.export_layer(
                district, user, layer.id, folder / f"export{format.extension}",
                format=format, datum=datum, as_of=as_of, grid=grid, headings=headings,
            ),
        )  # fmt: skip


def _as_of(district: District, user: User, key: str) -> tuple[datetime | None, bool]:
    """The moment whose state is asked for (None: now), and whether it is complete."""
    if not user.may(Permission.VIEW_HISTORY):
        return None, True
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if not st.checkbox("导出过去某一时刻的状态", key=f"{key}.past"):
            return None, True
        now = district.clock().astimezone(CHINA)
        day = st.date_input(
            "日期", value=None, max_value=now.date(), width=170, key=f"{key}.day", format="YYYY-MM-DD"
        )
        at = st.time_input("时间", value=time(23, 59), width=130, key=f"{key}.time")
    if day is None or at is None:
        st.caption("请选择日期。")
        return None, False
    return datetime.combine(day, at, CHINA), True


def _district(district: District, user: User) -> None:
    st.write("您能看到的全部图层写入一个 GeoPackage 文件,图层以中文名称列出,可直接用 QGIS 打开。")
    if st.button("生成 GeoPackage", key="elements.export.make_district"):
        _make(
            user,
            ("district",),
            lambda folder: exports.export_district(district, user, folder / "export.gpkg"),
        )
    st.caption("需要实时数据时,可在“我的账号”创建令牌,让 QGIS 通过 OGC API 直接读取。")


def _make(user: User, asked: tuple[Any, ...], write: Any) -> None:
    mine = state.of(user).elements
    mine.download = None
    with st.spinner("正在生成文件…"), tempfile.TemporaryDirectory(prefix="gridmap-export-") as folder:
        report: ExportReport | None = widgets.attempt(user, lambda: write(Path(folder)))
        if report is None:
            return
        mine.download = Download(
            asked,
            report.suggested_name,
            report.format.media_type,
            report.path.read_bytes(),
            (f"共 {sum(report.rows.values()):,} 个要素,数据截至第 {report.sequence} 次更新。", *report.notes),
        )


def _download(user: User, layer: Layer) -> None:
    """The file that was made last, as long as it is of this layer or of the whole district."""
    made = state.of(user).elements.download
    if made is None or made.asked[0] not in (layer.id, "district"):
        return
    with st.container(border=True, key="elements_download"):
        st.write(literal(f"文件已生成:{made.name}({size_words(len(made.content))})。{''.join(made.notes)}"))
        st.download_button(
            "下载文件",
            made.content,
            file_name=made.name,
            mime=made.media_type,
            type="primary",
            on_click="ignore",
            key="elements.export.download",
        )
