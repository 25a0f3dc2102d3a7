"""What a request's body says: strict JSON, GeoJSON features and geometries, patches."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.api.calls import BadRequest, Call, UnsupportedMediaType
from gridmap.domain.crs import parse_datum
from gridmap.errors import InvalidInput, TooLarge
from gridmap.services.documents import SYSTEM_PROPERTIES

MAX_VERTICES = 100_000
_MAX_DIGITS = 40
_CHARSET = re.compile(r'charset\s*=\s*"?([^\s;"]+)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

JSON_TYPES = ("application/json",)
FEATURE_TYPES = ("application/geo+json", "application/json")
PATCH_TYPES = (*FEATURE_TYPES, "application/merge-patch+json")


class InvalidGeometry(InvalidInput):
    """A geometry that is no GeoJSON geometry of a kind that elements can have."""

    title = "图形格式有误"


# --- JSON ------------------------------------------------------------------------------------------------


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:20]} is too large")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        shown = shown_name(next(name for name in names if names.count(name) > 1))
        raise BadRequest(f"member {shown!r} is given twice", zh=f"“{shown}”重复出现。", member=shown)
    return found


def shown_name(name: str) -> str:
    """A name that a client sent, as an answer may repeat it."""
    return _CONTROL.sub("?", name)[:40]


def parse_json(body: bytes) -> Any:
    """
    The JSON document in `body`.

    Raises
    ------
    BadRequest
        It is no UTF-8, no JSON, too deep, or holds what JSON forbids: NaN, infinities, half characters; or a
        member twice, of which one would be passed over.
    """
    try:
        text = body.decode("utf-8-sig")
        document = json.loads(
            text, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_number,
            object_pairs_hook=_members,
        )  # fmt: skip
        if _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except BadRequest:
        raise
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8", zh="提交的内容不是 UTF-8 编码,请转换编码后重试。") from None
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply", zh="提交的 JSON 嵌套过深。") from None
    except ValueError as error:
        raise BadRequest(
            f"the body is not JSON: {str(error)[:200]}", zh="提交的内容不是有效的 JSON。"
        ) from None
    return document


def require_type(call: Call, accepted: tuple[str, ...]) -> None:
    """Pass when the body says to be of one of these media types, or nothing; in UTF-8 and as it is."""
    stated, _, parameters = call.request.headers.get("content-type", "").lower().partition(";")
    stated, charset = stated.strip(), _CHARSET.search(parameters)
    if charset and charset[1] not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(
            f"the body is in {charset[1][:40]}; send UTF-8", zh="提交的内容应为 UTF-8 编码,请转换编码后重试。"
        )
    if call.request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            "a compressed body is not read; send it as it is", zh="不支持压缩后提交,请直接提交内容。"
        )
    if stated and stated not in accepted:
        raise UnsupportedMediaType(
            f"the body is {stated[:80]!r}; send {' or '.join(accepted)}",
            zh=f"不支持的内容类型,请使用 {accepted[0]}。",
            accepted=list(accepted),
        )


def read_object(
    call: Call, accepted: tuple[str, ...] = JSON_TYPES, *, known: Collection[str] | None = None
) -> Mapping[str, Any]:
    """
    The JSON object in the call's body; an empty body is an empty object.

    A member other than `known` is refused, so that a misspelt one is not passed over; None lets all pass.
    """
    require_type(call, accepted)
    if not call.body.strip():
        return {}
    document = parse_json(call.body)
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object", zh="提交的内容应为 JSON 对象。")
    for name in document:
        if known is not None and name not in known:
            shown = shown_name(name)
            raise BadRequest(
                f"member {shown!r} is not known here; known are {', '.join(known)}",
                zh=f"“{shown}”在此处不可用。可用的有:{'、'.join(known)}。"
                if known
                else f"“{shown}”在此处不可用。",
                member=shown,
            )
    return document


def text_of(document: Mapping[str, Any], name: str, *, max_length: int = 200) -> str:
    """The text called `name`; raises BadRequest when it is missing, no text, or too long."""
    value = document.get(name)
    if not isinstance(value, str) or len(value) > max_length or _CONTROL.search(value):
        raise BadRequest(
            f"{name!r} must be a text of at most {max_length} plain characters",
            zh=f"“{name}”应为文字,最多 {max_length} 个字,不含控制字符。",
            member=name,
        )
    return value


# --- features --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeatureBody:
    """
    What a sent feature says: attributes without the system's, and a geometry where there is one.

    `is_empty`: it has members, and none of them is one that is read.
    """

    values: dict[str, Any]
    geometry: BaseGeometry | None
    is_empty: bool = False


def read_feature(call: Call) -> FeatureBody:
    """A whole feature; raises InvalidInput when it is none."""
    document = read_object(call, FEATURE_TYPES)
    if document.get("type") != "Feature":
        raise InvalidInput('the body must be a GeoJSON "Feature"', zh="提交的内容应为 GeoJSON Feature。")
    values = _values(call, document)
    if document.get("geometry") is None:
        raise InvalidGeometry("a feature needs a geometry", zh="缺少图形。请补上坐标或图形。")
    return FeatureBody(values, geometry_of(document["geometry"]))


def read_patch(call: Call) -> FeatureBody:
    """Parts of a feature as a JSON merge patch (RFC 7396): null clears an attribute."""
    document = read_object(call, PATCH_TYPES)
    if document.get("type", "Feature") != "Feature":
        raise InvalidInput(
            'the body must be part of a GeoJSON "Feature"', zh="提交的内容应为 GeoJSON Feature。"
        )
    values = _values(call, document)
    if "geometry" not in document:
        return FeatureBody(values, None, is_empty=bool(document) and "properties" not in document)
    if document["geometry"] is None:
        raise InvalidGeometry("an element cannot be without a geometry", zh="图形不能清空。")
    return FeatureBody(values, geometry_of(document["geometry"]))


def _values(call: Call, document: Mapping[str, Any]) -> dict[str, Any]:
    own_id = call.path.get("id")
    if own_id is not None and document.get("id", own_id) != own_id:
        raise InvalidInput("the feature's id differs from the address", zh="要素编号与地址不一致。")
    _refuse_other_crs(document)
    properties = document.get("properties", {})
    if not isinstance(properties, dict):
        raise InvalidInput('"properties" must be an object', zh="“properties”应为 JSON 对象。")
    for name, value in properties.items():
        if isinstance(value, (dict, list)):
            raise InvalidInput(
                f"property {name[:60]!r} must be a plain value", zh="属性值应为文字、数字或是否。"
            )
    return {name: value for name, value in properties.items() if name not in SYSTEM_PROPERTIES}


def _refuse_other_crs(document: Mapping[str, Any]) -> None:
    """Old GeoJSON could name a coordinate system: better refused than taken for what it is not."""
    if document.get("crs") is None:
        return
    try:
        name = document["crs"]["properties"]["name"]
        is_ours = parse_datum(name).is_wgs84
    except (TypeError, KeyError):
        is_ours = False
    if not is_ours:
        raise InvalidInput(
            "only WGS 84 longitude and latitude (CRS84) are read here; convert first, or import a file",
            zh="接口只接受 WGS 84 经纬度,请先转换坐标,或使用数据导入。",
        )


_DEPTH = {
    "Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3,
}  # fmt: skip


def geometry_of(document: Any) -> BaseGeometry:
    """
    The shapely geometry of a GeoJSON geometry, longitude first; heights are dropped.

    Raises
    ------
    InvalidGeometry
        It is none, or of a kind that no element has, or a ring is open or too short.
    InvalidInput
        It names another coordinate system.
    TooLarge
        More than 100,000 positions.
    """
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _DEPTH:
        raise InvalidGeometry(
            f"a geometry's type must be one of {', '.join(_DEPTH)}", zh="图形类型应为点、线或面。"
        )
    _refuse_other_crs(document)
    coordinates = _read_positions(document.get("coordinates"), _DEPTH[kind], _Budget())
    try:
        return _BUILD[kind](coordinates)
    except (ValueError, shapely.errors.GEOSException) as error:
        raise InvalidGeometry(
            f"no {kind} has these coordinates: {str(error)[:200]}", zh="坐标不能组成图形,请检查顶点。"
        ) from None


class _Budget:
    """How many positions may still come."""

    def __init__(self) -> None:
        self.left = MAX_VERTICES

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooLarge(
                f"more than {MAX_VERTICES} positions; simplify the geometry",
                zh=f"顶点过多(上限 {MAX_VERTICES:,} 个),请先简化图形。",
                max_vertices=MAX_VERTICES,
            )


def _read_positions(value: Any, depth: int, budget: _Budget) -> Any:
    if not isinstance(value, list):
        raise InvalidGeometry("coordinates must be lists of numbers", zh="坐标应为数字列表。")
    if depth > 0:
        return [_read_positions(one, depth - 1, budget) for one in value]
    budget.take()
    if not 2 <= len(value) <= 4 or not all(type(one) in (int, float) for one in value):
        raise InvalidGeometry(
            "a position must be [lon, lat], both numbers", zh="坐标应为 [经度, 纬度] 两个数字。"
        )
    lon, lat = float(value[0]), float(value[1])
    return lon, lat


def _line(positions: list[Any]) -> BaseGeometry:
    if len(positions) < 2:
        raise ValueError("a line needs two positions")
    return shapely.LineString(positions)


def _polygon(rings: list[Any]) -> BaseGeometry:
    for ring in rings:
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise ValueError("a ring needs four positions, the last equal to the first")
    if not rings:
        raise ValueError("a polygon needs a ring")
    return shapely.Polygon(rings[0], rings[1:])


def _many(values: list[Any]) -> list[Any]:
    if not values:
        raise ValueError("nothing in it")
    return values


_BUILD: dict[str, Any] = {
    "Point": shapely.Point,
    "MultiPoint": lambda many: shapely.MultiPoint(_many(many)),
    "LineString": _line,
    "MultiLineString": lambda many: shapely.MultiLineString([_line(one) for one in _many(many)]),
    "Polygon": _polygon,
    "MultiPolygon": lambda many: shapely.MultiPolygon([_polygon(one) for one in _many(many)]),
}
