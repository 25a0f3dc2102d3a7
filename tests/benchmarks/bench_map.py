"""The map on the demo district in a browser, beside streamlit-folium rebuilding the same layers as GeoJSON."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
from playwright.sync_api import Browser, Frame, Page, sync_playwright

from gridmap.services import elements
from gridmap.services.demo import OFFICER_AREAS
from gridmap.settings import PROJECT_ROOT
from gridmap.setup.system import find_chromium
from gridmap.storage.elements import Query
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.served import resident_mb, serving_demo
from tests.browser.server import run_server
from tests.support.browser import CHROMIUM_ARGUMENTS
from tests.support.district import ADMIN
from tests.support.live import FRAME, Live
from tests.support.mapping import edit_fields, find, save_form

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


# When the button was pressed, when the receipt stood there, when the other map showed the new value: in the
# browsers' own time, because Playwright looks only every now and then.
_WATCH_SAVES = """() => {
    window.saves = { wanted: null, pressed: 0, receipts: [] };
    document.addEventListener('click', (event) => {
        if (event.target.closest('.gm-panel-foot button')) saves.pressed = Date.now();
    }, true);
    new MutationObserver(() => {
        const receipt = document.querySelector('.gm-toast[data-key="receipt"]');
        if (!saves.wanted || !receipt || !receipt.textContent.includes(saves.wanted)) return;
        saves.receipts.push([saves.pressed, Date.now()]);
        saves.wanted = null;
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
_WATCH_PANEL = """() => {
    window.shown = { wanted: null, times: [] };
    new MutationObserver(() => {
        const panel = document.querySelector('#gm-right');
        if (!shown.wanted || !panel || !panel.textContent.includes(shown.wanted)) return;
        shown.times.push(Date.now());
        shown.wanted = null;
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
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
        saved, seen = _save(live, page, other)
        yield Figure("save → receipt, p95 of 20", saved, "s", 0.3)
        yield Figure("save → seen by another browser, slowest of 20", seen, "s", 2.0)
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


def _inner(page: Page) -> Frame:
    return next(one for one in page.frames if "streamlit_folium" in one.url)


def _save(live: Live, page: Page, other: Page) -> tuple[float, float]:
    """
    p95 of 保存 → receipt of an officer who edits a station twenty times, and the slowest of 保存 → the new value
    in the panel of somebody else who looks at it.
    """
    officer, watcher = page.frame_locator(FRAME), other.frame_locator(FRAME)
    station = next(
        one
        for one in elements.find(live.district, ADMIN, Query("workstation"), limit=100).elements
        if elements.grids_of(live.district, one)["town"] == OFFICER_AREAS[0]
    )
    find(watcher, station)
    find(officer, station)
    _inner(page).evaluate(_WATCH_SAVES)
    _inner(other).evaluate(_WATCH_PANEL)
    for number in range(20):
        count = 100 + number
        _inner(page).evaluate("words => { saves.wanted = words; }", f"第 {station.revision + number + 1} 版")
        _inner(other).evaluate("words => { shown.wanted = words; }", f"{count} 辆")
        edit_fields(officer, 机动车数=str(count))
        save_form(officer)
        _inner(page).wait_for_function("() => !saves.wanted")
        _inner(other).wait_for_function("() => !shown.wanted")
    receipts = _inner(page).evaluate("() => saves.receipts")
    shown = _inner(other).evaluate("() => shown.times")
    saved = [(receipt - pressed) / 1000 for pressed, receipt in receipts]
    seen = [(time_shown - pressed) / 1000 for (pressed, _), time_shown in zip(receipts, shown, strict=True)]
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
