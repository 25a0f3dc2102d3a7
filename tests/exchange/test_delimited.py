"""CSV as Chinese offices write it: encodings, separators, rows as a spreadsheet numbers them."""

from __future__ import annotations

import csv
import io

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.exchange.cells import guarded
from gridmap.exchange.delimited import csv_text, read_csv
from gridmap.exchange.errors import ColumnMissing, FileBroken
from gridmap.exchange.table import Draft, Limits
from tests.exchange.samples import texts


def read(text: str | bytes, **options: object) -> Draft:
    data = text.encode() if isinstance(text, str) else text
    return read_csv(data, limits=Limits(), **options)


def test_every_cell_is_the_text_that_stands_there() -> None:
    draft = read("编码,数量,比例,日期\n007,12,0.50,2024-1-5\n3101201010010010000001,1e5,.5,是\n")
    assert draft.columns == {
        "编码": ["007", "3101201010010010000001"], "数量": ["12", "1e5"], "比例": ["0.50", ".5"], "日期": ["2024-1-5", "是"],
    }  # fmt: skip


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    draft = read('name,note\n甲,一\n\n乙,"两行\n文字"\n,,\n丙,三\n')
    assert draft.rows == [2, 4, 6]
    assert draft.columns["note"] == ["一", "两行\n文字", "三"]


def test_headings_may_stand_below_blank_lines() -> None:
    draft = read("\n,,\nname,note\n甲,一\n")
    assert draft.rows == [4]
    assert list(draft.columns) == ["name", "note"]


def test_an_empty_cell_is_missing_and_an_empty_text_in_quotes_is_not() -> None:
    draft = read('a,b,c\n,"",x\n"",,\n"a,"",b","","c"""\n')
    assert draft.columns == {"a": [None, "", 'a,",b'], "b": ["", None, ""], "c": ["x", None, 'c"']}


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_the_separator_is_found(separator: str) -> None:
    text = separator.join(["名称", '"甲,乙;丙"', "数"]) + "\r\n" + separator.join(["x", "y", "z"]) + "\r\n"
    assert list(read(text).columns) == ["名称", "甲,乙;丙", "数"]


def test_the_separator_that_excel_writes_as_a_hint_counts() -> None:
    draft = read("sep=;\na;b,c\n1;2,3\n")
    assert draft.columns == {"a": ["1"], "b,c": ["2,3"]}
    assert draft.rows == [3]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings_are_found(codec: str) -> None:
    draft = read("名称,经度,纬度\n南桥警务站,121.45,30.92\n".encode(codec))
    assert draft.columns == {"名称": ["南桥警务站"]}
    assert draft.geometry[0] == shapely.Point(121.45, 30.92)


def test_short_rows_are_filled_and_long_ones_reported() -> None:
    draft = read("a,b,c\n1\n1,2,3,4\n1,2,3,,\n")
    assert draft.columns == {"a": ["1", "1", "1"], "b": [None, "2", "2"], "c": [None, "3", "3"]}
    assert [(one.row, one.column) for one in draft.problems] == [(3, None)]
    assert "4 格" in draft.problems[0].message


def test_repeated_and_empty_headings_get_names_of_their_own() -> None:
    draft = read("名称,名称,,名称_2\n1,2,3,4\n")
    assert list(draft.columns) == ["名称", "名称_3", "列3", "名称_2"]
    assert any("改名" in note for note in draft.notes)


def test_unbalanced_quotes_are_refused_with_their_row() -> None:
    with pytest.raises(FileBroken, match="row 3") as caught:
        read('a,b\n1,2\n"3,4\n5,6\n')
    assert caught.value.row == 3
    assert "第 3 行" in caught.value.chinese()


def test_quotes_inside_a_plain_cell_are_characters() -> None:
    assert read('a,b\n5" 管,x\n').columns["a"] == ['5" 管']


def test_guarded_texts_lose_their_apostrophe() -> None:
    assert read("a,b\n'=1+1,'abc'\n'-5,'''=x\n").columns == {"a": ["=1+1", "-5"], "b": ["'abc'", "''=x"]}


def test_named_columns_hold_the_place_and_missing_ones_are_refused() -> None:
    text = "甲,乙,lon,lat\n121.5,30.9,1,2\n"
    draft = read(text, lon_column="甲", lat_column="乙")
    assert draft.geometry[0] == shapely.Point(121.5, 30.9)
    assert draft.columns == {"lon": ["1"], "lat": ["2"]}
    for lon, lat in [("经度", "乙"), ("甲", "纬度"), ("甲", None), (None, "乙")]:
        with pytest.raises(ColumnMissing) as caught:
            read(text, lon_column=lon, lat_column=lat)
        assert caught.value.columns == ["甲", "乙", "lon", "lat"]
        assert "甲、乙" in caught.value.chinese()


def test_a_table_without_places_says_so() -> None:
    draft = read("a,b\n1,2\n")
    assert draft.geometry is None
    assert any("坐标列" in note for note in draft.notes)


def test_a_single_column_is_a_table() -> None:
    assert read("name\n甲\n乙\n").columns == {"name": ["甲", "乙"]}


@settings(deadline=None)
@given(
    st.lists(st.lists(st.one_of(st.none(), texts), min_size=3, max_size=3), min_size=1, max_size=6).filter(
        lambda rows: all(any(row) for row in rows)
    )
)
def test_what_is_written_is_read(rows: list[list[str | None]]) -> None:
    text = "".join(csv_text(["甲", "乙", "丙"], iter(rows)))
    draft = read(text)
    assert [list(row) for row in zip(*draft.columns.values(), strict=True)] == rows
    # Any other reader sees the same cells, but for the guard and for the difference of empty and missing.
    other = list(csv.reader(io.StringIO(text, newline="")))[1:]
    for record, row in zip(other, rows, strict=True):
        assert record == [guarded(cell or "") for cell in row]


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=6))
def test_no_written_cell_runs_as_a_formula(cells: list[str]) -> None:
    text = "".join(csv_text(["x"] * len(cells), iter([cells])))
    (_, record) = csv.reader(io.StringIO(text, newline=""))
    assert not [cell for cell in record if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def test_numbers_are_not_guarded() -> None:
    assert "".join(csv_text(["a", "b"], iter([(-5, -0.5)]))).endswith("-5,-0.5\r\n")
