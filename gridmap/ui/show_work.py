"""What somebody is in the middle of on the pages that are shown to others: the overview, stories, packs, briefings."""

from __future__ import annotations

from dataclasses import dataclass, field

from gridmap.services.briefings import Draft
from gridmap.services.stories import Tour


@dataclass(frozen=True, slots=True)
class Play:
    """
    A presentation under way: a stored story, or a tour through one kind of place.

    `town` narrows a tour to one town; `seconds` is how long each slide stands by itself (0: until a key).
    """

    story: str = ""
    tour: Tour | None = None
    town: str | None = None
    start: int = 0
    seconds: int = 0


@dataclass(slots=True)
class ShowWork:
    """
    Kept for one tab.

    Attributes
    ----------
    area : layer and code of the town or grid whose card is open on the overview
    heard : by map, what it said last
    story, slide : the story that is being edited, and its slide that is open
    play : what is being presented
    draft : a filled briefing that is not stored yet
    briefing : the stored briefing that is open
    pack : the job that makes a pack
    """

    area: tuple[str, str] | None = None
    heard: dict[str, str] = field(default_factory=dict)
    story: str | None = None
    slide: str | None = None
    play: Play | None = None
    draft: Draft | None = None
    briefing: str | None = None
    pack: str | None = None
