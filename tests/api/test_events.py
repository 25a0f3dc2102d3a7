"""The stream of changes, over a real server on loopback: prompt, honest about sessions, quick to end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gridmap.api import events
from gridmap.services import accounts, changes
from tests.api.conftest import World, item_path
from tests.api.serving import serving
from tests.support.district import ADMIN, VIEWER


@pytest.fixture
def served(world: World) -> Iterator[tuple[World, str]]:
    with serving(world.app()) as url:
        yield world, url
        changes.close_feeds(wait=True)


class Stream:
    """Reads events one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def next(self) -> tuple[str, Any, str | None]:
        """Name, data and id of the next event; a comment comes as its text."""
        name, data, number = "", None, None
        for line in self._lines:
            if line.startswith(":"):
                return "comment", line, None
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif line.startswith("id: "):
                number = line[4:]
            elif name:
                return name, data, number
        return "closed", None, None


def listen(world: World, url: str, query: str = "", who: Any = ADMIN, **headers: str) -> Any:
    all_headers = {"Authorization": f"Bearer {world.tokens[who.username]}", **headers}
    return httpx.stream("GET", f"{url}/api/changes{query}", headers=all_headers, timeout=20)


def rename(world: World, code: str, name: str) -> None:
    answer = world.client(ADMIN).patch(
        item_path(world.elements[code]), json={"properties": {"name": name}}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 200


def test_a_commit_arrives_with_its_number(served: tuple[World, str]) -> None:
    world, url = served
    with listen(world, url) as response:
        stream = Stream(response)
        assert response.headers["content-type"].startswith("text/event-stream")
        assert stream.next() == ("hello", {"sequence": 2}, "2")
        rename(world, "JWZ01", "改名")
        name, data, number = stream.next()

    assert (name, number, data["sequence"]) == ("change", "3", 3)
    assert data["changes"] == [
        {
            "layer": "workstation",
            "id": world.elements["JWZ01"].id,
            "revision": 2,
            "operation": "update",
            "operation_title": "修改",
            "actor": "admin",
            "actor_name": "示例管理员",
            "boxes": [list(world.elements["JWZ01"].geometry.bounds)],
        }
    ]


def test_a_move_tells_where_the_element_was_and_where_it_is(served: tuple[World, str]) -> None:
    world, url = served
    station = world.elements["JWZ01"]
    x, y = station.geometry.coords[0]
    with listen(world, url) as response:
        stream = Stream(response)
        stream.next()
        moved = {"geometry": {"type": "Point", "coordinates": [x + 0.001, y]}}
        path, headers = item_path(station), {"If-Match": "*"}
        assert world.client(ADMIN).patch(path, json=moved, headers=headers).status_code == 200
        _, data, _ = stream.next()

    (change,) = data["changes"]
    assert change["boxes"] == [[x, y, x, y], [x + 0.001, y, x + 0.001, y]]


@pytest.mark.parametrize(("query", "headers"), [("?since=2", {}), ("?since=0", {"Last-Event-ID": "2"})])
def test_who_was_away_hears_what_was_missed(
    served: tuple[World, str], query: str, headers: dict[str, str]
) -> None:
    world, url = served
    rename(world, "JWZ01", "改名")
    with listen(world, url, query, **headers) as response:
        stream = Stream(response)
        assert stream.next()[1] == {"sequence": 3}
        assert [one["revision"] for one in stream.next()[1]["changes"]] == [2]


def test_too_much_to_tell_asks_for_loading_anew(
    served: tuple[World, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, url = served
    monkeypatch.setattr(changes, "MOST_CHANGES", 3)
    with listen(world, url, "?since=0") as response:
        stream = Stream(response)
        stream.next()
        assert stream.next()[1] == {"sequence": 2, "reload": True, "changes": []}


def test_a_hidden_layer_moves_only_the_number(served: tuple[World, str]) -> None:
    world, url = served
    with listen(world, url, who=VIEWER) as response:
        stream = Stream(response)
        stream.next()
        rename(world, "FX0001", "改名")
        assert stream.next()[1] == {"sequence": 3, "changes": []}


def test_an_idle_stream_sends_heartbeats(served: tuple[World, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    with listen(*served) as response:
        stream = Stream(response)
        assert [stream.next()[0] for _ in range(3)] == ["hello", "comment", "comment"]


def test_a_stream_ends_with_its_session(served: tuple[World, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    world, url = served
    with listen(world, url, who=VIEWER) as response:
        stream = Stream(response)
        stream.next()
        accounts.set_active(world.district, accounts.CONSOLE, "viewer", False)
        last = [stream.next() for _ in range(200)]
    ended = next(one for one in last if one[0] != "comment")
    assert ended[:2] == ("end", {"status": 401, "detail": ended[1]["detail"]})
    assert last[-1][0] == "closed"


def test_listening_does_not_keep_a_session_alive(
    served: tuple[World, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    world, url = served
    cookies = dict(world.browser(VIEWER).cookies)
    with httpx.stream("GET", f"{url}/api/changes", cookies=cookies, timeout=20) as response:
        stream, names = Stream(response), []
        for _ in range(3):
            names += [stream.next()[0], stream.next()[0]]
            assert "end" not in names
            world.clock.advance(minutes=11)
        names = [stream.next()[0] for _ in range(100)]
    assert "end" in names


def test_many_listeners_share_one_thread(served: tuple[World, str]) -> None:
    world, url = served
    before = threading.active_count()
    streams = [listen(world, url) for _ in range(5)]
    responses = [one.__enter__() for one in streams]
    readers = [Stream(one) for one in responses]
    for one in readers:
        one.next()
    watching = [one for one in threading.enumerate() if one.name == "changes"]
    rename(world, "JWZ01", "改名")
    assert [one.next()[1]["sequence"] for one in readers] == [3] * 5
    for one in streams:
        one.__exit__(None, None, None)

    assert len(watching) == 1
    assert threading.active_count() < before + 30


def test_streams_end_when_the_feeds_close(served: tuple[World, str]) -> None:
    world, url = served
    with listen(world, url) as response:
        stream = Stream(response)
        stream.next()
        changes.close_feeds()
        assert stream.next()[0] == "closed"
