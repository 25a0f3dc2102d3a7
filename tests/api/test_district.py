"""The product's own routes: catalogue, search, single elements with their history, jobs."""

from __future__ import annotations

import pytest
import shapely

from gridmap.services import jobs
from gridmap.services.jobs import Job, JobState
from gridmap.storage import access_log
from tests.api.conftest import World, item_path
from tests.support.district import ADMIN, ANALYST, KEEPER, OFFICER_EAST, OFFICER_WEST, VIEWER, element, put


def test_the_catalogue_tells_layers_counts_and_rights(quiet_world: World) -> None:
    document = quiet_world.client(OFFICER_EAST).get("/api/catalogue").json()
    layers = {one["id"]: one for one in document["layers"]}
    station = layers["workstation"]

    assert document["district"]["name"] == "测试区"
    assert document["district"]["bounds"] == pytest.approx([121.4, 30.9, 121.6, 31.0], abs=2e-4)
    assert document["sequence"] == quiet_world.district.database.sequence()
    assert (document["is_simulated"], document["tile_sources"]) == (False, [])
    assert (station["count"], station["may_edit"]) == (6, True)
    assert station["extent"] == pytest.approx([121.42, 30.91, 121.58, 30.97], abs=2e-4)
    assert shapely.box(*station["extent"]).contains(shapely.MultiPoint([(121.42, 30.91), (121.58, 30.97)]))
    assert station["symbol"]["shape"] == "shield"
    assert station["fields"][0]["choices"] == [
        {"value": "24h", "title": "24小时"},
        {"value": "day", "title": "日间(8:00–20:00)"},
    ]
    assert layers["risk"]["symbol_by"] == "grade"
    assert layers["risk"]["symbols"]["red"]["shape"] == "star"
    assert layers["road"]["may_edit"] is False
    assert document["groups"] == list(dict.fromkeys(one["group"] for one in document["layers"]))
    assert document["user"]["area"] == ["310199102"]


def test_the_catalogue_keeps_up_with_commits(world: World) -> None:
    client = world.client(ADMIN)
    client.delete(item_path(world.elements["JWZ05"]), headers={"If-Match": "*"})
    station = {one["id"]: one for one in client.get("/api/catalogue").json()["layers"]}["workstation"]

    assert station["count"] == 5
    assert station["extent"][2] == pytest.approx(121.56, abs=2e-4)


def test_a_viewer_learns_nothing_of_hidden_layers(quiet_world: World) -> None:
    document = quiet_world.client(VIEWER).get("/api/catalogue").json()

    assert not {one["id"] for one in document["layers"]} & {"risk", "incident", "care_point"}
    assert not any(one["may_edit"] for one in document["layers"])


def test_search_finds_by_code_name_and_pinyin(quiet_world: World) -> None:
    client = quiet_world.client(VIEWER)

    def codes(query: str) -> list[str]:
        return [one["code"] for one in client.get(f"/api/search?{query}").json()["results"]]

    assert codes("q=JWZ03") == ["JWZ03"]
    assert codes("q=dongzhen&layers=town") == ["310199102"]
    assert codes("q=fx0001") == []
    assert codes("q=") == []
    assert len(codes("q=zhen&limit=3")) == 3
    [found] = client.get("/api/search?q=JWZ03").json()["results"]
    assert (found["layer_title"], found["center"]) == ("警务站", [121.52, 30.92])
    assert found["bbox"] == [121.52, 30.92, 121.52, 30.92]
    area = client.get("/api/search?q=310199102&layers=town").json()["results"][0]
    assert shapely.box(*area["bbox"]).contains(shapely.Point(area["center"]))


def test_identify_puts_the_smallest_on_top(quiet_world: World) -> None:
    answer = quiet_world.client(ADMIN).get("/api/identify?lon=121.42&lat=30.92&tolerance=0.001")

    layers = [one["layer"] for one in answer.json()["features"]]
    assert layers[:3] == ["workstation", "road", "police_grid"]
    only = quiet_world.client(ADMIN).get("/api/identify?lon=121.42&lat=30.92&layers=town,district").json()
    assert [one["layer"] for one in only["features"]] == ["town", "district"]


@pytest.mark.parametrize(
    "query", ["lon=121", "lon=x&lat=1", "lon=181&lat=0", "lon=1&lat=nan", "lon=1&lat=1&tolerance=5"]
)
def test_identify_wants_a_place_on_earth(quiet_world: World, query: str) -> None:
    assert quiet_world.client(ADMIN).get(f"/api/identify?{query}").status_code == 400


