"""Work packages: taken along, edited by GDAL outside the program, brought back. On both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely
from shapely import Point, box

from gridmap.domain.elements import Element
from gridmap.domain.merge import Choice
from gridmap.errors import NotFound, PermissionDenied, StateConflict
from gridmap.services import elements, packages
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.services.packages import PackageUnknown
from gridmap.storage import access_log, history
from gridmap.storage.elements import Query
from gridmap.storage.packages import Trouble
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER, open_store

SOUTH, NORTH = "310199101001001", "310199101001002"


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    yield made
    made.close()


def one(district: District, code: str, layer: str = "workstation") -> Element:
    return elements.find(district, ADMIN, Query(layer, equals={"code": code})).elements[0]


def take(
    district: District, tmp_path: Path, user=KEEPER, layers=("workstation",), **options
) -> packages.Sent:
    return packages.send(district, user, layers, tmp_path / "package.gpkg", **options)


def edited(path: Path, edit: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame], layer: str = "警务站") -> Path:
    """The file as another program leaves it: read and written anew by GDAL, all layers, one of them edited."""
    result = path.with_name("edited.gpkg")
    result.unlink(missing_ok=True)
    for name in pyogrio.list_layers(path)[:, 0]:
        frame = pyogrio.read_dataframe(path, layer=name)
        if name == layer:
            frame = edit(frame)
        pyogrio.write_dataframe(frame, result, layer=name, append=result.exists())
    return result


def set_values(frame: gpd.GeoDataFrame, which: str, **values: object) -> None:
    for name, value in values.items():
        frame.loc[frame["code"] == which, name] = value


def test_a_package_holds_ids_and_revisions_and_is_logged(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path)
    frame = pyogrio.read_dataframe(sent.path, layer="警务站")

    assert sorted(frame["code"]) == [f"JWZ0{at}" for at in range(1, 7)]
    assert set(frame["package"]) == {sent.package.id}
    assert dict(zip(frame["id"], frame["revision"], strict=True)) == sent.package.contents["workstation"]
    assert frame["officer_count"].dtype.kind in "iu" or str(frame["officer_count"].dtype) == "Int64"
    assert sent.rows == {"workstation": 6}
    with district.database.read() as connection:
        [line] = access_log.newest(connection, kinds=("export",))
    assert (line.username, line.action) == ("keeper", "package")
    assert packages.sent(district, KEEPER)[0].id == sent.package.id


def test_an_officer_takes_what_lies_in_the_own_area(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path, OFFICER_EAST, ["workstation", "police_grid"])
    assert sent.rows == {"workstation": 3, "police_grid": 2}
    assert take(district, tmp_path, KEEPER, grid=("police_grid", SOUTH)).rows == {"workstation": 2}
    with pytest.raises(PermissionDenied):
        take(district, tmp_path, VIEWER)


def test_a_package_brought_back_untouched_changes_nothing(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path, layers=["workstation", "police_grid", "risk"])
    before = district.database.sequence()
    done = packages.bring_back(district, KEEPER, edited(sent.path, lambda frame: frame))
    assert (done.created, done.changed, done.deleted, done.waiting, done.unchanged) == ((), (), (), (), 11)
    assert district.database.sequence() == before
    assert packages.sent(district, KEEPER)[0].returned_at is not None


def busy(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Three changes (values, place, values beside another's change), one conflict, one deletion, one new row."""
    set_values(frame, "JWZ01", officer_count=8, name="离线改名")
    frame.loc[frame["code"] == "JWZ02", "geometry"] = Point(121.461, 30.971)
    set_values(frame, "JWZ03", officer_count=7)
    set_values(frame, "JWZ04", officer_count=7)
    frame = frame[frame["code"] != "JWZ06"]
    new = frame[frame["code"] == "JWZ05"].copy()
    new["id"], new["revision"], new["package"] = None, None, None
    new["code"], new["name"], new["geometry"] = "JWZ31", "离线新建", Point(121.55, 30.93)
    return gpd.GeoDataFrame(
        gpd.pd.concat([frame, new], ignore_index=True), geometry="geometry", crs=frame.crs
    )


@pytest.fixture
def returned(district: District, tmp_path: Path, clock: FakeClock) -> tuple[packages.Sent, Path]:
    """A package edited offline while others changed two of its stations."""
    sent = take(district, tmp_path)
    file = edited(sent.path, busy)
    clock.advance(hours=1)
    third, fourth = one(district, "JWZ03"), one(district, "JWZ04")
    elements.change(
        district, OFFICER_EAST, "workstation", third.id, base_revision=1, changes={"name": "东镇改名"}
    )
    elements.change(
        district, OFFICER_EAST, "workstation", fourth.id, base_revision=1, changes={"officer_count": 1}
    )
    return sent, file


