"""`/api/scenarios` and what compares, proposes and takes away: comparison, siting, candidates, exports, runs."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from gridmap.api.bodies import parse_json, read_object, text_of
from gridmap.api.calls import BadRequest, Call, Handler, answer, empty
from gridmap.api.coverage import asked
from gridmap.domain.scenarios import parse_changes
from gridmap.errors import RevisionRequired, TooManyRequests
from gridmap.services import balance as balances
from gridmap.services import candidates as sites
from gridmap.services import coverage_exports, runs, scenarios, siting
from gridmap.services.questions import parse_question

MOST_AT_ONCE = 2
_MEMBERS = ("name", "note", "changes", "question")
_turns = threading.BoundedSemaphore(MOST_AT_ONCE)


# --- scenarios --------------------------------------------------------------------------------------------


def listed(call: Call) -> Response:
    """`GET /api/scenarios`"""
    found = scenarios.find(call.district, call.user)
    return answer({"scenarios": [scenarios.scenario_document(call.user, one) for one in found]})


def create(call: Call) -> Response:
    """`POST /api/scenarios` with name, note, changes, question"""
    body = read_object(call, known=_MEMBERS)
    question = parse_question(_object(body, "question"), now=call.district.clock())
    made = scenarios.save(
        call.district, call.user, text_of(body, "name"), parse_changes(body.get("changes")), question,
        note=_note(body),
    )  # fmt: skip
    return answer(
        scenarios.scenario_document(call.user, made),
        status=201,
        headers={"Location": call.url(f"/api/scenarios/{made.id}")},
    )


def shown(call: Call) -> Response:
    """`GET /api/scenarios/{id}`"""
    return answer(
        scenarios.scenario_document(call.user, scenarios.get(call.district, call.user, call.path["id"]))
    )


def replace(call: Call) -> Response:
    """`PUT /api/scenarios/{id}` with revision and what changes: name, note, changes, question"""
    body = read_object(call, known=("revision", *_MEMBERS))
    revision = body.get("revision")
    if type(revision) is not int:
        raise RevisionRequired("revision is missing", zh="缺少方案的版本号,请重新打开方案后再试。")
    made = scenarios.change(
        call.district,
        call.user,
        call.path["id"],
        base_revision=revision,
        name=text_of(body, "name") if "name" in body else None,
        note=_note(body) if "note" in body else None,
        changes=parse_changes(body["changes"]) if "changes" in body else None,
        question=parse_question(_object(body, "question"), now=call.district.clock())
        if "question" in body
        else None,
    )
    return answer(scenarios.scenario_document(call.user, made))


def remove(call: Call) -> Response:
    """`DELETE /api/scenarios/{id}`"""
    scenarios.remove(call.district, call.user, call.path["id"])
    return empty()


def apply(call: Call) -> Response:
    """`POST /api/scenarios/{id}/apply`, optionally with values of added points by index"""
    values = _object(read_object(call, known=("values",)), "values")
    if not all(isinstance(one, dict) for one in values.values()):
        raise BadRequest(
            "values must be objects by index", zh="“values”应为按序号给出的属性。", member="values"
        )
    return answer(scenarios.apply(call.district, call.user, call.path["id"], values=values))


def _object(body: Any, name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise BadRequest(f"{name} must be an object", zh=f"“{name}”应为 JSON 对象。", member=name)
    return value


def _note(body: Any) -> str:
    return text_of(body, "note", max_length=500) if body.get("note") else ""


# --- on a question ----------------------------------------------------------------------------------------


def compare(call: Call) -> Response:
    """`GET` and `POST /api/coverage/compare?scenarios=`"""
    question, given = asked(call, "scenarios")
    chosen = given.get("scenarios") or ""
    ids = chosen.split(",") if isinstance(chosen, str) else chosen
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise BadRequest("scenarios must be ids", zh="“scenarios”应为方案编号。", member="scenarios")
    return answer(scenarios.compare(call.district, call.user, question, [one for one in ids if one]))


def balance(call: Call) -> Response:
    """`GET` and `POST /api/coverage/balance?tolerance=`"""
    question, given = asked(call, "tolerance")
    value = given.get("tolerance", 0.2)
    try:
        tolerance = float(value)
    except (TypeError, ValueError):
        raise BadRequest(
            "tolerance must be a number", zh="“tolerance”应为数字。", member="tolerance"
        ) from None
    return answer(balances.balance(call.district, call.user, question, tolerance=tolerance))


def candidates(call: Call) -> Response:
    """`POST /api/coverage/candidates` with candidates: places, or the id of a layer"""
    question, given = asked(call, "candidates", "cost_field")
    field = given.get("cost_field")
    if field is not None and not isinstance(field, str):
        raise BadRequest("cost_field must be a text", zh="“cost_field”应为文字。", member="cost_field")
    return answer(
        sites.compared(call.district, call.user, question, given.get("candidates"), cost_field=field)
    )


def site(call: Call) -> Response:
    """`POST /api/coverage/site`"""
    question, given = asked(call, *siting.MEMBERS)
    job = siting.start(call.district, call.user, siting.parse_siting(given, question))
    document = {"id": job.id, "kind": job.kind, "title": job.title, "state": job.state.value}
    return answer(document, status=202, headers={"Location": call.url(f"/api/jobs/{job.id}")})


def export(call: Call) -> Response:
    """`GET` and `POST /api/coverage/export?format=`"""
    question, given = asked(call, "format")
    format = coverage_exports.parse_coverage_format(given.get("format", "xlsx"))
    if not _turns.acquire(blocking=False):
        raise TooManyRequests(
            f"{MOST_AT_ONCE} exports are being written; try again in a moment", zh="正在写出其他导出文件,请稍后再试。",
            retry_after=10,
        )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="gridmap-coverage-"))
    try:
        made = coverage_exports.export(
            call.district, call.user, question, folder / f"coverage.{format.value}", format=format
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        _turns.release()
    return FileResponse(
        made.path,
        media_type=format.media_type,
        filename=made.suggested_name,
        headers={"Cache-Control": "no-store", "X-Gridmap-Sequence": str(made.sequence)},
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def rerun(call: Call) -> Response:
    """`POST /api/coverage/rerun` with a run file"""
    return answer(coverage_exports.rerun(call.district, call.user, parse_json(call.body)))


def runs_listed(call: Call) -> Response:
    """`GET /api/coverage/runs`"""
    return answer({"runs": [runs.summary(one) for one in runs.find(call.district, call.user)]})


def run_saved(call: Call) -> Response:
    """`POST /api/coverage/runs`: the question, and a title"""
    question, given = asked(call, "title")
    title = given.get("title") or ""
    if not isinstance(title, str):
        raise BadRequest("title must be a text", zh="“title”应为文字。", member="title")
    made = runs.save(call.district, call.user, question, title)
    location = {"Location": call.url(f"/api/coverage/runs/{made.id}")}
    return answer(runs.run_file(made), status=201, headers=location)


def run_shown(call: Call) -> Response:
    """`GET /api/coverage/runs/{id}`: a run file"""
    return answer(runs.run_file(runs.get(call.district, call.user, call.path["id"])))


_both = {"GET", "POST"}
ROUTES: tuple[tuple[str, dict[str, Handler]], ...] = (
    ("/api/coverage/compare", dict.fromkeys(_both, compare)),
    ("/api/coverage/balance", dict.fromkeys(_both, balance)),
    ("/api/coverage/candidates", {"POST": candidates}),
    ("/api/coverage/site", {"POST": site}),
    ("/api/coverage/export", dict.fromkeys(_both, export)),
    ("/api/coverage/rerun", {"POST": rerun}),
    ("/api/coverage/runs", {"GET": runs_listed, "POST": run_saved}),
    ("/api/coverage/runs/{id}", {"GET": run_shown}),
    ("/api/scenarios", {"GET": listed, "POST": create}),
    ("/api/scenarios/{id}", {"GET": shown, "PUT": replace, "DELETE": remove}),
    ("/api/scenarios/{id}/apply", {"POST": apply}),
)
