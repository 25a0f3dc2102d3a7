"""Grids edited over HTTP: the partition stays whole, trial runs store nothing, undo restores to the last bit."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import shapely

from gridmap.storage import accounts
from tests.api.conftest import World
from tests.support.district import ADMIN, KEEPER, OFFICER_WEST, VIEWER
from tests.support.partition import difference_m2, overlap_m2

SOUTH, NORTH, EAST = "310199101001001", "310199101001002", "310199102001001"
HIGHER = [[121.4, 30.9], [121.5, 30.9], [121.5, 30.95], [121.45, 30.96], [121.4, 30.95], [121.4, 30.9]]
EASTWARD = [[121.4, 30.9], [121.51, 30.9], [121.51, 30.95], [121.4, 30.95], [121.4, 30.9]]


def edit(world: World, what: str, who: Any = KEEPER, **body: Any) -> httpx.Response:
    return world.client(who).post(f"/api/grids/police_grid/{what}", json=body)


def ids(world: World, *codes: str) -> list[str]:
    return [world.elements[code].id for code in codes]


def border(world: World, who: Any = KEEPER, ring: Any = HIGHER, **body: Any) -> httpx.Response:
    [grid] = ids(world, SOUTH)
    drawn = {"type": "Polygon", "coordinates": [ring]}
    return edit(world, "border", who, **{"id": grid, "base_revision": 1, "geometry": drawn} | body)


def areas(world: World) -> list[Any]:
    answer = world.client(ADMIN).get("/ogc/collections/police_grid/items?limit=100").json()
    return [shapely.geometry.shape(one["geometry"]) for one in answer["features"]]


def codes_of(features: list[dict[str, Any]]) -> set[str]:
    return {one["properties"]["code"] for one in features}


def test_moving_a_border_moves_both_neighbours_and_undo_restores_both(world: World) -> None:
    before = areas(world)
    done = border(world).json()

    assert codes_of(done["changed"]) >= {SOUTH, NORTH}
    after = areas(world)
    assert overlap_m2(after) < 1
    assert difference_m2(after, shapely.union_all(before)) < 1
    assert after != before
    undone = edit(world, "undo", sequence=done["sequence"])
    assert undone.status_code == 200, undone.text
    assert areas(world) == before


def test_deleting_a_grid_of_a_whole_partition_is_a_conflict_that_names_its_neighbours(world: World) -> None:
    path = f"/ogc/collections/police_grid/items/{world.elements[SOUTH].id}"
    answer = world.client(KEEPER).delete(path, headers={"If-Match": '"1"'})

    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"].endswith("hole-left-error")
    assert problem["neighbours"] == [NORTH]
    assert "请改用“合并”" in problem["detail"]
    assert len(areas(world)) == 4


def test_a_trial_run_shows_what_would_change_and_stores_nothing(world: World) -> None:
    sequence = world.district.database.sequence()
    trial = border(world, dry_run=True).json()

    assert codes_of(trial["changed"]) >= {SOUTH, NORTH}
    assert (trial["sequence"], trial["proposal"]) == (None, None)
    assert world.district.database.sequence() == sequence


def test_a_border_into_anothers_area_becomes_a_proposal(world: World) -> None:
    with world.district.database.write() as connection:
        accounts.change(connection, OFFICER_WEST.username, {"area": [SOUTH]})
    refused = border(world, OFFICER_WEST, propose=False)
    done = border(world, OFFICER_WEST, reason="以河为界").json()

    assert refused.status_code == 403
    assert (done["sequence"], NORTH in done["proposal"]["title"]) == (None, True)
    waiting = world.client(KEEPER).get(f"/api/proposals/{done['proposal']['id']}").json()
    assert codes_of(waiting["after"]) >= {SOUTH, NORTH}
    accepted = world.client(KEEPER).post(f"/api/proposals/{waiting['id']}/accept")
    assert accepted.json()["sequence"] == world.district.database.sequence()


def test_what_lies_beyond_the_parent_is_cut_off_in_words(world: World) -> None:
    assert "超出上级范围" in border(world, OFFICER_WEST, ring=EASTWARD).json()["warnings"][0]


def test_splitting_retires_the_old_code_and_names_the_parts(world: World) -> None:
    [grid] = ids(world, SOUTH)
    line = {"type": "LineString", "coordinates": [[121.44, 30.89], [121.46, 30.96]]}
    body = {"id": grid, "base_revision": 1, "geometry": line}
    trial = edit(world, "split", **body, dry_run=True).json()
    assert len(trial["created"]) == 2
    done = edit(world, "split", **body, names=["河西", "河东"]).json()

    assert [one["properties"]["name"] for one in done["created"]] == ["河西", "河东"]
    assert codes_of(done["retired"]) == {SOUTH}
    assert SOUTH not in codes_of(done["created"])
    assert overlap_m2(areas(world)) < 1


def test_merging_two_grids_leaves_one(world: World) -> None:
    pair = ids(world, SOUTH, NORTH)
    revisions = dict.fromkeys(pair, 1)
    done = edit(world, "merge", ids=pair, base_revisions=revisions, into=pair[0], name="西镇格").json()

    assert codes_of(done["changed"]) >= {SOUTH}
    assert codes_of(done["retired"]) == {NORTH}
    assert len(areas(world)) == 3
    far = ids(world, SOUTH, EAST)
    refused = edit(world, "merge", ids=far, base_revisions={far[0]: 2, far[1]: 1})
    assert (refused.status_code, "上级" in refused.json()["detail"]) == (422, True)


def test_renumbering_can_be_tried_first(world: World) -> None:
    trial = edit(world, "renumber", prefix="310199101001", dry_run=True).json()
    assert trial["sequence"] is None
    assert {one["before"] for one in trial["codes"]} <= {SOUTH, NORTH}
    missing = edit(world, "renumber", prefix="9")
    assert missing.status_code == 404


def test_neighbours_share_a_border_and_the_parent(world: World) -> None:
    [grid] = ids(world, SOUTH)
    found = world.client(OFFICER_WEST).get(f"/api/grids/police_grid/{grid}/neighbours").json()

    assert [one["properties"]["code"] for one in found["features"]] == [NORTH]


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("border", {"id": "x", "geometry": None}, 422),
        ("border", {"geometry": {"type": "Polygon", "coordinates": [HIGHER]}}, 400),
        ("split", {"id": "x", "names": "河西", "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}}, 400),
        ("merge", {"ids": ["a", "b"]}, 400),
        ("merge", {"ids": "ab", "base_revisions": {}}, 400),
        ("renumber", {"prefix": "310199101001", "dry_run": "yes"}, 400),
        ("undo", {}, 400),
        ("undo", {"sequence": 99_999}, 404),
    ],
)  # fmt: skip
def test_odd_grid_edits_are_refused(world: World, what: str, body: dict, status: int) -> None:
    answer = edit(world, what, **body)
    assert (answer.status_code, bool(answer.json()["detail"])) == (status, True), answer.text


def test_only_those_who_edit_grids_may(world: World) -> None:
    assert border(world, VIEWER).status_code == 403
    assert edit(world, "undo", VIEWER, sequence=2).status_code == 403
