"""Figures about the store as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from gridmap.domain.elements import Source, parse_time
from gridmap.storage import preferences
from gridmap.storage.tables import district_state, element, revision


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts and marks; `database_bytes` is 0 where the store is a file."""

    sequence: int
    chain_head: str
    elements: int
    simulated: int
    revisions: int
    last_backup_at: datetime | None
    database_bytes: int


def figures(connection: Connection) -> Figures:
    """The store's present figures; living elements only."""
    state = connection.execute(select(district_state.c.sequence, district_state.c.chain_head)).one()
    living = select(func.count()).select_from(element).where(~element.c.is_retired)
    backup = preferences.read(connection, "last_backup")
    is_server = connection.dialect.name == "postgresql"
    size = select(func.pg_database_size(func.current_database()))
    return Figures(
        sequence=state.sequence,
        chain_head=state.chain_head,
        elements=connection.execute(living).scalar_one(),
        simulated=connection.execute(living.where(element.c.source == Source.SIMULATED.value)).scalar_one(),
        revisions=connection.execute(select(func.count()).select_from(revision)).scalar_one(),
        last_backup_at=parse_time(backup["at"]) if backup else None,
        database_bytes=connection.execute(size).scalar_one() if is_server else 0,
    )
