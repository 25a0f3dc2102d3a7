"""编号与沿革: what became of a code, how codes are written, and numbering grids anew after a look."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.codes import CodeSchemeError, Order, parse_scheme
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.services import access, grids
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.ui import grid_edits, grid_layers, state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.grid_work import GridOrder


def numbers_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    layers = grid_layers.partitions(district, user)
    if not layers:
        widgets.empty("还没有网格。")
        return
    layer = grid_layers.choose(layers, "grids.numbers_layer")
    with st.container(border=True, key="grids_lineage"):
        _lineage(district, user, layer)
    with st.container(border=True, key="grids_renumber"):
        _renumber(district, user, layer)
    if user.may(Permission.ADMINISTER):
        with st.expander("编码规则"):
            _scheme(district, user, layer)


# --- what became of a code -----------------------------------------------------------------------------------


def _lineage(district: District, user: User, layer: Layer) -> None:
    st.subheader("网格沿革", anchor=False)
    code = st.text_input(
        "网格编码(现用或已停用)",
        placeholder="例如 310120101001001",
        max_chars=60,
        width=320,
        key="grids.lineage_code",
    ).strip()
    if not code:
        st.caption("输入一个编码,查看它从哪些网格拆分、合并或改编而来,后来成为哪些网格。")
        return
    links = widgets.attempt(user, lambda: grids.lineage(district, user, layer.id, code))
    if links is None:
        return
    widgets.table(
        ["提交", "方式", "原编码", "新编码", "说明"],
        [
            (
                one.sequence, one.kind.title, one.from_code or "—", one.to_code or "—",
                "有效" if one.undone_in is None else f"已撤销(提交 {one.undone_in})",
            )
            for one in links
        ],
        empty=f"没有与“{code}”有关的拆分、合并或改编记录。",
        height=320,
    )  # fmt: skip


# --- numbering anew ------------------------------------------------------------------------------------------


def _renumber(district: District, user: User, layer: Layer) -> None:
    scheme = grids.scheme_of(district, layer.id)
    st.subheader("重新编号", anchor=False)
    st.caption(
        literal(
            f"按编码规则 {scheme.text}、{scheme.order.title}编号。次序已经对的网格保留编码;"
            "其余的取从未用过的编号,原编码停用且不再使用。"
        )
    )
    if not access.may_edit(user, layer):
        st.caption(f"您没有编辑“{layer.title}”的权限,只能查看。")
        return
    prefixes = _prefixes(district, layer)
    if not prefixes:
        widgets.empty(f"没有符合编码规则 {scheme.text} 的编码,请先调整编码规则。")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        prefix = st.selectbox(
            "编码前缀", list(prefixes), index=None, format_func=lambda one: f"{one}({prefixes[one]} 个)",
            placeholder="请选择", width=300, key=f"grids.prefix.{layer.id}",
        )  # fmt: skip
        is_asked = st.button("预览新编号", disabled=prefix is None, key="grids.renumber_try")
    if is_asked and prefix is not None:
        _try(district, user, layer, prefix)
    grid_edits.confirm(district, user, "重新编号")


def _prefixes(district: District, layer: Layer) -> dict[str, int]:
    """How many grids stand under each prefix."""
    scheme, found = grids.scheme_of(district, layer.id), {}
    frame = district.frames.frame(layer.id)
    for code in frame.arrays.code[frame.living].tolist():
        try:
            prefix, _ = scheme.split(code or "")
        except CodeSchemeError:
            continue
        found[prefix] = found.get(prefix, 0) + 1
    return dict(sorted(found.items()))


def _try(district: District, user: User, layer: Layer, prefix: str) -> None:
    work = state.of(user).grids
    work.order = None
    trial = widgets.attempt(user, lambda: grids.renumber(district, user, layer.id, prefix, dry_run=True))
    if trial is None:
        return
    if not trial.changed:
        st.success("编号次序已经正确,无需改动。")
        return
    present = grid_layers.grids(district, user, layer)
    work.order = GridOrder(
        "重新编号",
        layer.id,
        tuple(present[one.id] for one in trial.changed),
        trial,
        lambda: grids.renumber(district, user, layer.id, prefix),
    )


# --- how codes are written -----------------------------------------------------------------------------------


def _scheme(district: District, user: User, layer: Layer) -> None:
    scheme = grids.scheme_of(district, layer.id)
    with st.form(f"grids.scheme.{layer.id}", border=False):
        text = st.text_input(
            "各段位数(最后一段是编号)",
            value=scheme.text,
            max_chars=40,
            width=320,
            key=f"grids.scheme_text.{layer.id}",
        )
        order = st.selectbox(
            "编号次序", list(Order), index=list(Order).index(scheme.order), format_func=lambda one: one.title,
            width=320, key=f"grids.scheme_order.{layer.id}",
        )  # fmt: skip
        band = st.number_input(
            "同一排的宽度(米)", min_value=0.1, max_value=100_000.0, value=float(scheme.band_m), width=320,
            key=f"grids.scheme_band.{layer.id}",
        )  # fmt: skip
        st.caption("只影响以后的编号,已有的编码不变。")
        if st.form_submit_button("保存编码规则") and widgets.attempt(
            user,
            lambda: grids.choose_scheme(district, user, layer.id, parse_scheme(text, order, band)) or True,
            done="编码规则已保存。",
        ):
            st.rerun()
