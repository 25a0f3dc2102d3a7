"""Which elements of a layer the table shows: the inputs, and one page of what they ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from gridmap.domain.elements import Source, time_text
from gridmap.domain.layers import FieldType, Layer
from gridmap.domain.roles import User
from gridmap.services import documents, elements
from gridmap.services.district import District
from gridmap.services.elements import Page
from gridmap.storage.elements import Query

PAGE_SIZES = (50, 100, 200)
# As many ids as one question to the store takes.
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; overdue elements are told by today's time, which no query knows."""

    query: Query
    is_overdue: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves anything out beside deleted elements."""
        return self.is_overdue or replace(self.query, is_retired=False) != Query(self.query.layer)


def inputs(district: District, user: User, layer: Layer) -> Filter:
    """The row of inputs above the table; who writes in one area begins with it."""
    key = f"elements.filter.{layer.id}"
    with st.container(horizontal=True, vertical_alignment="bottom", key="elements_filters"):
        text = st.text_input("查找", placeholder="编码、名称或拼音", width=210, key=f"{key}.text")
        own = None if layer.is_basemap else own_area(district, user)
        grid = grid_input(district, key, first=None if own is None or own[0] == layer.id else own)
        equals = _field_input(layer, key)
        is_overdue = bool(layer.freshness) and st.checkbox("只看逾期未核实", key=f"{key}.overdue")
        with_deleted = st.checkbox("含已删除", key=f"{key}.deleted", disabled=is_overdue)
    query = Query(
        layer.id,
        text=text.strip(),
        grid=grid,
        equals=equals,
        is_retired=None if with_deleted and not is_overdue else False,
    )
    return Filter(query, is_overdue)


def own_area(district: District, user: User) -> tuple[str, str] | None:
    """Grid layer and code of the one area in which the user writes; None for several, or everywhere, or none."""
    if user.writes_everywhere or len(user.area) != 1:
        return None
    [code] = user.area
    for grid in district.catalogue.grids:
        frame = district.frames.frame(grid.id)
        if code in frame.arrays.code[frame.living]:
            return grid.id, code
    return None


def grid_input(
    district: District, key: str, *, first: tuple[str, str] | None = None
) -> tuple[str, str] | None:
    """A grid layer and one of its codes, `first` until somebody chooses, or None for everywhere."""
    grids = [one for one in district.catalogue.grids if len(district.frames.frame(one.id))]
    titles = {one.id: one.title for one in grids}
    # a box that begins with something cannot be emptied: the whole district is a choice of its own then
    choices = ["", *titles] if first and first[0] in titles else list(titles)
    picked = st.selectbox(
        "网格层级",
        choices,
        index=choices.index(first[0]) if first and first[0] in titles else None,
        format_func=lambda one: titles.get(one, "全区"),
        placeholder="全区",
        width=150,
        key=f"{key}.grid_layer",
    )
    if not picked:
        return None
    listed = documents.grids_document(district, district.catalogue.layer(picked))["grids"]
    names = {one["code"]: one["name"] for one in listed}
    code = st.selectbox(
        "所在网格",
        list(names),
        index=list(names).index(first[1]) if first and picked == first[0] and first[1] in names else None,
        format_func=lambda one: f"{names[one]} {one}" if names[one] else one,
        placeholder="请选择或输入",
        width=250,
        key=f"{key}.grid.{picked}",
    )
    return None if code is None else (picked, code)


def _field_input(layer: Layer, key: str) -> dict[str, str] | None:
    choices = {
        one.name: (one.title, [(choice.value, choice.title) for choice in one.choices])
        for one in layer.fields
        if one.type is FieldType.CHOICE
    }
    choices |= {
        one.name: (one.title, [("true", "是"), ("false", "否")])
        for one in layer.fields
        if one.type is FieldType.BOOLEAN
    }
    choices["source"] = ("数据性质", [(one.value, one.title) for one in Source])
    name = st.selectbox(
        "按字段",
        list(choices),
        index=None,
        format_func=lambda one: choices[one][0],
        placeholder="不限",
        width=160,
        key=f"{key}.field",
    )
    if name is None:
        return None
    titles = dict(choices[name][1])
    value = st.selectbox(
        choices[name][0],
        list(titles),
        index=None,
        format_func=titles.__getitem__,
        placeholder="不限",
        width=170,
        key=f"{key}.value.{name}",
    )
    return None if value is None else {name: value}


def one_page(district: District, user: User, asked: Filter, *, limit: int, offset: int) -> Page:
    """Elements `offset` to `offset + limit` of what is asked for, and how many there are in all."""
    if not asked.is_overdue:
        return elements.find(district, user, asked.query, limit=limit, offset=offset)
    found, total = [], 0
    ids = _overdue(district, asked.query.layer)
    for start in range(0, len(ids), _CHUNK):
        part = replace(asked.query, ids=ids[start : start + _CHUNK])
        page = elements.find(district, user, part, limit=limit - len(found), offset=max(0, offset - total))
        found += page.elements
        total += page.total
    return Page(tuple(found), total)


def _overdue(district: District, layer_id: str) -> list[str]:
    """Ids of the layer's elements whose day of verification has passed, in the order of the table."""
    frame = district.frames.frame(layer_id)
    living = frame.living
    living = living[np.argsort(frame.arrays.pk[living], kind="stable")]
    due, now = frame.arrays.due_at, time_text(district.clock()) or ""
    return [frame.arrays.id[at] for at in living.tolist() if due[at] is not None and due[at] < now]
