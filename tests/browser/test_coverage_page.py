"""The coverage page in the browser: gaps read and visited, points dragged, scenarios kept, nothing of the base changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect

from gridmap.domain.elements import Element
from gridmap.services import elements, scenarios
from gridmap.storage.elements import Query
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.conftest import DESKTOP, TABLET
from tests.browser.test_upkeep_pages import choose, done, open_tab
from tests.support.browser import Watch
from tests.support.canal import canal_elements, lonlat
from tests.support.district import ANALYST, put
from tests.support.live import FRAME, Live, map_frame, running_application

Open = Callable[..., tuple[Page, FrameLocator]]


@pytest.fixture(scope="module")
def canal_server() -> Iterator[Live]:
    """The application on the district of the canal, where every figure can be found on paper."""
    with running_application(is_seeded=False) as live:
        made = canal_elements()
        areas = [one for one in made if one.layer in ("district", "town", "police_grid")]
        put(live.district, *areas)
        put(live.district, *(one for one in made if one not in areas))
        yield live


@pytest.fixture
def open_coverage(canal_server: Live, new_context: Callable[..., BrowserContext]) -> Open:
    """Opens the page for an account, on foot within 500 m, with the map drawn."""

    def opened(username: str, tab: str = "", path: str = "/coverage") -> tuple[Page, FrameLocator]:
        context = new_context()
        canal_server.sign_in(context, username)
        page = canal_server.open(context, path)
        frame = map_frame(page)
        frame.locator("body[data-ready]").wait_for()
        done(page)
        choose(page, "方式", "步行")
        choose(page, "单位", "米")
        within = page.get_by_label("阈值(米)")
        within.fill("500")
        within.press("Enter")
        done(page)
        if tab:
            open_tab(page, tab)
        frame.locator("body[data-coverage=ready]").wait_for()
        return page, frame

    return opened


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the district (metres from its corner) is on the screen."""
    lon, lat = lonlat(x, y)
    inside = in_frame(
        page,
        f"(() => {{ const p = Gridmap.app.map.latLngToContainerPoint([{lat}, {lon}]); return [p.x, p.y]; }})()",
    )
    box = page.locator(FRAME).bounding_box()
    assert box is not None
    return box["x"] + inside[0], box["y"] + inside[1]


