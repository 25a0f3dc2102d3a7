"""历史对比: two dates side by side, one element, a layer or a commit brought back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from itertools import count

import pytest
import shapely
from streamlit.testing.v1 import AppTest

from gridmap.domain.elements import Element
from gridmap.domain.freshness import day_of
from gridmap.services import elements, imports
from gridmap.services.district import District
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, element, make_district, put, seed
from tests.ui.conftest import Visit, fine, texts

_numbers = count(100)


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    """A district with a clock that the test moves: the days are what this page is about."""
    home = tmp_path_factory.mktemp("history")
    made = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    seed(made)
    yield made
    made.close()


def make(store: District, name: str) -> Element:
    place = shapely.Point(121.43, 30.98)
    made = element(
        "workstation", f"JWZ{next(_numbers)}", name, place, opening_hours="24h", officer_count=3
    )  # fmt: skip
    return put(store, made)[0]


def later(store: District, **span: int) -> None:
    store.clock.advance(**span)  # type: ignore[attr-defined]


def stored(store: District, one: Element) -> Element:
    return elements.find(store, ADMIN, Query(one.layer, ids=[one.id], is_retired=None)).elements[0]


def opened(visit: Visit, tab: str = "对比") -> AppTest:
    page = visit.page("history")
    page.session_state["history.tab"] = tab
    return fine(page.run())


def compared(visit: Visit, store: District, *, days: int) -> AppTest:
    page = opened(visit)
    page.date_input(key="history.earlier").set_value(day_of(store.clock()) - timedelta(days=days))
    return fine(page.run())


@pytest.fixture
def changed(store: District) -> dict[str, Element]:
    """Ten days ago three stations were there; since then one moved, one was renamed, one went, one came."""
    made = {name: make(store, name) for name in ("动", "改", "删")}
    later(store, days=10)
    elements.change(
        store, KEEPER, "workstation", made["动"].id, base_revision=1, geometry=shapely.Point(121.44, 30.98)
    )
    elements.change(store, KEEPER, "workstation", made["改"].id, base_revision=1, changes={"name": "改后"})
    elements.delete(store, KEEPER, "workstation", made["删"].id, base_revision=1)
    made["增"] = make(store, "增")
    return made


def test_each_kind_of_change_is_counted_and_told(
    visit: Visit, store: District, changed: dict[str, Element]
) -> None:
    page = compared(visit.sign_in("officer"), store, days=5)
    shown = texts(page)
    for kind in ("新增", "移动", "改内容", "删除"):
        assert f"<dt>{kind}</dt><dd>1 个</dd>" in shown
    kinds = page.get("button_group")[0]
    shown = texts(fine(kinds.set_value("changed").run()))
    assert "名称:改 → 改后" in shown
    assert "示例网格管理员" in shown


def test_days_without_a_change_say_so(visit: Visit, store: District, changed: dict[str, Element]) -> None:
    later(store, days=30)
    assert "没有变化" in texts(compared(visit.sign_in("officer"), store, days=20))


def test_dates_the_wrong_way_round_are_refused_in_words(visit: Visit, store: District) -> None:
    page = opened(visit.sign_in("officer"))
    page.date_input(key="history.later").set_value(day_of(store.clock()) - timedelta(days=40))
    assert fine(page.run()).error[0].value.startswith("请先选较早的日期")


def test_a_removed_element_is_brought_back(
    visit: Visit, store: District, changed: dict[str, Element]
) -> None:
    page = compared(visit.sign_in("keeper"), store, days=5)
    page = fine(page.get("button_group")[0].set_value("removed").run())
    page.selectbox(key="history.one.workstation").set_value(changed["删"].id)
    page = fine(page.run())
    page = fine(page.button(key="history.restore_one").click().run())
    assert "已恢复" in texts(page)
    assert not stored(store, changed["删"]).is_retired


def test_a_layer_goes_back_to_a_day_after_a_look(
    visit: Visit, store: District, changed: dict[str, Element]
) -> None:
    page = opened(visit.sign_in("keeper"), "恢复图层")
    page.date_input(key="history.restore_day").set_value(day_of(store.clock()) - timedelta(days=5))
    page.time_input(key="history.restore_time").set_value(time(12, 0))
    page = fine(page.run())
    shown = texts(page)
    assert "<dt>改回原内容</dt><dd>2 个</dd>" in shown
    assert stored(store, changed["改"]).name == "改后"
    page = fine(page.button(key="history.restore_sure").click().run())
    assert "改回 2 个,恢复 1 个,停用 1 个" in texts(page)
    assert (stored(store, changed["改"]).name, stored(store, changed["增"]).is_retired) == ("改", True)


def test_an_officer_cannot_bring_a_layer_back(visit: Visit) -> None:
    page = opened(visit.sign_in("officer"), "恢复图层")
    assert "由网格管理员或系统管理员进行" in texts(page)
    assert not page.date_input


def test_a_bad_import_is_found_and_taken_back_whole(visit: Visit, store: District) -> None:
    content = "编码,名称,开放时间,民警数,经度,纬度\n" + "".join(
        f"JWZ{next(_numbers)},误导入{at},24小时,3,121.4{at},30.91\n" for at in range(1, 4)
    )
    plan = imports.plan(store, ADMIN, "workstation", content.encode(), datum="wgs84", filename="错.csv")
    receipt = imports.apply(store, ADMIN, plan)
    page = opened(visit.sign_in("admin"), "提交记录")
    page = fine(page.toggle(key="history.imports").set_value(True).run())
    assert "批量导入:错.csv(3 个)" in texts(page)
    page.selectbox(key="history.commit").set_value(receipt.sequence)
    page = fine(page.run())
    page = fine(page.button(key="history.undo_commit").click().run())
    assert f"提交 {receipt.sequence} 已撤回,共 3 个要素" in texts(page)
    assert not elements.find(store, ADMIN, Query("workstation", text="误导入")).total


def test_a_commit_that_others_wrote_over_is_refused_in_words(visit: Visit, store: District) -> None:
    one = make(store, "先后")
    number = store.database.sequence()
    elements.change(store, KEEPER, "workstation", one.id, base_revision=1, changes={"name": "后"})
    page = opened(visit.sign_in("admin"), "提交记录")
    page.selectbox(key="history.commit").set_value(number)
    page = fine(page.run())
    page = fine(page.button(key="history.undo_commit").click().run())
    assert "之后又被 示例网格管理员 修改" in page.error[0].value


def test_a_viewer_is_turned_away(visit: Visit) -> None:
    assert "没有权限" in texts(visit.sign_in("viewer").page("history"))
