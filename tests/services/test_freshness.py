"""What is overdue and whose it is, reminders, spot checks and 上图率, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shapely import Point

from gridmap.domain.elements import Element, Operation
from gridmap.domain.freshness import due_at
from gridmap.domain.roles import Role
from gridmap.errors import InvalidInput, PermissionDenied
from gridmap.services import elements, freshness
from gridmap.services.district import District
from gridmap.services.freshness import NOBODY, RegisteredItem
from gridmap.storage import accounts
from gridmap.storage import elements as stored
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import (
    ADMIN,
    KEEPER,
    OFFICER_EAST,
    OFFICER_WEST,
    VIEWER,
    element,
    open_store,
    put,
)

SOUTH, NORTH = "310199101001001", "310199101001002"
EAST_SOUTH, EAST_NORTH = "310199102001001", "310199102001002"


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    """Six workstations (a 30-day rule), all verified on 2 March, and an officer's account for each town."""
    made = open_store(seeded_url, tmp_path, clock)
    for one in stations(made).values():
        elements.verify(made, ADMIN, "workstation", one.id, base_revision=1)
    with made.database.write() as connection:
        for number, area in ((1, "310199101"), (2, "310199102")):
            accounts.add(
                connection,
                accounts.AccountRow(
                    f"officer{number}", f"示例民警0{number}", Role.OFFICER, frozenset({"*"}), frozenset({area}), None,
                    False, True, True, clock(),
                ),
            )  # fmt: skip
    yield made
    made.close()


def stations(district: District) -> dict[str, Element]:
    return {one.code: one for one in elements.find(district, ADMIN, Query("workstation")).elements}


def board(district: District, user=KEEPER, **options) -> freshness.Board:
    return freshness.board(district, user, layers=["workstation"], **options)


def verify(district: District, code: str, user=KEEPER) -> None:
    one = stations(district)[code]
    elements.verify(district, user, "workstation", one.id, base_revision=one.revision)


def test_day_thirty_of_a_thirty_day_rule_is_not_overdue_and_day_thirty_one_is(
    district: District, clock: FakeClock
) -> None:
    start = clock()
    clock.set(start)
    assert (board(district).total.overdue, board(district).total.soon) == (0, 0)
    clock.advance(days=30)
    assert (board(district).total.overdue, board(district).total.soon) == (0, 6)
    clock.advance(days=1)
    late = board(district)
    assert (late.total.overdue, late.total.soon, late.total.total) == (6, 0, 6)
    assert {one.days_over for one in late.overdue} == {1}


def test_the_board_counts_by_grid_and_by_officer(district: District, clock: FakeClock) -> None:
    clock.advance(days=40)
    verify(district, "JWZ03")
    verify(district, "JWZ02")
    found = board(district)

    assert {one.key: (one.total, one.overdue) for one in found.by_grid} == {
        SOUTH: (2, 2), NORTH: (1, 0), EAST_SOUTH: (2, 1), EAST_NORTH: (1, 1),
    }  # fmt: skip
    assert {one.title: (one.total, one.overdue, one.worst_days) for one in found.by_officer} == {
        "示例民警01": (3, 2, 10), "示例民警02": (3, 2, 10),
    }  # fmt: skip
    assert found.by_grid[0].title == "西镇一格"
    assert found.by_layer[0].fresh_share == pytest.approx(2 / 6)
    assert [one.code for one in found.overdue] == ["JWZ01", "JWZ04", "JWZ05", "JWZ06"]
    assert (found.overdue[0].grid_code, found.overdue[0].place) == (SOUTH, (121.42, 30.92))


def test_what_falls_due_soon_is_listed_soonest_first(district: District, clock: FakeClock) -> None:
    clock.advance(days=5)
    verify(district, "JWZ04")
    clock.advance(days=19)
    assert board(district, soon_days=5).total.soon == 0
    clock.advance(days=1)
    assert board(district, soon_days=5).total.soon == 5
    listed = board(district, soon_days=10).soon
    assert [one.days_over for one in listed] == [-5, -5, -5, -5, -5, -10]
    assert listed[-1].code == "JWZ04"


