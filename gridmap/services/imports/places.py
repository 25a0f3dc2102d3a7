"""Geometries of a file: sound or not, in which datum, and which are the same place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from gridmap.domain.crs import Datum, parse_datum, to_wgs84
from gridmap.domain.layers import GeometryType
from gridmap.errors import InvalidInput
from gridmap.exchange import datum_suspicion
from gridmap.services.ground import district_area
from gridmap.services.imports.work import Work
from gridmap.validation.geometry import MAX_VERTICES, geometry_problems, promoted

_SUSPICION_SAMPLE = 3_000


def check_geometry(work: Work) -> None:
    geometry = to_wgs84(work.table.geometry, work.datum)
    accepted = [shapely.GeometryType[one.upper()].value for one in work.layer.geometry.accepted]
    if work.layer.geometry is GeometryType.POINT:
        odd = np.flatnonzero(~np.isin(shapely.get_type_id(geometry), accepted))
        geometry[odd] = promoted(geometry[odd], "Point")
    unread = {one.row for one in work.table.problems}
    suspects = np.flatnonzero(~is_plainly_sound(geometry, accepted))
    for one in geometry_problems(geometry[suspects], expected_type=work.layer.geometry.value):
        at = int(suspects[one.index])
        if not (one.fault.value == "missing" and work.rows[at] in unread):
            work.refuse(at, "geometry", one.fault.value, one.message)
    work.geometry = geometry
    _suspect_datum(work)


def _suspect_datum(work: Work) -> None:
    declared = work.table.declared_crs
    if declared and parse_datum_or_none(declared) not in (None, work.datum):
        stated = parse_datum(declared)
        if not (stated.is_wgs84 and work.datum.is_wgs84):
            work.warnings.append(f"文件声明的坐标系是{stated.title},与所选的{work.datum.title}不同,请核对。")
    sound = np.flatnonzero(work.is_good)
    if not len(sound):
        return
    outline = district_area(work.district, beside=work.layer.id)
    sample = sound[:: max(1, len(sound) // _SUSPICION_SAMPLE)]
    suspicion = datum_suspicion(
        work.geometry[sample], outline, stated=work.datum, references=_references(work)
    )
    if suspicion.is_suspicious and len(sample) == len(sound):
        work.warnings.append(suspicion.message)
    elif suspicion.is_suspicious:
        work.warnings.append(f"抽查 {len(sample):,} 行:{suspicion.message}")


def _references(work: Work) -> np.ndarray[Any, Any] | None:
    """What such data usually lie near: the stored roads, for anything else than roads."""
    if work.layer.id == "road" or "road" not in work.district.catalogue:
        return None
    if work.layer.geometry is not GeometryType.POINT:
        return None
    roads = work.district.frames.frame("road")
    return roads.arrays.geometry[roads.living] if len(roads) else None


def parse_datum_or_none(text: str) -> Datum | None:
    """The datum that `text` names; None where it names none."""
    try:
        return parse_datum(text)
    except InvalidInput:
        return None


def is_plainly_sound(geometry: np.ndarray, accepted: Sequence[int]) -> np.ndarray:
    """Geometries that need no closer look: right type, finite, on the globe, valid, with extent."""
    kind = shapely.get_type_id(geometry)
    sound = np.isin(kind, accepted) & ~shapely.is_empty(geometry)
    bounds = shapely.bounds(geometry)
    with np.errstate(invalid="ignore"):
        sound &= np.isfinite(bounds).all(axis=1)
        sound &= (bounds[:, 0] >= -180) & (bounds[:, 1] >= -90) & (bounds[:, 2] <= 180) & (bounds[:, 3] <= 90)
    shaped = np.flatnonzero(sound & (kind > 0))
    if len(shaped):
        parts = geometry[shaped]
        ok = shapely.is_valid(parts) & (shapely.length(parts) > 0)
        ok &= shapely.get_num_coordinates(parts) <= MAX_VERTICES
        ok &= (shapely.get_dimensions(parts) < 2) | (shapely.area(parts) > 0)
        # bounds skip a NaN among other numbers
        xy, owner = shapely.get_coordinates(parts, return_index=True)
        ok[owner[~np.isfinite(xy).all(axis=1)]] = False
        sound[shaped] = ok
    return sound
