"""Attribute rules, value by value."""

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmap.domain.layer_files import load_catalogue
from gridmap.domain.layers import (
    Choice,
    Field,
    FieldClass,
    FieldType,
    GeometryType,
    Layer,
    OrderRule,
    Shape,
    Symbol,
)
from gridmap.settings import DATA_FOLDER
from gridmap.validation.attributes import clean_column, clean_columns, clean_values

CATALOGUE = load_catalogue([DATA_FOLDER / "layers"])
WORKSTATION = CATALOGUE.layer("workstation")
GOOD = {"code": "JWZ01", "name": "示范警务站01", "opening_hours": "24h", "officer_count": 3}


def field(type_: FieldType, **rules: object) -> Field:
    return Field("x_value", "数值", type_, **rules)


@pytest.mark.parametrize(
    ("type_", "value", "kept"),
    [
        (FieldType.TEXT, " 文字 ", "文字"),
        (FieldType.TEXT, 12.0, "12"),
        (FieldType.INTEGER, "1,200", 1200),
        (FieldType.INTEGER, 3.0, 3),
        (FieldType.NUMBER, "2.5", 2.5),
        (FieldType.BOOLEAN, "是", True),
        (FieldType.BOOLEAN, 0, False),
        (FieldType.DATE, "2026/03/01", "2026-03-01"),
        (FieldType.DATE, datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01"),
        (FieldType.DATETIME, "2026-03-01T08:00:00+08:00", "2026-03-01T00:00:00+00:00"),
        (FieldType.INTEGER, None, None),
        (FieldType.INTEGER, "", None),
        (FieldType.NUMBER, math.nan, None),
    ],
)
def test_a_fitting_value_is_kept_in_its_type(type_: FieldType, value: object, kept: object) -> None:
    assert clean_column(field(type_), [value]) == ([kept], [])


@pytest.mark.parametrize(
    ("one", "value", "rule"),
    [
        (field(FieldType.INTEGER), "三", "type"),
        (field(FieldType.INTEGER), 2.5, "type"),
        (field(FieldType.INTEGER), True, "type"),
        (field(FieldType.INTEGER), 10**30, "type"),
        (field(FieldType.NUMBER), math.inf, "type"),
        (field(FieldType.NUMBER, minimum=0), -1, "minimum"),
        (field(FieldType.NUMBER, maximum=10), 10.01, "maximum"),
        (field(FieldType.BOOLEAN), "也许", "type"),
        (field(FieldType.DATE), "2026-02-30", "type"),
        (field(FieldType.DATETIME), "昨天", "type"),
        (field(FieldType.TEXT), {"a": 1}, "type"),
        (field(FieldType.TEXT), "a\x00b", "characters"),
        (field(FieldType.TEXT, max_length=3), "四个字呀", "max_length"),
        (field(FieldType.TEXT, pattern=r"\d{3}"), "12", "pattern"),
        (field(FieldType.CHOICE, choices=(Choice("red", "红"),)), "紫", "choices"),
        (field(FieldType.TEXT, is_required=True), "  ", "required"),
    ],
)  # fmt: skip
def test_a_breach_names_its_rule_and_keeps_nothing(one: Field, value: object, rule: str) -> None:
    if rule == "required":
        value = ""
    kept, problems = clean_column(one, [value])
    assert [problem.rule for problem in problems] == [rule]
    assert kept == [None]
    assert "数值" in problems[0].message


def test_bounds_are_inclusive() -> None:
    assert clean_column(field(FieldType.NUMBER, minimum=0, maximum=10), [0, 10]) == ([0.0, 10.0], [])


@pytest.mark.parametrize(
    ("one", "given", "kept"),
    [
        (field(FieldType.INTEGER, maximum=10, is_soft=True), "1,100", 1100),
        (field(FieldType.NUMBER, minimum=0, is_soft=True), "-1.5", -1.5),
        (field(FieldType.TEXT, pattern="[A-Z]+", is_soft=True), " 7 ", "7"),
    ],
)
def test_what_breaks_a_soft_rule_is_kept_in_the_form_of_its_field(one: Field, given: str, kept: Any) -> None:
    [found], [problem] = clean_column(one, [given])
    assert problem.is_warning
    assert (found, type(found)) == (kept, type(kept))


# --- rules between fields ------------------------------------------------------------------------------


def lamp(type_: FieldType, **rules: object) -> Layer:
    """A layer whose lamps go out after they were lit."""
    fields = (Field("lit", "点亮", type_), Field("out", "熄灭", type_, **rules))
    symbol = Symbol(Shape.CIRCLE, "#ffcc00")
    order = (OrderRule("out", not_before="lit"),)
    return Layer(
        "lamp", "路灯", "设施", GeometryType.POINT, fields, symbol, rules=order, is_code_required=False
    )


@pytest.mark.parametrize(
    ("lit", "out", "is_in_order"),
    [
        ("2026-03-02", "2026-03-01", False),
        ("2026-03-02", "2026-03-02", True),
        ("2026/03/02", "2026-03-03", True),
        ("2026-03-02", None, True),
        (None, "2026-03-01", True),
        ("1999-12-31", "2000-01-01", True),
        ("2026-03-02", "soon", True),  # that it is no date is told, and once is enough
    ],
)
def test_a_date_is_not_before_the_one_it_follows(lit: str | None, out: str | None, is_in_order: bool) -> None:
    _, problems = clean_values(lamp(FieldType.DATE), {"lit": lit, "out": out})
    found = [(one.field, one.message) for one in problems if one.rule == "not_before"]
    assert found == ([] if is_in_order else [("out", f"“熄灭”({out})不能早于“点亮”({lit})")])


def test_times_are_compared_as_moments_and_told_by_the_clocks_of_china() -> None:
    layer = lamp(FieldType.DATETIME)
    lit, out = "2026-03-01T20:00:00+08:00", "2026-03-01T12:30:00Z"
    assert clean_values(layer, {"lit": lit, "out": out})[1] == []
    _, [problem] = clean_values(layer, {"lit": out, "out": lit})
    assert problem.message == "“熄灭”(2026-03-01 20:00)不能早于“点亮”(2026-03-01 20:30)"


def test_an_order_of_a_soft_field_warns_row_by_row() -> None:
    columns = {"lit": ["2026-03-02", "2026-03-02"], "out": ["2026-03-03", "2026-03-01"]}
    _, [problem] = clean_columns(lamp(FieldType.DATE, is_soft=True), columns)
    assert (problem.row, problem.field, problem.is_warning) == (1, "out", True)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_moment_before_or_after_all_calendars_is_refused_in_words(text: str) -> None:
    [kept], [problem] = clean_column(field(FieldType.DATETIME), [text])
    assert (kept, problem.rule) == (None, "type")


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        (FieldType.DATE, "0026-03-01"),
        (FieldType.DATE, date(2200, 1, 1)),
        (FieldType.DATETIME, "1899-12-31T23:59:59Z"),
        (FieldType.DATETIME, datetime(9999, 12, 31)),
    ],
)
def test_a_year_that_nobody_means_is_refused(type_: FieldType, given: object) -> None:
    [kept], [problem] = clean_column(field(type_), [given])
    assert (kept, problem.rule) == (None, "year")
    assert "1900 至 2199" in problem.message


