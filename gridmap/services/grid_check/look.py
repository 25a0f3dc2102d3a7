"""The grids of a layer as a check-up sees them: sound areas, their parents, and what keeps them from a partition."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids import Scale, scale_of
from gridmap.domain.layers import Layer
from gridmap.services.district import District
from gridmap.services.frames import Frame
from gridmap.services.grid_check.findings import Finding, Kind, Repair
from gridmap.validation.geometry import valid_form
from gridmap.validation.topology import PartitionReport, partition_problems

# Corners computed by an overlay are rounded: what lies this near (degrees) touches.
TOUCHING = 1e-8

TOLERANCE_M2 = 1.0
SLIVER_WIDTH_M = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """
    The living grids of a layer, in degrees, and their parents.

    Attributes
    ----------
    codes : the code of each, or its name where it has none
    areas, sound : (n,) as they are stored, and in a valid form
    parents : areas of the parent layer in a valid form; empty where the layer has no parent
    parent_of : (n,) position of the parent that has most of each; -1 where none has any
    """

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
    def at(cls, district: District, layer: Layer) -> Look:
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
        near = np.flatnonzero(shapely.dwithin(self.sound, piece, TOUCHING))
        edge = shapely.boundary(piece).buffer(TOUCHING)
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
