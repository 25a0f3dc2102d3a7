"""Who is reached by a workstation, by the definition that overview and packs print beside every figure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import shapely

from gridmap.analysis.coverage import line_coverage
from gridmap.domain.crs import metric_crs_of, to_metric
from gridmap.services.district import District

RADIUS_M = 1_500.0


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """
    Whether each demand point is reached, and how that was found.

    `within[k]` counts the people within reach of workstation k, `unique[k]` those whom it alone reaches,
    `nearest[k]` those for whom it is the nearest one, however far.
    """

    is_covered: np.ndarray
    within: np.ndarray
    unique: np.ndarray
    nearest: np.ndarray
    method: str
    crs: str
    radius_m: float | None = None

    @property
    def text(self) -> str:
        """The definition in one phrase."""
        return f"{self.method}({self.crs})" if self.crs else self.method


def reach(
    district: District,
    places: np.ndarray,
    people: np.ndarray,
    posts: np.ndarray,
    *,
    at: datetime | None = None,
) -> Reach:
    """
    Which of `places` (lon/lat points with `people`) lie within reach of `posts` (lon/lat points).

    Straight line, `RADIUS_M`, a place exactly on the radius is reached.
    """
    method = f"直线距离 {RADIUS_M:,.0f} 米"
    if len(places) == 0 or len(posts) == 0:
        none = np.zeros(len(posts))
        return Reach(np.zeros(len(places), dtype=bool), none, none, none, method, "", RADIUS_M)
    crs = metric_crs_of(np.concatenate([places, posts]))
    demand_xy, post_xy = (shapely.get_coordinates(to_metric(one, crs)) for one in (places, posts))
    found = line_coverage(demand_xy, people.astype(float), post_xy, RADIUS_M)
    crs_name = f"EPSG:{crs.to_epsg()}"
    return Reach(found.is_covered, found.within, found.unique, found.assigned, method, crs_name, RADIUS_M)
