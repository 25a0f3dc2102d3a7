"""要素: the elements of a layer as a table, in and out as files, and through time."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import (
    element_export,
    element_history,
    element_import,
    element_layers,
    element_table,
    gate,
    widgets,
)
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.VIEW_ELEMENTS)

st.html(ASSETS / "elements.css")
widgets.notices(user, "elements")
with st.container(horizontal=True, vertical_alignment="center", key="elements_head"):
    st.title("要素", anchor=False, width="content")
    layer = element_layers.choose(user)
if layer is None:
    st.stop()

sections = {"表格": element_table.table_tab}
if user.may(Permission.IMPORT):
    sections["批量导入"] = element_import.import_tab
if user.may(Permission.EXPORT):
    sections["导出"] = element_export.export_tab
if user.may(Permission.VIEW_HISTORY):
    sections["历史与恢复"] = element_history.history_tab

tabs = st.tabs(list(sections), key="elements.tab", on_change="rerun")
element_table.gather(user, layer if tabs[0].open else None)
for tab, section in zip(tabs, sections.values(), strict=True):
    if tab.open:
        with tab:
            section(user, layer)
