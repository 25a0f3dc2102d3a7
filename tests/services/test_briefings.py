"""Briefings say what the overview says, as the reader's scope may see it, and stay within that scope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridmap.errors import EditConflict, InvalidInput, NotFound, PermissionDenied
from gridmap.services import briefings, overview
from gridmap.services.district import District
from gridmap.services.figures import Scope
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, ANALYST, VIEWER
from tests.support.leaders import PRESENTER, populated


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home: Path = tmp_path_factory.mktemp("leaders")
    made = populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


def test_every_template_is_filled_whole(district: District) -> None:
    found = briefings.templates()
    assert {one.id for one in found} >= {"monthly", "grids"}
    for one in found:
        for user in (ADMIN, VIEWER):
            draft = briefings.draft(district, user, one.id)
            assert "{" not in draft.title + draft.text
            assert "None" not in draft.text


def test_the_figures_are_the_overview_s(district: District) -> None:
    text = briefings.draft(district, ADMIN).text
    whole = overview.overview(district, ADMIN)
    assert f"人口 {whole.figure('people').text} 人" in text
    assert f"未结风险 {whole.figure('open_risks').text} 处(较上月末 +11)" in text
    assert "其中红色 1 处、橙色 0 处、黄色 9 处、蓝色 1 处" in text
    assert briefings.draft(district, ADMIN).title == "2026年3月平安通报"
    assert "3月31日前" in text


def test_a_viewer_s_draft_has_no_hidden_count(district: District) -> None:
    text = briefings.draft(district, VIEWER).text
    assert "其中红色 * 处" in text
    assert "超过办理期限 * 处" in text


def test_a_presenter_edits_and_keeps_a_briefing(district: District) -> None:
    made = briefings.create(district, PRESENTER, briefings.draft(district, PRESENTER), text="改过的正文")
    assert briefings.get(district, PRESENTER, made.id).text == "改过的正文"
    saved = briefings.save(district, PRESENTER, made.id, base=1, title="新标题", text="再改")
    assert (saved.revision, saved.title) == (2, "新标题")
    with pytest.raises(EditConflict):
        briefings.save(district, PRESENTER, made.id, base=1, title="旧", text="旧")
    with pytest.raises(PermissionDenied):
        briefings.save(district, VIEWER, made.id, base=2, title="旧", text="旧")
    with pytest.raises(PermissionDenied):
        briefings.create(district, VIEWER, briefings.draft(district, VIEWER))
    briefings.delete(district, PRESENTER, made.id)
    with pytest.raises(NotFound):
        briefings.get(district, PRESENTER, made.id)


def test_figures_of_one_scope_are_not_read_in_another(district: District) -> None:
    draft = briefings.draft(district, ANALYST)
    made = briefings.create(district, ANALYST, draft)
    assert made.id not in [one.id for one in briefings.list_briefings(district, VIEWER)]
    with pytest.raises(NotFound):
        briefings.get(district, VIEWER, made.id)
    for reader in (ADMIN, PRESENTER):
        assert made.id in [one.id for one in briefings.list_briefings(district, reader)]
    # nor stored by somebody who may not see them
    with pytest.raises(PermissionDenied):
        briefings.create(district, VIEWER, draft)


def test_a_briefing_for_viewers_holds_what_viewers_see_and_is_read_by_all(district: District) -> None:
    draft = briefings.draft(district, PRESENTER, is_masked=True)
    assert draft.text == briefings.draft(district, VIEWER).text
    assert draft.scope is Scope.MASKED
    assert "红色 *" in draft.text
    assert "小于 5" in draft.text.splitlines()[-1]
    assert "已隐去,不作排名" in draft.text
    made = briefings.create(district, PRESENTER, draft)
    for reader in (VIEWER, PRESENTER, ADMIN):
        assert briefings.get(district, reader, made.id).scope is Scope.MASKED
    briefings.delete(district, PRESENTER, made.id)


def test_personal_data_is_not_kept(district: District) -> None:
    with pytest.raises(InvalidInput):
        briefings.create(district, ANALYST, briefings.draft(district, ANALYST), text="请联系 13812345678")


@pytest.mark.parametrize("text", ["{beauty}", "{people:,}", "{people!r}", "{", "{people"])
def test_a_template_names_only_figures_that_exist(text: str) -> None:
    with pytest.raises(InvalidInput):
        briefings.fill(text, {"people": "3"})


def test_a_template_may_hold_braces_of_its_own() -> None:
    assert briefings.fill("{{人口}} {people}", {"people": "3"}) == "{人口} 3"


def test_no_such_template(district: District) -> None:
    with pytest.raises(NotFound):
        briefings.draft(district, ADMIN, "poem")
