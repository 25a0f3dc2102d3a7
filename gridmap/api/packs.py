"""Meeting packs over HTTP: ask for one, list them, fetch a file, make one again, drop one."""

from __future__ import annotations

from typing import Any

from starlette.responses import FileResponse, Response

from gridmap.api import bodies
from gridmap.api.calls import Call, Handler, answer, empty
from gridmap.domain.elements import time_text
from gridmap.services import names
from gridmap.services.packs import shelf
from gridmap.services.packs.shelf import Pack, Started


def listed(call: Call) -> Response:
    """`GET /api/packs`"""
    found = shelf.list_packs(call.district, call.user)
    called = names.of(call.district, [one.created_by for one in found])
    return answer({"packs": [_document(call, one, called) for one in found]})


def start(call: Call) -> Response:
    """`POST /api/packs`: the body is the request"""
    return _started(call, shelf.start(call.district, call.user, bodies.read_object(call)))


def again(call: Call) -> Response:
    """`POST /api/packs/{id}/again`"""
    return _started(call, shelf.again(call.district, call.user, call.path["id"]))


def delete(call: Call) -> Response:
    """`DELETE /api/packs/{id}`"""
    shelf.delete(call.district, call.user, call.path["id"])
    return empty()


def fetch(call: Call) -> Response:
    """`GET /api/packs/{id}/{format}`: the file, for taking away"""
    file = shelf.fetch(call.district, call.user, call.path["id"], call.path["format"])
    # a page from a pack has scripts of its own: never shown within this site
    return FileResponse(
        file.path,
        media_type=file.media_type,
        filename=file.name,
        headers={"Cache-Control": "private, no-store"},
    )


def _started(call: Call, started: Started) -> Response:
    if started.pack is not None:
        called = names.of(call.district, [started.pack.created_by])
        return answer({"pack": _document(call, started.pack, called)})
    assert started.job is not None
    location = call.url(f"/api/jobs/{started.job.id}")
    return answer({"job": started.job.id}, status=202, headers={"Location": location})


def _document(call: Call, pack: Pack, called: dict[str, str]) -> dict[str, Any]:
    return {
        "id": pack.id,
        "title": pack.title,
        # the slides are the story's; a list of packs need not repeat them
        "request": {name: one for name, one in pack.request.document().items() if name != "slides"},
        "data_time": time_text(pack.data_at),
        "sequence": pack.sequence,
        "is_simulated": pack.is_simulated,
        "pages": pack.pages,
        "files": [
            {"format": one.format.value, "name": one.name, "bytes": one.bytes,
             "href": call.url(f"/api/packs/{pack.id}/{one.format.value}")}
            for one in pack.files
        ],
        "created_by": pack.created_by,
        "created_by_name": called[pack.created_by],
        "created_at": time_text(pack.created_at),
    }  # fmt: skip


ROUTES: tuple[tuple[str, dict[str, Handler]], ...] = (
    ("/api/packs", {"GET": listed, "POST": start}),
    ("/api/packs/{id}", {"DELETE": delete}),
    ("/api/packs/{id}/again", {"POST": again}),
    ("/api/packs/{id}/{format}", {"GET": fetch}),
)
