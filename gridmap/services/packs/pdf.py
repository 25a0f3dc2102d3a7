"""A pack as a PDF: one landscape page per page of contents, our own font embedded as a subset."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from reportlab import rl_config
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from gridmap.maps.fonts import font_file, printable
from gridmap.services.figures import SIMULATED, Figure, Form
from gridmap.services.packs.contents import BEFORE
from gridmap.services.packs.page import Chart, Page, Table
from gridmap.services.packs.requests import Paper

# Plain binary streams: the text form costs a second a page and a quarter of the size.
rl_config.useA85 = 0

MM = 72 / 25.4
_REGULAR, _BOLD = "GridmapSans", "GridmapSansBold"
_INK, _FAINT, _LINE = HexColor("#2b3442"), HexColor("#5d6673"), HexColor("#c9ced6")
_GOOD, _BAD, _BLUE, _ALERT = (
    HexColor("#1b7a43"),
    HexColor("#b3261e"),
    HexColor("#1f4e9d"),
    HexColor("#b3261e"),
)
_MARGIN, _HEAD, _FOOT, _GAP = 10.0, 16.0, 9.0, 5.0
# The share of the width that a map takes where something stands beside it.
_MAP_SHARE = 0.665
# Heights of a figure with the gap below it: in two columns, and below one another where there is room.
_TILE, _LARGE_TILE, _TILE_GAP = 16.5, 27.0, 2.0
# What is said beside a map, in points: as large as there is room.
_TEXT_SIZES = (11.0, 9.5, 8.0, 7.0)
_LINE_HEIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of the page in millimetres from its upper left."""

    x: float
    y: float
    width: float
    height: float


def map_frame(paper: Paper) -> Frame:
    """Where the map of a page stands, which is also the size it is drawn at."""
    width, height = paper.size_mm
    return Frame(_MARGIN, _HEAD + 4, (width - 2 * _MARGIN) * _MAP_SHARE, height - _HEAD - _FOOT - 8)


