"""Files into layers: the dry run, the commit, and taking it back."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridmap.domain.crs import wgs84_to_gcj02
from gridmap.domain.elements import Operation, new_id
from gridmap.domain.roles import User
from gridmap.errors import InvalidInput, NotFound, PermissionDenied, TooLarge
from gridmap.services import elements, imports, jobs
from gridmap.services.columns import MappingFault
from gridmap.services.district import District, assemble
from gridmap.services.imports import Action, ImportNotUndoable, ImportOutdated, ImportRefused
from gridmap.settings import load_settings
from gridmap.storage import elements as stored
from gridmap.storage import history, lineage, membership
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER, make_district, seed

HEADINGS = "编码,名称,开放时间,民警数,经度,纬度"
GOOD = ["JWZ21,新一站,24小时,4,121.45,30.92", "JWZ22,新二站,日间(8:00–20:00),2,121.46,30.96"]


def csv(*rows: str, headings: str = HEADINGS) -> bytes:
    return "\n".join([headings, *rows]).encode("utf-8")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded district's file, made once and closed."""
    home = tmp_path_factory.mktemp("template")
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    seed(district)
    district.close()
    return home / "district.gpkg"


def opened(template: Path, home: Path, clock: FakeClock) -> District:
    """A copy of the seeded district."""
    shutil.copy(template, home / "district.gpkg")
    env = {"GRIDMAP_HOME": str(home), "GRIDMAP_DATABASE_URL": f"sqlite:///{home / 'district.gpkg'}"}
    return assemble(load_settings(env, secret=b"a secret of the tests"), clock=clock)


