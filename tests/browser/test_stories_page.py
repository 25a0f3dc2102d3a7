"""汇报 in the browser: slides made from views, presented by keys, compared by a swipe; who may do what."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect
from shapely import Point

from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import Role, User
from gridmap.domain.stories import Compare, CompareKind, Focus, Slide, View
from gridmap.services import overview, stories
from gridmap.services.stories import Story
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.conftest import TABLET
from tests.browser.test_signin import settled
from tests.browser.test_upkeep_pages import done
from tests.support.district import element, put
from tests.support.live import Live, map_frame

WALL = {"width": 1920, "height": 1080}
PRESENTER = User("presenter", "示例汇报员", Role.PRESENTER)
NewContext = Callable[..., BrowserContext]


def six_slides(then: datetime) -> list[Slide]:
    view = View(121.5, 30.95, 12.0)
    return [
        Slide("全区情况", "警务站布局与未结风险。", view=view, figures=("posts", "open_risks")),
        Slide("西镇", focus=Focus("town", "310199101"), figures=("people", "open_risks")),
        Slide("东镇一格", focus=Focus("police_grid", "310199102001001"), period=PeriodKind.WEEK),
        Slide("只看警务站", view=view, layers=("district", "workstation")),
        Slide("前后对比", view=view, compare=Compare(CompareKind.DATES, before=then)),
        Slide("下步工作", "补齐东镇北部的警务站。"),
    ]


@pytest.fixture(scope="module")
def story(live_server: Live) -> Story:
    """Six slides, one of them before and after a station came."""
    district = live_server.district
    then = datetime.now(UTC)
    put(
        district,
        element(
            "workstation", "JWZ790", "新来的站", Point(121.53, 30.99), opening_hours="24h", officer_count=3
        ),
    )
    return stories.create(district, PRESENTER, "六页汇报", six_slides(then))


def open_stories(live_server: Live, context: BrowserContext, username: str) -> Page:
    live_server.sign_in(context, username)
    page = live_server.open(context, "/stories")
    settled(page)
    return page


def play(page: Page, story: Story) -> FrameLocator:
    page.locator(f".st-key-story_{story.id}").get_by_role("button", name="放映").click()
    frame = map_frame(page)
    # the first to ask waits until everything has been counted
    frame.locator('body[data-slide="1"]').wait_for(timeout=120_000)
    return frame


def shown(frame: FrameLocator, number: int, title: str) -> None:
    expect(frame.locator("#gm-slide-count")).to_have_text(f"{number} / 6")
    expect(frame.locator("#gm-slide h1")).to_have_text(title)


@pytest.mark.parametrize("size", [WALL, TABLET], ids=["wall", "tablet"])
def test_six_slides_are_presented_by_keyboard(
    live_server: Live, new_context: NewContext, story: Story, size: dict[str, int]
) -> None:
    page = open_stories(live_server, new_context(viewport=size), "presenter")
    frame = play(page, story)
    expect(page.locator("body")).to_have_class("gm-full")
    expect(page.locator(".stAppHeader")).to_be_hidden()
    shown(frame, 1, "全区情况")
    posts = overview.overview(live_server.district, PRESENTER).figure("posts")
    expect(frame.locator(".gm-slide-figure").first.locator("b")).to_have_text(posts.text)
    expect(frame.locator(".gm-slide-text")).to_have_text("警务站布局与未结风险。")
    assert_looks_right(page)
    page.keyboard.press("ArrowRight")
    shown(frame, 2, "西镇")
    page.keyboard.press("Space")
    shown(frame, 3, "东镇一格")
    page.keyboard.press("ArrowLeft")
    shown(frame, 2, "西镇")
    page.keyboard.press("End")
    shown(frame, 6, "下步工作")
    page.keyboard.press("ArrowRight")
    shown(frame, 6, "下步工作")
    page.keyboard.press("Home")
    shown(frame, 1, "全区情况")
    page.keyboard.press("f")
    expect(page.locator(".stAppHeader")).to_be_visible()
    shown(frame, 1, "全区情况")
    page.keyboard.press("Escape")
    expect(page.locator(f".st-key-story_{story.id}")).to_be_visible()
    expect(page.locator(".stAppHeader")).to_be_visible()


def test_two_dates_are_swiped(live_server: Live, new_context: NewContext, story: Story) -> None:
    context = new_context()
    answers: list[int] = []
    context.on("response", lambda one: answers.append(one.status) if "datetime=" in one.url else None)
    page = open_stories(live_server, context, "presenter")
    frame = play(page, story)
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    shown(frame, 5, "前后对比")
    handle = frame.get_by_role("slider", name="前后对比分隔线")
    expect(handle).to_have_attribute("aria-valuenow", re.compile(r"^6\d$"))
    start = int(handle.get_attribute("aria-valuenow") or 0)
    expect(frame.locator(".gm-swipe-title-right")).to_have_text("现在")
    for _ in range(4):
        page.keyboard.press("]")
    expect(handle).to_have_attribute(
        "aria-valuenow", re.compile(f"^({start + 19}|{start + 20}|{start + 21})$")
    )
    box: Any = handle.bounding_box()
    page.mouse.move(box["x"] + 22, 300)
    page.mouse.down()
    page.mouse.move(576, 300, steps=3)
    page.mouse.up()
    expect(handle).to_have_attribute("aria-valuenow", "40")
    assert_looks_right(page)
    assert answers
    assert set(answers) <= {200, 204, 304}
    page.keyboard.press("ArrowRight")
    expect(handle).to_have_count(0)


def test_a_view_becomes_a_slide_that_is_written_ordered_and_dropped(
    live_server: Live, new_context: NewContext
) -> None:
    district = live_server.district
    page = open_stories(live_server, new_context(), "presenter")
    page.get_by_label("标题", exact=True).fill("现场制作")
    page.get_by_role("button", name="新建", exact=True).click()
    frame = map_frame(page)
    for number in (1, 2):
        frame.locator("body[data-scene]").wait_for()
        frame.locator("#gm-in").click()
        frame.locator("#gm-keep-slide").click()
        expect(page.get_by_role("button", name=f"{number}. 第 {number} 页")).to_be_visible()
    settled(page)
    [made] = [one for one in stories.list_stories(district, PRESENTER) if one.title == "现场制作"]
    first, second = (one.view for one in made.slides)
    assert first is not None
    assert second is not None
    assert second.zoom == first.zoom + 1
    page.get_by_label("说明(一两句话)").fill("向东补点。")
    page.get_by_label("说明(一两句话)").press("Tab")
    settled(page)
    page.get_by_role("button", name="保存这一页").click()
    expect(page.get_by_label("说明(一两句话)")).to_have_count(0)
    assert stories.get(district, PRESENTER, made.id).slides[1].text == "向东补点。"
    done(page)
    assert_looks_right(page)
    assert axe_violations(page) == []
    page.locator(f".st-key-slide_{made.slides[1].id}").get_by_role("button").nth(1).click()
    expect(page.get_by_role("button", name="1. 第 2 页")).to_be_visible()
    done(page)
    page.locator(f".st-key-slide_{made.slides[0].id}").get_by_role("button").last.click()
    expect(page.get_by_role("button", name="第 1 页")).to_have_count(0)
    assert [one.title for one in stories.get(district, PRESENTER, made.id).slides] == ["第 2 页"]


def test_a_viewer_presents_and_makes_nothing(
    live_server: Live, new_context: NewContext, story: Story
) -> None:
    page = open_stories(live_server, new_context(), "viewer")
    card = page.locator(f".st-key-story_{story.id}")
    for words in ("编辑", "删除", "另存一份", "新建"):
        expect(page.get_by_role("button", name=words, exact=True)).to_have_count(0)
    expect(card).to_be_visible()
    assert_looks_right(page)
    frame = play(page, story)
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(frame.locator(".gm-slide-fault")).to_contain_text("没有查看历史的权限")


def test_a_tour_goes_by_itself_from_point_to_point(live_server: Live, new_context: NewContext) -> None:
    page = open_stories(live_server, new_context(), "viewer")
    page.get_by_role("radio", name="5 秒").click()
    settled(page)
    page.get_by_role("button", name="开始巡览").click()
    frame = map_frame(page)
    frame.locator('body[data-slide="1"]').wait_for()
    expect(frame.get_by_role("button", name="停止自动")).to_be_visible()
    frame.locator('body[data-slide="2"]').wait_for()


@pytest.mark.parametrize("username", ["viewer", "presenter"])
@pytest.mark.parametrize("tab", ["汇报演示", "材料包", "平安通报"])
def test_every_tab_looks_right_and_is_accessible(
    live_server: Live, new_context: NewContext, username: str, tab: str
) -> None:
    page = open_stories(live_server, new_context(), username)
    page.get_by_role("tab", name=tab).click()
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    settled(page)
    for size in (WALL, TABLET):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert_looks_right(page)
    assert axe_violations(page) == []


def test_a_pack_is_made_fetched_and_dropped(live_server: Live, new_context: NewContext) -> None:
    page = open_stories(live_server, new_context(), "presenter")
    page.get_by_role("tab", name="材料包").click()
    settled(page)
    page.get_by_role("button", name="PDF", exact=True).click()
    settled(page)
    page.get_by_role("button", name="Excel 工作簿").click()
    settled(page)
    page.get_by_role("button", name="开始制作").click()
    expect(page.get_by_text("已完成。")).to_be_visible(timeout=120_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Excel 工作簿(").click()
    assert download.value.suggested_filename.endswith(".xlsx")
    assert_looks_right(page)
    page.get_by_role("button", name="删除", exact=True).click()
    page.get_by_role("button", name="确定删除").click()
    expect(page.get_by_text("材料包已删除。")).to_be_visible()


def test_a_briefing_is_filled_edited_kept_and_exported(live_server: Live, new_context: NewContext) -> None:
    page = open_stories(live_server, new_context(), "presenter")
    page.get_by_role("tab", name="平安通报").click()
    settled(page)
    page.get_by_role("button", name="生成通报").click()
    text = page.get_by_label("正文")
    expect(text).to_have_value(re.compile("总体情况"))
    settled(page)
    text.fill("经核实,情况平稳。")
    text.press("Tab")
    settled(page)
    page.get_by_role("button", name="保存通报").click()
    expect(page.get_by_text("通报已保存。")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="导出文本").click()
    assert "经核实,情况平稳。" in download.value.path().read_text("utf-8-sig")
    assert_looks_right(page)
