"""汇报: who may make, change, present; packs ordered; briefings filled, edited, kept."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import shapely
from streamlit.testing.v1 import AppTest

from gridmap.domain.freshness import last_moment
from gridmap.domain.roles import Role, User
from gridmap.domain.stories import Compare, CompareKind, Focus, Slide, View
from gridmap.errors import InvalidInput
from gridmap.services import briefings, elements, overview, stories
from gridmap.services.district import District
from gridmap.services.packs.requests import PackRequest
from gridmap.services.packs.shelf import Started
from gridmap.services.stories import Story
from gridmap.ui import packs_board, scenes, slide_list, stories_play
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, element, put
from tests.support.leaders import PRESENTER, populated
from tests.ui.conftest import Visit, fine, press, texts

ANALYST = User("analyst", "示例研判员", Role.ANALYST, area=frozenset({"*"}))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("stories")
    made = populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


@pytest.fixture
def story(store: District) -> Iterator[Story]:
    slides = [
        Slide("甲", figures=("posts",)),
        Slide("乙", focus=Focus("town", "310199101"), figures=("people",)),
        Slide("丙", view=View(121.5, 30.95, 12)),
    ]
    made = stories.create(store, PRESENTER, "三页汇报", slides)
    yield made
    if any(one.id == made.id for one in stories.list_stories(store, ADMIN)):
        stories.delete(store, ADMIN, made.id)


def say(monkeypatch: pytest.MonkeyPatch, **fact: Any) -> None:
    """Let the map say this from now on, as its component keeps its last value."""
    monkeypatch.setattr(scenes, "st_folium", lambda *_, **__: fact)


def do(monkeypatch: pytest.MonkeyPatch, page: AppTest, **fact: Any) -> AppTest:
    """Let the list of slides say this once, as its component keeps its last value."""
    _said.append(None)
    monkeypatch.setattr(slide_list, "_list", lambda **_: {**fact, "n": f"said {len(_said)}"})
    return fine(page.run())


_said: list[None] = []


def edited(visit: Visit, story: Story) -> AppTest:
    page = visit.sign_in("presenter").page("stories")
    return fine(page.button(key=f"stories.edit.{story.id}").click().run())


def key_of(page: AppTest, name: str) -> str:
    """The key of the open form's widgets, by that of its button."""
    [found] = [
        one.key
        for one in page.button
        if (one.key or "").startswith("slide.") and str(one.key).endswith(f".{name}")
    ]
    return str(found).removesuffix(f".{name}")


def opened(visit: Visit, tab: str) -> AppTest:
    page = visit.page("stories")
    page.session_state["stories.tab"] = tab
    return fine(page.run())


def labels(page: AppTest) -> list[str]:
    return [one.label for one in page.button]


