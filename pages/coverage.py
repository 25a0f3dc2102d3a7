"""覆盖分析: how well points cover people, where nobody is reached, what a change would do, where new points belong."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import coverage_page, gate, widgets
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.VIEW_COVERAGE)

st.html(ASSETS / "coverage.css")
# Always there, so that what follows keeps its place, and the map its frame.
with st.container(key="coverage_notices"):
    widgets.notices(user, "coverage")
coverage_page.show(user)
