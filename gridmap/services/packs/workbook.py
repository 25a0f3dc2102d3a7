"""Every table of a pack as an Excel workbook: values, not texts, so that they can be reckoned with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill

from gridmap.services.figures import SIMULATED, Figure
from gridmap.services.packs.contents import Contents, change_table, figure_table, grade_table, ranking_table
from gridmap.services.packs.page import Page, Table

_HEAD = PatternFill("solid", fgColor="1F4E9D")
_MOST_WIDTH = 42


class WorkbookWriter:
    """Collects tables of many pages into one sheet for each kind; `finish` writes the file."""

    def __init__(self, path: Path, outline: Contents, *, maker: str, watermark: str) -> None:
        self.path, self.outline = path, outline
        self.about = [
            ("标题", f"{outline.district_title} {outline.request.title}".strip()),
            ("数据说明", outline.stamp.text),
            ("期间", outline.overview.period.title),
            ("制作", maker),
            ("导出", watermark),
            *(
                [("声明", f"含{SIMULATED},不反映真实情况,不得用于实际警务决策。")]
                if outline.stamp.is_simulated
                else []
            ),
        ]
        self.figures: list[tuple[str, str, tuple[Figure, ...]]] = []
        self.tables: dict[str, list[tuple[str, Table]]] = {}

    def add(self, page: Page) -> None:
        """Take a page's figures and tables."""
        if page.key in ("overview", "towns", "trends", "briefing"):
            return  # those of the district stand in sheets of their own
        self.figures.append((page.key, page.title, page.figures))
        for table in page.tables:
            self.tables.setdefault(table.title, []).append((page.title, table))

    def finish(self) -> None:
        """Write the file."""
        book = Workbook(write_only=True)
        whole = self.outline.overview
        _sheet(book, "说明", Table("说明", ("项目", "内容"), (), tuple(self.about), ("@", "@")))
        for table in (
            figure_table(whole.figures), change_table(whole), grade_table(whole), ranking_table(whole.towns),
            ranking_table(whole.grids), self._trends(),
        ):  # fmt: skip
            _sheet(book, table.title, table)
        if self.figures:
            _sheet(book, "分页指标", self._by_page())
        for title, parts in self.tables.items():
            _sheet(book, title, _together(title, parts))
        book.save(self.path)

    def _trends(self) -> Table:
        rows = [
            (f"{one.title}({one.unit})", at.date(), value)
            for one in self.outline.overview.trends
            for at, value in one.points
        ]
        return Table("趋势", ("指标", "周末", "数值"), (), tuple(rows), ("@", "yyyy-mm-dd", "#,##0"))

    def _by_page(self) -> Table:
        titles = list(dict.fromkeys(one.title for _, _, figures in self.figures for one in figures))
        rows = []
        for key, title, figures in self.figures:
            by_title = {one.title: "*" if one.is_hidden else one.value for one in figures}
            rows.append((key, title, *(by_title.get(one) for one in titles)))
        return Table("分页指标", ("编码", "名称", *titles), (), tuple(rows), ("@", "@"))


def _together(title: str, parts: list[tuple[str, Table]]) -> Table:
    first = parts[0][1]
    rows = tuple((page, *row) for page, table in parts for row in table.values)
    return Table(title, ("页面", *first.headers), (), rows, ("@", *first.formats))


def _sheet(book: Any, title: str, table: Table) -> None:
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\]", "-", title)[:31])
    columns = [table.headers, *(row for row in table.values[:200])]
    for number in range(len(table.headers)):
        width = max(_width(row[number]) for row in columns if number < len(row))
        sheet.column_dimensions[chr(65 + number) if number < 26 else "AA"].width = min(_MOST_WIDTH, width + 3)
    sheet.freeze_panes = "A2"
    head = []
    for words in table.headers:
        cell = WriteOnlyCell(sheet, words)
        cell.font, cell.fill, cell.alignment = (
            Font(bold=True, color="FFFFFF"),
            _HEAD,
            Alignment(horizontal="center"),
        )
        head.append(cell)
    sheet.append(head)
    for row in table.values:
        sheet.append([_cell(sheet, value, number, table) for number, value in enumerate(row)])


def _width(value: Any) -> float:
    return sum(2.0 if ord(one) > 0x2E7F else 1.1 for one in str(value if value is not None else ""))


def _cell(sheet: Any, value: Any, number: int, table: Table) -> WriteOnlyCell:
    # a text that begins like a formula stays a text
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"
        return cell
    form = table.formats[number] if number < len(table.formats) else ""
    if form and form != "@":
        cell.number_format = form
    elif isinstance(value, float) and 0 <= value <= 1 and value != int(value):
        cell.number_format = "0.0%"
    elif isinstance(value, int | float):
        cell.number_format = "#,##0.##" if value != int(value) else "#,##0"
    return cell
