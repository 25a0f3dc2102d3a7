"""Layers into files, and back."""

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import openpyxl
import pyogrio
import pytest
import shapely

from gridmap.domain.crs import wgs84_to_gcj02
from gridmap.domain.elements import Source
from gridmap.errors import InvalidInput, NotFound, PermissionDenied
from gridmap.services import elements, exports, imports, jobs
from gridmap.services.district import District, assemble
from gridmap.services.exports import SIMULATED_REMARK
from gridmap.services.imports import Action
from gridmap.settings import load_settings
from gridmap.storage import access_log
from gridmap.storage import elements as stored
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, ANALYST, OFFICER_EAST, VIEWER, element, make_district, put, seed

FORMATS = ["geojson", "gpkg", "shapefile", "kml", "csv", "xlsx"]
ENDINGS = {"shapefile": "zip"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded district's file, made once and closed; one road is simulated."""
    home = tmp_path_factory.mktemp("template")
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    seed(district)
    # values that formats trip over
    tricky = element(
        "workstation", "JWZ90", '引号"逗号,=1+1', shapely.Point(121.123456789012, 30.987654321098),
        opening_hours="24h", officer_count=12, address="甲路1号\n乙室", readiness_minutes=1.5,
    )  # fmt: skip
    simulated = element(
        "road", None, "模拟路", shapely.LineString([(121.5, 30.9), (121.6, 30.95)]), **{"class": "path"}
    )
    put(district, tricky, replace(simulated, source=Source.SIMULATED))
    district.close()
    return home / "district.gpkg"


@pytest.fixture
def district(template: Path, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = _opened(template, tmp_path, clock)
    yield made
    made.close()


def _opened(template: Path, home: Path, clock: FakeClock) -> District:
    home.mkdir(exist_ok=True)
    shutil.copy(template, home / "district.gpkg")
    env = {"GRIDMAP_HOME": str(home), "GRIDMAP_DATABASE_URL": f"sqlite:///{home / 'district.gpkg'}"}
    return assemble(load_settings(env, secret=b"a secret of the tests"), clock=clock)


def all_of(district: District, layer: str) -> dict:
    with district.database.read() as connection:
        return {one.id: one for one in stored.find(connection, Query(layer))}


def export(district: District, layer: str, folder: Path, format: str, **options):
    path = folder / f"out.{ENDINGS.get(format, format)}"
    return exports.export_layer(district, options.pop("user", ADMIN), layer, path, format=format, **options)


# --- there and back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("datum", ["wgs84", "gcj02"])
@pytest.mark.parametrize("format", FORMATS)
def test_what_goes_out_comes_back_unchanged(
    district: District, tmp_path: Path, format: str, datum: str
) -> None:
    for layer in ("workstation", "road", "police_grid", "risk"):
        report = export(district, layer, tmp_path, format, datum=datum)
        assert report.rows == {layer: len(all_of(district, layer))}
        back = imports.plan(district, ADMIN, layer, report.path, datum=datum)
        assert back.count(Action.UNCHANGED) == len(all_of(district, layer)), (layer, back.document())


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_makes_the_same_elements_elsewhere(
    district: District, template: Path, tmp_path: Path, clock: FakeClock, format: str
) -> None:
    other = make_district(f"sqlite:///{tmp_path / 'other.gpkg'}", tmp_path, clock)
    for layer in ("police_grid", "workstation", "road"):
        report = export(district, layer, tmp_path, format)
        imports.apply(other, ADMIN, imports.plan(other, ADMIN, layer, report.path, datum="wgs84"))
        before, after = all_of(district, layer), all_of(other, layer)

        assert after.keys() == before.keys()
        for one in before.values():
            copy = after[one.id]
            assert (copy.code, copy.name, copy.properties, copy.source) == (
                one.code,
                one.name,
                one.properties,
                one.source,
            )
            assert shapely.hausdorff_distance(copy.geometry, one.geometry) < 1e-7
    other.close()


@pytest.mark.parametrize("format", ["csv", "xlsx", "geojson"])
def test_chinese_headings_come_back_too(district: District, tmp_path: Path, format: str) -> None:
    report = export(district, "workstation", tmp_path, format, headings="titles")
    back = imports.plan(district, ADMIN, "workstation", report.path, datum="wgs84")

    assert back.count(Action.UNCHANGED) == 7, back.document()
    assert {"要素标识", "编码", "民警数(人)", "版本号"} <= set(back.mapping)


def test_coordinates_are_written_in_the_datum_that_was_asked_for(district: District, tmp_path: Path) -> None:
    report = export(district, "workstation", tmp_path, "csv", datum="gcj02")
    row = next(line for line in report.path.read_text("utf-8-sig").splitlines() if "JWZ01" in line)

    lon, lat = wgs84_to_gcj02(121.42, 30.92)
    assert report.suggested_name == "警务站_gcj02.csv"
    assert any(abs(float(cell) - float(lon)) < 1e-9 for cell in row.split(",") if cell.startswith("121."))
    assert any(abs(float(cell) - float(lat)) < 1e-9 for cell in row.split(",") if cell.startswith("30."))


# --- which elements ----------------------------------------------------------------------------------------


def test_a_past_state_is_exported_as_it_was(district: District, tmp_path: Path, clock: FakeClock) -> None:
    before = clock()
    clock.advance(hours=1)
    [known] = [one for one in all_of(district, "workstation").values() if one.code == "JWZ01"]
    elements.change(district, ADMIN, "workstation", known.id, base_revision=1, changes={"name": "改名"})

    then = export(district, "workstation", tmp_path, "geojson", as_of=before)
    names = {one["properties"]["name"] for one in json.loads(then.path.read_text("utf-8"))["features"]}
    assert "西镇第一警务站" in names
    assert "改名" not in names
    with pytest.raises(PermissionDenied):
        export(district, "workstation", tmp_path, "geojson", as_of=before, user=VIEWER)


def test_a_grid_limits_what_is_exported(district: District, tmp_path: Path, clock: FakeClock) -> None:
    grid = ("police_grid", "310199102001001")
    now = export(district, "workstation", tmp_path, "csv", grid=grid)
    clock.advance(seconds=1)
    then = export(district, "workstation", tmp_path, "csv", grid=grid, as_of=clock() - timedelta(seconds=1))

    assert now.rows == then.rows == {"workstation": 2}
    with pytest.raises(NotFound):
        export(district, "workstation", tmp_path, "csv", grid=("police_grid", "nowhere"))


def test_a_district_becomes_one_geopackage_with_chinese_layers(district: District, tmp_path: Path) -> None:
    report = exports.export_district(district, ADMIN, tmp_path / "all.gpkg")

    titles = {name for name, _ in pyogrio.list_layers(report.path)}
    assert titles == {one.title for one in district.catalogue}
    for layer in district.catalogue:
        frame = pyogrio.read_dataframe(report.path, layer=layer.title)
        assert len(frame) == report.rows[layer.id] == len(all_of(district, layer.id))
        if len(frame):
            assert frame.crs.to_epsg() == 4326
    frame = pyogrio.read_dataframe(report.path, layer="警务站")
    assert frame.set_index("id")["name"].to_dict() == {
        one.id: one.name for one in all_of(district, "workstation").values()
    }


# --- who may, and what they see ------------------------------------------------------------------------------


def test_small_counts_are_hidden_from_viewers(district: District, tmp_path: Path) -> None:
    seen = export(district, "workstation", tmp_path, "csv", user=VIEWER).path.read_text("utf-8-sig")
    assert ",*," in seen
    assert ",12," in seen
    assert ",*," not in export(district, "workstation", tmp_path, "csv").path.read_text("utf-8-sig")


def test_layers_that_one_may_not_see_are_not_exported(district: District, tmp_path: Path) -> None:
    for layer in ("risk", "care_point"):
        with pytest.raises(PermissionDenied):
            export(district, layer, tmp_path, "geojson", user=VIEWER)
    report = exports.export_district(district, VIEWER, tmp_path / "all.gpkg")
    assert not {"risk", "care_point", "incident"} & report.rows.keys()
    with pytest.raises(PermissionDenied):
        exports.export_district(district, VIEWER, tmp_path / "all.gpkg", layers=["road", "risk"])


def test_every_export_is_logged(district: District, tmp_path: Path) -> None:
    export(district, "workstation", tmp_path, "xlsx", user=OFFICER_EAST, datum="bd09")
    exports.export_district(district, ANALYST, tmp_path / "all.gpkg", layers=["road", "town"])

    with district.database.read() as connection:
        district_line, layer_line = access_log.newest(connection, kinds=("export",))
    assert (layer_line.username, layer_line.target) == ("officer2", "workstation")
    assert "7 个要素" in layer_line.detail
    assert "bd09" in layer_line.detail
    assert (district_line.username, district_line.target) == ("analyst", "road,town")


def test_an_export_that_cannot_be_logged_leaves_no_file(
    district: District, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(access_log, "append", full)
    with pytest.raises(OSError, match="disk full"):
        export(district, "road", tmp_path, "geojson")
    assert not (tmp_path / "out.geojson").exists()


# --- what a file says of itself ------------------------------------------------------------------------------


def _told(path: Path, format: str) -> str:
    if format == "xlsx":
        book = openpyxl.load_workbook(path)
        return "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
    if format == "shapefile":
        with zipfile.ZipFile(path) as archive:
            return "\n".join(
                archive.read(one).decode("utf-8-sig")
                for one in archive.namelist()
                if one.endswith((".txt", ".csv"))
            )
    if format == "gpkg":
        with sqlite3.connect(path) as connection:
            return "\n".join(row[0] for row in connection.execute("SELECT metadata FROM gpkg_metadata"))
    return path.read_text("utf-8-sig")


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_says_who_made_it_and_whether_it_is_simulated(
    district: District, tmp_path: Path, format: str
) -> None:
    simulated = _told(export(district, "road", tmp_path, format).path, format)
    real = _told(export(district, "workstation", tmp_path, format).path, format)

    for text in (simulated, real):
        assert "示例管理员" in text
        assert "2026-03-02 16:00:00" in text
        assert "WGS 84" in text
    assert (SIMULATED_REMARK if format != "csv" else "含模拟数据") in simulated
    assert "模拟数据" not in real


def test_reports_tell_simulated_data(district: District, tmp_path: Path) -> None:
    assert export(district, "road", tmp_path, "csv").is_simulated
    assert not export(district, "town", tmp_path, "csv").is_simulated


# --- refusals, jobs ------------------------------------------------------------------------------------------


def test_wrong_requests_are_refused(district: District, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        export(district, "nothing", tmp_path, "csv")
    with pytest.raises(InvalidInput):
        exports.export_layer(district, ADMIN, "road", tmp_path / "x.pdf")
    with pytest.raises(InvalidInput):
        export(district, "road", tmp_path, "csv", datum="mars")
    with pytest.raises(InvalidInput, match="ids or titles"):
        export(district, "road", tmp_path, "csv", headings="some")
    with pytest.raises(PermissionDenied):
        exports.export_layer(district, ADMIN, "road", district.settings.database_file)
    with pytest.raises(PermissionDenied):
        exports.export_district(district, ADMIN, district.settings.database_file)


def test_a_job_exports_into_its_folder(district: District) -> None:
    job = jobs.start(
        district, ANALYST, "export", "导出", {"layer": "road", "format": "geojson", "datum": "gcj02"}
    )
    result = jobs.wait(district, ANALYST, job.id).result

    path = jobs.folder_of(district.settings, job.id) / result["name"]
    assert len(json.loads(path.read_text("utf-8"))["features"]) == result["rows"]["road"] == 3
    assert result["suggested_name"] == "道路_gcj02.geojson"


# --- the live file -------------------------------------------------------------------------------------------

WATCHED = """
import sys, pathlib, pyogrio, pyogrio.raw, pyogrio._io
live = pathlib.Path(sys.argv[1]).resolve()
files = {str(live) + end for end in ("", "-wal", "-shm", "-journal")}
opened = []

def same(path):
    try:
        return isinstance(path, (str, bytes, pathlib.Path)) and str(pathlib.Path(path if not isinstance(path, bytes) else path.decode()).resolve()) in files
    except (OSError, ValueError):
        return False

def hook(event, args):
    # sqlite3 itself opens in C and says nothing; what it connects to is watched below
    if event == "open" and same(args[0]):
        opened.append(("open", str(args[0])))

sys.addaudithook(hook)
for module in (pyogrio, pyogrio.raw, pyogrio._io):
    for name, function in list(vars(module).items()):
        if callable(function) and name.startswith(("read", "write", "list", "ogr_", "open_")):
            def watched(*args, _function=function, _name=name, **options):
                if any(same(one) for one in [*args, *options.values()]):
                    opened.append((_name, "live"))
                return _function(*args, **options)
            setattr(module, name, watched)

from gridmap.services import backup, exports, imports
from gridmap.services.district import open_district
from gridmap.settings import load_settings
from tests.support.district import ADMIN

home = live.parent
env = {"GRIDMAP_HOME": str(home), "GRIDMAP_DATABASE_URL": f"sqlite:///{live}"}
district = open_district(load_settings(env, secret=b"a secret of the tests"))
for format, end in (("geojson", "geojson"), ("gpkg", "gpkg"), ("shapefile", "zip"), ("kml", "kml"), ("csv", "csv"), ("xlsx", "xlsx")):
    out = home / f"out.{end}"
    exports.export_layer(district, ADMIN, "workstation", out, format=format)
    imports.apply(district, ADMIN, imports.plan(district, ADMIN, "workstation", out, datum="wgs84"))
exports.export_district(district, ADMIN, home / "all.gpkg")
backup.backup(district, home / "backups")
for act in (
    lambda: imports.plan(district, ADMIN, "workstation", live, datum="wgs84"),
    lambda: exports.export_layer(district, ADMIN, "road", live),
):
    try:
        act()
    except Exception as error:
        assert "live" in str(error), error
    else:
        raise AssertionError("the live file was taken")
district.close()
print(opened)
assert opened == []
if len(sys.argv) > 2:
    open(live, "rb").close()
    assert opened == [("open", str(live))]
print("watched")
"""


@pytest.mark.parametrize("with_fault", [False, True], ids=["as it is", "a fault is seen"])
def test_nothing_but_sqlite_opens_the_live_file(district: District, tmp_path: Path, with_fault: bool) -> None:
    district.close()
    command = [
        sys.executable,
        "-c",
        WATCHED,
        str(tmp_path / "district.gpkg"),
        *(["fault"] if with_fault else []),
    ]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("watched\n")


READER = """
import sys, pathlib, pyogrio
live, stop = map(pathlib.Path, sys.argv[1:])
looks = 0
while not stop.exists():
    titles = [name for name, _ in pyogrio.list_layers(live)]
    frame = pyogrio.read_dataframe(live, layer="警务站")
    looks += 1
    (stop.parent / "looked").write_text(str(looks))
print(looks, len(frame))
"""


def test_another_process_that_reads_the_live_file_harms_nothing(district: District, tmp_path: Path) -> None:
    live, stop, looked = tmp_path / "district.gpkg", tmp_path / "stop", tmp_path / "looked"
    from gridmap.services.district import prepare_store

    prepare_store(district)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(live), str(stop)], stdout=subprocess.PIPE, text=True
    )
    [known] = [one for one in all_of(district, "workstation").values() if one.code == "JWZ01"]
    written = 0
    while not (looked.exists() and int(looked.read_text() or 0) >= 5) or written < 40:
        assert reader.poll() is None
        elements.change(
            district,
            ADMIN,
            "workstation",
            known.id,
            base_revision=written + 1,
            changes={"name": f"第{written}次"},
        )
        written += 1
    stop.touch()
    out, _ = reader.communicate(timeout=60)

    assert out.split()[1] == "7"
    assert len(elements.history(district, ADMIN, "workstation", known.id)) == written + 1
    with district.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
