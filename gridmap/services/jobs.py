"""
Long work, done beside the server: solves, packs, large imports and exports, backups.

Each job runs in a worker process of its own that is spawned, never forked, so that it cannot stall a page or
an edit and may crash alone. The server keeps a pipe to its worker open: when the server goes, however it
goes, the worker ends too, and the database takes back what it had not committed.
"""

from __future__ import annotations

import importlib
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection

from gridmap.domain.roles import Permission, User
from gridmap.errors import GridmapError, InvalidInput, NotFound
from gridmap.services.district import District, open_district
from gridmap.settings import PROJECT_ROOT, Settings
from gridmap.storage import jobs as stored
from gridmap.storage.jobs import Job, JobState

__all__ = [
    "Job", "JobContext", "JobFailed", "JobState", "cancel", "folder_of", "get", "list_jobs", "recover",
    "register", "start", "wait",
]  # fmt: skip

MOST_AT_ONCE = 2
KEPT_DAYS = 30
_LOG_BYTES = 64_000
_WATCH_SECONDS = 1.0
_LENGTH = struct.Struct("!Q")

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


class _Cancelled(Exception):
    """The job was taken back while its worker was at it."""


def register(kind: str, function: str) -> None:
    """Let jobs of `kind` be done by `function` (`"package.module:name"`, taking a JobContext)."""
    _KINDS[kind] = function


# --- in the server -----------------------------------------------------------------------------------------


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
            [sys.executable, "-c", "from gridmap.services.jobs import work; work()", job_id],
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
            process.stdin.write(_LENGTH.pack(len(order)) + order)
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
    Take a job back; nothing of it stays. One that has ended is left as it is.

    A worker of this process is killed; one of another process notices within seconds and ends itself.
    """
    get(district, user, job_id)
    with district.database.write() as connection:
        stored.finish(
            connection, job_id, JobState.CANCELLED, at=district.clock(), message=f"已由 {user.username} 取消"
        )
    job = get(district, user, job_id)
    with _lock:
        child = _children.get(job_id)
        if job.state is JobState.CANCELLED and child is not None and child.process is not None:
            child.process.kill()  # by its own pid, and a process that has ended is left alone
    return job


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


# --- in the worker -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class JobContext:
    """
    What the function that does a job is given.

    It answers with the job's result (a JSON mapping); work that ends in a commit calls `finish` inside it
    instead, so that result and job are stored together.
    """

    district: District
    user: User
    job_id: str
    parameters: Mapping[str, Any]
    is_finished: bool = field(default=False, init=False)

    @property
    def folder(self) -> Path:
        """A folder of the job's own; made when it is asked for."""
        path = folder_of(self.district.settings, self.job_id)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def progress(self, share: float, message: str = "") -> None:
        """Tell the server how far the work is, from 0 to 1, in Chinese words."""
        line = json.dumps(
            {"progress": round(min(max(share, 0.0), 1.0), 4), "message": message}, ensure_ascii=False
        )
        _say(line)

    def log(self, text: str) -> None:
        """Write a line for the administrator."""
        print(text, file=sys.stderr, flush=True)

    def finish(self, connection: Connection, result: Mapping[str, Any], message: str = "已完成") -> None:
        """
        Store the result in the transaction that stores the work.

        Raises so that the transaction is taken back when the job was cancelled meanwhile.
        """
        at = self.district.clock()
        if not stored.finish(connection, self.job_id, JobState.DONE, at=at, message=message, result=result):
            raise _Cancelled
        self.is_finished = True


_say_lock = threading.Lock()
_channel: IO[bytes] | None = None


def _say(line: str) -> None:
    with _say_lock:
        if _channel is not None:
            _channel.write(line.encode() + b"\n")
            _channel.flush()


def _function(name: str) -> Callable[[JobContext], Mapping[str, Any] | None]:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _end_with_server(lifeline: IO[bytes]) -> None:
    """Block until the server closes its end of the pipe, which it does at the latest by dying."""
    lifeline.read()
    os._exit(3)


def _end_when_cancelled(district: District, job_id: str) -> None:
    while True:
        time.sleep(_WATCH_SECONDS)
        with district.database.read() as connection:
            job = stored.get(connection, job_id)
        if job is None or job.state is JobState.CANCELLED:
            os._exit(4)


def _do(context: JobContext, function: str) -> None:
    result = _function(function)(context)
    if not context.is_finished:
        with context.district.database.write() as connection:
            context.finish(connection, result or {})


def work() -> None:
    """The worker's whole life: read the order from standard input, do the job, end."""
    global _channel
    # what the work prints must not be taken for its words to the server
    _channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    (length,) = _LENGTH.unpack(sys.stdin.buffer.read(_LENGTH.size))
    order = pickle.loads(sys.stdin.buffer.read(length))
    if hasattr(os, "nice"):
        os.nice(5)  # people at their screens come first
    district, job_id = open_district(order["settings"]), order["job"]
    with district.database.write() as connection:
        if not stored.begin(connection, job_id, pid=os.getpid(), at=district.clock()):
            return
        job = stored.get(connection, job_id)
    assert job is not None
    threading.Thread(target=_end_with_server, args=(sys.stdin.buffer,), daemon=True).start()
    threading.Thread(target=_end_when_cancelled, args=(district, job_id), daemon=True).start()
    context = JobContext(district, order["user"], job_id, job.parameters)
    try:
        _do(context, order["function"])
    except _Cancelled:
        context.log("cancelled before it was stored")
    except GridmapError as error:
        context.log(f"{type(error).__name__}: {error}")
        _fail(context, error.chinese(), error)
    except Exception:
        reference = uuid.uuid4().hex[:8]
        context.log(f"reference {reference}\n{traceback.format_exc()}")
        _fail(context, f"出现意外错误(编号 {reference}),未保存任何结果,请联系系统管理员。", None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # without waiting for the two watching threads, which never end by themselves


def _fail(context: JobContext, message: str, error: GridmapError | None) -> None:
    facts = {} if error is None else {"error": type(error).__name__, "message": str(error)}
    with context.district.database.write() as connection:
        stored.finish(
            connection,
            context.job_id,
            JobState.FAILED,
            at=context.district.clock(),
            message=message,
            result=facts,
        )
