"""What reading gives and writing answers: tables with their rows, faults and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.exchange.formats import Format

MEGABYTE = 2**20
GEOMETRY = "geometry"


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The most that is read from one file; above any of these the file is refused whole.

    `max_unpacked_bytes`, `max_entries` and `max_ratio` (unpacked to packed) are for zip archives; `max_text`
    is the number of characters in one cell.
    """

    max_bytes: int = 300 * MEGABYTE
    max_unpacked_bytes: int = 1024 * MEGABYTE
    max_entries: int = 2000
    max_ratio: int = 200
    max_rows: int = 1_000_000
    max_columns: int = 300
    max_text: int = 10_000_000
    max_depth: int = 50


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What could not be read in one row; `row` as in `SourceTable.rows`, `message` Chinese."""

    row: int
    column: str | None
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class SourceTable:
    """
    A file as a table, nothing judged and nothing moved.

    Attributes
    ----------
    frame : one row for each record; raw columns as the file names them, and `geometry` (None where there is
        none) in the file's own coordinates, two-dimensional, easting or longitude first. A missing value is
        None (NaN in columns of decimals), an empty text is "". Texts stay texts, leading zeros and all.
    rows : (n,) the number a person sees beside each row in that file, counting from 1: in CSV and XLSX the
        line of the sheet, headings included; elsewhere the number of the feature
    encoding : of the text, None where the format leaves no choice
    declared_crs : what the file says of its coordinates, in the words of `parse_datum` where those fit; None
        where it says nothing
    notes : Chinese sentences about how the file was read
    problems : what could not be read, row by row
    """

    frame: geopandas.GeoDataFrame
    rows: np.ndarray[Any, Any]
    format: Format
    encoding: str | None = None
    declared_crs: str | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[RowProblem, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the raw columns, without the geometry."""
        return tuple(name for name in self.frame.columns if name != GEOMETRY)

    @property
    def geometry(self) -> np.ndarray[Any, Any]:
        """(n,) shapely geometries, None where there is none."""
        return self.frame[GEOMETRY].to_numpy()

    def records(self) -> Iterator[tuple[int, dict[str, Any], BaseGeometry | None]]:
        """Row number, plain Python values (None where missing) and geometry, row by row."""
        columns = [plain_values(self.frame[name]) for name in self.columns]
        for row, geometry, *values in zip(self.rows.tolist(), self.geometry, *columns, strict=True):
            yield row, dict(zip(self.columns, values, strict=True)), geometry


@dataclass(frozen=True, slots=True)
class WriteReport:
    """
    What was written.

    `suggested_name` is a name for a download that tells the datum; `notes` are Chinese sentences about what
    the format could not hold as it was.
    """

    path: Path
    format: Format
    rows: int
    suggested_name: str
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """A table while a reader puts it together: columns of Python values, all of the same length."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    geometry: Any = None
    rows: Any = None
    encoding: str | None = None
    declared_crs: str | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    def finished(self, format: Format) -> SourceTable:
        """The table, its columns typed by their values."""
        n = len(self.rows)
        columns = {name: typed(values) for name, values in self.columns.items()}
        if GEOMETRY in columns:
            renamed = unique_names([*columns, GEOMETRY])[-1]
            columns = {renamed if name == GEOMETRY else name: one for name, one in columns.items()}
            self.notes.append(f"列“{GEOMETRY}”与图形重名,已改称“{renamed}”。")
        geometry = np.full(n, None, dtype=object) if self.geometry is None else self.geometry
        frame = pandas.DataFrame(columns, index=range(n))
        return SourceTable(
            frame=geopandas.GeoDataFrame(frame, geometry=flat(geometry)),
            rows=np.asarray(self.rows, dtype=int),
            format=format,
            encoding=self.encoding,
            declared_crs=self.declared_crs,
            notes=tuple(self.notes),
            problems=tuple(sorted(self.problems, key=lambda one: one.row)),
        )


def flat(geometries: Any) -> np.ndarray[Any, Any]:
    """The geometries as an object array in two dimensions."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = list(geometries)
    # most files are flat already, and looking costs a tenth of making them anew
    if not (shapely.has_z(array) | shapely.has_m(array)).any():
        return array
    return np.asarray(shapely.force_2d(array), dtype=object)


def unique_names(names: list[str]) -> list[str]:
    """The names, empty ones called by their place and repeated ones numbered."""
    taken: set[str] = set()
    result = []
    for place, name in enumerate(names, 1):
        base = name or f"列{place}"
        candidate, number = base, 2
        while candidate in taken or (candidate != name and candidate in names):
            candidate, number = f"{base}_{number}", number + 1
        taken.add(candidate)
        result.append(candidate)
    return result


def typed(values: list[Any]) -> pandas.Series:
    """
    The values as a column that keeps them: whole numbers and truth values stay so beside missing ones.

    Numbers with decimals become float64 (missing: NaN); everything else stays as Python values.
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pandas.Series(values, dtype="boolean")
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pandas.Series(values, dtype="Int64")
    if float in kinds and kinds <= {int, float}:
        return pandas.Series([np.nan if value is None else float(value) for value in values], dtype="float64")
    return pandas.Series(values, dtype=object)


_PLAIN_TYPES = frozenset({str, int, float, bool, type(None), datetime, date, list, dict})


def plain_values(column: pandas.Series) -> list[Any]:
    """The column's values as plain Python: None where missing, numbers and times of the standard library."""
    if column.dtype.kind in "iub" and isinstance(column.dtype, np.dtype):
        return column.tolist()
    missing = column.isna().to_numpy()
    values = column.tolist() if column.dtype == object else column.astype(object).tolist()
    if missing.any():
        values = [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]
    if set(map(type, values)) <= _PLAIN_TYPES:
        return values
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, pandas.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    return value
