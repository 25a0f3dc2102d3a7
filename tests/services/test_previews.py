"""Previews say what a whole report says, and name the grids that change."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely

from gridmap.domain.scenarios import parse_changes
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import gaps
from gridmap.services.coverage import report
from gridmap.services.district import District
from gridmap.services.previews import preview
from gridmap.services.questions import Question, Travel, parse_within
from tests.support.canal import EAST_GRID, lonlat
from tests.support.district import ANALYST

NEAR = parse_within("500m")


def place(x: float, y: float) -> dict[str, float]:
    return dict(zip(("lon", "lat"), lonlat(x, y), strict=True))


def ids(district: District) -> list[str]:
    return [one.id for one in report(district, ANALYST, Question()).points]


def asked(*changes: dict, mode: Travel = Travel.FOOT, within: str = "500m") -> Question:
    return Question(mode=mode, within=parse_within(within), changes=parse_changes(list(changes)))


@pytest.mark.parametrize(
    ("mode", "within"), [("foot", "500m"), ("line", "500m"), ("car", "3min"), ("ebike", "90s")]
)
def test_a_preview_equals_the_report_of_the_same_changes(canal: District, mode: str, within: str) -> None:
    first, second = ids(canal)
    rng = np.random.default_rng(7)
    for at in range(8):
        spot = place(*rng.uniform([-200, -200], [400, 1200]))
        changes = [
            [{"op": "add", **spot}],
            [{"op": "move", "id": second, **spot}],
            [{"op": "close", "id": first}, {"op": "add", **spot}],
            [{"op": "add", **spot}, {"op": "close", "id": second}],
            [
                {"op": "bridge", "line": [[*lonlat(0, 0)], [*lonlat(200, 0)]]},
                {"op": "move", "id": first, **spot},
            ],
        ][at % 5]
        question = asked(*changes, mode=Travel(mode), within=within)
        seen = preview(canal, ANALYST, question)
        before, after = report(canal, ANALYST, question.today()), report(canal, ANALYST, question)
        assert seen["before"]["covered"] == before.total.covered
        assert seen["after"]["covered"] == after.total.covered
        assert seen["gained"] == after.total.covered - before.total.covered
        changed = {
            now.code: now.figures.covered
            for was, now in zip(before.groups, after.groups, strict=True)
            if was.figures.covered != now.figures.covered
        }
        assert {one["code"]: one["covered"] for one in seen["groups"]} == changed


def test_a_point_beside_the_gap_wins_its_people(canal: District) -> None:
    seen = preview(canal, ANALYST, asked({"op": "add", **place(200, 100)}), gaps=True)

    assert seen["gained"] == 300
    assert [one["code"] for one in seen["groups"]] == [EAST_GRID]
    assert EAST_GRID in seen["gaps"]["groups"]
    assert (
        sum(
            one["properties"]["people"]
            for one in seen["gaps"]["features"]
            if one["properties"]["grid_code"] == EAST_GRID
        )
        == 0
    )


def test_gaps_of_a_preview_are_those_of_the_report(canal: District) -> None:
    second = ids(canal)[1]
    for change in ({"op": "close", "id": second}, {"op": "move", "id": second, **place(200, 400)}):
        question = asked(change)
        seen = preview(canal, ANALYST, question, gaps=True)["gaps"]
        whole = gaps.gap_shapes(canal, ANALYST, question)["features"]
        for code in seen["groups"]:
            mine, theirs = (
                shapely.union_all(
                    [
                        shapely.geometry.shape(one["geometry"])
                        for one in many
                        if one["properties"]["grid_code"] == code
                    ]
                )
                for many in (seen["features"], whole)
            )
            assert mine.symmetric_difference(theirs).area < 0.02 * max(mine.area, theirs.area)


def test_a_place_far_from_every_road_is_named_and_gains_nothing(canal: District) -> None:
    seen = preview(canal, ANALYST, asked({"op": "add", **place(5_000, 5_000)}))

    assert seen["off_network"] == [0]
    assert seen["gained"] == 0
    assert seen["groups"] == []


def test_blocking_the_bridge_road_cuts_the_banks_apart(canal: District) -> None:
    road = canal.frames.frame("road")
    at = int(np.flatnonzero(road.arrays.name == "北街")[0])
    seen = preview(canal, ANALYST, asked({"op": "block", "id": str(road.arrays.id[at])}, within="1000m"))

    assert seen["gained"] == 0  # D1 keeps A, though B is cut off from it
    apart = report(canal, ANALYST, asked({"op": "block", "id": str(road.arrays.id[at])}, within="1000m"))
    assert apart.total.twice == 0


def test_changes_that_name_nothing_are_refused(canal: District) -> None:
    with pytest.raises(NotFound):
        preview(canal, ANALYST, asked({"op": "move", "id": "nobody", **place(0, 0)}))
    with pytest.raises(InvalidInput):
        preview(canal, ANALYST, asked({"op": "block", "id": "no road"}))
    with pytest.raises(InvalidInput):
        preview(canal, ANALYST, asked({"op": "bridge", "line": [[*lonlat(9_000, 0)], [*lonlat(9_100, 0)]]}))


def test_without_changes_nothing_is_gained(canal: District) -> None:
    seen = preview(canal, ANALYST, Question(within=NEAR))

    assert seen["gained"] == 0
    assert seen["groups"] == []
    assert seen["before"] == seen["after"]


def test_previews_at_the_same_time_do_not_disturb_one_another(canal: District) -> None:
    rng = np.random.default_rng(11)
    questions = [asked({"op": "add", **place(*rng.uniform([-50, 0], [250, 1000]))}) for _ in range(60)]
    alone = [preview(canal, ANALYST, one)["after"] for one in questions]

    pace = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns in the middle of everything
    try:
        with ThreadPoolExecutor(6) as pool:
            together = list(pool.map(lambda one: preview(canal, ANALYST, one)["after"], questions))
    finally:
        sys.setswitchinterval(pace)

    assert together == alone
