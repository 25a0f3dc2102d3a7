"""推演: the scenario in the hand is saved, shared, compared with today, and turned into edits by who may."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import documents, parse_changes
from gridmap.services import access, candidates, names, scenarios
from gridmap.services import district as districts
from gridmap.storage.scenarios import Scenario
from gridmap.ui import cached, gate, widgets
from gridmap.ui import coverage_words as words
from gridmap.ui.coverage_map import place_table
from gridmap.ui.coverage_question import LINK
from gridmap.ui.coverage_work import Asked, CoverageWork, Heard
from gridmap.ui.element_words import literal
from gridmap.ui.words import time_words

_STATUS = {"done": "已完成", "proposed": "已提交提议", "refused": "未执行"}
_OPS = {"move": "移动", "add": "新增", "close": "裁撤站点", "bridge": "架桥", "block": "封路"}


def whatif_tab(user: User, asked: Asked, work: CoverageWork, heard: Heard) -> None:
    """What can be done with the changes that the map has in its hand."""
    st.caption("在地图上拖动、新增、裁撤站点,架桥或封路:覆盖人数、死角与受影响网格随手更新,基础数据不变。")
    _keep(user, asked, work, heard)
    if asked.scenario is not None:
        _opened(user, asked.scenario, work)
    _compare(user, asked)
    _candidates(user, asked, work, heard)


# --- keeping ------------------------------------------------------------------------------------------------


def _keep(user: User, asked: Asked, work: CoverageWork, heard: Heard) -> None:
    """Save what is in the hand under a name."""
    st.subheader("保存方案", anchor=False)
    opened = asked.scenario
    stored = documents(opened.changes) if opened else []
    if not user.may(Permission.SAVE_SCENARIOS):
        widgets.empty("您可以推演和打开他人的方案;保存方案需要研判员权限。")
        return
    if not heard.changes:
        widgets.empty("还没有改动。先在地图上拖动站点,或用“新增站点”“架桥”“封路”。")
        return
    counts = {op: sum(one.get("op") == op for one in heard.changes) for op in _OPS}
    st.write("当前改动:" + "、".join(f"{_OPS[op]} {number} 项" for op, number in counts.items() if number))
    if opened is not None and heard.changes == stored:
        widgets.empty(f"改动已保存在方案“{opened.name}”中。")
        return
    if (
        opened is not None
        and scenarios.may_edit(user, opened)
        and st.button(f"更新方案“{opened.name}”", type="primary", key="coverage.update")
    ):
        _store(user, work, lambda: scenarios.change(
            districts.running(), user, opened.id, base_revision=opened.revision,
            changes=parse_changes(heard.changes), question=asked.question,
        ), "方案已更新。")  # fmt: skip
    with st.form("coverage.save", border=False):
        name = st.text_input(
            "方案名称", max_chars=60, placeholder="例如:西片新增一处", key=f"coverage.name.{work.picks}"
        )
        note = st.text_input("说明(可不填)", max_chars=500, key=f"coverage.note.{work.picks}")
        if st.form_submit_button("保存为新方案", type="primary" if opened is None else "secondary"):
            _store(user, work, lambda: scenarios.save(
                districts.running(), user, name, parse_changes(heard.changes), asked.question, note=note
            ), "方案已保存,可以与现状对比,或把链接发给同事。")  # fmt: skip


def _store(user: User, work: CoverageWork, action: Any, done: str) -> None:
    made = widgets.attempt(user, action, done=done)
    if made is not None:
        work.choose(made.id)
        st.rerun()


# --- the open one -------------------------------------------------------------------------------------------


def _opened(user: User, one: Scenario, work: CoverageWork) -> None:
    st.subheader(one.name, anchor=False)
    if one.note:
        st.write(one.note)
    maker = literal(names.one(districts.running(), one.created_by))
    st.caption(
        f"建立者 {maker} · 更新于 {time_words(one.updated_at)} · 第 {one.revision} 版 · 基于第 {one.sequence} 次更新"
    )
    link = f"{gate.base_path()}/coverage?{LINK}={one.id}"
    with st.container(horizontal=True, vertical_alignment="center", key="coverage_scenario"):
        st.html(
            f'<button type="button" class="gm-button" data-gridmap-copy="{html.escape(_absolute(link))}">复制分享链接</button>',
            width="content",
        )
        _apply(user, one, work)
        _remove(user, one, work)
    if work.applied:
        widgets.table(
            ["改动", "结果", "说明"],
            [(_OPS[one["change"]["op"]], _STATUS[one["status"]], one["message"]) for one in work.applied],
            empty="",
        )


def _absolute(path: str) -> str:
    """With the host this browser came to, so that the link works for a colleague."""
    url = st.context.url or ""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{path}" if rest else path


def _apply(user: User, one: Scenario, work: CoverageWork) -> None:
    layer = districts.running().catalogue.layer(scenarios.question_of(districts.running(), one).points)
    if not access.may_edit(user, layer):
        return
    with st.popover("应用到底图"):
        st.write(
            "移动、新增、裁撤的站点会以您的名义写入底图;超出您责任区的改动会变为提议。架桥与封路只用于推演,不会写入。"
        )
        if st.button("确定应用", type="primary", key="coverage.apply"):
            found = widgets.attempt(user, lambda: scenarios.apply(districts.running(), user, one.id))
            if found is not None:
                work.applied = found["results"]
                st.rerun()


def _remove(user: User, one: Scenario, work: CoverageWork) -> None:
    if not scenarios.may_edit(user, one):
        return
    with st.popover("删除方案"):
        st.write("删除后链接失效,不能恢复。底图不受影响。")
        if st.button("确定删除", key="coverage.remove"):
            done = widgets.attempt(
                user, lambda: scenarios.remove(districts.running(), user, one.id) or True, done="方案已删除。"
            )
            if done:
                work.choose(None)
                st.rerun()


# --- side by side -------------------------------------------------------------------------------------------


def _compare(user: User, asked: Asked) -> None:
    found = {one.id: one for one in scenarios.find(districts.running(), user)}
    st.subheader("与现状并排对比", anchor=False)
    if not found:
        widgets.empty("还没有保存的方案。")
        return
    first = [asked.scenario.id] if asked.scenario else []
    chosen = st.multiselect(
        "方案(至多 4 个)", list(found), default=first, max_selections=scenarios.MOST_COMPARED,
        format_func=lambda one: found[one].name, placeholder="选择方案",
        key=f"coverage.compared.{first[0] if first else ''}",
    )  # fmt: skip
    if not chosen:
        return
    with st.spinner("正在对比…"):
        made = widgets.attempt(
            user, lambda: scenarios.compare(districts.running(), user, asked.question, chosen)
        )
    if made is None:
        return
    headings = [one["scenario"]["name"] for one in made["columns"]]
    widgets.table(["指标", *headings], figures_of(made), empty="")
    st.caption(words.provenance(made, "、".join(headings)))
    with st.expander("变化的网格"):
        widgets.table(
            ["网格", "总数", *headings], _grid_rows(made), empty="没有网格的覆盖发生变化。", height=320
        )


def figures_of(made: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows of a comparison, one per figure, a column for today and each scenario."""
    columns, unit = made["columns"], made["method"]["unit"]
    totals = [one["total"] for one in columns]

    def count(name: str) -> list[str]:
        return [words.people(one[name], is_hidden=one["is_hidden"]) for one in totals]

    return [
        ("覆盖率", *(words.share(one["covered_share"]) for one in totals)),
        ("已覆盖", *count("covered")),
        ("比现状", *("—" if at == 0 else words.signed(one["gained"]) for at, one in enumerate(columns))),
        ("未覆盖", *count("uncovered")),
        ("2 处及以上", *count("twice")),
        ("平均路程", *(words.cost(one["mean"], unit) for one in totals)),
        ("95% 居民不超过", *(words.cost(one["p95"], unit) for one in totals)),
        (
            "可达性基尼系数",
            *("—" if one["access_gini"] is None else f"{one['access_gini']:.3f}" for one in columns),
        ),
        ("站点数", *(str(one["points"]) for one in columns)),
        ("最大责任人口", *(words.people(one["largest_load"]) for one in columns)),
    ]


