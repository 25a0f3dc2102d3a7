"""
Whether the stated datum can be right: nothing in a file says so, but the ground does.

GCJ-02 and BD-09 lie some 500 and 1,200 m beside WGS 84. Where a file's places fall outside the district, or
beside the roads and outlines that are known, and fit better when read as another datum, the person who
imports is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import (
    BD09,
    GCJ02,
    WGS84,
    Datum,
    from_wgs84,
    metric_crs_of,
    parse_datum,
    to_metric,
    to_wgs84,
    xy_in_metres,
)

# A file is taken for an outline of the district when it covers more of it than this under some datum.
_OUTLINE = 0.8
_MOST_POINTS = 20_000


@dataclass(frozen=True, slots=True)
class Suspicion:
    """
    What the ground says about the stated datum.

    Attributes
    ----------
    is_suspicious : whether a person should look before the import
    stated : the datum as stated
    likely : the datum that fits best; equal to `stated` where there is no reason to doubt it
    fit : for each datum, how well it fits (0 to 1, by `measure`)
    measure : "iou" (overlap with the district's outline), "inside" (share inside the district), "snap"
        (share within 30 m of a reference), "" where nothing could be measured
    outside : number of geometries that lie outside the district as stated
    message : Chinese sentences for the person who imports; empty where there is nothing to say
    """

    is_suspicious: bool
    stated: Datum
    likely: Datum
    fit: Mapping[str, float] = field(default_factory=dict)
    measure: str = ""
    outside: int = 0
    message: str = ""


def datum_suspicion(
    geometries: ArrayLike,
    district: BaseGeometry | None,
    *,
    stated: Datum | str = WGS84,
    references: ArrayLike | None = None,
) -> Suspicion:
    """
    Whether geometries that were read as `stated` fit the district, or would fit better as another datum.

    An outline of the whole district is judged by its overlap with it, anything else by the share of its
    places that lie within 30 m of a reference where references are given and near, else inside the district.

    Parameters
    ----------
    geometries : (n,) geometries in WGS 84, as they came out of `to_wgs84(raw, stated)` (None allowed)
    district : the district's area in WGS 84; None where there is none yet
    stated : the datum that the user stated
    references : lines or points known to be right, in WGS 84, near which such data usually lie (roads for
        addresses, the stored elements for a file that was imported before)

    Returns
    -------
    Suspicion; not suspicious when there is nothing to compare.
    """
    stated = parse_datum(stated)
    array = _present(geometries)
    if not len(array) or (district is None and references is None):
        return Suspicion(False, stated, stated)
    raw = from_wgs84(array, stated)
    datums = [stated]
    if stated.epsg is None:
        others = (WGS84, GCJ02, BD09)
        datums += [one for one in others if one != stated and not (one.is_wgs84 and stated.is_wgs84)]
    candidates = {str(one): to_wgs84(raw, one) for one in datums}
    outside = _number_outside(array, district)
    measure, fit = _fit(candidates, district, references)
    likely = parse_datum(max(fit, key=lambda name: fit[name])) if fit else stated
    if likely != stated and not _is_clearly_better(fit, str(likely), str(stated), measure, len(array)):
        likely = stated
    message = _message(array, district, stated, likely, outside, fit, measure)
    return Suspicion(bool(message), stated, likely, fit, measure, outside, message)


def _present(geometries: ArrayLike) -> np.ndarray[Any, Any]:
    array = np.empty(len(geometries), dtype=object)  # type: ignore[arg-type]
    array[:] = list(geometries)  # type: ignore[arg-type]
    array = array[~(shapely.is_missing(array) | shapely.is_empty(array))]
    return array[np.isfinite(shapely.bounds(array)).all(axis=1)] if len(array) else array


def _number_outside(array: np.ndarray[Any, Any], district: BaseGeometry | None) -> int:
    if district is None:
        return 0
    shapely.prepare(district)
    return int((~shapely.intersects(district, array)).sum())


def _fit(
    candidates: Mapping[str, np.ndarray[Any, Any]],
    district: BaseGeometry | None,
    references: ArrayLike | None,
) -> tuple[str, dict[str, float]]:
    if district is not None:
        iou = {name: _overlap(array, district) for name, array in candidates.items()}
        if max(iou.values()) > _OUTLINE:
            return "iou", iou
    points = {name: _sample(array) for name, array in candidates.items()}
    if references is not None:
        snap = _snap(points, _present(references))
        if snap and max(snap.values()) >= 0.3:
            return "snap", snap
    if district is None:
        return "", {}
    return "inside", {name: float(shapely.contains_xy(district, xy).mean()) for name, xy in points.items()}


def _overlap(array: np.ndarray[Any, Any], district: BaseGeometry) -> float:
    """Intersection over union of the areas with the district, in square degrees; 0 without areas."""
    areas = array[shapely.get_dimensions(array) == 2]
    if not len(areas) or shapely.area(areas).sum() < district.area * 0.5:
        return 0.0
    sound = np.where(shapely.is_valid(areas), areas, shapely.make_valid(areas))
    ground = shapely.union_all(sound)
    union = shapely.union(ground, district).area
    return float(shapely.intersection(ground, district).area / union) if union else 0.0


def _sample(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(n, 2) vertices, evenly thinned to at most some thousands."""
    xy = shapely.get_coordinates(array)
    return xy[:: max(1, len(xy) // _MOST_POINTS)]


def _snap(points: Mapping[str, np.ndarray[Any, Any]], references: np.ndarray[Any, Any]) -> dict[str, float]:
    """Share of the points within 30 m of a reference; nothing without references."""
    if not len(references):
        return {}
    crs = metric_crs_of(references)
    tree = shapely.STRtree(to_metric(references, crs))
    fit = {}
    for name, xy in points.items():
        metres = xy_in_metres(xy[:, 0], xy[:, 1], crs)
        metres = metres[np.isfinite(metres).all(axis=1)]
        near = tree.query(shapely.points(metres), predicate="dwithin", distance=30.0)[0]
        fit[name] = len(np.unique(near)) / max(len(xy), 1)
    return fit


def _is_clearly_better(fit: Mapping[str, float], likely: str, stated: str, measure: str, n: int) -> bool:
    """Whether the difference is more than chance and more than the border's own inaccuracy."""
    gain = fit[likely] - fit[stated]
    if measure == "iou":
        return gain > 0.01
    if measure == "snap":
        return gain * n >= 5 and gain > 0.15
    # A handful outside is telling when another datum brings every single place inside.
    return (gain * n >= 3 and gain > 0.002) or (fit[likely] == 1.0 and gain > 0 and n >= 100)


def _message(
    array: np.ndarray[Any, Any],
    district: BaseGeometry | None,
    stated: Datum,
    likely: Datum,
    outside: int,
    fit: Mapping[str, float],
    measure: str,
) -> str:
    parts = []
    if outside:
        parts.append(f"有 {outside} 个图形(共 {len(array)} 个)不在本区范围内。")
    if likely != stated:
        words = {
            "iou": "与本区范围的重合度",
            "snap": "靠近已有道路或要素的比例",
            "inside": "落在本区内的比例",
        }[measure]
        certainty = "很可能" if fit[str(likely)] - fit[str(stated)] > 0.004 else "可能"
        parts.append(
            f"按“{stated.title}”读取时{words}为 {fit[str(stated)]:.1%},按“{likely.title}”读取时为 {fit[str(likely)]:.1%}:"
            f"数据{certainty}是{likely.title}。请核对后重新选择坐标系。"
        )
    elif outside and district is not None and _is_swapped(array, district):
        parts.append("经度和纬度可能填反了。")
    elif outside == len(array) and outside:
        parts.append("所选坐标系很可能不对,或文件不是本区的数据。")
    return "".join(parts)


def _is_swapped(array: np.ndarray[Any, Any], district: BaseGeometry) -> bool:
    xy = _sample(array)
    return bool(shapely.contains_xy(district, xy[:, ::-1]).mean() > 0.5)
