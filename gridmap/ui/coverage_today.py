"""现状: who is covered, in all, per grid, town and point; the card of one point; access; what is weak."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pandas
import streamlit as st

from gridmap.domain.roles import Permission, User
from gridmap.services import balance as balances
from gridmap.services import coverage
from gridmap.services import district as districts
from gridmap.services.coverage import GroupFigures, Report
from gridmap.services.questions import Question
from gridmap.ui import coverage_words as words
from gridmap.ui import gate, widgets
from gridmap.ui.coverage_cards import point_card
from gridmap.ui.coverage_chart import line_chart
from gridmap.ui.coverage_work import Asked, CoverageWork, Heard

_ROW_HEIGHT = 40
_TABLE_HEIGHT = 380
_EXPORTS = {"xlsx": "工作簿(XLSX)", "gpkg": "图形(GeoPackage)", "json": "可复算文件(JSON)"}


def today_tab(
    user: User, asked: Asked, question: Question, report: Report, work: CoverageWork, heard: Heard
) -> None:
    """Everything about the question as it stands, today or with the open scenario."""
    figures(report)
    point_card(question, report, work, heard)
    _tables(report)
    _access(report)
    _weak(user, question, report)
    exports(user, asked)


def figures(report: Report) -> None:
    """The headline figures with what a reader has to know about them."""
    total, unit = report.total, report.method["unit"]

    def count(value: float | None) -> str:
        return words.people(value, is_hidden=total.is_hidden)

    demand_unit = report.method["demand_unit"]
    widgets.cards(
        {
            "覆盖率": words.share(total.covered_share),
            f"已覆盖({demand_unit})": count(total.covered),
            f"未覆盖({demand_unit})": count(total.uncovered),
            f"总数({demand_unit})": count(total.people),
            f"1 处站点可达({demand_unit})": count(total.once),
            f"2 处及以上({demand_unit})": count(total.twice),
            "到最近站点(平均)": words.cost(total.mean, unit),
            "中位数": words.cost(total.median, unit),
            "95% 居民不超过": words.cost(total.p95, unit),
            "可达性基尼系数": "—"
            if report.access["e2sfca_gini"] is None
            else f"{report.access['e2sfca_gini']:.3f}",
        }
    )
    st.caption(words.provenance(vars_of(report), report.scenario["name"]))
    if report.warnings:
        st.warning("\n".join(f"- {one}" for one in report.warnings))


def vars_of(report: Report) -> dict[str, Any]:
    """What `coverage_words.provenance` needs of a report."""
    names = ("method", "data_time", "crs", "sequence", "is_masked", "is_simulated")
    return {name: getattr(report, name) for name in names}


def exports(user: User, asked: Asked) -> None:
    """Ways to take the answer away; each file says how it was made."""
    if not user.may(Permission.EXPORT):
        return
    members = asked.members() | ({"scenario": asked.scenario.id} if asked.scenario else {})
    links = [
        f'<a class="gm-button" download href="{html.escape(gate.base_path())}/api/coverage/export?'
        f'{html.escape(urlencode({**members, "format": name}))}">{title}</a>'
        for name, title in _EXPORTS.items()
    ]
    st.html(f'<div class="gm-exports"><span>导出</span>{"".join(links)}</div>')
    st.caption(
        "文件内含口径、阈值、坐标系、数据时间与序号;每次导出都会记录。图形文件含可达范围、责任区与死角图层。"
    )


def _tables(report: Report) -> None:
    st.subheader("分项", anchor=False)
    kinds = {"网格": report.groups, "街镇": report.towns, "站点": report.points}
    kind = st.segmented_control(
        "分项",
        list(kinds),
        default="网格",
        required=True,
        key="coverage.by_kind",
        label_visibility="collapsed",
    )
    if not kinds[kind]:
        widgets.empty("没有数据。请先导入相应图层。")
        return
    frame = points_frame(report) if kind == "站点" else groups_frame(kinds[kind], report)
    height = min(_TABLE_HEIGHT, _ROW_HEIGHT * (len(frame) + 1) + 3)
    st.dataframe(
        frame,
        hide_index=True,
        height=height,
        row_height=_ROW_HEIGHT,
        column_config=_columns(report),
        key=f"coverage.table.{kind}",
    )
    st.caption("点列标题排序。“不在网格内”等末行保证各行相加等于全区。")


def groups_frame(rows: Sequence[GroupFigures], report: Report) -> pandas.DataFrame:
    """Grids or towns as a table of numbers, so that it sorts by size."""
    return pandas.DataFrame(
        [
            {
                "名称": one.name,
                "编码": one.code or "",
                "总数": one.figures.people,
                "已覆盖": one.figures.covered,
                "未覆盖": one.figures.uncovered,
                "覆盖率": None if one.figures.covered_share is None else one.figures.covered_share * 100,
                "2处及以上": one.figures.twice,
                "平均": _in_unit(one.figures.mean, report),
                "95%": _in_unit(one.figures.p95, report),
                "每万人警力": one.figures.access,
            }
            for one in rows
        ]
    )


def points_frame(report: Report) -> pandas.DataFrame:
    """Points as a table of numbers."""
    return pandas.DataFrame(
        [
            {
                "名称": one.name,
                "编码": one.code or "",
                "状态": words.CHANGES.get(one.change or "", words.STATES[one.state]),
                "覆盖": one.within,
                "独自覆盖": one.unique,
                "责任人口": one.assigned,
                "每警负担": one.load_per_officer,
                "最近站点": one.nearest["name"] if one.nearest else "—",
                "相距": _in_unit(one.nearest["cost"], report) if one.nearest else None,
            }
            for one in report.points
        ]
    )


def _in_unit(value: float | None, report: Report) -> float | None:
    return None if value is None else value / 60 if report.method["unit"] == "s" else value


def _columns(report: Report) -> dict[str, Any]:
    number, unit = st.column_config.NumberColumn, "分钟" if report.method["unit"] == "s" else "米"
    digits = "%.1f" if unit == "分钟" else "%.0f"
    counts = ("总数", "已覆盖", "未覆盖", "2处及以上", "覆盖", "独自覆盖", "责任人口", "每警负担")
    return {
        **{name: number(name, format="localized") for name in counts},
        "覆盖率": number("覆盖率", format="%.1f%%"),
        "平均": number(f"平均({unit})", format=digits),
        "95%": number(f"95%({unit})", format=digits),
        "相距": number(f"相距({unit})", format=digits),
        "每万人警力": number("每万人警力", format="%.2f"),
    }


def _access(report: Report) -> None:
    access = report.access
    with st.expander("可达性是否公平(2SFCA、E2SFCA)"):
        if access["e2sfca_mean"] is None:
            widgets.empty("没有需求人口,无法计算。")
            return
        widgets.cards(
            {
                f"2SFCA 平均(每 {access['per']:,} 人警力)": f"{access['two_step_mean']:.2f}",
                "2SFCA 基尼系数": f"{access['two_step_gini']:.3f}",
                f"E2SFCA 平均(每 {access['per']:,} 人警力)": f"{access['e2sfca_mean']:.2f}",
                "E2SFCA 基尼系数": f"{access['e2sfca_gini']:.3f}",
            }
        )
        percents = [(0.0, "0"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (1.0, "100%")]
        st.html(
            line_chart(
                [(x, y) for x, y in access["lorenz"]],
                title="洛伦兹曲线:人口累计占比与警力可达性累计占比",
                x_title="人口累计占比(由最难到最易)",
                y_title="可达性累计占比",
                x_labels=percents,
                y_labels=percents,
                diagonal=True,
            )  # fmt: skip
        )
        bands = ";".join(
            f"≤ {words.cost(upper, report.method['unit'])} 权重 {weight:g}"
            for upper, weight in access["bands"]
        )
        st.caption(
            f"供给为各站点警力数。2SFCA 在阈值内等权;E2SFCA 分段衰减:{bands}。曲线越贴近虚线越公平,基尼系数 0 为完全公平。"
        )


def _weak(user: User, question: Question, report: Report) -> None:
    unit = report.method["unit"]
    with st.expander("哪个站点最不能少、责任区是否均衡"):
        if not report.points:
            widgets.empty("没有站点。")
            return
        if not st.toggle("逐个关闭站点,看失去多少覆盖", key="coverage.closures"):
            st.caption("逐站推算与责任区均衡需要几秒。")
            return
        found = widgets.attempt(
            user, lambda: coverage.resilience(districts.running(), user, question, pairs=True)
        )
        if found is None:
            return
        widgets.table(
            ["关闭的站点", "失去覆盖", "完全到不了", "关闭后平均"],
            [
                (one["name"] or one["code"], words.people(one["lost"], is_hidden=one["is_hidden"]),
                 words.people(one["cut_off"], is_hidden=one["is_hidden"]), words.cost(one["mean"], unit))
                for one in found["closures"]
            ],
            empty="没有开放的站点。", height=300,
        )  # fmt: skip
        widgets.table(
            ["同时关闭的两处", "失去覆盖"],
            [("、".join(each["name"] for each in one["points"]), words.people(one["lost"], is_hidden=True)) for one in found["pairs"][:20]],
            empty="不足两处站点。", height=260,
        )  # fmt: skip
        _balance(user, question, unit)


def _balance(user: User, question: Question, unit: str) -> None:
    if not st.toggle("按负荷均衡重划责任区,与现状比较", key="coverage.balance"):
        return
    with st.spinner("正在重划…"):
        found = widgets.attempt(user, lambda: balances.balance(districts.running(), user, question))
    if found is None:
        return
    widgets.table(
        ["指标", "现状", "均衡后"],
        [
            ("最大负荷 / 平均负荷", f"{found['ratio_today']:.2f}", f"{found['ratio']:.2f}"),
            ("平均路程", words.cost(found["mean_today"], unit), words.cost(found["mean"], unit)),
            ("改归其他站点", "—", f"{found['grids_moved']} 个网格,{words.people(found['people_moved'])} 人"),
        ],
        empty="",
    )
    st.caption("责任区由整格拼成、各自连片;容差 20%。均衡的代价是平均路程变长。")
