"""What an import of a file would do, row by row, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np
import shapely

from gridmap.domain.crs import Datum
from gridmap.domain.elements import Element, Operation, Source
from gridmap.domain.layers import Layer
from gridmap.errors import InvalidInput, StateConflict
from gridmap.exchange import SourceTable
from gridmap.services.partition import distance_m
from gridmap.storage.newcomers import Newcomers

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
            f"no import mode {text!r}; use all or good",
            zh="导入方式应为 all(全部合格才导入)或 good(只导入合格的行)。",
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


_MOST_UPDATES = 1_000


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
    writes: tuple[Write, ...] = field(repr=False)
    newcomers: Newcomers | None = field(repr=False)
    options: Options = field(repr=False)

    def count(self, action: Action) -> int:
        """How many rows get this action."""
        return int((self.actions == action.value).sum())

    @property
    def is_clean(self) -> bool:
        """Whether no row is refused."""
        return self.count(Action.REFUSED) == 0

    def document(self, *, most: int | None = None) -> dict[str, Any]:
        """The dry run's report as JSON values; at most `most` problems, remarks and updates where given."""
        shown = [vars_of(one) for one in self.problems[:most]]
        updates = [one for one in self.writes if one.before is not None and not one.before.is_retired]
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
            "updates": [one.difference() for one in updates[: most or _MOST_UPDATES]],
            "update_count": len(updates),
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
class Write:
    """One element to store, and the state it replaces (None: none)."""

    element: Element
    before: Element | None
    operation: Operation

    def difference(self) -> dict[str, Any]:
        """
        What an update changes, as JSON values: fields as [before, after], and how far the element moves.

        `moved_m` is the way between the two places of a point, None for another shape that changes, 0 for none
        that does.
        """
        before, after = self.before, self.element
        assert before is not None
        old, new = before.values(), after.values()
        fields = {name: [old.get(name), new[name]] for name in new if old.get(name) != new[name]}
        moved_m: float | None = 0.0
        if not shapely.equals_identical(before.geometry, after.geometry):
            is_point = after.geometry.geom_type == before.geometry.geom_type == "Point"
            moved_m = round(distance_m(before.geometry, after.geometry), 1) if is_point else None
        return {"id": after.id, "code": after.code, "name": after.name, "fields": fields, "moved_m": moved_m}


@dataclass(frozen=True, slots=True)
class Options:
    """What `plan` was asked beside the table, so that it can be asked again."""

    mapping: Mapping[str, str | None] | None
    values: Mapping[str, Mapping[str, str]]
    where: Mapping[str, str]
    source: Source
    verified_at: Sequence[datetime | None] | None = None
