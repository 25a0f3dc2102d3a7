"""Vector tiles of the small district: what is where, for whom, and what an edit makes anew."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pytest
import shapely
from shapely.geometry import shape

from gridmap.domain.elements import Operation, Source
from gridmap.domain.layers import Catalogue, FieldClass, FieldType, Symbol, SymbolRule
from gridmap.domain.layers import Field as LayerField
from gridmap.domain.roles import User
from gridmap.errors import NotFound, PermissionDenied
from gridmap.services import elements, membership, tiles
from gridmap.services.district import District
from gridmap.settings import PROJECT_ROOT
from gridmap.storage import elements as stored
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, element, open_store, put


@pytest.fixture
def district(seeded_gpkg_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_gpkg_url, tmp_path, clock)
    yield made
    made.close()


def at(lon: float, lat: float, z: int) -> tuple[int, int]:
    """Row and column of the tile that holds a place (the formulas of the slippy map, written anew)."""
    n = 2**z
    col = int((lon + 180.0) / 360.0 * n)
    row = int(
        (1.0 - math.log(math.tan(math.radians(lat)) + 1.0 / math.cos(math.radians(lat))) / math.pi) / 2.0 * n
    )
    return row, col


def place_of(xy: tuple[float, float], z: int, row: int, col: int) -> tuple[float, float]:
    """Longitude and latitude of a position in a tile."""
    n = 2**z
    lon = (col + xy[0] / 4096) / n * 360.0 - 180.0
    lat = math.degrees(math.atan(math.sinh(math.pi * (1.0 - 2.0 * (row + xy[1] / 4096) / n))))
    return lon, lat


def read(content: bytes, layer: str) -> list[dict[str, Any]]:
    options = {"y_coord_down": True}
    return (
        mapbox_vector_tile.decode(content, default_options=options).get(layer, {}).get("features", [])
        if content
        else []
    )


def features(
    district: District, layer: str, lon: float, lat: float, z: int, *, user: User = ADMIN, of: str = ""
) -> list[dict[str, Any]]:
    row, col = at(lon, lat, z)
    return read(tiles.tile(district, user, [layer], z, row, col).content, of or layer)


def tag(district: District, layer: str, lon: float, lat: float, z: int = 14) -> str:
    return tiles.tile(district, ADMIN, [layer], z, *at(lon, lat, z)).etag


# --- what is where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [6, 12, 15, 22])
def test_a_point_lies_where_it_is(district: District, z: int) -> None:
    row, col = at(121.52, 30.92, z)
    [found] = [
        one
        for one in features(district, "workstation", 121.52, 30.92, z)
        if one["properties"]["code"] == "JWZ03"
    ]
    lon, lat = place_of(found["geometry"]["coordinates"], z, row, col)

    pixel = 360.0 / 2**z / 4096
    assert abs(lon - 121.52) <= pixel
    assert abs(lat - 30.92) <= pixel
    assert found["properties"]["name"] == "东镇第一警务站"
    assert len(found["properties"]["gid"]) == 36


def test_every_point_is_in_exactly_the_tiles_it_lies_in(district: District) -> None:
    z, seen = 13, {}
    top, left = at(121.4, 31.0, z)
    bottom, right = at(121.6, 30.9, z)
    for row in range(top, bottom + 1):
        for col in range(left, right + 1):
            for one in read(tiles.tile(district, ADMIN, ["workstation"], z, row, col).content, "workstation"):
                x, y = one["geometry"]["coordinates"]
                if 0 <= x < 4096 and 0 <= y < 4096:
                    seen.setdefault(one["properties"]["code"], []).append((row, col))
                else:
                    assert -512 <= x <= 4096 + 512
                    assert -512 <= y <= 4096 + 512

    assert {code: len(where) for code, where in seen.items()} == {f"JWZ{n:02}": 1 for n in range(1, 7)}


def test_areas_are_clipped_to_the_tile_and_keep_their_ground(district: District) -> None:
    z = 13
    row, col = at(121.45, 30.925, z)
    found = features(district, "police_grid", 121.45, 30.925, z)
    reach = shapely.box(-64, -64, 4160, 4160)
    ground = {one["properties"]["code"]: shape(one["geometry"]) for one in found}

    west, south, east, north = tiles.tile_box(z, col, row)
    assert shapely.box(west, south, east, north).contains(shapely.Point(121.45, 30.925))
    assert all(one.is_valid and reach.covers(one) for one in ground.values())
    inside = shapely.box(0, 0, 4096, 4096)
    whole = shapely.union_all([one.intersection(inside) for one in ground.values()])
    # the tile lies in the district, so its grids fill it
    assert shapely.box(121.4, 30.9, 121.6, 31.0).covers(shapely.box(west, south, east, north))
    assert whole.area == pytest.approx(4096**2, rel=0.002)


def test_an_area_has_one_label_in_one_tile(district: District) -> None:
    z, labels = 14, []
    top, left = at(121.4, 31.0, z)
    bottom, right = at(121.6, 30.9, z)
    for row in range(top - 1, bottom + 2):
        for col in range(left - 1, right + 2):
            content = tiles.tile(district, ADMIN, ["police_grid"], z, row, col).content
            labels += [one["properties"]["code"] for one in read(content, "police_grid_label")]

    assert sorted(labels) == [
        "310199101001001", "310199101001002", "310199102001001", "310199102001002",
    ]  # fmt: skip


def test_lines_of_the_basemap_are_one_figure_per_symbol_from_afar(district: District) -> None:
    pieces = [
        element(
            "road",
            None,
            f"路{n}",
            shapely.LineString([(121.4 + n / 100, 30.95), (121.41 + n / 100, 30.95)]),
            **{"class": "primary"},
        )
        for n in range(10)
    ]
    put(district, *pieces)
    far, near = features(district, "road", 121.45, 30.95, 10), features(district, "road", 121.45, 30.95, 13)

    assert [one["properties"] for one in far] == [{"class": "primary"}]
    assert "gid" in near[0]["properties"]
    # a straight road of ten pieces comes as one line with two ends
    straight = [line for line in _lines(far[0]["geometry"]) if line[0][1] == line[-1][1]]
    assert min(len(line) for line in straight) == 2


def _lines(geometry: dict[str, Any]) -> list[list[list[int]]]:
    return [geometry["coordinates"]] if geometry["type"] == "LineString" else geometry["coordinates"]


def test_nothing_is_drawn_below_its_zoom(district: District) -> None:
    put(
        district,
        element(
            "road", None, "小路", shapely.LineString([(121.41, 30.91), (121.43, 30.91)]), **{"class": "path"}
        ),
    )

    assert features(district, "risk", 121.55, 30.96, 9) == []
    assert len(features(district, "risk", 121.55, 30.96, 10)) == 1
    shown = {
        z: {one["properties"].get("class") for one in features(district, "road", 121.42, 30.91, z)}
        for z in (13, 14)
    }
    assert shown == {13: {"primary"}, 14: {"primary", "path"}}


def test_a_small_area_stays_visible_as_a_dot(district: District) -> None:
    put(district, element("town", "310199103", "小镇", shapely.box(121.44, 30.97, 121.4401, 30.9701)))
    found = {one["properties"]["code"]: one for one in features(district, "town", 121.44, 30.97, 9)}

    bounds = shape(found["310199103"]["geometry"]).bounds
    assert 4 <= bounds[2] - bounds[0] <= 16


def test_a_crowd_on_one_pixel_is_drawn_once(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_THIN_BEYOND", 10)
    crowd = [
        element("crossing", None, f"口{n}", shapely.Point(121.45 + n * 1e-9, 30.95), kind="bridge")
        for n in range(50)
    ]
    put(district, *crowd, element("crossing", None, "远口", shapely.Point(121.452, 30.95), kind="bridge"))

    assert len(features(district, "crossing", 121.45, 30.95, 14)) == 2


def test_several_layers_come_in_one_tile(district: District) -> None:
    row, col = at(121.42, 30.92, 12)
    content = tiles.tile(
        district, ADMIN, ["police_grid", "workstation", "road", "road"], 12, row, col
    ).content

    assert mapbox_vector_tile.decode(content).keys() == {"police_grid", "workstation", "road"}


@pytest.mark.parametrize("place", [(-1, 0, 0), (23, 0, 0), (2, 4, 0), (2, 0, -1), (2, 0, 4)])
def test_a_tile_outside_the_world_is_not_found(district: District, place: tuple[int, int, int]) -> None:
    with pytest.raises(NotFound):
        tiles.tile(district, ADMIN, ["road"], *place)


def test_a_tile_without_anything_is_empty(district: District) -> None:
    assert tiles.tile(district, ADMIN, ["road"], 14, 0, 0).content == b""


# --- for whom --------------------------------------------------------------------------------------------


def test_a_hidden_layer_has_no_tiles(district: District) -> None:
    row, col = at(121.55, 30.96, 14)
    with pytest.raises(PermissionDenied):
        tiles.tile(district, VIEWER, ["workstation", "risk"], 14, row, col)


def test_a_count_never_rides_in_a_viewers_tile(district: District) -> None:
    layer = district.catalogue.layer("workstation")
    counted = LayerField("officer_count", "民警数", FieldType.INTEGER, field_class=FieldClass.COUNT)
    by_count = replace(
        layer,
        fields=tuple(counted if one.name == "officer_count" else one for one in layer.fields),
        symbol_rule=SymbolRule("officer_count", {"3": Symbol(layer.symbol.shape, "#000000")}),
    )
    odd = replace(district, catalogue=Catalogue({**district.catalogue.layers, "workstation": by_count}))

    keys = {
        user.username: {
            key
            for one in features(odd, "workstation", 121.42, 30.92, 12, user=user)
            for key in one["properties"]
        }
        for user in (ADMIN, VIEWER)
    }
    assert "officer_count" in keys["admin"]
    assert "officer_count" not in keys["viewer"]


def test_a_tile_holds_no_more_attributes_than_the_map_draws_by(district: District) -> None:
    [one] = features(district, "risk", 121.55, 30.96, 14)

    assert one["properties"].keys() == {"gid", "code", "name", "grade", "state"}


def test_a_closed_risk_is_left_off_until_the_map_is_near(district: District) -> None:
    values = {"name": "险", "category": "反诈", "grade": "red"}
    for code, state in (("FX0091", "handling"), ("FX0092", "closed")):
        elements.create(
            district, ADMIN, "risk", {"code": code, "state": state, **values}, shapely.Point(121.42, 30.931)
        )

    def shown(z: int) -> set[str]:
        return {one["properties"]["code"] for one in features(district, "risk", 121.42, 30.931, z)}

    assert {"FX0091", "FX0092"} & shown(15) == {"FX0091"}
    assert {"FX0091", "FX0092"} <= shown(17)


def test_simulated_and_overdue_elements_say_so(district: District, clock: FakeClock) -> None:
    fake = replace(
        element("workstation", "JWZ91", "模拟站", shapely.Point(121.42, 30.93)), source=Source.SIMULATED
    )
    receipt = elements.create(
        district, ADMIN, "risk", {"code": "FX0009", "name": "险", "category": "反诈", "grade": "red", "state": "reported"},
        shapely.Point(121.42, 30.931),
    )  # fmt: skip
    put(district, fake)

    def look(layer: str, code: str) -> dict[str, Any]:
        found = features(district, layer, 121.42, 30.93, 14)
        return next(one["properties"] for one in found if one["properties"]["code"] == code)

    assert look("workstation", "JWZ91")["sim"] == 1
    assert "sim" not in look("risk", "FX0009")
    assert receipt.element.due_at is not None
    assert "due" not in look("risk", "FX0009")
    clock.set(receipt.element.due_at)
    assert "due" not in look("risk", "FX0009")
    clock.advance(seconds=1)
    assert look("risk", "FX0009")["due"] == 1


# --- what an edit makes anew -----------------------------------------------------------------------------


def made_tiles(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Records which tiles are made from now on."""
    made, real = [], tiles._make

    def recording(layer: Any, frame: Any, looks: Any, z: int, x: int, y: int, **rest: Any) -> Any:
        made.append((z, x, y))
        return real(layer, frame, looks, z, x, y, **rest)

    monkeypatch.setattr(tiles, "_make", recording)
    return made


