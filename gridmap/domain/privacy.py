"""
Personal data: finding it in text before it is stored, and hiding small counts before they are shown.

The product keeps places and counts, never people. `find_personal_data` recognises resident identity numbers,
mobile numbers and number plates in anything that was typed or imported; `mask_small_counts` decides which
figures of a table must stay hidden so that nobody can compute a small one from the others.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gridmap.domain.layers import FieldClass
from gridmap.errors import InvalidInput

# Codes are long numbers by nature, and duty contacts are published on purpose.
EXEMPT_FIELD_CLASSES = frozenset({FieldClass.CODE, FieldClass.DUTY_CONTACT})

SMALL_COUNT = 5
MASKED_COUNT = "*"


class PersonalDataKind(Enum):
    """What a number identifies a person by."""

    ID_CARD = "id_card"
    MOBILE = "mobile"
    PLATE = "plate"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"id_card": "居民身份证号码", "mobile": "手机号码", "plate": "机动车号牌"}[self.value]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Personal data at `text[start:end]`.

    `masked` may be shown and logged; the number itself may not.
    """

    kind: PersonalDataKind
    start: int
    end: int
    masked: str

    def chinese(self) -> str:
        """The words a person reads, without the number."""
        return f"疑似{self.kind.title}({self.masked})"


# --- reading text as a person would -----------------------------------------------------------------------


def _character_table() -> dict[int, str]:
    """One character for one: full-width and foreign digits, letters, blanks and dashes as plain ASCII."""
    table = {0xFEE0 + code: chr(code).upper() for code in range(0x21, 0x7F)}
    table |= {code: chr(code).upper() for code in range(ord("a"), ord("z") + 1)}
    for code in range(0x80, 0x20000):
        digit = unicodedata.decimal(chr(code), None)
        if digit is not None:
            table[code] = str(digit)
    # Soft hyphens and zero-width characters are invisible: they part digits only for a machine.
    table |= dict.fromkeys((0x3000, 0xA0, 0xAD, 0x202F, 0xFEFF, *range(0x2000, 0x2010), 0x2060), " ")
    table |= dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D, 0x30FC), "-")
    table |= dict.fromkeys((0x2022, 0x2027, 0x22C5, 0x30FB, 0xFF65), "·")
    return table


_PLAIN = _character_table()
_DIGIT = re.compile(r"\d")
# What any finding contains, in any script of digits: eleven digits close together, or a plate's beginning.
# Almost no text has either, so almost every text is done with after this one look.
_MAYBE = re.compile(
    r"\d(?:\D{0,3}\d){10}"
    r"|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Za-z\uff21-\uff3a\uff41-\uff5a]"
)

# What may stand between the digits of one number. No dot, comma, slash or colon: coordinates, dates, times.
_SEP = r"[ \t_·-]{0,3}"
# A number ends where no digit follows; ".0" may (a spreadsheet's idea of a number), other decimals may not.
_START, _END = r"(?<![0-9])(?<![0-9]\.)", r"(?![0-9])(?!\.(?!0+(?![0-9]))[0-9])"

_ID_CARD = re.compile(rf"{_START}(?=([0-9](?:{_SEP}[0-9]){{16}}{_SEP}[0-9X]){_END})")
_MOBILE = re.compile(rf"{_START}(?=((?:(?:\+|00)?86{_SEP})?(1{_SEP}[3-9](?:{_SEP}[0-9]){{9}})){_END})")
_PLATE = re.compile(
    r"(?=([京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ \t·-]{0,2}"
    r"(?:[A-HJ-NP-Z0-9]{5}|[A-K][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-K]|[A-HJ-NP-Z0-9]{4}[挂学警港澳领使试超]))"
    r"(?![A-Z0-9]))"
)
_HEX = r"[0-9A-F]"
_UUID = re.compile(
    rf"(?<![0-9A-Z])(?:{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
    rf"|(?=[0-9]*[A-F])(?:{_HEX}{{64}}|{_HEX}{{40}}|{_HEX}{{32}}))(?![0-9A-Z])"
)