def test_an_element_that_nobody_ever_verified_counts_apart(district: District, clock: FakeClock) -> None:
    put(
        district,
        element("workstation", "JWZ09", "新站", Point(121.41, 30.91), opening_hours="24h", officer_count=1),
    )
    found = board(district)
    assert (found.total.never, found.total.overdue, found.total.total) == (1, 0, 7)
    assert (found.overdue[0].code, found.overdue[0].days_over) == ("JWZ09", None)


def test_the_officer_named_on_the_grid_goes_before_accounts(district: District) -> None:
    grid = elements.find(district, ADMIN, Query("police_grid", equals={"code": SOUTH})).elements[0]
    elements.change(
        district, KEEPER, "police_grid", grid.id, base_revision=1, changes={"community_officer": "示例民警77"}
    )
    found = freshness.officers_of(district, KEEPER)
    assert found == {
        SOUTH: "示例民警77",
        NORTH: "示例民警01",
        EAST_SOUTH: "示例民警02",
        EAST_NORTH: "示例民警02",
    }
    assert set(freshness.officers_of(district, KEEPER, "district").values()) == {NOBODY}


def test_an_officer_may_ask_for_the_own_area_alone(district: District, clock: FakeClock) -> None:
    clock.advance(days=31)
    assert board(district, OFFICER_EAST, own_area=True).total.total == 3
    assert board(district, OFFICER_EAST).total.total == 6


def test_layers_that_a_user_may_not_see_are_left_out(district: District, clock: FakeClock) -> None:
    seen = {one.id for one in freshness.watched_layers(district, VIEWER)}
    assert "workstation" in seen
    assert "risk" not in seen
    with pytest.raises(PermissionDenied):
        freshness.board(district, VIEWER, layers=["risk"])
    with pytest.raises(InvalidInput):
        freshness.board(district, KEEPER, grid_layer="workstation")


# --- reminders --------------------------------------------------------------------------------------------


def test_the_monthly_prompt_tells_each_officer_what_to_do(district: District, clock: FakeClock) -> None:
    # verified on 2 March, so due on 1 April
    clock.set(datetime(2026, 4, 1, 1, tzinfo=UTC))
    verify(district, "JWZ02")
    by_officer = {one.officer: one for one in freshness.monthly_prompts(district, KEEPER)}
    west, east = by_officer["示例民警01"], by_officer["示例民警02"]
    assert [(one.due, one.overdue) for one in (west, east)] == [(2, 0), (3, 0)]
    assert "2 个须在 4 月 30 日前核实" in west.text
    clock.advance(days=1)
    by_officer = {one.officer: one for one in freshness.monthly_prompts(district, KEEPER)}
    assert "3 个已逾期" in by_officer["示例民警02"].text


def test_a_spot_check_is_drawn_at_random_and_the_same_again(district: District) -> None:
    def draw(**options) -> list[str]:
        options = {"year": 2026, "quarter": 1, "size": 3, "layers": ["workstation"]} | options
        return [one.code for one in freshness.spot_check(district, KEEPER, **options).items]

    first = draw()
    assert draw() == first
    assert len(first) == 3
    assert len({tuple(draw(seed=str(number))) for number in range(12)}) > 3
    assert sorted(draw(size=99)) == sorted(stations(district))
    # one more station changes the list only where it is drawn itself
    put(
        district,
        element("workstation", "JWZ09", "新站", Point(121.41, 30.91), opening_hours="24h", officer_count=1),
    )
    assert set(draw()) - set(first) <= {"JWZ09"}
    with pytest.raises(InvalidInput):
        draw(quarter=5)


def test_a_spot_check_may_take_some_of_every_grid(district: District) -> None:
    found = freshness.spot_check(district, KEEPER, year=2026, quarter=2, per_grid=1, layers=["workstation"])
    assert [one.grid_code for one in found.items] == [SOUTH, NORTH, EAST_SOUTH, EAST_NORTH]
    assert found.population == 6


