"""Whatever pages the menu has: each opens without a request to elsewhere, looks right and can be used by all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from gridmap.ui.pages import pages
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.conftest import DESKTOP, TABLET
from tests.browser.test_signin import settled
from tests.support.live import FRAME, Live


@pytest.mark.parametrize("name", [one.name for one in pages()])
def test_a_page_opens_offline_and_looks_right_on_desk_and_tablet(
    live_server: Live, people: Callable[[str], BrowserContext], watch, name: str
) -> None:
    # this district has no residents: coverage answers so, and its page says it
    watch.allow("status of 422")
    context = people("admin")
    watch.follow(context)
    page = live_server.open(context, f"/{name}")
    settled(page)
    if page.locator(FRAME).count():
        page.frame_locator(FRAME).locator("body[data-ready]").wait_for()
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    for size in (DESKTOP, TABLET):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.wait_for_timeout(200)
        assert_looks_right(page)
    assert axe_violations(page) == []
    page.close()
    watch.assert_clean()
