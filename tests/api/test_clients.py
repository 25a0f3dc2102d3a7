"""Programs that nobody here wrote read the district: GDAL (and so QGIS), OWSLib, an OpenAPI validator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import mapbox_vector_tile
import numpy as np
import pyogrio
import pytest
import shapely
from openapi_schema_validator import OAS30ReadValidator
from openapi_spec_validator import validate
from owslib.ogcapi.features import Features

from gridmap.domain.roles import User
from tests.api.conftest import World, _copied, _Template
from tests.api.serving import serving_process
from tests.support.district import ADMIN, VIEWER, element, put

COUNT = 10_000
BOX = (121.45, 30.95, 121.5, 30.97)
_TOKEN_OPTIONS = ("GDAL_HTTP_AUTH", "GDAL_HTTP_BEARER")


@pytest.fixture(scope="module")
def crowded(
    gpkg_template: _Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, np.ndarray, str]]:
    """A served district with ten thousand crossings; their positions, the address."""
    world = _copied(gpkg_template, tmp_path_factory.mktemp("crowded"))
    random = np.random.default_rng(7)
    places = np.column_stack([random.uniform(121.4, 121.6, COUNT), random.uniform(30.9, 31.0, COUNT)])
    put(
        world.district,
        *(element("crossing", None, "口", shapely.Point(one), kind="bridge") for one in places),
    )
    with serving_process(world.district) as (url, _):
        yield world, places, url
    world.close()


@pytest.fixture
def as_admin(crowded: tuple[World, np.ndarray, str]) -> Iterator[str]:
    """What GDAL opens, with an administrator's token."""
    world, _, url = crowded
    options = dict(zip(_TOKEN_OPTIONS, ("BEARER", world.tokens[ADMIN.username]), strict=True))
    pyogrio.set_gdal_config_options(options)
    yield f"OAPIF:{url}/ogc"
    pyogrio.set_gdal_config_options(dict.fromkeys(_TOKEN_OPTIONS))


def inside(places: np.ndarray) -> int:
    west, south, east, north = BOX
    x, y = places.T
    return int(((x >= west) & (x <= east) & (y >= south) & (y <= north)).sum())


# --- GDAL ------------------------------------------------------------------------------------------------


def test_gdal_lists_the_layers(as_admin: str) -> None:
    layers = dict(pyogrio.list_layers(as_admin))

    assert len(layers) == 20
    assert (layers["road"], layers["risk"], layers["town"]) == ("LineString", "Point", "Polygon")


def test_gdal_pages_through_everything(as_admin: str, crowded: tuple[World, np.ndarray, str]) -> None:
    frame = pyogrio.read_dataframe(as_admin, layer="crossing")
    _, places, _ = crowded

    assert len(frame) == COUNT
    assert frame["id"].nunique() == COUNT
    assert np.array_equal(np.sort(frame.geometry.x), np.sort(places[:, 0]))
    assert str(frame.crs.to_authority()) in ("('OGC', 'CRS84')", "('EPSG', '4326')")


def test_gdal_finds_by_box_what_is_in_it(as_admin: str, crowded: tuple[World, np.ndarray, str]) -> None:
    frame = pyogrio.read_dataframe(as_admin, layer="crossing", bbox=BOX)

    assert len(frame) == inside(crowded[1])


def test_gdal_reads_types_and_chinese(as_admin: str) -> None:
    frame = pyogrio.read_dataframe(as_admin, layer="workstation", where="code = 'JWZ03'")

    assert list(frame["name"]) == ["东镇第一警务站"]
    assert list(frame["officer_count"]) == [3]
    assert frame["created_at"].dt.year.tolist() == [2026]


def test_gdal_without_a_token_gets_nothing(crowded: tuple[World, np.ndarray, str]) -> None:
    with pytest.raises(pyogrio.errors.DataSourceError, match="401"):
        pyogrio.list_layers(f"OAPIF:{crowded[2]}/ogc")


def test_gdal_reads_a_tile(crowded: tuple[World, np.ndarray, str], tmp_path: Path) -> None:
    world, places, url = crowded
    z, row, col = 14, 6709, 13721
    answer = httpx.get(
        f"{url}/ogc/collections/crossing/tiles/WebMercatorQuad/{z}/{row}/{col}",
        headers={"Authorization": f"Bearer {world.tokens[ADMIN.username]}"},
    )
    file = tmp_path / "tile.pbf"
    file.write_bytes(answer.content)
    # the driver may be told where the tile lies
    found = pyogrio.read_dataframe(
        f"MVT:{file}", layer="crossing", X=str(col), Y=str(row), Z=str(z), CLIP="NO"
    )
    own = mapbox_vector_tile.decode(answer.content)["crossing"]["features"]

    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert len(found) == len(own) > 0
    degrees = found.geometry.to_crs(4326)
    nearest = [np.hypot(places[:, 0] - one.x, places[:, 1] - one.y).min() for one in degrees]
    assert max(nearest) < 1e-5
    assert set(found.columns) >= {"gid", "name"}


# --- OWSLib ----------------------------------------------------------------------------------------------


def test_owslib_reads_what_the_standards_promise(crowded: tuple[World, np.ndarray, str]) -> None:
    world, places, url = crowded
    client = Features(f"{url}/ogc/", headers={"Authorization": f"Bearer {world.tokens[ADMIN.username]}"})

    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in client.conformance()["conformsTo"]
    assert {"road", "risk", "workstation"} <= set(client.feature_collections())
    assert client.collection("risk")["title"] == "风险点"
    assert "grade" in client.collection_queryables("risk")["properties"]
    assert client.collection_schema("risk")["properties"]["grade"]["title"] == "等级"
    page = client.collection_items("crossing", bbox=list(BOX), limit=10)
    assert (len(page["features"]), page["numberMatched"]) == (10, inside(places))
    assert client.collection_item("crossing", page["features"][0]["id"])["id"] == page["features"][0]["id"]
    assert client.api()["openapi"] == "3.0.3"


