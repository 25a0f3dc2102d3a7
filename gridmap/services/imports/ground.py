"""Where rows may lie: the own area, and a partition that stays one."""

from __future__ import annotations

import numpy as np
import shapely

from gridmap.domain.crs import metric_crs_of, to_metric
from gridmap.errors import InvalidInput
from gridmap.services import access, partition
from gridmap.services.imports.sameness import is_same_place
from gridmap.services.imports.work import Work
from gridmap.validation.topology import PartitionReport, noded, partition_problems

# A border drawn with the neighbour's own vertices may leave a few centimetres to rounding.
_SLACK_DEGREES = 2e-6


def check_area(work: Work) -> None:
    area = access.area_of(work.district, work.user)
    if area is None:
        return
    good = np.flatnonzero(work.is_good)
    shapely.prepare(reach := area.buffer(_SLACK_DEGREES))
    inside = shapely.covers(reach, work.geometry[good])
    known = work.match[good] >= 0
    inside[known] &= shapely.covers(reach, work.frame.arrays.geometry[work.match[good[known]]])
    for at in good[~inside].tolist():
        work.refuse(
            at, "geometry", "area", "位置不在您的责任区内,不能导入;请交由所在网格的民警或网格管理员导入"
        )


def check_partition(work: Work) -> None:
    if not work.layer.is_partition or not work.is_good.any():
        return
    good = np.flatnonzero(work.is_good & ~work.is_repeated)
    replaced = work.match[good][work.match[good] >= 0]
    others = np.setdiff1d(work.frame.living, replaced)
    rest = work.frame.arrays.geometry[others]
    report, mended = _partition_report(work, work.geometry[good], rest)
    work.geometry[good] = mended
    _refuse_overlaps(work, report, good, others)
    _refuse_outside(work, report, good)
    _refuse_children_outside(work, good, rest)
    if report.gaps:
        work.warnings.append(
            f"导入后仍有 {len(report.gaps)} 处、共 {report.gap_m2:,.0f} 平方米没有被任何{work.layer.title}覆盖,"
            "请在导入后补齐。"
        )


def _partition_report(work: Work, new: np.ndarray, rest: np.ndarray) -> tuple[PartitionReport, np.ndarray]:
    """What keeps new and other grids from being a partition of the parent, and the new ones, noded if need be."""
    together = np.concatenate([new, rest, _parent_areas(work)])
    report = judged(together, len(new) + len(rest))
    if report.is_clean:
        return report, new
    # A corner on a neighbour's long edge looks like a gap once it is projected: it gets its vertex first.
    try:
        mended = noded(together)
    except InvalidInput:  # an area stored long ago is broken: judge as well as can be
        return report, new
    if shapely.is_empty(mended).any():
        return report, new
    return judged(mended, len(new) + len(rest)), mended[: len(new)]


def _parent_areas(work: Work) -> np.ndarray:
    if work.layer.parent is None:
        return np.empty(0, dtype=object)
    frame = work.district.frames.frame(work.layer.parent)
    return frame.arrays.geometry[frame.living]


def _refuse_overlaps(work: Work, report: PartitionReport, good: np.ndarray, others: np.ndarray) -> None:
    def called(place: int) -> str:
        if place < len(good):
            at = int(good[place])
            return f"第 {work.rows[at]} 行" + (f"({work.codes[at]})" if work.codes[at] else "")
        at = int(others[place - len(good)])
        return f"现有的{work.layer.title}“{work.frame.arrays.code[at] or work.frame.arrays.name[at]}”"

    for overlap in report.overlaps:
        for mine, other in ((overlap.i, overlap.j), (overlap.j, overlap.i)):
            if mine < len(good):
                message = f"与{called(other)}重叠 {overlap.area_m2:,.0f} 平方米,请先修正边界"
                work.refuse(int(good[mine]), "geometry", "overlap", message)


def _refuse_outside(work: Work, report: PartitionReport, good: np.ndarray) -> None:
    parent = work.district.catalogue.layer(work.layer.parent) if work.layer.parent else None
    for piece in report.outside:
        if piece.i >= len(good) or parent is None:
            continue
        message = f"有 {piece.area_m2:,.0f} 平方米超出“{parent.title}”范围"
        if parent.is_partition:
            work.refuse(int(good[piece.i]), "geometry", "outside_parent", message + ",请先修正边界")
        else:
            # an outline of the whole district comes from elsewhere and never fits to the metre
            work.remark(int(good[piece.i]), "geometry", "outside_parent", message)


def _refuse_children_outside(work: Work, good: np.ndarray, rest: np.ndarray) -> None:
    """Areas of the layer below that lay in one grid must not come to lie in two."""
    living, known = work.frame.arrays.geometry, work.match[good] >= 0
    moved = ~known
    moved[known] = ~is_same_place(work.geometry[good[known]], living[work.match[good[known]]])
    if not moved.any():
        return
    rows = good[moved]
    old = living[work.match[rows[work.match[rows] >= 0]]]
    ground = shapely.union_all([*old, *work.geometry[rows]])
    before, after = living[work.frame.living], np.concatenate([work.geometry[good], rest])
    for child, positions in partition.children_outside(work.district, work.layer, ground, before, after):
        arrays = work.district.frames.frame(child.id).arrays
        for position in positions:
            code = arrays.code[position] or arrays.name[position]
            shared = shapely.area(shapely.intersection(work.geometry[rows], arrays.geometry[position]))
            for at in rows[shared > 0].tolist():
                message = f"下级{child.title}“{code}”会跨越新边界,请沿其边界划分,或先调整{child.title}"
                work.refuse(at, "geometry", "child_outside", message)


def judged(areas: np.ndarray, count: int) -> PartitionReport:
    """The first `count` lon/lat areas as a partition of the rest of them, judged in metres."""
    metric = to_metric(areas, metric_crs_of(areas))
    return partition_problems(
        metric[:count], within=shapely.union_all(metric[count:]) if count < len(areas) else None
    )
