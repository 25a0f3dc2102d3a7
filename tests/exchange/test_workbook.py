"""XLSX cell by cell: what shows is what is read, and nothing runs."""

from __future__ import annotations

import io
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import shapely

from gridmap.exchange.errors import FileBroken, FormatCannotHold
from gridmap.exchange.source import Source
from gridmap.exchange.table import Draft, Limits
from gridmap.exchange.workbook import read_xlsx, sheet_names, write_xlsx
from gridmap.exchange.writing import write_table
from tests.exchange.samples import frame_of, unzipped, workstations, zipped


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def book_of(rows: list[list[Any]], formats: dict[str, str] | None = None) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cell, number_format in (formats or {}).items():
        book.active[cell].number_format = number_format
    return saved(book)


def read(data: bytes, **options: Any) -> Draft:
    return read_xlsx(Source("a.xlsx", content=data), limits=Limits(), **options)


def written(path: Path, rows: list[list[Any]], headings: list[str] | None = None) -> list[str]:
    return write_xlsx(path, headings or ["a"], iter(rows), title="数据", remarks=[])


def test_cells_keep_their_type() -> None:
    draft = read(
        book_of(
            [
                ["a"],
                ["0071"],
                [7],
                [7.0],
                [7.5],
                [True],
                [None],
                [date(2024, 2, 29)],
                [datetime(2024, 1, 1, 8, 30)],
            ]
        )
    )
    assert draft.columns["a"] == ["0071", 7, 7, 7.5, True, date(2024, 2, 29), datetime(2024, 1, 1, 8, 30)]
    assert [type(value) for value in draft.columns["a"]] == [str, int, int, float, bool, date, datetime]
    assert draft.rows == [2, 3, 4, 5, 6, 8, 9]


def test_a_number_shown_with_leading_zeros_is_the_text_that_shows() -> None:
    draft = read(book_of([["code", "n"], [7, 7], [1234567, 8]], {"A2": "000000", "A3": "000000"}))
    assert draft.columns == {"code": ["000007", "1234567"], "n": [7, 8]}


def test_a_midnight_with_a_time_format_is_a_time() -> None:
    draft = read(
        book_of(
            [["at", "on"], [datetime(2024, 1, 1), datetime(2024, 1, 1)]],
            {"A2": "yyyy-mm-dd hh:mm", "B2": "yyyy-mm-dd"},
        )
    )
    assert draft.columns == {"at": [datetime(2024, 1, 1)], "on": [date(2024, 1, 1)]}


def test_numbers_that_a_spreadsheet_has_rounded_are_noted() -> None:
    draft = read(book_of([["code"], [310120101001000000000]]))
    assert any("15 位" in note and "code" in note for note in draft.notes)
    assert not read(book_of([["code"], ["310120101001000000000"]])).notes[1:]


def test_formulas_are_never_run_and_their_saved_result_counts() -> None:
    data = book_of([["a", "b"], ["=1+1", "x"]])
    draft = read(data)
    assert draft.columns == {"a": [None], "b": ["x"]}
    assert any("公式" in note for note in draft.notes)
    parts = unzipped(data)
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    parts["xl/worksheets/sheet1.xml"] = re.sub(r"<f>1\+1</f><v></v>", "<f>1+1</f><v>2</v>", sheet).encode()
    assert read(zipped(parts)).columns["a"] == [2]


def test_error_values_are_reported_with_their_cell() -> None:
    draft = read(book_of([["a", "b"], ["#N/A", 1], ["#DIV/0!", 2]]))
    assert draft.columns["a"] == [None, None]
    assert [one.row for one in draft.problems] == [2, 3]
    assert "A2" in draft.problems[0].message


def test_the_first_sheet_with_content_is_read_and_others_are_named() -> None:
    book = openpyxl.Workbook()
    book.active.title = "空"
    book.create_sheet("甲").append(["name"])
    book["甲"].append(["一"])
    book.create_sheet("乙").append(["code"])
    data = saved(book)
    assert sheet_names(Source("a.xlsx", content=data), Limits()) == ("空", "甲", "乙")
    draft = read(data)
    assert draft.columns == {"name": ["一"]}
    assert any("甲" in note for note in draft.notes)
    assert read(data, layer_name="乙").columns == {"code": []}


def test_rows_are_numbered_as_the_sheet_numbers_them() -> None:
    draft = read(book_of([[], [], ["name"], [], ["甲"], [None, None], ["乙"]]))
    assert draft.rows == [5, 7]


def test_an_empty_workbook_holds_nothing() -> None:
    with pytest.raises(FileBroken, match="no sheet"):
        read(book_of([]))


def test_short_and_long_rows_fit_the_headings() -> None:
    draft = read(book_of([["a", "b"], ["1"], ["1", "2", "3"], ["1", None, None]]))
    assert draft.columns == {"a": ["1", "1", "1"], "b": [None, "2", None]}
    assert [one.row for one in draft.problems] == [3]


def test_a_sheet_may_lie_about_its_size() -> None:
    parts = unzipped(book_of([["a", "b"], ["1", "2"], ["3", "4"]]))
    name = "xl/worksheets/sheet1.xml"
    parts[name] = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:A1"', parts[name])
    assert read(zipped(parts)).columns == {"a": ["1", "3"], "b": ["2", "4"]}


