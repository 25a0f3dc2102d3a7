"""What somebody is in the middle of on the coverage page: a scenario, changes not saved, a solve underway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gridmap.services.questions import Question
from gridmap.storage.scenarios import Scenario


@dataclass(slots=True)
class CoverageWork:
    """
    One person's work on coverage.

    Attributes
    ----------
    has_begun : whether the link that led here was looked at
    scenario : id of the stored scenario that is open; None is today
    picks : how often code, not a person, chose the scenario or the point; part of those inputs' keys
    opened : how often code opened a scenario, to be seen in 推演
    point : id of the point whose card is open
    picked : the time of the map's last click on a point that was followed; it tells one click from the next
    place : where the map was sent last (lon, lat), and how often it was sent
    job : id of the solve that is underway or was the last
    taken : how often its result was taken over; part of the keys of the inputs
    compared : the last table of candidates
    applied : what came of applying a scenario
    """

    has_begun: bool = False
    scenario: str | None = None
    picks: int = 0
    opened: int = 0
    point: str | None = None
    picked: int = 0
    place: tuple[float, float, int] | None = None
    job: str | None = None
    taken: int = 0
    compared: dict[str, Any] | None = None
    applied: list[Mapping[str, Any]] = field(default_factory=list)

    def choose(self, scenario: str | None) -> None:
        """Open a scenario on somebody's behalf."""
        self.scenario = scenario
        self.picks += 1
        self.opened += scenario is not None

    def fly(self, lon: float, lat: float) -> None:
        """Send the map to a place."""
        self.place = (lon, lat, (self.place[2] if self.place else 0) + 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What the page's inputs say.

    Attributes
    ----------
    question : without a scenario
    open_text : the time as it was asked (`now`, `HH:MM` or nothing): the same at every run
    scenario : the stored scenario that is open
    """

    question: Question
    open_text: str
    scenario: Scenario | None = None

    def members(self) -> dict[str, str]:
        """The question as texts of a query, the same at every run; without the scenario."""
        document = self.question.document()
        found = {name: document[name] for name in ("points", "demand", "mode", "within", "by")}
        return found | ({"open_at": self.open_text} if self.open_text else {})


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What the map said last.

    Attributes
    ----------
    changes : those in the hand, as JSON values
    base : id of the scenario they began with
    """

    changes: list[dict[str, Any]] = field(default_factory=list)
    base: str | None = None
    point: str | None = None
    picked: int = 0
