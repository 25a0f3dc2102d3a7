"""One measured figure, its budget and the baseline beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """
    A measured figure: lower is better.

    `budget` is in the same unit, or, where `is_ratio` is set, the most that figure / baseline may be.
    """

    name: str
    value: float
    unit: str
    budget: float | None = None
    baseline: float | None = None
    baseline_name: str = ""
    is_ratio: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure is within its budget; true where there is none."""
        if self.budget is None:
            return True
        if self.is_ratio:
            return self.baseline is not None and self.value <= self.budget * self.baseline
        return self.value <= self.budget

    def line(self) -> str:
        """The figure as a line of the table."""
        parts = [f"{self.name:<52} {self.value:>10.3f} {self.unit}"]
        if self.budget is not None:
            parts.append(f"budget {self.budget:g}{'×' if self.is_ratio else ' ' + self.unit}")
        if self.baseline is not None:
            ratio = self.value / self.baseline if self.baseline else float("nan")
            parts.append(f"{self.baseline_name}: {self.baseline:.3f} {self.unit} (ratio {ratio:.2f})")
        parts.append("ok" if self.is_met else "MISSED")
        return "  ".join(parts)


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
