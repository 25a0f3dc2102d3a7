"""批量导入: a file step by step into a layer, with a dry run before anything is stored."""

from __future__ import annotations

import html
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from gridmap.domain.elements import Source
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.exchange import SourceTable
from gridmap.exchange.formats import READABLE
from gridmap.services import access, columns, imports, jobs
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.imports import Action, Mode
from gridmap.services.jobs import Job, JobState
from gridmap.services.problems import chinese
from gridmap.ui import element_datum as datums
from gridmap.ui import element_upload as upload
from gridmap.ui import gate, state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import ImportWork, Reading

_STEPS = ("上传文件", "坐标系与列对应", "预检", "入库")
_MOST_SHOWN = 300
_IGNORED = ""


def import_tab(user: User, layer: Layer) -> None:
    """Everything of this tab."""
    district = districts.running()
    if not access.may_edit(user, layer):
        st.html(
            f'<p class="gm-empty">您没有编辑“{html.escape(layer.title)}”图层的权限,不能导入。请选择其他图层。</p>'
        )
        return
    work = state.of(user).elements.importing(layer.id)
    _steps(work.step)
    {1: _file, 2: _meaning, 3: _dry_run, 4: _stored}[work.step](district, user, layer, work)


def _steps(present: int) -> None:
    items = "".join(
        f'<li class="{_look(number, present)}"><b>{number}</b>{title}</li>'
        for number, title in enumerate(_STEPS, 1)
    )
    st.html(f'<ol class="gm-steps">{items}</ol>')


def _look(number: int, present: int) -> str:
    """The style of a step by where it stands; the present one is named to screen readers too."""
    return 'gm-now" aria-current="step' if number == present else "gm-past" if number < present else "gm-next"


def _go(work: ImportWork, step: int) -> None:
    work.step = step
    st.rerun()


def _again(user: User, layer: Layer) -> None:
    state.of(user).elements.begin_import(layer.id)
    st.rerun()


# --- 1: the file -----------------------------------------------------------------------------------------------


