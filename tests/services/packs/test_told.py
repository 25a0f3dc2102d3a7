"""A story in a pack: a page for each slide, two where it compares, with the figures of whoever takes it away."""

from __future__ import annotations

import html
import re
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
from openpyxl import load_workbook
from pptx import Presentation
from pypdf import PdfReader

from gridmap.domain.scenarios import Add, Close, Move
from gridmap.domain.stories import Compare, CompareKind, Focus, Slide, View, parse_slide
from gridmap.errors import InvalidInput, NotFound, PermissionDenied
from gridmap.maps.figure import Picture
from gridmap.services import elements, outlook, overview, pictures, reach, scenarios, stories
from gridmap.services.district import District
from gridmap.services.packs import making, shelf
from gridmap.services.packs.contents import contents, pages
from gridmap.services.packs.page import Page
from gridmap.services.packs.requests import PackRequest, parse_request, with_slides
from gridmap.services.questions import Question
from tests.support.district import ADMIN, VIEWER
from tests.support.leaders import NOW, PRESENTER

BEFORE = NOW - timedelta(days=28)
FORMATS = ["pdf", "pptx", "html", "xlsx"]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def told(district: District, user, *slides: Slide, **options) -> list[Page]:
    request = PackRequest(has_overview=False, slides=slides, **options)
    outline = contents(district, user, request)
    found = list(pages(district, user, outline))
    assert len(found) == outline.count
    return found


def station(district: District, code: str):
    [found] = elements.search(district, ADMIN, code, layers=["workstation"])
    return found


@pytest.fixture(scope="module")
def scenario(leaders: District) -> str:
    """One station closed, one moved, one added: each is a mark on the map."""
    moved = station(leaders, "JWZ02")
    changes = [
        Close(station(leaders, "JWZ03").id),
        Move(moved.id, moved.geometry.x + 0.01, moved.geometry.y),
        Add(121.59, 30.985, "拟建站"),
    ]
    return scenarios.save(leaders, ADMIN, "三处变动", changes, Question()).id


@pytest.fixture(scope="module")
def slides(leaders: District, scenario: str) -> tuple[Slide, ...]:
    return (
        Slide("全区", "要素上图、风险上图。", layers=("town", "workstation"), figures=("people", "open_risks")),
        Slide(
            "东镇", "看这里", layers=("police_grid",), figures=("people", "gap_people"),
            focus=Focus("town", "310199102"),
        ),
        Slide(
            "一个月", figures=("people", "posts"), layers=("workstation",),
            compare=Compare(CompareKind.DATES, BEFORE),
        ),
        Slide("变动", figures=("covered_share", "gap_people", "overdue"), compare=Compare(CompareKind.SCENARIO, scenario=scenario)),
        Slide("一站", focus=Focus("workstation", station(leaders, "JWZ01").id)),
    )  # fmt: skip


def test_a_slide_has_a_page_and_what_is_swiped_has_two(leaders: District, slides: tuple[Slide, ...]) -> None:
    found = told(leaders, PRESENTER, *slides)
    assert [(one.key, one.title) for one in found] == [
        ("汇报 1", "全区"),
        ("汇报 2", "东镇"),
        ("汇报 3 前", "一个月(2026年02月20日)"),
        ("汇报 3 后", "一个月(现在)"),
        ("汇报 4 前", "变动(现状)"),
        ("汇报 4 后", "变动(方案:三处变动)"),
        ("汇报 5", "一站"),
    ]
    assert [one.text for one in found[:2]] == ["要素上图、风险上图。", "看这里"]
    assert all(one.map is not None for one in found)


def test_a_page_has_the_figures_of_its_slide(leaders: District, slides: tuple[Slide, ...]) -> None:
    whole, town, before, after, today, changed, post = told(leaders, PRESENTER, *slides)
    for page, slide in ((whole, slides[0]), (town, slides[1]), (post, slides[4])):
        assert page.figures == stories.show(leaders, PRESENTER, slide).figures
    # the second home of the east came in March
    assert [one.figures[0].value for one in (before, after)] == [3300, 3700]
    assert [one.figures[1].value for one in (before, after)] == [5, 6]
    assert [one.stamp.at for one in (before, after)] == [BEFORE, NOW]
    assert [one.value for one in today.figures[:2]] == [one.before for one in changed.figures[:2]]
    assert [one.title for one in changed.figures] == ["人口覆盖率(方案)", "未覆盖人口(方案)", "逾期未核实"]
    assert "较现状" in changed.notes
    assert "推演" in changed.stamp.text


