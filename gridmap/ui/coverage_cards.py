"""一站一卡: what one linkage point carries, beside its reach and responsibility area on the map."""

from __future__ import annotations

import html

import streamlit as st

from gridmap.services.coverage import PointFigures, Report
from gridmap.services.questions import Question
from gridmap.ui import coverage_words as words
from gridmap.ui import gate, links, widgets
from gridmap.ui.coverage_work import CoverageWork, Heard


def point_card(question: Question, report: Report, work: CoverageWork, heard: Heard) -> None:
    """The card of the point that is chosen here or on the map."""
    st.subheader("一站一卡", anchor=False)
    if not report.points:
        widgets.empty("没有站点。可以切换到“推演”,在地图上放置站点看效果。")
        return
    by_id = {one.id: one for one in report.points}
    if heard.picked not in (0, work.picked):
        work.picked = heard.picked
        if heard.point in by_id:
            work.point = heard.point
            work.picks += 1
    ids = ["", *by_id]
    index = ids.index(work.point) if work.point in by_id else 0
    work.point = st.selectbox(
        "站点", ids, index=index, key=f"coverage.point.{work.picks}", label_visibility="collapsed",
        format_func=lambda one: label_of(by_id[one]) if one else "选择站点,或点地图上的站点",
    ) or None  # fmt: skip
    if work.point is not None:
        _card(question, report, by_id[work.point])


def label_of(one: PointFigures) -> str:
    """How a person knows a point."""
    return " ".join(each for each in (one.code, one.name) if each)


def _card(question: Question, report: Report, one: PointFigures) -> None:
    unit, demand_unit = report.method["unit"], report.method["demand_unit"]

    def count(value: float | None) -> str:
        return words.people(value, is_hidden=one.is_hidden)

    def other(found: dict[str, object] | None) -> str:
        return f"{found['name']}({words.cost(float(str(found['cost'])), unit)})" if found else "不可达"

    with st.container(border=True, key="coverage_card"):
        st.html(f'<h4 class="gm-card-title">{html.escape(label_of(one))}</h4>')
        facts = {
            "状态": words.CHANGES.get(one.change or "", words.STATES[one.state]),
            "开放时间": words.HOURS.get(one.opening_hours or "", "—"),
            "警力": f"{one.officers:g} 人" if one.officers is not None else "少于 5 人",
            "出警准备": f"{one.readiness_minutes:g} 分钟",
            f"阈值内({demand_unit})": count(one.within),
            f"独自覆盖({demand_unit})": count(one.unique),
            f"责任区内({demand_unit})": count(one.assigned),
            "每警负担": count(one.load_per_officer),
            "最近的其他站点": other(one.nearest),
            "第二近的站点": other(one.second),
        }
        if one.address:
            facts["地址"] = one.address
        if one.services:
            facts["服务内容"] = one.services
        widgets.cards(facts)
        st.caption(
            "“独自覆盖”即关闭该站点会失去的覆盖。地图上为分级可达范围(深浅与线型区分)与责任区(紫色点划线)。"
        )
        if one.change != "added":
            widgets.map_button(
                links.to_map(gate.base_path(), (one.lon, one.lat), layer=question.points, element=one.id),
                "在一张图上看",
            )
