"""`GET /ogc/api`: the OpenAPI 3.0 document of the OGC routes, with the layers that the user sees."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gridmap import __version__
from gridmap.api.calls import PROBLEM, Call, answer
from gridmap.api.collections import (
    GEOJSON,
    MVT,
    OPENAPI,
    SCHEMA,
    TITLE,
    filter_names,
    nullable_names,
    plain_request,
    property_schemas,
    required_names,
)
from gridmap.api.features import DEFAULT_LIMIT, MAX_LIMIT
from gridmap.domain.layers import GeometryType, Layer
from gridmap.services import access
from gridmap.services.tiles import MAX_ZOOM

Document = dict[str, Any]

_JSON = "application/json"
_NOT_IN_OPENAPI_30 = ("x-ogc-role",)
_COORDINATES: dict[str, int] = {
    "Point": 1,
    "LineString": 2,
    "MultiLineString": 3,
    "Polygon": 3,
    "MultiPolygon": 4,
}


def document(call: Call) -> Response:
    """The document itself."""
    plain_request(call)
    layers = access.visible_layers(call.district, call.user)
    return answer(
        {
            "openapi": "3.0.3",
            "info": {
                "title": TITLE,
                "version": __version__,
                "description": "OGC API – Features(读取与编辑)与 OGC API – Tiles。坐标均为 WGS 84 经纬度。",
            },
            "servers": [{"url": call.url("/ogc")}],
            "security": [{"token": []}, {"session": []}],
            "tags": [{"name": "通用"}, *({"name": one.title} for one in layers)],
            "paths": _paths(layers),
            "components": _components(call, layers),
        },
        media_type=OPENAPI,
    )


def _paths(layers: list[Layer]) -> Document:
    paths: Document = {
        "/": _get("landingPage", "首页", "通用"),
        "/conformance": _get("conformance", "遵循的规范", "通用"),
        "/api": _get("openApi", "本文档", "通用", OPENAPI),
        "/collections": _get("collections", "图层列表", "通用"),
        "/tileMatrixSets": _get("tileMatrixSets", "瓦片矩阵集", "通用"),
        "/tileMatrixSets/WebMercatorQuad": _get("webMercatorQuad", "瓦片矩阵集", "通用"),
        "/tiles": _get("datasetTilesets", "瓦片集列表", "通用"),
        "/tiles/WebMercatorQuad": _get("datasetTileset", "瓦片集", "通用"),
        "/tiles/WebMercatorQuad/{tileMatrix}/{tileRow}/{tileCol}": _tile(
            "datasetTile", "通用", _ref("collections")
        ),
    }
    for layer in layers:
        paths |= _layer_paths(layer)
    return paths


def _layer_paths(layer: Layer) -> Document:
    base, tag = f"/collections/{layer.id}", layer.title
    one = {"$ref": f"#/components/schemas/{layer.id}"}
    filters = [_filter(layer, name) for name in filter_names(layer)]
    return {
        base: _get(f"{layer.id}.collection", "图层说明", tag),
        f"{base}/schema": _get(f"{layer.id}.schema", "字段说明", tag, SCHEMA),
        f"{base}/queryables": _get(f"{layer.id}.queryables", "可筛选的字段", tag, SCHEMA),
        f"{base}/items": {
            "get": {
                **_operation(f"{layer.id}.items", "读取要素", tag),
                "parameters": [*_refs("bbox", "datetime", "limit", "offset", "grid", "q"), *filters],
                "responses": _responses(
                    "200", "要素集合", GEOJSON, {"$ref": f"#/components/schemas/{layer.id}.collection"}
                ),
            },
            "post": {
                **_operation(f"{layer.id}.create", "新建要素", tag),
                "parameters": _refs("idempotencyKey", "csrf", "reason"),
                "requestBody": _body(GEOJSON, one),
                "responses": _responses("201", "已新建", GEOJSON, one),
            },
        },
        f"{base}/items/{{featureId}}": {"parameters": [_ref("featureId")], **_item_operations(layer, one)},
        f"{base}/tiles": _get(f"{layer.id}.tilesets", "瓦片集列表", tag),
        f"{base}/tiles/WebMercatorQuad": _get(f"{layer.id}.tileset", "瓦片集", tag),
        f"{base}/tiles/WebMercatorQuad/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": _tile(
            f"{layer.id}.tile", tag
        ),
    }


def _item_operations(layer: Layer, one: Document) -> Document:
    tag, writing = layer.title, _refs("ifMatch", "idempotencyKey", "csrf", "reason")
    patch = "application/merge-patch+json"
    return {
        "get": {
            **_operation(f"{layer.id}.item", "读取一个要素", tag),
            "responses": _responses("200", "要素", GEOJSON, one),
        },
        "put": {
            **_operation(f"{layer.id}.replace", "替换要素(缺少的字段被清空)", tag),
            "parameters": writing,
            "requestBody": _body(GEOJSON, one),
            "responses": _responses("200", "已保存", GEOJSON, one),
        },
        "patch": {
            **_operation(f"{layer.id}.update", "修改要素(null 清空字段)", tag),
            "parameters": writing,
            "requestBody": _body(patch, {"type": "object"}),
            "responses": _responses("200", "已保存", GEOJSON, one),
        },
        "delete": {
            **_operation(f"{layer.id}.delete", "删除要素", tag),
            "parameters": writing,
            "responses": {
                "204": {"description": "已删除"},
                "default": {"$ref": "#/components/responses/problem"},
            },
        },
    }


def _operation(identity: str, summary: str, tag: str) -> Document:
    return {"operationId": identity, "summary": summary, "tags": [tag]}


def _get(identity: str, summary: str, tag: str, media_type: str = _JSON) -> Document:
    responses = _responses("200", summary, media_type, {"type": "object"})
    return {"get": {**_operation(identity, summary, tag), "responses": responses}}


def _tile(identity: str, tag: str, *extra: Document) -> Document:
    responses = _responses("200", "矢量瓦片", MVT, {"type": "string", "format": "binary"})
    responses["304"] = {"description": "未变化"}
    parameters = [*_refs("tileMatrix", "tileRow", "tileCol"), *extra]
    return {
        "get": {**_operation(identity, "矢量瓦片", tag), "parameters": parameters, "responses": responses}
    }


def _responses(status: str, description: str, media_type: str, schema: Document) -> Document:
    return {
        status: {"description": description, "content": {media_type: {"schema": schema}}},
        "default": {"$ref": "#/components/responses/problem"},
    }


def _body(media_type: str, schema: Document) -> Document:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/parameters/{name}"}


def _refs(*names: str) -> list[Document]:
    return [_ref(name) for name in names]


def _filter(layer: Layer, name: str) -> Document:
    known = property_schemas(layer)[name]
    schema = {key: known[key] for key in ("type", "enum") if key in known}
    return {"name": name, "in": "query", "description": known["title"], "required": False, "schema": schema}


# --- components ------------------------------------------------------------------------------------------


def _components(call: Call, layers: list[Layer]) -> Document:
    schemas: Document = {"problem": _problem()}
    for layer in layers:
        schemas[layer.id] = _feature(layer, nullable_names(layer, call.user))
        schemas[f"{layer.id}.collection"] = _feature_collection(layer)
    return {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": call.district.settings.cookie_name},
        },
        "parameters": _parameters(),
        "responses": {
            "problem": {
                "description": "未完成,原因见 detail(RFC 9457)",
                "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/problem"}}},
            }
        },
        "schemas": schemas,
    }


def _problem() -> Document:
    text = {"type": "string"}
    properties = {
        "type": text,
        "title": text,
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "中文说明"},
        "english": text,
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _feature(layer: Layer, nullable: frozenset[str]) -> Document:
    properties = {
        name: {key: value for key, value in one.items() if key not in _NOT_IN_OPENAPI_30}
        for name, one in property_schemas(layer).items()
    }
    for name in nullable:
        one = properties[name]
        one["nullable"] = True
        if "enum" in one:
            one["enum"] = [*one["enum"], None]
    return {
        "type": "object",
        "title": layer.title,
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": {"type": "string", "format": "uuid", "readOnly": True},
            "geometry": _geometry(layer.geometry),
            "properties": {"type": "object", "required": required_names(layer), "properties": properties}
            if required_names(layer)
            else {"type": "object", "properties": properties},
        },
    }


def _geometry(kind: GeometryType) -> Document:
    return {
        "oneOf": [
            {
                "type": "object",
                "required": ["type", "coordinates"],
                "properties": {
                    "type": {"type": "string", "enum": [name]},
                    "coordinates": _nested(_COORDINATES[name]),
                },
            }
            for name in sorted(kind.accepted)
        ]
    }


def _nested(depth: int) -> Document:
    schema: Document = {"type": "number"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def _feature_collection(layer: Layer) -> Document:
    return {
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "numberMatched": {"type": "integer"},
            "numberReturned": {"type": "integer"},
            "timeStamp": {"type": "string", "format": "date-time"},
            "links": {"type": "array", "items": {"type": "object"}},
            "features": {"type": "array", "items": {"$ref": f"#/components/schemas/{layer.id}"}},
        },
    }


def _query(name: str, description: str, schema: Document, **more: Any) -> Document:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "required": False,
        "schema": schema,
        **more,
    }


def _header(name: str, description: str) -> Document:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "required": False,
        "schema": {"type": "string"},
    }


def _in_path(name: str, description: str, schema: Document) -> Document:
    return {"name": name, "in": "path", "description": description, "required": True, "schema": schema}


def _parameters() -> Document:
    numbers = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    whole = {"type": "integer", "minimum": 0}
    listed = {"type": "array", "items": {"type": "string"}}
    return {
        "bbox": _query("bbox", "范围:西,南,东,北", numbers, style="form", explode=False),
        "datetime": _query("datetime", "更新时间:时刻或区间", {"type": "string"}),
        "limit": _query("limit", "每页数量", limit),
        "offset": _query("offset", "跳过的数量", {**whole, "default": 0}),
        "grid": _query("grid", "所在网格:网格图层:编码", {"type": "string"}),
        "q": _query("q", "名称、编码或拼音包含", {"type": "string"}),
        "collections": _query("collections", "图层", listed, style="form", explode=False),
        "featureId": _in_path("featureId", "要素编号", {"type": "string"}),
        "tileMatrix": _in_path("tileMatrix", "级别", {**whole, "maximum": MAX_ZOOM}),
        "tileRow": _in_path("tileRow", "行", whole),
        "tileCol": _in_path("tileCol", "列", whole),
        "ifMatch": _header("If-Match", "所依据的版本(实体标签);缺少时 428,过期时 412"),
        "idempotencyKey": _header("Idempotency-Key", "同一编号的重复提交只执行一次,并答复首次保存的版本"),
        "csrf": _header("X-Gridmap", "浏览器会话写入时须为 1;令牌不需要"),
        "reason": _header("X-Gridmap-Reason", "修改说明(百分号编码的 UTF-8)"),
    }