def test_a_map_shows_the_slide_s_layers_day_and_place(leaders: District, slides: tuple[Slide, ...]) -> None:
    whole, town, before, after, today, changed, post = (
        one.map for one in told(leaders, PRESENTER, *slides) if one.map
    )
    assert whole.layers == ("town", "workstation")
    assert whole.box == pytest.approx(pictures.district_box(leaders))
    assert town.box == pytest.approx([121.5, 30.9, 121.6, 31.0])
    assert town.outline is not None
    assert town.outline[1] == "东镇"
    assert (before.at, after.at) == (BEFORE, None)
    # a slide without layers has those of the pack
    assert today.layers is None
    assert not today.marks
    shape = reach.shape(leaders, station(leaders, "JWZ01").id)
    assert post.reach is not None
    assert post.reach[0].equals(shape)
    assert post.box == pytest.approx(shape.bounds)
    names = [station(leaders, code).name for code in ("JWZ03", "JWZ02")]
    assert [(one.title, one.name) for one in changed.marks] == [
        ("裁撤", names[0]),
        ("迁移", names[1]),
        ("新增", "拟建站"),
    ]
    # what the one map of a web page shows needs no picture of its own
    assert [one.is_own for one in (whole, town, before, after, today, changed, post)] == [
        True, True, True, True, False, True, False,
    ]  # fmt: skip


def test_a_view_is_the_window_of_a_screen(leaders: District) -> None:
    # at zoom 10 the world is 2**18 pixels wide
    [page] = told(leaders, ADMIN, Slide("近看", view=View(121.5, 0.0, 10.0)))
    half = 800 * 360 / 2**18
    assert page.map is not None
    assert page.map.box == pytest.approx(
        (121.5 - half, -half * 9 / 16, 121.5 + half, half * 9 / 16), abs=1e-9
    )


@pytest.fixture(scope="module")
def drawn(leaders: District, scenario: str) -> Picture:
    """The map of the scenario."""
    changes = outlook.point_changes(leaders, ADMIN, scenarios.get(leaders, ADMIN, scenario))
    return pictures.picture(
        leaders, ADMIN, pictures.Request(layers=("town", "workstation")),
        highlights=pictures.change_highlights(changes),
    )  # fmt: skip


def test_what_a_scenario_changes_is_in_the_legend(drawn: Picture) -> None:
    titles = [one.title for one in drawn.legend]
    assert titles[-4:] == ["迁移路线", "方案:新增", "方案:迁移", "方案:裁撤"]


def test_a_mark_stands_where_the_scenario_says(leaders: District, drawn: Picture) -> None:
    x, y = drawn.pixel(121.59, 30.985)
    assert drawn.image.getpixel((round(x), round(y))) == (0x0F, 0x61, 0x31)
    closed = station(leaders, "JWZ03").geometry
    x, y = drawn.pixel(closed.x, closed.y)
    assert drawn.image.getpixel((round(x), round(y))) == (0xA3, 0x16, 0x1B)


