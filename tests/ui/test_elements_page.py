"""要素: the table with its edits, imports step by step, exports, and the way back through history."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import openpyxl
import pytest
import shapely
from streamlit.testing.v1 import AppTest

from gridmap.domain.elements import Element, Source
from gridmap.domain.layers import Layer
from gridmap.domain.merge import Choice
from gridmap.exchange import Limits, read_table
from gridmap.services import accounts, elements, imports, jobs
from gridmap.services.accounts import CONSOLE
from gridmap.services.district import District
from gridmap.storage.elements import Query
from gridmap.ui import element_drafts as drafts
from gridmap.ui import element_filters as filters
from gridmap.ui import element_keeping as keeping
from gridmap.ui import element_rows as rows
from gridmap.ui import element_table
from gridmap.ui.element_drafts import TICK
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import ImportWork, TableWork, Upload
from gridmap.ui.pages import FOLDER
from gridmap.ui.words import CHINA
from tests.support.district import ADMIN, KEEPER, OFFICER_WEST, VIEWER, element, put
from tests.ui.conftest import Visit, fine, press, texts

_numbers = count(400)
HEAD = "编码,名称,开放时间,民警数,经度,纬度,备注\n"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way from a browser where there is none."""
    monkeypatch.setattr(element_table, "UNDER_WAY_SECONDS", 0)


@pytest.fixture
def layer(store: District) -> Layer:
    return store.catalogue.layer("workstation")


def make(store: District, lon: float | None = None, lat: float | None = None, **facts: Any) -> Element:
    """A workstation that a test has to itself; in the western town, apart from others, unless told otherwise."""
    number = next(_numbers)
    place = shapely.Point(lon or 121.405 + number % 90 / 1000, lat or 30.91 + number % 70 / 1000)
    made = element(
        "workstation", f"JWZ{number}", f"测试站{number}", place, opening_hours="24h", officer_count=3
    )  # fmt: skip
    return put(store, replace(made, **facts))[0]


def stored(store: District, one: Element) -> Element:
    found = elements.find(store, ADMIN, Query(one.layer, ids=[one.id], is_retired=None)).elements
    return found[0]


def typed(layer: Layer, shown: tuple[Element, ...], edits: Mapping[int, Mapping[str, Any]]) -> TableWork:
    """A table of these rows after somebody typed into it."""
    work = TableWork(shown=shown)
    drafts.fold(layer, work, edits)
    return work


# --- what is typed ---------------------------------------------------------------------------------------------


def test_typed_cells_become_drafts_of_their_rows(store: District, layer: Layer) -> None:
    one, two = make(store), make(store)
    work = typed(layer, (one, two), {1: {"name": " 新名 ", "officer_count": 5}})
    assert work.drafts.keys() == {two.id}
    assert work.drafts[two.id].changes == {"name": "新名", "officer_count": 5}
    assert work.drafts[two.id].base == two


def test_a_cell_typed_back_is_no_edit(store: District, layer: Layer) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {"name": "新名", "services": "调解"}})
    drafts.fold(layer, work, {0: {"name": one.name, "services": ""}})
    assert not work.drafts


def test_what_cannot_be_right_is_kept_as_typed(store: District, layer: Layer) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {"code": "甲1"}})
    assert work.drafts[one.id].changes == {"code": "甲1"}


def test_ticks_are_no_edits(store: District, layer: Layer) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {TICK: True}})
    assert (work.ticked, work.drafts) == ({one.id}, {})
    drafts.fold(layer, work, {0: {TICK: False}})
    assert not work.ticked


def test_edits_of_rows_that_are_gone_are_passed_over(store: District, layer: Layer) -> None:
    assert not typed(layer, (make(store),), {7: {"name": "谁"}}).drafts


def test_rows_are_stored_one_revision_each_and_failed_ones_stay(store: District, layer: Layer) -> None:
    good, bad = make(store), make(store)
    work = typed(
        layer, (good, bad), {0: {"name": "好名", "officer_count": 4}, 1: {"code": "甲1", "name": "坏名"}}
    )
    outcomes = drafts.save(store, OFFICER_WEST, layer, work, list(work.drafts), reason="走访")
    assert [one.done for one in outcomes] == ["已保存第 2 版", ""]
    assert "不符合规定的格式" in outcomes[1].words
    assert (stored(store, good).name, stored(store, good).revision) == ("好名", 2)
    assert elements.history(store, ADMIN, "workstation", good.id)[0].reason == "走访"
    assert stored(store, bad).revision == 1
    assert work.drafts[bad.id].changes == {"code": "甲1", "name": "坏名"}
    assert work.drafts.keys() == {bad.id}


