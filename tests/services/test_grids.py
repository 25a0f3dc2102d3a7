"""Editing grids together: ground, codes, lineage, rights and memberships, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely import LineString, Polygon, box

from gridmap.domain.codes import Order, parse_scheme
from gridmap.domain.elements import Element, Operation, Source
from gridmap.domain.grids import GridEditError, GridSwallowed, GroundLeftOver
from gridmap.domain.roles import Role, User
from gridmap.errors import (
    EditConflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RevisionRequired,
    StateConflict,
)
from gridmap.services import elements, grids
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.services.grids import NoPartition
from gridmap.services.partition import ChildOutsideError, HoleLeftError
from gridmap.services.reverting import CannotUndo
from gridmap.storage import elements as stored
from gridmap.storage import history
from gridmap.storage import membership as members
from gridmap.storage.elements import Query
from gridmap.storage.lineage import Descent
from tests.support.clock import FakeClock
from tests.support.district import (
    ADMIN,
    ANALYST,
    KEEPER,
    OFFICER_EAST,
    OFFICER_WEST,
    element,
    open_store,
    put,
    remove,
)
from tests.support.partition import difference_m2, overlap_m2, strays

SOUTH, NORTH = "310199101001001", "310199101001002"
EAST_SOUTH = "310199102001001"
DISTRICT = box(121.4, 30.9, 121.6, 31.0)
# grid SOUTH is box(121.4, 30.9, 121.5, 30.95), NORTH lies on top of it, EAST_SOUTH beside it
HIGHER = box(121.4, 30.9, 121.5, 30.96)
SOUTH_OFFICER = User("officer3", "示例民警03", Role.OFFICER, area=frozenset({SOUTH}))


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    yield made
    made.close()


def living(district: District, layer: str = "police_grid") -> dict[str, Element]:
    return {one.code: one for one in elements.find(district, ADMIN, Query(layer), limit=1000).elements}


def grid(district: District, code: str) -> Element:
    return living(district)[code]


def move(district: District, user: User = KEEPER, code: str = SOUTH, outline=HIGHER, **options):
    found = grid(district, code)
    options.setdefault("base_revision", found.revision)
    return grids.move_border(district, user, "police_grid", found.id, outline, **options)


def split(district: District, user: User = KEEPER, code: str = SOUTH, x: float = 121.43, **options):
    found, line = grid(district, code), LineString([(x, 30.89), (x, 31.01)])
    return grids.split(district, user, "police_grid", found.id, line, base_revision=found.revision, **options)


def merge(district: District, user: User = KEEPER, codes=(SOUTH, NORTH), **options):
    found = [grid(district, code) for code in codes]
    revisions = {one.id: one.revision for one in found}
    if options.get("into"):
        options["into"] = grid(district, options["into"]).id
    return grids.merge(district, user, "police_grid", list(revisions), base_revisions=revisions, **options)


def places(district: District) -> dict[str, dict[str, str]]:
    """Where every element is noted to be, by code or name."""
    with district.database.read() as connection:
        found = {}
        for layer in ("workstation", "risk", "care_point", "police_grid"):
            for one in elements.find(district, ADMIN, Query(layer), limit=1000).elements:
                found[one.code] = members.of_element(connection, one.id)
    return found


def assert_partition(district: District) -> None:
    areas = [one.geometry for one in living(district).values()]
    assert overlap_m2(areas) <= 1.0
    assert difference_m2(areas, DISTRICT) <= 1.0
    assert strays(areas) == []
    with district.database.read() as connection:
        assert sum(members.counts(connection, "workstation", "police_grid").values()) == 6


# --- moving borders ---------------------------------------------------------------------------------------


def test_a_moved_border_changes_both_neighbours_in_one_commit(district: District, clock: FakeClock) -> None:
    receipt = move(district)

    assert {one.code for one in receipt.changed} >= {SOUTH, NORTH}
    assert grid(district, SOUTH).geometry.equals(HIGHER)
    assert grid(district, NORTH).geometry.equals(box(121.4, 30.96, 121.5, 31.0))
    assert {one.sequence for one in receipt.changed} == {receipt.sequence}
    assert_partition(district)


def test_a_point_that_the_border_passes_is_in_the_new_grid_at_once(district: District) -> None:
    assert places(district)["JWZ02"]["police_grid"] == NORTH
    move(district, outline=box(121.4, 30.9, 121.5, 30.98))
    assert places(district)["JWZ02"]["police_grid"] == SOUTH
    assert_partition(district)


def test_the_third_grid_at_the_junction_gets_a_vertex_and_keeps_its_ground(district: District) -> None:
    before = grid(district, EAST_SOUTH.replace("001001", "001002"))
    move(district)
    after = grid(district, before.code)
    assert after.revision == before.revision + 1
    assert after.geometry.equals(before.geometry)
    assert [121.5, 30.96] in shapely.get_coordinates(after.geometry).tolist()


def test_an_outline_beyond_the_parent_is_cut_off_there_and_says_so(district: District) -> None:
    receipt = move(district, outline=box(121.4, 30.9, 121.52, 30.96))
    assert grid(district, SOUTH).geometry.equals(HIGHER)
    assert any("超出上级范围" in one for one in receipt.warnings)
    assert_partition(district)


def test_ground_at_the_outer_border_cannot_be_given_up(district: District) -> None:
    with pytest.raises(GroundLeftOver):
        move(
            district,
            outline=Polygon([(121.41, 30.9), (121.5, 30.9), (121.5, 30.95), (121.4, 30.95), (121.41, 30.93)]),
        )
    assert grid(district, SOUTH).revision == 1


def test_a_border_cannot_be_drawn_over_a_whole_grid(district: District) -> None:
    with pytest.raises(GridSwallowed):
        move(district, outline=box(121.4, 30.9, 121.5, 31.0))


def test_a_border_drawn_where_it_is_stores_nothing(district: District) -> None:
    before = district.database.sequence()
    receipt = move(district, outline=box(121.4, 30.9, 121.5, 30.95))
    assert (receipt.sequence, district.database.sequence()) == (None, before)


def test_a_trial_run_shows_the_result_and_stores_nothing(district: District) -> None:
    before = district.database.sequence()
    receipt = move(district, dry_run=True)
    assert {one.code for one in receipt.changed} >= {SOUTH, NORTH}
    assert district.database.sequence() == before


def test_a_border_edit_needs_the_revision_that_its_ground_had(district: District) -> None:
    with pytest.raises(RevisionRequired):
        move(district, base_revision=None)
    move(district)
    with pytest.raises(EditConflict) as caught:
        move(district, base_revision=1, outline=box(121.4, 30.9, 121.5, 30.94))
    assert caught.value.theirs.code == SOUTH


def test_a_change_of_other_fields_meanwhile_does_not_stop_a_border_edit(district: District) -> None:
    found = grid(district, SOUTH)
    elements.change(
        district, KEEPER, "police_grid", found.id, base_revision=1, changes={"household_count": 120}
    )
    move(district, base_revision=1)
    assert grid(district, SOUTH).properties["household_count"] == 120
    assert grid(district, SOUTH).geometry.equals(HIGHER)


def test_the_common_border_takes_the_drawn_line(district: District) -> None:
    pair = [grid(district, code) for code in (SOUTH, NORTH)]
    line = LineString([(121.4, 30.94), (121.45, 30.96), (121.5, 30.94)])
    grids.move_line(
        district, KEEPER, "police_grid", pair[0].id, pair[1].id, line,
        base_revisions={one.id: one.revision for one in pair},
    )  # fmt: skip
    # half the width is above the old border by 2/3 on average: 0.1 × 0.05, plus and minus nothing at the mean
    assert grid(district, SOUTH).geometry.area == pytest.approx(0.1 * 0.05, rel=1e-6)
    assert [121.45, 30.96] in shapely.get_coordinates(grid(district, NORTH).geometry).tolist()
    assert_partition(district)


def test_grids_of_two_towns_have_no_common_border_to_move(district: District) -> None:
    pair = [grid(district, code) for code in (SOUTH, EAST_SOUTH)]
    with pytest.raises(InvalidInput):
        grids.move_line(
            district, KEEPER, "police_grid", pair[0].id, pair[1].id, LineString([(121.49, 30.8), (121.49, 31.1)]),
            base_revisions={one.id: one.revision for one in pair},
        )  # fmt: skip


def test_a_layer_whose_areas_may_overlap_has_no_grid_edits(district: District) -> None:
    [estate] = put(
        district,
        element(
            "residential_area",
            "JZ01",
            "示范小区",
            box(121.41, 30.91, 121.42, 30.92),
            kind="小区",
            population=9,
        ),
    )
    with pytest.raises(NoPartition):
        grids.move_border(district, KEEPER, "residential_area", estate.id, HIGHER, base_revision=1)


def test_edits_of_neighbours_at_the_same_moment_leave_a_partition(district: District) -> None:
    problems: list[Exception] = []

    def edit(code: str, outline: Polygon) -> None:
        try:
            move(district, code=code, outline=outline)
        except (EditConflict, GroundLeftOver) as error:
            problems.append(error)

    threads = [
        threading.Thread(target=edit, args=one)
        for one in (
            (SOUTH, HIGHER), (NORTH, box(121.4, 30.94, 121.5, 31.0)),
            (EAST_SOUTH, box(121.5, 30.9, 121.6, 30.96)), (SOUTH, box(121.4, 30.9, 121.5, 30.97)),
        )
    ]  # fmt: skip
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(problems) < 3
    assert_partition(district)


# --- splitting and merging --------------------------------------------------------------------------------


def test_a_split_ends_the_old_code_and_numbers_the_parts_from_the_west(district: District) -> None:
    receipt = split(district)

    west, east = receipt.created
    assert (west.code, east.code) == ("310199101001003", "310199101001004")
    assert west.geometry.equals(box(121.4, 30.9, 121.43, 30.95))
    assert (west.name, east.name) == ("西镇一格-1", "西镇一格-2")
    assert SOUTH not in living(district)
    assert_partition(district)
    [old] = receipt.retired
    assert (old.is_retired, old.code) == (True, SOUTH)


def test_counts_are_shared_out_and_add_up(district: District) -> None:
    found = grid(district, SOUTH)
    elements.change(
        district, KEEPER, "police_grid", found.id, base_revision=1,
        changes={"household_count": 101, "auxiliary_count": 3, "beat_code": "31019910100101"},
    )  # fmt: skip
    receipt = split(district)
    assert [one.properties["household_count"] for one in receipt.created] == [30, 71]
    assert sum(one.properties["auxiliary_count"] for one in receipt.created) == 3
    assert {one.properties["beat_code"] for one in receipt.created} == {"31019910100101"}
    assert "户数" in receipt.warnings[0]

    whole = merge(district, codes=[one.code for one in receipt.created]).created[0]
    assert whole.properties == {"household_count": 101, "auxiliary_count": 3, "beat_code": "31019910100101"}


def test_elements_go_to_the_parts_and_come_back_by_merging(district: District) -> None:
    split(district, x=121.43)
    assert {places(district)[code]["police_grid"] for code in ("JWZ01",)} == {"310199101001003"}
    assert places(district)["JWZ06"]["police_grid"] == "310199101001004"
    merge(district, codes=["310199101001003", "310199101001004"])
    assert (
        places(district)["JWZ06"]["police_grid"]
        == places(district)["JWZ01"]["police_grid"]
        == "310199101001005"
    )


def test_no_code_is_ever_used_again(district: District) -> None:
    split(district)
    merge(district, codes=["310199101001003", "310199101001004"])
    fresh = split(district, code="310199101001005", x=121.46).created
    assert [one.code for one in fresh] == ["310199101001006", "310199101001007"]
    with pytest.raises(StateConflict):
        split(district, code=NORTH, x=121.46, codes=[SOUTH, "310199101001099"])


def test_lineage_tells_what_became_of_a_code(district: District) -> None:
    split(district)
    merge(district, codes=["310199101001004", NORTH])
    story = grids.lineage(district, KEEPER, "police_grid", SOUTH)
    assert {(one.kind, one.from_code[-1], one.to_code[-1]) for one in story} == {
        (Descent.SPLIT, "1", "3"), (Descent.SPLIT, "1", "4"), (Descent.MERGE, "4", "5"), (Descent.MERGE, "2", "5"),
    }  # fmt: skip
    assert [one.sequence for one in story] == sorted(one.sequence for one in story)


def test_a_merge_into_one_of_the_grids_keeps_its_code_and_history(district: District) -> None:
    before = grid(district, NORTH)
    receipt = merge(district, into=NORTH)
    assert receipt.created == ()
    assert [one.code for one in receipt.retired] == [SOUTH]
    after = grid(district, NORTH)
    assert (after.id, after.revision) == (before.id, 2)
    assert after.geometry.equals(box(121.4, 30.9, 121.5, 31.0))
    assert_partition(district)


def test_a_merged_grid_is_only_as_well_verified_as_its_oldest_part(
    district: District, clock: FakeClock
) -> None:
    elements.verify(district, KEEPER, "police_grid", grid(district, SOUTH).id, base_revision=1)
    clock.advance(days=9)
    elements.verify(district, KEEPER, "police_grid", grid(district, NORTH).id, base_revision=1)
    [whole] = merge(district).created
    assert (clock() - whole.verified_at).days == 9


def test_a_part_of_a_simulated_grid_is_simulated(district: District) -> None:
    found = grid(district, SOUTH)
    with district.database.commit(actor="x", at=district.clock()) as commit:
        stored.save(commit, [replace(found, source=Source.SIMULATED)], Operation.UPDATE)
    assert {one.source for one in split(district).created} == {Source.SIMULATED}
    assert merge(district, codes=["310199101001003", NORTH]).created[0].source is Source.SIMULATED


def test_grids_of_two_towns_or_without_a_common_border_are_not_merged(district: District) -> None:
    with pytest.raises(InvalidInput):
        merge(district, codes=[SOUTH, EAST_SOUTH])
    split(district, code=NORTH, x=121.43)
    split(district, code="310199101001004", x=121.46)
    with pytest.raises(GridEditError):
        merge(district, codes=["310199101001003", "310199101001006"])


@pytest.mark.parametrize("codes", [(), (SOUTH,)])
def test_merging_takes_two_grids(district: District, codes: tuple[str, ...]) -> None:
    with pytest.raises(GridEditError, match="at least two"):
        merge(district, codes=codes)


def test_a_line_that_divides_nothing_is_refused(district: District) -> None:
    found = grid(district, SOUTH)
    with pytest.raises(GridEditError):
        grids.split(
            district,
            KEEPER,
            "police_grid",
            found.id,
            LineString([(121.42, 30.92), (121.44, 30.93)]),
            base_revision=1,
        )


def test_names_of_parts_obey_the_rules(district: District) -> None:
    with pytest.raises(InvalidElement):
        split(district, names=["好名字", "长" * 121])
    with pytest.raises(InvalidInput):
        split(district, names=["只有一个"])
    assert [one.name for one in split(district, names=[" 甲格 ", "乙格"]).created] == ["甲格", "乙格"]


# --- numbering --------------------------------------------------------------------------------------------


def test_renumbering_follows_the_scheme_and_leaves_used_codes_alone(district: District) -> None:
    split(district, x=121.43)  # 3 in the west, 4 east of it; 2 lies north of both, its middle between theirs
    receipt = grids.renumber(district, KEEPER, "police_grid", "310199101001")
    order = sorted(
        (one for one in living(district).values() if one.code.startswith("310199101001")),
        key=lambda one: round(shapely.centroid(one.geometry).x, 6),
    )
    assert [one.code for one in order] == sorted(one.code for one in order)
    assert {one.code for one in receipt.changed}.isdisjoint(
        {SOUTH, NORTH, "310199101001003", "310199101001004"}
    )
    assert grids.renumber(district, KEEPER, "police_grid", "310199101001").sequence is None
    story = grids.lineage(district, KEEPER, "police_grid", NORTH)
    assert Descent.RENUMBER in {one.kind for one in story}
    # members carry the new code
    assert places(district)["JWZ02"]["police_grid"] in living(district)


def test_the_district_chooses_its_own_scheme(district: District) -> None:
    scheme = parse_scheme("6+3+3+3", Order.NORTH_TO_SOUTH, 100)
    with pytest.raises(PermissionDenied):
        grids.choose_scheme(district, KEEPER, "police_grid", scheme)
    grids.choose_scheme(district, ADMIN, "police_grid", scheme)
    assert grids.scheme_of(district, "police_grid") == scheme
    # by rows from the north: 2 comes before 1, so 1 gets a new number
    receipt = grids.renumber(district, KEEPER, "police_grid", "310199101001")
    assert [(one.code) for one in receipt.changed] == ["310199101001003"]
    with pytest.raises(NotFound):
        grids.renumber(district, KEEPER, "police_grid", "999")


# --- undo -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        move,
        split,
        merge,
        lambda d: merge(d, into=NORTH),
        lambda d: grids.renumber(d, KEEPER, "police_grid", ""),
    ],
)
def test_undo_restores_every_grid_and_every_membership_exactly(district: District, edit) -> None:
    split(district, code=EAST_SOUTH, x=121.55)
    grids.choose_scheme(district, ADMIN, "police_grid", parse_scheme("6+3+3+3", Order.NORTH_TO_SOUTH))
    before, noted = living(district), places(district)
    sequence = edit(district).sequence
    undone = grids.undo(district, KEEPER, sequence)

    after = living(district)
    assert after.keys() == before.keys()
    for code, one in before.items():
        same = replace(
            after[code],
            revision=one.revision,
            sequence=one.sequence,
            updated_at=one.updated_at,
            updated_by=one.updated_by,
        )
        assert same == one
        assert shapely.equals_identical(after[code].geometry, one.geometry)
    assert places(district) == noted
    assert undone.sequence == sequence + 1
    with district.database.read() as connection:
        assert history.verify(connection, district.settings.secret).is_valid


def test_an_undone_edit_can_be_done_again_by_undoing_the_undo(district: District) -> None:
    done = split(district)
    after = living(district)
    undone = grids.undo(district, KEEPER, done.sequence)
    assert all(
        one.undone_in == undone.sequence for one in grids.lineage(district, KEEPER, "police_grid", SOUTH)
    )
    grids.undo(district, KEEPER, undone.sequence)
    assert living(district).keys() == after.keys()
    assert all(one.undone_in is None for one in grids.lineage(district, KEEPER, "police_grid", SOUTH))


def test_undo_is_refused_when_somebody_wrote_since(district: District) -> None:
    sequence = split(district).sequence
    part = grid(district, "310199101001003")
    elements.change(district, OFFICER_WEST, "police_grid", part.id, base_revision=1, changes={"name": "改名"})
    with pytest.raises(CannotUndo) as caught:
        grids.undo(district, KEEPER, sequence)
    assert (caught.value.elements, caught.value.updated_by) == ([part.id], ["officer1"])
    with pytest.raises(NotFound):
        grids.undo(district, KEEPER, 9_999)


def test_edits_are_undone_one_after_the_other(district: District) -> None:
    before = living(district)
    sequences = [
        move(district).sequence,
        split(district).sequence,
        merge(district, codes=["310199101001003", NORTH]).sequence,
    ]
    with pytest.raises(CannotUndo):
        grids.undo(district, KEEPER, sequences[0])
    for sequence in reversed(sequences):
        grids.undo(district, KEEPER, sequence)
    after = living(district)
    assert after.keys() == before.keys()
    assert all(shapely.equals_identical(after[code].geometry, one.geometry) for code, one in before.items())


def test_an_officer_undoes_only_what_lies_in_the_own_area(district: District) -> None:
    sequence = move(district).sequence
    with pytest.raises(PermissionDenied):
        grids.undo(district, OFFICER_EAST, sequence)
    grids.undo(district, OFFICER_WEST, sequence)


# --- rights -----------------------------------------------------------------------------------------------


def test_an_officer_edits_grids_of_the_own_area(district: District) -> None:
    assert move(district, OFFICER_WEST).sequence is not None
    assert split(district, OFFICER_WEST).sequence is not None
    assert_partition(district)


def test_an_officer_cannot_touch_grids_of_another_area(district: District) -> None:
    before = district.database.sequence()
    for edit in (move, split):
        with pytest.raises(PermissionDenied):
            edit(district, OFFICER_EAST)
    with pytest.raises(PermissionDenied):
        merge(district, OFFICER_EAST)
    with pytest.raises(PermissionDenied):
        split(district, ANALYST)
    assert district.database.sequence() == before


def test_a_border_that_reaches_into_another_officers_grid_becomes_a_proposal(district: District) -> None:
    before = district.database.sequence()
    receipt = move(district, SOUTH_OFFICER)

    assert receipt.sequence is None
    assert (receipt.proposal.kind, receipt.proposal.created_by) == ("border", "officer3")
    assert receipt.proposal.own_ids == [grid(district, SOUTH).id]
    assert receipt.proposal.their_ids == [grid(district, NORTH).id]
    assert district.database.sequence() == before
    with pytest.raises(PermissionDenied):
        move(district, SOUTH_OFFICER, propose=False)


def test_an_officer_of_a_split_grid_keeps_its_parts(district: District) -> None:
    assert split(district, SOUTH_OFFICER).sequence is not None
    assert split(district, SOUTH_OFFICER, code="310199101001004", x=121.46).sequence is not None
    with pytest.raises(PermissionDenied):
        split(district, SOUTH_OFFICER, code=NORTH)


def test_ground_of_nobody_outside_the_own_area_is_not_taken_without_asking(district: District) -> None:
    remove(district, grid(district, NORTH))
    receipt = move(district, SOUTH_OFFICER)
    assert receipt.proposal is not None
    assert receipt.proposal.their_ids == []


# --- deleting ---------------------------------------------------------------------------------------------


def delete(district: District, one: Element) -> None:
    elements.delete(district, KEEPER, one.layer, one.id, base_revision=one.revision)


def test_a_grid_of_a_whole_partition_is_not_deleted_and_merging_it_is_what_is_told(
    district: District,
) -> None:
    before = district.database.sequence()
    with pytest.raises(HoleLeftError) as refused:
        delete(district, grid(district, SOUTH))
    told = refused.value
    # only NORTH: the grid beside it lies in another town
    assert told.neighbours == [NORTH]
    assert told.area_m2 == pytest.approx(area_of(box(121.4, 30.9, 121.5, 30.95)), rel=1e-6)
    assert "“合并”,并入相邻的“西镇二格”" in told.chinese()
    assert district.database.sequence() == before
    merge(district, into=NORTH)
    assert_partition(district)
    assert SOUTH not in living(district)


def area_of(geometry: Polygon) -> float:
    """Its area on the ellipsoid's UTM zone, computed beside the code under test."""
    to_metres = Transformer.from_crs(4326, 32651, always_xy=True)
    return shapely.transform(geometry, lambda xy: np.column_stack(to_metres.transform(*xy.T))).area


