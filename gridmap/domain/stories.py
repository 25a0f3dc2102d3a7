"""
Stories (汇报): ordered slides, each a view of the map with figures by name and a line of text.

A slide names figures and never holds their values: whoever presents it sees those of their own masking scope.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from gridmap.domain.elements import parse_time, time_text
from gridmap.domain.periods import PeriodKind
from gridmap.domain.privacy import find_personal_data
from gridmap.errors import InvalidInput

# C0 and C1 but tab and line feed, lone surrogates, and what is no character at all: no file format takes them.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

MOST_SLIDES = 500
MOST_TEXT = 500
MOST_FIGURES = 12


class CompareKind(Enum):
    """What stands on the two sides of a swipe."""

    DATES = "dates"
    SCENARIO = "scenario"


@dataclass(frozen=True, slots=True)
class Compare:
    """
    A before/after swipe: two dates (`after` of None is now), or a stored scenario against today.
    """

    kind: CompareKind
    before: datetime | None = None
    after: datetime | None = None
    scenario: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """Where the map looks: its middle (lon, lat in EPSG:4326) and its Web Mercator zoom."""

    lon: float
    lat: float
    zoom: float


@dataclass(frozen=True, slots=True)
class Focus:
    """What a slide is about: a town or grid by `code`, or a linkage point by its element id."""

    layer: str
    key: str


@dataclass(frozen=True, slots=True)
class Slide:
    """
    One slide.

    `at` is the map's date (None: now); `figures` are keys of headline figures, in order.
    """

    title: str
    text: str = ""
    view: View | None = None
    layers: tuple[str, ...] = ()
    at: datetime | None = None
    period: PeriodKind = PeriodKind.MONTH
    figures: tuple[str, ...] = ()
    focus: Focus | None = None
    compare: Compare | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def document(self) -> dict[str, Any]:
        """The slide as JSON values, as `parse_slide` reads it."""
        compare = self.compare
        return {
            "id": self.id,
            "title": self.title,
            "text": self.text,
            "view": None
            if self.view is None
            else {"lon": self.view.lon, "lat": self.view.lat, "zoom": self.view.zoom},
            "layers": list(self.layers),
            "at": time_text(self.at),
            "period": self.period.value,
            "figures": list(self.figures),
            "focus": None if self.focus is None else {"layer": self.focus.layer, "key": self.focus.key},
            "compare": None
            if compare is None
            else {
                "kind": compare.kind.value,
                "before": time_text(compare.before),
                "after": time_text(compare.after),
                "scenario": compare.scenario,
            },
        }


def checked_words(text: Any, what: str, *, most: int = MOST_TEXT, is_required: bool = False) -> str:
    """
    Words that a person wrote.

    Raises
    ------
    InvalidInput
        Not a text, empty where it may not be, too long, with characters that cannot be seen, or with personal
        data in it.
    """
    # a presentation's own line break, and those of other systems
    words = re.sub(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", text).strip() if isinstance(text, str) else ""
    if not isinstance(text, str) or (is_required and not words):
        raise InvalidInput(f"{what} must be a text that is not empty", zh=f"{what}不能为空。")
    if len(words) > most:
        raise InvalidInput(f"{what} is longer than {most} characters", zh=f"{what}不能超过 {most} 字。")
    if _UNSEEN.search(words):
        raise InvalidInput(
            f"{what} holds control characters", zh=f"{what}中有不可见的控制字符,请删除后再保存。"
        )
    found = find_personal_data(words)
    if found:
        raise InvalidInput(
            f"{what} holds personal data", zh=f"{what}中{found[0].chinese()},为保护个人信息未保存。"
        )
    return words


def parse_slides(documents: Any) -> tuple[Slide, ...]:
    """The slides that a list of JSON documents describes; raises InvalidInput naming the first wrong one."""
    if not isinstance(documents, Sequence) or isinstance(documents, str) or len(documents) > MOST_SLIDES:
        raise InvalidInput(
            f"slides must be a list of at most {MOST_SLIDES}", zh=f"一份汇报最多 {MOST_SLIDES} 页。"
        )
    slides = tuple(parse_slide(one) for one in documents)
    if len({one.id for one in slides}) != len(slides):
        raise InvalidInput("two slides have the same id", zh="汇报中有两页的标识相同。")
    return slides


def parse_slide(document: Any) -> Slide:
    """The slide that a JSON document describes; raises InvalidInput."""
    if isinstance(document, Slide):
        document = document.document()
    if not isinstance(document, Mapping):
        raise _wrong("a slide must be an object")
    try:
        return Slide(
            title=checked_words(document.get("title"), "页面标题", most=100, is_required=True),
            text=checked_words(document.get("text") or "", "页面说明"),
            view=_view(document.get("view")),
            layers=_names(document.get("layers"), 100),
            at=_time(document.get("at")),
            period=PeriodKind(document.get("period") or "month"),
            figures=_names(document.get("figures"), MOST_FIGURES),
            focus=_focus(document.get("focus")),
            compare=_compare(document.get("compare")),
            id=str(uuid.UUID(str(document["id"]))) if document.get("id") else str(uuid.uuid4()),
        )
    except InvalidInput:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise _wrong(str(error)) from error


def _wrong(text: str) -> InvalidInput:
    return InvalidInput(f"not a slide: {text}", zh="汇报页面的内容不完整或有误,未保存。")


def _names(value: Any, most: int) -> tuple[str, ...]:
    names = tuple(value or ())
    if (
        isinstance(value, str)
        or len(names) > most
        or not all(isinstance(one, str) and len(one) <= 60 for one in names)
    ):
        raise _wrong(f"a list of at most {most} names was expected")
    return names


def _time(value: Any) -> datetime | None:
    found = value if value is None or isinstance(value, datetime) else parse_time(str(value))
    if found is not None and found.tzinfo is None:
        raise _wrong("a time needs an offset")
    return found


def _view(value: Any) -> View | None:
    if value is None:
        return None
    view = View(float(value["lon"]), float(value["lat"]), float(value["zoom"]))
    if not (abs(view.lon) <= 180 and abs(view.lat) <= 85 and 0 <= view.zoom <= 24):
        raise _wrong("the view lies outside the map")
    return view


def _focus(value: Any) -> Focus | None:
    return None if value is None else Focus(_name(value["layer"]), _name(value["key"]))


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 60:
        raise _wrong("a name was expected")
    return value


def _compare(value: Any) -> Compare | None:
    if value is None:
        return None
    compare = Compare(
        CompareKind(value["kind"]),
        _time(value.get("before")),
        _time(value.get("after")),
        value.get("scenario"),
    )
    if compare.kind is CompareKind.DATES:
        if compare.before is None or (compare.after is not None and compare.after <= compare.before):
            raise InvalidInput(
                "the earlier date must come first", zh="前后对比请先选较早的日期,再选较晚的日期。"
            )
        return compare
    return Compare(compare.kind, scenario=_name(compare.scenario))
