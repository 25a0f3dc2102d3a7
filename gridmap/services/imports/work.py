"""One dry run as it goes along: the rows, what is known about each, and what was said about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gridmap.domain.crs import Datum
from gridmap.domain.layers import Field, Layer
from gridmap.domain.roles import User
from gridmap.exchange import SourceTable
from gridmap.services.district import District
from gridmap.services.frames import Frame
from gridmap.services.imports.plans import Mode, Options, Progress, RowIssue, Write
from gridmap.services.imports.reading import only_where
from gridmap.storage.newcomers import Newcomers


class Work:
    """
    The rows of a file on their way to a plan.

    Rows are known by their position. Each step adds what it found out.

    Attributes
    ----------
    rows : the numbers that a person sees beside the rows
    is_good, is_repeated : not refused so far; said by another row already
    frame, position : the layer as it is stored, and where in it each living element is, by id
    raw, mapping, column_of, grid_columns, ignored : values by column; which field each column is, and the other
        way round; columns that state a grid; columns that are left out
    geometry : lon/lat, WGS 84
    values, unknown, required, system : values by field; texts of choice fields that are no choice; fields that
        must have a value; values of the columns that every element has
    match, restored, ids, codes : position of each row's element among the stored, -1 for none; ids of retired
        elements that come back, by row; what the file says about both
    actions, writes, newcomers : what becomes of each row; what is stored one by one, and column by column
    """

    frame: Frame
    position: dict[str, int]
    raw: dict[str, list[Any]]
    mapping: dict[str, str]
    column_of: dict[str, str]
    grid_columns: Sequence[Any]
    ignored: tuple[str, ...]
    geometry: np.ndarray
    values: dict[str, list[Any]]
    unknown: dict[str, list[str]]
    required: list[Field]
    system: dict[str, list[Any]]
    match: np.ndarray
    restored: dict[int, str]
    ids: list[str | None]
    codes: list[str | None]
    actions: np.ndarray
    writes: list[Write]
    newcomers: Newcomers | None

    def __init__(
        self,
        district: District,
        user: User,
        layer: Layer,
        table: SourceTable,
        datum: Datum,
        mode: Mode,
        filename: str,
        options: Options,
        progress: Progress,
    ) -> None:
        self.district, self.user, self.layer, self.datum = district, user, layer, datum
        self.mode, self.filename, self.options, self.progress = mode, filename, options, progress
        self.table = only_where(table, options.where)
        self.rows = self.table.rows.tolist()
        self.n = len(self.table)
        self.problems: list[RowIssue] = []
        self.remarks: list[RowIssue] = []
        self.warnings: list[str] = []
        self.is_good = np.ones(self.n, dtype=bool)
        self.is_repeated = np.zeros(self.n, dtype=bool)

    def refuse(self, at: int, field: str, rule: str, message: str) -> None:
        """Note why a row cannot be stored."""
        self.is_good[at] = False
        self.problems.append(RowIssue(self.rows[at], field, rule, message))

    def remark(self, at: int, field: str, rule: str, message: str) -> None:
        """Note what a person should look at in a row."""
        self.remarks.append(RowIssue(self.rows[at], field, rule, message))

    @property
    def property_names(self) -> list[str]:
        """Fields of the layer that the file has a column for."""
        return [name for name in self.values if name not in ("code", "name")]