_PROVINCES = frozenset(
    str(number)
    for first, last in [(11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83)]
    for number in range(first, last + 1)
)
# How people group the eleven digits of a mobile number. Any grouping would take a number and a date for one.
_MOBILE_GROUPS = frozenset(
    {(11,), (3, 4, 4), (3, 8), (7, 4), (4, 3, 4), (3, 3, 5), (3, 5, 3), (3, 3, 3, 2)}
    | {(3, 2, 2, 2, 2), (2, 2, 2, 2, 2, 1), (1,) * 11}
)


def may_hold_personal_data(text: str) -> bool:
    """Whether the text is worth a closer look; `find_personal_data` finds nothing where this says no."""
    return _MAYBE.search(text) is not None


def find_personal_data(text: str) -> list[Finding]:
    """
    Identity numbers, mobile numbers and number plates in a text, in order, never overlapping.

    Full-width digits, and blanks, hyphens and the like between digits, do not hide a number. An identity
    number has 18 digits (the last may be X), a known province, a date of the calendar in 1900 to 2099 and the
    right check digit (GB 11643); a unified social credit code (GB 32100) that happens to look like one is let
    through. A mobile number has 11 digits and begins with 13 to 19, after +86 or not. Digits that belong to a
    longer number, a decimal fraction, a UUID or a hash do not count. Time is linear in the text's length.
    """
    if len(text) < 7 or not may_hold_personal_data(text):
        return []
    plain = text.upper() if text.isascii() else text.translate(_PLAIN)
    plain = _UUID.sub(lambda match: "#" * len(match[0]), plain)
    findings: list[Finding] = []
    for search in (_id_cards, _mobiles, _plates):
        new = _first_of_overlapping(search(plain))
        findings += new
        plain = _blanked(plain, new)
    return sorted(findings, key=lambda one: one.start)


def _first_of_overlapping(findings: Iterable[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for found in findings:
        if not kept or kept[-1].end <= found.start:
            kept.append(found)
    return kept


def _blanked(plain: str, findings: Iterable[Finding]) -> str:
    parts, end = [], 0
    for found in findings:
        parts += [plain[end : found.start], "#" * (found.end - found.start)]
        end = found.end
    return "".join([*parts, plain[end:]])


def _id_cards(plain: str) -> Iterator[Finding]:
    for match in _ID_CARD.finditer(plain):
        number = re.sub(r"[^0-9X]", "", match[1])
        if _is_id_number(number) and not _is_credit_code(number):
            yield Finding(PersonalDataKind.ID_CARD, *match.span(1), number[:3] + "*" * 13 + number[-2:])


def _mobiles(plain: str) -> Iterator[Finding]:
    for match in _MOBILE.finditer(plain):
        groups = re.findall("[0-9]+", match[2])
        number = "".join(groups)
        shape = tuple(map(len, groups))
        if shape not in _MOBILE_GROUPS or (shape == (3, 8) and _is_date(groups[1])):
            continue
        yield Finding(PersonalDataKind.MOBILE, *match.span(1), number[:3] + "*" * 6 + number[-2:])


def _plates(plain: str) -> Iterator[Finding]:
    for match in _PLATE.finditer(plain):
        number = re.sub(r"[ \t·-]", "", match[1])
        if len(_DIGIT.findall(number)) >= 3:
            masked = number[:2] + "*" * (len(number) - 4) + number[-2:]
            yield Finding(PersonalDataKind.PLATE, *match.span(1), masked)


def _is_date(digits: str) -> bool:
    """Whether eight digits are a date of the calendar in 1900 to 2099."""
    if not 1900 <= int(digits[:4]) <= 2099:
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _is_id_number(number: str) -> bool:
    """Whether 18 characters are a resident identity number by GB 11643 (ISO 7064, MOD 11-2)."""
    if number[:2] not in _PROVINCES or not _is_date(number[6:14]):
        return False
    weighted = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[weighted % 11] == number[17]


_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def _is_credit_code(number: str) -> bool:
    """Whether 18 characters are a unified social credit code, by all its checks (GB 32100, GB 11714)."""
    if number[0] not in "159" or number[2:4] not in _PROVINCES:
        return False
    organisation = sum(
        int(digit) * weight for digit, weight in zip(number[8:16], (3, 7, 9, 10, 5, 8, 4, 2), strict=True)
    )
    if "0X987654321"[organisation % 11] != number[16]:
        return False
    weighted = sum(_CREDIT_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(number[:17]))
    return _CREDIT_ALPHABET[-weighted % 31] == number[17]


def mask_text(text: str) -> str:
    """The text with every finding replaced by its masked form."""
    parts, end = [], 0
    for found in find_personal_data(text):
        parts += [text[end : found.start], found.masked]
        end = found.end
    return "".join([*parts, text[end:]])


def is_exempt(field_class: FieldClass | str | None) -> bool:
    """Whether fields of this class may hold long numbers and contacts: `code` and `duty_contact`."""
    return field_class in EXEMPT_FIELD_CLASSES or field_class in {one.value for one in EXEMPT_FIELD_CLASSES}


def find_in_values(
    values: Iterable[Any], *, field_class: FieldClass | str | None = None
) -> Iterator[tuple[int, Finding]]:
    """
    Findings in the values of one column, each with the position of its value.

    Whole numbers count as their digits (a spreadsheet keeps a mobile number as 13…e10), lists and mappings as
    the texts inside them. An exempt `field_class` has no findings.
    """
    if is_exempt(field_class):
        return
    for position, value in enumerate(values):
        text = _text_of(value)
        if text:
            for found in find_personal_data(text):
                yield position, found


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, np.bool_, date)):
        return ""
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if np.isfinite(value) and value == int(value) else ""
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


