"""Starts the whole application as a person would, on a free port, and stops it again by its pid."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gridmap.settings import server_environment

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running application. `kill` ends it without a chance to tidy up, as a power cut would."""

    base_url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def port(self) -> int:
        return int(self.base_url.rsplit(":", 1)[1])

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(url: str) -> bool:
    """A page of Streamlit answers 200 to any address: only JSON says that our own route is there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200 and "json" in answer.headers.get("Content-Type", "")
    except (urllib.error.URLError, OSError):
        return False


def _wait(server: Server, health: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (code := server.process.poll()) is not None:
            raise RuntimeError(f"the server ended with {code} before it answered:\n{server.log()}")
        if _answers(server.base_url + health):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no answer from {health} within {START_SECONDS:.0f} s:\n{server.log()}")


@contextmanager
def run_server(
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    *,
    log_file: Path,
    port: int | None = None,
    health: str = "/api/health",
    script: Path = ROOT / "streamlit_app.py",
) -> Iterator[Server]:
    """
    `streamlit run streamlit_app.py` on loopback until the block ends.

    Parameters
    ----------
    args : further arguments of `streamlit run`
    env : variables on top of this process' own; GRIDMAP_HOME and GRIDMAP_DATABASE_URL belong here
    log_file : where its output goes (a file below tmp_path)
    port : a fixed port, for a server that comes back after a kill; else a free one
    """
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", *args]
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**server_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log_file)
    try:
        _wait(server, health)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
