"""The third step of an import: what storing the file would do, and whether to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from gridmap.domain.elements import Source
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import columns, imports
from gridmap.services.district import District
from gridmap.services.imports import Action, Mode
from gridmap.services.problems import chinese
from gridmap.ui import widgets
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import ImportWork
from gridmap.ui.import_job import follow_job, is_large, start_job
from gridmap.ui.import_steps import go

_MOST_SHOWN = 300
_ALWAYS = (Action.NEW, Action.CHANGED, Action.UNCHANGED, Action.REFUSED)
_RULES = {
    "required": "必填", "type": "类型", "choices": "可选值", "pattern": "格式", "minimum": "最小值", "maximum": "最大值",
    "max_length": "长度", "characters": "字符", "privacy": "个人信息", "unreadable": "无法读取", "duplicate": "文件内重复",
    "repeated": "文件内重复", "taken": "编码已用", "retired": "已停用", "other_layer": "其他图层", "stale": "版本过期",
    "area": "责任区", "overlap": "重叠", "outside_parent": "超出范围", "grid_code": "网格编码",
    "near_duplicate": "疑似重复", "missing": "缺少图形", "empty": "空图形", "wrong_type": "图形类型",
    "not_finite": "坐标", "out_of_range": "坐标范围", "too_many_vertices": "顶点过多", "no_length": "长度为零",
    "no_area": "面积为零", "invalid": "图形无效",
}  # fmt: skip


def dry_run(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    """Show what each row would do, and store it when the user says so."""
    if work.report is None and work.job is not None:
        follow_job(user, layer)
        return
    if work.report is None and not _make_plan(district, user, layer, work):
        _step_back(work)
        return
    report = work.report
    assert report is not None
    _report(layer, work, report)
    _meant_values(district, layer, work, report)
    _decide(district, user, layer, work, report)


def _step_back(work: ImportWork) -> None:
    if st.button("返回修改", key="elements.import.back_to_meaning"):
        work.forget_plan()
        go(work, 2)


def _make_plan(district: District, user: User, layer: Layer, work: ImportWork) -> bool:
    """Start or make the dry run; False when that was refused."""
    assert work.table is not None
    assert work.upload is not None
    if is_large(work):
        start_job(district, user, layer, work, is_dry_run=True, mode=Mode.ALL)
        st.rerun()
    bar = st.progress(0.0, text="正在预检…")
    try:
        work.plan = imports.plan(
            district,
            user,
            layer.id,
            work.table,
            datum=work.datum,
            mapping=work.mapping,
            filename=work.upload.name,
            values=work.values,
            source=Source.SIMULATED if work.is_simulated else Source.REAL,
            progress=lambda share, words: bar.progress(min(share, 1.0), text=words),
        )
    except GridmapError as error:
        bar.empty()
        st.error(literal(chinese(error)))
        return False
    bar.empty()
    work.report = work.plan.document(most=_MOST_SHOWN)
    work.problems = imports.problems_csv(work.plan)
    return True


def _report(layer: Layer, work: ImportWork, report: Mapping[str, Any]) -> None:
    counts = {one.title: f"{report[one.value]:,}" for one in Action if report[one.value] or one in _ALWAYS}
    widgets.cards({"数据行": f"{report['rows']:,}", **counts})
    for words in report["warnings"]:
        st.warning(literal(words))
    if report["ignored"]:
        st.caption(literal(f"不导入的列:{'、'.join(report['ignored'])}。"))
    titles = columns.targets(layer) | {"geometry": "图形", "": "—"}
    _issues("不合格的行", report["problems"], report["problem_count"], titles)
    _issues("提示", report["remarks"], report["remark_count"], titles)
    _updates(layer, report, titles)
    if work.problems and (report["problem_count"] or report["remark_count"]):
        st.download_button(
            "下载问题清单(CSV)",
            work.problems,
            file_name=f"问题清单_{layer.title}.csv",
            mime="text/csv",
            on_click="ignore",
            key="elements.import.problems",
        )


def _issues(name: str, issues: Sequence[Mapping[str, Any]], total: int, titles: Mapping[str, str]) -> None:
    """A table of the first rows that something is to be said about; nothing where there are none."""
    if not total:
        return
    st.subheader(f"{name}({total:,} 条)", anchor=False)
    rows = [
        (
            one["row"],
            titles.get(one["field"], one["field"]),
            _RULES.get(one["rule"], one["rule"]),
            one["message"],
        )
        for one in issues[:_MOST_SHOWN]
    ]
    widgets.table(["行号", "字段", "规则", "说明"], rows, empty="", height=360)
    if total > _MOST_SHOWN:
        st.caption(f"只列出前 {_MOST_SHOWN} 条,全部请下载问题清单。")


def _updates(layer: Layer, report: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Which stored elements the file would change, and how: what was there is named before it is replaced."""
    if not report["update_count"]:
        return
    st.subheader(f"将被更新的要素({report['update_count']:,} 个)", anchor=False)
    fields = {one.name: one for one in layer.fields}

    def text(name: str, value: Any) -> str:
        if value is None or value == "":
            return "空"
        return fields[name].choice_title(value) if name in fields else str(value)

    rows = []
    for one in report["updates"][:_MOST_SHOWN]:
        parts = [
            f"{titles.get(name, name)}:{text(name, old)} → {text(name, new)}"
            for name, (old, new) in one["fields"].items()
        ]
        if one["moved_m"] is None:
            parts.append("图形有改动")
        elif one["moved_m"]:
            parts.append(f"位置移动 {one['moved_m']:,.0f} 米")
        rows.append((one["code"] or "—", one["name"] or "—", ";".join(parts) or "仅核实信息"))
    widgets.table(["编码", "名称", "改动(原值 → 新值)"], rows, empty="", height=300)