@pytest.fixture
def district(template: Path, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = opened(template, tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def either(database_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    """A seeded district on each of the two databases."""
    made = make_district(database_url, tmp_path, clock)
    seed(made)
    yield made
    made.close()


def plan(district: District, data: bytes, *, user: User = ADMIN, layer: str = "workstation", **options):
    options = {"datum": "wgs84", "filename": "站点.csv"} | options
    return imports.plan(district, user, layer, data, **options)


def load(district: District, data: bytes, *, user: User = ADMIN, mode: str = "all", **options):
    return imports.apply(district, user, plan(district, data, user=user, **options), mode)


def by_code(district: District, layer: str = "workstation") -> dict:
    with district.database.read() as connection:
        return {one.code: one for one in stored.find(connection, Query(layer))}


def faults(made: imports.ImportPlan) -> set[tuple[int, str, str]]:
    return {(one.row, one.field, one.rule) for one in made.problems}


# --- the dry run and the two modes --------------------------------------------------------------------------


BAD = [
    "JWZ21,好站,24小时,4,121.45,30.92",
    "坏编码,甲,24小时,4,121.45,30.93",
    "JWZ23,,24小时,4,121.45,30.94",
    "JWZ24,丁,有时,四,121.45,30.95",
    "JWZ25,戊,24小时,4,,",
    "JWZ26,己,24小时,4,221.45,30.95",
    "JWZ21,庚,24小时,4,121.45,30.96",
    "JWZ27,辛13800138000,24小时,4,121.45,30.96",
]


def test_a_dry_run_names_every_bad_row_by_number_field_and_rule(district: District) -> None:
    before = district.database.sequence()
    made = plan(district, csv(*BAD))

    # row 1 is the heading
    assert faults(made) == {
        (3, "code", "pattern"), (4, "name", "required"), (5, "opening_hours", "choices"), (5, "officer_count", "type"),
        (6, "geometry", "missing"), (7, "geometry", "out_of_range"), (8, "code", "duplicate"), (9, "name", "privacy"),
    }  # fmt: skip
    assert all(one.message for one in made.problems)
    assert (made.count(Action.NEW), made.count(Action.REFUSED)) == (1, 7)
    assert "13800138000" not in json.dumps(made.document(), ensure_ascii=False)
    assert district.database.sequence() == before


def test_a_dry_run_tells_what_each_update_replaces_and_how_far_it_moves(district: District) -> None:
    load(district, csv("JWZ31,原站,24小时,4,121.45,30.92", "JWZ32,同站,24小时,4,121.46,30.92"))
    made = plan(district, csv("JWZ31,新站,24小时,6,121.451,30.92", "JWZ32,同站,24小时,4,121.46,30.92"))
    document = made.document()
    [one] = document["updates"]
    assert document["update_count"] == 1
    assert (one["code"], one["fields"]) == ("JWZ31", {"name": ["原站", "新站"], "officer_count": [4, 6]})
    assert one["moved_m"] == pytest.approx(95.6, abs=0.5)


RISKS = "编码,名称,类别,等级,上报日期,办理期限,经度,纬度"
DUE = "编码,办理期限,经度,纬度"


def test_a_date_before_the_one_it_follows_is_refused_by_row(district: District) -> None:
    rows = [
        "FX7001,甲,反诈,blue,2026-03-02,2026-03-01,121.45,30.92",
        "FX7002,乙,反诈,blue,2026-03-02,,121.46,30.96",
    ]
    made = plan(district, csv(*rows, headings=RISKS), layer="risk")
    assert faults(made) == {(2, "deadline_on", "not_before")}


def test_a_date_is_compared_with_the_one_that_the_file_leaves_as_it_is(either: District) -> None:
    row = "FX7001,甲,反诈,blue,2026-03-02,2026-03-09,121.45,30.92"
    imports.apply(either, ADMIN, plan(either, csv(row, headings=RISKS), layer="risk"), "all")
    late = plan(either, csv("FX7001,2026-03-01,121.45,30.92", headings=DUE), layer="risk")
    assert faults(late) == {(2, "deadline_on", "not_before")}
    assert faults(plan(either, csv("FX7001,2026-03-02,121.45,30.92", headings=DUE), layer="risk")) == set()


def test_all_or_nothing_stores_nothing_of_a_file_with_a_bad_row(district: District) -> None:
    before = district.database.sequence()
    with pytest.raises(ImportRefused) as refused:
        load(district, csv(*BAD))

    assert refused.value.refused == 7
    assert "第 3 行" in refused.value.chinese()
    assert district.database.sequence() == before
    assert "JWZ21" not in by_code(district)


def test_good_rows_are_stored_in_one_commit(either: District) -> None:
    before = either.database.sequence()
    receipt = load(either, csv(*BAD, "JWZ28,壬,24小时,1,121.55,30.92"), mode="good")

    assert (receipt.new, receipt.refused, receipt.sequence) == (2, 7, before + 1)
    assert either.database.sequence() == before + 1
    made = by_code(either)["JWZ28"]
    assert (made.revision, made.sequence, made.created_by) == (1, before + 1, "admin")
    assert made.properties == {"opening_hours": "24h", "officer_count": 1, "readiness_minutes": 1}
    assert made.verified_at == either.clock()
    assert made.due_at is not None
    with either.database.read() as connection:
        assert membership.of_element(connection, made.id)["police_grid"] == "310199102001001"
        assert history.verify(connection, b"a secret of the tests").is_valid


def test_problems_become_a_table_without_formulas(district: District) -> None:
    made = plan(district, csv("=1+1,甲,24小时,4,121.45,30.93"))
    text = imports.problems_csv(replace(made, problems=(imports.RowIssue(2, "=x", "r", "=cmd()"),))).decode(
        "utf-8-sig"
    )

    assert text.splitlines()[0] == "行号,级别,字段,规则,说明"
    assert text.splitlines()[1] == "2,不合格,'=x,r,'=cmd()"


# --- the same again ----------------------------------------------------------------------------------------


def test_the_same_file_twice_changes_nothing(either: District) -> None:
    load(either, csv(*GOOD))
    sequence = either.database.sequence()
    again = load(either, csv(*GOOD))

    assert (again.new, again.changed, again.unchanged, again.sequence) == (0, 0, 2, None)
    assert either.database.sequence() == sequence
    assert {one.revision for code, one in by_code(either).items() if code in ("JWZ21", "JWZ22")} == {1}


def roads(*rows: str) -> bytes:
    return csv(*rows, headings="name,class,oneway,WKT")


ROADS = [
    '甲路,primary,否,"LINESTRING(121.41 30.91, 121.45 30.91)"',
    '甲路,primary,否,"LINESTRING(121.45 30.91, 121.49 30.91)"',
    '甲路,primary,否,"LINESTRING(121.45 30.91, 121.41 30.91)"',
    ',residential,是,"LINESTRING(121.42 30.91, 121.42 30.95)"',
]


def test_elements_without_codes_are_known_by_name_and_place(district: District) -> None:
    first = load(district, roads(*ROADS), layer="road")
    again = load(district, roads(*ROADS), layer="road")
    changed = load(district, roads(ROADS[0].replace("primary", "secondary"), *ROADS[1:]), layer="road")

    # a line that runs the other way is another line
    assert first.new == 4
    assert (again.unchanged, again.sequence) == (4, None)
    assert (changed.changed, changed.unchanged, changed.new) == (1, 3, 0)


def test_equal_rows_of_one_file_are_stored_once(district: District) -> None:
    first = load(district, roads(ROADS[0], ROADS[0]), layer="road")
    again = load(district, roads(ROADS[0], ROADS[0]), layer="road")

    assert (first.new, first.repeated) == (1, 1)
    assert (again.new, again.unchanged + again.repeated, again.sequence) == (0, 2, None)


def test_a_shift_below_the_tolerance_is_no_change_and_one_above_is(district: District) -> None:
    load(district, csv(GOOD[0]))
    near = load(district, csv(GOOD[0].replace("121.45", "121.45000005")))
    far = load(district, csv(GOOD[0].replace("121.45", "121.4500005")))

    assert (near.unchanged, near.changed) == (1, 0)
    assert (far.unchanged, far.changed) == (0, 1)


def test_an_area_whose_ring_begins_elsewhere_is_the_same(district: District) -> None:
    ring = [(121.41, 30.91), (121.42, 30.91), (121.42, 30.92), (121.41, 30.92)]

    def file(points: list) -> bytes:
        polygon = shapely.Polygon(points)
        return csv(f'XQ0001,甲小区,小区,100,"{polygon.wkt}"', headings="编码,名称,类别,人口,WKT")

    load(district, file(ring), layer="residential_area")
    again = load(district, file([*ring[2:], *ring[:2]][::-1]), layer="residential_area")
    assert (again.unchanged, again.sequence) == (1, None)


# --- updates -----------------------------------------------------------------------------------------------


def test_a_file_changes_only_what_it_has_columns_for(either: District) -> None:
    load(either, csv("JWZ21,新一站,24小时,4,121.45,30.92,示例路1号", headings=HEADINGS + ",地址"))
    receipt = load(either, csv("JWZ21,新一站,24小时,5,121.45,30.92"))

    now = by_code(either)["JWZ21"]
    assert receipt.changed == 1
    assert (now.revision, now.properties["officer_count"], now.properties["address"]) == (2, 5, "示例路1号")
    with either.database.read() as connection:
        newest = history.of_element(connection, now.id)[0]
    assert (newest.base_revision, newest.operation) == (1, Operation.UPDATE)
    assert newest.reason.startswith("批量导入:站点.csv")


def test_an_empty_cell_clears_and_a_required_one_is_refused(district: District) -> None:
    load(district, csv("JWZ21,新一站,24小时,4,121.45,30.92,示例路1号", headings=HEADINGS + ",地址"))
    load(district, csv("JWZ21,新一站,24小时,4,121.45,30.92,", headings=HEADINGS + ",地址"))
    assert "address" not in by_code(district)["JWZ21"].properties

    made = plan(district, csv("JWZ21,新一站,,4,121.45,30.92"))
    assert faults(made) == {(2, "opening_hours", "required")}


def with_id(element_id: str, rest: str, *, headings: str = HEADINGS) -> bytes:
    return csv(f"{element_id},{rest}", headings="id," + headings)


def test_a_known_id_is_the_element_whatever_its_code(district: District) -> None:
    known = by_code(district)["JWZ01"]
    receipt = load(district, with_id(known.id, "JWZ77,改了编码,24小时,3,121.42,30.92"))

    assert receipt.changed == 1
    assert by_code(district)["JWZ77"].id == known.id


def test_an_unknown_id_is_kept_for_the_new_element(district: District) -> None:
    fresh = new_id()
    assert load(district, with_id(fresh, GOOD[0])).new == 1
    assert by_code(district)["JWZ21"].id == fresh


def test_ids_that_cannot_be_are_refused(district: District) -> None:
    road = next(iter(by_code(district, "town").values()))
    one = new_id()
    rows = [
        f"{road.id},{GOOD[0]}",
        f"{one},{GOOD[1]}",
        f"{one},JWZ23,丙,24小时,1,121.45,30.99",
        f"{new_id()},JWZ02,占用,24小时,1,121.46,30.97",
    ]
    made = plan(district, csv(*rows, headings="id," + HEADINGS))
    # the last row is the element that has its code
    assert faults(made) == {(2, "id", "other_layer"), (4, "id", "duplicate")}

    wrong = plan(district, with_id("7", GOOD[0]), mapping={"id": "id"})
    assert faults(wrong) == {(2, "id", "type")}
    assert "id" in plan(district, with_id("7", GOOD[0])).ignored


def test_a_code_that_another_element_has_is_refused(district: District) -> None:
    known = by_code(district)["JWZ01"]
    made = plan(district, with_id(known.id, "JWZ02,占用,24小时,3,121.42,30.92"))
    assert faults(made) == {(2, "code", "taken")}


def test_a_file_older_than_the_district_is_refused_where_it_would_undo_an_edit(district: District) -> None:
    known = by_code(district)["JWZ01"]
    elements.change(district, ADMIN, "workstation", known.id, base_revision=1, changes={"officer_count": 9})
    headings = "revision," + HEADINGS

    made = plan(district, csv("1,JWZ01,西镇第一警务站,24小时,3,121.42,30.92", headings=headings))
    assert faults(made) == {(2, "revision", "stale")}
    same = plan(district, csv("1,JWZ01,西镇第一警务站,24小时,9,121.42,30.92", headings=headings))
    assert same.count(Action.UNCHANGED) == 1


# --- rights ------------------------------------------------------------------------------------------------


def test_rows_outside_the_own_area_are_refused(district: District) -> None:
    rows = ["JWZ21,西,24小时,4,121.45,30.92", "JWZ22,东,24小时,4,121.55,30.92"]

    made = plan(district, csv(*rows), user=OFFICER_WEST)
    assert faults(made) == {(3, "geometry", "area")}
    # moving somebody else's element into the own area is a write in theirs
    stolen = plan(district, csv("JWZ03,东镇第一警务站,24小时,3,121.45,30.92"), user=OFFICER_WEST)
    assert faults(stolen) == {(2, "geometry", "area")}
    assert imports.apply(district, OFFICER_WEST, made, "good").new == 1


def test_who_may_not_import_is_refused(district: District) -> None:
    for user, layer in ((VIEWER, "workstation"), (OFFICER_WEST, "town"), (KEEPER, "district")):
        with pytest.raises(PermissionDenied):
            plan(district, csv(*GOOD), user=user, layer=layer)
    made = plan(district, csv(*GOOD))
    with pytest.raises(PermissionDenied):
        imports.apply(district, OFFICER_EAST, made)
    with pytest.raises(PermissionDenied):
        imports.apply(district, KEEPER, made)


# --- privacy -----------------------------------------------------------------------------------------------


def test_personal_data_in_a_column_that_is_left_out_is_told(district: District) -> None:
    made = plan(district, csv(GOOD[0] + ",13800138000", headings=HEADINGS + ",联系人手机"))

    assert made.is_clean
    [warning] = [one for one in made.warnings if "联系人手机" in one]
    assert "13800138000" not in warning
    imports.apply(district, ADMIN, made)
    assert "13800138000" not in by_code(district)["JWZ21"].values().values()


def test_duty_phones_are_no_personal_data(district: District) -> None:
    made = plan(district, csv(GOOD[0] + ",13800138000", headings=HEADINGS + ",值班电话"))
    assert made.is_clean
    assert made.mapping["值班电话"] == "duty_phone"


# --- places ------------------------------------------------------------------------------------------------


def test_gcj02_is_converted_and_a_wrong_statement_is_suspected(district: District) -> None:
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(121.4, 121.6, 300), rng.uniform(30.92, 30.923, 300)
    # along a road, as addresses are
    lat[:] = 30.92
    x, y = wgs84_to_gcj02(lon, lat)
    rows = [f"CS{at:04d},场所{at},网吧,{a},{b}" for at, (a, b) in enumerate(zip(x, y, strict=True))]
    file = csv(*rows, headings="编码,名称,类别,经度,纬度")

    wrong = plan(district, file, layer="premises", datum="wgs84")
    right = plan(district, file, layer="premises", datum="gcj02")

    assert any("GCJ-02" in one for one in wrong.warnings)
    assert not any("GCJ-02" in one for one in right.warnings)
    imports.apply(district, ADMIN, right)
    there = by_code(district, "premises")["CS0000"].geometry
    assert shapely.distance(there, shapely.Point(lon[0], lat[0])) < 1e-8


def test_points_outside_the_district_are_told(district: District) -> None:
    made = plan(district, csv("JWZ21,远站,24小时,4,122.45,30.92"))
    assert made.is_clean
    assert any("不在本区范围内" in one for one in made.warnings)


def test_stated_grid_codes_that_disagree_are_told_and_dropped(district: District) -> None:
    rows = [f"{GOOD[0]},310199102001001", f"{GOOD[1]},310199101001002"]
    made = plan(district, csv(*rows, headings=HEADINGS + ",所属警务网格编码"))

    assert [(one.row, one.rule) for one in made.remarks] == [(2, "grid_code")]
    assert "310199101001001" in made.remarks[0].message
    assert any("1 行" in one and "警务网格" in one for one in made.warnings)


def test_near_duplicates_are_told(district: District) -> None:
    # 0.0005 degrees of longitude are 48 m here
    rows = [
        "JWZ21,甲,24小时,4,121.4205,30.92",
        "JWZ22,乙,24小时,4,121.48,30.93",
        "JWZ23,丙,24小时,4,121.4805,30.93",
    ]
    made = plan(district, csv(*rows))

    assert [(one.row, one.rule) for one in made.remarks] == [(2, "near_duplicate"), (3, "near_duplicate")]
    assert "JWZ01" in made.remarks[0].message
    assert "第 4 行" in made.remarks[1].message


# --- partitions --------------------------------------------------------------------------------------------


def grids(*rows: tuple[str, str, shapely.Geometry]) -> bytes:
    lines = [f'{code},{name},"{geometry.wkt}"' for code, name, geometry in rows]
    return csv(*lines, headings="编码,名称,WKT")


WEST_SOUTH = "310199101001001"


def test_a_grid_that_overlaps_is_refused(district: District) -> None:
    made = plan(
        district, grids((WEST_SOUTH, "一格", shapely.box(121.4, 30.9, 121.5, 30.951))), layer="police_grid"
    )
    [(row, field, rule)] = faults(made)
    assert (row, field, rule) == (2, "geometry", "overlap")
    assert "310199101001002" in made.problems[0].message


def test_a_grid_beyond_its_parent_is_refused(district: District) -> None:
    made = plan(
        district, grids((WEST_SOUTH, "一格", shapely.box(121.39, 30.9, 121.5, 30.95))), layer="police_grid"
    )
    assert faults(made) == {(2, "geometry", "outside_parent")}


def test_a_coarser_grid_may_not_cut_the_grids_below_it(district: District) -> None:
    narrower, wider = shapely.box(121.4, 30.9, 121.49, 31.0), shapely.box(121.49, 30.9, 121.6, 31.0)
    made = plan(district, grids(("310199101", "西镇", narrower), ("310199102", "东镇", wider)), layer="town")
    assert faults(made) == {(2, "geometry", "child_outside"), (3, "geometry", "child_outside")}
    assert "310199101001001" in made.problems[0].message
    # along the border of the grids below, all is well: here, as it was
    same = plan(
        district, grids(("310199101", "西镇新名", shapely.box(121.4, 30.9, 121.5, 31.0))), layer="town"
    )
    assert same.is_clean


def test_what_lies_beyond_an_outline_from_elsewhere_is_told_and_stored(district: District) -> None:
    """The outline of the whole district is no partition: here as in an edit it is a remark."""
    wider = shapely.box(121.399, 30.9, 121.5, 31.0)
    made = plan(district, grids(("310199101", "西镇", wider)), layer="town")
    assert made.is_clean
    assert [(one.row, one.rule) for one in made.remarks] == [(2, "outside_parent")]
    town = elements.find(district, ADMIN, Query("town", equals={"code": "310199101"})).elements[0]
    receipt = elements.change(district, ADMIN, "town", town.id, base_revision=town.revision, geometry=wider)
    assert any("超出所属“辖区”" in one for one in receipt.warnings)


def test_two_halves_replace_a_whole_in_one_file(district: District) -> None:
    lower, upper = shapely.box(121.4, 30.9, 121.5, 30.93), shapely.box(121.4, 30.93, 121.5, 30.95)
    receipt = load(
        district, grids((WEST_SOUTH, "一格", lower), ("310199101001003", "三格", upper)), layer="police_grid"
    )

    assert (receipt.changed, receipt.new) == (1, 1)
    # the stations at 30.91 and 30.92 stay, and what lies above moves to the new grid
    load(district, csv("JWZ21,上,24小时,4,121.45,30.94"))
    with district.database.read() as connection:
        codes = {
            one.code: membership.of_element(connection, one.id)["police_grid"]
            for one in by_code(district).values()
        }
    assert (codes["JWZ01"], codes["JWZ21"]) == (WEST_SOUTH, "310199101001003")


def test_corners_on_a_neighbours_long_edge_are_no_fault(tmp_path: Path, clock: FakeClock) -> None:
    empty = make_district(f"sqlite:///{tmp_path / 'empty.gpkg'}", tmp_path, clock)
    # the corner at (121.5, 31.0 + slope) lies on the long slanted edge, to the last digit that a file has
    long = shapely.Polygon([(121.0, 30.9), (122.0, 30.95), (122.0, 31.2), (121.0, 31.2)])
    left = shapely.Polygon([(121.0, 30.9), (121.0, 30.7), (121.5, 30.7), (121.5, 30.925)])
    right = shapely.Polygon([(121.5, 30.925), (121.5, 30.7), (122.0, 30.7), (122.0, 30.95)])
    file = grids(("310199101", "上", long), ("310199102", "左", left), ("310199103", "右", right))

    made = plan(empty, file, layer="town")
    assert made.is_clean, made.problems
    assert imports.apply(empty, ADMIN, made).new == 3
    again = load(empty, file, layer="town")
    assert (again.unchanged, again.sequence) == (3, None)
    empty.close()


def test_ground_that_stays_bare_is_told(district: District) -> None:
    made = plan(
        district, grids((WEST_SOUTH, "一格", shapely.box(121.4, 30.9, 121.5, 30.94))), layer="police_grid"
    )
    assert made.is_clean
    assert any("没有被任何警务网格覆盖" in one for one in made.warnings)


# --- columns -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headings",
    [
        "code,name,opening_hours,officer_count,lon,lat",
        "编号,警务站名称,开放时间,民警数(人),经度,纬度",
        "BM,MC,kaifangshijian,minjingshu,x,y",
        " 编码 ,名 称,开放_时间,民警数*,lng,lat",
    ],
)
def test_columns_are_found_by_id_title_synonym_and_pinyin(district: District, headings: str) -> None:
    made = plan(district, csv(*GOOD, headings=headings))
    assert list(made.mapping.values()) == ["code", "name", "opening_hours", "officer_count"]
    assert made.count(Action.NEW) == 2


def test_a_mapping_can_be_changed(district: District) -> None:
    made = plan(
        district,
        csv(*GOOD, headings="甲,乙,丙,丁,经度,纬度"),
        mapping={"甲": "code", "乙": "名称", "丙": "opening_hours", "丁": "officer_count"},
    )
    assert made.count(Action.NEW) == 2
    out = plan(district, csv(*GOOD), mapping={"民警数": None})
    assert faults(out) == {(2, "officer_count", "required"), (3, "officer_count", "required")}


@pytest.mark.parametrize(
    "mapping",
    [{"没有": "code"}, {"编码": "nothing"}, {"编码": "name", "名称": "name"}],
    ids=["column", "field", "twice"],
)
def test_a_mapping_that_cannot_be_is_refused(district: District, mapping: dict[str, str]) -> None:
    with pytest.raises(MappingFault):
        plan(district, csv(*GOOD), mapping=mapping)


def test_values_can_be_given_a_meaning(district: District) -> None:
    file = roads('甲路,trunk,否,"LINESTRING(121.41 30.91, 121.45 30.91)"')
    first = plan(district, file, layer="road")
    assert faults(first) == {(2, "class", "choices")}
    assert first.unknown_choices == {"class": ("trunk",)}
    assert plan(district, file, layer="road", values={"class": {"trunk": "primary"}}).is_clean


def test_rows_can_be_chosen_by_a_column(district: District) -> None:
    made = plan(district, csv(*GOOD, "坏,坏,坏,坏,坏,坏"), where={"编码": "JWZ22"})
    assert (made.is_clean, len(made.table), made.table.rows.tolist()) == (True, 1, [3])
    with pytest.raises(MappingFault):
        plan(district, csv(*GOOD), where={"没有": "x"})


# --- limits, jobs, interruptions ---------------------------------------------------------------------------


def test_a_file_beyond_the_limits_is_refused(district: District) -> None:
    small = replace(district, settings=replace(district.settings, max_import_rows=1))
    with pytest.raises(TooLarge):
        plan(small, csv(*GOOD))


def test_the_live_database_is_no_file_to_import(district: District) -> None:
    with pytest.raises(PermissionDenied):
        plan(district, district.settings.database_file)


def test_unknown_layers_and_datums_are_refused(district: District) -> None:
    with pytest.raises(NotFound):
        plan(district, csv(*GOOD), layer="nothing")
    with pytest.raises(InvalidInput):
        plan(district, csv(*GOOD), datum="mars2000")
    with pytest.raises(InvalidInput, match="all or good"):
        plan(district, csv(*GOOD), mode="some")


def test_an_edit_meanwhile_is_taken_into_account_or_refused(district: District) -> None:
    made = plan(district, csv(*GOOD))
    known = by_code(district)["JWZ01"]
    elements.change(district, ADMIN, "workstation", known.id, base_revision=1, changes={"officer_count": 9})
    assert imports.apply(district, ADMIN, made).new == 2

    made = plan(district, csv("JWZ31,新,24小时,1,121.45,30.99"))
    elements.create(
        district, ADMIN, "workstation",
        {"code": "JWZ31", "name": "别人的", "opening_hours": "24h", "officer_count": 1}, shapely.Point(121.41, 30.98),
    )  # fmt: skip
    sequence = district.database.sequence()
    with pytest.raises(ImportOutdated):
        imports.apply(district, ADMIN, made)
    assert district.database.sequence() == sequence


def test_an_import_that_breaks_off_leaves_nothing(district: District) -> None:
    made = plan(district, csv(*GOOD))
    sequence = district.database.sequence()

    def fall(*_: object) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        imports.apply(district, ADMIN, made, on_stored=fall)
    assert district.database.sequence() == sequence
    assert "JWZ21" not in by_code(district)


def test_an_import_whose_process_is_killed_leaves_nothing(district: District, tmp_path: Path) -> None:
    file = tmp_path / "站点.csv"
    file.write_bytes(csv(*GOOD))
    script = (
        "import sys, time, pathlib\n"
        "from gridmap.services import imports\n"
        "from gridmap.services.district import open_district\n"
        "from gridmap.settings import load_settings\n"
        "from tests.support.district import ADMIN\n"
        "home, file = map(pathlib.Path, sys.argv[1:])\n"
        "env = {'GRIDMAP_HOME': str(home), 'GRIDMAP_DATABASE_URL': f'sqlite:///{home}/district.gpkg'}\n"
        "district = open_district(load_settings(env, secret=b'a secret of the tests'))\n"
        "def wait(*_):\n"
        "    (home / 'written').touch()\n"
        "    time.sleep(600)\n"
        "plan = imports.plan(district, ADMIN, 'workstation', file, datum='wgs84')\n"
        "imports.apply(district, ADMIN, plan, on_stored=wait)\n"
    )
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(file)], cwd=root)
    ends = time.monotonic() + 60
    while not (tmp_path / "written").exists():
        assert child.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.02)
    os.kill(child.pid, 9)
    child.wait()

    assert "JWZ21" not in by_code(district)
    assert load(district, csv(*GOOD)).new == 2
    with district.database.read() as connection:
        assert history.verify(connection, b"a secret of the tests").is_valid


