"""The areas of the HTTP side: every address in them answers in JSON, whatever is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridmap.api import app as calls_app
from tests.api.conftest import World
from tests.support.district import ADMIN, VIEWER

PROBLEM = "application/problem+json"
UNKNOWN = [
    "/api",
    "/api/",
    "/api/nothing",
    "/api/elements",
    "/ogc/nothing",
    "/ogc/collections/road/none",
    "/assets/none.js",
]


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_address_is_a_problem_document(quiet_world: World, path: str) -> None:
    answer = quiet_world.client(ADMIN).get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert answer.json()["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/catalogue", "GET, HEAD, OPTIONS"),
        ("PUT", "/api/session", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/ogc/collections/road/items", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/api/changes", "GET, OPTIONS"),
        ("PATCH", "/assets/leaflet-defaults.js", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_a_problem_document_that_lists_the_right_ones(
    quiet_world: World, method: str, path: str, allowed: str
) -> None:
    answer = quiet_world.client(ADMIN).request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
    assert answer.headers["allow"] == allowed


def test_options_lists_the_methods_without_a_session(quiet_world: World) -> None:
    answer = quiet_world.client().options("/ogc/collections/road/items")

    assert answer.status_code == 204
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_head_answers_as_get_without_the_content(quiet_world: World) -> None:
    client = quiet_world.client(ADMIN)

    assert client.head("/ogc/collections").headers["content-type"] == "application/json"
    assert client.head("/ogc/nothing").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/api/catalogue", "/api/jobs", "/ogc/", "/ogc/api", "/ogc/collections/road/items", "/api/changes"],
)
def test_nothing_is_told_to_a_stranger(quiet_world: World, path: str) -> None:
    answer = quiet_world.client().get(path)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_health_needs_no_session_and_tells_the_commit_only_to_people(quiet_world: World) -> None:
    stranger, viewer = (quiet_world.client(who).get("/api/health").json() for who in (None, VIEWER))

    assert stranger.keys() == {"status", "version", "database"}
    assert viewer["sequence"] == quiet_world.district.database.sequence()
    assert (viewer["status"], viewer["database"]) == ("ok", "gpkg")


def test_everything_moves_below_the_base_path(quiet_world: World) -> None:
    world = quiet_world.with_settings(base_path="/wangge")
    client = world.client(ADMIN)

    assert client.get("/wangge/api/health").json()["status"] == "ok"
    assert client.get("/wangge/ogc").json()["links"][0]["href"] == "http://map.example/wangge/ogc/"
    assert client.get("/wangge/api/none").headers["content-type"] == PROBLEM
    assert client.get("/wangge/assets/leaflet-defaults.js").status_code == 200
    assert client.get("/api/health").status_code == 404
    assert client.get("/wanggexx/api/health").status_code == 404


def test_forwarded_headers_count_only_behind_a_proxy_of_ours(quiet_world: World) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "wangge.example"}

    def self_link(world: World) -> str:
        return world.client(ADMIN).get("/ogc", headers=headers).json()["links"][0]["href"]

    assert self_link(quiet_world) == "http://map.example/ogc/"
    assert self_link(quiet_world.with_settings(trusts_proxy=True)) == "https://wangge.example/ogc/"


def test_a_host_that_is_none_never_reaches_a_link(quiet_world: World) -> None:
    answer = quiet_world.client(ADMIN).get("/ogc", headers={"Host": 'evil"><script>'})

    assert answer.json()["links"][0]["href"] == "http://localhost/ogc/"


def test_assets_are_kept_for_good_only_with_their_version(quiet_world: World) -> None:
    client = quiet_world.client()
    plain, versioned = (client.get(f"/assets/leaflet-defaults.js{query}") for query in ("", "?v=1a2b"))

    assert plain.headers["cache-control"] == "no-cache"
    assert "immutable" in versioned.headers["cache-control"]
    assert (
        client.get(
            "/assets/leaflet-defaults.js", headers={"If-None-Match": plain.headers["etag"]}
        ).status_code
        == 304
    )
    assert client.get("/assets/%2e%2e/errors.py").status_code == 400


def test_every_route_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
    tables = [calls_app._api(lambda: None), calls_app._ogc(lambda: None)]  # type: ignore[arg-type,return-value]
    paths = [route.path for table in tables for route in table.routes]

    assert [path for path in paths if path not in text] == []
