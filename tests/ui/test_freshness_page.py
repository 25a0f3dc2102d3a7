"""核实: the overdue board with its confirmations, reminders, and the share of what is registered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

import pytest
import shapely
from streamlit.testing.v1 import AppTest

from gridmap.domain.elements import Element
from gridmap.errors import InvalidInput
from gridmap.services import elements, freshness
from gridmap.services.district import District
from gridmap.services.freshness import RegisteredItem
from gridmap.storage.elements import Query
from gridmap.ui.mapped_share import parse_counts
from tests.support.district import ADMIN, KEEPER, element, put
from tests.ui.conftest import Visit, fine, press, texts

_numbers = count(300)
SOUTH = "310199101001001"


@pytest.fixture
def station(store: District) -> Element:
    """A workstation in the western town that nobody ever verified."""
    number = next(_numbers)
    place = shapely.Point(121.405 + number % 90 / 1000, 30.905)
    return put(
        store,
        element(
            "workstation", f"JWZ{number}", f"核实站{number}", place, opening_hours="24h", officer_count=3
        ),
    )[0]


def stored(store: District, one: Element) -> Element:
    return elements.find(store, ADMIN, Query(one.layer, ids=[one.id], is_retired=None)).elements[0]


def board(visit: Visit, **choices: str) -> AppTest:
    page = visit.page("freshness")
    for name, value in choices.items():
        page.selectbox(key=f"freshness.{name}").set_value(value)
    return fine(page.run())


def test_the_board_lists_what_was_never_verified_and_its_rules(visit: Visit, station: Element) -> None:
    page = board(visit.sign_in("officer"), layer="workstation")
    shown = texts(page)
    assert "从未核实" in shown
    assert "第 31 天起逾期" in shown
    assert any(station.name in one.label for one in page.checkbox)
    # the grid by its name, as people call it
    abouts = re.findall(r'class="gm-about">([^<]*)<', shown)
    assert "西镇一格" in {about.split(" · ")[1] for about in abouts}
    assert not any(SOUTH in about for about in abouts)


def test_one_click_confirms_an_element_as_it_is(visit: Visit, store: District, station: Element) -> None:
    page = board(visit.sign_in("officer"), layer="workstation")
    page = fine(page.button(key=f"freshness.confirm.{station.id}").click().run())
    assert "已确认 1 个要素没有变化" in texts(page)
    now = stored(store, station)
    assert (now.revision, now.verified_by, now.verified_at) == (2, "officer", store.clock())
    assert not any(station.name in one.label for one in page.checkbox)


def test_several_are_confirmed_together_and_one_changed_meanwhile_is_told(
    visit: Visit, store: District
) -> None:
    made = put(store, *(
        element("workstation", f"JWZ{next(_numbers)}", f"同核站{at}", shapely.Point(121.41 + at / 100, 30.99),
                opening_hours="24h", officer_count=1)
        for at in range(2)
    ))  # fmt: skip
    page = board(visit.sign_in("officer"), layer="workstation")
    for one in made:
        page.checkbox(key=f"freshness.tick.{one.id}").check()
    page = fine(page.run())
    elements.change(store, KEEPER, "workstation", made[1].id, base_revision=1, changes={"name": "已改站"})
    page = press(page, "确认勾选的 2 个无变化")
    assert "已确认 1 个要素没有变化" in texts(page)
    assert "已被 示例网格管理员 修改" in texts(page)
    assert [stored(store, one).verified_by for one in made] == ["officer", None]


def test_an_officer_cannot_confirm_next_door(visit: Visit, store: District) -> None:
    [east] = put(
        store,
        element("workstation", f"JWZ{next(_numbers)}", "东邻站", shapely.Point(121.55, 30.91), opening_hours="24h",
                officer_count=1),
    )  # fmt: skip
    page = visit.sign_in("officer").page("freshness")
    page.toggle(key="freshness.own_area").set_value(False)
    page.selectbox(key="freshness.layer").set_value("workstation")
    page = fine(page.run())
    assert page.button(key=f"freshness.confirm.{east.id}").disabled


def test_the_board_of_an_empty_answer_says_so(visit: Visit) -> None:
    page = board(visit.sign_in("officer"), layer="safe_house")
    assert "没有逾期未核实的要素" in texts(page)


def reminders(visit: Visit) -> AppTest:
    page = visit.page("freshness")
    page.session_state["freshness.tab"] = "督导提醒"
    return fine(page.run())


def test_the_same_draw_gives_the_same_spot_check(visit: Visit, station: Element) -> None:
    visit.sign_in("keeper")

    def drawn(seed: str) -> str:
        page = reminders(visit)
        page.number_input(key="freshness.spot_count.size").set_value(3)
        page.text_input(key="freshness.spot_seed").set_value(seed)
        shown = texts(fine(page.run()))
        return shown[shown.index("随机抽取 3 个") :].split("年度小结")[0]

    assert drawn("甲") == drawn("甲")
    assert drawn("甲") != drawn("乙")


def test_the_month_prompts_whoever_has_something_to_do(visit: Visit, station: Element) -> None:
    shown = texts(reminders(visit.sign_in("keeper")))
    assert "月督促(2026 年 3 月)" in shown
    assert "示例民警01:本月" in shown


def share(visit: Visit) -> AppTest:
    page = visit.page("freshness")
    page.session_state["freshness.tab"] = "上图率"
    return fine(page.run())


@pytest.fixture
def no_register(store: District) -> Iterator[None]:
    yield
    freshness.register_items(store, ADMIN, "workstation", [])
    freshness.register_counts(store, ADMIN, "workstation", "police_grid", {})


def test_registered_counts_give_the_share_of_each_grid(
    visit: Visit, store: District, no_register: None
) -> None:
    page = share(visit.sign_in("keeper"))
    assert "还没有登记数" in texts(page)
    page.text_area[0].set_value(f"{SOUTH},200")
    page = press(page, "保存登记数")
    [row] = freshness.mapped_share(store, KEEPER, "workstation").rows
    assert (row.grid_code, row.registered) == (SOUTH, 200)
    assert f"{row.share:.1%}" in texts(page)


def test_the_register_names_what_is_missing(visit: Visit, store: District, no_register: None) -> None:
    freshness.register_items(
        store,
        ADMIN,
        "workstation",
        [RegisteredItem("JWZ01", "西镇第一警务站"), RegisteredItem("JWZ99", "漏登站")],
    )
    shown = texts(share(visit.sign_in("keeper")))
    assert "清单上有、图上没有(1 个)" in shown
    assert "漏登站" in shown


def test_an_officer_sees_the_share_and_no_form(visit: Visit) -> None:
    assert not share(visit.sign_in("officer")).text_area


@pytest.mark.parametrize("text", ["310199", "310199,多", "310199,-1", "310199,1\n310199,2"])
def test_a_line_that_is_no_count_is_refused_by_its_number(text: str) -> None:
    with pytest.raises(InvalidInput, match="line 1|comes twice"):
        parse_counts(text)


def test_counts_are_read_from_any_separator() -> None:
    assert parse_counts("310199101,5\n\n310199102,6\n310199103\t7\n") == {
        "310199101": 5, "310199102": 6, "310199103": 7,
    }  # fmt: skip


def test_a_viewer_is_turned_away(visit: Visit) -> None:
    page = visit.sign_in("viewer").page("freshness")
    assert "没有权限" in texts(page)
