"""选址: which sites are best, solved in a worker with its best answer and bound shown, and taken into a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from gridmap.domain.roles import Permission, User
from gridmap.services import candidates as sources
from gridmap.services import district as districts
from gridmap.services import jobs, scenarios, siting
from gridmap.services.jobs import Job, JobState
from gridmap.services.questions import Question, Travel
from gridmap.services.siting import Problem, SitingQuestion
from gridmap.ui import cached, widgets
from gridmap.ui import coverage_words as words
from gridmap.ui.coverage_chart import line_chart
from gridmap.ui.coverage_map import place_table
from gridmap.ui.coverage_work import Asked, CoverageWork

_SHARE = 0.95
_CURVE = 10
_HALF = 0.5
_GENERATED = {sources.ROADS: "道路节点(自动生成)", sources.GRID: "均匀布点(自动生成)"}


def siting_tab(user: User, asked: Asked, question: Question, work: CoverageWork) -> Job | None:
    """The form, then how far the solve is, then its answer; the job whose answer is shown."""
    _form(user, question, work)
    if work.job is None:
        return None
    job = widgets.attempt(user, lambda: jobs.get(districts.running(), user, str(work.job)))
    if job is None:
        return None
    if not job.state.is_final:
        _underway(user, job.id)
        return None
    has_answer = job.state in (JobState.DONE, JobState.CANCELLED) and job.result is not None
    if not has_answer or job.result is None:
        st.error(f"选址{job.state.title}:{job.message or '没有说明'}")
        return None
    _result(user, asked, job.result, work)
    return job


# --- the form -----------------------------------------------------------------------------------------------


def _form(user: User, question: Question, work: CoverageWork) -> None:
    district = districts.running()
    layers = {
        one["id"]: f"图层:{one['title']}({one['count']} 处)"
        for one in cached.catalogue(district, user)["layers"]
        if one["geometry"] == "Point" and one["count"]
    }
    options = (
        _GENERATED | layers
        if question.mode is not Travel.LINE
        else {sources.GRID: _GENERATED[sources.GRID]} | layers
    )
    problem = st.selectbox("目标", list(Problem), format_func=lambda one: one.title, key="coverage.problem")
    with st.form("coverage.siting", border=False):
        left, right = st.columns(2)
        count = left.number_input(
            "新增点数",
            min_value=0,
            max_value=siting.MOST_NEW,
            value=5,
            key="coverage.count",
            disabled=problem is Problem.LSCP,
        )
        source = right.selectbox(
            "候选点", list(options), format_func=options.__getitem__, key=f"coverage.source.{len(options)}"
        )
        closable = left.number_input(
            "可撤现有站点数", min_value=0, max_value=1000, value=0, key="coverage.closable"
        )
        seconds = right.number_input(
            "计算时限(秒)", min_value=5, max_value=600, value=60, step=5, key="coverage.seconds"
        )
        st.caption("撤掉的名额可以另择新址,从单独贡献最小的站点撤起。")
        limits = _limit_fields(problem)
        movable = st.checkbox("现有站点全部可以重新布局", key="coverage.movable")
        extra = st.checkbox(
            f"同时计算“点数—覆盖”曲线(至 {_CURVE} 个)与覆盖 {_SHARE:.0%} 所需最少点数", value=problem is Problem.MCLP,
            key=f"coverage.extra.{problem.value}", disabled=problem is not Problem.MCLP,
        )  # fmt: skip
        started = st.form_submit_button("开始选址", type="primary")
    if not started:
        return

    def start() -> Job:
        is_mclp = problem is Problem.MCLP and extra
        return siting.start(district, user, SitingQuestion(
            question, problem, count=int(count), candidates=source, is_movable=movable, closable=int(closable),
            time_limit=float(seconds), curve=_CURVE if is_mclp else 0, share=_SHARE if is_mclp else None,
            **limits,
        ))  # fmt: skip

    made = widgets.attempt(user, start)
    if made is not None:
        work.job = made.id


def _limit_fields(problem: Problem) -> dict[str, Any]:
    """The limits that this problem knows, side by side, as options of the question."""
    limits: dict[str, Any] = {}
    left, right = st.columns(2)
    if problem in (Problem.MCLP, Problem.LSCP):
        limits["covers"] = int(
            left.number_input(
                "至少覆盖次数", min_value=1, max_value=siting.MOST_COVERS, value=1,
                key=f"coverage.covers.{problem.value}",
                help="填 2 表示阈值内要有两个站点才算覆盖:一个站点出警时,另一个还能接替。",
            )
        )  # fmt: skip
    if problem in (Problem.MCLP, Problem.P_MEDIAN):
        limits["capacity"] = (right if problem is Problem.MCLP else left).number_input(
            "每站服务人数上限", min_value=1.0, max_value=siting.MOST_CAPACITY, value=None, step=500.0, format="%.0f",
            placeholder="不限", key=f"coverage.capacity.{problem.value}",
            help="新站点按此上限;现有站点有登记容量的按登记值。每个需求点整体归一个站。",
        )  # fmt: skip
    if problem is Problem.MCLP and st.checkbox(
        "兼顾首次覆盖(首次与满次各计一半,至少覆盖次数为 2 以上时有效)", key="coverage.backup"
    ):
        limits["backup"] = _HALF if limits["covers"] > 1 else 1.0
    return limits


# --- while it runs ------------------------------------------------------------------------------------------


@st.fragment(run_every=1.0)
def _underway(user: User, job_id: str) -> None:
    """How far the solve is; the page runs again when it has ended."""
    district = districts.running()
    job = widgets.attempt(user, lambda: jobs.get(district, user, job_id))
    if job is None:
        return
    if job.state.is_final:
        st.rerun(scope="app")
    with st.container(border=True, key="coverage_underway"):
        st.progress(min(1.0, max(0.0, job.progress)), text=job.message or job.state.title)
        st.caption("在后台计算,不影响其他人编辑;离开本页也会继续。取消时保留已找到的最好方案。")
        if st.button("取消计算", key="coverage.cancel"):
            with st.spinner("正在停止,并取回目前最好的方案……"):
                widgets.attempt(user, lambda: jobs.cancel(district, user, job_id))
            st.rerun(scope="app")


# --- the answer ---------------------------------------------------------------------------------------------


def _result(user: User, asked: Asked, result: Mapping[str, Any], work: CoverageWork) -> None:
    unit, people_unit = result["method"]["unit"], result["method"]["demand_unit"]
    before, after = result["before"], result["after"]
    st.subheader(f"结果:{result['problem_title']}", anchor=False)
    (st.success if result["is_optimal"] else st.warning)(
        f"{result['objective_text']} · {result['proof_text']}"
    )
    widgets.cards(
        {
            "覆盖率": f"{words.share(before['covered_share'])} → {words.share(after['covered_share'])}",
            f"已覆盖({people_unit})": f"{words.people(before['covered'])} → {words.people(after['covered'])}",
            **_often(result),
            **_mean(before, after, unit, is_nearest=result["question"].get("capacity") is not None),
            "界限": _bound(result, unit),
            "候选点": f"{result['candidates']:,} 处",
            "用时": f"{result['seconds']:.1f} 秒",
        }
    )
    if result.get("limits_text"):
        st.caption(f"附加条件:{result['limits_text']}")
    st.caption(words.provenance(result))
    if result["warnings"]:
        st.warning("\n".join(f"- {one}" for one in result["warnings"]))
    new = [one for one in result["sites"] if one["is_new"]]
    if new:
        limit = result["question"].get("capacity")
        place_table(
            ["新址", "新增覆盖", "阈值内", "责任人口" if limit is None else "分配人口", "经度", "纬度"],
            [
                ([one["name"] or f"新址 {at + 1}", words.people(one["gained"], is_hidden=True),
                  words.people(one["people"], is_hidden=True), words.people(one["assigned"], is_hidden=True),
                  f"{one['lon']:.5f}", f"{one['lat']:.5f}"], one["lon"], one["lat"])
                for at, one in enumerate(new)
            ],
            height=300,
        )  # fmt: skip
    if result["closed"]:
        st.write("建议裁撤:" + "、".join(one["name"] or one["code"] for one in result["closed"]))
    _curve(result)
    _take_over(user, asked, result, work)


def _often(result: Mapping[str, Any]) -> dict[str, str]:
    """People with as many points as were asked for; left out where one is enough."""
    times = result["question"].get("covers", 1)
    if times == 1:
        return {}
    before, after = (result[when]["covered_often"] for when in ("before", "after"))
    return {f"至少 {times} 次覆盖": f"{words.people(before)} → {words.people(after)}"}


def _mean(
    before: Mapping[str, Any], after: Mapping[str, Any], unit: str, *, is_nearest: bool
) -> dict[str, str]:
    """With capacities not everybody goes to the nearest, whose way this is. Left out where cover is what counts: costs beyond the threshold are then not known for new sites."""
    if after["mean"] is None:
        return {}
    title = "平均路程(到最近站)" if is_nearest else "平均路程"
    return {title: f"{words.cost(before['mean'], unit)} → {words.cost(after['mean'], unit)}"}


def _bound(result: Mapping[str, Any], unit: str) -> str:
    if result["is_optimal"]:
        return "已达界限"
    return "未知" if result["gap"] is None else f"最多可再好 {result['gap']:.2%}"


def _curve(result: Mapping[str, Any]) -> None:
    curve = result["curve"]
    total = result["after"]["people"]
    if curve and total:
        most = curve[-1][0]
        shares = [(float(p), people / total) for p, people, _ in curve]
        steps = sorted({round(most * part / 5) for part in range(6)})
        st.html(
            line_chart(
                shares,
                title="新增点数与覆盖率",
                x_title="新增点数",
                y_title="覆盖率",
                x_labels=[(float(one), str(one)) for one in steps],
                y_labels=[(one / 4, f"{one / 4:.0%}") for one in range(5)],
                unproven=[at for at, one in enumerate(curve) if not one[2]],
            )  # fmt: skip
        )
        st.caption("实心点已证明最优,空心点为计算时限内的最好结果。")
    fewest = result["fewest"]
    if fewest is None:
        return
    asked = result["question"]
    times, limit = asked.get("covers", 1), asked.get("capacity")
    how = f"至少覆盖 {times} 次" if times > 1 else "在人数上限内覆盖" if limit is not None else "覆盖"
    if fewest["sites"] is None:
        st.write(
            f"全部候选点都启用也只能{how} {fewest['most_share']:.1%},达不到 {fewest['share']:.0%}。可放宽阈值或增加候选点。"
        )
    else:
        proof = "已证明最少" if fewest["is_optimal"] else "尚未证明最少"
        st.write(f"{how} {fewest['share']:.0%} 居民,至少需要新增 **{fewest['sites']}** 处({proof})。")


def _take_over(user: User, asked: Asked, result: Mapping[str, Any], work: CoverageWork) -> None:
    if not user.may(Permission.SAVE_SCENARIOS):
        return
    changes = siting.changes_of(result)
    if not changes:
        widgets.empty("结果与现状相同,没有可存为方案的改动。")
        return
    with st.form("coverage.take", border=False):
        name = st.text_input(
            "方案名称",
            value=f"选址:{result['problem_title']}",
            max_chars=60,
            key=f"coverage.take_name.{work.job}",
        )
        if st.form_submit_button("存为推演方案"):
            made = widgets.attempt(
                user, lambda: scenarios.save(districts.running(), user, name, changes, asked.question),
                done="已存为方案,可在“推演”中继续调整并与现状对比。",
            )  # fmt: skip
            if made is not None:
                work.taken += 1
                work.choose(made.id)
                st.rerun()
