"""Two dates side by side, layers and commits brought back, who edited when: on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import shapely
from shapely import LineString, Point, box

from gridmap.domain.elements import Element, Operation
from gridmap.errors import InvalidInput, NotFound, PermissionDenied, StateConflict
from gridmap.services import comparing, elements, grids
from gridmap.services.district import District
from gridmap.services.reverting import CannotUndo
from gridmap.storage import history
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
    open_store,
    put,
)

SOUTH, NORTH = "310199101001001", "310199101001002"


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    clock.advance(days=1)
    yield made
    made.close()


def station(district: District, code: str) -> Element:
    return elements.find(district, ADMIN, Query("workstation", equals={"code": code})).elements[0]


def change(district: District, code: str, user=KEEPER, **options) -> None:
    one = station(district, code)
    elements.change(district, user, "workstation", one.id, base_revision=one.revision, **options)


def a_busy_day(district: District) -> None:
    """One station added, one removed, one moved, one changed, one both, one confirmed."""
    values = {"code": "JWZ11", "name": "新站", "opening_hours": "24h", "officer_count": 1}
    elements.create(district, OFFICER_WEST, "workstation", values, Point(121.43, 30.98))
    elements.delete(district, KEEPER, "workstation", station(district, "JWZ06").id, base_revision=1)
    change(district, "JWZ01", geometry=Point(121.42, 30.921))
    change(district, "JWZ02", OFFICER_WEST, changes={"officer_count": 9, "name": "改名"})
    change(district, "JWZ03", geometry=Point(121.53, 30.92), changes={"officer_count": 9})
    elements.verify(district, KEEPER, "workstation", station(district, "JWZ04").id, base_revision=1)


def codes(differences: tuple[comparing.Difference, ...]) -> list[str]:
    return sorted(one.element.code for one in differences)


def test_two_dates_are_told_apart_element_by_element(district: District, clock: FakeClock) -> None:
    before = clock()
    clock.advance(hours=1)
    a_busy_day(district)
    found = comparing.compare(district, KEEPER, "workstation", before)

    assert codes(found.added) == ["JWZ11"]
    assert codes(found.removed) == ["JWZ06"]
    assert codes(found.moved) == ["JWZ01", "JWZ03"]
    assert codes(found.changed) == ["JWZ02", "JWZ03"]
    assert found.unchanged == 2
    by_code = {one.element.code: one for one in (*found.moved, *found.changed)}
    assert by_code["JWZ02"].fields == ("name", "officer_count")
    assert by_code["JWZ01"].moved_m == pytest.approx(111, rel=0.01)
    assert (by_code["JWZ02"].before.name, by_code["JWZ02"].after.name) == ("西镇第二警务站", "改名")


def test_the_same_date_twice_shows_no_difference(district: District, clock: FakeClock) -> None:
    a_busy_day(district)
    found = comparing.compare(district, KEEPER, "workstation", clock(), clock())
    assert (found.added, found.removed, found.moved, found.changed, found.unchanged) == ((), (), (), (), 6)
    with pytest.raises(InvalidInput):
        comparing.compare(district, KEEPER, "workstation", clock(), clock() - timedelta(days=1))
    with pytest.raises(PermissionDenied):
        comparing.compare(district, VIEWER, "workstation", clock())


def test_as_of_equals_the_snapshot_taken_then(district: District, clock: FakeClock) -> None:
    def snapshot() -> dict[str, Element]:
        return {
            one.id: one for one in elements.find(district, ADMIN, Query("workstation"), limit=100).elements
        }

    taken = []
    for step in range(3):
        taken.append((clock(), snapshot()))
        clock.advance(minutes=1)
        change(district, "JWZ01", changes={"officer_count": 10 + step})
        if step == 1:
            elements.delete(district, KEEPER, "workstation", station(district, "JWZ02").id, base_revision=1)
    for at, then in taken:
        assert {one.id: one for one in elements.as_of(district, ADMIN, "workstation", at)} == then


# --- bringing back ----------------------------------------------------------------------------------------


def test_a_layer_comes_back_to_a_date_exactly(district: District, clock: FakeClock) -> None:
    before = clock()
    states = {one.code: one for one in elements.find(district, ADMIN, Query("workstation")).elements}
    clock.advance(hours=1)
    a_busy_day(district)
    trial = comparing.restore_layer(district, KEEPER, "workstation", before, dry_run=True)
    done = comparing.restore_layer(district, KEEPER, "workstation", before)

    assert (trial.sequence, trial.restored, trial.changed, trial.retired) == (None, 1, 4, 1)
    assert (done.restored, done.changed, done.retired) == (1, 4, 1)
    after = {one.code: one for one in elements.find(district, ADMIN, Query("workstation")).elements}
    assert after.keys() == states.keys()
    for code, one in states.items():
        assert after[code].values() == one.values()
        assert after[code].due_at == one.due_at
        assert shapely.equals_identical(after[code].geometry, one.geometry)
    with district.database.read() as connection:
        assert members.counts(connection, "workstation", "police_grid")[SOUTH] == 2
        assert history.verify(connection, district.settings.secret).is_valid
    # and forth again, by undoing the restoration
    comparing.undo_commit(district, KEEPER, done.sequence)
    assert station(district, "JWZ11").name == "新站"
    assert comparing.restore_layer(district, KEEPER, "workstation", clock()).sequence is None


def test_a_layer_of_grids_comes_back_with_its_codes(district: District, clock: FakeClock) -> None:
    before = clock()
    clock.advance(hours=1)
    grid = elements.find(district, ADMIN, Query("police_grid", equals={"code": SOUTH})).elements[0]
    line = LineString([(121.43, 30.89), (121.43, 30.96)])
    split = grids.split(district, KEEPER, "police_grid", grid.id, line, base_revision=1)
    comparing.restore_layer(district, KEEPER, "police_grid", before)

    found = {one.code: one.geometry for one in elements.find(district, ADMIN, Query("police_grid")).elements}
    assert sorted(found) == [SOUTH, NORTH, "310199102001001", "310199102001002"]
    assert found[SOUTH].equals(box(121.4, 30.9, 121.5, 30.95))
    assert all(one.undone_in for one in grids.lineage(district, KEEPER, "police_grid", SOUTH))
    # codes of the parts stay used
    again = grids.split(
        district, KEEPER, "police_grid", grid.id, line,
        base_revision=elements.get(district, ADMIN, "police_grid", grid.id).revision,
    )  # fmt: skip
    assert not {one.code for one in again.created} & {one.code for one in split.created}


def test_only_those_who_keep_the_district_restore_a_layer(district: District, clock: FakeClock) -> None:
    for user in (OFFICER_WEST, VIEWER):
        with pytest.raises(PermissionDenied):
            comparing.restore_layer(district, user, "workstation", clock())
    with pytest.raises(InvalidInput):
        comparing.restore_layer(district, KEEPER, "workstation", clock() + timedelta(days=1))


def test_a_date_with_a_redacted_state_is_not_restored(district: District, clock: FakeClock) -> None:
    before, one = clock(), station(district, "JWZ02")
    clock.advance(hours=1)
    change(district, "JWZ02", changes={"name": "改名"})
    with district.database.write() as connection:
        history.redact(connection, one.id, 1)
    with pytest.raises(StateConflict) as caught:
        comparing.restore_layer(district, KEEPER, "workstation", before)
    assert caught.value.elements == [one.id]


def test_a_whole_commit_is_taken_back(district: District) -> None:
    made = put(district, *(
        element("workstation", f"JWZ2{at}", f"批量{at}", Point(121.41 + at / 100, 30.93), opening_hours="24h", officer_count=1)
        for at in range(5)
    ))  # fmt: skip
    [line] = comparing.commits(district, KEEPER, layers=["workstation"], limit=1)
    assert (line.sequence, line.count, line.actor, line.operations) == (
        made[0].sequence,
        5,
        "admin",
        (Operation.CREATE,),
    )
    with pytest.raises(PermissionDenied):
        comparing.undo_commit(district, OFFICER_EAST, line.sequence)
    comparing.undo_commit(district, OFFICER_WEST, line.sequence)
    assert elements.find(district, ADMIN, Query("workstation")).total == 6
    with pytest.raises(NotFound):
        comparing.undo_commit(district, KEEPER, 999)


def test_a_commit_is_not_taken_back_over_somebody_elses_work(district: District) -> None:
    sequence = put(
        district,
        element("workstation", "JWZ21", "批量", Point(121.41, 30.93), opening_hours="24h", officer_count=1),
    )[0].sequence
    change(district, "JWZ21", OFFICER_WEST, changes={"officer_count": 5})
    with pytest.raises(CannotUndo):
        comparing.undo_commit(district, KEEPER, sequence)
    assert station(district, "JWZ21").properties["officer_count"] == 5


# --- who edited when --------------------------------------------------------------------------------------


def test_edits_are_counted_by_day_and_person(district: District, clock: FakeClock) -> None:
    start = clock()
    a_busy_day(district)
    clock.advance(hours=10)  # past midnight in China
    change(district, "JWZ05", OFFICER_EAST, changes={"officer_count": 1})
    found = comparing.series(district, KEEPER, start, clock() + timedelta(seconds=1), layers=["workstation"])

    assert {(one.day, one.actor): (one.created, one.updated, one.verified, one.deleted) for one in found} == {
        (date(2026, 3, 3), "keeper"): (0, 2, 1, 1),
        (date(2026, 3, 3), "officer1"): (1, 1, 0, 0),
        (date(2026, 3, 4), "officer2"): (0, 1, 0, 0),
    }
    assert sum(one.total for one in found) == 7
    assert comparing.series(district, KEEPER, clock() + timedelta(days=1), clock() + timedelta(days=2)) == ()
    with pytest.raises(PermissionDenied):
        comparing.series(district, VIEWER, start, clock())


def test_commits_are_listed_newest_first_and_by_person(district: District) -> None:
    a_busy_day(district)
    lines = comparing.commits(district, KEEPER, layers=["workstation"])
    assert [one.sequence for one in lines] == sorted((one.sequence for one in lines), reverse=True)
    assert {one.actor for one in comparing.commits(district, KEEPER, actor="officer1")} == {"officer1"}
    assert all(one.at.tzinfo for one in lines)
