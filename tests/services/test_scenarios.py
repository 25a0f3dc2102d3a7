"""Scenarios are kept, compared and applied; the base changes only when somebody applies one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridmap.domain.scenarios import parse_changes
from gridmap.errors import EditConflict, InvalidInput, NotFound, PermissionDenied
from gridmap.services import coverage_exports, scenarios
from gridmap.services.coverage import report
from gridmap.services.district import District
from gridmap.services.questions import Question, parse_within
from tests.support.canal import EAST, lonlat
from tests.support.district import ADMIN, ANALYST, KEEPER, OFFICER_EAST, VIEWER

NEAR = Question(within=parse_within("500m"))


def addition(x: float = 200, y: float = 100, **more) -> dict:
    lon, lat = lonlat(x, y)
    return {"op": "add", "lon": lon, "lat": lat, **more}


def saved(district: District, *changes: dict, name: str = "东岸增点"):
    return scenarios.save(district, ANALYST, name, parse_changes(list(changes) or [addition()]), NEAR)


def test_a_scenario_is_kept_and_touches_nothing(either_canal: District) -> None:
    before = either_canal.database.sequence()
    made = saved(either_canal)

    found = scenarios.get(either_canal, VIEWER, made.id)
    assert found == made
    assert made.id in [one.id for one in scenarios.find(either_canal, VIEWER)]
    assert either_canal.database.sequence() == before
    assert report(either_canal, ANALYST, replace(NEAR, scenario=made.id)).total.covered == 450
    assert report(either_canal, ANALYST, NEAR).total.covered == 150
    scenarios.remove(either_canal, ANALYST, made.id)


def test_only_the_newest_revision_is_replaced(either_canal: District) -> None:
    made = saved(either_canal)
    newer = scenarios.change(either_canal, ANALYST, made.id, base_revision=1, name="另一个名字")

    assert (newer.name, newer.revision, newer.changes) == ("另一个名字", 2, made.changes)
    with pytest.raises(EditConflict):
        scenarios.change(either_canal, ANALYST, made.id, base_revision=1, name="迟到的名字")
    assert scenarios.get(either_canal, ANALYST, made.id) == newer
    scenarios.remove(either_canal, ADMIN, made.id)
    with pytest.raises(NotFound):
        scenarios.get(either_canal, ANALYST, made.id)


def test_who_may_keep_and_change_a_scenario(canal: District) -> None:
    made = saved(canal)

    with pytest.raises(PermissionDenied):
        scenarios.save(canal, VIEWER, "看看", made.changes, NEAR)
    with pytest.raises(PermissionDenied):
        scenarios.change(canal, KEEPER, made.id, base_revision=1, name="我的")
    with pytest.raises(PermissionDenied):
        scenarios.remove(canal, replace(ANALYST, username="another"), made.id)
    assert not scenarios.scenario_document(VIEWER, made)["may_edit"]
    assert scenarios.scenario_document(ANALYST, made)["may_edit"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("", [addition()]),
        ("名" * 61, [addition()]),
        ("空", []),
        ("无此站", [{"op": "close", "id": "nobody"}]),
    ],
)
def test_a_scenario_needs_a_name_and_changes_that_make_sense(
    canal: District, name: str, changes: list[dict]
) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        scenarios.save(canal, ANALYST, name, parse_changes(changes), NEAR)


def test_scenarios_stand_beside_today(canal: District) -> None:
    one, two = saved(canal), saved(canal, addition(0, 900), name="西岸增点")
    found = scenarios.compare(canal, ANALYST, NEAR, [one.id, two.id])

    assert [column["scenario"]["name"] for column in found["columns"]] == ["现状", "东岸增点", "西岸增点"]
    assert [column["gained"] for column in found["columns"]] == [0, 300, 0]
    assert [column["points"] for column in found["columns"]] == [2, 3, 3]
    assert [row["covered"] for row in found["groups"]] == [[50, 350, 50]]
    assert sum(row["covered"][1] for row in found["towns"]) == 450
    with pytest.raises(InvalidInput):
        scenarios.compare(canal, ANALYST, NEAR, [])


# --- applying ---------------------------------------------------------------------------------------------


def test_applying_makes_the_scenario_true(canal_copy: District) -> None:
    a, b = report(canal_copy, ANALYST, NEAR).points
    lon, lat = lonlat(200, 500)
    made = saved(
        canal_copy,
        addition(name="河东新站"),
        {"op": "move", "id": b.id, "lon": lon, "lat": lat},
        {"op": "close", "id": a.id},
    )
    planned = report(canal_copy, ANALYST, replace(NEAR, scenario=made.id)).total.covered

    found = scenarios.apply(canal_copy, ADMIN, made.id)["results"]

    assert [one["status"] for one in found] == ["done", "done", "done"]
    after = report(canal_copy, ANALYST, NEAR)
    assert after.total.covered == planned
    assert [one.code for one in after.points] == ["JWZ02", "JWZ03"]
    assert after.points[1].name == "河东新站"


def test_applying_twice_adds_once(canal_copy: District) -> None:
    made = saved(canal_copy)
    scenarios.apply(canal_copy, ADMIN, made.id)
    again = scenarios.apply(canal_copy, ADMIN, made.id)["results"]

    assert again[0]["status"] == "done"
    assert "此前" in again[0]["message"]
    assert len(report(canal_copy, ANALYST, NEAR).points) == 3


def test_applying_needs_the_rights_of_an_edit(canal_copy: District) -> None:
    a, b = report(canal_copy, ANALYST, NEAR).points
    lon, lat = lonlat(0, 500)
    made = saved(
        canal_copy, {"op": "move", "id": b.id, "lon": lon, "lat": lat}, {"op": "close", "id": a.id},
        {"op": "bridge", "line": [[*lonlat(0, 0)], [*lonlat(200, 0)]]},
    )  # fmt: skip
    before = canal_copy.database.sequence()

    with pytest.raises(PermissionDenied):
        scenarios.apply(canal_copy, VIEWER, made.id)
    found = scenarios.apply(canal_copy, replace(OFFICER_EAST, area=frozenset({EAST})), made.id)["results"]

    assert [one["status"] for one in found] == ["proposed", "refused", "refused"]
    assert canal_copy.database.sequence() == before
    assert all(one["message"] for one in found)


# --- runs -------------------------------------------------------------------------------------------------


def test_a_run_gives_the_same_figures_after_later_edits(canal_copy: District) -> None:
    made = saved(canal_copy)
    question = replace(NEAR, scenario=made.id)
    run = coverage_exports.run_document(canal_copy, ANALYST, question)
    for point in report(canal_copy, ANALYST, NEAR).points:
        from gridmap.services import elements

        elements.delete(canal_copy, ADMIN, "workstation", point.id, base_revision=1)
    scenarios.remove(canal_copy, ANALYST, made.id)

    found = coverage_exports.rerun(canal_copy, ANALYST, run)

    assert found["is_same"], found["differences"]
    assert found["result"]["total"]["covered"] == 450
    run["result"]["total"]["covered"] = 449
    wrong = coverage_exports.rerun(canal_copy, ANALYST, run)
    assert wrong["differences"] == [{"path": "/total/covered", "then": 449, "now": 450}]


@pytest.mark.parametrize(
    "damage",
    [
        {"format": "other"},
        {"version": 2},
        {"sequence": 999},
        {"sequence": "1"},
        {"question": None},
        {"kind": "tea"},
    ],
)
def test_a_damaged_run_is_refused(canal: District, damage: dict) -> None:
    run = coverage_exports.run_document(canal, ANALYST, NEAR)

    with pytest.raises(InvalidInput):
        coverage_exports.rerun(canal, ANALYST, run | damage)
    with pytest.raises(InvalidInput):
        coverage_exports.rerun(canal, ANALYST, [run])
    with pytest.raises(InvalidInput):
        coverage_exports.rerun(canal, VIEWER, run)
