"""Edits of areas that stay a partition: checked on paper, then by laws over random partitions."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, box

from gridmap.domain import grids
from gridmap.domain.grids import NOBODY, GridEditError, GridSwallowed, GroundLeftOver
from tests.support.partition import cells, difference_m2, overlap_m2, strays

# metres: two squares side by side, a long one above both
WEST, EAST, NORTH = box(0, 0, 100, 100), box(100, 0, 200, 100), box(0, 100, 200, 200)
THREE = [WEST, EAST, NORTH]


def sizes(edit: grids.Edit) -> list[float]:
    return [0.0 if one is None else round(one.area, 6) for one in edit.areas]


def test_a_neighbour_gives_exactly_what_a_moved_border_takes() -> None:
    edit = grids.redrawn(THREE, 0, box(0, 0, 130, 100))

    assert sizes(edit) == [13_000, 7_000, 20_000]
    [move] = edit.transfers
    assert (move.giver, move.taker, move.piece.area) == (1, 0, 3_000)
    assert edit.moved == {0, 1}


def test_a_neighbour_takes_what_a_moved_border_gives_up() -> None:
    edit = grids.redrawn(THREE, 0, box(0, 0, 70, 100))
    assert sizes(edit) == [7_000, 13_000, 20_000]
    assert [(one.giver, one.taker) for one in edit.transfers] == [(0, 1)]


def test_the_third_at_a_junction_gets_the_vertex_and_keeps_its_ground() -> None:
    edit = grids.redrawn(THREE, 0, box(0, 0, 130, 100))
    assert [130, 100] in shapely.get_coordinates(edit.areas[2]).tolist()
    assert edit.areas[2].equals(NORTH)
    assert strays(edit.areas) == []


def test_an_area_away_from_the_edit_stays_the_same_object() -> None:
    far = box(300, 0, 400, 100)
    edit = grids.redrawn([*THREE, far], 0, box(0, 0, 130, 100))
    assert edit.areas[3] is far


def test_an_outline_drawn_a_few_centimetres_off_changes_nothing() -> None:
    drawn = shapely.transform(WEST, lambda xy: xy + [0.01, -0.02])
    edit = grids.redrawn(THREE, 0, drawn)
    assert edit.transfers == ()
    assert [one is other for one, other in zip(edit.areas, THREE, strict=True)] == [True, True, True]


def test_what_reaches_beyond_the_parent_is_left_out_and_told() -> None:
    edit = grids.redrawn(THREE, 0, box(-50, 0, 100, 100), within=box(0, 0, 200, 200))
    assert edit.clipped.area == pytest.approx(5_000)
    assert sizes(edit) == [10_000, 10_000, 20_000]


def test_ground_that_nobody_can_take_is_refused() -> None:
    with pytest.raises(GroundLeftOver) as caught:
        grids.redrawn(THREE, 0, box(0, 0, 70, 100), may_take=[True, False, False])
    assert caught.value.area_m2 == 3_000
    with pytest.raises(GroundLeftOver):  # at the outer edge only
        grids.redrawn(THREE, 0, shapely.Polygon([(0, 0), (100, 0), (100, 100), (0, 100), (20, 50)]))


def test_ground_given_up_goes_to_the_neighbour_with_the_longest_border() -> None:
    corner_cut = shapely.Polygon([(0, 0), (100, 0), (100, 90), (60, 100), (0, 100)])
    edit = grids.redrawn(THREE, 0, corner_cut)
    assert [(one.giver, one.taker, one.piece.area) for one in edit.transfers] == [(0, 2, 200)]


def test_a_grid_cannot_be_drawn_away() -> None:
    with pytest.raises(GridSwallowed) as caught:
        grids.redrawn(THREE, 0, box(0, 0, 200, 100))
    assert caught.value.index == 1


@pytest.mark.parametrize(
    "outline", [LineString([(0, 0), (9, 9)]), shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])]
)
def test_an_outline_that_is_no_area_is_refused(outline: shapely.Geometry) -> None:
    with pytest.raises(GridEditError):
        grids.redrawn(THREE, 0, outline)


def test_a_common_border_takes_the_drawn_line() -> None:
    edit = grids.realigned(THREE, 0, 1, LineString([(80, 0), (120, 50), (90, 100)]))
    assert sizes(edit) == [80 * 50 + 20 * 50 + 90 * 50 + 15 * 50, 20_000 - 10_250, 20_000]
    assert strays(edit.areas) == []


def test_a_line_that_ends_short_of_the_border_is_led_to_it() -> None:
    edit = grids.realigned(THREE, 0, 1, LineString([(80, 10), (80, 85)]))
    assert sizes(edit) == pytest.approx([8_000, 12_000, 20_000], abs=0.1)


def test_a_line_that_ends_too_far_inside_is_refused() -> None:
    for edit in (lambda line: grids.realigned(THREE, 0, 1, line), lambda line: grids.divided(THREE, 0, line)):
        with pytest.raises(GridEditError):
            edit(LineString([(50, 50), (60, 55)]))


def test_a_split_makes_parts_of_the_whole_largest_first() -> None:
    edit = grids.divided(THREE, 2, LineString([(60, 90), (60, 210)]))
    assert sizes(edit) == [10_000, 10_000, 0, 14_000, 6_000]
    assert [(one.giver, one.taker) for one in edit.transfers] == [(2, 3), (2, 4)]
    assert strays([one for one in edit.areas if one is not None]) == []


def test_a_line_that_crosses_twice_makes_three_parts() -> None:
    edit = grids.divided(THREE, 2, shapely.MultiLineString([[(50, 90), (50, 210)], [(150, 90), (150, 210)]]))
    assert sizes(edit)[3:] == [10_000, 5_000, 5_000]


def test_an_area_with_a_hole_is_split_around_it() -> None:
    ring = shapely.difference(box(0, 0, 100, 100), box(40, 40, 60, 60))
    edit = grids.divided([ring, box(40, 40, 60, 60)], 0, LineString([(50, -5), (50, 105)]))
    assert sizes(edit) == [0, 400, 4_800, 4_800]
    assert strays([one for one in edit.areas if one is not None]) == []


def test_merged_areas_become_one_and_keep_the_corners_of_neighbours() -> None:
    edit = grids.joined(THREE, [0, 1])
    assert sizes(edit) == [0, 0, 20_000, 20_000]
    assert edit.areas[3].geom_type == "Polygon"
    assert strays([edit.areas[2], edit.areas[3]]) == []


def test_areas_that_meet_in_a_corner_cannot_be_merged() -> None:
    with pytest.raises(GridEditError):
        grids.joined([WEST, box(100, 100, 200, 200)], [0, 1])
    with pytest.raises(GridEditError):
        grids.joined(THREE, [1, 1])


def test_ground_of_nobody_may_be_taken() -> None:
    edit = grids.redrawn([WEST, NORTH], 0, box(0, 0, 150, 100))
    assert [(one.giver, one.taker) for one in edit.transfers] == [(NOBODY, 0)]
    assert sizes(edit) == [15_000, 20_000]


def test_a_corner_on_a_neighbours_edge_is_found_and_put_into_it() -> None:
    [loose] = grids.loose_vertices(THREE)
    assert (loose.j, loose.place) == (2, (100.0, 100.0))

    mended = grids.with_vertices(NORTH, [loose.place])
    assert mended.equals(NORTH)
    assert grids.loose_vertices([WEST, EAST, mended]) == []


FRAME = box(121.4, 30.9, 121.5, 31.0)


def crooked(draw_seed: int, start: tuple[float, float], end: tuple[float, float]) -> LineString:
    rng = np.random.default_rng(draw_seed)
    steps = np.linspace(start, end, 6)
    steps[1:-1] += rng.normal(0, 5e-4, (4, 2))
    return LineString(steps)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(3, 12),
    kind=st.sampled_from(["move", "line", "split", "merge"]),
)
def test_every_edit_leaves_a_partition_of_the_same_ground(seed: int, count: int, kind: str) -> None:
    areas, rng = cells(seed, count, FRAME), np.random.default_rng(seed)
    first = int(rng.integers(len(areas)))
    touching = [
        at for at in range(len(areas)) if at != first and areas[at].intersection(areas[first]).length > 1e-4
    ]
    second = int(rng.choice(touching))
    west, south, east, north = areas[first].bounds
    try:
        if kind == "move":
            ring = np.array(areas[first].exterior.coords)[:-1]
            ring[int(rng.integers(len(ring)))] += rng.normal(0, 5e-3, 2)
            edit = grids.redrawn(areas, first, shapely.Polygon(ring), within=FRAME)
        elif kind == "line":
            shared = shapely.line_merge(areas[first].intersection(areas[second]))
            ends = shapely.get_coordinates(shared)[[0, -1]]
            edit = grids.realigned(areas, first, second, crooked(seed, ends[0], ends[1]))
        elif kind == "split":
            middle = areas[first].representative_point().y
            edit = grids.divided(areas, first, crooked(seed, (west - 1e-3, middle), (east + 1e-3, middle)))
        else:
            edit = grids.joined(areas, [first, second])
    except (GridEditError, GroundLeftOver, GridSwallowed):
        return

    after = [one for one in edit.areas if one is not None]
    assert all(one.is_valid for one in after)
    assert overlap_m2(after) < 1.0
    assert difference_m2(after, FRAME) < 1.0
    assert strays(after) == []
    # ground is conserved area by area: what moved is what the transfers say
    scale = grids.scale_of(areas)
    for at, before in enumerate(areas):
        change = sum(move.piece.area * ((move.taker == at) - (move.giver == at)) for move in edit.transfers)
        now = 0.0 if edit.areas[at] is None else edit.areas[at].area
        assert scale.area_m2(box(0, 0, 1, 1)) * abs(now - before.area - change) < 1.0