def test_every_format_says_what_the_pages_say(
    leaders: District, slides: tuple[Slide, ...], tmp_path: Path
) -> None:
    request = PackRequest(
        "汇报", tuple(parse_request({"formats": FORMATS}).formats), has_overview=False, slides=slides
    )
    pack = making.make(leaders, PRESENTER, request, tmp_path)
    expected = told(leaders, PRESENTER, *slides)
    printed, deck = PdfReader(tmp_path / "pack.pdf").pages, Presentation(str(tmp_path / "pack.pptx")).slides
    assert pack.pages == len(expected) == len(printed) == len(deck)
    web = (tmp_path / "pack.html").read_text("utf-8")
    book = load_workbook(tmp_path / "pack.xlsx")["分页指标"]
    rows = {row[0]: row for row in book.iter_rows(min_row=2, values_only=True)}
    heads = [one.value for one in book[1]]
    for page, paper, slide in zip(expected, printed, deck, strict=True):
        text = squeezed(paper.extract_text())
        cells = "".join(
            squeezed(cell.text)
            for shape in slide.shapes
            if shape.has_table
            for row in shape.table.rows
            for cell in row.cells
        )
        words = squeezed("".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame))
        for one in (squeezed(page.title), squeezed(page.text)):
            assert one in text
            assert one in words
        for figure in page.figures:
            change = f"{figure.against or '较上期'}{figure.change_text}" if figure.change_text else ""
            unit = figure.unit if figure.value is not None else ""
            assert squeezed(f"{figure.title}") in text
            assert squeezed(f"{figure.text}{unit}") in text
            assert squeezed(change) in text
            assert squeezed(f"{figure.title}{figure.text}{figure.unit}") in cells
            assert rows[page.key][heads.index(figure.title)] == figure.value
        assert page.text in slide.notes_slide.notes_text_frame.text
        assert f"<summary>{page.title}</summary>" in web
    # the file has one map, of today and of the layers shown at first: all else are pictures
    owned = [page for page in expected if page.map is not None and page.map.is_own]
    assert web.count('src="data:image/jpeg;base64,/9j/') == len(owned) == 5
    assert [one.name for one in tmp_path.glob("picture*")] == []


def test_nothing_of_a_slide_lies_on_its_neighbour(
    leaders: District, slides: tuple[Slide, ...], tmp_path: Path
) -> None:
    long = Slide("长说明", "说明" * 100, figures=("people", "posts"))
    request = PackRequest(
        "汇报", parse_request({"formats": ["pptx"]}).formats, has_overview=False, slides=(long, *slides)
    )
    making.make(leaders, PRESENTER, request, tmp_path)
    for slide in Presentation(str(tmp_path / "pack.pptx")).slides:
        shapes = [one for one in slide.shapes if one.name == "说明" or one.has_table or one.name == "地图"]
        for number, one in enumerate(shapes):
            for other in shapes[number + 1 :]:
                is_apart = (
                    one.left + one.width <= other.left or other.left + other.width <= one.left
                    or one.top + one.height <= other.top or other.top + other.height <= one.top
                )  # fmt: skip
                assert is_apart, (one.name, other.name)


def test_a_viewer_s_slide_of_two_dates_has_one_page_that_says_why(
    leaders: District, slides: tuple[Slide, ...]
) -> None:
    past = Slide("二月", at=BEFORE, figures=("people",))
    swiped, then = told(leaders, VIEWER, slides[2], past)
    assert "不能前后对比" in swiped.text
    assert swiped.map is not None
    assert swiped.map.at is None
    # figures of then may be seen, its map may not
    assert "指标截至该日,地图为现在的状态" in then.text
    assert "指标截至该日,地图为现在的状态" in then.notes
    assert then.map is not None
    assert then.map.at is None
    assert then.figures == stories.show(leaders, VIEWER, past).figures


def test_what_a_slide_is_about_may_be_gone(leaders: District) -> None:
    gone = Slide("没有", "说明", focus=Focus("town", "310199999"), figures=("people",))
    lost = Slide(
        "方案没了", compare=Compare(CompareKind.SCENARIO, scenario="00000000-0000-0000-0000-000000000000")
    )
    page, today, without = told(leaders, ADMIN, gone, lost)
    assert (page.figures, page.map is not None) == ((), True)
    assert "310199999" in page.text
    assert "没有这个方案" in without.text
    assert without.title == "方案没了(方案)"
    assert without.map is not None
    assert not without.map.marks
    assert today.title == "方案没了(现状)"


def test_the_pack_s_day_is_that_of_slides_without_one(leaders: District) -> None:
    [then] = told(leaders, ADMIN, Slide("二月", figures=("people",)), at=BEFORE)
    assert then.figures[0].value == 3300
    assert then.map is not None
    assert then.map.at == BEFORE
    assert "截至 2026年02月20日" in then.subtitle


