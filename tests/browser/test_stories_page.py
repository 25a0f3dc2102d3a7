"""汇报 in the browser: slides made from views, presented by keys, compared by a swipe; who may do what."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect
from pypdf import PdfReader
from shapely import Point, box

from gridmap.domain.freshness import day_of
from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import Role, User
from gridmap.domain.scenarios import Add, Close, Move
from gridmap.domain.stories import Compare, CompareKind, Focus, Slide, View
from gridmap.services import overview, scenarios, stories
from gridmap.services.elements import find
from gridmap.services.packs import shelf
from gridmap.services.questions import Question
from gridmap.services.stories import Story
from gridmap.storage.elements import Query
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.conftest import TABLET
from tests.browser.test_signin import settled
from tests.browser.test_upkeep_pages import done
from tests.support.district import ADMIN, element, put
from tests.support.live import Live, map_frame

SLIDES = 'iframe[title*="slides"]'
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
    # names on the map are read from metres away
    name = frame.locator("body").evaluate("() => Number(/(\\d+)px/.exec(Gridmap.symbols.font(12))[1])")
    assert name == round(12 * max(1, min(size["width"] / 1280, size["height"] / 720)))
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
    # the past says that it is being read, until it is there
    expect(frame.locator(".gm-swipe-title-left")).not_to_contain_text("正在读取")
    for _ in range(4):
        page.keyboard.press("]")
    expect(handle).to_have_attribute(
        "aria-valuenow", re.compile(f"^({start + 19}|{start + 20}|{start + 21})$")
    )
    grip: Any = handle.bounding_box()
    page.mouse.move(grip["x"] + 22, 300)
    page.mouse.down()
    page.mouse.move(576, 300, steps=3)
    page.mouse.up()
    expect(handle).to_have_attribute("aria-valuenow", "40")
    assert_looks_right(page)
    assert answers
    assert set(answers) <= {200, 204, 304}
    page.keyboard.press("ArrowRight")
    expect(handle).to_have_count(0)


def test_a_scenario_is_swiped_against_today(live_server: Live, new_context: NewContext) -> None:
    district = live_server.district
    home = box(121.49, 30.94, 121.5, 30.95)
    put(district, element("residential_area", "XQ790", "示例小区", home, kind="小区", population=900))
    moved, closed = find(district, ADMIN, Query("workstation")).elements[:2]
    east = (moved.geometry.x + 0.02, moved.geometry.y)
    changes = (Move(moved.id, *east), Close(closed.id), Add(121.55, 30.96, "拟建站"))
    scenario = scenarios.save(district, ADMIN, "东移补点", changes, Question())
    slide = Slide(
        "方案对比", view=View(121.5, 30.95, 12.0), layers=("district", "workstation"), figures=("posts",),
        compare=Compare(CompareKind.SCENARIO, scenario=scenario.id),
    )  # fmt: skip
    story = stories.create(district, PRESENTER, "方案汇报", [slide])
    page = open_stories(live_server, new_context(), "presenter")
    frame = play(page, story)
    handle = frame.get_by_role("slider", name="前后对比分隔线")
    expect(handle).to_have_attribute("aria-valuenow", re.compile(r"^6\d$"))
    expect(frame.locator(".gm-swipe-title-left")).to_have_text("现状")
    expect(frame.locator(".gm-swipe-title-right")).to_have_text("方案:东移补点")
    figure = frame.locator(".gm-slide-figure", has_text="警务站(方案)")
    today = int(overview.overview(district, PRESENTER).figure("posts").value or 0)
    expect(figure).to_contain_text(f"现状 {today}个 → {today}个持平 较现状")
    expect(frame.locator(".gm-slide-stamp")).to_contain_text("按方案“东移补点”推演")
    marks = frame.locator(".gm-swipe-mark")
    expect(marks).to_have_text([f"迁移 {moved.name}", f"裁撤 {closed.name}", "新增 拟建站"])

    def clipped_left() -> float:
        clip = frame.locator(".leaflet-gm-swipe-right-pane").evaluate("(one) => one.style.clip")
        return float(re.findall(r"-?[\d.]+", clip)[-1])

    # the scenario shows to the right of the handle alone, and more of it as the handle goes left
    before = clipped_left()
    for _ in range(6):
        page.keyboard.press("[")
    assert before - clipped_left() == pytest.approx(0.3 * 1440, abs=2)
    assert_looks_right(page)
    page.keyboard.press("Escape")
    expect(page.locator(f".st-key-story_{story.id}")).to_be_visible()


def opened_editor(live_server: Live, context: BrowserContext, story: Story) -> tuple[Page, FrameLocator]:
    page = open_stories(live_server, context, "presenter")
    page.locator(f".st-key-story_{story.id}").get_by_role("button", name="编辑").click()
    slides = page.frame_locator(SLIDES)
    slides.locator("body[data-order]").wait_for()
    settled(page)
    return page, slides


def ordered(live_server: Live, slides: FrameLocator, story: Story, *titles: str) -> None:
    """The list stands in this order, and so does the stored story."""
    expect(slides.locator(".words")).to_have_text([f"{at + 1}. {one}" for at, one in enumerate(titles)])
    slides.locator("body:not([data-waiting])").wait_for()
    stored = stories.get(live_server.district, PRESENTER, story.id)
    assert [one.title for one in stored.slides] == list(titles)


@pytest.fixture
def three(live_server: Live) -> Story:
    return stories.create(live_server.district, PRESENTER, "排序", [Slide("甲"), Slide("乙"), Slide("丙")])


def test_slides_are_dragged_by_mouse_and_moved_by_keys(
    live_server: Live, new_context: NewContext, three: Story
) -> None:
    page, slides = opened_editor(live_server, new_context(), three)
    first: Any = slides.locator(".handle").first.bounding_box()
    last: Any = slides.locator("li").last.bounding_box()
    page.mouse.move(first["x"] + 20, first["y"] + 20)
    page.mouse.down()
    page.mouse.move(first["x"] + 20, last["y"] + 40, steps=5)
    expect(slides.locator("li.is-held .words")).to_have_text("3. 甲")
    page.mouse.up()
    ordered(live_server, slides, three, "乙", "丙", "甲")
    # Escape puts back what is in the hand
    page.mouse.move(first["x"] + 20, first["y"] + 20)
    page.mouse.down()
    page.mouse.move(first["x"] + 20, last["y"] + 40, steps=5)
    slides.locator("li.is-held").press("Escape")
    page.mouse.up()
    ordered(live_server, slides, three, "乙", "丙", "甲")
    # two keys, one after the other before the page can answer: the focus stays on what moves
    handle = slides.get_by_role("button", name="移动第 3 页:甲")
    handle.press("ArrowUp")
    slides.get_by_role("button", name="移动第 2 页:甲").press("ArrowUp")
    ordered(live_server, slides, three, "甲", "乙", "丙")
    slides.get_by_role("button", name="下移第 1 页:甲").click()
    ordered(live_server, slides, three, "乙", "甲", "丙")
    assert_looks_right(page)


def test_slides_are_dragged_by_a_finger(live_server: Live, new_context: NewContext, three: Story) -> None:
    page, slides = opened_editor(live_server, new_context(viewport=TABLET, has_touch=True), three)
    grip: Any = slides.locator(".handle").last.bounding_box()
    top: Any = slides.locator("li").first.bounding_box()
    touch = page.context.new_cdp_session(page)
    x, y = grip["x"] + 20, grip["y"] + 20
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for share in (0.3, 0.6, 1):
        to = {"x": x, "y": y + (top["y"] + 5 - y) * share}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [to]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    ordered(live_server, slides, three, "丙", "甲", "乙")


def test_an_order_dragged_on_an_old_story_is_kept_beside_the_new_one(
    live_server: Live, new_context: NewContext, three: Story
) -> None:
    district = live_server.district
    page, slides = opened_editor(live_server, new_context(), three)
    renamed = [replace(one, title=f"{one.title}改") for one in three.slides]
    stories.save(district, ADMIN, three.id, base=1, slides=renamed)
    slides.get_by_role("button", name="下移第 1 页:甲").click()
    expect(page.get_by_text("您排序时这份汇报已被他人修改")).to_contain_text("乙改、甲改、丙改")
    ordered(live_server, slides, three, "甲改", "乙改", "丙改")
    settled(page)
    assert_looks_right(page)
    page.get_by_role("button", name="按我的顺序排列").click()
    ordered(live_server, slides, three, "乙改", "甲改", "丙改")
    expect(page.get_by_text("您排序时这份汇报已被他人修改")).to_have_count(0)


def test_a_slide_of_a_past_day_is_shown_as_of_that_day(
    live_server: Live, new_context: NewContext, story: Story
) -> None:
    # no day lies behind the tests' district: the moment before the station came stands for one
    then = story.slides[4].compare.before  # type: ignore[union-attr]
    dated = stories.create(
        live_server.district, PRESENTER, "往日", [Slide("当时", at=then, figures=("posts",)), Slide("现在", figures=("posts",))]
    )  # fmt: skip
    context = new_context()
    asked: list[str] = []
    context.on("request", lambda one: asked.append(one.url) if "datetime=" in one.url else None)
    page, slides = opened_editor(live_server, context, dated)
    expect(slides.locator("li").first.locator(".badge")).to_have_text(f"{day_of(then)}")
    slides.get_by_role("button", name="1. 当时").click()
    frame = map_frame(page)
    expect(frame.locator("#gm-story-date")).to_contain_text("的状态")
    field = page.get_by_role("group", name="这一页的日期")
    expect(field.get_by_role("spinbutton").last).to_have_text(f"{day_of(then):%d}")
    settled(page)
    assert_looks_right(page)
    slides.get_by_role("button", name="2. 现在").click()
    expect(frame.locator("#gm-story-date")).to_have_count(0)
    asked.clear()
    page.get_by_role("button", name="放映").click()
    expect(frame.locator(".gm-slide-date")).to_have_text(re.compile("^截至 "), timeout=60_000)
    posts = int(frame.locator(".gm-slide-figure b").inner_text())
    assert_looks_right(page)
    assert asked
    page.keyboard.press("ArrowRight")
    expect(frame.locator(".gm-slide-date")).to_have_count(0)
    expect(frame.locator(".gm-slide-figure b")).to_have_text(str(posts + 1))


def test_a_view_becomes_a_slide_that_is_written_ordered_and_dropped(
    live_server: Live, new_context: NewContext
) -> None:
    district = live_server.district
    page = open_stories(live_server, new_context(), "presenter")
    page.get_by_label("标题", exact=True).fill("现场制作")
    page.get_by_role("button", name="新建", exact=True).click()
    frame = map_frame(page)
    slides = page.frame_locator(SLIDES)
    for number in (1, 2):
        frame.locator("body[data-scene]").wait_for()
        frame.locator("#gm-in").click()
        frame.locator("#gm-keep-slide").click()
        expect(slides.get_by_role("button", name=f"{number}. 第 {number} 页")).to_be_visible()
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
    slides.get_by_role("button", name="上移第 2 页:第 2 页").click()
    ordered(live_server, slides, made, "第 2 页", "第 1 页")
    slides.get_by_role("button", name="2. 第 1 页").click()
    page.get_by_role("button", name="删除这一页").click()
    page.get_by_role("button", name="确定删除").click()
    ordered(live_server, slides, made, "第 2 页")
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


def test_a_story_is_taken_along_in_one_click(live_server: Live, new_context: NewContext) -> None:
    slides = [Slide("带走的第一页", "说明在旁边", figures=("people",)), Slide("带走的第二页")]
    story = stories.create(live_server.district, ADMIN, "带走的汇报", slides)
    page = open_stories(live_server, new_context(viewport=TABLET), "presenter")
    page.locator(f".st-key-story_{story.id}").get_by_role("button", name="生成 PDF 和 PPT").click()
    expect(page.get_by_text("进度和文件见“材料包”")).to_be_visible()
    page.get_by_role("tab", name="材料包").click()
    made = page.locator("[class*=st-key-pack_]").filter(has_text="带走的汇报")
    expect(made).to_be_visible(timeout=120_000)
    settled(page)
    assert_looks_right(page)
    with page.expect_download() as download:
        made.get_by_role("button", name="PDF(").click()
    texts = [one.extract_text() for one in PdfReader(download.value.path()).pages]
    assert len(texts) == 2
    assert "带走的第一页" in texts[0]
    assert "说明在旁边" in texts[0]
    for one in shelf.list_packs(live_server.district, ADMIN):
        if one.title == story.title:
            shelf.delete(live_server.district, ADMIN, one.id)
    stories.delete(live_server.district, ADMIN, story.id)


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
