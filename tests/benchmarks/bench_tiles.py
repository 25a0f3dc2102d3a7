"""Vector tiles of the demo district to eight clients, beside PostGIS' ST_AsMVT called alone."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

import httpx
from sqlalchemy import create_engine, text

from gridmap.services.district import District
from gridmap.storage import elements
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.served import serving_demo
from tests.support.live import Live
from tests.support.postgis import PostgisMissing, running_cluster

CLIENTS = 8
ZOOMS = (12, 13, 14, 15)
LAYERS = ("town", "police_grid", "barrier", "road", "residential_area", "workstation", "risk", "safe_house")

_AS_MVT = """
SELECT ST_AsMVT(tile, :layer, 4096, 'shape') FROM (
    SELECT name, ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope(:z, :x, :y), 4096, 64, true) AS shape
    FROM peer WHERE layer = :layer AND geom && ST_Transform(ST_TileEnvelope(:z, :x, :y), 4326)
) AS tile
"""


def _tiles(count: int = 24) -> list[tuple[int, int, int]]:
    """Tiles (z, row, column) around the seat of the district, spiralling out at each zoom."""
    found = []
    for zoom in ZOOMS:
        size = 2**zoom
        column = int((121.46 + 180) / 360 * size)
        row = int((1 - math.asinh(math.tan(math.radians(30.92))) / math.pi) / 2 * size)
        near = sorted(
            ((r, c) for r in range(row - 3, row + 4) for c in range(column - 3, column + 4)),
            key=lambda at: (at[0] - row) ** 2 + (at[1] - column) ** 2,
        )
        found += [(zoom, r, c) for r, c in near[:count]]
    return found


def _spread(jobs: list[tuple[int, int, int]], ask: Callable[[tuple[int, int, int]], None]) -> list[float]:
    """Seconds of each job, asked by all clients at once."""
    found: list[float] = []
    lock, queue = threading.Lock(), iter(jobs)

    def work() -> None:
        while True:
            with lock:
                job = next(queue, None)
            if job is None:
                return
            start = time.perf_counter()
            ask(job)
            with lock:
                found.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _served(live: Live) -> tuple[list[float], list[float]]:
    with httpx.Client(base_url=live.server.base_url, timeout=60, trust_env=False) as client:
        answer = client.post(
            "/api/session",
            json={"username": "officer", "password": live.passwords["officer"]},
            headers={"X-Gridmap": "1"},
        )
        answer.raise_for_status()

        def ask(job: tuple[int, int, int]) -> None:
            z, row, column = job
            path = f"/ogc/tiles/WebMercatorQuad/{z}/{row}/{column}"
            client.get(path, params={"collections": ",".join(LAYERS)}).raise_for_status()

        # the frames, not the tiles: a warm server has read its layers
        ask((12, *_tiles()[0][1:]))
        return _spread(_tiles(), ask), _spread(_tiles(), ask)


def _peer(district: District) -> list[float]:
    with running_cluster() as cluster, cluster.database() as url:
        engine = create_engine(url, pool_size=CLIENTS)
        with engine.begin() as connection:
            connection.execute(
                text("CREATE TABLE peer (layer text, name text, geom geometry(Geometry, 4326))")
            )
            for layer in LAYERS:
                with district.database.read() as reader:
                    arrays = elements.read_layer(reader, layer)
                rows = [
                    {"layer": layer, "name": name, "wkb": geometry.wkb}
                    for name, geometry in zip(arrays.name, arrays.geometry, strict=True)
                ]
                connection.execute(
                    text("INSERT INTO peer VALUES (:layer, :name, ST_GeomFromWKB(:wkb, 4326))"), rows
                )
            connection.execute(text("CREATE INDEX ON peer USING gist (geom)"))
            connection.execute(text("ANALYZE peer"))

        def ask(job: tuple[int, int, int]) -> None:
            z, row, column = job
            with engine.connect() as connection:
                for layer in LAYERS:
                    connection.execute(
                        text(_AS_MVT), {"layer": layer, "z": z, "x": column, "y": row}
                    ).scalar()

        ask(_tiles()[0])
        found = _spread(_tiles(), ask)
        engine.dispose()
        return found


def measure() -> Iterator[Figure]:
    """p95 of tiles with eight layers each, nothing cached and all cached, z 12 to 15."""
    with serving_demo() as live:
        cold, warm = _served(live)
        try:
            peer, name = percentile(_peer(live.district), 0.95), "ST_AsMVT alone"
        except PostgisMissing:
            peer, name = None, "PostGIS is not here"
    yield Figure("tile p95, z 12–15, 8 clients, first asked", percentile(cold, 0.95), "s", 0.15, peer, name)
    yield Figure("tile p95, z 12–15, 8 clients, asked again", percentile(warm, 0.95), "s", 0.15, peer, name)
