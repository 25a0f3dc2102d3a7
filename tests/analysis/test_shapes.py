"""Reach polygons and gaps: true to points, nested, free of far nodes, not across water."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.analysis._walls import HALF_WIDTH_M, Walls
from gridmap.analysis.coverage import coverage
from gridmap.analysis.network import Direction, RoadGraph
from gridmap.analysis.shapes import TravelRaster
from gridmap.errors import InvalidInput, TooLarge
from tests.analysis.networks import Roads, random_roads

FROM, TO = Direction.FROM_SOURCES, Direction.TO_SOURCES


def street_grid(
    columns: int, rows: int, spacing: float = 100.0, *, speed: float = 1.25, gap_after_row: int | None = None
) -> RoadGraph:
    """Streets in a grid, two-way; without the streets that would cross after a row."""
    node = np.arange(columns * rows).reshape(rows, columns)
    east = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
    north = np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)
    if gap_after_row is not None:
        north = north[north[:, 0] // columns != gap_after_row]
    edges = np.vstack([east, north])
    xy = np.c_[np.tile(np.arange(columns), rows), np.repeat(np.arange(rows), columns)] * spacing
    return RoadGraph.from_edges(xy, edges[:, 0], edges[:, 1], np.full(len(edges), spacing / speed))


def overlap(shape: shapely.Geometry, xy: np.ndarray, truth: np.ndarray) -> float:
    inside = shapely.contains_xy(shape, xy[:, 0], xy[:, 1])
    return (inside & truth).sum() / (inside | truth).sum()


@pytest.mark.parametrize("direction", [FROM, TO])
def test_a_reach_polygon_agrees_with_points_asked_one_by_one(direction: Direction) -> None:
    rng = np.random.default_rng(2)
    graph = street_grid(31, 31)
    oneway = rng.random(len(graph.tail)) < 0.3
    graph = RoadGraph.from_edges(graph.node_xy, graph.tail, graph.head, graph.seconds, oneway=oneway)
    source = graph.snap([[1530, 1480]], max_distance_m=100)
    raster = TravelRaster(graph, cell_m=25, direction=direction)
    by_node = graph.node_cost(source, direction=direction)[0]
    shape = raster.reach(by_node, [600], source)[0]
    places = rng.random((6000, 2)) * 3000
    seconds = graph.point_cost(source, graph.snap(places, max_distance_m=250), direction=direction)[0]
    assert overlap(shape, places, seconds <= 600) >= 0.95
    limited = graph.node_cost(source, limit=600, direction=direction)[0]
    assert raster.reach(limited, [600], source)[0].equals(shape)  # a search that stops there draws the same


def test_reach_on_a_real_network_agrees_with_points(futian: Roads) -> None:
    graph = futian.graph
    rng = np.random.default_rng(1)
    low, high = graph.node_xy.min(axis=0), graph.node_xy.max(axis=0)
    places = low + rng.random((20_000, 2)) * (high - low)
    targets = graph.snap(places, max_distance_m=250)
    raster = TravelRaster(graph, cell_m=25)
    middle = graph.snap([(low + high) / 2], max_distance_m=500)
    seconds = graph.point_cost(middle, targets)[0]
    by_node = graph.node_cost(middle)[0]
    level = float(np.quantile(seconds[np.isfinite(seconds)], 0.4))
    shape = raster.reach(by_node, [level], middle)[0]
    assert overlap(shape, places, seconds <= level) >= 0.95
    assert (by_node[shapely.intersects_xy(shape, *graph.node_xy.T)] <= level).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_no_far_node_lies_inside_and_bands_nest(seed: int) -> None:
    roads = random_roads(seed)
    graph = roads.graph
    rng = np.random.default_rng(seed)
    source = graph.snap(rng.random((3, 2)) * 1000, max_distance_m=300)
    by_node, _ = graph.nearest_to_points(source)
    raster = TravelRaster(graph, cell_m=float(rng.choice([15.0, 40.0])), max_off_road_m=100)
    levels = [300.0, 60.0, 120.0]
    shapes = raster.reach(by_node, levels, source)
    assert shapely.is_valid(shapes).all()
    for level, shape in zip(levels, shapes, strict=True):
        inside = shapely.intersects_xy(shape, *graph.node_xy.T)
        assert (by_node[inside] <= level).all()
    assert shapely.difference(shapes[1], shapes[2]).area < 1e-6
    assert shapely.difference(shapes[2], shapes[0]).area < 1e-6


def test_a_source_in_the_middle_of_a_long_edge_is_inside_its_own_reach() -> None:
    graph = RoadGraph.from_edges([[0, 0], [2000, 0]], [0], [1], [2000.0])
    source = graph.snap([[1000, 0]], max_distance_m=10)
    raster = TravelRaster(graph, cell_m=20, max_off_road_m=60)
    by_node = graph.node_cost(source, limit=300)[0]
    assert np.isinf(by_node).all()
    shape = raster.reach(by_node, [300], source)[0]
    west, south, east, north = shape.bounds
    assert west == pytest.approx(700, abs=10)
    assert east == pytest.approx(1300, abs=10)
    assert -80 <= south < 0 < north <= 80
    assert raster.seconds(by_node, source).min() < 20


# water


def canal_town(*, bridge: bool) -> tuple[RoadGraph, list[shapely.Geometry]]:
    """Two rows of houses on streets 100 m apart, a canal between them, a bridge 200 m west or none."""
    xy = [[0, 0], [200, 0], [600, 0], [0, 100], [200, 100], [600, 100]]
    edges = [(0, 1), (1, 2), (3, 4), (4, 5)] + ([(1, 4)] if bridge else [])
    tail, head = np.array(edges).T
    length = [200, 400, 200, 400] + ([100] if bridge else [])
    graph = RoadGraph.from_edges(xy, tail, head, np.array(length) / 1.25, length_m=length)
    canal = shapely.LineString([(-500, 50), (1500, 50)])
    gap = shapely.box(190, 40, 210, 60)
    return graph, [canal.difference(gap) if bridge else canal]


@pytest.mark.parametrize(("bridge", "reached"), [(False, False), (True, True)])
def test_a_house_across_the_canal_counts_only_with_a_bridge(bridge: bool, reached: bool) -> None:
    graph, walls = canal_town(bridge=bridge)
    station = graph.snap([[300, 10]], max_distance_m=50, barriers=walls)
    house = graph.snap([[300, 90]], max_distance_m=50, barriers=walls)  # 80 m off in a straight line
    metres = graph.point_cost(station, house, by="length_m")[0, 0]
    assert (coverage([[metres]], [7], 500).covered == 7) is reached
    if reached:
        assert metres == pytest.approx(10 + 100 + 100 + 100 + 10)
    raster = TravelRaster(graph, cell_m=10, max_off_road_m=200, barriers=walls)
    shape = raster.reach(graph.node_cost(station)[0], [500 / 1.25], station)[0]
    assert shape.contains(shapely.Point(300, 10))
    assert shape.contains(shapely.Point(300, 90)) is reached
    far_bank = shapely.box(-500, 51, 1500, 400)
    assert (shape.intersection(far_bank).area > 0) is reached


def test_water_is_nobodys_and_a_point_on_an_islet_is_not_reached() -> None:
    graph = street_grid(5, 5)
    lake = shapely.Point(150, 150).buffer(40)
    raster = TravelRaster(graph, cell_m=10, barriers=[lake])
    shape = raster.reach(graph.nearest([0])[0], [3000])[0]
    assert shape.intersection(lake).area < 1e-6
    assert shape.contains(shapely.Point(150, 95))


def random_walls(rng: np.random.Generator) -> list[shapely.Geometry]:
    """Canals that bend, one in two parts, and a pond, across a square kilometre."""
    canals = [
        shapely.LineString(np.c_[np.linspace(-100, 1100, 13), rng.normal(at, 40, 13)])
        for at in rng.uniform(100, 900, 3)
    ]
    across = shapely.LineString(np.c_[rng.normal(500, 60, 9), np.linspace(-100, 1100, 9)])
    pond = shapely.Point(rng.uniform(200, 800, 2)).buffer(30)
    return [*canals[:2], shapely.MultiLineString([canals[2], across]), pond]


class AllStrips:
    """Cuts every barrier everywhere, in one piece: what tiles along the edge of a shape save."""

    def __init__(self, walls: list[shapely.Geometry]) -> None:
        self.strip = shapely.union_all(shapely.buffer(np.array(walls), HALF_WIDTH_M, cap_style="flat"))

    def along(self, *_: object) -> np.ndarray:
        return shapely.get_parts(self.strip)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_cutting_where_shapes_end_leaves_what_cutting_everywhere_leaves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_roads(seed).graph
    walls = random_walls(rng)
    source = graph.snap(rng.random((2, 2)) * 1000, max_distance_m=300, barriers=walls)
    by_node, _ = graph.nearest_to_points(source)
    raster = TravelRaster(graph, cell_m=float(rng.choice([10.0, 25.0])), max_off_road_m=120, barriers=walls)
    levels = [240.0, 60.0, 120.0]
    shapes = raster.reach(by_node, levels, source)
    everywhere = AllStrips(walls)
    raster._walls = everywhere
    strip = shapely.buffer(everywhere.strip, HALF_WIDTH_M)  # corners are mitred in one, round in the other
    for shape, expected in zip(shapes, raster.reach(by_node, levels, source), strict=True):
        assert shape.is_valid
        assert shapely.difference(shape, shapely.union(expected, strip)).area < 1e-6
        assert shapely.difference(expected, shapely.union(shape, strip)).area < 1e-6
        assert shape.intersection(walls[-1]).area < 1e-6
    assert shapely.difference(shapes[1], shapes[2]).area < 1e-6
    assert shapely.difference(shapes[2], shapes[0]).area < 1e-6


def test_barriers_in_tiles_are_the_same_ground() -> None:
    walls = np.array(random_walls(np.random.default_rng(4)), dtype=object)
    x, y = np.arange(-150.0, 1160.0, 10.0), np.arange(-150.0, 1160.0, 10.0)
    nowhere, everywhere = np.zeros((len(y), len(x)), bool), np.indices((len(y), len(x))).sum(axis=0) % 2 == 0
    strips = Walls(walls, x, y).along([everywhere], 0, 0)
    assert shapely.area(strips).sum() == pytest.approx(shapely.union_all(strips).area, rel=1e-9)
    held = shapely.difference(walls[:3], shapely.buffer(shapely.union_all(strips), 1e-6))
    assert shapely.length(held).max() < 1e-6
    # without an edge of a shape only the pond is cut out
    pond = Walls(walls, x, y).along([nowhere], 0, 0)
    assert 0 < len(pond) < len(strips)
    assert walls[3].difference(shapely.buffer(shapely.union_all(pond), 1e-6)).is_empty


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_thresholds_that_cells_meet_exactly_give_valid_shapes(seed: int) -> None:
    # a cell takes 20 s: times of many cells are equal to the thresholds, also where two shapes meet at a corner
    graph = street_grid(9, 9, speed=1.25)
    raster = TravelRaster(graph, cell_m=25, max_off_road_m=125, off_road_mps=1.25)
    by_node = np.random.default_rng(seed).integers(0, 12, len(graph.node_xy)) * 20.0
    levels = [60.0, 100.0, 160.0]
    assert np.isin(levels, raster.seconds(by_node)).all()
    shapes = raster.reach(by_node, levels)
    assert shapely.is_valid(shapes).all()
    assert (np.diff(shapely.area(shapes)) > 0).all()


def test_a_motorway_bridge_overhead_is_not_within_reach() -> None:
    #  a fast road crosses the street grid without a junction; its nodes are far although they lie inside
    graph = street_grid(11, 11)
    xy = np.vstack([graph.node_xy, [[-3000, 450], [450, 451], [3000, 450]]])
    tail, head = np.r_[graph.tail, 121, 122], np.r_[graph.head, 122, 123]
    graph = RoadGraph.from_edges(xy, tail, head, np.r_[graph.seconds, 100, 100])
    shape = TravelRaster(graph, cell_m=25).reach(graph.nearest([60])[0], [500])[0]
    assert shape.contains(shapely.Point(450, 500))
    assert not shape.intersects(shapely.Point(450, 451))


# gaps


def test_gaps_hold_exactly_the_uncovered_people_most_first() -> None:
    rng = np.random.default_rng(4)
    graph = street_grid(21, 21)
    district = shapely.Polygon([(-100, -100), (2100, -100), (2100, 1500), (1000, 2100), (-100, 2100)])
    source = graph.snap([[1000, 1000], [300, 300]], max_distance_m=50)
    places = rng.random((400, 2)) * 2000
    places = places[shapely.contains_xy(district, *places.T)]
    people = rng.random(len(places)) * 9
    targets = graph.snap(places, max_distance_m=250)
    cost = graph.point_cost(source, targets)
    cover = coverage(cost.T, people, 400)
    by_node, _ = graph.nearest_to_points(source)
    raster = TravelRaster(graph, cell_m=25)
    gaps = raster.gaps(
        by_node,
        400,
        district,
        demand_xy=places,
        weight=people,
        cost=cover.near.cost[:, 0],
        sources=source,
        smallest_m2=500,
    )
    assert len(gaps.polygon) >= 1
    assert gaps.people.sum() + gaps.elsewhere == cover.uncovered
    assert gaps.elsewhere <= 0.02 * cover.uncovered
    assert (np.diff(gaps.people) <= 0).all()
    assert (gaps.gap[cover.is_covered] == -1).all()
    assert (gaps.worst[gaps.people > 0] > 400).all()
    shape = raster.reach(by_node, [400], source)[0]
    gone = shapely.union_all(gaps.polygon)
    assert gone.intersection(shape).area < 1e-6
    assert shapely.difference(gone, district).area < 1e-6
    assert gaps.area_m2.sum() == pytest.approx(district.difference(shape).area, rel=0.02)


def test_without_points_the_whole_district_is_one_gap() -> None:
    graph = street_grid(5, 5)
    nowhere = np.full(25, np.inf)
    raster = TravelRaster(graph, cell_m=25)
    district = shapely.box(0, 0, 400, 400)
    gaps = raster.gaps(
        nowhere, 300, district, demand_xy=[[10, 10], [900, 900]], weight=[3, 2], cost=[np.inf, np.inf]
    )
    assert gaps.polygon[0].equals(district)
    assert (gaps.people.tolist(), gaps.elsewhere) == ([3], 2)
    assert gaps.worst.tolist() == [np.inf]
    assert raster.reach(nowhere, [300, 600])[1].is_empty
    everywhere = raster.gaps(np.zeros(25), 1e6, district, demand_xy=[], weight=[], cost=[])
    assert everywhere.area_m2.sum() < 1e-6


def test_bad_input_is_refused() -> None:
    graph = street_grid(3, 3)
    raster = TravelRaster(graph, cell_m=25)
    for ask in (
        lambda: TravelRaster(graph, cell_m=0),
        lambda: TravelRaster(graph, cell_m=5, bounds=(0, 0, 0, 5)),
        lambda: TravelRaster(RoadGraph.from_edges(np.zeros((0, 2)), [], [], []), cell_m=5),
        lambda: raster.reach(np.zeros(4), [5]),
        lambda: raster.reach(np.zeros(9), []),
        lambda: raster.reach(np.zeros(9), [0]),
        lambda: raster.gaps(np.zeros(9), 5, shapely.box(0, 0, 9, 9), demand_xy=[[1, 1]], weight=[], cost=[]),
    ):
        with pytest.raises(InvalidInput):
            ask()
    with pytest.raises(TooLarge):
        TravelRaster(graph, cell_m=0.001)
