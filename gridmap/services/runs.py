"""Runs: answers that were kept, with the commit of their inputs, so that any figure can be computed again."""

from __future__ import annotations

from typing import Any

from gridmap.domain.elements import new_id, time_text
from gridmap.domain.roles import Permission, User
from gridmap.errors import NotFound
from gridmap.services import access, coverage_exports
from gridmap.services.district import District
from gridmap.services.questions import Question
from gridmap.storage import scenarios as stored
from gridmap.storage.scenarios import Run

COVERAGE = "coverage"
MOST_LISTED = 100


def save(district: District, user: User, question: Question, title: str = "") -> Run:
    """Keep the present answer to a question; raises PermissionDenied, and what asking it raises."""
    access.require(district, user, Permission.SAVE_SCENARIOS, "runs")
    document = coverage_exports.run_document(district, user, question)
    run = Run(
        id=new_id(),
        kind=COVERAGE,
        title=title.strip()[:60] or "覆盖分析",
        parameters=document["question"],
        sequence=document["sequence"],
        result=document["result"],
        created_by=user.username,
        created_at=district.clock(),
    )
    with district.database.write() as connection:
        stored.add_run(connection, run)
    return run


def find(district: District, user: User) -> list[Run]:
    """The newest runs that the user may see: one's own, and with sensitive sight everybody's."""
    access.require(district, user, Permission.VIEW_COVERAGE, "runs")
    # a run holds the figures as its maker saw them
    own_only = None if user.may(Permission.VIEW_SENSITIVE) else user.username
    with district.database.read() as connection:
        return stored.find_runs(connection, created_by=own_only, limit=MOST_LISTED)


def get(district: District, user: User, run_id: str) -> Run:
    """The run with this id; raises NotFound, also for one the user may not see."""
    access.require(district, user, Permission.VIEW_COVERAGE, run_id)
    with district.database.read() as connection:
        found = stored.get_run(connection, run_id)
    if found is None or not (user.may(Permission.VIEW_SENSITIVE) or found.created_by == user.username):
        raise NotFound(f"there is no run {run_id}", zh="没有这次计算的记录。", run=run_id)
    return found


def run_file(one: Run) -> dict[str, Any]:
    """The run as a run file has it, which `coverage_exports.rerun` computes again."""
    return {
        "format": coverage_exports.RUN_FORMAT,
        "version": coverage_exports.RUN_VERSION,
        "id": one.id,
        "kind": one.kind,
        "title": one.title,
        "question": dict(one.parameters),
        "sequence": one.sequence,
        "is_masked": False,
        "result": dict(one.result),
        "created_by": one.created_by,
        "written_at": time_text(one.created_at),
    }


def summary(one: Run) -> dict[str, Any]:
    """The run without its figures, for a list."""
    whole = run_file(one)
    return {
        name: whole[name]
        for name in ("id", "kind", "title", "question", "sequence", "created_by", "written_at")
    }
