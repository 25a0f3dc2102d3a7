"""Errors as documents: what people and programs read, and what stays in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum

import pytest
from sqlalchemy.exc import OperationalError

from gridmap.domain.layer_files import CatalogueError
from gridmap.errors import EditConflict, GridmapError, InvalidInput, NotFound, PermissionDenied
from gridmap.services.elements import InvalidElement
from gridmap.services.problems import chinese, kebab, plain, problem
from gridmap.validation.attributes import Problem


class Colour(Enum):
    RED = "red"


def test_an_error_tells_its_facts() -> None:
    error = NotFound(
        "no layer 'x'; the catalogue has road", zh="没有图层“x”。", layer="x", count=3, share=0.5
    )

    assert problem(error) == {
        "type": "/problems/not-found",
        "title": "未找到",
        "status": 404,
        "detail": "没有图层“x”。",
        "english": "no layer 'x'; the catalogue has road",
        "layer": "x",
        "count": 3,
        "share": 0.5,
    }
    assert chinese(error) == "没有图层“x”。"


def test_only_plain_facts_are_told() -> None:
    error = InvalidInput(
        "odd", at=datetime(2026, 3, 2, tzinfo=UTC), colour=Colour.RED, codes=("a", "b"), rest={"n": [1]},
        secret=object(), endless=float("inf"), title="forged", status=200, detail="forged",
    )  # fmt: skip
    document = problem(error)

    assert document["at"] == "2026-03-02T00:00:00.000000Z"
    assert (document["colour"], document["codes"], document["rest"]) == ("red", ["a", "b"], {"n": [1]})
    assert not {"secret", "endless"} & document.keys()
    assert (document["status"], document["title"]) == (422, "输入有误")
    json.dumps(document, allow_nan=False)


def test_problems_of_an_element_are_listed_by_field() -> None:
    error = InvalidElement([Problem(0, "name", "required", "“名称”必填")])

    assert problem(error)["problems"] == [{"field": "name", "rule": "required", "message": "“名称”必填"}]
    assert "“名称”必填" in chinese(error)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("EditConflict", "edit-conflict"),
        ("CrsUnknownError", "crs-unknown-error"),
        ("HTTPError", "http-error"),
        ("NotFound", "not-found"),
    ],
)
def test_types_are_told_in_kebab_case(name: str, told: str) -> None:
    assert kebab(name) == told


def test_an_unexpected_error_keeps_its_words_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    document = problem(RuntimeError("the key is 1234"))

    assert document["status"] == 500
    assert "1234" not in json.dumps(document)
    assert document["reference"] in document["detail"]
    assert f"reference {document['reference']}: the key is 1234" in caplog.text


def test_references_differ() -> None:
    assert problem(RuntimeError())["reference"] != problem(RuntimeError())["reference"]


def test_a_busy_store_asks_to_try_again() -> None:
    document = problem(OperationalError("SELECT 1", {}, Exception("database is locked")))

    assert (document["status"], document["type"]) == (503, "/problems/unavailable")
    assert "SELECT" not in json.dumps(document)


def test_a_broken_set_up_is_told_with_a_reference(caplog: pytest.LogCaptureFixture) -> None:
    document = problem(CatalogueError(["road.toml: id: is required"]))

    assert document["status"] == 500
    assert document["reference"] in caplog.text


def test_every_error_of_ours_has_a_status_a_title_and_a_chinese_sentence() -> None:
    waiting, seen = [GridmapError], []
    while waiting:
        one = waiting.pop()
        seen.append(one)
        waiting += one.__subclasses__()

    assert {EditConflict, PermissionDenied, InvalidElement} <= set(seen)
    for one in seen:
        assert 400 <= one.status < 600, one
        assert any("\u4e00" <= char <= "\u9fff" for char in one.title), one


def test_plain_values_stay_as_they_are() -> None:
    assert plain({"a": (1, {2, 1}), "b": "x"}) == {"a": [1, [1, 2]], "b": "x"}
