"""XLSX: the first sheet with content, cell by cell as it shows; formulas are never run."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell

from gridmap.errors import GridmapError, TooLarge
from gridmap.exchange.cells import guarded, text_of, unguarded
from gridmap.exchange.delimited import place_if_possible, too_many_rows
from gridmap.exchange.errors import FileBroken, FormatCannotHold, LayerMissing
from gridmap.exchange.source import Source, opened_archive, unpack
from gridmap.exchange.table import Draft, Limits, RowProblem, unique_names
from gridmap.exchange.text import without_controls

MAX_ROWS, MAX_COLUMNS, MAX_TEXT = 1_048_576, 16_384, 32_767
_SAFE_INTEGER = 10**15  # beyond, a spreadsheet rounds
_LARGEST = 9.99e307
REMARKS_SHEET = "说明"


def sheet_names(source: Source, limits: Limits) -> tuple[str, ...]:
    """Names of the sheets, without the one that holds our own remarks."""
    with _opened(source, limits) as book:
        return tuple(name for name in book.sheetnames if name != REMARKS_SHEET)


def read_xlsx(
    source: Source,
    *,
    limits: Limits,
    layer_name: str | None = None,
    lon_column: str | None = None,
    lat_column: str | None = None,
) -> Draft:
    """
    The records of one sheet: the named one, else the first that holds anything.

    Texts stay texts; a number shown with leading zeros is the text that shows; dates and truth values are
    such. A formula counts by the result that was saved with it. Rows are numbered as the sheet numbers them.
    """
    draft = Draft(rows=[])
    with _opened(source, limits) as book:
        names = [name for name in book.sheetnames if name != REMARKS_SHEET] or book.sheetnames
        if layer_name is not None and layer_name not in names:
            raise LayerMissing(
                f"no sheet {layer_name!r}; the sheets are {', '.join(names)}",
                zh=f"没有名为“{layer_name}”的工作表。可选:{'、'.join(names)}。",
                layers=names,
            )
        draft.declared_crs = _stated_datum(book)
        for name in [layer_name] if layer_name else names:
            if _read_sheet(book[name], draft, limits):
                break
        else:
            raise FileBroken("no sheet holds anything", zh="工作簿里没有内容。请检查是否导出成功后重试。")
        if layer_name is None and len(names) > 1:
            draft.notes.append(f"工作簿有 {len(names)} 个工作表,读取的是“{name}”。")
    _note_formulas(source, draft, limits)
    place_if_possible(draft, lon_column, lat_column)
    return draft


@contextmanager
def _opened(source: Source, limits: Limits) -> Iterator[Any]:
    _refuse_entities(source, limits)
    with _damage_is_one_error(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that nobody asked for
        book = openpyxl.load_workbook(
            BytesIO(source.read()), read_only=True, data_only=True, keep_links=False
        )
    try:
        with _damage_is_one_error():
            yield book
    finally:
        book.close()


@contextmanager
def _damage_is_one_error() -> Iterator[None]:
    """Whatever openpyxl and the XML parser beneath it stumble over: the file is damaged."""
    try:
        yield
    except (GridmapError, MemoryError):
        raise
    except Exception as error:
        raise _broken() from error


def _refuse_entities(source: Source, limits: Limits) -> None:
    """No part may define entities: nothing made by a spreadsheet program does, and they can blow up."""
    with opened_archive(source, limits) as (archive, entries):
        for entry in entries:
            if entry.ending in (".xml", ".rels") and b"<!" in unpack(archive, entry)[:2000].replace(
                b"<!--", b""
            ):
                raise _broken()


def _broken() -> FileBroken:
    return FileBroken(
        "the workbook is damaged", zh="工作簿已损坏,无法读取。请用 Excel 或 WPS 打开并另存后重试。"
    )


def _read_sheet(sheet: Any, draft: Draft, limits: Limits) -> bool:
    """Fill the draft from the sheet; False where the sheet holds nothing."""
    if hasattr(sheet, "reset_dimensions"):
        sheet.reset_dimensions()  # files state wrong sizes
    names: list[str] = []
    cells: list[list[Any]] = []
    for row, record in enumerate(sheet.iter_rows(), 1):
        values = [_value(cell, row, draft) for cell in record]
        while values and values[-1] is None:
            values.pop()
        if not values:
            continue
        if not cells:
            names = _names(values, draft, limits)
            cells = [[] for _ in names]
            continue
        if len(draft.rows) == limits.max_rows:
            raise too_many_rows(limits)
        if len(values) > len(names):
            draft.problems.append(
                RowProblem(row, None, f"本行有 {len(values)} 格,多于表头的 {len(names)} 列。")
            )
        draft.rows.append(row)
        for column, value in zip(
            cells, [*values[: len(names)], *[None] * (len(names) - len(values))], strict=True
        ):
            column.append(value)
    draft.columns = dict(zip(names, cells, strict=True))
    _note_rounded(draft)
    return bool(cells)


def _names(values: list[Any], draft: Draft, limits: Limits) -> list[str]:
    if len(values) > limits.max_columns:
        raise TooLarge(
            f"{len(values)} columns, more than {limits.max_columns}",
            zh=f"列数过多({len(values)} 列,上限 {limits.max_columns} 列)。请删去不需要的列。",
            limit=limits.max_columns,
        )
    headings = [(text_of(value) or "").strip() for value in values]
    names = unique_names(headings)
    if names != headings:
        draft.notes.append("表头有空白或重复的列名,已按列的次序改名。")
    return names


def _value(cell: Any, row: int, draft: Draft) -> Any:
    value = cell.value
    if value is None:
        return None
    if cell.data_type == "e":
        draft.problems.append(
            RowProblem(row, None, f"单元格 {cell.coordinate} 是错误值 {value}。请改正后再导入。")
        )
        return None
    if isinstance(value, str):
        return unguarded(value)
    if isinstance(value, datetime):
        has_time = (
            re.search(r"[hHs]", re.sub(r'"[^"]*"|\[[^\]]*\]', "", cell.number_format or "")) is not None
        )
        is_midnight = value.time() == time()
        return value.date() if is_midnight and not has_time else value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _as_shown(value, cell.number_format or "")
    return value if isinstance(value, (bool, date)) else text_of(value)


def _as_shown(value: int | float, number_format: str) -> Any:
    """A whole number as such; behind a format of zeros alone ("000000") as the text that shows."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _SAFE_INTEGER:
        value = int(value)
    if isinstance(value, int) and value >= 0 and re.fullmatch("00+", number_format):
        return str(value).zfill(len(number_format))
    return value


