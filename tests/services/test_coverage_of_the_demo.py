"""The forty linkage points of the demo: identities over real-looking roads, canals and a thousand thousand people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gridmap.domain.scenarios import parse_changes
from gridmap.services.coverage import report, resilience
from gridmap.services.district import District
from gridmap.services.gaps import gap_shapes
from gridmap.services.networks import quality
from gridmap.services.previews import preview
from gridmap.services.questions import Question, Travel, parse_within
from tests.support.clock import FakeClock
from tests.support.district import ANALYST, make_district
from tests.support.part_of_demo import put_part

LAYERS = ("district", "town", "police_grid", "road", "crossing", "barrier", "workstation", "residential_area")
WALK = Question(within=parse_within("1500m"))


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("demo")
    made = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    put_part(made, LAYERS, seed=3)
    yield made
    made.close()


def test_everybody_is_counted_once(district: District) -> None:
    walk, line = report(district, ANALYST, WALK), report(district, ANALYST, replace(WALK, mode=Travel.LINE))

    for found in (walk, line):
        assert found.total.people == 1_140_872
        assert found.total.covered + found.total.uncovered == found.total.people
        for rows in (found.groups, found.towns):
            for name in ("people", "covered", "once", "twice"):
                assert sum(getattr(one.figures, name) for one in rows) == getattr(found.total, name)
        assert len(found.points) == 40
    assert walk.total.covered < line.total.covered  # circles overstate
    assert not walk.warnings


def test_a_larger_radius_never_covers_fewer(district: District) -> None:
    covered = [
        report(district, ANALYST, replace(WALK, within=parse_within(one))).total.covered
        for one in ("500m", "1500m", "3km")
    ]

    assert covered == sorted(covered)


def test_closing_a_point_loses_its_unique_cover_and_a_move_gains_what_is_said(district: District) -> None:
    before = report(district, ANALYST, WALK)
    ranked = resilience(district, ANALYST, WALK)["closures"]
    worst = max(before.points, key=lambda one: one.unique or 0)
    assert (ranked[0]["id"], ranked[0]["lost"]) == (worst.id, worst.unique)

    change = [
        {"op": "close", "id": worst.id},
        {"op": "add", "lon": before.points[0].lon, "lat": before.points[0].lat},
    ]
    changed = replace(WALK, changes=parse_changes(change))
    after, seen = report(district, ANALYST, changed), preview(district, ANALYST, changed)
    assert seen["gained"] == after.total.covered - before.total.covered == -(worst.unique or 0)


def test_gaps_hold_all_who_are_not_covered(district: District) -> None:
    found = gap_shapes(district, ANALYST, replace(WALK, mode=Travel.LINE))["features"]
    uncovered = report(district, ANALYST, replace(WALK, mode=Travel.LINE)).total.uncovered

    assert sum(one["properties"]["people"] for one in found) == uncovered
    assert all(one["properties"]["grid_code"] for one in found)


def test_the_roads_of_the_demo_are_sound(district: District) -> None:
    found = quality(district, ANALYST, "car")
    counts = {one["kind"]: one["count"] for one in found["findings"]}

    assert found["main_share"] > 0.99
    assert counts["cut"] == counts["too_fast"] == counts["far_workstation"] == 0