def test_others_fields_are_merged_and_told(store: District, layer: Layer) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {"name": "我的"}})
    elements.change(store, KEEPER, "workstation", one.id, base_revision=1, changes={"officer_count": 9})
    [outcome] = drafts.save(store, OFFICER_WEST, layer, work, [one.id])
    assert (outcome.done, outcome.words) == ("已保存第 3 版", "已合并他人对“民警数”的修改")
    assert stored(store, one).values()["officer_count"] == 9


@pytest.mark.parametrize(("choice", "name"), [(Choice.MINE, "我的"), (Choice.THEIRS, "他们的")])
def test_a_conflict_is_settled_by_a_choice(store: District, layer: Layer, choice: Choice, name: str) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {"name": "我的", "officer_count": 8}})
    elements.change(store, KEEPER, "workstation", one.id, base_revision=1, changes={"name": "他们的"})
    [outcome] = drafts.save(store, OFFICER_WEST, layer, work, [one.id])
    assert outcome.done == ""
    draft = work.drafts[one.id]
    assert draft.conflict is not None
    assert stored(store, one).values()["officer_count"] == 3

    work.drafts[one.id] = drafts.decided(draft, {"name": choice})
    [outcome] = drafts.save(store, OFFICER_WEST, layer, work, [one.id])
    assert outcome.done == "已保存第 3 版"
    assert (stored(store, one).name, stored(store, one).values()["officer_count"]) == (name, 8)


def test_a_choice_holds_only_against_what_was_seen(store: District, layer: Layer) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {"name": "我的"}})
    elements.change(store, KEEPER, "workstation", one.id, base_revision=1, changes={"name": "他们的"})
    drafts.save(store, OFFICER_WEST, layer, work, [one.id])
    work.drafts[one.id] = drafts.decided(work.drafts[one.id], {"name": Choice.MINE})
    elements.change(store, KEEPER, "workstation", one.id, base_revision=2, changes={"name": "又改了"})
    [outcome] = drafts.save(store, OFFICER_WEST, layer, work, [one.id])
    assert outcome.done == ""
    assert stored(store, one).name == "又改了"


def test_a_row_with_edits_is_not_verified_over_them(store: District, layer: Layer) -> None:
    one, two = make(store), make(store)
    work = typed(layer, (one, two), {0: {"name": "改了"}})
    outcomes = drafts.verify(store, OFFICER_WEST, layer, work, [one, two])
    assert [bool(outcome.done) for outcome in outcomes] == [False, True]
    assert (stored(store, one).verified_by, stored(store, two).verified_by) == (None, "officer1")


def test_a_stale_row_is_not_deleted(store: District, layer: Layer) -> None:
    one, two = make(store), make(store)
    elements.change(store, KEEPER, "workstation", one.id, base_revision=1, changes={"name": "新"})
    outcomes = drafts.delete(store, OFFICER_WEST, layer, TableWork(), [one, two])
    assert [bool(outcome.done) for outcome in outcomes] == [False, True]
    assert "keeper" in outcomes[0].words
    assert (stored(store, one).is_retired, stored(store, two).is_retired) == (False, True)


def test_a_grid_of_a_whole_partition_is_not_deleted_from_the_table_and_merging_is_told(
    store: District,
) -> None:
    grid = elements.find(store, KEEPER, Query("police_grid")).elements[0]
    [outcome] = drafts.delete(store, KEEPER, store.catalogue.layer("police_grid"), TableWork(), [grid])
    assert not outcome.done
    assert "请改用“合并”" in outcome.words
    assert not stored(store, grid).is_retired


# --- what is kept through a reload -----------------------------------------------------------------------------


def test_unsaved_edits_come_back_in_a_new_tab(store: District, layer: Layer) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {"name": "没存的"}})
    keeping.keep(store, OFFICER_WEST, layer, work)

    fresh, others, later = TableWork(), TableWork(), TableWork()
    keeping.recall(store, OFFICER_WEST, layer, fresh)
    assert fresh.recalled == 1
    assert fresh.drafts[one.id].changes == {"name": "没存的"}
    assert fresh.drafts[one.id].base.revision == 1
    keeping.recall(store, KEEPER, layer, others)
    assert others.recalled == 0

    drafts.save(store, OFFICER_WEST, layer, fresh, [one.id])
    keeping.keep(store, OFFICER_WEST, layer, fresh)
    keeping.recall(store, OFFICER_WEST, layer, later)
    assert later.recalled == 0


