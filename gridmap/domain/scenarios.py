"""Scenarios: named changes over points and roads that never touch the base (推演方案)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gridmap.errors import InvalidInput

MOST_CHANGES = 200
TRAVEL_MODES = ("foot", "ebike", "car")
_MOST_VERTICES = 200
_NAME_LENGTH = 60


class InvalidChange(InvalidInput):
    """
    A change that says too little or something impossible.

    Attributes
    ----------
    index : its place in the list, from 0
    """

    title = "方案中的改动有误"

    def __init__(self, index: int, english: str, chinese: str) -> None:
        super().__init__(f"change {index}: {english}", zh=f"第 {index + 1} 项改动{chinese}", index=index)


@dataclass(frozen=True, slots=True)
class Move:
    """An existing point stands elsewhere."""

    id: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Add:
    """A new point; its readiness in minutes, its officers and its opening hours where they are known."""

    lon: float
    lat: float
    name: str = ""
    officers: int | None = None
    readiness_minutes: float | None = None
    opening_hours: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """An existing point is given up."""

    id: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """A new way for these modes along a line of (lon, lat) positions, joined to the roads at both ends."""

    line: tuple[tuple[float, float], ...]
    modes: tuple[str, ...] = TRAVEL_MODES


@dataclass(frozen=True, slots=True)
class Block:
    """A road that nobody can use."""

    id: str


Change = Move | Add | Close | Bridge | Block


def parse_changes(documents: Any) -> tuple[Change, ...]:
    """
    The changes that a JSON list describes.

    Raises
    ------
    InvalidChange
        One is no change; a point is moved or closed twice.
    InvalidInput
        No list, or more than 200 changes.
    """
    if not isinstance(documents, list):
        raise InvalidInput("changes must be a list", zh="改动应为列表。")
    if len(documents) > MOST_CHANGES:
        raise InvalidInput(
            f"{len(documents)} changes are more than {MOST_CHANGES}",
            zh=f"一个方案最多 {MOST_CHANGES} 项改动。",
        )
    changes = tuple(_Reader(index, one).change() for index, one in enumerate(documents))
    seen: set[str] = set()
    for index, one in enumerate(changes):
        if isinstance(one, Move | Close):
            if one.id in seen:
                raise InvalidChange(index, f"point {one.id} is changed twice", "与前面的改动是同一站点。")
            seen.add(one.id)
    return changes


class _Reader:
    """One change being read."""

    def __init__(self, index: int, document: Any) -> None:
        if not isinstance(document, Mapping):
            raise InvalidChange(index, "is no object", "格式有误。")
        self.index, self.document = index, document

    def change(self) -> Change:
        op = self.document.get("op")
        if op == "move":
            return Move(self.identity(), *self.position(self.document.get("lon"), self.document.get("lat")))
        if op == "add":
            return self.addition()
        if op == "close":
            return Close(self.identity())
        if op == "bridge":
            return Bridge(self.line(), self.modes())
        if op == "block":
            return Block(self.identity())
        raise self.wrong(
            f"op {str(op)[:20]!r} is none of move, add, close, bridge, block",
            "的类型应为 move、add、close、bridge 或 block。",
        )

    def wrong(self, english: str, chinese: str) -> InvalidChange:
        return InvalidChange(self.index, english, chinese)

    def identity(self) -> str:
        value = self.document.get("id")
        if not isinstance(value, str) or not 0 < len(value) <= 60:
            raise self.wrong("id is missing", "没有指明对象。")
        return value

    def position(self, lon: Any, lat: Any) -> tuple[float, float]:
        numbers = [one for one in (lon, lat) if type(one) in (int, float) and math.isfinite(one)]
        if len(numbers) < 2 or abs(lon) > 180 or abs(lat) > 90:
            raise self.wrong("lon and lat must be degrees", "的位置有误,应为经度、纬度。")
        return float(lon), float(lat)

    def addition(self) -> Add:
        name = self.document.get("name") or ""
        officers = self.number("officers", 100_000, "的警力数有误。")
        ready = self.number("readiness_minutes", 1_440, "的准备时间有误。")
        hours = self.document.get("opening_hours")
        if not isinstance(name, str) or len(name) > _NAME_LENGTH:
            raise self.wrong("name must be a short text", f"的名称应不超过 {_NAME_LENGTH} 字。")
        if hours not in (None, "24h", "day"):
            raise self.wrong("opening_hours must be 24h or day", "的开放时间应为 24h 或 day。")
        place = self.position(self.document.get("lon"), self.document.get("lat"))
        return Add(*place, name, None if officers is None else int(officers), ready, hours)

    def number(self, name: str, most: float, chinese: str) -> float | None:
        value = self.document.get(name)
        if value is None:
            return None
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise self.wrong(f"{name} must be a number from 0 to {most}", chinese)
        return float(value)

    def line(self) -> tuple[tuple[float, float], ...]:
        value = self.document.get("line")
        if not isinstance(value, list) or not 2 <= len(value) <= _MOST_VERTICES:
            raise self.wrong("line needs two positions at least", "的线至少要有两个点。")
        if not all(isinstance(one, list) and len(one) >= 2 for one in value):
            raise self.wrong("line must be a list of [lon, lat]", "的线应为 [经度, 纬度] 的列表。")
        line = tuple(self.position(one[0], one[1]) for one in value)
        if len(set(line)) < 2:
            raise self.wrong("line has no length", "的线没有长度。")
        return line

    def modes(self) -> tuple[str, ...]:
        value = self.document.get("modes", list(TRAVEL_MODES))
        if not isinstance(value, list) or not value or not set(map(str, value)) <= set(TRAVEL_MODES):
            raise self.wrong(f"modes must be some of {', '.join(TRAVEL_MODES)}", "的出行方式有误。")
        return tuple(one for one in TRAVEL_MODES if one in value)


def document(change: Change) -> dict[str, Any]:
    """The change as JSON values, as `parse_changes` reads it."""
    match change:
        case Move(identity, lon, lat):
            return {"op": "move", "id": identity, "lon": lon, "lat": lat}
        case Add(lon, lat):
            extra = {
                name: getattr(change, name)
                for name in ("name", "officers", "readiness_minutes", "opening_hours")
                if getattr(change, name) not in (None, "")
            }
            return {"op": "add", "lon": lon, "lat": lat, **extra}
        case Close(identity):
            return {"op": "close", "id": identity}
        case Bridge(line, modes):
            return {"op": "bridge", "line": [list(one) for one in line], "modes": list(modes)}
        case Block(identity):
            return {"op": "block", "id": identity}


def documents(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """All of them as JSON values."""
    return [document(one) for one in changes]
