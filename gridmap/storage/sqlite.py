"""
The embedded store: a GeoPackage file through the standard library's `sqlite3`, and no extension.

Nothing else in this process may open the live file (not even to copy or hash it): another SQLite library, or
a plain `open` and `close`, drops the POSIX locks of ours, and a second process then overwrites committed rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, Engine, String, create_engine, event
from sqlalchemy.ext.compiler import compiles

from gridmap.domain.layers import Catalogue, FieldType, GeometryType, Layer
from gridmap.storage import rtree
from gridmap.storage.geometry import box_meets

_CACHE_KB, _BULK_CACHE_KB = 65_536, 262_144
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"cache_size=-{_CACHE_KB}",
    "temp_store=MEMORY",
)
_APPLICATION_ID = 0x47504B47  # "GPKG"
_STRIP_DEGREES = 0.01
# Packing costs about a tenth of inserting, for each box that is there before or after.
_PACK_FROM, _PACK_SHARE = 2_000, 5

_GEOPACKAGE_TABLES = (
    """CREATE TABLE IF NOT EXISTS gpkg_spatial_ref_sys (
        srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
        organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT)""",
    """CREATE TABLE IF NOT EXISTS gpkg_contents (
        table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
        description TEXT DEFAULT '', last_change DATETIME NOT NULL
        DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
        min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER)""",
    """CREATE TABLE IF NOT EXISTS gpkg_geometry_columns (
        table_name TEXT NOT NULL UNIQUE, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
        srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
        CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name))""",
    "CREATE VIRTUAL TABLE IF NOT EXISTS element_bbox USING rtree(pk, min_x, max_x, min_y, max_y)",
)
_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
    'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433],'
    'AUTHORITY["EPSG","4326"]]'
)
_REFERENCE_SYSTEMS = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
    ("WGS 84 geodetic", 4326, "EPSG", 4326, _WGS84),
)


@compiles(String, "sqlite")
def _text_with_length(type_: String, compiler: Any, **_: Any) -> str:
    # GeoPackage knows TEXT(n) and not VARCHAR(n): GDAL would ignore such a column
    return f"TEXT({type_.length})" if type_.length else "TEXT"


def make_engine(url: str, **options: Any) -> Engine:
    """
    An engine on the embedded file `url` (`sqlite:///…`); the first connection makes it, with mode 0600.

    Every transaction begins IMMEDIATE, so a writer waits for its turn instead of failing half-way; one with
    the execution option `sqlite_begin="DEFERRED"` may only read and waits for nobody.
    """
    path = Path(url.removeprefix("sqlite:///"))
    # a request may read while it reads: more connections than the server has threads
    engine = create_engine(
        url, connect_args={"check_same_thread": False}, pool_size=10, max_overflow=90, **options
    )

    @event.listens_for(engine, "do_connect")
    def _make_private(*_: Any) -> None:
        # made here and not by SQLite, which would let the umask decide who may read accounts
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))

    @event.listens_for(engine, "connect")
    def _prepare(dbapi: Any, _: Any) -> None:
        dbapi.isolation_level = None  # we emit BEGIN ourselves
        dbapi.create_function("box_meets", 5, box_meets, deterministic=True)
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA busy_timeout=30000")
        # before WAL: other readers take the id from the file's header
        if cursor.execute("PRAGMA application_id").fetchone()[0] == 0:
            cursor.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            cursor.execute("PRAGMA user_version=10300")
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    @event.listens_for(engine, "checkin")
    def _rest(dbapi: Any, record: Any) -> None:
        if dbapi is not None and record.info.pop("is_bulk", False):
            dbapi.execute(f"PRAGMA cache_size=-{_CACHE_KB}")

    return engine


def prepare_bulk(connection: Connection) -> None:
    """Give this transaction, and no later one, room to keep its pages in memory until it commits."""
    connection.exec_driver_sql(f"PRAGMA cache_size=-{_BULK_CACHE_KB}")
    connection.connection.info["is_bulk"] = True


def create_spatial(connection: Connection) -> None:
    """Make the GeoPackage's own tables and the box index of elements, where they are missing."""
    for statement in _GEOPACKAGE_TABLES:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO gpkg_spatial_ref_sys "
        "(srs_name, srs_id, organization, organization_coordsys_id, definition) VALUES (?, ?, ?, ?, ?)",
        list(_REFERENCE_SYSTEMS),
    )