def test_personal_data_is_never_written_down(store: District, layer: Layer) -> None:
    one = make(store)
    work = typed(layer, (one,), {0: {"name": "联系 13800138000", "services": "调解"}})
    keeping.keep(store, OFFICER_WEST, layer, work)
    files = list((store.settings.home / "drafts").rglob(f"{one.id}.json"))
    assert [json.loads(file.read_text())["changes"] for file in files] == [{"services": "调解"}]
    work.drafts.clear()
    keeping.keep(store, OFFICER_WEST, layer, work)
    assert not list((store.settings.home / "drafts").rglob(f"{one.id}.json"))


# --- rows ------------------------------------------------------------------------------------------------------


def test_rows_outside_the_own_area_are_not_editable(store: District, layer: Layer) -> None:
    west, border, beyond, east = (make(store, lon) for lon in (121.45, 121.5, 121.500001, 121.55))
    shown = [west, border, beyond, east, replace(west, is_retired=True)]
    # the rule itself lets a rounding error past the border
    assert rows.editable(store, OFFICER_WEST, layer, shown) == [True, True, True, False, False]
    assert rows.editable(store, KEEPER, layer, shown) == [True, True, True, True, False]
    assert rows.editable(store, VIEWER, layer, shown) == [False] * 5


def test_a_table_has_columns_of_the_fields_own_types(store: District, layer: Layer) -> None:
    one = make(store, source=Source.SIMULATED, due_at=store.clock() - timedelta(days=1))
    work = typed(layer, (one,), {0: {"officer_count": 7}})
    table = rows.frame(
        layer, [one], links=["/map"], called={}, now=store.clock(), drafts=work.drafts, ticked=set()
    )
    assert table.index.tolist() == [one.id]
    assert table.loc[one.id, "officer_count"] == 7
    assert str(table.dtypes["officer_count"]) == "Int64"
    assert str(table.dtypes["readiness_minutes"]) == "Float64"
    assert table.loc[one.id, ["_state", "_source"]].tolist() == ["未保存·逾期", "模拟数据"]


def test_dates_and_truths_stand_in_columns_of_their_own(store: District) -> None:
    incident = store.catalogue.layer("incident")
    one = element(
        "incident",
        None,
        "警情",
        shapely.Point(121.45, 30.93),
        is_closed=True,
        occurred_at="2026-03-01T00:30:00+00:00",
    )
    names = {field.type.value: field.name for field in incident.fields}
    one = replace(one, properties={names["boolean"]: True, names["datetime"]: "2026-03-01T00:30:00+00:00"})
    table = rows.frame(incident, [one], links=[""], called={}, now=store.clock())
    assert table.loc[one.id, names["boolean"]]
    assert table.loc[one.id, names["datetime"]].tz_convert(CHINA).hour == 8


def every_table() -> None:
    import shapely
    import streamlit as st

    from gridmap.services import district as districts
    from gridmap.ui import element_rows as rows
    from tests.support.district import element

    district = districts.running()
    examples = {
        "text": "字", "integer": 3, "number": 1.5, "boolean": True, "date": "2026-03-01",
        "datetime": "2026-03-01T00:30:00+00:00",
    }  # fmt: skip
    for layer in district.catalogue:
        values = {
            field.name: field.choices[0].value if field.choices else examples[field.type.value]
            for field in layer.fields
        }
        place = shapely.Point(121.45, 30.93)
        shown = [element(layer.id, "A1", "有值", place, **values), element(layer.id, None, "无值", place)]
        table = rows.frame(
            layer, shown, links=["/map", "/map"], called={}, now=district.clock(), ticked=set()
        )
        config = rows.column_config(layer, is_editable=True)
        back = st.data_editor(table, key=layer.id, column_config=config)
        assert back.iloc[0].notna()[list(values)].all(), layer.id
        assert back.iloc[1].isna()[list(values)].all(), layer.id


def test_every_layer_has_a_table_that_can_be_edited(visit: Visit) -> None:
    page = fine(AppTest.from_function(every_table, default_timeout=60).run())
    assert len(page.dataframe) == len(visit.district.catalogue)


def test_links_lead_to_the_element_on_the_map(store: District) -> None:
    one = make(store, 121.45, 30.93)
    [town] = elements.find(store, ADMIN, Query("town", text="西镇")).elements
    point, area = rows.map_links(store, [one, town], "/base")
    assert point == f"/base/map#17/30.930000/121.450000/workstation/{one.id}"
    zoom, lat, lon, *_ = area.split("#")[1].split("/")
    # the town, a tenth of a degree square, fits into 500 pixels and is more than half as high
    high = 256 * 2 ** int(zoom) / 360 * 0.1 / math.cos(math.radians(30.95))
    assert 250 < high <= 500
    assert (float(lat), float(lon)) == (pytest.approx(30.95), pytest.approx(121.45))


