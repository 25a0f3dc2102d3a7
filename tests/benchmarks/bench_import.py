"""Import of 100,000 rows with every check, beside reading and inserting the same rows without any."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

from gridmap.services import imports
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


def _plain(path: Path, target: Path) -> None:
    """pyogrio read, then a plain bulk insert with an R*Tree, in one transaction."""
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


def measure() -> Iterator[Figure]:
    """Seconds for both, the best of two runs each."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        path = _file(folder)
        plain = min(seconds(lambda n=number: _plain(path, folder / f"plain{n}.db")) for number in range(2))
        ours = []
        for number in range(2):
            home = folder / f"home{number}"
            url = f"sqlite:///{home / 'district.gpkg'}"
            district = make_district(url, home, lambda: datetime.now(UTC))
            seed(district)

            def run(district=district) -> None:
                table = imports.read(district, path, filename=path.name)
                plan = imports.plan(district, ADMIN, "premises", table, datum="wgs84")
                receipt = imports.apply(district, ADMIN, plan)
                assert receipt.new == ROWS, receipt

            ours.append(seconds(run))
            district.close()
        yield Figure(
            "import of 100,000 rows, checked, with history", min(ours), "s", 2.0, plain,
            "pyogrio read + plain bulk insert", is_ratio=True,
        )  # fmt: skip
