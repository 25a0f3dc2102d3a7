"""Where analyses are measured: a generated city, and the demo district."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

from gridmap.analysis.network import RoadGraph
from gridmap.analysis.speeds import Mode
from gridmap.domain.crs import to_metric, xy_in_metres
from gridmap.services.networks import LAYERS, crs_of, network
from gridmap.services.snapshots import Snapshot
from tests.benchmarks.served import demo_home, open_demo

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

CITY_NODES = 120_000
CANDIDATES = 2_000
_CITY_SIDE_M = 26_800.0
_CITY_POINTS = 40
_WALK_MPS, _EBIKE_MPS = 1.333, 15 / 3.6


class Place:
    """
    Streets for three modes, points, candidates, and people beside the streets.

    Attributes
    ----------
    xy : (nodes, 2) metres
    edges : (e, 2) nodes at the ends of each street
    car, foot, bike : networks over the same nodes, seconds
    points : nodes of the points
    sites : nodes of the points, then of `CANDIDATES` more
    district : the outline
    walls : what no way beside the streets may cross
    """

    def __init__(
        self, name: str, car: RoadGraph, district: shapely.Geometry, rng: np.random.Generator
    ) -> None:
        self.name, self.car, self.district, self.rng = name, car, district, rng
        self.xy, self.edges = car.node_xy, np.stack([car.tail, car.head], axis=1)
        self.length_m = car.length_m
        self.walls: list[shapely.Geometry] = []
        tail, head = self.edges.T
        self.foot, self.bike = (
            RoadGraph.from_edges(self.xy, tail, head, self.length_m / speed, length_m=self.length_m)
            for speed in (_WALK_MPS, _EBIKE_MPS)
        )

    def _choose(self, points: Ints) -> None:
        self.points = points
        rest = np.setdiff1d(np.arange(len(self.xy)), points)
        self.sites = np.r_[points, self.rng.choice(rest, CANDIDATES, replace=False)]

    def somewhere(self, count: int) -> Floats:
        """(count, 2) places anywhere in the district."""
        west, south, east, north = self.district.bounds
        sides = np.array([east - west, north - south])
        xy = np.array([west, south]) + self.rng.random((4 * count, 2)) * sides
        return xy[shapely.contains_xy(self.district, *xy.T)][:count]

    def homes(self, count: int) -> Floats:
        """(count, 2) places of people, beside the streets."""
        raise NotImplementedError

    def demand(self, count: int) -> tuple[Ints, Floats]:
        """Nodes people live at, and how many."""
        _, node = cKDTree(self.xy).query(self.homes(count))
        return node, self.rng.integers(1, 800, count).astype(float)


class City(Place):
    """Clustered crossings joined to their Gabriel neighbours, a river with 14 bridges, one street in ten one-way."""

    def __init__(self, nodes: int = CITY_NODES, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        side = _CITY_SIDE_M
        centers = rng.random((60, 2)) * side
        crowd = rng.choice(60, int(nodes * 0.6), p=rng.dirichlet(np.full(60, 0.5)))
        near = centers[crowd] + rng.normal(0, 900, (len(crowd), 2))
        xy = np.vstack([near, rng.random((nodes - len(crowd), 2)) * side])
        xy = np.unique(np.round(np.clip(xy, 0, side), 1), axis=0)
        edges = _streets(xy, rng)
        length_m = np.maximum(np.hypot(*(xy[edges[:, 0]] - xy[edges[:, 1]]).T), 0.1)
        kmh = np.array([22.0, 35.0, 50.0])[rng.choice(3, len(edges), p=[0.6, 0.3, 0.1])]
        oneway = rng.random(len(edges)) < 0.1
        car = RoadGraph.from_edges(xy, *edges.T, length_m * 3.6 / kmh, length_m=length_m, oneway=oneway)
        super().__init__("city", car, shapely.box(0, 0, side, side), rng)
        self._choose(rng.choice(len(xy), _CITY_POINTS, replace=False))

    def homes(self, count: int) -> Floats:
        return self.xy[self.rng.choice(len(self.xy), count)] + self.rng.normal(0, 20, (count, 2))


def _streets(xy: Floats, rng: np.random.Generator) -> Ints:
    pairs = neighbours(xy)
    start, end = xy[pairs[:, 0]], xy[pairs[:, 1]]
    near, _ = cKDTree(xy).query((start + end) / 2)
    pairs = pairs[near >= np.hypot(*(start - end).T) / 2 - 1e-6]
    bank = xy[:, 0] - _CITY_SIDE_M / 2 - 1500 * np.sin(xy[:, 1] / 4000) > 0
    over = np.flatnonzero(bank[pairs[:, 0]] != bank[pairs[:, 1]])
    drowned = np.setdiff1d(over, rng.choice(over, 14, replace=False))
    return np.delete(pairs, drowned, axis=0)


def neighbours(xy: Floats) -> Ints:
    """(k, 2) pairs of places that a Delaunay triangulation joins."""
    corners = Delaunay(xy).simplices
    pairs = np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


class DemoDistrict(Place):
    """The demo: its streets with canals and bridges, its workstations, people where its residential areas are."""

    def __init__(self, seed: int = 1) -> None:
        with demo_home() as (home, _):
            district = open_demo(home)
            homes, stations = "residential_area", "workstation"
            snapshot = Snapshot(district, [*LAYERS, "district", homes, stations])
            crs = crs_of(snapshot, "district")
            made = network(snapshot, crs, Mode.CAR, "s")
            outline = shapely.union_all(to_metric(snapshot.rows("district").geometry, crs))
            areas, people = snapshot.rows(homes).geometry, snapshot.rows(homes).numbers("population", 0.0)
            points = shapely.get_coordinates(snapshot.rows(stations).geometry)
            district.close()
        super().__init__("demo", made.graph, outline, np.random.default_rng(seed))
        self.walls = list(made.walls)
        self._areas, self._share = to_metric(areas, crs), people / people.sum()
        _, nodes = cKDTree(self.xy).query(xy_in_metres(*points.T, crs))
        self._choose(np.unique(nodes))

    def homes(self, count: int) -> Floats:
        # a box of an area's size around its middle: people live in the area, give or take its corners
        middle = shapely.get_coordinates(shapely.centroid(self._areas))
        side = np.sqrt(np.maximum(shapely.area(self._areas), 1.0))
        which = self.rng.choice(len(middle), count, p=self._share)
        return middle[which] + (self.rng.random((count, 2)) - 0.5) * side[which, None]