class PdfWriter:
    """Writes pages to a file, one after the other; `finish` ends it."""

    def __init__(
        self, path: Path, paper: Paper, *, title: str, maker: str, watermark: str, count: int, rest: str
    ) -> None:
        self.rest = rest
        self.paper, self.maker, self.watermark, self.count = paper, maker, watermark, count
        self.width, self.height = paper.size_mm
        for name, is_bold in ((_REGULAR, False), (_BOLD, True)):
            if name not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(name, str(font_file(is_bold=is_bold))))
        # the same contents make the same file, but for the time in the watermark
        self.canvas = Canvas(
            str(path), pagesize=(self.width * MM, self.height * MM), pageCompression=1, invariant=1,
            initialFontName=_REGULAR,
        )  # fmt: skip
        self.canvas.setTitle(title)
        self.canvas.setAuthor(maker)
        self.canvas.setCreator("gridmap")
        self.number = 0

    def add(self, page: Page, picture: Image.Image | None) -> None:
        """Write one page, with its map drawn at the size of `map_frame`."""
        self.number += 1
        self.canvas.bookmarkPage(f"p{self.number}")
        self.canvas.addOutlineEntry(printable(page.title), f"p{self.number}")
        self._head(page)
        if picture is not None:
            frame = map_frame(self.paper)
            self.canvas.drawImage(
                ImageReader(_jpeg(picture)), frame.x * MM, (self.height - frame.y - frame.height) * MM, frame.width * MM,
                frame.height * MM,
            )  # fmt: skip
            left = frame.x + frame.width + _GAP
            column = Frame(left, frame.y, self.width - _MARGIN - left, frame.height)
            self._column(page, column)
        else:
            self._wide(
                page, Frame(_MARGIN, _HEAD + 4, self.width - 2 * _MARGIN, self.height - _HEAD - _FOOT - 8)
            )
        self._foot(page)
        # the map brings its own marks
        self._mark((0.84,) if picture is not None else (0.25, 0.75))
        self.canvas.showPage()

    def finish(self) -> None:
        """End the file."""
        self.canvas.save()

    # --- pieces

    def text(
        self, x: float, y: float, words: str, size: float = 9, *, is_bold: bool = False, color: Color = _INK,
        align: str = "left", most: float | None = None,
    ) -> None:  # fmt: skip
        """One line with its baseline at `y`, cut to `most` millimetres."""
        font = _BOLD if is_bold else _REGULAR
        line = printable(words, is_bold=is_bold)
        if most is not None:
            line = _cut(line, font, size, most * MM)
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(color)
        draw = {
            "left": self.canvas.drawString, "right": self.canvas.drawRightString, "middle": self.canvas.drawCentredString,
        }[align]  # fmt: skip
        draw(x * MM, (self.height - y) * MM, line)

    def box(
        self, frame: Frame, *, fill: Color | None = None, stroke: Color | None = None, width: float = 0.5
    ) -> None:
        """A rectangle."""
        if fill is not None:
            self.canvas.setFillColor(fill)
        if stroke is not None:
            self.canvas.setStrokeColor(stroke)
            self.canvas.setLineWidth(width)
        self.canvas.rect(
            frame.x * MM, (self.height - frame.y - frame.height) * MM, frame.width * MM, frame.height * MM,
            fill=int(fill is not None), stroke=int(stroke is not None),
        )  # fmt: skip

    def line(
        self, x0: float, y0: float, x1: float, y1: float, color: Color = _LINE, width: float = 0.5
    ) -> None:
        """A straight line."""
        self.canvas.setStrokeColor(color)
        self.canvas.setLineWidth(width)
        self.canvas.line(x0 * MM, (self.height - y0) * MM, x1 * MM, (self.height - y1) * MM)

    def _head(self, page: Page) -> None:
        right = self.width - _MARGIN
        self.text(_MARGIN, _HEAD - 2, page.title, 18, is_bold=True, most=self.width * 0.62)
        if page.stamp.is_simulated:
            self.box(Frame(right - 24, _HEAD - 8.5, 24, 7.5), stroke=_ALERT, width=1)
            self.text(right - 12, _HEAD - 3.2, SIMULATED, 12, is_bold=True, color=_ALERT, align="middle")
            right -= 28
        self.text(right, _HEAD - 3.2, page.subtitle, 11, color=_FAINT, align="right", most=self.width * 0.25)
        self.line(_MARGIN, _HEAD + 1, self.width - _MARGIN, _HEAD + 1, _BLUE, 1.2)

    def _foot(self, page: Page) -> None:
        y = self.height - _FOOT + 4
        self.line(_MARGIN, y - 4.5, self.width - _MARGIN, y - 4.5)
        end = f"制作:{self.maker}   第 {self.number} / {self.count} 页"
        self.text(_MARGIN, y, page.stamp.text, 7.5, color=_FAINT, most=self.width - 95)
        self.text(self.width - _MARGIN, y, end, 7.5, color=_FAINT, align="right")

    def _mark(self, across: Sequence[float]) -> None:
        canvas = self.canvas
        canvas.saveState()
        canvas.setFillColor(_INK, alpha=0.055)
        canvas.setFont(_REGULAR, 20)
        for x in across:
            for y in (0.25, 0.75):
                canvas.saveState()
                canvas.translate(self.width * x * MM, self.height * y * MM)
                canvas.rotate(24)
                canvas.drawCentredString(0, 0, printable(self.watermark))
                canvas.restoreState()
        canvas.restoreState()

    def _column(self, page: Page, frame: Frame) -> None:
        """Figures, facts and tables beside a map, as far as there is room."""
        y = frame.y
        if page.text:
            # no figure goes for words
            y = self._words(page.text, replace(frame, height=frame.height - _tiles_height(page.figures)))
        below = Frame(frame.x, y, frame.width, frame.y + frame.height - y)
        # large where nothing else needs the room
        is_large = not (page.facts or page.tables) and (
            len(page.figures) * (_LARGE_TILE + _TILE_GAP) <= below.height
        )
        y = self._large_tiles(page.figures, below) if is_large else self._tiles(page.figures, below)
        for title, words in page.facts:
            if y + 6 > frame.y + frame.height:
                return
            self.text(frame.x, y + 4, title, 8, color=_FAINT, most=28)
            self.text(frame.x + 30, y + 4, words, 8, most=frame.width - 30)
            y += 5.4
            self.line(frame.x, y, frame.x + frame.width, y, HexColor("#e6e9ee"))
        y += 2 if page.facts else 0
        # what follows keeps room for a line that says where it is
        for number, table in enumerate(page.tables):
            room = frame.y + frame.height - y - 6.6 * (len(page.tables) - number - 1)
            y = self.table(table, Frame(frame.x, y, frame.width, room), size=7.5) + 2

    def _tiles(self, figures: Sequence[Figure], frame: Frame) -> float:
        """Figures in two columns; the position below them."""
        width = (frame.width - 3) / 2
        for number, figure in enumerate(figures):
            row, column = divmod(number, 2)
            x, y = frame.x + column * (width + 3), frame.y + row * (_TILE + _TILE_GAP)
            self._tile(figure, Frame(x, y, width, _TILE), 1.0)
        return frame.y + _tiles_height(figures)

    def _large_tiles(self, figures: Sequence[Figure], frame: Frame) -> float:
        """Figures below one another, to be read across a table; the position below them."""
        for number, figure in enumerate(figures):
            y = frame.y + number * (_LARGE_TILE + _TILE_GAP)
            self._tile(figure, Frame(frame.x, y, frame.width, _LARGE_TILE), 1.7)
        return frame.y + len(figures) * (_LARGE_TILE + _TILE_GAP)

    def _tile(self, figure: Figure, frame: Frame, scale: float) -> None:
        left, most, better = frame.x + 2.5 * scale, frame.width - 5 * scale, figure.is_better
        color = _FAINT if better is None else _GOOD if better else _BAD
        change = f"{figure.against or BEFORE} {figure.change_text}" if figure.change_text else ""
        self.box(frame, fill=HexColor("#f4f6f9"))
        self.text(left, frame.y + 4.8 * scale, figure.title, 8 * scale, color=_FAINT, most=most)
        self.text(
            left, frame.y + 11.2 * scale, f"{figure.text}{_tail(figure)}", 13 * scale, is_bold=True, most=most
        )
        self.text(left, frame.y + 15 * scale, change, 6.5 * scale, color=color, most=most)

    def _wide(self, page: Page, frame: Frame) -> None:
        """Charts in a row above tables, or paragraphs, over the whole page."""
        if page.paragraphs:
            self._paragraphs(page.paragraphs, frame)
            return
        y = frame.y
        charts = page.charts
        if charts:
            width = (frame.width - _GAP * (len(charts) - 1)) / len(charts)
            height = frame.height * (0.42 if page.tables else 0.9)
            for number, chart in enumerate(charts):
                self.chart(chart, Frame(frame.x + number * (width + _GAP), y, width, height))
            y += height + 4
        for table in page.tables:
            y = self.table(table, Frame(frame.x, y, frame.width, frame.y + frame.height - y), size=8) + 3

    def _words(self, words: str, frame: Frame) -> float:
        """What is said beside a map, as large as the frame has room for, cut where it has none; the position below."""
        for size in _TEXT_SIZES:
            step = size * _LINE_HEIGHT
            lines = [
                line
                for one in words.splitlines()
                for line in _wrapped(printable(one), _REGULAR, size, frame.width * MM)
            ]
            fit = int((frame.height - 3) / step)
            if len(lines) <= fit:
                break
        else:
            lines = [*lines[: max(fit, 1)]]
            lines[-1] = lines[-1][:-1] + "…"
        for number, line in enumerate(lines):
            self.text(frame.x, frame.y + (number + 0.62) * step, line, size)
        return frame.y + len(lines) * step + 3

    def _paragraphs(self, paragraphs: Sequence[str], frame: Frame) -> None:
        y, size = frame.y + 6, 11.0
        for paragraph in paragraphs:
            for line in _wrapped(printable(paragraph), _REGULAR, size, frame.width * MM):
                if y > frame.y + frame.height:
                    return
                self.text(frame.x, y, line, size)
                y += 6.6
            y += 2

    # --- tables and charts

    def table(self, table: Table, frame: Frame, *, size: float = 8) -> float:
        """A table in a frame, with as many rows as fit and a line that says how many do not; the position below."""
        step = size * 0.3528 * 1.62
        if not table.rows:
            return frame.y
        # title, heading and at least one row, or only where to find them
        if frame.height < 3 * step + 5:
            if frame.height >= step:
                words = f"“{table.title}”共 {len(table.rows)} 行,{self.rest}"
                self.text(frame.x, frame.y + step * 0.72, words, size, color=_FAINT, most=frame.width)
            return frame.y + step
        y = frame.y + 4
        self.text(frame.x, y, table.title, size + 1.5, is_bold=True, most=frame.width)
        y += 1.8
        fit = int((frame.y + frame.height - y) / step) - 1
        rows = table.rows if len(table.rows) <= fit else table.rows[: max(fit - 1, 0)]
        widths = self._widths(table, frame.width, size)
        self.box(Frame(frame.x, y, frame.width, step), fill=HexColor("#e8edf5"))
        self._row(table.headers, widths, frame.x, y + step * 0.72, size, table, is_bold=True)
        y += step
        for row in rows:
            self._row(row, widths, frame.x, y + step * 0.72, size, table)
            y += step
            self.line(frame.x, y, frame.x + frame.width, y, HexColor("#e6e9ee"), 0.4)
        if len(rows) < len(table.rows):
            rest = f"……另有 {len(table.rows) - len(rows)} 行,{self.rest}"
            self.text(frame.x, y + step * 0.72, rest, size, color=_FAINT)
            y += step
        return y

    def _widths(self, table: Table, width: float, size: float) -> list[float]:
        """Columns as wide as their words, together exactly `width` millimetres."""
        columns = zip(table.headers, *table.rows[:60], strict=True)
        wanted = [
            min(70.0, max(pdfmetrics.stringWidth(printable(one), _REGULAR, size) / MM for one in column) + 3)
            for column in columns
        ]
        factor = width / sum(wanted)
        return [one * factor for one in wanted]

    def _row(
        self, cells: Sequence[str], widths: Sequence[float], x: float, y: float, size: float, table: Table, *,
        is_bold: bool = False,
    ) -> None:  # fmt: skip
        for number, (words, width) in enumerate(zip(cells, widths, strict=True)):
            is_number = number < len(table.formats) and table.formats[number] != "@"
            if is_number:
                self.text(x + width - 1.2, y, words, size, is_bold=is_bold, align="right", most=width - 1.5)
            else:
                self.text(x + 1.2, y, words, size, is_bold=is_bold, most=width - 1.5)
            x += width

    def chart(self, chart: Chart, frame: Frame) -> None:
        """Bars or a line, drawn as vectors, each value written beside its mark."""
        title = f"{chart.title}({chart.unit})" if chart.unit else chart.title
        self.text(frame.x, frame.y + 4.5, title, 10, is_bold=True, most=frame.width)
        inner = Frame(frame.x, frame.y + 8, frame.width, frame.height - 9)
        values = [value for _, series in chart.series for value in series if value is not None]
        if not values:
            self.text(frame.x, frame.y + 12, "暂无数据", 9, color=_FAINT)
            return
        most = max(max(values), 1e-9)
        if chart.is_line:
            self._lines(chart, inner, most)
        else:
            self._bars(chart, inner, most)

    def _bars(self, chart: Chart, frame: Frame, most: float) -> None:
        step = frame.height / max(len(chart.categories), 1)
        size = min(8.5, step * 2.0)
        room = frame.width - 42
        for number, (name, value) in enumerate(zip(chart.categories, chart.series[0][1], strict=True)):
            y = frame.y + number * step
            self.text(frame.x + 25, y + step * 0.68, name, size, align="right", most=25)
            length = room * (value or 0) / most
            self.box(Frame(frame.x + 27, y + step * 0.18, length, step * 0.62), fill=_BLUE)
            self.text(frame.x + 28.5 + length, y + step * 0.68, _value(value, chart.form), size)

    def _lines(self, chart: Chart, frame: Frame, most: float) -> None:
        bottom, top = frame.y + frame.height - 6, frame.y + 4
        step = frame.width / max(len(chart.categories), 1)
        self.line(frame.x, bottom, frame.x + frame.width, bottom, _FAINT)
        points: list[tuple[float, float]] = []
        for number, (name, value) in enumerate(zip(chart.categories, chart.series[0][1], strict=True)):
            x = frame.x + (number + 0.5) * step
            self.text(x, bottom + 4, name, 6, color=_FAINT, align="middle")
            if value is None:
                points = []
                continue
            y = bottom - (bottom - top - 4) * value / most
            if points:
                self.line(*points[-1], x, y, _BLUE, 1.4)
            points.append((x, y))
            self.box(Frame(x - 0.7, y - 0.7, 1.4, 1.4), fill=_BLUE)
            self.text(x, y - 2, _value(value, chart.form), 7, align="middle")


