"""Real networks for the tests of this folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from gridmap.analysis.speeds import Mode, edge_seconds, speed_kmh
from tests.analysis.networks import Roads
from tests.analysis.osm import metres, osm_roads


@pytest.fixture(scope="session")
def futian(shared_data: Path) -> Roads:
    """The drive network of Futian, Shenzhen, in metres around its centre."""
    places = {}
    with (shared_data / "roads" / "shenzhen_futian_osm_drive_nodes.csv").open() as lines:
        for row in csv.DictReader(lines):
            places[row["osmid"]] = (float(row["lon"]), float(row["lat"]))
    number = {name: place for place, name in enumerate(places)}
    lonlat = np.array(list(places.values()))
    middle = lonlat.mean(axis=0)
    node_xy = (lonlat - middle) * 111_320 * np.array([np.cos(np.radians(middle[1])), 1.0])
    text = (shared_data / "roads" / "shenzhen_futian_osm_drive_edges.geojson").read_text()
    edges = [feature["properties"] for feature in json.loads(text)["features"]]
    edges = [edge for edge in edges if speed_kmh(str(edge["highway"]), Mode.CAR) > 0]
    tail = np.array([number[edge["u"]] for edge in edges])
    head = np.array([number[edge["v"]] for edge in edges])
    length = np.array([float(edge["length"]) for edge in edges])
    classes = [str(edge["highway"]) for edge in edges]
    # every row is one direction of travel: two-way streets are two rows
    return Roads(
        node_xy, tail, head, edge_seconds(length, classes, Mode.CAR), length, np.ones(len(edges), bool)
    )


@pytest.fixture(scope="session")
def liechtenstein(shared_data: Path) -> Roads:
    """The drive network of Liechtenstein, in metres around its centre."""
    return osm_roads(shared_data / "networks" / "liechtenstein-latest.osm.pbf", Mode.CAR)[0]


@pytest.fixture(scope="session")
def porto_alegre(shared_data: Path) -> Roads:
    """The walking network of central Porto Alegre, in metres around its centre."""
    return osm_roads(shared_data / "networks" / "porto_alegre.osm.pbf", Mode.FOOT)[0]


@pytest.fixture(scope="session")
def porto_alegre_drive(shared_data: Path) -> Roads:
    """The drive network of the same."""
    return osm_roads(shared_data / "networks" / "porto_alegre.osm.pbf", Mode.CAR)[0]


@pytest.fixture(scope="session")
def porto_alegre_people(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cells with population of the same city: metres around the walking network's centre, and people."""
    folder = shared_data / "networks"
    _, middle = osm_roads(folder / "porto_alegre.osm.pbf", Mode.FOOT)
    with (folder / "porto_alegre_hexgrid_population.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    lonlat = np.array([(float(row["lon"]), float(row["lat"])) for row in rows])
    return metres(lonlat, middle), np.array([float(row["population"]) for row in rows])
