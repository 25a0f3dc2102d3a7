"""Saving with a merge over HTTP: silent where it can be, three states where it cannot, once however often sent."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gridmap.domain.elements import Element
from tests.api.conftest import World, item_path
from tests.support.district import ADMIN, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER


def merge(world: World, who: Any, one: Element, *, key: str = "", **body: Any) -> httpx.Response:
    document, headers = {"base_revision": 1, **body}, {"Idempotency-Key": key} if key else {}
    path = f"/api/elements/{one.layer}/{one.id}/merge"
    return world.client(who).post(path, json=document, headers=headers)


@pytest.fixture
def station(world: World) -> Element:
    return world.elements["JWZ01"]


def test_different_fields_merge_and_the_receipt_names_what_others_changed(
    world: World, station: Element
) -> None:
    assert merge(world, KEEPER, station, properties={"name": "改名"}).json()["merged_fields"] == []
    answer = merge(world, OFFICER_WEST, station, properties={"officer_count": 9}, reason="走访")

    document = answer.json()
    assert answer.status_code == 200
    assert answer.headers["ETag"] == document["etag"] == '"3"'
    assert document["merged_fields"] == ["name"]
    properties = document["feature"]["properties"]
    assert (properties["name"], properties["officer_count"]) == ("改名", 9)


def test_the_same_field_is_a_conflict_with_three_states_and_stores_nothing(
    world: World, station: Element
) -> None:
    merge(world, KEEPER, station, properties={"officer_count": 5, "name": "他们的"})
    answer = merge(world, OFFICER_WEST, station, properties={"officer_count": 9})

    document = answer.json()
    assert (answer.status_code, answer.headers["ETag"]) == (409, '"2"')
    assert document["type"] == "/problems/merge-conflict"
    assert document["fields"] == ["officer_count"]
    counts = [document[side]["properties"]["officer_count"] for side in ("base", "mine", "theirs")]
    assert counts == [3, 9, 5]
    assert (document["updated_by"], document["is_deleted"]) == ("keeper", False)
    assert world.client(ADMIN).get(item_path(station)).headers["ETag"] == '"2"'


@pytest.mark.parametrize(("side", "count"), [("mine", 9), ("theirs", 5)])
def test_a_choice_settles_a_conflict_either_way(
    world: World, station: Element, side: str, count: int
) -> None:
    merge(world, KEEPER, station, properties={"officer_count": 5})
    mine = {"officer_count": 9, "vehicle_count": 2}
    answer = merge(world, OFFICER_WEST, station, properties=mine, choices={"officer_count": side})

    properties = answer.json()["feature"]["properties"]
    assert (properties["officer_count"], properties["vehicle_count"]) == (count, 2)


def test_an_edit_sent_twice_is_stored_once_and_says_so(world: World, station: Element) -> None:
    first = merge(world, OFFICER_WEST, station, properties={"officer_count": 9})
    again = merge(world, OFFICER_WEST, station, properties={"officer_count": 9})

    assert (first.json()["etag"], again.json()["etag"]) == ('"2"', '"2"')
    assert again.json()["merged_fields"] == []
    assert (first.json()["is_unchanged"], again.json()["is_unchanged"]) == (False, True)


def test_an_edit_sent_again_with_its_key_brings_its_own_receipt(world: World, station: Element) -> None:
    mine = {"properties": {"officer_count": 9}, "key": "tablet-7/46"}
    first = merge(world, OFFICER_WEST, station, **mine)
    merge(world, KEEPER, station, base_revision=2, properties={"officer_count": 5})
    again = merge(world, OFFICER_WEST, station, **mine)

    assert (again.status_code, again.headers["ETag"], again.json()) == (200, '"2"', first.json())
    assert world.client(ADMIN).get(item_path(station)).json()["properties"]["officer_count"] == 5


def test_an_edit_of_a_deleted_element_is_a_conflict(world: World, station: Element) -> None:
    world.client(KEEPER).delete(item_path(station), headers={"If-Match": "*"})
    answer = merge(world, OFFICER_WEST, station, properties={"officer_count": 9})

    assert answer.status_code == 409
    assert answer.json()["is_deleted"] is True
    assert "示例网格管理员 删除" in answer.json()["detail"]


def test_a_move_across_the_border_is_refused_with_a_hint_that_it_can_be_proposed(
    world: World, station: Element
) -> None:
    across = {"type": "Point", "coordinates": [121.51, 30.92]}
    answer = merge(world, OFFICER_WEST, station, geometry=across)
    elsewhere = merge(world, OFFICER_EAST, station, properties={"officer_count": 9})

    assert (answer.status_code, answer.json()["may_propose"]) == (403, True)
    assert (elsewhere.status_code, elsewhere.json()["may_propose"]) == (403, False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"base_revision": "1"}, 400),
        ({"base_revision": True}, 400),
        ({"choices": {"name": "ours"}}, 400),
        ({"choices": ["name"]}, 400),
        ({"base_revision": None}, 428),
        ({"base_revision": 7}, 404),
        ({"properties": {"officer_count": -1}}, 422),
        ({"properties": {"unknown": 1}}, 422),
    ],
)
def test_odd_bodies_are_refused_in_words(world: World, station: Element, body: dict, status: int) -> None:
    answer = merge(
        world,
        OFFICER_WEST,
        station,
        **{
            "properties": {"officer_count": 9},
        }
        | body,
    )

    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_a_viewer_may_not(world: World, station: Element) -> None:
    answer = merge(world, VIEWER, station, properties={"officer_count": 9})

    assert (answer.status_code, answer.json()["may_propose"]) == (403, False)
