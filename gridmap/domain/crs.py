"""
Datums: what the coordinates in a file mean, and how they become WGS 84 and back.

Stored coordinates are WGS 84 longitude and latitude (EPSG:4326). CGCS2000 agrees with it within
centimetres to decimetres and is read as equal. GCJ-02 (火星坐标) is WGS 84 moved by up to some 700 m by a
formula; BD-09 is GCJ-02 moved once more. Neither has an inverse formula: the inverses here iterate until the
forward formula gives the input back to far better than 1e-8 degrees.

Angles are degrees, longitude first; projected coordinates are metres, easting first. Geometry that goes
through this module loses its Z: heights are not kept anywhere in the product.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from gridmap.errors import InvalidInput

# The box inside which the shift is defined, both ends included; outside, every datum equals WGS 84.
CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)

_A = 6378245.0
_EE = 0.00669342162296594323
_ORIGIN = (105.0, 35.0)
_BD_PI = np.pi * 3000.0 / 180.0
_BD_OFFSET = (0.0065, 0.006)

Array = np.ndarray[Any, Any]
_Shift = Callable[[Array, Array], tuple[Array, Array]]


class CrsUnknownError(InvalidInput):
    """
    A datum or coordinate system that is not known, or that does not hold horizontal positions.

    Attributes
    ----------
    datum : the text as it was given
    """

    title = "无法识别的坐标系"

    def __init__(self, datum: object, why: str = "is not a known datum", zh_why: str = "无法识别") -> None:
        super().__init__(
            f"{datum!r} {why}; use wgs84, cgcs2000, gcj02, bd09 or an EPSG code such as EPSG:4549",
            zh=f"坐标系“{datum}”{zh_why}。可填 wgs84、cgcs2000、gcj02、bd09,或 EPSG 编号(例如 EPSG:4549)。",
            datum=str(datum),
        )


# --- the formulas -----------------------------------------------------------------------------------------


def _gcj_shift(lon: Array, lat: Array) -> tuple[Array, Array]:
    """Degrees from WGS 84 to GCJ-02 at a WGS 84 position, box or not."""
    x, y = lon - _ORIGIN[0], lat - _ORIGIN[1]
    root = np.sqrt(np.abs(x))
    common = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
        + (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
        + (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    )  # fmt: skip
    east = (
        300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
        + (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
        + (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    )  # fmt: skip
    phi = np.radians(lat)
    magic = 1.0 - _EE * np.sin(phi) ** 2
    meridian = _A * (1.0 - _EE) / (magic * np.sqrt(magic))
    parallel = _A / np.sqrt(magic) * np.cos(phi)
    return np.degrees(east / parallel), np.degrees(north / meridian)


def _bd_shift(lon: Array, lat: Array) -> tuple[Array, Array]:
    """Degrees from GCJ-02 to BD-09 at a GCJ-02 position, box or not."""
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_PI)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_PI)
    return radius * np.cos(angle) + _BD_OFFSET[0] - lon, radius * np.sin(angle) + _BD_OFFSET[1] - lat


def _inside(lon: Array, lat: Array) -> Array:
    west, south, east, north = CHINA_BOX
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _pair(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    lon, lat = np.broadcast_arrays(np.asarray(lon, dtype=float), np.asarray(lat, dtype=float))
    return lon, lat


def _forward(shift: _Shift, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    lon, lat = _pair(lon, lat)
    inside = _inside(lon, lat)
    # Positions outside (and NaN, infinity) are computed at the origin and then not used: no warnings.
    east, north = shift(np.where(inside, lon, _ORIGIN[0]), np.where(inside, lat, _ORIGIN[1]))
    return (np.where(inside, lon + east, lon)[()], np.where(inside, lat + north, lat)[()])


def _inverse(shift: _Shift, lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    lon, lat = _pair(lon, lat)
    # The shift is below 0.02 degrees, so only positions near the box can have come out of it.
    west, south, east, north = CHINA_BOX
    near = (lon > west - 0.1) & (lon < east + 0.1) & (lat > south - 0.1) & (lat < north + 0.1)
    target = np.where(near, lon, _ORIGIN[0]), np.where(near, lat, _ORIGIN[1])
    found = target
    for _ in range(30):  # converges some hundredfold a step; six steps reach the last bit
        moved = shift(*found)
        step = target[0] - moved[0] - found[0], target[1] - moved[1] - found[1]
        found = found[0] + step[0], found[1] + step[1]
        if max(np.abs(step[0]).max(initial=0.0), np.abs(step[1]).max(initial=0.0)) < 1e-13:
            break
    # At the edge of the box the forward formula jumps: a few positions outside are reached by one inside and by
    # themselves too (the one inside is meant: the data are about China), a few inside by none at all (the border
    # comes nearest). Rounding must not push a position on the border out, where the shift would be zero.
    inside = np.clip(found[0], west, east), np.clip(found[1], south, north)
    is_reached = np.hypot(found[0] - inside[0], found[1] - inside[1]) < 1e-9
    use = near & (is_reached | _inside(lon, lat))
    return np.where(use, inside[0], lon)[()], np.where(use, inside[1], lat)[()]


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """
    GCJ-02 `(lon, lat)` of WGS 84 positions.

    Arrays of any shape in degrees, broadcast against each other; scalars give scalars. Positions outside
    `CHINA_BOX` (the border itself is inside), NaN and infinities come back as they are.
    """
    return _forward(_gcj_shift, lon, lat)


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """WGS 84 `(lon, lat)` of GCJ-02 positions: `wgs84_to_gcj02` gives them back within 1e-12 degrees."""
    return _inverse(_gcj_shift, lon, lat)


def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """BD-09 `(lon, lat)` of GCJ-02 positions; shapes and places outside China as in `wgs84_to_gcj02`."""
    return _forward(_bd_shift, lon, lat)


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """GCJ-02 `(lon, lat)` of BD-09 positions: `gcj02_to_bd09` gives them back within 1e-12 degrees."""
    return _inverse(_bd_shift, lon, lat)


def wgs84_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """BD-09 `(lon, lat)` of WGS 84 positions."""
    return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def bd09_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    """WGS 84 `(lon, lat)` of BD-09 positions."""
    return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))


# --- datums by name ---------------------------------------------------------------------------------------


class DatumKind(Enum):
    """The families of datums that a file can be in."""

    WGS84 = "wgs84"
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"
    BD09 = "bd09"
    EPSG = "epsg"


@dataclass(frozen=True, slots=True)
class Datum:
    """
    One datum, or one coordinate system of the EPSG register.

    `epsg` is set for the kind EPSG alone. `str(datum)` is the text that `parse_datum` reads back.
    """

    kind: DatumKind
    epsg: int | None = None

    def __post_init__(self) -> None:
        if (self.kind is DatumKind.EPSG) != (self.epsg is not None):
            raise ValueError(f"an EPSG code belongs to the kind EPSG alone: {self.kind}, {self.epsg}")

    def __str__(self) -> str:
        return f"EPSG:{self.epsg}" if self.epsg is not None else self.kind.value

    @property
    def is_wgs84(self) -> bool:
        """Whether coordinates in this datum are stored as they are."""
        return self.kind in (DatumKind.WGS84, DatumKind.CGCS2000)

    @property
    def is_projected(self) -> bool:
        """Whether coordinates are metres (or another length) instead of degrees."""
        return self.epsg is not None and _register_crs(self.epsg).is_projected

    @property
    def is_shifted(self) -> bool:
        """Whether this is one of the two datums that no reader of map files knows: GCJ-02, BD-09."""
        return self.kind in (DatumKind.GCJ02, DatumKind.BD09)

    @property
    def suffix(self) -> str:
        """What a file's name ends with to tell its datum: `""` for WGS 84, else `_gcj02`, `_epsg4549`, …"""
        return "" if self.kind is DatumKind.WGS84 else f"_{str(self).lower().replace(':', '')}"

    @property
    def title(self) -> str:
        """The words a person reads."""
        if self.epsg is not None:
            return f"EPSG:{self.epsg}({_register_crs(self.epsg).name})"
        return {
            DatumKind.WGS84: "WGS 84(GPS 坐标)",
            DatumKind.CGCS2000: "2000国家大地坐标系(CGCS2000)",
            DatumKind.GCJ02: "火星坐标(GCJ-02,高德、腾讯)",
            DatumKind.BD09: "百度坐标(BD-09)",
        }[self.kind]


