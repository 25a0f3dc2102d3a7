"""Which layer the elements page works on."""

from __future__ import annotations

from typing import Any

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import district as districts
from gridmap.ui import cached, state


def choose(user: User) -> Layer | None:
    """
    The layer that is chosen among those the user sees, group by group; None where there is none.

    It stands in the page's address, so that it outlives a reload and can be sent to a colleague.
    """
    district = districts.running()
    catalogue = cached.catalogue(district, user)
    layers = _by_group(catalogue)
    if not layers:
        st.html('<p class="gm-empty">没有您可以查看的图层。请联系系统管理员。</p>')
        return None
    mine = state.of(user)
    ids = list(layers)
    if mine.layer not in layers:
        mine.layer = _first(layers)
    picked = st.selectbox(
        "图层",
        ids,
        index=ids.index(mine.layer),
        format_func=lambda one: _words(layers[one]),
        label_visibility="collapsed",
        width=380,
        key="elements.layer",
    )
    layer = district.catalogue.layer(picked)
    if layer.description:
        st.caption(layer.description, width="content")
    if picked != mine.layer:
        mine.layer, mine.element = picked, None
    if st.query_params.get("layer") != picked:
        st.query_params["layer"] = picked
    return layer


def _first(layers: dict[str, dict[str, Any]]) -> str:
    """Where one begins: the layer of the address, else the first with something to edit, else the first."""
    asked = st.query_params.get("layer")
    if asked in layers:
        return asked
    return next(
        (one for one, layer in layers.items() if layer["may_edit"] and layer["count"]), next(iter(layers))
    )


def _by_group(catalogue: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Layers by id, those of one group together."""
    return {
        one["id"]: one
        for group in catalogue["groups"]
        for one in catalogue["layers"]
        if one["group"] == group
    }


def _words(layer: dict[str, Any]) -> str:
    right = "" if layer["may_edit"] else " · 只读"
    return f"{layer['group']} › {layer['title']} · {layer['count']:,} 个{right}"
