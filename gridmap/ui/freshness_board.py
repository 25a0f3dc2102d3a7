"""逾期看板: what is overdue, by grid, officer and layer, and confirming on the spot that nothing has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import district as districts
from gridmap.services import elements, freshness, names
from gridmap.services.district import District
from gridmap.services.freshness import Board, Due, Tally
from gridmap.services.problems import chinese
from gridmap.ui import cached, element_rows, gate, state, widgets
from gridmap.ui.element_words import label_of, literal
from gridmap.ui.links import to_map

_ROWS = 12
_SIDES = {"grid": "按网格", "officer": "按民警", "layer": "按图层"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which part of the board is shown; empty means all of it."""

    grid_layer: str
    layer: str
    officer: str
    own_area: bool
    with_soon: bool


def board_tab(user: User) -> None:
    """Everything of this tab."""
    district = districts.running()
    asked = _inputs(district, user)
    if asked is None:
        widgets.empty("还没有需要定期核实的图层。核实周期在图层目录中设置。")
        return
    with st.spinner("正在统计…"):
        board = cached.board(district, user, asked.grid_layer, asked.own_area)
    _figures(board)
    # who answers for an area begins with the work, who oversees all of them with the sums
    if user.writes_everywhere:
        _tallies(board)
        _list(district, user, board, asked)
    else:
        _list(district, user, board, asked)
        _tallies(board)
    _rules(district, user)


# --- what is asked for ---------------------------------------------------------------------------------------


def _inputs(district: District, user: User) -> _Asked | None:
    watched = {one.id: one.title for one in freshness.watched_layers(district, user)}
    if not watched:
        return None
    grids = {one.id: one.title for one in district.catalogue.grids if len(district.frames.frame(one.id))}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        grid_layer = st.selectbox(
            "网格层级",
            list(grids) or ["police_grid"],
            index=list(grids).index("police_grid") if "police_grid" in grids else 0,
            format_func=lambda one: grids.get(one, one),
            width=170,
            key="freshness.grid_layer",
        )
        layer = st.selectbox(
            "图层",
            list(watched),
            index=None,
            format_func=watched.__getitem__,
            placeholder="全部",
            width=170,
            key="freshness.layer",
        )
        officers = sorted(set(cached.officers(district, user, grid_layer).values()))
        officer = st.selectbox(
            "责任民警",
            [*officers, *([] if freshness.NOBODY in officers else [freshness.NOBODY])],
            index=None,
            placeholder="全部",
            width=180,
            key="freshness.officer",
        )
        own_area = not user.writes_everywhere and st.toggle(
            "只看我的责任区", value=True, key="freshness.own_area"
        )
        with_soon = st.toggle(f"含 {freshness.SOON_DAYS} 天内到期", key="freshness.soon")
    return _Asked(grid_layer, layer or "", officer or "", own_area, with_soon)


# --- figures -------------------------------------------------------------------------------------------------


def _figures(board: Board) -> None:
    total = board.total
    widgets.cards(
        {
            "需定期核实": f"{total.total:,} 个",
            "已逾期": f"{total.overdue:,} 个" + (f"(最长 {total.worst_days} 天)" if total.worst_days else ""),
            "从未核实": f"{total.never:,} 个",
            f"{board.soon_days} 天内到期": f"{total.soon:,} 个",
            "核实率": f"{total.fresh_share:.1%}",
        }
    )


def _rules(district: District, user: User) -> None:
    with st.expander("核实周期(按图层、类别和等级)"):
        rows = [
            (
                layer.title,
                rule.category or "不限",
                _grade_title(layer, rule.grade),
                "不定期" if rule.days is None else f"{rule.days} 天",
            )
            for layer in freshness.watched_layers(district, user)
            for rule in layer.freshness
        ]
        widgets.table(["图层", "类别", "等级", "核实周期"], rows, empty="没有核实周期。")
        st.caption(
            "核实当天为第 0 天:周期为 30 天的,第 30 天(含)之前不算逾期,第 31 天起逾期。按北京时间的日期计算。"
        )


def _grade_title(layer: Layer, grade: str | None) -> str:
    if grade is None:
        return "不限"
    return layer.field(layer.grade_field).choice_title(grade) if layer.grade_field else grade


def _tallies(board: Board) -> None:
    sides: dict[str, tuple[Tally, ...]] = {
        "grid": board.by_grid, "officer": board.by_officer, "layer": board.by_layer,
    }  # fmt: skip
    side = st.segmented_control(
        "汇总方式", list(_SIDES), default="grid", required=True, format_func=_SIDES.__getitem__,
        label_visibility="collapsed", key="freshness.side",
    )  # fmt: skip
    columns = ["编码", "网格"] if side == "grid" else [_SIDES[side].removeprefix("按")]
    columns += ["需核实", "逾期", "从未核实", "即将到期", "最长逾期(天)", "核实率"]
    rows = [
        (
            *((one.key or "—", one.title) if side == "grid" else (one.title,)),
            one.total, one.overdue, one.never, one.soon, one.worst_days, f"{one.fresh_share:.1%}",
        )
        for one in sides[side]
    ]  # fmt: skip
    widgets.table(columns, rows, empty="没有需要核实的要素。", height=300)
    widgets.csv_button(columns, rows, name=f"核实{_SIDES[side]}汇总", key="freshness.tally_csv")


