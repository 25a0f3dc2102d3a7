"""The frame around all pages: which of them this person sees, and who is signed in. Run before every page."""

import streamlit as st

from gridmap.services import district as districts
from gridmap.ui import cached, gate, pages, widgets, words
from gridmap.ui.shell import ASSETS

st.set_page_config(page_title=words.APP_TITLE, page_icon=ASSETS / "icon.svg", layout="wide")
st.logo(ASSETS / "icon.svg", size="large")
user = gate.require(with_first_password=True)

district = districts.running()


def home() -> None:
    """The first page of this person's menu: where the bare address leads."""
    st.switch_page(next(made[one.name] for one in listed if one.is_for(user)))


# A page that this person may not see is known by its address and not listed: its own guard then says why,
# where Streamlit would say "not found".
listed = pages.pages()
made = {
    one.name: st.Page(
        one.file,
        title=one.title,
        icon=one.icon,
        url_path=one.name,
        visibility="visible" if one.is_for(user) else "hidden",
    )
    for one in listed
}
first = st.Page(home, title=words.APP_TITLE, default=True, visibility="hidden")
grouped = pages.menu(user, listed)
menu = {group: [made[one.name] for one in part] for group, part in grouped.items()}
menu[""].insert(0, first)
page = st.navigation(menu, position="top")
widgets.frame(
    user,
    is_simulated=cached.is_simulated(district, user),
    base_path=gate.base_path(),
    page=page.title,
    group=next((group for group, part in grouped.items() if page.url_path in [one.name for one in part]), ""),
)
page.run()
