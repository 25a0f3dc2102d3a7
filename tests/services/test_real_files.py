"""Real files go in and come out in every format: ids, Chinese text and places equal."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyogrio
import pytest
import shapely

from gridmap.domain.elements import Element
from gridmap.services import exports, imports
from gridmap.services.district import District, assemble, prepare_store
from gridmap.services.imports import Action
from gridmap.settings import load_settings
from gridmap.storage import elements as stored
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import ADMIN

FORMATS = {
    "geojson": "geojson",
    "gpkg": "gpkg",
    "shapefile": "zip",
    "kml": "kml",
    "csv": "csv",
    "xlsx": "xlsx",
}
# A layer of a deployment's own: a file, no code.
POI = """
id = "poi"
title = "兴趣点"
group = "其他"
geometry = "Point"
code_required = false
symbol = { shape = "circle", color = "#336699", size = 6 }

[[fields]]
name = "cat"
title = "大类"
type = "choice"
choices = ["学校", "医疗", "公交站"]

[[fields]]
name = "address"
title = "地址"
type = "text"

[[fields]]
name = "kind"
title = "类型"
type = "text"
"""
ROAD_CLASSES = {
    "trunk": "primary", "trunk_link": "primary", "primary_link": "primary", "secondary_link": "secondary",
    "tertiary_link": "tertiary", "motorway_link": "motorway", "unclassified": "tertiary",
}  # fmt: skip


@pytest.fixture(scope="module")
def template(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A district made of real files, closed; the test's own copy is opened by each test."""
    home = tmp_path_factory.mktemp("real")
    (home / "layers").mkdir()
    (home / "layers" / "poi.toml").write_text(POI, "utf-8")
    district = opened(home)
    prepare_store(district)
    put(district, "town", shared_data / "boundaries" / "fengxian_streets_wgs84.geojson")
    put(district, "poi", shared_data / "points" / "fengxian_poi_wgs84.csv", mapping={"type": "kind"})
    roads = shared_data / "roads" / "shenzhen_futian_osm_drive_edges.geojson"
    meaning = {"mapping": {"highway": "class", "maxspeed": "speed_kmh"}}
    asked = imports.plan(district, ADMIN, "road", roads, datum="wgs84", **meaning)
    classes = {text: ROAD_CLASSES.get(text, "path") for text in asked.unknown_choices["class"]}
    put(district, "road", roads, mapping={"highway": "class", "maxspeed": None}, values={"class": classes})
    district.close()
    return home


def opened(home: Path) -> District:
    env = {
        "GRIDMAP_HOME": str(home), "GRIDMAP_LAYERS": str(home / "layers"),
        "GRIDMAP_DATABASE_URL": f"sqlite:///{home / 'district.gpkg'}",
    }  # fmt: skip
    return assemble(load_settings(env, secret=b"a secret of the tests"), clock=FakeClock())


def put(district: District, layer: str, file: Path, **options: object) -> None:
    made = imports.plan(district, ADMIN, layer, file, datum="wgs84", **options)
    assert made.is_clean, made.problems[:5]
    imports.apply(district, ADMIN, made)


@pytest.fixture
def district(template: Path, tmp_path: Path) -> Iterator[District]:
    shutil.copytree(template, tmp_path / "home")
    made = opened(tmp_path / "home")
    yield made
    made.close()


def all_of(district: District, layer: str) -> dict[str, Element]:
    with district.database.read() as connection:
        return {one.id: one for one in stored.find(connection, Query(layer))}


def test_every_row_of_the_real_files_is_in(district: District, shared_data: Path) -> None:
    with (shared_data / "points" / "fengxian_poi_wgs84.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    different = {
        (one["name"], one["lon"], one["lat"], one["cat"], one["address"], one["type"]) for one in rows
    }

    assert len(rows) == 1453
    assert len(all_of(district, "poi")) == len(different)
    assert len(all_of(district, "town")) == 12
    assert len(all_of(district, "road")) >= 4005
    assert "上海师范大学(奉贤校区)" in {one.name for one in all_of(district, "poi").values()}


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_what_came_in_goes_out_and_comes_back_equal(district: District, tmp_path: Path, format: str) -> None:
    for layer, datum in (
        ("town", "wgs84"),
        ("poi", "wgs84"),
        ("road", "wgs84"),
        ("poi", "gcj02"),
        ("town", "bd09"),
    ):
        path = tmp_path / f"{layer}_{datum}.{FORMATS[format]}"
        exports.export_layer(district, ADMIN, layer, path, format=format, datum=datum)
        back = imports.plan(district, ADMIN, layer, path, datum=datum)
        assert back.count(Action.UNCHANGED) == len(all_of(district, layer)), (layer, back.document(most=5))


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_district_takes_over_the_very_same_elements(
    district: District, template: Path, tmp_path: Path, format: str
) -> None:
    home = tmp_path / "other"
    shutil.copytree(template / "layers", home / "layers")
    other = opened(home)
    prepare_store(other)
    for layer in ("town", "poi"):
        path = tmp_path / f"{layer}.{FORMATS[format]}"
        exports.export_layer(district, ADMIN, layer, path, format=format, datum="gcj02")
        put_back = imports.plan(other, ADMIN, layer, path, datum="gcj02")
        assert put_back.is_clean, put_back.problems[:5]
        imports.apply(other, ADMIN, put_back)
        before, after = all_of(district, layer), all_of(other, layer)
        assert after.keys() == before.keys()
        for one in before.values():
            copy = after[one.id]
            assert (copy.code, copy.name, copy.properties) == (one.code, one.name, one.properties)
            assert shapely.hausdorff_distance(copy.geometry.boundary, one.geometry.boundary) < 1e-7 or (
                shapely.distance(copy.geometry, one.geometry) < 1e-7
            )
    other.close()


def test_gdal_reads_the_snapshot_by_chinese_titles(district: District, tmp_path: Path) -> None:
    path = tmp_path / "snapshot.gpkg"
    report = exports.export_district(district, ADMIN, path)
    for layer, title in (("town", "街镇"), ("poi", "兴趣点"), ("road", "道路")):
        info = pyogrio.read_info(path, layer=title)
        assert (info["features"], info["crs"]) == (report.rows[layer], "EPSG:4326")
    names = set(pyogrio.read_dataframe(path, layer="街镇", columns=["name"])["name"])
    assert {"南桥镇", "海湾旅游区"} <= names
