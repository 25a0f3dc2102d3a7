"""Two edits of one element meet."""

from dataclasses import replace

import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridmap.domain.elements import Element
from gridmap.domain.merge import Choice, merge

BASE = Element(
    "id", "workstation", "JWZ01", "站", shapely.Point(121.4, 30.9), {"officers": 3, "hours": "24h"}
)


def edited(**values: object) -> Element:
    geometry = values.pop("geometry", BASE.geometry)
    return replace(BASE, geometry=geometry).with_values({**BASE.values(), **values})


def test_different_fields_merge() -> None:
    result = merge(BASE, edited(officers=5), edited(name="改名"))
    assert result.conflicts == ()
    assert result.element.values() == {"code": "JWZ01", "name": "改名", "officers": 5, "hours": "24h"}


def test_a_moved_point_and_a_changed_field_merge() -> None:
    place = shapely.Point(121.5, 30.9)
    result = merge(BASE, edited(geometry=place), edited(officers=5))
    assert result.conflicts == ()
    assert result.element.geometry.equals(place)
    assert result.element.properties["officers"] == 5


def test_the_same_field_changed_differently_is_a_conflict() -> None:
    [conflict] = merge(BASE, edited(officers=5), edited(officers=7)).conflicts
    assert (conflict.field, conflict.base, conflict.mine, conflict.theirs) == ("officers", 3, 5, 7)


def test_the_geometry_moved_by_both_is_a_conflict() -> None:
    first, second = edited(geometry=shapely.Point(121.5, 30)), edited(geometry=shapely.Point(121.6, 30))
    assert [one.field for one in merge(BASE, first, second).conflicts] == ["geometry"]


def test_the_same_change_made_twice_is_no_conflict() -> None:
    assert merge(BASE, edited(officers=5), edited(officers=5)).conflicts == ()


def test_clearing_a_field_that_the_other_changed_is_a_conflict() -> None:
    assert [one.field for one in merge(BASE, edited(hours=None), edited(hours="day")).conflicts] == ["hours"]


def test_a_choice_settles_a_conflict_either_way() -> None:
    mine, theirs = edited(officers=5), edited(officers=7)
    kept = merge(BASE, mine, theirs, choices={"officers": Choice.MINE})
    used = merge(BASE, mine, theirs, choices={"officers": Choice.THEIRS})
    assert (kept.conflicts, kept.element.properties["officers"]) == ((), 5)
    assert (used.conflicts, used.element.properties["officers"]) == ((), 7)


def test_the_merged_element_stands_on_their_revision() -> None:
    theirs = replace(edited(name="改名"), revision=4, updated_by="officer2")
    assert merge(BASE, edited(officers=5), theirs).element.revision == 4


VALUES = st.fixed_dictionaries({name: st.sampled_from([None, 1, 2, True]) for name in ("a1", "b1", "c1")})


@given(base=VALUES, mine=VALUES, theirs=VALUES)
def test_no_change_of_either_side_is_lost_without_a_conflict(base, mine, theirs) -> None:
    states = [edited(**values) for values in (base, mine, theirs)]
    result = merge(*states)
    told = {one.field for one in result.conflicts}
    merged = result.element.values()
    for name in base:
        changed = [
            side[name]
            for side in (mine, theirs)
            if (side[name], type(side[name])) != (base[name], type(base[name]))
        ]
        if name in told:
            assert len(changed) == 2
        else:
            assert all(merged.get(name) is value for value in changed)
            assert changed or merged.get(name) is base[name]


@given(base=VALUES, mine=VALUES)
def test_merging_with_an_untouched_side_gives_the_other(base, mine) -> None:
    start, edit = edited(**base), edited(**mine)
    assert merge(start, edit, start).element.values() == edit.values()
    assert merge(start, start, edit).element.values() == edit.values()
