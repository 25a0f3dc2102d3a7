"""网格体检: what is wrong with grids, place by place, and the repair that a person chooses."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import access, grid_check, grids
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.grid_check import CheckUp, Finding, Kind
from gridmap.ui import cached, gate, grid_layers, state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.grid_work import Done
from gridmap.ui.links import to_map
from gridmap.ui.sketch import sketch

_ROWS = 6
# Findings about elements name another layer than the grids'; the map opens grids alone from here.
_OF_GRIDS = frozenset(Kind) - {Kind.ORPHAN, Kind.MISPLACED, Kind.GAP}


def checkup_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    layers = grid_layers.partitions(district, user)
    if not layers:
        widgets.empty("还没有网格,无法体检。请先导入或绘制网格。")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = grid_layers.choose(layers, "grids.check_layer")
        undo_button(district, user)
    with st.spinner("正在体检…"):
        found = cached.checkup(district, user, layer.id)
    _summary(layer, found)
    if not found.is_clean:
        _findings(district, user, layer, found)


def undo_button(district: District, user: User) -> None:
    """Takes back the last grid edit of this session."""
    work = state.of(user).grids
    if not work.done:
        return
    last = work.done[-1]
    with st.popover("撤销上一步"):
        st.write(literal(f"将撤销:{last.title}"))
        if st.button("确定撤销", type="primary", key="grids.undo"):
            done = widgets.attempt(
                user, lambda: grids.undo(district, user, last.sequence), done=f"已撤销:{literal(last.title)}"
            )
            if done is not None:
                work.done.pop()
                st.rerun()


def _summary(layer: Layer, found: CheckUp) -> None:
    if found.is_clean:
        st.success(
            f"{layer.title}共 {found.grids:,} 个,未发现问题:没有重叠、空白、碎条、超出上级、编码重复和无网格的要素。"
        )
        return
    widgets.cards(
        {
            layer.title: f"{found.grids:,} 个",
            "问题": f"{sum(found.counts.values()):,} 处",
            **{kind.title: f"{found.counts[kind]:,} 处" for kind in Kind if found.counts.get(kind)},
        }
    )


def _findings(district: District, user: User, layer: Layer, found: CheckUp) -> None:
    kinds = [one for one in Kind if found.counts.get(one)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            "问题类型", kinds, index=None, placeholder="全部", width=220, key=f"grids.kind.{layer.id}",
            format_func=lambda one: f"{one.title}({found.counts[one]:,})",
        )  # fmt: skip
        columns = ["类型", "说明", "面积(平方米)", "经度", "纬度", "相关编码", "建议"]
        widgets.csv_button(
            columns,
            [
                (
                    one.kind.title, one.message, None if one.area_m2 is None else round(one.area_m2, 1),
                    round(one.place[0], 6), round(one.place[1], 6), "、".join(one.codes),
                    one.repairs[0].title if one.repairs else "人工处理",
                )
                for one in found.findings
            ],
            name=f"网格体检_{layer.title}", key="grids.check_csv",
        )  # fmt: skip
    shown = [one for one in found.findings if kind is None or one.kind is kind]
    may_edit = access.may_edit(user, layer)
    if not may_edit:
        st.caption(f"您没有编辑“{layer.title}”的权限,只能查看。")
    for one in widgets.page_of(shown, size=_ROWS, key=f"grids.page.{layer.id}.{kind}"):
        with st.container(border=True, key=f"grids_finding_{one.key}"):
            _finding(district, user, layer, one, may_edit=may_edit)


def _finding(district: District, user: User, layer: Layer, one: Finding, *, may_edit: bool) -> None:
    drawing, words = st.columns([1, 2], gap="medium")
    with drawing:
        st.html(_drawing(district, layer, one))
    with words:
        st.html(f'<span class="gm-mark gm-bad">{one.kind.title}</span>')
        st.write(literal(one.message))
        repair = None
        if one.repairs and may_edit:
            options = {each.id: each.title for each in one.repairs}
            repair = st.radio(
                "建议的修复", list(options), format_func=lambda each: literal(options[each]),
                key=f"grids.repair.{one.key}",
            )  # fmt: skip
        elif not one.repairs:
            st.caption("没有自动修复的办法,请在地图上处理。")
        with st.container(horizontal=True):
            if repair is not None and st.button("按此修复", type="primary", key=f"grids.mend.{one.key}"):
                _mend(district, user, layer, one, repair)
            widgets.map_button(_link(layer, one))


def _drawing(district: District, layer: Layer, one: Finding) -> str:
    """The faulty piece among the grids around it."""
    frame = district.frames.frame(layer.id)
    around = [frame.arrays.geometry[at] for at in frame.in_box(_wider(one.box))]
    return sketch([("around", around[:40]), ("fault", [one.piece])], f"{one.kind.title}所在的位置")


def _wider(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    west, south, east, north = box
    margin = max(east - west, north - south, 1e-3) * 0.05
    return west - margin, south - margin, east + margin, north + margin


def _link(layer: Layer, one: Finding) -> str:
    element = one.elements[0] if one.kind in _OF_GRIDS and one.elements else ""
    return to_map(gate.base_path(), one.place, box=one.box, layer=layer.id, element=element)


def _mend(district: District, user: User, layer: Layer, one: Finding, repair: str) -> None:
    title = next(each.title for each in one.repairs if each.id == repair)
    with st.spinner("正在修复…"):
        done = widgets.attempt(
            user,
            lambda: (grid_check.repair(district, user, layer.id, one.key, repair), True),
            done=literal(f"已修复:{one.message};{title}。"),
        )
    if done is None:
        return
    if done[0] is not None:
        state.of(user).grids.done.append(Done(done[0], f"{one.message};{title}"))
    else:
        cached.forget_checkups()
    st.rerun()
