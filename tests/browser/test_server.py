"""The helper that starts the application waits for a real answer and leaves nothing running."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.browser.server import run_server

APP = """
import os
import streamlit as st
from starlette.responses import JSONResponse
from starlette.routing import Route

async def health(request):
    return JSONResponse({"home": os.environ["GRIDMAP_HOME"]})

app = st.App("page.py", routes=[Route("/api/health", health)])
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "page.py").write_text("import streamlit as st\nst.title('一张图')\n")
    (tmp_path / "streamlit_app.py").write_text(APP)
    return tmp_path / "streamlit_app.py"


def test_a_server_answers_with_the_environment_it_was_given_and_ends(script: Path, page) -> None:
    log = script.with_name("server.log")
    with run_server(env={"GRIDMAP_HOME": "here"}, log_file=log, script=script) as server:
        with urllib.request.urlopen(server.base_url + "/api/health") as answer:
            assert answer.read() == b'{"home":"here"}'
        page.goto(server.base_url)
        page.get_by_role("heading", name="一张图").wait_for()
    assert server.process.poll() is not None
    assert "Traceback" not in server.log()


def test_a_server_that_cannot_start_shows_its_log(script: Path) -> None:
    script.write_text("import streamlit as st\nraise RuntimeError('坏配置')\napp = st.App('page.py')\n")
    with (
        pytest.raises(RuntimeError, match="坏配置"),
        run_server(log_file=script.with_name("log"), script=script),
    ):
        pass