def test_a_presenter_makes_a_story_of_the_views_of_the_map(
    visit: Visit, store: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit.sign_in("presenter").page("stories")
    page.text_input(key="stories.title").set_value("新汇报")
    page = press(page, "新建")
    view = {"lon": 121.5, "lat": 30.95, "zoom": 12}
    fact = {"kind": "slide", "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "view": view, "layers": ["town"]}
    say(monkeypatch, **fact, at=None, n="1")
    page = fine(page.run())
    page = fine(page.run())  # the map goes on saying what it said last
    [made] = [one for one in stories.list_stories(store, PRESENTER) if one.title == "新汇报"]
    [slide] = made.slides
    assert slide.view == View(121.5, 30.95, 12)
    assert slide.layers == ("town",)
    assert page.text_input(key=f"{key_of(page, 'save')}.title").value == "第 1 页"
    stories.delete(store, PRESENTER, made.id)


def test_slides_are_moved_and_dropped(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = edited(visit, story)
    first, second, third = (one.id for one in story.slides)
    page = do(monkeypatch, page, kind="order", order=[second, first, third], base=1)
    assert [one.title for one in stories.get(store, PRESENTER, story.id).slides] == ["乙", "甲", "丙"]
    page = do(monkeypatch, page, kind="open", id=third)
    page = fine(page.button(key=f"slide.delete.{third}").click().run())
    assert [one.title for one in stories.get(store, PRESENTER, story.id).slides] == ["乙", "甲"]
    assert not page.text_area


def test_an_order_that_comes_too_late_is_kept_for_a_person_to_decide(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = edited(visit, story)
    first, second, third = (one.id for one in story.slides)
    added = Slide("他人新增")
    stories.save(store, ADMIN, story.id, base=1, slides=[*story.slides, added])
    page = do(monkeypatch, page, kind="order", order=[third, second, first], base=1)
    assert [one.id for one in stories.get(store, PRESENTER, story.id).slides] == [
        first,
        second,
        third,
        added.id,
    ]
    assert "已被他人修改" in page.warning[0].value
    page = fine(page.button(key="slides.mine").click().run())
    assert [one.id for one in stories.get(store, PRESENTER, story.id).slides] == [
        third,
        added.id,
        second,
        first,
    ]
    assert not page.warning


def test_a_slide_gets_words_figures_and_two_dates(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = do(monkeypatch, edited(visit, story), kind="open", id=story.slides[0].id)
    key = key_of(page, "save")
    page.text_area(key=f"{key}.text").set_value("东镇有死角。")
    page.multiselect(key=f"{key}.figures").set_value(["gap_people", "posts"])
    [kinds] = [each for each in page.get("button_group") if each.key == f"{key}.compare"]
    page = fine(kinds.set_value(CompareKind.DATES).run())
    page = fine(page.button(key=f"{key}.save").click().run())
    changed = stories.get(store, PRESENTER, story.id).slides[0]
    assert (changed.text, changed.figures) == ("东镇有死角。", ("gap_people", "posts"))
    assert changed.compare is not None
    assert changed.compare.kind is CompareKind.DATES
    assert changed.compare.after is None
    assert changed.at is None


def test_a_slide_gets_a_date_that_it_shows_and_loses_it_again(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = story.slides[0]
    page = do(monkeypatch, edited(visit, story), kind="open", id=one.id)
    field = page.date_input(key=f"{key_of(page, 'save')}.at")
    assert (field.value, field.min, field.max) == (None, date(2026, 2, 10), date(2026, 3, 20))
    field.set_value(date(2026, 3, 1))
    page = fine(page.button(key=f"{key_of(page, 'save')}.save").click().run())
    [dated, *_] = stories.get(store, PRESENTER, story.id).slides
    assert dated.at == last_moment(date(2026, 3, 1))
    shown = stories_play.slide_document(store, PRESENTER, dated)
    assert shown["date"] == "截至 2026年03月01日"
    hour = stories_play.slide_document(
        store, PRESENTER, replace(dated, at=store.clock() - timedelta(hours=3))
    )
    assert hour["date"] == "截至 2026年03月20日 07:00"
    assert shown["figures"][0]["text"] == "5"  # one station came later
    page = do(monkeypatch, page, kind="open", id=one.id)
    field = page.date_input(key=f"{key_of(page, 'save')}.at")
    assert field.value == date(2026, 3, 1)
    field.set_value(None)
    fine(page.button(key=f"{key_of(page, 'save')}.save").click().run())
    assert stories.get(store, PRESENTER, story.id).slides[0].at is None


def test_what_two_people_write_on_one_slide_waits_for_a_decision(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = story.slides[0]
    page = do(monkeypatch, edited(visit, story), kind="open", id=one.id)
    key = key_of(page, "save")
    page.text_area(key=f"{key}.text").set_value("我写的")
    theirs = [replace(each, text="他写的") if each.id == one.id else each for each in story.slides]
    stories.save(store, ADMIN, story.id, base=1, slides=theirs[::-1])
    page = fine(page.button(key=f"{key}.save").click().run())
    assert "他写的" in page.warning[0].value
    assert page.text_area(key=f"{key}.text").value == "我写的"
    assert stories.get(store, PRESENTER, story.id).slides[2].text == "他写的"
    page = fine(page.button(key="slide.mine").click().run())
    found = stories.get(store, PRESENTER, story.id).slides
    assert [each.text for each in found] == ["", "", "我写的"]
    assert not page.text_area


def test_personal_data_in_a_slide_is_refused_in_words(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = do(monkeypatch, edited(visit, story), kind="open", id=story.slides[0].id)
    key = key_of(page, "save")
    page.text_area(key=f"{key}.text").set_value("联系 13912345678")
    page = fine(page.button(key=f"{key}.save").click().run())
    assert "个人信息" in page.error[0].value
    assert stories.get(store, PRESENTER, story.id).slides[0].text == ""


def test_others_take_a_copy_and_viewers_only_look(visit: Visit, store: District, story: Story) -> None:
    page = visit.sign_in("viewer").page("stories")
    assert "三页汇报" in "".join(one.value for one in page.markdown)
    assert set(labels(page)) == {"放映", "生成 PDF 和 PPT", "开始巡览"}
    page = visit.sign_in("analyst").page("stories")
    assert "编辑" not in labels(page)
    page = press(page, "另存一份")
    [copy] = [one for one in stories.list_stories(store, ANALYST) if one.created_by == "analyst"]
    assert [one.title for one in copy.slides] == ["甲", "乙", "丙"]
    stories.delete(store, ANALYST, copy.id)


def test_a_presentation_shows_each_reader_their_own_figures(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit.sign_in("presenter").page("stories")
    page = fine(page.button(key=f"gm_full_{story.id}").click().run())
    [found] = re.findall(r'data-scene="([^"]*)"', texts(page))
    slides = json.loads(html.unescape(found))["slides"]
    assert [one["title"] for one in slides] == ["甲", "乙", "丙"]
    posts = overview.overview(store, PRESENTER).figure("posts")
    assert slides[0]["figures"][0]["text"] == posts.text
    assert slides[1]["box"] == pytest.approx([121.4, 30.9, 121.5, 31.0])
    assert not page.title
    say(monkeypatch, kind="end", n="1")
    page = fine(page.run())
    assert page.title[0].value == "汇报"


def test_a_slide_about_what_is_gone_still_shows(store: District) -> None:
    slide = Slide("没了", "说明", focus=Focus("town", "999"))
    shown = stories_play.slide_document(store, PRESENTER, slide)
    assert "没有编码为“999”" in shown["subtitle"]
    assert (shown["text"], shown["figures"], shown["focus"]) == ("说明", [], None)


def test_dates_are_compared_by_presenters_and_refused_to_viewers(store: District) -> None:
    compare = Compare(CompareKind.DATES, before=store.clock() - timedelta(days=5))
    assert stories_play.compare_document(store, PRESENTER, compare)["words"][1] == "现在"
    assert "没有查看历史的权限" in stories_play.compare_document(store, VIEWER, compare)["problem"]


def test_a_scenario_is_laid_on_today(store: District, monkeypatch: pytest.MonkeyPatch) -> None:
    from gridmap.domain.scenarios import Add, Close, Move

    [one, other] = put(
        store,
        *(
            element(
                "workstation", code, code, shapely.Point(lon, 30.96), opening_hours="24h", officer_count=3
            )
            for code, lon in (("JWZ801", 121.47), ("JWZ802", 121.48))
        ),
    )
    changes = (Move(one.id, 121.49, 30.95), Close(other.id), Add(121.55, 30.95, "拟建站"), Close("missing"))
    scenario = type("Scenario", (), {"name": "调站", "changes": changes})
    monkeypatch.setattr(stories_play.scenarios, "get", lambda *_: scenario)
    shown = stories_play.compare_document(store, ADMIN, Compare(CompareKind.SCENARIO, scenario="x"))
    assert shown["words"] == ["现状", "方案:调站"]
    assert [(each["kind"], each["name"]) for each in shown["changes"]] == [
        ("move", "JWZ801"), ("close", "JWZ802"), ("add", "拟建站"),
    ]  # fmt: skip
    assert shown["changes"][0]["from"] == [121.47, 30.96]
    for each in (one, other):
        elements.delete(store, ADMIN, "workstation", each.id, base_revision=1)


def test_a_tour_goes_through_every_grid(visit: Visit, store: District) -> None:
    page = visit.sign_in("viewer").page("stories")
    [kinds] = [each for each in page.get("button_group") if each.key == "stories.tour"]
    page = fine(kinds.set_value(stories.Tour.GRIDS).run())
    page = fine(page.button(key="gm_full_tour").click().run())
    [found] = re.findall(r'data-scene="([^"]*)"', texts(page))
    scene = json.loads(html.unescape(found))
    assert len(scene["slides"]) == 4
    assert scene["seconds"] == 10


def test_a_pack_needs_a_format_and_a_content(visit: Visit) -> None:
    page = opened(visit.sign_in("viewer"), "材料包")
    assert not page.button(key="packs.start").disabled
    page = fine(page.toggle(key="packs.overview").set_value(False).run())
    assert page.button(key="packs.start").disabled
    assert "请至少选择一种格式" in texts(page)


def test_a_story_becomes_a_pack(
    visit: Visit, store: District, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refused(district: District, user: User, request: PackRequest) -> Started:
        asked.append(request)
        raise InvalidInput("not now", zh="稍后再试。")

    monkeypatch.setattr(packs_board.shelf, "start", refused)
    page = visit.sign_in("viewer").page("stories")
    page = fine(page.button(key=f"stories.pack.{story.id}").click().run())
    assert "稍后再试" in page.error[0].value
    page = opened(visit, "材料包")
    page = fine(page.toggle(key="packs.overview").set_value(False).run())
    page = fine(page.selectbox(key="packs.story").set_value(story.id).run())
    page = fine(page.button(key="packs.start").click().run())
    assert [(one.story, one.has_overview, [each.value for each in one.formats]) for one in asked] == [
        (story.id, False, ["pdf", "pptx"]), (story.id, False, ["pdf"]),
    ]  # fmt: skip


def test_a_briefing_is_filled_edited_and_kept_by_a_presenter(visit: Visit, store: District) -> None:
    page = opened(visit.sign_in("presenter"), "平安通报")
    page = fine(page.toggle(key="briefing.masked").set_value(True).run())
    page = press(page, "生成通报")
    posts = overview.overview(store, PRESENTER).figure("posts")
    area = page.text_area[0]
    assert f"警务站 {posts.text} 个" in area.value
    area.set_value("情况平稳。")
    page = press(fine(page.run()), "保存通报")
    assert "通报已保存" in texts(page)
    [kept] = briefings.list_briefings(store, PRESENTER)
    assert kept.text == "情况平稳。"
    page.text_area[0].set_value("情况很平稳。")
    press(fine(page.run()), "保存修改")
    assert briefings.get(store, PRESENTER, kept.id).text == "情况很平稳。"
    viewer = opened(visit.sign_in("viewer"), "平安通报")
    viewer = fine(viewer.button(key=f"briefing.open.{kept.id}").click().run())
    assert viewer.text_area[0].disabled
    assert "保存修改" not in labels(viewer)
    briefings.delete(store, PRESENTER, kept.id)


def test_a_viewer_fills_a_briefing_and_cannot_keep_it(visit: Visit) -> None:
    page = press(opened(visit.sign_in("viewer"), "平安通报"), "生成通报")
    assert "*" in page.text_area[0].value
    assert "保存通报" not in labels(page)
