"""OGC API: landing page, conformance, collections, and what their elements look like (JSON Schema)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gridmap.api import parameters
from gridmap.api.calls import Call, answer
from gridmap.api.parameters import CRS84, BadParameter
from gridmap.domain.elements import time_text
from gridmap.domain.layers import Field, FieldClass, FieldType, GeometryType, Layer
from gridmap.domain.roles import Permission, User
from gridmap.services import access, documents

Document = dict[str, Any]

TITLE = "警务网格一张图"
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
MVT = "application/vnd.mapbox-vector-tile"
# Names of the standards and of relations between resources; nothing is fetched from there.
_OGC = "http://www.opengis.net"
REL = f"{_OGC}/def/rel/ogc/1.0"
CONFORMANCE = [
    f"{_OGC}/spec/{one}"
    for one in (
        "ogcapi-common-1/1.0/conf/core",
        "ogcapi-common-1/1.0/conf/json",
        "ogcapi-common-2/1.0/conf/collections",
        "ogcapi-features-1/1.0/conf/core",
        "ogcapi-features-1/1.0/conf/oas30",
        "ogcapi-features-1/1.0/conf/geojson",
        "ogcapi-features-3/1.0/conf/queryables",
        "ogcapi-features-3/1.0/conf/queryables-query-parameters",
        "ogcapi-features-4/1.0/conf/create-replace-delete",
        "ogcapi-features-4/1.0/conf/update",
        "ogcapi-features-4/1.0/conf/optimistic-locking-etags",
        "ogcapi-features-5/1.0/conf/schemas",
        "ogcapi-tiles-1/1.0/conf/core",
        "ogcapi-tiles-1/1.0/conf/tileset",
        "ogcapi-tiles-1/1.0/conf/tilesets-list",
        "ogcapi-tiles-1/1.0/conf/dataset-tilesets",
        "ogcapi-tiles-1/1.0/conf/geodata-tilesets",
        "ogcapi-tiles-1/1.0/conf/collections-selection",
        "ogcapi-tiles-1/1.0/conf/mvt",
        "ogcapi-tiles-1/1.0/conf/oas30",
    )
]


def link(call: Call, path: str, rel: str, title: str, media_type: str = "application/json") -> Document:
    """A link to a path of ours."""
    return {"href": call.url(path), "rel": rel, "type": media_type, "title": title}


def plain_request(call: Call) -> None:
    """Pass when the request has no parameter beside `f`, and that asks for JSON."""
    parameters.only(call, ("f",))
    parameters.require_json(call)


def seen_layer(call: Call) -> Layer:
    """The layer in the path; raises NotFound or PermissionDenied."""
    layer = call.district.catalogue.layer(call.path["layer"])
    access.require_sight(call.district, call.user, layer)
    return layer


def landing(call: Call) -> Response:
    """`GET /ogc/`"""
    plain_request(call)
    return answer(
        {
            "title": TITLE,
            "description": "辖区警务要素:按 OGC API – Features 与 Tiles 读取和编辑。",
            "links": [
                link(call, "/ogc/", "self", "本页"),
                link(call, "/ogc/api", "service-desc", "接口说明(OpenAPI 3.0)", OPENAPI),
                link(call, "/ogc/conformance", "conformance", "遵循的规范"),
                link(call, "/ogc/conformance", f"{REL}/conformance", "遵循的规范"),
                link(call, "/ogc/collections", "data", "图层"),
                link(call, "/ogc/tiles", f"{REL}/tilesets-vector", "矢量瓦片"),
                link(call, "/ogc/tileMatrixSets", f"{REL}/tiling-schemes", "瓦片矩阵集"),
            ],
        }
    )


def conformance(call: Call) -> Response:
    """`GET /ogc/conformance`"""
    plain_request(call)
    return answer({"conformsTo": CONFORMANCE})


def collections(call: Call) -> Response:
    """`GET /ogc/collections`: the layers that this user sees."""
    plain_request(call)
    layers = access.visible_layers(call.district, call.user)
    return answer(
        {
            "links": [link(call, "/ogc/collections", "self", "图层")],
            "collections": [_collection(call, one) for one in layers],
        }
    )


def collection(call: Call) -> Response:
    """`GET /ogc/collections/{layer}`"""
    plain_request(call)
    return answer(_collection(call, seen_layer(call)))


def _collection(call: Call, layer: Layer) -> Document:
    path = f"/ogc/collections/{layer.id}"
    known = documents.layer_document(call.district, call.user, layer)
    box = known["extent"] or documents.district_bounds(call.district)
    extent: Document = {"temporal": {"interval": [[None, time_text(call.district.clock())]]}}
    if box is not None:
        extent["spatial"] = {"bbox": [box], "crs": CRS84}
    return {
        "id": layer.id,
        "title": layer.title,
        "description": layer.description or layer.title,
        "keywords": [layer.group],
        "itemType": "feature",
        "extent": extent,
        "crs": [CRS84],
        "storageCrs": CRS84,
        "links": [
            link(call, path, "self", layer.title),
            link(call, f"{path}/items", "items", "要素", GEOJSON),
            link(call, f"{path}/schema", "describedby", "字段说明", SCHEMA),
            link(call, f"{path}/schema?types=single", f"{REL}/schema", "字段说明(单一类型)", SCHEMA),
            link(call, f"{path}/queryables", f"{REL}/queryables", "可筛选的字段", SCHEMA),
            link(call, f"{path}/tiles", f"{REL}/tilesets-vector", "矢量瓦片"),
        ],
    }


# --- schemas ---------------------------------------------------------------------------------------------


_JSON_TYPES = {
    FieldType.TEXT: "string",
    FieldType.CHOICE: "string",
    FieldType.INTEGER: "integer",
    FieldType.NUMBER: "number",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "string",
    FieldType.DATETIME: "string",
}
_FORMATS = {FieldType.DATE: "date", FieldType.DATETIME: "date-time"}
_SHAPES = {
    GeometryType.POINT: "point",
    GeometryType.LINE: "linestring-or-multilinestring",
    GeometryType.AREA: "polygon-or-multipolygon",
}
_SYSTEM_TITLES: dict[str, tuple[str, Document]] = {
    "source": ("数据来源", {"type": "string", "enum": ["real", "simulated"]}),
    "revision": ("版本", {"type": "integer"}),
    "verified_at": ("核实时间", {"type": "string", "format": "date-time"}),
    "verified_by": ("核实人", {"type": "string"}),
    "due_at": ("到期时间", {"type": "string", "format": "date-time"}),
    "created_at": ("创建时间", {"type": "string", "format": "date-time"}),
    "created_by": ("创建人", {"type": "string"}),
    "updated_at": ("更新时间", {"type": "string", "format": "date-time"}),
    "updated_by": ("更新人", {"type": "string"}),
}


_ALWAYS_THERE = ("source", "revision", "created_at", "created_by", "updated_at", "updated_by")


def schema(call: Call) -> Response:
    """
    `GET /ogc/collections/{layer}/schema?types=`: JSON Schema of the properties, titles in Chinese.

    Every feature that the user reads fits it. With `types=single` each type is one name, as Part 5 writes it and
    QGIS reads it (a field of two types is a text there); null is then left to be understood.
    """
    parameters.only(call, ("f", "types"))
    parameters.require_json(call)
    types = parameters.text(call, "types")
    if types not in ("", "single"):
        raise BadParameter("types", "must be single", "只能是 single(每个字段一种类型)")
    layer = seen_layer(call)
    query = f"?types={types}" if types else ""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": call.url(f"/ogc/collections/{layer.id}/schema{query}"),
        **schema_document(layer, call.user, has_null=not types),
    }
    return answer(document, media_type=SCHEMA)


def schema_document(layer: Layer, user: User, *, has_null: bool = True) -> Document:
    """What the properties of the layer's features are like for this user; null is a type where `has_null`."""
    missing = nullable_names(layer, user) if has_null else frozenset()
    properties = {
        name: _or_null(one) if name in missing else one for name, one in property_schemas(layer).items()
    }
    return {
        "type": "object",
        "title": layer.title,
        "description": layer.description,
        "properties": {"geometry": geometry_schema(layer), **properties},
        "required": required_names(layer),
        "additionalProperties": False,
    }


