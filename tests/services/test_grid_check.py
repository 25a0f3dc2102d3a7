"""The check-up of grids: planted faults are found place by place, mended by choice, and nothing false is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely import Point, Polygon, box

from gridmap.domain.codes import parse_scheme
from gridmap.domain.elements import Element, Operation
from gridmap.domain.roles import Role, User
from gridmap.errors import InvalidInput, NotFound, PermissionDenied
from gridmap.services import elements, grid_check, grids, membership
from gridmap.services.district import District
from gridmap.services.grid_check import Kind
from gridmap.services.grids import NoPartition
from gridmap.storage import elements as stored
from gridmap.storage import membership as members
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import (
    ADMIN,
    KEEPER,
    OFFICER_EAST,
    OFFICER_WEST,
    VIEWER,
    element,
    make_district,
    open_store,
    put,
)
from tests.support.partition import M2_PER_SQUARE_DEGREE, cells

SOUTH, NORTH = "310199101001001", "310199101001002"
EAST_SOUTH, EAST_NORTH = "310199102001001", "310199102001002"
TOWN = box(121.4, 30.9, 121.5, 31.0)


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    yield made
    made.close()


def grid(district: District, code: str) -> Element:
    return elements.find(district, ADMIN, Query("police_grid", equals={"code": code})).elements[0]


def force(district: District, which: str, **values: object) -> None:
    """Change a grid past all rules, as bad data from elsewhere would."""
    present = grid(district, which)
    with district.database.commit(actor="import", at=district.clock()) as commit:
        written = stored.save(commit, [replace(present, **values)], Operation.UPDATE)
        membership.derive(district, commit.connection, written, [present])


def found(district: District, *kinds: Kind) -> list[grid_check.Finding]:
    report = grid_check.check(district, KEEPER, "police_grid")
    return [one for one in report.findings if not kinds or one.kind in kinds]


def mend_first(district: District, kind: Kind, repair: str | None = None, user: User = KEEPER) -> int | None:
    return grid_check.repair(district, user, "police_grid", found(district, kind)[0].key, repair)


def m2(shape: shapely.Geometry) -> float:
    return shape.area * M2_PER_SQUARE_DEGREE


def test_a_clean_partition_has_no_finding(district: District) -> None:
    # the sample grids of the two towns meet without sharing vertices along long edges: that alone is told
    report = grid_check.check(district, VIEWER, "police_grid")
    assert {one.kind for one in report.findings} <= {Kind.LOOSE_VERTEX}
    assert (report.layer, report.grids, report.sequence) == ("police_grid", 4, district.database.sequence())


def test_crooked_cells_that_fill_their_towns_have_no_finding(
    gpkg_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    made = make_district(gpkg_url, tmp_path, clock)
    towns = {"310199101": TOWN, "310199102": box(121.5, 30.9, 121.6, 31.0)}
    put(made, *(element("town", code, code, shape) for code, shape in towns.items()))
    put(made, *(
        element("police_grid", f"{code}001{at:03d}", f"格{at}", shape)
        for code, town in towns.items()
        for at, shape in enumerate(cells(int(code), 25, town), 1)
    ))  # fmt: skip
    put(
        made,
        element("workstation", "JWZ01", "站", Point(121.45, 30.95), opening_hours="24h", officer_count=3),
    )
    findings = grid_check.check(made, KEEPER, "police_grid").findings
    # cells of different towns were cut apart, so some corners stand on a neighbour's edge; that is all
    assert {one.kind for one in findings} <= {Kind.LOOSE_VERTEX}
    while findings:
        grid_check.repair(made, KEEPER, "police_grid", findings[0].key)
        findings = grid_check.check(made, KEEPER, "police_grid").findings
    assert grid_check.check(made, KEEPER, "police_grid").is_clean
    made.close()


def test_every_planted_fault_is_found_in_its_place(district: District) -> None:
    force(district, SOUTH, geometry=box(121.4, 30.9, 121.5, 30.951))  # overlaps NORTH
    force(district, EAST_SOUTH, geometry=box(121.5, 30.9, 121.6, 30.949))  # leaves a gap
    force(district, EAST_NORTH, geometry=box(121.5, 30.95, 121.61, 31.0))  # out of the district
    report = grid_check.check(district, KEEPER, "police_grid")

    assert {one.kind: 1 for one in report.findings if one.kind is not Kind.LOOSE_VERTEX} == {
        Kind.OVERLAP: 1, Kind.GAP: 1, Kind.OUTSIDE: 1,
    }  # fmt: skip
    overlap, gap, outside = (
        next(one for one in report.findings if one.kind is kind)
        for kind in (Kind.OVERLAP, Kind.GAP, Kind.OUTSIDE)
    )
    assert set(overlap.codes) == {SOUTH, NORTH}
    assert overlap.box == pytest.approx((121.4, 30.95, 121.5, 30.951))
    assert overlap.area_m2 == pytest.approx(m2(box(121.4, 30.95, 121.5, 30.951)), rel=0.01)
    assert gap.box == pytest.approx((121.5, 30.949, 121.6, 30.95))
    assert set(gap.codes) == {EAST_SOUTH, EAST_NORTH}
    assert box(*gap.box).intersects(Point(gap.place))
    assert (outside.codes, outside.box) == ((EAST_NORTH,), pytest.approx((121.6, 30.95, 121.61, 31.0)))
    assert dict(report.counts)[Kind.GAP] == 1


def test_an_overlap_goes_to_the_grid_that_a_person_chooses(district: District) -> None:
    force(district, SOUTH, geometry=box(121.4, 30.9, 121.5, 30.951))
    [overlap] = found(district, Kind.OVERLAP)
    assert len(overlap.repairs) == 2
    sequence = mend_first(district, Kind.OVERLAP, f"keep:{grid(district, NORTH).id}")
    assert sequence == district.database.sequence()
    assert grid(district, SOUTH).geometry.equals(box(121.4, 30.9, 121.5, 30.95))
    assert found(district, Kind.OVERLAP, Kind.GAP) == []
    # undone like any other edit
    grids.undo(district, KEEPER, sequence)
    assert len(found(district, Kind.OVERLAP)) == 1


def test_a_gap_is_given_to_a_neighbour_of_the_same_town(district: District) -> None:
    force(district, SOUTH, geometry=box(121.4, 30.9, 121.499, 30.95))
    [gap] = found(district, Kind.GAP)
    assert gap.codes[0] == SOUTH
    assert not any(EAST_SOUTH in one.title for one in gap.repairs)
    mend_first(district, Kind.GAP)
    assert grid(district, SOUTH).geometry.equals(box(121.4, 30.9, 121.5, 30.95))


def test_ground_in_the_neighbouring_town_goes_back_or_is_cut_off(district: District) -> None:
    force(district, SOUTH, geometry=box(121.4, 30.9, 121.51, 30.95))
    force(district, EAST_SOUTH, geometry=box(121.51, 30.9, 121.6, 30.95))
    [outside] = found(district, Kind.OUTSIDE)
    assert (outside.codes, outside.repairs[0].title) == ((SOUTH,), f"划归“{EAST_SOUTH}”")
    mend_first(district, Kind.OUTSIDE)
    assert grid(district, EAST_SOUTH).geometry.equals(box(121.5, 30.9, 121.6, 30.95))

    force(district, SOUTH, geometry=box(121.39, 30.9, 121.5, 30.95))
    mend_first(district, Kind.OUTSIDE, "cut")
    assert grid(district, SOUTH).geometry.equals(box(121.4, 30.9, 121.5, 30.95))


def test_a_grid_drawn_twice_is_ended(district: District) -> None:
    put(district, element("police_grid", "310199101001003", "重画的", box(121.4, 30.9, 121.5, 30.95)))
    [overlap] = found(district, Kind.OVERLAP)
    retire = next(one for one in overlap.repairs if "310199101001003" in one.title)
    mend_first(district, Kind.OVERLAP, retire.id)
    assert found(district, Kind.OVERLAP) == []
    assert len(elements.find(district, ADMIN, Query("police_grid")).elements) == 4


def test_a_code_used_twice_gets_the_next_free_one(district: District) -> None:
    put(district, element("police_grid", SOUTH, "同码", box(121.6, 30.9, 121.7, 31.0)))
    [duplicate] = found(district, Kind.DUPLICATE_CODE)
    assert set(duplicate.codes) == {SOUTH}
    mend_first(district, Kind.DUPLICATE_CODE)
    codes = {one.code for one in elements.find(district, ADMIN, Query("police_grid")).elements}
    assert {SOUTH, "310199101001003"} < codes


def test_a_check_up_goes_on_where_no_code_is_left(district: District) -> None:
    grids.choose_scheme(district, ADMIN, "police_grid", parse_scheme("6+3+5+1"))
    prefix = SOUTH[:-1]
    put(district, element("police_grid", SOUTH, "同码", box(121.6, 30.9, 121.61, 30.91)))
    for at in range(3, 10):
        place = box(121.6 + at / 50, 30.9, 121.61 + at / 50, 30.91)
        put(district, element("police_grid", f"{prefix}{at}", f"第{at}格", place))
    [duplicate] = found(district, Kind.DUPLICATE_CODE)
    assert (duplicate.codes, duplicate.repairs) == ((SOUTH, SOUTH), ())


def test_a_shape_that_crosses_itself_is_found_and_mended(district: District) -> None:
    bow = Polygon([(121.4, 30.9), (121.5, 30.95), (121.5, 30.9), (121.4, 30.95)])
    force(district, SOUTH, geometry=bow)
    [invalid] = found(district, Kind.INVALID)
    assert (invalid.codes, invalid.message.endswith("边界自相交")) == ((SOUTH,), True)
    mend_first(district, Kind.INVALID)
    assert grid(district, SOUTH).geometry.is_valid
    assert {one.kind for one in found(district)} == {Kind.GAP} or Kind.INVALID not in {
        one.kind for one in found(district)
    }


def test_a_stray_strip_goes_to_the_grid_around_it(district: District) -> None:
    strip = box(121.4, 30.97, 121.5, 30.97001)
    force(district, SOUTH, geometry=shapely.union(box(121.4, 30.9, 121.5, 30.95), strip))
    force(district, NORTH, geometry=shapely.difference(box(121.4, 30.95, 121.5, 31.0), strip))
    [sliver] = found(district, Kind.SLIVER)
    assert (sliver.codes, sliver.repairs[0].title) == ((SOUTH,), f"划归“{NORTH}”")
    mend_first(district, Kind.SLIVER)
    assert grid(district, NORTH).geometry.equals(box(121.4, 30.95, 121.5, 31.0))
    assert found(district, Kind.SLIVER) == []


def test_a_grid_that_is_nothing_but_a_strip_is_merged(district: District) -> None:
    strip = box(121.4, 30.95, 121.5, 30.95001)
    force(district, NORTH, geometry=box(121.4, 30.95001, 121.5, 31.0))
    put(district, element("police_grid", "310199101001003", "条", strip))
    [sliver] = found(district, Kind.SLIVER)
    mend_first(district, Kind.SLIVER, f"merge:{grid(district, NORTH).id}")
    assert grid(district, NORTH).geometry.equals(box(121.4, 30.95, 121.5, 31.0))


def test_missing_nodes_are_put_in_without_moving_ground(district: District) -> None:
    force(
        district,
        SOUTH,
        geometry=Polygon([(121.4, 30.9), (121.5, 30.9), (121.5, 30.95), (121.45, 30.95), (121.4, 30.95)]),
    )
    loose = [one for one in found(district, Kind.LOOSE_VERTEX) if one.codes[0] == NORTH]
    [finding] = [one for one in loose if SOUTH in one.codes]
    grid_check.repair(district, KEEPER, "police_grid", finding.key)
    after = grid(district, NORTH).geometry
    assert [121.45, 30.95] in shapely.get_coordinates(after).tolist()
    assert after.equals(box(121.4, 30.95, 121.5, 31.0))


def test_elements_in_no_grid_are_listed(district: District) -> None:
    force(district, SOUTH, geometry=box(121.425, 30.9, 121.5, 30.95))
    assert {one.codes for one in found(district, Kind.ORPHAN)} == {("JWZ01",)}
    put(district, element("crossing", None, "郊外的桥", Point(121.9, 30.95), kind="bridge"))
    assert len(found(district, Kind.ORPHAN)) == 1  # roads and bridges go on beyond the district


def test_a_grid_outside_every_town_has_no_parent(district: District) -> None:
    put(district, element("police_grid", "310199109001001", "海上", box(122.0, 30.9, 122.1, 31.0)))
    [stray] = found(district, Kind.STRAY)
    assert (stray.codes, stray.repairs) == (("310199109001001",), ())


def test_an_outdated_membership_is_found_and_derived_again(district: District) -> None:
    station = elements.find(district, ADMIN, Query("workstation", equals={"code": "JWZ01"})).elements[0]
    with district.database.write() as connection:
        members.move(connection, [station.id], "police_grid", [NORTH])
    [misplaced] = found(district, Kind.MISPLACED)
    assert misplaced.elements == (station.id,)
    before = district.database.sequence()
    assert mend_first(district, Kind.MISPLACED) is None
    assert elements.grids_of(district, station)["police_grid"] == SOUTH
    assert found(district, Kind.MISPLACED) == []
    assert district.database.sequence() == before


def test_a_repair_needs_rights_a_standing_finding_and_a_known_way(district: District) -> None:
    force(district, SOUTH, geometry=box(121.4, 30.9, 121.5, 30.951))
    [overlap] = found(district, Kind.OVERLAP)
    for user in (VIEWER, OFFICER_EAST, User("o", "示例民警09", Role.OFFICER, area=frozenset({SOUTH}))):
        with pytest.raises(PermissionDenied):
            grid_check.repair(district, user, "police_grid", overlap.key, f"keep:{grid(district, SOUTH).id}")
    with pytest.raises(InvalidInput):
        grid_check.repair(district, KEEPER, "police_grid", overlap.key, "burn")
    grid_check.repair(district, OFFICER_WEST, "police_grid", overlap.key)
    with pytest.raises(NotFound):
        grid_check.repair(district, KEEPER, "police_grid", overlap.key)
    with pytest.raises(NoPartition):
        grid_check.check(district, KEEPER, "workstation")


@pytest.mark.parametrize("count", [8])
def test_repairs_one_by_one_lead_to_a_clean_partition(
    gpkg_url: str, tmp_path: Path, clock: FakeClock, count: int
) -> None:
    made = make_district(gpkg_url, tmp_path, clock)
    put(made, element("town", "310199101", "西镇", TOWN))
    rng, areas = np.random.default_rng(3), cells(3, 20, TOWN)
    # every third cell is drawn carelessly
    for at in range(0, len(areas), 3):
        ring = shapely.get_coordinates(areas[at].exterior)[:-1]
        ring[int(rng.integers(len(ring)))] += rng.normal(0, 1e-3, 2)
        if Polygon(ring).is_valid:
            areas[at] = Polygon(ring)
    put(
        made,
        *(element("police_grid", f"310199101001{at:03d}", f"格{at}", one) for at, one in enumerate(areas, 1)),
    )
    first = grid_check.check(made, KEEPER, "police_grid")
    assert Counter(one.kind for one in first.findings)[Kind.OVERLAP] >= 3
    for _ in range(200):
        open_ = [one for one in grid_check.check(made, KEEPER, "police_grid").findings if one.repairs]
        if not open_:
            break
        grid_check.repair(made, KEEPER, "police_grid", open_[0].key)
    assert grid_check.check(made, KEEPER, "police_grid").is_clean
    made.close()
