"""Proposed changes between officers, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from shapely import LineString, Point, box

from gridmap.domain.elements import Element
from gridmap.domain.roles import Role, User
from gridmap.errors import EditConflict, InvalidInput, NotFound, PermissionDenied
from gridmap.services import elements, grids, proposals
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.services.merging import MergeConflict
from gridmap.services.proposals import ProposalClosed, State
from gridmap.storage import accounts
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER, open_store

SOUTH, NORTH = "310199101001001", "310199101001002"
SOUTH_OFFICER = User("officer3", "示例民警03", Role.OFFICER, area=frozenset({SOUTH}))
NORTH_OFFICER = User("officer4", "示例民警04", Role.OFFICER, area=frozenset({NORTH}))
HIGHER = box(121.4, 30.9, 121.5, 30.96)


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    yield made
    made.close()


def one(district: District, code: str, layer: str = "police_grid") -> Element:
    [found] = elements.find(district, ADMIN, Query(layer, equals={"code": code})).elements
    return found


def border(district: District, user: User = SOUTH_OFFICER) -> proposals.Proposal:
    grid = one(district, SOUTH)
    receipt = grids.move_border(
        district, user, "police_grid", grid.id, HIGHER, base_revision=grid.revision, reason="沿河"
    )
    assert receipt.proposal is not None
    return receipt.proposal


def move_station(
    district: District, user: User = OFFICER_WEST, code: str = "JWZ01", lon: float = 121.53, **changes
):
    station = one(district, code, "workstation")
    return proposals.propose_change(
        district, user, "workstation", station.id, base_revision=station.revision, changes=changes,
        geometry=Point(lon, 30.92),
    )  # fmt: skip


def test_a_proposal_is_in_the_inbox_of_the_other_side_and_of_grid_keepers_alone(district: District) -> None:
    made = border(district)
    for user in (NORTH_OFFICER, OFFICER_WEST, KEEPER, ADMIN):
        assert [each.id for each in proposals.inbox(district, user)] == [made.id]
    for user in (SOUTH_OFFICER, OFFICER_EAST, VIEWER):
        assert proposals.inbox(district, user) == []
    [sent] = proposals.sent(district, SOUTH_OFFICER)
    assert (sent.state, sent.reason) == (State.OPEN, "沿河")
    assert SOUTH in sent.title
    assert NORTH in sent.title


@pytest.mark.parametrize("decider", [NORTH_OFFICER, KEEPER])
def test_accepting_moves_the_border_for_both(district: District, decider: User) -> None:
    made = border(district)
    done = proposals.accept(district, decider, made.id, answer="同意")

    assert one(district, SOUTH).geometry.equals(HIGHER)
    assert one(district, NORTH).geometry.equals(box(121.4, 30.96, 121.5, 31.0))
    assert (done.proposal.state, done.proposal.decided_by, done.proposal.answer) == (
        State.ACCEPTED,
        decider.username,
        "同意",
    )
    assert done.proposal.sequence == done.sequence == district.database.sequence()
    assert proposals.inbox(district, KEEPER) == []
    newest = elements.history(district, ADMIN, "police_grid", one(district, NORTH).id)[0]
    assert (newest.actor, "officer3" in newest.reason) == (decider.username, True)


def test_declining_changes_nothing_and_says_why(district: District) -> None:
    made, before = border(district), district.database.sequence()
    proposals.decline(district, NORTH_OFFICER, made.id, answer="河道以北归我")
    [sent] = proposals.sent(district, SOUTH_OFFICER)
    assert (sent.state, sent.answer, sent.decided_by) == (State.DECLINED, "河道以北归我", "officer4")
    assert district.database.sequence() == before


def test_a_proposal_is_decided_once(district: District) -> None:
    made = border(district)
    proposals.accept(district, NORTH_OFFICER, made.id)
    before = district.database.sequence()
    with pytest.raises(ProposalClosed):
        proposals.accept(district, KEEPER, made.id)
    with pytest.raises(ProposalClosed):
        proposals.decline(district, KEEPER, made.id)
    assert district.database.sequence() == before


def test_only_the_other_side_decides(district: District) -> None:
    made = border(district)
    with pytest.raises(PermissionDenied):
        proposals.accept(district, SOUTH_OFFICER, made.id)
    for user in (OFFICER_EAST, VIEWER):
        with pytest.raises(NotFound):
            proposals.accept(district, user, made.id)
    with pytest.raises(PermissionDenied):
        proposals.withdraw(district, KEEPER, made.id)
    proposals.withdraw(district, SOUTH_OFFICER, made.id)
    with pytest.raises(ProposalClosed):
        proposals.accept(district, NORTH_OFFICER, made.id)


def test_a_proposal_overtaken_by_another_edit_stays_open_and_stores_nothing(district: District) -> None:
    made = border(district)
    grid = one(district, SOUTH)
    grids.split(
        district, KEEPER, "police_grid", grid.id, LineString([(121.43, 30.8), (121.43, 31.1)]),
        base_revision=grid.revision,
    )  # fmt: skip
    with pytest.raises(NotFound):
        proposals.accept(district, NORTH_OFFICER, made.id)
    assert proposals.get(district, NORTH_OFFICER, made.id).state is State.OPEN


def test_a_proposal_stands_on_todays_neighbours(district: District) -> None:
    made = border(district)
    grid = one(district, NORTH)
    grids.split(
        district,
        KEEPER,
        "police_grid",
        grid.id,
        LineString([(121.43, 30.94), (121.43, 31.1)]),
        base_revision=1,
    )
    # whoever answered for the old grid answers for its parts
    assert not proposals.may_decide(district, OFFICER_EAST, made)
    proposals.accept(district, NORTH_OFFICER, made.id)
    assert one(district, SOUTH).geometry.equals(HIGHER)
    assert one(district, "310199101001003").geometry.equals(box(121.4, 30.96, 121.43, 31.0))


def test_a_preview_shows_both_grids_and_stores_nothing(district: District) -> None:
    made, before = border(district), district.database.sequence()
    old, new = proposals.preview(district, NORTH_OFFICER, made.id)
    assert {each.code for each in old} == {each.code for each in new} >= {SOUTH, NORTH}
    assert next(each for each in new if each.code == SOUTH).geometry.equals(HIGHER)
    assert proposals.preview(district, SOUTH_OFFICER, made.id)[1]
    assert district.database.sequence() == before


def test_a_split_or_merge_across_areas_is_proposed_and_carried_out_too(district: District) -> None:
    pair = [one(district, code) for code in (SOUTH, NORTH)]
    receipt = grids.merge(
        district, SOUTH_OFFICER, "police_grid", [each.id for each in pair],
        base_revisions={each.id: 1 for each in pair}, name="合格",
    )  # fmt: skip
    proposals.accept(district, NORTH_OFFICER, receipt.proposal.id)
    whole = one(district, "310199101001003")
    assert (whole.name, whole.geometry.equals(box(121.4, 30.9, 121.5, 31.0))) == ("合格", True)
    # both now answer for the merged grid
    elements.change(
        district, SOUTH_OFFICER, "police_grid", whole.id, base_revision=1, changes={"name": "西格"}
    )
    elements.change(
        district, NORTH_OFFICER, "police_grid", whole.id, base_revision=2, changes={"name": "大格"}
    )


def test_an_account_that_was_closed_lends_no_rights_to_its_proposal(
    district: District, clock: FakeClock
) -> None:
    made = border(district)
    with district.database.write() as connection:
        row = accounts.AccountRow(
            "officer3",
            "示例民警03",
            Role.OFFICER,
            frozenset({"*"}),
            frozenset({SOUTH}),
            None,
            False,
            False,
            False,
            clock(),
        )
        accounts.add(connection, row)
    with pytest.raises(PermissionDenied):
        proposals.accept(district, NORTH_OFFICER, made.id)
    proposals.accept(district, KEEPER, made.id)


# --- single elements --------------------------------------------------------------------------------------


def test_a_point_moved_across_waits_for_the_officer_over_there(district: District) -> None:
    made = move_station(district, officer_count=5)
    assert [each.id for each in proposals.inbox(district, OFFICER_EAST)] == [made.id]
    done = proposals.accept(district, OFFICER_EAST, made.id)

    station = one(district, "JWZ01", "workstation")
    assert (station.geometry.x, station.properties["officer_count"]) == (121.53, 5)
    assert done.sequence == station.sequence
    assert elements.grids_of(district, station)["town"] == "310199102"


def test_a_station_over_there_may_be_asked_for(district: District) -> None:
    made = move_station(district, OFFICER_WEST, "JWZ03", lon=121.47)
    assert made.their_ids == [one(district, "JWZ03", "workstation").id]
    proposals.accept(district, OFFICER_EAST, made.id)
    assert one(district, "JWZ03", "workstation").geometry.x == 121.47


def test_what_may_be_stored_or_may_not_be_seen_is_not_proposed(district: District) -> None:
    with pytest.raises(InvalidInput):
        move_station(district, lon=121.43)
    with pytest.raises(PermissionDenied):
        move_station(district, OFFICER_WEST, "JWZ03", lon=121.55)
    with pytest.raises(PermissionDenied):
        move_station(district, VIEWER)
    with pytest.raises(InvalidElement):
        move_station(district, officer_count=-1)
    station = one(district, "JWZ01", "workstation")
    with pytest.raises(EditConflict):
        proposals.propose_change(
            district, OFFICER_WEST, "workstation", station.id, base_revision=7, geometry=Point(121.53, 30.92)
        )


def test_other_edits_meanwhile_are_merged_and_contradicting_ones_stop_the_proposal(
    district: District,
) -> None:
    made = move_station(district, officer_count=5)
    station = one(district, "JWZ01", "workstation")
    elements.change(district, KEEPER, "workstation", station.id, base_revision=1, changes={"name": "改名"})
    again = move_station(district, code="JWZ02", officer_count=8)
    other = one(district, "JWZ02", "workstation")
    elements.change(district, KEEPER, "workstation", other.id, base_revision=1, changes={"officer_count": 1})

    proposals.accept(district, OFFICER_EAST, made.id)
    stored = one(district, "JWZ01", "workstation")
    assert (stored.name, stored.geometry.x, stored.properties["officer_count"]) == ("改名", 121.53, 5)
    with pytest.raises(MergeConflict):
        proposals.accept(district, OFFICER_EAST, again.id)
    assert proposals.get(district, OFFICER_EAST, again.id).state is State.OPEN
    assert shapely.equals(one(district, "JWZ02", "workstation").geometry, other.geometry)
