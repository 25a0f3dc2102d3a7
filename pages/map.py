"""一张图: the map of the district, over the whole window."""

import streamlit as st
from streamlit_folium import st_folium

from gridmap.domain.roles import Permission
from gridmap.maps.shell import FRAME_STYLE, make_map
from gridmap.ui import gate, widgets

gate.require(Permission.VIEW_ELEMENTS)

widgets.fill_screen()
st.html(FRAME_STYLE)
st_folium(make_map(), height=700, use_container_width=True, returned_objects=[])
