"""
Are an element's attributes what its layer asks for?

The same checks serve one form field, one API body and a file of a hundred thousand rows: values come as
columns, so a single element is a column of one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from gridmap.domain.freshness import CHINA
from gridmap.domain.layers import Field, FieldClass, FieldType, Layer
from gridmap.domain.patterns import in_words
from gridmap.domain.privacy import find_personal_data, may_hold_personal_data


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One breach of one rule by one value.

    `row` is the position in the columns given, from 0; `message` is Chinese and says what is wrong and what
    would be right; a *warning* is told and stored all the same.
    """

    row: int
    field: str
    rule: str
    message: str
    is_warning: bool = False


class _Breach(Exception):
    def __init__(self, rule: str, message: str) -> None:
        self.rule, self.message = rule, message


_MAX_INTEGER = 2**53
_TRUE = {"true", "1", "是", "y", "yes", "t"}
_FALSE = {"false", "0", "否", "n", "no", "f"}
# also marks that turn the direction of writing, so that a text reads as another
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# what takes no room: a text of nothing else is no text
_UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
# a year of two digits comes from a browser's date control as 0026
_YEARS = range(1900, 2200)


def _as_text(field: Field, value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (dict, list)):
        raise _Breach("type", "应为文字")
    text = str(value).strip()
    if _CONTROL.search(text):
        raise _Breach("characters", "含有不可见的控制字符,请重新输入")
    if len(text) > field.max_length:
        raise _Breach("max_length", f"最多 {field.max_length} 个字,现有 {len(text)} 个")
    return text