def test_the_last_grid_of_a_parent_is_deleted(district: District) -> None:
    merge(district, into=NORTH)
    delete(district, grid(district, NORTH))
    assert set(living(district)) == {EAST_SOUTH, "310199102001002"}


def test_grids_are_deleted_while_their_parent_is_still_being_filled(district: District) -> None:
    half = element("governance_grid", "310199101001801", "治一", box(121.4, 30.9, 121.45, 31.0))
    most = element("governance_grid", "310199101001802", "治二", box(121.45, 30.9, 121.498, 31.0))
    put(district, half, most)
    delete(district, living(district, "governance_grid")["310199101001802"])
    assert list(living(district, "governance_grid")) == ["310199101001801"]


def test_a_sliver_of_a_hundredth_does_not_make_a_whole_partition_open(district: District) -> None:
    half = element("governance_grid", "310199101001801", "治一", box(121.4, 30.9, 121.45, 31.0))
    most = element("governance_grid", "310199101001802", "治二", box(121.45, 30.9, 121.4995, 31.0))
    put(district, half, most)
    with pytest.raises(HoleLeftError):
        delete(district, living(district, "governance_grid")["310199101001802"])


def test_a_grid_whose_ground_others_cover_is_deleted(district: District) -> None:
    [twin] = put(
        district, element("police_grid", "310199101001009", "重叠", box(121.41, 30.91, 121.42, 30.92))
    )
    delete(district, twin)
    assert_partition(district)