def test_a_pack_keeps_the_slides_it_was_begun_with(leaders: District, slides: tuple[Slide, ...]) -> None:
    story = stories.create(leaders, PRESENTER, "例会", slides[:2])
    begun = with_slides(leaders, PRESENTER, PackRequest(has_overview=False, story=story.id))
    stories.save(leaders, PRESENTER, story.id, base=1, slides=slides[:1])
    assert begun.slides == slides[:2]
    again = parse_request(begun.document())
    assert again == begun
    assert with_slides(leaders, PRESENTER, again).slides == slides[:2]
    stories.delete(leaders, PRESENTER, story.id)
    assert contents(leaders, PRESENTER, again).count == 2


def test_a_story_that_is_missing_or_empty_is_refused(leaders: District) -> None:
    with pytest.raises(NotFound):
        with_slides(leaders, ADMIN, PackRequest(story="00000000-0000-0000-0000-000000000000"))
    empty = stories.create(leaders, PRESENTER, "空的")
    with pytest.raises(InvalidInput, match="no slides"):
        with_slides(leaders, ADMIN, PackRequest(story=empty.id))
    stories.delete(leaders, PRESENTER, empty.id)


@pytest.mark.parametrize("wrong", [{"layers": ["street"]}, {"figures": ["wealth"]}])
def test_slides_of_a_request_are_checked(leaders: District, wrong: dict) -> None:
    request = parse_request({"has_overview": False, "slides": [{"title": "页"} | wrong]})
    with pytest.raises((NotFound, InvalidInput)):
        contents(leaders, ADMIN, request)


def test_words_that_are_templates_or_markup_stay_words(leaders: District, tmp_path: Path) -> None:
    words = "{%endraw%}{{7*191}}{%raw%}</title><script>1</script> 见 url(abc) @import src='x'"
    request = PackRequest(
        "{%endraw%}{{7*191}}</title><script>boo()", parse_request({"formats": ["html"]}).formats,
        has_overview=False, slides=(Slide("{{7*191}}{#", words),),
    )  # fmt: skip
    making.make(leaders, ADMIN, request, tmp_path)
    text = (tmp_path / "pack.html").read_text("utf-8")
    assert "1337" not in text
    assert "<summary>{{7*191}}{#</summary>" in text
    assert html.escape(words) in text
    assert "<script>boo" not in text
    assert "<script>1<" not in text


@pytest.mark.parametrize(
    ("words", "figures"),
    [("说明" * 250, 12), ("一行\n" * 120, 5), ("很长的说明" * 24, 5), ("短", 5), ("说" * 200, 2)],
)
def test_no_figure_of_the_pdf_leaves_its_page(
    leaders: District, tmp_path: Path, words: str, figures: int
) -> None:
    keys = tuple(overview.FIGURE_KEYS)[:figures]
    slide = Slide("长说明的一页", words.strip()[:500], figures=keys)
    request = PackRequest(
        "汇报", parse_request({"formats": ["pdf"]}).formats, has_overview=False, slides=(slide,)
    )
    making.make(leaders, ADMIN, request, tmp_path)
    [page] = pypdfium2.PdfDocument(tmp_path / "pack.pdf")
    shown = stories.show(leaders, ADMIN, slide).figures
    assert len(shown) == figures
    foot = 9.0 / 25.4 * 72
    lines = page.get_textpage()
    for figure in shown:
        found = lines.search(figure.title, match_case=True)
        place = found.get_next()
        assert place is not None, figure.title
        assert lines.get_charbox(place[0])[1] > foot, figure.title
    lines.close()
    page.close()


def test_a_title_keeps_what_tells_its_pages_apart(leaders: District, tmp_path: Path) -> None:
    long = "一个非常长的标题" * 10
    slide = Slide(long, compare=Compare(CompareKind.DATES, BEFORE))
    request = PackRequest(
        "汇报", parse_request({"formats": ["pdf"]}).formats, has_overview=False, slides=(slide,)
    )
    making.make(leaders, ADMIN, request, tmp_path)
    first, second = (squeezed(one.extract_text()) for one in PdfReader(tmp_path / "pack.pdf").pages)
    assert "…(2026年02月20日)" in first
    assert "…(现在)" in second
    assert told(leaders, ADMIN, slide)[0].notes.startswith(f"{long}(2026年02月20日)")


