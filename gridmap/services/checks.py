"""
Is what is stored still as the rules want it? Everything at once, changing nothing.

Rules tighten, layers come in from elsewhere, and borders move: an element that was right when it was stored
may not be any more. `validate` finds it before somebody trips over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridmap.domain.crs import metric_crs_of, to_metric
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.frames import Frame
from gridmap.services.ground import is_outside
from gridmap.services.imports import Progress
from gridmap.services.membership import grid_codes, representative_points
from gridmap.services.near import near_pairs
from gridmap.storage import membership as members
from gridmap.validation.attributes import clean_columns
from gridmap.validation.geometry import geometry_problems
from gridmap.validation.topology import noded, partition_problems

_MOST_PAIRS = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is not as it should be: of one element, or (without an `element`) of the layer.

    A warning is for a person to look at; anything else breaks a rule.
    """

    layer: str
    element: str | None
    code: str | None
    field: str
    rule: str
    message: str
    is_warning: bool = False

    def document(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `validate` found; `counts` are the elements looked at, by layer id."""

    sequence: int
    counts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Findings that break a rule."""
        return tuple(one for one in self.findings if not one.is_warning)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings for a person to look at."""
        return tuple(one for one in self.findings if one.is_warning)

    @property
    def is_clean(self) -> bool:
        """Whether no rule is broken."""
        return not self.problems

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "is_clean": self.is_clean,
            "sequence": self.sequence,
            "layers": [
                {
                    "layer": layer,
                    "count": count,
                    "problems": [one.document() for one in self.problems if one.layer == layer],
                    "warnings": [one.document() for one in self.warnings if one.layer == layer],
                }
                for layer, count in self.counts.items()
            ],
            "problem_count": len(self.problems),
            "warning_count": len(self.warnings),
        }


def validate(
    district: District, user: User, *, layer_id: str | None = None, progress: Progress | None = None
) -> CheckReport:
    """
    Look at every living element of one layer, or of all that the user sees, with every rule.

    Attributes, privacy and geometry; codes in use twice; partitions; the grids that elements are noted in
    against those they lie in; places outside the district; near-duplicates.

    Raises
    ------
    PermissionDenied, NotFound (no such layer)
    """
    access.require(district, user, Permission.VIEW_SENSITIVE, layer_id or "")
    layers = access.visible_layers(district, user)
    if layer_id is not None:
        layers = [district.catalogue.layer(layer_id)]
        access.require_sight(district, user, layers[0])
    sequence = district.database.sequence()
    counts: dict[str, int] = {}
    findings: list[Finding] = []
    for number, layer in enumerate(layers):
        if progress is not None:
            progress(number / len(layers), layer.title)
        check = _LayerCheck(district, layer)
        counts[layer.id] = len(check.living)
        findings += check.findings()
    if progress is not None:
        progress(1.0, "完成")
    return CheckReport(sequence, counts, tuple(findings))


class _LayerCheck:
    """All checks of one layer, over its frame."""

    def __init__(self, district: District, layer: Layer) -> None:
        self.district, self.layer = district, layer
        self.frame: Frame = district.frames.frame(layer.id)
        self.living = self.frame.living
        arrays = self.frame.arrays
        self.ids = arrays.id[self.living]
        self.codes = arrays.code[self.living]
        self.names = arrays.name[self.living]
        self.geometry = arrays.geometry[self.living]
        self.properties = [json.loads(arrays.properties[at]) for at in self.living]

    def findings(self) -> list[Finding]:
        """Everything that is not as it should be, problems before warnings."""
        if not len(self.living):
            return []
        found = [*self._attributes(), *self._shapes(), *self._codes(), *self._partition()]
        found += [*self._grids(), *self._outside(), *self._duplicates()]
        return sorted(found, key=lambda one: one.is_warning)

    def _finding(self, at: int, field: str, rule: str, message: str, *, is_warning: bool = False) -> Finding:
        return Finding(self.layer.id, self.ids[at], self.codes[at], field, rule, message, is_warning)

    def _attributes(self) -> Iterator[Finding]:
        known = set(self.layer.field_names)
        columns: dict[str, list[Any]] = {"code": self.codes.tolist(), "name": self.names.tolist()}
        columns |= {name: [one.get(name) for one in self.properties] for name in self.layer.field_names}
        _, problems = clean_columns(self.layer, columns)
        for one in problems:
            yield self._finding(one.row, one.field, one.rule, one.message, is_warning=one.is_warning)
        for at, values in enumerate(self.properties):
            for name in sorted(values.keys() - known):
                yield self._finding(
                    at, name, "unknown_field", f"图层没有字段“{name}”,该值不会显示", is_warning=True
                )

    def _shapes(self) -> Iterator[Finding]:
        for one in geometry_problems(self.geometry, expected_type=self.layer.geometry.value):
            yield self._finding(one.index, "geometry", one.fault.value, one.message)

    def _codes(self) -> Iterator[Finding]:
        seen: dict[str, int] = {}
        for at, code in enumerate(self.codes.tolist()):
            if code and code in seen:
                yield self._finding(
                    at, "code", "duplicate", f"编码“{code}”与另一个要素({self.ids[seen[code]]})重复"
                )
            elif code:
                seen[code] = at

    def _partition(self) -> Iterator[Finding]:
        if not self.layer.is_partition or not shapely.is_valid(self.geometry).all():
            return
        parents = self._parents()
        areas = noded(np.concatenate([self.geometry, parents]))
        metric = to_metric(areas, metric_crs_of(areas))
        count = len(self.geometry)
        within = shapely.union_all(metric[count:]) if len(parents) else None
        report = partition_problems(metric[:count], within=within)
        for overlap in report.overlaps:
            message = f"与“{self._called(overlap.j)}”重叠 {overlap.area_m2:,.0f} 平方米"
            yield self._finding(overlap.i, "geometry", "overlap", message)
        is_outline = (
            self.layer.parent is not None
            and not self.district.catalogue.layer(self.layer.parent).is_partition
        )
        for piece in report.outside:
            message = f"有 {piece.area_m2:,.0f} 平方米超出上级范围"
            # the outline of the whole district comes from elsewhere and never fits to the metre
            yield self._finding(piece.i, "geometry", "outside_parent", message, is_warning=is_outline)
        for gap in report.gaps:
            beside = "、".join(self._called(one) for one in gap.neighbours[:3])
            message = f"有 {gap.area_m2:,.0f} 平方米不属于任何{self.layer.title}(相邻:{beside or '无'})"
            yield Finding(self.layer.id, None, None, "geometry", "gap", message, is_warning=is_outline)

    def _parents(self) -> np.ndarray:
        if self.layer.parent is None:
            return np.empty(0, dtype=object)
        frame = self.district.frames.frame(self.layer.parent)
        return frame.arrays.geometry[frame.living]

    def _called(self, at: int) -> str:
        return self.codes[at] or self.names[at] or self.ids[at]

    def _grids(self) -> Iterator[Finding]:
        """Grids that were noted against grids as derived now: a difference is a fault of ours."""
        if self.layer.is_basemap:
            return
        with self.district.database.read() as connection:
            noted = members.grids_of(connection, self.ids.tolist())
        points = representative_points(self.geometry)
        for grid in self.district.catalogue.grids:
            if grid.id == self.layer.id or grid.is_basemap:
                continue
            frame = self.district.frames.frame(grid.id)
            living = frame.living
            derived = grid_codes(frame.arrays.geometry[living], frame.arrays.code[living], points)
            for at, code in enumerate(derived.tolist()):
                stated = noted.get(self.ids[at], {}).get(grid.id)
                if stated != code:
                    message = f"登记的{grid.title}是“{stated or '无'}”,按位置应为“{code or '无'}”"
                    yield self._finding(at, grid.id, "membership", message)

    def _outside(self) -> Iterator[Finding]:
        for at in np.flatnonzero(is_outside(self.district, self.layer, self.geometry)).tolist():
            yield self._finding(at, "geometry", "outside_district", "位置在本区范围之外", is_warning=True)

    def _duplicates(self) -> Iterator[Finding]:
        radius_m = self.layer.duplicate_radius_m
        if radius_m is None:
            return
        for first, second in near_pairs(self.geometry, radius_m)[:_MOST_PAIRS].tolist():
            message = f"{radius_m:g} 米内有“{self._called(second)}”,请确认不是重复登记"
            yield self._finding(first, "geometry", "near_duplicate", message, is_warning=True)


def lines(report: CheckReport, titles: dict[str, str], *, most: int = 200) -> Sequence[str]:
    """The report for a terminal, problems first; `titles` are the layers' by id."""
    shown = [*report.problems, *report.warnings]
    text = [
        f"[{'提醒' if one.is_warning else '问题'}] {titles.get(one.layer, one.layer)} "
        f"{one.code or one.element or ''} {one.field}:{one.message}"
        for one in shown[:most]
    ]
    if len(shown) > most:
        text.append(f"……另有 {len(shown) - most} 条;--json 列出全部")
    total = sum(report.counts.values())
    return [*text, f"检查了 {total:,} 个要素:{len(report.problems)} 个问题,{len(report.warnings)} 条提醒。"]
