"""An uploaded file on its way to a table: kept, opened, and described in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from typing import Any

from gridmap.domain.crs import CrsUnknownError, parse_datum
from gridmap.domain.layers import Layer
from gridmap.domain.privacy import mask_text
from gridmap.errors import GridmapError
from gridmap.exchange import EncodingUnknown, Format, SourceTable, list_layers
from gridmap.services import imports
from gridmap.services.district import District
from gridmap.services.problems import chinese
from gridmap.ui.element_work import ImportWork, Reading, Upload
from gridmap.ui.words import size_words
from gridmap.validation.attributes import core_fields

ENCODINGS = {
    None: "自动识别",
    "utf-8": "UTF-8",
    "gb18030": "GB18030(GBK)",
    "utf-16": "UTF-16",
    "big5": "Big5(繁体)",
}
_KINDS = {
    "Point": "点",
    "MultiPoint": "多点",
    "LineString": "线",
    "MultiLineString": "多线",
    "Polygon": "面",
    "MultiPolygon": "多面",
}
_SHOWN_ROWS = 6
_SHOWN_TEXT = 60


def take(district: District, work: ImportWork, name: str, content: bytes) -> None:
    """Keep an uploaded file and look into it."""
    work.upload = Upload(name, content)
    work.parts, work.table, work.fault, work.reading = (), None, "", Reading()
    try:
        work.parts = list_layers(
            work.upload.path, filename=work.upload.name, limits=imports.limits_of(district)
        )
    except GridmapError as error:
        work.fault = chinese(error)
        return
    if len(work.parts) <= 1:
        read(district, work, work.reading)


def read(district: District, work: ImportWork, reading: Reading) -> None:
    """Read the file anew in this way; where that fails, `work.fault` says why."""
    assert work.upload is not None
    work.reading, work.table, work.fault = reading, None, ""
    work.mapping, work.values = {}, {}
    work.forget_plan()
    if len(work.parts) > 1 and reading.layer_name is None:
        return
    try:
        work.table = imports.read(
            district,
            work.upload.path,
            filename=work.upload.name,
            layer_name=reading.layer_name,
            encoding=reading.encoding,
            lon_column=reading.lon_column,
            lat_column=reading.lat_column,
        )
    except EncodingUnknown as error:
        work.fault = chinese(error) + "也可以在下面指定文字编码。"
    except GridmapError as error:
        work.fault = chinese(error)


def with_place(reading: Reading, lon: str | None, lat: str | None) -> Reading:
    """The reading with its two coordinate columns; both or none."""
    return (
        replace(reading, lon_column=lon, lat_column=lat)
        if lon and lat
        else replace(reading, lon_column=None, lat_column=None)
    )


def has_encoding(work: ImportWork) -> bool:
    """Whether another encoding may be worth a try: the file is text, or could not be read."""
    if work.table is None:
        return bool(work.fault)
    return work.table.format in (Format.CSV, Format.SHAPEFILE, Format.GEOJSON, Format.KML)


def facts(upload: Upload, table: SourceTable) -> dict[str, str]:
    """What there is to know about the file before it is imported."""
    kinds = Counter(None if one is None else one.geom_type for one in table.geometry)
    words = [f"{_KINDS.get(kind, kind)} {count:,}" for kind, count in kinds.most_common() if kind]
    words += [f"无图形 {kinds[None]:,}"] if kinds[None] else []
    return {
        "文件": f"{mask_text(upload.name)}({size_words(upload.size)})",
        "格式": table.format.title,
        "文字编码": (table.encoding or "格式自带").upper() if table.encoding else "格式自带",
        "行数": f"{len(table):,}",
        "属性列": f"{len(table.columns)}",
        "图形": "、".join(words) or "无",
        "文件声明的坐标系": declared_words(table) or "未声明",
    }


def declared_words(table: SourceTable) -> str:
    """The coordinate system that the file claims, in words; empty where it claims none."""
    if not table.declared_crs:
        return ""
    try:
        return parse_datum(table.declared_crs).title
    except CrsUnknownError:
        return mask_text(table.declared_crs)[:60]


def shown(value: Any) -> str:
    """A value of the file, short, and without personal numbers."""
    text = "" if value is None else mask_text(" ".join(str(value).split()))
    return text if len(text) <= _SHOWN_TEXT else text[: _SHOWN_TEXT - 1] + "…"


def first_rows(table: SourceTable) -> tuple[list[str], list[list[str]]]:
    """Headings and the first rows of the file."""
    headings = ["行号", *table.columns, "图形"]
    rows = [
        [str(row), *(shown(value) for value in values.values()), _place(geometry)]
        for row, values, geometry in islice(table.records(), _SHOWN_ROWS)
    ]
    return headings, rows


def _place(geometry: Any) -> str:
    if geometry is None:
        return "无"
    if geometry.geom_type == "Point":
        return (
            f"{geometry.x:.6g}, {geometry.y:.6g}"
            if abs(geometry.x) > 400
            else f"{geometry.x:.6f}, {geometry.y:.6f}"
        )
    return _KINDS.get(geometry.geom_type, geometry.geom_type)


def example(table: SourceTable, column: str) -> str:
    """The first value of a column that is there, for the person who decides what it is."""
    series = table.frame[column].dropna()
    return next((text for value in series.head(50) if (text := shown(value))), "")


def may_choose_place(work: ImportWork) -> bool:
    """Whether the file is a plain table, whose coordinates are columns among others."""
    return work.table is not None and work.table.format in (Format.CSV, Format.XLSX)


def place_choices(work: ImportWork) -> list[str]:
    """Columns that may hold a coordinate: those left, and those taken for coordinates already."""
    assert work.table is not None
    taken = [one for one in (work.reading.lon_column, work.reading.lat_column) if one]
    return list(dict.fromkeys([*taken, *work.table.columns]))


def missing_required(layer: Layer, used: Collection[str]) -> list[str]:
    """Titles of the fields that a new element must have and no column brings."""
    fields = (*core_fields(layer), *layer.fields)
    return [
        one.title
        for one in fields
        if one.is_required and not one.is_soft and one.default is None and one.name not in used
    ]
