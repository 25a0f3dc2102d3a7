"""A solver's view of the clock: how long it may run, who wants to know, and who may stop it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """
    Where a running solve stands.

    `objective` is the best answer so far (NaN before the first), `bound` the value that no answer can beat,
    `stage` a short English word for what runs now, `seconds` the time since the start.
    """

    seconds: float
    stage: str
    objective: float
    bound: float


class Watch:
    """
    Deadline, stop request and progress report of one solve, asked between steps.

    A solver that finds `expired` true returns what it has, with the bound it has proven.
    """

    def __init__(
        self,
        time_limit: float = math.inf,
        on_progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.started = time.perf_counter()
        self.deadline = self.started + time_limit
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._stopped = False

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    @property
    def remaining(self) -> float:
        """Seconds left, never negative; infinite without a limit."""
        return max(0.0, self.deadline - time.perf_counter())

    @property
    def expired(self) -> bool:
        """True once the time is up or a stop was asked for; it stays true."""
        if not self._stopped:
            self._stopped = time.perf_counter() >= self.deadline or bool(
                self._should_stop is not None and self._should_stop()
            )
        return self._stopped

    def part(self, share: float) -> Watch:
        """A silent watch over this share of the time that is left; it ends with this one at the latest."""
        return Watch(self.remaining * share, None, lambda: self.expired)

    def tell(self, stage: str, objective: float = math.nan, bound: float = math.nan) -> None:
        """Report where the solve stands to whoever asked."""
        if self._on_progress is not None:
            self._on_progress(Progress(self.seconds, stage, float(objective), float(bound)))