def index_boxes(
    connection: Connection, pks: Sequence[int], geometries: Sequence[Any], *, is_new: bool = False
) -> None:
    """
    Write the bounding boxes of these elements into the index, replacing older ones.

    `is_new` says that none of them has one yet: many are then packed together with what there is.
    """
    boxes = shapely.bounds(geometries)[:, [0, 2, 1, 3]]
    keys = np.asarray(pks, dtype=np.int64)
    if is_new and len(keys) >= _PACK_FROM:
        present = connection.exec_driver_sql("SELECT count(*) FROM element_bbox_rowid").scalar_one()
        if present <= len(keys) * _PACK_SHARE:
            rtree.pack(connection, keys, boxes)
            return
    rows = np.column_stack([keys.astype(float), boxes])
    # near ones one after the other: the tree then touches few of its pages
    order = np.lexsort((rows[:, 3], np.floor(rows[:, 1] / _STRIP_DEGREES)))
    connection.exec_driver_sql(
        "INSERT OR REPLACE INTO element_bbox VALUES (?, ?, ?, ?, ?)", list(map(tuple, rows[order].tolist()))
    )


_COLUMN_TYPES = {
    FieldType.INTEGER: "INTEGER",
    FieldType.NUMBER: "REAL",
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.DATE: "DATE",
    FieldType.DATETIME: "DATETIME",
}
_GEOMETRY_NAMES = {GeometryType.POINT: "POINT", GeometryType.LINE: "GEOMETRY", GeometryType.AREA: "GEOMETRY"}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _view_of(layer: Layer) -> str:
    columns = [
        f"CAST(json_extract(properties, '$.{one.name}') AS {_COLUMN_TYPES.get(one.type, 'TEXT')}) "
        f"AS {_quoted(one.title)}"
        for one in layer.fields
    ]
    plain = ["pk AS OGC_FID", "geom", "id", "code", "name", *columns]
    plain += ["source", "revision", "verified_at", "due_at", "updated_at"]
    return (
        f"CREATE VIEW {_quoted(layer.title)} AS SELECT {', '.join(plain)} FROM element "
        f"WHERE layer = '{layer.id}' AND NOT is_retired"
    )


def publish_views(connection: Connection, catalogue: Catalogue) -> None:
    """
    One view per layer, named by its Chinese title and registered, so that QGIS and GDAL list the layers.

    Views of layers that have left the catalogue are dropped.
    """
    old = connection.exec_driver_sql("SELECT table_name FROM gpkg_contents").scalars().all()
    for name in old:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {_quoted(name)}")
    connection.exec_driver_sql("DELETE FROM gpkg_geometry_columns")
    connection.exec_driver_sql("DELETE FROM gpkg_contents")
    for layer in catalogue:
        _publish(connection, layer)
    # one registered attribute table keeps GDAL from listing the unregistered ones, accounts among them
    connection.exec_driver_sql('DROP VIEW IF EXISTS "图层目录"')
    connection.exec_driver_sql(
        'CREATE VIEW "图层目录" AS SELECT 0 AS fid, layer, count(*) AS elements FROM element GROUP BY layer'
    )
    connection.exec_driver_sql(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
        "VALUES ('图层目录', 'attributes', '图层目录')"
    )


def _publish(connection: Connection, layer: Layer) -> None:
    connection.exec_driver_sql(_view_of(layer))
    connection.exec_driver_sql(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) "
        "VALUES (?, ?, ?, ?, ?)",
        (layer.title, "features", layer.title, layer.description, 4326),
    )
    connection.exec_driver_sql(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, 4326, 0, 0)",
        (layer.title, _GEOMETRY_NAMES[layer.geometry]),
    )


def missing_features(connection: Connection) -> Iterable[str]:
    """What this Python's SQLite lacks of what the store needs."""
    options = set(connection.exec_driver_sql("PRAGMA compile_options").scalars())
    if "ENABLE_RTREE" not in options:
        yield "R*Tree"
