"""What a careless client sends is told, never passed over: encodings, members twice, headers, odd addresses."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.conftest import World, item_path, station_feature
from tests.support.district import ADMIN

ITEMS = "/ogc/collections/workstation/items"
JSON = "application/json"
NAMED = '{"properties": {"name": "东镇站"}}'


def patch(world: World, content: bytes, content_type: str = JSON, **headers: str) -> httpx.Response:
    path = item_path(world.elements["JWZ01"])
    sent = {"If-Match": '"1"', "Content-Type": content_type, **headers}
    return world.client(ADMIN).patch(path, content=content, headers=sent)


# --- encodings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        f"{ITEMS}?q={quote('东镇', encoding='gb18030')}",
        "/api/search?q=%FF",
        "/api/search?%FF=a",
        "/ogc/collections/%B6%AB/items",
    ],
)
def test_an_address_that_is_not_utf_8_is_refused(quiet_world: World, path: str) -> None:
    answer = quiet_world.client(ADMIN).get(path)
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "content_type", "headers", "status", "words"),
    [
        (NAMED.encode("gb18030"), JSON, {}, 400, "不是 UTF-8 编码"),
        (b"{}", "application/json; charset=gbk", {}, 415, "应为 UTF-8 编码"),
        (NAMED.encode("utf-16"), 'application/json; charset="UTF-16"', {}, 415, "应为 UTF-8 编码"),
        (gzip.compress(NAMED.encode(), mtime=0), JSON, {"Content-Encoding": "gzip"}, 415, "不支持压缩"),
    ],
    ids=["gb18030", "says gbk", "says utf-16", "gzip"],
)
def test_a_body_in_another_encoding_is_refused_in_words(
    quiet_world: World, content: bytes, content_type: str, headers: dict[str, str], status: int, words: str
) -> None:
    answer = patch(quiet_world, content, content_type, **headers)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_utf_8_may_be_said(world: World) -> None:
    assert patch(world, NAMED.encode(), "application/json; charset=UTF-8").status_code == 200


# --- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ('{"properties": {"name": "甲", "name": "乙"}}', 400, "“name”重复出现"),
        ('{"properties": {"name": "甲"}, "properties": {}}', 400, "“properties”重复出现"),
        ('{"propertis": {"name": "甲"}}', 400, "没有可保存的内容"),
        (
            '{"geometry": {"type": "Point", "coordinates": [121, 31], "crs": {"properties": {"name": "EPSG:3857"}}}}',
            422,
            "只接受 WGS 84",
        ),
        ('{"properties": {"name": "东镇\\u202e站"}}', 422, "不可见的控制字符"),
    ],
)
def test_a_patch_that_says_two_things_or_nothing_is_refused(
    quiet_world: World, body: str, status: int, words: str
) -> None:
    answer = patch(quiet_world, body.encode())
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_an_empty_patch_changes_nothing(quiet_world: World) -> None:
    answer = patch(quiet_world, b"{}")
    assert (answer.status_code, answer.headers["etag"], answer.json()["is_unchanged"]) == (200, '"1"', True)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("{element}/verify", {"reason": 5}, "修改说明应为文字"),
        ("/api/presence", {"client": "12345678", "editing": "yes"}, "“editing”应为 true 或 false"),
        ("/api/grids/police_grid/renumber", {"prefix": "\u0000", "dry_run": True}, "不含控制字符"),
        ("/api/coverage", {"open_at": "0001-01-01T00:00:00+14:00"}, "时间应为 now"),
        ("/api/coverage", {"open_at": "9999-12-31T23:59:59-12:00"}, "时间应为 now"),
    ],
)
def test_a_member_of_the_wrong_kind_is_refused(
    quiet_world: World, path: str, body: dict[str, Any], words: str
) -> None:
    address = path.format(element=f"/api/elements/workstation/{quiet_world.elements['JWZ01'].id}")
    answer = quiet_world.client(ADMIN).post(address, json=body, headers={"If-Match": "*"})
    assert answer.status_code in (400, 422)
    assert words in answer.json()["detail"]


# --- headers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["%E8%B5%B0%E8%AE%BF", "走访".encode().decode("latin-1")])
def test_a_reason_is_read_percent_encoded_or_as_it_is(world: World, written: str) -> None:
    station = world.elements["JWZ01"]
    headers = [(b"if-match", b'"1"'), (b"x-gridmap-reason", written.encode("latin-1"))]
    client = world.client(ADMIN)
    done = client.patch(item_path(station), content=NAMED.encode(), headers=headers)

    assert done.status_code == 200
    history = client.get(f"/api/elements/workstation/{station.id}/history").json()
    assert history["revisions"][0]["reason"] == "走访"


@pytest.mark.parametrize("written", ["%FF", "%B6%AB"])
def test_a_reason_in_another_encoding_is_refused(quiet_world: World, written: str) -> None:
    headers = [(b"if-match", b'"1"'), (b"x-gridmap-reason", written.encode("latin-1"))]
    answer = quiet_world.client(ADMIN).patch(
        item_path(quiet_world.elements["JWZ01"]), content=NAMED.encode(), headers=headers
    )
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["detail"]


@pytest.mark.parametrize("wanted", ["bytes=0-5", "bytes=9-1", "bytes=a-b", "bytes=99999999-", "lines=1"])
def test_a_part_of_an_export_is_answered_with_all_of_it(quiet_world: World, wanted: str) -> None:
    client = quiet_world.client(ADMIN)
    path = "/api/export/workstation?format=csv"
    part = client.get(path, headers={"Range": wanted})
    assert (part.status_code, part.content) == (200, client.get(path).content)


# --- addresses and methods -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["//ogc/collections", "//api/health", "///assets/x.js", "/assets/%2e%2e/settings.py", "/assets/%00"],
)
def test_an_odd_address_is_answered_with_a_problem_document(quiet_world: World, path: str) -> None:
    answer = quiet_world.client(ADMIN).get(f"http://map.example{path}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "地址格式有误。"


def test_the_stream_of_changes_knows_its_parameters_and_methods(quiet_world: World) -> None:
    client = quiet_world.client(ADMIN)
    for query in ("since=1&since=2", "from=1"):
        assert client.get(f"/api/changes?{query}").status_code == 400
    options = client.options("/api/changes")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, OPTIONS")


def test_a_put_of_json_with_a_member_twice_stores_nothing(quiet_world: World) -> None:
    text = json.dumps(station_feature(1)).replace('"code":', '"code": "JWZ99", "code":')
    path = item_path(quiet_world.elements["JWZ01"])
    answer = quiet_world.client(ADMIN).put(
        path, content=text, headers={"If-Match": '"1"', "Content-Type": JSON}
    )
    assert (answer.status_code, answer.json()["member"]) == (400, "code")
