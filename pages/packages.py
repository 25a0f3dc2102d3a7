"""工作包: elements taken along for offline editing, and brought back."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import gate, widgets, work_packages
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.IMPORT)

st.html(ASSETS / "upkeep.css")
st.title("工作包", anchor=False)
widgets.notices(user, "packages")

sections = {
    "领取": work_packages.take_tab,
    "带回": work_packages.return_tab,
    "记录": work_packages.list_tab,
}
tabs = st.tabs(list(sections), key="packages.tab", on_change="rerun")
for tab, section in zip(tabs, sections.values(), strict=True):
    if tab.open:
        with tab:
            section(user)