def test_three_changes_one_conflict_and_one_deletion_come_back_exactly(district: District, returned) -> None:
    _, file = returned
    deleted = one(district, "JWZ06")
    done = packages.bring_back(district, KEEPER, file)

    assert len(done.changed) == 3
    assert done.merged == (one(district, "JWZ03").id,)
    assert done.deleted == (deleted.id,)
    assert len(done.created) == 1
    [waiting] = done.waiting
    assert (waiting.problem, waiting.element_id, waiting.changes) == (
        Trouble.CONFLICT, one(district, "JWZ04").id, {"officer_count": 7},
    )  # fmt: skip
    assert done.unchanged == 1

    first, second, third, fourth = (one(district, f"JWZ0{at}") for at in range(1, 5))
    assert (first.name, first.properties["officer_count"]) == ("离线改名", 8)
    assert second.geometry.equals(Point(121.461, 30.971))
    assert (third.name, third.properties["officer_count"]) == ("东镇改名", 7)
    assert fourth.properties["officer_count"] == 1
    assert one(district, "JWZ31").name == "离线新建"
    assert elements.find(district, ADMIN, Query("workstation")).total == 6
    with district.database.read() as connection:
        assert history.verify(connection, district.settings.secret).is_valid


def test_a_trial_run_tells_the_same_and_stores_nothing(district: District, returned) -> None:
    _, file = returned
    before = district.database.sequence()
    trial = packages.bring_back(district, KEEPER, file, dry_run=True)
    assert district.database.sequence() == before
    assert packages.waiting(district, KEEPER) == []
    done = packages.bring_back(district, KEEPER, file.read_bytes(), filename="回传.gpkg")
    assert (trial.changed, trial.deleted, len(trial.created), len(trial.waiting)) == (
        done.changed, done.deleted, len(done.created), len(done.waiting),
    )  # fmt: skip


def test_the_same_file_twice_changes_nothing_the_second_time(district: District, returned) -> None:
    _, file = returned
    packages.bring_back(district, KEEPER, file)
    before = district.database.sequence()
    again = packages.bring_back(district, KEEPER, file)
    assert (again.created, again.changed, again.deleted) == ((), (), ())
    assert district.database.sequence() == before
    assert len(packages.waiting(district, KEEPER)) == 1


@pytest.mark.parametrize(("choice", "officers"), [(Choice.MINE, 7), (Choice.THEIRS, 1)])
def test_a_conflict_waits_until_a_person_chooses(
    district: District, returned, choice: Choice, officers: int
) -> None:
    packages.bring_back(district, KEEPER, returned[1])
    [waiting] = packages.waiting(district, KEEPER)
    sides = packages.conflict(district, KEEPER, waiting.id)
    assert [(each.field, each.base, each.mine, each.theirs) for each in sides.conflicts] == [
        ("officer_count", 3, 7, 1)
    ]
    assert sides.updated_by == "officer2"

    packages.decide(district, KEEPER, waiting.id, choices={"officer_count": choice})
    assert one(district, "JWZ04").properties["officer_count"] == officers
    assert packages.waiting(district, KEEPER) == []
    with pytest.raises(StateConflict):
        packages.drop(district, KEEPER, waiting.id)


def test_a_waiting_edit_can_be_let_go_by_its_owner_or_a_keeper_alone(district: District, returned) -> None:
    packages.bring_back(district, KEEPER, returned[1])
    [waiting] = packages.waiting(district, ADMIN)
    assert packages.waiting(district, OFFICER_WEST) == []
    with pytest.raises(NotFound):
        packages.drop(district, OFFICER_WEST, waiting.id)
    packages.drop(district, KEEPER, waiting.id)
    assert one(district, "JWZ04").properties["officer_count"] == 1
    assert packages.waiting(district, KEEPER) == []


def test_a_deletion_of_what_somebody_changed_waits(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path)
    file = edited(sent.path, lambda frame: frame[frame["code"] != "JWZ01"])
    station = one(district, "JWZ01")
    elements.change(
        district, OFFICER_WEST, "workstation", station.id, base_revision=1, changes={"officer_count": 9}
    )
    done = packages.bring_back(district, KEEPER, file)
    assert (done.deleted, [each.problem for each in done.waiting]) == ((), [Trouble.DELETED])
    assert packages.conflict(district, KEEPER, done.waiting[0].id).mine.is_retired
    packages.decide(district, KEEPER, done.waiting[0].id)
    assert elements.find(district, ADMIN, Query("workstation")).total == 5


def test_a_confirmation_meanwhile_does_not_stop_a_deletion(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path)
    file = edited(sent.path, lambda frame: frame[frame["code"] != "JWZ01"])
    elements.verify(district, OFFICER_WEST, "workstation", one(district, "JWZ01").id, base_revision=1)
    assert len(packages.bring_back(district, KEEPER, file).deleted) == 1


