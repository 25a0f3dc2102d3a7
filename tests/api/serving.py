"""A real server on loopback for clients that speak HTTP themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from gridmap.services.district import District

_PROGRAM = """
import sys, uvicorn
from starlette.applications import Starlette
from gridmap.api import app as api
server = uvicorn.Server(uvicorn.Config(
    Starlette(routes=api.routes(), middleware=api.middleware(), lifespan=api.lifespan),
    host="127.0.0.1", port=0, log_level="warning", access_log=False,
))
started = server.startup
async def startup(sockets=None):
    await started(sockets)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
server.startup = startup
server.run()
"""


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The address of `app`, served by a thread of this process until the block ends."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.005)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not end"


@contextmanager
def serving_process(district: District) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """
    The address of the API on `district`'s store, served by a process of its own until the block ends.

    For clients that hold Python's lock while they wait for an answer (GDAL does), and for what a signal does.
    """
    env = {
        **os.environ,
        "GRIDMAP_HOME": str(district.settings.home),
        "GRIDMAP_DATABASE_URL": district.settings.database_url,
        "GRIDMAP_SECRET": district.settings.secret.decode(),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the server did not start"
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()
