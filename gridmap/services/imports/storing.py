"""Storing a plan in one commit: all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection

from gridmap.domain.elements import Element, Operation
from gridmap.domain.roles import Permission, User
from gridmap.services import access, membership
from gridmap.services.district import District
from gridmap.services.imports.dry_run import collector_at_rest, planned, silent
from gridmap.services.imports.plans import (
    Action,
    ImportOutdated,
    ImportPlan,
    ImportReceipt,
    ImportRefused,
    Mode,
    Progress,
    parse_mode,
    vars_of,
)
from gridmap.services.imports.work import Work
from gridmap.storage import elements as stored
from gridmap.storage import lineage, newcomers

REASON = "批量导入"


def apply(
    district: District,
    user: User,
    plan: ImportPlan,
    mode: Mode | str | None = None,
    *,
    progress: Progress | None = None,
    on_stored: Callable[[Connection, ImportReceipt], None] | None = None,
) -> ImportReceipt:
    """
    Store what the plan says, in one commit: everything or nothing of it.

    A plan that somebody's edit has overtaken is made anew; where it then says something else, nothing is
    stored. `on_stored` runs inside the commit.

    Raises
    ------
    ImportRefused
        Mode "all", and rows are refused.
    ImportOutdated
        The district has moved on and the file would do something else now.
    PermissionDenied
    """
    mode = plan.mode if mode is None else parse_mode(mode)
    access.require(district, user, Permission.IMPORT, plan.layer.id)
    access.require_edit(district, user, plan.layer)
    if user.username != plan.username:
        raise access.refuse(
            district,
            user,
            "apply the plan of another account",
            plan.layer.id,
            zh="只能导入自己检查过的文件。",
        )
    progress = progress or silent
    for _ in range(3):
        if mode is Mode.ALL and not plan.is_clean:
            raise _refused(plan)
        with collector_at_rest():
            receipt = _store(district, user, plan, progress, on_stored)
        if receipt is not None:
            return receipt
        plan = _again(district, user, plan)
    raise _outdated(plan)


def _refused(plan: ImportPlan) -> ImportRefused:
    number = plan.count(Action.REFUSED)
    first = plan.problems[0]
    return ImportRefused(
        f"{number} of {len(plan.table)} rows are refused; mend them, or import the good rows alone",
        zh=f"{number} 行不合格,未导入任何数据。第 {first.row} 行:{first.message}。请修正文件,或选择“只导入合格的行”。",
        refused=number,
        problems=[vars_of(one) for one in plan.problems[:100]],
    )


def _outdated(plan: ImportPlan) -> ImportOutdated:
    return ImportOutdated(
        f"layer {plan.layer.id} changed while the file was checked; check it again",
        zh="检查之后数据有变化,文件的导入结果会不同,未导入任何数据。请重新检查后再导入。",
        layer=plan.layer.id,
    )


def _again(district: District, user: User, plan: ImportPlan) -> ImportPlan:
    """The same question to the district of now; raises ImportOutdated where the answer is another."""
    options = plan.options
    fresh = planned(Work(
        district, user, plan.layer, plan.table, plan.datum, plan.mode, plan.filename,
        replace(options, where={}), silent,
    ))  # fmt: skip
    if not np.array_equal(fresh.actions, plan.actions):
        raise _outdated(plan)
    return fresh


def _store(
    district: District,
    user: User,
    plan: ImportPlan,
    progress: Progress,
    on_stored: Callable[[Connection, ImportReceipt], None] | None,
) -> ImportReceipt | None:
    """The receipt; None when the district has moved on in what the plan was made from."""
    counts = {one.value: plan.count(one) for one in Action}
    if not plan.writes and plan.newcomers is None:
        receipt = ImportReceipt(None, **counts)
        if on_stored is not None:
            with district.database.write() as connection:
                on_stored(connection, receipt)
        return receipt
    number = counts["new"] + counts["changed"] + counts["restored"]
    reason = f"{REASON}:{plan.filename}({number} 个)"
    progress(0.0, "写入数据库")
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        if not _is_current(district, commit.connection, plan):
            return None
        written: list[Element] = []
        before: list[Element | None] = []
        for operation in (Operation.CREATE, Operation.UPDATE, Operation.RESTORE):
            writes = [one for one in plan.writes if one.operation is operation]
            bases = [one.before.revision if one.before else None for one in writes]
            written += stored.save(commit, [one.element for one in writes], operation, bases=bases)
            before += [one.before for one in writes]
        if plan.layer.is_grid:
            lineage.add(commit.connection, _recoded(commit.sequence, written, before))
        if plan.newcomers is not None:
            newcomers.add(commit, plan.newcomers)
        progress(0.8, "推算所在网格")
        membership.derive(district, commit.connection, written, before)
        if plan.newcomers is not None:
            new = plan.newcomers
            membership.derive_new(district, commit.connection, plan.layer, new.ids, new.geometry)
        receipt = ImportReceipt(commit.sequence, **counts)
        if on_stored is not None:
            on_stored(commit.connection, receipt)
    progress(1.0, "完成")
    return receipt


def _recoded(
    sequence: int, written: Sequence[Element], before: Sequence[Element | None]
) -> list[lineage.Link]:
    """The steps from old codes to new ones, for those who know a grid by its old code."""
    return [
        lineage.Link(sequence, now.layer, lineage.Descent.RECODE, now.id, then.code, now.id, now.code)
        for now, then in zip(written, before, strict=True)
        if then is not None and then.code not in (None, now.code)
    ]


def _is_current(district: District, connection: Connection, plan: ImportPlan) -> bool:
    """Whether nothing that the plan was made from was written since."""
    asked = {plan.layer.id, plan.layer.parent, *(one.id for one in district.catalogue.grids)} - {None}
    return all(stored.layer_sequence(connection, one) <= plan.sequence for one in asked if one)


def is_import(reason: str) -> bool:
    """Whether a commit with this reason was an import of a file."""
    return reason.startswith(REASON)
