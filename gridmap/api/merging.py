"""Saving with a merge: what a stale edit and the present state agree on is stored, the rest is put to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gridmap.api import bodies, parameters
from gridmap.api.calls import BadRequest, Call, answer
from gridmap.domain.merge import Choice
from gridmap.errors import PermissionDenied
from gridmap.services import documents, merging, proposals

_MAX_REVISION = 2**31
_MEMBERS = ("type", "id", "base_revision", "properties", "geometry", "choices", "reason")


def merge(call: Call) -> Response:
    """
    `POST /api/elements/{layer}/{id}/merge`: `{"base_revision", "properties", "geometry", "choices", "reason"}`

    Answers a receipt with `merged_fields`, or 409 with the three states. Sent twice, it is stored once: a state
    that is there already is no change, and `Idempotency-Key` brings the first answer again. A 403 says with
    `may_propose` that the change can be proposed.
    """
    layer, identity = call.path["layer"], call.path["id"]
    document = bodies.read_object(call, bodies.PATCH_TYPES, known=_MEMBERS)
    body = bodies.read_patch(call)
    reason = parameters.reason(call, document.get("reason"))
    key = parameters.idempotency_key(call)
    base, picks = base_revision(document), _choices(document)
    try:
        done = merging.save(
            call.district, call.user, layer, identity,
            base_revision=base, changes=body.values, geometry=body.geometry, choices=picks,
            reason=reason, idempotency_key=key,
        )  # fmt: skip
    except PermissionDenied as error:
        error.facts["may_propose"] = proposals.may_propose(
            call.district, call.user, layer, identity, body.geometry
        )
        raise
    receipt = documents.receipt(call.district, call.user, done.receipt)
    receipt["merged_fields"] = list(done.merged_fields)
    return answer(receipt, headers={"ETag": receipt["etag"]})


def base_revision(document: Mapping[str, Any], name: str = "base_revision") -> int | None:
    """The revision that an edit is based on, as its body says; None when it says nothing."""
    value = document.get(name)
    if value is not None and not (type(value) is int and 0 <= value < _MAX_REVISION):
        raise BadRequest(f"{name!r} must be a whole number", zh="所依据的版本号应为整数。", member=name)
    return value


def _choices(document: Mapping[str, Any]) -> dict[str, Choice]:
    given = document.get("choices") or {}
    try:
        return {str(field): Choice(side) for field, side in given.items()}
    except (AttributeError, ValueError):
        raise BadRequest(
            '"choices" must name "mine" or "theirs" for fields',
            zh="冲突的选择应为“我的”或“对方的”。",
            member="choices",
        ) from None
