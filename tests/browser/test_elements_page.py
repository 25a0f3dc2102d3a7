"""An officer edits rows in place, a file goes in and out again, a viewer only reads; every tab looks right."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from shutil import rmtree

import pytest
import shapely
from playwright.sync_api import BrowserContext, Error, Locator, Page, expect

from gridmap.domain.elements import Element
from gridmap.services import elements
from gridmap.storage.elements import Query
from tests.browser.checks import assert_looks_right
from tests.browser.conftest import DESKTOP, TABLET
from tests.browser.test_signin import settled
from tests.support.district import ADMIN, element, put
from tests.support.live import Live

_numbers = count(700)
UPRIGHT = {"width": 800, "height": 1280}
LAYER = "警务支点 › 警务站"
# Columns of the table, as they stand from left to right.
STATE, CODE, NAME, HOURS, OFFICERS = range(1, 6)
ROW = 40


@pytest.fixture(autouse=True)
def _no_drafts_of_earlier_tests(live_server: Live) -> None:
    """A test that fails leaves its edits unsaved, and the page would bring them back to the next."""
    rmtree(live_server.district.settings.home / "drafts", ignore_errors=True)


def make(live_server: Live, name: str) -> Element:
    """A workstation in the western town, the area of `officer`."""
    number = next(_numbers)
    place = shapely.Point(121.41 + number % 80 / 1000, 30.98)
    made = element("workstation", f"JWZ{number}", name, place, opening_hours="24h", officer_count=3)
    return put(live_server.district, made)[0]


def stored(live_server: Live, one: Element) -> Element:
    query = Query(one.layer, ids=[one.id], is_retired=None)
    return elements.find(live_server.district, ADMIN, query).elements[0]


def done(page: Page) -> None:
    """Wait until what was just done has been worked through: the table sends an edit 150 ms after it was typed."""
    page.wait_for_timeout(250)
    settled(page)
    expect(page.locator("[data-stale=true]")).to_have_count(0)


def open_elements(live_server: Live, context: BrowserContext, username: str, *found: Element) -> Page:
    """The page on the workstations: all, or those whose names begin like these."""
    context.set_default_timeout(30_000)
    live_server.sign_in(context, username)
    page = live_server.open(context, "/elements")
    settled(page)
    page.get_by_role("combobox", name="图层").first.click()
    page.get_by_role("option", name=LAYER).click()
    # the address changes at the beginning of the first of two runs; the layer's own field comes in the second
    search = page.locator(".st-key-elements-filter-workstation-text input")
    search.wait_for()
    done(page)
    if found:
        search.fill(found[0].name[:3])
        page.keyboard.press("Enter")
        expect(page.locator(".gm-count b")).to_have_text(str(len(found)))
        code = NAME - 1 if username != "viewer" else 0
        expect(cell(page, 0, code)).to_have_text(found[0].code or "")
        done(page)
    return page


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
    done(page)


def click_cell(page: Page, row: int, column: int) -> None:
    """Select a cell of the table, which is a drawing: by its place and the arrow keys."""
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 58 + 20, box["y"] + ROW * (row + 1.5))
    expect(cell(page, row, STATE)).to_have_attribute("aria-selected", "true")
    for _ in range(column - STATE):
        page.keyboard.press("ArrowRight")


def open_cell(page: Page, row: int, column: int) -> Locator:
    """Begin to edit a cell; the field that opens over it."""
    field = page.locator("#portal textarea, #portal input").first
    expect(field).to_have_count(0)
    click_cell(page, row, column)
    page.keyboard.press("Enter")
    field.wait_for()
    return field


def type_into(page: Page, row: int, column: int, text: str) -> None:
    field = open_cell(page, row, column)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text, delay=20)
    expect(field).to_have_value(text)
    page.keyboard.press("Enter")
    expect(field).to_have_count(0)
    done(page)


def choose(page: Page, name: str) -> None:
    """Pick from the list of an open cell, which is drawn anew as it opens: a click that is pressed then gets lost."""
    field = page.locator("#portal input")
    option = page.get_by_role("option", name=name)
    option.wait_for()
    for _ in range(10):
        if field.count():
            with suppress(AssertionError, Error):
                option.click(timeout=2_000)
                expect(field).to_have_count(0, timeout=2_000)
    expect(field).to_have_count(0)


def cell(page: Page, row: int, column: int) -> Locator:
    return page.get_by_test_id("stDataFrame").first.locator(f"#glide-cell-{column}-{row}")


def test_rows_edited_in_place_are_stored_and_a_bad_one_waits(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    second, first = make(live_server, "表内站乙"), make(live_server, "表内站甲")
    context = new_context()
    page = open_elements(live_server, context, "officer", second, first)
    # sorted otherwise than stored, an edit still goes to the row under the hand
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    for _ in range(2):
        page.mouse.click(box["x"] + 58 + 76 + 75, box["y"] + ROW / 2)
    expect(cell(page, 0, CODE)).to_have_text(first.code or "")
    type_into(page, 0, NAME, "表内站甲改")
    type_into(page, 1, CODE, "甲乙丙")
    for row in (0, 1):
        expect(cell(page, row, STATE)).to_have_text("未保存")
    page.get_by_role("button", name="保存 2 行").click()

    results = page.locator(".gm-table").first
    expect(results).to_contain_text("已保存第 2 版")
    expect(results).to_contain_text("不符合规定的格式")
    assert_looks_right(page)
    assert (stored(live_server, first).name, stored(live_server, first).revision) == ("表内站甲改", 2)
    assert stored(live_server, second).revision == 1

    page.reload()
    settled(page)
    expect(page.get_by_text("找回了您上次未保存的 1 行修改")).to_be_visible()
    page.get_by_role("button", name="放弃修改").click()
    page.get_by_role("button", name="确定放弃").click()
    done(page)
    expect(page.get_by_role("button", name="保存", exact=True)).to_be_visible()

    open_tab(page, "历史与恢复")
    page.get_by_label("查找要素(含已删除)").fill(first.code or "")
    page.keyboard.press("Enter")
    expect(page.get_by_text("表内站甲 → 表内站甲改")).to_be_visible()


def test_a_choice_is_picked_from_a_list_of_titles(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    one = make(live_server, "选项站")
    page = open_elements(live_server, new_context(), "officer", one)
    type_into(page, 0, OFFICERS, "12")
    open_cell(page, 0, HOURS)
    choose(page, "日间(8:00–20:00)")
    # the list closes before the table has the choice; the button counts the row already for the number typed before
    expect(cell(page, 0, HOURS)).to_have_text("day")
    done(page)
    page.get_by_role("button", name="保存 1 行").click()
    expect(page.locator(".gm-table").first).to_contain_text("已保存第 2 版")
    values = stored(live_server, one).values()
    assert (values["opening_hours"], values["officer_count"]) == ("day", 12)


def test_an_edit_overtaken_by_the_click_on_save_is_stored_all_the_same(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    one = make(live_server, "抢先站")
    page = open_elements(live_server, new_context(), "officer", one)
    open_cell(page, 0, NAME).fill("抢先站改")
    # the click itself ends the typing
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator(".gm-table").first).to_contain_text("已保存第 2 版")
    assert stored(live_server, one).name == "抢先站改"


def test_an_edit_overtaken_by_another_tab_waits_to_be_saved(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    one = make(live_server, "离开站")
    page = open_elements(live_server, new_context(), "officer", one)
    open_cell(page, 0, NAME).fill("离开站改")
    page.get_by_role("tab", name="导出", exact=True).click()
    page.get_by_role("button", name="生成文件").wait_for()
    open_tab(page, "表格")
    page.get_by_role("button", name="保存 1 行").click()
    expect(page.locator(".gm-table").first).to_contain_text("已保存第 2 版")
    assert stored(live_server, one).name == "离开站改"


def test_a_file_goes_in_by_its_good_rows_and_out_again(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    good, bad = next(_numbers), next(_numbers)
    content = (
        "编码,名称,开放时间,民警数,经度,纬度\n"
        f"JWZ{good},导入一站,24小时,3,121.432,30.915\n"
        f"JWZ{bad},导入二站,二十四小时,3,121.442,30.925\n"
    )
    page = open_elements(live_server, new_context(viewport=TABLET), "officer")
    open_tab(page, "批量导入")
    page.locator("input[type=file]").set_input_files(
        {"name": "警务站.csv", "mimeType": "text/csv", "buffer": content.encode("gb18030")}
    )
    expect(page.get_by_text("GB18030")).to_be_visible()
    assert_looks_right(page)
    page.get_by_role("button", name="下一步").click()
    page.get_by_text("WGS 84", exact=True).click()
    done(page)
    assert_looks_right(page)
    page.get_by_role("button", name="下一步:预检").click()
    expect(page.get_by_text("“二十四小时”不在可选值中")).to_be_visible()
    assert_looks_right(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="下载问题清单(CSV)").click()
    assert "二十四小时" in download.value.path().read_text("utf-8-sig")

    page.get_by_text("只入库合格行").click()
    page.get_by_role("button", name="入库 1 个要素").click()
    expect(page.get_by_text(re.compile("导入完成:新增 1 个"))).to_be_visible()
    assert_looks_right(page)
    asked = Query("workstation", text="导入")
    assert [one.code for one in elements.find(live_server.district, ADMIN, asked).elements] == [f"JWZ{good}"]
    page.get_by_role("button", name="撤销本次导入").click()
    page.get_by_role("button", name="确定撤销").click()
    expect(page.get_by_text(re.compile("已撤销提交编号"))).to_be_visible()
    assert not elements.find(live_server.district, ADMIN, asked).total


def test_a_viewer_finds_no_way_to_write(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    one = make(live_server, "只读站")
    context = new_context()
    page = open_elements(live_server, context, "viewer", one)
    assert [tab.inner_text() for tab in page.get_by_role("tab").all()] == ["表格", "导出"]
    for name in ("保存", "批量核实", "删除"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 250, box["y"] + ROW * 1.5)
    page.keyboard.press("Enter")
    page.keyboard.type("改")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    done(page)
    assert stored(live_server, one).revision == 1


@pytest.mark.parametrize("viewport", [DESKTOP, TABLET, UPRIGHT], ids=lambda v: str(v["width"]))
def test_every_tab_looks_right(
    live_server: Live, new_context: Callable[..., BrowserContext], viewport: dict[str, int]
) -> None:
    page = open_elements(live_server, new_context(viewport=viewport), "officer")
    assert_looks_right(page)
    for name in ("批量导入", "导出", "历史与恢复"):
        open_tab(page, name)
        assert_looks_right(page)


def test_an_export_is_downloaded_under_its_chinese_name(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    page = open_elements(live_server, new_context(), "viewer")
    open_tab(page, "导出")
    page.get_by_role("button", name="生成文件").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载文件").click()
    assert download.value.suggested_filename == "警务站.geojson"
    assert "西镇第一警务站" in download.value.path().read_text("utf-8")
