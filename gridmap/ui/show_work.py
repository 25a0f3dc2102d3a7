"""What somebody is in the middle of on the pages that are shown to others: the overview, stories, packs, briefings."""

from __future__ import annotations

from dataclasses import dataclass, field

from gridmap.domain.stories import Slide
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
class StoryWork:
    """
    A story being made.

    Attributes
    ----------
    opened : the slide in the form, as it was when the form was opened
    openings : how many forms were opened: each has widgets of its own
    clash : what the form would have saved, where somebody else had changed the slide
    order : the ids in an order that could not be kept, as somebody else had changed the story
    """

    opened: Slide | None = None
    openings: int = 0
    clash: Slide | None = None
    order: tuple[str, ...] | None = None

    def open(self, slide: Slide | None) -> None:
        """Put a slide into the form, or leave it."""
        self.opened, self.clash = slide, None
        self.openings += 1


@dataclass(slots=True)
class ShowWork:
    """
    Kept for one tab.

    Attributes
    ----------
    area : layer and code of the town or grid, or layer and id of the station, whose card is open on the overview
    heard : by map, what it said last
    story, work : the story that is being edited, and what is under way in it
    play : what is being presented
    draft : a filled briefing that is not stored yet
    briefing : the stored briefing that is open
    pack : the job that makes a pack
    """

    area: tuple[str, str] | None = None
    heard: dict[str, str] = field(default_factory=dict)
    story: str | None = None
    work: StoryWork = field(default_factory=StoryWork)
    play: Play | None = None
    draft: Draft | None = None
    briefing: str | None = None
    pack: str | None = None
