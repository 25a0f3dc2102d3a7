"""Attributes of a file, judged column by column."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from gridmap.domain.elements import Source
from gridmap.domain.layers import Field, FieldType
from gridmap.domain.privacy import mask_text
from gridmap.services import columns
from gridmap.services.imports.work import Work
from gridmap.validation.attributes import Problem, clean_column, core_fields, order_problems


def check_attributes(work: Work) -> None:
    work.values = {}
    work.unknown = {}
    fields = {one.name: one for one in (*core_fields(work.layer), *work.layer.fields)}
    for name, one in fields.items():
        column = work.column_of.get(name)
        if column is None:
            continue
        raw = _translated(work, name, work.raw[column])
        work.values[name], problems = cleaned(one, raw)
        for problem in problems:
            _note(work, problem, name)
        if one.type is FieldType.CHOICE:
            work.unknown[name] = unknown_choices(raw, problems)
    for problem in order_problems(work.layer, work.values):
        _note(work, problem, problem.field)
    work.required = [one for one in fields.values() if one.is_required and not one.is_soft]
    _check_system_columns(work)


def _translated(work: Work, name: str, values: list[Any]) -> list[Any]:
    meant = work.options.values.get(name)
    return [meant.get(str(value), value) for value in values] if meant else values


def _note(work: Work, problem: Problem, name: str) -> None:
    if problem.is_warning:
        work.remark(problem.row, name, problem.rule, problem.message)
    else:
        work.refuse(problem.row, name, problem.rule, problem.message)


def _check_system_columns(work: Work) -> None:
    work.system = {}
    readers: dict[str, tuple[Callable[[Any], Any], str]] = {
        "id": (as_id, "应为 UUID 形式的要素标识"),
        "revision": (as_revision, "应为正整数的版本号"),
        "source": (as_source, "应为“真实数据”或“模拟数据”"),
        "verified_at": (as_time, "应为时间,如 2026-03-01T08:30:00+08:00"),
    }
    for name, (reader, rule) in readers.items():
        column = work.column_of.get(name)
        if column is None:
            continue
        read: list[Any] = []
        for at, value in enumerate(work.raw[column]):
            try:
                read.append(None if value in (None, "") else reader(value))
            except (ValueError, TypeError, OverflowError):
                read.append(None)
                work.refuse(at, name, "type", f"“{columns.SYSTEM_COLUMNS[name]}”{rule}")
        work.system[name] = read


def cleaned(one: Field, values: list[Any]) -> tuple[list[Any], list[Problem]]:
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


def unknown_choices(raw: Sequence[Any], problems: Sequence[Problem]) -> list[str]:
    """Texts of a choice column that are none of its choices, each once; without personal data."""
    texts = dict.fromkeys(str(raw[one.row]) for one in problems if one.rule == "choices")
    return [mask_text(text)[:60] for text in list(texts)[:100]]


def as_id(value: Any) -> str:
    text = str(value).strip().lower()
    if str(uuid.UUID(text)) != text:
        raise ValueError("not a canonical UUID")
    return text


def as_revision(value: Any) -> int:
    number = float(value)
    if not number.is_integer() or number < 1:
        raise ValueError("not a revision")
    return int(number)


def as_source(value: Any) -> str:
    text = str(value).strip()
    for one in Source:
        if text in (one.value, one.title):
            return one.value
    raise ValueError("not a source")


def as_time(value: Any) -> datetime:
    at = (
        value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip().replace("/", "-"))
    )
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(UTC)
