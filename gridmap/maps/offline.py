"""
Maps whose scripts and style sheets all come from this server.

folium's classes name scripts at content delivery networks, and streamlit-folium shows no map at all when
the first of them cannot be had. `localise()` rewrites those class tables once, before any map is made;
`require_local()` then refuses a map that would still ask another machine for something.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import branca.colormap
import folium
from branca.element import CssLink, JavascriptLink
from folium.elements import JSCSSMixin

from gridmap.errors import GridmapError

VENDOR = Path(__file__).resolve().parents[1] / "assets" / "vendor"
ASSETS = "/assets/"
BASE = "/assets/vendor/"

# File name at the network -> path below the vendor folder. None: not loaded at all, because nothing on our
# maps uses it (Bootstrap restyles the page, the icon fonts serve folium.Icon, which we replace by SVG symbols).
REPLACEMENTS: dict[str, str | None] = {
    "leaflet.js": "leaflet/leaflet.js",
    "leaflet.css": "leaflet/leaflet.css",
    # folium builds popups with it.
    "jquery-3.7.1.min.js": "jquery/jquery.min.js",
    "bootstrap.bundle.min.js": None,
    "bootstrap.min.css": None,
    "bootstrap-glyphicons.css": None,
    "all.min.css": None,
    "leaflet.awesome-markers.js": None,
    "leaflet.awesome-markers.css": None,
    "leaflet.awesome.rotate.min.css": None,
}
DEFAULTS_NAME = "leaflet_defaults"


class ForeignAssetError(GridmapError):
    """
    A map would make the browser ask another machine for a script or a style sheet.

    Attributes
    ----------
    addresses : what it would fetch, each with the class that asks for it
    """

    status = 500
    title = "地图引用了外部网络资源,已停止显示"


def _is_foreign(url: str) -> bool:
    return bool(urlsplit(url).netloc)


def _subclasses(cls: type) -> Iterator[type]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


def _local(url: str, base: str) -> str | None:
    """The local address for `url`: itself when we know no better, None when it is not needed."""
    if url.startswith(ASSETS) and not url.startswith(base):
        # Our own plugin classes are written for a server at the root of its host.
        root = base.removesuffix("vendor/")
        return root + url.removeprefix(ASSETS)
    if not _is_foreign(url):
        return url
    replacement = REPLACEMENTS.get(urlsplit(url).path.rsplit("/", 1)[-1], url)
    return replacement if replacement is None or _is_foreign(replacement) else base + replacement


def _rewritten(table: list[tuple[str, str]], base: str) -> list[tuple[str, str]]:
    return [(name, _versioned(url, base)) for name, old in table if (url := _local(old, base)) is not None]


def _versioned(url: str, base: str) -> str:
    """The address of a vendored file with its fingerprint, so that browsers keep it until it changes."""
    file = VENDOR / url.removeprefix(base)
    if not url.startswith(base) or "?" in url or not file.is_file():
        return url
    return f"{url}?v={hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


def localise(base: str = BASE) -> None:
    """
    Point folium's tables of scripts and style sheets at this server, once per process; again is harmless.

    Plugin classes must be imported before. Those without a local replacement keep their foreign address
    and are refused by `require_local` when a map uses them.

    Parameters
    ----------
    base : address of the vendor folder, ending in "vendor/"; with a path in front when the application does
        not live at the root of its host
    """
    if not base.endswith("vendor/"):
        raise ValueError(f"base must end in 'vendor/', not {base!r}")
    for cls in {folium.Map, JSCSSMixin, *_subclasses(JSCSSMixin)}:
        for table in ("default_js", "default_css"):
            if table in vars(cls):
                setattr(cls, table, _rewritten(vars(cls)[table], base))
    scripts = [entry for entry in folium.Map.default_js if entry[0] != DEFAULTS_NAME]
    after_leaflet = 1 + next(i for i, (name, _) in enumerate(scripts) if name == "leaflet")
    scripts.insert(after_leaflet, (DEFAULTS_NAME, base.removesuffix("vendor/") + "leaflet-defaults.js"))
    folium.Map.default_js = scripts


def _walk(element: Any) -> Iterator[Any]:
    yield element
    for child in getattr(element, "_children", {}).values():
        yield from _walk(child)
    if header := getattr(element, "header", None):
        yield from _walk(header)


def foreign_addresses(element: Any, *, allowed_tiles: Collection[str] = ()) -> list[str]:
    """
    Every script, style sheet or tile address on another machine that `element` and its children name.

    Each entry is "<class>: <address>"; empty for a map that works without any network. Tile addresses in
    `allowed_tiles` (those that a deployment's settings name) do not count.
    """
    found: list[str] = []
    for part in _walk(element):
        links = [url for _, url in (*getattr(part, "default_js", []), *getattr(part, "default_css", []))]
        if isinstance(part, (JavascriptLink, CssLink)):
            links.append(part.url)
        if isinstance(part, folium.TileLayer) and part.tiles not in allowed_tiles:
            links.append(part.tiles)
        found += [f"{type(part).__name__}: {url}" for url in links if _is_foreign(url)]
        if isinstance(part, branca.colormap.ColorMap):
            # streamlit-folium adds a drawing library's address for every colour map, whatever we do.
            found.append(f"{type(part).__name__}: a drawing library that streamlit-folium adds")
    return list(dict.fromkeys(found))


def require_local(element: Any, *, allowed_tiles: Collection[str] = ()) -> None:
    """
    Refuse a map that needs another machine, other than the tile servers in `allowed_tiles`.

    Raises
    ------
    ForeignAssetError
        `error.addresses` says which class asks for what.
    """
    if addresses := foreign_addresses(element, allowed_tiles=allowed_tiles):
        raise ForeignAssetError(
            f"the map would fetch {len(addresses)} foreign files, first {addresses[0]}; vendor the file and add it to "
            "gridmap.maps.offline.REPLACEMENTS, or use another class",
            addresses=addresses,
        )