def _as_number(field: Field, value: Any) -> float:
    if isinstance(value, bool):
        raise _Breach("type", "应为数字")
    try:
        number = float(str(value).strip().replace(",", "") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        raise _Breach("type", f"应为数字,不能是“{_shown(value)}”") from None
    if not math.isfinite(number):
        raise _Breach("type", "应为有限的数字")
    return number


def _as_integer(field: Field, value: Any) -> int:
    number = _as_number(field, value)
    if not number.is_integer() or abs(number) > _MAX_INTEGER:
        raise _Breach("type", f"应为整数,不能是“{_shown(value)}”")
    return int(number)


def _as_boolean(field: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower().removesuffix(".0")
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _Breach("type", f"应为“是”或“否”,不能是“{_shown(value)}”")


def _as_date(field: Field, value: Any) -> str:
    if isinstance(value, datetime):
        return _dated(value.date()).isoformat()
    if isinstance(value, date):
        return _dated(value).isoformat()
    text = str(value).strip().replace("/", "-")
    try:
        day = date.fromisoformat(text[:10] if "T" in text or " " in text else text)
    except ValueError:
        raise _Breach("type", f"应为日期,如 2026-03-01,不能是“{_shown(value)}”") from None
    return _dated(day).isoformat()


def _dated(day: date) -> date:
    if day.year not in _YEARS:
        raise _Breach("year", f"年份应在 {_YEARS[0]} 至 {_YEARS[-1]} 之间,不能是 {day.year}")
    return day


def _as_datetime(field: Field, value: Any) -> str:
    try:
        at = (
            value
            if isinstance(value, datetime)
            else datetime.fromisoformat(str(value).strip().replace("/", "-"))
        )
        # a time without an offset is read as UTC, as it is stored; forms always send one
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and last hours of the calendar have no UTC everywhere
        raise _Breach("type", f"应为时间,如 2026-03-01T08:30:00+08:00,不能是“{_shown(value)}”") from None
    _dated(at)
    return at.isoformat(timespec="seconds")


def _as_choice(field: Field, value: Any) -> str:
    text = _as_text(field, value)
    for choice in field.choices:
        if text in (choice.value, choice.title):
            return choice.value
    return text


_READERS: dict[FieldType, Callable[[Field, Any], Any]] = {
    FieldType.TEXT: _as_text,
    FieldType.INTEGER: _as_integer,
    FieldType.NUMBER: _as_number,
    FieldType.BOOLEAN: _as_boolean,
    FieldType.DATE: _as_date,
    FieldType.DATETIME: _as_datetime,
    FieldType.CHOICE: _as_choice,
}
_GUARDED = {FieldClass.PLAIN, FieldClass.FREE_TEXT}


def _shown(value: Any) -> str:
    """The value as a message may repeat it: short, and without personal data."""
    text = str(value)
    for finding in reversed(find_personal_data(text)):
        text = text[: finding.start] + finding.masked + text[finding.end :]
    return text if len(text) <= 30 else text[:29] + "…"


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip().strip(_UNSEEN).strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def _check_range(field: Field, value: Any) -> None:
    if field.minimum is not None and value < field.minimum:
        raise _Breach("minimum", f"不能小于 {field.minimum:g}")
    if field.maximum is not None and value > field.maximum:
        raise _Breach("maximum", f"不能大于 {field.maximum:g}")


def _check_choices(field: Field, value: Any) -> None:
    if all(choice.value != value for choice in field.choices):
        names = "、".join(choice.title for choice in field.choices[:12])
        raise _Breach("choices", f"“{_shown(value)}”不在可选值中,可选:{names}")


def _check_pattern(field: Field, pattern: re.Pattern[str] | None, text: Any) -> None:
    if pattern is not None and not pattern.fullmatch(str(text)):
        words = in_words(pattern.pattern)
        raise _Breach("pattern", f"“{_shown(text)}”不符合规定的格式{f',应为 {words}' if words else ''}")


def _check_privacy(field: Field, text: str) -> None:
    findings = find_personal_data(text)
    if findings:
        raise _Breach("privacy", f"疑似含有个人信息({findings[0].masked}),平台不保存个人信息,请删除后再提交")


_MANY = 50
# Between texts that are searched as one: farther than the digits of one number stand apart.
_APART = "\n" * 8


def _harmless_texts(
    field: Field, values: Sequence[Any], pattern: re.Pattern[str] | None, is_guarded: bool
) -> list[Any] | None:
    """
    A column of texts as the store keeps it, when one look over all of it shows that nothing is wrong.

    None when something may be: then each value is looked at by itself.
    """
    if not set(map(type, values)) <= {str, type(None)}:
        return None
    texts = [None if value is None else value.strip() or None for value in values]
    there = [text for text in texts if text is not None]
    if field.is_required and len(there) < len(texts):
        return None
    together = _APART.join(there)
    if any(mark in together for mark in _UNSEEN):
        return None
    if _CONTROL.search(together) or max(map(len, there), default=0) > field.max_length:
        return None
    if is_guarded and may_hold_personal_data(together):
        return None
    if pattern is not None and not all(map(pattern.fullmatch, there)):
        return None
    return texts


def clean_column(field: Field, values: Sequence[Any]) -> tuple[list[Any], list[Problem]]:
    """
    One field's values as the store keeps them, and what is wrong with them.

    A missing value (None, empty text, NaN) becomes None; a value that breaks a hard rule becomes None too,
    with a problem; one that breaks a soft rule stays, with a warning.
    """
    pattern = re.compile(field.pattern) if field.pattern else None
    is_guarded = field.type is FieldType.TEXT and field.field_class in _GUARDED
    if field.type is FieldType.TEXT and len(values) >= _MANY:
        texts = _harmless_texts(field, values, pattern, is_guarded)
        if texts is not None:
            return texts, []
    read = _READERS[field.type]
    is_number = field.type in (FieldType.INTEGER, FieldType.NUMBER)
    cleaned: list[Any] = []
    problems: list[Problem] = []
    for row, value in enumerate(values):
        if hasattr(value, "item"):
            value = value.item()
        if _is_missing(value):
            cleaned.append(None)
            if field.is_required:
                message = f"“{field.title}”必填"
                problems.append(Problem(row, field.name, "required", message, field.is_soft))
            continue
        kept: Any = None
        try:
            kept = read(field, value)
            if is_number:
                _check_range(field, kept)
            if field.type is FieldType.CHOICE:
                _check_choices(field, kept)
            if is_guarded:
                # as text: a spreadsheet hands a telephone number over as a number
                _check_privacy(field, kept)
            _check_pattern(field, pattern, kept)
        except _Breach as breach:
            is_soft = field.is_soft and breach.rule in ("minimum", "maximum", "pattern", "choices")
            kept = kept if is_soft else None
            problems.append(
                Problem(row, field.name, breach.rule, f"“{field.title}”{breach.message}", is_soft)
            )
        cleaned.append(kept)
    return cleaned, problems


def order_problems(layer: Layer, columns: Mapping[str, Sequence[Any]]) -> list[Problem]:
    """
    Rows that break a rule between two of the layer's fields; told at the later one of the two.

    `columns` are as the store keeps them, where days sort as their texts do and so do times; a rule of which
    a column is missing says nothing.
    """
    problems = []
    for rule in layer.rules:
        if rule.field not in columns or rule.not_before not in columns:
            continue
        late, early = layer.field(rule.field), layer.field(rule.not_before)
        pairs = zip(columns[late.name], columns[early.name], strict=True)
        for row, (after, before) in enumerate(pairs):
            if after is None or before is None or str(after) >= str(before):
                continue
            message = f"“{late.title}”({_when(after)})不能早于“{early.title}”({_when(before)})"
            problems.append(Problem(row, late.name, "not_before", message, late.is_soft))
    return problems


def _when(value: Any) -> str:
    """A stored day or time as a message repeats it: times on the clocks of China, to the minute."""
    text = str(value)
    return datetime.fromisoformat(text).astimezone(CHINA).strftime("%Y-%m-%d %H:%M") if "T" in text else text


_CODE = Field("code", "编码", FieldType.TEXT, max_length=60, field_class=FieldClass.CODE)
_NAME = Field("name", "名称", FieldType.TEXT, max_length=120, field_class=FieldClass.FREE_TEXT)


def core_fields(layer: Layer) -> tuple[Field, Field]:
    """The two fields that every layer's elements have: code (with the layer's pattern) and name."""
    code = replace(_CODE, is_required=layer.is_code_required, pattern=layer.code_pattern)
    return code, replace(_NAME, is_required=layer.is_code_required)


def clean_columns(
    layer: Layer, columns: Mapping[str, Sequence[Any]]
) -> tuple[dict[str, list[Any]], list[Problem]]:
    """
    All attribute columns of a layer as the store keeps them, and what is wrong with them.

    `columns` may leave out fields; a column that is none of the layer's fields is a problem in row 0.
    """
    fields = {one.name: one for one in (*core_fields(layer), *layer.fields)}
    length = max((len(values) for values in columns.values()), default=0)
    cleaned: dict[str, list[Any]] = {}
    problems = [
        Problem(0, name, "unknown_field", f"图层“{layer.title}”没有字段“{_shown(name)}”")
        for name in columns
        if name not in fields
    ]
    for name, field in fields.items():
        values = columns.get(name, [None] * length)
        cleaned[name], found = clean_column(field, values)
        problems += found
    return cleaned, problems + order_problems(layer, cleaned)


def clean_values(layer: Layer, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """One element's attributes as the store keeps them, and what is wrong with them."""
    columns, problems = clean_columns(
        layer, {name: [value] for name, value in values.items()} or {"name": [None]}
    )
    return {name: column[0] for name, column in columns.items()}, problems
