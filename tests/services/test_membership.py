"""Which grid an element lies in."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.services.membership import _combined, grid_codes

# a chessboard of four squares, with codes against the order in which they stand
AREAS = np.array([shapely.box(x, y, x + 1, y + 1) for x in (0, 1) for y in (0, 1)], dtype=object)
CODES = np.array(["40", "30", "20", "10"], dtype=object)
places = st.tuples(
    st.sampled_from([-0.5, 0.0, 0.5, 1.0, 1.5, 2.0]), st.sampled_from([0.0, 0.25, 1.0, 2.0, 2.5])
)


def expected(place: tuple[float, float]) -> str | None:
    point = shapely.Point(place)
    hits = [code for area, code in zip(AREAS, CODES, strict=True) if area.intersects(point)]
    return min(hits, default=None)


@settings(max_examples=50, deadline=None)
@given(st.lists(places, max_size=12))
def test_a_point_belongs_to_its_area_and_on_a_border_to_the_smaller_code(
    at: list[tuple[float, float]],
) -> None:
    points = np.array([shapely.Point(one) for one in at], dtype=object)
    assert grid_codes(AREAS, CODES, points).tolist() == [expected(one) for one in at]


@settings(max_examples=50, deadline=None)
@given(st.lists(places, max_size=12))
def test_combinations_tell_the_same_as_each_layer_alone(at: list[tuple[float, float]]) -> None:
    points = np.array([*map(shapely.Point, at), None], dtype=object)
    whole = np.array([shapely.box(0, 0, 1.5, 2)], dtype=object)
    combinations, which = _combined(
        [
            ("grid", AREAS, CODES),
            ("town", whole, np.array(["T"], dtype=object)),
            ("none", AREAS[:0], CODES[:0]),
        ],
        points,
    )

    for place, number in zip(at, which, strict=False):
        town = "T" if whole[0].intersects(shapely.Point(place)) else None
        codes = {"grid": expected(place), "town": town}
        assert combinations[number] == {layer: code for layer, code in codes.items() if code is not None}
    assert combinations[which[-1]] == {}
