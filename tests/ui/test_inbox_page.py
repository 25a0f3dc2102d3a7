"""待办: proposals that wait for a word, one's own, and edits of work packages that a person must decide."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pyogrio
import pytest
import shapely
from streamlit.testing.v1 import AppTest

from gridmap.domain.elements import Element
from gridmap.services import elements, packages, proposals
from gridmap.services.district import District
from gridmap.services.proposals import Proposal, State
from gridmap.storage.elements import Query
from gridmap.ui.sketch import sketch
from tests.support.district import ADMIN, KEEPER, OFFICER_WEST, element, put
from tests.ui.conftest import Visit, fine, press, texts

_numbers = count(500)
OFFICER = replace(OFFICER_WEST, username="officer")


def make(store: District, name: str) -> Element:
    number = next(_numbers)
    place = shapely.Point(121.405 + number % 80 / 1000, 30.985)
    made = element("workstation", f"JWZ{number}", name, place, opening_hours="24h", officer_count=3)
    return put(store, made)[0]


def stored(store: District, one: Element) -> Element:
    return elements.find(store, ADMIN, Query(one.layer, ids=[one.id], is_retired=None)).elements[0]


@pytest.fixture
def proposal(store: District) -> Iterator[Proposal]:
    """The western officer wants to move a station across the border; gone after the test."""
    one = make(store, "过界站")
    made = proposals.propose_change(
        store, OFFICER, "workstation", one.id, base_revision=1, changes={"officer_count": 5},
        geometry=shapely.Point(121.53, 30.985), reason="换址",
    )  # fmt: skip
    yield made
    if proposals.get(store, OFFICER, made.id).state is State.OPEN:
        proposals.withdraw(store, OFFICER, made.id)


def opened(visit: Visit, tab: str) -> AppTest:
    page = visit.page("inbox")
    page.session_state["inbox.tab"] = tab
    return fine(page.run())


def answered(page: AppTest, proposal: Proposal, label: str, answer: str = "") -> AppTest:
    page.text_input(key=f"inbox.answer_text.{proposal.id}").set_value(answer)
    [button] = [one for one in page.button if one.label == label and proposal.id in (one.form_id or "")]
    return fine(button.click().run())


def state_of(store: District, proposal: Proposal) -> Proposal:
    return proposals.get(store, OFFICER, proposal.id)


def test_the_other_side_sees_what_would_change_and_accepts(
    visit: Visit, store: District, proposal: Proposal
) -> None:
    page = visit.sign_in("officer2").page("inbox")
    shown = texts(page)
    assert "换址" in shown
    assert "移动 " in shown
    assert "<td>3 人</td><td>5 人</td>" in shown
    page = answered(page, proposal, "接受", "可以")
    assert "已接受" in texts(page)
    found = state_of(store, proposal)
    assert (found.state, found.answer, found.decided_by) == (State.ACCEPTED, "可以", "officer2")


def test_sending_back_needs_a_word_why(visit: Visit, store: District, proposal: Proposal) -> None:
    page = answered(visit.sign_in("keeper").page("inbox"), proposal, "退回")
    assert "请填写原因" in texts(page)
    assert state_of(store, proposal).state is State.OPEN
    answered(page, proposal, "退回", "不合适")
    assert (state_of(store, proposal).state, state_of(store, proposal).answer) == (State.DECLINED, "不合适")


def test_a_proposal_that_others_overtook_says_why_it_cannot_be_accepted(
    visit: Visit, store: District, proposal: Proposal
) -> None:
    elements.delete(store, KEEPER, "workstation", proposal.arguments["element"], base_revision=1)
    page = visit.sign_in("keeper").page("inbox")
    assert "现在不能执行" in texts(page)
    answered(page, proposal, "退回", "已删除")
    assert state_of(store, proposal).state is State.DECLINED


def test_the_proposer_waits_and_may_withdraw(visit: Visit, store: District, proposal: Proposal) -> None:
    visit.sign_in("officer")
    assert proposal.id not in [one.id for one in proposals.inbox(store, OFFICER)]
    page = opened(visit, "我的提议")
    assert "等待对方处理" in texts(page)
    page = fine(page.button(key=f"inbox.withdraw.{proposal.id}").click().run())
    assert "提议已撤回" in texts(page)
    assert state_of(store, proposal).state is State.WITHDRAWN
    assert "已撤回" in texts(page)


def test_an_empty_inbox_says_what_comes_here(visit: Visit) -> None:
    page = visit.sign_in("officer2").page("inbox")
    assert "没有等您处理的提议" in texts(page)
    assert "没有待确认的修改" in texts(opened(visit, "待确认的修改"))


# --- edits that came back --------------------------------------------------------------------------------------


@pytest.fixture
def returned(store: District, tmp_path: Path) -> Callable[..., packages.Returned]:
    """Brings back a package in which this station was edited, after somebody else did this to it."""

    def bring(one: Element, mine: dict[str, object] | None, theirs: dict[str, object]) -> packages.Returned:
        sent = packages.send(store, OFFICER, ["workstation"], tmp_path / "package.gpkg")
        frame = pyogrio.read_dataframe(sent.path, layer="警务站")
        if mine is None:
            frame = frame[frame["id"] != one.id]
        for name, value in (mine or {}).items():
            frame.loc[frame["id"] == one.id, name] = value
        file = tmp_path / "edited.gpkg"
        pyogrio.write_dataframe(frame, file, layer="警务站")
        if theirs:
            elements.change(store, KEEPER, "workstation", one.id, base_revision=1, changes=theirs)
        return packages.bring_back(store, OFFICER, file)

    return bring


@pytest.mark.parametrize(("side", "name"), [("mine", "我的名"), ("theirs", "他们的名")])
def test_a_conflict_is_settled_field_by_field(
    visit: Visit, store: District, returned: Callable[..., packages.Returned], side: str, name: str
) -> None:
    one = make(store, "冲突站")
    [waiting] = returned(one, {"name": "我的名", "officer_count": 8}, {"name": "他们的名"}).waiting
    page = opened(visit.sign_in("officer"), "待确认的修改")
    shown = texts(page)
    assert "保存了第 2 版" in shown
    assert "与他人的修改冲突" in shown
    page.radio(key=f"inbox.side.{waiting.id}.name").set_value(side)
    page = fine(page.run())
    page = fine(page.button(key=f"inbox.save.{waiting.id}").click().run())
    assert "已保存" in texts(page)
    values = stored(store, one).values()
    assert (values["name"], values["officer_count"]) == (name, 8)


def test_a_third_value_may_be_typed_instead_of_either(
    visit: Visit, store: District, returned: Callable[..., packages.Returned]
) -> None:
    one = make(store, "三方站")
    [waiting] = returned(one, {"officer_count": 8}, {"officer_count": 6}).waiting
    page = opened(visit.sign_in("officer"), "待确认的修改")
    page.radio(key=f"inbox.side.{waiting.id}.officer_count").set_value("edit")
    page = fine(page.run())
    page.text_input(key=f"inbox.side.{waiting.id}.officer_count.value").set_value("7")
    fine(page.button(key=f"inbox.save.{waiting.id}").click().run())
    assert stored(store, one).values()["officer_count"] == 7


def test_a_deletion_of_what_others_changed_is_asked_about(
    visit: Visit, store: District, returned: Callable[..., packages.Returned]
) -> None:
    one = make(store, "删改站")
    [waiting] = returned(one, None, {"name": "改过名"}).waiting
    page = opened(visit.sign_in("officer"), "待确认的修改")
    assert "您在工作包中删除了它" in texts(page)
    fine(page.button(key=f"inbox.drop.{waiting.id}").click().run())
    assert not stored(store, one).is_retired
    assert not packages.waiting(store, OFFICER)


def test_a_value_that_breaks_a_rule_is_set_right(
    visit: Visit, store: District, returned: Callable[..., packages.Returned]
) -> None:
    one = make(store, "错值站")
    [waiting] = returned(one, {"code": "错码"}, {}).waiting
    page = opened(visit.sign_in("officer"), "待确认的修改")
    assert "不符合规则" in texts(page)
    code = f"JWZ{next(_numbers)}"
    page.text_input(key=f"inbox.value.{waiting.id}.code").set_value(code)
    press(page, "改正并保存")
    assert stored(store, one).code == code


# --- drawings --------------------------------------------------------------------------------------------------


def test_a_drawing_shows_every_kind_of_shape_and_no_text_of_the_data() -> None:
    shapes = [
        shapely.box(121, 30, 122, 31),
        shapely.LineString([(121, 30), (122, 31)]),
        shapely.Point(121, 31),
    ]
    drawn = sketch([("before", shapes)], '<b>"图"</b>')
    inside = base64.b64decode(drawn.partition("base64,")[2].partition('"')[0]).decode()
    assert inside.count("<path") == 2
    assert inside.count("<circle") == 1
    assert "<b>" not in drawn
    assert sketch([("before", [])], "空") == ""
