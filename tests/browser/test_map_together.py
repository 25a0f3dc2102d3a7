"""Several people, a weak network, a reload in the middle: nothing typed is lost, nothing is written unasked."""

from __future__ import annotations

import re

import shapely
from playwright.sync_api import BrowserContext, FrameLocator, Locator, Route, expect

from gridmap.domain.elements import Element, Operation
from gridmap.services import elements
from tests.browser.checks import assert_looks_right
from tests.support.district import ADMIN, KEEPER
from tests.support.live import Live, OpenMap
from tests.support.mapping import (
    click_map,
    drag,
    edit_fields,
    find,
    numbers,
    receipt,
    save_form,
    save_shape,
    stored,
)


def behind_the_back(live: Live, one: Element, **changes: object) -> Element:
    """The grid keeper saves a change from elsewhere."""
    now = stored(live, one)
    done = elements.change(
        live.district, KEEPER, one.layer, one.id, base_revision=now.revision, changes=changes, reason=""
    )
    return done.element


def moved_behind_the_back(live: Live, one: Element, **changes: object) -> Element:
    """The grid keeper moves it, and changes something else too."""
    done = elements.change(
        live.district, KEEPER, one.layer, one.id, base_revision=stored(live, one).revision,
        geometry=shapely.Point(one.geometry.x, one.geometry.y + 0.001), changes=changes,
    )  # fmt: skip
    return done.element


def dialog(app: FrameLocator, title: str):
    box = app.get_by_role("dialog", name=title)
    box.wait_for()
    return box


# --- merges ----------------------------------------------------------------------------------------------