def _or_null(document: Document) -> Document:
    known = {"enum": [*document["enum"], None]} if "enum" in document else {}
    return {**document, "type": [document["type"], "null"], **known}


def nullable_names(layer: Layer, user: User) -> frozenset[str]:
    """Properties that may be null: what has no value, and counts where small ones are kept from the user."""
    always = {"name", *_ALWAYS_THERE, *required_names(layer)}
    if not user.may(Permission.VIEW_SENSITIVE):
        always -= {one.name for one in layer.fields if one.field_class is FieldClass.COUNT}
    return frozenset(property_schemas(layer)) - always


def queryables(call: Call) -> Response:
    """`GET /ogc/collections/{layer}/queryables`: what `items` can be filtered by; nothing is found by null."""
    plain_request(call)
    layer = seen_layer(call)
    known = property_schemas(layer)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": call.url(f"/ogc/collections/{layer.id}/queryables"),
        "type": "object",
        "title": layer.title,
        "properties": {
            "geometry": geometry_schema(layer),
            **{name: known[name] for name in filter_names(layer)},
        },
        "additionalProperties": False,
    }
    return answer(document, media_type=SCHEMA)


def filter_names(layer: Layer) -> tuple[str, ...]:
    """The properties that `items` can be filtered by, as parameters of the same name."""
    return ("code", "name", "source", *layer.field_names)


