"""Whether what is stored is still as the rules want it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import shapely

from gridmap.domain.elements import Operation
from gridmap.errors import NotFound, PermissionDenied
from gridmap.services import checks
from gridmap.services.checks import CheckReport
from gridmap.services.district import District, assemble
from gridmap.settings import load_settings
from gridmap.storage import elements as stored
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, element, make_district, put, seed

GRID = "310199101001001"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded district's file, made once and closed."""
    home = tmp_path_factory.mktemp("template")
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    seed(district)
    district.close()
    return home / "district.gpkg"


@pytest.fixture
def district(template: Path, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    shutil.copy(template, tmp_path / "district.gpkg")
    env = {"GRIDMAP_HOME": str(tmp_path), "GRIDMAP_DATABASE_URL": f"sqlite:///{tmp_path / 'district.gpkg'}"}
    made = assemble(load_settings(env, secret=b"a secret of the tests"), clock=clock)
    yield made
    made.close()


def rules(report: CheckReport) -> set[tuple[str, str | None, str, str]]:
    return {(one.layer, one.code, one.field, one.rule) for one in report.problems}


def warned(report: CheckReport) -> set[tuple[str, str | None, str]]:
    return {(one.layer, one.code, one.rule) for one in report.warnings}


def overwrite(district: District, layer: str, code: str, **changes: object) -> None:
    """Change an element past all rules and without deriving its grid."""
    with district.database.read() as connection:
        [known] = stored.find(connection, Query(layer, equals={"code": code}))
    with district.database.commit(actor="a", at=district.clock()) as commit:
        stored.save(commit, [replace(known, **changes)], Operation.UPDATE)


def test_a_sound_district_has_no_findings(district: District) -> None:
    report = checks.validate(district, ADMIN)

    assert report.findings == ()
    assert (report.is_clean, report.counts["workstation"], report.counts["premises"]) == (True, 6, 0)


def test_values_that_break_the_rules_are_found(district: District) -> None:
    overwrite(
        district,
        "workstation",
        "JWZ01",
        name="联系13800138000",
        properties={"opening_hours": "夜里", "old": 1},
    )
    report = checks.validate(district, ADMIN)

    assert rules(report) == {
        ("workstation", "JWZ01", "name", "privacy"),
        ("workstation", "JWZ01", "opening_hours", "choices"),
        ("workstation", "JWZ01", "officer_count", "required"),
    }
    assert warned(report) == {("workstation", "JWZ01", "unknown_field")}
    assert "13800138000" not in str(report.document())


def test_broken_shapes_are_found(district: District) -> None:
    bow_tie = shapely.Polygon([(121.41, 30.91), (121.42, 30.92), (121.42, 30.91), (121.41, 30.92)])
    put(district, element("residential_area", "XQ0001", "甲", bow_tie, kind="小区", population=9))
    assert rules(checks.validate(district, ADMIN)) == {("residential_area", "XQ0001", "geometry", "invalid")}


def test_a_code_in_use_twice_is_found(district: District) -> None:
    put(
        district,
        element(
            "workstation", "JWZ01", "乙", shapely.Point(121.47, 30.95), opening_hours="24h", officer_count=9
        ),
    )
    assert rules(checks.validate(district, ADMIN)) == {("workstation", "JWZ01", "code", "duplicate")}


def test_overlaps_gaps_and_grids_beyond_their_parent_are_found(district: District) -> None:
    overwrite(district, "police_grid", GRID, geometry=shapely.box(121.39, 30.901, 121.5, 30.951))
    report = checks.validate(district, ADMIN, layer_id="police_grid")

    found = {one.rule for one in report.problems}
    assert {"overlap", "gap", "outside_parent"} <= found


def test_a_noted_grid_that_is_not_the_derived_one_is_found(district: District) -> None:
    overwrite(district, "workstation", "JWZ01", geometry=shapely.Point(121.55, 30.98))
    report = checks.validate(district, ADMIN, layer_id="workstation")

    assert rules(report) == {
        ("workstation", "JWZ01", "town", "membership"), ("workstation", "JWZ01", "police_grid", "membership"),
    }  # fmt: skip
    assert report.counts == {"workstation": 6}


def test_what_lies_outside_or_too_close_is_told(district: District) -> None:
    overwrite(district, "workstation", "JWZ01", geometry=shapely.Point(122.5, 30.98))
    put(
        district,
        element(
            "workstation", "JWZ50", "近", shapely.Point(121.4605, 30.97), opening_hours="24h", officer_count=9
        ),
    )
    report = checks.validate(district, ADMIN, layer_id="workstation")

    assert warned(report) == {
        ("workstation", "JWZ01", "outside_district"),
        ("workstation", "JWZ02", "near_duplicate"),
    }


def test_roads_and_bridges_may_go_on_beyond_the_border(district: District) -> None:
    line = shapely.LineString([(121.59, 30.95), (121.7, 30.95)])
    put(
        district,
        element("road", None, "出区路", line, **{"class": "primary"}),
        element("crossing", None, "区外桥", shapely.Point(121.65, 30.95), kind="bridge"),
    )
    assert checks.validate(district, ADMIN).findings == ()


def test_only_those_who_see_everything_validate(district: District) -> None:
    with pytest.raises(PermissionDenied):
        checks.validate(district, VIEWER)
    with pytest.raises(NotFound):
        checks.validate(district, ADMIN, layer_id="nothing")


def test_the_report_for_a_terminal_ends_with_the_totals(district: District) -> None:
    overwrite(district, "workstation", "JWZ01", name="")
    text = checks.lines(checks.validate(district, ADMIN), {"workstation": "警务站"})

    assert text[0].startswith("[问题] 警务站 JWZ01 name:")
    assert text[-1].endswith("1 个问题,0 条提醒。")