def test_disjoint_edits_merge_without_a_question_and_the_receipt_says_so(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    _, app = open_as("officer2")
    find(app, station)
    edit_fields(app, 民警数="7")
    behind_the_back(live_server, station, name="他们改的名")
    save_form(app)
    receipt(app, "“他们改的名”已保存,第 3 版")
    expect(app.locator('.gm-toast[data-key="receipt"]')).to_contain_text(
        "已与他人的修改自动合并,保留了对方改的:名称"
    )
    now = stored(live_server, station)
    assert (now.name, now.properties["officer_count"]) == ("他们改的名", 7)
    assert app.get_by_role("dialog").count() == 0


def test_a_third_value_can_settle_a_conflict(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 409")
    page, app = open_as("officer2")
    find(app, station)
    edit_fields(app, 民警数="7")
    behind_the_back(live_server, station, officer_count=9)
    save_form(app)
    box = dialog(app, "编辑冲突:请选择保留哪一方")
    other = box.get_by_label("民警数另填")
    other.fill("八")
    box.get_by_role("button", name="保留我的").click()
    expect(box.get_by_text("应为整数")).to_be_visible()
    assert_looks_right(page)
    other.fill("8")
    box.get_by_role("button", name="保留我的").click()
    receipt(app, "第 3 版")
    assert stored(live_server, station).properties["officer_count"] == 8


# --- conflicts -----------------------------------------------------------------------------------------


def test_a_conflict_shows_both_sides_and_writes_nothing_until_one_is_chosen(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 4(09|12)")
    _, app = open_as("officer2")
    find(app, station)
    edit_fields(app, 名称="我的名字", 民警数="7")
    behind_the_back(live_server, station, name="他们的名字", vehicle_count=4)
    save_form(app)
    box = dialog(app, "编辑冲突:请选择保留哪一方")
    expect(box).to_contain_text("示例网格管理员")
    row = box.locator("tr").filter(has_text="名称")
    for words in (station.name, "我的名字", "他们的名字", "冲突"):
        expect(row).to_contain_text(words)
    assert stored(live_server, station).revision == 2

    box.get_by_role("button", name="取消").click()
    expect(app.get_by_label("名称")).to_have_value("我的名字")
    assert stored(live_server, station).revision == 2

    save_form(app)
    dialog(app, "编辑冲突:请选择保留哪一方").get_by_role("button", name="保留我的").click()
    receipt(app, "第 3 版")
    now = stored(live_server, station)
    assert (now.name, now.properties["officer_count"], now.properties["vehicle_count"]) == ("我的名字", 7, 4)


def test_taking_theirs_keeps_their_version_and_stores_nothing(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 4(09|12)")
    page, app = open_as("officer2")
    find(app, station)
    app.get_by_role("button", name="移动").click()
    drag(page, app, 50, 0)
    moved_behind_the_back(live_server, station, name="他们的名字")
    save_shape(app)
    box = dialog(app, "编辑冲突:请选择保留哪一方")
    expect(box.locator("tr").filter(has_text="位置与范围")).to_contain_text(
        re.compile(r"移动了 \d+ 米.*移动了 \d+ 米")
    )
    # the three places lie on the map itself, beside the dialog
    expect(app.locator(".leaflet-gm-outline-pane path")).to_have_count(3)
    assert_looks_right(page)
    box.get_by_role("button", name="用他们的").click()
    expect(app.locator("#gm-right h2")).to_have_text("他们的名字")
    assert stored(live_server, station).revision == 2
    expect(app.locator("#gm-pending")).to_be_hidden()


def test_each_contested_field_can_be_given_to_either_side(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 4(09|12)")
    _, app = open_as("officer2")
    find(app, station)
    edit_fields(app, 名称="我的名字", 民警数="7")
    behind_the_back(live_server, station, name="他们的名字", officer_count=9)
    save_form(app)
    box = dialog(app, "编辑冲突:请选择保留哪一方")
    box.locator("tr").filter(has_text="民警数").get_by_role("radio").nth(1).check()
    box.get_by_role("button", name="保留我的").click()
    receipt(app, "第 3 版")
    now = stored(live_server, station)
    assert (now.name, now.properties["officer_count"]) == ("我的名字", 9)


def test_deleting_what_somebody_has_changed_asks_again(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 4(09|12)")
    _, app = open_as("officer2")
    find(app, station)
    app.get_by_role("button", name="删除").click()
    behind_the_back(live_server, station, name="还在用")
    app.get_by_role("dialog").get_by_role("button", name="删除").click()
    box = dialog(app, "该要素已被他人修改")
    expect(box).to_contain_text("还在用")
    box.get_by_role("button", name="取消").click()
    expect(app.locator("#gm-right h2")).to_have_text("还在用")
    assert not stored(live_server, station).is_retired


def test_the_reason_of_a_refused_deletion_is_there_at_the_next_try(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 4(12|22)")
    page, app = open_as("officer2")
    find(app, station)

    def open_dialog(typed: str) -> Locator:
        """The dialog, with what was typed before."""
        app.get_by_role("button", name="删除").click()
        expect(app.get_by_label("原因")).to_have_value(typed)
        return app.get_by_role("dialog").get_by_role("button", name="删除")

    delete = open_dialog("")
    app.get_by_label("原因").fill("迁至新址,电话 13912345678")
    delete.click()
    expect(app.locator(".gm-toast", has_text="个人信息")).to_be_visible()
    delete = open_dialog("迁至新址,电话 13912345678")
    app.get_by_label("原因").fill("迁至新址")
    behind_the_back(live_server, station, name="还在用")
    delete.click()
    dialog(app, "该要素已被他人修改").get_by_role("button", name="取消").click()
    expect(app.locator("#gm-right h2")).to_have_text("还在用")
    page.reload()
    app.locator("body[data-ready]").wait_for()
    expect(app.locator("#gm-right h2")).to_have_text("还在用")
    open_dialog("迁至新址").click()
    receipt(app, "已删除")
    [last, *_] = elements.history(live_server.district, ADMIN, station.layer, station.id)
    assert (last.operation, last.reason) == (Operation.DELETE, "迁至新址")
    kept = "Object.keys(sessionStorage).filter((name) => name.startsWith('gridmap:reason:'))"
    assert app.locator("body").evaluate(f"() => {kept}") == []


def test_changing_what_somebody_deleted_offers_to_restore_it(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 409")
    _, app = open_as("officer2")
    find(app, station)
    edit_fields(app, 名称="仍要改")
    elements.delete(live_server.district, ADMIN, station.layer, station.id, base_revision=1)
    save_form(app)
    dialog(app, "该要素已被删除").get_by_role("button", name="恢复并保存我的").click()
    receipt(app, "第 4 版")
    now = stored(live_server, station)
    assert not now.is_retired
    assert now.name == "仍要改"


# --- drafts and the network ------------------------------------------------------------------------------


def test_a_half_filled_form_outlives_a_reload(open_as: OpenMap, live_server: Live, station: Element) -> None:
    page, app = open_as("officer2", fresh=True)
    find(app, station)
    edit_fields(app, 名称="打到一半", 值班电话="值班室")
    page.reload()
    app.locator("body[data-ready]").wait_for()
    expect(app.get_by_label("名称")).to_have_value("打到一半")
    expect(app.get_by_label("值班电话")).to_have_value("值班室")
    assert stored(live_server, station).revision == 1
    save_form(app)
    receipt(app, "第 2 版")
    expect(app.locator("#gm-pending")).to_be_hidden()
    assert page.evaluate("Object.keys(localStorage).filter(n => n.startsWith('gridmap:work:'))") == []


def test_a_drawn_new_element_outlives_a_reload_and_is_stored_once(
    open_as: OpenMap, live_server: Live
) -> None:
    page, app = open_as("officer2", fresh=True)
    code = f"PAW{next(numbers)}"
    app.locator("#gm-add").click()
    app.get_by_role("button", name=re.compile("^平安屋")).click()
    expect(app.locator("#gm-bar")).to_be_visible()
    click_map(page, 0.7, 0.65)
    app.get_by_label("编码").fill(code)
    page.reload()
    app.locator("body[data-ready]").wait_for()
    expect(app.get_by_label("编码")).to_have_value(code)
    app.get_by_label("名称").fill("重载之后")
    save_form(app)
    receipt(app, "已新增")
    assert [one.name for one in elements.search(live_server.district, ADMIN, code)] == ["重载之后"]


def test_without_a_network_an_edit_waits_visibly_and_goes_through_once(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED|Failed to load resource|WebSocket|ERR_FAILED")
    page, app = open_as("officer2", fresh=True)
    find(app, station)
    edit_fields(app, 名称="离线改的")
    page.context.set_offline(True)
    try:
        save_form(app)
        expect(app.locator("#gm-pending")).to_contain_text("待发送 1")
        expect(app.locator("#gm-banner")).to_contain_text("连接不到服务器")
        assert stored(live_server, station).revision == 1
        app.locator("#gm-pending").click()
        expect(app.get_by_role("dialog")).to_contain_text(station.name)
        app.get_by_role("dialog").get_by_role("button", name="关闭").click()
    finally:
        page.context.set_offline(False)
    receipt(app, "第 2 版")
    expect(app.locator("#gm-pending")).to_be_hidden()
    expect(app.locator("#gm-banner")).to_be_hidden()
    now = stored(live_server, station)
    assert (now.revision, now.name) == (2, "离线改的")


def test_a_lost_receipt_does_not_store_twice_nor_ask(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    """The server stores, the answer gets lost: the repetition is recognised as one's own."""
    watch.allow("ERR_FAILED|Failed to load resource")
    page, app = open_as("officer2", fresh=True)
    find(app, station)
    edit_fields(app, 名称="收据丢了")
    lost: list[int] = []

    def lose(route) -> None:
        if not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route(re.compile("/merge$"), lose)
    save_form(app)
    expect(app.locator("#gm-pending")).to_contain_text("待发送 1")
    app.locator("#gm-pending").click()
    app.get_by_role("dialog").get_by_role("button", name="发送").click()
    receipt(app, "第 2 版")
    assert lost == [200]
    assert stored(live_server, station).revision == 2
    assert app.get_by_role("dialog").count() == 0


def test_after_a_lost_receipt_undo_never_takes_back_anothers_work(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("ERR_FAILED|Failed to load resource|status of 412")
    page, app = open_as("officer2", fresh=True)
    find(app, station)
    edit_fields(app, 名称="收据丢了")

    def lose(route: Route) -> None:
        route.fetch()
        behind_the_back(live_server, station, officer_count=12)
        route.abort()

    page.route(re.compile("/merge$"), lose, times=1)
    save_form(app)
    receipt(app, "第 2 版")
    app.locator("#gm-undo").click()
    expect(app.locator(".gm-toast", has_text="之后又有人修改过")).to_be_visible()
    now = stored(live_server, station)
    assert (now.revision, now.name, now.properties["officer_count"]) == (3, "收据丢了", 12)


def test_edits_that_wait_together_do_not_overwrite_what_came_between(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("ERR_FAILED|Failed to load resource|status of 409")
    page, app = open_as("officer2", fresh=True)
    page.route(re.compile("/merge$"), lambda route: route.abort())
    for values, waiting in (({"名称": "先改的"}, 1), ({"民警数": "7"}, 2)):
        find(app, station)
        edit_fields(app, **values)
        save_form(app)
        expect(app.locator("#gm-pending")).to_contain_text(f"待发送 {waiting}")
        # it is counted before it is tried; then its form closes
        expect(app.locator("#gm-right")).to_be_hidden()
    behind_the_back(live_server, station, officer_count=12)
    page.unroute(re.compile("/merge$"))

    expect(app.locator(".gm-toast", has_text="未能保存")).to_be_visible()
    now = stored(live_server, station)
    assert (now.revision, now.name, now.properties["officer_count"]) == (3, "先改的", 12)
    app.locator("#gm-pending").click()
    expect(app.get_by_role("dialog", name="待发送与草稿")).to_contain_text("有冲突")


def test_an_ended_session_asks_to_sign_in_and_keeps_the_form(
    live_server: Live, new_context, station: Element, watch
) -> None:
    watch.allow("status of 401")
    context: BrowserContext = new_context()
    live_server.sign_in(context, "officer2")
    page = live_server.open_map(context)
    app = page.frame_locator('iframe[title="streamlit_folium.st_folium"]')
    find(app, station)
    edit_fields(app, 名称="登录过期")
    key = next(one for one in context.cookies() if "gridmap" in one["name"])
    context.clear_cookies()
    # the map's own requests may find the session gone before this one, and their question lies over the button
    app.locator(".gm-panel-foot").get_by_role("button", name="保存").dispatch_event("click")
    box = dialog(app, "登录已过期,请重新登录")
    box.get_by_label("密码").fill(live_server.passwords["officer2"])
    box.get_by_role("button", name="登录").click()
    receipt(app, "第 2 版")
    assert stored(live_server, station).name == "登录过期"
    assert key["value"] not in {one["value"] for one in context.cookies()}


# --- live ----------------------------------------------------------------------------------------------------


def test_a_commit_shows_on_anothers_map_without_moving_it(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    other, watcher = open_as("keeper")
    _, app = open_as("officer2")
    find(watcher, station)
    # the address follows a moment later
    other.wait_for_function("id => location.hash.includes(id)", arg=station.id)
    before = other.evaluate("location.hash")
    find(app, station)
    edit_fields(app, 名称="实时改名")
    save_form(app)
    receipt(app, "第 2 版")
    expect(watcher.locator("#gm-right h2")).to_have_text("实时改名", timeout=4000)
    assert other.evaluate("location.hash") == before


def test_another_map_asks_anew_only_for_the_tiles_of_the_ground_that_changed(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    other, watcher = open_as("keeper")
    find(watcher, station)
    frame = next(one for one in other.frames if "streamlit_folium" in one.url)
    frame.wait_for_function(_TILES_ARE_HERE)
    asked: list[tuple[int, int, int]] = []
    other.on("request", lambda one: asked.extend(tile_of(one.url)))
    with other.expect_response(lambda one: bool(tile_of(one.url))):
        behind_the_back(live_server, station, name="图块更新")
    expect(watcher.locator("#gm-right h2")).to_have_text("图块更新")
    assert asked
    for z, row, column in asked:
        size = 360 / 2**z
        west = column * size - 180
        slack = 0.13 * size  # TILE_BUFFER of tiles.js: points of its neighbours that a tile holds
        assert west - slack <= station.geometry.x <= west + size + slack, (z, row, column)


# none came within the last second: the map stands still and shows all it wants
_TILES_ARE_HERE = """() => {
    const tiles = performance.getEntriesByType("resource").filter((one) => one.name.includes("/ogc/tiles/"));
    return tiles.length > 0 && performance.now() - Math.max(...tiles.map((one) => one.responseEnd)) > 1000;
}"""


def tile_of(url: str) -> list[tuple[int, int, int]]:
    """Zoom, row and column of the tile that an address asks for, if it does."""
    return [
        (int(z), int(row), int(column))
        for z, row, column in re.findall(r"/ogc/tiles/WebMercatorQuad/(\d+)/(\d+)/(\d+)", url)
    ]


def test_a_commit_leaves_anothers_half_filled_form_alone_and_says_so(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    _, writer = open_as("keeper")
    _, app = open_as("officer2")
    find(writer, station)
    find(app, station)
    edit_fields(writer, 名称="正在填写")
    edit_fields(app, 民警数="8")
    save_form(app)
    receipt(app, "第 2 版")
    expect(writer.locator(".gm-note")).to_contain_text("示例民警02 刚刚保存了第 2 版", timeout=4000)
    expect(writer.get_by_label("名称")).to_have_value("正在填写")
