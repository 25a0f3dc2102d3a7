"""Upkeep in the browser: confirming, answering, repairing, comparing, working offline; every tab looks right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pyogrio
import pytest
import shapely
from playwright.sync_api import BrowserContext, Page, expect
from shapely import Point, box

from gridmap.domain.elements import Element
from gridmap.services import elements, packages, proposals
from gridmap.services.proposals import State
from gridmap.storage.elements import Query
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.conftest import DESKTOP, TABLET
from tests.browser.test_signin import settled
from tests.support.district import ADMIN, KEEPER, OFFICER_WEST, element, put, remove
from tests.support.live import Live

UPRIGHT = {"width": 800, "height": 1280}
PHONE = {"width": 390, "height": 844}
OFFICER = replace(OFFICER_WEST, username="officer")
TABS = {
    "freshness": ["逾期看板", "督导提醒", "上图率"],
    "inbox": ["待我同意", "我的提议", "待确认的修改"],
    "grids": ["网格体检", "两套网格对照", "编号与沿革", "表单编辑"],
    "history": ["对比", "提交记录", "恢复图层"],
    "packages": ["领取", "带回", "记录"],
}
_numbers = count(850)


def make(live_server: Live, name: str) -> Element:
    """A workstation in the western town, the area of `officer`, in a corner that no other test looks at."""
    number = next(_numbers)
    made = element(
        "workstation", f"JWZ{number}", name, Point(121.41 + number % 50 / 1000, 30.992), opening_hours="24h",
        officer_count=3,
    )  # fmt: skip
    return put(live_server.district, made)[0]


def stored(live_server: Live, one: Element) -> Element:
    query = Query(one.layer, ids=[one.id], is_retired=None)
    return elements.find(live_server.district, ADMIN, query).elements[0]


def open_page(live_server: Live, context: BrowserContext, username: str, name: str, tab: str = "") -> Page:
    context.set_default_timeout(30_000)
    live_server.sign_in(context, username)
    page = live_server.open(context, f"/{name}")
    settled(page)
    if tab:
        open_tab(page, tab)
    return page


def open_tab(page: Page, name: str) -> None:
    tab = page.get_by_role("tab", name=name, exact=True)
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
    done(page)


def done(page: Page) -> None:
    """Wait until what was just done has been worked through."""
    page.wait_for_timeout(150)
    settled(page)
    expect(page.locator("[data-stale=true]")).to_have_count(0)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option).first.click()
    done(page)


def assert_looks_right_at_every_size(page: Page) -> None:
    for size in (DESKTOP, TABLET, UPRIGHT):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.wait_for_timeout(200)
        assert_looks_right(page)
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TABS)
def test_every_tab_looks_right_and_is_accessible(
    live_server: Live, new_context: Callable[..., BrowserContext], name: str
) -> None:
    page = open_page(live_server, new_context(), "keeper", name)
    for tab in TABS[name]:
        open_tab(page, tab)
        assert_looks_right_at_every_size(page)
        assert axe_violations(page) == []


def test_an_officer_confirms_what_is_overdue_in_one_click(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    one = make(live_server, "核实点")
    page = open_page(live_server, new_context(viewport=UPRIGHT), "officer", "freshness")
    choose(page, "图层", "警务站")
    line = page.locator(f".st-key-freshness_line_{one.id}")
    expect(line).to_contain_text("从未核实")
    assert f"workstation/{one.id}" in (line.get_by_role("link", name="在图上看").get_attribute("href") or "")
    line.get_by_role("button", name="确认无变化").click()
    expect(page.get_by_text("已确认 1 个要素没有变化")).to_be_visible()
    expect(line).to_have_count(0)
    assert stored(live_server, one).verified_by == "officer"
    assert_looks_right(page)


def test_a_proposal_is_seen_and_accepted_next_door(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    one = make(live_server, "过界点")
    made = proposals.propose_change(
        live_server.district, OFFICER, "workstation", one.id, base_revision=1, geometry=Point(121.52, 30.992),
        reason="换址",
    )  # fmt: skip
    page = open_page(live_server, new_context(), "officer2", "inbox")
    card = page.locator(f".st-key-inbox_proposal_{made.id}")
    expect(card.get_by_role("img")).to_be_visible()
    expect(card).to_contain_text("移动")
    assert_looks_right_at_every_size(page)
    card.get_by_role("button", name="接受").click()
    expect(page.get_by_text("已接受")).to_be_visible()
    assert proposals.get(live_server.district, OFFICER, made.id).state is State.ACCEPTED
    assert stored(live_server, one).geometry.x == 121.52


def test_a_package_goes_out_comes_back_and_its_conflict_is_settled(
    live_server: Live, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    one, other = make(live_server, "离线甲"), make(live_server, "离线乙")
    page = open_page(live_server, new_context(), "officer", "packages")
    page.get_by_role("combobox", name="图层").click()
    page.get_by_role("option", name="警务站").click()
    page.keyboard.press("Escape")
    done(page)
    page.get_by_role("button", name="生成工作包").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载工作包").click()
    download.value.save_as(tmp_path / "package.gpkg")
    frame = pyogrio.read_dataframe(tmp_path / "package.gpkg", layer="警务站")
    frame.loc[frame["id"] == one.id, "name"] = "离线甲改"
    frame.loc[frame["id"] == other.id, "name"] = "离线乙改"
    pyogrio.write_dataframe(frame, tmp_path / "edited.gpkg", layer="警务站")
    elements.change(
        live_server.district, KEEPER, "workstation", other.id, base_revision=1, changes={"name": "他人改"}
    )

    open_tab(page, "带回")
    page.locator("input[type=file]").set_input_files(tmp_path / "edited.gpkg")
    page.get_by_role("button", name="入库(2 处)").click()
    expect(page.get_by_text("另有 1 个请到“待办”中决定")).to_be_visible()
    assert_looks_right(page)
    assert stored(live_server, one).name == "离线甲改"

    page.goto(f"{live_server.server.base_url}/inbox")
    settled(page)
    open_tab(page, "待确认的修改")
    [waiting] = packages.waiting(live_server.district, OFFICER)
    card = page.locator(f".st-key-inbox_edit_{waiting.id}")
    expect(card).to_contain_text("用他们的:他人改")
    assert_looks_right_at_every_size(page)
    card.get_by_role("button", name="按选择保存").click()
    expect(page.get_by_text("已保存,这条修改处理完毕")).to_be_visible()
    assert stored(live_server, other).name == "离线乙改"


@pytest.fixture
def overlapping(live_server: Live) -> Iterator[list[Element]]:
    """Two governance grids that overlap, in a layer that no other test uses; gone after the test."""
    made = put(
        live_server.district,
        element("governance_grid", "310199101001801", "甲治理网格", box(121.4, 30.9, 121.5, 30.9505)),
        element("governance_grid", "310199101001802", "乙治理网格", box(121.4, 30.95, 121.5, 31.0)),
    )
    yield made
    now = [stored(live_server, one) for one in made]
    remove(live_server.district, *(one for one in now if not one.is_retired))


def test_an_overlap_is_mended_and_the_repair_taken_back(
    live_server: Live, new_context: Callable[..., BrowserContext], overlapping: list[Element]
) -> None:
    page = open_page(live_server, new_context(), "keeper", "grids")
    choose(page, "网格图层", "治理网格")
    choose(page, "问题类型", "重叠")
    card = page.locator('[class*="st-key-grids_finding_"]').first
    expect(card).to_contain_text("重叠")
    assert "/map#" in (card.get_by_role("link", name="在图上看").get_attribute("href") or "")
    assert_looks_right_at_every_size(page)
    card.get_by_role("button", name="按此修复").click()
    expect(page.get_by_text("已修复")).to_be_visible()
    done(page)
    shapes = [stored(live_server, one).geometry for one in overlapping]
    assert shapely.intersection(*shapes).area < 1e-12
    page.get_by_role("button", name="撤销上一步").click()
    page.get_by_role("button", name="确定撤销").click()
    expect(page.get_by_text("已撤销:")).to_be_visible()
    assert stored(live_server, overlapping[0]).geometry.equals(overlapping[0].geometry)


def test_grids_are_split_by_the_keyboard_alone(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    [one] = put(
        live_server.district,
        element("micro_grid", "310199102001001001", "键盘微格", box(121.51, 30.91, 121.52, 30.92)),
    )
    page = open_page(live_server, new_context(), "keeper", "grids", "表单编辑")
    choose(page, "网格图层", "微网格")
    page.get_by_role("radio", name="拆分").focus()
    page.keyboard.press("Enter")
    done(page)
    page.get_by_role("combobox", name="网格", exact=True).focus()
    page.keyboard.type("键盘")
    page.keyboard.press("Enter")
    done(page)
    line = page.get_by_label("分割线", exact=False)
    line.focus()
    page.keyboard.type("121.515,30.90; 121.515,30.93")
    page.keyboard.press("ControlOrMeta+Enter")
    done(page)
    button = page.get_by_role("button", name="试算")
    expect(button).to_be_enabled()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("试算结果(尚未保存)")).to_be_visible()
    done(page)
    assert_looks_right(page)
    page.get_by_role("button", name="确定保存").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("已保存。")).to_be_visible()
    assert stored(live_server, one).is_retired


def test_two_dates_are_compared_and_a_name_is_brought_back(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    page = open_page(live_server, new_context(), "keeper", "history")
    # everything of this district was made today, so before it there was nothing
    expect(page.get_by_text("新增", exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name="在图上看").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="导出全部变化(CSV)").click()
    assert "西镇第一警务站" in download.value.path().read_text("utf-8-sig")
    one = make(live_server, "误存点")
    number = live_server.district.database.sequence()
    open_tab(page, "提交记录")
    choose(page, "撤回一次提交", f"{number} · 示例管理员")
    page.get_by_role("button", name="撤回该提交").click()
    page.get_by_role("button", name="确定撤回").click()
    expect(page.get_by_text(f"提交 {number} 已撤回,共 1 个要素")).to_be_visible()
    assert stored(live_server, one).is_retired


@pytest.mark.parametrize("size", [DESKTOP, TABLET, UPRIGHT, PHONE])
def test_the_menu_says_which_page_is_open_where_it_only_shows_a_heading(
    live_server: Live, new_context: Callable[..., BrowserContext], size: dict[str, int]
) -> None:
    page = open_page(live_server, new_context(viewport=size), "keeper", "history")
    here = page.locator("[data-gm-here]:visible")
    expect(here).to_have_attribute("data-gm-here", "历史对比")
    box, bar = here.bounding_box(), page.locator(".gm-bar").bounding_box()
    assert box is not None
    assert bar is not None
    assert box["x"] + box["width"] <= bar["x"]
    live_server.open(page.context, "/elements")
    page = page.context.pages[-1]
    settled(page)
    here = page.locator("[data-gm-here]:visible")
    if size == PHONE:
        expect(here).to_have_attribute("data-gm-here", "要素")
    else:
        expect(page.locator("[data-testid=stTopNavLink][aria-current=page]")).to_contain_text("要素")
        expect(here).to_have_count(0)


def test_the_menu_gathers_upkeep_and_a_viewer_finds_none_of_it(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    page = open_page(live_server, new_context(viewport=UPRIGHT), "officer", "account")
    menu = page.get_by_test_id("stTopNav")
    # where there is no room, the rest is behind a word
    expect(menu.get_by_text("更多(", exact=False)).to_be_visible()
    page.set_viewport_size(TABLET)  # type: ignore[arg-type]
    expect(menu.get_by_text("更多(", exact=False)).to_be_hidden()
    menu.get_by_role("button", name="日常维护").click()
    expect(page.get_by_role("menuitem", name="核实")).to_be_visible()
    assert_looks_right(page)
    page.get_by_role("menuitem", name="核实").click()
    expect(page.get_by_role("heading", name="核实", exact=True)).to_be_visible()

    page = open_page(live_server, new_context(viewport=TABLET), "viewer", "account")
    expect(page.get_by_test_id("stTopNav")).not_to_contain_text("日常维护")
    expect(page.get_by_test_id("stTopNav")).not_to_contain_text("待办")
    page = live_server.open(page.context, "/freshness")
    expect(page.get_by_text("没有权限")).to_be_visible()
