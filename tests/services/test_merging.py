"""Edits that meet, on both databases."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

from gridmap.domain.merge import Choice
from gridmap.services import elements, merging
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.services.merging import MergeConflict
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, OFFICER_WEST, make_district, seed


@pytest.fixture
def district(database_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = make_district(database_url, tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def station(district: District) -> str:
    return seed(district)["JWZ01"].id


def save(district: District, user, station: str, *, base: int = 1, **options):
    return merging.save(district, user, "workstation", station, base_revision=base, **options)


def test_edits_of_different_fields_are_both_stored(district: District, station: str) -> None:
    save(district, KEEPER, station, changes={"name": "改名"})
    done = save(district, OFFICER_WEST, station, changes={"officer_count": 7})

    stored = elements.get(district, ADMIN, "workstation", station)
    assert (stored.name, stored.properties["officer_count"], stored.revision) == ("改名", 7, 3)
    assert done.merged_fields == ("name",)


def test_a_conflict_shows_three_sides_and_stores_nothing(district: District, station: str) -> None:
    save(district, KEEPER, station, changes={"officer_count": 5})
    with pytest.raises(MergeConflict) as caught:
        save(district, OFFICER_WEST, station, changes={"officer_count": 7, "name": "我的"})

    [conflict] = caught.value.conflicts
    assert (conflict.field, conflict.base, conflict.mine, conflict.theirs) == ("officer_count", 3, 7, 5)
    assert caught.value.updated_by == "keeper"
    assert elements.get(district, ADMIN, "workstation", station).revision == 2


@pytest.mark.parametrize(("choice", "officers"), [(Choice.MINE, 7), (Choice.THEIRS, 5)])
def test_a_decided_conflict_is_stored_either_way(district, station, choice, officers) -> None:
    save(district, KEEPER, station, changes={"officer_count": 5})
    changes = {"officer_count": 7, "name": "我的"}
    save(district, OFFICER_WEST, station, changes=changes, choices={"officer_count": choice})

    stored = elements.get(district, ADMIN, "workstation", station)
    assert (stored.properties["officer_count"], stored.name) == (officers, "我的")


def test_an_edit_of_a_deleted_element_is_a_conflict(district: District, station: str) -> None:
    elements.delete(district, KEEPER, "workstation", station, base_revision=1)
    with pytest.raises(MergeConflict) as caught:
        save(district, OFFICER_WEST, station, changes={"officer_count": 7})
    assert caught.value.theirs.is_retired


def test_moves_of_both_are_a_conflict_of_the_whole_geometry(district: District, station: str) -> None:
    save(district, KEEPER, station, changes={}, geometry=shapely.Point(121.43, 30.92))
    with pytest.raises(MergeConflict) as caught:
        save(district, OFFICER_WEST, station, changes={}, geometry=shapely.Point(121.41, 30.92))
    assert [one.field for one in caught.value.conflicts] == ["geometry"]


def test_a_value_sent_as_text_equals_the_stored_number(district: District, station: str) -> None:
    save(district, KEEPER, station, changes={"officer_count": 7})
    save(district, OFFICER_WEST, station, changes={"officer_count": "7", "name": "同值"})
    assert elements.get(district, ADMIN, "workstation", station).name == "同值"


def test_rules_hold_for_merged_edits(district: District, station: str) -> None:
    save(district, KEEPER, station, changes={"name": "改名"})
    with pytest.raises(InvalidElement):
        save(district, OFFICER_WEST, station, changes={"officer_count": -1})


def test_two_edits_that_contradict_only_together_are_refused(district: District) -> None:
    values = {"code": "FX7001", "name": "河道", "category": "涉水安全", "grade": "blue"}
    values |= {"reported_on": "2026-03-02", "deadline_on": "2026-03-09"}
    risk = elements.create(district, KEEPER, "risk", values, shapely.Point(121.43, 30.98)).element
    save_risk = {
        "base_revision": 1,
        "district": district,
        "user": KEEPER,
        "layer_id": "risk",
        "element_id": risk.id,
    }
    merging.save(**save_risk, changes={"deadline_on": "2026-03-04"})

    with pytest.raises(InvalidElement, match="deadline_on: not_before"):
        merging.save(**save_risk, changes={"reported_on": "2026-03-05"})
    assert elements.get(district, KEEPER, "risk", risk.id).properties["reported_on"] == "2026-03-02"


def test_edits_at_the_same_moment_all_survive(district: District, station: str) -> None:
    fields = {"officer_count": 9, "auxiliary_count": 8, "vehicle_count": 7, "ebike_count": 6, "capacity": 500}
    threads = [
        threading.Thread(target=save, args=(district, KEEPER, station), kwargs={"changes": {name: value}})
        for name, value in fields.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = elements.get(district, ADMIN, "workstation", station)
    assert {name: stored.properties.get(name) for name in fields} == fields
    assert stored.revision == 6
