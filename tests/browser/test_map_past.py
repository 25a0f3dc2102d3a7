"""The past on the map: a slider that shows what was, marks for what differs, and no way to change it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from gridmap.domain.elements import Element
from gridmap.services import elements
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.test_map import inside
from tests.support.district import KEEPER
from tests.support.live import Live, OpenMap
from tests.support.mapping import find, make_station, overlaps, stored


def change(live: Live, one: Element, **changes: object) -> Element:
    now = stored(live, one)
    return elements.change(
        live.district, KEEPER, one.layer, one.id, base_revision=now.revision, changes=changes
    ).element


def a_second_after(page: Page, one: Element) -> None:
    """Wait until the clock has left the second of the element's last write: controls count in seconds."""
    assert one.updated_at is not None
    page.wait_for_function("end => Date.now() > end", arg=one.updated_at.timestamp() * 1000 + 1100)


def test_the_slider_shows_an_element_as_it_was_and_nothing_can_be_edited(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    page, app = open_as("officer2", fresh=True)
    find(app, station)
    app.locator("#gm-right").get_by_role("button", name="关闭", exact=True).click()
    a_second_after(page, station)
    change(live_server, station, name="后来的名字")
    app.locator("#gm-open-time").click()
    expect(app.get_by_role("slider", name="时间")).to_be_visible()
    app.get_by_role("button", name="上一次更新之前").click()
    banner = app.locator("#gm-past-banner")
    expect(banner).to_contain_text("不能编辑")
    expect(app.locator("#gm-add")).to_be_disabled()
    expect(app.locator("#gm-undo")).to_be_disabled()
    with page.expect_response(re.compile("datetime=")):
        inside(page).evaluate("Gridmap.tiles.refresh(Gridmap.app.catalogue.layers.map((one) => one.id))")
    assert_looks_right(page)
    assert axe_violations(inside(page)) == []
    box = app.get_by_role("combobox", name="搜索要素")
    box.fill(station.code or "")
    box.press("Enter")
    expect(app.locator("#gm-right h2")).to_have_text(station.name)
    expect(app.locator("#gm-right .gm-subtitle")).to_contain_text("的状态")
    expect(app.get_by_role("button", name="修改", exact=True)).to_have_count(0)
    app.locator("#gm-now").click()
    expect(banner).to_be_hidden()
    find(app, stored(live_server, station))
    expect(app.get_by_role("button", name="修改", exact=True)).to_be_visible()


def test_two_dates_are_compared_with_marks_and_a_list(open_as: OpenMap, live_server: Live) -> None:
    page, app = open_as("officer2", fresh=True)
    changed, gone = make_station(live_server), make_station(live_server)
    app.locator("#gm-open-time").click()
    a_second_after(page, gone)
    change(live_server, changed, name="改过的名字")
    elements.delete(live_server.district, KEEPER, gone.layer, gone.id, base_revision=1)
    added = make_station(live_server)
    app.locator("#gm-compare").click()
    # from the last second before the changes to now
    inside(page).evaluate(
        """(at) => (document.getElementById("gm-compare-from").value = Gridmap.wall(new Date(at)))""",
        (gone.updated_at.timestamp() + 1) * 1000,  # type: ignore[union-attr]
    )
    app.locator("#gm-right").get_by_role("button", name="对比", exact=True).click()
    result = app.locator("#gm-compare-result")
    expect(result).to_contain_text("警务站:新增 1,删除 1,内容有变 1")
    expect(result).to_contain_text(f"名称:{changed.name} → 改过的名字")
    expect(result.locator("li", has_text=added.name)).to_contain_text("新增")
    expect(app.locator(".gm-compare-mark")).to_have_count(3)
    assert_looks_right(page)
    assert axe_violations(inside(page)) == []
    app.locator("#gm-now").click()
    expect(app.locator(".gm-compare-mark")).to_have_count(0)
    expect(app.locator("#gm-right")).to_be_hidden()


@pytest.mark.parametrize("size", [(1024, 768), (1440, 900)])
def test_the_banner_of_a_past_date_lies_beside_the_panels_and_never_over_them(
    open_as: OpenMap, live_server: Live, station: Element, size: tuple[int, int]
) -> None:
    page, app = open_as("officer2", fresh=True)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    a_second_after(page, station)
    change(live_server, station, officer_count=8)
    app.locator("#gm-open-time").click()
    app.get_by_role("button", name="上一次更新之前").click()
    expect(app.locator("#gm-past-banner")).to_be_visible()
    parts = ("#gm-past-banner", "#gm-left", ".gm-search", ".gm-tools", "#gm-time")
    assert overlaps(app, *parts) == []
    box = app.get_by_role("combobox", name="搜索要素")
    box.fill(station.code or "")
    box.press("Enter")
    expect(app.locator("#gm-right h2")).to_have_text(station.name)
    assert overlaps(app, *parts, "#gm-right") == []
