"""核实: what is overdue, who is reminded of it, and how much of what is registered is on the map."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import freshness_board, freshness_reminders, gate, mapped_share, widgets
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.EDIT_ELEMENTS)

st.html(ASSETS / "upkeep.css")
st.title("核实", anchor=False)
widgets.notices(user, "freshness")

sections = {
    "逾期看板": freshness_board.board_tab,
    "督导提醒": freshness_reminders.reminders_tab,
    "上图率": mapped_share.share_tab,
}
tabs = st.tabs(list(sections), key="freshness.tab", on_change="rerun")
for tab, section in zip(tabs, sections.values(), strict=True):
    if tab.open:
        with tab:
            section(user)