def test_a_job_imports_in_a_worker(district: District, tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(csv(*BAD))
    asked = {"path": str(file), "filename": "站点.csv", "layer": "workstation", "datum": "wgs84"}

    job = jobs.start(district, ADMIN, "import", "导入", asked)
    result = jobs.wait(district, ADMIN, job.id).result
    assert (result["receipt"], result["report"]["refused"], len(result["report"]["problems"])) == (None, 7, 8)
    assert (jobs.folder_of(district.settings, job.id) / "problems.csv").read_text("utf-8-sig").count(
        "\n"
    ) == 9

    job = jobs.start(district, ADMIN, "import", "导入", asked | {"mode": "good", "source": "simulated"})
    done = jobs.wait(district, ADMIN, job.id)
    assert done.result["receipt"]["new"] == 1
    assert done.message.startswith("导入完成")
    assert by_code(district)["JWZ21"].source.value == "simulated"


# --- taking back -------------------------------------------------------------------------------------------


def test_an_import_can_be_taken_back_whole(either: District) -> None:
    before = by_code(either)
    receipt = load(either, csv(*GOOD, "JWZ01,改名,24小时,3,121.42,30.92"))
    undone = imports.undo_import(either, ADMIN, receipt.sequence)

    after = by_code(either)
    assert undone.sequence == receipt.sequence + 1
    assert after.keys() == before.keys()
    assert (after["JWZ01"].name, after["JWZ01"].revision) == (before["JWZ01"].name, 3)
    # the same file brings the same elements back, ids and all
    again = load(either, csv(*GOOD))
    assert (again.restored, again.new) == (2, 0)
    with either.database.read() as connection:
        operations = [one.operation for one in history.of_element(connection, by_code(either)["JWZ21"].id)]
        assert membership.of_element(connection, by_code(either)["JWZ21"].id) != {}
        assert history.verify(connection, b"a secret of the tests").is_valid
    assert operations == [Operation.RESTORE, Operation.DELETE, Operation.CREATE]


def test_an_import_that_somebody_built_on_is_not_taken_back(district: District) -> None:
    receipt = load(district, csv(*GOOD))
    made = by_code(district)["JWZ21"]
    elements.change(district, KEEPER, "workstation", made.id, base_revision=1, changes={"officer_count": 9})
    sequence = district.database.sequence()

    with pytest.raises(ImportNotUndoable):
        imports.undo_import(district, ADMIN, receipt.sequence)
    assert district.database.sequence() == sequence


def test_only_the_importer_or_an_administrator_takes_back(district: District) -> None:
    receipt = load(district, csv(*GOOD), user=KEEPER)
    with pytest.raises(PermissionDenied):
        imports.undo_import(district, OFFICER_WEST, receipt.sequence)
    with pytest.raises(NotFound):
        imports.undo_import(district, ADMIN, 1)
    assert imports.undo_import(district, ADMIN, receipt.sequence).sequence


def test_a_code_deleted_on_purpose_is_not_brought_back(district: District) -> None:
    known = by_code(district)["JWZ06"]
    elements.delete(district, ADMIN, "workstation", known.id, base_revision=1)
    made = plan(district, csv("JWZ06,又来,24小时,1,121.44,30.91"))
    assert faults(made) == {(2, "code", "retired")}


# --- real files --------------------------------------------------------------------------------------------


def test_towns_and_a_shifted_district_fit_after_import(
    shared_data: Path, tmp_path: Path, clock: FakeClock
) -> None:
    empty = make_district(f"sqlite:///{tmp_path / 'empty.gpkg'}", tmp_path, clock)
    towns = shared_data / "boundaries" / "fengxian_streets_wgs84.geojson"
    outline = shared_data / "boundaries" / "shanghai_districts_datav_gcj02.geojson"

    made = imports.plan(empty, ADMIN, "town", towns, datum="wgs84")
    assert (made.is_clean, made.mapping["id"]) == (True, "code"), made.problems
    assert imports.apply(empty, ADMIN, made).new == 12
    wrong = imports.plan(empty, ADMIN, "district", outline, datum="wgs84", where={"name": "奉贤区"})
    assert any("GCJ-02" in one for one in wrong.warnings)
    right = imports.plan(empty, ADMIN, "district", outline, datum="gcj02", where={"name": "奉贤区"})
    assert imports.apply(empty, ADMIN, right).new == 1

    district = by_code(empty, "district")["310120"]
    union = shapely.union_all([one.geometry for one in by_code(empty, "town").values()])
    both = shapely.intersection(district.geometry, union).area
    assert both / shapely.union(district.geometry, union).area >= 0.99
    again = imports.plan(empty, ADMIN, "town", towns, datum="wgs84")
    assert again.count(Action.UNCHANGED) == 12
    empty.close()


def test_a_real_road_network_comes_in_once(shared_data: Path, district: District) -> None:
    file = shared_data / "roads" / "shenzhen_futian_osm_drive_edges.geojson"
    known = {
        "trunk": "primary", "trunk_link": "primary", "primary_link": "primary", "secondary_link": "secondary",
        "tertiary_link": "tertiary", "motorway_link": "motorway", "unclassified": "tertiary",
        '["primary", "trunk"]': "primary", '["primary", "secondary"]': "primary",
    }  # fmt: skip
    options: dict = {"datum": "wgs84", "mapping": {"highway": "class", "maxspeed": None}}
    asked = imports.plan(district, ADMIN, "road", file, **options)
    options["values"] = {"class": {text: known.get(text, "path") for text in asked.unknown_choices["class"]}}
    made = imports.plan(district, ADMIN, "road", file, **options)
    assert made.is_clean
    receipt = imports.apply(district, ADMIN, made)
    again = imports.plan(district, ADMIN, "road", file, **options)

    frame = gpd.read_file(file)
    assert receipt.new + receipt.repeated == len(frame) == 4009
    assert receipt.repeated < 5
    assert again.count(Action.NEW) == again.count(Action.CHANGED) == 0
    with district.database.read() as connection:
        names = {one.name for one in stored.find(connection, Query("road"))}
    assert "深南大道" in names


# --- codes of grids ----------------------------------------------------------------------------------------


def test_a_code_that_a_grid_gave_up_stays_its_own(district: District) -> None:
    known = by_code(district, "police_grid")[WEST_SOUTH]
    renamed = f'{known.id},310199101001009,一格,"{known.geometry.wkt}"'
    receipt = load(district, csv(renamed, headings="id,编码,名称,WKT"), layer="police_grid")
    assert receipt.changed == 1
    with district.database.read() as connection:
        assert lineage.successors(connection, [WEST_SOUTH]) == {"310199101001009"}

    # by somebody else: refused; by the grid itself: welcome back
    other = plan(
        district,
        grids((WEST_SOUTH, "另一格", shapely.box(121.45, 30.91, 121.46, 30.92))),
        layer="police_grid",
    )
    assert (2, "code", "retired") in faults(other)
    back = plan(
        district,
        csv(renamed.replace("310199101001009", WEST_SOUTH), headings="id,编码,名称,WKT"),
        layer="police_grid",
    )
    assert back.count(Action.CHANGED) == 1

    imports.undo_import(district, ADMIN, receipt.sequence)
    assert by_code(district, "police_grid")[WEST_SOUTH].id == known.id


# --- many rows ---------------------------------------------------------------------------------------------


def many(count: int) -> bytes:
    rows = [
        f"CS{at:04},{'' if at % 3 == 0 else f'甲路{at}号'},{['旅馆业', '危化品', '其他'][at % 3]},{at % 40 or ''},"
        f"{'一级' if at % 5 == 0 else ''},场所{at},{121.41 + at % 60 / 400:.5f},{30.91 + at // 60 / 400:.5f}"
        for at in range(count)
    ]
    return csv(*rows, headings="编码,地址,类别,从业人数,管控等级,名称,经度,纬度")


def test_many_rows_are_stored_as_few_are(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []
    for name, columns_from in (("columns", 1_000), ("elements", 10**9)):
        monkeypatch.setattr(imports.changes, "_COLUMNS_FROM", columns_from)
        home = tmp_path / name
        home.mkdir()
        one_district = opened(template, home, FakeClock())
        made = plan(one_district, many(1_200), layer="premises")
        assert (made.newcomers is None) is (name == "elements")
        assert imports.apply(one_district, ADMIN, made).new == 1_200
        with one_district.database.read() as connection:
            found = sorted(stored.find(connection, Query("premises")), key=lambda one: one.code or "")
            noted = membership.grids_of(connection, [one.id for one in found])
        states.append(
            [
                (
                    one.code,
                    one.name,
                    one.properties,
                    one.geometry.wkb,
                    one.due_at,
                    one.verified_by,
                    noted[one.id],
                )
                for one in found
            ]
        )
        one_district.close()
    assert states[0] == states[1]


def test_many_rows_twice_change_nothing(district: District) -> None:
    file = many(1_200)
    assert load(district, file, layer="premises").new == 1_200
    again = load(district, file, layer="premises")
    assert (again.unchanged, again.sequence) == (1_200, None)
    with district.database.read() as connection:
        assert history.verify(connection, b"a secret of the tests").is_valid
