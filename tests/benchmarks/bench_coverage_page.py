"""The coverage page on the demo district in a browser: first figures, and a point dragged with its gaps repainted."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from playwright.sync_api import Browser, Frame, Page, sync_playwright

from gridmap.domain.scenarios import Move
from gridmap.services import elements
from gridmap.services.previews import preview
from gridmap.services.questions import Question, Travel, Within
from gridmap.setup.system import find_chromium
from gridmap.storage.elements import Query
from tests.benchmarks.figures import Figure, percentile, seconds
from tests.benchmarks.served import demo_home, open_demo, serving_demo
from tests.support.browser import CHROMIUM_ARGUMENTS
from tests.support.district import ADMIN
from tests.support.live import FRAME, Live, map_frame

_SCREEN = {"width": 1440, "height": 900}
_STEPS = 80
_STEP_MS = 30
_QUESTIONS = (Question(), Question(mode=Travel.CAR, within=Within(600.0, "s")))


def measure() -> Iterator[Figure]:
    """From the address to the headline figure; from a move of the mouse to the figures on the screen."""
    yield from _previews()
    with sync_playwright() as playwright, serving_demo() as live:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_ARGUMENTS))
        cold, page = _open(browser, live)
        yield Figure("coverage page, first figures after the server's start", cold, "s")
        page.close()
        warm, page = _open(browser, live)
        yield Figure("coverage page, figures on a warm server", warm, "s", 3.0)
        for title, gaps in (("figures", False), ("figures and gaps", True)):
            lags = _drag(page, gaps=gaps)
            yield Figure(
                f"mouse move → repainted {title}, median of {len(lags)}", statistics.median(lags), "s"
            )
            yield Figure(
                f"mouse move → repainted {title}, p95 of {len(lags)}", percentile(lags, 0.95), "s", 0.150
            )
        browser.close()


def _previews() -> Iterator[Figure]:
    """What the server does for each move of a point in the hand."""
    with demo_home() as (home, _):
        district = open_demo(home)
        point = elements.find(district, ADMIN, Query("workstation"), limit=1).elements[0]
        x, y = point.geometry.coords[0]
        steps = np.random.default_rng(1).normal(0, 0.004, (_STEPS, 2))
        kinds = (("", False, 0.010), (" with gap polygons", True, 0.150))
        for asked, (title, gaps, budget) in itertools.product(_QUESTIONS, kinds):
            taken = []
            for dx, dy in steps:
                question = replace(asked, changes=(Move(point.id, x + dx, y + dy),))
                taken.append(seconds(lambda q=question, g=gaps: preview(district, ADMIN, q, gaps=g)))
            # the first settles what the other points cover
            name = f"{asked.mode.title} {asked.within.chinese}: one step of a preview{title}, p95"
            yield Figure(name, percentile(taken[1:], 0.95), "s", budget)
        district.close()


def _open(browser: Browser, live: Live) -> tuple[float, Page]:
    context = browser.new_context(viewport=_SCREEN)
    live.sign_in(context, "analyst")
    page = context.new_page()
    start = time.perf_counter()
    page.goto(live.server.base_url + "/coverage")
    page.locator(".gm-cards").get_by_text("覆盖率", exact=True).first.wait_for(timeout=120_000)
    shown = time.perf_counter() - start
    map_frame(page).locator("body[data-coverage=ready]").wait_for(timeout=120_000)
    return shown, page


def _inner(page: Page) -> Frame:
    return next(one for one in page.frames if "streamlit_folium" in one.url)


def _drag(page: Page, *, gaps: bool) -> list[float]:
    """Seconds from each move of the hand that was answered to the frame in which its figures stand."""
    frame, inner = map_frame(page), _inner(page)
    page.get_by_role("tab", name="推演").click()
    frame.locator("#gm-whatif").wait_for()
    box = frame.locator("#gm-cover-legend [data-kind=gaps]")
    box.wait_for()
    if box.is_checked() != gaps:
        box.click()
    frame.locator("body[data-coverage=ready]").wait_for(timeout=120_000)
    x, y = _station(page)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(10):  # the first settles what the others cover
        page.mouse.move(x + step / 4, y)
        page.wait_for_timeout(200)
    inner.evaluate("() => { Gridmap.whatif.lags.length = 0; }")
    for step in range(_STEPS):
        page.mouse.move(x + step * 1.5, y - step * 0.7)
        page.wait_for_timeout(_STEP_MS)
    page.wait_for_timeout(500)
    lags = [one / 1000 for one in inner.evaluate("() => Gridmap.whatif.lags")]
    page.mouse.up()
    frame.locator("#gm-whatif-clear").click()
    page.wait_for_timeout(1000)
    return lags


def _station(page: Page) -> tuple[float, float]:
    """A station in the middle of the map, clear of what lies above it, on the screen; the map is zoomed there."""
    x, y = _inner(page).evaluate("""() => {
        const map = Gridmap.app.map, one = Gridmap.coverage.report.points[7];
        map.setView([one.lat, one.lon], 13, { animate: false });
        const at = map.latLngToContainerPoint([one.lat, one.lon]);
        return [at.x, at.y];
    }""")
    outer = page.locator(FRAME).bounding_box()
    assert outer is not None
    return outer["x"] + x, outer["y"] + y
