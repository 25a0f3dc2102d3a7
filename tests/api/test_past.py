"""The past over HTTP: tiles and places as they stood, two dates side by side, and when something happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import mapbox_vector_tile
import pytest

from tests.api.conftest import World, item_path, station_feature
from tests.support.district import ADMIN, KEEPER, OFFICER_WEST, START, VIEWER

TILE = "/ogc/tiles/WebMercatorQuad/8/104/214?collections=workstation"
BEFORE = (START + timedelta(minutes=5)).isoformat().replace("+", "%2B")


@pytest.fixture
def later(world: World) -> World:
    """An hour after the beginning: one station renamed, one moved, one deleted, one new."""
    world.clock.now = START + timedelta(hours=1)
    client = world.client(ADMIN)

    def patch(code: str, **change: Any) -> None:
        answer = client.patch(item_path(world.elements[code]), json=change, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text

    patch("JWZ01", properties={"name": "新名字"})
    patch("JWZ02", geometry={"type": "Point", "coordinates": [121.47, 30.97]})
    assert client.delete(item_path(world.elements["JWZ03"]), headers={"If-Match": "*"}).status_code == 204
    assert client.post("/ogc/collections/workstation/items", json=station_feature()).status_code == 201
    return world


def names(world: World, query: str = "") -> set[str]:
    answer = world.client(OFFICER_WEST).get(TILE + query)
    assert answer.status_code == 200, answer.text
    if not answer.content:
        return set()
    layer = mapbox_vector_tile.decode(answer.content)["workstation"]
    return {one["properties"]["name"] for one in layer["features"]}


def test_a_tile_of_a_time_shows_the_layer_as_it_stood(later: World) -> None:
    now, then = names(later), names(later, f"&datetime={BEFORE}")

    assert then - now == {"西镇第一警务站", "东镇第一警务站"}
    assert "新名字" in now
    assert len(then) == 6
    etags = {later.client(ADMIN).get(TILE + q).headers["ETag"] for q in ("", f"&datetime={BEFORE}")}
    assert len(etags) == 2


def test_what_was_here_is_told_as_it_was(later: World) -> None:
    def here(query: str) -> list[str]:
        path = f"/api/identify?lon=121.52&lat=30.92&tolerance=0.001&layers=workstation{query}"
        return [one["properties"]["name"] for one in later.client(OFFICER_WEST).get(path).json()["features"]]

    assert here("") == []
    assert here(f"&at={BEFORE}") == ["东镇第一警务站"]


def test_two_dates_side_by_side(later: World) -> None:
    answer = later.client(OFFICER_WEST).get(f"/api/compare?layers=workstation&from={BEFORE}")
    [layer] = answer.json()["layers"]

    assert layer["counts"] == {"added": 1, "removed": 1, "moved": 1, "changed": 1}
    assert layer["added"][0]["before"] is None
    assert layer["moved"][0]["moved_m"] == pytest.approx(955, rel=0.01)
    [change] = layer["changed"][0]["changes"]
    assert (change["title"], change["before"], change["after"]) == ("名称", "西镇第一警务站", "新名字")
    whole = later.client(OFFICER_WEST).get(f"/api/compare?from={BEFORE}").json()["layers"]
    assert not {one["layer"] for one in whole} & {"road", "barrier"}


def test_the_timeline_begins_with_the_first_commit(later: World) -> None:
    document = later.client(KEEPER).get("/api/timeline?layers=workstation&limit=3").json()

    assert document["first"] == "2026-03-02T08:00:00.000000Z"
    assert [one["actor"] for one in document["commits"]] == ["admin"] * 3
    assert document["commits"][0]["layers"] == ["警务站"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{TILE}&datetime=yesterday", 400),
        (f"{TILE}&datetime=2999-01-01T00:00:00Z", 422),
        ("/api/compare?from=2026-03-02T08:00:00Z&to=2026-03-01T08:00:00Z", 422),
        ("/api/compare", 400),
        ("/api/identify?lon=121&lat=31&layers=workstation&at=2999-01-01T00:00:00Z", 422),
    ],
)
def test_odd_times_are_refused(quiet_world: World, path: str, status: int) -> None:
    assert quiet_world.client(ADMIN).get(path).status_code == status


def test_a_viewer_sees_no_past(quiet_world: World) -> None:
    client, past = quiet_world.client(VIEWER), "2026-03-01T08:00:00Z"
    for path in (f"{TILE}&datetime={past}", f"/api/compare?from={past}", "/api/timeline"):
        assert client.get(path).status_code == 403