# --- small counts -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Suppression:
    """
    Which figures of a table must stay hidden.

    `cells[i]` speaks of the i-th count, `groups[k]` of the total of the group `labels[k]`, `total` of the
    grand total. Primary and complementary suppressions are not told apart on purpose: show all of them alike.
    """

    cells: np.ndarray[Any, Any]
    groups: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    total: bool


def mask_small_counts(
    counts: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    threshold: int = SMALL_COUNT,
    zero_is_small: bool = False,
) -> Suppression:
    """
    The figures to hide so that no small count can be computed from what is shown.

    A count is small when 0 < count < threshold (`zero_is_small`: 0 <= count < threshold). Shown are the
    counts, the total of each group and the grand total, as far as they are not hidden. Besides the small
    ones, as many others are hidden as it takes, the smallest first, so that in every equation between shown
    figures

    - at least two counts stay unknown, and their sum is no small count itself;
    - the sum leaves each of them room even for a reader who knows that small counts are 1 to threshold - 1.

    Where a group's total is small, all its counts are hidden. Where a group has no more counts to hide, its
    total is; where one total would follow from the others, a second one is; at last the grand total.

    Parameters
    ----------
    counts : (n,) whole numbers >= 0
    groups : (n,) labels, for instance the town of each grid; None: one group

    Raises
    ------
    InvalidInput
        A count is negative, not whole or not finite; or the shapes disagree.
    """
    counts = np.asarray(counts, dtype=float)
    labels, group_of = _group_numbers(counts, groups)
    if counts.ndim != 1 or not np.isfinite(counts).all() or (counts < 0).any() or (counts % 1 != 0).any():
        raise InvalidInput(
            "counts must be a row of whole numbers, none negative", zh="计数必须是不小于 0 的整数。"
        )
    return _Suppressor(counts.astype(int), labels, group_of, threshold, zero_is_small).solve()


