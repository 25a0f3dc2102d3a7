"""
Places in plain tables: the columns that hold coordinates, found by their names, and what is in them.

A table of points has two columns of numbers, or one with both (121.5,30.9); other geometry stands in a column
of WKT. Columns that hold the place are not kept as attributes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridmap.exchange.errors import ColumnMissing
from gridmap.exchange.table import Draft, RowProblem
from gridmap.exchange.text import plain_name

# Names as `plain_name` gives them, in pairs that belong together; the first pair that is complete counts.
OWN_PAIRS = (("geometry_lon", "geometry_lat"), ("geometry_x", "geometry_y"))
_PAIRS = (
    *((plain_name(x), plain_name(y)) for x, y in OWN_PAIRS),
    ("lon", "lat"), ("lng", "lat"), ("long", "lat"), ("longitude", "latitude"), ("经度", "纬度"),
    ("lon", "latitude"), ("lng", "latitude"), ("经度lon", "纬度lat"), ("经度lng", "纬度lat"),
    ("经度坐标", "纬度坐标"), ("lon84", "lat84"), ("wgslon", "wgslat"), ("wgslng", "wgslat"),
    ("lonwgs84", "latwgs84"), ("lngwgs84", "latwgs84"), ("wgs84lon", "wgs84lat"), ("wgs84lng", "wgs84lat"),
    ("longcj02", "latgcj02"), ("lnggcj02", "latgcj02"), ("gcjlon", "gcjlat"), ("gcjlng", "gcjlat"),
    ("gcj02lon", "gcj02lat"), ("gcj02lng", "gcj02lat"), ("lonbd09", "latbd09"), ("lngbd09", "latbd09"),
    ("bdlon", "bdlat"), ("bdlng", "bdlat"), ("bd09lon", "bd09lat"), ("bd09lng", "bd09lat"),
    ("x坐标", "y坐标"), ("坐标x", "坐标y"), ("xcoord", "ycoord"), ("pointx", "pointy"), ("posx", "posy"),
    ("横坐标", "纵坐标"), ("东坐标", "北坐标"), ("easting", "northing"), ("x", "y"),
)  # fmt: skip
_WKT = ("geometrywkt", "wkt", "geom", "geometry", "thegeom", "wktgeometry", "图形", "几何")
_BOTH = (
    "location",
    "lonlat",
    "lnglat",
    "坐标",
    "经纬度",
    "位置坐标",
    "坐标经度纬度",
    "coordinate",
    "coordinates",
)
_SHIFTED = {"gcj": "gcj02", "bd": "bd09", "wgs": "wgs84"}

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_PAIR = re.compile(r"[\[(]?\s*([^\s,;]+)\s*[,;\s]\s*([^\s,;\])]+)\s*[\])]?")


@dataclass(frozen=True, slots=True)
class PlaceColumns:
    """Which columns hold the place: `x` and `y`, or `both`, or `wkt` (in as many columns as it took)."""

    x: str | None = None
    y: str | None = None
    both: str | None = None
    wkt: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(name for name in (self.x, self.y, self.both, *self.wkt) if name)

    @property
    def declared(self) -> str | None:
        """The datum that the names speak of (`gcj_lon`), if any."""
        words = plain_name("".join(self.names))
        return next((datum for word, datum in _SHIFTED.items() if word in words), None)


def find_place_columns(
    columns: Sequence[str], lon_column: str | None = None, lat_column: str | None = None
) -> PlaceColumns | None:
    """
    The columns that hold the place; None where no name is known.

    Raises
    ------
    ColumnMissing
        A column that was named is not there, or only one of the two was named.
    """
    if lon_column or lat_column:
        for name, what in ((lon_column, "经度"), (lat_column, "纬度")):
            if name is None or name not in columns:
                raise ColumnMissing(
                    f"no column {name!r}; the columns are {', '.join(columns)}",
                    zh=(f"没有名为“{name}”的列" if name else f"请同时指定{what}列")
                    + f"。文件中的列:{'、'.join(columns[:30])}。",
                    column=name,
                    columns=list(columns),
                )
        return PlaceColumns(x=lon_column, y=lat_column)
    known = {plain_name(name): name for name in reversed(columns)}
    for x, y in _PAIRS[: len(OWN_PAIRS)]:
        if x in known and y in known:
            return PlaceColumns(x=known[x], y=known[y])
    for name in _WKT:
        if name in known:
            more = [f"{known[name]}_{n}" for n in range(2, len(columns) + 1)]
            return PlaceColumns(wkt=(known[name], *_leading(more, columns)))
    for x, y in _PAIRS:
        if x in known and y in known:
            return PlaceColumns(x=known[x], y=known[y])
    return next((PlaceColumns(both=known[name]) for name in _BOTH if name in known), None)


def _leading(names: list[str], columns: Sequence[str]) -> list[str]:
    """The names up to the first that is no column."""
    found = []
    for name in names:
        if name not in columns:
            break
        found.append(name)
    return found


def place_rows(draft: Draft, places: PlaceColumns) -> None:
    """Give the draft its geometry from these columns, and take the columns away."""
    rows = np.asarray(draft.rows)
    if places.wkt:
        values = [draft.columns.pop(name) for name in places.wkt]
        draft.geometry = _from_wkt(values, places.wkt[0], rows, draft.problems)
    elif places.both:
        pairs = [_split(value) for value in draft.columns.pop(places.both)]
        xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
        draft.geometry = _from_numbers(xs, ys, (places.both, places.both), rows, draft)
    else:
        xs, ys = draft.columns.pop(places.x), draft.columns.pop(places.y)  # type: ignore[arg-type]
        draft.geometry = _from_numbers(xs, ys, (places.x, places.y), rows, draft)
    if draft.declared_crs is None:
        draft.declared_crs = places.declared


def _split(value: Any) -> tuple[Any, Any]:
    if value is None or not str(value).strip():
        return None, None
    match = _PAIR.fullmatch(str(value).strip().replace("\uff0c", ","))
    return (match[1], match[2]) if match else (value, value)


def _from_numbers(xs: list[Any], ys: list[Any], names: Any, rows: Any, draft: Draft) -> np.ndarray[Any, Any]:
    geometry = np.full(len(rows), None, dtype=object)
    numbers = np.full((len(rows), 2), np.nan)
    for place, pair in enumerate(zip(xs, ys, strict=True)):
        given = [value is not None and str(value).strip() != "" for value in pair]
        if not any(given):
            continue
        for axis, value in enumerate(pair):
            number = number_of(value) if given[axis] else None
            if number is None:
                shown = f"“{str(value)[:40]}”不是数字" if given[axis] else "缺少坐标"
                draft.problems.append(RowProblem(int(rows[place]), names[axis], f"{shown}。请改正坐标。"))
                if names[0] == names[1]:
                    break
            else:
                numbers[place, axis] = number
    there = ~np.isnan(numbers).any(axis=1)
    geometry[there] = shapely.points(numbers[there])
    _note_swapped(numbers[there], names, draft)
    return geometry


def number_of(value: Any) -> float | None:
    """The number that a cell holds or shows; None where it is none (also `nan`, `inf`, `1_000`)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if np.isfinite(value) else None
    text = str(value).strip().translate(_NARROW)
    return float(text) if _NUMBER.fullmatch(text) and len(text) < 40 else None


_NARROW = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


def _note_swapped(numbers: np.ndarray[Any, Any], names: tuple[str, str], draft: Draft) -> None:
    """Say so when the numbers look like latitudes in the first column and longitudes in the second."""
    if not len(numbers):
        return
    x, y = np.median(numbers, axis=0)
    if 3 < x < 54 and 73 < y < 136:
        draft.notes.append(
            f"“{names[0]}”列像是纬度,“{names[1]}”列像是经度,两列可能填反了。请核对后重新指定。"
        )


def _from_wkt(columns: list[list[Any]], name: str, rows: Any, problems: list[RowProblem]) -> Any:
    geometry = np.full(len(rows), None, dtype=object)
    texts = ["".join(str(part) for part in parts if part) for parts in zip(*columns, strict=True)]
    read = shapely.from_wkt(np.array([text or None for text in texts], dtype=object), on_invalid="ignore")
    for place, text in enumerate(texts):
        if text.strip() and read[place] is None:
            problems.append(
                RowProblem(int(rows[place]), name, "图形文字(WKT)无法读取。请检查括号与坐标是否完整。")
            )
    geometry[:] = read
    return geometry
