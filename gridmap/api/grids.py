"""Grids edited as a partition: borders, splitting, merging, re-numbering, undo. A trial run stores nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapely.geometry.base import BaseGeometry
from starlette.responses import Response

from gridmap.api import bodies, parameters
from gridmap.api.calls import BadRequest, Call, answer
from gridmap.api.merging import base_revision
from gridmap.domain.elements import Element
from gridmap.services import access, documents, grids, lookup, neighbours
from gridmap.services.grids import GridReceipt

_MOST = 200
_OPTIONS = ("dry_run", "propose", "reason")


def listed(call: Call) -> Response:
    """`GET /api/grids/{layer}`"""
    layer = lookup.grid_layer(call.district, call.user, call.path["layer"])
    return answer(documents.grids_document(call.district, layer))


def neighbours_of(call: Call) -> Response:
    """`GET /api/grids/{layer}/{id}/neighbours`: those that share a border and the parent"""
    found = neighbours.of_grid(call.district, call.user, call.path["layer"], call.path["id"])
    return answer({"features": _features(call, found)})


def border(call: Call) -> Response:
    """
    `POST /api/grids/{layer}/border`: `{"id", "geometry", "base_revision"}`, a new outline for one grid; or
    `{"first", "second", "geometry", "base_revisions"}`, a line as the common border of two.
    """
    known = ("id", "base_revision", "first", "second", "base_revisions", "geometry", *_OPTIONS)
    body = bodies.read_object(call, bodies.FEATURE_TYPES, known=known)
    drawn, rest = bodies.geometry_of(body.get("geometry")), _options(call, body)
    layer = call.path["layer"]
    if "first" in body:
        pair = bodies.text_of(body, "first"), bodies.text_of(body, "second")
        revisions = _revisions(body)
        done = grids.move_line(
            call.district, call.user, layer, *pair, drawn, base_revisions=revisions, **rest
        )
    else:
        identity = bodies.text_of(body, "id")
        done = grids.move_border(
            call.district, call.user, layer, identity, drawn, base_revision=base_revision(body), **rest
        )
    return _receipt(call, done)


def split(call: Call) -> Response:
    """`POST /api/grids/{layer}/split`: `{"id", "geometry", "base_revision", "names", "codes"}`"""
    known = ("id", "base_revision", "geometry", "names", "codes", *_OPTIONS)
    body = bodies.read_object(call, bodies.FEATURE_TYPES, known=known)
    line: BaseGeometry = bodies.geometry_of(body.get("geometry"))
    done = grids.split(
        call.district, call.user, call.path["layer"], bodies.text_of(body, "id"), line,
        base_revision=base_revision(body), names=_texts(body, "names"), codes=_texts(body, "codes"),
        **_options(call, body),
    )  # fmt: skip
    return _receipt(call, done)


def merge(call: Call) -> Response:
    """`POST /api/grids/{layer}/merge`: `{"ids", "base_revisions", "into", "name", "code"}`"""
    known = ("ids", "base_revisions", "into", "name", "code", *_OPTIONS)
    body = bodies.read_object(call, known=known)
    into, name, code = (
        bodies.text_of(body, one) if body.get(one) is not None else None for one in ("into", "name", "code")
    )
    done = grids.merge(
        call.district, call.user, call.path["layer"], _texts(body, "ids"),
        base_revisions=_revisions(body), into=into, name=name, code=code or None, **_options(call, body),
    )  # fmt: skip
    return _receipt(call, done)


def renumber(call: Call) -> Response:
    """`POST /api/grids/{layer}/renumber`: `{"prefix"}`; the receipt has the old codes too"""
    body = bodies.read_object(call, known=("prefix", *_OPTIONS))
    rest = _options(call, body)
    rest.pop("propose")
    layer = call.path["layer"]
    old = neighbours.codes(call.district, call.user, layer)
    done = grids.renumber(call.district, call.user, layer, bodies.text_of(body, "prefix"), **rest)
    codes = [{"id": one.id, "before": old.get(one.id), "after": one.code} for one in done.changed]
    return _receipt(call, done, codes=codes)


def undo(call: Call) -> Response:
    """`POST /api/grids/{layer}/undo`: `{"sequence"}`, the commit of a grid edit"""
    body = bodies.read_object(call, known=("sequence",))
    sequence = base_revision(body, "sequence")
    if not sequence:
        raise BadRequest("'sequence' is missing", zh="缺少要撤销的提交编号。", member="sequence")
    layer = call.district.catalogue.layer(call.path["layer"])
    access.require_edit(call.district, call.user, layer)
    return _receipt(call, grids.undo(call.district, call.user, sequence))


# --- bodies ----------------------------------------------------------------------------------------------


def _options(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    flags = {name: body.get(name, default) for name, default in (("dry_run", False), ("propose", True))}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise BadRequest(
                f"{name!r} must be true or false", zh=f"“{name}”应为 true 或 false。", member=name
            )
    return {**flags, "reason": parameters.reason(call, body.get("reason"))}


def _texts(body: Mapping[str, Any], name: str) -> Sequence[str]:
    value = body.get(name) or []
    if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(one, str) for one in value):
        raise BadRequest(f"{name!r} must be a list of texts", zh=f"“{name}”应为文字列表。", member=name)
    return value


def _revisions(body: Mapping[str, Any]) -> dict[str, int]:
    value = body.get("base_revisions")
    if not isinstance(value, dict) or not all(type(one) is int for one in value.values()):
        raise BadRequest(
            "'base_revisions' must name a revision for each id",
            zh="缺少所依据的版本号。",
            member="base_revisions",
        )
    return value


def _receipt(call: Call, done: GridReceipt, **more: Any) -> Response:
    document = {
        "changed": _features(call, done.changed),
        "created": _features(call, done.created),
        "retired": _features(call, done.retired),
        "warnings": list(done.warnings),
        "sequence": done.sequence,
        "proposal": done.proposal and {"id": done.proposal.id, "title": done.proposal.title},
        **more,
    }
    return answer(document)


def _features(call: Call, states: Sequence[Element]) -> list[dict[str, Any]]:
    return [{**documents.feature(call.district, one), "layer": one.layer} for one in states]