def test_an_element_tells_its_grids_and_whether_it_may_be_edited(quiet_world: World) -> None:
    path = f"/api/elements/workstation/{quiet_world.elements['JWZ03'].id}"
    east, west, viewer = (quiet_world.client(who).get(path) for who in (OFFICER_EAST, OFFICER_WEST, VIEWER))

    assert {(one["layer"], one["code"], one["name"]) for one in east.json()["grids"]} == {
        ("town", "310199102", "东镇"),
        ("police_grid", "310199102001001", "东镇一格"),
    }
    assert (east.json()["may_edit"], east.json()["cannot_edit_reason"]) == (True, None)
    assert west.json()["may_edit"] is False
    assert "责任区" in west.json()["cannot_edit_reason"]
    assert viewer.json()["feature"]["properties"]["officer_count"] is None
    assert east.headers["etag"] == east.json()["etag"] == '"1"'


def test_history_tells_what_changed_in_words(world: World) -> None:
    client, station = world.client(ADMIN), world.elements["JWZ01"]
    change = {
        "properties": {"opening_hours": "day", "officer_count": 5},
        "geometry": {"type": "Point", "coordinates": [121.43, 30.92]},
    }
    client.patch(item_path(station), json=change, headers={"If-Match": "*"})
    newest, first = client.get(f"/api/elements/workstation/{station.id}/history").json()["revisions"]
    changed = {one["field"]: one for one in newest["changed"]}

    assert (newest["operation_title"], newest["base_revision"], first["changed"]) == ("修改", 1, [])
    assert changed.keys() == {"opening_hours", "officer_count", "geometry"}
    assert (changed["opening_hours"]["before_text"], changed["opening_hours"]["after"]) == ("24小时", "day")
    assert (changed["officer_count"]["title"], changed["officer_count"]["after_text"]) == ("民警数", "5 人")
    assert changed["geometry"]["after_text"] == "121.430000, 30.920000"
    assert world.client(VIEWER).get(f"/api/elements/workstation/{station.id}/history").status_code == 403


def test_as_of_shows_the_state_of_that_time(world: World) -> None:
    client, station = world.client(ANALYST), world.elements["JWZ01"]
    world.clock.advance(hours=1)
    world.client(ADMIN).patch(
        item_path(station), json={"properties": {"name": "新名"}}, headers={"If-Match": "*"}
    )
    path = f"/api/elements/workstation/{station.id}/as-of?at="

    assert (
        client.get(f"{path}2026-03-02T08:30:00Z").json()["feature"]["properties"]["name"] == "西镇第一警务站"
    )
    assert client.get(f"{path}2026-03-02T17:00:00+08:00").json()["feature"]["properties"]["name"] == "新名"
    assert client.get(f"{path}2020-01-01T00:00:00Z").status_code == 404
    assert client.get(f"{path}yesterday").status_code == 400
    assert client.get(path.removesuffix("?at=")).status_code == 400


def test_verifying_moves_the_due_date(world: World) -> None:
    path = f"/api/elements/workstation/{world.elements['JWZ01'].id}/verify"
    client = world.client(OFFICER_WEST)
    receipt = client.post(path, headers={"If-Match": '"1"'}).json()

    assert receipt["feature"]["properties"]["verified_by"] == "officer1"
    assert receipt["feature"]["properties"]["due_at"].startswith("2026-04-01")
    assert (receipt["etag"], receipt["warnings"]) == ('"2"', [])
    assert client.post(path).status_code == 428
    stale = client.post(path, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["etag"]) == (412, '"2"')


def test_a_deletion_is_taken_back_and_that_too(either_world: World) -> None:
    client, station = either_world.client(ADMIN), either_world.elements["JWZ01"]
    client.delete(item_path(station), headers={"If-Match": "*"})
    base = f"/api/elements/workstation/{station.id}"

    restored = client.post(f"{base}/restore")
    assert (restored.status_code, restored.json()["etag"]) == (200, '"3"')
    assert client.post(f"{base}/undo", headers={"If-Match": '"2"'}).status_code == 412
    assert client.post(f"{base}/undo", headers={"If-Match": '"3"'}).status_code == 200
    assert client.get(item_path(station)).status_code == 404
    assert client.post(f"{base}/undo", headers={"If-Match": "*"}).status_code == 200
    assert client.post(f"{base}/restore", json={"to_revision": 1}).status_code == 200
    assert client.get(item_path(station)).json()["properties"]["name"] == "西镇第一警务站"


