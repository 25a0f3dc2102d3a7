"""A clock that moves only when a test says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


class FakeClock:
    """
    Stands in for any `Callable[[], datetime]`.

    >>> clock = FakeClock()
    >>> clock.advance(minutes=5) - FakeClock().now
    datetime.timedelta(seconds=300)
    """

    def __init__(self, now: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)) -> None:
        if now.tzinfo is None:
            raise ValueError("a clock without a zone is a bug waiting; pass an aware datetime")
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: Any) -> datetime:
        """Move on by `timedelta(**step)` and answer the new time."""
        self.now += timedelta(**step)
        return self.now

    def set(self, now: datetime) -> datetime:
        self.now = now
        return now

    def timestamp(self) -> float:
        """Seconds since the epoch, for code that wants `time.time`."""
        return self.now.timestamp()