def _grid_rows(made: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            one["name"],
            words.people(one["people"], is_hidden=True),
            *(words.people(each, is_hidden=True) for each in one["covered"]),
        )
        for one in made["groups"]
    ]


# --- candidates (视频选址) ------------------------------------------------------------------------------------


def _candidates(user: User, asked: Asked, work: CoverageWork, heard: Heard) -> None:
    st.subheader("候选点比较(视频选址)", anchor=False)
    district = districts.running()
    layers = {
        one["id"]: one
        for one in cached.catalogue(district, user)["layers"]
        if one["geometry"] == "Point" and 0 < one["count"] <= 200
    }
    sources = ["", *layers]
    source = st.selectbox(
        "候选点", sources, key="coverage.candidates",
        format_func=lambda one: "方案中新增的站点" if not one else f"图层:{layers[one]['title']}({layers[one]['count']} 处)",
    )  # fmt: skip
    fields = (
        [each for each in layers[source]["fields"] if each["type"] in ("integer", "number")] if source else []
    )
    titles = {each["name"]: each["title"] for each in fields}
    field = st.selectbox(
        "费用字段", ["", *titles], format_func=lambda one: titles[one] if one else "不计费用", key=f"coverage.cost.{source}"
    ) if fields else ""  # fmt: skip
    places: Any = source or [one for one in heard.changes if one.get("op") == "add"]
    if st.button("比较候选点", disabled=not places, key="coverage.compare_sites"):
        with st.spinner("正在计算各候选点…"):
            work.compared = widgets.attempt(
                user,
                lambda: candidates.compared(district, user, asked.question, places, cost_field=field or None),
            )
    if not places and work.compared is None:
        widgets.empty("先在地图上用“新增站点”放几个候选点,再比较;或选一个点图层。")
    if work.compared is not None:
        _compared(work.compared)


def _compared(made: Mapping[str, Any]) -> None:
    unit = made["method"]["unit"]
    rows: Sequence[Mapping[str, Any]] = made["candidates"]
    columns = ["候选点", "新增覆盖", "阈值内", "更近的居民", "最远居民", "距学校"]
    with_cost = any(one["cost"] is not None for one in rows)
    if with_cost:
        columns += ["费用", "每单位费用新增"]
    place_table(
        columns, [(_candidate(one, unit, with_cost), one["lon"], one["lat"]) for one in rows], height=360
    )
    st.caption(
        "按新增覆盖排序。“更近的居民”是改到该处会更近的人数,“最远居民”是其中最远者的路程;距学校为直线距离。"
        + words.provenance(made)
    )


def _candidate(one: Mapping[str, Any], unit: str, with_cost: bool) -> list[str]:
    counts = [words.people(one[name], is_hidden=True) for name in ("gained", "within", "nearer")]
    school = "—" if one["school_m"] is None else f"{one['school_m']:,.0f} 米"
    price = [words.people(one["cost"]), "—" if one["per_cost"] is None else f"{one['per_cost']:.3g}"]
    return [one["name"], *counts, words.cost(one["farthest"], unit), school, *(price if with_cost else [])]
