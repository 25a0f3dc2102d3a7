"""对比两个日期: what was added, moved, changed and removed in a layer, and one element brought back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import streamlit as st

from gridmap.domain.freshness import day_of, last_moment
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import access, elements, names
from gridmap.services import district as districts
from gridmap.services.comparing import Comparison, Difference
from gridmap.services.district import District
from gridmap.ui import cached, gate, state, widgets
from gridmap.ui.element_words import field_titles, label_of, literal, value_words
from gridmap.ui.links import to_map
from gridmap.ui.words import time_words

_SHOWN = 200
_KINDS = {"added": "新增", "moved": "移动", "changed": "改内容", "removed": "删除"}


def compare_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    layers = {one.id: one for one in access.visible_layers(district, user)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(layers, "history.compare_layer")
        earlier, later = _days(district)
    if earlier is None or later is None:
        st.caption("请选择两个日期。")
        return
    with st.spinner("正在对比…"):
        found = widgets.attempt(
            user,
            lambda: cached.comparison(
                district, user, layer.id, end_of(district, earlier), end_of(district, later),
                is_now=later >= day_of(district.clock()),
            ),
        )  # fmt: skip
    if found is not None:
        _figures(found)
        _differences(district, user, layer, found)


def choose_layer(layers: dict[str, Layer], key: str, first: str = "workstation") -> Layer:
    """The layer that is chosen among these."""
    ids = list(layers)
    picked = st.selectbox(
        "图层", ids, index=ids.index(first) if first in ids else 0, format_func=lambda one: layers[one].title,
        width=220, key=key,
    )  # fmt: skip
    return layers[picked]


def _days(district: District) -> tuple[date | None, date | None]:
    today = day_of(district.clock())
    common = {"max_value": today, "format": "YYYY-MM-DD", "width": 170}
    earlier = st.date_input(
        "较早日期(当日结束时)", value=today - timedelta(days=30), key="history.earlier", **common
    )
    later = st.date_input("较晚日期(今天即此刻)", value=today, key="history.later", **common)
    return earlier, later  # type: ignore[return-value]


def end_of(district: District, day: date) -> datetime:
    """The last moment of a day, or now when it is not over."""
    return min(last_moment(day), district.clock())


def _figures(found: Comparison) -> None:
    widgets.cards(
        {
            **{title: f"{len(getattr(found, kind)):,} 个" for kind, title in _KINDS.items()},
            "未变": f"{found.unchanged:,} 个",
        }
    )
    st.caption(
        f"{time_words(found.earlier)} 与 {time_words(found.later)} 对比;既移动又改内容的要素在两类中都列出。"
        "只确认“无变化”的核实不算改动。"
    )


def _differences(district: District, user: User, layer: Layer, found: Comparison) -> None:
    some = next((kind for kind in _KINDS if getattr(found, kind)), None)
    if some is None:
        widgets.empty("这两个日期之间没有变化。")
        return
    kind = st.segmented_control(
        "变化类型", list(_KINDS), default=some, required=True, label_visibility="collapsed",
        format_func=lambda one: f"{_KINDS[one]} {len(getattr(found, one)):,}", key=f"history.kind.{layer.id}",
    )  # fmt: skip
    listed: tuple[Difference, ...] = getattr(found, kind)
    called = names.of(district, [each.element.updated_by for one in _KINDS for each in getattr(found, one)])
    columns = ["编码", "名称", "变化", "移动(米)", "最后修改人", "修改时间"]
    rows = [_row(layer, one, called) for one in listed]
    links = [_link(one) for one in listed[:_SHOWN]]
    widgets.table(columns, rows[:_SHOWN], empty=f"没有{_KINDS[kind]}的要素。", height=440, links=links)
    if len(rows) > _SHOWN:
        st.caption(f"显示前 {_SHOWN} 个;全部 {len(rows):,} 个请导出。")
    every = [
        (_KINDS[one], *_row(layer, each, called), each.element.updated_by or "")
        for one in _KINDS
        for each in getattr(found, one)
    ]
    widgets.csv_button(
        ["类型", *columns, "修改账号"], every, name=f"对比_{layer.title}_{found.earlier:%Y%m%d}_{found.later:%Y%m%d}",
        key="history.compare_csv", label="导出全部变化(CSV)",
    )  # fmt: skip
    if kind != "added":
        _restore(district, user, layer, listed)


def _row(layer: Layer, one: Difference, called: Mapping[str, str]) -> tuple[object, ...]:
    titles = field_titles(layer)
    then = one.before.values() if one.before else {}
    now = one.after.values() if one.after else {}
    words = [
        f"{titles.get(name, name)}:{value_words(layer, name, then.get(name))} → {value_words(layer, name, now.get(name))}"
        for name in one.fields
    ]
    found = one.element
    if one.before is None or one.after is None:
        words = ["新增" if one.before is None else "删除"]
    elif one.is_moved:
        words.append("位置或范围")
    moved = "—" if one.moved_m is None else f"{one.moved_m:,.1f}"
    return (
        found.code or "—", found.name or "—", ";".join(words), moved, called.get(found.updated_by or "", "—"),
        time_words(found.updated_at),
    )  # fmt: skip


def _link(one: Difference) -> str:
    if one.after is None:
        return ""
    place = one.after.geometry.representative_point()
    box = one.after.geometry.bounds if one.after.geometry.geom_type != "Point" else None
    return to_map(gate.base_path(), (place.x, place.y), box=box, layer=one.after.layer, element=one.after.id)


def _restore(district: District, user: User, layer: Layer, listed: tuple[Difference, ...]) -> None:
    if not listed or not access.may_edit(user, layer):
        return
    by_id = {one.element.id: one for one in listed}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "恢复其中一个到较早日期的状态", list(by_id), index=None, placeholder="请选择或输入编码",
            format_func=lambda one: label_of(by_id[one].element) if one in by_id else "—", width=380,
            key=f"history.one.{layer.id}",
        )  # fmt: skip
        with st.popover("恢复该要素", disabled=picked is None):
            st.write("将以较早日期的内容产生一个新版本,现在的内容仍保留在历史中。")
            sure = st.button("确定恢复", type="primary", key="history.restore_one")
    if not sure or picked is None:
        return
    before = by_id[picked].before
    assert before is not None  # what was added has no earlier state and is not offered
    receipt = widgets.attempt(
        user,
        lambda: elements.restore(
            district, user, layer.id, picked, to_revision=before.revision, reason="按历史对比恢复"
        ),
    )
    if receipt is not None:
        words = [
            f"已恢复“{label_of(receipt.element)}”,现为第 {receipt.element.revision} 版",
            *receipt.warnings,
        ]
        state.of(user).notice = "".join(literal(f"{one}。") for one in words)
        st.rerun()
