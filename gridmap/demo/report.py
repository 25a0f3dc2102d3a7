"""How believable the demo district is, measured on what was generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from gridmap.demo.chance import Floats
from gridmap.demo.facts import Facts, Town

METRIC_CRS = "EPSG:32651"
_RING_M = 500.0
_NEAR_ROAD_M = 250.0
_PARTITIONS = (
    ("town", "district"), ("committee", "town"), ("police_station", "district"), ("police_beat", "police_station"),
    ("police_grid", "committee"), ("governance_grid", "town"), ("micro_grid", "governance_grid"),
)  # fmt: skip
DENSITY_CLASSES = (0, 600, 1_000, 2_000, 4_000, 8_000)  # residents per km² of firm ground, lower ends


@dataclass(frozen=True, slots=True)
class TownFit:
    """
    A generated town beside the facts about the real one.

    `area_error` is a share (0.02: two percent too large); `centre_m` the distance of the centroids;
    `density_rank` Spearman's correlation of population density with the distance from the town's centre, over
    rings of 500 m of firm ground.
    """

    name: str
    area_km2: float
    area_error: float
    centre_m: float
    density_rank: float


@dataclass(frozen=True, slots=True)
class RoadDensity:
    """Committees of one class of population density (from `per_km2` up): ground and roads (ramps and paths too)."""

    per_km2: int
    committees: int
    ground_km2: float
    road_km: float

    @property
    def km_per_km2(self) -> float:
        """Kilometres of road per square kilometre of firm ground."""
        return self.road_km / self.ground_km2 if self.ground_km2 else 0.0


@dataclass(frozen=True, slots=True)
class PlausibilityReport:
    """
    Measured figures of a generated district; areas and lengths in EPSG:32651.

    Attributes
    ----------
    overlap_m2, gap_m2 : per partition layer, surplus of its areas over their union, and of the parents over it
    unreached_areas : residential areas from which a car cannot get to all others and back
    crossing_faults : places where a road touches a barrier without a crossing
    density_rank : mean of the towns' rank correlations
    road_km_inside : road in the district, without the margin beyond its edge
    """

    residents: int
    towns: tuple[TownFit, ...]
    density_rank: float
    overlap_m2: Mapping[str, float]
    gap_m2: Mapping[str, float]
    road_density: tuple[RoadDensity, ...]
    road_nodes: int
    road_edges: int
    road_km_inside: float
    crossings: int
    crossing_faults: int
    unreached_areas: int
    counts: Mapping[str, int]

    def faults(self) -> tuple[str, ...]:
        """What misses the bounds that the demo district is held to (at scale 1), one sentence each."""
        found = [
            f"{town.name}: area off by {town.area_error:+.1%}"
            for town in self.towns
            if abs(town.area_error) > 0.1
        ]
        found += [
            f"{town.name}: centre off by {town.centre_m:.0f} m"
            for town in self.towns
            if town.centre_m > 2_000
        ]
        found += [f"{layer}: overlap of {m2:.1f} m²" for layer, m2 in self.overlap_m2.items() if m2 > 1]
        found += [f"{layer}: gap of {m2:.1f} m²" for layer, m2 in self.gap_m2.items() if m2 > 1]
        found += [
            f"{one.km_per_km2:.1f} km of road per km² where {one.per_km2} people or more live on a km²"
            for one in self.road_density
            if one.committees and not 2 <= one.km_per_km2 <= 12
        ]
        if self.density_rank > -0.5:
            found.append(f"density hardly falls from the centres: rank correlation {self.density_rank:.2f}")
        if self.road_nodes < 20_000:
            found.append(f"only {self.road_nodes} road nodes")
        if self.crossing_faults:
            found.append(f"{self.crossing_faults} places where a road touches a barrier without a crossing")
        if self.unreached_areas:
            found.append(f"{self.unreached_areas} residential areas cannot be reached by car")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Ground:
    """Firm ground as squares: places in degrees with their size and numbers of town and committee."""

    lonlat: Floats
    area_m2: Floats
    town: np.ndarray
    committee: np.ndarray


def measure(
    layers: Mapping[str, gpd.GeoDataFrame], ground: Ground, centres: Floats, facts: Facts
) -> PlausibilityReport:
    """
    The report on a district.

    Parameters
    ----------
    ground : the district without tidal flats
    centres : (towns, 2) degrees, built-up centre of each town
    """
    metric = {name: layer.to_crs(METRIC_CRS).geometry.array for name, layer in layers.items()}
    towns = _towns(layers, metric, ground, _metres(centres), facts)
    overlap, gap = _partition_errors(layers, metric)
    density, inside_km = _road_density(layers, metric, ground)
    nodes, unreached = _reach(layers, metric)
    return PlausibilityReport(
        residents=int(layers["residential_area"]["population"].sum()),
        towns=towns,
        density_rank=float(np.mean([town.density_rank for town in towns])),
        overlap_m2=overlap,
        gap_m2=gap,
        road_density=density,
        road_nodes=nodes,
        road_edges=len(layers["road"]),
        road_km_inside=inside_km,
        crossings=len(layers["crossing"]),
        crossing_faults=count_crossing_faults(layers),
        unreached_areas=unreached,
        counts={name: len(layer) for name, layer in layers.items()},
    )


def _metres(lonlat: Floats) -> Floats:
    places = gpd.GeoSeries(shapely.points(lonlat), crs="EPSG:4326").to_crs(METRIC_CRS)
    return shapely.get_coordinates(places.array)


def _ranks(values: Floats) -> Floats:
    """Ranks from 0; ties share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place]


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation of two samples; nan for fewer than two different values."""
    ra, rb = _ranks(a), _ranks(b)
    ra, rb = ra - ra.mean(), rb - rb.mean()
    spread = np.sqrt((ra * ra).sum() * (rb * rb).sum())
    return float((ra * rb).sum() / spread) if spread else float("nan")


def _towns(
    layers: Mapping, metric: Mapping, ground: Ground, centres: Floats, facts: Facts
) -> tuple[TownFit, ...]:
    at = _metres(ground.lonlat)
    homes = shapely.get_coordinates(shapely.centroid(metric["residential_area"]))
    people = layers["residential_area"]["population"].to_numpy()
    home_town = _holder(homes, metric["town"])
    fits = []
    for k, town in enumerate(facts.towns):
        area = float(shapely.area(metric["town"][k]))
        off = shapely.get_coordinates(shapely.centroid(metric["town"][k]))[0] - _metres(_centre_of(town))[0]
        own, home = ground.town == k, home_town == k
        ring = (np.hypot(*(at[own] - centres[k]).T) / _RING_M).astype(np.int64)
        size = np.bincount(ring, ground.area_m2[own])
        lived = np.bincount(
            (np.hypot(*(homes[home] - centres[k]).T) / _RING_M).astype(np.int64), people[home], len(size)
        )[: len(size)]
        wide = size > 0.02 * size.sum() / len(size)  # a sliver of a ring says nothing
        rank = spearman(np.flatnonzero(wide).astype(float), lived[wide] / size[wide])
        fits.append(
            TownFit(town.name, area / 1e6, area / 1e6 / town.area_km2 - 1, float(np.hypot(*off)), rank)
        )
    return tuple(fits)


def _centre_of(town: Town) -> Floats:
    return np.array([[town.lon, town.lat]])


def _holder(xy: Floats, areas: np.ndarray) -> np.ndarray:
    """Number of the area that holds each place, -1 for none."""
    holder = np.full(len(xy), -1)
    place, area = shapely.STRtree(areas).query(shapely.points(xy), predicate="intersects")
    holder[place[::-1]] = area[::-1]
    return holder


def _partition_errors(layers: Mapping, metric: Mapping) -> tuple[dict[str, float], dict[str, float]]:
    overlap, gap = {}, {}
    for layer, parent in _PARTITIONS:
        parts, wholes = metric[layer], metric[parent]
        union = shapely.union_all(parts)
        overlap[layer] = max(float(shapely.area(parts).sum() - shapely.area(union)), 0.0)
        gap[layer] = float(shapely.area(shapely.symmetric_difference(shapely.union_all(wholes), union)))
    return overlap, gap


def _road_density(layers: Mapping, metric: Mapping, ground: Ground) -> tuple[tuple[RoadDensity, ...], float]:
    """Road by class of population density of the committee it lies in, and all road inside the district."""
    committees = metric["committee"]
    count = len(committees)
    area, road = shapely.STRtree(metric["road"]).query(committees, predicate="intersects").reshape(2, -1)
    shapely.prepare(committees)
    within = shapely.contains_properly(committees[area], metric["road"][road])
    length = shapely.length(metric["road"])[road]
    length[~within] = shapely.length(
        shapely.intersection(committees[area[~within]], metric["road"][road[~within]])
    )
    road_km = np.bincount(area, length, count) / 1e3
    homes = shapely.get_coordinates(shapely.centroid(metric["residential_area"]))
    people = np.bincount(_holder(homes, committees), layers["residential_area"]["population"], count)
    ground_km2 = np.bincount(ground.committee, ground.area_m2, count) / 1e6
    class_ = np.searchsorted(DENSITY_CLASSES, people / ground_km2, side="right") - 1
    rows = tuple(
        RoadDensity(
            lower,
            int((class_ == k).sum()),
            float(ground_km2[class_ == k].sum()),
            float(road_km[class_ == k].sum()),
        )
        for k, lower in enumerate(DENSITY_CLASSES)
    )
    return rows, float(road_km.sum())


def _reach(layers: Mapping, metric: Mapping) -> tuple[int, int]:
    """Number of road nodes, and of residential areas that are not on the net on which a car gets everywhere."""
    roads = layers["road"]
    xy, owner = shapely.get_coordinates(roads.geometry.array, return_index=True)
    first = np.searchsorted(owner, np.arange(len(roads)))
    last = np.searchsorted(owner, np.arange(len(roads)), side="right") - 1
    nodes, number = np.unique(xy[np.concatenate([first, last])], axis=0, return_inverse=True)
    tail, head = number.reshape(2, -1)
    car = roads["car"].to_numpy()
    both = car & ~roads["oneway"].to_numpy()
    rows, columns = np.concatenate([tail[car], head[both]]), np.concatenate([head[car], tail[both]])
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(nodes), len(nodes)))
    _, strong = connected_components(graph, directed=True, connection="strong")
    main = np.bincount(strong).argmax()
    good = np.flatnonzero(car & (strong[tail] == main) & (strong[head] == main))
    homes = shapely.centroid(metric["residential_area"])
    near = shapely.STRtree(metric["road"][good]).query_nearest(
        homes, max_distance=_NEAR_ROAD_M, all_matches=False
    )
    return len(nodes), len(homes) - len(np.unique(near[0]))


def count_crossing_faults(layers: Mapping[str, gpd.GeoDataFrame]) -> int:
    """Pairs of a road and a barrier that meet anywhere but at crossings."""
    roads, barriers = layers["road"].geometry.array, layers["barrier"].geometry.array
    allowed = {tuple(xy) for xy in shapely.get_coordinates(layers["crossing"].geometry.array).tolist()}
    road, barrier = shapely.STRtree(barriers).query(roads, predicate="intersects")
    meets = shapely.intersection(roads[road], barriers[barrier])
    is_points = np.isin(shapely.get_type_id(meets), (0, 4))
    xy, owner = shapely.get_coordinates(meets, return_index=True)
    stray = np.array([tuple(one) not in allowed for one in xy.tolist()], dtype=bool)
    bad = ~is_points
    bad[owner[stray]] = True
    return int(bad.sum())
