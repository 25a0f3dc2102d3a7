"""Stories: presenters keep them, everybody sees their own figures in them, elements stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import shapely

from gridmap.domain.periods import PeriodKind
from gridmap.domain.scenarios import Add, Close
from gridmap.domain.stories import Compare, CompareKind, Focus, Slide, parse_slide
from gridmap.errors import EditConflict, GridmapError, InvalidInput, NotFound, PermissionDenied
from gridmap.services import elements, overview, scenarios, stories
from gridmap.services.district import District
from gridmap.services.questions import Question, Travel
from gridmap.services.stories import Tour
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, ANALYST, OFFICER_WEST, VIEWER, element, put
from tests.support.leaders import NOW, PRESENTER, populated

SLIDES = [
    {
        "title": "总体",
        "figures": ["people", "overdue_risks"],
        "view": {"lon": 121.5, "lat": 30.95, "zoom": 12},
    },
    {
        "title": "东镇",
        "focus": {"layer": "town", "key": "310199102"},
        "figures": ["people"],
        "layers": ["risk"],
    },
    {
        "title": "前后",
        "compare": {"kind": "dates", "before": "2026-02-20T00:00:00+08:00"},
        "text": "二月与今天",
    },
]


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home: Path = tmp_path_factory.mktemp("leaders")
    made = populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


def test_a_presenter_saves_a_story_and_finds_it_again(district: District) -> None:
    made = stories.create(district, PRESENTER, "三月例会", SLIDES)
    again = stories.get(district, PRESENTER, made.id)
    assert again == made
    assert [one.title for one in again.slides] == ["总体", "东镇", "前后"]
    assert again.slides[2].compare.before.isoformat() == "2026-02-19T16:00:00+00:00"
    assert again.may_change
    assert not stories.get(district, VIEWER, made.id).may_change


def test_a_presenter_changes_no_element(district: District) -> None:
    with district.database.read() as connection:
        from gridmap.storage.elements import Query, find

        post = find(connection, Query("workstation"))[0]
    for work in (
        lambda: elements.verify(district, PRESENTER, "workstation", post.id, base_revision=post.revision),
        lambda: elements.delete(district, PRESENTER, "workstation", post.id, base_revision=post.revision),
    ):
        with pytest.raises(PermissionDenied):
            work()


@pytest.mark.parametrize("user", [VIEWER, OFFICER_WEST])
def test_others_save_nothing(district: District, user) -> None:
    story = stories.create(district, PRESENTER, "不动的", SLIDES[:1])
    for work in (
        lambda: stories.create(district, user, "我的", SLIDES),
        lambda: stories.save(district, user, story.id, base=1, title="改"),
        lambda: stories.delete(district, user, story.id),
    ):
        with pytest.raises(PermissionDenied):
            work()


def test_only_the_author_and_administrators_change_a_story(district: District) -> None:
    story = stories.create(district, PRESENTER, "作者的", SLIDES[:1])
    with pytest.raises(PermissionDenied):
        stories.save(district, ANALYST, story.id, base=1, title="别人的")
    assert stories.save(district, ADMIN, story.id, base=1, title="改好的").revision == 2


def test_a_stale_save_is_a_conflict_and_loses_nothing(district: District) -> None:
    story = stories.create(district, PRESENTER, "冲突", SLIDES[:1])
    stories.save(district, PRESENTER, story.id, base=1, title="先到")
    with pytest.raises(EditConflict):
        stories.save(district, PRESENTER, story.id, base=1, title="后到")
    assert stories.get(district, PRESENTER, story.id).title == "先到"


def test_slides_are_put_in_another_order(district: District) -> None:
    story = stories.create(district, PRESENTER, "顺序", SLIDES)
    ids = [one.id for one in story.slides]
    turned = stories.reorder(district, PRESENTER, story.id, ids[::-1], base=1)
    assert [one.id for one in turned.slides] == ids[::-1]
    with pytest.raises(InvalidInput):
        stories.reorder(district, PRESENTER, story.id, ids[:2], base=2)


def test_an_order_of_an_older_story_is_a_conflict_and_can_be_laid_on_the_new_one(district: District) -> None:
    story = stories.create(district, PRESENTER, "两人排序", SLIDES)
    first, second, third = (one.id for one in story.slides)
    added = Slide("新来的")
    newest = stories.save(
        district, PRESENTER, story.id, base=1, slides=[story.slides[0], added, story.slides[2]]
    )
    with pytest.raises(EditConflict, match="revision 2"):
        stories.reorder(district, PRESENTER, story.id, [third, second, first], base=1)
    assert stories.get(district, PRESENTER, story.id) == newest
    assert stories.arranged(newest, [third, second, first]) == [third, first, added.id]
    assert stories.arranged(newest, []) == [first, added.id, third]


def test_a_slide_is_saved_whatever_happened_to_the_others(district: District) -> None:
    story = stories.create(district, PRESENTER, "两人改", SLIDES)
    first, second, _ = story.slides
    stories.reorder(district, PRESENTER, story.id, [one.id for one in story.slides][::-1], base=1)
    mine = replace(first, text="我的")
    saved = stories.save_slide(district, PRESENTER, story.id, mine, was=first)
    assert [one.text for one in saved.slides if one.id == first.id] == ["我的"]
    with pytest.raises(EditConflict) as found:
        stories.save_slide(district, PRESENTER, story.id, replace(first, text="晚到"), was=first)
    assert "修改" in found.value.chinese()
    stories.save(
        district, PRESENTER, story.id, base=3, slides=[one for one in saved.slides if one.id != second.id]
    )
    with pytest.raises(EditConflict) as found:
        stories.save_slide(district, PRESENTER, story.id, second, was=second)
    assert "删除" in found.value.chinese()


def test_each_reader_sees_their_own_figures(district: District) -> None:
    story = stories.create(district, ADMIN, "两种眼睛", SLIDES)
    full = stories.present(district, ADMIN, story.slides)
    masked = stories.present(district, VIEWER, story.slides)
    assert [one.text for one in full[0].figures] == ["3,700", "1"]
    assert [one.text for one in masked[0].figures] == ["3,700", "*"]
    # what is stored holds no value at all
    assert "3,700" not in str([one.document() for one in story.slides])
    assert full[1].box == pytest.approx([121.5, 30.9, 121.6, 31.0])
    assert full[1].figures[0].value == 2400


def closing(district: District, code: str) -> Compare:
    """Today against a scenario without this workstation."""
    [post] = elements.search(district, ADMIN, code, layers=["workstation"])
    # made for another question than the overview's: a slide counts as all slides do
    made = scenarios.save(district, ADMIN, f"裁撤{code}", [Close(post.id)], Question(mode=Travel.CAR))
    return Compare(CompareKind.SCENARIO, scenario=made.id)


def test_a_slide_with_a_scenario_has_its_figures_beside_todays(district: District) -> None:
    # 1,000 and 2,000 of 3,700 people are covered; JWZ03 alone covers the 2,000
    keys = ("covered_share", "gap_people", "gap_grids", "posts", "overdue")
    shown = stories.show(district, PRESENTER, Slide("裁撤", figures=keys, compare=closing(district, "JWZ03")))
    found = {one.key: one for one in shown.figures}
    assert tuple(found) == keys
    assert (found["covered_share"].before, found["covered_share"].value) == pytest.approx(
        (3000 / 3700, 1000 / 3700)
    )
    assert (found["gap_people"].before, found["gap_people"].value) == (700, 2700)
    assert (found["gap_people"].change, found["gap_people"].is_better) == (2000, False)
    assert (found["gap_grids"].before, found["gap_grids"].value) == (2, 3)
    assert (found["posts"].before, found["posts"].value) == (6, 5)
    assert found["posts"].since(PeriodKind.MONTH) == "较现状"
    # what points and roads have no part in is today's, against the month before
    assert found["overdue"] == overview.overview(district, PRESENTER).figure("overdue")
    assert "“较现状”的指标按方案“裁撤JWZ03”推演" in shown.stamp.text
    today = stories.show(district, PRESENTER, Slide("今天", figures=keys))
    assert [one.value for one in today.figures[:4]] == [one.before for one in shown.figures[:4]]


def test_a_scenario_is_told_also_where_no_figure_was_chosen_that_it_changes(district: District) -> None:
    compare = closing(district, "JWZ03")
    shown = stories.show(district, PRESENTER, Slide("没有指标", figures=("open_risks",), compare=compare))
    assert [one.key for one in shown.figures] == ["covered_share", "gap_people", "open_risks"]


def test_a_scenario_is_counted_where_the_slide_is(district: District) -> None:
    compare = closing(district, "JWZ03")
    town, grid, post = (
        {one.key: one for one in stories.show(district, PRESENTER, Slide("此处", focus=focus, compare=compare)).figures}
        for focus in (
            Focus("town", "310199102"),
            Focus("police_grid", "310199101001001"),
            Focus("workstation", elements.search(district, ADMIN, "JWZ03", layers=["workstation"])[0].id),
        )
    )  # fmt: skip
    assert (town["covered_share"].value, town["gap_people"].before, town["gap_people"].value) == (
        0,
        400,
        2400,
    )
    assert (grid["covered_share"].value, grid["covered_share"].change) == (1, 0)
    assert (post["within"].before, post["within"].value, post["share"].value) == (2000, 0, 0)


def test_a_scenario_that_concerns_few_people_is_hidden_from_viewers(tmp_path: Path) -> None:
    few = populated(f"sqlite:///{tmp_path / 'district.gpkg'}", tmp_path, FakeClock())
    area = shapely.box(121.5905, 30.9197, 121.5915, 30.9207)
    put(few, element("residential_area", "XQ-S", "小点", area, kind="小区", population=3))
    added = scenarios.save(few, ADMIN, "补点", [Add(121.59, 30.92, "拟建站")], Question())
    compare = Compare(CompareKind.SCENARIO, scenario=added.id)
    slide = Slide("补点", figures=("covered_share", "gap_people"), compare=compare)
    assert stories.show(few, ADMIN, slide).figures[1].change == -3
    assert [one.is_hidden for one in stories.show(few, VIEWER, slide).figures] == [True, True]
    few.close()


def test_a_slide_whose_scenario_is_gone_shows_no_other_figures_instead(district: District) -> None:
    compare = closing(district, "JWZ04")
    scenarios.remove(district, ADMIN, compare.scenario or "")
    with pytest.raises(NotFound):
        stories.show(district, ADMIN, Slide("没有", figures=("posts",), compare=compare))


def test_a_slide_of_the_past_has_the_figures_of_then(district: District) -> None:
    slide = Slide("二月", at=NOW - timedelta(days=28), figures=("people",))
    assert stories.show(district, ADMIN, slide).figures[0].value == 3300


def test_a_tour_goes_through_everything_in_order(district: District) -> None:
    towns = stories.tour(district, VIEWER, "town")
    assert [one.title for one in towns] == ["西镇", "东镇"]
    grids = stories.tour(district, VIEWER, Tour.GRIDS, town="310199102")
    assert [one.focus.key for one in grids] == ["310199102001001", "310199102001002"]
    points = stories.tour(district, VIEWER, Tour.POINTS)
    assert len(points) == 6
    shown = stories.present(district, VIEWER, points[:2])
    assert all(one.figures and one.box for one in shown)
    with pytest.raises(InvalidInput):
        stories.tour(district, VIEWER, "street")


def test_a_slide_about_something_gone_says_so(district: District) -> None:
    with pytest.raises(NotFound):
        stories.show(district, ADMIN, Slide("没有", focus=Focus("town", "999999999")))
    with pytest.raises(NotFound):
        stories.show(district, ADMIN, Slide("没有", focus=Focus("workstation", "nobody")))


@pytest.mark.parametrize(
    "document",
    [
        {"title": ""}, {"title": "一", "figures": ["beauty"]}, {"title": "一", "layers": ["moon"]}, {"title": 1}, 5,
        {"title": "一", "view": {"lon": 500, "lat": 0, "zoom": 3}}, {"title": "联系 13812345678"},
        {"title": "一", "compare": {"kind": "dates", "before": "2026-03-01T00:00:00Z", "after": "2026-02-01T00:00:00Z"}},
        {"title": "一", "compare": {"kind": "scenario"}}, {"title": "一", "at": "yesterday"}, {"title": "一", "id": "x"},
        {"title": "一", "text": "长" * 501},
    ],
)  # fmt: skip
def test_slides_that_make_no_sense_are_refused(district: District, document) -> None:
    with pytest.raises(GridmapError):
        stories.create(district, PRESENTER, "错", [document])


def test_a_slide_survives_being_stored() -> None:
    slide = parse_slide(SLIDES[2] | {"at": "2026-03-01T08:00:00+08:00", "period": "week"})
    assert parse_slide(slide.document()) == slide
    assert parse_slide(replace(slide, id=slide.id)) == slide


def test_figure_keys_are_those_of_the_overview(district: District) -> None:
    assert tuple(one.key for one in overview.overview(district, ADMIN).figures) == overview.FIGURE_KEYS
