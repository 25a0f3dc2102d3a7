"""Whatever comes in, the answer is JSON, never a fault of the program, and the store stays as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gridmap.api import bodies
from gridmap.api.bodies import parse_json
from gridmap.api.calls import BadRequest
from tests.api.conftest import World, _copied, _Template, item_path, station_feature
from tests.support.district import ADMIN, OFFICER_WEST, VIEWER

ITEMS = "/ogc/collections/workstation/items"
# the commits of the seeded district
SEQUENCE = 2
QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def fortress(gpkg_template: _Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A district under attack: whatever the tests send, nothing of it may be stored."""
    made = _copied(gpkg_template, tmp_path_factory.mktemp("fortress"))
    yield made
    made.close()


def assert_refused_well(answer: Any, world: World, *, may_succeed: bool = False) -> None:
    """The answer is a problem document (or may be a success), and nothing was stored."""
    assert answer.status_code < 500, answer.text
    assert "html" not in answer.headers.get("content-type", ""), answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["title"]
        assert problem["detail"]
        assert problem["type"].startswith("/problems/")
    else:
        assert may_succeed, answer.text
    if not may_succeed:
        assert world.district.database.sequence() == SEQUENCE, "something was stored"


JSON_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.sampled_from(
        ["Feature", "Point", "Polygon", "\x00", "\ud800", "13912345678", "<script>", "'; DROP TABLE element"]
    ),
)
JSON_VALUES = st.recursive(
    JSON_LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
GEOMETRIES = st.one_of(
    JSON_VALUES,
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["Point", "LineString", "Polygon", "MultiPolygon", "MultiPoint", "GeometryCollection", 3]
            ),
            "coordinates": JSON_VALUES
            | st.lists(st.lists(st.floats(-200, 200), min_size=2, max_size=3), max_size=5)
            | st.lists(
                st.lists(st.lists(st.floats(-200, 200), min_size=2, max_size=3), max_size=5), max_size=2
            ),
        }
    ),
)


def sent(document: Any) -> bytes:
    """JSON as a careless client writes it: NaN, half characters and all."""
    return json.dumps(document, ensure_ascii=True).encode()


@QUICK
@given(body=st.binary(max_size=60) | JSON_VALUES.map(sent))
def test_any_body_at_all(fortress: World, body: bytes) -> None:
    client = fortress.client(ADMIN)
    headers = {"Content-Type": "application/geo+json", "If-Match": "*"}
    path = item_path(fortress.elements["JWZ01"])

    assert_refused_well(client.post(ITEMS, content=body, headers=headers), fortress)
    assert_refused_well(client.put(path, content=body, headers=headers), fortress)
    assert_refused_well(
        client.post("/api/session", content=body, headers={"Content-Type": "application/json"}), fortress
    )