def test_markup_in_data_is_shown_as_it_is() -> None:
    assert literal("**粗** ![x](/y) :red[z] $1$") == r"\*\*粗\*\* \!\[x\]\(/y\) \:red\[z\] \$1\$"


# --- filters ---------------------------------------------------------------------------------------------------


def test_overdue_elements_are_paged_like_any_others(store: District, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "_CHUNK", 2)
    late = [
        make(store, name=f"晚到{number}", due_at=store.clock() - timedelta(days=1)) for number in range(5)
    ]
    make(store, name="晚到却未逾期", due_at=store.clock() + timedelta(days=1))
    asked = filters.Filter(Query("workstation", text="晚到"), is_overdue=True)
    pages = [filters.one_page(store, ADMIN, asked, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [page.total for page in pages] == [5] * 4
    assert [one.id for page in pages for one in page.elements] == [one.id for one in late]


# --- the page --------------------------------------------------------------------------------------------------


def open_layer(visit: Visit, layer: str = "workstation", tab: str | None = None) -> AppTest:
    page = visit.page("elements")
    page = fine(page.selectbox(key="elements.layer").set_value(layer).run())
    if tab is not None:
        page.session_state["elements.tab"] = tab
        page = fine(page.run())
    return page


def find(page: AppTest, text: str) -> AppTest:
    return fine(page.text_input(key="elements.filter.workstation.text").set_value(text).run())


def tabs(page: AppTest) -> list[str]:
    return [one.label for one in page.tabs]


def buttons(page: AppTest) -> set[str]:
    return {one.label for one in page.button}


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, Any]]:
    """What the editor remembers of typing, which no test without a browser can do."""
    edits: dict[int, dict[str, Any]] = {}
    monkeypatch.setattr(element_table, "typed", lambda key: edits if key else {})
    return edits


def test_a_viewer_reads_and_takes_away_and_nothing_else(visit: Visit) -> None:
    page = open_layer(visit.sign_in("viewer"))
    assert tabs(page) == ["表格", "导出"]
    assert not buttons(page)
    assert "小于 5 的数量" in texts(page)
    page.session_state["elements.tab"] = "批量导入"
    assert tabs(page.run()) == ["表格", "导出"]
    assert not page.file_uploader


def test_layers_are_listed_by_group_with_their_counts(visit: Visit) -> None:
    page = visit.sign_in("officer").page("elements")
    words = page.selectbox(key="elements.layer").options
    assert "行政区划 › 街镇 · 2 个 · 只读" in words
    groups = [one.split(" › ")[0] for one in words]
    assert len(list(dict.fromkeys(groups))) == sum(
        a != b for a, b in zip(groups, ["", *groups], strict=False)
    )


def test_the_address_names_the_layer_as_far_as_one_may_see_it(visit: Visit) -> None:
    page = AppTest.from_file(FOLDER / "elements.py", default_timeout=20)
    visit.sign_in("officer")
    page.query_params["layer"] = "safe_house"
    assert fine(page.run()).selectbox(key="elements.layer").value == "safe_house"
    page = AppTest.from_file(FOLDER / "elements.py", default_timeout=20)
    visit.sign_in("viewer")
    page.query_params["layer"] = "risk"
    page = fine(page.run())
    assert page.selectbox(key="elements.layer").value == "district"
    assert page.query_params["layer"] in ("district", ["district"])


def test_an_officer_sees_which_rows_are_not_his_and_why(visit: Visit) -> None:
    make(visit.district, 121.55, name="东边的站")
    page = find(open_layer(visit.sign_in("officer")), "东边的站")
    # the page begins with the own area; the rest is a choice away
    assert "没有符合条件的要素" in texts(page)
    page = fine(page.selectbox(key="elements.filter.workstation.grid_layer").set_value("").run())
    assert "只读(1 行)" in texts(page)
    assert "不在您的责任区内" in texts(page)
    assert "保存" not in buttons(page)


def test_an_inline_edit_is_stored_with_one_revision(visit: Visit, hand: dict[int, dict[str, Any]]) -> None:
    good, bad = make(visit.district, name="行内一"), make(visit.district, name="行内二")
    page = find(open_layer(visit.sign_in("officer")), "行内")
    hand |= {0: {"officer_count": 6}, 1: {"code": "甲"}}
    page = fine(page.run())
    assert "保存 2 行" in buttons(page)
    page = press(page, "保存 2 行")
    shown = texts(page)
    assert "已保存第 2 版" in shown
    assert "未保存。未保存的修改仍在表格中" in shown
    assert stored(visit.district, good).values()["officer_count"] == 6
    assert stored(visit.district, bad).revision == 1

    hand.clear()
    page = fine(page.run())
    assert "保存 1 行" in buttons(page)
    hand |= {1: {"code": bad.code}}
    assert {"保存"} < buttons(fine(page.run()))


