"""历史与恢复: what happened to an element, and the way back to any of its versions, also for deleted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import access, documents, elements, names
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.storage.elements import Query
from gridmap.ui import element_rows as rows
from gridmap.ui import gate, state, widgets
from gridmap.ui.element_words import label_of, literal
from gridmap.ui.words import time_words

_MOST_FOUND = 100


def history_tab(user: User, layer: Layer) -> None:
    """Everything of this tab."""
    district = districts.running()
    picked = _choose(district, user, layer)
    if picked is None:
        return
    with st.spinner("正在读取历史…"):
        revisions = elements.history(district, user, layer.id, picked.id)
    listed = documents.history_document(district, layer, revisions)["revisions"]
    _about(district, picked, listed)
    _versions(listed)
    reason = access.why_not_edit(district, user, layer, picked.geometry)
    if reason is not None:
        st.caption(f"不能恢复:{reason}")
        return
    _restore(district, user, layer, picked, listed)


# --- which element -------------------------------------------------------------------------------------------


def _choose(district: District, user: User, layer: Layer) -> Element | None:
    key = f"elements.history.{layer.id}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "查找要素(含已删除)", placeholder="编码、名称或拼音", width=260, key=f"{key}.text"
        ).strip()
        only_deleted = st.checkbox("只看已删除", key=f"{key}.deleted")
        found = _found(district, user, layer, text, only_deleted)
        by_id = {one.id: one for one in found}
        picked = st.selectbox(
            f"选择{layer.title}",
            list(by_id),
            index=_obvious(found, text),
            format_func=lambda one: label_of(by_id[one]) + ("(已删除)" if by_id[one].is_retired else ""),
            placeholder="请选择" if found else "没有符合条件的要素",
            disabled=not found,
            width=420,
            key=f"{key}.picked.{text}.{only_deleted}",
        )
    if picked is not None:
        state.of(user).element = picked
        return by_id[picked]
    if not found:
        kind = "已删除的" if only_deleted else ""
        st.html(f'<p class="gm-empty">没有符合条件的{kind}{layer.title}。</p>')
    else:
        st.html('<p class="gm-empty">请选择一个要素,查看谁在何时修改了什么,并可恢复到任一版本。</p>')
    return None


def _obvious(found: Sequence[Element], text: str) -> int | None:
    """The place of the only one that can be meant: alone, or the one that has this code; None where there is none."""
    if len(found) == 1:
        return 0
    return next((at for at, one in enumerate(found) if text and one.code == text), None)


def _found(district: District, user: User, layer: Layer, text: str, only_deleted: bool) -> list[Element]:
    """Elements to choose from: those that match, else the one that was selected last."""
    is_retired = True if only_deleted else None
    query = Query(layer.id, text=text, is_retired=is_retired)
    page = elements.find(district, user, query, limit=_MOST_FOUND)
    found = list(page.elements)
    last = state.of(user).element
    if last is not None and not text and all(one.id != last for one in found):
        found = (
            list(elements.find(district, user, Query(layer.id, ids=[last], is_retired=is_retired)).elements)
            + found
        )
    return found


# --- its versions --------------------------------------------------------------------------------------------


def _about(district: District, picked: Element, listed: Sequence[Mapping[str, Any]]) -> None:
    called = names.of(district, [picked.created_by, picked.verified_by])
    facts = {
        "要素": label_of(picked),
        "现状": "已删除" if picked.is_retired else f"使用中(第 {picked.revision} 版)",
        "数据性质": picked.source.title,
        "新建": f"{time_words(picked.created_at)} · {called.get(picked.created_by or '', '—')}",
        "最近核实": f"{time_words(picked.verified_at)} · {called.get(picked.verified_by or '', '—')}",
    }
    widgets.cards(facts)
    if not picked.is_retired:
        [link] = rows.map_links(district, [picked], gate.base_path())
        st.html(f'<a class="gm-button" href="{link}" target="_blank">在一张图上看</a>')


def _versions(listed: Sequence[Mapping[str, Any]]) -> None:
    widgets.table(
        ["版本", "时间", "操作", "操作人", "改动(原来 → 现在)", "说明"],
        [
            (
                one["revision"],
                time_words(datetime.fromisoformat(one["at"]), seconds=True),
                one["operation_title"],
                one["actor_name"],
                _changes(one),
                one["reason"] or "—",
            )
            for one in listed
        ],
        empty="没有历史记录。",
        height=460,
    )


def _changes(revision: Mapping[str, Any]) -> str:
    if revision["is_redacted"]:
        return "内容已清除"
    parts = [
        f"{one['title']}:{one['before_text'] or '(空)'} → {one['after_text'] or '(空)'}"
        for one in revision["changed"]
    ]
    return ";".join(parts) or "—"


def _restore(
    district: District, user: User, layer: Layer, picked: Element, listed: Sequence[Mapping[str, Any]]
) -> None:
    numbers = [
        one["revision"]
        for one in listed
        if not one["is_redacted"]
        and one["operation"] != "delete"
        and (picked.is_retired or one["revision"] != picked.revision)
    ]
    if not numbers:
        st.caption("只有一个版本,没有可恢复的内容。")
        return
    words = {
        one["revision"]: f"第 {one['revision']} 版 · {one['operation_title']} · {one['actor_name']}"
        for one in listed
    }
    key = f"elements.restore.{picked.id}.{picked.revision}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "恢复到", numbers, format_func=words.__getitem__, width=300, key=f"{key}.number"
        )
        reason = st.text_input("恢复原因(记入历史,可不填)", max_chars=200, width=300, key=f"{key}.reason")
        with st.popover("恢复该要素" if picked.is_retired else "恢复到此版"):
            st.write(
                f"将以第 {number} 版的内容产生一个新版本"
                + (",要素沿用原来的标识。" if picked.is_retired else ",现在的内容仍保留在历史中。")
            )
            sure = st.button("确定恢复", type="primary", key=f"{key}.sure")
    if not sure:
        return
    receipt = widgets.attempt(
        user,
        lambda: elements.restore(
            district, user, layer.id, picked.id, to_revision=number, reason=reason.strip()
        ),
    )
    if receipt is not None:
        is_new = receipt.element.revision != picked.revision
        words = [f"已恢复,现为第 {receipt.element.revision} 版"] if is_new else []
        state.of(user).notice = "".join(f"{literal(one)}。" for one in [*words, *receipt.warnings])
        st.rerun()
