"""A pack as a PowerPoint file: tables and charts are PowerPoint's own and can be edited, the map is a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml import etree
from PIL import Image
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Emu, Mm, Pt

from gridmap.services.figures import SIMULATED, Form
from gridmap.services.packs.contents import figure_table
from gridmap.services.packs.page import Chart, Page, Table

# Slides take the reader's own fonts; this one is on every office machine, and PowerPoint replaces it elsewhere.
FONT = "Microsoft YaHei"
WIDTH_MM, HEIGHT_MM = 338.667, 190.5
_MARGIN, _TOP = 9.0, 22.0
_INK, _FAINT, _BLUE, _ALERT = (RGBColor.from_string(one) for one in ("2B3442", "5D6673", "1F4E9D", "B3261E"))
_BOTTOM = HEIGHT_MM - 12
_MOST_ROWS = 15
# Heights of a table's rows: of 11 points, and the least for 9 points.
_ROW, _LEAST_ROW = 6.4, 5.3
# PowerPoint's own "Light Style 1": lines and a pale band, through which the watermark shows.
_LINES_ALONE = "{3B4B98B0-60AC-42C2-AFA5-B58CD77FA1E5}"
_MAP_WIDTH, _MAP_HEIGHT = 212.0, 156.0
_TITLE_WIDTH, _POINT_MM = 195.0, 0.3528
# What is said beside a map, in points: as large as there is room.
_TEXT_SIZES = (14.0, 11.0, 9.0)
_NUMBERS = {Form.COUNT: "#,##0", Form.SHARE: "0.0%", Form.DECIMAL: "0.00"}


def map_size() -> tuple[float, float]:
    """Width and height of a slide's map in millimetres."""
    return _MAP_WIDTH, _MAP_HEIGHT


