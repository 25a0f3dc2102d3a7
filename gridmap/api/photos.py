"""Photos of elements: handed in, listed, shown to those who are signed in, deleted."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gridmap.api import bodies
from gridmap.api.calls import Call, answer, empty
from gridmap.domain.elements import time_text
from gridmap.services import names, photos
from gridmap.storage.photos import Photo

_TYPES = ("image/jpeg", "image/png")


def listed(call: Call) -> Response:
    """`GET /api/elements/{layer}/{id}/photos`"""
    found = photos.listed(call.district, call.user, call.path["layer"], call.path["id"])
    called = names.of(call.district, [one.created_by for one in found])
    return answer({"photos": [_document(one, called) for one in found]})


def add(call: Call) -> Response:
    """`POST /api/elements/{layer}/{id}/photos`: the file itself is the body"""
    bodies.require_type(call, _TYPES)
    layer, identity = call.path["layer"], call.path["id"]
    made = photos.add(call.district, call.user, layer, identity, call.body)
    location = call.url(f"/api/elements/{layer}/{identity}/photos/{made.id}")
    called = names.of(call.district, [made.created_by])
    return answer(_document(made, called), status=201, headers={"Location": location})


def shown(call: Call) -> Response:
    """`GET /api/elements/{layer}/{id}/photos/{photo}`: a JPEG file, which never changes"""
    path = call.path
    content = photos.content(call.district, call.user, path["layer"], path["id"], path["photo"])
    # not from a cache once somebody else sits at the browser: asked for anew each time
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": "inline"}
    return Response(content, headers=headers, media_type="image/jpeg")


def delete(call: Call) -> Response:
    """`DELETE /api/elements/{layer}/{id}/photos/{photo}`"""
    photos.delete(call.district, call.user, call.path["layer"], call.path["id"], call.path["photo"])
    return empty()


def _document(one: Photo, called: dict[str, str]) -> dict[str, Any]:
    return {
        "id": one.id,
        "width": one.width,
        "height": one.height,
        "size": one.size,
        "created_at": time_text(one.created_at),
        "created_by": one.created_by,
        "created_by_name": called[one.created_by],
    }
