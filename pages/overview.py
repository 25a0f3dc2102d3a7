"""总览: the district in a dozen figures, on the map, ranked and through time; also full screen in a meeting."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import gate, overview_board
from gridmap.ui.shell import ASSETS

user = gate.require(Permission.VIEW_COVERAGE)

st.html(ASSETS / "overview.css")
overview_board.board(user)
