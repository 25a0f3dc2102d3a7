"""督导提醒: this month's prompts, a quarter's spot check, a year's summary."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gridmap.domain.freshness import day_of, quarter_of
from gridmap.domain.roles import User
from gridmap.services import district as districts
from gridmap.services import freshness
from gridmap.services.district import District
from gridmap.services.freshness import Due, SpotCheck, YearRow
from gridmap.ui import gate, widgets
from gridmap.ui.links import to_map
from gridmap.ui.words import time_words

_GRID_LAYER = "police_grid"
_WAYS = {"size": "全区共抽", "per_grid": "每个网格各抽"}
_SUMMARIES = {"by_actor": "按人员", "by_layer": "按图层", "by_grid": "按网格"}


def reminders_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    with st.container(border=True, key="freshness_month"):
        _month(district, user)
    with st.container(border=True, key="freshness_quarter"):
        _quarter(district, user)
    with st.container(border=True, key="freshness_year"):
        _year(district, user)


def _month(district: District, user: User) -> None:
    today = day_of(district.clock())
    st.subheader(f"月督促({today.year} 年 {today.month} 月)", anchor=False)
    with st.spinner("正在统计…"):
        prompts = freshness.monthly_prompts(district, user, grid_layer=_GRID_LAYER)
    columns = ["责任民警", "已逾期", "从未核实", "本月内到期", "提醒内容"]
    rows = [(one.officer, one.overdue, one.never, one.due, one.text) for one in prompts]
    widgets.table(columns, rows, empty="本月没有需要督促核实的要素。", height=320)
    name = f"月督促_{today:%Y%m}"
    widgets.csv_button(columns, rows, name=name, key="freshness.month_csv", label="导出督促单(CSV)")


# --- a quarter -----------------------------------------------------------------------------------------------


def _quarter(district: District, user: User) -> None:
    st.subheader("季抽查", anchor=False)
    today = day_of(district.clock())
    watched = {one.id: one.title for one in freshness.watched_layers(district, user)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        year = st.number_input(
            "年份",
            min_value=2020,
            max_value=today.year + 1,
            value=today.year,
            width=150,
            key="freshness.spot_year",
        )
        quarter = st.selectbox(
            "季度", [1, 2, 3, 4], index=quarter_of(today) - 1, format_func=lambda one: f"第 {one} 季度",
            width=150, key="freshness.spot_quarter",
        )  # fmt: skip
        way = st.selectbox(
            "抽取方式", list(_WAYS), format_func=_WAYS.__getitem__, width=170, key="freshness.spot_way"
        )
        count = st.number_input(
            "抽查数量", min_value=1, max_value=1_000, value=20 if way == "size" else 1, width=150,
            key=f"freshness.spot_count.{way}",
        )  # fmt: skip
        layers = st.multiselect(
            "图层", list(watched), format_func=watched.__getitem__, placeholder="全部", width=260,
            key="freshness.spot_layers",
        )  # fmt: skip
        seed = st.text_input("抽签词(可不填)", max_chars=40, width=170, key="freshness.spot_seed").strip()
    found = widgets.attempt(
        user,
        lambda: freshness.spot_check(
            district, user, year=int(year), quarter=quarter, layers=layers, seed=seed, grid_layer=_GRID_LAYER,
            **({"size": int(count)} if way == "size" else {"per_grid": int(count)}),
        ),
    )  # fmt: skip
    if found is not None:
        _drawn(found, watched)


def _drawn(found: SpotCheck, watched: dict[str, str]) -> None:
    st.caption(
        f"从 {found.population:,} 个要素中随机抽取 {len(found.items):,} 个。"
        "同样的年份、季度和抽签词总是抽出同样的名单,可以复核;换一个抽签词即重新抽签。"
    )
    columns = ["图层", "编码", "名称", "网格", "责任民警", "应核实于"]
    rows = [_spot_row(one) for one in found.items]
    links = [
        to_map(gate.base_path(), one.place, layer=one.layer, element=one.element_id) for one in found.items
    ]
    widgets.table(columns, rows, empty="没有可抽查的要素。", height=420, links=links)
    name = f"季抽查_{found.year}年第{found.quarter}季度"
    widgets.csv_button(columns, rows, name=name, key="freshness.spot_csv", label="导出抽查单(CSV)")


def _spot_row(one: Due) -> tuple[str, ...]:
    due = "从未核实" if one.due_at is None else time_words(one.due_at)[:10]
    return one.layer_title, one.code or "—", one.name or "—", one.grid_code or "—", one.officer, due


# --- a year --------------------------------------------------------------------------------------------------


def _year(district: District, user: User) -> None:
    st.subheader("年度小结", anchor=False)
    today = day_of(district.clock())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        year = st.number_input(
            "年份", min_value=2020, max_value=today.year, value=today.year, width=150, key="freshness.year"
        )
        side = st.segmented_control(
            "汇总方式", list(_SUMMARIES), default="by_actor", required=True, format_func=_SUMMARIES.__getitem__,
            label_visibility="collapsed", key="freshness.year_side",
        )  # fmt: skip
    with st.spinner("正在统计…"):
        found = freshness.yearly(district, user, int(year), grid_layer=_GRID_LAYER)
    widgets.cards(
        {
            "核实要素": f"{found.total.elements_verified:,} 个",
            "核实": f"{found.total.verified:,} 次",
            "新增": f"{found.total.created:,} 次",
            "修改": f"{found.total.updated:,} 次",
            "删除 / 恢复": f"{found.total.deleted:,} / {found.total.restored:,} 次",
        }
    )
    groups: Sequence[YearRow] = getattr(found, side)
    columns = [_SUMMARIES[side].removeprefix("按"), "核实要素", "核实", "新增", "修改", "删除", "恢复"]
    rows = [
        (one.title, one.elements_verified, one.verified, one.created, one.updated, one.deleted, one.restored)
        for one in groups
    ]
    widgets.table(columns, rows, empty=f"{int(year)} 年没有维护记录。", height=360)
    widgets.csv_button(
        columns, rows, name=f"年度小结_{int(year)}_{_SUMMARIES[side]}", key="freshness.year_csv"
    )
