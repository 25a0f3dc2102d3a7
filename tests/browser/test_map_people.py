"""Several people on one map: they see each other, propose across borders, and hang photos at places."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from gridmap.domain.elements import Element
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.test_map import inside
from tests.support.live import Live, OpenMap, map_frame
from tests.support.mapping import edit_fields, find, receipt, save_shape, stored


def test_people_see_who_else_is_on_an_element_before_they_collide(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    page, keeper = open_as("keeper")
    _, officer = open_as("officer2")
    find(officer, station)
    find(keeper, station)
    expect(keeper.locator("#gm-right .gm-presence")).to_contain_text("正在查看该要素", timeout=4000)
    edit_fields(officer, 名称="打到一半")
    expect(keeper.locator("#gm-right .gm-presence")).to_contain_text("正在修改该要素", timeout=4000)
    chip = keeper.locator("#gm-people")
    expect(chip).to_contain_text("同网格")
    assert_looks_right(page)
    chip.click()
    row = keeper.get_by_role("dialog").locator("li", has_text=station.name)
    expect(row).to_contain_text("正在修改警务站")
    assert_looks_right(page)
    keeper.get_by_role("dialog").get_by_role("button", name="关闭").click()
    # nothing of it touched the form
    expect(officer.get_by_label("名称")).to_have_value("打到一半")


def test_a_move_across_the_border_is_proposed_and_accepted_on_the_map(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 403")
    _, app = open_as("officer2")
    find(app, station)
    app.get_by_role("button", name="移动").click()
    app.get_by_role("textbox", name="经度").fill("121.45")
    app.get_by_role("textbox", name="经度").press("Tab")
    save_shape(app)
    box = app.get_by_role("dialog", name="改动涉及他人的责任区")
    box.get_by_label("说明").fill("搬到河西")
    box.get_by_role("button", name="提交为提议").click()
    receipt(app, "已提交提议")
    expect(app.locator("#gm-right h2")).to_have_text(station.name)
    assert stored(live_server, station).revision == 1

    page, keeper = open_as("keeper", fresh=True)
    keeper.locator("#gm-proposals").click()
    inbox = keeper.get_by_role("dialog", name="等您处理的提议")
    assert_looks_right(page)
    inbox.locator("li", has_text=station.name).get_by_role("button", name="查看").click()
    panel = keeper.locator("#gm-right")
    expect(panel).to_contain_text("搬到河西")
    assert_looks_right(page)
    assert axe_violations(inside(page)) == []
    panel.get_by_label("答复").fill("同意")
    panel.get_by_role("button", name="接受").click()
    receipt(keeper, "已接受提议")
    assert stored(live_server, station).geometry.x == pytest.approx(121.45)


def test_a_photo_is_added_looked_at_and_deleted(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "navy").save(file, "JPEG")
    page, app = open_as("officer2")
    find(app, station)
    expect(app.get_by_text("还没有照片")).to_be_visible()
    photo = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
    app.get_by_label("选择照片文件").set_input_files(photo)
    receipt(app, "照片已保存")
    thumb = app.get_by_role("button", name=re.compile("^照片 1"))
    thumb.scroll_into_view_if_needed()
    expect(thumb.locator("img")).to_have_js_property("complete", True)
    assert thumb.locator("img").evaluate("one => one.naturalWidth") == 60
    assert_looks_right(page)
    thumb.click()
    assert_looks_right(page)
    app.get_by_role("dialog").get_by_role("button", name="删除照片").click()
    app.get_by_role("dialog", name="删除这张照片?").get_by_role("button", name="删除").click()
    receipt(app, "照片已删除")
    expect(app.get_by_text("还没有照片")).to_be_visible()


def test_a_viewer_is_shown_that_a_count_is_small_and_not_that_it_is_missing(
    open_as: OpenMap, station: Element
) -> None:
    _, app = open_as("viewer")
    find(app, station)
    row = app.locator(".gm-fact", has_text="民警数")
    expect(row).to_contain_text("少于 5")
    expect(app.locator(".gm-fact", has_text="辅警数")).to_contain_text("未填")
    expect(app.locator("#gm-open-time")).to_have_count(0)


def test_a_tablet_shows_the_tools_large_enough_to_touch(
    live_server: Live, new_context, station: Element
) -> None:
    context = new_context(viewport={"width": 800, "height": 1280}, has_touch=True)
    live_server.sign_in(context, "officer2")
    page = live_server.open_map(context)
    app = map_frame(page)
    app.locator("#gm-open-time").click()
    expect(app.get_by_role("slider", name="时间")).to_be_focused()
    assert_looks_right(page)
    app.locator("#gm-compare").click()
    expect(app.get_by_label("从", exact=True)).to_be_visible()
    assert_looks_right(page)
    app.locator("#gm-right").get_by_role("button", name="关闭", exact=True).last.click()
    app.locator("#gm-now").click()
    find(app, station)
    app.get_by_role("button", name="移动").click()
    assert_looks_right(page)
    app.locator("#gm-bar").get_by_role("button", name="取消").click()
    # a plain-HTTP address other than loopback would say why there is no place; loopback asks the browser
    context.grant_permissions(["geolocation"])
    context.set_geolocation({"longitude": 121.51, "latitude": 30.94})
    app.locator("#gm-locate").click()
    expect(app.locator("#gm-level")).to_have_text("16 级")