WGS84 = Datum(DatumKind.WGS84)
CGCS2000 = Datum(DatumKind.CGCS2000)
GCJ02 = Datum(DatumKind.GCJ02)
BD09 = Datum(DatumKind.BD09)

_NAMES = {
    "wgs84": WGS84, "crs84": WGS84, "gps": WGS84, "epsg4326": WGS84, "4326": WGS84,
    "cgcs2000": CGCS2000, "2000国家大地坐标系": CGCS2000, "国家2000": CGCS2000,
    "epsg4490": CGCS2000, "4490": CGCS2000,
    "gcj02": GCJ02, "火星坐标": GCJ02, "火星坐标系": GCJ02, "高德": GCJ02, "腾讯": GCJ02,
    "bd09": BD09, "bd09ll": BD09, "百度": BD09, "百度坐标": BD09,
}  # fmt: skip
_URN = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:)?(?:(?:epsg|ogc)\s*:{0,2}(?:[0-9.]{1,8}:)?\s*)?(crs84|[0-9]{3,6})"
)


def parse_datum(text: str | Datum) -> Datum:
    """
    The datum that `text` names.

    Known are `wgs84`, `cgcs2000`, `gcj02`, `bd09` (any case; spaces, hyphens and underscores do not matter),
    their usual Chinese names, EPSG codes (`EPSG:4549`, `4549`) and OGC names (`urn:ogc:def:crs:EPSG::4549`).

    Raises
    ------
    CrsUnknownError
        Nothing has that name, or it is not a system of horizontal positions.
    """
    if isinstance(text, Datum):
        return text
    if not isinstance(text, str) or len(text) > 100:
        raise CrsUnknownError(str(text)[:100])
    words = text.strip().lower()
    known = _NAMES.get(re.sub(r"[\s_\-:]+", "", words))
    if known is not None:
        return known
    match = _URN.fullmatch(words)
    if match is None:
        raise CrsUnknownError(text)
    known = _NAMES.get(match[1])
    if known is not None:
        return known
    _register_crs(int(match[1]))
    return Datum(DatumKind.EPSG, int(match[1]))


