"""The server process: it takes up work, and ends promptly though somebody listens."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from gridmap.api import app as api
from gridmap.errors import Unavailable
from gridmap.services import changes, jobs
from tests.api.conftest import World
from tests.api.serving import serving_process
from tests.support.district import ADMIN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_though_a_stream_is_open(world: World, number: signal.Signals) -> None:
    headers = {"Authorization": f"Bearer {world.tokens[ADMIN.username]}"}
    with (
        serving_process(world.district) as (url, process),
        httpx.stream("GET", f"{url}/api/changes", headers=headers, timeout=30) as response,
    ):
        lines = response.iter_lines()
        assert "hello" in next(line for line in lines if line.startswith("event"))
        os.kill(process.pid, number)
        assert not [line for line in lines if "error" in line]
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            pytest.fail("the open stream kept the server alive")


def test_the_lifespan_takes_up_jobs_and_closes_feeds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    recovered = []
    monkeypatch.setattr(jobs, "recover", recovered.append)
    feed = changes.feed(world.district)
    feed.listen(lambda: None)

    async def live() -> None:
        async with api.lifespan(None, lambda: world.district):
            assert recovered == [world.district]
            assert not feed.is_closed

    before = signal.getsignal(signal.SIGTERM)
    asyncio.run(live())
    assert feed.is_closed
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_missing_store_is_logged_and_the_server_lives(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def missing() -> None:
        raise Unavailable("there is no district; run `gridmap init` first")

    async def live() -> None:
        async with api.lifespan(None, missing):
            pass

    asyncio.run(live())
    assert "gridmap init" in caplog.text
