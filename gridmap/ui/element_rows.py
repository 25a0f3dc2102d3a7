"""A layer's elements as rows of a table: which columns there are, of which type, and what stands in them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas
import shapely
import streamlit as st

from gridmap.domain.elements import Element, Source
from gridmap.domain.layers import Field, FieldType, Layer
from gridmap.domain.roles import User
from gridmap.services import access, documents
from gridmap.services.district import District
from gridmap.ui.element_drafts import TICK
from gridmap.ui.element_work import Draft
from gridmap.ui.links import to_map
from gridmap.validation.attributes import core_fields

ROW_HEIGHT = 40
_MOST_ROWS_HIGH = 11
# Near enough to the border of the own area that the exact rule must be asked, in degrees.
_NEAR_DEGREES = 1e-5
_DTYPES = {
    FieldType.TEXT: "string",
    FieldType.CHOICE: "string",
    FieldType.INTEGER: "Int64",
    FieldType.NUMBER: "Float64",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "datetime64[ns]",
    FieldType.DATETIME: "datetime64[ns, UTC]",
}


# --- which rows are whose ------------------------------------------------------------------------------------


def editable(district: District, user: User, layer: Layer, shown: Sequence[Element]) -> list[bool]:
    """Whether each element is the user's to edit: layer, area, and not deleted."""
    if not access.may_edit(user, layer):
        return [False] * len(shown)
    area = access.area_of(district, user)
    if area is None:
        return [not one.is_retired for one in shown]
    geometry = np.array([one.geometry for one in shown], dtype=object)
    shapely.prepare(area)
    inside = shapely.covers(area, geometry)
    # the rule has some slack at the border, which it alone knows
    for at in np.flatnonzero(~inside & shapely.dwithin(area, geometry, _NEAR_DEGREES)):
        inside[at] = access.lies_inside(district, user, [geometry[at]])
    return [bool(is_inside) and not one.is_retired for is_inside, one in zip(inside, shown, strict=True)]


# --- columns -------------------------------------------------------------------------------------------------


def frame(
    layer: Layer,
    shown: Sequence[Element],
    *,
    links: Sequence[str],
    called: Mapping[str, str],
    now: datetime,
    drafts: Mapping[str, Draft] | None = None,
    ticked: Collection[str] | None = None,
    reasons: Sequence[str] | None = None,
) -> pandas.DataFrame:
    """
    The rows, each under its element's id; drafts stand in place of what is stored.

    Parameters
    ----------
    links : (n,) where each element is on the map
    drafts : edits that are not stored, by element id
    ticked : ids of the ticked rows; None for a table without ticks
    reasons : (n,) why each row cannot be edited; None for a table without such a column
    """
    drafts = drafts or {}
    values = [one.values() | (drafts[one.id].changes if one.id in drafts else {}) for one in shown]
    columns: dict[str, Any] = {}
    if ticked is not None:
        columns[TICK] = pandas.array([one.id in ticked for one in shown], dtype="boolean")
        columns["_state"] = _texts([_state(one, drafts, now) for one in shown])
    if reasons is not None:
        columns["_reason"] = _texts(reasons)
    for field in (*core_fields(layer), *layer.fields):
        columns[field.name] = _column(field, [one.get(field.name) for one in values])
    columns["_source"] = _texts(["模拟数据" if one.source is Source.SIMULATED else "" for one in shown])
    columns["_revision"] = pandas.array([one.revision for one in shown], dtype="Int64")
    columns["_verified"] = _times([one.verified_at for one in shown])
    if layer.freshness:
        columns["_due"] = _times([one.due_at for one in shown])
    columns["_updated"] = _times([one.updated_at for one in shown])
    columns["_updated_by"] = _texts([called.get(one.updated_by or "") for one in shown])
    columns["_map"] = _texts(links)
    return pandas.DataFrame(columns, index=pandas.Index([one.id for one in shown], dtype=object))


def _state(element: Element, drafts: Mapping[str, Draft], now: datetime) -> str:
    words = []
    if element.id in drafts:
        words.append("冲突" if drafts[element.id].conflict else "未保存")
    if element.due_at is not None and element.due_at < now:
        words.append("逾期")
    return "·".join(words)


def _texts(values: Sequence[Any]) -> Any:
    return pandas.array([None if one is None else str(one) for one in values], dtype="string")


def _times(values: Sequence[datetime | None]) -> Any:
    return pandas.to_datetime(pandas.Series(list(values), dtype=object), utc=True).array


def _column(field: Field, values: Sequence[Any]) -> Any:
    """The values in the field's own type; what does not fit it is left out of the table, never an error."""
    match field.type:
        case FieldType.TEXT | FieldType.CHOICE:
            return _texts(values)
        case FieldType.BOOLEAN:
            return pandas.array([one if isinstance(one, bool) else None for one in values], dtype="boolean")
        case FieldType.INTEGER | FieldType.NUMBER:
            numbers = [_number(one, field.type is FieldType.INTEGER) for one in values]
            return pandas.array(numbers, dtype=_DTYPES[field.type])
        case _:
            series = pandas.Series([None if one is None else str(one) for one in values], dtype=object)
            is_utc = field.type is FieldType.DATETIME
            format = "ISO8601"
            return pandas.to_datetime(series, utc=is_utc, errors="coerce", format=format).astype(
                _DTYPES[field.type]
            ).array  # fmt: skip