@lru_cache(maxsize=256)
def _register_crs(code: int) -> CRS:
    """The coordinate system with this EPSG code; raises CrsUnknownError."""
    try:
        crs = CRS.from_epsg(code)
    except CRSError:
        raise CrsUnknownError(f"EPSG:{code}", "is not in the EPSG register", "不在 EPSG 目录中") from None
    if not (crs.is_geographic or crs.is_projected):
        raise CrsUnknownError(f"EPSG:{code}", "does not hold horizontal positions", "不是平面位置坐标系")
    return crs


@lru_cache(maxsize=256)
def _transformer(source: int, target: int) -> Transformer:
    return Transformer.from_crs(_register_crs(source), _register_crs(target), always_xy=True)


def _project(source: int, target: int, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    x, y = _pair(x, y)
    return _transformer(source, target).transform(x, y)


# --- geometry ---------------------------------------------------------------------------------------------


def _each(geometries: ArrayLike, function: Callable[[Array, Array], tuple[Array, Array]] | None) -> Array:
    """A new array of the same geometries in two dimensions, every position through `function`."""
    array = np.asarray(geometries, dtype=object)
    if function is None:
        is_flat = not (shapely.has_z(array) | shapely.has_m(array)).any()
        return array.copy() if is_flat else np.asarray(shapely.force_2d(array), dtype=object)

    def move(xy: Array) -> Array:
        return np.column_stack(function(xy[:, 0], xy[:, 1])) if len(xy) else xy

    return np.asarray(shapely.transform(array, move, include_z=False), dtype=object)


def to_wgs84(geometries: ArrayLike, datum: Datum | str) -> Array:
    """
    The geometries in WGS 84 longitude and latitude.

    Parameters
    ----------
    geometries : array of shapely geometries (None allowed) in `datum`; projected systems easting first
    datum : a datum or its name

    Returns
    -------
    object array of the same shape. Z is dropped. A position that the projection cannot hold comes back
    infinite, for the validation to point at.
    """
    datum = parse_datum(datum)
    if datum.epsg is not None:
        code = datum.epsg
        return _each(geometries, lambda x, y: _project(code, 4326, x, y))
    return _each(geometries, {DatumKind.GCJ02: gcj02_to_wgs84, DatumKind.BD09: bd09_to_wgs84}.get(datum.kind))


def from_wgs84(geometries: ArrayLike, datum: Datum | str) -> Array:
    """The geometries, given in WGS 84, in `datum`; everything else as in `to_wgs84`."""
    datum = parse_datum(datum)
    if datum.epsg is not None:
        code = datum.epsg
        return _each(geometries, lambda x, y: _project(4326, code, x, y))
    return _each(geometries, {DatumKind.GCJ02: wgs84_to_gcj02, DatumKind.BD09: wgs84_to_bd09}.get(datum.kind))


# --- metres -----------------------------------------------------------------------------------------------


def metric_crs(lon: float, lat: float) -> CRS:
    """
    The UTM zone (WGS 84) at a position: EPSG:326xx in the north, 327xx in the south, the equator north.

    Scale is off by at most 0.04 % inside the zone. Raises InvalidInput unless the position is finite and
    within ±180, ±90.
    """
    if not (abs(lon) <= 180 and abs(lat) <= 90):  # also refuses NaN
        raise InvalidInput(
            f"no UTM zone at lon {lon}, lat {lat}; give finite degrees, longitude first",
            zh=f"位置(经度 {lon},纬度 {lat})超出范围,无法选定投影带。",
        )
    zone = min(int((lon + 180) // 6) + 1, 60)
    return _register_crs((32600 if lat >= 0 else 32700) + zone)


def metric_crs_of(geometries: ArrayLike) -> CRS:
    """
    The UTM zone at the middle of the bounding box of WGS 84 geometries.

    None and empty geometries and infinite positions do not count; raises InvalidInput when nothing is left.
    """
    xy = shapely.get_coordinates(np.asarray(geometries, dtype=object))
    xy = xy[np.isfinite(xy).all(axis=1)]
    if not len(xy):
        raise InvalidInput("no position to choose a UTM zone from", zh="没有可用的坐标,无法选定投影带。")
    return metric_crs(*((xy.min(axis=0) + xy.max(axis=0)) / 2))


def to_metric(geometries: ArrayLike, crs: CRS | None = None) -> Array:
    """The WGS 84 geometries in metres, in `crs` (one of `metric_crs`) or the UTM zone of the data."""
    code = _epsg_of(crs or metric_crs_of(geometries))
    return _each(geometries, lambda x, y: _project(4326, code, x, y))


def from_metric(geometries: ArrayLike, crs: CRS) -> Array:
    """The geometries, given in metres in `crs`, in WGS 84 longitude and latitude."""
    code = _epsg_of(crs)
    return _each(geometries, lambda x, y: _project(code, 4326, x, y))


def xy_in_metres(lon: ArrayLike, lat: ArrayLike, crs: CRS) -> Array:
    """Positions in metres, shape (..., 2), of WGS 84 longitudes and latitudes."""
    return np.stack(_project(4326, _epsg_of(crs), lon, lat), axis=-1)


def _epsg_of(crs: CRS) -> int:
    code = crs.to_epsg()
    if code is None:
        raise CrsUnknownError(crs.name, "has no EPSG code", "没有 EPSG 编号")
    return code


def datum_of_crs(name: str | CRS | Sequence[Any] | None) -> Datum | None:
    """
    The datum that a file's own statement of its coordinate system (EPSG code, OGC name, WKT) means.

    None when it states nothing, or something that no datum here stands for.
    """
    if not name or not isinstance(name, (str, CRS)):
        return None
    if isinstance(name, str):
        try:
            return parse_datum(name)
        except CrsUnknownError:
            pass
    try:
        crs = CRS.from_user_input(name)
    except CRSError:
        return None
    known = _NAMES.get(re.sub(r"[\s_\-:]+", "", crs.name.lower().removeprefix("gcs_")))
    if known is not None:
        return known
    code = _register_code(crs)
    if code is None:
        return None
    try:
        return parse_datum(str(code))
    except CrsUnknownError:
        return None


def _register_code(crs: CRS) -> int | None:
    """The EPSG code of a system that may have lost it; a weak likeness counts only under the same name."""
    for match in crs.list_authority("EPSG", min_confidence=25):
        if CRS.from_epsg(int(match.code)).name == crs.name:
            return int(match.code)
    return crs.to_epsg(min_confidence=70)


def crs_text(datum: Datum) -> str:
    """
    The coordinate system of `datum` for formats that carry one: an EPSG code, or WKT where there is none.

    GCJ-02 and BD-09 are in no register: they get a system of their own under their own name, so that a reader
    sees that the file is not WGS 84, and `datum_of_crs` knows it again.
    """
    if datum.is_shifted:
        name = "GCJ-02" if datum.kind is DatumKind.GCJ02 else "BD-09"
        return (
            f'GEOGCS["{name}",DATUM["D_{name.replace("-", "_")}",SPHEROID["Krasovsky_1940",6378245.0,298.3]],'
            'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
        )
    return f"EPSG:{datum.epsg or {DatumKind.WGS84: 4326, DatumKind.CGCS2000: 4490}[datum.kind]}"
