"""
The HTTP side of the application, to stand in one process with Streamlit's pages.

>>> app = st.App(main, routes=routes(), middleware=middleware(), lifespan=lifespan)  # doctest: +SKIP

Streamlit answers any unknown path with its own page, so each of our areas ends in a problem document of ours,
and it does not put its `baseUrlPath` in front of foreign routes, so they look for it themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from types import FrameType
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, Mount, NoMatchFound, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gridmap.api import (
    collections,
    coverage,
    district,
    exports,
    features,
    files,
    grids,
    merging,
    openapi,
    packs,
    parameters,
    past,
    photos,
    presence,
    proposals,
    scenarios,
    session,
    tilesets,
)
from gridmap.api.calls import GetDistrict, Handler, Resource, nothing_here, with_problems
from gridmap.api.events import ChangeStream
from gridmap.api.security import SecurityHeaders
from gridmap.errors import GridmapError
from gridmap.services import changes, jobs
from gridmap.services.district import running
from gridmap.services.photos import MAX_BYTES
from gridmap.services.warming import Warming
from gridmap.settings import load_settings

_log = logging.getLogger("gridmap")


class Area(BaseRoute):
    """
    Everything at and below one path, such as `/api`, under the deployment's base path.

    What stands inside sees its path without the base path and without a slash at the end.
    """

    def __init__(self, get_district: GetDistrict, path: str, app: ASGIApp) -> None:
        self.path = path
        self._get_district = get_district
        self._app = app
        self._base: str | None = None

    def _base_path(self) -> str:
        if self._base is None:
            try:
                self._base = self._get_district().settings.base_path
            except GridmapError:  # no store yet: the answers will say so, but at the right address
                return load_settings().base_path
        return self._base

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request belongs here, whatever its method."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        mine = self._base_path() + self.path
        if path != mine and not path.startswith(f"{mine}/"):
            return Match.NONE, {}
        inner = path[len(mine) - len(self.path) :]
        return Match.FULL, {"path": inner.rstrip("/") or "/", "root_path": ""}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self._app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Nothing here is found by name."""
        raise NoMatchFound(name, path_params)


class _Table:
    """Collects the resources of an area."""

    def __init__(self, get_district: GetDistrict) -> None:
        self._get_district = get_district
        self.routes: list[BaseRoute] = []

    def add(
        self, path: str, handlers: Mapping[str, Handler], *, takes: Iterable[str] | None = (), **options: Any
    ) -> None:
        """One resource; query parameters other than `takes` are refused, or its handlers see to that (None)."""
        check = None if takes is None else functools.partial(parameters.only, known=tuple(takes))
        self.routes.append(Route(path, Resource(self._get_district, handlers, check=check, **options)))

    def reads(self, *rows: tuple[str, Handler], takes: Iterable[str] | None = ()) -> None:
        for path, handler in rows:
            self.add(path, {"GET": handler}, takes=takes)

    def router(self) -> Router:
        return Router(self.routes, default=nothing_here, redirect_slashes=False)


def _api(get_district: GetDistrict) -> Router:
    table = _Table(get_district)
    # a probe may say what it likes
    table.add("/api/health", {"GET": district.health}, takes=None, is_open=True)
    table.add(
        "/api/session",
        {"GET": session.who, "POST": session.sign_in, "DELETE": session.sign_out},
        is_open=True,
        is_from_anywhere=True,
        max_body=10_000,
    )
    password: dict[str, Handler] = {"POST": session.change_password}
    table.add("/api/session/password", password, is_for_unsettled=True, max_body=10_000)
    table.routes.append(Route("/api/changes", ChangeStream(get_district)))
    table.reads(
        ("/api/catalogue", district.catalogue),
        ("/api/grids/{layer}", grids.listed),
        ("/api/grids/{layer}/{id}/neighbours", grids.neighbours_of),
        ("/api/area", district.area),
        ("/api/codes/{layer}", district.next_code),
        ("/api/elements/{layer}/{id}", district.element),
        ("/api/elements/{layer}/{id}/history", district.history),
        ("/api/jobs", district.job_list),
    )
    for path, handler, takes in (
        ("/api/search", district.search, ("q", "layers", "grid", "limit")),
        ("/api/identify", district.identify, ("lon", "lat", "tolerance", "layers", "at")),
        ("/api/elements/{layer}/{id}/as-of", district.as_of, ("at",)),
        ("/api/timeline", past.timeline, ("layers", "limit")),
        ("/api/compare", past.compare, ("layers", "from", "to")),
        ("/api/export/{layer}", exports.export, None),
    ):
        table.reads((path, handler), takes=takes)
    for name, handler in (
        ("verify", district.verify),
        ("restore", district.restore),
        ("undo", district.undo),
    ):
        table.add(f"/api/elements/{{layer}}/{{id}}/{name}", {"POST": handler}, max_body=10_000)
    table.add("/api/elements/{layer}/{id}/merge", {"POST": merging.merge})
    photo = "/api/elements/{layer}/{id}/photos"
    table.add(photo, {"GET": photos.listed, "POST": photos.add}, max_body=MAX_BYTES)
    table.add(f"{photo}/{{photo}}", {"GET": photos.shown, "DELETE": photos.delete})
    _together(table)
    table.add("/api/jobs/{id}", {"GET": district.job, "DELETE": district.cancel_job})
    for path, handlers in packs.ROUTES:
        table.add(path, handlers)
    for path, handlers in (*coverage.ROUTES, *scenarios.ROUTES):
        table.add(path, handlers, takes=None)
    return table.router()