class SlideWriter:
    """Collects slides; `finish` writes the file."""

    def __init__(self, path: Path, *, title: str, maker: str, watermark: str, count: int, rest: str) -> None:
        self.rest = rest
        self.path, self.maker, self.watermark, self.count = path, maker, watermark, count
        self.deck = Presentation()
        self.deck.slide_width, self.deck.slide_height = Emu(Mm(WIDTH_MM)), Emu(Mm(HEIGHT_MM))
        self.deck.core_properties.title = title
        self.deck.core_properties.author = maker
        self.deck.core_properties.last_modified_by = maker
        self.blank = self.deck.slide_layouts[6]
        self.number = 0

    def add(self, page: Page, picture: Image.Image | None) -> None:
        """Add a slide, with the map's picture where the page has one."""
        self.number += 1
        slide = self.deck.slides.add_slide(self.blank)
        self._surround(slide, page)
        right = _MARGIN
        if picture is not None:
            # as wide or as high as there is room for
            factor = min(_MAP_WIDTH / picture.width, _MAP_HEIGHT / picture.height)
            size = Mm(picture.width * factor), Mm(picture.height * factor)
            shape = slide.shapes.add_picture(io.BytesIO(_png(picture)), Mm(_MARGIN), Mm(_TOP), *size)
            shape.name = "地图"
            right = _MARGIN + picture.width * factor + 6
        self._contents(slide, page, right)
        slide.notes_slide.notes_text_frame.text = page.notes

    def finish(self) -> None:
        """Write the file."""
        self.deck.save(str(self.path))

    # --- pieces

    def _surround(self, slide: Any, page: Page) -> None:
        size = min(26.0, 26.0 * _TITLE_WIDTH / (_em(page.title) * 26 * _POINT_MM))
        self._text(slide, page.title, _MARGIN, 5, _TITLE_WIDTH, 13, size=size, is_bold=True, name="标题")
        right = WIDTH_MM - _MARGIN
        if page.stamp.is_simulated:
            mark = self._text(
                slide, SIMULATED, right - 30, 7, 30, 9, size=14, is_bold=True, color=_ALERT, align=PP_ALIGN.CENTER,
                name="模拟数据标记",
            )  # fmt: skip
            mark.line.color.rgb = _ALERT
            right -= 33
        self._text(slide, page.subtitle, right - 90, 7, 90, 9, size=14, color=_FAINT, align=PP_ALIGN.RIGHT)
        foot = HEIGHT_MM - 8.5
        self._text(slide, page.stamp.text, _MARGIN, foot, 220, 7, size=9, color=_FAINT, name="数据说明")
        end = f"制作:{self.maker}  {self.number}/{self.count}"
        self._text(
            slide, end, WIDTH_MM - _MARGIN - 95, foot, 95, 7, size=9, color=_FAINT, align=PP_ALIGN.RIGHT
        )
        water = self._text(
            slide, self.watermark, WIDTH_MM / 2 - 80, HEIGHT_MM / 2 - 10, 160, 20, size=24,
            color=RGBColor(0xEC, 0xEE, 0xF1), align=PP_ALIGN.CENTER, name="水印",
        )  # fmt: skip
        water.rotation = -24.0

    def _contents(self, slide: Any, page: Page, left: float) -> None:
        width, y = WIDTH_MM - _MARGIN - left, _TOP
        if page.paragraphs:
            self._paragraphs(slide, page.paragraphs)
            return
        if page.text:
            # no figure goes for words
            room = _BOTTOM - y - _height([figure_table(page.figures)], _LEAST_ROW) - 4
            y += self._beside(slide, page.text, left, y, width, room) + 4
        if page.charts:
            each = (width - 5 * (len(page.charts) - 1)) / len(page.charts)
            below = _height(page.tables[:1], 5.9) + 3 if page.tables else 0.0
            height = min(max(_BOTTOM - _TOP - below, 54.0), 66.0) if below else 150.0
            for number, chart in enumerate(page.charts):
                self._chart(slide, chart, left + number * (each + 5), y, each, height)
            y += height + 3
        tables = list(page.tables)
        if page.figures:
            tables.insert(0, figure_table(page.figures))
        if page.facts:
            facts = tuple((one, words) for one, words in page.facts)
            tables.insert(1, Table("基本情况", ("项目", "内容"), facts, facts))
        tables = [one for one in tables if one.rows]
        # closer together where they would not fit otherwise
        step = next(
            (one for one in (_ROW, 5.9, _LEAST_ROW) if _height(tables, one) <= _BOTTOM - y), _LEAST_ROW
        )
        for table in tables:
            room = _BOTTOM - y
            if room < 18:
                self._text(slide, f"{table.title}等{self.rest}", left, y, width, 5, size=8, color=_FAINT)
                break
            y = self._table(slide, table, left, y, width, room, step) + 3

    def _text(
        self, slide: Any, words: str, x: float, y: float, width: float, height: float, *, size: float,
        is_bold: bool = False, color: RGBColor = _INK, align: Any = PP_ALIGN.LEFT, name: str = "",
    ) -> Any:  # fmt: skip
        box = slide.shapes.add_textbox(Mm(x), Mm(y), Mm(width), Mm(height))
        if name:
            box.name = name
        frame = box.text_frame
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
        frame.vertical_anchor = MSO_ANCHOR.MIDDLE
        # without it LibreOffice puts a left-aligned line into the middle of its box
        frame.word_wrap = True
        paragraph = frame.paragraphs[0]
        paragraph.alignment = align
        _run(paragraph, words, size, is_bold=is_bold, color=color)
        return box

    def _beside(self, slide: Any, words: str, x: float, y: float, width: float, room: float) -> float:
        """What a slide says beside its map, smaller or cut where it is long; the height that it takes."""
        lines = words.splitlines()
        for size in _TEXT_SIZES:
            step = size * _POINT_MM * 1.3
            em = width * 0.96 / (size * _POINT_MM)
            height = step * sum(max(1, math.ceil(_em(one) / em)) for one in lines)
            if height <= room:
                break
        else:
            most = int(max(room / step, 1) * em)
            lines, height = [words[:most].replace("\n", " ") + "…"], max(room, step)
        box = slide.shapes.add_textbox(Mm(x), Mm(y), Mm(width), Mm(height))
        box.name = "说明"
        frame = box.text_frame
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
        frame.word_wrap = True
        for number, line in enumerate(lines):
            _run(frame.paragraphs[0] if number == 0 else frame.add_paragraph(), line, size)
        return height

    def _paragraphs(self, slide: Any, paragraphs: Sequence[str]) -> None:
        box = slide.shapes.add_textbox(Mm(_MARGIN), Mm(_TOP), Mm(WIDTH_MM - 2 * _MARGIN), Mm(HEIGHT_MM - 34))
        box.text_frame.word_wrap = True
        for number, words in enumerate(paragraphs):
            paragraph = box.text_frame.paragraphs[0] if number == 0 else box.text_frame.add_paragraph()
            paragraph.space_after = Pt(5)
            _run(paragraph, words, 14)

    def _table(
        self, slide: Any, table: Table, x: float, y: float, width: float, room: float, step: float
    ) -> float:
        """A table with as many rows as fit, each `step` high; the position below it."""
        self._text(slide, table.title, x, y, width, 6.5, size=12, is_bold=True)
        fit = min(int((room - 7) / step) - 1, _MOST_ROWS)
        rows = table.rows if len(table.rows) <= fit else table.rows[: max(fit - 1, 1)]
        cut = len(table.rows) - len(rows)
        shape = slide.shapes.add_table(
            len(rows) + 1, len(table.headers), Mm(x), Mm(y + 7), Mm(width), Mm(step * (len(rows) + 1))
        )
        shape.name = table.title
        grid = shape.table
        shape._element.graphic.graphicData.tbl.tblPr.find(qn("a:tableStyleId")).text = _LINES_ALONE
        size = 9 if len(table.headers) > 4 or width < 120 or step < _ROW else 11
        wanted = [
            max(_em(words) for words in column) + 1.6 for column in zip(table.headers, *rows, strict=True)
        ]
        for column, share in zip(grid.columns, wanted, strict=True):
            column.width = Emu(int(Mm(width) * share / sum(wanted)))
        for number, row in enumerate([table.headers, *rows]):
            grid.rows[number].height = Mm(step)
            for column, words in enumerate(row):
                self._cell(grid.cell(number, column), words, size, number == 0, _is_number(table, column))
        below = y + 7 + step * (len(rows) + 1)
        if cut:
            self._text(slide, f"……另有 {cut} 行,{self.rest}", x, below + 0.5, width, 5, size=8, color=_FAINT)
            below += 5
        return below

    def _cell(self, cell: Any, words: str, size: float, is_head: bool, is_number: bool) -> None:
        cell.margin_left = cell.margin_right = Mm(1.2)
        cell.margin_top = cell.margin_bottom = Mm(0.3)
        if is_head:
            cell.fill.solid()
            cell.fill.fore_color.rgb = _BLUE
        cell.vertical_anchor = MSO_ANCHOR.MIDDLE
        paragraph = cell.text_frame.paragraphs[0]
        paragraph.alignment = PP_ALIGN.RIGHT if is_number else PP_ALIGN.LEFT
        color = RGBColor(0xFF, 0xFF, 0xFF) if is_head else _INK
        if words:
            _run(paragraph, words, size, is_bold=is_head, color=color)
        else:
            # an empty line is as high as a line of 18 points, unless it is told otherwise
            etree.SubElement(paragraph._p, qn("a:endParaRPr")).set("sz", str(round(size * 100)))

    def _chart(self, slide: Any, chart: Chart, x: float, y: float, width: float, height: float) -> None:
        data = CategoryChartData(number_format=_NUMBERS[chart.form])
        # PowerPoint draws bars from the bottom up
        turn = slice(None) if chart.is_line else slice(None, None, -1)
        data.categories = chart.categories[turn]
        for name, values in chart.series:
            data.add_series(name, values[turn])
        kind = XL_CHART_TYPE.LINE_MARKERS if chart.is_line else XL_CHART_TYPE.BAR_CLUSTERED
        if not chart.categories:
            return
        shape = slide.shapes.add_chart(kind, Mm(x), Mm(y), Mm(width), Mm(height), data)
        shape.name = chart.title
        made = shape.chart
        made.has_legend = False
        made.has_title = True
        title = f"{chart.title}({chart.unit})" if chart.unit else chart.title
        _run(made.chart_title.text_frame.paragraphs[0], title, 12, is_bold=True)
        made.font.size = Pt(9)
        made.font.name = FONT
        made.value_axis.visible = False
        made.value_axis.has_major_gridlines = False
        made.value_axis.minimum_scale = 0
        names = made.category_axis
        names.tick_labels.font.size = Pt(8)
        # every bar has its name; of the weeks every third is enough
        every = 3 if chart.is_line else 1
        _before(names._element, "c:noMultiLvlLbl", "c:tickLblSkip", every)
        plot = made.plots[0]
        plot.has_data_labels = True
        plot.data_labels.number_format = _NUMBERS[chart.form]
        plot.data_labels.number_format_is_linked = False
        plot.data_labels.position = (
            XL_LABEL_POSITION.ABOVE if chart.is_line else XL_LABEL_POSITION.OUTSIDE_END
        )
        plot.data_labels.font.size = Pt(8)
        series = plot.series[0]
        if chart.is_line:
            series.smooth = False
            series.format.line.color.rgb = _BLUE
        else:
            plot.gap_width = 45
            series.format.fill.solid()
            series.format.fill.fore_color.rgb = _BLUE