def _meant_values(district: District, layer: Layer, work: ImportWork, report: Mapping[str, Any]) -> None:
    """What the file's own words for a choice mean, so that its rows need not be mended by hand."""
    unknown = report["unknown_choices"]
    if not unknown:
        return
    key = f"elements.import.meant.{layer.id}"
    fields = {one.name: one for one in layer.fields}
    meant: dict[str, dict[str, str]] = {}
    with st.expander("文件中的值不在可选值中:指定它们的含义"), st.form(key):
        for name, words in unknown.items():
            field = fields[name]
            options = [one.value for one in field.choices]
            for number, word in enumerate(words[:30]):
                picked = st.selectbox(
                    f"{literal(field.title)}:{literal(word)}",
                    options,
                    index=None,
                    format_func=field.choice_title,
                    placeholder="不指定",
                    key=f"{key}.{name}.{number}",
                )
                if picked is not None:
                    meant.setdefault(name, {})[word] = picked
        if not st.form_submit_button("按此重新预检"):
            return
    for name, words in meant.items():
        work.values[name] = work.values.get(name, {}) | words
    work.forget_plan()
    st.rerun()


def _decide(
    district: District, user: User, layer: Layer, work: ImportWork, report: Mapping[str, Any]
) -> None:
    refused = report[Action.REFUSED.value]
    writes = sum(report[one.value] for one in (Action.NEW, Action.CHANGED, Action.RESTORED))
    mode = Mode.ALL
    if refused:
        words = {
            Mode.ALL: f"全部或全不:有 {refused:,} 行不合格,修正文件后再导入",
            Mode.GOOD: f"只入库合格行:{writes:,} 个要素入库,{refused:,} 行不导入",
        }
        mode = st.radio("入库方式", list(words), format_func=words.__getitem__, key="elements.import.mode")
    blocked = writes == 0 or (refused and mode is Mode.ALL)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("上一步", key="elements.import.back"):
            work.forget_plan()
            go(work, 2)
        sure = st.button(
            f"入库 {writes:,} 个要素" if writes else "入库", type="primary", disabled=bool(blocked),
            key="elements.import.apply",
        )  # fmt: skip
        if st.button("重新预检", key="elements.import.again"):
            work.forget_plan()
            st.rerun()
    if writes == 0 and not refused:
        st.info("文件内容与现有数据完全相同,没有需要入库的要素。")
    elif writes == 0:
        st.info("没有可以入库的行。请按问题清单修正文件后重新导入。")
    if sure:
        _apply(district, user, layer, work, mode)


def _apply(district: District, user: User, layer: Layer, work: ImportWork, mode: Mode) -> None:
    if work.plan is None:
        work.report = None
        start_job(district, user, layer, work, is_dry_run=False, mode=mode)
        st.rerun()
    plan = work.plan
    assert plan is not None
    bar = st.progress(0.0, text="正在入库…")
    receipt = widgets.attempt(
        user,
        lambda: imports.apply(
            district, user, plan, mode,
            progress=lambda share, words: bar.progress(min(share, 1.0), text=words),
        ),
    )  # fmt: skip
    bar.empty()
    if receipt is not None:
        work.receipt = receipt.document()
        go(work, 4)
