"""The slides of a story as a list that is put in order by dragging: what it is told, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlit.components.v1 import declare_component

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "slides"
_list = declare_component("slides", path=FOLDER)
_HEARD = "slides"


@dataclass(frozen=True, slots=True)
class Row:
    """One slide in the list; `badges` are a word or two each about what is special with it."""

    id: str
    title: str
    badges: tuple[str, ...] = ()


def show(
    rows: Sequence[Row],
    *,
    base: int,
    opened: str | None,
    may_change: bool,
    most_height: int,
    heard: dict[str, str],
    key: str,
) -> dict[str, Any] | None:
    """
    The list; answers what a person has just done in it, once.

    The answer is `{"kind": "open", "id"}` or `{"kind": "order", "order", "base"}` with every id that was shown and
    the revision in which they were shown; after it, the page must run again, so that the list hears of it.

    Parameters
    ----------
    base : the story's revision
    most_height : pixels; a longer list scrolls by itself
    heard : what was taken last; it is written to
    """
    said = _list(
        slides=[{"id": one.id, "title": one.title, "badges": list(one.badges)} for one in rows],
        base=base, open=opened, may_change=may_change, most_height=most_height, heard=heard.get(_HEARD),
        key=key, default=None,
    )  # fmt: skip
    if not isinstance(said, Mapping) or "n" not in said or heard.get(_HEARD) == said["n"]:
        return None
    heard[_HEARD] = str(said["n"])
    return dict(said)