def test_rows_that_break_rules_wait_with_the_reason_and_can_be_set_right(
    district: District, tmp_path: Path
) -> None:
    sent = take(district, tmp_path)

    def spoil(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        set_values(frame, "JWZ01", officer_count=-5)
        set_values(frame, "JWZ02", code="JWZ03")
        return frame

    done = packages.bring_back(district, KEEPER, edited(sent.path, spoil))
    by_problem = {each.problem: each for each in done.waiting}
    assert set(by_problem) == {Trouble.INVALID, Trouble.REFUSED}
    assert "民警数" in by_problem[Trouble.INVALID].message
    assert by_problem[Trouble.INVALID].changes == {"officer_count": -5}
    assert "JWZ03" in by_problem[Trouble.REFUSED].message
    with pytest.raises(InvalidElement):
        packages.decide(district, KEEPER, by_problem[Trouble.INVALID].id, changes={"officer_count": -4})
    packages.decide(district, KEEPER, by_problem[Trouble.INVALID].id, changes={"officer_count": 5})
    assert one(district, "JWZ01").properties["officer_count"] == 5


def test_an_edit_out_of_the_own_area_waits(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path, OFFICER_WEST)

    def move(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        frame.loc[frame["code"] == "JWZ01", "geometry"] = Point(121.55, 30.92)
        return frame

    done = packages.bring_back(district, OFFICER_WEST, edited(sent.path, move))
    assert [each.problem for each in done.waiting] == [Trouble.REFUSED]
    assert one(district, "JWZ01").geometry.x == 121.42


def test_a_border_moved_on_both_sides_comes_back_in_one_commit(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path, layers=["police_grid"])

    def redraw(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        frame.loc[frame["code"] == SOUTH, "geometry"] = box(121.4, 30.9, 121.5, 30.96)
        frame.loc[frame["code"] == NORTH, "geometry"] = box(121.4, 30.96, 121.5, 31.0)
        set_values(frame, NORTH, name="离线改名")
        return frame

    done = packages.bring_back(district, KEEPER, edited(sent.path, redraw, "警务网格"))
    assert (len(done.changed), done.waiting) == (2, ())
    south, north = one(district, SOUTH, "police_grid"), one(district, NORTH, "police_grid")
    assert south.geometry.equals(box(121.4, 30.9, 121.5, 30.96))
    assert (north.name, north.geometry.equals(box(121.4, 30.96, 121.5, 31.0))) == ("离线改名", True)
    assert elements.grids_of(district, one(district, "JWZ02"))["police_grid"] == NORTH


def test_grids_that_would_overlap_wait(district: District, tmp_path: Path) -> None:
    sent = take(district, tmp_path, layers=["police_grid"])

    def redraw(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        frame.loc[frame["code"] == SOUTH, "geometry"] = box(121.4, 30.9, 121.5, 30.96)
        return frame

    done = packages.bring_back(district, KEEPER, edited(sent.path, redraw, "警务网格"))
    assert (done.changed, [each.problem for each in done.waiting]) == ((), [Trouble.REFUSED])
    assert "重叠" in done.waiting[0].message
    assert shapely.equals(one(district, SOUTH, "police_grid").geometry, box(121.4, 30.9, 121.5, 30.95))


def test_only_packages_of_this_district_and_of_the_own_account_come_back(
    district: District, tmp_path: Path
) -> None:
    sent = take(district, tmp_path, OFFICER_WEST)
    with pytest.raises(PermissionDenied):
        packages.bring_back(district, OFFICER_EAST, sent.path)

    def strip(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        frame["package"] = None
        return frame

    file = edited(sent.path, strip)
    with pytest.raises(PackageUnknown):
        packages.bring_back(district, OFFICER_WEST, file)
    assert packages.bring_back(district, OFFICER_WEST, file, package_id=sent.package.id).unchanged == 3
    with pytest.raises(PackageUnknown):
        packages.bring_back(district, KEEPER, file, package_id="no such package")


_OUTSIDE = """
import sys
import pyogrio
from shapely import Point

source, target = sys.argv[1:]
frame = pyogrio.read_dataframe(source, layer="警务站")
frame.loc[frame["code"] == "JWZ01", "name"] = "离线改名"
frame.loc[frame["code"] == "JWZ02", "geometry"] = Point(121.461, 30.971)
frame.loc[frame["code"].isin(["JWZ03", "JWZ04"]), "officer_count"] = 7
pyogrio.write_dataframe(frame[frame["code"] != "JWZ06"], target, layer="警务站")
"""


def test_a_package_edited_by_another_program_returns_three_changes_one_conflict_one_deletion(
    seeded_gpkg_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    """GDAL in a process of its own, which knows nothing of this program."""
    district = open_store(seeded_gpkg_url, tmp_path, clock)
    sent, file = take(district, tmp_path), tmp_path / "outside.gpkg"
    subprocess.run([sys.executable, "-I", "-c", _OUTSIDE, str(sent.path), str(file)], check=True)
    fourth = one(district, "JWZ04")
    elements.change(
        district, OFFICER_EAST, "workstation", fourth.id, base_revision=1, changes={"officer_count": 1}
    )
    done = packages.bring_back(district, KEEPER, file)
    assert (len(done.changed), len(done.waiting), len(done.deleted)) == (3, 1, 1)
    assert (done.created, done.unchanged) == ((), 1)
    assert done.waiting[0].element_id == fourth.id
    district.close()
