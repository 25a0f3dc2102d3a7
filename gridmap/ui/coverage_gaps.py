"""死角: uncovered pieces of grids, most people first; a click on one leads the map there."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from gridmap.domain.roles import Permission, User
from gridmap.services import coverage
from gridmap.services import district as districts
from gridmap.services.coverage import Report
from gridmap.services.questions import Question
from gridmap.ui import coverage_words as words
from gridmap.ui import gate, widgets
from gridmap.ui.coverage_map import place_table
from gridmap.ui.coverage_today import exports, vars_of
from gridmap.ui.coverage_work import Asked

_COLUMNS = ["名次", "网格", "人数", "面积", "最近站点", "最远居民"]
_MOST_ROWS = 200


def gaps_tab(user: User, asked: Asked, question: Question) -> None:
    """The ranked list, with its export."""
    with st.spinner("正在计算死角…"):
        report = widgets.attempt(
            user, lambda: coverage.report(districts.running(), user, question, gaps=True)
        )
    if report is None:
        return
    found = report.gaps or []
    inhabited = [one for one in found if one["is_hidden"] or (one["people"] or 0) > 0]
    _summary(report, found, len(inhabited))
    is_all = st.toggle(f"也列出无人居住的死角(共 {len(found) - len(inhabited)} 处)", key="coverage.gaps_all")
    shown = (found if is_all else inhabited)[:_MOST_ROWS]
    if not shown:
        widgets.empty(
            "没有有人居住的死角:阈值内人人可达。" if report.total.people else "没有需求人口,无法列出死角。"
        )
    else:
        place_table(
            _COLUMNS,
            [(_texts(one, report), one["lon"], one["lat"]) for one in shown],
            height=560,
            ranked=True,
        )
    rest = len(found if is_all else inhabited) - len(shown)
    st.caption(
        "点一行,地图移到该处并圈出最远居民的位置。人数为死角内未覆盖的居民;“最远居民”是其中离最近站点最远者的路程。"
        + (f"另有 {rest} 处未列出,见导出文件。" if rest > 0 else "")
    )
    if user.may(Permission.EXPORT):
        _layer(asked)
    exports(user, asked)


def _summary(report: Report, found: list[dict[str, Any]], inhabited: int) -> None:
    widgets.cards(
        {
            "有人居住的死角": f"{inhabited} 处",
            "未覆盖": words.people(report.total.uncovered, is_hidden=report.total.is_hidden)
            + f" {report.method['demand_unit']}",
            "死角面积": f"{sum(one['area_km2'] for one in found):,.1f} 平方公里",
        }
    )
    st.caption(words.provenance(vars_of(report), report.scenario["name"]))


def _texts(one: dict[str, Any], report: Report) -> list[str]:
    nearest = one["nearest"]
    return [
        str(one["rank"]),
        "\n".join(each for each in (one["grid_name"], one["grid_code"]) if each),
        words.people(one["people"], is_hidden=one["is_hidden"]),
        f"{one['area_km2']:.2f} km²",
        nearest["name"] if nearest else "—",
        words.cost(one["worst"], report.method["unit"]) if nearest else "不可达",
    ]


def _layer(asked: Asked) -> None:
    members = asked.members() | ({"scenario": asked.scenario.id} if asked.scenario else {}) | {"kind": "gaps"}
    address = f"{gate.base_path()}/api/coverage/shapes?{urlencode(members)}"
    st.html(
        f'<div class="gm-exports"><a class="gm-button" download="死角.geojson" href="{html.escape(address)}">死角图层(GeoJSON)</a></div>'
    )
