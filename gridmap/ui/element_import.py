"""批量导入: a file step by step into a layer, with a dry run before anything is stored."""

from __future__ import annotations

import html

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import access
from gridmap.services import district as districts
from gridmap.ui import state
from gridmap.ui.import_dry_run import dry_run
from gridmap.ui.import_file import choose_file
from gridmap.ui.import_meaning import choose_meaning
from gridmap.ui.import_receipt import show_receipt

_STEPS = ("上传文件", "坐标系与列对应", "预检", "入库")


def import_tab(user: User, layer: Layer) -> None:
    """Everything of this tab."""
    district = districts.running()
    if not access.may_edit(user, layer):
        st.html(
            f'<p class="gm-empty">您没有编辑“{html.escape(layer.title)}”图层的权限,不能导入。请选择其他图层。</p>'
        )
        return
    work = state.of(user).elements.importing(layer.id)
    _steps(work.step)
    {1: choose_file, 2: choose_meaning, 3: dry_run, 4: show_receipt}[work.step](district, user, layer, work)


def _steps(present: int) -> None:
    items = "".join(
        f'<li class="{_look(number, present)}"><b>{number}</b>{title}</li>'
        for number, title in enumerate(_STEPS, 1)
    )
    st.html(f'<ol class="gm-steps">{items}</ol>')


def _look(number: int, present: int) -> str:
    """The style of a step by where it stands; the present one is named to screen readers too."""
    return 'gm-now" aria-current="step' if number == present else "gm-past" if number < present else "gm-next"
