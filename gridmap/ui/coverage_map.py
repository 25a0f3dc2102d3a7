"""
The map of the coverage page, and the two short ways between it and the page.

The page tells the map what is asked by one element of its document, which the map watches: the frame, whose
arguments never change, stays. The map tells the page what is in somebody's hand as streamlit-folium's value.
"""

from __future__ import annotations

import html
import json
from typing import Any

import streamlit as st
from streamlit_folium import st_folium

from gridmap.domain.scenarios import documents
from gridmap.maps.shell import make_map
from gridmap.services.questions import parse_within
from gridmap.storage.scenarios import Scenario
from gridmap.ui.coverage_work import Asked, CoverageWork, Heard

HEIGHT = 700
TABS = {"现状": "today", "死角": "gaps", "推演": "whatif", "选址": "siting"}


def show() -> Heard:
    """The map; answers what it said last."""
    value = st_folium(make_map(mode="coverage"), height=HEIGHT, use_container_width=True, returned_objects=[])
    return heard(value)


def heard(value: Any) -> Heard:
    """What the map's word says; it comes from a browser, so nothing is taken for granted."""
    said = value if isinstance(value, dict) else {}
    changes = said.get("changes")
    is_list = isinstance(changes, list) and all(isinstance(one, dict) for one in changes)
    texts = {name: said.get(name) if isinstance(said.get(name), str) else None for name in ("base", "point")}
    picked = said.get("picked")
    return Heard(changes if is_list else [], picked=picked if isinstance(picked, int) else 0, **texts)  # type: ignore[arg-type]


def bands(within: str) -> str:
    """A third, two thirds and all of the threshold, as the shapes' `bands` takes them."""
    whole = parse_within(within)
    parts = [whole.amount / 3, whole.amount * 2 / 3, whole.amount]
    return ",".join(f"{part:.0f}{whole.unit}" for part in parts)


def tell(
    asked: Asked,
    work: CoverageWork,
    tab: str,
    sequence: int,
    *,
    sites: list[dict[str, Any]] | None = None,
    closed: list[dict[str, Any]] | None = None,
) -> None:
    """Say to the map what is asked and what the open tab wants to be seen."""
    members = asked.members()
    message = {
        "question": members,
        "scenario": _scenario(asked.scenario),
        "tab": TABS[tab],
        "sequence": sequence,
        "point": work.point if tab == "现状" else None,
        "bands": bands(members["within"]),
        "sites": _places(sites),
        "closed": _places(closed),
        "candidates": _places(work.compared["candidates"] if work.compared else None),
        "fly": list(work.place) if work.place else None,
    }
    text = html.escape(json.dumps(message, ensure_ascii=False))
    st.html(f'<div class="gm-coverage-word" data-gridmap-coverage="{text}"></div>')


def _scenario(one: Scenario | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"id": one.id, "revision": one.revision, "name": one.name, "changes": documents(one.changes)}


def _places(rows: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{"name": one["name"], "lon": one["lon"], "lat": one["lat"]} for one in rows or []]


def row_attributes(lon: float, lat: float, gap: int | None = None) -> str:
    """Attributes of an HTML element that sends the map to a place when it is clicked, without a run of the page."""
    rank = "" if gap is None else f' data-gridmap-gap="{gap}"'
    return f'data-gridmap-fly="{lon:.6f},{lat:.6f}"{rank}'


def _cell(text: str) -> str:
    """A cell; a figure stays in one line, and the second line of a text is smaller."""
    first, _, second = text.partition("\n")
    small = f"<small>{html.escape(second)}</small>" if second else ""
    mark = ' class="gm-figure"' if not second and text[:1] in "0123456789<—+-" else ""
    return f"<td{mark}>{html.escape(first)}{small}</td>"


def place_table(
    columns: list[str], rows: list[tuple[list[str], float, float]], *, height: int, ranked: bool = False
) -> None:
    """
    A table whose rows lead to their places on the map.

    Parameters
    ----------
    rows : the texts of a row, lon, lat; the first text becomes the button
    ranked : whether the first text is the rank of a gap, which the map then frames whole
    """
    head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in columns)
    body = []
    for texts, lon, lat in rows:
        go = row_attributes(lon, lat, int(texts[0]) if ranked else None)
        first = f'<td><button type="button" class="gm-button gm-go" aria-label="在图上看 {html.escape(texts[0])}">{html.escape(texts[0])}</button></td>'
        body.append(f"<tr {go}>{first}{''.join(_cell(one) for one in texts[1:])}</tr>")
    st.html(
        f'<div class="gm-table gm-places" tabindex="0" role="region" aria-label="{html.escape(columns[0])}" style="max-height: {height}px">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
