"""The first step of an import: the file, and how it is read."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.exchange.formats import READABLE
from gridmap.services.district import District
from gridmap.ui import element_upload as upload
from gridmap.ui import state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import ImportWork, Reading
from gridmap.ui.import_receipt import undo_earlier
from gridmap.ui.import_steps import again, go


def choose_file(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    """Ask for the file and show what was read of it."""
    if work.upload is None:
        _ask_for_file(district, user, layer, work)
        return
    key = f"elements.import.{state.of(user).elements.imports_begun}"
    if work.fault:
        st.error(literal(work.fault))
    _ask_how_to_read(district, work, key)
    if work.table is not None:
        _look_at_file(work)
    with st.container(horizontal=True):
        if st.button("下一步", type="primary", disabled=work.table is None, key="elements.import.to_meaning"):
            go(work, 2)
        if st.button("换一个文件", key="elements.import.other_file"):
            again(user, layer)


def _ask_for_file(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    settings = district.settings
    sent = st.file_uploader(
        f"选择要导入到“{layer.title}”的文件",
        max_upload_size=settings.max_upload_mb,
        key=f"elements.import.file.{layer.id}.{state.of(user).elements.imports_begun}",
    )
    st.caption(
        f"可导入 {READABLE},最大 {settings.max_upload_mb} MB、{settings.max_import_rows:,} 行。"
        "Shapefile 请把同名的 .shp、.shx、.dbf、.prj 打包成 zip。文件只在导入期间保存在服务器上;"
        "请勿上传含有身份证号、手机号等个人信息的文件。"
    )
    if sent is not None:
        with st.spinner("正在读取文件…"):
            upload.take(district, work, sent.name, sent.getvalue())
        st.rerun()
    undo_earlier(district, user, layer)


def _ask_how_to_read(district: District, work: ImportWork, key: str) -> None:
    now = work.reading
    wanted = now
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(work.parts) > 1:
            part = st.selectbox(
                "文件中有多个图层或工作表,请选择",
                work.parts,
                index=work.parts.index(now.layer_name) if now.layer_name in work.parts else None,
                placeholder="请选择",
                width=320,
                key=f"{key}.part",
            )
            wanted = replace(wanted, layer_name=part)
        if upload.has_encoding(work):
            codes = list(upload.ENCODINGS)
            encoding = st.selectbox(
                "文字编码",
                codes,
                index=codes.index(now.encoding),
                format_func=upload.ENCODINGS.__getitem__,
                width=200,
                key=f"{key}.encoding",
            )
            wanted = replace(wanted, encoding=encoding)
        wanted = _ask_for_place(work, wanted, key)
    if wanted != now:
        with st.spinner("正在读取文件…"):
            upload.read(district, work, wanted)
        st.rerun()


def _ask_for_place(work: ImportWork, wanted: Reading, key: str) -> Reading:
    """The coordinate columns of a plain table, where its headings do not tell."""
    if work.table is None or not upload.may_choose_place(work):
        return wanted
    names = upload.place_choices(work)

    def column(title: str, present: str | None, which: str) -> str | None:
        return st.selectbox(
            title,
            names,
            index=names.index(present) if present in names else None,
            placeholder="自动识别",
            # a column that was taken for a coordinate by itself is not among the names: it can be typed
            accept_new_options=True,
            width=210,
            key=f"{key}.{which}",
        )

    lon = column("经度(或东坐标)列", wanted.lon_column, "lon")
    lat = column("纬度(或北坐标)列", wanted.lat_column, "lat")
    return upload.with_place(wanted, lon, lat)


def _look_at_file(work: ImportWork) -> None:
    assert work.upload is not None
    assert work.table is not None
    widgets.cards(upload.facts(work.upload, work.table))
    for note in work.table.notes:
        st.info(literal(note))
    headings, first = upload.first_rows(work.table)
    st.subheader("前几行", anchor=False)
    widgets.table(headings, first, empty="文件里没有数据行。", height=330)
