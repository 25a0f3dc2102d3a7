"""待办: proposals that wait for my word or the other side's, and edits that a person must decide."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import gate, inbox_edits, inbox_proposals, widgets
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.EDIT_ELEMENTS)

st.html(ASSETS / "upkeep.css")
st.title("待办", anchor=False)
widgets.notices(user, "inbox")

sections = {"待我同意": inbox_proposals.received_tab, "我的提议": inbox_proposals.sent_tab}
if user.may(Permission.IMPORT):
    sections["待确认的修改"] = inbox_edits.edits_tab
tabs = st.tabs(list(sections), key="inbox.tab", on_change="rerun")
for tab, section in zip(tabs, sections.values(), strict=True):
    if tab.open:
        with tab:
            section(user)
