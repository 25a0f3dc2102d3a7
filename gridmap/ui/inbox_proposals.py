"""提议: what others ask of me, with what it would change, and what I asked of others."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import district as districts
from gridmap.services import names, partition, proposals
from gridmap.services.district import District
from gridmap.services.problems import chinese
from gridmap.services.proposals import State
from gridmap.storage.proposals import Proposal
from gridmap.ui import gate, state, widgets
from gridmap.ui.element_words import field_titles, label_of, literal, value_words
from gridmap.ui.links import to_map
from gridmap.ui.sketch import sketch
from gridmap.ui.words import time_words

_ROWS = 6
_SENT = 50


def received_tab(user: User) -> None:
    """What waits for my word."""
    district = districts.running()
    with st.spinner("正在读取…"):
        waiting = proposals.inbox(district, user)
    if not waiting:
        widgets.empty("没有等您处理的提议。他人的改动涉及您的责任区时,会在这里等您同意。")
        return
    st.caption(f"共 {len(waiting)} 条。接受后立即按现在的数据重新检查并执行;退回则地图不变。")
    for one in widgets.page_of(waiting, size=_ROWS, key="inbox.page"):
        with st.container(border=True, key=f"inbox_proposal_{one.id}"):
            _received(district, user, one)


def sent_tab(user: User) -> None:
    """What I asked of others, and what became of it."""
    district = districts.running()
    made = proposals.sent(district, user)
    if not made:
        widgets.empty("您还没有提出过提议。改动越出您的责任区时,保存会自动成为提议。")
        return
    for one in [each for each in made if each.state is State.OPEN]:
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key=f"inbox_sent_{one.id}"
        ):
            st.markdown(
                literal(f"{one.title} · {time_words(one.created_at)} · 等待对方处理"), width="stretch"
            )
            if st.button("撤回", key=f"inbox.withdraw.{one.id}"):
                _act(
                    user,
                    lambda found=one: proposals.withdraw(district, user, found.id) or True,
                    "提议已撤回。",
                )
    closed = [one for one in made if one.state is not State.OPEN][:_SENT]
    called = names.of(district, [one.decided_by for one in closed])
    widgets.table(
        ["提议", "提出时间", "结果", "处理人", "处理时间", "答复"],
        [
            (
                one.title, time_words(one.created_at), one.state.title, called.get(one.decided_by or "", "—"),
                time_words(one.decided_at), one.answer or "—",
            )
            for one in closed
        ],
        empty="还没有已处理的提议。",
        height=420,
    )  # fmt: skip


def _act(user: User, action: object, done: str) -> None:
    if widgets.attempt(user, action, done=done) is not None:  # type: ignore[arg-type]
        st.rerun()


# --- one proposal --------------------------------------------------------------------------------------------


def _received(district: District, user: User, one: Proposal) -> None:
    st.markdown(f"**{literal(one.title)}**")
    st.caption(
        literal(
            f"{names.one(district, one.created_by)} 于 {time_words(one.created_at)} 提出"
            + (f",理由:{one.reason}" if one.reason else "")
        )
    )
    fault = None
    try:
        before, after = proposals.preview(district, user, one.id)
    except GridmapError as error:
        fault = chinese(error)
        st.warning(literal(f"现在不能执行:{fault}"))
    else:
        _shown(district, before, after)
    _answer(district, user, one, is_possible=fault is None)


def _shown(district: District, before: Sequence[Element], after: Sequence[Element]) -> None:
    """What the elements are, and what they would be, as a drawing and in words."""
    drawing, words = st.columns([1, 2], gap="medium")
    moved = {one.id: one for one in before}
    with drawing:
        st.html(
            sketch(
                [("before", [one.geometry for one in before]), ("after", [one.geometry for one in after])],
                "灰色为现在,蓝色为接受后",
            )
            + '<p class="gm-note">灰色:现在;蓝色:接受后</p>'
        )
    with words:
        rows = [row for one in after for row in _differences(district, moved.get(one.id), one)]
        gone = [one for one in before if one.id not in {each.id for each in after}]
        rows += [(label_of(one), "状态", "使用中", "停用") for one in gone]
        widgets.table(
            ["要素", "内容", "现在", "接受后"], rows, empty="与现在的内容相同,没有改动。", height=260
        )
        if before:
            place = before[0].geometry.representative_point()
            link = to_map(
                gate.base_path(), (place.x, place.y), box=before[0].geometry.bounds, layer=before[0].layer,
                element=before[0].id,
            )  # fmt: skip
            widgets.map_button(link)


def _differences(
    district: District, before: Element | None, after: Element
) -> list[tuple[str, str, str, str]]:
    layer = district.catalogue.layer(after.layer)
    if before is None:
        return [(label_of(after), "状态", "无", f"新建({_size(after)})")]
    titles = field_titles(layer)
    then, now = before.values(), after.values()
    rows = [
        (label_of(before), titles.get(name, name), value_words(layer, name, then.get(name)),
         value_words(layer, name, now.get(name)))
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]  # fmt: skip
    if not before.geometry.equals(after.geometry):
        if before.geometry.geom_type == "Point":
            metres = partition.distance_m(before.geometry, after.geometry)
            rows.append((label_of(before), "位置", "—", f"移动 {metres:,.0f} 米"))
        else:
            rows.append((label_of(before), "范围", _size(before), _size(after)))
    return rows


def _size(one: Element) -> str:
    if one.geometry.geom_type.endswith("Polygon"):
        return f"{partition.area_m2(one.geometry) / 1e6:,.4f} 平方公里"
    return "点" if one.geometry.geom_type == "Point" else "线"


def _answer(district: District, user: User, one: Proposal, *, is_possible: bool) -> None:
    with st.form(f"inbox.answer.{one.id}", border=False):
        answer = st.text_input(
            "答复(退回时请说明原因)", max_chars=200, key=f"inbox.answer_text.{one.id}"
        ).strip()
        with st.container(horizontal=True):
            accepted = st.form_submit_button("接受", type="primary", disabled=not is_possible)
            declined = st.form_submit_button("退回")
    if accepted:
        done = widgets.attempt(user, lambda: proposals.accept(district, user, one.id, answer=answer))
        if done is not None:
            state.of(user).notice = literal(
                f"已接受“{one.title}”。" + "".join(f"{each}。" for each in done.warnings)
            )
            st.rerun()
    elif declined:
        if not answer:
            st.error("退回时请填写原因,方便对方修改。")
            return
        _act(user, lambda: proposals.decline(district, user, one.id, answer=answer) or True, "已退回提议。")
