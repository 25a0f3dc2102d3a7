"""From one step of an import to another."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.ui import state
from gridmap.ui.element_work import ImportWork


def go(work: ImportWork, step: int) -> None:
    """Show another step of this import."""
    work.step = step
    st.rerun()


def again(user: User, layer: Layer) -> None:
    """Begin anew with another file."""
    state.of(user).elements.begin_import(layer.id)
    st.rerun()
