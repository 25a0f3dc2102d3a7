"""
Coverage taken away: a workbook of the figures, a GeoPackage of the shapes, a run file that can be computed again.

Every file says how it was made (method, threshold, CRS, time, commit) and whether the data are simulated; every
export is logged, and one that cannot be logged does not stay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import geopandas
import openpyxl
import pandas
import shapely

from gridmap import __version__
from gridmap.domain.elements import time_text
from gridmap.domain.freshness import CHINA
from gridmap.domain.privacy import MASKED_COUNT
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput, TooLarge
from gridmap.exchange import write_layers
from gridmap.exchange.formats import safe_name
from gridmap.exchange.text import without_controls
from gridmap.services import access, coverage, gaps, siting, situations
from gridmap.services.coverage import Report
from gridmap.services.district import District
from gridmap.services.exports import SIMULATED_REMARK
from gridmap.services.questions import Question, cost_text, parse_question
from gridmap.services.siting import parse_siting
from gridmap.storage import access_log

RUN_FORMAT = "gridmap-run"
RUN_VERSION = 1
MOST_RUN_BYTES = 5 * 2**20
_RELATIVE = 1e-9


class CoverageFormat(Enum):
    """What a coverage export is written as."""

    XLSX = "xlsx"
    GEOPACKAGE = "gpkg"
    RUN = "json"

    @property
    def media_type(self) -> str:
        """Its MIME type."""
        return {
            "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "gpkg": "application/geopackage+sqlite3",
            "json": "application/json",
        }[self.value]


def parse_coverage_format(text: str | CoverageFormat) -> CoverageFormat:
    """The format that `text` names; raises InvalidInput."""
    try:
        return CoverageFormat(text)
    except ValueError:
        raise InvalidInput(
            f"no format {str(text)[:20]!r}; use xlsx, gpkg or json",
            zh="导出格式应为 xlsx(工作簿)、gpkg(图形)或 json(可复算文件)。",
        ) from None


@dataclass(frozen=True, slots=True)
class CoverageFile:
    """A finished export: where it is, and a name for the download."""

    path: Path
    format: CoverageFormat
    suggested_name: str
    sequence: int
    is_simulated: bool


def export(
    district: District, user: User, question: Question, path: Path, *, format: CoverageFormat | str
) -> CoverageFile:
    """
    Write the answer to a question to `path`.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput
    """
    format = parse_coverage_format(format)
    access.require(district, user, Permission.EXPORT, question.points)
    report = coverage.report(district, user, question, gaps=format is CoverageFormat.XLSX)
    remarks = _remarks(district, user, report)
    if format is CoverageFormat.XLSX:
        _write_workbook(report, remarks, path)
    elif format is CoverageFormat.GEOPACKAGE:
        _write_shapes(district, user, question, remarks, path)
    else:
        path.write_text(
            json.dumps(run_document(district, user, question), ensure_ascii=False, indent=1), "utf-8"
        )
    _log(district, user, report, format, path)
    simulated = "_模拟数据" if report.is_simulated else ""
    name = safe_name(f"覆盖分析_{report.method['mode_title']}_{report.question.within.text}{simulated}")
    return CoverageFile(path, format, f"{name}.{format.value}", report.sequence, report.is_simulated)


def _log(district: District, user: User, report: Report, format: CoverageFormat, path: Path) -> None:
    detail = f"覆盖分析,{report.method['sentence']}{format.value},第 {report.sequence} 次更新"
    try:
        with district.database.write() as connection:
            access_log.append(
                connection, at=district.clock(), kind="export", username=user.username, address=user.address,
                action="export", target="coverage", detail=detail,
            )  # fmt: skip
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _remarks(district: District, user: User, report: Report) -> list[tuple[str, str]]:
    question = report.question
    titles = {one.id: one.title for one in district.catalogue}
    now = district.clock().astimezone(CHINA)
    remarks = [
        ("内容", "覆盖分析"),
        ("方案", report.scenario["name"]),
        ("站点图层", titles[question.points]),
        ("需求图层", titles[question.demand]),
        ("口径", report.method["sentence"]),
        ("统计单元", titles[question.by]),
        ("坐标系", f"图形为 WGS 84 经纬度;距离与面积按 {report.crs} 计算"),
        ("数据时间", f"{report.data_time.astimezone(CHINA):%Y-%m-%d %H:%M:%S}(北京时间)"),
        ("数据序号", str(report.sequence)),
        ("导出人", f"{user.display_name}({user.username})"),
        ("导出时间", f"{now:%Y-%m-%d %H:%M:%S}(北京时间)"),
    ]
    remarks += [("提示", one) for one in report.warnings]
    if report.is_masked:
        remarks.append(("隐私", f"小于 5 的数量已隐去,显示为“{MASKED_COUNT}”。"))
    if report.is_simulated:
        remarks.append(("声明", SIMULATED_REMARK))
    return [*remarks, ("来源", f"警务网格一张图 {__version__}")]


# --- the workbook -----------------------------------------------------------------------------------------


def _write_workbook(report: Report, remarks: Sequence[tuple[str, str]], path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    unit = "米" if report.method["unit"] == "m" else "分钟"
    people = report.method["demand_unit"]
    for title, headings, rows in (
        ("总体", _group_headings("范围", unit, people), _group_rows(report, [("全区", report.total)])),
        ("各街镇", _group_headings("街镇", unit, people), _group_rows(report, _named(report.towns))),
        ("各网格", _group_headings("网格", unit, people), _group_rows(report, _named(report.groups))),
        ("各站点", _point_headings(unit, people), _point_rows(report)),
        ("死角", _gap_headings(unit, people), _gap_rows(report)),
        ("说明", ["项目", "内容"], iter(remarks)),
    ):
        sheet = book.create_sheet(title)
        sheet.append(headings)
        for row in rows:
            sheet.append([_cell(one) for one in row])
    book.save(path)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        text = without_controls(value)
        return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return value


def _named(groups: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(f"{one.code or ''} {one.name}".strip(), one.figures) for one in groups]


def _group_headings(what: str, unit: str, people: str) -> list[str]:
    return [
        what, f"需求({people})", f"已覆盖({people})", f"未覆盖({people})", "覆盖率", f"仅一处覆盖({people})",
        f"两处以上覆盖({people})", f"平均({unit})", f"中位({unit})", f"95%({unit})", "每万人警力(E2SFCA)",
    ]  # fmt: skip


def _cost(report: Report, value: float | None) -> Any:
    if value is None:
        return "不可达"
    return round(value if report.method["unit"] == "m" else value / 60, 1)


def _shown(value: Any, is_hidden: bool) -> Any:
    return MASKED_COUNT if is_hidden else value


def _group_rows(report: Report, rows: Sequence[tuple[str, Any]]) -> Iterator[list[Any]]:
    for name, one in rows:
        if one.is_hidden:
            yield [name, *[MASKED_COUNT] * 10]
            continue
        yield [
            name, one.people, one.covered, one.uncovered, one.covered_share, one.once, one.twice,
            *(_cost(report, value) for value in (one.mean, one.median, one.p95)), one.access,
        ]  # fmt: skip


def _point_headings(unit: str, people: str) -> list[str]:
    return [
        "编码", "名称", "状态", "改动", "经度", "纬度", f"阈值内({people})", f"仅由该点覆盖({people})",
        f"以该点为最近({people})", "警力", f"每名警力负担({people})", "最近的另一点", f"相距({unit})", "开放时间",
        "出警准备(分钟)",
    ]  # fmt: skip


_STATES = {"open": "开放", "closed": "未开放", "off_network": "远离道路"}
_CHANGES = {None: "", "moved": "移动", "added": "新增", "closed": "裁撤"}
_HOURS = {"24h": "24小时", "day": "日间(8:00–20:00)"}


def _point_rows(report: Report) -> Iterator[list[Any]]:
    for one in report.points:
        other = one.nearest or {}
        yield [
            one.code, one.name, _STATES[one.state], _CHANGES[one.change], one.lon, one.lat,
            *(_shown(value, one.is_hidden) for value in (one.within, one.unique, one.assigned)), one.officers,
            _shown(one.load_per_officer, one.is_hidden), other.get("name"),
            _cost(report, other.get("cost")) if other else None,
            _HOURS.get(one.opening_hours or "", one.opening_hours), one.readiness_minutes,
        ]  # fmt: skip


def _gap_headings(unit: str, people: str) -> list[str]:
    return [
        "序号",
        "网格编码",
        "网格",
        f"未覆盖({people})",
        "面积(平方公里)",
        "最近站点",
        f"最远居民到最近站点({unit})",
        "经度",
        "纬度",
    ]


def _gap_rows(report: Report) -> Iterator[list[Any]]:
    for one in report.gaps or []:
        yield [
            one["rank"], one["grid_code"], one["grid_name"], _shown(one["people"], one["is_hidden"]),
            round(one["area_km2"], 4), (one["nearest"] or {}).get("name"), _cost(report, one["worst"]), one["lon"],
            one["lat"],
        ]  # fmt: skip


# --- shapes -----------------------------------------------------------------------------------------------


def _write_shapes(
    district: District, user: User, question: Question, remarks: Sequence[tuple[str, str]], path: Path
) -> None:
    tables = []
    for title, found in (
        ("死角", gaps.gap_shapes(district, user, question)),
        ("责任区", gaps.area_shapes(district, user, question)),
        ("可达范围", gaps.reach_shapes(district, user, question)),
    ):
        tables.append((title, _frame(found)))
    write_layers(tables, path, remarks=remarks, forbidden=district.settings.database_file)


def _frame(collection: dict[str, Any]) -> geopandas.GeoDataFrame:
    rows = [_flat(one["properties"]) for one in collection["features"]]
    shapes = [shapely.geometry.shape(one["geometry"]) for one in collection["features"]]
    polygons = [
        shapely.MultiPolygon([one]) if isinstance(one, shapely.Polygon) and not one.is_empty else one
        for one in shapes
    ]
    kept = [at for at, one in enumerate(polygons) if not one.is_empty]
    frame = pandas.DataFrame([rows[at] for at in kept], index=range(len(kept)))
    return geopandas.GeoDataFrame(frame, geometry=[polygons[at] for at in kept], crs=4326)


def _flat(properties: Mapping[str, Any]) -> dict[str, Any]:
    flat = {}
    for name, value in properties.items():
        if name == "nearest":
            flat["nearest"] = None if value is None else value["name"]
        elif name == "id":
            flat["element_id"] = value
        else:
            flat[name] = value
    return flat


# --- runs -------------------------------------------------------------------------------------------------


def run_document(district: District, user: User, question: Question) -> dict[str, Any]:
    """What a run file holds: the question with its changes in full, the commit of its inputs, the answer."""
    whole = situations.resolved(district, question)
    report = coverage.report(district, user, question)
    asked = whole.document() | {"scenario": None}
    return {
        "format": RUN_FORMAT,
        "version": RUN_VERSION,
        "kind": "coverage",
        "program": f"gridmap {__version__}",
        "written_at": time_text(district.clock()),
        "question": asked,
        "sequence": report.sequence,
        "is_masked": report.is_masked,
        "result": _result(report),
    }


def _result(report: Report) -> dict[str, Any]:
    """The figures of a report, without the words around them."""
    document = report.document()
    names = ("crs", "is_simulated", "total", "groups", "towns", "points", "access", "off_network")
    return json.loads(json.dumps({name: document[name] for name in names}))


def rerun(district: District, user: User, document: Any) -> dict[str, Any]:
    """
    A run file computed again on the data it was made from.

    Returns
    -------
    `is_same`, `differences` (up to 50: path, then, now), `sequence`, and the new `result`.

    Raises
    ------
    InvalidInput
        It is no run file, or of another version or district (its commit is not here).
    PermissionDenied, NotFound
    """
    asked, kind, sequence = _read_run(district, document)
    if bool(document.get("is_masked")) != (not user.may(Permission.VIEW_SENSITIVE)):
        raise InvalidInput(
            "the run was made by somebody who sees other small counts; compare with the same rights",
            zh="该文件由小数可见范围不同的账号导出,无法逐项比对。请用同类角色的账号复算。",
        )
    question = parse_question(asked, now=district.clock())
    if kind == siting.KIND:
        result = siting.solve(district, user, parse_siting(asked, question), keep=False, sequence=sequence)
        then, now = (
            {name: one.get(name) for name in ("objective", "sites", "after")}
            for one in (document["result"], result)
        )
    else:
        result = _result(coverage.report(district, user, question, sequence=sequence))
        then, now = document["result"], result
    found = list(_differences("", then, json.loads(json.dumps(now))))
    return {
        "is_same": not found,
        "differences": found[:50],
        "sequence": sequence,
        "question": question.document(),
        "result": result,
    }


def _read_run(district: District, document: Any) -> tuple[Mapping[str, Any], str, int]:
    is_run = isinstance(document, Mapping) and document.get("format") == RUN_FORMAT
    if not is_run or document.get("version") != RUN_VERSION:
        raise InvalidInput(
            f"this is no {RUN_FORMAT} file of version {RUN_VERSION}",
            zh="这不是本系统导出的可复算文件,或版本不符。",
        )
    asked, sequence, kind = document.get("question"), document.get("sequence"), document.get("kind")
    if (
        not isinstance(asked, Mapping)
        or type(sequence) is not int
        or not isinstance(document.get("result"), Mapping)
    ):
        raise InvalidInput("the run file is damaged", zh="可复算文件不完整,请重新导出。")
    if kind not in ("coverage", siting.KIND):
        raise InvalidInput(f"no run of kind {kind!r}", zh="可复算文件的类型无法识别。")
    if not 0 <= sequence <= district.database.sequence():
        raise InvalidInput(
            f"the run is of commit {sequence}, which this district has not reached",
            zh=f"可复算文件基于第 {sequence} 次更新,本辖区数据没有这一版本。",
            sequence=sequence,
        )
    return asked, str(kind), sequence


def parse_run(text: bytes) -> Any:
    """The JSON of a run file; raises InvalidInput, TooLarge."""
    if len(text) > MOST_RUN_BYTES:
        raise TooLarge(f"a run file has at most {MOST_RUN_BYTES} bytes", zh="可复算文件过大。")
    try:
        return json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InvalidInput("the run file is no JSON", zh="可复算文件不是有效的 JSON。") from None


def _differences(path: str, then: Any, now: Any) -> Iterator[dict[str, Any]]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in sorted({*then, *now}):
            yield from _differences(f"{path}/{name}", then.get(name), now.get(name))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for at, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differences(f"{path}/{at}", one, other)
    elif _is_number(then) and _is_number(now):
        # another processor may add fractions in another order; whole people are the same on any
        if not math.isclose(then, now, rel_tol=_RELATIVE, abs_tol=_RELATIVE):
            yield {"path": path, "then": then, "now": now}
    elif then != now:
        yield {"path": path, "then": then, "now": now}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def figures_text(report: Report) -> str:
    """The report in a few lines for a person at a terminal."""
    total, unit, people = report.total, report.method["unit"], report.method["demand_unit"]
    if total.is_hidden:
        return "总数过小,已隐去。"
    lines = [
        f"口径:{report.method['sentence']}",
        f"坐标系 {report.crs};第 {report.sequence} 次更新{';含模拟数据' if report.is_simulated else ''}",
        f"需求 {total.people:,.0f} {people},已覆盖 {total.covered:,.0f}({total.covered_share:.1%}),未覆盖 {total.uncovered:,.0f}",
        f"仅一处覆盖 {total.once:,.0f},两处以上 {total.twice:,.0f}",
        f"到最近站点:平均 {cost_text(total.mean, unit)},中位 {cost_text(total.median, unit)},95% {cost_text(total.p95, unit)}",
    ]
    worst = sorted(
        (one for one in report.groups if one.figures.uncovered), key=lambda one: -one.figures.uncovered
    )
    lines += [
        f"  未覆盖 {one.figures.uncovered:>8,.0f} {people}  {one.code or ''} {one.name}" for one in worst[:10]
    ]
    return "\n".join(lines)
