"""
Changes that reach into somebody else's area: proposed by one side, accepted or declined by the other.

The other side is whoever may write where the proposer may not, or a grid keeper of the whole district.
Accepting carries the change out anew, with all checks, by the rights of both sides together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element, new_id
from gridmap.domain.roles import User
from gridmap.errors import InvalidInput, NotFound, RevisionRequired, StateConflict
from gridmap.services import access, elements, grids, merging, names
from gridmap.services.district import District
from gridmap.services.grids import GridReceipt
from gridmap.storage import accounts
from gridmap.storage import elements as stored
from gridmap.storage import proposals as inboxes
from gridmap.storage.database import Commit
from gridmap.storage.proposals import Proposal, State

CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A proposal that was carried out: `sequence` is its commit (None: there was nothing left to do)."""

    proposal: Proposal
    sequence: int | None
    warnings: tuple[str, ...] = ()


class ProposalClosed(StateConflict):
    """
    The proposal was decided already.

    Attributes
    ----------
    state : how; decided_by : by whom
    """

    title = "提议已处理"


# --- proposing --------------------------------------------------------------------------------------------


def propose_change(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    *,
    base_revision: int | None,
    changes: Mapping[str, Any] | None = None,
    geometry: BaseGeometry | None = None,
    reason: str = "",
) -> Proposal:
    """
    Propose an edit of one element that begins or ends outside the user's area: a point moved across, say.

    The result must obey the layer's rules already now.

    Raises
    ------
    RevisionRequired, EditConflict, PermissionDenied (neither its old nor its new place is the user's),
    InvalidInput (the user may store it without asking), InvalidElement, NotFound
    """
    layer = district.catalogue.layer(layer_id)
    access.require_edit(district, user, layer)
    present = elements.living(district, layer, element_id)
    if base_revision is None:
        raise RevisionRequired(
            "the revision that the proposal is based on is missing", zh="缺少所依据的版本号。"
        )
    if present.revision != base_revision:
        raise elements.stale(district, present, base_revision)
    edited = replace(present, geometry=present.geometry if geometry is None else geometry)
    sides = [access.lies_inside(district, user, [one.geometry]) for one in (present, edited)]
    if all(sides):
        raise InvalidInput(
            "the edit stays in the own area; store it", zh="改动在您的责任区内,可直接保存,无需提议。"
        )
    if not any(sides):
        access.require_inside(district, user, layer, [present.geometry], f"{layer_id}/{element_id}")
    rest = {**present.values(), **(changes or {})}
    edited = replace(edited, code=rest.pop("code"), name=rest.pop("name"), properties=rest)
    elements.checked(district, layer, edited)
    made = Proposal(
        id=new_id(),
        kind=CHANGE,
        layer=layer_id,
        title=f"{'移动' if geometry is not None else '修改'}{layer.title}“{present.name or present.code}”",
        reason=reason,
        arguments={
            "element": element_id,
            "base_revision": base_revision,
            "changes": dict(changes or {}),
            "geometry": None if geometry is None else shapely.to_wkb(geometry, hex=True),
        },
        own_ids=[element_id] if sides[0] else [],
        their_ids=[] if sides[0] else [element_id],
        created_by=user.username,
        created_area=sorted(user.area),
        created_at=district.clock(),
    )
    with district.database.write() as connection:
        inboxes.add(connection, made)
    return made


def may_propose(
    district: District, user: User, layer_id: str, element_id: str, geometry: BaseGeometry | None
) -> bool:
    """Whether an edit that the user may not store can be proposed: one of its two places is the user's."""
    layer = district.catalogue.layer(layer_id)
    if not access.may_edit(user, layer):
        return False
    present = elements.living(district, layer, element_id)
    places = [present.geometry, present.geometry if geometry is None else geometry]
    sides = [access.lies_inside(district, user, [one]) for one in places]
    return any(sides) and not all(sides)


# --- looking ----------------------------------------------------------------------------------------------


def inbox(district: District, user: User) -> list[Proposal]:
    """Open proposals that this user may accept or decline, newest first."""
    with district.database.read() as connection:
        waiting = inboxes.find(connection, state=State.OPEN)
    return [one for one in waiting if may_decide(district, user, one)]


def sent(district: District, user: User) -> list[Proposal]:
    """The user's own proposals, whatever became of them, newest first."""
    with district.database.read() as connection:
        return inboxes.find(connection, created_by=user.username)


def get(district: District, user: User, proposal_id: str) -> Proposal:
    """A proposal that the user made or may decide, or decided; raises NotFound for all others."""
    with district.database.read() as connection:
        found = inboxes.get(connection, proposal_id)
    if found is None or not (
        user.username in (found.created_by, found.decided_by) or may_decide(district, user, found)
    ):
        raise NotFound(f"no proposal {proposal_id}", zh="没有这条提议,或您无权查看。", proposal=proposal_id)
    return found


def may_decide(district: District, user: User, proposal: Proposal) -> bool:
    """Whether the user is the proposal's other side, or keeps the grids of the whole district."""
    layer = district.catalogue.layer(proposal.layer)
    if user.username == proposal.created_by or not access.may_edit(user, layer):
        return False
    if user.writes_everywhere:
        return True
    asked = _asked(district, proposal)
    return bool(asked) and access.lies_inside(district, user, asked)


def _asked(district: District, proposal: Proposal) -> list[BaseGeometry]:
    """Where the other side has to have a say: their grids as they are now, or the new place of an element."""
    with district.database.read() as connection:
        theirs = stored.get_many(connection, proposal.their_ids)
    # also of grids that ended meanwhile: whoever answered for them answers for those that followed
    shapes = [one.geometry for one in theirs.values()]
    if proposal.kind == CHANGE and not proposal.their_ids and proposal.arguments["geometry"]:
        shapes.append(shapely.from_wkb(proposal.arguments["geometry"]))
    return shapes


