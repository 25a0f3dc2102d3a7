"""Our tile encoder against the reference encoder and decoder of mapbox-vector-tile."""

from __future__ import annotations

from typing import Any

import mapbox_vector_tile
import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from gridmap.services.mvt import encode_layer


def array(*geometries: BaseGeometry) -> np.ndarray:
    made = np.empty(len(geometries), dtype=object)
    made[:] = geometries
    return made


def decoded(content: bytes) -> list[dict[str, Any]]:
    options = {"y_coord_down": True}
    return mapbox_vector_tile.decode(content, default_options=options)["layer"]["features"] if content else []


def ours(geometries: np.ndarray) -> list[dict[str, Any]]:
    ids = list(range(len(geometries)))
    return decoded(encode_layer("layer", geometries, ids, {"n": ids}))


def theirs(geometries: np.ndarray) -> list[dict[str, Any]]:
    features = [{"geometry": one, "properties": {"n": n}, "id": n} for n, one in enumerate(geometries)]
    layer = {"name": "layer", "features": features}
    return decoded(mapbox_vector_tile.encode(layer, default_options={"y_coord_down": True}))


coordinate = st.integers(-200, 4300)
position = st.tuples(coordinate, coordinate)
distinct_positions = st.lists(position, min_size=2, max_size=8, unique=True)
lines = distinct_positions.map(shapely.LineString)
boxes = st.tuples(coordinate, coordinate, st.integers(2, 900), st.integers(2, 900)).map(
    lambda b: shapely.box(b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=40, deadline=None)
@given(st.lists(position.map(shapely.Point), min_size=1, max_size=12))
def test_points_come_out_as_the_reference_encoder_writes_them(points: list[BaseGeometry]) -> None:
    assert ours(array(*points)) == theirs(array(*points))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(lines, st.lists(lines, min_size=1, max_size=3).map(shapely.MultiLineString)),
        min_size=1,
        max_size=6,
    )
)
def test_lines_come_out_as_the_reference_encoder_writes_them(made: list[BaseGeometry]) -> None:
    assert ours(array(*made)) == theirs(array(*made))


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=5), st.booleans())
def test_areas_keep_their_ground_their_holes_and_the_right_direction(
    made: list[BaseGeometry], is_holed: bool
) -> None:
    shapes = [shapely.MultiPolygon([one]) if n % 2 else one for n, one in enumerate(made)]
    if is_holed:
        shapes = [
            shapely.difference(
                one, shapely.box(one.bounds[0] + 1, one.bounds[1] + 1, one.bounds[2] - 1, one.bounds[3] - 1)
            )
            if min(one.bounds[2] - one.bounds[0], one.bounds[3] - one.bounds[1]) > 3
            else one
            for one in shapes
        ]
    features = ours(array(*shapes))

    assert [one["id"] for one in features] == list(range(len(shapes)))
    for feature, shape in zip(features, shapes, strict=True):
        # the decoder tells shells from holes by their direction alone
        back = shapely.geometry.shape(feature["geometry"])
        assert back.is_valid
        assert back.equals(shape)


@settings(max_examples=20, deadline=None)
@given(boxes, st.booleans())
def test_outer_rings_run_clockwise_on_the_screen_and_holes_against_it(
    made: BaseGeometry, is_reversed: bool
) -> None:
    west, north, east, south = made.bounds
    hole = (
        shapely.box(west + (east - west) / 4, north, east, south)
        .intersection(made)
        .buffer(-0.4, join_style="mitre")
    )
    ring = shapely.difference(made, hole) if hole.area > 50 else made
    [feature] = ours(array(shapely.reverse(ring) if is_reversed else ring))
    shell, *holes = feature["geometry"]["coordinates"]

    # the surveyor's formula with y down, as the format prescribes
    def area(positions: list[list[int]]) -> float:
        pairs = zip(positions, positions[1:] + positions[:1], strict=True)
        return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)

    assert area(shell) > 0
    assert all(area(one) < 0 for one in holes)


def test_many_parts_share_one_feature_and_keep_their_order() -> None:
    area = shapely.union_all([shapely.box(n * 100, 0, n * 100 + 50, 50) for n in range(4)])
    [feature] = ours(array(area))

    assert shapely.geometry.shape(feature["geometry"]).equals(area)


def test_what_collapses_in_rounding_is_left_out_and_the_rest_keeps_its_attributes() -> None:
    tiny = shapely.box(10.1, 10.1, 10.2, 10.2)
    sliver = shapely.Polygon([(0, 0), (50, 0.2), (100, 0)])
    features = ours(array(tiny, shapely.box(0, 0, 10, 10), sliver, shapely.box(5, 5, 9, 9)))

    assert [one["properties"]["n"] for one in features] == [1, 3]
    assert ours(array(shapely.LineString([(1.1, 1.1), (1.2, 1.2)]))) == []


def test_a_collapsed_shell_takes_its_hole_along() -> None:
    shell = [(0, 0), (100, 0), (100, 0.3), (0, 0.3)]
    odd = shapely.Polygon(shell, [[(1, 0.1), (40, 0.1), (40, 0.2), (1, 0.2)]])
    both = shapely.MultiPolygon([odd, shapely.box(200, 0, 300, 100)])

    [feature] = ours(array(both))
    assert shapely.geometry.shape(feature["geometry"]).equals(shapely.box(200, 0, 300, 100))


def test_repeated_positions_are_written_once() -> None:
    line = shapely.LineString([(0, 0), (0.2, 0.1), (10, 10), (10.3, 9.9), (20, 0)])
    [feature] = ours(array(line))

    assert feature["geometry"]["coordinates"] == [[0, 0], [10, 10], [20, 0]]


def test_values_keep_their_kinds() -> None:
    values = {"text": "警务站", "whole": -3, "part": 1.5, "yes": True, "one": 1}
    content = encode_layer(
        "layer", array(shapely.Point(1, 2)), [7], {name: [value] for name, value in values.items()}
    )
    [feature] = decoded(content)

    assert feature["properties"] == values
    assert feature["properties"]["yes"] is True
    assert feature["id"] == 7


def test_nothing_is_no_bytes() -> None:
    assert encode_layer("layer", array(), [], {}) == b""
    assert encode_layer("layer", array(shapely.Polygon()), [1], {}) == b""
