"""The coverage page: the question on top, the map beside the figures, four tabs."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from gridmap.domain.roles import User
from gridmap.services import coverage
from gridmap.services import district as districts
from gridmap.services.questions import Question
from gridmap.ui import coverage_map, coverage_question, state, widgets
from gridmap.ui.coverage_gaps import gaps_tab
from gridmap.ui.coverage_siting import siting_tab
from gridmap.ui.coverage_today import today_tab
from gridmap.ui.coverage_whatif import whatif_tab
from gridmap.ui.coverage_work import Asked, CoverageWork, Heard

_NUMBERS, _GAPS, _WHATIF, _SITING = coverage_map.TABS


def show(user: User) -> None:
    """Everything below the page's header."""
    work = state.of(user).coverage
    asked = coverage_question.ask(user)
    with st.container(key="coverage_body"):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            heard = coverage_map.show()
        if asked is None:
            return
        with right:
            _tabs(user, asked, work, heard)


def question_of(asked: Asked) -> Question:
    """The question with the open scenario, as every tab but 推演 asks it."""
    return replace(asked.question, scenario=asked.scenario.id) if asked.scenario else asked.question


def _tabs(user: User, asked: Asked, work: CoverageWork, heard: Heard) -> None:
    question = question_of(asked)
    # somebody who chooses a scenario stays where they are; one that was opened for them is shown in 推演
    first = _WHATIF if work.opened else _NUMBERS
    key = f"coverage.tab.{work.opened}"
    tabs = st.tabs(list(coverage_map.TABS), key=key, on_change="rerun", default=first)
    numbers, gaps, whatif, siting = tabs
    name = next((title for title, tab in zip(coverage_map.TABS, tabs, strict=True) if tab.open), first)
    job = None
    # the map begins to fetch what it draws while the figures are made
    place = st.empty()
    sequence = districts.running().database.sequence()
    if not siting.open:
        with place:
            coverage_map.tell(asked, work, name, sequence)
    if numbers.open:
        with numbers, st.spinner("正在计算覆盖…"):
            report = widgets.attempt(user, lambda: coverage.report(districts.running(), user, question))
        if report is not None:
            with numbers:
                today_tab(user, asked, question, report, work, heard)
    elif gaps.open:
        with gaps:
            gaps_tab(user, asked, question)
    elif whatif.open:
        with whatif:
            whatif_tab(user, asked, work, heard)
    elif siting.open:
        with siting:
            job = siting_tab(user, asked, question, work)
    result = job.result if job is not None else None
    with place:
        coverage_map.tell(
            asked, work, name, sequence,
            sites=[one for one in result["sites"] if one["is_new"]] if result else None,
            closed=list(result["closed"]) if result else None,
        )  # fmt: skip
