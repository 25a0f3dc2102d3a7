"""总览 in the browser: read from afar, full screen by key, an area's card by a click on the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect

from gridmap.services import cards, overview
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.conftest import TABLET
from tests.browser.test_signin import settled
from tests.support.district import ADMIN
from tests.support.live import Live, map_frame

WALL = {"width": 1920, "height": 1080}
NewContext = Callable[..., BrowserContext]


def open_overview(live_server: Live, context: BrowserContext, username: str) -> tuple[Page, FrameLocator]:
    live_server.sign_in(context, username)
    page = live_server.open(context, "/overview")
    settled(page)
    frame = map_frame(page)
    # the first to ask waits until everything has been counted
    frame.locator("body[data-scene]").wait_for(timeout=120_000)
    expect(page.locator("canvas, .stVegaLiteChart svg").first).to_be_visible()
    return page, frame


def bottom(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["y"] + box["height"]


@pytest.mark.parametrize("size", [WALL, TABLET], ids=["wall", "tablet"])
def test_full_screen_shows_everything_at_once_and_nothing_to_edit(
    live_server: Live, new_context: NewContext, size: dict[str, int]
) -> None:
    page, _ = open_overview(live_server, new_context(viewport=size), "presenter")
    assert_looks_right(page)
    assert axe_violations(page) == []
    page.keyboard.press("f")
    expect(page.locator("body")).to_have_class("gm-full")
    expect(page.locator(".stAppHeader")).to_be_hidden()
    expect(page.locator(".st-key-overview_controls")).to_be_hidden()
    expect(page.locator(".gm-tile")).to_have_count(len(overview.FIGURE_KEYS))
    for selector in (".st-key-overview_map iframe", ".st-key-overview_side", ".gm-stamp"):
        page.wait_for_function(
            "(one) => document.querySelector(one).getBoundingClientRect().bottom <= window.innerHeight + 1",
            arg=selector,
        )
    assert bottom(page, ".gm-stamp") > size["height"] * 0.9  # the room is used
    assert_looks_right(page)
    page.keyboard.press("Escape")
    expect(page.locator(".stAppHeader")).to_be_visible()


def test_the_figures_are_those_of_the_service_and_large_on_a_wall(
    live_server: Live, new_context: NewContext
) -> None:
    page, _ = open_overview(live_server, new_context(viewport=WALL), "admin")
    whole = overview.overview(live_server.district, ADMIN)
    for key in ("posts", "open_risks", "people"):
        figure = whole.figure(key)
        tile = page.locator(f'.gm-tile[data-figure="{key}"]')
        expect(tile).to_contain_text(figure.title)
        expect(tile.locator("b")).to_have_text(figure.text + figure.unit)
    size: Any = page.locator(".gm-tile b").first.evaluate(
        "(one) => parseFloat(getComputedStyle(one).fontSize)"
    )
    assert size >= 44


def test_a_click_on_a_town_opens_its_card_and_back(live_server: Live, new_context: NewContext) -> None:
    page, frame = open_overview(live_server, new_context(), "viewer")
    frame.locator(".leaflet-gm-choropleth-pane path").first.click()
    card = page.locator(".gm-area-card")
    expect(card).to_be_visible()
    assert card.locator("h2").inner_text() in {"西镇", "东镇"}
    frame.locator("body[data-chosen]").wait_for()
    assert bottom(page, ".st-key-overview_card") <= 900  # it scrolls by itself
    assert_looks_right(page)
    assert axe_violations(page) == []
    page.get_by_role("button", name="返回全区").click()
    expect(card).to_have_count(0)
    expect(page.get_by_text("街镇排名")).to_be_visible()


def test_a_click_on_a_station_opens_its_card(live_server: Live, new_context: NewContext) -> None:
    page, frame = open_overview(live_server, new_context(), "viewer")
    posts = frame.locator(".gm-overview-post")
    expect(posts).to_have_count(overview.overview(live_server.district, ADMIN).figure("posts").value)
    one = cards.post_ids(live_server.district, ADMIN)[0]
    station = frame.get_by_role("button", name=f"{one[2]},打开一站一卡")
    station.click()
    card = page.locator(".gm-area-card")
    expect(card.locator("h2")).to_have_text(one[2])
    expect(card).to_contain_text("服务范围内人口")
    expect(card).to_contain_text("最近的其他警务站")
    frame.locator(f'body[data-chosen="{one[0]}"]').wait_for()
    assert_looks_right(page)
    assert axe_violations(page) == []
    # by key to another
    other = cards.post_ids(live_server.district, ADMIN)[1]
    frame.get_by_role("button", name=f"{other[2]},打开一站一卡").press("Enter")
    expect(card.locator("h2")).to_have_text(other[2])
    page.get_by_role("button", name="返回全区").click()
    expect(card).to_have_count(0)


def test_the_same_figure_by_grid(live_server: Live, new_context: NewContext) -> None:
    page, frame = open_overview(live_server, new_context(), "officer")
    page.get_by_role("radio", name="网格").click()
    expect(page.get_by_text("警务网格排名")).to_be_visible()
    expect(frame.locator(".leaflet-gm-choropleth-pane path")).to_have_count(4)
    frame.locator("#gm-add, #gm-undo").first.wait_for(state="detached")
