"""Gaps (死角): what is left of an area beyond a threshold, ranked by the people in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from gridmap.analysis.coverage import exact_weights
from gridmap.analysis.snapping import points_array
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """
    Uncovered parts of an area, most people first, then largest.

    Attributes
    ----------
    polygon : (k,) polygons
    people : (k,) uncovered people; `people.sum() + elsewhere` is all uncovered people, exactly
    area_m2 : (k,)
    worst : (k,) seconds of the farthest demand point in it, NaN without demand, `inf` where it reaches none
    gap : (n,) number of the gap of each demand point, -1 for covered ones and those elsewhere
    elsewhere : uncovered people that no polygon holds (outside the area, or in a spot smaller than a cell)
    """

    polygon: Shapes
    people: Floats
    area_m2: Floats
    worst: Floats
    gap: Ints
    elsewhere: float


def ranked_gaps(
    left: Shapes,
    threshold: float,
    demand_xy: ArrayLike,
    weight: ArrayLike,
    cost: ArrayLike,
    *,
    cell_m: float,
    smallest_m2: float,
) -> Gaps:
    """
    The polygons that are left of an area, as gaps.

    Parameters
    ----------
    left : (m,) polygons, metres
    threshold : demand that costs more lies in a gap
    demand_xy, weight, cost : (n, 2) metres, (n,) people and (n,) cost of each to its nearest point
    cell_m : how true the polygons are: uncovered demand beside all of them belongs to one within 1.5 cells
    smallest_m2 : polygons below this are left out unless somebody lives in them

    Raises
    ------
    InvalidInput
        Shapes disagree, or a weight is negative.
    """
    xy, people, seconds = points_array(demand_xy), exact_weights(weight), np.asarray(cost, dtype=np.float64)
    if not len(xy) == len(people) == len(seconds):
        raise InvalidInput(
            f"{len(xy)} places, {len(people)} weights and {len(seconds)} costs differ",
            zh="需求点、人口与时间个数不一致。",
        )
    gap = np.full(len(xy), -1, np.intp)
    missed = np.flatnonzero(seconds > threshold)
    if len(left) and len(missed):
        places = shapely.STRtree(shapely.points(xy[missed]))
        polygon, place = places.query(left, predicate="contains")
        gap[missed[place]] = polygon
        # a cell's breadth of tolerance, since the shapes are no truer than that; contours have a corner per cell
        stray = np.flatnonzero(gap[missed] < 0)
        corners, owner = shapely.get_coordinates(left, return_index=True)
        near, corner = cKDTree(corners).query(xy[missed[stray]], distance_upper_bound=1.5 * cell_m)
        found = np.isfinite(near)
        gap[missed[stray[found]]] = owner[corner[found]]
    k = len(left)
    held = gap >= 0
    inside = np.bincount(gap[held], people[held], minlength=k).astype(np.float64)
    area = shapely.area(left)
    order = np.lexsort((-area, -inside))
    order = order[(inside[order] > 0) | (area[order] >= smallest_m2)]
    rank = np.full(k + 1, -1, np.intp)
    rank[order] = np.arange(len(order))
    gap = rank[gap]
    held = gap >= 0
    worst = np.full(len(order), -np.inf)
    np.maximum.at(worst, gap[held], seconds[held])
    worst[worst == -np.inf] = np.nan
    return Gaps(
        left[order],
        inside[order],
        area[order],
        worst,
        gap,
        float(people[missed].sum() - people[held].sum()),
    )
