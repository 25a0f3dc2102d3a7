"""A page of a pack before anybody prints it: words, figures, tables, charts, and what its map shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely

from gridmap.domain.elements import Box
from gridmap.services.figures import Figure, Form, Stamp
from gridmap.services.outlook import PointChange


@dataclass(frozen=True, slots=True)
class Table:
    """A table: texts as shown, and for spreadsheets the values behind them (numbers, texts or None)."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: tuple[tuple[Any, ...], ...]
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart (`is_line` False) or lines over time; None values are left out."""

    title: str
    unit: str
    categories: tuple[str, ...]
    series: tuple[tuple[str, tuple[float | None, ...]], ...]
    is_line: bool = False
    form: Form = Form.COUNT


@dataclass(frozen=True, slots=True, eq=False)
class MapSpec:
    """
    The map of a page: its box (None: the whole district), an outlined area, names written at every scale.

    `layers` are the pack's where they are None; `at` is its date (None: now); `marks` are what a scenario changes;
    `is_own` says that the map differs from the one of the whole pack in more than where it looks.
    """

    box: Box | None = None
    outline: tuple[shapely.Geometry, str] | None = None
    reach: tuple[shapely.Geometry, str] | None = None
    named: frozenset[str] = frozenset()
    layers: tuple[str, ...] | None = None
    at: datetime | None = None
    marks: tuple[PointChange, ...] = ()
    is_own: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One page or slide; `text` stands beside its map, `paragraphs` take the whole of it."""

    title: str
    subtitle: str
    stamp: Stamp
    figures: tuple[Figure, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    map: MapSpec | None = None
    paragraphs: tuple[str, ...] = ()
    notes: str = ""
    key: str = ""
    text: str = ""
