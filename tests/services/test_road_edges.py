"""Roads as drawn become edges: joined at common vertices, cut by barriers without a crossing."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from gridmap.services.road_edges import RoadEdges, road_edges, short_walls


def made(*lines, barriers=(), crossings=()) -> RoadEdges:
    def shapes(many) -> np.ndarray:
        result = np.empty(len(many), dtype=object)
        result[:] = [shapely.LineString(one) for one in many]
        return result

    return road_edges(shapes(lines), shapes(barriers), np.array(crossings, float).reshape(-1, 2))


def pieces(edges: RoadEdges) -> int:
    """How many parts of the network have edges."""
    n = len(edges.node_xy)
    graph = csr_array((np.ones(len(edges.tail)), (edges.tail, edges.head)), shape=(n, n))
    label = connected_components(graph, directed=False)[1]
    return len(np.unique(label[edges.tail]))


def test_roads_join_where_they_share_a_vertex_even_inside_one() -> None:
    assert pieces(made([(0, 0), (10, 0), (20, 0)], [(10, 0), (10, 30)])) == 1


def test_roads_that_cross_without_a_vertex_stay_apart() -> None:
    assert pieces(made([(0, 0), (20, 0)], [(10, -10), (10, 10)])) == 2


def test_a_barrier_cuts_a_road_and_leaves_both_ends() -> None:
    edges = made([(0, 0), (30, 0)], barriers=[[(10, -5), (10, 5)]])

    assert pieces(edges) == 2
    assert sorted(edges.length_m.tolist()) == [10, 20]
    assert edges.cut_xy.tolist() == [[10, 0]]


def test_two_barriers_cut_one_edge_in_three() -> None:
    edges = made([(0, 0), (30, 0)], barriers=[[(10, -5), (10, 5)], [(25, -5), (25, 5)]])

    assert pieces(edges) == 3
    assert sorted(edges.length_m.tolist()) == [5, 10, 15]


def test_a_crossing_nearby_carries_the_road_over() -> None:
    barrier = [[(10, -5), (10, 5)]]

    assert pieces(made([(0, 0), (30, 0)], barriers=barrier, crossings=[(12, 0)])) == 1
    assert pieces(made([(0, 0), (30, 0)], barriers=barrier, crossings=[(10, 30)])) == 2


def test_a_vertex_on_the_barrier_is_cut_too() -> None:
    lines = ([(0, 0), (10, 0)], [(10, 0), (30, 0)])
    barrier = [[(10, -5), (10, 5)]]

    assert pieces(made(*lines, barriers=barrier)) == 2
    assert pieces(made(*lines, barriers=barrier, crossings=[(10, 0)])) == 1


def test_a_road_along_a_barrier_is_not_cut() -> None:
    assert pieces(made([(0, 0), (30, 0)], barriers=[[(-5, 0), (40, 0)]])) == 1


def test_each_edge_knows_its_road_and_no_edge_is_of_no_length() -> None:
    edges = made([(0, 0), (10, 0), (10, 0), (20, 0)], [(50, 50), (60, 50)])

    assert edges.line.tolist() == [0, 0, 1]
    assert (edges.length_m > 0).all()


def test_nothing_makes_no_edges() -> None:
    edges = made()

    assert len(edges.tail) == len(edges.node_xy) == 0


def test_walls_in_pieces_are_the_same_walls() -> None:
    river = shapely.LineString([(at, at % 3) for at in range(40)])

    pieces_ = short_walls(np.array([river], dtype=object))

    assert len(pieces_) > 1
    assert shapely.line_merge(shapely.union_all(pieces_)).equals(river)
