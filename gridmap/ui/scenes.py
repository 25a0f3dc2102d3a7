"""What a map that shows is told, and what it answers: a document in the page beside its frame, small facts back."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit_folium import st_folium

from gridmap.maps.shell import make_map


def show(
    mode: str, scene: Mapping[str, Any], *, heard: dict[str, str], height: int = 600
) -> dict[str, Any] | None:
    """
    The map of this mode showing `scene`; answers what a person has just said by it, once.

    Parameters
    ----------
    mode : as `gridmap.maps.shell.make_map` takes it
    scene : JSON values for the mode's script in `gridmap/assets/map`
    heard : by mode, the fact that was taken last; it is written to
    """
    text = json.dumps(scene, ensure_ascii=False)
    # in an attribute: nothing in it is ever read as HTML
    st.html(f'<div class="gm-scene" data-mode="{html.escape(mode)}" data-scene="{html.escape(text)}"></div>')
    said = st_folium(make_map(mode=mode), height=height, use_container_width=True, returned_objects=[])
    if not isinstance(said, Mapping) or "n" not in said or heard.get(mode) == said["n"]:
        return None
    heard[mode] = str(said["n"])
    return dict(said)
