"""Charts of the overview: areas ranked by one figure, and a few lines through the last weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import altair as alt
import streamlit as st

from gridmap.domain.freshness import CHINA
from gridmap.domain.roles import User
from gridmap.services.figures import Column, Form, Ranking, Trend
from gridmap.ui import state

_MOST = 12
_WORST = 3
_BLUE, _RED, _INK, _SOFT = "#1f4e9d", "#a3161b", "#0a0f1a", "#4a5361"
_FONT = "Microsoft YaHei, PingFang SC, Noto Sans CJK SC, Noto Sans SC, sans-serif"
_KEY = "overview.ranking"


def ranking(user: User, found: Ranking, column: Column) -> None:
    """Bars of the areas, the worst first; a click on one opens its card."""
    # among equals those first where more people are out of reach
    by_gap = replace(found, rows=tuple(found.ordered("gap_people")))
    rows = by_gap.ordered(column.key)[:_MOST]
    order = {0: "高者在前", 1: "低者在前", -1: "高者在前"}[column.good]
    st.html(f'<h2 class="gm-chart-title">{found.title}排名:{column.title}<small>{order}</small></h2>')
    if all(one.values[column.key] is None for one in rows):
        words = (
            "数量较小,已隐去。" if any(column.key in one.hidden for one in rows) else "这个指标还没有数据。"
        )
        st.html(f'<p class="gm-empty">{words}</p>')
        return
    values = [
        {
            "code": one.code,
            "name": one.name or one.code,
            "value": one.values[column.key],
            "text": one.text(column),
            "worst": at < _WORST and column.good != 0,
        }
        for at, one in enumerate(rows)
    ]

    def chosen() -> None:
        picked: Any = state.answer(_KEY).selection.get("area") or []
        if picked:
            state.of(user).show.area = (found.layer, str(picked[0]["code"]))

    hidden = sum(column.key in one.hidden for one in found.rows)
    if hidden:
        st.html(f'<p class="gm-chart-note">另有 {hidden} 个{found.title}的数字已隐去,未参与排名。</p>')
    chart = _bars(values, column)
    st.altair_chart(chart, theme=None, height="stretch", on_select=chosen, selection_mode="area", key=_KEY)


def _bars(values: Sequence[dict[str, Any]], column: Column) -> alt.Chart:
    area = alt.selection_point(name="area", fields=["code"])
    base = alt.Chart(alt.Data(values=list(values))).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=190, ticks=False, domain=False))
    )
    top = max((one["value"] or 0 for one in values), default=0)
    scale = alt.Scale(domain=[0, (1.12 if column.form is Form.SHARE else top * 1.12) or 1])
    bars = base.mark_bar(cursor="pointer", cornerRadiusEnd=3).encode(
        x=alt.X("value:Q", scale=scale, axis=None),
        color=alt.condition("datum.worst", alt.value(_RED), alt.value(_BLUE)),
        tooltip=[alt.Tooltip("name:N", title="名称"), alt.Tooltip("text:N", title=column.title)],
    )
    words = base.mark_text(align="left", dx=6, fontSize=15, fontWeight=600, color=_INK, clip=False).encode(
        x=alt.X("value:Q", scale=scale, axis=None), text="text:N"
    )
    return _plain((bars.add_params(area) + words).properties(width="container"))


def trends(found: Sequence[Trend]) -> None:
    """The lines side by side, each with its last value."""
    with st.container(key="overview_trends"):
        for column, one in zip(st.columns(len(found)), found, strict=True):
            with column:
                st.html(f'<h2 class="gm-chart-title">{one.title}<small>{one.unit}</small></h2>')
                if not one.is_line:
                    st.html('<p class="gm-empty">数据不足两周,暂无趋势。</p>')
                else:
                    st.altair_chart(_line(one), theme=None, height="stretch", key=f"overview.trend.{one.key}")


def _line(one: Trend) -> alt.Chart:
    values = [
        {
            "day": f"{at.astimezone(CHINA):%m-%d}",
            "value": value,
            "text": "" if value is None else f"{value:,.0f}",
        }
        for at, value in one.points
    ]
    known = [row for row in values if row["value"] is not None]
    top = max(float(row["value"]) for row in known)
    days = [row["day"] for row in values]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "day:N", sort=None, title=None,
            axis=alt.Axis(labelAngle=0, values=[days[0], days[-1]], ticks=False, labelPadding=8),
        ),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, max(top * 1.25, 4)]), axis=alt.Axis(tickCount=2, domain=False, format=",.0f")),
    )  # fmt: skip
    line = base.mark_line(color=_BLUE, strokeWidth=3, point=alt.OverlayMarkDef(color=_BLUE, size=30))
    line = line.encode(tooltip=[alt.Tooltip("day:N", title="截至"), alt.Tooltip("text:N", title=one.title)])
    last = alt.Chart(alt.Data(values=known[-1:])).encode(
        x=alt.X("day:N", sort=days), y="value:Q", text="text:N"
    )
    words = last.mark_text(dy=-16, dx=-6, fontSize=16, fontWeight=700, color=_INK)
    return _plain((line + words).properties(width="container"))


def _plain(chart: Any) -> Any:
    return (
        # with its axes and words inside the room that the page gives it
        chart.properties(autosize=alt.AutoSizeParams(type="fit", contains="padding"))
        .configure(font=_FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=14, labelColor=_INK, gridColor="#dbe2ec", domainColor="#98a2b3")
    )