def preview(district: District, user: User, proposal_id: str) -> tuple[list[Element], list[Element]]:
    """
    The elements that accepting would change, as they are and as they would be; nothing is stored.

    Raises
    ------
    What accepting would raise, conflicts included.
    """
    proposal = get(district, user, proposal_id)
    acting = user if user.username == proposal.created_by else _both_sides(district, user, proposal)
    if proposal.kind == CHANGE:
        layer = district.catalogue.layer(proposal.layer)
        present = elements.living(district, layer, proposal.arguments["element"])
        moved = proposal.arguments["geometry"]
        after = replace(present, geometry=shapely.from_wkb(moved) if moved else present.geometry)
        return [present], [after.with_values({**present.values(), **proposal.arguments["changes"]})]
    receipt = grids.carry_out(
        district, replace(acting, area=frozenset({"*"})), proposal.layer, proposal.kind, proposal.arguments,
        reason="", dry_run=True,
    )  # fmt: skip
    touched = [*receipt.changed, *receipt.retired]
    with district.database.read() as connection:
        before = stored.get_many(connection, [one.id for one in touched])
    return list(before.values()), [*receipt.changed, *receipt.created]


# --- deciding ---------------------------------------------------------------------------------------------


def accept(district: District, user: User, proposal_id: str, *, answer: str = "") -> Accepted:
    """
    Carry the proposal out, in one commit with its being accepted.

    Raises
    ------
    NotFound, ProposalClosed, PermissionDenied, and everything that the edit itself raises: the proposal then
    stays open
    """
    proposal = _require_decidable(district, user, proposal_id)
    acting = _both_sides(district, user, proposal)
    reason = f"接受 {names.one(district, proposal.created_by)} 的提议:{proposal.title}"

    def close(commit: Commit) -> None:
        closed = inboxes.decide(
            commit.connection, proposal.id, State.ACCEPTED, by=user.username, at=district.clock(), answer=answer,
            sequence=commit.sequence,
        )  # fmt: skip
        if not closed:
            raise _closed(proposal)

    sequence, warnings = _carried_out(district, acting, proposal, reason, close)
    if sequence is None:
        _close(district, user, proposal, State.ACCEPTED, answer)
    with district.database.read() as connection:
        decided = inboxes.get(connection, proposal.id)
    assert decided is not None
    return Accepted(decided, sequence, warnings)


def decline(district: District, user: User, proposal_id: str, *, answer: str = "") -> None:
    """Send the proposal back, with a word why; nothing changes on the map."""
    proposal = _require_decidable(district, user, proposal_id)
    _close(district, user, proposal, State.DECLINED, answer)


def withdraw(district: District, user: User, proposal_id: str) -> None:
    """Take back a proposal of one's own that is still open."""
    proposal = get(district, user, proposal_id)
    if proposal.created_by != user.username:
        raise access.refuse(district, user, "withdraw", f"proposal {proposal_id}", zh="只能撤回自己的提议。")
    _close(district, user, proposal, State.WITHDRAWN, "")


def _require_decidable(district: District, user: User, proposal_id: str) -> Proposal:
    proposal = get(district, user, proposal_id)
    if not may_decide(district, user, proposal):
        zh = "该提议应由另一方民警或网格管理员处理。"
        raise access.refuse(district, user, "decide", f"proposal {proposal_id}", zh=zh)
    if proposal.state is not State.OPEN:
        raise _closed(proposal)
    return proposal


def _closed(proposal: Proposal) -> ProposalClosed:
    return ProposalClosed(
        f"proposal {proposal.id} is {proposal.state.value}",
        zh=f"该提议已由他人处理({proposal.state.title})。"
        if proposal.state is not State.OPEN
        else "该提议刚刚已被处理。",
        state=proposal.state.value,
        decided_by=proposal.decided_by,
    )


def _close(district: District, user: User, proposal: Proposal, state: State, answer: str) -> None:
    with district.database.write() as connection:
        if not inboxes.decide(
            connection, proposal.id, state, by=user.username, at=district.clock(), answer=answer
        ):
            raise _closed(proposal)


def _both_sides(district: District, user: User, proposal: Proposal) -> User:
    """The decider, with the proposer's area beside the own one: as it is today, where the account still works."""
    with district.database.read() as connection:
        account = accounts.get(connection, proposal.created_by)
    area = (
        frozenset(proposal.created_area)
        if account is None
        else account.area
        if account.is_active
        else frozenset()
    )
    return replace(user, area=user.area | area)


def _carried_out(
    district: District, acting: User, proposal: Proposal, reason: str, also: elements.Also
) -> tuple[int | None, tuple[str, ...]]:
    arguments = proposal.arguments
    if proposal.kind != CHANGE:
        receipt: GridReceipt = grids.carry_out(
            district, acting, proposal.layer, proposal.kind, arguments, reason=reason, also=also
        )
        return receipt.sequence, receipt.warnings
    done = merging.save(
        district,
        acting,
        proposal.layer,
        arguments["element"],
        base_revision=arguments["base_revision"],
        changes=arguments["changes"],
        geometry=shapely.from_wkb(arguments["geometry"]) if arguments["geometry"] else None,
        reason=reason,
        also=also,
    )
    with district.database.read() as connection:
        now = inboxes.get(connection, proposal.id)
    return (now.sequence if now else None), done.receipt.warnings
