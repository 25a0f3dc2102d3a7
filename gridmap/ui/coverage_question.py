"""The question of the coverage page: one row of inputs above the map and the figures."""

from __future__ import annotations

from typing import Any

import streamlit as st

from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import district as districts
from gridmap.services import reach, scenarios
from gridmap.services.problems import chinese
from gridmap.services.questions import DEMAND, GRID, POINTS, Travel, parse_question
from gridmap.storage.scenarios import Scenario
from gridmap.ui import cached, state
from gridmap.ui.coverage_work import Asked, CoverageWork

_METRES, _MINUTES = "米", "分钟"
_OPEN = {"": "全部站点", "now": "此刻开放", "22:00": "夜间 22:00", "10:00": "日间 10:00"}
_FIRST_THRESHOLD = {
    Travel.LINE: 1000, Travel.FOOT: 1000, Travel.EBIKE: 3000, Travel.CAR: 5000,
}  # fmt: skip
_FIRST_MINUTES = {
    Travel.FOOT: 15, Travel.EBIKE: round(reach.QUESTION.within.amount / 60), Travel.CAR: 8,
}  # fmt: skip
LINK = "scenario"


def ask(user: User) -> Asked | None:
    """
    What the inputs ask; None (with a sentence on the page) when they cannot be asked.

    A link with `?scenario=` opens that scenario at the first run.
    """
    district = districts.running()
    work = state.of(user).coverage
    layers = cached.catalogue(district, user)["layers"]
    grids = [one for one in layers if one["grid"]]
    if not grids:
        st.error("图层目录里没有网格图层,无法统计覆盖。请联系系统管理员。")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", key="coverage_question"):
        points = _layer("站点", [one for one in layers if one["geometry"] == "Point"], POINTS, "points")
        demand = _layer("服务对象", _with_people(layers), DEMAND, "demand")
        modes = {one.value: one.title for one in Travel}
        # The page opens with what the overview counts by, so that both say the same number of people.
        mode = Travel(
            st.selectbox(
                "方式", list(modes), index=list(modes).index(reach.QUESTION.mode.value),
                format_func=modes.__getitem__, key="coverage.mode", width=128,
            )
        )  # fmt: skip
        within = _threshold(mode)
        by = _layer("按网格", grids, GRID, "by")
        opened = st.selectbox(
            "开放时间", list(_OPEN), format_func=_OPEN.__getitem__, key="coverage.open", width=118
        )
        one = _scenario(user, work)
    if points is None or demand is None or by is None:
        st.error("没有可用的站点或服务对象图层。请联系系统管理员检查图层目录。")
        return None
    members = {
        "points": points,
        "demand": demand,
        "mode": mode.value,
        "within": within,
        "by": by,
        "open_at": opened,
    }
    try:
        return Asked(parse_question(members, now=district.clock()), opened, one)
    except GridmapError as error:
        st.error(chinese(error))
        return None


def _with_people(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Layers whose elements stand for people: those with a count, then other places."""
    places = [
        one
        for one in layers
        if not one["grid"] and not one["basemap"] and "LineString" not in one["geometry"]
    ]
    return [one for one in places if any(each["name"] == "population" for each in one["fields"])] or places


def _layer(label: str, layers: list[dict[str, Any]], first: str, name: str) -> str | None:
    titles = {one["id"]: one["title"] for one in layers}
    ids = list(titles)
    if not ids:
        return None
    index = ids.index(first) if first in titles else 0
    return st.selectbox(
        label, ids, index=index, format_func=titles.__getitem__, key=f"coverage.{name}", width=112
    )


def _threshold(mode: Travel) -> str:
    """The threshold as `1000m` or `15min`; each mode and unit keeps its own number."""
    units = [_METRES] if mode is Travel.LINE else [_METRES, _MINUTES]
    unit = st.selectbox("单位", units, index=len(units) - 1, key=f"coverage.unit.{len(units)}", width=82)
    is_metres = unit == _METRES
    first = _FIRST_THRESHOLD[mode] if is_metres else _FIRST_MINUTES[mode]
    amount = st.number_input(
        f"阈值({unit})", min_value=1, max_value=100_000 if is_metres else 720, value=first,
        step=100 if is_metres else 1, key=f"coverage.within.{mode.value}.{unit}", width=100,
    )  # fmt: skip
    return f"{amount}{'m' if is_metres else 'min'}"


def _scenario(user: User, work: CoverageWork) -> Scenario | None:
    found = {one.id: one for one in scenarios.find(districts.running(), user)}
    if not work.has_begun:
        work.has_begun = True
        linked = st.query_params.get(LINK)
        if linked in found:
            work.choose(linked)
        elif linked:
            st.toast("链接中的方案不存在,可能已被删除。")
    ids = ["", *found]
    index = ids.index(work.scenario) if work.scenario in found else 0
    work.scenario = st.selectbox(
        "方案", ids, index=index, key=f"coverage.scenario.{work.picks}", width=150,
        format_func=lambda one: found[one].name if one else "现状",
    ) or None  # fmt: skip
    if work.scenario is not None:
        st.query_params[LINK] = work.scenario
    elif LINK in st.query_params:
        del st.query_params[LINK]
    return found.get(work.scenario) if work.scenario else None