def _tiles_height(figures: Sequence[Figure]) -> float:
    """Of figures in two columns, with what is left free below them."""
    rows = (len(figures) + 1) // 2
    return rows * (_TILE + _TILE_GAP) + (1 if rows else 0)


def _jpeg(picture: Image.Image) -> io.BytesIO:
    """The picture for print: fine colours kept whole, so that thin lines and names stay sharp."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=88, subsampling=0)
    stream.seek(0)
    return stream


def _tail(figure: Figure) -> str:
    return figure.unit if figure.value is not None and figure.unit else ""


def _value(value: float | None, form: Form) -> str:
    return Figure("", "", value, form=form).text


def _cut(text: str, font: str, size: float, most: float) -> str:
    if pdfmetrics.stringWidth(text, font, size) <= most:
        return text
    while text and pdfmetrics.stringWidth(text + "…", font, size) > most:
        text = text[:-1]
    return text + "…"


def _wrapped(text: str, font: str, size: float, most: float) -> list[str]:
    """Lines of at most `most` points; a mark that ends a clause hangs over rather than beginning a line."""
    lines, line = [], ""
    for one in text:
        if pdfmetrics.stringWidth(line + one, font, size) > most and one not in ",。;:、)”":
            lines.append(line)
            line = ""
        line += one
    return [*lines, line]