def _group_numbers(counts: np.ndarray[Any, Any], groups: ArrayLike | None) -> tuple[Any, Any]:
    if groups is None:
        return np.zeros(min(counts.size, 1), dtype=int), np.zeros(counts.shape, dtype=int)
    groups = np.asarray(groups)
    if groups.shape != counts.shape:
        raise InvalidInput(
            f"{counts.shape} counts with {groups.shape} groups; give one group for each count",
            zh="计数与分组的数量不一致。",
        )
    return np.unique(groups, return_inverse=True)


class _Suppressor:
    """One run of `mask_small_counts`: every hidden count stands in one equation at most."""

    def __init__(
        self,
        counts: np.ndarray[Any, Any],
        labels: np.ndarray[Any, Any],
        group_of: np.ndarray[Any, Any],
        threshold: int,
        zero_is_small: bool,
    ) -> None:
        self.counts, self.labels, self.threshold = counts, labels, threshold
        self.lowest = 0 if zero_is_small else 1
        self.members = [np.flatnonzero(group_of == number) for number in range(len(labels))]
        self.totals = np.array([counts[members].sum() for members in self.members], dtype=int)
        self.cells = self._is_small(counts)
        self.groups = self._is_small(self.totals) if len(labels) else np.zeros(0, dtype=bool)
        self.total = bool(counts.size and self._is_small(counts.sum()))

    def solve(self) -> Suppression:
        for number, members in enumerate(self.members):
            if self.groups[number]:
                self.cells[members] = True
            elif self.cells[members].any() and not self._hide_more(members):
                self.groups[number] = True
        self._hide_more_totals()
        return Suppression(self.cells, self.groups, self.labels, self.total)

    def _is_small(self, values: Any) -> Any:
        return (self.lowest <= values) & (values < self.threshold)

    def _hide_more(self, members: np.ndarray[Any, Any]) -> bool:
        """Hide further counts of a group whose total is shown; False where even all of them do not do."""
        # Nonzero ones first: a hidden zero protects by doubt alone.
        order = sorted(members, key=lambda cell: (self.counts[cell] == 0, self.counts[cell]))
        for cell in [None, *(cell for cell in order if not self.cells[cell])]:
            if cell is not None:
                self.cells[cell] = True
            hidden = members[self.cells[members]]
            if self._is_safe(self.counts[hidden]):
                return True
        return False

    def _is_safe(self, hidden: np.ndarray[Any, Any]) -> bool:
        """Whether a shown sum of these hidden counts gives none of them away."""
        lowest = 0 if (hidden == 0).any() else self.lowest
        highest = self.threshold - 1 if self._is_small(hidden).all() else np.inf
        total, number = hidden.sum(), len(hidden)
        return (
            number >= 2
            and total >= self.threshold
            and number * lowest < total
            and not total >= number * highest
        )

    def _hide_more_totals(self) -> None:
        """Hide further totals, at last the grand one, until the hidden ones do not follow from it."""
        if self.total or not self.groups.any():
            return
        order = [one for one in np.argsort(self.totals, kind="stable") if self.totals[one] > 0]
        for number in [None, *(one for one in order if not self.groups[one])]:
            if number is not None:
                self._hide_total(number)
            if self._totals_are_safe():
                return
        self.total = True

    def _hide_total(self, number: int) -> None:
        self.groups[number] = True
        members = self.members[number]
        if not self.cells[members].any():
            # A total is no secret while all its counts are shown.
            shown = members[self.counts[members] > 0]
            self.cells[shown[np.argmin(self.counts[shown])]] = True

    def _totals_are_safe(self) -> bool:
        hidden_totals = self.totals[self.groups]
        members = np.concatenate([self.members[number] for number in np.flatnonzero(self.groups)])
        return self._is_safe(hidden_totals) and self._is_safe(self.counts[members[self.cells[members]]])


def masked_counts(counts: ArrayLike, hidden: ArrayLike) -> list[str]:
    """The counts as shown: digits, or `MASKED_COUNT` where hidden."""
    return [
        MASKED_COUNT if is_hidden else str(int(count))
        for count, is_hidden in zip(np.ravel(counts), np.ravel(hidden), strict=True)
    ]
