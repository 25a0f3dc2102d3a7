"""Grid edits carried through: worked out, judged, and stored in one commit, or put to the other side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gridmap.domain.elements import Element, Operation
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import StateConflict
from gridmap.services import membership, partition
from gridmap.services.district import District
from gridmap.services.elements import Also
from gridmap.services.grids.codes import note_lineage, refuse_taken_codes
from gridmap.services.grids.judging import judged
from gridmap.services.grids.plans import GridEdit, GridReceipt, Plan, Proposable
from gridmap.services.grids.sides import Sides, propose
from gridmap.storage import elements as stored
from gridmap.storage.database import Commit

# How often an edit is computed anew when somebody else writes a grid between looking and storing.
_TRIES = 20


class GridsBusy(StateConflict):
    """Others keep writing grids of this layer; nothing was stored."""

    title = "网格正被他人修改"


def carry_through(
    district: District,
    user: User,
    layer: Layer,
    edit: GridEdit,
    *,
    reason: str = "",
    may_ask: bool = False,
    dry_run: bool = False,
    also: Also | None = None,
) -> GridReceipt:
    """
    Store an edit whose rights on the layer were checked.

    Parameters
    ----------
    may_ask : an edit that reaches out of the user's area becomes a proposal, where one of the grids is the
        user's own and the edit is of a kind that can be proposed
    dry_run : say what would happen, store nothing
    also : stored in the same commit

    Raises
    ------
    PermissionDenied, InvalidElement, StateConflict (a code is taken), GridsBusy, and what working out and the
    partition's check raise
    """
    for _ in range(_TRIES):
        plan = judged(district, edit.plan(district, layer))
        if not plan.changes:
            return replace(plan.receipt, warnings=(*plan.warnings, "没有改动,未保存"))
        sides = Sides.of(district, user, plan)
        if not sides.is_within:
            if not (may_ask and sides.own and isinstance(edit, Proposable)):
                raise sides.refusal(district, user, plan)
            trial = _trial(district, plan)
            if dry_run:
                return trial
            return replace(trial, proposal=propose(district, user, edit, plan, sides, reason))
        if dry_run:
            return _trial(district, plan)
        if (done := _store(district, user, plan, reason or edit.title(layer), also)) is not None:
            return done
    raise GridsBusy(
        "others keep writing these grids; try again", zh="网格正被他人连续修改,未保存,请稍后再试。"
    )


def _trial(district: District, plan: Plan) -> GridReceipt:
    told = partition.check_together(district, plan.layer, plan.written)
    return replace(plan.receipt, warnings=(*plan.warnings, *told))


def _store(district: District, user: User, plan: Plan, reason: str, also: Also | None) -> GridReceipt | None:
    """Store the plan in one commit; None when somebody wrote what it was worked out from."""
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        present = _present(district, commit, plan)
        if present is None:
            return None
        refuse_taken_codes(commit, plan)
        told = partition.check_together(district, plan.layer, plan.written)
        retired = stored.save(commit, plan.retired, Operation.DELETE, bases=_bases(plan.retired))
        changed = stored.save(commit, plan.changed, Operation.UPDATE, bases=_bases(plan.changed))
        created = stored.save(commit, plan.created, Operation.CREATE)
        note_lineage(commit, plan)
        written = [*retired, *changed, *created]
        membership.derive(district, commit.connection, written, [present.get(one.id) for one in written])
        if also is not None:
            also(commit)
        sequence = commit.sequence
    warnings = (*plan.warnings, *told)
    return GridReceipt(tuple(changed), tuple(created), tuple(retired), warnings, sequence)


def _present(district: District, commit: Commit, plan: Plan) -> dict[str, Element] | None:
    """
    The states that the plan replaces; None when they, or anything around them, were written since.

    Grids of the layer, of its parent and of the partitions below it all count: each may bar the edit.
    """
    layer = plan.layer
    watched = [layer.id, *([layer.parent] if layer.parent else [])]
    watched += [one.id for one in district.catalogue if one.parent == layer.id and one.is_partition]
    if any(stored.layer_sequence(commit.connection, one) > plan.as_of for one in watched):
        return None
    replaced = (*plan.changed, *plan.retired)
    present = stored.get_many(commit.connection, [one.id for one in replaced])
    is_same = all(present[one.id].revision == one.revision for one in replaced)
    return present if is_same else None


def _bases(grids: Sequence[Element]) -> list[int | None]:
    return [one.revision for one in grids]