def test_the_yearly_summary_counts_by_person_layer_and_grid(district: District, clock: FakeClock) -> None:
    clock.set(datetime(2026, 12, 31, 15, 59, tzinfo=UTC))  # the last minute of the year in China
    verify(district, "JWZ01", OFFICER_WEST)
    clock.advance(minutes=1)  # and the first of the next
    verify(district, "JWZ01", OFFICER_WEST)
    found = freshness.yearly(district, KEEPER, 2026)

    by_actor = {one.title: one for one in found.by_actor}
    assert (by_actor["示例民警01"].verified, by_actor["示例民警01"].elements_verified) == (1, 1)
    assert by_actor["admin"].verified == 6
    by_layer = {one.key: one for one in found.by_layer}
    assert (by_layer["workstation"].verified, by_layer["workstation"].elements_verified) == (7, 6)
    assert sum(one.verified for one in found.by_grid) == found.total.verified == 7
    assert freshness.yearly(district, KEEPER, 2027).total.verified == 1
    with pytest.raises(PermissionDenied):
        freshness.yearly(district, VIEWER, 2026)


# --- 上图率 -----------------------------------------------------------------------------------------------


def test_the_mapped_share_is_mapped_by_registered(district: District) -> None:
    freshness.register_counts(
        district, KEEPER, "workstation", "police_grid", {SOUTH: 4, NORTH: 1, EAST_SOUTH: 0}
    )
    found = freshness.mapped_share(district, VIEWER, "workstation")
    assert {one.grid_code: (one.registered, one.mapped, one.missing, one.share) for one in found.rows} == {
        SOUTH: (4, 2, 2, 0.5), NORTH: (1, 1, 0, 1.0), EAST_SOUTH: (0, 2, 0, None),
    }  # fmt: skip
    assert (found.total.registered, found.total.mapped, found.total.missing) == (5, 5, 2)
    # a new count replaces all earlier ones
    freshness.register_counts(district, KEEPER, "workstation", "police_grid", {NORTH: 2})
    assert [one.grid_code for one in freshness.mapped_share(district, KEEPER, "workstation").rows] == [NORTH]


def test_a_register_names_what_is_missing(district: District) -> None:
    items = [
        RegisteredItem("JWZ01", "西镇第一警务站", SOUTH), RegisteredItem("JWZ06", "西镇第三警务站", SOUTH),
        RegisteredItem("JWZ77", "筹建站", SOUTH), RegisteredItem("JWZ78", "无网格的站"),
    ]  # fmt: skip
    freshness.register_items(district, KEEPER, "workstation", items)
    found = freshness.mapped_share(district, KEEPER, "workstation")

    assert [one.code for one in found.missing] == ["JWZ77", "JWZ78"]
    assert found.unregistered == ("JWZ02", "JWZ03", "JWZ04", "JWZ05")
    assert {one.grid_code: (one.registered, one.mapped) for one in found.rows} == {"": (1, 0), SOUTH: (3, 2)}
    assert found.total.share == 0.5
    # taken off the map, it is missing again
    one = stations(district)["JWZ01"]
    elements.delete(district, KEEPER, "workstation", one.id, base_revision=one.revision)
    assert "JWZ01" in [each.code for each in freshness.mapped_share(district, KEEPER, "workstation").missing]


def test_a_register_is_kept_by_those_who_keep_the_district(district: District) -> None:
    for user in (OFFICER_WEST, VIEWER):
        with pytest.raises(PermissionDenied):
            freshness.register_counts(district, user, "workstation", "police_grid", {SOUTH: 1})
    for counts in ({"999": 1}, {SOUTH: -1}, {SOUTH: True}):
        with pytest.raises(InvalidInput):
            freshness.register_counts(district, KEEPER, "workstation", "police_grid", counts)
    for items in (
        [RegisteredItem("", "无编码")],
        [RegisteredItem("A", "一"), RegisteredItem("A", "二")],
        [RegisteredItem("A", "长" * 121)],
    ):
        with pytest.raises(InvalidInput):
            freshness.register_items(district, KEEPER, "workstation", items)


def test_due_dates_follow_the_rule_of_the_element(district: District, clock: FakeClock) -> None:
    risk = elements.find(district, ADMIN, Query("risk")).elements[0]
    with district.database.commit(actor="x", at=clock()) as commit:
        stored.save(commit, [replace(risk, verified_at=clock(), due_at=due_at(clock(), 7))], Operation.UPDATE)
    clock.advance(days=8)
    assert freshness.board(district, KEEPER, layers=["risk"]).total.overdue == 1
