"""网格管理: findings with repairs a person chooses, edits by form, numbers, two systems side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import shapely
from shapely import box
from streamlit.testing.v1 import AppTest

from gridmap.domain.codes import Order
from gridmap.domain.elements import Element, Operation
from gridmap.errors import InvalidInput
from gridmap.services import elements, grid_check, grids, membership, proposals
from gridmap.services.district import District
from gridmap.storage import elements as stored
from gridmap.storage.elements import Query
from gridmap.ui.typed_geometry import parse_geometry
from tests.support.district import ADMIN, KEEPER, element, put
from tests.ui.conftest import Visit, fine, press, texts

SOUTH, NORTH = "310199101001001", "310199101001002"
EAST_SOUTH = "310199102001001"


def grid(store: District, code: str) -> Element:
    return elements.find(store, ADMIN, Query("police_grid", equals={"code": code})).elements[0]


def opened(visit: Visit, tab: str = "网格体检") -> AppTest:
    page = visit.page("grids")
    page.session_state["grids.tab"] = tab
    return fine(page.run())


@pytest.fixture
def whole(store: District) -> Iterator[int]:
    """The grids as they are; whatever a test stores is taken back after it."""
    before = store.database.sequence()
    yield before
    for sequence in range(store.database.sequence(), before, -1):
        grids.undo(store, ADMIN, sequence)


@pytest.fixture
def overlapping(store: District, whole: int) -> Element:
    """The southern grid reaches into the northern one, as data from elsewhere may."""
    south = grid(store, SOUTH)
    wider = replace(south, geometry=box(121.4, 30.9, 121.5, 30.951))
    with store.database.commit(actor="import", at=store.clock()) as commit:
        written = stored.save(commit, [wider], Operation.UPDATE)
        membership.derive(store, commit.connection, written, [south])
    return wider


def test_an_overlap_is_shown_with_its_place_and_mended_as_chosen(
    visit: Visit, store: District, overlapping: Element
) -> None:
    page = opened(visit.sign_in("keeper"))
    shown = texts(page)
    assert "重叠" in shown
    assert "/map#" in shown
    assert "gm-sketch" in shown
    [finding] = [
        one
        for one in grid_check.check(store, KEEPER, "police_grid").findings
        if one.kind is grid_check.Kind.OVERLAP
    ]
    page.radio(key=f"grids.repair.{finding.key}").set_value(f"keep:{grid(store, NORTH).id}")
    page = fine(page.run())
    page = fine(page.button(key=f"grids.mend.{finding.key}").click().run())
    assert "已修复" in texts(page)
    assert grid(store, SOUTH).geometry.equals(box(121.4, 30.9, 121.5, 30.95))

    page = fine(page.button(key="grids.undo").click().run())
    assert "已撤销" in texts(page)
    assert grid(store, SOUTH).geometry.equals(overlapping.geometry)


def test_a_clean_layer_is_told_to_be_clean(visit: Visit) -> None:
    page = opened(visit.sign_in("keeper"))
    page.selectbox(key="grids.check_layer").set_value("town")
    assert "未发现问题" in texts(fine(page.run()))


def test_an_officer_sees_findings_and_may_only_mend_what_is_theirs(
    visit: Visit, store: District, overlapping: Element
) -> None:
    page = opened(visit.sign_in("officer2"))
    button = next(one for one in page.button if one.key and one.key.startswith("grids.mend."))
    page = fine(button.click().run())
    assert "责任区" in "".join(one.value for one in page.error)


# --- edits by form ---------------------------------------------------------------------------------------------


def test_two_grids_are_merged_after_a_look(visit: Visit, store: District, whole: int) -> None:
    south, north = grid(store, SOUTH), grid(store, NORTH)
    page = opened(visit.sign_in("keeper"), "表单编辑")
    page.multiselect(key="grids.merge.police_grid.0").set_value([south.id, north.id])
    page = press(fine(page.run()), "试算")
    shown = texts(page)
    assert "试算结果(尚未保存)" in shown
    assert "停用(编码不再使用)" in shown
    assert store.database.sequence() == whole
    page = press(page, "确定保存")
    assert "合并(0 个改动,1 个新建,2 个停用)已保存" in texts(page)
    [one] = elements.find(store, ADMIN, Query("police_grid", ids=None, text="西镇")).elements
    assert one.geometry.equals(box(121.4, 30.9, 121.5, 31.0))


def test_a_grid_is_split_by_a_pasted_line(visit: Visit, store: District, whole: int) -> None:
    south = grid(store, SOUTH)
    page = opened(visit.sign_in("officer"), "表单编辑")
    page.get("button_group")[0].set_value("split")
    page = fine(page.run())
    page.selectbox(key="grids.split.police_grid.0").set_value(south.id)
    page.text_area(key="grids.split_line.police_grid.0").set_value("121.45,30.89\n121.45,30.96")
    page.text_input(key="grids.split_names.police_grid.0").set_value("甲格,乙格")
    page = press(fine(page.run()), "试算")
    press(page, "确定保存")
    names = {one.name for one in elements.find(store, ADMIN, Query("police_grid")).elements}
    assert names >= {"甲格", "乙格", "西镇二格"}
    assert "西镇一格" not in names


def test_the_neighbour_follows_a_border_that_was_typed(visit: Visit, store: District, whole: int) -> None:
    north = grid(store, NORTH)
    page = opened(visit.sign_in("officer"), "表单编辑")
    page.get("button_group")[0].set_value("border")
    page = fine(page.run())
    page.selectbox(key="grids.border.police_grid.0").set_value(north.id)
    page.text_area(key="grids.border_outline.police_grid.0").set_value(
        "POLYGON ((121.4 30.96, 121.5 30.96, 121.5 31, 121.4 31, 121.4 30.96))"
    )
    page = press(fine(page.run()), "试算")
    press(page, "确定保存")
    assert grid(store, SOUTH).geometry.equals(box(121.4, 30.9, 121.5, 30.96))
    assert not proposals.inbox(store, ADMIN)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "LineString", "coordinates": [[121.4, 30.9], [121.5, 31]]}',
        "LINESTRING (121.4 30.9, 121.5 31)",
        "121.4,30.9\n121.5 31",
        "121.4,30.9;121.5,31",
    ],
)
def test_a_line_is_read_in_each_of_its_forms(text: str) -> None:
    assert parse_geometry(text, "line").equals(shapely.LineString([(121.4, 30.9), (121.5, 31)]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "121.4",
        "POINT (121 31)",
        "LINESTRING (500000 3400000, 500001 3400001)",
        "{}",
        "1,2,3\n4,5,6",
    ],
)
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_geometry(text, "line")


# --- numbers ---------------------------------------------------------------------------------------------------


def test_renumbering_is_shown_before_it_is_done_and_known_afterwards(
    visit: Visit, store: District, whole: int
) -> None:
    scheme = grids.scheme_of(store, "police_grid")
    grids.choose_scheme(store, ADMIN, "police_grid", replace(scheme, order=Order.NORTH_TO_SOUTH))
    page = opened(visit.sign_in("keeper"), "编号与沿革")
    page.selectbox(key="grids.prefix.police_grid").set_value(SOUTH[:-3])
    page = press(fine(page.run()), "预览新编号")
    shown = texts(page)
    assert f"{SOUTH} → " in shown
    assert store.database.sequence() == whole
    press(page, "确定保存")
    assert not elements.find(store, ADMIN, Query("police_grid", equals={"code": SOUTH})).elements

    page = opened(visit, "编号与沿革")
    page.text_input(key="grids.lineage_code").set_value(SOUTH)
    assert "重新编号" in texts(fine(page.run()))


def test_only_an_administrator_chooses_how_codes_are_written(visit: Visit, store: District) -> None:
    assert not any(one.label == "编码规则" for one in opened(visit.sign_in("keeper"), "编号与沿革").expander)
    page = opened(visit.sign_in("admin"), "编号与沿革")
    page.text_input(key="grids.scheme_text.police_grid").set_value("六位")
    assert press(page, "保存编码规则").error


# --- side by side ----------------------------------------------------------------------------------------------


def test_two_systems_are_matched_by_ground_and_people(visit: Visit, store: District) -> None:
    assert "对照需要两套网格" not in texts(opened(visit.sign_in("keeper"), "两套网格对照"))
    put(store, element("governance_grid", "310199101901001", "治理一格", box(121.4, 30.92, 121.5, 30.99)))
    put(store, element(
        "residential_area", "JZQ0001", "测试小区", shapely.Point(121.41, 30.96), population=120, kind="小区"
    ))  # fmt: skip
    shown = texts(opened(visit, "两套网格对照"))
    assert "治理一格" in shown
    assert "<td>120</td>" in shown
    assert "<dt>跨界</dt>" in shown
    assert "无权查看" not in shown
