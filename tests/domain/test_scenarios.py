"""Changes are read strictly and written back as they were."""

from __future__ import annotations

from typing import Any

import pytest

from gridmap.domain.scenarios import Add, InvalidChange, documents, parse_changes
from gridmap.errors import InvalidInput

GOOD: list[dict[str, Any]] = [
    {"op": "move", "id": "a", "lon": 121.5, "lat": 30.9},
    {
        "op": "add",
        "lon": 121.5,
        "lat": 30.9,
        "name": "新站",
        "officers": 4,
        "readiness_minutes": 1.5,
        "opening_hours": "day",
    },
    {"op": "close", "id": "b"},
    {"op": "bridge", "line": [[121.5, 30.9], [121.51, 30.9]], "modes": ["foot", "car"]},
    {"op": "block", "id": "r"},
]


def test_changes_come_back_as_they_were_written() -> None:
    assert documents(parse_changes(GOOD)) == GOOD
    assert parse_changes([{"op": "add", "lon": 1, "lat": 2}]) == (Add(1.0, 2.0),)


@pytest.mark.parametrize(
    "wrong",
    [
        "move",
        {"op": "fly"},
        {"op": "move", "lon": 1, "lat": 2},
        {"op": "move", "id": "a", "lon": "1", "lat": 2},
        {"op": "move", "id": "a", "lon": 1, "lat": 95},
        {"op": "add", "lon": float("nan"), "lat": 2},
        {"op": "add", "lon": True, "lat": 2},
        {"op": "add", "lon": 1, "lat": 2, "officers": -1},
        {"op": "add", "lon": 1, "lat": 2, "opening_hours": "never"},
        {"op": "close", "id": ""},
        {"op": "bridge", "line": [[1, 2]]},
        {"op": "bridge", "line": [[1, 2], [1, 2]]},
        {"op": "bridge", "line": [[1, 2], [3]]},
        {"op": "bridge", "line": [[1, 2], [3, 4]], "modes": ["boat"]},
    ],
)
def test_a_wrong_change_is_named_by_its_place(wrong: Any) -> None:
    with pytest.raises(InvalidChange) as refused:
        parse_changes([GOOD[0], wrong])

    assert refused.value.facts["index"] == 1
    assert "第 2 项改动" in refused.value.chinese()


def test_a_point_is_changed_once_and_lists_have_a_limit() -> None:
    with pytest.raises(InvalidChange):
        parse_changes([GOOD[0], {"op": "close", "id": "a"}])
    with pytest.raises(InvalidInput):
        parse_changes(GOOD[1:2] * 201)
    with pytest.raises(InvalidInput):
        parse_changes({"op": "close"})
