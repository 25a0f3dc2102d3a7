"""Looking back: when something happened, and two dates side by side. Tiles of the past are in `tilesets`."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gridmap.api import parameters
from gridmap.api.calls import Call, answer
from gridmap.domain.elements import time_text
from gridmap.services import access, comparing, documents, names
from gridmap.services.comparing import Comparison, Difference

_MOST_COMMITS = 200
# of each kind and layer: more cannot be told apart on a map
_MOST_SHOWN = 2_000


def timeline(call: Call) -> Response:
    """`GET /api/timeline?layers=&limit=`: from when on there is a history, and the newest commits"""
    layers = parameters.layers(call)
    limit = parameters.whole(call, "limit", default=_MOST_COMMITS, least=1, most=_MOST_COMMITS, clamps=True)
    found = comparing.commits(call.district, call.user, layers=layers, limit=limit)
    called = names.of(call.district, [one.actor for one in found])
    commits = [
        {
            "sequence": one.sequence,
            "at": time_text(one.at),
            "actor": one.actor,
            "actor_name": called[one.actor],
            "reason": one.reason,
            "layers": [call.district.catalogue.layer(name).title for name in one.layers],
            "count": one.count,
        }
        for one in found
    ]
    first = comparing.first_at(call.district, call.user)
    return answer({"first": time_text(first), "now": time_text(call.district.clock()), "commits": commits})


def compare(call: Call) -> Response:
    """`GET /api/compare?layers=&from=&to=`: what was added, removed, moved and changed between two times"""
    since = parameters.time(call, "from")
    until = parameters.time(call, "to") if "to" in call.request.query_params else None
    wanted = parameters.layers(call)
    if not wanted:
        wanted = [one.id for one in access.visible_layers(call.district, call.user) if not one.is_basemap]
    found = [comparing.compare(call.district, call.user, one, since, until) for one in wanted]
    return answer({"layers": [_layer(call, one) for one in found]})


def _layer(call: Call, one: Comparison) -> dict[str, Any]:
    layer = call.district.catalogue.layer(one.layer)
    kinds = {"added": one.added, "removed": one.removed, "moved": one.moved, "changed": one.changed}
    return {
        "layer": one.layer,
        "title": layer.title,
        "earlier": time_text(one.earlier),
        "later": time_text(one.later),
        "unchanged": one.unchanged,
        "counts": {kind: len(rows) for kind, rows in kinds.items()},
        **{kind: [_difference(call, row) for row in rows[:_MOST_SHOWN]] for kind, rows in kinds.items()},
    }


def _difference(call: Call, one: Difference) -> dict[str, Any]:
    layer = call.district.catalogue.layer(one.element.layer)
    return {
        "id": one.element.id,
        "title": one.element.name or one.element.code or "",
        "before": one.before and documents.geometry_document(one.before.geometry),
        "after": one.after and documents.geometry_document(one.after.geometry),
        "moved_m": one.moved_m,
        "changes": documents.changes(layer, one.after, one.before) if one.fields else [],
    }