def test_an_edit_changes_tags_where_it_touches_and_nowhere_else(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"old": (121.52, 30.92), "new": (121.54, 30.98), "far": (121.42, 30.92)}
    before = {name: tag(district, "workstation", *place) for name, place in places.items()}
    made = made_tiles(monkeypatch)
    assert {name: tag(district, "workstation", *place) for name, place in places.items()} == before
    assert made == []

    found = elements.search(district, ADMIN, "JWZ03", layers=["workstation"])[0]
    elements.change(
        district, ADMIN, "workstation", found.id, base_revision=1, geometry=shapely.Point(*places["new"])
    )
    after = {name: tag(district, "workstation", *place) for name, place in places.items()}

    assert {name for name in places if after[name] != before[name]} == {"old", "new"}
    assert len(made) == 2


def test_an_edit_of_one_layer_leaves_the_others_tiles(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    for layer in ("road", "workstation"):
        tag(district, layer, 121.42, 30.92)
    made = made_tiles(monkeypatch)
    put(district, element("workstation", "JWZ80", "新站", shapely.Point(121.42, 30.92)))
    for layer in ("road", "workstation"):
        tag(district, layer, 121.42, 30.92)

    assert len(made) == 1


def test_a_deleted_element_leaves_its_tile(district: District) -> None:
    assert len(features(district, "risk", 121.55, 30.96, 14)) == 1
    found = elements.search(district, ADMIN, "FX0001", layers=["risk"])[0]
    elements.delete(district, ADMIN, "risk", found.id, base_revision=1)

    assert features(district, "risk", 121.55, 30.96, 14) == []


def test_tiles_of_the_point_buffer_are_made_anew_too(district: District) -> None:
    z = 14
    row, col = at(121.52, 30.92, z)
    west, south, _, _ = tiles.tile_box(z, col, row)
    # a little to the west of the tile's edge, within reach of its buffer
    at_the_edge = shapely.Point(west - 0.0005, south + 0.005)
    put(district, element("workstation", "JWZ70", "边站", at_the_edge, opening_hours="24h", officer_count=1))
    before = tiles.tile(district, ADMIN, ["workstation"], z, row, col)
    assert "JWZ70" in {one["properties"]["code"] for one in read(before.content, "workstation")}

    found = elements.search(district, ADMIN, "JWZ70", layers=["workstation"])[0]
    elements.change(district, ADMIN, "workstation", found.id, base_revision=1, changes={"name": "改"})
    assert tiles.tile(district, ADMIN, ["workstation"], z, row, col).etag != before.etag


def test_a_tile_begun_before_an_edit_is_not_kept_after_it(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, has_edited = tiles._make, []

    def slow(layer: Any, frame: Any, *rest: Any, **more: Any) -> Any:
        if not has_edited:
            has_edited.append(1)
            put(district, element("workstation", "JWZ81", "插队", shapely.Point(121.42, 30.92)))
            district.frames.frame("workstation")
        return real(layer, frame, *rest, **more)

    monkeypatch.setattr(tiles, "_make", slow)
    features(district, "workstation", 121.42, 30.92, 14)
    codes = {one["properties"]["code"] for one in features(district, "workstation", 121.42, 30.92, 14)}

    assert "JWZ81" in codes


def test_kept_tiles_stay_within_their_memory(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "CACHE_BYTES", 2_000)
    for z in range(6, 20):
        tag(district, "workstation", 121.42, 30.92, z)
    store = tiles._store(district.frames)

    assert 0 < store.size <= 2_000
    assert store.size == sum(tiles._weight(one) for one in store.kept.values())


def test_a_bulk_write_drops_the_layers_tiles(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_FEW_BOXES", 1)
    before = tag(district, "workstation", 121.42, 30.92)
    with district.database.read() as connection:
        known = stored.find(connection, stored.Query("workstation"))
    with district.database.commit(actor="admin", at=district.clock()) as commit:
        moved = [
            replace(one, geometry=shapely.Point(one.geometry.x + 0.001, one.geometry.y)) for one in known
        ]
        written = stored.save(commit, moved, Operation.UPDATE)
        membership.derive(district, commit.connection, written, known)

    assert tag(district, "workstation", 121.42, 30.92) != before


def test_the_map_asks_again_for_every_tile_that_may_hold_a_point() -> None:
    text = (PROJECT_ROOT / "gridmap" / "assets" / "map" / "tiles.js").read_text("utf-8")
    [known] = re.findall(r"const TILE_BUFFER = ([\d.]+);", text)
    assert float(known) > tiles._POINT_BUFFER / tiles.EXTENT