def test_edits_stay_when_the_page_or_the_filter_changes(
    visit: Visit, hand: dict[int, dict[str, Any]]
) -> None:
    one = make(visit.district, name="翻页一")
    page = find(open_layer(visit.sign_in("officer")), "翻页一")
    hand |= {0: {"name": "翻页改"}}
    page = fine(page.run())
    page = find(page, "西镇第一")
    hand.clear()
    page = fine(page.run())
    assert "另有 1 行未保存的修改不在本页" in texts(page)
    press(page, "保存 1 行")
    assert stored(visit.district, one).name == "翻页改"


def test_edits_are_given_up_on_purpose_only(visit: Visit, hand: dict[int, dict[str, Any]]) -> None:
    one = make(visit.district, name="放弃一")
    page = find(open_layer(visit.sign_in("officer")), "放弃一")
    hand |= {0: {"name": "别的"}}
    page = fine(page.run())
    hand.clear()
    page = press(page, "确定放弃")
    assert "保存" in buttons(page)
    assert stored(visit.district, one).revision == 1


def test_a_conflict_is_shown_with_all_three_states(visit: Visit, hand: dict[int, dict[str, Any]]) -> None:
    one = make(visit.district, name="冲突站")
    page = find(open_layer(visit.sign_in("officer")), "冲突站")
    hand |= {0: {"name": "冲突站甲"}}
    page = fine(page.run())
    elements.change(
        visit.district, KEEPER, "workstation", one.id, base_revision=1, changes={"name": "冲突站乙"}
    )
    page = press(page, "保存 1 行")
    hand.clear()
    page = fine(page.run())
    [choice] = page.radio
    assert choice.label == "名称(原来:冲突站)"
    assert choice.options == ["保留我的:冲突站甲", "用他们的:冲突站乙"]
    page = press(page, "按选择保存")
    assert "已保存第 3 版" in texts(page)
    assert stored(visit.district, one).name == "冲突站甲"


def test_an_element_deleted_meanwhile_can_be_brought_back_with_the_edit(
    visit: Visit, hand: dict[int, dict[str, Any]]
) -> None:
    one = make(visit.district, name="消失站")
    page = find(open_layer(visit.sign_in("officer")), "消失站")
    hand |= {0: {"name": "消失站甲"}}
    page = fine(page.run())
    elements.delete(visit.district, KEEPER, "workstation", one.id, base_revision=1)
    hand.clear()
    page = press(page, "保存 1 行")
    assert "删除了这个要素" in texts(page)
    press(page, "恢复该要素并保存我的修改")
    assert (stored(visit.district, one).name, stored(visit.district, one).is_retired) == ("消失站甲", False)


def test_ticked_rows_are_verified_and_deleted(visit: Visit, hand: dict[int, dict[str, Any]]) -> None:
    one, two = make(visit.district, name="勾选一"), make(visit.district, name="勾选二")
    page = press(find(open_layer(visit.sign_in("officer")), "勾选"), "全选本页")
    page = press(page, "批量核实 2 行")
    assert texts(page).count("已核实,第 2 版") == 2
    hand |= {1: {TICK: True}}
    page = fine(page.run())
    hand.clear()
    press(page, "确定删除")
    assert (stored(visit.district, one).is_retired, stored(visit.district, two).is_retired) == (False, True)


def test_an_empty_layer_says_what_to_do(visit: Visit) -> None:
    page = open_layer(visit.sign_in("officer"), "safe_house")
    assert "还没有平安屋" in texts(page)
    page = fine(page.text_input(key="elements.filter.safe_house.text").set_value("没有").run())
    assert "没有符合条件的要素" in texts(page)


# --- import ----------------------------------------------------------------------------------------------------


def send(page: AppTest, name: str, content: str | bytes) -> AppTest:
    data = content if isinstance(content, bytes) else content.encode()
    page = fine(page.file_uploader[0].set_value((name, data, "text/plain")).run())
    return fine(page.run())


def start_import(visit: Visit, rows_text: str, username: str = "officer") -> AppTest:
    page = open_layer(visit.sign_in(username), tab="批量导入")
    return send(page, "表.csv", HEAD + rows_text)


def to_dry_run(page: AppTest, datum: str = "wgs84") -> AppTest:
    page = press(page, "下一步")
    [asked] = page.radio
    page = fine(asked.set_value(datum).run())
    return press(page, "下一步:预检")


def count_of(store: District, text: str) -> int:
    return elements.find(store, ADMIN, Query("workstation", text=text)).total


