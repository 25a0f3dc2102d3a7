"""The map on the demo district in a browser, beside streamlit-folium rebuilding the same layers as GeoJSON."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
from playwright.sync_api import Browser, Page, sync_playwright

from gridmap.settings import PROJECT_ROOT
from gridmap.setup.system import find_chromium
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.served import resident_mb, serving_demo
from tests.browser.server import run_server
from tests.support.browser import CHROMIUM_ARGUMENTS
from tests.support.live import FRAME, Live

# The peer: the same layers (without roads and water) as GeoJSON, rebuilt on every run, as tutorials do it.
_PEER_PAGE = """
import folium, geopandas, streamlit
from streamlit_folium import st_folium
from gridmap.maps.offline import localise
localise()
map_ = folium.Map([30.9, 121.55], zoom_start=11, tiles=None, max_zoom=20)
for name in {names!r}:
    layer = geopandas.read_file({folder!r} + "/" + name + ".geojson")
    folium.GeoJson(layer, marker=folium.CircleMarker(radius=4)).add_to(map_)
st_folium(map_, height=700, key="map", returned_objects=["last_clicked"])
"""
_PEER_APP = """
import streamlit as st
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
app = st.App({page!r}, routes=[
    Route("/api/health", lambda request: JSONResponse({{}})), Mount("/assets", StaticFiles(directory={assets!r})),
])
"""
_SCREEN = {"width": 1440, "height": 900}
ASSETS = PROJECT_ROOT / "gridmap" / "assets"
_LAYERS = ("town", "police_grid", "residential_area", "workstation", "police_office", "safe_house", "risk")


def _first_map(browser: Browser, live: Live, times: int) -> tuple[list[float], list[float]]:
    """
    Seconds from the click on 登录 to the map for somebody new to the browser who took three seconds to type,
    and from its address to the map for a browser that has never been here and yet is signed in.
    """
    typed, bare = [], []
    for _ in range(times):
        context = browser.new_context(viewport=_SCREEN)
        page = context.new_page()
        page.goto(live.server.base_url + "/signin")
        page.get_by_label("用户名").fill("officer")
        page.get_by_label("密码", exact=True).fill(live.passwords["officer"])
        page.wait_for_timeout(3000)
        start = time.perf_counter()
        page.get_by_role("button", name="登录", exact=True).click()
        page.frame_locator(FRAME).locator("body[data-ready]").wait_for()
        typed.append(time.perf_counter() - start)
        context.close()

        context = browser.new_context(viewport=_SCREEN)
        live.sign_in(context, "officer")
        page = context.new_page()
        start = time.perf_counter()
        page.goto(live.server.base_url + "/map")
        page.frame_locator(FRAME).locator("body[data-ready]").wait_for()
        bare.append(time.perf_counter() - start)
        context.close()
    return typed, bare


def _open(browser: Browser, live: Live, username: str) -> Page:
    context = browser.new_context(viewport=_SCREEN)
    live.sign_in(context, username)
    page = live.open_map(context)
    page.wait_for_timeout(3000)
    return page


_MEASURED_FETCH = """async ([path, options]) => {
    const start = performance.now();
    const answer = await fetch(path, options);
    const body = await answer.text();
    return [(performance.now() - start) / 1000, answer.status, answer.headers.get('ETag'), body];
}"""


def measure() -> Iterator[Figure]:
    """First map, select → details, save → receipt → seen by another, memory with five sessions."""
    with sync_playwright() as playwright, serving_demo() as live:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_ARGUMENTS))
        _first_map(browser, live, 1)  # warm
        typed, bare = _first_map(browser, live, 5)
        peer, name = _peer(browser, live), "st_folium + GeoJSON"
        yield Figure("first map of the demo, from 登录 on", statistics.median(typed), "s", 2.0, peer, name)
        yield Figure("first map, nothing fetched before", statistics.median(bare), "s", None, peer, name)
        page = _open(browser, live, "officer")
        yield Figure("click on an element → details, median of 10", _select(page), "s", 0.25)
        other = _open(browser, live, "keeper")
        saved, seen = _save(page, other)
        yield Figure("save → receipt, p95 of 20", saved, "s", 0.3)
        yield Figure("save → seen by another browser, slowest of 5", seen, "s", 2.0)
        for username in ("analyst", "viewer", "admin"):
            _open(browser, live, username)
        yield Figure("server memory, demo loaded, 5 sessions", resident_mb(live.server), "MB", 800)
        browser.close()


def _select(page: Page) -> float:
    """Seconds from a click on a station to the panel that answers it (its details, or a choice of hits)."""
    frame = page.frame_locator(FRAME)
    found = []
    for number in range(1, 11):
        box = frame.get_by_role("combobox", name="搜索要素")
        box.fill(f"JWZ{number:02}")
        box.press("Enter")
        title = frame.locator("#gm-right h2")
        complete = frame.locator("#gm-right").get_by_text("经纬度").first
        complete.wait_for()
        # the station is in the middle of the free ground now; close the panel and click it there
        page.wait_for_timeout(1500)
        frame.locator("#gm-right").get_by_role("button", name="关闭").first.click()
        title.wait_for(state="hidden")
        place = _place_of(page, number)
        start = time.perf_counter()
        page.mouse.click(*place)
        title.wait_for()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def _place_of(page: Page, number: int) -> tuple[float, float]:
    """Where station `number` is on the screen now."""
    inner = next(one for one in page.frames if "streamlit_folium" in one.url)
    x, y = inner.evaluate(
        """async code => {
            const answer = await (await fetch('/api/search?limit=1&q=' + code)).json();
            const [lon, lat] = answer.results[0].center;
            const at = Gridmap.app.map.latLngToContainerPoint([lat, lon]);
            const box = Gridmap.app.map.getContainer().getBoundingClientRect();
            return [box.left + at.x, box.top + at.y];
        }""",
        f"JWZ{number:02}",
    )
    outer = page.locator(FRAME).bounding_box()
    assert outer is not None
    return outer["x"] + x, outer["y"] + y


def _save(page: Page, other: Page) -> tuple[float, float]:
    """p95 of save → receipt, and the slowest of save → the other browser's stream tells it."""
    inner = next(one for one in other.frames if "streamlit_folium" in one.url)
    inner.evaluate("""() => {
        window.heard = [];
        const stream = new EventSource('/api/changes');
        stream.addEventListener('change', event => {
            for (const one of JSON.parse(event.data).changes || []) window.heard.push([one.id, one.revision]);
        });
    }""")
    other.wait_for_timeout(1500)
    station = page.evaluate(_MEASURED_FETCH, ["/ogc/collections/workstation/items?limit=40", {}])
    ids = [one["id"] for one in json.loads(station[3])["features"] if one["properties"]["code"] is not None]
    saved, seen = [], []
    for element_id in ids:
        if len(saved) >= 20:
            break
        detail = page.evaluate(_MEASURED_FETCH, [f"/api/elements/workstation/{element_id}", {}])
        document = json.loads(detail[3])
        if not document.get("may_edit"):
            continue
        for count in range(5):
            options = {
                "method": "PATCH",
                "headers": {
                    "If-Match": detail[2] or document["etag"],
                    "Content-Type": "application/merge-patch+json",
                    "X-Gridmap": "1",
                },
                "body": json.dumps({"type": "Feature", "properties": {"vehicle_count": 10 + count}}),
            }
            answer = page.evaluate(
                _MEASURED_FETCH, [f"/ogc/collections/workstation/items/{element_id}", options]
            )
            assert answer[1] == 200, answer
            saved.append(answer[0])
            # an officer does not save faster; and both maps have drawn the last one by then
            page.wait_for_timeout(1000)
            detail = answer
            revision = json.loads(answer[3])["properties"]["revision"]
            if count == 0 and len(seen) < 5:
                start = time.perf_counter()
                inner.wait_for_function(
                    "([id, revision]) => heard.some(one => one[0] === id && one[1] === revision)",
                    arg=[element_id, revision],
                )
                seen.append(time.perf_counter() - start + answer[0])
    assert saved
    return percentile(saved, 0.95), max(seen)


def _peer(browser: Browser, live: Live) -> float:
    """Seconds to the first map of the peer, with the vendored assets so that it shows one offline."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in _LAYERS:
            frame = live.district.frames.frame(name)
            gpd.GeoDataFrame(
                {"name": frame.arrays.name[frame.living]},
                geometry=frame.arrays.geometry[frame.living],
                crs=4326,
            ).to_file(folder / f"{name}.geojson", driver="GeoJSON")
        page_file, script = folder / "peer_page.py", folder / "peer.py"
        page_file.write_text(_PEER_PAGE.format(names=_LAYERS, folder=str(folder)), encoding="utf-8")
        script.write_text(_PEER_APP.format(page=str(page_file), assets=str(ASSETS)), encoding="utf-8")
        found = []
        with run_server((), env={}, log_file=folder / "peer.log", script=script) as server:
            for _ in range(3):
                page = browser.new_page(viewport=_SCREEN)
                start = time.perf_counter()
                page.goto(server.base_url)
                page.frame_locator(FRAME).locator("path.leaflet-interactive").first.wait_for(timeout=60_000)
                found.append(time.perf_counter() - start)
                page.close()
    return statistics.median(found)
