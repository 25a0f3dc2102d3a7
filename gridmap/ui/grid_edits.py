"""表单编辑: merging, splitting and reshaping grids without drawing on the map, each tried before it is stored."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import access, grids, partition
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.grids import GridReceipt
from gridmap.ui import grid_layers, state, widgets
from gridmap.ui.element_words import label_of, literal
from gridmap.ui.grid_work import Done, GridOrder
from gridmap.ui.sketch import sketch
from gridmap.ui.typed_geometry import HINT, parse_geometry

_NEW = ""
_ACTIONS = {"merge": "合并", "split": "拆分", "border": "调整范围"}


def edits_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    layers = {
        key: one for key, one in grid_layers.partitions(district, user).items() if access.may_edit(user, one)
    }
    if not layers:
        widgets.empty("没有您可以编辑的网格图层。")
        return
    st.caption("在地图上拖动边界更直观;这里用表单完成同样的编辑。先试算,看清结果再保存。")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = grid_layers.choose(layers, "grids.edit_layer")
        action = st.segmented_control(
            "编辑",
            list(_ACTIONS),
            default="merge",
            required=True,
            format_func=_ACTIONS.__getitem__,
            key="grids.action",
        )
    present = grid_layers.grids(district, user, layer)
    key = f"{layer.id}.{state.of(user).grids.orders}"
    {"merge": _merge, "split": _split, "border": _border}[action](district, user, layer, present, key)
    confirm(district, user, *_ACTIONS.values())


def _label(present: dict[str, Element]) -> Callable[[str], str]:
    return lambda one: label_of(present[one]) if one in present else "(已不存在)"


def _one_grid(present: dict[str, Element], key: str) -> Element | None:
    picked = st.selectbox(
        "网格",
        list(present),
        index=None,
        format_func=_label(present),
        placeholder="请选择或输入编码",
        width=420,
        key=key,
    )
    return present.get(picked) if picked is not None else None


# --- what is asked for ---------------------------------------------------------------------------------------


def _merge(district: District, user: User, layer: Layer, present: dict[str, Element], key: str) -> None:
    picked = st.multiselect(
        "要合并的网格(相邻)", list(present), format_func=_label(present), placeholder="请选择两个或更多",
        key=f"grids.merge.{key}",
    )  # fmt: skip
    chosen = [present[one] for one in picked if one in present]
    into = st.selectbox(
        "合并后", [_NEW, *picked], format_func=lambda one: "成为新网格(新编码)" if one == _NEW else f"并入 {_label(present)(one)}",
        width=420, key=f"grids.into.{key}",
    )  # fmt: skip
    if not st.button("试算", disabled=len(chosen) < 2, key="grids.try_merge"):
        return
    bases = {one.id: one.revision for one in chosen}

    def act(dry_run: bool = False) -> GridReceipt:
        return grids.merge(
            district, user, layer.id, list(bases), base_revisions=bases, into=into or None, dry_run=dry_run
        )

    _try(district, user, layer, "合并", act)


def _split(district: District, user: User, layer: Layer, present: dict[str, Element], key: str) -> None:
    one = _one_grid(present, f"grids.split.{key}")
    text = st.text_area(f"分割线:{HINT}", height=120, key=f"grids.split_line.{key}")
    names = st.text_input(
        "新网格名称(可不填,用逗号分开)", max_chars=400, width=420, key=f"grids.split_names.{key}"
    )
    if not st.button("试算", disabled=one is None or not text.strip(), key="grids.try_split") or one is None:
        return
    called = [part.strip() for part in names.replace(",", ",").split(",") if part.strip()]
    line = widgets.attempt(user, lambda: parse_geometry(text, "line"))
    if line is None:
        return

    def act(dry_run: bool = False) -> GridReceipt:
        return grids.split(
            district, user, layer.id, one.id, line, base_revision=one.revision, names=called, dry_run=dry_run
        )

    _try(district, user, layer, "拆分", act)


def _border(district: District, user: User, layer: Layer, present: dict[str, Element], key: str) -> None:
    one = _one_grid(present, f"grids.border.{key}")
    text = st.text_area(f"新的范围:{HINT}", height=160, key=f"grids.border_outline.{key}")
    st.caption("相邻网格随之让出或接管相应的范围,不留空白、不重叠。")
    if not st.button("试算", disabled=one is None or not text.strip(), key="grids.try_border") or one is None:
        return
    outline = widgets.attempt(user, lambda: parse_geometry(text, "area"))
    if outline is None:
        return

    def act(dry_run: bool = False) -> GridReceipt:
        return grids.move_border(
            district, user, layer.id, one.id, outline, base_revision=one.revision, dry_run=dry_run
        )

    _try(district, user, layer, "调整范围", act)


def _try(district: District, user: User, layer: Layer, title: str, act: Callable[..., GridReceipt]) -> None:
    work = state.of(user).grids
    work.order = None
    with st.spinner("正在试算…"):
        trial = widgets.attempt(user, lambda: act(dry_run=True))
    if trial is None:
        return
    present = grid_layers.grids(district, user, layer)
    before = tuple(present[one.id] for one in (*trial.changed, *trial.retired) if one.id in present)
    work.order = GridOrder(title, layer.id, before, trial, act)


# --- what it would do, and doing it --------------------------------------------------------------------------


def confirm(district: District, user: User, *titles: str) -> None:
    """The edit that was tried, with the buttons that store it or let it go; only edits with one of these titles."""
    work = state.of(user).grids
    order = work.order
    if order is None or order.title not in titles:
        return
    with st.container(border=True, key="grids_trial"):
        st.subheader(f"{order.title}:试算结果(尚未保存)", anchor=False)
        _shown(order)
        for one in order.trial.warnings:
            st.warning(literal(one))
        with st.container(horizontal=True):
            is_sure = st.button("确定保存", type="primary", key="grids.store")
            if st.button("放弃", key="grids.give_up"):
                work.order = None
                st.rerun()
    if is_sure:
        _store(user, order)


def _shown(order: GridOrder) -> None:
    trial = order.trial
    drawing, words = st.columns([1, 2], gap="medium")
    with drawing:
        after = [one.geometry for one in (*trial.changed, *trial.created)]
        st.html(
            sketch(
                [("before", [one.geometry for one in order.before]), ("after", after)],
                "灰色为现在,蓝色为保存后",
            )
            + '<p class="gm-note">灰色:现在;蓝色:保存后</p>'
        )
    then = {one.id: one for one in order.before}
    rows = [(_pair(then[one.id].code, one.code), one.name, "改动", _areas(then[one.id], one))
            for one in trial.changed if one.id in then]  # fmt: skip
    rows += [(one.code or "—", one.name, "新建", _areas(None, one)) for one in trial.created]
    rows += [(one.code or "—", one.name, "停用(编码不再使用)", "—") for one in trial.retired]
    with words:
        widgets.table(["编码", "名称", "结果", "面积(平方公里)"], rows, empty="没有改动。", height=320)


def _pair(then: str | None, now: str | None) -> str:
    return (now or "—") if then == now else f"{then or '—'} → {now or '—'}"


def _areas(then: Element | None, now: Element) -> str:
    fresh = f"{partition.area_m2(now.geometry) / 1e6:,.4f}"
    if then is None:
        return fresh
    old = f"{partition.area_m2(then.geometry) / 1e6:,.4f}"
    return fresh if old == fresh else f"{old} → {fresh}"


def _store(user: User, order: GridOrder) -> None:
    mine = state.of(user)
    with st.spinner("正在保存…"):
        done = widgets.attempt(user, order.act)
    if done is None:
        return
    mine.grids.order = None
    mine.grids.orders += 1
    if done.proposal is not None:
        mine.notice = "改动涉及他人的责任区,已作为提议提交,等待对方同意。可在“待办”中查看。"
    elif done.sequence is not None:
        title = (
            f"{order.title}({len(done.changed)} 个改动,{len(done.created)} 个新建,{len(done.retired)} 个停用)"
        )
        mine.grids.done.append(Done(done.sequence, title))
        mine.notice = f"{title}已保存。"
    st.rerun()
