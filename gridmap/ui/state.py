"""What the pages of one browser tab share: one dataclass. No other file touches `session_state`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from gridmap.domain.roles import User
from gridmap.ui.coverage_work import CoverageWork
from gridmap.ui.element_work import Download, ElementsWork
from gridmap.ui.grid_work import GridsWork
from gridmap.ui.show_work import ShowWork

_KEY = "gridmap"


@dataclass(slots=True)
class Secret:
    """A password or token that is shown once, on the page where it was made."""

    page: str
    title: str
    text: str
    hint: str


@dataclass(slots=True)
class State:
    """
    Shared between pages, for one person; pages change its attributes in place.

    Attributes
    ----------
    layer, element : the element last selected, on the map or in the table
    notice : a sentence to show once, after the rerun that follows an action
    faults : what of that action was refused, to show beside it
    secret : see `Secret`
    elements : edits and imports that are not stored yet
    package : the work package that was made last and waits to be taken
    grids : edits of grids that were tried or stored
    coverage : the scenario in the hand, a solve underway
    show : what is open on the overview and the pages of stories
    """

    username: str
    layer: str | None = None
    element: str | None = None
    notice: str | None = None
    faults: list[str] = field(default_factory=list)
    secret: Secret | None = None
    elements: ElementsWork = field(default_factory=ElementsWork)
    package: Download | None = None
    grids: GridsWork = field(default_factory=GridsWork)
    coverage: CoverageWork = field(default_factory=CoverageWork)
    show: ShowWork = field(default_factory=ShowWork)


def of(user: User) -> State:
    """This tab's state; a fresh one when somebody else has signed in meanwhile."""
    found = st.session_state.get(_KEY)
    if not isinstance(found, State) or found.username != user.username:
        st.session_state[_KEY] = found = State(user.username)
    return found


def answer(key: str) -> Any:
    """What the widget of this key says now, None where it is not drawn: for callbacks, and before it is drawn."""
    return st.session_state.get(key)


def forget() -> None:
    """Drop everything this tab remembers, widgets' values included."""
    st.session_state.clear()
