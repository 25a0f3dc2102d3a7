"""
Files into a layer: a dry run that judges every row, then one commit that stores all rows or the good ones.

A row is an element that is there already when its id is, else when its code is, else (without a code) when
name and place are. So the same file imported twice changes nothing the second time.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from gridmap.domain.crs import Datum, metric_crs_of, parse_datum, to_metric, to_wgs84
from gridmap.domain.elements import Element, Operation, Source, due_after, new_ids, quoted
from gridmap.domain.layers import Field, FieldType, GeometryType, Layer
from gridmap.domain.privacy import find_in_values, mask_text
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput, NotFound, StateConflict
from gridmap.exchange import Limits, SourceTable, datum_suspicion, read_table
from gridmap.exchange.table import plain_values
from gridmap.services import access, columns, membership, partition
from gridmap.services.district import District
from gridmap.services.jobs import JobContext
from gridmap.services.near import near_pairs
from gridmap.storage import elements as stored
from gridmap.storage import history, lineage, newcomers
from gridmap.storage.newcomers import Newcomers
from gridmap.validation.attributes import Problem, clean_column, core_fields
from gridmap.validation.geometry import MAX_VERTICES, geometry_problems, promoted
from gridmap.validation.topology import PartitionReport, noded, partition_problems

SAME_PLACE_DEGREES = 1e-7
JOB_ROWS = 5_000
_COLUMNS_FROM = 1_000
_REASON = "批量导入"
_UNDO_REASON = "撤销批量导入"
_SHOWN_IN_JOB = 500
_MOST_DUPLICATES = 1_000
_SUSPICION_SAMPLE = 3_000
# A border drawn with the neighbour's own vertices may leave a few centimetres to rounding.
_SLACK_DEGREES = 2e-6

Progress = Callable[[float, str], None]


class Mode(Enum):
    """What happens to the good rows of a file that has bad ones."""

    ALL = "all"
    GOOD = "good"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"all": "全部合格才导入", "good": "只导入合格的行"}[self.value]


def parse_mode(text: Mode | str) -> Mode:
    """The mode that `text` names; raises InvalidInput."""
    try:
        return Mode(text)
    except ValueError:
        raise InvalidInput(
            f"no import mode {text!r}; use all or good", zh="导入方式应为 all(全部合格才导入)或 good(只导入合格的行)。"
        ) from None


class Action(Enum):
    """What an import does with one row."""

    NEW = "new"
    CHANGED = "changed"
    RESTORED = "restored"
    UNCHANGED = "unchanged"
    REPEATED = "repeated"
    REFUSED = "refused"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {
            "new": "新增", "changed": "更新", "restored": "恢复", "unchanged": "无变化", "repeated": "文件内重复",
            "refused": "不合格",
        }[self.value]  # fmt: skip


class ImportRefused(InvalidInput):
    """
    An all-or-nothing import of a file that has bad rows: nothing was stored.

    Attributes
    ----------
    refused : number of bad rows
    problems : the first of them
    """

    title = "导入未执行"


class ImportOutdated(StateConflict):
    """The district moved on since the dry run, and the file would now do something else."""

    title = "数据已变化,请重新检查"


class ImportNotUndoable(StateConflict):
    """
    An import cannot be taken back whole any more.

    Attributes
    ----------
    sequence : its number
    changed : how many of its elements were written since
    """

    title = "无法撤销导入"


@dataclass(frozen=True, slots=True)
class RowIssue:
    """One thing to say about one row: `row` is the number a person sees beside it in the file."""

    row: int
    field: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class ImportPlan:
    """
    What an import of a file would do; nothing of it is stored.

    `actions` has one entry a row. `problems` say why rows are refused, all reasons of every one; `remarks`
    what a person should look at in rows that are not; `warnings` what concerns the file as a whole.
    """

    layer: Layer
    filename: str
    table: SourceTable = field(repr=False)
    datum: Datum
    mapping: Mapping[str, str]
    ignored: tuple[str, ...]
    mode: Mode
    username: str
    sequence: int
    actions: np.ndarray[Any, Any] = field(repr=False)
    problems: tuple[RowIssue, ...] = field(repr=False)
    remarks: tuple[RowIssue, ...] = field(repr=False)
    warnings: tuple[str, ...]
    unknown_choices: Mapping[str, tuple[str, ...]]
    writes: tuple[_Write, ...] = field(repr=False)
    newcomers: Newcomers | None = field(repr=False)
    options: _Options = field(repr=False)

    def count(self, action: Action) -> int:
        """How many rows get this action."""
        return int((self.actions == action.value).sum())

    @property
    def is_clean(self) -> bool:
        """Whether no row is refused."""
        return self.count(Action.REFUSED) == 0

    def document(self, *, most: int | None = None) -> dict[str, Any]:
        """The dry run's report as JSON values; at most `most` problems and remarks where given."""
        shown = [vars_of(one) for one in self.problems[:most]]
        return {
            "file": self.filename,
            "format": self.table.format.value,
            "encoding": self.table.encoding,
            "layer": self.layer.id,
            "layer_title": self.layer.title,
            "datum": str(self.datum),
            "rows": len(self.table),
            **{one.value: self.count(one) for one in Action},
            "mapping": dict(self.mapping),
            "ignored": list(self.ignored),
            "warnings": list(self.warnings),
            "notes": list(self.table.notes),
            "problems": shown,
            "problem_count": len(self.problems),
            "remarks": [vars_of(one) for one in self.remarks[:most]],
            "remark_count": len(self.remarks),
            "unknown_choices": {name: list(values) for name, values in self.unknown_choices.items()},
        }


def vars_of(issue: RowIssue) -> dict[str, Any]:
    """An issue as JSON values."""
    return {"row": issue.row, "field": issue.field, "rule": issue.rule, "message": issue.message}