def test_a_day_before_there_was_a_district_has_todays_ground(leaders: District) -> None:
    early = NOW - timedelta(days=900)
    pages = told(
        leaders, ADMIN, Slide("很早", at=early), Slide("很早", compare=Compare(CompareKind.DATES, early))
    )
    for page in pages:
        assert page.map is not None
        assert page.map.box == pytest.approx(pictures.district_box(leaders))


def test_two_moments_of_a_day_are_told_apart_and_a_date_yet_to_come_is_left_out(leaders: District) -> None:
    noon = Compare(CompareKind.DATES, BEFORE, BEFORE + timedelta(hours=2))
    assert [one.title for one in told(leaders, ADMIN, Slide("一天", compare=noon))] == [
        "一天(2026年02月20日 10:00)", "一天(2026年02月20日 12:00)",
    ]  # fmt: skip
    later = Slide("以后", compare=Compare(CompareKind.DATES, NOW - timedelta(days=1)))
    assert [one.title for one in told(leaders, ADMIN, later, at=BEFORE)] == ["以后(2026年02月20日)"]


def test_a_viewer_s_map_has_the_places_of_now(leaders: District) -> None:
    before_the_fifth = NOW - timedelta(days=28)
    post = station(leaders, "JWZ01").id
    town = Slide("镇", at=before_the_fifth, focus=Focus("town", "310199102"))
    for slide in (town, Slide("站", at=before_the_fifth, focus=Focus("workstation", post))):
        [page] = told(leaders, VIEWER, slide)
        now = stories.show(leaders, VIEWER, replace(slide, at=None))
        assert page.map is not None
        assert page.map.at is None
        assert page.map.outline is None or page.map.outline[0].equals(now.area)
    # nor does the pack's own date come in by the back door
    [page] = told(leaders, VIEWER, Slide("镇"), at=BEFORE)
    assert page.map is not None
    assert page.map.at is None


def test_layers_that_a_viewer_may_not_see_are_told_and_not_replaced(leaders: District) -> None:
    [page] = told(leaders, VIEWER, Slide("风险", layers=("risk",)))
    assert page.map is not None
    assert page.map.layers == ()
    assert "另有 1 个图层您无权查看" in page.text


def test_a_changed_scenario_makes_another_pack(leaders: District) -> None:
    made = scenarios.save(leaders, ADMIN, "会变的", [Add(121.59, 30.985, "甲")], Question())
    slide = Slide("方案", compare=Compare(CompareKind.SCENARIO, scenario=made.id))
    request = PackRequest(has_overview=False, slides=(slide,))
    keys = [making.key_of(leaders, ADMIN, request, 1)]
    # the same slides, asked for anew
    other = replace(request, slides=(replace(slide, id=str(uuid.uuid4())),))
    assert making.key_of(leaders, ADMIN, other, 1) == keys[0]
    scenarios.change(leaders, ADMIN, made.id, base_revision=1, changes=[Add(121.58, 30.985, "乙")])
    assert making.key_of(leaders, ADMIN, request, 1) not in keys


@pytest.mark.parametrize("words", ["上\x0b下", "上\r\n下"])
def test_line_breaks_of_other_programs_are_line_breaks(words: str) -> None:
    assert parse_slide({"title": "页", "text": words}).text == "上\n下"


@pytest.mark.parametrize("words", ["\x00", "坏\x1b[0m", "\ufffe"])
def test_characters_that_no_file_takes_are_refused(words: str) -> None:
    with pytest.raises(InvalidInput, match="control characters"):
        parse_slide({"title": "页", "text": f"字{words}字"})


def test_a_viewer_asks_for_no_days_of_their_own(leaders: District) -> None:
    for slide in (
        {"title": "页", "at": BEFORE.isoformat()},
        Slide("页", compare=Compare(CompareKind.DATES, BEFORE)).document(),
    ):
        with pytest.raises(PermissionDenied):
            shelf.start(leaders, VIEWER, {"has_overview": False, "slides": [slide]})