def test_a_file_with_a_bad_row_goes_in_by_its_good_rows_and_out_again(visit: Visit) -> None:
    good, bad = next(_numbers), next(_numbers)
    page = start_import(
        visit, f"JWZ{good},导入好站,24小时,3,121.45,30.93,甲\nJWZ{bad},导入坏站,全天,3,121.45,30.94,乙\n"
    )
    assert "CSV 表格" in texts(page)
    assert "导入坏站" in texts(page)
    page = to_dry_run(page)
    shown = texts(page)
    assert "不合格的行(1 条)" in shown
    assert "“全天”不在可选值中" in shown
    assert literal("不导入的列:备注。") in shown
    assert [one.label for one in page.get("download_button")] == ["下载问题清单(CSV)"]
    [apply] = [one for one in page.button if one.label == "入库 1 个要素"]
    assert apply.disabled

    page = fine(page.radio[0].set_value(imports.Mode.GOOD).run())
    page = press(page, "入库 1 个要素")
    assert "新增 1 个" in texts(page)
    assert count_of(visit.district, "导入好站") == 1
    page = press(page, "确定撤销")
    assert "已撤销提交编号" in texts(page)
    assert count_of(visit.district, "导入好站") == 0


def test_words_of_the_file_are_given_their_meaning(visit: Visit) -> None:
    page = to_dry_run(start_import(visit, f"JWZ{next(_numbers)},全天站,全天,3,121.45,30.93,\n"))
    [meant] = [one for one in page.selectbox if "全天" in one.label]
    meant.set_value("24h")
    page = press(page, "按此重新预检")
    page = press(page, "入库 1 个要素")
    assert (
        elements.find(visit.district, ADMIN, Query("workstation", text="全天站"))
        .elements[0]
        .values()["opening_hours"]
        == "24h"
    )


def test_no_datum_is_taken_for_granted(visit: Visit) -> None:
    page = press(start_import(visit, f"JWZ{next(_numbers)},基准站,24小时,3,121.45,30.93,\n"), "下一步")
    assert page.radio[0].value is None
    assert "百度地图的坐标" in "".join(page.radio[0].proto.captions)
    [dry_run] = [one for one in page.button if one.label == "下一步:预检"]
    assert dry_run.disabled
    page = fine(page.radio[0].set_value("other").run())
    page = fine(page.text_input[0].set_value("EPSG:999999").run())
    assert "不在 EPSG 目录中" in page.error[0].value


def test_a_wrong_datum_is_suspected_before_anything_is_stored(visit: Visit) -> None:
    page = to_dry_run(start_import(visit, f"JWZ{next(_numbers)},远方站,24小时,3,113.2,23.1,\n", "keeper"))
    assert any("不在本区范围内" in one.value for one in page.warning)


def test_columns_are_mapped_by_hand_where_the_proposal_is_wrong(visit: Visit) -> None:
    page = press(start_import(visit, f"JWZ{next(_numbers)},对应站,24小时,3,121.45,30.93,调解\n"), "下一步")
    [remark] = [one for one in page.selectbox if one.label.startswith("备注")]
    page = fine(remark.set_value("name").run())
    assert "对应了不止一列" in page.error[0].value
    [remark] = [one for one in page.selectbox if one.label.startswith("备注")]
    page = fine(remark.set_value("services").run())
    page = fine(page.radio[0].set_value("wgs84").run())
    page = press(press(page, "下一步:预检"), "入库 1 个要素")
    [made] = elements.find(visit.district, ADMIN, Query("workstation", text="对应站")).elements
    assert made.properties["services"] == "调解"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("空.csv", b"", "文件是空的"),
        ("坏.xlsx", b"PK\x03\x04broken", "压缩包已损坏"),
        ("图.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "文件是图片"),
        ("网页.geojson", b"<!doctype html><html></html>", "文件内容是网页"),
        ("乱码.csv", "编码,名称\nJWZ01,站".encode("gb18030") + b"\xff\xff\x81", "编码"),
        ("没有图形.geojson", b'{"type": "FeatureColl', ""),
    ],
)
def test_broken_files_are_refused_in_words(visit: Visit, name: str, content: bytes, words: str) -> None:
    page = send(open_layer(visit.sign_in("officer"), tab="批量导入"), name, content)
    assert words in page.error[0].value
    assert "。" in page.error[0].value
    [onward] = [one for one in page.button if one.label == "下一步"]
    assert onward.disabled
    assert press(page, "换一个文件").file_uploader