@dataclass(frozen=True, slots=True)
class ImportReceipt:
    """What an import stored; `sequence` is its number in the district, None when there was nothing to store."""

    sequence: int | None
    new: int
    changed: int
    restored: int
    unchanged: int
    repeated: int
    refused: int

    def document(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def chinese(self) -> str:
        """The sentence a person reads."""
        parts = [f"新增 {self.new} 个", f"更新 {self.changed} 个"]
        parts += [f"恢复 {self.restored} 个"] if self.restored else []
        parts.append(f"无变化 {self.unchanged} 个")
        parts += [f"文件内重复 {self.repeated} 行"] if self.repeated else []
        parts += [f"未导入 {self.refused} 行"] if self.refused else []
        return "导入完成:" + ",".join(parts) + "。"


@dataclass(frozen=True, slots=True)
class _Write:
    """One element to store, and the state it replaces (None: none)."""

    element: Element
    before: Element | None
    operation: Operation


@dataclass(frozen=True, slots=True)
class _Options:
    """What `plan` was asked beside the table, so that it can be asked again."""

    mapping: Mapping[str, str | None] | None
    values: Mapping[str, Mapping[str, str]]
    where: Mapping[str, str]
    source: Source
    verified_at: Sequence[datetime | None] | None = None


# --- the dry run -------------------------------------------------------------------------------------------


def read(
    district: District,
    path_or_bytes: Path | str | bytes,
    *,
    filename: str | None = None,
    layer_name: str | None = None,
    encoding: str | None = None,
    lon_column: str | None = None,
    lat_column: str | None = None,
) -> SourceTable:
    """A file as a table, within the deployment's limits; never the live database. Errors as `read_table`'s."""
    return read_table(
        path_or_bytes,
        filename=filename,
        layer_name=layer_name,
        encoding=encoding,
        lon_column=lon_column,
        lat_column=lat_column,
        limits=limits_of(district),
        forbidden=district.settings.database_file,
    )


def limits_of(district: District) -> Limits:
    """The most that one import may bring."""
    return Limits(
        max_bytes=district.settings.max_upload_mb * 2**20, max_rows=district.settings.max_import_rows
    )


def propose_mapping(district: District, layer_id: str, table: SourceTable) -> dict[str, str]:
    """The field for each column that seems to be one, by column."""
    layer = district.catalogue.layer(layer_id)
    samples = {name: plain_values(table.frame[name].head(500)) for name in table.columns}
    return columns.propose(layer, samples)


def plan(
    district: District,
    user: User,
    layer_id: str,
    table: SourceTable | Path | str | bytes,
    *,
    datum: Datum | str,
    mapping: Mapping[str, str | None] | None = None,
    mode: Mode | str = Mode.ALL,
    filename: str = "",
    values: Mapping[str, Mapping[str, str]] | None = None,
    where: Mapping[str, str] | None = None,
    source: Source = Source.REAL,
    progress: Progress | None = None,
) -> ImportPlan:
    """
    What an import of `table` would do, every bad row by number, field and rule. Nothing is stored.

    Parameters
    ----------
    table : what `read` gave, or a file
    datum : of the file's coordinates, as its user states it; nothing in a file tells for sure
    mapping : field by column, on top of what `propose_mapping` finds; None or "" leaves a column out
    mode : what `apply` does by default
    filename : what the file is called, for the history
    values : for a field, what values of the file mean: `{"class": {"trunk": "primary"}}`
    where : only rows that have these texts in these columns
    source : mark of new elements for which the file says nothing

    Raises
    ------
    PermissionDenied, NotFound (no such layer), CrsUnknownError, MappingFault, and the errors of `read`
    """
    layer = district.catalogue.layer(layer_id)
    access.require(district, user, Permission.IMPORT, layer_id)
    access.require_edit(district, user, layer)
    datum = parse_datum(datum)
    if not isinstance(table, SourceTable):
        filename = filename or (Path(table).name if isinstance(table, (str, Path)) else "上传的文件")
        table = read(district, table, filename=filename)
    options = _Options(mapping, values or {}, where or {}, source)
    with _collector_at_rest():
        return _Planner(
            district, user, layer, table, datum, parse_mode(mode), mask_text(filename), options, progress or _silent
        ).plan()


def _silent(share: float, message: str) -> None:
    """Progress that nobody watches."""


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """A hundred thousand new objects are no garbage: looking for some among them costs a sixth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Planner:
    """One dry run: rows are judged column by column, and only then put together as elements."""

    def __init__(
        self,
        district: District,
        user: User,
        layer: Layer,
        table: SourceTable,
        datum: Datum,
        mode: Mode,
        filename: str,
        options: _Options,
        progress: Progress,
    ) -> None:
        self.district, self.user, self.layer, self.datum = district, user, layer, datum
        self.mode, self.filename, self.options, self.progress = mode, filename, options, progress
        self.table = _where(table, options.where)
        self.rows = self.table.rows.tolist()
        self.n = len(self.table)
        self.problems: list[RowIssue] = []
        self.remarks: list[RowIssue] = []
        self.warnings: list[str] = []
        self.is_good = np.ones(self.n, dtype=bool)
        self.is_repeated = np.zeros(self.n, dtype=bool)

    def refuse(self, at: int, field: str, rule: str, message: str) -> None:
        """Note why a row cannot be stored."""
        self.is_good[at] = False
        self.problems.append(RowIssue(self.rows[at], field, rule, message))

    def remark(self, at: int, field: str, rule: str, message: str) -> None:
        """Note what a person should look at in a row."""
        self.remarks.append(RowIssue(self.rows[at], field, rule, message))

    def plan(self) -> ImportPlan:
        """Run all checks, in the order in which they need one another."""
        sequence = self.district.database.sequence()
        self.frame = self.district.frames.frame(self.layer.id)
        self.position = {self.frame.arrays.id[at]: at for at in self.frame.living}
        self._map_columns()
        self._note_unreadable()
        self.progress(0.05, "检查图形")
        self._check_geometry()
        self.progress(0.2, "检查属性")
        self._check_attributes()
        self.progress(0.45, "与现有要素比对")
        self._match()
        self._check_area()
        self._check_partition()
        self.progress(0.65, "整理变化")
        self._compare()
        self._look_around()
        self.progress(0.9, "汇总")
        return self._finished(sequence)

    # --- columns ---

    def _map_columns(self) -> None:
        frame = self.table.frame
        self.raw = {name: plain_values(frame[name]) for name in self.table.columns}
        proposed = columns.propose(self.layer, self.raw)
        self.mapping = columns.settle(self.layer, self.table.columns, proposed, self.options.mapping)
        self.column_of = {target: column for column, target in self.mapping.items()}
        grids = columns.grid_columns(
            self.district.catalogue, self.layer, self.raw.keys() - self.mapping.keys()
        )
        self.grid_columns = grids
        self.ignored = tuple(name for name in self.table.columns if name not in self.mapping)
        for column in self.ignored:
            self._warn_of_ignored(column)
        if self.n == 0:
            self.warnings.append("文件里没有数据行。")

    def _warn_of_ignored(self, column: str) -> None:
        finding = next((one for _, one in find_in_values(self.raw[column])), None)
        if finding is not None:
            self.warnings.append(
                f"“{mask_text(column)}”列{finding.chinese()},该列不导入;平台不保存个人信息,请不要在文件中携带。"
            )

    def _note_unreadable(self) -> None:
        place_of = {row: at for at, row in enumerate(self.rows)}
        for one in self.table.problems:
            if one.row in place_of:
                self.refuse(place_of[one.row], one.column or "geometry", "unreadable", one.message)

    # --- geometry ---

    def _check_geometry(self) -> None:
        geometry = to_wgs84(self.table.geometry, self.datum)
        accepted = [shapely.GeometryType[one.upper()].value for one in self.layer.geometry.accepted]
        if self.layer.geometry is GeometryType.POINT:
            odd = np.flatnonzero(~np.isin(shapely.get_type_id(geometry), accepted))
            geometry[odd] = promoted(geometry[odd], "Point")
        unread = {one.row for one in self.table.problems}
        suspects = np.flatnonzero(~_is_plainly_sound(geometry, accepted))
        for one in geometry_problems(geometry[suspects], expected_type=self.layer.geometry.value):
            at = int(suspects[one.index])
            if not (one.fault.value == "missing" and self.rows[at] in unread):
                self.refuse(at, "geometry", one.fault.value, one.message)
        self.geometry = geometry
        self._suspect_datum()

    def _suspect_datum(self) -> None:
        declared = self.table.declared_crs
        if declared and parse_datum_or_none(declared) not in (None, self.datum):
            stated = parse_datum(declared)
            if not (stated.is_wgs84 and self.datum.is_wgs84):
                self.warnings.append(
                    f"文件声明的坐标系是{stated.title},与所选的{self.datum.title}不同,请核对。"
                )
        sound = np.flatnonzero(self.is_good)
        if not len(sound):
            return
        outline = district_area(self.district, beside=self.layer.id)
        sample = sound[:: max(1, len(sound) // _SUSPICION_SAMPLE)]
        suspicion = datum_suspicion(
            self.geometry[sample], outline, stated=self.datum, references=self._references()
        )
        if suspicion.is_suspicious and len(sample) == len(sound):
            self.warnings.append(suspicion.message)
        elif suspicion.is_suspicious:
            self.warnings.append(f"抽查 {len(sample):,} 行:{suspicion.message}")

    def _references(self) -> np.ndarray[Any, Any] | None:
        """What such data usually lie near: the stored roads, for anything else than roads."""
        if self.layer.id == "road" or "road" not in self.district.catalogue:
            return None
        if self.layer.geometry is not GeometryType.POINT:
            return None
        roads = self.district.frames.frame("road")
        return roads.arrays.geometry[roads.living] if len(roads) else None

    # --- attributes ---

    def _check_attributes(self) -> None:
        self.values: dict[str, list[Any]] = {}
        self.unknown: dict[str, list[str]] = {}
        fields = {one.name: one for one in (*core_fields(self.layer), *self.layer.fields)}
        for name, one in fields.items():
            column = self.column_of.get(name)
            if column is None:
                continue
            raw = self._translated(name, self.raw[column])
            self.values[name], problems = _cleaned(one, raw)
            for problem in problems:
                self._note(problem, name)
            if one.type is FieldType.CHOICE:
                self.unknown[name] = _unknown_choices(raw, problems)
        self.required = [one for one in fields.values() if one.is_required and not one.is_soft]
        self._check_system_columns()

    def _translated(self, name: str, values: list[Any]) -> list[Any]:
        meant = self.options.values.get(name)
        return [meant.get(str(value), value) for value in values] if meant else values

    def _note(self, problem: Problem, name: str) -> None:
        if problem.is_warning:
            self.remark(problem.row, name, problem.rule, problem.message)
        else:
            self.refuse(problem.row, name, problem.rule, problem.message)

    def _check_system_columns(self) -> None:
        self.system: dict[str, list[Any]] = {}
        readers: dict[str, tuple[Callable[[Any], Any], str]] = {
            "id": (_as_id, "应为 UUID 形式的要素标识"),
            "revision": (_as_revision, "应为正整数的版本号"),
            "source": (_as_source, "应为“真实数据”或“模拟数据”"),
            "verified_at": (_as_time, "应为时间,如 2026-03-01T08:30:00+08:00"),
        }
        for name, (reader, rule) in readers.items():
            column = self.column_of.get(name)
            if column is None:
                continue
            read: list[Any] = []
            for at, value in enumerate(self.raw[column]):
                try:
                    read.append(None if value in (None, "") else reader(value))
                except (ValueError, TypeError, OverflowError):
                    read.append(None)
                    self.refuse(at, name, "type", f"“{columns.SYSTEM_COLUMNS[name]}”{rule}")
            self.system[name] = read

    # --- which stored element is which row ---

    def _match(self) -> None:
        """Sets `match[at]` to the position of the row's element among the living, or -1."""
        self.match = np.full(self.n, -1, dtype=np.int64)
        self.restored: dict[int, str] = {}
        self.ids: list[str | None] = self.system.get("id", [None] * self.n)
        self.codes: list[str | None] = self.values.get("code", [None] * self.n)
        self._match_ids()
        self._match_codes()
        self._match_places()

    def _match_ids(self) -> None:
        seen: dict[str, int] = {}
        strangers: list[int] = []
        for at, one in enumerate(self.ids):
            if one is None:
                continue
            if one in seen:
                self.refuse(at, "id", "duplicate", f"要素标识与第 {self.rows[seen[one]]} 行重复")
                continue
            seen[one] = at
            if one in self.position:
                self.match[at] = self.position[one]
            else:
                strangers.append(at)
        if not strangers:
            return
        with self.district.database.read() as connection:
            traces = stored.traces(connection, [self.ids[at] for at in strangers if self.ids[at]])
        for at in strangers:
            trace = traces.get(self.ids[at] or "")
            if trace is None:
                continue
            if trace.layer != self.layer.id:
                title = _layer_title(self.district, trace.layer)
                self.refuse(
                    at, "id", "other_layer", f"该要素标识属于图层“{title}”,不能导入到“{self.layer.title}”"
                )
            else:
                self.restored[at] = trace.id

    def _match_codes(self) -> None:
        living = {code: at for at in self.frame.living if (code := self.frame.arrays.code[at])}
        with self.district.database.read() as connection:
            retired = lineage.all_holders(connection, self.layer.id)
            retired |= {one.code: one.id for one in stored.retired(connection, self.layer.id) if one.code}
        seen: dict[str, int] = {}
        for at, code in enumerate(self.codes):
            if not code:
                continue
            if code in seen:
                self.refuse(at, "code", "duplicate", f"编码“{code}”与第 {self.rows[seen[code]]} 行重复")
                continue
            seen[code] = at
            holder = living.get(code, -1)
            if self.match[at] < 0 and at not in self.restored and holder >= 0:
                self.match[at] = holder
            elif holder >= 0 and holder != self.match[at]:
                self.refuse(at, "code", "taken", f"编码“{code}”已被另一个要素使用,请换一个编码")
            elif (
                code in retired
                and self.restored.get(at, retired[code]) == retired[code]
                and self.match[at] < 0
            ):
                self.restored[at] = retired[code]
            elif code in retired and not self._is_own(at, retired[code]):
                self.refuse(at, "code", "retired", f"编码“{code}”属于已停用的要素,停用的编码不再使用")
        self._refuse_twice_matched()
        self._judge_restored()

    def _is_own(self, at: int, element_id: str) -> bool:
        """Whether the row's element is this one."""
        return self.match[at] >= 0 and self.frame.arrays.id[self.match[at]] == element_id

    def _refuse_twice_matched(self) -> None:
        """One element, once by its id and once by its code."""
        seen: dict[int, int] = {}
        for at in np.flatnonzero(self.match >= 0).tolist():
            position = int(self.match[at])
            if position in seen:
                self.refuse(at, "id", "duplicate", f"与第 {self.rows[seen[position]]} 行是同一个要素")
            seen.setdefault(position, at)

    def _judge_restored(self) -> None:
        """A retired element comes back only where an undone import had retired it."""
        if not self.restored:
            return
        with self.district.database.read() as connection:
            reasons = history.last_reasons(connection, list(set(self.restored.values())))
        for at, element_id in list(self.restored.items()):
            if not reasons.get(element_id, "").startswith(_UNDO_REASON):
                del self.restored[at]
                self.refuse(at, "code", "retired", "该要素已停用(删除);如需恢复,请在“历史与恢复”中操作")

    def _match_places(self) -> None:
        names = self.values.get("name", [None] * self.n)
        rows = [
            at
            for at in range(self.n)
            if self.is_good[at] and not self.codes[at] and self.ids[at] is None and self.match[at] < 0
        ]
        if not rows:
            return
        arrays = self.frame.arrays
        taken = set(self.match[self.match >= 0].tolist())
        free = [at for at in self.frame.living.tolist() if at not in taken]
        known = _PlaceIndex(arrays.geometry)
        for at in free:
            known.add(at, arrays.name[at] or "")
        inside = _PlaceIndex(self.geometry)
        for at in rows:
            name = names[at] or ""
            found = [one for one in known.same(self.geometry[at], name) if one not in taken]
            if found:
                same = [one for one in found if self._is_equal_to(at, one)]
                self.match[at] = (same or found)[0]
                taken.add(int(self.match[at]))
            twin = next((one for one in inside.same(self.geometry[at], name) if self._is_twin(at, one)), None)
            if twin is not None and not found:
                self.is_repeated[at] = True
                self.remark(at, "", "repeated", f"与第 {self.rows[twin]} 行完全相同,只导入一次")
            inside.add(at, name)

    def _is_equal_to(self, at: int, position: int) -> bool:
        return self._merged(at, json.loads(self.frame.arrays.properties[position]))[1] is False

    def _is_twin(self, at: int, other: int) -> bool:
        return all(column[at] == column[other] for column in self.values.values())

    # --- rights ---

    def _check_area(self) -> None:
        area = access.area_of(self.district, self.user)
        if area is None:
            return
        good = np.flatnonzero(self.is_good)
        shapely.prepare(reach := area.buffer(_SLACK_DEGREES))
        inside = shapely.covers(reach, self.geometry[good])
        known = self.match[good] >= 0
        inside[known] &= shapely.covers(reach, self.frame.arrays.geometry[self.match[good[known]]])
        for at in good[~inside].tolist():
            self.refuse(
                at, "geometry", "area", "位置不在您的责任区内,不能导入;请交由所在网格的民警或网格管理员导入"
            )

    # --- partitions ---

    def _check_partition(self) -> None:
        if not self.layer.is_partition or not self.is_good.any():
            return
        good = np.flatnonzero(self.is_good & ~self.is_repeated)
        replaced = self.match[good][self.match[good] >= 0]
        others = np.setdiff1d(self.frame.living, replaced)
        rest = self.frame.arrays.geometry[others]
        report, mended = self._partition_report(self.geometry[good], rest)
        self.geometry[good] = mended
        self._refuse_overlaps(report, good, others)
        self._refuse_outside(report, good)
        self._refuse_children_outside(good, rest)
        if report.gaps:
            self.warnings.append(
                f"导入后仍有 {len(report.gaps)} 处、共 {report.gap_m2:,.0f} 平方米没有被任何{self.layer.title}覆盖,"
                "请在导入后补齐。"
            )

    def _partition_report(self, new: np.ndarray, rest: np.ndarray) -> tuple[PartitionReport, np.ndarray]:
        """What keeps new and other grids from being a partition of the parent, and the new ones, noded if need be."""
        together = np.concatenate([new, rest, self._parent_areas()])
        report = _judged(together, len(new) + len(rest))
        if report.is_clean:
            return report, new
        # A corner on a neighbour's long edge looks like a gap once it is projected: it gets its vertex first.
        try:
            mended = noded(together)
        except InvalidInput:  # an area stored long ago is broken: judge as well as can be
            return report, new
        if shapely.is_empty(mended).any():
            return report, new
        return _judged(mended, len(new) + len(rest)), mended[: len(new)]

    def _parent_areas(self) -> np.ndarray:
        if self.layer.parent is None:
            return np.empty(0, dtype=object)
        frame = self.district.frames.frame(self.layer.parent)
        return frame.arrays.geometry[frame.living]

    def _refuse_overlaps(self, report: PartitionReport, good: np.ndarray, others: np.ndarray) -> None:
        def called(place: int) -> str:
            if place < len(good):
                at = int(good[place])
                return f"第 {self.rows[at]} 行" + (f"({self.codes[at]})" if self.codes[at] else "")
            at = int(others[place - len(good)])
            return f"现有的{self.layer.title}“{self.frame.arrays.code[at] or self.frame.arrays.name[at]}”"

        for overlap in report.overlaps:
            for mine, other in ((overlap.i, overlap.j), (overlap.j, overlap.i)):
                if mine < len(good):
                    message = f"与{called(other)}重叠 {overlap.area_m2:,.0f} 平方米,请先修正边界"
                    self.refuse(int(good[mine]), "geometry", "overlap", message)

    def _refuse_outside(self, report: PartitionReport, good: np.ndarray) -> None:
        parent = self.district.catalogue.layer(self.layer.parent) if self.layer.parent else None
        for piece in report.outside:
            if piece.i >= len(good) or parent is None:
                continue
            message = f"有 {piece.area_m2:,.0f} 平方米超出“{parent.title}”范围"
            if parent.is_partition:
                self.refuse(int(good[piece.i]), "geometry", "outside_parent", message + ",请先修正边界")
            else:
                # an outline of the whole district comes from elsewhere and never fits to the metre
                self.remark(int(good[piece.i]), "geometry", "outside_parent", message)

    def _refuse_children_outside(self, good: np.ndarray, rest: np.ndarray) -> None:
        """Areas of the layer below that lay in one grid must not come to lie in two."""
        living, known = self.frame.arrays.geometry, self.match[good] >= 0
        moved = ~known
        moved[known] = ~_is_same_place(self.geometry[good[known]], living[self.match[good[known]]])
        if not moved.any():
            return
        rows = good[moved]
        old = living[self.match[rows[self.match[rows] >= 0]]]
        ground = shapely.union_all([*old, *self.geometry[rows]])
        before, after = living[self.frame.living], np.concatenate([self.geometry[good], rest])
        for child, positions in partition.children_outside(
            self.district, self.layer, ground, before, after
        ):
            arrays = self.district.frames.frame(child.id).arrays
            for position in positions:
                code = arrays.code[position] or arrays.name[position]
                shared = shapely.area(shapely.intersection(self.geometry[rows], arrays.geometry[position]))
                for at in rows[shared > 0].tolist():
                    message = f"下级{child.title}“{code}”会跨越新边界,请沿其边界划分,或先调整{child.title}"
                    self.refuse(at, "geometry", "child_outside", message)

    # --- what changes ---

    def _merged(self, at: int, present: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The row's properties on top of the present ones, and whether they differ."""
        merged = dict(present)
        for name in self.property_names:
            value = self.values[name][at]
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = value
        return merged, merged != present

    @property
    def property_names(self) -> list[str]:
        """Fields of the layer that the file has a column for."""
        return [name for name in self.values if name not in ("code", "name")]

    def _compare(self) -> None:
        self.actions = np.full(self.n, Action.REFUSED.value, dtype=object)
        self.writes: list[_Write] = []
        self.newcomers: Newcomers | None = None
        self._compare_known()
        self._restore()
        self._add_new()
        self.actions[self.is_repeated & self.is_good] = Action.REPEATED.value

    def _compare_known(self) -> None:
        known = np.flatnonzero(self.is_good & (self.match >= 0) & ~self.is_repeated)
        if not len(known):
            return
        arrays, at_stored = self.frame.arrays, self.match[known]
        moved = ~_is_same_place(self.geometry[known], arrays.geometry[at_stored])
        revisions = self.system.get("revision")
        sources, names, codes = self.system.get("source"), self.values.get("name"), self.values.get("code")
        changed: list[tuple[int, dict[str, Any], bool]] = []
        for at, position, is_moved in zip(known.tolist(), at_stored.tolist(), moved.tolist(), strict=True):
            properties, differs = self._merged(at, json.loads(arrays.properties[position]))
            differs |= is_moved
            differs |= names is not None and (names[at] or "") != arrays.name[position]
            differs |= codes is not None and codes[at] != arrays.code[position]
            differs |= sources is not None and sources[at] not in (None, arrays.source[position])
            if not differs:
                self.actions[at] = Action.UNCHANGED.value
            elif revisions is not None and revisions[at] not in (None, int(arrays.revision[position])):
                now = int(arrays.revision[position])
                message = f"文件依据第 {revisions[at]} 版,现为第 {now} 版:导出之后有人修改过,请重新导出后再改"
                self.refuse(at, "revision", "stale", message)
            else:
                changed.append((at, properties, is_moved))
        self._write_changed(changed)

    def _write_changed(self, changed: list[tuple[int, dict[str, Any], bool]]) -> None:
        arrays = self.frame.arrays
        with self.district.database.read() as connection:
            present = stored.get_many(connection, [arrays.id[self.match[at]] for at, _, _ in changed])
        for at, properties, is_moved in changed:
            before = present[arrays.id[self.match[at]]]
            self._write_over(
                at, before, properties, self.geometry[at] if is_moved else before.geometry, Operation.UPDATE
            )

    def _write_over(
        self,
        at: int,
        before: Element,
        properties: dict[str, Any],
        geometry: BaseGeometry,
        operation: Operation,
    ) -> None:
        missing = [one for one in self.required if self._is_missing(one, at, before, properties)]
        for one in missing:
            self.refuse(at, one.name, "required", f"“{one.title}”必填")
        if missing:
            return
        source = (self.system.get("source") or {at: None})[at]
        element = replace(
            before,
            code=self.values["code"][at] if "code" in self.values else before.code,
            name=(self.values["name"][at] or "") if "name" in self.values else before.name,
            geometry=geometry,
            properties=properties,
            source=Source(source) if source else before.source,
            due_at=due_after(self.layer, properties, before.verified_at),
            is_retired=False,
        )
        self.writes.append(_Write(element, before, operation))
        self.actions[at] = (Action.CHANGED if operation is Operation.UPDATE else Action.RESTORED).value

    def _is_missing(self, one: Field, at: int, before: Element, properties: Mapping[str, Any]) -> bool:
        """Whether a required field has no value and no problem that says so already."""
        if one.name in self.values:
            return False
        return (before.values() | properties).get(one.name) in (None, "")

    def _restore(self) -> None:
        rows = [at for at in self.restored if self.is_good[at]]
        if not rows:
            return
        with self.district.database.read() as connection:
            present = stored.get_many(connection, [self.restored[at] for at in rows])
        for at in rows:
            before = present[self.restored[at]]
            properties, _ = self._merged(at, dict(before.properties))
            self._write_over(at, before, properties, self.geometry[at], Operation.RESTORE)

    def _add_new(self) -> None:
        is_new = self.is_good & (self.match < 0) & ~self.is_repeated
        is_new[list(self.restored)] = False
        rows = np.flatnonzero(is_new)
        for one in self.required:
            if one.name not in self.values and one.default is None and len(rows):
                self.warnings.append(f"必填字段“{one.title}”没有对应的列。")
                for at in rows.tolist():
                    self.refuse(at, one.name, "required", f"“{one.title}”必填,文件中没有对应的列")
        rows = np.flatnonzero(is_new & self.is_good)
        # a column for each row would only say the same again; grids have effects beyond their own rows
        shares = not self.layer.is_grid and not {"source", "verified_at"} & self.system.keys()
        if len(rows) >= _COLUMNS_FROM and shares:
            self.newcomers = self._new_columns(rows)
        else:
            self.writes += [_Write(one, None, Operation.CREATE) for one in self._new_elements(rows)]
        self.actions[rows] = Action.NEW.value

    def _defaults(self) -> dict[str, Any]:
        """As in a form: what is left blank stays blank, and what is not asked gets its default."""
        return {
            one.name: one.default
            for one in self.layer.fields
            if one.default is not None and one.name not in self.values
        }

    def _new_columns(self, rows: np.ndarray) -> Newcomers:
        """What `_new_elements` makes, without making any element."""
        at = rows.tolist()
        columns = {name: [self.values[name][one] for one in at] for name in self.property_names}
        columns |= {name: [value] * len(at) for name, value in self._defaults().items()}
        names, now = self.values.get("name"), self.district.clock()
        fresh = new_ids(len(at))
        return Newcomers(
            layer=self.layer.id,
            ids=[self.ids[one] or new for one, new in zip(at, fresh, strict=True)],
            codes=[self.codes[one] for one in at],
            names=[names[one] or "" for one in at] if names else [""] * len(at),
            geometry=self.geometry[rows],
            properties=_property_texts(columns, len(at)),
            due_at=self._due(columns, len(at), now),
            source=self.options.source,
            verified_at=now,
            verified_by=self.user.username,
        )

    def _due(self, columns: Mapping[str, list[Any]], count: int, now: datetime) -> list[datetime | None]:
        keys = [one for one in (self.layer.category_field, self.layer.grade_field) if one in columns]
        known: dict[tuple[Any, ...], datetime | None] = {}
        due: list[datetime | None] = []
        for values in zip(*(columns[one] for one in keys), strict=True) if keys else [()] * count:
            if values not in known:
                known[values] = due_after(self.layer, dict(zip(keys, values, strict=True)), now)
            due.append(known[values])
        return due

    def _new_elements(self, rows: np.ndarray) -> Iterator[Element]:
        none: list[Any] = [None] * self.n
        now = self.district.clock()
        defaults = self._defaults()
        given_columns = [self.values[name] for name in self.property_names]
        codes, names = self.codes, self.values.get("name", none)
        sources, verified = self.system.get("source", none), self.system.get("verified_at", none)
        fresh = iter(new_ids(len(rows)))
        due: dict[Any, Any] = {}
        keys = (self.layer.category_field, self.layer.grade_field)
        for at in rows.tolist():
            given = {
                name: column[at]
                for name, column in zip(self.property_names, given_columns, strict=True)
                if column[at] is not None
            }
            properties = {**defaults, **given}
            checked = verified[at] or now
            key = (checked, *(properties.get(one or "") for one in keys))
            if key not in due:
                due[key] = due_after(self.layer, properties, checked)
            element_id = next(fresh)
            yield Element(
                id=self.ids[at] or element_id,
                layer=self.layer.id,
                code=codes[at],
                name=names[at] or "",
                geometry=self.geometry[at],
                properties=properties,
                source=Source(sources[at]) if sources[at] else self.options.source,
                verified_at=checked,
                verified_by=self.user.username,
                due_at=due[key],
            )

    # --- what a person should look at ---

    def _look_around(self) -> None:
        self._compare_grids()
        if self.layer.duplicate_radius_m is not None:
            self._near_duplicates(self.layer.duplicate_radius_m)

    def _compare_grids(self) -> None:
        good = np.flatnonzero(self.is_good)
        for one in self.grid_columns:
            frame = self.district.frames.frame(one.grid_layer)
            if not len(good) or not len(frame):
                continue
            living = frame.living
            points = membership.representative_points(self.geometry[good])
            derived = membership.grid_codes(frame.arrays.geometry[living], frame.arrays.code[living], points)
            title = self.district.catalogue.layer(one.grid_layer).title
            wrong = 0
            for at, code in zip(good.tolist(), derived.tolist(), strict=True):
                stated = self.raw[one.column][at]
                stated = None if stated in (None, "") else str(stated).strip().removesuffix(".0")
                if stated is not None and stated != code:
                    wrong += 1
                    self.remark(
                        at, one.column, "grid_code", f"文件写的{title}是“{stated}”,按位置应为“{code or '无'}”"
                    )
            if wrong:
                self.warnings.append(
                    f"“{one.column}”列有 {wrong} 行与按位置推算的{title}不一致;以位置为准,该列不保存。"
                )

    def _near_duplicates(self, radius_m: float) -> None:
        new = np.flatnonzero(self.actions == Action.NEW.value)
        if not len(new):
            return
        living = self.frame.living
        together = np.concatenate([self.geometry[new], self.frame.arrays.geometry[living]])
        pairs = near_pairs(together, radius_m)
        pairs = pairs[pairs[:, 0] < len(new)]
        for first, second in pairs[:_MOST_DUPLICATES].tolist():
            if second < len(new):
                other = f"文件第 {self.rows[int(new[second])]} 行"
            else:
                at = living[second - len(new)]
                other = f"已有的“{self.frame.arrays.code[at] or self.frame.arrays.name[at]}”"
            self.remark(
                int(new[first]),
                "geometry",
                "near_duplicate",
                f"{radius_m:g} 米内有{other},请确认不是重复登记",
            )
        if len(pairs):
            self.warnings.append(f"有 {len(pairs)} 处要素相距不到 {radius_m:g} 米,请确认不是重复登记。")

    def _finished(self, sequence: int) -> ImportPlan:
        known = set(self.table.rows[self.is_good].tolist())
        return ImportPlan(
            layer=self.layer,
            filename=self.filename,
            table=self.table,
            datum=self.datum,
            mapping=dict(sorted(self.mapping.items(), key=lambda one: self.table.columns.index(one[0]))),
            ignored=self.ignored,
            mode=self.mode,
            username=self.user.username,
            sequence=sequence,
            actions=self.actions,
            problems=tuple(sorted(self.problems, key=lambda one: one.row)),
            remarks=tuple(sorted((one for one in self.remarks if one.row in known), key=lambda one: one.row)),
            warnings=tuple(self.warnings),
            unknown_choices={name: tuple(values) for name, values in self.unknown.items() if values},
            writes=tuple(self.writes),
            newcomers=self.newcomers,
            options=self.options,
        )


def _where(table: SourceTable, where: Mapping[str, str]) -> SourceTable:
    """The rows of the table that have these texts in these columns."""
    if not where:
        return table
    keep = np.ones(len(table), dtype=bool)
    for column, text in where.items():
        if column not in table.columns:
            raise columns.MappingFault(
                f"no column {column!r}; the file has {', '.join(table.columns)}",
                zh=f"文件中没有“{column}”列。文件中的列:{'、'.join(table.columns[:30])}。",
                column=column,
            )
        keep &= np.array([str(value) == text for value in plain_values(table.frame[column])], dtype=bool)
    rows = table.rows[keep]
    left = set(rows.tolist())
    return replace(
        table,
        frame=table.frame[keep].reset_index(drop=True),
        rows=rows,
        problems=tuple(one for one in table.problems if one.row in left),
    )


def parse_datum_or_none(text: str) -> Datum | None:
    """The datum that `text` names; None where it names none."""
    try:
        return parse_datum(text)
    except InvalidInput:
        return None


def district_area(district: District, *, beside: str = "") -> BaseGeometry | None:
    """
    The district's ground (EPSG:4326): the district layer, else the towns together; None while there is neither.

    `beside` is a layer that is not asked, since it is being judged itself.
    """
    for layer_id in ("district", "town"):
        if layer_id == beside or layer_id not in district.catalogue:
            continue
        frame = district.frames.frame(layer_id)
        if len(frame):
            return shapely.union_all(frame.arrays.geometry[frame.living])
    return None


def _judged(areas: np.ndarray, count: int) -> PartitionReport:
    """The first `count` lon/lat areas as a partition of the rest of them, judged in metres."""
    metric = to_metric(areas, metric_crs_of(areas))
    return partition_problems(
        metric[:count], within=shapely.union_all(metric[count:]) if count < len(areas) else None
    )


def _layer_title(district: District, layer_id: str) -> str:
    return district.catalogue.layer(layer_id).title if layer_id in district.catalogue else layer_id


def _is_plainly_sound(geometry: np.ndarray, accepted: Sequence[int]) -> np.ndarray:
    """Geometries that need no closer look: right type, finite, on the globe, valid, with extent."""
    kind = shapely.get_type_id(geometry)
    sound = np.isin(kind, accepted) & ~shapely.is_empty(geometry)
    bounds = shapely.bounds(geometry)
    with np.errstate(invalid="ignore"):
        sound &= np.isfinite(bounds).all(axis=1)
        sound &= (bounds[:, 0] >= -180) & (bounds[:, 1] >= -90) & (bounds[:, 2] <= 180) & (bounds[:, 3] <= 90)
    shaped = np.flatnonzero(sound & (kind > 0))
    if len(shaped):
        parts = geometry[shaped]
        ok = shapely.is_valid(parts) & (shapely.length(parts) > 0)
        ok &= shapely.get_num_coordinates(parts) <= MAX_VERTICES
        ok &= (shapely.get_dimensions(parts) < 2) | (shapely.area(parts) > 0)
        # bounds skip a NaN among other numbers
        xy, owner = shapely.get_coordinates(parts, return_index=True)
        ok[owner[~np.isfinite(xy).all(axis=1)]] = False
        sound[shaped] = ok
    return sound


def _cleaned(one: Field, values: list[Any]) -> tuple[list[Any], list[Problem]]:
    """`clean_column`, judging each different value once where a column repeats few."""
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) != 1 or not kinds <= {str, int, bool} or len(values) < 50:
        return clean_column(one, values)
    different = list(dict.fromkeys(values))
    if len(different) > len(values) / 4:
        return clean_column(one, values)
    cleaned, problems = clean_column(one, different)
    place = {value: at for at, value in enumerate(different)}
    where = [place[value] for value in values]
    found: dict[int, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.row, []).append(problem)
    spread = [
        Problem(row, problem.field, problem.rule, problem.message, problem.is_warning)
        for row, at in enumerate(where)
        if at in found
        for problem in found[at]
    ] if found else []  # fmt: skip
    return [cleaned[at] for at in where], spread


def _unknown_choices(raw: Sequence[Any], problems: Sequence[Problem]) -> list[str]:
    """Texts of a choice column that are none of its choices, each once; without personal data."""
    texts = dict.fromkeys(str(raw[one.row]) for one in problems if one.rule == "choices")
    return [mask_text(text)[:60] for text in list(texts)[:100]]


_PLAIN_JSON: dict[type, Callable[[Any], str]] = {
    str: quoted,
    int: str,
    bool: {True: "true", False: "false"}.__getitem__,
}


def _property_texts(columns: Mapping[str, list[Any]], count: int) -> list[str]:
    """Rows of properties as JSON texts: names sorted, no blanks, values that are None left out."""
    cells: list[list[str | None]] = []
    for name in sorted(columns):
        head = f"{quoted(name)}:"
        cells.append(
            [
                None if value is None else head + _PLAIN_JSON.get(type(value), json.dumps)(value)
                for value in columns[name]
            ]
        )
    if not cells:
        return ["{}"] * count
    return [
        "{" + ",".join([cell for cell in row if cell is not None]) + "}" for row in zip(*cells, strict=True)
    ]


def _as_id(value: Any) -> str:
    text = str(value).strip().lower()
    if str(uuid.UUID(text)) != text:
        raise ValueError("not a canonical UUID")
    return text


def _as_revision(value: Any) -> int:
    number = float(value)
    if not number.is_integer() or number < 1:
        raise ValueError("not a revision")
    return int(number)


def _as_source(value: Any) -> str:
    text = str(value).strip()
    for one in Source:
        if text in (one.value, one.title):
            return one.value
    raise ValueError("not a source")


def _as_time(value: Any) -> datetime:
    at = (
        value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip().replace("/", "-"))
    )
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at


