"""
Check-up of grids (网格体检): everything that keeps them from being a partition, place by place.

Each finding says where it is, whom it concerns, and what could be done; nothing is mended before a person
chooses. Whatever is chosen is checked like any other edit.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import update

from gridmap.domain.codes import CodeSchemeError
from gridmap.domain.grids import Scale, loose_vertices, scale_of, with_vertices
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import access, elements, grids, membership
from gridmap.services.district import District
from gridmap.services.frames import Frame
from gridmap.services.membership import grid_codes, representative_points
from gridmap.storage import elements as stored
from gridmap.storage import lineage as descents
from gridmap.storage import membership as members
from gridmap.storage.tables import district_state
from gridmap.validation.geometry import valid_form
from gridmap.validation.topology import PartitionReport, partition_problems

TOLERANCE_M2 = 1.0
SLIVER_WIDTH_M = 2.0
MOST_OF_A_KIND = 500
_OPTIONS = 3
# Corners computed by an overlay are rounded: what lies this near (degrees) touches.
_TOUCHING = 1e-8


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


def check(district: District, user: User, layer_id: str) -> CheckUp:
    """
    The check-up of a layer of grids.

    Raises
    ------
    NoPartition, PermissionDenied, NotFound
    """
    layer = _require_partition(district, user, layer_id)
    look = _Look.at(district, layer)
    findings = [
        *_invalid(look), *_overlaps(look), *_gaps(look), *_outside(look), *_strays(look), *_duplicate_codes(look),
        *_members(look), *_slivers(look), *_loose(look),
    ]  # fmt: skip
    counts = Counter(one.kind for one in findings)
    shown: list[Finding] = []
    for kind in Kind:
        part = sorted((one for one in findings if one.kind is kind), key=lambda one: -(one.area_m2 or 0.0))
        shown += part[:MOST_OF_A_KIND]
    return CheckUp(layer.id, look.frame.sequence, len(look.ids), dict(counts), tuple(shown))


def repair(
    district: District, user: User, layer_id: str, key: str, repair_id: str | None = None, *, reason: str = ""
) -> int | None:
    """
    Mend one finding in the way `repair_id` names (by default the first); the number of the commit.

    The check is made anew first. None where only derived data were mended, which need no commit.

    Raises
    ------
    NotFound
        The finding is gone, or the grids changed since: check again.
    InvalidInput
        It has no such repair.
    PermissionDenied, and everything that the edit itself raises
    """
    layer = _require_partition(district, user, layer_id)
    access.require_edit(district, user, layer)
    found = next((one for one in check(district, user, layer_id).findings if one.key == key), None)
    if found is None:
        raise NotFound(
            f"layer {layer_id} has no finding {key} any more; check again",
            zh="该问题已不存在,或相关网格已有变化,请重新体检。",
            finding=key,
        )
    chosen = repair_id or (found.repairs[0].id if found.repairs else "")
    if chosen not in {one.id for one in found.repairs}:
        raise InvalidInput(
            f"finding {key} has no repair {chosen!r}", zh="该问题没有这种修复方式。", repair=chosen
        )
    text = reason or f"网格体检:{found.message}"
    return _mend(district, user, layer, found, chosen, text[:400])


def _require_partition(district: District, user: User, layer_id: str) -> Layer:
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    if not layer.is_partition:
        raise grids.NoPartition(
            f"layer {layer_id} is no partition",
            zh=f"“{layer.title}”不是铺满划分的网格图层,不作网格体检。",
            layer=layer_id,
        )
    return layer


# --- looking ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """The living grids of a layer, in degrees, and their parents; `sound` are the areas in a valid form."""

    district: District
    layer: Layer
    frame: Frame
    ids: np.ndarray
    codes: list[str]
    revisions: np.ndarray
    areas: np.ndarray
    sound: np.ndarray
    parents: np.ndarray
    parent_of: np.ndarray
    scale: Scale
    report: PartitionReport

    @classmethod
    def at(cls, district: District, layer: Layer) -> _Look:
        frame = district.frames.frame(layer.id)
        arrays, living = frame.arrays, frame.living
        areas = arrays.geometry[living]
        sound = sound_areas(areas)
        parents = np.empty(0, dtype=object)
        if layer.parent is not None:
            above = district.frames.frame(layer.parent)
            parents = sound_areas(above.arrays.geometry[above.living])
        scale = scale_of(sound) if len(sound) else Scale(1.0, 1.0)
        # degrees throughout: a straight border keeps straight, whoever has a vertex on it
        report = partition_problems(
            sound,
            within=shapely.union_all(parents) if len(parents) else None,
            tolerance_m2=TOLERANCE_M2 / (scale.x * scale.y),
            sliver_width_m=SLIVER_WIDTH_M / max(scale.x, scale.y),
        )
        codes = [code or name for code, name in zip(arrays.code[living], arrays.name[living], strict=True)]
        return cls(
            district, layer, frame, arrays.id[living], codes, arrays.revision[living], areas, sound, parents,
            _most_of(sound, parents), scale, report,
        )  # fmt: skip

    def finding(
        self,
        kind: Kind,
        piece: BaseGeometry,
        which: Sequence[int],
        message: str,
        repairs: Sequence[Repair] = (),
        *,
        has_area: bool = True,
    ) -> Finding:
        """A finding about the grids at these positions."""
        inner = shapely.point_on_surface(piece)
        area = float(self.scale.area_m2(piece)) if has_area else None
        parts = [kind.value, *(f"{self.ids[at]}:{self.revisions[at]}" for at in which)]
        parts.append(f"{inner.x:.6f},{inner.y:.6f}")
        return Finding(
            key=hashlib.sha256("|".join(parts).encode()).hexdigest()[:16],
            kind=kind,
            layer=self.layer.id,
            place=(inner.x, inner.y),
            box=piece.bounds,
            piece=piece,
            elements=tuple(str(self.ids[at]) for at in which),
            codes=tuple(self.codes[at] for at in which),
            area_m2=area,
            message=message,
            repairs=tuple(repairs),
        )

    def neighbours(self, piece: BaseGeometry, *, parent: int | None, skip: Sequence[int] = ()) -> list[int]:
        """Grids of the same parent that touch the piece, longest common border first."""
        near = np.flatnonzero(shapely.dwithin(self.sound, piece, _TOUCHING))
        edge = shapely.boundary(piece).buffer(_TOUCHING)
        shared = {
            int(at): float(shapely.intersection(shapely.boundary(self.sound[at]), edge).length)
            for at in near
            if at not in skip and (parent is None or self.parent_of[at] == parent)
        }
        return sorted((at for at in shared if shared[at] > 1e-6), key=lambda at: -shared[at])

    def parent_at(self, piece: BaseGeometry) -> int | None:
        """The parent that has most of a piece; None where there are no parents."""
        if not len(self.parents):
            return None
        return int(_most_of(np.array([piece], dtype=object), self.parents)[0])


def sound_areas(areas: np.ndarray) -> np.ndarray:
    """The areas in a form that can be computed with: broken ones as the polygons that they come closest to."""
    sound = areas.copy()
    for at in np.flatnonzero(~shapely.is_valid(areas)):
        parts = shapely.get_parts(valid_form(areas[at]))
        flat = [one for part in parts for one in shapely.get_parts(part) if one.geom_type == "Polygon"]
        sound[at] = flat[0] if len(flat) == 1 else shapely.multipolygons(flat)
    return sound


def _most_of(areas: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """For each area the position of the parent that has most of it; -1 where none has any."""
    best = np.full(len(areas), -1, dtype=np.int64)
    if not len(parents) or not len(areas):
        return best
    area, parent = shapely.STRtree(parents).query(areas, predicate="intersects")
    # most lie in the one parent that they meet; only the others need to be measured
    single = (np.bincount(area, minlength=len(areas)) == 1)[area]
    single[single] = shapely.intersects(
        parents[parent[single]], shapely.point_on_surface(areas[area[single]])
    )
    best[area[single]] = parent[single]
    area, parent = area[~single], parent[~single]
    size = shapely.area(shapely.intersection(areas[area], parents[parent]))
    order = np.argsort(size, kind="stable")
    order = order[size[order] > 0]
    best[area[order]] = parent[order]
    return best


def _m2(value: float) -> str:
    return f"{value:,.0f} 平方米" if value >= 10 else f"{value:.1f} 平方米"


# --- finding ----------------------------------------------------------------------------------------------


def _invalid(look: _Look) -> list[Finding]:
    found = []
    for at in np.flatnonzero(~shapely.is_valid(look.areas)):
        mended = look.sound[at]
        repairs = (
            []
            if mended.is_empty
            else [Repair("mend", f"自动修正图形(修正后 {_m2(look.scale.area_m2(mended))})")]
        )
        where = mended if not mended.is_empty else shapely.box(*shapely.bounds(look.areas[at]))
        reason = shapely.is_valid_reason(look.areas[at]).partition("[")[0].strip()
        words = {"Self-intersection": "边界自相交", "Ring Self-intersection": "边界自相交"}.get(
            reason, reason
        )
        found.append(look.finding(Kind.INVALID, where, [at], f"“{look.codes[at]}”图形无效:{words}", repairs))
    return found


def _overlaps(look: _Look) -> list[Finding]:
    found = []
    for one in look.report.overlaps:
        size = look.scale.area_m2(one.piece)
        message = f"“{look.codes[one.i]}”与“{look.codes[one.j]}”重叠 {_m2(size)}"
        found.append(
            look.finding(Kind.OVERLAP, one.piece, [one.i, one.j], message, _overlap_repairs(look, one))
        )
    return found


def _overlap_repairs(look: _Look, one: object) -> list[Repair]:
    i, j, piece = one.i, one.j, one.piece  # type: ignore[attr-defined]
    edge = shapely.boundary(piece)
    options = []
    for keeper, loser in ((i, j), (j, i)):
        rest = shapely.difference(look.sound[loser], piece)
        if look.scale.area_m2(rest) <= TOLERANCE_M2:
            options.append(
                (
                    -1.0,
                    Repair(f"retire:{look.ids[loser]}", f"停用“{look.codes[loser]}”(整个网格都在重叠范围内)"),
                )
            )
            continue
        kept = shapely.difference(look.sound[keeper], piece)
        border = shapely.intersection(edge.buffer(_TOUCHING), shapely.boundary(kept)).length
        options.append((-border, Repair(f"keep:{look.ids[keeper]}", f"重叠部分划归“{look.codes[keeper]}”")))
    return [repair_ for _, repair_ in sorted(options, key=lambda each: each[0])]


def _gaps(look: _Look) -> list[Finding]:
    found = []
    for one in look.report.gaps:
        for piece in _by_parent(look, one.piece):
            near = look.neighbours(piece, parent=look.parent_at(piece))
            repairs = [Repair(f"give:{look.ids[at]}", f"划归“{look.codes[at]}”") for at in near[:_OPTIONS]]
            names = "、".join(f"“{look.codes[at]}”" for at in near[:_OPTIONS])
            message = f"有 {_m2(look.scale.area_m2(piece))} 不属于任何{look.layer.title}" + (
                f",邻近 {names}" if near else ""
            )
            found.append(look.finding(Kind.GAP, piece, near[:_OPTIONS], message, repairs))
    return found


def _by_parent(look: _Look, piece: BaseGeometry) -> list[BaseGeometry]:
    """A piece of ground cut along the borders of the parents, crumbs left out."""
    if not len(look.parents):
        return [piece]
    shares = shapely.intersection(look.parents[shapely.intersects(look.parents, piece)], piece)
    parts = [one for share in shares for one in shapely.get_parts(share) if one.geom_type == "Polygon"]
    return [one for one in parts if look.scale.area_m2(one) > TOLERANCE_M2]


def _outside(look: _Look) -> list[Finding]:
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
            repairs = []
            if parent is not None and parent >= 0:
                near = look.neighbours(piece, parent=parent, skip=[int(at)])
                repairs = [
                    Repair(f"move:{look.ids[to]}", f"划归“{look.codes[to]}”") for to in near[:_OPTIONS]
                ]
            repairs.append(Repair("cut", "从该网格中划出"))
            message = f"“{look.codes[at]}”有 {_m2(look.scale.area_m2(piece))} 超出所属{title}"
            found.append(look.finding(Kind.OUTSIDE, piece, [int(at)], message, repairs))
    return found


def _strays(look: _Look) -> list[Finding]:
    if not len(look.parents):
        return []
    title = look.district.catalogue.layer(look.layer.parent or "").title
    return [
        look.finding(Kind.STRAY, look.sound[at], [int(at)], f"“{look.codes[at]}”不在任何{title}范围内")
        for at in np.flatnonzero(look.parent_of < 0)
    ]


def _duplicate_codes(look: _Look) -> list[Finding]:
    by_code: dict[str, list[int]] = {}
    codes = look.frame.arrays.code[look.frame.living]
    for at, code in enumerate(codes):
        if code:
            by_code.setdefault(code, []).append(at)
    found = []
    for code, holders in by_code.items():
        # the one that was stored first keeps it; living elements come in that order
        for at in holders[1:]:
            message = f"编码“{code}”被 {len(holders)} 个网格使用"
            repairs = [Repair("recode", "给后登记的网格编新码")] if _next_code(look, code) else []
            found.append(
                look.finding(Kind.DUPLICATE_CODE, look.sound[at], [at, holders[0]], message, repairs)
            )
    return found


def _next_code(look: _Look, code: str) -> str | None:
    scheme = grids.scheme_of(look.district, look.layer.id)
    try:
        prefix, _ = scheme.split(code)
    except CodeSchemeError:
        return None
    with look.district.database.read() as connection:
        used = descents.codes_ever_used(connection, look.layer.id, prefix)
    return scheme.next_codes(prefix, used, 1)[0]


def _members(look: _Look) -> list[Finding]:
    """Elements that lie in no grid, and those that are noted in another grid than the one they lie in."""
    if not len(look.ids):
        return []
    network = {one.group for one in look.district.catalogue if one.is_basemap and not one.is_grid}
    found = []
    codes = np.array(look.codes, dtype=object)
    for layer in look.district.catalogue:
        # roads and what belongs to them are kept beyond the district's edge
        if layer.is_grid or layer.is_basemap or layer.group in network:
            continue
        frame = look.district.frames.frame(layer.id)
        living = frame.living
        if not len(living):
            continue
        points = representative_points(sound_areas(frame.arrays.geometry[living]))
        lies = grid_codes(look.sound, codes, points)
        ids = frame.arrays.id[living].tolist()
        with look.district.database.read() as connection:
            noted = members.of_elements(connection, ids, look.layer.id)
        for at, code in enumerate(lies):
            name = frame.arrays.code[living[at]] or frame.arrays.name[living[at]]
            if code is None:
                found.append(
                    _of_element(
                        look,
                        Kind.ORPHAN,
                        layer,
                        ids[at],
                        name,
                        points[at],
                        f"{layer.title}“{name}”不在任何{look.layer.title}内",
                    )
                )
            if noted.get(ids[at]) != code:
                message = (
                    f"{layer.title}“{name}”的归属应为“{code or '无'}”,记录为“{noted.get(ids[at]) or '无'}”"
                )
                repairs = (Repair("derive", "重新推算全部归属"),)
                found.append(
                    _of_element(look, Kind.MISPLACED, layer, ids[at], name, points[at], message, repairs)
                )
    return found


def _of_element(
    look: _Look,
    kind: Kind,
    layer: Layer,
    element_id: str,
    name: str,
    point: BaseGeometry,
    message: str,
    repairs: tuple[Repair, ...] = (),
) -> Finding:
    found = look.finding(kind, point, [], message, repairs, has_area=False)
    key = hashlib.sha256(f"{kind.value}|{layer.id}|{element_id}|{message}".encode()).hexdigest()[:16]
    return replace(found, key=key, elements=(element_id,), codes=(name,))


def _slivers(look: _Look) -> list[Finding]:
    found = []
    for one in look.report.slivers:
        at = one.i
        is_whole = shapely.get_num_geometries(look.sound[at]) == 1
        near = look.neighbours(
            one.piece, parent=int(look.parent_of[at]) if len(look.parents) else None, skip=[at]
        )
        if is_whole:
            repairs = [
                Repair(f"merge:{look.ids[to]}", f"整个并入“{look.codes[to]}”") for to in near[:_OPTIONS]
            ]
        else:
            repairs = [Repair(f"move:{look.ids[to]}", f"划归“{look.codes[to]}”") for to in near[:_OPTIONS]]
        message = f"“{look.codes[at]}”有一条 {_m2(look.scale.area_m2(one.piece))} 的碎条(宽不足 {SLIVER_WIDTH_M:g} 米)"
        found.append(look.finding(Kind.SLIVER, one.piece, [at], message, repairs))
    return found


def _loose(look: _Look) -> list[Finding]:
    by_grid: dict[int, list[tuple[int, tuple[float, float]]]] = {}
    for one in loose_vertices(look.sound):
        by_grid.setdefault(one.j, []).append((one.i, one.place))
    found = []
    for at, vertices in by_grid.items():
        points = shapely.multipoints([place for _, place in vertices])
        others = sorted({i for i, _ in vertices})
        names = "、".join(f"“{look.codes[i]}”" for i in others[:_OPTIONS])
        message = f"“{look.codes[at]}”的边界上缺少与 {names} 共用的 {len(vertices)} 个节点"
        repairs = [Repair("node", "补上共用节点")]
        found.append(look.finding(Kind.LOOSE_VERTEX, points, [at, *others], message, repairs, has_area=False))
    return found


# --- mending ----------------------------------------------------------------------------------------------


def _mend(
    district: District, user: User, layer: Layer, found: Finding, chosen: str, reason: str
) -> int | None:
    with district.database.read() as connection:
        present = stored.get_many(connection, found.elements)
    revisions = {one.id: one.revision for one in present.values()}
    what, _, target = chosen.partition(":")
    first = found.elements[0] if found.elements else ""

    def hand_over(giver: str | None, taker: str | None) -> int | None:
        known = dict(revisions)
        for one in (giver, taker):
            if one is not None and one not in known:
                known[one] = elements.living(district, layer, one).revision
        pieces = [(found.piece, giver, taker)]
        return grids.transfer(district, user, layer.id, pieces, base_revisions=known, reason=reason).sequence

    def change(**options: object) -> int:
        receipt = elements.change(
            district, user, layer.id, first, base_revision=revisions[first], reason=reason, **options
        )  # type: ignore[arg-type]
        return receipt.element.sequence

    actions: dict[str, Callable[[], int | None]] = {
        "keep": lambda: hand_over(next(one for one in found.elements if one != target), None),
        "retire": lambda: (
            elements.delete(
                district, user, layer.id, target, base_revision=revisions[target], reason=reason
            ).element.sequence
        ),
        "give": lambda: hand_over(None, target),
        "move": lambda: hand_over(first, target),
        "cut": lambda: hand_over(first, None),
        "merge": lambda: _merge(district, user, layer, first, target, reason),
        "mend": lambda: change(geometry=sound_areas(np.array([present[first].geometry], dtype=object))[0]),
        "recode": lambda: change(changes={"code": _fresh_code(district, layer, present[first].code or "")}),
        "node": lambda: change(
            geometry=with_vertices(present[first].geometry, shapely.get_coordinates(found.piece).tolist())
        ),
        "derive": lambda: _derive_again(district, layer),
    }
    return actions[what]()


def _merge(district: District, user: User, layer: Layer, one: str, into: str, reason: str) -> int | None:
    revisions = {each: elements.living(district, layer, each).revision for each in (one, into)}
    return grids.merge(
        district,
        user,
        layer.id,
        list(revisions),
        base_revisions=revisions,
        into=into,
        reason=reason,
        propose=False,
    ).sequence


def _fresh_code(district: District, layer: Layer, code: str) -> str:
    scheme = grids.scheme_of(district, layer.id)
    prefix, _ = scheme.split(code)
    with district.database.read() as connection:
        used = descents.codes_ever_used(connection, layer.id, prefix)
    return scheme.next_codes(prefix, used, 1)[0]


def _derive_again(district: District, layer: Layer) -> None:
    """Note for every element which grid of `layer` it lies in, in the district's turn."""
    with district.database.write() as connection:
        # holds the turn without advancing: no commit moves a border meanwhile
        connection.execute(update(district_state).values(sequence=district_state.c.sequence))
        areas = district.frames.frame(layer.id)
        ground, codes = areas.arrays.geometry[areas.living], areas.arrays.code[areas.living]
        for one in district.catalogue:
            if one.is_basemap or one.id == layer.id:
                continue
            frame = district.frames.frame(one.id)
            living = frame.living
            points = representative_points(frame.arrays.geometry[living])
            found = membership.grid_codes(ground, codes, points)
            members.move(connection, frame.arrays.id[living].tolist(), layer.id, found.tolist())
