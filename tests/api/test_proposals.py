"""Proposals over HTTP: what one officer may not store alone reaches the other side and comes back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.conftest import World, item_path
from tests.support.district import ADMIN, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER

ACROSS = {"type": "Point", "coordinates": [121.51, 30.92]}


def propose(world: World, **body: Any) -> httpx.Response:
    """The western officer proposes to move a station over the border."""
    station = world.elements["JWZ01"]
    document = {"layer": "workstation", "id": station.id, "base_revision": 1, "geometry": ACROSS, **body}
    return world.client(OFFICER_WEST).post("/api/proposals", json=document)


@pytest.fixture
def proposal(world: World) -> dict[str, Any]:
    answer = propose(world, reason="搬到河东")
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].endswith(answer.json()["id"])
    return answer.json()


def test_a_proposal_waits_in_the_other_sides_inbox_and_in_ones_own_list(
    world: World, proposal: dict[str, Any]
) -> None:
    def box(user: Any, name: str) -> list[str]:
        answer = world.client(user).get(f"/api/proposals?box={name}")
        return [one["id"] for one in answer.json()["proposals"]]

    assert box(OFFICER_EAST, "inbox") == box(KEEPER, "inbox") == [proposal["id"]]
    assert box(OFFICER_WEST, "sent") == [proposal["id"]]
    assert box(OFFICER_WEST, "inbox") == box(OFFICER_EAST, "sent") == box(VIEWER, "inbox") == []
    assert world.client(ADMIN).get("/api/proposals?box=all").status_code == 400


def test_a_proposal_shows_the_states_before_and_after(world: World, proposal: dict[str, Any]) -> None:
    shown = world.client(OFFICER_EAST).get(f"/api/proposals/{proposal['id']}").json()

    assert (shown["reason"], shown["state"], shown["may_decide"]) == ("搬到河东", "open", True)
    assert shown["before"][0]["geometry"]["coordinates"] == [121.42, 30.92]
    assert shown["after"][0]["geometry"]["coordinates"] == [121.51, 30.92]
    assert world.client(VIEWER).get(f"/api/proposals/{proposal['id']}").status_code == 404


def test_accepting_carries_it_out_once(world: World, proposal: dict[str, Any]) -> None:
    path = f"/api/proposals/{proposal['id']}/accept"
    assert world.client(OFFICER_WEST).post(path).status_code == 403
    done = world.client(OFFICER_EAST).post(path, json={"answer": "同意"})

    assert (done.status_code, done.json()["state"], done.json()["answer"]) == (200, "accepted", "同意")
    station = world.client(ADMIN).get(item_path(world.elements["JWZ01"])).json()
    assert station["geometry"]["coordinates"] == [121.51, 30.92]
    again = world.client(KEEPER).post(path)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/proposal-closed")


def test_declining_and_withdrawing_leave_the_map_alone(world: World, proposal: dict[str, Any]) -> None:
    declined = world.client(OFFICER_EAST).post(
        f"/api/proposals/{proposal['id']}/decline", json={"answer": "不动"}
    )
    second = propose(world).json()
    assert world.client(OFFICER_EAST).post(f"/api/proposals/{second['id']}/withdraw").status_code == 403
    withdrawn = world.client(OFFICER_WEST).post(f"/api/proposals/{second['id']}/withdraw")

    assert [declined.json()["state"], withdrawn.json()["state"]] == ["declined", "withdrawn"]
    assert world.client(ADMIN).get(item_path(world.elements["JWZ01"])).headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"base_revision": 4}, 412),
        ({"base_revision": None}, 428),
        ({"layer": 3}, 400),
        ({"id": "0" * 36}, 404),
        ({"geometry": {"type": "Point", "coordinates": [121.43, 30.92]}}, 422),
        ({"geometry": {"type": "Point", "coordinates": ["x", 30.92]}}, 422),
        ({"properties": {"officer_count": -1}}, 422),
    ],
)
def test_odd_proposals_are_refused(world: World, body: dict, status: int) -> None:
    assert propose(world, **body).status_code == status
