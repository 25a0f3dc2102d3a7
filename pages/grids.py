"""网格管理: grids checked and repaired, edited by forms, numbered, and held against another system of grids."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import gate, grid_checkup, grid_edits, grid_numbers, grid_systems, widgets
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.EDIT_ELEMENTS)

st.html(ASSETS / "upkeep.css")
st.title("网格管理", anchor=False)
widgets.notices(user, "grids")

sections = {
    "网格体检": grid_checkup.checkup_tab,
    "两套网格对照": grid_systems.systems_tab,
    "编号与沿革": grid_numbers.numbers_tab,
    "表单编辑": grid_edits.edits_tab,
}
tabs = st.tabs(list(sections), key="grids.tab", on_change="rerun")
for tab, section in zip(tabs, sections.values(), strict=True):
    if tab.open:
        with tab:
            section(user)
