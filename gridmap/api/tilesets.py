"""OGC API – Tiles: vector tiles of one layer or several, and the descriptions that clients find them by."""

from __future__ import annotations

import math
from typing import Any

from starlette.responses import Response

from gridmap.api import parameters
from gridmap.api.calls import Call, answer
from gridmap.api.collections import MVT, REL, link, plain_request, property_schemas, seen_layer
from gridmap.api.parameters import CRS84
from gridmap.domain.layers import GeometryType, Layer
from gridmap.errors import NotFound
from gridmap.services import access, as_of, documents, tiles

Document = dict[str, Any]

SET = "WebMercatorQuad"
SET_URI = f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{SET}"
_HALF_WORLD_M = math.pi * 6378137.0
# the OGC's pixel is 0.28 mm
_FIRST_SCALE = 2.0 * _HALF_WORLD_M / 256 / 0.00028
_DIMENSION = {GeometryType.POINT: 0, GeometryType.LINE: 1, GeometryType.AREA: 2}


def layer_tile(call: Call) -> Response:
    """`GET /ogc/collections/{layer}/tiles/WebMercatorQuad/{z}/{row}/{col}`"""
    plain_request(call)
    _require_set(call)
    return _tile(call, [call.path["layer"]])


def dataset_tile(call: Call) -> Response:
    """`GET /ogc/tiles/WebMercatorQuad/{z}/{row}/{col}?collections=a,b&datetime=`"""
    parameters.only(call, ("f", "collections", "datetime"))
    parameters.require_json(call)
    _require_set(call)
    wanted = parameters.layers(call, "collections")
    return _tile(call, wanted or [one.id for one in access.visible_layers(call.district, call.user)])


def _tile(call: Call, layers: list[str]) -> Response:
    z, row, col = (_number(call, name) for name in ("z", "row", "col"))
    if "datetime" in call.request.query_params:
        at = parameters.time(call, "datetime")
        made = as_of.tile(call.district, call.user, layers, z, row, col, at)
    else:
        made = tiles.tile(call.district, call.user, layers, z, row, col)
    headers = {"ETag": made.etag, "Cache-Control": "private, no-cache"}
    if parameters.is_unchanged(call, made.etag):
        return Response(status_code=304, headers=headers)
    return Response(made.content, headers=headers, media_type=MVT)


def _number(call: Call, name: str) -> int:
    value = call.path[name]
    if not (value.isascii() and value.isdecimal() and len(value) <= 9):
        raise NotFound(f"a tile's {name} is a whole number, not {value[:40]!r}", zh="没有这个瓦片。")
    return int(value)


def _require_set(call: Call) -> None:
    if call.path["set"] != SET:
        raise NotFound(f"the only tile matrix set here is {SET}", zh=f"瓦片矩阵集只有 {SET}。")


# --- descriptions ----------------------------------------------------------------------------------------


def layer_tilesets(call: Call) -> Response:
    """`GET /ogc/collections/{layer}/tiles`"""
    plain_request(call)
    layer = seen_layer(call)
    return _listed(call, f"/ogc/collections/{layer.id}", layer.title)


def dataset_tilesets(call: Call) -> Response:
    """`GET /ogc/tiles`"""
    plain_request(call)
    return _listed(call, "/ogc", "全部图层")


def _listed(call: Call, base: str, title: str) -> Response:
    tileset = {
        "title": title,
        "dataType": "vector",
        "crs": "http://www.opengis.net/def/crs/EPSG/0/3857",
        "tileMatrixSetURI": SET_URI,
        "links": [
            link(call, f"{base}/tiles/{SET}", "self", title),
            link(call, f"/ogc/tileMatrixSets/{SET}", f"{REL}/tiling-scheme", SET),
        ],
    }
    return answer({"links": [link(call, f"{base}/tiles", "self", title)], "tilesets": [tileset]})


def layer_tileset(call: Call) -> Response:
    """`GET /ogc/collections/{layer}/tiles/WebMercatorQuad`"""
    plain_request(call)
    _require_set(call)
    layer = seen_layer(call)
    return _described(call, f"/ogc/collections/{layer.id}", layer.title, [layer])


def dataset_tileset(call: Call) -> Response:
    """`GET /ogc/tiles/WebMercatorQuad`"""
    plain_request(call)
    _require_set(call)
    return _described(call, "/ogc", "全部图层", access.visible_layers(call.district, call.user))


def _described(call: Call, base: str, title: str, layers: list[Layer]) -> Response:
    path = f"{base}/tiles/{SET}"
    template = link(call, f"{path}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", "item", "瓦片", MVT)
    document: Document = {
        "title": title,
        "dataType": "vector",
        "crs": "http://www.opengis.net/def/crs/EPSG/0/3857",
        "tileMatrixSetURI": SET_URI,
        "links": [
            link(call, path, "self", title),
            link(call, f"/ogc/tileMatrixSets/{SET}", f"{REL}/tiling-scheme", SET),
            {**template, "templated": True},
        ],
        "layers": [_layer(one) for one in layers],
    }
    box = documents.district_bounds(call.district)
    if box is not None:
        document["boundingBox"] = {"lowerLeft": box[:2], "upperRight": box[2:], "crs": CRS84}
    return answer(document)


def _layer(layer: Layer) -> Document:
    known = property_schemas(layer)
    names = ["code", "name", *(layer.symbol_rule.fields if layer.symbol_rule else [])]
    return {
        "id": layer.id,
        "title": layer.title,
        "dataType": "vector",
        "geometryDimension": _DIMENSION[layer.geometry],
        "minTileMatrix": str(layer.min_zoom),
        "maxTileMatrix": str(min(layer.max_zoom, tiles.MAX_ZOOM)),
        "propertiesSchema": {
            "type": "object",
            "properties": {
                "gid": {"title": "要素编号", "type": "string"},
                **{name: {"title": known[name]["title"], "type": known[name]["type"]} for name in names},
                "sim": {"title": "模拟数据", "type": "integer"},
                "due": {"title": "逾期未核实", "type": "integer"},
            },
        },
    }


def matrix_sets(call: Call) -> Response:
    """`GET /ogc/tileMatrixSets`"""
    plain_request(call)
    path = f"/ogc/tileMatrixSets/{SET}"
    entry = {"id": SET, "title": SET, "uri": SET_URI, "links": [link(call, path, "self", SET)]}
    return answer({"tileMatrixSets": [entry]})


def matrix_set(call: Call) -> Response:
    """`GET /ogc/tileMatrixSets/WebMercatorQuad`"""
    plain_request(call)
    _require_set(call)
    return answer(
        {
            "id": SET,
            "title": "Google Maps Compatible for the World",
            "uri": SET_URI,
            "crs": "http://www.opengis.net/def/crs/EPSG/0/3857",
            "orderedAxes": ["X", "Y"],
            "wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
            "tileMatrices": [_matrix(z) for z in range(tiles.MAX_ZOOM + 1)],
        }
    )


def _matrix(z: int) -> Document:
    return {
        "id": str(z),
        "scaleDenominator": _FIRST_SCALE / 2**z,
        "cellSize": 2.0 * _HALF_WORLD_M / 256 / 2**z,
        "pointOfOrigin": [-_HALF_WORLD_M, _HALF_WORLD_M],
        "tileWidth": 256,
        "tileHeight": 256,
        "matrixWidth": 2**z,
        "matrixHeight": 2**z,
    }
