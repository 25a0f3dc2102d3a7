"""Grid edits on the four hundred police grids of the demo, judged by other means than those that make them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
import shapely
from shapely import LineString, Polygon

from gridmap.domain.crs import metric_crs_of, to_metric
from gridmap.domain.elements import Element
from gridmap.domain.grids import GridEditError, GridSwallowed, GroundLeftOver
from gridmap.services import elements, grids
from gridmap.services.district import District
from gridmap.storage import membership as members
from gridmap.storage.elements import Query
from gridmap.validation.topology import partition_problems
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, make_district
from tests.support.part_of_demo import put_part
from tests.support.partition import strays

LAYERS = ("district", "town", "police_grid", "workstation", "residential_area")
EDITS = int(os.environ.get("GRIDMAP_TEST_GRID_EDITS", "16"))


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("demo")
    made = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    put_part(made, LAYERS, seed=2)
    yield made
    made.close()


def all_grids(district: District) -> list[Element]:
    return list(elements.find(district, ADMIN, Query("police_grid"), limit=2_000).elements)


def figures(district: District) -> tuple[dict[str, int], int]:
    """How many elements of each layer lie in a grid at all, and the households of all grids."""
    with district.database.read() as connection:
        counts = {
            layer: sum(members.counts(connection, layer, "police_grid").values())
            for layer in ("workstation", "residential_area")
        }
    return counts, sum(one.properties.get("household_count", 0) for one in all_grids(district))


def edit(district: District, rng: np.random.Generator) -> grids.GridReceipt:
    """One edit of any kind at a random place."""
    present = all_grids(district)
    one = present[int(rng.integers(len(present)))]
    areas = np.array([each.geometry for each in present], dtype=object)
    kind = rng.choice(["border", "split", "merge", "line"])
    if kind == "border":
        ring = shapely.get_coordinates(shapely.get_parts(one.geometry)[0].exterior)[:-1]
        at = int(rng.integers(len(ring)))
        ring[[at, (at + 1) % len(ring)]] += rng.normal(0, 3e-4, 2)
        return grids.move_border(
            district, KEEPER, "police_grid", one.id, Polygon(ring), base_revision=one.revision
        )
    if kind == "split":
        west, south, east, north = one.geometry.bounds
        turn, middle = rng.uniform(0, np.pi), one.geometry.representative_point()
        way = np.array([np.cos(turn), np.sin(turn)]) * max(east - west, north - south)
        line = LineString([(middle.x - way[0], middle.y - way[1]), (middle.x + way[0], middle.y + way[1])])
        return grids.split(district, KEEPER, "police_grid", one.id, line, base_revision=one.revision)
    near = shapely.STRtree(areas).query(one.geometry, predicate="intersects")
    mates = [
        present[at] for at in near
        if present[at].code[:9] == one.code[:9] and present[at].id != one.id
        and shapely.intersection(areas[at], one.geometry).length > 1e-3
    ]  # fmt: skip
    mate = mates[int(rng.integers(len(mates)))]
    revisions = {each.id: each.revision for each in (one, mate)}
    if kind == "merge":
        return grids.merge(district, KEEPER, "police_grid", list(revisions), base_revisions=revisions)
    border = shapely.line_merge(shapely.intersection(one.geometry, mate.geometry))
    line = max(shapely.get_parts(border), key=lambda part: part.length)
    bend = shapely.get_coordinates(line)
    bend[1:-1] += rng.normal(0, 1e-4, bend[1:-1].shape)
    return grids.move_line(
        district, KEEPER, "police_grid", one.id, mate.id, LineString(bend), base_revisions=revisions
    )


@pytest.mark.slow
def test_the_demo_stays_a_partition_through_many_edits_and_comes_back_by_undoing(district: District) -> None:
    rng, before = np.random.default_rng(5), {one.code: one.geometry for one in all_grids(district)}
    towns = np.array(
        [one.geometry for one in elements.find(district, ADMIN, Query("town")).elements], dtype=object
    )
    crs = metric_crs_of(towns)
    whole, counts, done = shapely.union_all(to_metric(towns, crs)), figures(district), []
    while len(done) < EDITS:
        try:
            receipt = edit(district, rng)
        except (GridEditError, GridSwallowed, GroundLeftOver):
            continue
        if receipt.sequence is not None:
            done.append(receipt.sequence)
            assert figures(district) == counts

    areas = np.array([one.geometry for one in all_grids(district)], dtype=object)
    report = partition_problems(to_metric(areas, crs), within=whole)
    assert report.is_clean, (report.overlaps[:3], report.gaps[:3], report.outside[:3])
    assert abs(shapely.union_all(to_metric(areas, crs)).area - whole.area) < 1.0
    assert strays(areas[shapely.intersects(areas, areas[-1].buffer(1e-6))]) == []

    for sequence in reversed(done):
        grids.undo(district, KEEPER, sequence)
    after = {one.code: one.geometry for one in all_grids(district)}
    assert after.keys() == before.keys()
    assert all(shapely.equals_identical(after[code], shape) for code, shape in before.items())
    assert figures(district) == counts