@QUICK
@given(geometry=GEOMETRIES)
@example(geometry={"type": "Point", "coordinates": [1e400, 0]})
@example(geometry={"type": "Point", "coordinates": [True, False]})
@example(geometry={"type": "Point", "coordinates": [121.5, 91]})
@example(geometry={"type": "LineString", "coordinates": [[121.5, 30.9], [121.5, 30.9]]})
@example(geometry={"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]})
@example(geometry={"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]})
def test_any_geometry(fortress: World, geometry: Any) -> None:
    body = {"type": "Feature", "properties": {"class": "path"}, "geometry": geometry}
    answer = fortress.client(VIEWER).post("/ogc/collections/road/items", content=sent(body))
    # a viewer may not write, but learns so only after the shape has been read
    assert answer.status_code in (400, 403, 413, 422)
    assert_refused_well(answer, fortress)


@QUICK
@given(
    properties=st.dictionaries(
        st.text(max_size=10) | st.sampled_from(["code", "name", "officer_count", "opening_hours"]),
        JSON_VALUES,
        max_size=5,
    )
)
def test_any_properties_beside_an_unknown_one(fortress: World, properties: dict[str, Any]) -> None:
    document = station_feature()
    document["properties"] = {**document["properties"], **properties, "no_such_field": 1}

    assert_refused_well(fortress.client(ADMIN).post(ITEMS, content=sent(document)), fortress)


TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "\x00",
        "%",
        "_",
        "'",
        '"',
        "\\",
        "../..",
        "-1",
        "1e999",
        "NaN",
        "null",
        "121,30,122,31",
        "2026-01-01T00:00:00Z",
        "1" * 400,
    ]
)


@QUICK
@given(
    name=st.sampled_from(
        ["bbox", "datetime", "limit", "offset", "q", "code", "name", "grid", "officer_count", "crs", "f", "x"]
    ),
    value=TEXTS,
)
def test_any_parameter(fortress: World, name: str, value: str) -> None:
    answer = fortress.client(VIEWER).get(ITEMS, params={name: value})
    assert_refused_well(answer, fortress, may_succeed=True)


@QUICK
@given(
    parts=st.lists(TEXTS, min_size=1, max_size=5),
    area=st.sampled_from(["/api", "/ogc", "/ogc/collections", "/api/elements/workstation"]),
)
def test_any_path(fortress: World, parts: list[str], area: str) -> None:
    from urllib.parse import quote

    path = area + "".join("/" + quote(one, safe="") for one in parts)
    answer = fortress.client(ADMIN).get(path)
    assert_refused_well(answer, fortress, may_succeed=True)


@QUICK
@given(
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
)
def test_any_header(fortress: World, value: str) -> None:
    client, path = fortress.client(ADMIN), item_path(fortress.elements["JWZ01"])
    raw = value.strip().encode("latin-1")
    patch = {"properties": {"officer_count": "many"}}
    for name in (
        "If-Match",
        "Idempotency-Key",
        "X-Gridmap-Reason",
        "Content-Type",
        "Content-Length-X",
        "If-None-Match",
    ):
        headers = {"If-Match": b"*", name: raw}
        assert_refused_well(client.patch(path, json=patch, headers=headers), fortress)
        assert_refused_well(client.get(path, headers=headers), fortress, may_succeed=True)
    odd = fortress.client()
    for name in ("Authorization", "Cookie"):
        assert_refused_well(odd.get("/api/session", headers={name: raw}), fortress)


def test_the_same_holds_on_postgis(postgis_world: World) -> None:
    client, path = postgis_world.client(ADMIN), item_path(postgis_world.elements["JWZ01"])
    before = postgis_world.district.database.sequence()
    nasty = ["\x00", "a\x00b", "\ud800", "'; --", "%", "\\", "1" * 150, "𠮷", "\u202e"]
    answers = [
        client.patch(path, content=sent({"properties": {"officer_count": one}}), headers={"If-Match": "*"})
        for one in nasty
    ]
    answers += [client.post(ITEMS, content=sent(station_feature(code=one))) for one in nasty]
    for answer in answers:
        assert answer.status_code in (400, 422), answer.text
    for one in nasty:
        if one != "\ud800":
            for name in ("q", "code", "grid", "datetime", "bbox"):
                assert client.get(ITEMS, params={name: one}).status_code < 500
            assert client.get("/api/search", params={"q": one}).status_code < 500
            assert (
                client.post(
                    ITEMS, json=station_feature(code="x"), headers={"Idempotency-Key": "k" + str(len(one))}
                ).status_code
                == 422
            )
    assert postgis_world.district.database.sequence() == before


# --- sizes -----------------------------------------------------------------------------------------------


def test_a_body_above_the_limit_is_refused_before_it_is_read(fortress: World) -> None:
    client = fortress.client(ADMIN)
    stated = client.post(ITEMS, content=b" " * (2 * 2**20 + 1))

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 2**16

    assert stated.status_code == 413
    assert stated.json()["max_bytes"] == 2 * 2**20
    assert client.post(ITEMS, content=endless()).status_code == 413
    assert client.post("/api/session", content=b" " * 20_000).status_code == 413


def test_a_line_of_too_many_positions_is_refused(fortress: World) -> None:
    many = [[121.0, 30]] * (bodies.MAX_VERTICES + 1)
    answer = fortress.client(ADMIN).post(
        "/ogc/collections/road/items",
        content=json.dumps(
            {"type": "Feature", "geometry": {"type": "LineString", "coordinates": many}},
            separators=(",", ":"),
        ),
    )

    assert (answer.status_code, answer.json()["max_vertices"]) == (413, 100_000)


@pytest.mark.parametrize("depth", [200, 5_000, 400_000])
def test_deep_json_breaks_nothing(fortress: World, depth: int) -> None:
    for body in (b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        assert_refused_well(fortress.client(ADMIN).post(ITEMS, content=body), fortress)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b'{"\\udc00": 1}',
        b"\xff\xfe", b"", b"{", b"{'a': 1}", b'{"a": 1,}', b"[1] [2]", b'{"a": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_json_is_read_strictly(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_json(body)


def test_sound_json_is_read_whole() -> None:
    assert parse_json('\ufeff{"a": [1, 2.5, "网格", "\\ud83d\\ude80", null, true]}'.encode()) == {
        "a": [1, 2.5, "网格", "🚀", None, True]
    }


# --- faults of the program -------------------------------------------------------------------------------


def test_an_unexpected_error_gives_a_reference_and_no_secrets(
    fortress: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from gridmap.services import elements

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the password is 1234")

    monkeypatch.setattr(elements, "find", broken)
    answer = fortress.client(ADMIN).get(ITEMS)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (500, "/problems/unexpected-error")
    assert "1234" not in answer.text
    assert problem["reference"] in problem["detail"]
    assert problem["reference"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_store_that_is_away_is_told_as_unavailable(fortress: World, tmp_path: Path) -> None:
    from starlette.applications import Starlette

    from gridmap.api import app as api
    from gridmap.errors import Unavailable
    from tests.api.conftest import TestClient

    def missing() -> Any:
        raise Unavailable("there is no district; run `gridmap init` first", zh="还没有建立辖区数据库。")

    client = TestClient(Starlette(routes=api.routes(missing), middleware=api.middleware(missing)))
    answer = client.get("/api/health")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == "还没有建立辖区数据库。"
    assert "content-security-policy" in answer.headers


@QUICK
@given(geometry=GEOMETRIES)
@example(geometry={"type": "LineString", "coordinates": [[121.5, 30.9], [121.5, 30.9]]})
@example(geometry={"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]})
@example(
    geometry={
        "type": "Polygon",
        "coordinates": [[[121.41, 30.91], [121.42, 30.91], [121.41, 30.91], [121.41, 30.91]]],
    }
)
def test_any_geometry_for_an_area_in_a_limited_area(fortress: World, geometry: Any) -> None:
    # wrong code: however sound the shape, nothing may be stored
    body = {"type": "Feature", "properties": {"code": "x", "name": "格"}, "geometry": geometry}
    answer = fortress.client(OFFICER_WEST).post("/ogc/collections/residential_area/items", content=sent(body))

    assert_refused_well(answer, fortress)
