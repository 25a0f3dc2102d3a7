"""上图率: what is on the map of what is registered, what is missing, and the register itself."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.exchange import SourceTable
from gridmap.services import access, freshness, imports
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.freshness import MappedRow, MappedShare, RegisteredItem
from gridmap.ui import state, widgets
from gridmap.ui.element_words import literal

_SEPARATORS = re.compile(r"[\s,,;;]+")
# Headings by which a register's columns are known.
_CODES, _NAMES = ("编码", "code", "编号", "代码"), ("名称", "name")
_GRIDS = ("网格编码", "所在网格", "grid_code", "网格")


def share_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    layer, grid = _inputs(district, user)
    with st.spinner("正在统计…"):
        found = freshness.mapped_share(district, user, layer.id, grid_layer=grid.id)
    if found.rows:
        _figures(found)
        _table(found, layer, grid)
        _missing(found, layer)
    else:
        where = "请在下方录入,或上传登记清单" if _is_registrar(user, layer) else "由网格管理员录入"
        widgets.empty(f"“{layer.title}”还没有登记数,无法计算上图率。登记数{where}。")
    if _is_registrar(user, layer):
        _register(district, user, layer, grid, found)


def _inputs(district: District, user: User) -> tuple[Layer, Layer]:
    layers = {
        one.id: one for one in access.visible_layers(district, user) if not one.is_grid and not one.is_basemap
    }
    grids = {one.id: one for one in district.catalogue.grids if len(district.frames.frame(one.id))}
    grids = grids or {"police_grid": district.catalogue.layer("police_grid")}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = st.selectbox(
            "图层", list(layers), format_func=lambda one: layers[one].title, width=200,
            index=list(layers).index("workstation") if "workstation" in layers else 0, key="freshness.share_layer",
        )  # fmt: skip
        grid = st.selectbox(
            "网格层级", list(grids), format_func=lambda one: grids[one].title, width=200,
            index=list(grids).index("police_grid") if "police_grid" in grids else 0, key="freshness.share_grid",
        )  # fmt: skip
    return layers[layer], grids[grid]


# --- figures -------------------------------------------------------------------------------------------------


def _percent(row: MappedRow) -> str:
    return "—" if row.share is None else f"{row.share:.1%}"


def _figures(found: MappedShare) -> None:
    facts: dict[str, object] = {
        "上图率": _percent(found.total),
        "已上图": f"{found.total.mapped:,} 个",
        "登记": f"{found.total.registered:,} 个",
        "缺少": f"{found.total.missing:,} 个",
    }
    if found.has_register:
        facts["图上有、清单无"] = f"{len(found.unregistered):,} 个"
    widgets.cards(facts)
    st.caption(
        "上图率 = 图上数 ÷ 登记数。"
        + ("按登记清单逐条核对编码。" if found.has_register else "按各网格登记数计算。")
    )


def _table(found: MappedShare, layer: Layer, grid: Layer) -> None:
    columns = ["网格编码", grid.title, "登记", "已上图", "缺少", "上图率"]
    # where most is missing comes first
    rows = [
        (one.grid_code or "—", one.grid_name, one.registered, one.mapped, one.missing, _percent(one))
        for one in sorted(found.rows, key=lambda one: (-one.missing, one.grid_code))
    ]
    widgets.table(columns, rows, empty="", height=360)
    widgets.csv_button(columns, rows, name=f"上图率_{layer.title}_{grid.title}", key="freshness.share_csv")


def _missing(found: MappedShare, layer: Layer) -> None:
    if not found.has_register:
        st.caption("只有登记数,没有登记清单:能算出缺多少,不能列出缺哪些。上传登记清单后可逐条列出。")
        return
    st.subheader(f"清单上有、图上没有({len(found.missing):,} 个)", anchor=False)
    columns = ["编码", "名称", "网格编码"]
    rows = [(one.code, one.name, one.grid_code or "—") for one in found.missing]
    widgets.table(columns, rows[:500], empty="登记清单上的都已上图。", height=360)
    widgets.csv_button(columns, rows, name=f"未上图_{layer.title}", key="freshness.missing_csv")
    if found.unregistered:
        with st.expander(f"图上有、清单上没有({len(found.unregistered):,} 个)"):
            widgets.table(["编码"], [(one,) for one in found.unregistered[:500]], empty="", height=300)


# --- the register --------------------------------------------------------------------------------------------


def _is_registrar(user: User, layer: Layer) -> bool:
    return user.writes_everywhere and user.may(Permission.IMPORT) and access.may_edit(user, layer)


def _register(district: District, user: User, layer: Layer, grid: Layer, found: MappedShare) -> None:
    st.subheader("维护登记数", anchor=False)
    counts, items = st.columns(2, gap="large")
    with counts, st.form(f"freshness.counts.{layer.id}.{grid.id}"):
        st.markdown("**各网格登记数**")
        text = st.text_area(
            "每行一个网格:编码,登记数",
            value=_counts_text(district, grid, found),
            height=220,
            key=f"freshness.counts_text.{layer.id}.{grid.id}",
        )
        if st.form_submit_button("保存登记数", type="primary") and widgets.attempt(
            user,
            lambda: freshness.register_counts(district, user, layer.id, grid.id, parse_counts(text)) or True,
            done=f"“{layer.title}”的登记数已保存。",
        ):
            st.rerun()
    with items, st.container(border=True):
        _upload(district, user, layer, has_register=found.has_register)


def _counts_text(district: District, grid: Layer, found: MappedShare) -> str:
    """What is registered now, else every grid with nothing, ready to be filled in."""
    if found.rows and not found.has_register:
        return "\n".join(f"{one.grid_code},{one.registered}" for one in found.rows)
    frame = district.frames.frame(grid.id)
    codes = sorted(code for code in frame.arrays.code[frame.living].tolist() if code)
    return "\n".join(f"{code},0" for code in codes)


def parse_counts(text: str) -> dict[str, int]:
    """
    Counts by grid code from lines of `code,count`.

    Raises
    ------
    InvalidInput
        A line has another form, or a code comes twice.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        parts = [one for one in _SEPARATORS.split(line.strip()) if one]
        if not parts:
            continue
        if len(parts) != 2 or not parts[1].isdecimal() or len(parts[1]) > 9:
            raise InvalidInput(
                f"line {number} is not `code,count`", zh=f"第 {number} 行应为“编码,登记数”,登记数为非负整数。"
            )
        if parts[0] in found:
            raise InvalidInput(f"{parts[0]} comes twice", zh=f"第 {number} 行:编码“{parts[0]}”重复。")
        found[parts[0]] = int(parts[1])
    return found


