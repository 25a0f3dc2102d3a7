"""Proposals to the officer next door: made, looked at, accepted, declined, withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gridmap.api import bodies, parameters
from gridmap.api.calls import Call, answer
from gridmap.api.merging import base_revision
from gridmap.api.parameters import BadParameter
from gridmap.domain.elements import Element, time_text
from gridmap.errors import GridmapError
from gridmap.services import documents, names, proposals
from gridmap.services.problems import chinese
from gridmap.storage.proposals import Proposal, State

_MEMBERS = ("type", "layer", "id", "base_revision", "properties", "geometry", "reason")
_BOXES = {"inbox": proposals.inbox, "sent": proposals.sent}


def listed(call: Call) -> Response:
    """`GET /api/proposals?box=inbox|sent`"""
    box = parameters.text(call, "box", "inbox")
    if box not in _BOXES:
        raise BadParameter("box", "must be inbox or sent", "应为 inbox 或 sent")
    found = _BOXES[box](call.district, call.user)
    called = _people(call, found)
    return answer({"proposals": [_document(call, one, called) for one in found]})


def propose(call: Call) -> Response:
    """`POST /api/proposals`: `{"layer", "id", "base_revision", "properties", "geometry", "reason"}`"""
    document = bodies.read_object(call, bodies.PATCH_TYPES, known=_MEMBERS)
    layer, identity = bodies.text_of(document, "layer"), bodies.text_of(document, "id")
    body = bodies.read_patch(call)
    made = proposals.propose_change(
        call.district, call.user, layer, identity,
        base_revision=base_revision(document), changes=body.values, geometry=body.geometry,
        reason=parameters.reason(call, document.get("reason")),
    )  # fmt: skip
    location = call.url(f"/api/proposals/{made.id}")
    return answer(_document(call, made), status=201, headers={"Location": location})


def shown(call: Call) -> Response:
    """`GET /api/proposals/{id}`: with the states before and after, or why it could not be carried out now"""
    found = proposals.get(call.district, call.user, call.path["id"])
    document = _document(call, found)
    if found.state is State.OPEN:
        try:
            before, after = proposals.preview(call.district, call.user, found.id)
            document |= {"before": _features(call, before), "after": _features(call, after)}
        except GridmapError as error:
            document |= {"before": [], "after": [], "obstacle": chinese(error)}
    return answer(document)


def accept(call: Call) -> Response:
    """`POST /api/proposals/{id}/accept`, optionally `{"answer"}`"""
    done = proposals.accept(call.district, call.user, call.path["id"], answer=_answer(call))
    warnings = list(done.warnings)
    return answer({**_document(call, done.proposal), "sequence": done.sequence, "warnings": warnings})


def decline(call: Call) -> Response:
    """`POST /api/proposals/{id}/decline`, optionally `{"answer"}`"""
    proposals.decline(call.district, call.user, call.path["id"], answer=_answer(call))
    return answer(_document(call, proposals.get(call.district, call.user, call.path["id"])))


def withdraw(call: Call) -> Response:
    """`POST /api/proposals/{id}/withdraw`"""
    proposals.withdraw(call.district, call.user, call.path["id"])
    return answer(_document(call, proposals.get(call.district, call.user, call.path["id"])))


def _answer(call: Call) -> str:
    return parameters.reason(call, bodies.read_object(call, known=("answer",)).get("answer"))


def _features(call: Call, states: Sequence[Element]) -> list[dict[str, Any]]:
    return [{**documents.feature(call.district, one), "layer": one.layer} for one in states]


def _people(call: Call, found: Sequence[Proposal]) -> dict[str, str]:
    return names.of(call.district, [who for one in found for who in (one.created_by, one.decided_by)])


def _document(call: Call, one: Proposal, called: dict[str, str] | None = None) -> dict[str, Any]:
    called = _people(call, [one]) if called is None else called
    return {
        "id": one.id,
        "kind": one.kind,
        "layer": one.layer,
        "layer_title": call.district.catalogue.layer(one.layer).title,
        "title": one.title,
        "reason": one.reason,
        "elements": [*one.own_ids, *one.their_ids],
        "created_by": one.created_by,
        "created_by_name": called[one.created_by],
        "created_at": time_text(one.created_at),
        "state": one.state.value,
        "state_title": one.state.title,
        "decided_by": one.decided_by,
        "decided_by_name": called[one.decided_by] if one.decided_by else None,
        "decided_at": time_text(one.decided_at),
        "answer": one.answer,
        "sequence": one.sequence,
        "is_mine": one.created_by == call.user.username,
        "may_decide": one.state is State.OPEN and proposals.may_decide(call.district, call.user, one),
    }