def test_one_sheet_of_several_is_chosen(visit: Visit) -> None:
    book = openpyxl.Workbook()
    book.active.title = "目录"
    book.active.append(["这里没有数据"])
    sheet = book.create_sheet("警务站")
    for row in (
        ["编码", "名称", "开放时间", "民警数", "经度", "纬度"],
        [f"JWZ{next(_numbers)}", "簿中站", "24小时", 2, 121.47, 30.945],
    ):
        sheet.append(row)
    held = io.BytesIO()
    book.save(held)
    page = send(open_layer(visit.sign_in("officer"), tab="批量导入"), "站.xlsx", held.getvalue())
    [onward] = [one for one in page.button if one.label == "下一步"]
    assert onward.disabled
    [part] = [one for one in page.selectbox if one.label.startswith("文件中有多个图层")]
    page = fine(part.set_value("警务站").run())
    assert "簿中站" in texts(page)
    page = press(to_dry_run(page), "入库 1 个要素")
    assert count_of(visit.district, "簿中站") == 1


def test_coordinate_columns_of_any_name_can_be_named(visit: Visit) -> None:
    content = f"编码,名称,开放时间,民警数,东,北\nJWZ{next(_numbers)},指定列站,24小时,2,121.475,30.955\n"
    page = send(open_layer(visit.sign_in("officer"), tab="批量导入"), "站.csv", content)
    assert "没有找到坐标列" in page.info[0].value
    by_label = {one.label: one for one in page.selectbox}
    by_label["经度(或东坐标)列"].set_value("东")
    by_label["纬度(或北坐标)列"].set_value("北")
    page = fine(page.run())
    assert "121.475000, 30.955000" in texts(page)


def test_a_wrong_guess_of_the_encoding_is_put_right_by_hand(visit: Visit) -> None:
    content = (HEAD + f"JWZ{next(_numbers)},編碼站,24小时,3,121.45,30.93,\n").encode("utf-16")
    page = send(open_layer(visit.sign_in("officer"), tab="批量导入"), "站.csv", content)
    assert "編碼站" in texts(page)
    [encoding] = [one for one in page.selectbox if one.label == "文字编码"]
    page = fine(encoding.set_value("gb18030").run())
    assert page.error[0].value
    [encoding] = [one for one in page.selectbox if one.label == "文字编码"]
    page = fine(encoding.set_value("utf-16").run())
    assert "編碼站" in texts(page)


