"""
Answers that stay true until the next commit.

A cache is shared by everybody, so each takes what its answer depends on as arguments: the store, the
district's sequence, and the role scope of whoever asks.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from gridmap.domain.freshness import day_of
from gridmap.domain.roles import User
from gridmap.services import documents, freshness
from gridmap.services.district import District
from gridmap.services.freshness import Board

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


# As many elements as the overdue board lists one by one.
MOST_DUE = 5_000


def board(district: District, user: User, grid_layer: str, own_area: bool) -> Board:
    """The overdue board of today."""
    day, now = day_of(district.clock()), district.database.sequence()
    return _board(district, user, district.database.url, now, day, scope(user), grid_layer, own_area)


@st.cache_data(show_spinner=False, max_entries=50)
def _board(
    _district: District,
    _user: User,
    url: str,
    sequence: int,
    day: date,
    scope: Scope,
    grid_layer: str,
    own_area: bool,
) -> Board:
    return freshness.board(_district, _user, grid_layer=grid_layer, own_area=own_area, limit=MOST_DUE)


def officers(district: District, user: User, grid_layer: str) -> dict[str, str]:
    """Who answers for each grid, by code; a change of an account shows within a minute."""
    url, now = district.database.url, district.database.sequence()
    return _officers(district, user, url, now, scope(user), grid_layer)


@st.cache_data(show_spinner=False, max_entries=50, ttl=60)
def _officers(
    _district: District, _user: User, url: str, sequence: int, scope: Scope, grid_layer: str
) -> dict[str, str]:
    return freshness.officers_of(_district, _user, grid_layer)
