"""
The whole application: Streamlit's pages and our own routes in one process.

`streamlit run streamlit_app.py` finds the literal `st.App(...)` below; a factory or an imported app it would not.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from gridmap.api import app as api
from gridmap.api import signin
from gridmap.services.district import running
from gridmap.settings import load_settings
from gridmap.ui.pages import pages
from gridmap.ui.problems import apologise
from gridmap.ui.shell import first_files, page_html

BASE_PATH = load_settings().base_path
PAGES = [one.name for one in pages()]

app = st.App(
    Path(__file__).resolve().parent / "gridmap" / "ui" / "main.py",
    routes=[
        *signin.routes(running, base_path=BASE_PATH, ahead=first_files(BASE_PATH)),
        *api.routes(running),
    ],
    # headers outside, so that the entrance's answers carry them too
    middleware=[
        *api.middleware(),
        Middleware(signin.Entrance, running, PAGES, page_html(BASE_PATH), BASE_PATH),
    ],
    lifespan=api.lifespan,
    on_script_error=apologise,
)
