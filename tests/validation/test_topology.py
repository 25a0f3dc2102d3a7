"""Partitions: nothing false on a clean one, every fault of a broken one at its place."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon, box

from gridmap.domain.crs import metric_crs, to_metric
from gridmap.errors import InvalidInput
from gridmap.validation.topology import noded, partition_problems

SQUARE = box(0, 0, 100, 100)


def lattice(columns: int = 4, rows: int = 4, size: float = 25.0) -> list[Polygon]:
    """Cells west to east, then south to north."""
    return [
        box(x * size, y * size, (x + 1) * size, (y + 1) * size) for y in range(rows) for x in range(columns)
    ]


def pieces_equal(piece: shapely.Geometry, expected: shapely.Geometry) -> bool:
    return shapely.area(shapely.symmetric_difference(piece, expected)) < 1e-6


# --- clean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("within", [None, SQUARE])
def test_a_lattice_is_a_partition(within: Polygon | None) -> None:
    report = partition_problems(lattice(), within=within)
    assert report.is_clean
    assert report.slivers == report.duplicates == ()
    assert report.overlap_m2 == report.gap_m2 == 0


def test_nothing_is_a_partition_of_nothing() -> None:
    assert partition_problems([]).is_clean


def test_nothing_leaves_the_whole_parent_open() -> None:
    (gap,) = partition_problems([], within=SQUARE).gaps
    assert gap.area_m2 == 10_000
    assert gap.neighbours == ()


def test_holes_filled_by_a_neighbour_are_no_gaps() -> None:
    ring = SQUARE.difference(box(40, 40, 60, 60))
    assert partition_problems([ring, box(40, 40, 60, 60)], within=SQUARE).is_clean


def test_an_island_inside_a_lake_leaves_the_water_as_the_only_gap() -> None:
    ring = SQUARE.difference(box(20, 20, 80, 80))
    (gap,) = partition_problems([ring, box(40, 40, 60, 60)]).gaps
    assert gap.area_m2 == pytest.approx(3600 - 400)
    assert gap.neighbours == (0, 1)


def test_separate_blocks_without_a_parent_have_no_gap_between() -> None:
    assert partition_problems([box(0, 0, 10, 10), box(50, 0, 60, 10)]).is_clean


# --- broken -----------------------------------------------------------------------------------------------


def test_an_overlap_is_reported_with_its_pair_piece_and_area() -> None:
    cells = lattice()
    cells[5] = box(25, 25, 52, 50)  # two metres into its eastern neighbour
    report = partition_problems(cells, within=SQUARE)
    (overlap,) = report.overlaps
    assert (overlap.i, overlap.j) == (5, 6)
    assert overlap.area_m2 == pytest.approx(50)
    assert pieces_equal(overlap.piece, box(50, 25, 52, 50))
    assert report.gaps == report.outside == report.invalid == ()


def test_a_gap_is_reported_with_its_piece_area_and_neighbours() -> None:
    cells = lattice()
    cells[5] = box(25, 25, 48, 50)
    for within in (SQUARE, None):
        report = partition_problems(cells, within=within)
        (gap,) = report.gaps
        assert gap.area_m2 == pytest.approx(50)
        assert pieces_equal(gap.piece, box(48, 25, 50, 50))
        assert set(gap.neighbours) == {1, 2, 5, 6, 9, 10}
        assert report.overlaps == ()


def test_a_missing_cell_at_the_edge_is_a_gap_of_the_parent_alone() -> None:
    cells = lattice()
    del cells[3]
    assert partition_problems(cells).gaps == ()
    (gap,) = partition_problems(cells, within=SQUARE).gaps
    assert pieces_equal(gap.piece, box(75, 0, 100, 25))


def test_a_gap_between_areas_that_meet_in_corners_only_is_found() -> None:
    ring = [box(1, 0, 2, 1), box(0, 1, 1, 2), box(2, 1, 3, 2), box(1, 2, 2, 3)]
    ring = [shapely.affinity.scale(one, 10, 10, origin=(0, 0)) for one in ring]
    (gap,) = partition_problems(ring).gaps
    assert gap.area_m2 == pytest.approx(100)
    assert gap.neighbours == (0, 1, 2, 3)


def test_a_piece_outside_the_parent_is_reported() -> None:
    cells = lattice()
    cells[3] = box(75, 0, 104, 25)
    report = partition_problems(cells, within=SQUARE)
    (outside,) = report.outside
    assert outside.i == 3
    assert pieces_equal(outside.piece, box(100, 0, 104, 25))
    assert report.overlaps == report.gaps == ()


def test_a_piece_counts_only_above_the_tolerance() -> None:
    for width, found in [(0.03, 0), (0.04, 0), (0.05, 1)]:  # 25 m long: 0.75, 1.0 and 1.25 m²
        cells = lattice()
        cells[0] = box(0, 0, 25 + width, 25)
        assert len(partition_problems(cells, within=SQUARE, tolerance_m2=25 * 0.04 + 1e-9).overlaps) == found
        cells[0] = box(0, 0, 25 - width, 25)
        assert len(partition_problems(cells, within=SQUARE, tolerance_m2=25 * 0.04 + 1e-9).gaps) == found


def test_separate_places_of_one_pair_are_separate_overlaps() -> None:
    left = shapely.union_all([box(0, 0, 50, 100), box(50, 10, 55, 20), box(50, 60, 60, 80)])
    report = partition_problems([left, box(50, 0, 100, 100)], within=SQUARE)
    assert [round(one.area_m2) for one in report.overlaps] == [200, 50]


def test_a_duplicate_is_named_as_such() -> None:
    cells = [*lattice(), box(25, 0, 50, 25)]
    report = partition_problems(cells, within=SQUARE)
    assert report.duplicates == ((1, 16),)
    assert [(one.i, one.j) for one in report.overlaps] == [(1, 16)]


def test_an_area_inside_another_overlaps_it_whole() -> None:
    report = partition_problems([*lattice(), box(30, 30, 40, 40)], within=SQUARE)
    assert [(one.i, one.j, round(one.area_m2)) for one in report.overlaps] == [(5, 16, 100)]
    assert report.duplicates == ()


def test_an_area_over_several_whole_cells_overlaps_each() -> None:
    report = partition_problems([*lattice(), box(0, 0, 50, 25)], within=SQUARE)
    assert [(one.i, one.j) for one in report.overlaps] == [(0, 16), (1, 16)]


def test_an_invalid_area_is_reported_and_leaves_no_false_gap() -> None:
    cells = lattice()
    cells[0] = Polygon([(0, 0), (25, 0), (25, 25), (0, 25), (0, 0), (25, 0), (25, 25), (0, 25)])
    report = partition_problems(cells, within=SQUARE)
    (invalid,) = report.invalid
    assert invalid.i == 0
    assert "elf-intersection" in invalid.reason
    assert not report.is_clean
    assert report.gaps == report.overlaps == ()


def test_a_bow_tie_is_reported_with_its_place() -> None:
    bow = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    (invalid,) = partition_problems([bow]).invalid
    assert invalid.place == shapely.Point(5, 5)


def test_an_area_without_finite_corners_is_reported_and_left_out() -> None:
    for bad in (np.nan, np.inf):
        with np.errstate(invalid="ignore"):
            broken = Polygon([(0, 0), (bad, 1), (1, 1)])
        report = partition_problems([*lattice(), broken], within=SQUARE)
        assert [one.i for one in report.invalid] == [16]
        assert report.overlaps == report.gaps == report.empty == ()


def test_missing_and_empty_areas_are_listed() -> None:
    report = partition_problems([None, *lattice(), Polygon(), MultiPolygon()], within=SQUARE)
    assert report.empty == (0, 17, 18)
    assert report.overlaps == report.gaps == ()


def test_a_narrow_strip_is_a_sliver_but_no_fault() -> None:
    strip = box(0, 0, 0.5, 100)
    report = partition_problems([strip, box(0.5, 0, 100, 100)], within=SQUARE)
    (sliver,) = report.slivers
    assert sliver.i == 0
    assert sliver.width_m == pytest.approx(0.5, rel=0.01)
    assert report.is_clean


def test_a_detached_crumb_of_an_area_is_a_sliver() -> None:
    crumb = MultiPolygon([box(0, 0, 50, 100), box(60, 0, 60.2, 0.2)])
    (sliver,) = partition_problems([crumb]).slivers
    assert sliver.area_m2 == pytest.approx(0.04)


@pytest.mark.parametrize("wrong", [shapely.Point(1, 2), shapely.LineString([(0, 0), (1, 1)])])
def test_what_is_no_area_is_refused(wrong: shapely.Geometry) -> None:
    with pytest.raises(InvalidInput, match="polygons") as caught:
        partition_problems([SQUARE, wrong])
    assert caught.value.index == 1


def test_a_parent_without_ground_is_refused() -> None:
    with pytest.raises(InvalidInput, match="parent"):
        partition_problems([SQUARE], within=Polygon())


cells_of_three = st.lists(st.sets(st.integers(0, 15), min_size=1, max_size=8), min_size=1, max_size=5)


@settings(deadline=None, max_examples=80)
@given(cells_of_three)
def test_overlaps_and_gaps_agree_with_counting_cells(areas: list[set[int]]) -> None:
    lattice_cells = lattice()
    polygons = [shapely.coverage_union_all([lattice_cells[cell] for cell in sorted(one)]) for one in areas]
    report = partition_problems(polygons, within=SQUARE)
    for (i, a), (j, b) in combinations(enumerate(areas), 2):
        shared = sum(one.area_m2 for one in report.overlaps if (one.i, one.j) == (i, j))
        assert shared == pytest.approx(625 * len(a & b))
        assert ((i, j) in report.duplicates) == (a == b)
    assert report.gap_m2 == pytest.approx(625 * (16 - len(set.union(*areas))))
    assert report.outside == report.invalid == ()


# --- noding -----------------------------------------------------------------------------------------------


def t_junctions() -> list[Polygon]:
    """A wide cell below two narrow ones, in degrees: the wide one has no vertex where the others meet."""
    return [box(121.0, 30.0, 121.5, 30.1), box(121.0, 30.1, 121.2, 30.2), box(121.2, 30.1, 121.5, 30.2)]


def test_a_t_junction_is_a_false_gap_once_projected_and_none_after_noding() -> None:
    crs = metric_crs(121.2, 30.1)
    before = partition_problems(to_metric(t_junctions(), crs), within=None)
    assert sum(one.area_m2 for one in before.overlaps) + before.gap_m2 > 1000
    after = to_metric(noded(t_junctions()), crs)
    assert partition_problems(after).is_clean
    assert shapely.coverage_is_valid(after)


def test_noding_adds_the_missing_vertex_and_moves_nothing() -> None:
    wide, *_ = noded(t_junctions())
    assert shapely.Point(121.2, 30.1) in [shapely.Point(xy) for xy in wide.exterior.coords]
    for before, after in zip(t_junctions(), noded(t_junctions()), strict=True):
        assert shapely.equals(before, after)


def test_a_corner_beside_an_edge_by_less_than_the_grid_is_joined() -> None:
    off = box(121.0, 30.1 + 3e-9, 121.2, 30.2)
    cells = noded([t_junctions()[0], off, t_junctions()[2]])
    assert shapely.coverage_is_valid(cells)


def test_noding_is_no_repair() -> None:
    cells = lattice()
    cells[5] = box(25, 25, 52, 50)
    cells[10] = box(50, 50, 73, 75)
    report = partition_problems(noded(cells), within=SQUARE)
    assert [round(one.area_m2) for one in report.overlaps] == [50]
    assert [round(one.area_m2) for one in report.gaps] == [50]


def test_types_missing_and_empty_areas_stay() -> None:
    multi = MultiPolygon([box(0, 0, 1, 1)])
    result = noded([None, multi, Polygon(), box(1, 0, 2, 1)])
    assert result[0] is None
    assert result[1].geom_type == "MultiPolygon"
    assert result[2].is_empty
    assert result[3].geom_type == "Polygon"


def test_holes_and_separate_parts_survive_noding() -> None:
    ring = SQUARE.difference(box(40, 40, 60, 60))
    parts = MultiPolygon([box(40, 40, 50, 60), box(200, 0, 210, 10)])
    result = noded([ring, parts, box(50, 40, 60, 60)])
    assert pieces_equal(result[0], ring)
    assert pieces_equal(result[1], parts)
    assert partition_problems(result).is_clean


def test_an_invalid_area_is_not_noded_away() -> None:
    with pytest.raises(InvalidInput, match="invalid"):
        noded([SQUARE, Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])])


def voronoi(seeds: list[tuple[float, float]], frame: Polygon) -> np.ndarray:
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=frame))
    cells = shapely.intersection(cells, frame)
    return cells[~shapely.is_empty(cells)]


def quarters_with_t_junctions(seed: int, n: int, parent: shapely.Geometry) -> np.ndarray:
    """
    Cells in degrees whose corners lie on the long edges of the next quarter's cells.

    Turned by 17 degrees, so that a corner is on its edge only within rounding, as in any real division.
    """
    rng = np.random.default_rng(seed)
    west, south, east, north = parent.buffer(0.1).bounds
    xs, ys = np.linspace(west, east, 3), np.linspace(south, north, 3)
    quarters = [box(xs[i], ys[j], xs[i + 1], ys[j + 1]) for i in range(2) for j in range(2)]
    cells = np.concatenate(
        [voronoi(rng.uniform(one.bounds[:2], one.bounds[2:], (n, 2)).tolist(), one) for one in quarters]
    )
    turned = [shapely.affinity.rotate(cell, 17, origin=(xs[1], ys[1])) for cell in cells]
    cells = shapely.intersection(np.array(turned), parent)
    return cells[(shapely.get_dimensions(cells) == 2) & ~shapely.is_empty(cells)]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_noded_cells_partition_their_noded_parent_in_metres(seed: int, n: int) -> None:
    parent = box(121.3, 30.8, 121.7, 31.0)
    cells = quarters_with_t_junctions(seed, n, parent)
    # of ten square metres and more: a crumb that the frame cuts off may be narrower than what counts as an area
    assume((shapely.area(cells) > 1e-9).all())
    crs = metric_crs(121.5, 30.9)
    once = noded([*cells, parent])
    metric = to_metric(once, crs)
    assert partition_problems(metric[:-1], within=metric[-1]).is_clean
    change = np.abs(shapely.area(once) - shapely.area(np.array([*cells, parent])))
    assert (change <= shapely.length(np.array([*cells, parent])) * 1e-8).all()
    again = noded(once)
    assert shapely.equals_identical(shapely.normalize(once), shapely.normalize(again)).all()


@pytest.mark.parametrize("seed", [0, 99, 396, 485])
def test_a_coarse_grid_still_gives_every_face_to_one_cell(seed: int) -> None:
    # Seeds whose rounded faces have their inner point exactly on the former border of two cells.
    rng = np.random.default_rng(seed)
    frame = box(0, 0, 20, 20)
    cells = voronoi((rng.integers(0, 200, (rng.integers(3, 40), 2)) / 10).tolist(), frame)
    result = noded(cells, grid_size=1.0)
    assert (np.abs(shapely.area(result) - shapely.area(cells)) <= shapely.length(cells)).all()
    left = result[~shapely.is_empty(result)]
    assert shapely.coverage_is_valid(left)
    assert shapely.area(left).sum() == pytest.approx(400)


# --- real and large ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def towns(shared_data: Path) -> np.ndarray:
    return geopandas.read_file(
        shared_data / "boundaries" / "fengxian_streets_wgs84.geojson"
    ).geometry.to_numpy()


def test_the_twelve_towns_are_a_partition_of_their_union(towns: np.ndarray) -> None:
    metric = to_metric(towns)
    report = partition_problems(metric, within=shapely.union_all(metric))
    assert report.is_clean
    assert shapely.area(metric).sum() / 1e6 == pytest.approx(805.4, abs=1)


def test_noding_leaves_the_twelve_towns_where_they_are(towns: np.ndarray) -> None:
    for before, after in zip(towns, noded(towns), strict=True):
        assert shapely.hausdorff_distance(before, after) < 1e-7


def test_four_hundred_grids_of_a_real_district_are_checked_place_by_place(towns: np.ndarray) -> None:
    district = shapely.union_all(towns)
    cells = quarters_with_t_junctions(7, 300, district)
    assert len(cells) >= 300
    crs = metric_crs(121.5, 30.9)
    both = to_metric(noded([*cells, district]), crs)
    grids, parent = both[:-1], both[-1]
    assert partition_problems(grids, within=parent).is_clean

    inner = [i for i in range(len(grids)) if parent.buffer(-200).covers(grids[i])][:40:20]
    broken = grids.copy()
    broken[inner[0]] = broken[inner[0]].buffer(-5)
    broken[inner[1]] = broken[inner[1]].buffer(5)
    report = partition_problems(broken, within=parent)
    (gap,) = report.gaps
    assert inner[0] in gap.neighbours
    assert gap.area_m2 == pytest.approx(grids[inner[0]].area - broken[inner[0]].area, rel=1e-6)
    assert report.overlaps
    assert all(inner[1] in (one.i, one.j) for one in report.overlaps)
    assert report.outside == report.invalid == ()
