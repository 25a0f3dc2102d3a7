"""Packs over HTTP: who may ask, what comes back, and that a file is taken away rather than shown."""

from __future__ import annotations

from gridmap.services import jobs, stories
from gridmap.services.packs import making
from gridmap.services.packs.requests import parse_request
from tests.support.district import ADMIN, VIEWER


def test_a_pack_is_asked_for_listed_fetched_and_dropped(world, monkeypatch) -> None:
    def at_once(district, user, kind, title, parameters):
        folder = district.settings.home / "work"
        making.store(
            district, user, making.make(district, user, parse_request(dict(parameters)), folder), folder
        )
        monkeypatch.undo()
        return jobs.start(district, user, "pack", title, {**parameters, "formats": ["docx"]})

    monkeypatch.setattr(jobs, "start", at_once)
    admin, viewer = world.client(ADMIN), world.client(VIEWER)
    request = {"title": "例会", "formats": ["xlsx"]}
    started = admin.post("/api/packs", json=request)
    assert started.status_code == 202, started.text
    assert started.headers["location"].endswith(f"/api/jobs/{started.json()['job']}")

    [pack] = admin.get("/api/packs").json()["packs"]
    assert pack["request"]["title"] == "例会"
    assert pack["sequence"] == world.district.database.sequence()
    file = admin.get(pack["files"][0]["href"])
    assert file.content[:2] == b"PK"
    assert file.headers["content-disposition"].startswith("attachment")
    assert len(file.content) == pack["files"][0]["bytes"]
    # the same again is there already
    assert admin.post("/api/packs", json=request).json()["pack"]["id"] == pack["id"]

    assert viewer.get("/api/packs").json()["packs"] == []
    assert viewer.get(pack["files"][0]["href"]).status_code == 404
    assert viewer.delete(f"/api/packs/{pack['id']}").status_code == 404
    assert admin.get(f"/api/packs/{pack['id']}/pdf").status_code == 404
    assert admin.delete(f"/api/packs/{pack['id']}").status_code == 204
    assert admin.get("/api/packs").json()["packs"] == []


def test_a_pack_of_a_story_keeps_its_slides(world, monkeypatch) -> None:
    asked = []

    def noted(district, user, kind, title, parameters):
        asked.append(parameters)
        monkeypatch.undo()
        return jobs.start(district, user, "pack", title, {**parameters, "formats": ["docx"]})

    monkeypatch.setattr(jobs, "start", noted)
    admin = world.client(ADMIN)
    story = stories.create(world.district, ADMIN, "例会", [{"title": "第一页"}])
    request = {"title": "例会", "has_overview": False, "story": story.id}
    assert admin.post("/api/packs", json=request).status_code == 202
    assert [one["title"] for one in asked[0]["slides"]] == ["第一页"]
    answer = admin.post("/api/packs", json=request | {"story": "nothing"})
    assert (answer.status_code, answer.json()["story"]) == (404, "nothing")
    answer = admin.post("/api/packs", json={"has_overview": False, "slides": [{"title": ""}]})
    assert answer.status_code == 422


def test_a_pack_that_makes_no_sense_is_refused(world) -> None:
    answer = world.client(ADMIN).post("/api/packs", json={"formats": ["docx"]})
    assert answer.status_code == 422
    assert world.client().get("/api/packs").status_code == 401
