"""Tables and geometry that the tests of the exchange share."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import geopandas
import numpy as np
import pandas
import shapely
from hypothesis import strategies as st

from gridmap.exchange.table import plain_values

KINDS = {
    "id": str, "code": str, "name": str, "note": str, "people": int, "share": float, "is_open": bool,
    "checked_on": date, "verified_at": datetime,
}  # fmt: skip

AREA = shapely.Polygon(
    [(121.4, 30.8), (121.6, 30.8), (121.6, 31.0), (121.4, 31.0)],
    [[(121.45, 30.85), (121.5, 30.85), (121.5, 30.9), (121.45, 30.9)]],
)


def column(values: list[Any]) -> pandas.Series:
    """The values in the dtype that the product's own frames have."""
    kinds = {type(value) for value in values if value is not None}
    dtype = {frozenset({bool}): "boolean", frozenset({int}): "Int64", frozenset({float}): "float64"}
    return pandas.Series(values, dtype=dtype.get(frozenset(kinds), object))


def frame_of(columns: Mapping[str, list[Any]], geometry: Any) -> geopandas.GeoDataFrame:
    array = np.empty(len(geometry), dtype=object)
    array[:] = list(geometry)
    frame = pandas.DataFrame({name: column(list(values)) for name, values in columns.items()})
    return geopandas.GeoDataFrame(frame, geometry=array, crs="EPSG:4326")


def workstations() -> geopandas.GeoDataFrame:
    """Three points with every type of value, missing and empty ones, and texts that like to get lost."""
    return frame_of(
        {
            "id": ["7d1f2c1e-0000-4000-8000-000000000001", "2", "03"],
            "code": ["GZZ0001", "007", "310120101001000000001"],
            "name": ["南桥警务站", "奉浦“一号”,东门\n(24小时)", "=1+1"],
            "note": ["", None, "'-5"],
            "people": [12, None, 2**53 + 1],
            "share": [0.1, None, 1e-7],
            "is_open": [True, None, False],
            "checked_on": [date(2024, 2, 29), None, date(1999, 12, 31)],
            "verified_at": [
                datetime(2026, 3, 2, 8, 0, 0, 123000, tzinfo=UTC), None, datetime(2026, 3, 2, tzinfo=UTC),
            ],
        },
        [shapely.Point(121.45231812345678, 30.9), None, shapely.Point(121.6, 31.00000000000001)],
    )  # fmt: skip


def values(frame: pandas.DataFrame) -> dict[str, list[Any]]:
    """Plain values by column, without the geometry."""
    return {str(name): plain_values(frame[name]) for name in frame.columns if name != "geometry"}


def same_geometry(a: Any, b: Any, tolerance: float = 1e-9) -> bool:
    """Whether the geometries are equal but for the direction and start of rings, and single against multi."""
    return len(a) == len(b) and all(
        one is other
        if one is None or other is None
        else shapely.equals_exact(_multi(one), _multi(other), tolerance=tolerance)
        for one, other in zip(a, b, strict=True)
    )


def _multi(geometry: shapely.Geometry) -> shapely.Geometry:
    kinds = {
        "Point": shapely.MultiPoint,
        "LineString": shapely.MultiLineString,
        "Polygon": shapely.MultiPolygon,
    }
    gather = kinds.get(geometry.geom_type)
    return shapely.normalize(gather([geometry]) if gather else geometry)


def zipped(files: Mapping[str, bytes | str], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- strategies -------------------------------------------------------------------------------------------

texts = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=12),
    st.text("=+-@'\"“,;|\t\n 0123456789奉贤区", max_size=8),
    st.sampled_from(
        [
            "",
            " ",
            "null",
            "NaN",
            "#N/A",
            "0071",
            "1e5",
            "TRUE",
            "<script>",
            "𠮷",
            "联通",
            "x" * 300,
            "汉" * 100,
        ]
    ),
)
cells = {
    "code": st.text("0123456789", min_size=1, max_size=21),
    "name": texts,
    "note": texts,
    "people": st.integers(-(2**63), 2**63 - 1),
    "share": st.floats(allow_nan=False, allow_infinity=False),
    "is_open": st.booleans(),
    "checked_on": st.dates(date(1900, 3, 1), date(2199, 12, 31)),
    "verified_at": st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1)).map(
        lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
    ),
}
_lon, _lat = st.floats(73.6, 135, allow_subnormal=False), st.floats(3.5, 53.5, allow_subnormal=False)
points = st.builds(shapely.Point, _lon, _lat)


@st.composite
def lines(draw: Any) -> shapely.LineString:
    x, y = draw(_lon), draw(_lat)
    steps = draw(st.lists(st.tuples(st.floats(0.001, 0.1), st.floats(-0.1, 0.1)), min_size=1, max_size=4))
    return shapely.linestrings(np.cumsum([(x, y), *steps], axis=0))


@st.composite
def areas(draw: Any) -> shapely.Geometry:
    x, y, size = draw(_lon), draw(_lat), draw(st.floats(0.001, 0.1))
    outer = shapely.box(x, y, x + size, y + size)
    hole = shapely.box(x + size / 4, y + size / 4, x + size / 2, y + size / 2)
    shape = draw(st.sampled_from(["plain", "hole", "two"]))
    if shape == "hole":
        return shapely.Polygon(outer.exterior, [hole.exterior])
    if shape == "two":
        return shapely.MultiPolygon([outer, shapely.affinity.translate(outer, 2 * size, 0)])
    return outer


@st.composite
def frames(draw: Any) -> geopandas.GeoDataFrame:
    n = draw(st.integers(1, 5))
    columns: dict[str, list[Any]] = {"id": [f"{number:04d}" for number in range(n)]}
    for name, cell in cells.items():
        columns[name] = draw(st.lists(st.one_of(st.none(), cell), min_size=n, max_size=n))
    shapes = draw(st.sampled_from([points, lines(), areas()]))
    return frame_of(columns, draw(st.lists(st.one_of(st.none(), shapes), min_size=n, max_size=n)))
