"""What is wrong with the ground of grids: broken shapes, overlaps, gaps, strays, slivers, loose vertices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids import loose_vertices
from gridmap.services.grid_check.findings import Finding, Kind, Repair
from gridmap.services.grid_check.look import SLIVER_WIDTH_M, TOLERANCE_M2, TOUCHING, Look
from gridmap.validation.topology import Overlap

# How many neighbours are offered as takers of a piece.
_OPTIONS = 3
_REASONS = {"Self-intersection": "边界自相交", "Ring Self-intersection": "边界自相交"}


def _m2(look: Look, piece: BaseGeometry) -> str:
    value = look.scale.area_m2(piece)
    return f"{value:,.0f} 平方米" if value >= 10 else f"{value:.1f} 平方米"


def _quoted(look: Look, which: Sequence[int]) -> str:
    return "、".join(f"“{look.codes[at]}”" for at in which)


def _to_each(look: Look, takers: Sequence[int], how: str, words: str = "划归") -> list[Repair]:
    """A repair for each grid that could take the ground."""
    return [Repair(f"{how}:{look.ids[at]}", f"{words}“{look.codes[at]}”") for at in takers]


def ground_findings(look: Look) -> list[Finding]:
    """Everything that keeps the grids from covering their parents exactly once."""
    return [
        *_invalid(look), *_overlaps(look), *_gaps(look), *_outside(look), *_strays(look), *_slivers(look),
        *_loose(look),
    ]  # fmt: skip


def _invalid(look: Look) -> list[Finding]:
    found = []
    for at in np.flatnonzero(~shapely.is_valid(look.areas)):
        mended = look.sound[at]
        where, repairs = mended, [Repair("mend", f"自动修正图形(修正后 {_m2(look, mended)})")]
        if mended.is_empty:
            where, repairs = shapely.box(*shapely.bounds(look.areas[at])), []
        reason = shapely.is_valid_reason(look.areas[at]).partition("[")[0].strip()
        words = _REASONS.get(reason, reason)
        found.append(look.finding(Kind.INVALID, where, [at], f"“{look.codes[at]}”图形无效:{words}", repairs))
    return found


def _overlaps(look: Look) -> list[Finding]:
    found = []
    for one in look.report.overlaps:
        message = f"“{look.codes[one.i]}”与“{look.codes[one.j]}”重叠 {_m2(look, one.piece)}"
        repairs = _overlap_repairs(look, one)
        found.append(look.finding(Kind.OVERLAP, one.piece, [one.i, one.j], message, repairs))
    return found


def _overlap_repairs(look: Look, overlap: Overlap) -> list[Repair]:
    """Who could keep the ground: first the one with the longer border to it; a grid with nothing else may end."""
    edge = shapely.boundary(overlap.piece).buffer(TOUCHING)
    options: list[tuple[float, Repair]] = []
    for keeper, loser in ((overlap.i, overlap.j), (overlap.j, overlap.i)):
        rest = shapely.difference(look.sound[loser], overlap.piece)
        if look.scale.area_m2(rest) <= TOLERANCE_M2:
            title = f"停用“{look.codes[loser]}”(整个网格都在重叠范围内)"
            # before all others: a border in degrees is shorter than 1
            options.append((1.0, Repair(f"retire:{look.ids[loser]}", title)))
            continue
        kept = shapely.difference(look.sound[keeper], overlap.piece)
        border = shapely.intersection(edge, shapely.boundary(kept)).length
        options.append((border, Repair(f"keep:{look.ids[keeper]}", f"重叠部分划归“{look.codes[keeper]}”")))
    return [one for _, one in sorted(options, key=lambda each: -each[0])]


def _gaps(look: Look) -> list[Finding]:
    found = []
    for one in look.report.gaps:
        for piece in _by_parent(look, one.piece):
            near = look.neighbours(piece, parent=look.parent_at(piece))[:_OPTIONS]
            message = f"有 {_m2(look, piece)} 不属于任何{look.layer.title}"
            if near:
                message += f",邻近 {_quoted(look, near)}"
            found.append(look.finding(Kind.GAP, piece, near, message, _to_each(look, near, "give")))
    return found


def _by_parent(look: Look, piece: BaseGeometry) -> list[BaseGeometry]:
    """A piece of ground cut along the borders of the parents, crumbs left out."""
    if not len(look.parents):
        return [piece]
    shares = shapely.intersection(look.parents[shapely.intersects(look.parents, piece)], piece)
    parts = [one for share in shares for one in shapely.get_parts(share) if one.geom_type == "Polygon"]
    return [one for one in parts if look.scale.area_m2(one) > TOLERANCE_M2]


def _outside(look: Look) -> list[Finding]:
    has_parent = np.flatnonzero(look.parent_of >= 0)
    if not len(has_parent):
        return []
    own = look.parents[look.parent_of[has_parent]]
    beyond = has_parent[~shapely.covers(own, look.sound[has_parent])]
    title = look.district.catalogue.layer(look.layer.parent or "").title
    found = []
    for at in beyond:
        rest = shapely.difference(look.sound[at], look.parents[look.parent_of[at]])
        for piece in shapely.get_parts(rest):
            if piece.geom_type != "Polygon" or look.scale.area_m2(piece) <= TOLERANCE_M2:
                continue
            parent = look.parent_at(piece)
            near = [] if parent in (None, -1) else look.neighbours(piece, parent=parent, skip=[int(at)])
            repairs = [*_to_each(look, near[:_OPTIONS], "move"), Repair("cut", "从该网格中划出")]
            message = f"“{look.codes[at]}”有 {_m2(look, piece)} 超出所属{title}"
            found.append(look.finding(Kind.OUTSIDE, piece, [int(at)], message, repairs))
    return found


def _strays(look: Look) -> list[Finding]:
    if not len(look.parents):
        return []
    title = look.district.catalogue.layer(look.layer.parent or "").title
    return [
        look.finding(Kind.STRAY, look.sound[at], [int(at)], f"“{look.codes[at]}”不在任何{title}范围内")
        for at in np.flatnonzero(look.parent_of < 0)
    ]


def _slivers(look: Look) -> list[Finding]:
    found = []
    for one in look.report.slivers:
        at = one.i
        parent = int(look.parent_of[at]) if len(look.parents) else None
        near = look.neighbours(one.piece, parent=parent, skip=[at])[:_OPTIONS]
        is_whole = shapely.get_num_geometries(look.sound[at]) == 1
        repairs = _to_each(look, near, "merge", "整个并入") if is_whole else _to_each(look, near, "move")
        message = f"“{look.codes[at]}”有一条 {_m2(look, one.piece)} 的碎条(宽不足 {SLIVER_WIDTH_M:g} 米)"
        found.append(look.finding(Kind.SLIVER, one.piece, [at], message, repairs))
    return found


def _loose(look: Look) -> list[Finding]:
    by_grid: dict[int, list[tuple[int, tuple[float, float]]]] = {}
    for one in loose_vertices(look.sound):
        by_grid.setdefault(one.j, []).append((one.i, one.place))
    found = []
    for at, vertices in by_grid.items():
        points = shapely.multipoints([place for _, place in vertices])
        others = sorted({i for i, _ in vertices})
        names = _quoted(look, others[:_OPTIONS])
        message = f"“{look.codes[at]}”的边界上缺少与 {names} 共用的 {len(vertices)} 个节点"
        repairs = [Repair("node", "补上共用节点")]
        found.append(look.finding(Kind.LOOSE_VERTEX, points, [at, *others], message, repairs, has_area=False))
    return found
