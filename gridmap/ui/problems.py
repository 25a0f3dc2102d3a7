"""What a page shows when something went wrong: a Chinese sentence, with a reference number where we erred."""

from __future__ import annotations

import streamlit as st

from gridmap.services.problems import chinese


def apologise(error: Exception) -> bool:
    """Show an error that nobody caught in a page; True keeps Streamlit from showing its own."""
    st.error(chinese(error))
    return True
