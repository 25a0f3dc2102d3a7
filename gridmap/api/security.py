"""
What every response carries: pure ASGI middleware around all of the application.

Streamlit's own pages and the frames of its components pass through here too; WebSockets and the content of
streams are not touched.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gridmap.api.calls import BadRequest, GetDistrict, refusal
from gridmap.errors import GridmapError
from gridmap.settings import Settings, TileSource

_HSTS = "max-age=31536000"
_PLAIN = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), fullscreen=(self), camera=(), microphone=(), payment=(), usb=()",
}
# Data is never a page: should a browser show it as one, nothing in it runs.
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


def content_security_policy(tile_sources: tuple[TileSource, ...] = ()) -> str:
    """
    The policy of pages: nothing from anywhere but this server, and background tiles from where they are set up.

    Tried with each source taken away: streamlit-folium's frame runs inline scripts, Streamlit styles by
    attributes and brings its icons' font in its style sheet. Its charts and the map's messages evaluate text
    ('unsafe-eval'), its charts and maps work in blob workers. No other host is named: an injected script
    could reach this server alone.
    """
    hosts = sorted({host for one in tile_sources if (host := _host(one.url))})
    return "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            " ".join(["img-src 'self' data: blob:", *hosts]),
            "font-src 'self' data:",
            # background tiles in another datum are fetched, to be drawn where they belong
            " ".join(["connect-src 'self'", *hosts]),
            "worker-src 'self' blob:",
            "media-src 'self' data: blob:",
            "frame-ancestors 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
        ]
    )


def _host(url: str) -> str | None:
    """Scheme and host of a tile template; None when it leads to this server."""
    parts = urlsplit(url.replace("{s}", "*"))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class _Deployment:
    """The settings, as soon as there is a district; until then what needs none."""

    def __init__(self, get_district: GetDistrict) -> None:
        self._get_district = get_district
        self._settings: Settings | None = None

    async def settings(self) -> Settings | None:
        if self._settings is None:
            try:
                self._settings = (await run_in_threadpool(self._get_district)).settings
            except GridmapError:
                return None
        return self._settings


class SecurityHeaders:
    """Adds the security headers to every HTTP response that does not bring its own."""

    def __init__(self, app: ASGIApp, get_district: GetDistrict) -> None:
        self.app = app
        self._deployment = _Deployment(get_district)
        self._page_policy: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        settings = await self._deployment.settings()
        is_data = is_below(scope, settings, "/api", "/ogc")
        headers = self._headers(settings, is_data=is_data)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in headers.items():
                    given.setdefault(name, value)
            await send(message)

        if _is_odd(scope["path"]) and is_below(_plain(scope), settings, "/api", "/ogc", "/assets"):
            # Streamlit would refuse it too, but not as a problem document
            error = BadRequest(
                "the path climbs, begins with two slashes or holds control characters", zh="地址格式有误。"
            )
            await refusal(error)(scope, receive, with_headers)
        else:
            await self.app(scope, receive, with_headers)

    def _headers(self, settings: Settings | None, *, is_data: bool) -> dict[str, str]:
        headers = dict(_PLAIN)
        if is_data:
            headers["Content-Security-Policy"] = _DATA_POLICY
        elif settings is None:
            headers["Content-Security-Policy"] = content_security_policy()
        else:
            self._page_policy = self._page_policy or content_security_policy(settings.tile_sources)
            headers["Content-Security-Policy"] = self._page_policy
        if settings is not None and settings.secure_cookies:
            headers["Strict-Transport-Security"] = _HSTS
        return headers


def _is_odd(path: str) -> bool:
    climbs = ".." in path.replace("\\", "/").split("/")
    return climbs or not path.isprintable() or path.startswith("//")


def _plain(scope: Scope) -> Scope:
    """The request as if its path began with one slash."""
    return {**scope, "path": f"/{scope['path'].lstrip('/')}"}


def is_below(scope: Scope, settings: Settings | None, *prefixes: str) -> bool:
    """Whether the request's path is one of these or below one, under the deployment's base path."""
    path = local_path(scope, settings)
    return path is not None and any(path == one or path.startswith(f"{one}/") for one in prefixes)


def local_path(scope: Scope, settings: Settings | None) -> str | None:
    """The path below the deployment's base path; None for one outside it."""
    path: str = scope["path"]
    base = settings.base_path if settings is not None else ""
    if not base:
        return path
    return path[len(base) :] or "/" if path == base or path.startswith(f"{base}/") else None
