"""Asking which datum coordinates are in, with what each name means; nothing is taken for granted."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.crs import BD09, CGCS2000, GCJ02, WGS84, parse_datum
from gridmap.errors import InvalidInput
from gridmap.services.problems import chinese

_OTHER = "other"
_TITLES = {
    str(WGS84): "WGS 84",
    str(CGCS2000): "CGCS2000(2000国家大地坐标系)",
    str(GCJ02): "GCJ-02(火星坐标)",
    str(BD09): "BD-09(百度坐标)",
    _OTHER: "其他(EPSG 编号)",
}
_CAPTIONS = {
    str(WGS84): "GPS、手机和执法终端的原始定位,OpenStreetMap,本平台导出的文件",
    str(CGCS2000): "测绘、规划部门和天地图的经纬度数据",
    str(GCJ02): "高德、腾讯地图和 DataV 的坐标,与实地相差约 500 米",
    str(BD09): "百度地图的坐标,与实地相差约 1 公里",
    _OTHER: "测绘成果的平面坐标(米)等,例如 EPSG:4549",
}


def ask(label: str, present: str, key: str) -> str:
    """The datum that a person chooses, as `parse_datum` reads it; "" while none is chosen."""
    options = list(_TITLES)
    is_other = bool(present) and present not in _TITLES
    index = options.index(_OTHER if is_other else present) if present else None
    picked = st.radio(
        label,
        options,
        index=index,
        format_func=_TITLES.__getitem__,
        captions=[_CAPTIONS[one] for one in options],
        key=key,
    )
    return _epsg(present if is_other else "", key) if picked == _OTHER else picked or ""


def choose(label: str, key: str) -> str:
    """The datum for a file that leaves the house: WGS 84 unless a person chooses another."""
    picked = st.selectbox(label, list(_TITLES), format_func=_TITLES.__getitem__, width=270, key=key)
    return _epsg("", key) if picked == _OTHER else picked


def _epsg(present: str, key: str) -> str:
    text = st.text_input(
        "EPSG 编号", value=present, placeholder="例如 EPSG:4549", max_chars=40, width=270, key=f"{key}.epsg"
    ).strip()
    if not text:
        return ""
    try:
        datum = parse_datum(text)
    except InvalidInput as error:
        st.error(chinese(error))
        return ""
    st.caption(datum.title)
    return str(datum)