def _is_same_place(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """
    Whether geometries are equal within `SAME_PLACE_DEGREES`.

    Points and lines vertex by vertex (a line has a direction); areas by their outline, wherever it begins,
    whichever way it runs and however many vertices lie on its edges. A Multi of one part equals that part.
    """
    same = shapely.equals_exact(first, second, tolerance=SAME_PLACE_DEGREES)
    for at in np.flatnonzero(~same).tolist():
        one, other = _unwrapped(first[at]), _unwrapped(second[at])
        if one.geom_type != other.geom_type or len(shapely.get_parts(one)) != len(shapely.get_parts(other)):
            continue
        if shapely.get_dimensions(one) == 2:
            same[at] = shapely.hausdorff_distance(one.boundary, other.boundary) <= SAME_PLACE_DEGREES
        elif shapely.get_num_coordinates(one) == shapely.get_num_coordinates(other):
            same[at] = shapely.equals_exact(one, other, tolerance=SAME_PLACE_DEGREES)
    return same


def _unwrapped(geometry: BaseGeometry) -> BaseGeometry:
    parts = getattr(geometry, "geoms", None)
    return parts[0] if parts is not None and len(parts) == 1 else geometry


class _PlaceIndex:
    """Finds geometries of the same name at the same place, by the cell of their lower left corner."""

    _CELL = 1e-6

    def __init__(self, geometry: np.ndarray) -> None:
        self.geometry = geometry
        self.corner = shapely.bounds(geometry)[:, :2] / self._CELL
        self.cells: dict[tuple[str, int, int], list[int]] = {}

    def add(self, at: int, name: str) -> None:
        """Let this geometry be found."""
        x, y = np.floor(self.corner[at]).astype(int).tolist()
        self.cells.setdefault((name, x, y), []).append(at)

    def same(self, geometry: BaseGeometry, name: str) -> list[int]:
        """Those that were added under the name and are at the same place, in their order."""
        x, y = (value / self._CELL for value in geometry.bounds[:2])
        reach = SAME_PLACE_DEGREES / self._CELL
        cells = {
            (int(np.floor(x + dx)), int(np.floor(y + dy))) for dx in (-reach, reach) for dy in (-reach, reach)
        }
        near = sorted({at for cx, cy in cells for at in self.cells.get((name, cx, cy), ())})
        if not near:
            return []
        asked = np.full(len(near), geometry, dtype=object)
        return [at for at, hit in zip(near, _is_same_place(asked, self.geometry[near]), strict=True) if hit]


# --- storing -----------------------------------------------------------------------------------------------


def apply(
    district: District,
    user: User,
    plan: ImportPlan,
    mode: Mode | str | None = None,
    *,
    progress: Progress | None = None,
    on_stored: Callable[[Connection, ImportReceipt], None] | None = None,
) -> ImportReceipt:
    """
    Store what the plan says, in one commit: everything or nothing of it.

    A plan that somebody's edit has overtaken is made anew; where it then says something else, nothing is
    stored. `on_stored` runs inside the commit.

    Raises
    ------
    ImportRefused
        Mode "all", and rows are refused.
    ImportOutdated
        The district has moved on and the file would do something else now.
    PermissionDenied
    """
    mode = plan.mode if mode is None else parse_mode(mode)
    access.require(district, user, Permission.IMPORT, plan.layer.id)
    access.require_edit(district, user, plan.layer)
    if user.username != plan.username:
        raise access.refuse(
            district,
            user,
            "apply the plan of another account",
            plan.layer.id,
            zh="只能导入自己检查过的文件。",
        )
    progress = progress or _silent
    for _ in range(3):
        if mode is Mode.ALL and not plan.is_clean:
            raise _refused(plan)
        with _collector_at_rest():
            receipt = _store(district, user, plan, progress, on_stored)
        if receipt is not None:
            return receipt
        plan = _again(district, user, plan)
    raise _outdated(plan)


def _refused(plan: ImportPlan) -> ImportRefused:
    number = plan.count(Action.REFUSED)
    first = plan.problems[0]
    return ImportRefused(
        f"{number} of {len(plan.table)} rows are refused; mend them, or import the good rows alone",
        zh=f"{number} 行不合格,未导入任何数据。第 {first.row} 行:{first.message}。请修正文件,或选择“只导入合格的行”。",
        refused=number,
        problems=[vars_of(one) for one in plan.problems[:100]],
    )


def _outdated(plan: ImportPlan) -> ImportOutdated:
    return ImportOutdated(
        f"layer {plan.layer.id} changed while the file was checked; check it again",
        zh="检查之后数据有变化,文件的导入结果会不同,未导入任何数据。请重新检查后再导入。",
        layer=plan.layer.id,
    )


def _again(district: District, user: User, plan: ImportPlan) -> ImportPlan:
    """The same question to the district of now; raises ImportOutdated where the answer is another."""
    options = plan.options
    fresh = _Planner(
        district, user, plan.layer, plan.table, plan.datum, plan.mode, plan.filename,
        replace(options, where={}), _silent,
    ).plan()  # fmt: skip
    if not np.array_equal(fresh.actions, plan.actions):
        raise _outdated(plan)
    return fresh


def _store(
    district: District,
    user: User,
    plan: ImportPlan,
    progress: Progress,
    on_stored: Callable[[Connection, ImportReceipt], None] | None,
) -> ImportReceipt | None:
    """The receipt; None when the district has moved on in what the plan was made from."""
    counts = {one.value: plan.count(one) for one in Action}
    if not plan.writes and plan.newcomers is None:
        receipt = ImportReceipt(None, **counts)
        if on_stored is not None:
            with district.database.write() as connection:
                on_stored(connection, receipt)
        return receipt
    number = counts["new"] + counts["changed"] + counts["restored"]
    reason = f"{_REASON}:{plan.filename}({number} 个)"
    progress(0.0, "写入数据库")
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        if not _is_current(district, commit.connection, plan):
            return None
        written: list[Element] = []
        before: list[Element | None] = []
        for operation in (Operation.CREATE, Operation.UPDATE, Operation.RESTORE):
            writes = [one for one in plan.writes if one.operation is operation]
            bases = [one.before.revision if one.before else None for one in writes]
            written += stored.save(commit, [one.element for one in writes], operation, bases=bases)
            before += [one.before for one in writes]
        if plan.layer.is_grid:
            lineage.add(commit.connection, _recoded(commit.sequence, written, before))
        if plan.newcomers is not None:
            newcomers.add(commit, plan.newcomers)
        progress(0.8, "推算所在网格")
        membership.derive(district, commit.connection, written, before)
        if plan.newcomers is not None:
            new = plan.newcomers
            membership.derive_new(district, commit.connection, plan.layer, new.ids, new.geometry)
        receipt = ImportReceipt(commit.sequence, **counts)
        if on_stored is not None:
            on_stored(commit.connection, receipt)
    progress(1.0, "完成")
    return receipt


def _recoded(
    sequence: int, written: Sequence[Element], before: Sequence[Element | None]
) -> list[lineage.Link]:
    """The steps from old codes to new ones, for those who know a grid by its old code."""
    return [
        lineage.Link(sequence, now.layer, lineage.Descent.RECODE, now.id, then.code, now.id, now.code)
        for now, then in zip(written, before, strict=True)
        if then is not None and then.code not in (None, now.code)
    ]


def _is_current(district: District, connection: Connection, plan: ImportPlan) -> bool:
    """Whether nothing that the plan was made from was written since."""
    asked = {plan.layer.id, plan.layer.parent, *(one.id for one in district.catalogue.grids)} - {None}
    return all(stored.layer_sequence(connection, one) <= plan.sequence for one in asked if one)


def is_import(reason: str) -> bool:
    """Whether a commit with this reason was an import of a file."""
    return reason.startswith(_REASON)


def undo_import(district: District, user: User, sequence: int) -> ImportReceipt:
    """
    Take a whole import back, in one commit: new elements are retired, changed ones get their old state.

    Only while nobody wrote to any of its elements since. A file imported again brings the retired ones back.

    Raises
    ------
    NotFound
        Commit `sequence` is no import.
    ImportNotUndoable
        Elements were written since, or their earlier state was redacted.
    PermissionDenied
        It is another account's import and the user is no administrator, or the layer is closed to the user.
    """
    with district.database.read() as connection:
        revisions = history.of_sequence(connection, sequence)
        past = history.before_sequence(connection, sequence)
    if not revisions or not is_import(revisions[0].reason):
        raise NotFound(
            f"commit {sequence} is no import", zh=f"编号 {sequence} 不是一次批量导入。", sequence=sequence
        )
    layer = district.catalogue.layer(revisions[0].layer)
    access.require(district, user, Permission.IMPORT, layer.id)
    access.require_edit(district, user, layer)
    if revisions[0].actor != user.username and not user.may(Permission.ADMINISTER):
        raise access.refuse(
            district, user, "undo the import of another account", str(sequence), zh="只能撤销自己的导入。"
        )
    reason = f"{_UNDO_REASON} {sequence}"
    ids = [one.element_id for one in revisions]
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        present = stored.get_many(commit.connection, ids)
        _require_untouched(revisions, present, past, sequence)
        retired = [replace(present[one], is_retired=True) for one in ids if one not in past]
        back = [_as_before(present[one], past[one].element) for one in ids if one in past]
        again = [one for one in back if one.is_retired]
        changed = [one for one in back if not one.is_retired]
        if layer.is_partition:
            _refuse_overlap_after(district, layer, ids, changed, sequence)
        written: list[Element] = []
        for elements, operation in (
            (retired + again, Operation.DELETE), (changed, Operation.UPDATE),
        ):  # fmt: skip
            bases = [one.revision for one in elements]
            written += stored.save(commit, elements, operation, bases=bases)
        lineage.undo(commit.connection, sequence, commit.sequence)
        membership.derive(district, commit.connection, written, [present[one.id] for one in written])
    return ImportReceipt(commit.sequence, 0, len(changed), 0, 0, 0, len(retired) + len(again))


def _refuse_overlap_after(
    district: District, layer: Layer, ids: Sequence[str], back: Sequence[Element], sequence: int
) -> None:
    """Grids that come back must not lie on ground that a neighbour has taken over meanwhile."""
    frame = district.frames.frame(layer.id)
    living = frame.living
    others = frame.arrays.geometry[living[~np.isin(frame.arrays.id[living].astype(str), ids)]]
    areas = np.array([*(one.geometry for one in back), *others], dtype=object)
    if len(back) and any(one.i < len(back) for one in _judged(areas, len(areas)).overlaps):
        raise ImportNotUndoable(
            f"grids that import {sequence} had changed would overlap their neighbours of today",
            zh=f"恢复后的{layer.title}会与相邻{layer.title}重叠,不能撤销,请逐个处理。",
            sequence=sequence,
            changed=len(back),
        )


def _as_before(present: Element, past: Element | None) -> Element:
    assert past is not None  # `_require_untouched` has seen to it
    return replace(past, revision=present.revision)


def _require_untouched(
    revisions: Sequence[history.Revision],
    present: Mapping[str, Element],
    past: Mapping[str, history.Revision],
    sequence: int,
) -> None:
    touched = sum(present[one.element_id].revision != one.revision for one in revisions)
    lost = sum(one.element is None for one in past.values())
    if touched or lost:
        raise ImportNotUndoable(
            f"{touched} elements of import {sequence} were written since, {lost} earlier states were redacted",
            zh=f"这次导入之后,其中 {touched + lost} 个要素又被修改(或原内容已清除),不能整体撤销,请逐个恢复。",
            sequence=sequence,
            changed=touched,
        )


# --- reports and jobs --------------------------------------------------------------------------------------


def problems_csv(plan: ImportPlan) -> bytes:
    """The refused rows and remarks as a table for a spreadsheet program (CSV, UTF-8 with a mark)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["行号", "级别", "字段", "规则", "说明"])
    titles = columns.targets(plan.layer) | {"geometry": "图形"}
    for level, issues in (("不合格", plan.problems), ("提示", plan.remarks)):
        for one in issues:
            name = titles.get(one.field, one.field)
            writer.writerow([one.row, level, _harmless(name), one.rule, _harmless(one.message)])
    return text.getvalue().encode("utf-8-sig")


def _harmless(text: str) -> str:
    """The text so that no spreadsheet program takes it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def run_job(context: JobContext) -> dict[str, Any] | None:
    """
    Plan an import, or plan and apply it, in a worker.

    Parameters of the job: path (of the file), filename, layer, datum, mapping, mode, values, where, source
    (real or simulated), lon_column, lat_column, layer_name, encoding, is_dry_run. The result is the plan's report, with
    the receipt; all problems are in `problems.csv` in the job's folder.
    """
    asked = context.parameters
    context.progress(0.0, "读取文件")
    table = read(
        context.district,
        asked["path"],
        filename=asked["filename"],
        layer_name=asked.get("layer_name"),
        encoding=asked.get("encoding"),
        lon_column=asked.get("lon_column"),
        lat_column=asked.get("lat_column"),
    )
    made = plan(
        context.district,
        context.user,
        asked["layer"],
        table,
        datum=asked["datum"],
        mapping=asked.get("mapping"),
        mode=asked.get("mode", "all"),
        filename=asked["filename"],
        values=asked.get("values"),
        where=asked.get("where"),
        source=Source(asked.get("source", Source.REAL.value)),
        progress=lambda share, message: context.progress(0.1 + 0.5 * share, message),
    )
    (context.folder / "problems.csv").write_bytes(problems_csv(made))
    report = made.document(most=_SHOWN_IN_JOB)
    if asked.get("is_dry_run") or (made.mode is Mode.ALL and not made.is_clean):
        return {"report": report, "receipt": None}

    def finish(connection: Connection, receipt: ImportReceipt) -> None:
        context.finish(connection, {"report": report, "receipt": receipt.document()}, receipt.chinese())

    apply(
        context.district,
        context.user,
        made,
        progress=lambda share, message: context.progress(0.6 + 0.4 * share, message),
        on_stored=finish,
    )
    return None