def test_a_file_that_is_too_large_is_refused_in_words(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Limits(max_bytes=1000, max_rows=3)
    for module in (imports, imports.reading):
        monkeypatch.setattr(module, "limits_of", lambda district: small)
    page = send(open_layer(visit.sign_in("officer"), tab="批量导入"), "大.csv", HEAD + "x" * 2000)
    assert "文件过大" in page.error[0].value
    page = send(press(page, "换一个文件"), "长.csv", HEAD + "JWZ1,站,24小时,3,121.45,30.93,\n" * 5)
    assert "行数超过上限" in page.error[0].value


def test_markup_in_a_file_is_shown_as_text(visit: Visit) -> None:
    page = start_import(visit, "JWZ991,<script>alert(1)</script>**粗**,24小时,3,121.45,30.93,\n")
    assert "&lt;script&gt;" in texts(page)
    assert "<script>alert" not in texts(page)
    page = press(page, "下一步")
    assert any(r"\*\*粗" in one.label for one in page.selectbox)


def test_a_file_for_a_layer_that_is_not_the_users_is_not_asked_for(visit: Visit) -> None:
    page = open_layer(visit.sign_in("officer"), "town", tab="批量导入")
    assert "没有编辑“街镇”图层的权限" in texts(page)
    assert not page.file_uploader


def test_personal_numbers_are_masked_in_the_preview(visit: Visit) -> None:
    page = start_import(visit, "JWZ990,站,24小时,3,121.45,30.93,13800138000\n")
    assert "13800138000" not in texts(page)
    assert "138******00" in texts(page)


def test_an_upload_is_gone_with_its_owner() -> None:
    kept = Upload("../../etc/表.csv", b"1")
    path = kept.path
    assert (kept.name, path.read_bytes(), path.stat().st_mode & 0o077) == (
        "表.csv",
        b"1",
        path.stat().st_mode & 0o077,
    )
    assert path.parent.stat().st_mode & 0o077 == 0
    work = ImportWork(upload=kept)
    del kept, work
    assert not path.exists()


@pytest.mark.slow
def test_a_large_file_is_checked_and_stored_in_the_background(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "JOB_ROWS", 1)
    lines = "".join(f"JWZ{next(_numbers)},后台站,24小时,3,121.45,30.{93 + n},\n" for n in range(2))
    page = to_dry_run(start_import(visit, lines, "keeper"))
    keeper = accounts.user_of_session(visit.district, visit.key, address="")

    def finished(page: AppTest) -> AppTest:
        # all of them: the clock stands still, so which one is the newest cannot be told
        for one in jobs.list_jobs(visit.district, keeper):
            jobs.wait(visit.district, keeper, one.id, seconds=120)
        return fine(page.run())

    page = press(finished(page), "入库 2 个要素")
    page = finished(page)
    assert "新增 2 个" in texts(page)
    assert count_of(visit.district, "后台站") == 2
    assert not list((visit.district.settings.home / "jobs").rglob("upload*"))


# --- export ----------------------------------------------------------------------------------------------------


def test_an_export_is_made_logged_and_offered(visit: Visit) -> None:
    page = open_layer(visit.sign_in("officer"), tab="导出")
    assert "记入日志" in page.info[0].value
    page = press(page, "生成文件")
    assert "警务站\\.geojson" in texts(page)
    made = page.session_state["gridmap"].elements.download
    table = read_table(made.content, filename=made.name)
    assert "JWZ01" in table.frame["编码"].tolist()
    lines = accounts.access_lines(visit.district, CONSOLE, kinds=["export"], limit=1)
    assert (lines[0].username, lines[0].target) == ("officer", "workstation")


def test_a_grid_is_not_left_open(visit: Visit) -> None:
    page = open_layer(visit.sign_in("viewer"), tab="导出")
    assert "过去某一时刻" not in [one.label for one in page.checkbox]
    page = fine(page.selectbox(key="elements.export.workstation.grid_layer").set_value("town").run())
    [make_file] = [one for one in page.button if one.label == "生成文件"]
    assert make_file.disabled
    page = fine(page.selectbox(key="elements.export.workstation.grid.town").set_value("310199102").run())
    page = press(page, "生成文件")
    made = page.session_state["gridmap"].elements.download
    codes = read_table(made.content, filename=made.name).frame["编码"].tolist()
    assert "JWZ03" in codes
    assert "JWZ01" not in codes


def test_the_whole_district_goes_into_one_geopackage(visit: Visit) -> None:
    page = press(open_layer(visit.sign_in("officer"), tab="导出"), "生成 GeoPackage")
    made = page.session_state["gridmap"].elements.download
    assert made.name.endswith(".gpkg")
    assert made.content.startswith(b"SQLite format 3")


# --- history ---------------------------------------------------------------------------------------------------


@pytest.fixture
def changed(store: District) -> Iterator[Element]:
    one = make(store, name="历史站")
    elements.change(
        store, KEEPER, "workstation", one.id, base_revision=1, changes={"officer_count": 9}, reason="增援"
    )
    return one


def open_history(visit: Visit, one: Element) -> AppTest:
    page = open_layer(visit, tab="历史与恢复")
    return fine(page.text_input(key="elements.history.workstation.text").set_value(one.code or "").run())


def test_history_tells_who_changed_what_and_why(visit: Visit, changed: Element) -> None:
    shown = texts(open_history(visit.sign_in("officer"), changed))
    for words in ("民警数:3 人 → 9 人", "示例网格管理员", "增援", "使用中(第 2 版)"):
        assert words in shown


def test_an_earlier_version_comes_back_as_a_new_one(visit: Visit, changed: Element) -> None:
    page = open_history(visit.sign_in("officer"), changed)
    page = press(page, "确定恢复")
    assert "已恢复,现为第 3 版" in page.success[0].value
    assert stored(visit.district, changed).values()["officer_count"] == 3


def test_a_deleted_element_comes_back_with_its_id(visit: Visit, changed: Element) -> None:
    elements.delete(visit.district, KEEPER, "workstation", changed.id, base_revision=2)
    page = open_history(visit.sign_in("officer"), changed)
    assert "已删除" in texts(page)
    press(page, "确定恢复")
    back = stored(visit.district, changed)
    assert (back.is_retired, back.revision) == (False, 4)


def test_nobody_restores_outside_the_own_area(visit: Visit) -> None:
    one = make(visit.district, 121.55)
    elements.change(
        visit.district, KEEPER, "workstation", one.id, base_revision=1, changes={"officer_count": 9}
    )
    page = open_history(visit.sign_in("officer"), one)
    assert "不能恢复" in texts(page)
    assert "确定恢复" not in buttons(page)


def test_the_table_leaves_a_number_as_it_was_typed(layer: Layer) -> None:
    """Bounds of a column would move 999 to the nearest number allowed; the rule refuses it on saving."""
    assert layer.field("officer_count").maximum is not None
    bounds = rows.column_config(layer, is_editable=True)["officer_count"]["type_config"]
    assert bounds["min_value"] is bounds["max_value"] is None
