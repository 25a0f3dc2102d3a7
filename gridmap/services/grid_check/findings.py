"""What a check-up of grids finds, and how each finding could be mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from shapely.geometry.base import BaseGeometry


class Kind(Enum):
    """What can be wrong with grids, worst first."""

    INVALID = "invalid"
    OVERLAP = "overlap"
    GAP = "gap"
    OUTSIDE = "outside"
    STRAY = "stray"
    DUPLICATE_CODE = "duplicate_code"
    ORPHAN = "orphan"
    MISPLACED = "misplaced"
    SLIVER = "sliver"
    LOOSE_VERTEX = "loose_vertex"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {
            "invalid": "图形无效", "overlap": "重叠", "gap": "空白", "outside": "超出上级", "stray": "没有上级",
            "duplicate_code": "编码重复", "orphan": "要素无网格", "misplaced": "归属过期", "sliver": "碎条",
            "loose_vertex": "边界节点缺失",
        }[self.value]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repair:
    """One way to mend a finding: `id` names it, `title` says it (Chinese)."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong in one place.

    `place` is (lon, lat) inside it, `box` its lon/lat bounds, `piece` its ground or points. `elements` are the
    ids concerned with their `codes`. `key` stays the same as long as the finding does.
    """

    key: str
    kind: Kind
    layer: str
    place: tuple[float, float]
    box: tuple[float, float, float, float]
    piece: BaseGeometry
    elements: tuple[str, ...]
    codes: tuple[str, ...]
    area_m2: float | None
    message: str
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckUp:
    """
    The check-up of one layer as of commit `sequence`.

    `counts` has all findings; `findings` at most 500 of a kind, the largest first.
    """

    layer: str
    sequence: int
    grids: int
    counts: Mapping[Kind, int]
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
