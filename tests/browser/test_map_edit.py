"""Officers change elements on the map: stored once each, with history; others are refused or see no control."""

from __future__ import annotations

import json
import re

import pytest
import shapely
from playwright.sync_api import Route, expect

from gridmap.domain.elements import Element
from gridmap.services import elements
from tests.browser.checks import assert_looks_right
from tests.support.district import ADMIN, element, put
from tests.support.live import Live, OpenMap
from tests.support.mapping import (
    click_map,
    drag,
    edit_fields,
    find,
    numbers,
    overlaps,
    receipt,
    save_form,
    save_shape,
    stored,
)


def test_an_officer_moves_a_workstation_and_edits_two_fields(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    page, app = open_as("officer2")
    find(app, station)

    app.get_by_role("button", name="移动").click()
    drag(page, app, 60, 40)
    save_shape(app)
    receipt(app, "已保存,第 2 版")
    edit_fields(app, 名称="东镇改名站", 民警数="12")
    save_form(app)
    receipt(app, "已保存,第 3 版")

    page.reload()
    app.locator("body[data-ready]").wait_for()
    now = stored(live_server, station)
    assert (now.revision, now.name, now.properties["officer_count"]) == (3, "东镇改名站", 12)
    assert now.geometry.x > station.geometry.x
    assert now.geometry.y < station.geometry.y
    # the element that was open is open again, at the same place
    expect(app.locator("#gm-right h2")).to_have_text("东镇改名站")
    app.get_by_role("tab", name="历史").click()
    rows = app.locator(".gm-revision")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("示例民警02")
    expect(rows.nth(0)).to_contain_text(re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d"))
    expect(rows.nth(0).locator(".gm-change", has_text="民警数")).to_contain_text(re.compile("3 人.*→.*12 人"))
    expect(rows.nth(1)).to_contain_text("位置")


@pytest.mark.parametrize("size", [(1024, 768), (1440, 900)])
def test_a_receipt_covers_no_button_of_the_panels(
    open_as: OpenMap, station: Element, size: tuple[int, int]
) -> None:
    page, app = open_as("officer2", fresh=True)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    find(app, station)
    app.get_by_role("button", name="核实无变化").click()
    receipt(app, "已核实")
    assert overlaps(app, ".gm-toast", "#gm-left", "#gm-right", ".gm-zoom") == []
    app.locator("#gm-right").get_by_role("button", name="关闭", exact=True).click()
    assert overlaps(app, ".gm-toast", "#gm-left", ".gm-zoom") == []


def test_what_is_typed_on_the_map_is_not_taken_up_on_another_map(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    page, app = open_as("officer2", fresh=True)
    find(app, station)
    edit_fields(app, 名称="还没保存")
    page.goto(page.url.partition("/map")[0] + "/overview")
    app.locator("body[data-ready]").wait_for()
    page.wait_for_timeout(500)
    expect(app.locator(".gm-toast")).to_have_count(0)
    page.goto(page.url.partition("/overview")[0] + "/map")
    app.locator("body[data-ready]").wait_for()
    expect(app.get_by_label("名称")).to_have_value("还没保存")
    app.locator(".gm-panel-foot").get_by_role("button", name="取消").click()


def test_dropping_a_marker_stores_one_revision_only_after_save(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    page, app = open_as("officer2")
    find(app, station)
    app.get_by_role("button", name="移动").click()
    drag(page, app, 30, 10)
    drag(page, app, 30, 10)
    assert stored(live_server, station).revision == 1
    save_shape(app)
    receipt(app, "第 2 版")
    assert stored(live_server, station).revision == 2


def test_escape_gives_a_move_up_after_asking(open_as: OpenMap, live_server: Live, station: Element) -> None:
    page, app = open_as("officer2")
    find(app, station)
    app.get_by_role("button", name="移动").click()
    drag(page, app, 40, 0)
    page.keyboard.press("Escape")
    app.get_by_role("dialog").get_by_role("button", name="放弃").click()
    expect(app.locator(".gm-edit-icon")).to_have_count(0)
    expect(app.get_by_role("button", name="移动")).to_be_visible()
    assert stored(live_server, station).revision == 1


def test_a_place_can_be_given_as_numbers(open_as: OpenMap, live_server: Live, station: Element) -> None:
    _, app = open_as("officer2")
    find(app, station)
    app.get_by_role("button", name="移动").click()
    for label, value in (("经度", "121.5555"), ("纬度", "30.9333")):
        app.get_by_role("textbox", name=label).fill(value)
        app.get_by_role("textbox", name=label).press("Tab")
    save_shape(app)
    receipt(app, "第 2 版")
    assert stored(live_server, station).geometry.equals(shapely.Point(121.5555, 30.9333))


def test_undo_takes_back_the_last_write_and_delete_and_restore_keep_the_id(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    _, app = open_as("officer2")
    find(app, station)
    edit_fields(app, 名称="将撤销")
    save_form(app)
    receipt(app, "第 2 版")
    app.locator("#gm-undo").click()
    receipt(app, "已撤销:")
    receipt(app, "第 3 版")
    assert stored(live_server, station).name == station.name

    app.get_by_role("button", name="删除").click()
    app.get_by_label("原因").fill("登记重复")
    app.get_by_role("dialog").get_by_role("button", name="删除").click()
    receipt(app, "已删除")
    gone = stored(live_server, station)
    assert gone.is_retired
    assert gone.revision == 4
    app.locator("#gm-undo").click()
    receipt(app, "已撤销")
    expect(app.locator("#gm-right h2")).to_have_text(station.name)
    back = stored(live_server, station)
    assert not back.is_retired
    assert back.id == station.id
    assert back.code == station.code

    app.get_by_role("tab", name="历史").click()
    expect(app.locator(".gm-revision", has_text="登记重复")).to_have_count(1)
    second = app.locator(".gm-revision").filter(has=app.locator("strong", has_text="第 2 版"))
    second.get_by_role("button", name="恢复到此版").click()
    app.get_by_role("dialog").get_by_role("button", name="恢复").click()
    receipt(app, "已恢复")
    assert stored(live_server, station).name == "将撤销"


def test_verification_moves_the_due_date_on(open_as: OpenMap, live_server: Live, station: Element) -> None:
    _, app = open_as("officer2")
    find(app, station)
    app.get_by_role("button", name="核实无变化").click()
    receipt(app, "已核实,第 2 版")
    now = stored(live_server, station)
    assert now.verified_by == "officer2"
    assert now.due_at is not None
    assert now.verified_at is not None
    assert (now.due_at - now.verified_at).days == 30
    expect(app.locator(".gm-fact", has_text="上次核实")).to_contain_text("示例民警02")


def test_faults_are_told_at_the_field_and_nothing_is_sent(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    page, app = open_as("officer2")
    find(app, station)
    edit_fields(app, 民警数="很多")
    app.get_by_label("开放时间").select_option("")
    save_form(app)
    expect(app.get_by_text("民警数:应为整数")).to_be_visible()
    expect(app.get_by_text("开放时间:必填")).to_be_visible()
    app.get_by_label("民警数").fill("999")
    expect(app.get_by_text("民警数:应为整数")).not_to_be_visible()
    save_form(app)
    expect(app.get_by_text("民警数:应为 0 至 200")).to_be_visible()
    assert_looks_right(page)
    assert stored(live_server, station).revision == 1


def test_a_fault_that_only_the_server_finds_stands_at_its_field(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 422")
    _, app = open_as("officer2")
    find(app, station)
    # shaped like a personal number, and nobody's
    edit_fields(app, 地址="门口找310120199001011233")
    save_form(app)
    expect(app.locator(".gm-toast-bad")).to_be_visible()
    expect(app.get_by_label("地址")).to_have_value("门口找310120199001011233")
    assert stored(live_server, station).revision == 1


def test_a_new_element_is_drawn_filled_in_and_stored_once(open_as: OpenMap, live_server: Live) -> None:
    page, app = open_as("officer2")
    code = f"PAW{next(numbers)}"
    app.locator("#gm-add").click()
    app.get_by_role("button", name=re.compile("^平安屋")).click()
    expect(app.locator("#gm-bar")).to_contain_text("在地图上点一下放置")
    # right of the middle of the district lies the eastern town
    click_map(page, 0.68, 0.62)
    app.get_by_label("编码").fill(code)
    app.get_by_label("名称").fill("新平安屋")
    app.get_by_label("依托单位").select_option("商铺")
    save_form(app)
    receipt(app, "已新增,第 1 版")
    [made] = elements.search(live_server.district, ADMIN, code)
    assert made.name == "新平安屋"
    assert made.properties["host"] == "商铺"
    assert 121.5 < made.geometry.x < 121.6
    # its panel has asked for all it shows, so that nothing is asked of an element that is gone
    expect(app.locator(".gm-photos")).not_to_be_empty()
    app.locator("#gm-undo").click()
    receipt(app, "已撤销")
    assert elements.search(live_server.district, ADMIN, code) == []


def test_a_place_beyond_the_own_area_is_told_before_anything_is_typed(open_as: OpenMap) -> None:
    page, app = open_as("officer2")
    # the own area is known
    expect(app.locator("#gm-mine")).to_be_visible()
    app.locator("#gm-add").click()
    app.get_by_role("button", name=re.compile("^平安屋")).click()
    expect(app.locator("#gm-bar")).to_contain_text("在地图上点一下放置")
    # left of the middle lies the town of somebody else
    click_map(page, 0.52, 0.62)
    beyond = app.locator("#gm-right").get_by_text("位置超出您的责任区")
    expect(beyond).to_be_visible()
    drag(page, app, 230, 0)
    expect(beyond).to_be_hidden()
    drag(page, app, -230, 0)
    expect(beyond).to_be_visible()
    app.get_by_role("button", name="取消").click()
    app.get_by_role("button", name="放弃").click()


def test_a_suggested_code_never_joins_what_an_officer_types(open_as: OpenMap) -> None:
    page, app = open_as("officer2")
    asked: list[Route] = []
    page.route("**/api/codes/*", lambda route: asked.append(route))
    code = app.get_by_label("编码")

    def start() -> None:
        app.locator("#gm-add").click()
        app.get_by_role("button", name=re.compile("^平安屋")).click()
        with page.expect_request("**/api/codes/*"):
            click_map(page, 0.68, 0.62)
        expect(code).to_be_focused()

    def give_up() -> None:
        app.get_by_role("button", name="取消").click()
        app.get_by_role("button", name="放弃").click()

    start()
    asked.pop().fulfill(json={"code": "PAW900"})
    expect(code).to_have_value("PAW900")
    page.keyboard.type("7")
    expect(code).to_have_value("7")
    give_up()

    start()
    page.keyboard.type("7")
    page.keyboard.press("Backspace")
    name = app.get_by_label("名称")
    name.focus()
    with page.expect_response("**/api/codes/*"):
        asked.pop().fulfill(json={"code": "PAW900"})
    name.fill("在写")
    expect(name).to_have_value("在写")
    expect(code).to_have_value("")
    give_up()


def test_a_border_keeps_its_untouched_vertices_to_the_last_bit(open_as: OpenMap, live_server: Live) -> None:
    number = next(numbers)
    ring = [
        (121.53, 30.96),
        (121.53 + 1 / 3000, 30.97),
        (121.5412345678901, 30.9654321098765),
        (121.54, 30.96),
    ]
    [area] = put(
        live_server.district,
        element(
            "residential_area",
            f"XQ-{number}",
            f"小区{number}",
            shapely.Polygon(ring),
            kind="小区",
            population=100,
        ),
    )
    page, app = open_as("officer2")
    find(app, area)
    app.get_by_role("button", name="改边界").click()
    corners = app.locator(".leaflet-marker-icon.marker-icon:not(.marker-icon-middle)")
    expect(corners).to_have_count(4)
    drag(page, app, 30, 30, what=".leaflet-marker-icon.marker-icon:not(.marker-icon-middle)", nth=3)
    save_shape(app)
    receipt(app, "第 2 版")
    now = stored(live_server, area)
    assert now.id == area.id
    before = set(map(tuple, shapely.get_coordinates(area.geometry)))
    after = set(map(tuple, shapely.get_coordinates(now.geometry)))
    assert len(before & after) == 3
    assert len(after) == 4


def test_a_viewer_sees_no_edit_control_and_the_api_refuses_a_change(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    page, app = open_as("viewer")
    find(app, station)
    for name in ("新增", "修改", "移动", "改边界", "核实无变化", "删除", "撤销"):
        assert app.get_by_role("button", name=name, exact=True).count() == 0, name
    assert app.locator(".gm-panel-foot").count() == 0
    # history names who changed what: not for this role
    assert app.get_by_role("tab").count() == 0
    answer = page.context.request.patch(
        f"{live_server.server.base_url}/ogc/collections/workstation/items/{station.id}",
        data=json.dumps({"properties": {"name": "x"}}),
        headers={"If-Match": '"1"', "X-Gridmap": "1", "Content-Type": "application/merge-patch+json"},
    )
    assert answer.status == 403
    assert "problem+json" in answer.headers["content-type"]
    assert stored(live_server, station).revision == 1


def test_an_officer_of_one_town_is_refused_in_another_and_told_why(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    page, app = open_as("officer")
    find(app, station)
    expect(app.locator(".gm-panel-foot")).to_contain_text("责任区")
    assert app.get_by_role("button", name="修改", exact=True).count() == 0
    answer = page.context.request.patch(
        f"{live_server.server.base_url}/ogc/collections/workstation/items/{station.id}",
        data=json.dumps({"properties": {"name": "x"}}),
        headers={"If-Match": '"1"', "X-Gridmap": "1", "Content-Type": "application/merge-patch+json"},
    )
    assert answer.status == 403
    assert stored(live_server, station).revision == 1


def test_moving_out_of_the_own_area_is_refused_and_the_move_can_be_mended(
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
    box.get_by_role("button", name="取消").click()
    expect(app.locator(".gm-toast-bad")).to_contain_text("责任区")
    expect(app.locator("#gm-bar")).to_be_visible()
    assert stored(live_server, station).geometry.equals(station.geometry)