def _upload(district: District, user: User, layer: Layer, *, has_register: bool) -> None:
    st.markdown("**登记清单**")
    st.caption("CSV 或 Excel,至少有“编码”一列,可有“名称”“网格编码”。上传后取代原来的清单。")
    key = f"freshness.register.{layer.id}"
    file = st.file_uploader("选择登记清单文件", type=["csv", "xlsx"], key=f"{key}.file")
    with st.container(horizontal=True):
        if file is not None and st.button("保存登记清单", type="primary", key=f"{key}.save"):
            items = widgets.attempt(
                user, lambda: _items(imports.read(district, file.getvalue(), filename=file.name))
            )
            if items is not None and widgets.attempt(
                user,
                lambda: freshness.register_items(district, user, layer.id, items) or True,
                done=f"登记清单已保存,共 {len(items):,} 条。",
            ):
                st.rerun()
        if has_register:
            with st.popover("清除登记清单"):
                st.write(literal(f"将清除“{layer.title}”的登记清单,之后按各网格登记数计算上图率。"))
                if st.button("确定清除", type="primary", key=f"{key}.clear"):
                    freshness.register_items(district, user, layer.id, [])
                    state.of(user).notice = "登记清单已清除。"
                    st.rerun()


def _items(table: SourceTable) -> list[RegisteredItem]:
    """The register that a file holds; raises InvalidInput where no column is its code."""
    columns = {str(name).strip().casefold(): name for name in table.columns}

    def column(headings: tuple[str, ...]) -> Any:
        return next((columns[one] for one in headings if one in columns), None)

    code, name, grid = column(_CODES), column(_NAMES), column(_GRIDS)
    if code is None:
        raise InvalidInput("the register has no column of codes", zh="登记清单中没有“编码”列。")
    return [
        RegisteredItem(_text(row.get(code)), _text(row.get(name)), _text(row.get(grid)) or None)
        for _, row, _ in table.records()
        if _text(row.get(code))
    ]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