# --- one by one ----------------------------------------------------------------------------------------------


def _list(district: District, user: User, board: Board, asked: _Asked) -> None:
    found = [
        one
        for one in (*board.overdue, *(board.soon if asked.with_soon else ()))
        if (not asked.layer or one.layer == asked.layer)
        and (not asked.officer or one.officer == asked.officer)
    ]
    st.subheader(f"待核实清单({len(found):,} 个)", anchor=False)
    if not found:
        widgets.empty("没有逾期未核实的要素。" if not asked.with_soon else "没有逾期或即将到期的要素。")
        return
    if board.total.overdue + board.total.never > len(board.overdue):
        st.caption(f"逾期最久的 {len(board.overdue):,} 个列在下面;核实后其余的会依次显示。")
    above = st.container(horizontal=True, vertical_alignment="center", key="freshness_actions")
    lines = st.container(key="freshness_list")
    shown = widgets.page_of(found, size=_ROWS, key="freshness.page")
    present = freshness.verified_elements(district, shown)
    is_mine = _theirs_to_confirm(district, user, [present[one.element_id] for one in shown])
    ticked = []
    with lines:
        called = names.of(district, [one.verified_by for one in present.values()])
        grids = {one.key: one.title for one in board.by_grid}
        for one in shown:
            found = present[one.element_id]
            grid = grids.get(one.grid_code) or one.grid_code if one.grid_code else "不在网格内"
            about = _about(one, grid, called.get(found.verified_by or "", ""))
            if _line(district, user, one, found, about, is_mine=one.element_id in is_mine):
                ticked.append(found)
    with above:
        _together(district, user, ticked, [one for one in present.values() if one.id in is_mine])


def _theirs_to_confirm(district: District, user: User, shown: Sequence[Element]) -> set[str]:
    """Ids of the elements that the user may confirm."""
    found: set[str] = set()
    for layer_id in {one.layer for one in shown}:
        part = [one for one in shown if one.layer == layer_id]
        allowed = element_rows.editable(district, user, district.catalogue.layer(layer_id), part)
        found |= {one.id for one, is_allowed in zip(part, allowed, strict=True) if is_allowed}
    return found


def _line(district: District, user: User, due: Due, present: Element, about: str, *, is_mine: bool) -> bool:
    """One element, with what there is to say about it; whether its box is ticked."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"freshness_line_{due.element_id}"):
        is_ticked = st.checkbox(
            literal(label_of(present)),
            disabled=not is_mine,
            width=230,
            key=f"freshness.tick.{due.element_id}",
        )
        st.html(about, width="stretch")
        link = to_map(gate.base_path(), due.place, layer=due.layer, element=due.element_id)
        widgets.map_button(link)
        st.button(
            "确认无变化",
            type="primary",
            disabled=not is_mine,
            help=None if is_mine else "不在您的责任区内,由责任民警核实。",
            on_click=_confirm,
            args=(district, user, [present]),
            key=f"freshness.confirm.{due.element_id}",
        )
    return is_ticked and is_mine


def _about(due: Due, grid: str, verified_by: str) -> str:
    if due.days_over is None:
        mark, words = "gm-bad", "从未核实"
    elif due.days_over > 0:
        mark, words = "gm-bad", f"逾期 {due.days_over} 天"
    else:
        mark, words = "gm-soon", "今天到期" if due.days_over == 0 else f"{-due.days_over} 天后到期"
    rest = " · ".join(
        part
        for part in (
            due.layer_title,
            grid,
            due.officer,
            f"上次核实:{verified_by}" if verified_by else "",
        )
        if part
    )
    return f'<span class="gm-mark {mark}">{words}</span> <span class="gm-about">{escape(rest)}</span>'


def _together(district: District, user: User, ticked: Sequence[Element], mine: Sequence[Element]) -> None:
    st.button(
        f"确认勾选的 {len(ticked)} 个无变化" if ticked else "确认勾选的无变化",
        type="primary",
        disabled=not ticked,
        on_click=_confirm,
        args=(district, user, list(ticked)),
        key="freshness.confirm_ticked",
    )
    with st.popover(f"确认本页 {len(mine)} 个无变化", disabled=not mine):
        st.write(f"将确认本页 {len(mine)} 个要素均已实地核实、没有变化。")
        st.button(
            "确定",
            type="primary",
            on_click=_confirm,
            args=(district, user, list(mine)),
            key="freshness.confirm_page",
        )
    st.caption("确认前请实地核实;有变化的,请在“一张图”或“要素”中修改。", width="stretch")


def _confirm(district: District, user: User, shown: Iterable[Element]) -> None:
    """Confirm elements as they were shown; one that somebody changed meanwhile is told and left."""
    mine, done = state.of(user), 0
    for one in shown:
        try:
            elements.verify(
                district, user, one.layer, one.id, base_revision=one.revision, reason="核实无变化"
            )
        except GridmapError as error:
            mine.faults.append(literal(f"{label_of(one)}:{chinese(error)}"))
        else:
            done += 1
    if done:
        mine.notice = f"已确认 {done} 个要素没有变化。"
