"""One geometry column for two databases: GeoPackage blobs on SQLite, PostGIS geometry on PostgreSQL."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import shapely
from geoalchemy2 import Geometry, WKBElement
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.dialects.sqlite import base as sqlite_base
from sqlalchemy.types import TypeDecorator, UserDefinedType

SRID = 4326

# magic "GP", version 0, flags: little endian, envelope xy (or none), not empty; then the SRS id
_POINT_HEADER = struct.Struct("<2sBBi")
_BOX_HEADER = struct.Struct("<2sBBi4d")
_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}

# GeoAlchemy2 teaches SQLite's reflection its own types, which then ask for SpatiaLite's tables
for _name in ("GEOMETRY", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"):
    sqlite_base.ischema_names[_name] = LargeBinary


def encode_gpkg(geometry: BaseGeometry) -> bytes:
    """The GeoPackage blob of a lon/lat geometry; every type but a point carries its envelope."""
    wkb = shapely.to_wkb(geometry, byte_order=1)
    if geometry.geom_type == "Point":
        return _POINT_HEADER.pack(b"GP", 0, 0b001, SRID) + wkb
    min_x, min_y, max_x, max_y = geometry.bounds
    return _BOX_HEADER.pack(b"GP", 0, 0b011, SRID, min_x, max_x, min_y, max_y) + wkb


def encode_column(geometries: np.ndarray) -> tuple[list[bytes], list[bytes]]:
    """The WKB (little endian) and the GeoPackage blobs of many lon/lat geometries, as `encode_gpkg` makes them."""
    wkb: list[bytes] = shapely.to_wkb(geometries, byte_order=1).tolist()
    point = _POINT_HEADER.pack(b"GP", 0, 0b001, SRID)
    is_point = (shapely.get_type_id(geometries) == 0).tolist()
    if all(is_point):
        return wkb, [point + one for one in wkb]
    boxes = shapely.bounds(geometries)[:, [0, 2, 1, 3]].tolist()
    heads = (
        point if flag else _BOX_HEADER.pack(b"GP", 0, 0b011, SRID, *box)
        for flag, box in zip(is_point, boxes, strict=True)
    )  # fmt: skip
    return wkb, [head + one for head, one in zip(heads, wkb, strict=True)]


class _EwkbStart(dict[bytes, str]):
    """How the EWKB of a geometry in EPSG:4326 begins, by how its WKB begins (byte order and type)."""

    def __missing__(self, start: bytes) -> str:
        kind = int.from_bytes(start[1:], "little") | 0x20000000
        self[start] = (b"\x01" + kind.to_bytes(4, "little") + SRID.to_bytes(4, "little")).hex()
        return self[start]


_EWKB_START = _EwkbStart()


def ewkb_text(wkb: bytes) -> str:
    """Little-endian WKB as the hexadecimal EWKB that PostGIS reads."""
    return _EWKB_START[wkb[:5]] + wkb[5:].hex()


def wkb_of_gpkg(blob: bytes) -> bytes:
    """The WKB inside a GeoPackage blob; raises ValueError when it is none."""
    if blob[:2] != b"GP":
        raise ValueError("not a GeoPackage geometry: it does not start with GP")
    return blob[8 + _ENVELOPE_BYTES[(blob[3] >> 1) & 0b111] :]


_POINT_XY = {0: struct.Struct(">2d"), 1: struct.Struct("<2d")}
_ENVELOPE = struct.Struct("<4d")


def box_meets(blob: bytes, min_x: float, min_y: float, max_x: float, max_y: float) -> bool:
    """Whether the exact box of a blob that `encode_gpkg` wrote meets a lon/lat box, ends included."""
    if _ENVELOPE_BYTES[(blob[3] >> 1) & 0b111]:
        west, east, south, north = _ENVELOPE.unpack_from(blob, 8)
    else:
        # a point: after the header come the byte order, the type, then both coordinates
        west, south = east, north = _POINT_XY[blob[8]].unpack_from(blob, 13)
    return east >= min_x and west <= max_x and north >= min_y and south <= max_y


class _GpkgBlob(UserDefinedType[bytes]):
    cache_ok = True

    def __init__(self, geometry_type: str) -> None:
        self.geometry_type = geometry_type

    def get_col_spec(self, **_: Any) -> str:
        return self.geometry_type


class Geom(TypeDecorator[BaseGeometry]):
    """A lon/lat geometry column (EPSG:4326); on the Python side always a shapely geometry."""

    impl = Geometry
    cache_ok = True

    def __init__(self, geometry_type: str = "GEOMETRY") -> None:
        super().__init__(geometry_type, srid=SRID, spatial_index=False)
        self.geometry_type = geometry_type

    def load_dialect_impl(self, dialect: Dialect | None) -> Any:
        # GeoAlchemy2's own DDL hooks call this without a dialect
        if dialect is None or dialect.name != "sqlite":
            return self.impl_instance
        return dialect.type_descriptor(_GpkgBlob(self.geometry_type))

    def process_bind_param(self, value: BaseGeometry | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return encode_gpkg(value)
        return WKBElement(shapely.to_wkb(value), srid=SRID)

    def process_result_value(self, value: Any, dialect: Dialect) -> BaseGeometry | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return shapely.from_wkb(wkb_of_gpkg(value))
        return shapely.from_wkb(value.data if isinstance(value, WKBElement) else value)

    def compare_values(self, x: Any, y: Any) -> bool:
        if isinstance(x, BaseGeometry) and isinstance(y, BaseGeometry):
            return bool(shapely.equals_identical(x, y))
        return x is y


def decode_column(values: list[Any]) -> np.ndarray:
    """Raw column values of either database as an array of shapely geometries."""
    if not values:
        return np.empty(0, dtype=object)
    first = values[0]
    if isinstance(first, (bytes, memoryview)) and bytes(first[:2]) == b"GP":
        return shapely.from_wkb([wkb_of_gpkg(bytes(one)) for one in values])
    return shapely.from_wkb([one.data if isinstance(one, WKBElement) else one for one in values])