def test_areas_without_a_parent_or_in_a_layer_that_is_no_partition_are_deleted(district: District) -> None:
    [estate] = put(
        district,
        element("residential_area", None, "小区", box(121.41, 30.91, 121.42, 30.92), population=100),
    )
    delete(district, estate)
    beats = put(
        district,
        element("police_beat", "A1", "一", box(121.4, 30.9, 121.45, 31.0)),
        element("police_beat", "A2", "二", box(121.45, 30.9, 121.5, 31.0)),
    )
    delete(district, beats[0])  # no station is on the map that the beats would fill
    assert list(living(district, "police_beat")) == ["A2"]


def test_a_grid_that_has_just_filled_a_hole_can_be_taken_back(district: District) -> None:
    gone = grid(district, NORTH)
    remove(district, gone)
    made = elements.create(
        district, KEEPER, "police_grid", {"code": "310199101001007", "name": "补格"}, gone.geometry
    ).element
    elements.undo(district, KEEPER, "police_grid", made.id, base_revision=1)
    assert "310199101001007" not in living(district)


# --- layers above and below ---------------------------------------------------------------------------------


@pytest.fixture
def nested(district: District) -> District:
    """Two governance grids in the west town, each of two micro grids."""
    put(
        district,
        element("governance_grid", "310199101001801", "治一", box(121.4, 30.9, 121.45, 31.0)),
        element("governance_grid", "310199101001802", "治二", box(121.45, 30.9, 121.5, 31.0)),
    )
    put(
        district,
        *(
            element(
                "micro_grid",
                f"31019910100180{1 + at // 2}00{1 + at % 2}",
                f"微{at}",
                box(x, 30.9, x + 0.025, 31.0),
            )
            for at, x in enumerate((121.4, 121.425, 121.45, 121.475))
        ),
    )
    return district


