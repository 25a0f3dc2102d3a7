"""Values and names of elements as people read them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from gridmap.domain.elements import Element
from gridmap.domain.layers import FieldType, Layer
from gridmap.domain.merge import GEOMETRY
from gridmap.ui.words import time_words
from gridmap.validation.attributes import core_fields

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&^=])")


def literal(text: object) -> str:
    """The text so that Streamlit's labels and sentences, which are Markdown, show it as it is."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def label_of(element: Element) -> str:
    """Code and name, as far as there are any."""
    return " ".join(part for part in (element.code, element.name) if part) or element.id[:8]


def field_titles(layer: Layer) -> dict[str, str]:
    """Chinese titles of everything an editor may change, by name."""
    return {one.name: one.title for one in (*core_fields(layer), *layer.fields)} | {GEOMETRY: "位置"}


def value_words(layer: Layer, name: str, value: Any) -> str:
    """A value as a person reads it: the choice's title, yes or no, a number with its unit."""
    if value is None or value == "":
        return "(空)"
    field = next((one for one in layer.fields if one.name == name), None)
    if field is None:
        return str(value)
    if field.type is FieldType.BOOLEAN:
        return "是" if value else "否"
    if field.type is FieldType.DATETIME:
        try:
            return time_words(datetime.fromisoformat(str(value)))
        except ValueError:
            return str(value)
    return field.choice_title(value) + (f" {field.unit}" if field.unit else "")
