"""The frame around all pages: which of them this person sees, and who is signed in. Run before every page."""

import streamlit as st

from gridmap.services import district as districts
from gridmap.ui import cached, gate, pages, widgets, words
from gridmap.ui.shell import ASSETS

st.set_page_config(page_title=words.APP_TITLE, page_icon=ASSETS / "icon.svg", layout="wide")
st.logo(ASSETS / "icon.svg", size="large")
user = gate.require(with_first_password=True)

district = districts.running()
widgets.frame(user, is_simulated=cached.is_simulated(district, user), base_path=gate.base_path())


def home() -> None:
    """The first page of this person's menu: where the bare address leads."""
    st.switch_page(next(page for page, entry in listed if entry.is_for(user)))


# A page that this person may not see is known by its address and not listed: its own guard then says why,
# where Streamlit would say "not found".
listed = [
    (
        st.Page(
            entry.file,
            title=entry.title,
            icon=entry.icon,
            url_path=entry.name,
            visibility="visible" if entry.is_for(user) else "hidden",
        ),
        entry,
    )
    for entry in pages.pages()
]
first = st.Page(home, title=words.APP_TITLE, default=True, visibility="hidden")
st.navigation([first, *(page for page, _ in listed)], position="top").run()
