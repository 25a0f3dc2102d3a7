"""Where points, people and grids of a question are: elements of layers as parallel arrays."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from gridmap.domain.crs import to_metric, xy_in_metres
from gridmap.domain.layers import FieldClass, FieldType, Layer
from gridmap.domain.scenarios import Add, Close, Move
from gridmap.errors import InvalidInput, NotFound
from gridmap.services.membership import grid_codes, representative_points
from gridmap.services.questions import Question, is_open
from gridmap.services.snapshots import Rows, Shelf, Snapshot

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]
Objects = NDArray[np.object_]

_places = Shelf(12)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """
    The points of a question: stored ones by code, then those that a scenario adds. Parallel arrays.

    `is_active` ones count; the others are closed by the scenario or not open at the time asked for.
    `change` is None, `moved`, `added` or `closed`. `ready_s` are seconds to get ready.
    """

    id: Objects
    code: Objects
    name: Objects
    lonlat: Floats
    xy: Floats
    officers: Floats
    ready_s: Floats
    capacity: Floats
    hours: Objects
    address: Objects
    services: Objects
    change: Objects
    is_active: Flags

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Where people are: parallel arrays. `weight` are people, or 1 for each element (`unit`: 人 or 个)."""

    id: Objects
    lonlat: Floats
    xy: Floats
    weight: Floats
    unit: str
    field: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """
    Grids by code, and the one of each demand point (-1: none).

    `area` are their polygons in metres.
    """

    layer: Layer
    code: Objects
    name: Objects
    area: Objects
    of_demand: Ints
    key: Hashable

    def __len__(self) -> int:
        return len(self.code)


def _located(rows: Rows, crs: CRS) -> tuple[Floats, Floats]:
    """Longitude and latitude, and metres, of where each element counts as being."""
    if len(rows) == 0:
        return np.zeros((0, 2)), np.zeros((0, 2))
    lonlat = shapely.get_coordinates(representative_points(rows.geometry))
    return lonlat, xy_in_metres(*lonlat.T, crs)


def points_of(rows: Rows, question: Question, opened: Flags, crs: CRS) -> Points:
    """
    The layer's points with the question's changes; `opened` tells which are open at the time asked for.

    Raises
    ------
    NotFound (a change names a point that is not there), InvalidInput (a place outside the projection)
    """
    lonlat, xy = _located(rows, crs)
    lonlat = lonlat.copy()
    change = np.full(len(rows), None, dtype=object)
    row_of = {one: at for at, one in enumerate(rows.id.tolist())}
    active = opened.copy()
    added: list[Add] = []
    for one in question.changes:
        if isinstance(one, Move | Close):
            at = row_of.get(one.id)
            if at is None:
                raise NotFound(
                    f"there is no point {one.id} in layer {rows.layer.id}",
                    zh=f"方案涉及的{rows.layer.title}已不存在,请更新方案。",
                    element=one.id,
                )
            if isinstance(one, Move):
                lonlat[at], change[at] = (one.lon, one.lat), "moved"
            else:
                active[at], change[at] = False, "closed"
        elif isinstance(one, Add):
            added.append(one)
    if added:
        lonlat = np.vstack([lonlat, [(one.lon, one.lat) for one in added]])
    if added or (change == "moved").any():
        xy = xy_in_metres(*lonlat.T, crs)
        if not np.isfinite(xy).all():
            raise InvalidInput("a place is outside the projection", zh="有位置超出投影范围,请检查坐标。")
    names = {one.name for one in rows.layer.fields}
    supply = "officer_count" if "officer_count" in names else None
    default_ready = next(
        (float(one.default) for one in rows.layer.fields if one.name == "readiness_minutes" and one.default),
        0.0,
    )
    at = question.open_at
    return Points(
        id=_with(rows.id, [f"new-{number + 1}" for number in range(len(added))]),
        code=_with(rows.code, [None] * len(added)),
        name=_with(rows.name, [one.name or f"新增点 {number + 1}" for number, one in enumerate(added)]),
        lonlat=lonlat,
        xy=xy,
        officers=np.r_[
            rows.numbers(supply, 0.0) if supply else np.ones(len(rows)),
            [_typical(rows, supply) if one.officers is None else one.officers for one in added],
        ],
        ready_s=60.0
        * np.r_[
            rows.numbers("readiness_minutes", default_ready),
            [default_ready if one.readiness_minutes is None else one.readiness_minutes for one in added],
        ],
        capacity=np.r_[rows.numbers("capacity"), [np.nan] * len(added)],
        hours=_with(_objects(rows.values("opening_hours")), [one.opening_hours for one in added]),
        address=_with(_objects(rows.values("address")), [None] * len(added)),
        services=_with(_objects(rows.values("services")), [None] * len(added)),
        change=_with(change, ["added"] * len(added)),
        is_active=np.r_[
            active, np.array([at is None or is_open(one.opening_hours, at) for one in added], bool)
        ],
    )


