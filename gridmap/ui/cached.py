"""
Answers that stay true until the next commit.

A cache is shared by everybody, so each takes what its answer depends on as arguments: the store, the
district's sequence, and the role scope of whoever asks.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from gridmap.domain.roles import User
from gridmap.services import documents
from gridmap.services.district import District

Scope = tuple[str, str, tuple[str, ...], tuple[str, ...]]


def scope(user: User) -> Scope:
    """Everything about a user that what they see may depend on."""
    return (user.username, user.role.value, tuple(sorted(user.layers)), tuple(sorted(user.area)))


def catalogue(district: District, user: User) -> dict[str, Any]:
    """Layers, groups and bounds as this user sees them (the API's catalogue document)."""
    return _catalogue(district, user, district.database.url, district.database.sequence(), scope(user))


@st.cache_data(show_spinner=False, max_entries=200)
def _catalogue(_district: District, _user: User, url: str, sequence: int, scope: Scope) -> dict[str, Any]:
    return documents.catalogue(_district, _user)


def is_simulated(district: District, user: User) -> bool:
    """Whether any element of the district is made up."""
    return catalogue(district, user)["is_simulated"]
