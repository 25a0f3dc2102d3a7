"""两套网格对照: which grids of one system share ground and people with which grids of another."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import access
from gridmap.services import district as districts
from gridmap.services.correspondence import Correspondence, Match
from gridmap.services.district import District
from gridmap.ui import cached, grid_layers, widgets

# A grid that has all but this share of its ground in one other grid counts as lying in it.
_SLIP = 0.001


def systems_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    layers = _layers(district, user)
    if len(layers) < 2:
        widgets.empty("对照需要两套网格(例如警务网格和治理网格),现在只有一套或没有。")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = grid_layers.choose(layers, "grids.first", label="网格")
        rest = {key: one for key, one in layers.items() if key != first.id}
        second = grid_layers.choose(
            rest, f"grids.second.{first.id}", label="对照网格", first="governance_grid"
        )
        only_crossing = st.toggle("只看跨界的", key="grids.crossing")
    with st.spinner("正在对照…"):
        found = cached.correspondence(district, user, first.id, second.id)
    _figures(found, first, second)
    _table(found, first, second, only_crossing=only_crossing)


def _layers(district: District, user: User) -> dict[str, Layer]:
    return {
        one.id: one
        for one in access.visible_layers(district, user)
        if one.is_grid and len(district.frames.frame(one.id).living)
    }


def crosses(match: Match) -> bool:
    """Whether neither of the two grids lies in the other."""
    return max(match.first_share, match.second_share) < 1 - _SLIP


def _figures(found: Correspondence, first: Layer, second: Layer) -> None:
    widgets.cards(
        {
            f"{first.title} × {second.title}": f"{len(found.matches):,} 组",
            "跨界": f"{sum(map(crosses, found.matches)):,} 组",
            "人口": "无权查看" if found.people is None else f"{found.people:,} 人",
            "不在任一网格的人口": "无权查看"
            if found.unmatched_people is None
            else f"{found.unmatched_people:,} 人",
        }
    )
    st.caption(
        f"按面积({found.crs})和居住区人口对照;不足 1 平方米的共有部分不列出。"
        f"数据截至第 {found.sequence} 次更新。"
    )


def _table(found: Correspondence, first: Layer, second: Layer, *, only_crossing: bool) -> None:
    columns = [
        f"{first.title}编码", f"{first.title}名称", f"{second.title}编码", f"{second.title}名称",
        "共有面积(平方公里)", f"占{first.title}", f"占{second.title}", "人口",
    ]  # fmt: skip
    rows = [
        (
            one.first_code, one.first_name, one.second_code, one.second_name, f"{one.area_m2 / 1e6:,.4f}",
            f"{one.first_share:.1%}", f"{one.second_share:.1%}", "—" if one.people is None else one.people,
        )
        for one in found.matches
        if crosses(one) or not only_crossing
    ]  # fmt: skip
    shown = widgets.page_of(rows, size=200, key="grids.systems_page")
    widgets.table(
        columns, shown, empty="没有跨界的网格。" if only_crossing else "两套网格没有共有的范围。", height=520
    )
    widgets.csv_button(columns, rows, name=f"网格对照_{first.title}_{second.title}", key="grids.systems_csv")
