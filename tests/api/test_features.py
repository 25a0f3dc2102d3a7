"""OGC API – Features: pages and filters, and writes that never lose anybody's work, on both databases."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest

from gridmap.services import elements
from tests.api.conftest import TestClient, World, item_path, station_feature
from tests.support.district import ADMIN, ANALYST, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER

ITEMS = "/ogc/collections/workstation/items"
PATCH = "application/merge-patch+json"


def rels(document: dict[str, Any]) -> dict[str, str]:
    return {one["rel"]: one["href"] for one in document["links"]}


# --- reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 4, 6, 100])
def test_pages_follow_one_another_and_hold_everything_once(quiet_world: World, limit: int) -> None:
    client, url, seen = quiet_world.client(VIEWER), f"{ITEMS}?limit={limit}", []
    while url:
        page = client.get(url).json()
        assert (page["numberMatched"], page["numberReturned"]) == (6, len(page["features"]))
        assert page["features"], "a link leads to an empty page"
        seen += [one["properties"]["code"] for one in page["features"]]
        url = rels(page).get("next")

    assert seen == [f"JWZ{n:02}" for n in range(1, 7)]


def test_a_page_leads_back(quiet_world: World) -> None:
    client = quiet_world.client(VIEWER)
    page = client.get(f"{ITEMS}?limit=4&offset=3").json()

    assert rels(page)["prev"].endswith("limit=4&offset=0")
    assert "prev" not in rels(client.get(rels(page)["prev"]).json())


def test_links_keep_the_filters(quiet_world: World) -> None:
    page = (
        quiet_world.client(VIEWER).get(f"{ITEMS}?limit=1&opening_hours=24h&bbox=121.4,30.9,121.6,31.0").json()
    )

    following = quiet_world.client(VIEWER).get(rels(page)["next"]).json()
    assert following["numberMatched"] == 6
    assert following["features"][0]["properties"]["code"] == "JWZ02"


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("bbox=121.5,30.9,121.6,30.95", "JWZ03 JWZ05"),
        ("bbox=121.42,30.92,121.42,30.92", "JWZ01"),
        ("bbox=121.5,30.9,-10,121.6,30.95,90", "JWZ03 JWZ05"),
        ("bbox=121.4200001,30.9,121.4399999,31", ""),
        ("code=JWZ02", "JWZ02"),
        ("officer_count=3", "JWZ01 JWZ02 JWZ03 JWZ04 JWZ05 JWZ06"),
        ("officer_count=3.0&bbox=121.5,30,122,31", "JWZ03 JWZ04 JWZ05"),
        ("officer_count=4", ""),
        (f"name={quote('东镇第一警务站')}", "JWZ03"),
        (f"q={quote('东镇')}", "JWZ03 JWZ04 JWZ05"),
        ("q=dzdyjwz", "JWZ03"),
        ("grid=police_grid:310199102001001", "JWZ03 JWZ05"),
        ("grid=town:310199102&q=dier", "JWZ04"),
        ("datetime=2026-03-02T08:00:00Z", "JWZ01 JWZ02 JWZ03 JWZ04 JWZ05 JWZ06"),
        ("datetime=2026-03-02T16:00:00%2B08:00/..&limit=1", "JWZ01"),
        ("datetime=2026-03-02", "JWZ01 JWZ02 JWZ03 JWZ04 JWZ05 JWZ06"),
        ("datetime=/2026-03-02T07:59:59Z", ""),
        ("datetime=../2026-03-02T08:00:00Z&code=JWZ01", "JWZ01"),
        ("datetime=2026-03-03T00:00:00Z/2026-03-04T00:00:00Z", ""),
        ("offset=4", "JWZ05 JWZ06"),
        ("offset=600", ""),
        ("limit=50000&offset=5", "JWZ06"),
        ("crs=http://www.opengis.net/def/crs/OGC/1.3/CRS84&f=json&code=JWZ01", "JWZ01"),
    ],
)
def test_filters_find_exactly_what_they_say(quiet_world: World, query: str, codes: str) -> None:
    answer = quiet_world.client(ANALYST).get(f"{ITEMS}?{query}")

    assert answer.headers["content-type"] == "application/geo+json"
    assert [one["properties"]["code"] for one in answer.json()["features"]] == codes.split()


@pytest.mark.parametrize(
    "query",
    [
        "bbox=1,2,3", "bbox=a,b,c,d", "bbox=nan,0,1,1", "bbox=0,0,inf,1", "bbox=122,30,121,31", "bbox=170,-10,-170,10",
        "bbox=", "limit=0", "limit=-1", "limit=ten", "limit=1.5", "limit=٣", "offset=-1", "offset=99999999999",
        "datetime=yesterday", "datetime=2026-03-02T08:00:00", "datetime=..", "datetime=",
        "datetime=2026-03-04T00:00:00Z/2026-03-03T00:00:00Z", "datetime=2026-13-01", "crs=EPSG:3857",
        "bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4549", "f=html", "colour=red", "code=a&code=b",
        "readiness_minutes=abc", "readiness_minutes=nan", "readiness_minutes=inf", "readiness_minutes=",
        "code=%00", "q=%07", "grid=police_grid", "grid=:1", f"name={'x' * 201}",
    ],
)  # fmt: skip
def test_a_parameter_that_makes_no_sense_is_named_in_a_problem(quiet_world: World, query: str) -> None:
    answer = quiet_world.client(VIEWER).get(f"{ITEMS}?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["parameter"] == query.partition("=")[0]


def test_numbers_are_filtered_as_numbers_on_either_database(either_world: World) -> None:
    road = either_world.elements["测试大道"]
    client = either_world.client(ADMIN)
    client.patch(item_path(road), json={"properties": {"speed_kmh": 60}}, headers={"If-Match": "*"})

    for text, count in (("60", 1), ("60.0", 1), ("61", 0)):
        page = client.get(f"/ogc/collections/road/items?speed_kmh={text}").json()
        assert page["numberMatched"] == count, text
    assert client.get("/ogc/collections/road/items?oneway=false").json()["numberMatched"] == 2


def test_a_masked_count_is_not_told_by_what_a_filter_finds(quiet_world: World) -> None:
    path = f"{ITEMS}?code=JWZ01&officer_count="
    found = [
        quiet_world.client(ANALYST).get(f"{path}{count}").json()["numberMatched"] for count in range(1, 6)
    ]
    assert sum(found) == 1
    answers = [quiet_world.client(VIEWER).get(f"{path}{count}") for count in range(1, 6)]
    assert {one.status_code for one in answers} == {403}
    assert len({one.json()["detail"] for one in answers}) == 1


def test_a_feature_tells_all_fields_and_its_revision(quiet_world: World) -> None:
    station = quiet_world.elements["JWZ01"]
    answer = quiet_world.client(VIEWER).get(item_path(station))
    document = answer.json()

    assert answer.headers["etag"] == '"1"'
    assert document["id"] == station.id
    assert document["geometry"] == {"type": "Point", "coordinates": [121.42, 30.92]}
    assert document["properties"]["readiness_minutes"] is None
    assert document["properties"]["source"] == "real"
    assert document["properties"]["revision"] == 1


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', '"0", "1"', "*"])
def test_a_known_feature_is_not_sent_again(quiet_world: World, tag: str) -> None:
    path = item_path(quiet_world.elements["JWZ01"])
    known = quiet_world.client(VIEWER).get(path, headers={"If-None-Match": tag})

    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", '"1"')
    assert quiet_world.client(VIEWER).get(path, headers={"If-None-Match": '"2"'}).status_code == 200


def test_a_viewer_gets_small_counts_blanked_and_sensitive_layers_refused(quiet_world: World) -> None:
    viewer, analyst = quiet_world.client(VIEWER), quiet_world.client(ANALYST)

    assert viewer.get(item_path(quiet_world.elements["JWZ01"])).json()["properties"]["officer_count"] is None
    assert analyst.get(item_path(quiet_world.elements["JWZ01"])).json()["properties"]["officer_count"] == 3
    for layer in ("risk", "care_point", "incident"):
        assert viewer.get(f"/ogc/collections/{layer}/items").status_code == 403
        assert analyst.get(f"/ogc/collections/{layer}/items").status_code == 200
    listed = {one["id"] for one in viewer.get("/ogc/collections").json()["collections"]}
    assert "workstation" in listed
    assert not listed & {"risk", "care_point", "incident"}


def test_an_element_of_another_layer_or_no_element_is_not_found(quiet_world: World) -> None:
    client, road = quiet_world.client(ADMIN), quiet_world.elements["测试大道"]

    for path in (
        f"{ITEMS}/{road.id}",
        f"{ITEMS}/none",
        f"{ITEMS}/{chr(0x6C34)}",
        "/ogc/collections/none/items",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


# --- creating --------------------------------------------------------------------------------------------


def test_a_created_feature_stands_at_its_location(either_world: World) -> None:
    client = either_world.client(OFFICER_EAST)
    created = client.post(ITEMS, json=station_feature(), headers={"Content-Type": "application/geo+json"})

    assert created.status_code == 201
    assert created.headers["etag"] == '"1"'
    assert created.json()["warnings"] == json.loads(unquote(created.headers["x-gridmap-warnings"]))
    assert created.json()["sequence"] == either_world.district.database.sequence()
    again = client.get(created.headers["location"])
    assert again.json()["properties"] == created.json()["properties"]
    assert again.json()["geometry"] == station_feature()["geometry"]
    assert again.json()["properties"]["created_by"] == OFFICER_EAST.username


def test_a_request_sent_twice_is_carried_out_once(either_world: World) -> None:
    client, headers = either_world.client(ADMIN), {"Idempotency-Key": "tablet-7/42"}
    first, second = (client.post(ITEMS, json=station_feature(), headers=headers) for _ in range(2))
    other = client.post(ITEMS, json=station_feature(name="另一个"), headers=headers)

    assert (first.status_code, second.status_code, other.status_code) == (201, 201, 409)
    assert first.headers["location"] == second.headers["location"]
    assert client.get(f"{ITEMS}?code=JWZ07").json()["numberMatched"] == 1


def _replayed(client: TestClient, method: str, path: str, **sent: Any) -> list[httpx.Response]:
    """The answers to one request sent twice; between them another person writes to the same element."""
    headers = {"If-Match": '"1"', "Idempotency-Key": "tablet-7/43"}
    first = client.request(method, path, headers=headers, **sent)
    other = client.patch(
        f"{ITEMS}/{first.json()['id']}", json={"properties": {"officer_count": 9}}, headers={"If-Match": "*"}
    )
    assert (first.is_success, other.status_code) == (True, 200)
    return [first, client.request(method, path, headers=headers, **sent)]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_sent_again_is_answered_as_the_first_time_whatever_others_stored_since(
    either_world: World, method: str
) -> None:
    client = either_world.client(ADMIN)
    path = ITEMS if method == "POST" else item_path(either_world.elements["JWZ01"])
    sent = station_feature() if method == "POST" else station_feature(1, lon=121.43, lat=30.92)
    first, again = _replayed(client, method, path, json=sent)

    assert (again.status_code, again.headers["etag"]) == (first.status_code, first.headers["etag"])
    assert again.json() == first.json()
    # going on from there does not overwrite what the other person stored unseen
    item = f"{ITEMS}/{first.json()['id']}"
    stale = client.patch(
        item, json={"properties": {"officer_count": 5}}, headers={"If-Match": again.headers["etag"]}
    )
    assert stale.status_code == 412
    assert client.get(item).json()["properties"]["officer_count"] == 9


def test_a_deletion_sent_again_is_answered_as_the_first_time(either_world: World) -> None:
    client, path = either_world.client(ADMIN), item_path(either_world.elements["JWZ01"])
    headers = {"If-Match": '"1"', "Idempotency-Key": "tablet-7/44"}
    first, again = (client.delete(path, headers=headers) for _ in range(2))

    assert (first.status_code, again.status_code) == (204, 204)
    assert again.headers["x-gridmap-sequence"] == first.headers["x-gridmap-sequence"]


def test_a_key_stands_for_one_request_only(world: World) -> None:
    client, headers = world.client(ADMIN), {"Idempotency-Key": "tablet-7/45", "If-Match": '"1"'}
    first, second = (item_path(world.elements[code]) for code in ("JWZ01", "JWZ02"))
    changed = client.patch(first, json={"properties": {"officer_count": 5}}, headers=headers)
    elsewhere = client.patch(second, json={"properties": {"officer_count": 5}}, headers=headers)
    otherwise = client.delete(first, headers={**headers, "If-Match": '"2"'})

    assert (changed.status_code, elsewhere.status_code, otherwise.status_code) == (200, 409, 409)


def test_near_duplicates_warn_in_body_and_header(world: World) -> None:
    created = world.client(ADMIN).post(ITEMS, json=station_feature(lon=121.5201, lat=30.92)).json()

    assert len(created["warnings"]) == 1
    assert "JWZ03" in created["warnings"][0]


def test_system_properties_in_a_body_are_ignored(world: World) -> None:
    sent = station_feature(
        revision=99, source="simulated", created_by="nobody", updated_at="2001-01-01T00:00:00Z"
    )
    stored = world.client(ADMIN).post(ITEMS, json=sent).json()["properties"]

    assert (stored["revision"], stored["source"], stored["created_by"]) == (1, "real", "admin")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"officer_count": "many"}, "officer_count"),
        ({"officer_count": None}, "officer_count"),
        ({"opening_hours": "sometimes"}, "opening_hours"),
        ({"colour": "red"}, "colour"),
        ({"code": "X1"}, "code"),
        ({"name": "联系人 13912345678"}, "name"),
        ({"name": "a\x00b"}, "name"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_field(world: World, change: dict[str, Any], field: str) -> None:
    answer = world.client(ADMIN).post(ITEMS, json=station_feature(**change))

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["problems"]] == [field]
    assert world.client(ADMIN).get(ITEMS).json()["numberMatched"] == 6


def test_a_code_is_never_given_twice(either_world: World) -> None:
    answer = either_world.client(ADMIN).post(ITEMS, json=station_feature(code="JWZ01"))

    assert (answer.status_code, answer.json()["code"]) == (409, "JWZ01")


# --- changing --------------------------------------------------------------------------------------------


def test_a_patch_changes_what_it_names_and_null_clears(either_world: World) -> None:
    client, path = either_world.client(ADMIN), item_path(either_world.elements["JWZ01"])
    patch = {"properties": {"name": "改名", "address": "测试路1号"}}
    first = client.patch(path, content=json.dumps(patch), headers={"If-Match": '"1"', "Content-Type": PATCH})
    second = client.patch(
        path, json={"properties": {"address": None}}, headers={"If-Match": first.headers["etag"]}
    )

    assert (first.status_code, first.headers["etag"], second.headers["etag"]) == (200, '"2"', '"3"')
    stored = client.get(path).json()["properties"]
    assert (stored["name"], stored["address"], stored["opening_hours"]) == ("改名", None, "24h")


def test_a_put_clears_what_it_leaves_out(world: World) -> None:
    client, path = world.client(ADMIN), item_path(world.elements["JWZ01"])
    client.patch(path, json={"properties": {"address": "测试路1号"}}, headers={"If-Match": "*"})
    sent = station_feature(1, lon=121.43, lat=30.92)
    replaced = client.put(path, json=sent, headers={"If-Match": '"2"'})

    assert replaced.status_code == 200
    assert replaced.json()["properties"]["address"] is None
    assert client.get(path).json()["geometry"] == sent["geometry"]


def test_a_read_feature_put_back_changes_nothing(world: World) -> None:
    client, path = world.client(ADMIN), item_path(world.elements["310199101001001"])
    document = client.get(path).json()
    answer = client.put(path, json=document, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert answer.json()["warnings"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_without_its_base_is_refused(either_world: World, method: str) -> None:
    path = item_path(either_world.elements["JWZ01"])
    answer = either_world.client(ADMIN).request(
        method, path, json=station_feature(1) if method != "DELETE" else None
    )

    assert answer.status_code == 428
    assert answer.json()["type"] == "/problems/revision-required"
    assert either_world.client(ADMIN).get(path).headers["etag"] == '"1"'


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_stale_write_gets_the_present_state_and_its_tag(either_world: World, method: str) -> None:
    client, path = either_world.client(ADMIN), item_path(either_world.elements["JWZ01"])
    either_world.client(KEEPER).patch(
        path, json={"properties": {"name": "先到"}}, headers={"If-Match": '"1"'}
    )
    body = station_feature(1) if method != "DELETE" else None
    answer = client.request(method, path, json=body, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.headers["etag"]) == (412, '"2"')
    problem = answer.json()
    assert problem["theirs"]["properties"]["name"] == "先到"
    assert (problem["etag"], problem["updated_by"], problem["revision"]) == ('"2"', "keeper", 2)
    assert client.get(path).json()["properties"]["name"] == "先到"


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('"1"', 200),
        ("*", 200),
        ('"9", "1"', 200),
        ('W/"1"', 412),
        ('"abc"', 412),
        ('"9"', 412),
        ("1", 400),
        ("", 400),
    ],
)
def test_if_match_compares_strongly(world: World, tag: str, status: int) -> None:
    path = item_path(world.elements["JWZ01"])
    answer = world.client(ADMIN).patch(path, json={"properties": {"name": "改名"}}, headers={"If-Match": tag})

    assert answer.status_code == status


def test_a_deleted_feature_is_gone_and_keeps_its_history(either_world: World) -> None:
    client, station = either_world.client(ADMIN), either_world.elements["JWZ01"]
    deleted = client.delete(item_path(station), headers={"If-Match": '"1"'})

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get(item_path(station)).status_code == 404
    assert client.delete(item_path(station), headers={"If-Match": '"2"'}).status_code == 404
    revisions = client.get(f"/api/elements/workstation/{station.id}/history").json()["revisions"]
    assert [one["operation"] for one in revisions] == ["delete", "create"]


def test_of_many_writers_at_once_one_wins_and_the_others_are_told(either_world: World) -> None:
    path, statuses = item_path(either_world.elements["JWZ01"]), []

    def write(number: int) -> None:
        body = {"properties": {"name": f"第{number}人"}}
        answer = either_world.client(ADMIN).patch(path, json=body, headers={"If-Match": '"1"'})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert sorted(statuses) == [200, 412, 412, 412, 412, 412]
    history = elements.history(either_world.district, ADMIN, "workstation", either_world.elements["JWZ01"].id)
    assert len(history) == 2


def test_an_officer_writes_in_the_own_area_only(either_world: World) -> None:
    client = either_world.client(OFFICER_WEST)
    own, other = item_path(either_world.elements["JWZ01"]), item_path(either_world.elements["JWZ03"])
    patch, headers = {"properties": {"name": "改名"}}, {"If-Match": '"1"'}
    across = {"geometry": {"type": "Point", "coordinates": [121.55, 30.92]}}

    assert client.patch(own, json=across, headers=headers).status_code == 403
    assert client.patch(own, json=patch, headers=headers).status_code == 200
    assert client.patch(other, json=patch, headers=headers).status_code == 403
    assert client.post(ITEMS, json=station_feature(lon=121.55)).status_code == 403
    assert either_world.client(VIEWER).patch(own, json=patch, headers=headers).status_code == 403


def test_a_broken_ring_is_refused_by_its_place_even_in_a_limited_area(world: World) -> None:
    bowtie = [[[121.41, 30.91], [121.42, 30.92], [121.42, 30.91], [121.41, 30.92], [121.41, 30.91]]]
    sent = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": bowtie},
        "properties": {"code": "310199101009009", "name": "破格"},
    }
    answer = world.client(KEEPER).post("/ogc/collections/police_grid/items", json=sent)

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "geometry"


def test_a_grid_must_not_overlap_its_neighbour(either_world: World) -> None:
    grid = either_world.elements["310199101001001"]
    ring = [[121.4, 30.9], [121.51, 30.9], [121.51, 30.95], [121.4, 30.95], [121.4, 30.9]]
    answer = either_world.client(KEEPER).patch(
        item_path(grid),
        json={"geometry": {"type": "Polygon", "coordinates": [ring]}},
        headers={"If-Match": '"1"'},
    )

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/grid-overlap-error"
    assert answer.json()["grid_codes"] == ["310199101001001", "310199102001001"]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200), ("application/geo+json; charset=utf-8", 200), (PATCH, 200),
        ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/xml", 415),
    ],
)  # fmt: skip
def test_only_json_is_read(world: World, content_type: str, status: int) -> None:
    answer = world.client(ADMIN).patch(
        item_path(world.elements["JWZ01"]),
        content=b'{"properties": {"name": "x"}}',
        headers={"If-Match": "*", "Content-Type": content_type},
    )

    assert answer.status_code == status


def test_a_reason_is_kept_and_must_not_name_people(world: World) -> None:
    client, station = world.client(ADMIN), world.elements["JWZ01"]

    def patch(name: str, reason: str) -> int:
        headers = {"If-Match": "*", "X-Gridmap-Reason": quote(reason)}
        return client.patch(
            item_path(station), json={"properties": {"name": name}}, headers=headers
        ).status_code

    assert patch("甲", "走访核实") == 200
    assert patch("乙", "找 13912345678") == 422
    assert patch("丙", "长" * 201) == 422
    newest = client.get(f"/api/elements/workstation/{station.id}/history").json()["revisions"][0]
    assert (newest["revision"], newest["reason"]) == (2, "走访核实")