def _file(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    if work.upload is None:
        _ask_for_file(district, user, layer, work)
        return
    key = f"elements.import.{state.of(user).elements.imports_begun}"
    if work.fault:
        st.error(literal(work.fault))
    _ask_how_to_read(district, work, key)
    if work.table is not None:
        _look_at_file(work)
    with st.container(horizontal=True):
        if st.button("下一步", type="primary", disabled=work.table is None, key="elements.import.to_meaning"):
            _go(work, 2)
        if st.button("换一个文件", key="elements.import.other_file"):
            _again(user, layer)


def _ask_for_file(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    settings = district.settings
    sent = st.file_uploader(
        f"选择要导入到“{layer.title}”的文件",
        max_upload_size=settings.max_upload_mb,
        key=f"elements.import.file.{layer.id}.{state.of(user).elements.imports_begun}",
    )
    st.caption(
        f"可导入 {READABLE},最大 {settings.max_upload_mb} MB、{settings.max_import_rows:,} 行。"
        "Shapefile 请把同名的 .shp、.shx、.dbf、.prj 打包成 zip。文件只在导入期间保存在服务器上;"
        "请勿上传含有身份证号、手机号等个人信息的文件。"
    )
    if sent is not None:
        with st.spinner("正在读取文件…"):
            upload.take(district, work, sent.name, sent.getvalue())
        st.rerun()
    _undo_earlier(district, user, layer)


def _ask_how_to_read(district: District, work: ImportWork, key: str) -> None:
    now = work.reading
    wanted = now
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(work.parts) > 1:
            part = st.selectbox(
                "文件中有多个图层或工作表,请选择",
                work.parts,
                index=work.parts.index(now.layer_name) if now.layer_name in work.parts else None,
                placeholder="请选择",
                width=320,
                key=f"{key}.part",
            )
            wanted = replace(wanted, layer_name=part)
        if upload.has_encoding(work):
            codes = list(upload.ENCODINGS)
            encoding = st.selectbox(
                "文字编码",
                codes,
                index=codes.index(now.encoding),
                format_func=upload.ENCODINGS.__getitem__,
                width=200,
                key=f"{key}.encoding",
            )
            wanted = replace(wanted, encoding=encoding)
        wanted = _ask_for_place(work, wanted, key)
    if wanted != now:
        with st.spinner("正在读取文件…"):
            upload.read(district, work, wanted)
        st.rerun()


def _ask_for_place(work: ImportWork, wanted: Reading, key: str) -> Reading:
    """The coordinate columns of a plain table, where its headings do not tell."""
    if work.table is None or not upload.may_choose_place(work):
        return wanted
    names = upload.place_choices(work)

    def column(title: str, present: str | None, which: str) -> str | None:
        return st.selectbox(
            title,
            names,
            index=names.index(present) if present in names else None,
            placeholder="自动识别",
            # a column that was taken for a coordinate by itself is not among the names: it can be typed
            accept_new_options=True,
            width=210,
            key=f"{key}.{which}",
        )

    lon = column("经度(或东坐标)列", wanted.lon_column, "lon")
    lat = column("纬度(或北坐标)列", wanted.lat_column, "lat")
    return upload.with_place(wanted, lon, lat)


def _look_at_file(work: ImportWork) -> None:
    assert work.upload is not None
    assert work.table is not None
    widgets.cards(upload.facts(work.upload, work.table))
    for note in work.table.notes:
        st.info(literal(note))
    headings, first = upload.first_rows(work.table)
    st.subheader("前几行", anchor=False)
    widgets.table(headings, first, empty="文件里没有数据行。", height=330)


# --- 2: what the coordinates and columns mean ------------------------------------------------------------------


def _meaning(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    table = work.table
    assert table is not None
    key = f"elements.import.{state.of(user).elements.imports_begun}"
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("坐标系", anchor=False)
        if declared := upload.declared_words(table):
            st.info(literal(f"文件声明的坐标系:{declared}。请核对后选择。"))
        datum = datums.ask("文件中的坐标是哪一种?", work.datum, f"{key}.datum")
        simulated = st.checkbox(
            "这些是模拟或演练数据", value=work.is_simulated, key=f"{key}.simulated",
            help="新增的要素将标注“模拟数据”,在地图、表格和导出文件中都能看到。",
        )  # fmt: skip
    with right:
        st.subheader("列对应", anchor=False)
        mapping = _mapping(district, layer, table, work, key)
        fault = _mapping_words(layer, mapping)
    if datum != work.datum or simulated != work.is_simulated or mapping != work.mapping:
        work.datum, work.is_simulated, work.mapping = datum, simulated, mapping
        work.forget_plan()
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("上一步", key="elements.import.back_to_file"):
            _go(work, 1)
        ready = bool(work.datum) and not fault
        if st.button("下一步:预检", type="primary", disabled=not ready, key="elements.import.to_dry_run"):
            _go(work, 3)
        if not work.datum:
            st.caption("请先选择坐标系。", width="content")


def _mapping(
    district: District, layer: Layer, table: SourceTable, work: ImportWork, key: str
) -> dict[str, str]:
    """A field for each column, "" for those left out; proposals stand there at first."""
    present = work.mapping or imports.propose_mapping(district, layer.id, table)
    titles = columns.targets(layer)
    options = [_IGNORED, *titles]
    mapping: dict[str, str] = {}
    with st.container(height=430 if len(table.columns) > 5 else "content", key="elements_mapping"):
        for number, column in enumerate(table.columns):
            mapping[column] = st.selectbox(
                f"{literal(column)}　:gray[{literal(_example_words(table, column))}]",
                options,
                index=options.index(present.get(column, _IGNORED)),
                format_func=lambda one: titles.get(one, "不导入"),
                key=f"{key}.column.{number}",
            )
    if not table.columns:
        st.caption("文件没有属性列。")
    return mapping


def _example_words(table: SourceTable, column: str) -> str:
    example = upload.example(table, column)
    return f"如 {example}" if example else "没有值"


def _mapping_words(layer: Layer, mapping: Mapping[str, str]) -> str:
    """Say what the mapping leaves out; answers the fault that must be mended first, if any."""
    titles = columns.targets(layer)
    used = [one for one in mapping.values() if one]
    twice = [titles[one] for one in dict.fromkeys(used) if used.count(one) > 1]
    if twice:
        words = f"“{'”“'.join(twice)}”对应了不止一列,请只保留一列。"
        st.error(words)
        return words
    ignored = [column for column, one in mapping.items() if not one]
    if ignored:
        st.caption(literal(f"不导入的列:{'、'.join(ignored)}。"))
    missing = upload.missing_required(layer, used)
    if missing:
        st.warning(literal(f"必填字段“{'”“'.join(missing)}”没有对应的列:只能更新已有要素,不能新增。"))
    return ""


# --- 3: the dry run --------------------------------------------------------------------------------------------


def _dry_run(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    if work.report is None and work.job is not None:
        _follow_job(user, layer)
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
        _go(work, 2)


def _make_plan(district: District, user: User, layer: Layer, work: ImportWork) -> bool:
    """Start or make the dry run; False when that was refused."""
    assert work.table is not None
    assert work.upload is not None
    if _is_large(work):
        _start_job(district, user, layer, work, is_dry_run=True, mode=Mode.ALL)
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
    for name, issues, total in (
        ("不合格的行", report["problems"], report["problem_count"]),
        ("提示", report["remarks"], report["remark_count"]),
    ):
        if not total:
            continue
        st.subheader(f"{name}({total:,} 条)", anchor=False)
        widgets.table(
            ["行号", "字段", "规则", "说明"],
            [
                (
                    one["row"],
                    titles.get(one["field"], one["field"]),
                    _RULES.get(one["rule"], one["rule"]),
                    one["message"],
                )
                for one in issues[:_MOST_SHOWN]
            ],
            empty="",
            height=360,
        )
        if total > _MOST_SHOWN:
            st.caption(f"只列出前 {_MOST_SHOWN} 条,全部请下载问题清单。")
    if work.problems and (report["problem_count"] or report["remark_count"]):
        st.download_button(
            "下载问题清单(CSV)",
            work.problems,
            file_name=f"问题清单_{layer.title}.csv",
            mime="text/csv",
            on_click="ignore",
            key="elements.import.problems",
        )


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
            _go(work, 2)
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
        _start_job(district, user, layer, work, is_dry_run=False, mode=mode)
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
        _go(work, 4)


# --- large files, in the background ------------------------------------------------------------------------------


def _is_large(work: ImportWork) -> bool:
    # a job has no say in the mark of simulated data
    return work.table is not None and len(work.table) > imports.JOB_ROWS and not work.is_simulated


def _start_job(
    district: District, user: User, layer: Layer, work: ImportWork, *, is_dry_run: bool, mode: Mode
) -> None:
    assert work.upload is not None
    job_id = str(uuid.uuid4())
    folder = jobs.folder_of(district.settings, job_id)
    folder.mkdir(parents=True, mode=0o700)
    path = folder / work.upload.path.name
    shutil.copyfile(work.upload.path, path)
    reading = work.reading
    jobs.start(
        district,
        user,
        "import",
        f"{'预检' if is_dry_run else '导入'}:{layer.title}",
        {
            "path": str(path),
            "filename": work.upload.name,
            "layer": layer.id,
            "layer_name": reading.layer_name,
            "encoding": reading.encoding,
            "lon_column": reading.lon_column,
            "lat_column": reading.lat_column,
            "datum": work.datum,
            "mapping": work.mapping,
            "values": work.values,
            "mode": mode.value,
            "is_dry_run": is_dry_run,
        },
        job_id=job_id,
    )
    work.job = job_id


@st.fragment(run_every="1s")
def _follow_job(user: User, layer: Layer) -> None:
    """How far the job is, looked at every second; goes on with the page when it has ended."""
    gate.require()
    district = districts.running()
    work = state.of(user).elements.importing(layer.id)
    if work.job is None:
        st.rerun()
    job = jobs.get(district, user, work.job)
    if job.state.is_final:
        _take_job(district, user, work, job)
        st.rerun()
    words = job.message or ("排队等候" if job.state is JobState.QUEUED else "正在处理")
    st.progress(min(job.progress, 1.0), text=f"{literal(words)}(后台任务,可先去其他页面,稍后回来查看)")
    if st.button("取消", key="elements.import.cancel_job"):
        jobs.cancel(district, user, work.job)


def _take_job(district: District, user: User, work: ImportWork, job: Job) -> None:
    """What a job that has ended brought, and what it leaves behind tidied up."""
    folder = jobs.folder_of(district.settings, job.id)
    for file in folder.glob("upload*"):
        file.unlink(missing_ok=True)
    work.job = None
    if job.state is not JobState.DONE:
        state.of(user).notice = f"后台任务未完成:{job.message or job.state.title}"
        work.forget_plan()
        work.step = 2
        return
    result = job.result or {}
    work.report = {**result["report"], "job": job.id}
    problems = folder / "problems.csv"
    work.problems = problems.read_bytes() if problems.is_file() else b""
    if result.get("receipt"):
        work.receipt = result["receipt"]
        work.step = 4


# --- 4: stored -------------------------------------------------------------------------------------------------


def _stored(district: District, user: User, layer: Layer, work: ImportWork) -> None:
    receipt = work.receipt
    assert receipt is not None
    said = imports.ImportReceipt(**receipt)
    if work.undone:
        st.success(work.undone)
    else:
        st.success(said.chinese())
    widgets.cards(
        {
            "提交编号": receipt["sequence"] if receipt["sequence"] is not None else "—(无需入库)",
            "图层": layer.title,
            "新增": f"{said.new:,}",
            "更新": f"{said.changed + said.restored:,}",
            "未导入": f"{said.refused:,}",
        }
    )
    if work.problems and said.refused:
        st.download_button(
            "下载问题清单(CSV)", work.problems, file_name=f"问题清单_{layer.title}.csv", mime="text/csv",
            on_click="ignore", key="elements.import.left_over",
        )  # fmt: skip
    with st.container(horizontal=True):
        if st.button("导入另一个文件", type="primary", key="elements.import.next"):
            _again(user, layer)
        if said.sequence is not None and not work.undone:
            _undo(district, user, said.sequence, lambda words: setattr(work, "undone", words))
    if not work.undone:
        st.caption("提交编号也可用于以后撤销:在“批量导入”第一步的“撤销以前的导入”中填写。")


def _undo(district: District, user: User, sequence: int, keep: Callable[[str], None]) -> None:
    with st.popover("撤销本次导入"):
        st.write(
            f"将撤销提交编号 {sequence} 的整次导入:新增的要素被删除,更新的恢复原来的内容。"
            "如果其中有要素在导入后又被修改,则不能整体撤销。"
        )
        if not st.button("确定撤销", type="primary", key=f"elements.import.undo.{sequence}"):
            return
    receipt = widgets.attempt(user, lambda: imports.undo_import(district, user, sequence))
    if receipt is not None:
        keep(_undone_words(sequence, receipt))
        st.rerun()


def _undone_words(sequence: int, receipt: imports.ImportReceipt) -> str:
    return f"已撤销提交编号 {sequence} 的导入:删除 {receipt.refused} 个,恢复原内容 {receipt.changed} 个(新的提交编号 {receipt.sequence})。"


def _undo_earlier(district: District, user: User, layer: Layer) -> None:
    with st.expander("撤销以前的导入"):
        sequence = st.number_input(
            "提交编号(见导入回执)",
            min_value=1,
            value=None,
            step=1,
            width=240,
            key=f"elements.import.earlier.{layer.id}",
        )
        if sequence is not None:
            _undo(district, user, int(sequence), lambda words: setattr(state.of(user), "notice", words))
