"""Whose ground an edit touches: the user's own, or another officer's, who is asked then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from gridmap.domain.elements import new_id
from gridmap.domain.roles import User
from gridmap.errors import PermissionDenied
from gridmap.services import access, reverting
from gridmap.services.district import District
from gridmap.services.grids.plans import Plan, Proposable
from gridmap.storage import proposals as inbox
from gridmap.storage.proposals import Proposal


@dataclass(frozen=True, slots=True)
class Sides:
    """
    Ids of the grids that lose or gain ground or values, inside the user's area and outside of it.

    Attributes
    ----------
    is_within : the whole edit stays inside the user's area, ground that was nobody's included
    """

    own: list[str]
    theirs: list[str]
    is_within: bool

    @classmethod
    def of(cls, district: District, user: User, plan: Plan) -> Self:
        touched = [pair for pair in plan.changes if pair[0] is None or reverting.is_touched(*pair)]
        shapes = [one.geometry for pair in touched for one in pair if one is not None]
        is_inside = {
            before.id: access.lies_inside(district, user, [before.geometry])
            for before, _ in touched
            if before is not None
        }
        own = [one for one, inside in is_inside.items() if inside]
        theirs = [one for one, inside in is_inside.items() if not inside]
        return cls(own, theirs, not theirs and access.lies_inside(district, user, shapes))

    def refusal(self, district: District, user: User, plan: Plan) -> PermissionDenied:
        """The error, noted in the access log, where nobody is to be asked."""
        code = plan.before[(*self.theirs, *self.own)[0]].code
        zh = f"“{code}”的改动超出您的责任区,请联系相邻网格的民警或网格管理员。"
        return access.refuse(district, user, "edit outside the own area", f"{plan.layer.id}/{code}", zh=zh)


def propose(
    district: District, user: User, edit: Proposable, plan: Plan, sides: Sides, reason: str
) -> Proposal:
    """Put the edit into the inbox of those whose grids it touches."""
    codes = "、".join(f"“{plan.before[one].code}”" for one in (*sides.own, *sides.theirs))
    made = Proposal(
        id=new_id(),
        kind=edit.kind,
        layer=plan.layer.id,
        title=f"{edit.title(plan.layer)}:{codes}",
        reason=reason,
        arguments=edit.arguments(),
        own_ids=sides.own,
        their_ids=sides.theirs,
        created_by=user.username,
        created_area=sorted(user.area),
        created_at=district.clock(),
    )
    with district.database.write() as connection:
        inbox.add(connection, made)
    return made