def in_frame(page: Page, script: str) -> object:
    frame = next(one for one in page.frames if "streamlit_folium" in one.url)
    return frame.evaluate(script)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From here to there in steps, the button still held."""
    page.mouse.move(*start)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(start[0] + (end[0] - start[0]) * step / 8, start[1] + (end[1] - start[1]) * step / 8)


def revisions(live: Live) -> dict[str, int]:
    found: list[Element] = []
    for layer in ("workstation", "road", "residential_area", "police_grid", "crossing", "barrier"):
        found += elements.find(live.district, ANALYST, Query(layer)).elements
    return {one.id: one.revision for one in found}


def test_an_analyst_closes_a_gap_and_keeps_the_scenario(
    canal_server: Live, open_coverage: Open, tmp_path: Path
) -> None:
    before, sequence = revisions(canal_server), canal_server.district.database.sequence()
    page, frame = open_coverage("analyst", "死角")
    shell = page.locator(FRAME).element_handle()

    # the worst gap comes first, and a click leads there without a run of the page
    row = page.locator("tr[data-gridmap-gap='1']")
    expect(row).to_contain_text("河东一格")
    expect(row).to_contain_text("300")
    row.get_by_role("button").click()
    expect(row).to_have_attribute("aria-current", "true")
    lon, lat = lonlat(200, 50)
    flown = frame.locator("body").get_attribute("data-flown")
    assert [float(one) for one in str(flown).split(",")] == pytest.approx([lon, lat], abs=0.002)

    # a new point is dragged into the gap; the figure changes while the button is held
    open_tab(page, "推演")
    frame.locator("#gm-whatif-add").click()
    far = place(page, 60, 500)
    page.mouse.click(*far)
    gained = frame.locator("#gm-whatif-gained")
    expect(gained).to_be_visible()
    first = gained.text_content()
    drag(page, far, place(page, 200, 60))
    expect(gained).to_have_text("+300")
    assert first != "+300"
    expect(frame.locator("#gm-whatif-share")).to_have_text(re.compile(r"33\.3% → 100\.0%"))
    page.mouse.up()
    frame.locator("body[data-preview=done]").wait_for()
    done(page)
    lags = in_frame(page, "Gridmap.whatif.lags")
    assert isinstance(lags, list)
    assert lags

    # it is saved, compared with today, and the frame is still the same
    page.get_by_label("方案名称").fill("东岸新增一处")
    page.get_by_role("button", name="保存为新方案").click()
    expect(page.get_by_text("改动已保存在方案")).to_be_visible()
    table = page.locator(".gm-table", has_text="比现状")
    expect(table).to_contain_text("+300")
    expect(table).to_contain_text("东岸新增一处")
    assert shell.evaluate("one => one.isConnected")
    [one] = scenarios.find(canal_server.district, ANALYST)
    assert page.url.split("#")[0].endswith(f"scenario={one.id}")
    assert_looks_right(page)

    # taken away: a workbook, shapes, a run that can be computed again
    open_tab(page, "现状")
    for label, kind in (("工作簿", b"PK"), ("图形", b"SQLite format 3")):
        with page.expect_download() as download:
            page.get_by_role("link", name=label).click()
        download.value.save_as(tmp_path / label)
        assert (tmp_path / label).read_bytes().startswith(kind)
    with page.expect_download() as download:
        page.get_by_role("link", name="可复算文件").click()
    download.value.save_as(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["format"] == "gridmap-run"

    assert revisions(canal_server) == before
    assert canal_server.district.database.sequence() == sequence


def test_a_bridge_a_blocked_road_and_a_closed_point_are_tried_and_taken_back(open_coverage: Open) -> None:
    page, frame = open_coverage("analyst", "推演")
    gained = frame.locator("#gm-whatif-gained")
    frame.locator("#gm-whatif-bridge").click()
    page.mouse.click(*place(page, 0, 150))
    page.mouse.click(*place(page, 200, 150))
    expect(gained).to_have_text("+300")
    frame.locator("#gm-whatif-undo").click()
    expect(frame.locator(".gm-whatif-changes")).to_have_count(0)
    frame.get_by_title(re.compile("JWZ02站")).press("Enter")  # by keyboard: a card may lie above it
    frame.get_by_role("button", name="裁撤这个站点").click()
    expect(gained).to_have_text("−50")
    frame.get_by_role("button", name="恢复原状").click()
    frame.locator("#gm-whatif-block").click()
    page.mouse.click(*place(page, 0, 70))
    expect(frame.locator(".gm-whatif-changes")).to_contain_text("封路")
    frame.locator("#gm-whatif-clear").click()
    expect(frame.locator("#gm-whatif-share")).to_have_text(re.compile(r"33\.3% → 33\.3%"))


def test_a_fault_leaves_with_its_cause_and_no_figures_stand_beside_it(
    open_coverage: Open, watch: Watch
) -> None:
    watch.allow("status of 422")
    page, frame = open_coverage("analyst", "推演")
    frame.locator("#gm-whatif-bridge").click()
    page.mouse.click(*place(page, 0, 150))
    expect(frame.locator("#gm-whatif")).to_contain_text("再点桥的另一端")
    page.mouse.click(*place(page, -600, 700))
    fault = frame.locator("#gm-whatif [role=alert]")
    expect(fault).to_contain_text("离最近道路超过")
    expect(frame.locator("#gm-whatif-gained")).to_have_count(0)
    expect(frame.locator("#gm-whatif-figures")).to_contain_text("改动有误")
    frame.locator("#gm-whatif-undo").click()
    expect(fault).to_have_count(0)
    expect(frame.locator("#gm-whatif-share")).to_have_text(re.compile(r"33\.3% → 33\.3%"))


def test_the_panel_of_changes_folds_and_stays_folded(open_coverage: Open) -> None:
    page, frame = open_coverage("analyst", "推演")
    frame.locator("#gm-whatif-fold").click()
    expect(frame.locator("#gm-whatif-add")).to_be_hidden()
    expect(frame.locator("#gm-whatif-figures")).to_be_visible()
    open_tab(page, "死角")
    open_tab(page, "推演")
    expect(frame.locator("#gm-whatif-fold")).to_have_attribute("aria-expanded", "false")
    frame.locator("#gm-whatif-fold").press("Enter")
    expect(frame.locator("#gm-whatif-add")).to_be_visible()


def test_a_threshold_out_of_range_is_said_in_chinese_beside_the_field(open_coverage: Open) -> None:
    page, _ = open_coverage("analyst")
    field = page.get_by_label("阈值(米)")
    field.fill("0")
    field.press("Enter")
    words = page.get_by_text("应在 1 至 100000 之间")
    expect(words).to_be_visible()
    field.fill("900")
    field.press("Enter")
    expect(words).to_have_count(0)


def test_unsaved_changes_survive_a_reload(open_coverage: Open) -> None:
    page, frame = open_coverage("analyst", "推演")
    frame.locator("#gm-whatif-add").click()
    page.mouse.click(*place(page, 200, 60))
    expect(frame.locator("#gm-whatif-gained")).to_have_text("+300")
    frame.locator("body[data-preview=done]").wait_for()
    done(page)
    page.reload()
    frame.locator("body[data-ready]").wait_for()
    open_tab(page, "推演")
    expect(frame.locator(".gm-whatif-changes")).to_contain_text("新增站点1")
    expect(page.get_by_text("当前改动:新增 1 项")).to_be_visible()
    frame.locator("#gm-whatif-clear").click()
    expect(frame.locator(".gm-whatif-changes")).to_have_count(0)


def test_a_viewer_plays_with_points_and_cannot_save(open_coverage: Open) -> None:
    page, frame = open_coverage("viewer", "推演")
    frame.locator("#gm-whatif-add").click()
    page.mouse.click(*place(page, 200, 60))
    expect(frame.locator("#gm-whatif-gained")).to_have_text("+300")
    expect(page.get_by_text("保存方案需要研判员权限")).to_be_visible()
    expect(page.get_by_role("button", name="保存为新方案")).to_have_count(0)


def test_every_tab_looks_right_and_is_accessible(open_coverage: Open) -> None:
    page, frame = open_coverage("analyst")
    frame.locator(".gm-cover-point").first.click()
    expect(page.get_by_text("独自覆盖").first).to_be_visible()
    for tab in ("现状", "死角", "推演", "选址"):
        open_tab(page, tab)
        frame.locator("body[data-coverage=ready]").wait_for()
        for size in (DESKTOP, TABLET):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.wait_for_timeout(250)
            assert_looks_right(page)
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
        assert axe_violations(page) == []


def test_a_failure_of_the_shapes_is_said_and_can_be_tried_again(
    canal_server: Live, open_coverage: Open, watch: object
) -> None:
    watch.allow("/api/coverage/shapes")  # type: ignore[attr-defined]
    page, frame = open_coverage("analyst")
    page.context.route(
        "**/api/coverage/shapes**",
        lambda route: route.fulfill(
            status=500, content_type="application/problem+json", body='{"detail": "计算失败,编号 1"}'
        ),
    )
    open_tab(page, "死角")
    state = frame.locator("#gm-cover-state")
    expect(state).to_contain_text("计算失败")
    page.context.unroute("**/api/coverage/shapes**")
    state.get_by_role("button", name="重试").click()
    frame.locator("body[data-coverage=ready]").wait_for()
    expect(state).to_be_hidden()
