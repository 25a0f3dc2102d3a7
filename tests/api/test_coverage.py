"""Coverage over HTTP: shapes of answers, refusals as problem documents, the whole way of a scenario."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmap.services.district import District
from tests.api.conftest import World
from tests.support.district import ADMIN, ANALYST, KEEPER, VIEWER, element, put

HOMES = [
    ("JZ00001", 121.42, 30.921, 100),
    ("JZ00002", 121.45, 30.95, 200),
    ("JZ00003", 121.52, 30.9205, 300),
    ("JZ00004", 121.59, 30.99, 3),
]


def settle(district: District) -> None:
    """People for the small district."""
    put(
        district,
        *(
            element(
                "residential_area",
                code,
                code,
                shapely.box(x, y, x + 0.001, y + 0.001),
                kind="小区",
                population=people,
            )
            for code, x, y, people in HOMES
        ),
    )


@pytest.fixture(scope="module")
def lived(gpkg_template, tmp_path_factory: pytest.TempPathFactory):
    from tests.api.conftest import _copied

    made = _copied(gpkg_template, tmp_path_factory.mktemp("lived"))
    settle(made.district)
    yield made
    made.close()


def post(world: World, path: str, body: Any, user=ANALYST, status: int = 200) -> Any:
    answer = world.client(user).post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def get(world: World, path: str, user=ANALYST, status: int = 200) -> Any:
    answer = world.client(user).get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_report_adds_up_and_says_how_it_was_made(lived: World) -> None:
    found = get(lived, "/api/coverage?mode=foot&within=1000m&by=police_grid")

    total = found["total"]
    assert total["covered"] + total["uncovered"] == total["people"] == 603
    assert sum(one["covered"] for one in found["groups"]) == total["covered"] == 400
    assert {
        "question",
        "method",
        "crs",
        "data_time",
        "sequence",
        "points",
        "towns",
        "access",
        "off_network",
    } <= found.keys()
    assert found == get(lived, "/api/coverage?mode=foot&within=1000m") | {"data_time": found["data_time"]}
    assert post(lived, "/api/coverage", {"within": "1000m", "changes": []})["total"] == total


def test_gaps_come_with_the_report_and_as_shapes(lived: World) -> None:
    found = get(lived, "/api/coverage?within=500m&gaps=1")
    shapes = get(lived, "/api/coverage/shapes?kind=gaps&within=500m")

    assert sum(one["people"] for one in found["gaps"]) == found["total"]["uncovered"]
    assert [one["properties"]["rank"] for one in shapes["features"]] == [one["rank"] for one in found["gaps"]]
    assert shapes["type"] == "FeatureCollection"
    assert all(shapely.geometry.shape(one["geometry"]).is_valid for one in shapes["features"])


def test_reach_and_areas_are_geojson(lived: World) -> None:
    point = get(lived, "/api/coverage?within=500m")["points"][0]["id"]
    reach = get(lived, f"/api/coverage/shapes?kind=reach&within=500m&point={point}&bands=200m,500m")
    areas = get(lived, "/api/coverage/shapes?kind=areas&within=500m")

    assert [one["properties"]["cost"] for one in reach["features"]] == [200, 500]
    assert len(areas["features"]) == 6
    assert sum(one["properties"]["people"] for one in areas["features"]) <= 603


def test_a_preview_answers_what_a_change_does(lived: World) -> None:
    body = {"within": "1000m", "changes": [{"op": "add", "lon": 121.4505, "lat": 30.951}], "gaps": True}
    seen = post(lived, "/api/coverage/preview", body)

    assert seen["gained"] == 200
    assert seen["after"]["covered"] - seen["before"]["covered"] == 200
    assert [one["code"] for one in seen["groups"]] == ["310199101001002"]
    assert "310199101001002" in seen["gaps"]["groups"]
    assert seen["milliseconds"] > 0


def test_a_viewer_previews_without_learning_a_small_count(lived: World) -> None:
    seen = post(
        lived,
        "/api/coverage/preview",
        {"mode": "line", "within": "300m", "changes": [{"op": "add", "lon": 121.59, "lat": 30.99}]},
        VIEWER,
    )

    assert seen["gained"] is None
    assert seen["groups"][0]["is_hidden"]
    assert seen["groups"][0]["covered"] is None


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/coverage?mode=line&within=15min", 422, "直线距离不能按时间"),
        ("/api/coverage?within=0m", 422, "须大于 0"),
        ("/api/coverage?within=far", 422, "写法"),
        ("/api/coverage?mode=boat", 422, "出行方式"),
        ("/api/coverage?points=nothing", 404, "没有"),
        ("/api/coverage?by=road", 422, "不是网格图层"),
        ("/api/coverage?demand=safe_house", 422, "没有数据"),
        ("/api/coverage?colour=red", 400, "不可用"),
        ("/api/coverage?scenario=nobody", 404, "没有这个方案"),
        ("/api/coverage/shapes?kind=circle", 400, "kind"),
        ("/api/coverage/shapes?kind=reach&point=nobody", 404, "没有这个站点"),
        ("/api/coverage/shapes?kind=gaps&point=nobody", 400, "只用于 kind=reach"),
        ("/api/coverage/shapes?kind=areas&bands=200m", 400, "只用于 kind=reach"),
        ("/api/coverage/compare", 422, "1 至 4 个方案"),
        ("/api/coverage/balance?tolerance=0", 422, "容差"),
        ("/api/coverage/balance?tolerance=much", 400, "数字"),
        ("/api/coverage/network?mode=line", 422, "出行方式"),
        ("/api/coverage/export?format=pdf", 422, "导出格式"),
        ("/api/scenarios/nobody", 404, "没有这个方案"),
    ],
)
def test_wrong_questions_are_problem_documents_in_words(
    lived: World, path: str, status: int, words: str
) -> None:
    answer = lived.client(ANALYST).get(path)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/coverage/preview", {"changes": "all"}, 422),
        ("/api/coverage/preview", {"changes": [{"op": "move"}]}, 422),
        ("/api/coverage/preview", {"changes": [{"op": "close", "id": "nobody"}]}, 404),
        ("/api/coverage/preview", {"gaps": "perhaps"}, 400),
        ("/api/coverage/preview", {"wishes": 3}, 400),
        ("/api/coverage/candidates", {"candidates": 5}, 422),
        ("/api/coverage/site", {"problem": "best"}, 422),
        ("/api/coverage/site", {"problem": "mclp", "count": 0}, 422),
        ("/api/coverage/site", {"problem": "mclp", "count": 1.5}, 422),
        ("/api/coverage/rerun", {"format": "other"}, 422),
        ("/api/scenarios", {"name": 5}, 400),
        ("/api/scenarios", {"name": "空", "changes": []}, 422),
    ],
)
def test_wrong_bodies_are_refused(lived: World, path: str, body: Any, status: int) -> None:
    problem = post(lived, path, body, status=status)

    assert problem["detail"]
    assert problem["status"] == status


def test_nobody_asks_without_a_session(lived: World) -> None:
    for path in ("/api/coverage", "/api/coverage/shapes", "/api/scenarios", "/api/coverage/network"):
        assert lived.client().get(path).status_code == 401
    browser = lived.browser(ANALYST)
    del browser.headers["X-Gridmap"]
    assert browser.post("/api/coverage/preview", json={}).status_code == 403


def test_a_scenario_goes_its_whole_way(either_world: World) -> None:
    world = either_world
    settle(world.district)
    before = world.district.database.sequence()
    question = {"within": "1000m"}
    made = post(
        world,
        "/api/scenarios",
        {
            "name": "增设一处",
            "changes": [{"op": "add", "lon": 121.4505, "lat": 30.951, "name": "新站"}],
            "question": question,
        },
        status=201,
    )
    path = f"/api/scenarios/{made['id']}"

    assert get(world, path, VIEWER)["name"] == "增设一处"
    assert made["id"] in [one["id"] for one in get(world, "/api/scenarios")["scenarios"]]
    seen = get(world, f"/api/coverage/compare?within=1000m&scenarios={made['id']}")
    assert [one["gained"] for one in seen["columns"]] == [0, 200]
    renamed = world.client(ANALYST).put(path, json={"revision": 1, "name": "北增一处"})
    assert renamed.json()["revision"] == 2
    assert world.client(ANALYST).put(path, json={"revision": 1, "name": "迟到"}).status_code == 412
    assert world.client(ANALYST).put(path, json={"name": "无版本"}).status_code == 428
    assert world.client(KEEPER).put(path, json={"revision": 2, "name": "别人的"}).status_code == 403
    assert world.district.database.sequence() == before
    applied = post(world, f"{path}/apply", {}, ADMIN)
    assert [one["status"] for one in applied["results"]] == ["done"]
    assert get(world, "/api/coverage?within=1000m")["total"]["covered"] == 600
    assert world.client(ANALYST).delete(path).status_code == 204
    assert get(world, path, status=404)["title"]


def test_siting_is_a_job_with_an_answer(lived: World) -> None:
    job = post(
        lived,
        "/api/coverage/site",
        {"problem": "mclp", "count": 1, "candidates": "roads", "within": "2000m", "time_limit": 10},
        status=202,
    )
    ends = time.monotonic() + 120
    while (state := get(lived, f"/api/jobs/{job['id']}"))["state"] in (
        "queued",
        "running",
    ) and time.monotonic() < ends:
        time.sleep(0.2)

    assert state["state"] == "done", state
    result = state["result"]
    assert result["is_optimal"]
    assert result["objective"] == result["bound"]
    assert [one for one in result["sites"] if one["is_new"]]
    assert lived.client(ANALYST).delete(f"/api/jobs/{job['id']}").json()["state"] == "done"


def test_files_are_downloads_and_a_run_is_computed_again(lived: World) -> None:
    client = lived.client(ANALYST)
    run = client.get("/api/coverage/export?format=json&within=500m")
    book = client.get("/api/coverage/export?format=xlsx&within=500m")

    assert "filename" in run.headers["content-disposition"]
    assert book.content[:2] == b"PK"
    assert post(lived, "/api/coverage/rerun", run.json())["is_same"]
    worse = run.json()
    worse["result"]["total"]["covered"] += 1
    assert not post(lived, "/api/coverage/rerun", worse)["is_same"]


def test_resilience_network_candidates_and_balance_answer(lived: World) -> None:
    assert get(lived, "/api/coverage/resilience?within=1000m&pairs=1")["pairs"]
    quality = get(lived, "/api/coverage/network?mode=car")
    assert {one["kind"]: one["count"] for one in quality["findings"]}["cut"] == 1  # the river has no bridge
    table = post(
        lived,
        "/api/coverage/candidates",
        {"within": "1000m", "candidates": [{"lon": 121.4505, "lat": 30.951}]},
    )
    assert table["candidates"][0]["gained"] == 200
    balanced = get(lived, "/api/coverage/balance?mode=line&tolerance=2", status=422)
    assert "少于站点数" in balanced["detail"]


def test_answers_are_kept_and_computed_again_later(world: World) -> None:
    settle(world.district)
    made = post(world, "/api/coverage/runs", {"within": "1000m", "title": "三月基线"}, status=201)
    put(
        world.district,
        element(
            "residential_area",
            "JZ00009",
            "新区",
            shapely.box(121.42, 30.92, 121.421, 30.921),
            kind="小区",
            population=900,
        ),
    )

    kept = get(world, f"/api/coverage/runs/{made['id']}")
    assert kept["result"]["total"]["people"] == 603
    assert get(world, "/api/coverage?within=1000m")["total"]["people"] == 1503
    again = post(world, "/api/coverage/rerun", kept)
    assert again["is_same"], again["differences"]
    assert [one["title"] for one in get(world, "/api/coverage/runs")["runs"]] == ["三月基线"]
    assert get(world, "/api/coverage/runs", VIEWER)["runs"] == []
    get(world, f"/api/coverage/runs/{made['id']}", VIEWER, status=404)
    post(world, "/api/coverage/runs", {"within": "1000m"}, VIEWER, status=403)
    post(world, "/api/coverage/runs", {"title": 7}, status=400)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(), st.text(max_size=8), st.just("500m"),
    st.just("car"), st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["op", "id", "lon", "lat", "line"]), st.text(max_size=4) | st.floats(-200, 200), max_size=4),
)  # fmt: skip
MEMBERS = st.sampled_from(
    ["points", "demand", "mode", "within", "by", "direction", "demand_field", "open_at", "scenario", "changes", "gaps",
     "problem", "count", "candidates", "kind", "point", "bands", "tolerance", "scenarios", "format", "title", "share"]
)  # fmt: skip
PATHS = (
    "",
    "/shapes",
    "/preview",
    "/compare",
    "/candidates",
    "/site",
    "/balance",
    "/resilience",
    "/rerun",
    "/runs",
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), body=st.dictionaries(MEMBERS, ODD, max_size=4))
def test_no_body_however_odd_breaks_the_server(lived: World, path: str, body: dict[str, Any]) -> None:
    text = json.dumps(body, ensure_ascii=False)  # with NaN and infinities, as a careless client would
    answer = lived.client(ANALYST).post(f"/api/coverage{path}", content=text.encode("utf-8", "replace"))

    assert answer.status_code < 500, (path, text, answer.text)


def test_a_solve_is_taken_back(lived: World) -> None:
    body = {"problem": "p-median", "count": 3, "candidates": "grid", "mode": "line", "time_limit": 600}
    job = post(lived, "/api/coverage/site", body, status=202)

    state = lived.client(ANALYST).delete(f"/api/jobs/{job['id']}").json()["state"]

    assert state in ("cancelled", "done")
    assert get(lived, f"/api/jobs/{job['id']}")["state"] == state
