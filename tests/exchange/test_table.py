"""Tables keep values as they are: names apart, whole numbers whole, missing told from empty."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.exchange.formats import Format
from gridmap.exchange.table import Draft, RowProblem, plain_values, typed, unique_names


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "a", "b", "a_2", "列1", "列2", "A"]), max_size=8))
def test_names_are_unique_and_good_ones_stay(names: list[str]) -> None:
    result = unique_names(names)
    assert len(set(result)) == len(names)
    assert all(result)
    if len(set(names)) == len(names) and all(names):
        assert result == names


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, None, 2**62], "Int64"), ([True, None], "boolean"), ([0.5, None, 1], "float64"), (["007", None], "object"),
        ([1, "a"], "object"), ([True, 1], "object"), ([2**70], "object"), ([None, None], "object"), ([], "object"),
        ([date(2024, 1, 1), None], "object"), ([datetime(2024, 1, 1, tzinfo=UTC)], "object"),
    ],
)  # fmt: skip
def test_columns_are_typed_by_their_values_and_give_them_back(values: list[object], dtype: str) -> None:
    column = typed(values)
    assert str(column.dtype) == dtype
    back = plain_values(column)
    assert back == values
    assert all(type(a) is type(b) or dtype == "float64" for a, b in zip(back, values, strict=True))


def test_other_dtypes_become_plain_python() -> None:
    for column, want in [
        (pandas.Series(np.array([1, 2], dtype="int8")), [1, 2]),
        (pandas.Series([np.nan, 1.5]), [None, 1.5]),
        (pandas.Series(["a", None], dtype="str"), ["a", None]),
        (pandas.Series([pandas.NaT, pandas.Timestamp("2024-01-01T08:00Z")]), [None, datetime(2024, 1, 1, 8, tzinfo=UTC)]),
        (pandas.Series([np.int64(3), None], dtype=object), [3, None]),
        (pandas.Series([float("nan"), "x", pandas.NA], dtype=object), [None, "x", None]),
        (pandas.Series(pandas.Categorical(["a", None])), ["a", None]),
    ]:  # fmt: skip
        got = plain_values(column)
        assert got == want
        assert all(type(value).__module__ in ("builtins", "datetime") for value in got)


def test_a_finished_table_knows_its_rows_and_problems_in_order() -> None:
    draft = Draft(columns={"geometry": ["text"], "a": [None]}, rows=[7])
    draft.geometry = np.array([shapely.Point(1, 2, 3)], dtype=object)
    draft.problems = [RowProblem(9, None, "乙"), RowProblem(7, "a", "甲")]
    table = draft.finished(Format.CSV)
    assert table.columns == ("geometry_2", "a")
    assert any("重名" in note for note in table.notes)
    assert [one.row for one in table.problems] == [7, 9]
    assert list(table.records()) == [(7, {"geometry_2": "text", "a": None}, shapely.Point(1, 2))]
    assert not table.geometry[0].has_z
    assert len(table) == 1
