"""CSV: text with one record a line, in the encodings and with the separators that Chinese offices use."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from gridmap.errors import TooLarge
from gridmap.exchange.cells import guarded, text_of, unguarded
from gridmap.exchange.errors import FileBroken
from gridmap.exchange.places import find_place_columns, place_rows
from gridmap.exchange.table import Draft, Limits, RowProblem, unique_names
from gridmap.exchange.text import decode

_SEPARATORS = ",\t;|"
# Marks an empty text between quotes, told from nothing at all; NUL cannot be in the text (see `decode`).
_EMPTY = "\x00"


def read_csv(
    data: bytes,
    *,
    limits: Limits,
    encoding: str | None = None,
    lon_column: str | None = None,
    lat_column: str | None = None,
) -> Draft:
    """
    The records of a CSV file, every cell a text: an empty one is missing unless it stands in quotes.

    Rows are numbered as a spreadsheet shows them: the headings are row 1, blank lines count.
    """
    text, codec = decode(data, encoding)
    draft = Draft(rows=[], encoding=codec)
    records = _records(text, limits)
    headings = next(records, None)
    if headings is None:
        raise FileBroken("no line holds anything", zh="文件里没有内容。请检查是否导出成功后重试。")
    names = _names([cell or "" for cell in headings[1]], draft, limits)
    cells: list[list[str | None]] = [[] for _ in names]
    for row, record in records:
        if len(draft.rows) == limits.max_rows:
            raise too_many_rows(limits)
        if len(record) > len(names) and any(record[len(names) :]):
            draft.problems.append(
                RowProblem(row, None, f"本行有 {len(record)} 格,多于表头的 {len(names)} 列。")
            )
        draft.rows.append(row)
        for column, cell in zip(
            cells, [*record[: len(names)], *[None] * (len(names) - len(record))], strict=True
        ):
            column.append(cell)
    draft.columns = dict(zip(names, cells, strict=True))
    place_if_possible(draft, lon_column, lat_column)
    return draft


def place_if_possible(draft: Draft, lon_column: str | None, lat_column: str | None) -> None:
    """Take the place from the table's columns; note where none of them holds one."""
    places = find_place_columns(list(draft.columns), lon_column, lat_column)
    if places is not None:
        place_rows(draft, places)
    elif draft.columns:
        draft.notes.append("没有找到坐标列(例如“经度”“纬度”或 lon、lat)。如有坐标,请指定坐标列。")


def too_many_rows(limits: Limits) -> TooLarge:
    """The refusal of a table with more rows than the limit."""
    return TooLarge(
        f"more than {limits.max_rows:,} rows",
        zh=f"行数超过上限({limits.max_rows:,} 行)。请分成几个文件导入。",
        limit=limits.max_rows,
    )


def _names(headings: list[str], draft: Draft, limits: Limits) -> list[str]:
    if len(headings) > limits.max_columns:
        raise TooLarge(
            f"{len(headings)} columns, more than {limits.max_columns}",
            zh=f"列数过多({len(headings)} 列,上限 {limits.max_columns} 列)。请检查分隔符,或删去不需要的列。",
            limit=limits.max_columns,
        )
    names = unique_names([heading.strip() for heading in headings])
    if names != [heading.strip() for heading in headings]:
        draft.notes.append("表头有空白或重复的列名,已按列的次序改名。")
    return names


def _records(text: str, limits: Limits) -> Iterator[tuple[int, list[str | None]]]:
    """Row number and cells of each record that holds anything."""
    first_row = 1
    hint = re.match(r"sep=(.)\r?\n", text)
    if hint:
        text, first_row = text[hint.end() :], 2
    separator = hint[1] if hint else _separator(text)
    csv.field_size_limit(max(csv.field_size_limit(), limits.max_text))
    reader = csv.reader(io.StringIO(_marked(text, separator), newline=""), delimiter=separator, strict=True)
    row = first_row - 1
    try:
        for row, record in enumerate(reader, first_row):
            if any(record):
                yield row, [_cell(cell) for cell in record]
    except csv.Error as error:
        if "field larger" in str(error):
            raise TooLarge(
                f"row {row + 1} has a text of more than {limits.max_text:,} characters",
                zh=f"第 {row + 1} 行有一格文字过长,或附近的引号不成对。请检查文件。",
                row=row + 1,
            ) from error
        raise FileBroken(
            f"row {row + 1} has unbalanced quotes: {error}",
            zh=f"第 {row + 1} 行附近的引号不成对,无法分列。请检查文件是否完整。",
            row=row + 1,
        ) from error


def _cell(cell: str) -> str | None:
    if cell == _EMPTY:
        return ""
    return unguarded(cell) if cell else None


def _separator(text: str) -> str:
    """The separator that the first line with content has most of, outside quotes; a comma where none."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", line)
    return max(_SEPARATORS, key=bare.count)


def _marked(text: str, separator: str) -> str:
    """The text with every empty cell in quotes marked, so that it is told from one that is missing."""
    if '""' not in text:
        return text
    edge = re.escape(separator)
    parts, end, quotes, counted = [], 0, 0, 0
    for match in re.finditer(rf'(?:(?<=[{edge}\r\n])|\A)""(?=[{edge}\r\n]|\Z)', text):
        quotes += text.count('"', counted, match.start())
        if quotes % 2 == 0:  # not inside a cell that is itself in quotes
            parts += [text[end : match.start()], _EMPTY]
            end = match.end()
        quotes += 2
        counted = match.end()
    return "".join([*parts, text[end:]])


def csv_text(headings: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[str]:
    """
    Lines of a CSV file (RFC 4180): missing values as nothing, empty texts as quotes.

    Texts that a spreadsheet would run as a formula are guarded; numbers are not texts.
    """
    for record in _chain(headings, rows):
        line = ",".join(_written(cell) for cell in record)
        yield (line or '""') + "\r\n"


def _chain(headings: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield headings
    yield from rows


_NEEDS_QUOTES = re.compile(r'[",;|\t\r\n]|^\s|\s$')


def _written(cell: Any) -> str:
    if cell is None:
        return ""
    text = guarded(cell) if isinstance(cell, str) else text_of(cell) or ""
    if text == "" or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