def _number(value: Any, is_whole: bool) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    if is_whole:
        return int(value) if float(value).is_integer() else None
    return float(value)


def column_config(layer: Layer, *, is_editable: bool) -> dict[str, Any]:
    """How each column of `frame` is titled, shown and edited."""
    config: dict[str, Any] = {
        TICK: st.column_config.CheckboxColumn("选", width=58, pinned=True, help="勾选后可批量核实或删除"),
        "_state": st.column_config.TextColumn("状态", width=76, disabled=True, pinned=True),
        "_reason": st.column_config.TextColumn("说明", width=96, disabled=True),
    }
    for field in (*core_fields(layer), *layer.fields):
        config[field.name] = _field_config(field, is_editable=is_editable)
    time = {"format": "YYYY-MM-DD HH:mm", "timezone": "Asia/Shanghai", "disabled": True, "width": 150}
    return config | {
        "_source": st.column_config.TextColumn("数据性质", width=88, disabled=True),
        "_revision": st.column_config.NumberColumn("版本", width=64, disabled=True, format="%d"),
        "_verified": st.column_config.DatetimeColumn("核实时间", **time),
        "_due": st.column_config.DatetimeColumn("应核实于", **time),
        "_updated": st.column_config.DatetimeColumn("更新时间", **time),
        "_updated_by": st.column_config.TextColumn("更新人", width=120, disabled=True),
        "_map": st.column_config.LinkColumn("地图", width=96, disabled=True, display_text="在图上看"),
    }


def _field_config(field: Field, *, is_editable: bool) -> Any:
    title = field.title + (f"({field.unit})" if field.unit else "")
    is_required = field.is_required and not field.is_soft
    common: dict[str, Any] = {
        "label": f"{title} *" if is_required and is_editable else title,
        "help": _help(field),
        "disabled": not is_editable,
        # so that a row is known after scrolling sideways
        "pinned": field.name == "code",
    }
    # no bounds of the table's own: it would change what was typed to the nearest one, without a word
    match field.type:
        case FieldType.CHOICE:
            return st.column_config.SelectboxColumn(
                **common,
                options=[one.value for one in field.choices],
                format_func=field.choice_title,
                required=is_required,
                width=_width(field),
            )
        case FieldType.INTEGER:
            return st.column_config.NumberColumn(**common, step=1, format="%d", width=_width(field))
        case FieldType.NUMBER:
            return st.column_config.NumberColumn(**common, width=_width(field))
        case FieldType.BOOLEAN:
            return st.column_config.CheckboxColumn(**common, width=_width(field))
        case FieldType.DATE:
            return st.column_config.DateColumn(**common, format="YYYY-MM-DD", width=_width(field))
        case FieldType.DATETIME:
            return st.column_config.DatetimeColumn(
                **common, format="YYYY-MM-DD HH:mm", timezone="Asia/Shanghai", width=150
            )
    is_name = field.name == "name"
    return st.column_config.TextColumn(
        **common, max_chars=field.max_length, width=170 if is_name else 200 if field.max_length > 60 else 150
    )


def _help(field: Field) -> str | None:
    """What a value must be: the editor refuses any other without a word."""
    words = [field.help] if field.help else []
    least = None if field.minimum is None else f"不小于 {field.minimum:g}"
    most = None if field.maximum is None else f"不大于 {field.maximum:g}"
    words += [",".join(one for one in (least, most) if one)] if least or most else []
    return ";".join(words) or None


def _width(field: Field) -> int:
    """Pixels that hold the heading and the longest choice: some 15 a character, with room for a menu beside it."""
    heading = _letters(field.title + (field.unit or "")) + 4 * bool(field.is_required)
    longest = max((_letters(one.title) for one in field.choices), default=0)
    return max(90, min(240, max(62 + 7 * heading, 34 + 7 * longest)))


def _letters(text: str) -> int:
    """How wide a text is, in Latin letters; a Chinese character takes two."""
    return sum(1 if one.isascii() else 2 for one in text)


def height(rows: int) -> int:
    """Pixels for a table of so many rows; a longer one scrolls."""
    return (min(rows, _MOST_ROWS_HIGH) + 1) * ROW_HEIGHT + 4


# --- the way to the map --------------------------------------------------------------------------------------


def map_links(district: District, shown: Sequence[Element], base_path: str) -> list[str]:
    """Where each element is on the map page: zoom, middle, and the element that is opened there."""
    results = documents.search_document(district, shown)["results"]
    return [
        to_map(base_path, one["center"], box=one["bbox"], layer=one["layer"], element=one["id"])
        for one in results
    ]
