"""Stories in a list, automatic tours, and the way into making or presenting one."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.roles import Permission, User
from gridmap.services import cards, names, stories
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.standing import TOWN
from gridmap.services.stories import Story, Tour
from gridmap.ui import packs_board, state, stories_editor, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.show_work import Play
from gridmap.ui.words import time_words

_SECONDS = {0: "按键", 5: "5 秒", 10: "10 秒", 20: "20 秒"}


def stories_tab(user: User) -> None:
    """The list, or the story that is being made."""
    mine = state.of(user).show
    if mine.story is not None:
        stories_editor.editor(user)
        return
    district = districts.running()
    found = stories.list_stories(district, user)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("已保存的汇报", anchor=False)
        if not found:
            may = user.may(Permission.SAVE_STORIES)
            widgets.empty("还没有汇报。" + ("请在右侧新建。" if may else "由汇报员或研判员制作。"))
        called = names.of(district, [one.created_by for one in found])
        for one in found:
            _story(user, district, one, called[one.created_by])
    with right:
        if user.may(Permission.SAVE_STORIES):
            _new(user, district)
        _tour(user, district)


def _story(user: User, district: District, one: Story, maker: str) -> None:
    mine = state.of(user).show
    with st.container(border=True, key=f"story_{one.id}"):
        st.markdown(f"**{literal(one.title)}**")
        st.caption(f"{len(one.slides)} 页 · {literal(maker)} · {time_words(one.updated_at)} 更新")
        with st.container(horizontal=True):
            if st.button(
                "放映",
                type="primary",
                icon=":material/play_arrow:",
                disabled=not one.slides,
                key=f"gm_full_{one.id}",
            ):
                mine.play = Play(story=one.id)
                st.rerun()
            if user.may(Permission.EXPORT) and st.button(
                "生成 PDF 和 PPT",
                icon=":material/inventory_2:",
                disabled=not one.slides,
                key=f"stories.pack.{one.id}",
            ):
                packs_board.order_story(user, one)
            if one.may_change:
                if st.button("编辑", key=f"stories.edit.{one.id}"):
                    mine.story = one.id
                    st.rerun()
                _delete(user, district, one)
            elif user.may(Permission.SAVE_STORIES) and st.button("另存一份", key=f"stories.copy.{one.id}"):
                slides = [slide.document() | {"id": None} for slide in one.slides]
                title = f"{one.title}(副本)"[:100]
                made = widgets.attempt(user, lambda: stories.create(district, user, title, slides))
                if made is not None:
                    mine.story = made.id
                    st.rerun()


def _delete(user: User, district: District, one: Story) -> None:
    with st.popover("删除"):
        st.write("删除后不能恢复。")
        if st.button("确定删除", type="primary", key=f"stories.delete.{one.id}") and widgets.attempt(
            user, lambda: stories.delete(district, user, one.id) or True, done="汇报已删除。"
        ):
            st.rerun()


def _new(user: User, district: District) -> None:
    st.subheader("新建汇报", anchor=False)
    with st.form("stories.new", clear_on_submit=True):
        title = st.text_input("标题", max_chars=100, placeholder="例如:三月网格运行情况", key="stories.title")
        if not st.form_submit_button("新建", type="primary"):
            return
    made = widgets.attempt(user, lambda: stories.create(district, user, title))
    if made is not None:
        state.of(user).show.story = made.id
        st.rerun()


def _tour(user: User, district: District) -> None:
    st.subheader("自动巡览", anchor=False)
    kind = st.segmented_control(
        "巡览内容", list(Tour), default=Tour.POINTS, format_func=lambda one: one.title, key="stories.tour",
        required=True,
    )  # fmt: skip
    towns = dict(cards.area_codes(district, user, TOWN))
    town = None
    if kind is not Tour.TOWNS:
        town = st.selectbox(
            "范围", ["", *towns], format_func=lambda one: towns.get(one, "全区"),
            key="stories.tour_town",
        )  # fmt: skip
    seconds = st.segmented_control(
        "翻页间隔", list(_SECONDS), default=10, format_func=_SECONDS.__getitem__, key="stories.tour_seconds",
        required=True,
    )  # fmt: skip
    if st.button("开始巡览", icon=":material/play_arrow:", disabled=not towns, key="gm_full_tour"):
        state.of(user).show.play = Play(
            tour=kind or Tour.POINTS, town=town or None, seconds=int(seconds or 0)
        )
        st.rerun()
