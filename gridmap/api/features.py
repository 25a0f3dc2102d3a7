"""OGC API – Features: reading in pages (part 1), creating, replacing, updating and deleting (part 4)."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlencode

from starlette.responses import Response

from gridmap.api import bodies, parameters
from gridmap.api.calls import BadRequest, Call, answer, empty, encoded
from gridmap.api.collections import GEOJSON, filter_names, link, seen_layer
from gridmap.api.parameters import BadParameter
from gridmap.domain.elements import Source, time_text
from gridmap.domain.layers import FieldType, Layer
from gridmap.services import documents, elements
from gridmap.services.elements import Receipt
from gridmap.storage.elements import Query
from gridmap.validation.attributes import clean_column

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
_STANDARD = ("bbox", "bbox-crs", "crs", "datetime", "limit", "offset", "f", "grid", "q")
# revalidated at each use: the entity tag costs nothing to compare
_REVALIDATED = "private, no-cache"
_MAX_WARNINGS = 20


# --- reading ---------------------------------------------------------------------------------------------


def items(call: Call) -> Response:
    """`GET /ogc/collections/{layer}/items`"""
    layer = seen_layer(call)
    parameters.only(call, (*_STANDARD, *filter_names(layer)))
    parameters.require_json(call)
    parameters.require_crs84(call, "crs", "bbox-crs")
    limit = parameters.whole(call, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT, clamps=True)
    offset = parameters.whole(call, "offset", default=0)
    page = elements.find(call.district, call.user, _query(call, layer), limit=limit, offset=offset)
    document = {
        "type": "FeatureCollection",
        "timeStamp": time_text(call.district.clock()),
        "numberMatched": page.total,
        "numberReturned": len(page.elements),
        "links": _page_links(call, layer, limit, offset, page.total),
        "features": [documents.feature(call.district, one) for one in page.elements],
    }
    return answer(document, media_type=GEOJSON)


def _query(call: Call, layer: Layer) -> Query:
    since, until = parameters.interval(call)
    return Query(
        layer.id,
        box=parameters.box(call),
        equals=_equals(call, layer),
        text=parameters.text(call, "q").strip(),
        grid=parameters.grid(call),
        updated_from=since,
        updated_until=until,
    )


def _equals(call: Call, layer: Layer) -> dict[str, str]:
    present = [name for name in filter_names(layer) if name in call.request.query_params]
    return {name: _stored_text(layer, name, parameters.text(call, name)) for name in present}


def _stored_text(layer: Layer, name: str, value: str) -> str:
    """The text as the store compares it: the value in the form in which it was written; raises BadParameter."""
    if name == "source":
        return _source(value)
    field = next((one for one in layer.fields if one.name == name), None)
    if field is None or field.type is FieldType.TEXT:
        return value
    unbounded = dataclasses.replace(field, minimum=None, maximum=None, pattern=None, is_required=False)
    [cleaned], problems = clean_column(unbounded, [value])
    problems = [one for one in problems if not one.is_warning]
    if cleaned is None or problems:
        wrong = problems[0].message.removeprefix(f"“{field.title}”") if problems else "缺少值"
        known = f": one of {', '.join(one.value for one in field.choices)}" if field.choices else ""
        raise BadParameter(name, f"must be a {field.type.value}{known}, not {value!r}", wrong)
    if isinstance(cleaned, bool):
        return "true" if cleaned else "false"
    return cleaned if isinstance(cleaned, str) else repr(cleaned)


def _source(value: str) -> str:
    known = [one.value for one in Source]
    if value not in known:
        raise BadParameter("source", f"must be one of {', '.join(known)}", f"应为 {'、'.join(known)} 之一")
    return value


def _page_links(call: Call, layer: Layer, limit: int, offset: int, total: int) -> list[dict[str, str]]:
    path = f"/ogc/collections/{layer.id}/items"

    def at(start: int) -> str:
        kept = [(k, v) for k, v in call.request.query_params.multi_items() if k not in ("limit", "offset")]
        return f"{path}?{urlencode([*kept, ('limit', limit), ('offset', start)])}"

    links = [
        link(call, at(offset), "self", "本页", GEOJSON),
        link(call, f"/ogc/collections/{layer.id}", "collection", layer.title),
    ]
    if offset + limit < total:
        links.append(link(call, at(offset + limit), "next", "下一页", GEOJSON))
    if offset > 0:
        links.append(link(call, at(max(0, offset - limit)), "prev", "上一页", GEOJSON))
    return links


def item(call: Call) -> Response:
    """`GET /ogc/collections/{layer}/items/{id}`, with the entity tag that writes are based on"""
    layer = seen_layer(call)
    parameters.only(call, ("f", "crs"))
    parameters.require_json(call)
    parameters.require_crs84(call, "crs")
    found = elements.get(call.district, call.user, layer.id, call.path["id"])
    headers = {"ETag": documents.etag(found), "Cache-Control": _REVALIDATED}
    if parameters.is_unchanged(call, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    path = f"/ogc/collections/{layer.id}"
    document = documents.feature(call.district, found)
    document["links"] = [
        link(call, f"{path}/items/{found.id}", "self", found.name, GEOJSON),
        link(call, path, "collection", layer.title),
    ]
    return answer(document, media_type=GEOJSON, headers=headers)


# --- writing: each honours Idempotency-Key -----------------------------------------------------------------


def create(call: Call) -> Response:
    """`POST /ogc/collections/{layer}/items`"""
    _refuse_parameters(call)
    layer, reason, key = call.path["layer"], parameters.reason(call), parameters.idempotency_key(call)
    call.district.catalogue.layer(layer)
    body = bodies.read_feature(call)
    assert body.geometry is not None
    done = elements.create(
        call.district, call.user, layer, body.values, body.geometry, reason=reason, idempotency_key=key
    )
    location = call.url(f"/ogc/collections/{layer}/items/{done.element.id}")
    return _written(call, done, status=201, headers={"Location": location})


def replace(call: Call) -> Response:
    """`PUT /ogc/collections/{layer}/items/{id}` with If-Match: what is missing is cleared"""
    _refuse_parameters(call)
    layer, identity = call.path["layer"], call.path["id"]
    reason, key = parameters.reason(call), parameters.idempotency_key(call)
    body = bodies.read_feature(call)
    base = parameters.base_revision(call, layer, identity)
    done = elements.change(
        call.district, call.user, layer, identity,
        base_revision=base, values=body.values, geometry=body.geometry, reason=reason, idempotency_key=key,
    )  # fmt: skip
    return _written(call, done)


def update(call: Call) -> Response:
    """`PATCH /ogc/collections/{layer}/items/{id}` with If-Match: what is missing stays, null clears"""
    _refuse_parameters(call)
    layer, identity = call.path["layer"], call.path["id"]
    reason, key = parameters.reason(call), parameters.idempotency_key(call)
    body = bodies.read_patch(call)
    if body.is_empty:
        raise BadRequest(
            "the patch names neither properties nor a geometry",
            zh="没有可保存的内容:请在“properties”中列出要改的字段,或给出“geometry”。",
        )
    base = parameters.base_revision(call, layer, identity)
    done = elements.change(
        call.district, call.user, layer, identity,
        base_revision=base, changes=body.values, geometry=body.geometry, reason=reason, idempotency_key=key,
    )  # fmt: skip
    return _written(call, done)


def delete(call: Call) -> Response:
    """`DELETE /ogc/collections/{layer}/items/{id}` with If-Match"""
    _refuse_parameters(call)
    layer, identity = call.path["layer"], call.path["id"]
    reason, key = parameters.reason(call), parameters.idempotency_key(call)
    base = parameters.base_revision(call, layer, identity)
    done = elements.delete(
        call.district, call.user, layer, identity, base_revision=base, reason=reason, idempotency_key=key
    )
    return empty({"X-Gridmap-Sequence": str(done.element.sequence), "X-Gridmap-Warnings": _warnings(done)})


def _refuse_parameters(call: Call) -> None:
    parameters.only(call, ("f", "crs"))
    parameters.require_json(call)
    parameters.require_crs84(call, "crs")


def _written(
    call: Call, done: Receipt, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The stored feature; the receipt's other members ride beside it, as GeoJSON allows."""
    receipt = documents.receipt(call.district, call.user, done)
    document = {**receipt.pop("feature"), **receipt}
    return answer(
        document,
        status=status,
        media_type=GEOJSON,
        headers={"ETag": receipt["etag"], "X-Gridmap-Warnings": _warnings(done), **(headers or {})},
    )


def _warnings(done: Receipt) -> str:
    return parameters.header_text(encoded([one[:100] for one in done.warnings[:_MAX_WARNINGS]]).decode())