def test_points_come_from_typed_cells_too() -> None:
    draft = read(
        book_of([["name", "经度", "纬度"], ["甲", 121.5, "30.9"], ["乙", None, None], ["丙", "x", 30]])
    )
    assert draft.geometry.tolist() == [shapely.Point(121.5, 30.9), None, None]
    assert [(one.row, one.column) for one in draft.problems] == [(4, "经度")]


def test_entities_are_refused() -> None:
    parts = unzipped(book_of([["a"], ["x"]]))
    name = "xl/worksheets/sheet1.xml"
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    parts[name] = parts[name].replace(b"<worksheet", bomb + b"<worksheet", 1)
    with pytest.raises(FileBroken, match="damaged"):
        read(zipped(parts))


# --- writing ----------------------------------------------------------------------------------------------


def test_no_written_cell_is_a_formula(tmp_path: Path) -> None:
    frame = workstations()
    frame["note"] = ["=HYPERLINK(1)", "+86", "@x"]
    write_table(frame, tmp_path / "a.xlsx", title="=1+1")
    parts = unzipped((tmp_path / "a.xlsx").read_bytes())
    assert b"<f" not in re.sub(
        rb"<fo\w+|<fi\w+", b"", b"".join(v for k, v in parts.items() if "worksheets" in k)
    )
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "b", "d"}
    assert not [
        cell for cell in cells if isinstance(cell.value, str) and cell.value[:1] in "=+-@" and cell.value
    ]


def test_codes_stay_texts_when_somebody_edits_them(tmp_path: Path) -> None:
    written(tmp_path / "a.xlsx", [["0071"], ["#N/A"], ["南桥"]])
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0]
    assert sheet["A2"].number_format == "@"
    assert [sheet[f"A{row}"].data_type for row in (2, 3, 4)] == ["s", "s", "s"]
    assert read((tmp_path / "a.xlsx").read_bytes()).columns["a"] == ["0071", "#N/A", "南桥"]


def test_texts_too_long_for_a_cell_are_refused_not_cut(tmp_path: Path) -> None:
    written(tmp_path / "a.xlsx", [["汉" * 32_767]])
    with pytest.raises(FormatCannotHold, match="row 3") as caught:
        written(tmp_path / "b.xlsx", [["x"], ["汉" * 32_768]])
    assert caught.value.row == 3
    assert "GeoPackage" in caught.value.chinese()


def test_geometry_too_long_for_a_cell_takes_several(tmp_path: Path) -> None:
    circle = shapely.Point(121.5, 30.9).buffer(0.1, quad_segs=1000)
    frame = frame_of({"id": ["a", "b"]}, [circle, shapely.box(121, 30, 122, 31)])
    write_table(frame, tmp_path / "a.xlsx", title="面")
    draft = read((tmp_path / "a.xlsx").read_bytes())
    assert list(draft.columns) == ["id"]
    assert [
        shapely.equals_exact(*pair, tolerance=1e-12)
        for pair in zip(draft.geometry, frame.geometry, strict=True)
    ]
    headings = [cell.value for cell in openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0][1]]
    assert headings[:3] == ["id", "WKT", "WKT_2"]


def test_rows_and_columns_beyond_a_sheet_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridmap.exchange.workbook.MAX_ROWS", 3)
    written(tmp_path / "a.xlsx", [["x"], ["y"]])
    with pytest.raises(FormatCannotHold, match="rows"):
        written(tmp_path / "b.xlsx", [["x"], ["y"], ["z"]])
    monkeypatch.setattr("gridmap.exchange.workbook.MAX_COLUMNS", 1)
    with pytest.raises(FormatCannotHold, match="columns"):
        written(tmp_path / "c.xlsx", [], ["a", "b"])


def test_control_characters_are_replaced_and_noted(tmp_path: Path) -> None:
    notes = written(tmp_path / "a.xlsx", [["a\x07b"]])
    assert any("控制字符" in note for note in notes)
    assert read((tmp_path / "a.xlsx").read_bytes()).columns["a"] == ["a\ufffdb"]


@pytest.mark.parametrize("title", ["一/二:三?[*]\\", "x" * 40, "", "说明", "'甲'"])
def test_any_title_makes_a_sheet(title: str, tmp_path: Path) -> None:
    write_table(workstations(), tmp_path / "a.xlsx", title=title, remarks=[("导出人", "示例民警01")])
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert len(book.sheetnames) == 2
    assert book.sheetnames[1] == "说明"
    assert len(book.sheetnames[0]) <= 31
    assert len(read((tmp_path / "a.xlsx").read_bytes()).rows) == 3


def test_remarks_have_a_sheet_of_their_own_that_is_not_read_as_data(tmp_path: Path) -> None:
    remarks = [("数据来源", "模拟数据"), ("导出人", "示例民警01")]
    write_table(workstations(), tmp_path / "a.xlsx", title="警务站", remarks=remarks, datum="gcj02")
    about = openpyxl.load_workbook(tmp_path / "a.xlsx")["说明"]
    assert [tuple(cell.value for cell in row) for row in about.iter_rows()] == [("坐标系", "gcj02"), *remarks]
    draft = read((tmp_path / "a.xlsx").read_bytes())
    assert draft.declared_crs == "gcj02"
    assert sheet_names(Source("a", content=(tmp_path / "a.xlsx").read_bytes()), Limits()) == ("警务站",)
