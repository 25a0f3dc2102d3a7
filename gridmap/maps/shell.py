"""
The folium map of the map page: a shell whose generated script never changes.

What the shell shows travels over the server's own routes, fetched by our scripts in `gridmap/assets/map`.
Because the generated script is the same at every run of the page, the map keeps its place, its zoom and
whatever somebody is typing, whatever Streamlit does around it.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

import folium
from folium.elements import JSCSSMixin
from folium.template import Template

from gridmap.maps import offline
from gridmap.maps.styles import map_style

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "map"
# For the page around the map: the frame takes the whole window below the header.
FRAME_STYLE = FOLDER / "frame.css"
# The frame lives two levels below the application's root, so this holds under any path in front of it.
BASE = "../../assets/vendor/"
MAX_ZOOM = 20

# The first is loaded with the map and loads the others, in this order: each uses only those before it.
BOOT = "boot"
SCRIPTS = (
    "core", "icons", "api", "datum", "symbols", "tiles", "store", "dialogs", "form", "pending", "conflict",
    "select", "details", "history", "photos", "shape", "edit", "presence", "proposals", "grids", "past", "compare",
    "area", "listbox", "chooser", "layers", "search", "live", "main",
)  # fmt: skip
# What the map of the coverage page has beside these; they come before the last, which opens the map.
COVERAGE_SCRIPTS = ("coverage-marks", "coverage", "whatif")
# The same for maps that show to a room instead of being worked on, by their mode.
SHOW_SCRIPTS = {
    "overview": ("scene", "overview"),
    "present": ("scene", "swipe", "present"),
    "story": ("scene", "story"),
}


def asset_version(folder: Path = FOLDER) -> str:
    """A short fingerprint of our scripts and styles: browsers keep them until it changes."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in {".js", ".css"}:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


class MapApplication(JSCSSMixin, folium.MacroElement):
    """
    Our map application as a folium plugin: layers, search, details, editing, live refresh.

    Everything it needs beside the server's answers is `options`, which must be the same at every run.
    """

    _template = Template("""
        {% macro script(this, kwargs) %}
            Gridmap.start({{ this._parent.get_name() }}, {{ this.options | tojson }});
        {% endmacro %}
    """)

    default_js = [
        ("leaflet_geoman", "/assets/vendor/leaflet-geoman/leaflet-geoman.min.js"),
        ("protomaps_leaflet", "/assets/vendor/protomaps-leaflet/protomaps-leaflet.js"),
        ("gridmap_boot", f"/assets/map/{BOOT}.js?v={asset_version()}"),
    ]
    default_css = [
        ("leaflet_geoman_css", "/assets/vendor/leaflet-geoman/leaflet-geoman.css"),
        ("gridmap_css", f"/assets/map/map.css?v={asset_version()}"),
        ("gridmap_show_css", f"/assets/map/show.css?v={asset_version()}"),
        ("gridmap_coverage_css", f"/assets/map/coverage.css?v={asset_version()}"),
    ]

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self._name = "MapApplication"
        self.options = options


@functools.cache
def _localised() -> None:
    offline.localise(BASE)


def scripts_of(mode: str) -> tuple[str, ...]:
    """The scripts that a page's map starts, in order."""
    more = COVERAGE_SCRIPTS if mode == "coverage" else SHOW_SCRIPTS.get(mode, ())
    return (*SCRIPTS[:-1], *more, SCRIPTS[-1])


def make_map(*, mode: str = "map") -> folium.Map:
    """
    The map of a page, to be handed to streamlit-folium; two calls generate the same script.

    Parameters
    ----------
    mode : what the page is for; the application shows the tools that belong to it ("map": all of them)

    Raises
    ------
    ForeignAssetError
        A script or style sheet would come from another machine.
    """
    _localised()
    chart = folium.Map(
        location=[31.0, 121.5],
        zoom_start=11,
        tiles=None,
        zoom_control=False,
        attribution_control=False,
    )
    # Without tiles folium drops these two, and Leaflet would not know where to stop.
    chart.options.update(max_zoom=MAX_ZOOM, min_zoom=3)
    chart._id = "gridmap"
    application = MapApplication(
        {"mode": mode, "style": map_style(), "scripts": scripts_of(mode), "version": asset_version()}
    )
    application._id = "application"
    application.add_to(chart)
    offline.require_local(chart)
    return chart


def frame_addresses() -> list[str]:
    """Every script and style sheet that the map's frame loads, as paths below the application's root."""
    chart = make_map()
    parts = [chart, *chart._children.values()]
    linked = [
        url
        for part in parts
        for table in ("default_js", "default_css")
        for _, url in getattr(part, table, [])
    ]
    version = asset_version()
    own = [f"{BASE.removesuffix('vendor/')}map/{name}.js?v={version}" for name in SCRIPTS]
    return [url.removeprefix("../../") for url in (*linked, *own)]
