"""What stands in a pack's files is what the services say, number by number."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from openpyxl import load_workbook
from PIL import Image
from pptx import Presentation
from pypdf import PdfReader

from gridmap.errors import InvalidInput
from gridmap.services import cards, overview
from gridmap.services.district import District
from gridmap.services.packs import making
from gridmap.services.packs.contents import Page
from gridmap.services.packs.requests import PackRequest, parse_request
from tests.services.packs.conftest import Made
from tests.support.district import ADMIN, VIEWER


def texts_of(page: Page) -> list[str]:
    """Every word of a page that a reader must find again."""
    found = [page.title, page.subtitle]
    for figure in page.figures:
        found += [figure.title, figure.text]
    return found


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.fixture(scope="module")
def pdf(atlas: Made) -> PdfReader:
    return PdfReader(atlas.folder / "pack.pdf")


@pytest.fixture(scope="module")
def deck(atlas: Made):
    return Presentation(str(atlas.folder / "pack.pptx"))


def test_every_page_is_there_in_every_format(atlas: Made, pdf: PdfReader, deck) -> None:
    # three of the district and one for each grid
    assert len(atlas.pages) == atlas.pack.pages == len(pdf.pages) == len(deck.slides) == 7
    assert [one["format"] for one in atlas.pack.files] == ["pdf", "pptx", "png", "html", "xlsx"]
    for one in atlas.pack.files:
        assert (atlas.folder / one["name"]).stat().st_size == one["bytes"]


def test_every_number_of_the_pdf_is_the_service_s(atlas: Made, pdf: PdfReader) -> None:
    for page, printed in zip(atlas.pages, pdf.pages, strict=True):
        text = squeezed(printed.extract_text())
        for figure in page.figures:
            assert squeezed(f"{figure.text}{figure.unit if figure.value is not None else ''}") in text
            if figure.change_text:
                assert squeezed(f"较上期{figure.change_text}") in text
        for word in texts_of(page):
            assert squeezed(word) in text, f"{word} is not on the page {page.title}"
        for table in page.tables:
            # what has no room on a page says where it is
            if f"“{table.title}”共{len(table.rows)}行" in text:
                continue
            cut = re.search(r"……另有(\d+)行,见工作簿", text)
            rows = table.rows[: len(table.rows) - int(cut[1])] if cut else table.rows
            assert rows
            for row in rows:
                assert squeezed("".join(row)) in text, f"{row} is not on the page {page.title}"


def test_the_pdf_s_overview_equals_the_overview(leaders: District, pdf: PdfReader) -> None:
    text = squeezed(pdf.pages[0].extract_text())
    for figure in overview.overview(leaders, ADMIN).figures:
        assert squeezed(figure.title) + squeezed(figure.text) in text
    assert squeezed(overview.overview(leaders, ADMIN).stamp.text) in text


def test_the_pdf_needs_no_font_of_the_reader(pdf: PdfReader) -> None:
    for page in pdf.pages:
        for font in page["/Resources"]["/Font"].values():
            found = font.get_object()
            name = str(found["/BaseFont"])
            descriptor = found.get("/FontDescriptor")
            assert re.match(r"/[A-Z]{6}\+NotoSansSC", name), f"{name} is not a subset of our font"
            assert "/FontFile2" in descriptor.get_object()


def test_pdf_pages_have_ink_where_they_should(atlas: Made) -> None:
    document = pypdfium2.PdfDocument(atlas.folder / "pack.pdf")
    image = np.asarray(document[3].render(scale=1.0).to_pil().convert("L"))
    document.close()
    height, width = image.shape
    # the map is full, the column beside it has text, the outermost margin is empty
    assert (
        image[int(height * 0.2) : int(height * 0.8), int(width * 0.1) : int(width * 0.4)] < 250
    ).mean() > 0.9
    assert (
        0.01
        < (image[int(height * 0.1) : int(height * 0.5), int(width * 0.7) : int(width * 0.95)] < 200).mean()
        < 0.5
    )
    assert (image[:, : int(width * 0.025)] > 250).all()


def test_every_number_of_the_slides_is_the_service_s(atlas: Made, deck) -> None:
    for page, slide in zip(atlas.pages, deck.slides, strict=True):
        tables = [shape.table for shape in slide.shapes if shape.has_table]
        cells = [[[cell.text for cell in row.cells] for row in table.rows] for table in tables]
        if page.figures:
            rows = cells[0][1:]
            assert rows == [[one.title, one.text, one.unit, one.change_text or "–"] for one in page.figures]
        assert page.map is not None or len(tables) == len(page.tables)
        by_head = {tuple(one[0]): one[1:] for one in cells}
        for table in page.tables:
            if table.headers in by_head and len(by_head[table.headers]) == len(table.rows):
                assert by_head[table.headers] == [list(row) for row in table.rows]
        assert slide.notes_slide.notes_text_frame.text == page.notes


def test_charts_of_the_slides_are_powerpoint_s_own(atlas: Made, deck) -> None:
    for page, slide in zip(atlas.pages, deck.slides, strict=True):
        charts = {shape.name: shape.chart for shape in slide.shapes if shape.has_chart}
        assert set(charts) == {one.title for one in page.charts}
        for one in page.charts:
            found = dict(
                zip(
                    charts[one.title].plots[0].categories,
                    charts[one.title].plots[0].series[0].values,
                    strict=True,
                )
            )
            assert found == dict(zip(one.categories, one.series[0][1], strict=True))


def test_slides_of_areas_have_the_map_as_a_picture(atlas: Made, deck) -> None:
    for page, slide in zip(atlas.pages, deck.slides, strict=True):
        pictures = [shape for shape in slide.shapes if shape.shape_type == 13]
        assert len(pictures) == (page.map is not None)


def test_nothing_on_a_slide_lies_beyond_it_or_on_a_neighbour(deck) -> None:
    for slide in deck.slides:
        boxes = []
        for shape in slide.shapes:
            if shape.name == "水印":
                continue
            assert shape.left >= 0
            assert shape.top >= 0
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + shape.height <= deck.slide_height
            if shape.has_table or shape.has_chart or shape.shape_type == 13:
                boxes.append((shape.left, shape.top, shape.left + shape.width, shape.top + shape.height))
        for number, a in enumerate(boxes):
            for b in boxes[:number]:
                assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def test_the_workbook_holds_values_not_texts(leaders: District, atlas: Made) -> None:
    book = load_workbook(atlas.folder / "pack.xlsx")
    found = {row[0]: row[1] for row in book["主要指标"].iter_rows(min_row=2, values_only=True)}
    for figure in overview.overview(leaders, ADMIN).figures:
        assert found[figure.title] == figure.value
    rows = {row[0]: row for row in book["警务网格指标"].iter_rows(min_row=2, values_only=True)}
    for row in overview.overview(leaders, ADMIN).grids.rows:
        assert rows[row.code][2] == row.values["people"]
    assert "模拟数据" in str([row for row in book["说明"].iter_rows(values_only=True)])
    pages = {row[0]: row for row in book["分页指标"].iter_rows(min_row=2, values_only=True)}
    card = cards.card(leaders, ADMIN, "police_grid", "310199101001001")
    assert pages[card.code][2] == card.figures[0].value


def test_a_name_that_looks_like_a_formula_stays_a_text(leaders: District, atlas: Made) -> None:
    book = load_workbook(atlas.folder / "pack.xlsx")
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds


def test_pictures_come_one_for_each_map(atlas: Made) -> None:
    with zipfile.ZipFile(atlas.folder / "pack.zip") as found:
        names = found.namelist()
        assert len(names) == sum(page.map is not None for page in atlas.pages) == 5
        image = Image.open(io.BytesIO(found.read(names[0])))
    assert image.size[0] > 1500


def test_what_is_made_up_is_marked_on_every_page(pdf: PdfReader, deck, atlas: Made) -> None:
    assert all("模拟数据" in page.extract_text() for page in pdf.pages)
    for slide in deck.slides:
        assert "模拟数据" in [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
    assert "模拟数据" in (atlas.folder / "pack.html").read_text("utf-8")


def test_who_made_it_stands_on_every_page(pdf: PdfReader, deck) -> None:
    for page in pdf.pages:
        text = squeezed(page.extract_text())
        assert "制作:示例管理员(admin)" in text
    assert pdf.metadata.author == "示例管理员(admin)"
    assert all(any(shape.name == "水印" for shape in slide.shapes) for slide in deck.slides)


def test_a_pack_for_viewers_holds_no_hidden_count(leaders: District, tmp_path: Path) -> None:
    request = parse_request({"formats": ["pdf", "pptx", "html", "xlsx"], "atlas": "police_grid"})
    pack = making.make(leaders, VIEWER, request, tmp_path)
    assert pack.scope == "masked"
    text = squeezed(PdfReader(tmp_path / "pack.pdf").pages[0].extract_text())
    assert "超期风险*" in text
    assert "FX0001" not in (tmp_path / "pack.html").read_text("utf-8")
    pages = "".join(page.extract_text() for page in PdfReader(tmp_path / "pack.pdf").pages)
    assert "风险FX0001" not in pages
    book = load_workbook(tmp_path / "pack.xlsx")
    found = {row[0]: row[1] for row in book["主要指标"].iter_rows(min_row=2, values_only=True)}
    assert found["超期风险"] == "*"
    charts = [
        shape.chart
        for slide in Presentation(str(tmp_path / "pack.pptx")).slides
        for shape in slide.shapes
        if shape.has_chart
    ]
    risks = (
        next(one for one in charts if one.chart_title.text_frame.text.startswith("未结风险"))
        if len(charts) > 4
        else None
    )
    assert risks is None or 2 not in risks.plots[0].series[0].values


def test_an_a3_page_is_twice_an_a4(leaders: District, tmp_path: Path) -> None:
    making.make(leaders, ADMIN, parse_request({"paper": "a3", "formats": ["pdf"]}), tmp_path)
    box = PdfReader(tmp_path / "pack.pdf").pages[0].mediabox
    assert (float(box.width) / 72 * 25.4, float(box.height) / 72 * 25.4) == pytest.approx((420, 297), abs=0.1)


def test_points_have_their_pages(leaders: District, tmp_path: Path) -> None:
    request = parse_request({"atlas": "workstation", "has_overview": False, "town": "310199101"})
    pack = making.make(leaders, ADMIN, request, tmp_path)
    assert pack.pages == 3
    text = squeezed(PdfReader(tmp_path / "pack.pdf").pages[0].extract_text())
    card = cards.post_card(leaders, ADMIN, cards.post_ids(leaders, ADMIN, town="310199101")[0][0])
    for figure in card.figures:
        assert f"{figure.title}{figure.text}" in text
    assert "JWZ01" in text


@pytest.mark.parametrize(
    "document",
    [
        {"formats": ["docx"]}, {"atlas": "street"}, {"has_overview": False}, {"title": ""}, {"paper": "a0"},
        {"title": "王某 13812345678"},
    ],
)  # fmt: skip
def test_requests_that_make_no_sense_are_refused(document: dict) -> None:
    with pytest.raises(InvalidInput):
        parse_request({"title": "例会"} | document)


def test_a_request_survives_being_stored() -> None:
    request = parse_request(
        {"title": "例会", "formats": ["pptx", "pdf"], "atlas": "town", "layers": ["risk"], "period": "week"}
    )
    assert parse_request(json.loads(json.dumps(request.document()))) == request
    assert isinstance(request, PackRequest)