def governed(district: District, east: float) -> grids.GridReceipt:
    [found] = [one for one in living(district, "governance_grid").values() if one.code.endswith("801")]
    return grids.move_border(
        district,
        KEEPER,
        "governance_grid",
        found.id,
        box(121.4, 30.9, east, 31.0),
        base_revision=found.revision,
    )


def test_a_border_may_not_cut_through_grids_below(nested: District) -> None:
    with pytest.raises(ChildOutsideError) as caught:
        governed(nested, 121.46)
    assert caught.value.child_codes == ["310199101001802001"]


def test_a_border_may_move_by_whole_grids_below(nested: District) -> None:
    governed(nested, 121.475)
    areas = living(nested, "governance_grid")
    assert areas["310199101001802"].geometry.equals(box(121.475, 30.9, 121.5, 31.0))
    # micro grids are noted in their new governance grid
    [moved] = [one for one in living(nested, "micro_grid").values() if one.code == "310199101001802001"]
    assert elements.grids_of(nested, moved)["governance_grid"] == "310199101001801"


def test_a_micro_grid_stays_inside_its_own_governance_grid(nested: District) -> None:
    found = living(nested, "micro_grid")["310199101001801002"]
    receipt = grids.move_border(
        nested, KEEPER, "micro_grid", found.id, box(121.42, 30.9, 121.46, 31.0), base_revision=1
    )
    assert living(nested, "micro_grid")[found.code].geometry.equals(box(121.42, 30.9, 121.45, 31.0))
    assert any("超出上级范围" in one for one in receipt.warnings)


def test_a_grid_that_reaches_over_its_committees_line_is_told(district: District) -> None:
    put(district, element("committee", SOUTH[:12], "示例村", box(121.4, 30.9, 121.5, 30.95), kind="村委会"))
    receipt = move(district)
    [told] = [one for one in receipt.warnings if "居村委界线" in one]
    assert told.startswith(f"“{SOUTH}”")
    # the parts go on where the whole was, which is no news
    assert not any(
        "界线" in one for one in split(district, code=SOUTH, x=121.43).warnings if "居村委" not in one
    )
    back = move(district, code=NORTH, outline=box(121.4, 30.955, 121.5, 31.0))
    assert not any(SOUTH in one for one in back.warnings)