def geometry_schema(layer: Layer) -> Document:
    """The geometry's entry in a schema."""
    return {
        "title": "位置",
        "x-ogc-role": "primary-geometry",
        "format": f"geometry-{_SHAPES[layer.geometry]}",
    }


def property_schemas(layer: Layer) -> dict[str, Document]:
    """The schema of each property, in the order in which features list them."""
    code: Document = {"title": "编码", "type": "string", "maxLength": 60}
    if layer.code_pattern:
        code["pattern"] = f"^(?:{layer.code_pattern})$"
    schemas: dict[str, Document] = {
        "code": code,
        "name": {"title": "名称", "type": "string", "maxLength": 120},
    }
    schemas |= {one.name: _field_schema(one) for one in layer.fields}
    for name, (title, kind) in _SYSTEM_TITLES.items():
        schemas[name] = {"title": title, **kind, "readOnly": True}
    schemas["updated_at"]["x-ogc-role"] = "primary-instant"
    for position, one in enumerate(schemas.values()):
        one["x-ogc-propertySeq"] = position
    return schemas


def required_names(layer: Layer) -> list[str]:
    """The properties that an element must have."""
    core = ["code", "name"] if layer.is_code_required else []
    return core + [one.name for one in layer.fields if one.is_required and not one.is_soft]


def _field_schema(field: Field) -> Document:
    document: Document = {"title": field.title, "type": _JSON_TYPES[field.type]}
    if field.type in _FORMATS:
        document["format"] = _FORMATS[field.type]
    if field.help:
        document["description"] = field.help
    if field.choices:
        document["x-enum-titles"] = {one.value: one.title for one in field.choices}
    if field.type is FieldType.TEXT:
        document["maxLength"] = field.max_length
    if field.unit:
        document["x-ogc-unit"] = field.unit
    # a soft rule warns and lets the value through, so it is no part of what must hold
    if not field.is_soft:
        values = [one.value for one in field.choices] or None
        limits = (
            ("enum", values), ("pattern", field.pattern), ("minimum", field.minimum), ("maximum", field.maximum),
        )  # fmt: skip
        document |= {name: value for name, value in limits if value is not None}
    return document
