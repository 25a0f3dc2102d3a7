"""The product's own routes: catalogue, search, single elements, grids, jobs, health."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.responses import Response

from gridmap import __version__
from gridmap.api import parameters
from gridmap.api.bodies import read_object
from gridmap.api.calls import Call, answer
from gridmap.errors import AuthenticationRequired, InvalidInput
from gridmap.services import access, accounts, documents, elements, jobs
from gridmap.services import as_of as past
from gridmap.services.elements import Receipt
from gridmap.services.jobs import Job
from gridmap.services.problems import plain

MAX_TOLERANCE = 0.1
MAX_RESULTS = 50


def health(call: Call) -> Response:
    """`GET /api/health`: for probes; the commit number only for those who are signed in."""
    document: dict[str, Any] = {
        "status": "ok",
        "version": __version__,
        "database": "gpkg" if call.district.database.is_embedded else "postgis",
    }
    sequence = call.district.database.sequence()
    try:
        accounts.require_settled(call.user)
        document["sequence"] = sequence
    except (AuthenticationRequired, accounts.PasswordChangeRequired):
        pass
    return answer(document)


def catalogue(call: Call) -> Response:
    """`GET /api/catalogue`"""
    return answer(documents.catalogue(call.district, call.user))


def search(call: Call) -> Response:
    """`GET /api/search?q=&layers=&grid=&limit=`"""
    text, layers = parameters.text(call, "q"), parameters.layers(call)
    limit = parameters.whole(call, "limit", default=20, least=1, most=MAX_RESULTS, clamps=True)
    grid = parameters.grid(call)
    found = elements.search(call.district, call.user, text, layers=layers, limit=limit, grid=grid)
    return answer(documents.search_document(call.district, found))


def identify(call: Call) -> Response:
    """`GET /api/identify?lon=&lat=&tolerance=&layers=&at=`; with `at`, what was here then"""
    lon = parameters.number(call, "lon", least=-180, most=180)
    lat = parameters.number(call, "lat", least=-90, most=90)
    tolerance = parameters.number(call, "tolerance", least=0, most=MAX_TOLERANCE, default=0.0005)
    layers = parameters.layers(call)
    if not layers:
        layers = [one.id for one in access.visible_layers(call.district, call.user)]
    if "at" in call.request.query_params:
        at = parameters.time(call, "at")
        found = past.identify(call.district, call.user, lon, lat, tolerance=tolerance, layers=layers, at=at)
    else:
        found = elements.identify(call.district, call.user, lon, lat, tolerance=tolerance, layers=layers)
    features = [{**documents.feature(call.district, one), "layer": one.layer} for one in found]
    return answer({"features": features, "people": documents.people_document(call.district, found)})


# --- one element -----------------------------------------------------------------------------------------


def area(call: Call) -> Response:
    """`GET /api/area`: the ground inside which one may write; null where that is everywhere or nowhere"""
    found = access.area_of(call.district, call.user)
    is_some = found is not None and not found.is_empty
    return answer({"geometry": documents.geometry_document(found) if is_some else None})


def next_code(call: Call) -> Response:
    """`GET /api/codes/{layer}`: a free code for a new element, null where there is no telling"""
    return answer({"code": elements.next_code(call.district, call.user, call.path["layer"])})


def element(call: Call) -> Response:
    """`GET /api/elements/{layer}/{id}`"""
    found = elements.get(call.district, call.user, call.path["layer"], call.path["id"])
    grid_codes = elements.grids_of(call.district, found)
    document = documents.element_document(call.district, call.user, found, grid_codes)
    return answer(document, headers={"ETag": documents.etag(found)})


def history(call: Call) -> Response:
    """`GET /api/elements/{layer}/{id}/history`"""
    revisions = elements.history(call.district, call.user, call.path["layer"], call.path["id"])
    layer = call.district.catalogue.layer(call.path["layer"])
    return answer(documents.history_document(call.district, layer, revisions))


def as_of(call: Call) -> Response:
    """`GET /api/elements/{layer}/{id}/as-of?at=`"""
    at = parameters.time(call, "at")
    found = elements.element_as_of(call.district, call.user, call.path["layer"], call.path["id"], at)
    people = documents.people_document(call.district, [found])
    return answer({"feature": documents.feature(call.district, found), "people": people})


def _receipt(call: Call, receipt: Receipt) -> Response:
    document = documents.receipt(call.district, call.user, receipt)
    return answer(document, headers={"ETag": document["etag"]})


def verify(call: Call) -> Response:
    """`POST /api/elements/{layer}/{id}/verify` with If-Match"""
    layer, identity = call.path["layer"], call.path["id"]
    reason = parameters.reason(call, read_object(call, known=("reason",)).get("reason"))
    base = parameters.base_revision(call, layer, identity)
    done = elements.verify(call.district, call.user, layer, identity, base_revision=base, reason=reason)
    return _receipt(call, done)


def undo(call: Call) -> Response:
    """`POST /api/elements/{layer}/{id}/undo` with If-Match"""
    layer, identity = call.path["layer"], call.path["id"]
    read_object(call, known=())
    base = parameters.base_revision(call, layer, identity)
    return _receipt(call, elements.undo(call.district, call.user, layer, identity, base_revision=base))


def restore(call: Call) -> Response:
    """`POST /api/elements/{layer}/{id}/restore`, optionally `{"to_revision": n}`"""
    body = read_object(call, known=("to_revision", "reason"))
    to_revision = body.get("to_revision")
    if to_revision is not None and not (type(to_revision) is int and 1 <= to_revision < 2**31):
        raise InvalidInput("to_revision must be a whole number from 1", zh="版本号应为正整数。")
    reason = parameters.reason(call, body.get("reason"))
    done = elements.restore(
        call.district, call.user, call.path["layer"], call.path["id"], to_revision=to_revision, reason=reason
    )
    return _receipt(call, done)


# --- jobs ------------------------------------------------------------------------------------------------


def _job_document(job: Job) -> dict[str, Any]:
    document = {name: plain(value) for name, value in dataclasses.asdict(job).items()}
    for name in ("pid", "host"):
        document.pop(name, None)
    document["state_title"] = job.state.title
    return document


def job_list(call: Call) -> Response:
    """`GET /api/jobs`"""
    return answer({"jobs": [_job_document(one) for one in jobs.list_jobs(call.district, call.user)]})


def job(call: Call) -> Response:
    """`GET /api/jobs/{id}`"""
    return answer(_job_document(jobs.get(call.district, call.user, call.path["id"])))


def cancel_job(call: Call) -> Response:
    """`DELETE /api/jobs/{id}`"""
    return answer(_job_document(jobs.cancel(call.district, call.user, call.path["id"])))
