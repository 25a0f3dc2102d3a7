"""Presence over HTTP and in the stream: who edits is told of to those who edit, by display name, and is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import World
from tests.api.serving import serving
from tests.api.test_events import Stream, listen
from tests.support.district import ANALYST, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER


def be(world: World, who: Any, client: str = "map-of-mine", **body: Any) -> list[dict[str, Any]]:
    answer = world.client(who).post("/api/presence", json={"client": client, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()["people"]


def test_people_hear_of_each_other_by_name_element_and_grid(either_world: World) -> None:
    world = either_world
    station = world.elements["JWZ01"]
    be(world, OFFICER_WEST, layer="workstation", id=station.id, editing=True)
    [mine, theirs] = sorted(be(world, KEEPER, lon=121.55, lat=30.97), key=lambda one: not one["is_me"])

    assert (mine["grid"]["code"], mine["id"], mine["editing"]) == ("310199102001002", None, False)
    assert theirs["display_name"] == OFFICER_WEST.display_name
    assert (theirs["id"], theirs["title"], theirs["editing"]) == (station.id, station.name, True)
    assert theirs["grid"] == {"code": "310199101001001", "name": "西镇一格"}
    assert "username" not in theirs


def test_a_map_that_falls_silent_or_says_goodbye_is_forgotten(world: World) -> None:
    be(world, OFFICER_WEST)
    be(world, OFFICER_EAST)
    gone = world.client(OFFICER_WEST).request("DELETE", "/api/presence", json={"client": "map-of-mine"})
    assert gone.status_code == 204
    assert [one["display_name"] for one in be(world, KEEPER)] == [
        KEEPER.display_name,
        OFFICER_EAST.display_name,
    ]
    world.clock.now += timedelta(seconds=46)
    assert [one["display_name"] for one in be(world, KEEPER)] == [KEEPER.display_name]


def test_those_who_cannot_edit_are_neither_told_nor_told_of(world: World) -> None:
    be(world, OFFICER_WEST)
    assert be(world, VIEWER) == []
    assert [one["display_name"] for one in be(world, ANALYST)] == [
        ANALYST.display_name,
        OFFICER_WEST.display_name,
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"client": "x"}, 400),
        ({"client": "<script>"}, 400),
        ({"client": "map-of-mine", "lon": 121.5}, 400),
        ({"client": "map-of-mine", "lon": 500, "lat": 0}, 400),
        ({"client": "map-of-mine", "layer": "nothing", "id": "x"}, 404),
    ],
)
def test_odd_heartbeats_are_refused(world: World, body: dict, status: int) -> None:
    assert world.client(OFFICER_WEST).post("/api/presence", json=body).status_code == status


def test_a_heartbeat_needs_a_session_and_does_not_keep_it_alive(world: World) -> None:
    assert world.client().post("/api/presence", json={"client": "map-of-mine"}).status_code == 401
    browser = world.browser(OFFICER_WEST)
    for _ in range(4):
        world.clock.advance(minutes=10)
        answer = browser.post("/api/presence", json={"client": "map-of-mine"})
    assert answer.status_code == 401


def test_somebodys_coming_and_going_is_told_in_the_stream(world: World) -> None:
    with serving(world.app()) as url, listen(world, url, who=KEEPER) as response:
        stream = Stream(response)
        assert stream.next()[0] == "hello"
        be(world, OFFICER_WEST, lon=121.41, lat=30.91)
        name, data, number = stream.next()
        assert (name, number) == ("presence", None)
        assert [one["display_name"] for one in data["people"]] == [OFFICER_WEST.display_name]
        world.client(OFFICER_WEST).request("DELETE", "/api/presence", json={"client": "map-of-mine"})
        assert stream.next()[:2] == ("presence", {"people": []})
