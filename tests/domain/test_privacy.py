"""Numbers that identify a person are found however they are written; codes, times and places are not."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from gridmap.domain.layers import FieldClass
from gridmap.domain.privacy import (
    PersonalDataKind,
    Suppression,
    find_in_values,
    find_personal_data,
    is_exempt,
    mask_small_counts,
    mask_text,
    masked_counts,
)
from gridmap.errors import InvalidInput

ID, MOBILE, PLATE = PersonalDataKind.ID_CARD, PersonalDataKind.MOBILE, PersonalDataKind.PLATE


def id_number(region: str = "310120", born: date = date(1990, 1, 1), order: str = "000") -> str:
    """A number that passes every check and, by its order number 000, belongs to nobody."""
    digits = f"{region}{born:%Y%m%d}{order}"
    return digits + "10X98765432"[sum(int(d) * 2 ** (17 - i) for i, d in enumerate(digits)) % 11]


NUMBER = id_number()
PHONE = "1" + "38" + "0" * 7 + "1"  # put together here, so that no number stands in this file
FULL_WIDTH = {code: code + 0xFEE0 for code in map(ord, "0123456789Xx-+")}

id_numbers = st.builds(
    id_number,
    st.sampled_from(["110105", "310120", "513401", "654325", "810000"]),
    st.dates(date(1900, 1, 1), date(2099, 12, 31)),
    st.integers(0, 999).map("{:03d}".format),
)
phones = st.tuples(st.sampled_from("3456789"), st.integers(0, 10**9 - 1)).map(lambda p: f"1{p[0]}{p[1]:09d}")


def kinds(text: str) -> list[PersonalDataKind]:
    return [found.kind for found in find_personal_data(text)]


# --- identity numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        f"身份证号{NUMBER},已登记",
        f"ID{NUMBER}",
        f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}",
        f"{NUMBER[:6]}-{NUMBER[6:14]}-{NUMBER[14:]}",
        " ".join(NUMBER),
        NUMBER.translate(FULL_WIDTH),
        f"{NUMBER[:6]}\u3000{NUMBER[6:]}".translate(FULL_WIDTH),
        f"{NUMBER[:9]}\u200b{NUMBER[9:]}",
        f"12 {NUMBER} 3",
        f"{NUMBER} 35岁",
    ],
)
def test_an_identity_number_is_found_however_it_is_written(text: str) -> None:
    (found,) = find_personal_data(text)
    assert found.kind is ID
    digits = re.sub(
        r"[^0-9X]", "", text[found.start : found.end].translate({v: k for k, v in FULL_WIDTH.items()})
    )
    assert digits.upper() == NUMBER


def test_the_check_character_x_counts_in_both_cases_and_widths() -> None:
    number = next(n for n in (id_number(order=f"{i:03d}") for i in range(50)) if n.endswith("X"))
    for text in (number, number.lower(), number.translate(FULL_WIDTH), number.lower().translate(FULL_WIDTH)):
        assert kinds(text) == [ID]


@settings(deadline=None)
@given(id_numbers, st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_hides_an_identity_number_no_more(number: str, place: int, step: int) -> None:
    assert ID in kinds(number)
    if number[place] != "X":
        wrong = number[:place] + str((int(number[place]) + step) % 10) + number[place + 1 :]
        assert ID not in kinds(wrong)


@pytest.mark.parametrize(
    "number",
    [
        id_number(region="990120"),
        id_number(region="160120"),
        NUMBER[:6] + "19900230" + NUMBER[14:],
        id_number(born=date(1899, 12, 31)),
        id_number(born=date(2100, 1, 1)),
    ],
    ids=["no such province", "nor this", "30 February", "too early", "too late"],
)
def test_what_cannot_be_an_identity_number_is_none(number: str) -> None:
    assert kinds(number) == []


@settings(deadline=None)
@given(id_numbers, st.sampled_from(["0", "7"]))
def test_an_identity_number_inside_a_longer_number_is_none(number: str, digit: str) -> None:
    number = number.replace("X", "0")
    assert kinds(digit + number) == []
    assert kinds(number + digit) == []
    assert kinds("0." + number) == []


def credit_code(body: str) -> str:
    """The unified social credit code that begins with these 16 digits, its two check characters computed."""
    check = 11 - sum(int(d) * w for d, w in zip(body[8:], (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    body += {10: "X", 11: "0"}.get(check, str(check))
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(char) * pow(3, i, 31) for i, char in enumerate(body))
    return body + alphabet[(31 - total % 31) % 31]


def test_credit_codes_are_not_identity_numbers_even_when_they_pass_its_checks() -> None:
    assert credit_code("9133010600000000").startswith("9133010600000000")
    # 12 = a public institution; the digits were searched for one that also passes as an identity number.
    twins = []
    for number in range(200_000):
        born = date(2000, 1, 1) + timedelta(days=number % 3650)
        code = credit_code(f"12310120{born:%y%m%d}{number // 3650:02d}")
        if code[:17].isdigit() and code == id_number(code[:6], date.fromisoformat(code[6:14]), code[14:17]):
            twins.append(code)
        if len(twins) == 3:
            break
    assert len(twins) == 3
    for code in twins:
        assert kinds(code) == []


# --- mobile numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        PHONE,
        f"电话:{PHONE}。",
        f"tel{PHONE}",
        f"{PHONE[:3]} {PHONE[3:7]} {PHONE[7:]}",
        f"{PHONE[:3]}-{PHONE[3:7]}-{PHONE[7:]}",
        f"{PHONE[:3]}-{PHONE[3:]}",
        f"{PHONE[:3]} - {PHONE[3:7]} - {PHONE[7:]}",
        f"+86{PHONE}",
        f"+86 {PHONE[:3]} {PHONE[3:7]} {PHONE[7:]}",
        f"+86-{PHONE}",
        f"0086 {PHONE}",
        f"86{PHONE}",
        PHONE.translate(FULL_WIDTH),
        f"{PHONE[:3]}\u3000{PHONE[3:7]}\u3000{PHONE[7:]}".translate(FULL_WIDTH),
        " ".join(PHONE),
        f"{PHONE}.0",
        f"2024年 {PHONE}",
    ],
)
def test_a_mobile_number_is_found_however_it_is_written(text: str) -> None:
    assert kinds(text) == [MOBILE]


@settings(deadline=None)
@given(phones)
def test_every_mobile_number_is_found_and_masked(number: str) -> None:
    (found,) = find_personal_data(f"联系人 {number},白天")
    assert found.kind is MOBILE
    assert number not in found.masked
    assert sum(char.isdigit() for char in found.masked) == 5


@settings(deadline=None)
@given(phones, st.sampled_from(["{}9", "9{}", "0.{}", "12.{}", "{}.25"]))
def test_a_mobile_number_inside_another_number_is_none(number: str, frame: str) -> None:
    assert kinds(frame.format(number)) == []


def test_two_mobile_numbers_are_two_findings() -> None:
    assert kinds(f"{PHONE}/{PHONE}") == [MOBILE, MOBILE]
    assert kinds(f"{PHONE} {PHONE}") == [MOBILE, MOBILE]


# --- what must not be found -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "310120101001",  # 12 digits: committee
        "310120101001001",  # 15: grid
        "310120101001001000001",  # 21: police grid
        "12010119940101123",  # 17
        "20240115134500", "2024-01-15 13:45:00", "2024-01-15T13:45:00.123456+08:00", "20240115134500123456",
        "1705297500", "1705297500000", "1705297500000000000",
        "121.473701, 31.230416", "POINT (121.51222712345 30.83894912345)", "13.512345678901",
        "351234.567 3421234.567",
        "021-57400000", "110", "12345", "房间131 2024-01-15巡查", "编号131 20240115", "1500 2000 300",
        "12310000425006790P",
        "550e8400-e29b-41d4-a716-4" + PHONE, "a" + PHONE + "b" * 20,
        "ISBN 978-7-111-12345-6", "人口 15,000,000,000", "", "奉贤区南桥镇", "¥13,800,138,000",
    ],
)  # fmt: skip
def test_codes_times_and_places_are_not_personal_data(text: str) -> None:
    assert find_personal_data(text) == []


@settings(deadline=None)
@given(st.integers(0, 10**21 - 1).map(lambda n: f"{n:021d}"), st.sampled_from([12, 15, 21]))
def test_codes_of_the_usual_lengths_are_never_flagged(digits: str, length: int) -> None:
    assert kinds(digits[:length]) == []


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1900, 1, 1)))
def test_times_are_never_flagged(at: datetime) -> None:
    for text in (str(at), at.isoformat(), at.strftime("%Y%m%d%H%M%S"), at.strftime("%Y年%m月%d日%H时%M分")):
        assert kinds(text) == []


@settings(deadline=None)
@given(st.floats(73, 136), st.floats(3, 54), st.sampled_from(["{} {}", "{},{}", "POINT ({} {})", "[{}, {}]"]))
def test_coordinates_are_never_flagged(lon: float, lat: float, frame: str) -> None:
    assert kinds(frame.format(lon, lat)) == []
    assert kinds(frame.format(round(lon, 6), round(lat, 6))) == []


@settings(deadline=None)
@given(st.uuids())
def test_uuids_are_never_flagged(identifier: uuid.UUID) -> None:
    assert kinds(str(identifier)) == []
    assert kinds(str(identifier).upper()) == []


# --- plates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "沪A00000",
        "车牌沪A·00000",
        "沪A 00000",
        "沪a0000b",
        "沪AD00000",
        "沪A00000D",
        "沪A0000警",
        "沪\uff21" + "0" * 5,
    ],
)
def test_number_plates_are_found(text: str) -> None:
    assert kinds(text) == [PLATE]


@pytest.mark.parametrize(
    "text", ["沪A0000", "沪A区1号楼", "新B楼", "沪A000000000", "沪ABCDEF", "京沪高速", "沪I00000"]
)
def test_what_is_no_plate_is_not_found(text: str) -> None:
    assert kinds(text) == []


# --- findings ---------------------------------------------------------------------------------------------

fragments = st.one_of(
    st.text(max_size=8),
    id_numbers,
    phones,
    st.just("沪A00000"),
    st.sampled_from([" ", "-", "12", ",", "+86"]),
)


@settings(deadline=None)
@given(st.lists(fragments, max_size=8).map("".join))
def test_findings_are_in_order_apart_and_never_echoed_whole(text: str) -> None:
    findings = find_personal_data(text)
    for before, after in zip(findings, findings[1:], strict=False):
        assert before.end <= after.start
    for found in findings:
        assert 0 <= found.start < found.end <= len(text)
        assert text[found.start : found.end] not in found.chinese()
        assert "*" in found.masked
    assert find_personal_data(mask_text(text)) == []


@settings(deadline=None)
@given(st.text(max_size=30), id_numbers, st.text(max_size=30))
def test_an_identity_number_between_words_is_always_found(before: str, number: str, after: str) -> None:
    text = f"{before}:{number};{after}"
    assert any(found.start == len(before) + 1 and found.kind is ID for found in find_personal_data(text))


def test_long_hostile_texts_take_linear_work() -> None:
    # Quadratic matching of a megabyte would not come back at all.
    for text in ("1" * 10**6, "1 " * 10**5, "1 - " * 10**5, "沪A" * 10**5, (PHONE + ",") * 10**4):
        find_personal_data(text)


def test_columns_are_scanned_by_value_and_class() -> None:
    values = [
        "",
        None,
        int(PHONE),
        float(PHONE),
        np.int64(PHONE),
        {"a": [NUMBER]},
        True,
        3.5,
        date(2024, 1, 1),
        "字",
    ]
    assert [(place, found.kind) for place, found in find_in_values(values)] == [
        (2, MOBILE), (3, MOBILE), (4, MOBILE), (5, ID),
    ]  # fmt: skip
    for exempt in ("code", "duty_contact", FieldClass.CODE, FieldClass.DUTY_CONTACT):
        assert is_exempt(exempt)
        assert list(find_in_values(values, field_class=exempt)) == []
    for scanned in ("plain", "free_text", FieldClass.COUNT, None, "unheard of"):
        assert not is_exempt(scanned)


# --- small counts -----------------------------------------------------------------------------------------


def test_a_count_on_the_threshold_is_shown_and_one_below_takes_another_with_it() -> None:
    assert masked_counts([5, 9, 20], mask_small_counts([5, 9, 20]).cells) == ["5", "9", "20"]
    hidden = mask_small_counts([4, 9, 20])
    assert masked_counts([4, 9, 20], hidden.cells) == ["*", "*", "20"]
    assert not hidden.total


def test_zero_is_no_secret_unless_asked() -> None:
    assert not mask_small_counts([0, 0, 9, 20]).cells.any()
    assert mask_small_counts([0, 0, 9, 20], zero_is_small=True).cells.tolist() == [True, True, True, False]


def test_two_ones_are_not_enough_for_each_other() -> None:
    # 1 + 1 = 2 is a small count itself, and whoever knows that small means 1 to 4 would read both off it.
    assert mask_small_counts([1, 1, 7, 30]).cells.tolist() == [True, True, True, False]


def test_a_small_town_hides_itself_its_grids_and_a_second_town() -> None:
    hidden = mask_small_counts([3, 0, 10, 20, 30, 40], ["甲", "甲", "乙", "乙", "丙", "丙"])
    assert hidden.labels.tolist() == sorted(["甲", "乙", "丙"])
    by_label = dict(zip(hidden.labels.tolist(), hidden.groups.tolist(), strict=True))
    assert by_label == {"甲": True, "乙": True, "丙": False}
    assert hidden.cells.tolist() == [True, True, True, False, False, False]
    assert not hidden.total


def test_where_nothing_else_helps_the_grand_total_is_hidden() -> None:
    hidden = mask_small_counts([1, 1, 1, 1, 1])
    assert hidden.cells.all()
    assert hidden.total


def test_nothing_to_count_hides_nothing() -> None:
    for groups in (None, []):
        hidden = mask_small_counts([], groups)
        assert hidden.cells.size == hidden.groups.size == 0
        assert hidden.total is False


@pytest.mark.parametrize("counts", [[-1, 5], [2.5, 3], [np.nan, 1], [[1, 2], [3, 4]]])
def test_what_is_no_count_is_refused(counts: list[float]) -> None:
    with pytest.raises(InvalidInput):
        mask_small_counts(counts)


def test_counts_and_groups_must_go_together() -> None:
    with pytest.raises(InvalidInput, match="groups"):
        mask_small_counts([1, 2, 3], ["a", "b"])


tables = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        hnp.arrays(int, n, elements=st.one_of(st.integers(0, 6), st.integers(0, 60))),
        hnp.arrays(int, n, elements=st.integers(0, 3)),
    )
)


def reachable(counts: np.ndarray, groups: np.ndarray, hidden: Suppression, objective: np.ndarray) -> float:
    """How far apart the highest and lowest guess of `objective @ counts` are for a reader (an LP)."""
    n = len(counts)
    rows, values = [], []
    for cell in np.flatnonzero(~hidden.cells):
        rows.append(np.eye(n)[cell])
        values.append(counts[cell])
    for number, label in enumerate(hidden.labels):
        if not hidden.groups[number]:
            rows.append((groups == label).astype(float))
            values.append(counts[groups == label].sum())
    if not hidden.total:
        rows.append(np.ones(n))
        values.append(counts.sum())
    equations = {"A_eq": np.array(rows), "b_eq": np.array(values, dtype=float)} if rows else {}
    lowest = linprog(objective, bounds=(0, None), **equations)
    highest = linprog(-objective, bounds=(0, None), **equations)
    if highest.status == 3:  # unbounded: nothing shown limits it
        return np.inf
    assert lowest.status == highest.status == 0
    return -highest.fun - lowest.fun


@settings(max_examples=60, deadline=None)
@given(tables)
def test_no_hidden_figure_can_be_computed_from_the_shown_ones(table: tuple[np.ndarray, np.ndarray]) -> None:
    counts, groups = table
    hidden = mask_small_counts(counts, groups)
    small = (counts > 0) & (counts < 5)
    assert hidden.cells[small].all()
    for cell in np.flatnonzero(hidden.cells):
        assert reachable(counts, groups, hidden, np.eye(len(counts))[cell]) >= 1
    for number in np.flatnonzero(hidden.groups):
        members = (groups == hidden.labels[number]).astype(float)
        assert reachable(counts, groups, hidden, members) >= 1
    if hidden.total:
        assert reachable(counts, groups, hidden, np.ones(len(counts))) >= 1


@settings(max_examples=60, deadline=None)
@given(tables)
def test_no_small_sum_can_be_computed_either(table: tuple[np.ndarray, np.ndarray]) -> None:
    counts, groups = table
    hidden = mask_small_counts(counts, groups)
    totals = np.array([counts[groups == label].sum() for label in hidden.labels])
    assert hidden.groups[(totals > 0) & (totals < 5)].all()
    for number, label in enumerate(hidden.labels):
        inside = hidden.cells & (groups == label)
        if not hidden.groups[number] and inside.any():
            assert inside.sum() >= 2
            assert counts[inside].sum() >= 5
    if hidden.groups.any() and not hidden.total:
        assert hidden.groups.sum() >= 2
        assert totals[hidden.groups].sum() >= 5


@settings(max_examples=60, deadline=None)
@given(tables)
def test_where_nothing_is_small_nothing_is_hidden(table: tuple[np.ndarray, np.ndarray]) -> None:
    counts, groups = table
    hidden = mask_small_counts(counts * 5, groups)
    assert not hidden.cells.any()
    assert not hidden.groups.any()
    assert not hidden.total
