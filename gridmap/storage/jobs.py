"""Long work in the store: who asked for what, how far it is and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gridmap.storage.tables import job as table


class JobState(Enum):
    """Where a job stands. The last three are final: nothing changes a job that reached one."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {
            "queued": "排队中", "running": "进行中", "done": "已完成", "failed": "失败", "cancelled": "已取消",
        }[self.value]  # fmt: skip

    @property
    def is_final(self) -> bool:
        """Whether the job has ended, well or not."""
        return self not in _OPEN


_OPEN = (JobState.QUEUED, JobState.RUNNING)
_OPEN_VALUES = tuple(one.value for one in _OPEN)


@dataclass(frozen=True, slots=True)
class Job:
    """
    One piece of long work.

    `progress` runs from 0 to 1; `message` is Chinese, for the person who waits; `log` is for the
    administrator. `pid` is the process that keeps the job alive, on the machine `host`: the server while the
    job is queued, then its worker.
    """

    id: str
    kind: str
    title: str
    username: str
    state: JobState
    progress: float
    message: str
    parameters: Mapping[str, Any]
    result: Mapping[str, Any] | None
    log: str
    pid: int | None
    host: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


# The host rides in the stored parameters under a name that no job kind may use.
_HOST = "_host"


def _to_job(row: Any) -> Job:
    values = dict(row._mapping)
    parameters = dict(values.pop("parameters"))
    host = parameters.pop(_HOST, "")
    return Job(**(values | {"state": JobState(values["state"]), "parameters": parameters, "host": host}))


def add(
    connection: Connection,
    *,
    job_id: str,
    kind: str,
    title: str,
    username: str,
    parameters: Mapping[str, Any],
    pid: int,
    host: str,
    at: datetime,
) -> None:
    """Write a job that waits for its turn."""
    connection.execute(
        insert(table).values(
            id=job_id, kind=kind, title=title, username=username, state=JobState.QUEUED.value, progress=0.0,
            message="", parameters={**parameters, _HOST: host}, log="", pid=pid, created_at=at,
        )
    )  # fmt: skip


def get(connection: Connection, job_id: str) -> Job | None:
    """The job with this id; None when there is none."""
    row = connection.execute(select(table).where(table.c.id == job_id)).one_or_none()
    return None if row is None else _to_job(row)


def newest(connection: Connection, *, username: str | None = None, limit: int = 50) -> list[Job]:
    """The newest jobs, of one account only where given, newest first."""
    statement = select(table).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
    if username is not None:
        statement = statement.where(table.c.username == username)
    return [_to_job(row) for row in connection.execute(statement)]


def unfinished(connection: Connection) -> list[Job]:
    """Jobs that are queued or running."""
    return [_to_job(row) for row in connection.execute(select(table).where(table.c.state.in_(_OPEN_VALUES)))]


def begin(connection: Connection, job_id: str, *, pid: int, at: datetime) -> bool:
    """Move a queued job to running in process `pid`; whether it was still queued."""
    statement = (
        update(table)
        .where(table.c.id == job_id, table.c.state == JobState.QUEUED.value)
        .values(state=JobState.RUNNING.value, pid=pid, started_at=at)
    )
    return connection.execute(statement).rowcount > 0


def advance(connection: Connection, job_id: str, progress: float, message: str) -> None:
    """Note how far a running job is."""
    connection.execute(
        update(table)
        .where(table.c.id == job_id, table.c.state == JobState.RUNNING.value)
        .values(progress=progress, message=message)
    )


def finish(
    connection: Connection,
    job_id: str,
    state: JobState,
    *,
    at: datetime,
    message: str,
    result: Mapping[str, Any] | None = None,
) -> bool:
    """Bring an unfinished job to a final state; whether it was unfinished: the first to finish it wins."""
    statement = (
        update(table)
        .where(table.c.id == job_id, table.c.state.in_(_OPEN_VALUES))
        .values(
            state=state.value, message=message, result=None if result is None else dict(result), ended_at=at
        )
    )
    if state is JobState.DONE:
        statement = statement.values(progress=1.0)
    return connection.execute(statement).rowcount > 0


def keep_log(connection: Connection, job_id: str, text: str) -> None:
    """Store what the job's process wrote."""
    connection.execute(update(table).where(table.c.id == job_id).values(log=text))


def forget_before(connection: Connection, at: datetime) -> Sequence[str]:
    """Drop ended jobs older than `at`; their ids."""
    statement = (
        delete(table)
        .where(table.c.ended_at.is_not(None), table.c.ended_at < at)
        .returning(table.c.id)
    )  # fmt: skip
    return connection.execute(statement).scalars().all()
