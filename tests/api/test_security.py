"""Headers on every response, and a policy that names nobody else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from gridmap.api import app as api
from gridmap.api.security import content_security_policy
from gridmap.settings import TileSource
from tests.api.conftest import TestClient, World
from tests.support.district import ADMIN


def page_server(world: World, *, reads: list[str] | None = None) -> TestClient:
    """Something beside our routes, as Streamlit is."""

    async def page(request: Any) -> PlainTextResponse:
        return PlainTextResponse("page", headers={"X-Frame-Options": "DENY"})

    async def stream(request: Any) -> StreamingResponse:
        async def words() -> Any:
            for one in ("a", "b", "c"):
                yield one

        return StreamingResponse(words())

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text() + "!")
        await websocket.close()

    def get_district() -> Any:
        return world.district

    routes = [
        *api.routes(get_district),
        WebSocketRoute("/_stcore/stream", socket),
        Route("/stream", stream),
        Route("/{path:path}", page),
    ]
    return TestClient(Starlette(routes=routes, middleware=api.middleware(get_district)))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/map",
        "/static/x.js",
        "/api/health",
        "/api/none",
        "/ogc",
        "/assets/none",
        "/assets/leaflet-defaults.js",
    ],
)
def test_every_response_carries_the_headers(quiet_world: World, path: str) -> None:
    headers = page_server(quiet_world).get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["content-security-policy"]
    assert "strict-transport-security" not in headers
    assert ("frame-ancestors 'none'" in headers["content-security-policy"]) == path.startswith(
        ("/api", "/ogc")
    )


@pytest.mark.parametrize("path", ["/api/..%2f..%2fetc", "/ogc/collections/..%5c..", "/api/%00", "/ogc/a%0ab"])
def test_a_path_that_climbs_is_a_problem_document_before_anybody_else_sees_it(
    quiet_world: World, path: str
) -> None:
    answer = page_server(quiet_world).get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_response_keeps_what_it_says_itself(quiet_world: World) -> None:
    assert page_server(quiet_world).get("/map").headers["x-frame-options"] == "DENY"


def test_tls_is_insisted_on_where_cookies_are_secure(quiet_world: World) -> None:
    headers = page_server(quiet_world.with_settings(secure_cookies=True)).get("/map").headers

    assert headers["strict-transport-security"].startswith("max-age=")


def test_streams_and_sockets_pass_untouched(quiet_world: World) -> None:
    client = page_server(quiet_world)

    assert client.get("/stream").text == "abc"
    with client.websocket_connect("/_stcore/stream") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello!"


def test_the_policy_names_no_host_but_the_tile_sources() -> None:
    sources = (
        TileSource("内网", "https://tiles.example/{z}/{x}/{y}.png"),
        TileSource("另一", "http://user:secret@maps.example:8080/{s}/{z}/{x}/{y}.png"),
        TileSource("本机", "/tiles/{z}/{x}/{y}.png"),
        TileSource("坏", "javascript:alert(1)"),
    )
    bare, policy = content_security_policy(), content_security_policy(sources)

    assert not re.search(r"https?:|wss?:|\*", bare)
    assert re.findall(r"https?://[^ ;]+", policy) == 2 * ["http://maps.example:8080", "https://tiles.example"]
    assert "secret" not in policy
    assert "javascript" not in policy
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["frame-ancestors"] == "'self'"
    assert parts["object-src"] == "'none'"
    assert parts["img-src"] == "'self' data: blob: http://maps.example:8080 https://tiles.example"


def test_tile_sources_of_the_deployment_reach_its_policy(quiet_world: World) -> None:
    world = quiet_world.with_settings(
        tile_sources=(TileSource("内网", "https://tiles.example/{z}/{x}/{y}.png"),)
    )

    assert "https://tiles.example" in page_server(world).get("/map").headers["content-security-policy"]
    source = world.client(ADMIN).get("/api/catalogue").json()["tile_sources"][0]
    assert source.keys() == {"title", "url", "datum", "max_zoom", "attribution"}
