"""Which layer of grids a section works on, and its grids to choose from."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import access, elements
from gridmap.services.district import District
from gridmap.storage.elements import Query

_MOST = 5_000


def partitions(district: District, user: User) -> dict[str, Layer]:
    """Layers of grids that fill their parent, which have grids and which the user sees, by id."""
    return {
        one.id: one
        for one in access.visible_layers(district, user)
        if one.is_partition and len(district.frames.frame(one.id).living)
    }


def choose(
    layers: dict[str, Layer], key: str, *, label: str = "网格图层", first: str = "police_grid"
) -> Layer:
    """The layer that is chosen among these."""
    ids = list(layers)
    picked = st.selectbox(
        label,
        ids,
        index=ids.index(first) if first in ids else 0,
        format_func=lambda one: layers[one].title,
        width=220,
        key=key,
    )
    return layers[picked]


def grids(district: District, user: User, layer: Layer) -> dict[str, Element]:
    """The living grids of a layer by id, in the order of their codes."""
    found = elements.find(district, user, Query(layer.id), limit=_MOST).elements
    return {one.id: one for one in sorted(found, key=lambda one: one.code or "")}
