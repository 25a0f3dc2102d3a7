"""What stands close together: pairs of geometries within a few metres."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.spatial import cKDTree

from gridmap.domain.crs import metric_crs_of, to_metric


def near_pairs(geometries: np.ndarray, radius_m: float) -> np.ndarray:
    """
    (k, 2) positions i < j of lon/lat geometries at most `radius_m` apart, in order.

    Distances are straight, in the UTM zone of the data; exactly on the radius counts.
    """
    metric = to_metric(geometries, metric_crs_of(geometries))
    if (shapely.get_type_id(metric) == 0).all():
        pairs = cKDTree(shapely.get_coordinates(metric)).query_pairs(radius_m, output_type="ndarray")
    else:
        first, second = shapely.STRtree(metric).query(metric, predicate="dwithin", distance=radius_m)
        pairs = np.column_stack([first, second])[first < second]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
