"""The overview's screen: headline figures, the shaded map, and beside it the ranking and trends or one area's card."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import district as districts
from gridmap.services import figures, overview
from gridmap.services.figures import Column, Figure, Form, GradeRow, Ranking
from gridmap.services.overview import Overview
from gridmap.services.problems import chinese
from gridmap.services.standing import GRID, TOWN
from gridmap.ui import overview_card, overview_charts, scenes, state, widgets

_MODE = "overview"
_LEVELS = {TOWN: "街镇", GRID: "网格"}
# One blue from pale to dark: more of what is wrong is darker, whichever way the figure counts.
SHADES = ("#e4edf8", "#b9d0ec", "#82abdb", "#4a80c0", "#1f4e9d")
_HIDDEN_SHADE = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the screen is asked to show."""

    period: PeriodKind
    level: str
    column: Column


def board(user: User) -> None:
    """The whole screen."""
    mine = state.of(user).show
    asked = _controls(user)
    try:
        with st.container(key="overview_wait"), st.spinner("正在汇总全区数据…"):
            whole = overview.overview(districts.running(), user, period=asked.period)
    except GridmapError as error:
        st.error(chinese(error))
        return
    if not whole.towns.rows and not whole.grids.rows:
        widgets.empty("还没有街镇或网格,无法统计。请联系网格管理员或系统管理员导入辖区数据。")
        return
    st.html(figures_html(whole))
    ranking = whole.towns if asked.level == TOWN else whole.grids
    chart, side = st.columns([11, 9], gap="small")
    with chart, st.container(key="overview_map"):
        said = scenes.show(_MODE, _scene(whole, ranking, asked, mine.area), heard=mine.heard)
    if said is not None and said.get("kind") == "area":
        mine.area = (str(said["layer"]), str(said["code"]))
        st.rerun()
    with side, st.container(key="overview_side"):
        if mine.area is None:
            with st.container(key="overview_ranking"):
                overview_charts.ranking(user, ranking, asked.column)
            overview_charts.trends(whole.trends)
        else:
            overview_card.panel(user, *mine.area, period=asked.period)
    st.html(f'<p class="gm-stamp">{html.escape(whole.stamp.text)}</p>')


# --- what is asked for ---------------------------------------------------------------------------------------


def _controls(user: User) -> Asked:
    with st.container(key="overview_controls", horizontal=True, vertical_alignment="center"):
        st.title("网格总览", anchor=False, width="content")
        kind = st.segmented_control(
            "期间", list(PeriodKind), default=PeriodKind.MONTH, format_func=lambda one: one.title,
            label_visibility="collapsed", key="overview.period", required=True,
        )  # fmt: skip
        level = st.segmented_control(
            "分区", list(_LEVELS), default=TOWN, format_func=_LEVELS.__getitem__,
            label_visibility="collapsed", key="overview.level", required=True,
        )  # fmt: skip
        column = st.selectbox(
            "着色与排名指标", figures.COLUMNS, index=1, format_func=lambda one: one.title,
            label_visibility="collapsed", key="overview.column", width=170,
        )  # fmt: skip
        st.html(
            '<button type="button" class="gm-button" data-gridmap-fullscreen aria-pressed="false">全屏(F)</button>',
            width="content",
        )
    return Asked(kind or PeriodKind.MONTH, level or TOWN, column)


# --- headline figures ------------------------------------------------------------------------------------------


def figures_html(whole: Overview) -> str:
    """The headline figures as tiles; open risks come with their grades."""
    tiles = "".join(_tile(one, whole.period.kind, whole.grades) for one in whole.figures)
    return f'<section class="gm-tiles" aria-label="主要指标">{tiles}</section>'


def _tile(one: Figure, period: PeriodKind, grades: Sequence[GradeRow]) -> str:
    unit = f"<small>{html.escape(one.unit)}</small>" if one.value is not None else ""
    below = _grades(grades) if one.key == "open_risks" else _change(one, period)
    note = f' title="{html.escape(one.note)}"' if one.note else ""
    return (
        f'<div class="gm-tile" data-figure="{one.key}"{note}><span>{html.escape(one.title)}</span>'
        f"<b>{html.escape(one.text)}{unit}</b>{below}</div>"
    )


