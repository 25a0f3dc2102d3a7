"""Kinds of work that tests hand to worker processes."""

from __future__ import annotations

import os
import time
from typing import Any

from gridmap.errors import InvalidInput
from gridmap.services.job_worker import JobContext


def add(context: JobContext) -> dict[str, Any]:
    """Answers the sum of two numbers, and who asked for it."""
    context.progress(0.5, "算到一半")
    context.log("adding")
    print("something that was printed on the way")
    return {"sum": context.parameters["a"] + context.parameters["b"], "user": context.user.username}


def crash(context: JobContext) -> None:
    """Ends the process as a fault in a library would."""
    context.log("about to fall")
    os._exit(77)


def refuse(context: JobContext) -> None:
    """Ends with an error that a person can read."""
    raise InvalidInput("the number is wrong", zh="数字不对,请改正。")


def stumble(context: JobContext) -> None:
    """Ends with an error that nobody foresaw."""
    raise ZeroDivisionError("secret detail")


def sleep(context: JobContext) -> None:
    """Says its own pid, then sleeps until somebody ends it."""
    (context.folder / "pid").write_text(str(os.getpid()))
    context.progress(0.25, "等待中")
    while True:
        time.sleep(0.05)


def write_slowly(context: JobContext) -> None:
    """Writes a setting in one transaction together with the job's end, once a file named `go` is there."""
    from gridmap.storage.tables import setting

    (context.folder / "ready").touch()
    while not (context.folder / "go").exists():
        time.sleep(0.02)
    with context.district.database.write() as connection:
        connection.execute(setting.insert().values(key="trace", value={"by": "job"}))
        context.finish(connection, {"written": True})


def stop_early(context: JobContext) -> dict[str, Any]:
    """Counts until it is asked to stop, then hands in how far it came."""
    should_stop = context.stoppable()
    count = 0
    while not should_stop():
        count += 1
        context.progress(0.5, "正在数数")
        time.sleep(0.01)
    return {"count": count}
