"""What a pack is asked to hold: read from JSON values, checked against what there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

from gridmap.domain.elements import parse_time
from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import User
from gridmap.domain.stories import Slide, checked_words, parse_slides
from gridmap.errors import InvalidInput
from gridmap.services import briefings, cards, pictures, stories
from gridmap.services.district import District


class Atlas(Enum):
    """What the pack has a page for."""

    NONE = "none"
    TOWNS = "town"
    GRIDS = "police_grid"
    POINTS = "workstation"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"none": "仅总览", "town": "一镇一页", "police_grid": "一格一页", "workstation": "一站一页"}[
            self.value
        ]


class PackFormat(Enum):
    """A file that a pack can be."""

    PDF = "pdf"
    PPTX = "pptx"
    PNG = "png"
    HTML = "html"
    XLSX = "xlsx"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {
            "pdf": "PDF",
            "pptx": "PPT 演示文稿",
            "png": "PNG 图片",
            "html": "离线网页",
            "xlsx": "Excel 工作簿",
        }[self.value]


class Paper(Enum):
    """Size of the PDF's pages, landscape."""

    A4 = "a4"
    A3 = "a3"

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height."""
        return {"a4": (297.0, 210.0), "a3": (420.0, 297.0)}[self.value]


@dataclass(frozen=True, slots=True)
class PackRequest:
    """
    What a pack is to hold.

    `has_overview` puts the district's pages first; `town` (a code) leaves only what lies in it in the atlas;
    `layers` of None are those that the map shows at first; `at` is the date of everything (None: now).
    `slides` have a page each after the overview, or two where they compare; those of the story `story`, where
    only that is given, as they are when the pack is begun.
    """

    title: str = "网格总览"
    formats: tuple[PackFormat, ...] = (PackFormat.PDF,)
    atlas: Atlas = Atlas.NONE
    has_overview: bool = True
    paper: Paper = Paper.A4
    period: PeriodKind = PeriodKind.MONTH
    town: str | None = None
    layers: tuple[str, ...] | None = None
    briefing: str | None = None
    story: str | None = None
    slides: tuple[Slide, ...] = ()
    at: datetime | None = None

    @property
    def what(self) -> str:
        """In a word or two what the pack is, for lists."""
        if self.atlas is not Atlas.NONE:
            return self.atlas.title
        return "汇报" if self.story or self.slides else "总览"

    def document(self) -> dict[str, Any]:
        """The request as JSON values, as `parse_request` reads it."""
        return {
            "title": self.title,
            "formats": [one.value for one in self.formats],
            "atlas": self.atlas.value,
            "has_overview": self.has_overview,
            "paper": self.paper.value,
            "period": self.period.value,
            "town": self.town,
            "layers": None if self.layers is None else list(self.layers),
            "briefing": self.briefing,
            "story": self.story,
            "slides": [one.document() for one in self.slides],
            "at": None if self.at is None else self.at.isoformat(),
        }


def parse_request(document: dict[str, Any]) -> PackRequest:
    """The request that JSON values describe; raises InvalidInput, also for a member that is not known."""
    unknown = sorted(set(document) - set(PackRequest().document()))
    if unknown:
        raise InvalidInput(
            f"member {unknown[0][:40]!r} is not known", zh=f"材料包没有“{unknown[0][:40]}”这一选项。"
        )
    try:
        formats = tuple(dict.fromkeys(PackFormat(one) for one in document.get("formats") or ["pdf"]))
        at = document.get("at")
        request = PackRequest(
            title=checked_words(document.get("title", "网格总览"), "标题", most=60, is_required=True),
            formats=formats,
            atlas=Atlas(document.get("atlas") or "none"),
            has_overview=_flag(document.get("has_overview", True)),
            paper=Paper(document.get("paper") or "a4"),
            period=PeriodKind(document.get("period") or "month"),
            town=_text(document.get("town")),
            layers=_layers(document.get("layers")),
            briefing=_text(document.get("briefing")),
            story=_text(document.get("story")),
            slides=parse_slides(document.get("slides") or ()),
            at=None if at is None else parse_time(at),
        )
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"not a pack: {error}", zh="材料包的选项有误,请重新选择。") from error
    if not (request.has_overview or request.story or request.slides) and request.atlas is Atlas.NONE:
        raise InvalidInput("the pack would be empty", zh="请至少选择总览、一份汇报或一种分页。")
    return request


def with_slides(district: District, user: User, request: PackRequest) -> PackRequest:
    """
    The request with the slides of its story as they are now, so that it can be met again when the story has changed.

    Raises
    ------
    NotFound (no such story), InvalidInput (it has no slides)
    """
    if request.story is None or request.slides:
        return request
    slides = stories.get(district, user, request.story).slides
    if not slides:
        raise InvalidInput(f"story {request.story} has no slides", zh="这份汇报还没有页面,请先添加页面。")
    return replace(request, slides=slides)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _layers(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{value!r} is no list of layers")
    return tuple(value)


def require_named(district: District, user: User, request: PackRequest) -> None:
    """
    Pass when all that the request names is there, and nothing of it would be passed over.

    Raises
    ------
    NotFound (no such layer, town or briefing, also on a slide), PermissionDenied
    InvalidInput
        A slide with a figure that does not exist. A town without an atlas: the overview is always the whole district's.
    """
    pictures.shown_layers(district, user, request.layers)
    if request.briefing:
        briefings.get(district, user, request.briefing)
    stories.checked(district, request.slides)
    if request.town is None:
        return
    cards.require_town(district, request.town, at=request.at)
    if request.atlas is Atlas.NONE:
        raise InvalidInput(
            "a town narrows the atlas, and no atlas is asked for; choose town, police_grid or workstation",
            zh="指定街镇只限定图册的范围,总览总是全区的。请同时选择一种图册(town、police_grid 或 workstation)。",
        )
