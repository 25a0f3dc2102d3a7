"""Elements: the things on the map, and the revisions they go through."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.freshness import due_at
from gridmap.domain.layers import Layer

Box = tuple[float, float, float, float]
"""West, south, east, north."""


class Source(Enum):
    """Where an element comes from; simulated ones say so on every screen and export."""

    REAL = "real"
    SIMULATED = "simulated"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return "模拟数据" if self is Source.SIMULATED else "真实数据"


class Operation(Enum):
    """What a revision did to its element."""

    CREATE = "create"
    UPDATE = "update"
    VERIFY = "verify"
    DELETE = "delete"
    RESTORE = "restore"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"create": "新建", "update": "修改", "verify": "核实", "delete": "删除", "restore": "恢复"}[
            self.value
        ]


@dataclass(frozen=True, slots=True)
class Element:
    """
    One thing on the map.

    `geometry` is lon, lat in EPSG:4326; `properties` holds the values of the layer's fields (JSON values;
    a missing value is left out); times are aware and in UTC. `revision` counts this element's writes from 1;
    `sequence` is the district's commit number of the last one. `blanked` names fields whose value is kept from
    the reader that this state was made for; a stored element has none.
    """

    id: str
    layer: str
    code: str | None
    name: str
    geometry: BaseGeometry
    properties: Mapping[str, Any] = field(default_factory=dict)
    source: Source = Source.REAL
    revision: int = 0
    sequence: int = 0
    verified_at: datetime | None = None
    verified_by: str | None = None
    due_at: datetime | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None
    is_retired: bool = False
    blanked: frozenset[str] = frozenset()

    def values(self) -> dict[str, Any]:
        """Code, name and properties in one flat mapping: the attributes an editor may change."""
        return {"code": self.code, "name": self.name, **self.properties}

    def with_values(self, values: Mapping[str, Any]) -> Element:
        """This element with `values` as its attributes; those that are None are left out."""
        rest = {
            key: value for key, value in values.items() if key not in ("code", "name") and value is not None
        }
        return replace(self, code=values.get("code") or None, name=values.get("name") or "", properties=rest)


def new_id() -> str:
    """A fresh element id."""
    return str(uuid.uuid4())


def new_ids(count: int) -> list[str]:
    """
    Fresh element ids (random UUIDs, version 4), in ascending order.

    In order, because an index takes a hundred thousand sorted keys several times faster than scattered ones.
    """
    digits = os.urandom(16 * count).hex()
    parts = (digits[at : at + 32] for at in range(0, 32 * count, 32))
    return sorted(
        f"{one[:8]}-{one[8:12]}-4{one[13:16]}-{'89ab'[int(one[16], 16) & 3]}{one[17:20]}-{one[20:]}"
        for one in parts
    )


def due_after(layer: Layer, properties: Mapping[str, Any], verified_at: datetime | None) -> datetime | None:
    """Until when an element verified at `verified_at` counts as verified; None without a fixed cycle."""
    days = layer.days_until_due(properties)
    return None if days is None or verified_at is None else due_at(verified_at, days)


@lru_cache(maxsize=4096)
def _time_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_text(at: datetime | None) -> str | None:
    """An aware time as RFC 3339 text in UTC with microseconds, so that texts sort as times do."""
    return None if at is None else _time_text(at)


def parse_time(text: str | None) -> datetime | None:
    """The aware time that `time_text` wrote; raises ValueError for anything else."""
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"time without an offset: {text!r}")
    return at.astimezone(UTC)


# made once: `json.dumps` with options makes an encoder for each call, which tells at a hundred thousand
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
quoted = json.encoder.encode_basestring


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else quoted(text)


def properties_text(element: Element) -> str:
    """The element's properties as canonical JSON text."""
    return _to_json(dict(element.properties))


def to_payload(element: Element, *, wkb: bytes | None = None, properties: str | None = None) -> str:
    """
    The whole element as canonical JSON text: what a revision stores and its hash covers.

    The geometry is hexadecimal WKB, so that it comes back to the last bit. A caller that has encoded geometry
    (`wkb`, little endian) and `properties` (`properties_text`) already hands them over.
    """
    return payload_text(
        element.code,
        element.name,
        shapely.to_wkb(element.geometry, byte_order=1) if wkb is None else wkb,
        properties_text(element) if properties is None else properties,
        shared_payload(
            element.created_at, element.created_by, element.due_at, element.is_retired, element.source,
            element.verified_at, element.verified_by,
        ),
    )  # fmt: skip


def payload_text(
    code: str | None, name: str, wkb: bytes, properties: str, shared: tuple[str, str, str]
) -> str:
    """The payload put together from its parts; `shared` is what `shared_payload` gave."""
    made, state, verified = shared
    return (  # members in alphabetical order
        f'{{"code":{"null" if code is None else quoted(code)},{made},"geometry":"{wkb.hex().upper()}",'
        f'{state},"name":{quoted(name)},"properties":{properties},{verified}}}'
    )


@lru_cache(maxsize=1024)
def shared_payload(
    created_at: datetime | None,
    created_by: str | None,
    due_at: datetime | None,
    is_retired: bool,
    source: Source,
    verified_at: datetime | None,
    verified_by: str | None,
) -> tuple[str, str, str]:
    """What the payloads of elements written together have in common, as JSON members."""
    return (
        f'"created_at":{_text_or_null(time_text(created_at))},"created_by":{_text_or_null(created_by)},'
        f'"due_at":{_text_or_null(time_text(due_at))}',
        f'"is_retired":{"true" if is_retired else "false"}',
        f'"source":"{source.value}","verified_at":{_text_or_null(time_text(verified_at))},'
        f'"verified_by":{_text_or_null(verified_by)}',
    )


def payload_box(payload: str) -> Box:
    """West, south, east and north of the element in a payload, degrees."""
    west, south, east, north = shapely.from_wkb(json.loads(payload)["geometry"]).bounds
    return west, south, east, north


def from_payload(payload: str, **identity: Any) -> Element:
    """The element that `to_payload` wrote; `identity` gives id, layer, revision, sequence, updated_at, updated_by."""
    document = json.loads(payload)
    return Element(
        code=document["code"],
        name=document["name"],
        geometry=shapely.from_wkb(document["geometry"]),
        properties=document["properties"],
        source=Source(document["source"]),
        verified_at=parse_time(document["verified_at"]),
        verified_by=document["verified_by"],
        due_at=parse_time(document["due_at"]),
        created_at=parse_time(document["created_at"]),
        created_by=document["created_by"],
        is_retired=document["is_retired"],
        **identity,
    )


@dataclass(frozen=True, slots=True)
class Revision:
    """
    One write of one element, whole.

    `element` is the state it left, or None where the payload was redacted.
    """

    pk: int
    sequence: int
    element_id: str
    layer: str
    revision: int
    operation: Operation
    element: Element | None
    actor: str
    at: datetime
    reason: str
    base_revision: int | None
    hash: str
