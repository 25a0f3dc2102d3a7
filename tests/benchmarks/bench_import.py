"""Import of 100,000 rows with every check, beside reading and inserting the same rows without any."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

from gridmap.services import imports
from gridmap.services.district import District
from gridmap.storage.geometry import encode_column
from tests.benchmarks.figures import Figure, seconds
from tests.support.district import ADMIN, make_district, seed

ROWS = 100_000


def _file(folder: Path) -> Path:
    random = np.random.default_rng(7)
    lon, lat = random.uniform(121.401, 121.599, ROWS), random.uniform(30.901, 30.999, ROWS)
    frame = gpd.GeoDataFrame(
        {
            "code": [f"CS-{number:06}" for number in range(ROWS)],
            "name": [f"示例场所{number}" for number in range(ROWS)],
            "category": random.choice(["旅馆业", "网吧", "金融网点", "其他"], ROWS),
            "staff_count": random.integers(1, 400, ROWS),
            "is_key_unit": random.random(ROWS) < 0.1,
            "address": [f"测试大道{number % 999}号" for number in range(ROWS)],
        },
        geometry=shapely.points(lon, lat),
        crs=4326,
    )
    path = folder / "premises.gpkg"
    frame.to_file(path, driver="GPKG", layer="场所行业")
    return path


def _into_the_same_table(path: Path, store: Path) -> None:
    """pyogrio read, then a plain bulk insert into a store's own table of elements: no check, grid or history."""
    frame = pyogrio.read_dataframe(path)
    boxes = shapely.bounds(frame.geometry.values)
    _, blobs = encode_column(np.asarray(frame.geometry.values, dtype=object))
    names = [name for name in frame.columns if name not in ("geometry", "code", "name")]
    properties = [
        json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False, default=str)
        for values in zip(*(frame[name].tolist() for name in names), strict=True)
    ]
    now = datetime.now(UTC).isoformat()
    shared = ("premises", "real", 1, 1, now, "admin", now, "admin", now, "admin", 0, "")
    connection = sqlite3.connect(store)
    with connection:
        first = connection.execute("SELECT coalesce(max(pk), 0) + 1 FROM element").fetchone()[0]
        keys = range(first, first + len(frame))
        connection.executemany(
            "INSERT INTO element (pk, id, code, name, geom, properties, layer, source, revision, sequence, "
            "verified_at, verified_by, created_at, created_by, updated_at, updated_by, is_retired, search_key) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (pk, str(uuid4()), code, name, blob, texts, *shared)
                for pk, code, name, blob, texts in zip(
                    keys, frame["code"].tolist(), frame["name"].tolist(), blobs, properties, strict=True
                )
            ),
        )
        connection.executemany(
            "INSERT INTO element_bbox VALUES (?, ?, ?, ?, ?)",
            zip(keys, *boxes[:, [0, 2, 1, 3]].T.tolist(), strict=True),
        )
    connection.close()


def _into_a_bare_table(path: Path, target: Path) -> None:
    """pyogrio read, then a plain bulk insert into a table of three columns with an R*Tree."""
    frame = pyogrio.read_dataframe(path)
    boxes = shapely.bounds(frame.geometry.values)
    wkb = shapely.to_wkb(frame.geometry.values)
    columns = [frame[name].tolist() for name in frame.columns if name != "geometry"]
    connection = sqlite3.connect(target)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE plain (pk INTEGER PRIMARY KEY, geom BLOB, properties TEXT)")
    connection.execute("CREATE VIRTUAL TABLE box USING rtree(pk, a, b, c, d)")
    rows = [json.dumps(values, ensure_ascii=False, default=str) for values in zip(*columns, strict=True)]
    with connection:
        connection.executemany(
            "INSERT INTO plain VALUES (?, ?, ?)", zip(range(len(rows)), wkb.tolist(), rows, strict=True)
        )
        connection.executemany(
            "INSERT INTO box VALUES (?, ?, ?, ?, ?)",
            zip(range(len(rows)), *boxes[:, [0, 2, 1, 3]].T.tolist(), strict=True),
        )
    connection.close()


def _district(home: Path) -> District:
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, lambda: datetime.now(UTC))
    seed(district)
    return district


def _checked(district: District, path: Path) -> None:
    table = imports.read(district, path, filename=path.name)
    plan = imports.plan(district, ADMIN, "premises", table, datum="wgs84")
    receipt = imports.apply(district, ADMIN, plan)
    assert receipt.new == ROWS, receipt


def measure() -> Iterator[Figure]:
    """Seconds of the import and of both baselines in turn, the best of two runs each."""
    ours, same, bare = [], [], []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        path = _file(folder)
        for number in range(2):
            bare.append(seconds(lambda n=number: _into_a_bare_table(path, folder / f"bare{n}.db")))
            home = folder / f"same{number}"
            _district(home).close()
            same.append(seconds(lambda h=home: _into_the_same_table(path, h / "district.gpkg")))
            district = _district(folder / f"ours{number}")
            ours.append(seconds(lambda d=district: _checked(d, path)))
            district.close()
    name = "import of 100,000 rows, checked, with history"
    yield Figure(
        name, min(ours), "s", 2.0, min(same), "pyogrio read + plain bulk insert", is_ratio=True
    )  # fmt: skip
    yield Figure(f"{name}, beside", min(ours), "s", None, min(bare), "the same into a bare table")