def test_owslib_sees_no_more_than_its_account(crowded: tuple[World, np.ndarray, str]) -> None:
    world, _, url = crowded
    client = Features(f"{url}/ogc/", headers={"Authorization": f"Bearer {world.tokens[VIEWER.username]}"})

    assert "risk" not in client.feature_collections()


# --- documents -------------------------------------------------------------------------------------------


def test_the_openapi_document_is_valid_and_lists_the_users_layers(quiet_world: World) -> None:
    admin, viewer = (quiet_world.client(who).get("/ogc/api").json() for who in (ADMIN, VIEWER))

    validate(admin)
    assert "/collections/risk/items" in admin["paths"]
    assert "/collections/risk/items" not in viewer["paths"]
    assert admin["servers"] == [{"url": "http://map.example/ogc"}]


def test_every_path_of_the_openapi_document_answers(quiet_world: World) -> None:
    client = quiet_world.client(ADMIN)
    item = quiet_world.elements["JWZ01"].id
    values = {"{featureId}": item, "{tileMatrix}": "10", "{tileRow}": "418", "{tileCol}": "857"}
    for path, operations in client.get("/ogc/api").json()["paths"].items():
        if "get" not in operations or ("{featureId}" in path and "workstation" not in path):
            continue
        for name, value in values.items():
            path = path.replace(name, value)
        assert client.get(f"/ogc{path}").status_code == 200, path


@pytest.mark.parametrize("user", [ADMIN, VIEWER], ids=lambda one: one.username)
def test_features_fit_their_own_schemas(quiet_world: World, user: User) -> None:
    client, seen = quiet_world.client(user), 0
    document = client.get("/ogc/api").json()
    for collection in client.get("/ogc/collections").json()["collections"]:
        path = f"/ogc/collections/{collection['id']}"
        schema = client.get(f"{path}/schema").json()
        jsonschema.Draft202012Validator.check_schema(schema)
        whole = {**document["components"]["schemas"][collection["id"]], "components": document["components"]}
        for one in client.get(f"{path}/items").json()["features"]:
            jsonschema.validate(one["properties"], schema, format_checker=jsonschema.FormatChecker())
            OAS30ReadValidator(whole).validate(one)
            seen += 1
        assert all(one["title"] for one in schema["properties"].values())
    assert seen > 10


def test_programs_that_read_one_type_for_a_field_are_led_to_such_a_schema(quiet_world: World) -> None:
    """QGIS takes a field whose type is a list for a text."""
    client = quiet_world.client(ADMIN)
    links = client.get("/ogc/collections/risk").json()["links"]
    [single] = [one["href"] for one in links if one["rel"].endswith("/rel/ogc/1.0/schema")]
    types = {name: one.get("type") for name, one in client.get(single).json()["properties"].items()}

    assert (types["reported_on"], types["revision"], types["geometry"]) == ("string", "integer", None)
    whole = client.get("/ogc/collections/risk/schema").json()["properties"]
    assert whole["reported_on"]["type"] == ["string", "null"]
    assert client.get("/ogc/collections/risk/schema?types=many").status_code == 400


def test_every_link_of_the_landing_page_leads_somewhere(quiet_world: World) -> None:
    client, seen, waiting = quiet_world.client(ADMIN), set(), ["http://map.example/ogc/"]
    while waiting:
        url = waiting.pop()
        if url in seen or "{" in url:
            continue
        seen.add(url)
        answer = client.get(url)
        assert answer.status_code == 200, url
        document = answer.json()
        parts = [
            document,
            *document.get("collections", []),
            *document.get("tilesets", []),
            *document.get("tileMatrixSets", []),
        ]
        waiting += [link["href"] for one in parts for link in one.get("links", [])]

    assert len(seen) > 100


def test_the_matrix_set_is_the_one_every_web_map_uses(quiet_world: World) -> None:
    document = quiet_world.client(VIEWER).get("/ogc/tileMatrixSets/WebMercatorQuad").json()
    first, second = document["tileMatrices"][:2]

    assert first["scaleDenominator"] == pytest.approx(559082264.028717)
    assert second["cellSize"] == pytest.approx(78271.51696402048)
    assert first["pointOfOrigin"] == pytest.approx([-20037508.342789244, 20037508.342789244])
    assert quiet_world.client(VIEWER).get("/ogc/tileMatrixSets/WorldCRS84Quad").status_code == 404


def test_tiles_are_revalidated_by_their_content(quiet_world: World) -> None:
    client = quiet_world.client(VIEWER)
    path = "/ogc/collections/workstation/tiles/WebMercatorQuad/12/1677/3430"
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    several = client.get("/ogc/tiles/WebMercatorQuad/12/1677/3430?collections=workstation,road")

    assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
    assert (again.status_code, again.content) == (304, b"")
    assert mapbox_vector_tile.decode(several.content).keys() >= {"workstation"}
    for bad in ("12/1672/x", "12/-1/3430", "12/5000/3430", "99/0/0", "12/1672"):
        answer = client.get(f"/ogc/collections/workstation/tiles/WebMercatorQuad/{bad}")
        assert answer.status_code == 404, bad
    assert client.get("/ogc/tiles/WebMercatorQuad/12/1677/3430?collections=risk").status_code == 403
    assert client.get("/ogc/tiles/WebMercatorQuad/12/1677/3430?collections=none").status_code == 404
