"""`/api/coverage`: reports, shapes and previews of coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gridmap.analysis.speeds import Mode
from gridmap.api import parameters
from gridmap.api.bodies import read_object
from gridmap.api.calls import BadRequest, Call, Handler, answer
from gridmap.services import coverage, gaps, networks, previews
from gridmap.services.questions import DEMAND, MEMBERS, POINTS, Question, parse_question

_QUERY = MEMBERS[:-1]
_KINDS = ("reach", "areas", "gaps")


def asked(call: Call, *extra: str) -> tuple[Question, Mapping[str, Any]]:
    """The question of a call and its other members: from the query of a GET, from the body of a POST."""
    if call.request.method in ("GET", "HEAD"):
        parameters.only(call, (*_QUERY, *extra))
        given: Mapping[str, Any] = {
            name: parameters.text(call, name)
            for name in call.request.query_params
            if name in (*_QUERY, *extra)
        }
    else:
        parameters.only(call, extra)
        given = {
            **{name: parameters.text(call, name) for name in call.request.query_params},
            **read_object(call),
        }
        unknown = sorted(set(given) - {*MEMBERS, *extra})
        if unknown:
            raise BadRequest(
                f"member {unknown[0][:40]!r} is not known here",
                zh=f"“{unknown[0][:40]}”在此处不可用。",
                member=unknown[0][:40],
            )
    return parse_question(given, now=call.district.clock()), given


def flag(given: Mapping[str, Any], name: str) -> bool:
    """A member that says yes or no."""
    value = given.get(name, False)
    if value in (True, "1", "true"):
        return True
    if value in (False, "", "0", "false", None):
        return False
    raise BadRequest(f"{name} must be true or false", zh=f"“{name}”应为 true 或 false。", member=name)


def report(call: Call) -> Response:
    """`GET` and `POST /api/coverage`"""
    question, given = asked(call, "gaps")
    return answer(coverage.report(call.district, call.user, question, gaps=flag(given, "gaps")).document())


def shapes(call: Call) -> Response:
    """`GET` and `POST /api/coverage/shapes?kind=&point=&bands=`"""
    question, given = asked(call, "kind", "point", "bands")
    kind = given.get("kind", "gaps")
    if kind not in _KINDS:
        raise BadRequest(
            f"kind must be one of {', '.join(_KINDS)}", zh="kind 应为 reach、areas 或 gaps。", member="kind"
        )
    for name in ("point", "bands"):
        if kind != "reach" and given.get(name):
            raise BadRequest(
                f"{name} belongs to kind=reach, not to kind={kind}",
                zh=f"“{name}”只用于 kind=reach,请去掉,或改为 kind=reach。",
                member=name,
            )
    if kind == "gaps":
        return answer(gaps.gap_shapes(call.district, call.user, question))
    if kind == "areas":
        return answer(gaps.area_shapes(call.district, call.user, question))
    bands = given.get("bands") or ""
    if not isinstance(bands, str):
        raise BadRequest(
            "bands must be a text such as 300m,600m", zh="“bands”应为 300m,600m 这样的文字。", member="bands"
        )
    chosen = gaps.parse_bands([one for one in bands.split(",") if one], question)
    point = given.get("point") or None
    return answer(gaps.reach_shapes(call.district, call.user, question, point=point, bands=chosen))


def preview(call: Call) -> Response:
    """`POST /api/coverage/preview`"""
    question, given = asked(call, "gaps")
    return answer(previews.preview(call.district, call.user, question, gaps=flag(given, "gaps")))


def resilience(call: Call) -> Response:
    """`GET` and `POST /api/coverage/resilience?pairs=`"""
    question, given = asked(call, "pairs")
    return answer(coverage.resilience(call.district, call.user, question, pairs=flag(given, "pairs")))


def network(call: Call) -> Response:
    """`GET /api/coverage/network?mode=&points=&demand=`"""
    parameters.only(call, ("mode", "points", "demand"))
    return answer(
        networks.quality(
            call.district, call.user, parameters.text(call, "mode", Mode.FOOT.value),
            points=parameters.text(call, "points", POINTS), demand=parameters.text(call, "demand", DEMAND),
        )
    )  # fmt: skip


ROUTES: tuple[tuple[str, dict[str, Handler]], ...] = (
    ("/api/coverage", {"GET": report, "POST": report}),
    ("/api/coverage/shapes", {"GET": shapes, "POST": shapes}),
    ("/api/coverage/preview", {"POST": preview}),
    ("/api/coverage/resilience", {"GET": resilience, "POST": resilience}),
    ("/api/coverage/network", {"GET": network}),
)