def _typical(rows: Rows, supply: str | None) -> float:
    """What a new point has where nobody says: the middle of what the others have."""
    if supply is None or len(rows) == 0:
        return 1.0
    return float(np.median(rows.numbers(supply, 0.0)))


def _objects(values: list[Any]) -> Objects:
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def _with(first: Objects, more: list[Any]) -> Objects:
    return np.concatenate([first, _objects(more)]) if more else first


def weight_field(layer: Layer, asked: str | None) -> str | None:
    """
    The count that weighs a layer's demand; None where each element counts 1.

    Raises
    ------
    NotFound (no such field), InvalidInput (it is no count)
    """
    if asked is None:
        return "population" if any(one.name == "population" for one in layer.fields) else None
    field = layer.field(asked)
    if field.type not in (FieldType.INTEGER, FieldType.NUMBER) or field.field_class is not FieldClass.COUNT:
        raise InvalidInput(
            f"field {asked} of {layer.id} is no count", zh=f"字段“{field.title}”不是数量,不能作为需求。"
        )
    return asked


def demand_of(snapshot: Snapshot, question: Question, crs: CRS) -> Demand:
    """The demand that the question names; raises InvalidInput for an empty layer or a count that is none."""
    rows = snapshot.rows(question.demand)
    if len(rows) == 0:
        raise InvalidInput(
            f"layer {rows.layer.id} has no elements; import demand first",
            zh=f"需求图层“{rows.layer.title}”没有数据,无法计算覆盖。请先导入。",
            layer=rows.layer.id,
        )
    field = weight_field(rows.layer, question.demand_field)

    def make() -> Demand:
        lonlat, xy = _located(rows, crs)
        weight = np.ones(len(rows)) if field is None else rows.numbers(field, 0.0)
        wrong = np.flatnonzero(~(weight >= 0))
        if wrong.size:
            name = rows.code[wrong[0]] or rows.name[wrong[0]]
            raise InvalidInput(
                f"{field} of {rows.layer.id} {name} is negative or no number",
                zh=f"“{rows.layer.title}”{name} 的人口不是有效的非负数。",
            )
        unit = "个" if field is None else (rows.layer.field(field).unit or "人")
        return Demand(rows.id, lonlat, xy, weight, unit, field)

    key = ("demand", snapshot.stamps(question.demand), field, crs.to_epsg())
    return _places.of(snapshot.district).get(key, make)


def groups_of(snapshot: Snapshot, layer_id: str, demand_id: str, crs: CRS) -> Groups:
    """A layer's grids, and which of them each element of the demand layer lies in."""

    def make() -> Groups:
        rows = snapshot.rows(layer_id)
        has_code = np.flatnonzero([bool(one) for one in rows.code])
        lonlat, _ = _located(snapshot.rows(demand_id), crs)
        found = grid_codes(rows.geometry[has_code], rows.code[has_code], shapely.points(lonlat))
        place = {code: at for at, code in enumerate(rows.code[has_code].tolist())}
        of_demand = np.array([place.get(code, -1) for code in found], np.intp)
        area = to_metric(rows.geometry[has_code], crs) if len(has_code) else np.zeros(0, dtype=object)
        return Groups(rows.layer, rows.code[has_code], rows.name[has_code], area, of_demand, key)

    key = ("groups", snapshot.stamps(layer_id, demand_id), crs.to_epsg())
    return _places.of(snapshot.district).get(key, make)