@pytest.mark.parametrize("many", [1, 60])
def test_a_text_that_cannot_be_seen_is_missing_and_one_that_turns_the_writing_is_refused(many: int) -> None:
    one = field(FieldType.TEXT, is_required=True)
    assert {each.rule for each in clean_column(one, ["\u200b \ufeff"] * many)[1]} == {"required"}
    assert {each.rule for each in clean_column(one, ["东镇\u202e站"] * many)[1]} == {"characters"}
    assert clean_column(one, ["家\u200d庭"] * many) == (["家\u200d庭"] * many, [])


def test_a_soft_rule_warns_and_keeps_the_value() -> None:
    kept, [problem] = clean_column(field(FieldType.NUMBER, maximum=10, is_soft=True), [11])
    assert kept == [11]
    assert problem.is_warning


def test_a_choice_may_be_given_by_its_title() -> None:
    values, problems = clean_values(WORKSTATION, {**GOOD, "opening_hours": "24小时"})
    assert values["opening_hours"] == "24h"
    assert problems == []


def test_a_mobile_number_is_refused_in_free_text_and_allowed_for_duty_contacts() -> None:
    number = "138" + "0013" + "8000"
    _, problems = clean_values(WORKSTATION, {**GOOD, "address": f"联系 {number}"})
    assert [(one.field, one.rule) for one in problems] == [("address", "privacy")]
    assert number not in problems[0].message

    values, problems = clean_values(WORKSTATION, {**GOOD, "duty_phone": number})
    assert problems == []
    assert values["duty_phone"] == number


def test_an_unknown_field_is_a_problem() -> None:
    _, problems = clean_values(WORKSTATION, {**GOOD, "officers": 3})
    assert [(one.field, one.rule) for one in problems] == [("officers", "unknown_field")]


def test_a_code_must_match_the_layers_pattern() -> None:
    _, problems = clean_values(WORKSTATION, {**GOOD, "code": "警务站1"})
    assert [(one.field, one.rule) for one in problems] == [("code", "pattern")]


def test_rows_keep_their_positions() -> None:
    columns = {"code": ["JWZ01", "bad", "JWZ03"], "name": ["甲", "乙", ""], "opening_hours": ["24h"] * 3}
    _, problems = clean_columns(WORKSTATION, {**columns, "officer_count": [1, 2, 3]})
    assert [(one.row, one.field) for one in problems] == [(1, "code"), (2, "name")]


SIMPLE = Field("x_value", "数值", FieldType.TEXT, field_class=FieldClass.FREE_TEXT)


@given(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans(), st.dates(), st.datetimes()))
def test_cleaning_never_raises_and_cleaning_twice_changes_nothing(value: object) -> None:
    for type_ in FieldType:
        one = Field(
            "x_value", "数值", type_, choices=(Choice("a", "甲"),) if type_ is FieldType.CHOICE else ()
        )
        kept, problems = clean_column(one, [value])
        again, more = clean_column(one, kept)
        assert again == kept
        assert more == []
        assert kept == [None] or not problems


def test_a_telephone_number_that_comes_as_a_number_is_personal_data_too() -> None:
    for value in (13800138000, 13800138000.0):
        kept, problems = clean_column(SIMPLE, [value])
        assert (kept, [one.rule for one in problems]) == ([None], ["privacy"])


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(max_size=12),
            st.sampled_from(
                ["  ", "甲\x00", "13800138000", "示例路1号", "x" * 501, "1380013", "8000", " JWZ01 "]
            ),
        ),
        max_size=5,
    )
)
def test_a_long_column_is_judged_as_its_values_are_alone(few: list) -> None:
    for pattern, is_required in ((None, False), (r"JWZ\d+|示.*", True)):
        one = Field("x_value", "数值", FieldType.TEXT, pattern=pattern, is_required=is_required)
        long = [*few, *["示例"] * 60]
        kept, problems = clean_column(one, long)
        alone = [clean_column(one, [value]) for value in long]

        assert kept == [values[0] for values, _ in alone]
        assert [(one.row, one.rule) for one in problems] == [
            (row, found.rule) for row, (_, faults) in enumerate(alone) for found in faults
        ]
