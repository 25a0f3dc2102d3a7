"""
Long work, done beside the server: solves, packs, large imports and exports, backups.

Each job runs in a worker process of its own that is spawned, never forked, so that it cannot stall a page or
an edit and may crash alone. The server keeps a pipe to its worker open: when the server goes, however it
goes, the worker ends too, and the database takes back what it had not committed.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from gridmap.domain.roles import Permission, User
from gridmap.errors import GridmapError, InvalidInput, NotFound
from gridmap.services.district import District
from gridmap.settings import PROJECT_ROOT, Settings
from gridmap.storage import jobs as stored
from gridmap.storage.jobs import Job, JobState

__all__ = [
    "Job", "JobFailed", "JobState", "cancel", "folder_of", "get", "list_jobs", "recover",
    "register", "start", "wait",
]  # fmt: skip

MOST_AT_ONCE = 2
KEPT_DAYS = 30
_LOG_BYTES = 64_000
_STOP_SECONDS = 20.0
"""How long a worker that can stop early may take to hand in what it has."""
# The files by which a worker says that it can stop early, and the server that it should.
STOPPABLE, STOP = "stoppable", "stop"
# How long an order is, in front of it.
LENGTH = struct.Struct("!Q")

# Which function does which kind of work: "package.module:function", called with a JobContext in the worker.
_KINDS = {
    "import": "gridmap.services.imports:run_job",
    "export": "gridmap.services.exports:run_job",
    "backup": "gridmap.services.backup:run_job",
    "pack": "gridmap.services.packs.making:run_job",
    "site": "gridmap.services.siting:run_job",
}


class JobFailed(GridmapError):
    """
    A job that somebody waited for did not come to its end.

    Attributes
    ----------
    job : its id
    state : failed or cancelled
    """

    status = 500
    title = "后台任务未完成"


def register(kind: str, function: str) -> None:
    """Let jobs of `kind` be done by `function` (`"package.module:name"`, taking a JobContext)."""
    _KINDS[kind] = function


@dataclass(slots=True)
class _Child:
    """A worker of this process, with how far it last said to be."""

    process: subprocess.Popen[bytes] | None = None
    progress: float = 0.0
    message: str = ""


_turns = threading.Semaphore(MOST_AT_ONCE)
_children: dict[str, _Child] = {}
_lock = threading.Lock()


def folder_of(settings: Settings, job_id: str) -> Path:
    """Where a job keeps its files: uploads it reads, results it leaves."""
    return settings.home / "jobs" / job_id


def start(
    district: District,
    user: User,
    kind: str,
    title: str,
    parameters: Mapping[str, Any],
    *,
    job_id: str | None = None,
) -> Job:
    """
    Have work of `kind` done in a worker process; it waits while `MOST_AT_ONCE` others run.

    `parameters` must be JSON values. A caller that has put files into `folder_of` beforehand gives that
    folder's `job_id`.

    Raises
    ------
    InvalidInput
        No such kind.
    """
    if kind not in _KINDS:
        raise InvalidInput(
            f"no job kind {kind!r}; kinds are {', '.join(sorted(_KINDS))}", zh=f"没有“{kind}”这种后台任务。"
        )
    job_id = job_id or str(uuid.uuid4())
    with district.database.write() as connection:
        stored.add(
            connection, job_id=job_id, kind=kind, title=title, username=user.username, parameters=parameters,
            pid=os.getpid(), host=socket.gethostname(), at=district.clock(),
        )  # fmt: skip
        job = stored.get(connection, job_id)
    with _lock:
        _children[job_id] = _Child()
    order = pickle.dumps(
        {"settings": district.settings, "user": user, "job": job_id, "function": _KINDS[kind]}
    )
    name = f"job-{job_id[:8]}"
    threading.Thread(target=_supervise, args=(district, job_id, order), name=name, daemon=True).start()
    assert job is not None
    return job


def _supervise(district: District, job_id: str, order: bytes) -> None:
    """Run one worker from its turn to its end, and see to it that the job has one."""
    with _turns:
        try:
            with district.database.read() as connection:
                job = stored.get(connection, job_id)
            if job is not None and job.state is JobState.QUEUED:
                _run_worker(district, job_id, order)
        except Exception:
            _end(district, job_id, "后台任务无法启动,请联系系统管理员。", traceback.format_exc())
        finally:
            with _lock:
                _children.pop(job_id, None)


def _run_worker(district: District, job_id: str, order: bytes) -> None:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from gridmap.services.job_worker import work; work()", job_id],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        with _lock:
            _children[job_id].process = process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(LENGTH.pack(len(order)) + order)
            process.stdin.flush()
            _follow(district, job_id, process.stdout)
        except BrokenPipeError:
            pass  # it died before it read its order; the exit code says how
        finally:
            code = process.wait()
            process.stdout.close()
            process.stdin.close()
        said = _tail(log)
        if code != 0 or said:  # else it has told its own end, and nothing is left to store
            _end(district, job_id, f"后台任务意外中止(代码 {code}),未保存任何结果,可重新提交。", said)


def _follow(district: District, job_id: str, lines: IO[bytes]) -> None:
    for line in lines:
        try:
            said = json.loads(line)
            progress, message = float(said["progress"]), str(said["message"])
        except (ValueError, KeyError, TypeError):
            continue  # something printed on the way
        with _lock:
            if job_id in _children:
                _children[job_id].progress, _children[job_id].message = progress, message
        # On the embedded store the job's own commit may hold the only writer's place: memory will do there.
        if not district.database.is_embedded:
            with district.database.write() as connection:
                stored.advance(connection, job_id, progress, message)


def _tail(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _LOG_BYTES))
    return log.read().decode("utf-8", "replace").replace("\x00", "")


def _end(district: District, job_id: str, message: str, log: str) -> None:
    with district.database.write() as connection:
        stored.finish(connection, job_id, JobState.FAILED, at=district.clock(), message=message)
        if log:
            stored.keep_log(connection, job_id, log)


def _seen(user: User, job: Job) -> bool:
    return job.username == user.username or user.may(Permission.ADMINISTER)


def _live(user: User, job: Job) -> Job:
    """The job with the newest word of its worker; the log is for administrators."""
    with _lock:
        child = _children.get(job.id)
    if child is not None and job.state is JobState.RUNNING and child.progress >= job.progress:
        job = replace(job, progress=child.progress, message=child.message)
    return job if user.may(Permission.ADMINISTER) else replace(job, log="")


def get(district: District, user: User, job_id: str) -> Job:
    """One's own job, or for an administrator anybody's; raises NotFound."""
    with district.database.read() as connection:
        job = stored.get(connection, job_id)
    if job is None or not _seen(user, job):
        raise NotFound(f"no job {job_id}", zh="没有这个后台任务,或它不属于您。", job=job_id)
    return _live(user, job)


def list_jobs(district: District, user: User, *, limit: int = 50) -> list[Job]:
    """One's own jobs, or for an administrator everybody's; newest first."""
    username = None if user.may(Permission.ADMINISTER) else user.username
    with district.database.read() as connection:
        return [_live(user, one) for one in stored.newest(connection, username=username, limit=limit)]


def cancel(district: District, user: User, job_id: str) -> Job:
    """
    Take a job back; nothing of it stays, except the best result so far of one that can stop early (see
    `JobContext.stoppable`). One that has ended is left as it is.

    A worker of this process is killed; one of another process notices within seconds and ends itself.
    """
    job = get(district, user, job_id)
    if job.state is JobState.RUNNING and _has_stopped(district, job_id):
        return get(district, user, job_id)
    with district.database.write() as connection:
        stored.finish(
            connection,
            job_id,
            JobState.CANCELLED,
            at=district.clock(),
            message=f"已由 {user.display_name} 取消",
        )
    job = get(district, user, job_id)
    with _lock:
        child = _children.get(job_id)
        if job.state is JobState.CANCELLED and child is not None and child.process is not None:
            child.process.kill()  # by its own pid, and a process that has ended is left alone
    return job


def _has_stopped(district: District, job_id: str) -> bool:
    """Ask a worker that can stop early to do so; whether it then ended in time."""
    folder = folder_of(district.settings, job_id)
    if not (folder / STOPPABLE).exists():
        return False
    (folder / STOP).touch()
    ends = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < ends:
        with district.database.read() as connection:
            job = stored.get(connection, job_id)
        if job is None or job.state.is_final:
            return True
        time.sleep(0.05)
    return False


def wait(district: District, user: User, job_id: str, *, seconds: float = 600.0) -> Job:
    """
    The job once it is done.

    Raises
    ------
    JobFailed
        It failed, was cancelled, or took longer than `seconds` (it goes on then).
    """
    ends = time.monotonic() + seconds
    while (job := get(district, user, job_id)).state is not JobState.DONE:
        if job.state.is_final or time.monotonic() > ends:
            raise JobFailed(
                f"job {job_id} is {job.state.value}: {job.message}",
                zh=job.message or f"后台任务{job.state.title}。",
                job=job_id,
                state=job.state.value,
            )
        time.sleep(0.05)
    # its supervisor may still be storing what the worker said last
    while job_id in _children and time.monotonic() < ends:
        time.sleep(0.01)
    return job


def _is_alive(pid: int, job_id: str) -> bool:
    """Whether process `pid` of this machine is there and (where the system tells) belongs to this job."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    command = Path("/proc") / str(pid) / "cmdline"
    return job_id.encode() in command.read_bytes() if command.exists() else True


def _is_left_over(job: Job) -> bool:
    if job.host != socket.gethostname():
        return False
    with _lock:
        if job.id in _children:
            return False
    if job.pid is None or job.pid == os.getpid():
        return True  # a process with our number, before us
    if job.state is JobState.RUNNING:
        return not _is_alive(job.pid, job.id)
    return not _is_alive(job.pid, "")


def recover(district: District) -> list[str]:
    """
    Settle what a server that is gone left behind; the server calls it once when it starts.

    Queued and running jobs whose process is no longer there are failed, and ended jobs older than
    `KEPT_DAYS` days are dropped with their files. Answers the ids of the failed ones.
    """
    now = district.clock()
    with district.database.write() as connection:
        left_over = [one for one in stored.unfinished(connection) if _is_left_over(one)]
        for job in left_over:
            stored.finish(
                connection,
                job.id,
                JobState.FAILED,
                at=now,
                message="服务中断,任务未完成,未保存任何结果,可重新提交。",
            )
        dropped = stored.forget_before(connection, now - timedelta(days=KEPT_DAYS))
    for job_id in dropped:
        shutil.rmtree(folder_of(district.settings, job_id), ignore_errors=True)
    return [one.id for one in left_over]
