"""The menu: who finds which page where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridmap.domain.roles import Role, User
from gridmap.ui.pages import ANALYSIS, SYSTEM, UPKEEP, menu, pages
from tests.support.district import ADMIN, OFFICER_WEST, VIEWER


def shown(user: User) -> dict[str, list[str]]:
    return {
        group: [one.name for one in part if one.is_for(user)] for group, part in menu(user, pages()).items()
    }


def test_an_officer_finds_upkeep_under_its_heading_and_what_waits_in_the_line() -> None:
    found = shown(OFFICER_WEST)
    assert found[UPKEEP] == ["freshness", "grids", "history", "packages"]
    assert {"map", "elements", "inbox", "account"} <= set(found[""])
    assert SYSTEM not in found, "a heading over a single page"


def test_an_administrator_has_a_heading_for_the_system() -> None:
    assert shown(ADMIN)[SYSTEM] == ["account", "admin"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PRESENTER])
def test_a_leader_sees_no_tools_of_officers_and_no_headings(role: Role) -> None:
    found = shown(replace(VIEWER, role=role))
    assert found.keys() == {""}
    assert not {"inbox", "freshness", "grids", "history", "packages", "admin"} & set(found[""])


def test_every_page_keeps_its_address() -> None:
    for user in (VIEWER, ADMIN):
        assert {one.name for part in menu(user, pages()).values() for one in part} == {
            one.name for one in pages()
        }
    assert ANALYSIS in shown(ADMIN)
