"""历史对比: two dates side by side, a layer brought back, a commit taken back."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import gate, history_commits, history_compare, history_layer, widgets
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.VIEW_HISTORY)

st.html(ASSETS / "upkeep.css")
st.title("历史对比", anchor=False)
widgets.notices(user, "history")

sections = {
    "对比": history_compare.compare_tab,
    "提交记录": history_commits.commits_tab,
    "恢复图层": history_layer.layer_tab,
}
tabs = st.tabs(list(sections), key="history.tab", on_change="rerun")
for tab, section in zip(tabs, sections.values(), strict=True):
    if tab.open:
        with tab:
            section(user)