def _note_rounded(draft: Draft) -> None:
    for name, values in draft.columns.items():
        if any(isinstance(v, (int, float)) and abs(v) >= _SAFE_INTEGER for v in values):
            draft.notes.append(
                f"“{name}”列有超过 15 位的数字,电子表格已把末尾几位变成 0。编码请以文本格式保存后重新导入。"
            )


def _note_formulas(source: Source, draft: Draft, limits: Limits) -> None:
    with opened_archive(source, limits) as (archive, entries):
        sheets = [entry for entry in entries if entry.name.lower().startswith("xl/worksheets/")]
        if any(re.search(rb"<f[ >/]", unpack(archive, entry)) for entry in sheets):
            draft.notes.append("表中有公式:读取的是保存时的计算结果,公式本身不会执行;没有结果的按空白处理。")


def _stated_datum(book: Any) -> str | None:
    """The datum that our own remarks sheet states."""
    if REMARKS_SHEET not in book.sheetnames:
        return None
    for first, second, *_ in book[REMARKS_SHEET].iter_rows(max_row=5, max_col=2, values_only=True):
        if first == "坐标系" and second:
            return str(second)
    return None


def write_xlsx(
    path: Path,
    headings: Sequence[str],
    rows: Iterator[Sequence[Any]],
    *,
    title: str,
    remarks: Sequence[tuple[str, str]],
) -> list[str]:
    """
    Write one sheet called `title`, and one with the remarks where there are any; the notes on what changed.

    Raises FormatCannotHold for more rows, columns or text in a cell than a sheet takes.
    """
    if len(headings) > MAX_COLUMNS:
        raise FormatCannotHold(
            f"{len(headings)} columns, a sheet takes {MAX_COLUMNS}",
            zh=f"XLSX 最多 {MAX_COLUMNS:,} 列。请改用 CSV 或 GeoPackage。",
        )
    notes: set[str] = set()
    # Everything is checked before the first row is written: openpyxl cannot let go of half a sheet.
    records = [[_storable(value, row, notes) for value in record] for row, record in enumerate(rows, 2)]
    if len(records) >= MAX_ROWS:
        raise FormatCannotHold(
            f"{len(records):,} rows, a sheet takes {MAX_ROWS - 1:,}",
            zh=f"XLSX 最多 {MAX_ROWS - 1:,} 行。请改用 CSV 或 GeoPackage。",
        )
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_title(title))
    for record in [[_storable(heading, 1, notes) for heading in headings], *records]:
        sheet.append([_cell(sheet, value) for value in record])
    if remarks:
        about = book.create_sheet(REMARKS_SHEET)
        for pair in remarks:
            about.append([_cell(about, _storable(text, 1, notes)) for text in pair])
    book.save(path)
    return sorted(notes)


def _sheet_title(title: str) -> str:
    name = re.sub(r"[\[\]:*?/\\']", "_", without_controls(title))[:31].strip()
    return name if name and name != REMARKS_SHEET else "数据"


def _storable(value: Any, row: int, notes: set[str]) -> Any:
    """The value as a cell takes it: a guarded text, or a number, date or truth value as it is."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SAFE_INTEGER:
        value = str(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.isoformat()
    if isinstance(value, float) and not abs(value) < _LARGEST:
        value = str(value)  # a spreadsheet has no infinity
    if value is None or isinstance(value, (bool, int, float, date)):
        return value
    text = guarded(text_of(value) or "")
    clean = without_controls(text)
    if clean != text:
        notes.add("XLSX 不能保存控制字符,已用“\ufffd”代替。")
    if len(clean) > MAX_TEXT:
        raise FormatCannotHold(
            f"row {row} has a text of {len(clean):,} characters, a cell takes {MAX_TEXT:,}",
            zh=f"第 {row} 行有 {len(clean):,} 个字的文字,XLSX 单元格最多 {MAX_TEXT:,} 个字。"
            "请改用 CSV 或 GeoPackage。",
            row=row,
        )
    return clean


def _cell(sheet: Any, value: Any) -> Any:
    if not isinstance(value, str) or not (value.startswith("#") or value.isdecimal()):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"  # "#N/A" is a text here, not an error
    cell.number_format = "@"  # a code stays a text when somebody edits it
    return cell
