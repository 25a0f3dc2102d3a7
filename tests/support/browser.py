"""What a page did while a test looked at it: foreign requests, errors, nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, Response, WebSocket

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Names resolve to nothing except our own machine: what a closed network does to a page.
CLOSED_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE ::1"
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
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.errors.append(f"page error: {error.error}"))
        context.on("page", self._on_page)

    def allow(self, pattern: str) -> None:
        self._allowed.append(re.compile(pattern))

    def unexpected_errors(self) -> list[str]:
        return [e for e in self.errors if not any(p.search(e) for p in self._allowed)]

    def assert_clean(self) -> None:
        """Fail with what the pages asked for elsewhere, and with what they complained about."""
        assert not self.foreign, f"requests to other machines: {sorted(set(self.foreign))}"
        errors = self.unexpected_errors()
        assert not errors, f"errors in the browser: {errors}"

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
