"""A real Chromium in a closed network, watched; each context fails its test when a page strayed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect, sync_playwright

from gridmap.domain.elements import Element
from gridmap.setup.system import find_chromium
from tests.support.browser import CHROMIUM_ARGUMENTS, Watch, forget
from tests.support.live import Live, OpenMap, map_frame, reset_map, running_application
from tests.support.mapping import make_station
from tests.support.requirements import absent

# A busy machine is slow, not wrong: an expectation that holds is met at once all the same.
expect.set_options(timeout=30_000)

DESKTOP = {"width": 1440, "height": 900}
TABLET = {"width": 1024, "height": 768}


# How Playwright says that something did not come in time: what a busy machine can make of a page that is right.
NOT_IN_TIME = [r"^TimeoutError: ", r"^AssertionError: (Locator|Page) "]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            if "CI" in os.environ:
                item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=NOT_IN_TIME))


# Not for the whole session: while Playwright runs, its event loop occupies the thread, and a test elsewhere
# that starts its own would fail.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        absent(
            "no Chromium on this machine; `make test` installs it where it may",
            variable="GRIDMAP_REQUIRE_CHROMIUM",
        )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def watch() -> Watch:
    """The record of all contexts of this test; call `allow` on it for errors that the test provokes."""
    return Watch()


@pytest.fixture(scope="package")
def spare_contexts(browser: Browser) -> Iterator[dict[tuple[int, int], list[BrowserContext]]]:
    """
    Contexts that wait for the next test, by size of window.

    They have forgotten everything but the program's own files: an empty cache doubles the work of a page.
    """
    spares: dict[tuple[int, int], list[BrowserContext]] = {}
    yield spares
    for context in itertools.chain.from_iterable(spares.values()):
        context.close()


@pytest.fixture
def new_context(
    browser: Browser, spare_contexts: dict[tuple[int, int], list[BrowserContext]], watch: Watch
) -> Iterator[Callable[..., BrowserContext]]:
    """
    Makes contexts (one per person, each with its own cookies), watched by `watch`.

    Keyword arguments go to Playwright's `new_context`. When the test ends, requests to other machines and
    errors in the browser fail it.
    """
    made: list[tuple[BrowserContext, list[BrowserContext] | None]] = []

    def make(**options: Any) -> BrowserContext:
        size = options.get("viewport", DESKTOP)
        is_common = options.keys() <= {"viewport"}
        spares = spare_contexts.setdefault((size["width"], size["height"]), []) if is_common else None
        context = (
            spares.pop()
            if spares
            else browser.new_context(
                **({"viewport": DESKTOP, "locale": "zh-CN", "accept_downloads": True} | options)
            )
        )
        context.set_default_timeout(30_000)
        watch.follow(context)
        made.append((context, spares))
        return context

    yield make
    for context, spares in made:
        if spares is None:
            context.close()
            continue
        watch.leave(context)
        forget(context, watch.origins())
        spares.append(context)
    watch.assert_clean()


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def no_foreign_requests(watch: Watch) -> Callable[[], None]:
    """Call it in the middle of a journey to know which step strayed; the end of a test checks anyway."""

    def check() -> None:
        assert not watch.foreign, f"requests to other machines: {sorted(set(watch.foreign))}"

    return check


@pytest.fixture(scope="package")
def live_server() -> Iterator[Live]:
    """The application on a small district, shared by the tests of this folder: each makes its own elements."""
    with running_application() as live:
        yield live


@pytest.fixture(scope="package")
def people(browser: Browser, live_server: Live) -> Iterator[Callable[[str], BrowserContext]]:
    """
    A signed-in browser for each account of `live_server`, kept from test to test with its cache.

    For tests that use nothing else of the context; `open_as` watches it and tidies up.
    """
    made: dict[str, BrowserContext] = {}

    def context_of(username: str) -> BrowserContext:
        if username not in made:
            made[username] = browser.new_context(viewport=DESKTOP, locale="zh-CN", accept_downloads=True)
            made[username].set_default_timeout(15_000)
            live_server.sign_in(made[username], username)
        return made[username]

    yield context_of
    for context in made.values():
        context.close()


@pytest.fixture(scope="package")
def open_maps() -> dict[str, Page]:
    """Map pages that stay open from test to test, by account."""
    return {}


@pytest.fixture
def open_as(
    people: Callable[[str], BrowserContext], open_maps: dict[str, Page], live_server: Live, watch: Watch
) -> Iterator[OpenMap]:
    """
    Opens the map for an account, and looks after what it does in the browser.

    The page of an earlier test is used again, put back to where it began; `fresh=True` asks for a new one:
    for tests about the beginning itself, or that leave more behind than a reset knows of.
    """
    used: list[Page] = []

    def opened(username: str, *, fresh: bool = False) -> tuple[Page, FrameLocator]:
        context = people(username)
        watch.follow(context)
        if fresh or username not in open_maps:
            page = live_server.open_map(context)
        else:
            page = open_maps.pop(username)
            page.bring_to_front()
        used.append(page)
        if not fresh:
            open_maps[username] = page
        return page, map_frame(page)

    yield opened
    for page in used:
        if page in open_maps.values():
            reset_map(page)
        else:
            page.evaluate("localStorage.clear()")
            page.close()
    watch.assert_clean()


@pytest.fixture
def station(live_server: Live) -> Element:
    """A workstation in the eastern town that this test alone touches."""
    return make_station(live_server)
