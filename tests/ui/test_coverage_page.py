"""覆盖分析: figures, gaps, scenarios and siting on the district of the canal; what the map is told and says."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from gridmap.domain.elements import Element
from gridmap.domain.scenarios import parse_changes
from gridmap.services import accounts, elements, jobs, overview, reach, scenarios, siting
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.jobs import Job, JobState
from gridmap.services.questions import Question, parse_within
from gridmap.services.siting import Problem, SitingQuestion
from gridmap.storage.elements import Query
from gridmap.ui import coverage_map, coverage_words
from gridmap.ui.coverage_chart import line_chart
from gridmap.ui.coverage_work import Heard
from gridmap.ui.pages import FOLDER
from tests.support.canal import EAST_GRID, lonlat, make_canal
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, ANALYST
from tests.ui.conftest import Visit, fine, texts

SOUTH_BRIDGE = {
    "op": "bridge",
    "line": [[*lonlat(0, 0)], [*lonlat(200, 0)]],
    "modes": ["foot", "ebike", "car"],
}
NEW_POINT = {"op": "add", "lon": lonlat(200, 0)[0], "lat": lonlat(200, 0)[1], "name": "东岸新点"}
NEAR = Question(within=parse_within("500m"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("coverage")
    made = make_canal(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


def opened(visit: Visit, tab: str = "现状", *, within: int = 500) -> AppTest:
    """The page on this tab, on foot within so many metres."""
    page = visit.page("coverage")
    page.session_state["coverage.tab.0"] = tab
    page.selectbox(key="coverage.mode").set_value("foot")
    page.selectbox(key="coverage.unit.2").set_value("米")
    page.run().number_input(key="coverage.within.foot.米").set_value(within)
    return fine(page.run())


def linked(visit: Visit, username: str, scenario: str) -> AppTest:
    """The page as somebody sees it who follows the link of a scenario."""
    visit.sign_in(username)
    page = AppTest.from_file(FOLDER / "coverage.py", default_timeout=20)
    page.query_params["scenario"] = scenario
    return fine(page.run())


def told(page: AppTest) -> dict[str, Any]:
    """What the page says to its map."""
    [found] = re.findall(r'data-gridmap-coverage="([^"]*)"', texts(page))
    return json.loads(html.unescape(found))


def say(monkeypatch: pytest.MonkeyPatch, **said: Any) -> None:
    """Let the map say this."""
    monkeypatch.setattr(coverage_map, "show", lambda: Heard(**said))


def cards(page: AppTest) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", texts(page)))


def workstations(store: District) -> list[Element]:
    return list(elements.find(store, ANALYST, Query("workstation")).elements)


def point(store: District, code: str) -> str:
    return next(one.id for one in workstations(store) if one.code == code)


# --- figures ----------------------------------------------------------------------------------------------


def test_the_figures_are_those_of_paper_and_follow_the_threshold(visit: Visit) -> None:
    page = opened(visit.sign_in("analyst"))
    shown = cards(page)
    assert (shown["覆盖率"], shown["未覆盖(人)"]) == ("33.3%", "300")
    assert (shown["已覆盖(人)"], shown["总数(人)"]) == ("150", "450")
    far = fine(page.number_input(key="coverage.within.foot.米").set_value(1000).run())
    assert cards(far)["覆盖率"] == "100.0%"


def test_the_page_opens_with_the_question_of_the_overview(visit: Visit, store: District) -> None:
    page = fine(visit.sign_in("analyst").page("coverage"))
    [line] = [one.value for one in page.caption if "方案" in one.value]
    assert f"{reach.QUESTION.mode.title}沿路网不超过 {reach.QUESTION.within.chinese}" in line
    [counted] = [one for one in overview.overview(store, ANALYST).figures if one.key == "gap_people"]
    assert cards(page)["未覆盖(人)"] == f"{counted.value:,.0f}"


def test_every_figure_says_how_it_was_made(visit: Visit) -> None:
    [line] = [one.value for one in opened(visit.sign_in("analyst")).caption if "方案" in one.value]
    for part in ("步行沿路网不超过 500 米", "阈值 500 米", "EPSG:32651", "数据截至", "次更新"):
        assert part in line


def test_a_straight_line_offers_no_minutes(visit: Visit) -> None:
    page = visit.sign_in("analyst").page("coverage")
    page.selectbox(key="coverage.mode").set_value("line")
    page = fine(page.run())
    assert page.selectbox(key="coverage.unit.1").options == ["米"]


def test_points_that_are_shut_at_night_do_not_count(visit: Visit) -> None:
    page = opened(visit.sign_in("analyst"), within=1000)
    page.selectbox(key="coverage.open").set_value("22:00")
    page = fine(page.run())
    assert cards(page)["已覆盖(人)"] == "100"
    assert told(page)["question"]["open_at"] == "22:00"


def test_the_card_of_a_point_opens_and_the_map_is_told(visit: Visit, store: District) -> None:
    page = opened(visit.sign_in("analyst"), within=1000)
    [chooser] = [one for one in page.selectbox if one.key.startswith("coverage.point.")]
    page = fine(chooser.set_value(point(store, "JWZ01")).run())
    shown = cards(page)
    assert (shown["独自覆盖(人)"], shown["出警准备"], shown["开放时间"]) == ("0", "2 分钟", "24 小时")
    assert told(page)["point"]
    assert told(page)["bands"] == "333m,667m,1000m"


def test_a_click_on_the_map_opens_the_card(
    visit: Visit, store: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(visit.sign_in("analyst"))
    say(monkeypatch, point=point(store, "JWZ02"), picked=1)
    assert cards(fine(page.run()))["开放时间"] == "日间 8:00–20:00"


# --- gaps -------------------------------------------------------------------------------------------------


def test_the_worst_gap_comes_first_and_leads_to_its_place(visit: Visit) -> None:
    page = opened(visit.sign_in("analyst"), "死角")
    [body] = [one.proto.body for one in page.get("html") if "gm-table gm-places" in one.proto.body]
    rows = re.findall(r"<tr (.*?)>(.*?)</tr>", body)
    attributes, cells = rows[0]
    assert 'data-gridmap-gap="1"' in attributes
    assert EAST_GRID in cells
    assert '<td class="gm-figure">300</td>' in cells
    lon, lat = map(float, re.findall(r'fly="([\d.]+),([\d.]+)"', attributes)[0])
    assert (lon, lat) == pytest.approx(lonlat(200, 50), abs=0.002)


def test_exports_carry_the_question(visit: Visit) -> None:
    shown = html.unescape(texts(opened(visit.sign_in("analyst"), "死角")))
    for name in ("xlsx", "gpkg", "json"):
        assert re.search(rf"/api/coverage/export\?[^\"]*within=500m[^\"]*format={name}", shown)


# --- what-if ----------------------------------------------------------------------------------------------


def test_changes_are_saved_compared_and_opened_by_link(
    visit: Visit, store: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = store.database.sequence()
    say(monkeypatch, changes=[SOUTH_BRIDGE])
    page = opened(visit.sign_in("analyst"), "推演")
    assert "当前改动:架桥 1 项" in texts(page)
    page.text_input(key="coverage.name.0").set_value("南桥方案")
    [save] = [one for one in page.button if one.label == "保存为新方案"]
    page = fine(save.click().run())
    assert "方案已保存" in texts(page) or "改动已保存在方案" in texts(page)
    [one] = [each for each in scenarios.find(store, ANALYST) if each.name == "南桥方案"]
    assert told(page)["scenario"]["id"] == one.id
    shown = texts(page)
    assert "+300" in shown
    assert "100.0%" in shown
    assert store.database.sequence() == sequence  # nothing of the base changed

    say(monkeypatch)
    assert told(linked(visit, "viewer", one.id))["scenario"]["name"] == "南桥方案"
    # who chooses it stays on the tab
    page = opened(visit.sign_in("analyst"), "死角")
    page = fine(page.selectbox(key="coverage.scenario.0").set_value(one.id).run())
    assert told(page)["scenario"]["name"] == "南桥方案"
    assert told(page)["tab"] == "gaps"
    scenarios.remove(store, ANALYST, one.id)


def test_a_scenario_without_a_name_is_refused_in_words(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, changes=[SOUTH_BRIDGE])
    page = opened(visit.sign_in("analyst"), "推演")
    [save] = [one for one in page.button if one.label == "保存为新方案"]
    assert "方案名称应为" in texts(fine(save.click().run()))


def test_a_viewer_tries_and_does_not_save(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, changes=[NEW_POINT])
    page = opened(visit.sign_in("viewer"), "推演")
    assert "保存方案需要研判员权限" in texts(page)
    assert not [one for one in page.button if one.label == "保存为新方案"]


def test_a_scenario_becomes_edits_only_by_who_may(
    visit: Visit, store: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = scenarios.save(store, ANALYST, "新点", parse_changes([NEW_POINT]), NEAR)
    say(monkeypatch, changes=[NEW_POINT], base=one.id)
    before = len(workstations(store))
    buttons = {
        who: {each.label for each in linked(visit, who, one.id).button} for who in ("viewer", "analyst")
    }
    assert not buttons["viewer"] & {"确定应用", "确定删除"}
    assert buttons["analyst"] & {"确定应用", "确定删除"} == {"确定删除"}
    page = linked(visit, "keeper", one.id)
    page = fine(page.button(key="coverage.apply").click().run())
    assert "已完成" in texts(page)
    assert len(workstations(store)) == before + 1
    scenarios.remove(store, ANALYST, one.id)
    remove_last(store)


def remove_last(store: District) -> None:
    [made] = [each for each in workstations(store) if each.name == "东岸新点"]
    elements.delete(store, ADMIN, "workstation", made.id, base_revision=made.revision, reason="测试")


def test_candidates_are_compared_in_a_table(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, changes=[NEW_POINT])
    page = opened(visit.sign_in("analyst"), "推演")
    page = fine(page.button(key="coverage.compare_sites").click().run())
    [body] = [one.proto.body for one in page.get("html") if "gm-table gm-places" in one.proto.body]
    assert "东岸新点" in body
    assert ">300<" in body
    assert told(page)["candidates"][0]["name"] == "东岸新点"


# --- siting -----------------------------------------------------------------------------------------------


@pytest.fixture
def solved(store: District) -> Job:
    """A solve that is done: one new point within 500 m."""
    asked = SitingQuestion(NEAR, Problem.MCLP, count=1, candidates="roads", time_limit=5, curve=2, share=0.95)
    result = siting.solve(store, ANALYST, asked, keep=False)
    now = store.clock()
    return Job(
        "j1",
        "site",
        "选址",
        "analyst",
        JobState.DONE,
        1.0,
        "",
        asked.document(),
        result,
        "",
        None,
        "",
        now,
        now,
        now,
    )


def test_a_solve_shows_its_progress_its_proof_and_becomes_a_scenario(
    visit: Visit, store: District, solved: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = replace(
        solved, state=JobState.RUNNING, progress=0.4, message="当前最好:覆盖 400 人;界限:450 人", result=None
    )
    asked: list[SitingQuestion] = []
    monkeypatch.setattr(siting, "start", lambda district, user, one: asked.append(one) or running)
    monkeypatch.setattr(jobs, "get", lambda district, user, job: running)
    page = opened(visit.sign_in("analyst"), "选址")
    page.number_input(key="coverage.count").set_value(1)
    [start] = [one for one in page.button if one.label == "开始选址"]
    page = fine(start.click().run())
    assert (asked[0].count, asked[0].problem, asked[0].share) == (1, Problem.MCLP, 0.95)
    assert [one.label for one in page.button if one.key == "coverage.cancel"] == ["取消计算"]

    monkeypatch.setattr(jobs, "get", lambda district, user, job: solved)
    page = fine(page.run())
    shown = texts(page)
    assert "覆盖 450 人 · 已证明最优" in shown
    assert "33.3% → 100.0%" in shown
    assert "新增 **1** 处" in shown
    assert len(told(page)["sites"]) == 1
    [take] = [one for one in page.button if one.label == "存为推演方案"]
    fine(take.click().run())
    [one] = [each for each in scenarios.find(store, ANALYST) if each.name.startswith("选址:")]
    assert [type(each).__name__ for each in one.changes] == ["Add"]
    scenarios.remove(store, ANALYST, one.id)


def test_limits_are_asked_for_and_a_cancelled_solve_shows_its_best(
    visit: Visit, store: District, solved: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = SitingQuestion(NEAR, Problem.MCLP, count=1, candidates="roads", time_limit=5, covers=2)
    best = siting.solve(store, ANALYST, twice, keep=False) | {
        "is_optimal": False, "proof_text": "计算已取消,保留停止时最好的方案,未证明最优:与界限最多相差 3.00%",
    }  # fmt: skip
    cancelled = replace(solved, state=JobState.CANCELLED, result=best, parameters=twice.document())
    asked: list[SitingQuestion] = []
    monkeypatch.setattr(siting, "start", lambda district, user, one: asked.append(one) or cancelled)
    monkeypatch.setattr(jobs, "get", lambda district, user, job: cancelled)
    page = opened(visit.sign_in("analyst"), "选址")
    page.number_input(key="coverage.covers.mclp").set_value(2)
    page.checkbox(key="coverage.backup").check()
    [start] = [one for one in page.button if one.label == "开始选址"]
    page = fine(start.click().run())
    assert (asked[0].covers, asked[0].backup, asked[0].capacity) == (2, 0.5, None)
    shown = texts(page)
    assert "计算已取消,保留停止时最好的方案,未证明最优" in shown
    assert "附加条件:至少覆盖 2 次" in shown
    assert "至少 2 次覆盖" in shown

    page.number_input(key="coverage.capacity.mclp").set_value(900.0)
    [start] = [one for one in page.button if one.label == "开始选址"]
    assert "不能同时使用" in texts(start.click().run())
    page = fine(page.selectbox(key="coverage.problem").set_value(Problem.P_MEDIAN).run())
    page.number_input(key="coverage.capacity.p-median").set_value(900.0)
    [start] = [one for one in page.button if one.label == "开始选址"]
    fine(start.click().run())
    assert (asked[-1].capacity, asked[-1].covers) == (900.0, 1)


def test_sites_given_up_are_closed_in_the_scenario() -> None:
    result = {
        "sites": [{"is_new": False, "lon": 1, "lat": 1}, {"is_new": True, "lon": 121.5, "lat": 31}],
        "closed": [{"id": "a"}],
    }
    added, closed = siting.changes_of(result)
    assert (added.lon, added.lat, closed.id) == (121.5, 31, "a")  # type: ignore[union-attr]


def test_a_failed_solve_says_why(visit: Visit, solved: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = replace(solved, state=JobState.FAILED, message="候选点图层没有数据", result=None)
    monkeypatch.setattr(siting, "start", lambda district, user, one: failed)
    monkeypatch.setattr(jobs, "get", lambda district, user, job: failed)
    page = opened(visit.sign_in("analyst"), "选址")
    [start] = [one for one in page.button if one.label == "开始选址"]
    assert "候选点图层没有数据" in texts(fine(start.click().run()))


# --- nothing there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("workstation", "站点图层没有要素"),
        ("residential_area", "需求图层“居住区”没有数据"),
        ("road", "没有可供步行使用的道路"),
    ],
)
def test_what_is_missing_is_said_on_every_tab(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str, sentence: str
) -> None:
    empty = make_canal(f"sqlite:///{tmp_path / 'empty.gpkg'}", tmp_path, FakeClock(), without=(without,))
    try:
        visit.passwords, visit.district = accounts.create_demo_accounts(empty), empty
        monkeypatch.setattr(districts, "running", lambda: empty)
        page = opened(visit.sign_in("analyst"))
        assert sentence in texts(page)
        for tab in ("死角", "推演", "选址"):
            page.session_state["coverage.tab.0"] = tab
            page = fine(page.run())
    finally:
        empty.close()


# --- pieces -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", [None, [], {"changes": "x"}, {"changes": [1], "picked": "2", "point": 3, "base": []}]
)
def test_nothing_that_a_browser_says_is_taken_for_granted(said: Any) -> None:
    assert coverage_map.heard(said) == Heard()


def test_bands_are_thirds_in_the_threshold_s_own_unit() -> None:
    assert coverage_map.bands("15min") == "300s,600s,900s"
    assert coverage_map.bands("900m") == "300m,600m,900m"


def test_names_in_tables_and_messages_are_escaped(visit: Visit) -> None:
    cell = coverage_map._cell("<b>甲</b>\n<i>")
    assert "<b>" not in cell
    assert "<i>" not in cell


def test_hidden_counts_are_not_zero_and_differences_have_signs() -> None:
    assert coverage_words.people(None, is_hidden=True) == "<5"
    assert (coverage_words.people(None), coverage_words.signed(3), coverage_words.signed(-3)) == (
        "—",
        "+3",
        "-3",
    )


def test_a_chart_has_a_name_and_its_marks() -> None:
    made = line_chart(
        [(0, 0.2), (1, 0.5)], title="曲线<1>", x_title="点", y_title="率", x_labels=[(0, "0"), (1, "1")],
        y_labels=[(0, "0"), (1, "1")], unproven=[1],
    )  # fmt: skip
    assert 'alt="曲线&lt;1&gt;"' in made
    drawing = base64.b64decode(re.findall(r"base64,([^\"]+)", made)[0]).decode()
    assert drawing.count("<circle") == 2
    assert drawing.count('fill="#fff" stroke') == 1
