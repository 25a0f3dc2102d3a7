"""The log of refusals, sign-ins, views of sensitive layers and exports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from gridmap.storage.tables import access_log as table


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the log; `kind` is refusal, sign_in, sign_in_failed, sign_out, export, view or account."""

    at: datetime
    kind: str
    username: str
    address: str
    action: str
    target: str
    detail: str


def append(
    connection: Connection,
    *,
    at: datetime,
    kind: str,
    username: str,
    address: str = "",
    action: str = "",
    target: str = "",
    detail: str = "",
) -> None:
    """Write one line."""
    connection.execute(
        insert(table).values(
            at=at, kind=kind, username=username, address=address, action=action, target=target, detail=detail
        )
    )


def newest(connection: Connection, *, kinds: tuple[str, ...] = (), limit: int = 200) -> list[Access]:
    """The newest lines, of `kinds` only where given, newest first."""
    statement = select(table).order_by(table.c.pk.desc()).limit(limit)
    if kinds:
        statement = statement.where(table.c.kind.in_(kinds))
    return [
        Access(row.at, row.kind, row.username, row.address, row.action, row.target, row.detail)
        for row in connection.execute(statement)
    ]
