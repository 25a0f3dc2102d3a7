"""Real cities end to end: costs pair by pair, one-way streets, reach polygons, people covered."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import shapely

from gridmap.analysis.areas import network_areas
from gridmap.analysis.coverage import closures, coverage
from gridmap.analysis.network import Direction
from gridmap.analysis.shapes import TravelRaster
from tests.analysis.networks import Roads

DRIVEN = ["futian", "liechtenstein", "porto_alegre_drive"]


@pytest.fixture(params=DRIVEN)
def city(request: pytest.FixtureRequest) -> Roads:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["futian", "liechtenstein", "porto_alegre"])
def place(request: pytest.FixtureRequest) -> Roads:
    return request.getfixturevalue(request.param)


def as_digraph(roads: Roads) -> nx.DiGraph:
    """One arc per direction of travel, the quickest between two nodes."""
    tail, head, seconds = roads.tail, roads.head, roads.seconds
    both = ~roads.oneway
    tail, head, seconds = np.r_[tail, head[both]], np.r_[head, tail[both]], np.r_[seconds, seconds[both]]
    slowest_first = np.argsort(-seconds, kind="stable")
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(roads.node_xy)))
    arcs = (values[slowest_first].tolist() for values in (tail, head, seconds))
    graph.add_weighted_edges_from(zip(*arcs, strict=True))
    return graph


def test_a_hundred_random_pairs_each_equal_networkx(city: Roads) -> None:
    rng = np.random.default_rng(11)
    graph = as_digraph(city)
    main = np.array(sorted(max(nx.strongly_connected_components(graph), key=len)))
    starts, goals = rng.choice(main, 5), rng.choice(main, 20)
    got = city.graph.cost(starts, goals)
    back = city.graph.cost(goals, starts, direction=Direction.TO_SOURCES).T
    compared = 0
    for row, start in enumerate(starts.tolist()):
        found = nx.single_source_dijkstra_path_length(graph, start)
        for column, goal in enumerate(goals.tolist()):
            assert got[row, column] == pytest.approx(found[goal], rel=1e-12, abs=1e-9)
            assert back[row, column] == pytest.approx(found[goal], rel=1e-12, abs=1e-9)
            compared += 1
    assert compared == 100


def test_one_way_streets_are_respected(city: Roads) -> None:
    """Nobody drives a one-way street backwards, save where another edge allows it."""
    allowed = as_digraph(city)
    one_way = np.flatnonzero(city.oneway & (city.tail != city.head))
    bound = [k for k in one_way.tolist() if not allowed.has_edge(int(city.head[k]), int(city.tail[k]))]
    assert len(bound) > 50
    some = np.random.default_rng(3).choice(bound, 20, replace=False)
    graph = city.graph
    along = np.array([graph.cost([city.tail[k]], [city.head[k]])[0, 0] for k in some])
    against = np.array([graph.cost([city.head[k]], [city.tail[k]])[0, 0] for k in some])
    assert (along <= city.seconds[some] * (1 + 1e-12)).all()
    undirected = Roads(
        city.node_xy, city.tail, city.head, city.seconds, city.length_m, np.zeros(len(city.tail), bool)
    ).graph
    free = np.array([undirected.cost([city.head[k]], [city.tail[k]])[0, 0] for k in some])
    assert (against >= free).all()
    assert (against > free).mean() > 0.5


def test_reach_polygons_agree_with_point_truth(place: Roads) -> None:
    graph = place.graph
    rng = np.random.default_rng(5)
    main = np.flatnonzero(graph.components() == 0)
    middle = np.median(graph.node_xy[main], axis=0)
    central = main[np.argsort(np.hypot(*(graph.node_xy[main] - middle).T))[: len(main) // 3]]
    raster = TravelRaster(graph, cell_m=25)
    stations = graph.snap(graph.node_xy[rng.choice(central, 4, replace=False)], max_distance_m=5)
    level = 300.0 if place.oneway.any() else 900.0
    agreed = either = 0
    for number in range(4):
        station = stations.take([number])
        by_node = graph.node_cost(station)[0]
        shape = raster.reach(by_node, [level], station)[0]
        west, south, east, north = shapely.buffer(shape, 200).bounds
        xy = np.c_[rng.uniform(west, east, 6000), rng.uniform(south, north, 6000)]
        truth = graph.point_cost(station, graph.snap(xy, max_distance_m=250), limit=level)[0] <= level
        inside = shapely.contains_xy(shape, xy[:, 0], xy[:, 1])
        agreed, either = agreed + (inside & truth).sum(), either + (inside | truth).sum()
        beyond = graph.node_xy[by_node > level]
        assert not shapely.intersects_xy(shape, beyond[:, 0], beyond[:, 1]).any()
        assert truth.sum() > 300
    assert agreed / either >= 0.95


def test_people_of_a_real_city_add_up(
    porto_alegre: Roads, porto_alegre_people: tuple[np.ndarray, np.ndarray]
) -> None:
    graph = porto_alegre.graph
    xy, people = porto_alegre_people
    homes = graph.snap(xy, max_distance_m=500)
    lived = people > 0
    spots = np.flatnonzero(lived & homes.is_snapped)
    points = homes.take(np.random.default_rng(2).choice(spots, 40, replace=False))
    cost = graph.point_cost(points, homes, direction=Direction.TO_SOURCES).T
    cover = coverage(cost, people, 900)
    assert cover.total == people.sum()
    assert cover.covered + cover.uncovered == cover.total
    assert 0.3 < cover.covered_share < 1
    lost = closures(cover).lost
    for point in (0, 17, 39):
        without = coverage(np.delete(cost, point, axis=1), people, 900)
        assert cover.covered - without.covered == lost[point] == cover.unique[point]
    areas = network_areas(graph, graph.tail[points.edge])
    component = graph.components()
    reached = areas.owner >= 0
    assert reached[component == 0].all()
    assert np.isfinite(areas.cost[reached]).all()
