"""汇报: stories made and presented, packs to take away, the monthly briefing."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import gate, packs_board, state, stories_board, stories_briefing, stories_play, widgets
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.VIEW_ELEMENTS)

st.html(ASSETS / "stories.css")
if state.of(user).show.play is not None:
    stories_play.play(user)
    st.stop()

st.title("汇报", anchor=False)
widgets.notices(user, "stories")
sections = {
    "汇报演示": stories_board.stories_tab,
    "材料包": packs_board.packs_tab,
    "平安通报": stories_briefing.briefing_tab,
}
tabs = st.tabs(list(sections), key="stories.tab", on_change="rerun")
for tab, section in zip(tabs, sections.values(), strict=True):
    if tab.open:
        with tab:
            section(user)