def _change(one: Figure, period: PeriodKind) -> str:
    if one.is_hidden:
        return "<em>数量较小,已隐去</em>"
    if one.value is None:
        return f"<em>{'尚无登记数' if one.key == 'mapped_share' else '暂无数据'}</em>"
    if not one.change_text:
        return "<em>暂无往期可比</em>"
    look = {True: "gm-better", False: "gm-worse", None: ""}[one.is_better]
    arrow = "" if not one.change else "▲ " if one.change > 0 else "▼ "
    return f'<em class="{look}">{arrow}{html.escape(one.change_text)}<i> {one.since(period)}</i></em>'


def _grades(grades: Sequence[GradeRow]) -> str:
    if grades and all(one.open is None for one in grades):
        return "<em>数量较小,已隐去</em>"
    parts = "".join(
        f'<i class="gm-grade" style="--grade: {widgets.deep(one.color)}" title="{html.escape(one.title)}">'
        f"{html.escape(one.title[:1])}{'*' if one.open is None else one.open}</i>"
        for one in grades
    )
    return f'<em class="gm-grades">{parts}</em>'


# --- the map --------------------------------------------------------------------------------------------------------


def _scene(whole: Overview, ranking: Ranking, asked: Asked, area: tuple[str, str] | None) -> dict[str, Any]:
    column = asked.column
    known = sorted(value for one in ranking.rows if (value := one.values[column.key]) is not None)
    edges = _edges(known)
    areas = [
        {
            "code": one.code,
            "name": one.name or one.code,
            "text": one.text(column) + (column.unit if one.values[column.key] is not None else ""),
            "color": _shade(one.values[column.key], edges, column),
        }
        for one in ranking.rows
    ]
    return {
        "key": f"{whole.stamp.sequence}.{asked.level}.{column.key}.{asked.period.value}",
        "layer": ranking.layer,
        "title": column.title + (f"({column.unit})" if column.unit else ""),
        "meaning": "颜色越深越需关注" if column.good else "颜色越深数量越多",
        "areas": areas,
        "legend": _legend(known, edges, column, any(column.key in one.hidden for one in ranking.rows)),
        "chosen": None if area is None else {"layer": area[0], "code": area[1]},
    }


def _edges(known: Sequence[float]) -> list[float]:
    """Upper values of all classes but the last: about as many areas in each, equal values together."""
    count = len(SHADES)
    # the least value begins the first class: as an edge it would leave that class empty
    found = {known[len(known) * at // count] for at in range(1, count)} - {known[0]} if known else set()
    return sorted(found)


def _class_of(value: float, edges: Sequence[float]) -> int:
    return sum(value >= edge for edge in edges)


def _shade_of(number: int, count: int, column: Column) -> str:
    """The shade of class `number` of `count`, darkest for the worst."""
    position = number if column.good <= 0 else count - 1 - number
    return SHADES[round(position * (len(SHADES) - 1) / max(1, count - 1))]


def _shade(value: float | None, edges: Sequence[float], column: Column) -> str:
    if value is None:
        return _HIDDEN_SHADE
    return _shade_of(_class_of(value, edges), len(edges) + 1, column)


def _legend(
    known: Sequence[float], edges: Sequence[float], column: Column, is_any_hidden: bool
) -> list[dict[str, str]]:
    found = []
    for number in range(len(edges) + 1):
        inside = [one for one in known if _class_of(one, edges) == number]
        if not inside:
            continue
        low, high = (_words(one, column) for one in (inside[0], inside[-1]))
        words = low if low == high else f"{low} – {high}"
        found.append({"color": _shade_of(number, len(edges) + 1, column), "text": words})
    if is_any_hidden:
        found.append({"color": "#ffffff", "text": "数量较小,已隐去"})
    return found


def _words(value: float, column: Column) -> str:
    if column.form is Form.SHARE:
        return f"{value:.0%}"
    return f"{value:,.0f}"
