"""
Answers that stay true until the next commit.

A cache is shared by everybody, so each takes what its answer depends on as arguments: the store, the
district's sequence, and the role scope of whoever asks.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import streamlit as st

from gridmap.domain.freshness import day_of
from gridmap.domain.roles import User
from gridmap.services import comparing, documents, freshness, grid_check
from gridmap.services import correspondence as correspondences
from gridmap.services.comparing import Comparison
from gridmap.services.correspondence import Correspondence
from gridmap.services.district import District
from gridmap.services.freshness import Board
from gridmap.services.grid_check import CheckUp

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


def checkup(district: District, user: User, layer: str) -> CheckUp:
    """The check-up of a layer of grids."""
    return _checkup(district, user, district.database.url, district.database.sequence(), scope(user), layer)


@st.cache_data(show_spinner=False, max_entries=20)
def _checkup(_district: District, _user: User, url: str, sequence: int, scope: Scope, layer: str) -> CheckUp:
    return grid_check.check(_district, _user, layer)


def forget_checkups() -> None:
    """What a repair without a commit has made untrue."""
    _checkup.clear()


def correspondence(district: District, user: User, first: str, second: str) -> Correspondence:
    """Two systems of grids side by side."""
    url, now = district.database.url, district.database.sequence()
    return _correspondence(district, user, url, now, scope(user), first, second)


@st.cache_data(show_spinner=False, max_entries=20)
def _correspondence(
    _district: District, _user: User, url: str, sequence: int, scope: Scope, first: str, second: str
) -> Correspondence:
    return correspondences.correspondence(_district, _user, first, second)


def comparison(
    district: District, user: User, layer: str, earlier: datetime, later: datetime, *, is_now: bool
) -> Comparison:
    """A layer at two moments; with `is_now` the later one is the present state, whenever that was stored."""
    url, now = district.database.url, district.database.sequence()
    until = None if is_now else later
    return _comparison(district, user, url, now, scope(user), layer, earlier, until)


@st.cache_data(show_spinner=False, max_entries=6)
def _comparison(
    _district: District,
    _user: User,
    url: str,
    sequence: int,
    scope: Scope,
    layer: str,
    earlier: datetime,
    later: datetime | None,
) -> Comparison:
    return comparing.compare(_district, _user, layer, earlier, later)
