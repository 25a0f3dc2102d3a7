"""Proposed changes that wait for the other side, in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gridmap.storage.tables import proposal as table


class State(Enum):
    """Where a proposal stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"open": "待处理", "accepted": "已接受", "declined": "已退回", "withdrawn": "已撤回"}[
            self.value
        ]


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    A change that reaches into somebody else's area and waits for an answer.

    `arguments` say what to do, in the words of the service that will do it; `their_ids` are the elements
    outside the proposer's area (`created_area`, grid codes), `own_ids` the others. `sequence` is the commit
    that carried it out.
    """

    id: str
    kind: str
    layer: str
    title: str
    reason: str
    arguments: Mapping[str, Any]
    own_ids: Sequence[str]
    their_ids: Sequence[str]
    created_by: str
    created_area: Sequence[str]
    created_at: datetime
    state: State = State.OPEN
    decided_by: str | None = None
    decided_at: datetime | None = None
    answer: str = ""
    sequence: int | None = field(default=None)


def add(connection: Connection, one: Proposal) -> None:
    """Keep a new proposal."""
    connection.execute(
        insert(table).values(
            id=one.id,
            kind=one.kind,
            layer=one.layer,
            title=one.title,
            reason=one.reason,
            arguments=dict(one.arguments),
            own_ids=list(one.own_ids),
            their_ids=list(one.their_ids),
            created_by=one.created_by,
            created_area=sorted(one.created_area),
            created_at=one.created_at,
            state=one.state.value,
            answer=one.answer,
        )
    )


def _proposal(row: Any) -> Proposal:
    values = dict(row._mapping)
    values["state"] = State(values["state"])
    return Proposal(**values)


def get(connection: Connection, proposal_id: str) -> Proposal | None:
    """The proposal with this id."""
    row = connection.execute(select(table).where(table.c.id == proposal_id)).one_or_none()
    return None if row is None else _proposal(row)


def find(
    connection: Connection, *, state: State | None = None, created_by: str | None = None
) -> list[Proposal]:
    """Proposals in one state, or of one account, or all; newest first."""
    statement = select(table).order_by(table.c.created_at.desc(), table.c.id)
    if state is not None:
        statement = statement.where(table.c.state == state.value)
    if created_by is not None:
        statement = statement.where(table.c.created_by == created_by)
    return [_proposal(row) for row in connection.execute(statement)]


def decide(
    connection: Connection,
    proposal_id: str,
    state: State,
    *,
    by: str,
    at: datetime,
    answer: str,
    sequence: int | None = None,
) -> bool:
    """Close an open proposal; whether it was still open."""
    statement = (
        update(table)
        .where(table.c.id == proposal_id, table.c.state == State.OPEN.value)
        .values(state=state.value, decided_by=by, decided_at=at, answer=answer, sequence=sequence)
    )
    return connection.execute(statement).rowcount == 1
