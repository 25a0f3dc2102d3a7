"""Vector tiles of the demo district to eight clients, beside PostGIS' ST_AsMVT called alone."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
from sqlalchemy import create_engine, text

from gridmap.services.district import District
from gridmap.storage import elements
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.served import demo_home, open_demo, serving_demo
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


@dataclass(frozen=True, slots=True)
class Job:
    """A tile to ask for: its place and the layers in it."""

    z: int
    row: int
    column: int
    layers: tuple[str, ...]


def jobs(count: int = 24) -> tuple[list[Job], list[Job]]:
    """Tiles of one layer, and tiles of all layers as the map asks for them; around the seat, spiralling out."""
    single, combined = [], []
    for zoom in ZOOMS:
        size = 2**zoom
        column = int((121.46 + 180) / 360 * size)
        row = int((1 - math.asinh(math.tan(math.radians(30.92))) / math.pi) / 2 * size)
        near = sorted(
            ((r, c) for r in range(row - 3, row + 4) for c in range(column - 3, column + 4)),
            key=lambda at: (at[0] - row) ** 2 + (at[1] - column) ** 2,
        )
        for r, c in near[:count]:
            combined.append(Job(zoom, r, c, LAYERS))
            single += [Job(zoom, r, c, (layer,)) for layer in LAYERS]
    return single, combined


def _spread(work: list[Job], ask: Callable[[Job], None]) -> list[float]:
    """Seconds of each job, asked by all clients at once."""
    found: list[float] = []
    lock, queue = threading.Lock(), iter(work)

    def client() -> None:
        while True:
            with lock:
                job = next(queue, None)
            if job is None:
                return
            start = time.perf_counter()
            ask(job)
            with lock:
                found.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _served(live: Live, *runs: list[Job]) -> list[list[float]]:
    """Seconds of each run's tiles from the application, after one tile that lets it read its layers."""
    with httpx.Client(base_url=live.server.base_url, timeout=60, trust_env=False) as client:
        answer = client.post(
            "/api/session",
            json={"username": "officer", "password": live.passwords["officer"]},
            headers={"X-Gridmap": "1"},
        )
        answer.raise_for_status()

        def ask(job: Job) -> None:
            place = f"WebMercatorQuad/{job.z}/{job.row}/{job.column}"
            if len(job.layers) == 1:
                client.get(f"/ogc/collections/{job.layers[0]}/tiles/{place}").raise_for_status()
            else:
                path, layers = f"/ogc/tiles/{place}", ",".join(job.layers)
                client.get(path, params={"collections": layers}).raise_for_status()

        ask(Job(10, 418, 857, LAYERS))
        return [_spread(run, ask) for run in runs]


def _peer(district: District, *runs: list[Job]) -> list[list[float]]:
    """Seconds of each run's tiles from PostGIS, one statement per layer."""
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

        def ask(job: Job) -> None:
            with engine.connect() as connection:
                for layer in job.layers:
                    place = {"layer": layer, "z": job.z, "x": job.column, "y": job.row}
                    connection.execute(text(_AS_MVT), place).scalar()

        ask(runs[0][0])
        found = [_spread(run, ask) for run in runs]
        engine.dispose()
        return found


def measure() -> Iterator[Figure]:
    """p95 of tiles that were never asked before, and of the same again: one layer each, and eight together."""
    single, combined = jobs()
    served = []
    for run in (single, combined):
        # a server each, so that no tile of the second run was made for the first
        with serving_demo() as live:
            served += _served(live, run, run)
    try:
        with demo_home() as (home, _):
            district = open_demo(home)
            peers: list[list[float]] | None = _peer(district, single, combined)
            district.close()
        name = "ST_AsMVT alone"
    except PostgisMissing:
        peers, name = None, "PostGIS is not here"
    labels = (
        "one layer, first asked",
        "one layer, asked again",
        "8 layers, first asked",
        "8 layers, asked again",
    )
    for number, (label, times) in enumerate(zip(labels, served, strict=True)):
        peer = None if peers is None else percentile(peers[number // 2], 0.95)
        yield Figure(f"tile p95, z 12–15, 8 clients: {label}", percentile(times, 0.95), "s", 0.15, peer, name)
