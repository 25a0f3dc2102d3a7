"""Grids on the map: borders that move on both sides, split, merged, numbered, undone; every step by keyboard too."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import shapely
from playwright.sync_api import FrameLocator, expect

from gridmap.domain.elements import Element
from gridmap.services import elements
from gridmap.storage.elements import Query
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.test_map import inside
from tests.support.browser import Watch
from tests.support.district import EAST, KEEPER, element, put, remove
from tests.support.live import Live, OpenMap
from tests.support.mapping import drag, find, numbers, receipt, stored
from tests.support.partition import difference_m2, overlap_m2

LAYER = "governance_grid"


def living(live: Live) -> list[Element]:
    return list(elements.find(live.district, KEEPER, Query(LAYER), limit=100).elements)


@pytest.fixture
def pair(live_server: Live, watch: Watch) -> Iterator[tuple[Element, Element]]:
    """Two governance grids, one above the other, that fill the eastern town; gone after the test."""
    # a map that stays open from test to test may still ask for one that has just gone
    watch.allow(rf"status of 404 .*/api/elements/{LAYER}/")
    start = 100 + 2 * next(numbers)
    made = put(
        live_server.district,
        element(LAYER, f"310199102001{start}", "河南网格", shapely.box(121.5, 30.9, 121.6, 30.95)),
        element(LAYER, f"310199102001{start + 1}", "河北网格", shapely.box(121.5, 30.95, 121.6, 31.0)),
    )
    yield made[0], made[1]
    remove(live_server.district, *living(live_server))


def whole(live: Live) -> bool:
    """Whether the town is covered once, and nothing beside it."""
    areas = [one.geometry for one in living(live)]
    return overlap_m2(areas) < 1 and difference_m2(areas, EAST) < 1


def open_grid(app: FrameLocator, one: Element, button: str) -> None:
    find(app, one)
    app.get_by_role("button", name=button, exact=True).click()


def type_positions(app: FrameLocator, *lines: str) -> None:
    """Give positions as text, the way without the map."""
    app.locator("#gm-bar").get_by_role("button", name="坐标").click()
    box = app.get_by_role("dialog", name="用文字输入坐标")
    box.get_by_label("每行一个点").fill("\n".join(lines))
    box.get_by_role("button", name="使用这些坐标").click()


def test_a_dragged_border_takes_its_neighbour_along_and_undo_restores_both(
    pair: tuple[Element, Element], open_as: OpenMap, live_server: Live
) -> None:
    page, app = open_as("keeper")
    open_grid(app, pair[0], "改边界")
    expect(app.locator("#gm-bar")).to_contain_text("相邻网格会跟着变")
    # a handle between two corners becomes a corner where it is dropped
    middles = ".marker-icon-middle"
    expect(app.locator(middles)).to_have_count(4)
    top = min(range(4), key=lambda i: (app.locator(middles).nth(i).bounding_box() or {"y": 9e9})["y"])
    drag(page, app, 0, 40, what=middles, nth=top)
    expect(app.locator(".gm-bar-note")).to_contain_text("跟着变的网格:河北网格")
    expect(app.locator(".gm-grid-tag span", has_text="河北网格")).to_be_visible()
    # corners look small and can be taken hold of beyond what is seen
    assert_looks_right(page, ignore=[".marker-icon"])
    assert stored(live_server, pair[0]).revision == 1
    app.locator("#gm-bar").get_by_role("button", name="保存").click()
    receipt(app, "涉及 2 个网格")
    assert whole(live_server)
    assert shapely.area(stored(live_server, pair[1]).geometry) > shapely.area(pair[1].geometry)
    app.locator("#gm-undo").click()
    receipt(app, "已撤销:调整边界")
    for one in pair:
        assert stored(live_server, one).geometry.equals_exact(one.geometry, 0)


def test_an_outline_can_be_typed_and_what_lies_outside_the_parent_is_cut_off(
    pair: tuple[Element, Element], open_as: OpenMap, live_server: Live
) -> None:
    _, app = open_as("keeper")
    open_grid(app, pair[0], "改边界")
    type_positions(app, "121.49,30.9", "121.6,30.9", "121.6,30.94", "121.49,30.94")
    expect(app.locator(".gm-bar-note")).to_contain_text("超出上级范围")
    app.locator("#gm-bar").get_by_role("button", name="保存").click()
    receipt(app, "涉及 2 个网格")
    assert whole(live_server)


def test_an_outline_that_swallows_its_neighbour_is_refused_in_words(
    pair: tuple[Element, Element], open_as: OpenMap, live_server: Live, watch
) -> None:
    watch.allow("status of 4(09|22)")
    page, app = open_as("keeper")
    open_grid(app, pair[0], "改边界")
    type_positions(app, "121.5,30.9", "121.6,30.9", "121.6,31.0", "121.5,31.0")
    expect(app.locator(".gm-bar-note.gm-fault")).to_contain_text(re.compile("网格|范围"))
    assert_looks_right(page, ignore=[".marker-icon"])
    app.locator("#gm-bar").get_by_role("button", name="保存").click()
    expect(app.locator(".gm-toast-bad")).to_be_visible()
    assert stored(live_server, pair[0]).revision == 1


def test_a_grid_is_split_by_a_typed_line_named_and_outlives_a_reload(
    pair: tuple[Element, Element], open_as: OpenMap, live_server: Live
) -> None:
    page, app = open_as("keeper", fresh=True)
    open_grid(app, pair[0], "拆分")
    type_positions(app, "121.55,30.89", "121.55,30.96")
    first = app.get_by_label("第 1 块的名称")
    expect(first).to_have_value("河南网格-1")
    assert_looks_right(page)
    first.fill("西块网格")
    page.reload()
    app.locator("body[data-ready]").wait_for()
    expect(app.get_by_label("第 1 块的名称")).to_have_value("西块网格")
    app.locator(".gm-panel-foot").get_by_role("button", name="拆分").click()
    receipt(app, "拆分 治理网格 河南网格:已保存")
    now = {one.name: one for one in living(live_server)}
    assert set(now) == {"西块网格", "河南网格-2", "河北网格"}
    assert stored(live_server, pair[0]).is_retired
    assert now["西块网格"].geometry.centroid.x < 121.55 < now["河南网格-2"].geometry.centroid.x
    assert whole(live_server)
    expect(app.locator("#gm-right h2")).to_have_text(re.compile("西块网格|河南网格-2"))


def test_two_grids_are_merged_from_the_list_with_the_keyboard(
    pair: tuple[Element, Element], open_as: OpenMap, live_server: Live
) -> None:
    page, app = open_as("keeper")
    open_grid(app, pair[0], "合并")
    box = app.get_by_role("checkbox", name=re.compile("河北网格"))
    expect(box).to_be_focused()
    page.keyboard.press("Space")
    expect(app.locator("#gm-right")).to_contain_text(f"停用的编码:{pair[1].code}")
    assert_looks_right(page)
    app.get_by_label("合并后的名称").fill("东镇网格")
    app.locator(".gm-panel-foot").get_by_role("button", name="合并").click()
    receipt(app, "已保存")
    [one] = living(live_server)
    assert (one.id, one.code, one.name) == (pair[0].id, pair[0].code, "东镇网格")
    assert whole(live_server)


def test_deleting_a_grid_of_a_whole_partition_leads_to_merging_it(
    open_as: OpenMap, live_server: Live, pair: tuple[Element, Element], watch: Watch
) -> None:
    watch.allow("status of 409")
    page, app = open_as("keeper")
    open_grid(app, pair[0], "删除")
    app.get_by_role("dialog", name="删除该要素?").get_by_role("button", name="删除").click()
    dialog = app.get_by_role("dialog", name="不能直接删除")
    expect(dialog).to_contain_text("并入相邻的“河北网格”")
    assert_looks_right(page)
    assert len(living(live_server)) == 2
    dialog.get_by_role("button", name="合并到相邻网格").click()
    app.get_by_role("checkbox", name=re.compile("河北网格")).check()
    app.locator(".gm-panel-foot").get_by_role("button", name="合并").click()
    receipt(app, "已保存")
    assert len(living(live_server)) == 1
    assert whole(live_server)


def test_renumbering_shows_old_and_new_codes_before_it_is_done(
    open_as: OpenMap, live_server: Live, pair: tuple[Element, Element], watch: Watch
) -> None:
    # a map that is still open from before hears of the deletion, and asks for what it shows
    watch.allow("status of 404")
    remove(live_server.district, *pair)
    start = 600 + 2 * next(numbers) % 300
    east, west = put(
        live_server.district,
        element(LAYER, f"310199102001{start}", "东网格", shapely.box(121.55, 30.9, 121.6, 31.0)),
        element(LAYER, f"310199102001{start + 1}", "西网格", shapely.box(121.5, 30.9, 121.55, 31.0)),
    )
    page, app = open_as("keeper")
    open_grid(app, east, "重新编号")
    dialog = app.get_by_role("dialog", name="重新编号")
    expect(dialog.locator("tr", has_text=east.code or "")).to_be_visible()
    assert_looks_right(page)
    assert axe_violations(inside(page)) == []
    dialog.get_by_role("button", name="重新编号").click()
    receipt(app, "重新编号")
    codes = {one.name: one.code or "" for one in living(live_server)}
    assert codes["西网格"] < codes["东网格"]
    assert stored(live_server, west).code == codes["西网格"]
