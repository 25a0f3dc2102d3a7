"""A localised folium map works in a browser that can reach nothing but this machine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page

from gridmap.setup.vendor import VENDOR

# In a process of its own, since localising changes folium's classes for good.
MAKE_MAP = """
import folium
from gridmap.maps.offline import localise
localise()
chart = folium.Map([30.9, 121.5], tiles=None, max_zoom=18)
folium.Marker([30.9, 121.5], popup="警务站", icon=folium.DivIcon(html="<b>站</b>")).add_to(chart)
folium.GeoJson({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {},
    "geometry": {"type": "Point", "coordinates": [121.51, 30.91]}}]}).add_to(chart)
chart.save("map.html")
"""


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Silent: the browser's record tells what was asked."""


@pytest.fixture
def map_url(tmp_path: Path) -> Iterator[str]:
    subprocess.run(
        [sys.executable, "-c", MAKE_MAP], cwd=tmp_path, check=True, env={"PYTHONPATH": str(VENDOR.parents[2])}
    )
    (tmp_path / "assets").symlink_to(VENDOR.parent)
    (tmp_path / "favicon.ico").touch()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/map.html"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_map_opens_and_finds_its_icons_without_any_network(page: Page, map_url: str, watch) -> None:
    page.goto(map_url)
    marker = page.locator("img.leaflet-marker-icon")
    marker.wait_for()
    assert marker.get_attribute("src").endswith("/assets/vendor/leaflet/images/marker-icon.png")
    assert marker.evaluate("e => e.naturalWidth") == 25
    page.get_by_text("站", exact=True).click()
    page.locator(".leaflet-popup-content").get_by_text("警务站").wait_for()
    assert "leafletjs" not in page.content().split("</head>")[1]
    assert not watch.failures
    assert not watch.foreign