@pytest.mark.parametrize(
    "body", ['{"to_revision": 0}', '{"to_revision": "1"}', '{"to_revision": true}', "[1]", "{"]
)
def test_a_revision_that_is_none_is_refused(quiet_world: World, body: str) -> None:
    path = f"/api/elements/workstation/{quiet_world.elements['JWZ01'].id}/restore"
    answer = quiet_world.client(ADMIN).post(path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in (400, 422)


def test_grids_are_listed_by_code_for_a_filter(quiet_world: World) -> None:
    client = quiet_world.client(VIEWER)
    grids = client.get("/api/grids/police_grid").json()["grids"]

    assert [one["name"] for one in grids] == ["西镇一格", "西镇二格", "东镇一格", "东镇二格"]
    assert grids[0]["bbox"] == [121.4, 30.9, 121.5, 30.95]
    assert [one["town"] for one in grids] == ["西镇", "西镇", "东镇", "东镇"]
    assert all(part in grids[0]["search"] for part in ("310199101001001", "西镇一格", "xizhenyige", "xzyg"))
    assert "dongzhen" in grids[3]["search"].split()
    assert client.get("/api/grids/road").status_code == 404
    assert client.get("/api/grids/none").status_code == 404


def test_the_own_area_is_told_where_there_is_one(quiet_world: World) -> None:
    asked = {
        who: quiet_world.client(who).get("/api/area").json()["geometry"]
        for who in (OFFICER_WEST, KEEPER, VIEWER)
    }
    assert shapely.geometry.shape(asked[OFFICER_WEST]).equals(shapely.box(121.4, 30.9, 121.5, 31.0))
    assert asked[KEEPER] is asked[VIEWER] is None


def test_simulated_elements_are_announced(world: World) -> None:
    from dataclasses import replace

    from gridmap.domain.elements import Source

    one = element(
        "road", None, "模拟路", shapely.LineString([(121.41, 30.91), (121.42, 30.91)]), **{"class": "path"}
    )
    put(world.district, replace(one, source=Source.SIMULATED))

    assert world.client(VIEWER).get("/api/catalogue").json()["is_simulated"] is True


def test_jobs_tell_their_progress_and_nothing_of_the_machine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(
        id="7", kind="export", title="导出", username="keeper", state=JobState.RUNNING, progress=0.5,
        message="进行中", parameters={}, result=None, log="", pid=77, host="server1",
        created_at=world.clock(), started_at=world.clock(), ended_at=None,
    )  # fmt: skip
    monkeypatch.setattr(jobs, "list_jobs", lambda district, user: [job])
    [listed] = world.client(KEEPER).get("/api/jobs").json()["jobs"]

    assert (listed["state"], listed["state_title"], listed["progress"]) == ("running", "进行中", 0.5)
    assert listed["started_at"] == "2026-03-02T08:00:00.000000Z"
    assert not {"pid", "host"} & listed.keys()
    assert world.client(KEEPER).get("/api/jobs/none").status_code == 404
    assert world.client(KEEPER).delete("/api/jobs/none").status_code == 404


# --- what readers see ------------------------------------------------------------------------------------


def test_a_search_can_be_narrowed_to_a_grid(quiet_world: World) -> None:
    client = quiet_world.client(OFFICER_WEST)

    def codes(grid: str) -> list[str]:
        answer = client.get("/api/search", params={"q": "警务站", "layers": "workstation", "grid": grid})
        return sorted(one["code"] for one in answer.json()["results"])

    assert codes("town:310199101") == ["JWZ01", "JWZ02", "JWZ06"]
    assert codes("police_grid:310199101001002") == ["JWZ02"]
    assert client.get("/api/search?q=a&grid=town").status_code == 400


def test_a_count_too_small_for_the_reader_is_marked_and_not_missing(quiet_world: World) -> None:
    station = quiet_world.elements["JWZ01"]
    path = f"/api/elements/workstation/{station.id}"
    seen = quiet_world.client(VIEWER).get(path).json()["feature"]
    whole = quiet_world.client(ANALYST).get(path).json()["feature"]

    assert (seen["properties"]["officer_count"], seen["masked"]) == (None, ["officer_count"])
    assert whole["properties"]["officer_count"] == 3
    assert "masked" not in whole


@pytest.mark.parametrize("path", ["/api/search?q=GAD001", "/api/identify?lon=121.43&lat=30.93"])
def test_finding_something_sensitive_is_noted(world: World, path: str) -> None:
    assert world.client(ANALYST).get(path).status_code == 200
    with world.district.database.read() as connection:
        seen = [(one.username, one.target) for one in access_log.newest(connection, kinds=("view",))]

    assert ("analyst", "care_point") in seen
