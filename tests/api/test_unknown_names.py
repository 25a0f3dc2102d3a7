"""What a request names and the district has not is refused in Chinese, never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import World
from tests.support.district import ADMIN, VIEWER

ITEMS = "/ogc/collections/workstation/items"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{ITEMS}?grid=police_grid:999", 404, "没有编码“999”。现有"),
        (f"{ITEMS}?grid=workstation:JWZ01", 404, "不是网格图层。网格图层有:"),
        (f"{ITEMS}?grid=nolayer:1", 404, "没有图层“nolayer”"),
        (f"{ITEMS}?opening_hours=sometimes", 400, "不在可选值中,可选:"),
        (f"{ITEMS}?opening_hours=", 400, "缺少值"),
        (f"{ITEMS}?source=dreamt", 400, "应为 real、simulated 之一"),
        ("/ogc/collections/crossing/items?foot=perhaps", 400, "应为“是”或“否”"),
        ("/ogc/collections/risk/items?reported_on=soon", 400, "应为日期"),
        ("/api/search?q=a&layers=workstation,nolayer", 404, "没有图层“nolayer”"),
        ("/api/search?q=a&layer=workstation", 400, "参数“layer”在此处不可用"),
        ("/api/search?q=a&q=b", 400, "参数“q”重复出现"),
        ("/api/search?q=a&grid=police_grid:999", 404, "没有编码“999”"),
        ("/api/identify?lon=121.5&lat=30.9&layers=nolayer", 404, "没有图层“nolayer”"),
        ("/api/identify?lon=121.5&lat=30.9&layer=road", 400, "参数“layer”在此处不可用"),
        ("/api/compare?layers=road&from=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z", 400, "参数“until”"),
        ("/api/timeline?layer=road", 400, "参数“layer”"),
        ("/api/grids/workstation", 404, "不是网格图层"),
        ("/api/export/workstation?grid=workstation:JWZ01", 404, "不是网格图层"),
        ("/api/export/workstation?grid=police_grid:999", 404, "没有编码“999”"),
        ("/api/catalogue?layer=road", 400, "参数“layer”"),
        ("/api/jobs?state=done", 400, "参数“state”"),
        ("/ogc/tiles/WebMercatorQuad/12/1/1?collections=nolayer", 404, "没有图层“nolayer”"),
    ],
)
def test_an_unknown_name_in_an_address_is_refused(
    quiet_world: World, path: str, status: int, words: str
) -> None:
    answer = quiet_world.client(ADMIN).get(path)

    assert answer.status_code == status
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    ["/api/search?q=a&layers=risk", "/api/identify?lon=121.5&lat=30.9&layers=risk",
     "/ogc/tiles/WebMercatorQuad/12/1/1?collections=risk"],
)  # fmt: skip
def test_a_layer_that_the_user_may_not_see_is_refused_by_name(quiet_world: World, path: str) -> None:
    answer = quiet_world.client(VIEWER).get(path)
    assert (answer.status_code, answer.json()["detail"]) == (403, "您没有查看“风险点”图层的权限。")


def test_a_filter_finds_a_choice_a_truth_and_a_moment_however_they_are_written(quiet_world: World) -> None:
    client = quiet_world.client(ADMIN)

    def matched(layer: str, query: str) -> int:
        return client.get(f"/ogc/collections/{layer}/items?{query}").json()["numberMatched"]

    assert matched("workstation", "opening_hours=24小时") == matched("workstation", "opening_hours=24h") > 0
    assert matched("crossing", "foot=是") == matched("crossing", "foot=TRUE") == matched("crossing", "foot=1")


@pytest.mark.parametrize(
    ("path", "body", "member"),
    [
        ("{element}/verify", {"reson": "走访"}, "reson"),
        ("{element}/restore", {"to_revison": 1}, "to_revison"),
        ("{element}/undo", {"to_revision": 1}, "to_revision"),
        ("{element}/merge", {"base_revision": 1, "propertis": {"name": "x"}}, "propertis"),
        ("/api/grids/police_grid/border", {"id": "x", "dryrun": True}, "dryrun"),
        ("/api/grids/police_grid/split", {"id": "x", "dry-run": True}, "dry-run"),
        ("/api/grids/police_grid/merge", {"ids": [], "in_to": "x"}, "in_to"),
        ("/api/grids/police_grid/renumber", {"prefix": "1", "dryRun": True}, "dryRun"),
        ("/api/grids/police_grid/undo", {"sequence": 1, "dry_run": True}, "dry_run"),
        ("/api/proposals", {"layer": "x", "id": "x", "props": {}}, "props"),
        ("/api/presence", {"client": "12345678", "edit": True}, "edit"),
        ("/api/scenarios", {"name": "x", "question": {}, "remarks": ""}, "remarks"),
    ],
)
def test_an_unknown_member_of_a_body_is_refused_and_nothing_is_stored(
    quiet_world: World, path: str, body: dict[str, Any], member: str
) -> None:
    station = quiet_world.elements["JWZ01"]
    address = path.format(element=f"/api/elements/workstation/{station.id}")
    answer = quiet_world.client(ADMIN).post(address, json=body, headers={"If-Match": "*"})

    assert answer.status_code == 400
    assert answer.json()["member"] == member
    assert f"“{member}”在此处不可用" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"formts": ["pdf"]}, 422, "没有“formts”这一选项"),
        ({"town": "999"}, 404, "没有编码“999”"),
        ({"town": "999", "atlas": "town"}, 404, "没有编码“999”"),
        ({"town": "310199101"}, 422, "请同时选择一种图册"),
        ({"town": 5, "atlas": "town"}, 422, "材料包的选项有误"),
        ({"layers": ["nolayer"]}, 404, "没有图层“nolayer”"),
        ({"layers": "workstation"}, 422, "材料包的选项有误"),
        ({"briefing": "nosuch"}, 404, "没有"),
        ({"has_overview": "no"}, 422, "材料包的选项有误"),
        ({"at": "2026-01-01"}, 422, "材料包的选项有误"),
    ],
)
def test_a_pack_of_what_is_not_there_is_refused_at_once(
    quiet_world: World, body: dict[str, Any], status: int, words: str
) -> None:
    client = quiet_world.client(ADMIN)
    answer = client.post("/api/packs", json=body)

    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert client.get("/api/jobs").json()["jobs"] == []
