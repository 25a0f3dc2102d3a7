"""What a page did while a test looked at it: foreign requests, errors, nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    WebError,
    WebSocket,
)

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Names resolve to nothing except our own machine: what a closed network does to a page.
CLOSED_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE ::1"
# A map that stays open asks for what it shows, and somebody (often the end of a test) has just taken that away:
# the map says so in its panel, the browser in its console.
GONE = re.compile(r"status of 404 .*/api/elements/\w+/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/\w+)?\)$")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    CLOSED_NETWORK,
)


def is_foreign(url: str) -> bool:
    """Whether `url` leads to another machine; data:, blob: and about: do not."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in LOOPBACK


def forget(context: BrowserContext, origins: Iterable[str]) -> None:
    """Drop all that a context keeps, of the servers at `origins` too, but the files it was served."""
    context.unroute_all()
    for page in context.pages:
        page.close()
    context.set_offline(False)
    context.clear_cookies()
    context.clear_permissions()
    page = context.new_page()
    session = context.new_cdp_session(page)
    for origin in origins:
        # what a page may leave behind; session storage went with the page
        kinds = "local_storage,indexeddb,cache_storage,service_workers,websql,file_systems"
        session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds})
    page.close()


@dataclass
class Watch:
    """
    Records everything in a browser context that a closed network or a careful reader would trip over.

    `allow("status of 412")` names an error that the test provokes on purpose (a regular expression).
    """

    requests: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _allowed: list[re.Pattern[str]] = field(default_factory=list)

    def follow(self, context: BrowserContext) -> None:
        for event, listener in self._listeners():
            context.on(event, listener)

    def leave(self, context: BrowserContext) -> None:
        """What happens in the context from now on is somebody else's."""
        for event, listener in self._listeners():
            context.remove_listener(event, listener)

    def origins(self) -> set[str]:
        """The servers that were asked for something."""
        parts = [urlsplit(one) for one in self.requests]
        return {f"{one.scheme}://{one.netloc}" for one in parts if one.scheme in {"http", "https"}}

    def allow(self, pattern: str) -> None:
        self._allowed.append(re.compile(pattern))

    def unexpected_errors(self) -> list[str]:
        return [e for e in self.errors if not any(p.search(e) for p in (GONE, *self._allowed))]

    def assert_clean(self) -> None:
        """Fail with what the pages asked for elsewhere, and with what they complained about."""
        assert not self.foreign, f"requests to other machines: {sorted(set(self.foreign))}"
        errors = self.unexpected_errors()
        assert not errors, f"errors in the browser: {errors}"

    def _listeners(self) -> list[tuple[Any, Callable[..., None]]]:
        return [
            ("request", self._on_request),
            ("response", self._on_response),
            ("console", self._on_console),
            ("weberror", self._on_weberror),
            ("page", self._on_page),
        ]

    def _on_weberror(self, error: WebError) -> None:
        self.errors.append(f"page error: {error.error}")

    def _on_page(self, page: Page) -> None:
        page.on("websocket", self._on_websocket)
        page.on("crash", lambda _: self.errors.append("page crashed"))

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)
        if is_foreign(request.url):
            self.foreign.append(request.url)

    def _on_websocket(self, socket: WebSocket) -> None:
        if is_foreign(socket.url):
            self.foreign.append(socket.url)

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.failures.append(f"{response.status} {response.request.method} {response.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        try:
            where = message.location.get("url", "")
        except Error:
            where = ""
        self.errors.append(f"console: {message.text} ({where})")
