"""Roads of an OpenStreetMap extract as arrays, read by GDAL and joined where ways share a node."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyogrio
import shapely

from gridmap.analysis.speeds import Mode, edge_seconds, speed_kmh
from tests.analysis.networks import Roads

_ONEWAY = re.compile(r'"oneway"=>"(yes|true|1|-1)"|"junction"=>"(roundabout)"')


def metres(lonlat: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Metres around a place; good to a part in a thousand over a city."""
    return (lonlat - middle) * 111_320 * np.array([np.cos(np.radians(middle[1])), 1.0])


def osm_roads(path: Path, mode: Mode) -> tuple[Roads, np.ndarray]:
    """The ways that a mode may use, one edge per stretch between two nodes; and the place that is (0, 0)."""
    _, _, shapes, (classes, tags) = pyogrio.raw.read(path, layer="lines", columns=["highway", "other_tags"])
    used = [i for i, name in enumerate(classes) if name and speed_kmh(name, mode) > 0]
    lonlat, way = shapely.get_coordinates(shapely.from_wkb(shapes[used]), return_index=True)
    # ways meet where they name the same node: its coordinates are then equal to the last digit
    places, node = np.unique(lonlat, axis=0, return_inverse=True)
    node = node.reshape(-1)
    first = np.flatnonzero((way[1:] == way[:-1]) & (node[1:] != node[:-1]))
    tail, head, way = node[first], node[first + 1], way[first]
    middle = places.mean(axis=0)
    xy = metres(places, middle)
    length = np.maximum(np.hypot(*(xy[tail] - xy[head]).T), 0.01)
    found = [_ONEWAY.search(tags[i] or "") if mode.obeys_oneway else None for i in used]
    is_reverse = np.array([bool(tag) and tag.group(1) == "-1" for tag in found])[way]
    tail, head = np.where(is_reverse, head, tail), np.where(is_reverse, tail, head)
    seconds = edge_seconds(length, classes[used][way].astype(str), mode)
    oneway = np.array([tag is not None for tag in found])[way]
    return Roads(xy, tail, head, seconds, length, oneway), middle