def _height(tables: Sequence[Table], step: float) -> float:
    """Of these tables below one another, with their titles."""
    rows = [min(len(one.rows), _MOST_ROWS) for one in tables]
    return sum(7 + step * (count + 1) for count in rows) + 3 * max(len(rows) - 1, 0)


def _is_number(table: Table, column: int) -> bool:
    return column < len(table.formats) and table.formats[column] != "@"


def _run(paragraph: Any, words: str, size: float, *, is_bold: bool = False, color: RGBColor = _INK) -> None:
    """Words in our font; Chinese text takes a font of its own in PowerPoint's files."""
    run = paragraph.add_run()
    run.text = words
    run.font.size, run.font.bold, run.font.name = Pt(size), is_bold, FONT
    run.font.color.rgb = color
    properties = run._r.get_or_add_rPr()
    etree.SubElement(properties, qn("a:ea")).set("typeface", FONT)


def _em(words: str) -> float:
    """About how wide the words are, in widths of a Chinese character."""
    return sum(1.0 if ord(one) > 0x2E7F else 0.58 for one in words) or 1.0


def _before(parent: Any, follower: str, name: str, value: int) -> None:
    """An element with this value in its place before `follower`, as the schema wants it."""
    made = etree.Element(qn(name))
    made.set("val", str(value))
    following = parent.find(qn(follower))
    if following is None:
        parent.append(made)
    else:
        following.addprevious(made)


def _png(picture: Image.Image) -> bytes:
    """The picture with 256 colours: a map has few, and a deck of hundreds of maps must stay small."""
    stream = io.BytesIO()
    few = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(stream, "PNG", optimize=False, compress_level=6)
    return stream.getvalue()
