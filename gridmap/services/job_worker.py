"""
A job's own process: it reads its order, does the work, tells how far it is, and stores how it ended.

`gridmap.services.jobs` starts it and keeps a pipe open; the process ends when that pipe does.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import pickle
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection

from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services.district import District, open_district
from gridmap.services.jobs import LENGTH, STOP, STOPPABLE, folder_of
from gridmap.storage import jobs as stored
from gridmap.storage.jobs import JobState

_WATCH_SECONDS = 1.0
_LOOK_SECONDS = 0.2


class _Cancelled(Exception):
    """The job was taken back while its worker was at it."""


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
    is_stopping: bool = field(default=False, init=False)
    _looked_at: float = field(default=-math.inf, init=False)

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

    def stoppable(self) -> Callable[[], bool]:
        """
        Say that this work can stop early with what it has; answers a function that tells when it should.

        A job that was cancelled then ends as cancelled, with the result that it hands in.
        """
        (self.folder / STOPPABLE).touch()
        return self._should_stop

    def _should_stop(self) -> bool:
        if not self.is_stopping and time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self.is_stopping = (folder_of(self.district.settings, self.job_id) / STOP).exists()
        return self.is_stopping

    def log(self, text: str) -> None:
        """Write a line for the administrator."""
        print(text, file=sys.stderr, flush=True)

    def finish(self, connection: Connection, result: Mapping[str, Any], message: str = "已完成") -> None:
        """
        Store the result in the transaction that stores the work.

        Raises so that the transaction is taken back when the job was cancelled meanwhile.
        """
        at = self.district.clock()
        state = JobState.CANCELLED if self.is_stopping else JobState.DONE
        if self.is_stopping:
            message = "已取消,保留停止时最好的结果"
        if not stored.finish(connection, self.job_id, state, at=at, message=message, result=result):
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
    (length,) = LENGTH.unpack(sys.stdin.buffer.read(LENGTH.size))
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
