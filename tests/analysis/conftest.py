"""A real network for the tests of this folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from gridmap.analysis.speeds import Mode, edge_seconds, speed_kmh
from tests.analysis.networks import Roads


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
