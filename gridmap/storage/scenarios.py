"""Scenarios and runs in the store: named changes over points and roads, and figures that can be computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from gridmap.domain.scenarios import Change, documents, parse_changes
from gridmap.storage.tables import Json, Time, metadata

scenario = Table(
    "scenario",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("changes", Json, nullable=False),
    Column("question", Json, nullable=False),
    Column("created_by", String(60), nullable=False, index=True),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

run = Table(
    "coverage_run",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("title", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("result", Json, nullable=False),
    Column("created_by", String(60), nullable=False, index=True),
    Column("created_at", Time, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    Named changes, and the question they were made for.

    `revision` counts its own changes from 1; `sequence` is the district's commit that it was made on.
    """

    id: str
    name: str
    note: str
    changes: tuple[Change, ...]
    question: Mapping[str, Any]
    created_by: str
    created_at: datetime
    updated_at: datetime
    revision: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Run:
    """One computed answer: its kind, what was asked (parameters), the commit of its inputs, the result."""

    id: str
    kind: str
    title: str
    parameters: Mapping[str, Any]
    sequence: int
    result: Mapping[str, Any]
    created_by: str
    created_at: datetime


def _scenario(row: Any) -> Scenario:
    values = dict(row._mapping)
    values["changes"] = parse_changes(values["changes"])
    return Scenario(**values)


def add(connection: Connection, one: Scenario) -> None:
    """Keep a new scenario."""
    connection.execute(
        insert(scenario).values(
            id=one.id,
            name=one.name,
            note=one.note,
            changes=documents(one.changes),
            question=dict(one.question),
            created_by=one.created_by,
            created_at=one.created_at,
            updated_at=one.updated_at,
            revision=one.revision,
            sequence=one.sequence,
        )
    )


def get(connection: Connection, scenario_id: str) -> Scenario | None:
    """The scenario with this id."""
    row = connection.execute(select(scenario).where(scenario.c.id == scenario_id)).one_or_none()
    return None if row is None else _scenario(row)


def find(connection: Connection, *, limit: int = 500) -> list[Scenario]:
    """All scenarios, the one changed last first."""
    statement = select(scenario).order_by(scenario.c.updated_at.desc(), scenario.c.id).limit(limit)
    return [_scenario(row) for row in connection.execute(statement)]


def replace(connection: Connection, one: Scenario, *, base_revision: int) -> bool:
    """Store the scenario's new state in place of its revision `base_revision`; whether that was the newest."""
    statement = (
        update(scenario)
        .where(scenario.c.id == one.id, scenario.c.revision == base_revision)
        .values(
            name=one.name,
            note=one.note,
            changes=documents(one.changes),
            question=dict(one.question),
            updated_at=one.updated_at,
            revision=one.revision,
            sequence=one.sequence,
        )
    )
    return connection.execute(statement).rowcount == 1


def remove(connection: Connection, scenario_id: str) -> bool:
    """Drop a scenario; whether it was there."""
    return connection.execute(delete(scenario).where(scenario.c.id == scenario_id)).rowcount == 1


# --- runs -------------------------------------------------------------------------------------------------


def add_run(connection: Connection, one: Run) -> None:
    """Keep an answer."""
    connection.execute(
        insert(run).values(
            id=one.id,
            kind=one.kind,
            title=one.title,
            parameters=dict(one.parameters),
            sequence=one.sequence,
            result=dict(one.result),
            created_by=one.created_by,
            created_at=one.created_at,
        )
    )


def get_run(connection: Connection, run_id: str) -> Run | None:
    """The run with this id."""
    row = connection.execute(select(run).where(run.c.id == run_id)).one_or_none()
    return None if row is None else Run(**row._mapping)


def find_runs(connection: Connection, *, created_by: str | None = None, limit: int = 50) -> list[Run]:
    """The newest runs, of one account or of all."""
    statement = select(run).order_by(run.c.created_at.desc(), run.c.id).limit(limit)
    if created_by is not None:
        statement = statement.where(run.c.created_by == created_by)
    return [Run(**row._mapping) for row in connection.execute(statement)]