def _together(table: _Table) -> None:
    """Work that concerns several officers, or several grids at once."""
    table.add("/api/presence", {"POST": presence.be, "DELETE": presence.leave}, is_open=True, max_body=10_000)
    table.add("/api/proposals", {"GET": proposals.listed, "POST": proposals.propose}, takes=("box",))
    table.add("/api/proposals/{id}", {"GET": proposals.shown})
    for name, handler in (
        ("accept", proposals.accept), ("decline", proposals.decline), ("withdraw", proposals.withdraw),
    ):  # fmt: skip
        table.add(f"/api/proposals/{{id}}/{name}", {"POST": handler}, max_body=10_000)
    for name, handler in (
        ("border", grids.border), ("split", grids.split), ("merge", grids.merge),
        ("renumber", grids.renumber), ("undo", grids.undo),
    ):  # fmt: skip
        table.add(f"/api/grids/{{layer}}/{name}", {"POST": handler})


def _ogc(get_district: GetDistrict) -> Router:
    """The handlers know which parameters they take: for items, that depends on the layer."""
    table = _Table(get_district)
    layer = "/ogc/collections/{layer}"
    table.reads(
        ("/ogc", collections.landing),
        ("/ogc/conformance", collections.conformance),
        ("/ogc/api", openapi.document),
        ("/ogc/collections", collections.collections),
        (layer, collections.collection),
        (f"{layer}/schema", collections.schema),
        (f"{layer}/queryables", collections.queryables),
        (f"{layer}/tiles", tilesets.layer_tilesets),
        (f"{layer}/tiles/{{set}}", tilesets.layer_tileset),
        (f"{layer}/tiles/{{set}}/{{z}}/{{row}}/{{col}}", tilesets.layer_tile),
        ("/ogc/tiles", tilesets.dataset_tilesets),
        ("/ogc/tiles/{set}", tilesets.dataset_tileset),
        ("/ogc/tiles/{set}/{z}/{row}/{col}", tilesets.dataset_tile),
        ("/ogc/tileMatrixSets", tilesets.matrix_sets),
        ("/ogc/tileMatrixSets/{set}", tilesets.matrix_set),
        takes=None,
    )
    table.add(f"{layer}/items", {"GET": features.items, "POST": features.create}, takes=None)
    item: dict[str, Handler] = {
        "GET": features.item, "PUT": features.replace, "PATCH": features.update, "DELETE": features.delete,
    }  # fmt: skip
    table.add(f"{layer}/items/{{id}}", item, takes=None)
    return table.router()


def routes(get_district: GetDistrict = running) -> list[BaseRoute]:
    """The routes of data and files; nothing is opened before the first request."""
    assets = Router([Mount("/assets", files.Assets())], default=nothing_here, redirect_slashes=False)
    return [
        Area(get_district, "/api", _api(get_district)),
        Area(get_district, "/ogc", _ogc(get_district)),
        Area(get_district, "/assets", with_problems(assets)),
    ]


def middleware(get_district: GetDistrict = running) -> list[Middleware]:
    """What surrounds all of the application, Streamlit's pages too."""
    return [Middleware(SecurityHeaders, get_district)]


# --- the process -----------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def lifespan(app: Any, get_district: GetDistrict = running) -> AsyncIterator[dict[str, Any]]:
    """
    Take up jobs that an earlier process left behind, and read the layers, so that the first map need not wait
    for them, and count the district behind that; at the end, let everybody go who waits for changes.

    A district that is missing or too old is told by every page and answer, and does not keep the server down.
    """
    await run_in_threadpool(_take_up, get_district)
    warming = Warming(get_district)
    warming.start()
    with _told_to_stop(asyncio.get_running_loop()):
        yield {}
    await run_in_threadpool(warming.stop)
    await run_in_threadpool(changes.close_feeds, wait=True)


def _take_up(get_district: GetDistrict) -> None:
    try:
        running_district = get_district()
        jobs.recover(running_district)
        for layer in running_district.catalogue:
            running_district.frames.frame(layer.id)
    except GridmapError as error:
        _log.error("%s", error)


@contextlib.contextmanager
def _told_to_stop(loop: asyncio.AbstractEventLoop) -> Any:
    """
    End the open streams as soon as the server is told to stop.

    The server waits for open requests before it ends the lifespan, and a stream of changes never ends by
    itself: so listen to the signals too, before handing them on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(changes.close_feeds)
        handler = earlier[number]
        if callable(handler):
            handler(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        earlier[number] = signal.getsignal(number)
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)
