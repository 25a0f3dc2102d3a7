"""Layers as GeoDataFrames, with the fields that the layer catalogue asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

CRS = "EPSG:4326"


def frame(codes: Sequence[str], names: Sequence[str], geometry: Any, **fields: Any) -> gpd.GeoDataFrame:
    """One layer; a field given as a single value has it in every row, and `None` stays `None`."""
    columns: dict[str, Any] = {"code": list(codes), "name": list(names)}
    for name, values in fields.items():
        if values is None or isinstance(values, str | bool | int | float):
            values = [values] * len(codes)
        columns[name] = _column(values)
    return gpd.GeoDataFrame(pd.DataFrame(columns), geometry=np.asarray(geometry, dtype=object), crs=CRS)


def _column(values: Any) -> Any:
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values
    values = list(values)
    return pd.Series(values, dtype=object) if any(one is None for one in values) else values


def points(lonlat: Any) -> np.ndarray:
    """Points of degrees (n, 2)."""
    return shapely.points(np.asarray(lonlat, dtype=np.float64).reshape(-1, 2))


def numbered(prefix: str, count: int, digits: int) -> list[str]:
    """`prefix` with 1, 2, 3, … in at least `digits` digits."""
    return [f"{prefix}{k:0{digits}d}" for k in range(1, count + 1)]
