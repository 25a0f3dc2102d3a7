"""
Layers into files: every export is checked, masked for its reader, logged, and says what it is.

The files are made from what the store answers in one read transaction; nothing but the store opens the live
database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import shapely
from sqlalchemy import Connection

from gridmap import __version__
from gridmap.domain.crs import Datum, parse_datum
from gridmap.domain.elements import Element, Source
from gridmap.domain.freshness import CHINA
from gridmap.domain.layers import Field, FieldType, Layer
from gridmap.domain.privacy import MASKED_COUNT
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.exchange import Format, WriteReport, parse_format, suggested_name, write_layers, write_table
from gridmap.exchange.table import typed
from gridmap.services import access, lookup, membership
from gridmap.services.district import District
from gridmap.services.elements import SMALL_COUNT, masked
from gridmap.services.job_worker import JobContext
from gridmap.storage import access_log, history
from gridmap.storage import elements as stored
from gridmap.storage.database import sequence_of
from gridmap.storage.elements import Query

JOB_ROWS = 20_000
SIMULATED_REMARK = "本文件含模拟数据,不反映真实情况,不得用于实际警务决策。"
_MARK_COLUMN = "导出标记"


class Headings(Enum):
    """What columns are called: by field ids (for programs, and to come back) or by Chinese titles."""

    IDS = "ids"
    TITLES = "titles"


def parse_headings(text: Headings | str) -> Headings:
    """The headings that `text` names; raises InvalidInput."""
    try:
        return Headings(text)
    except ValueError:
        raise InvalidInput(
            f"no headings {text!r}; use ids or titles", zh="列名应为 ids(字段标识)或 titles(中文标题)。"
        ) from None


@dataclass(frozen=True, slots=True)
class ExportReport:
    """
    A finished export.

    `rows` counts elements by layer id; `sequence` is the commit whose state was written; `suggested_name` is
    a name for a download; `notes` are Chinese sentences about what the format could not hold.
    """

    path: Path
    format: Format
    datum: Datum
    rows: dict[str, int]
    sequence: int
    is_simulated: bool
    suggested_name: str
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "file": str(self.path),
            "format": self.format.value,
            "datum": str(self.datum),
            "rows": self.rows,
            "sequence": self.sequence,
            "is_simulated": self.is_simulated,
            "suggested_name": self.suggested_name,
            "notes": list(self.notes),
        }


def export_layer(
    district: District,
    user: User,
    layer_id: str,
    path: Path,
    *,
    format: Format | str | None = None,
    datum: Datum | str = "wgs84",
    as_of: datetime | None = None,
    grid: tuple[str, str] | None = None,
    headings: Headings | str = Headings.IDS,
    encoding: str | None = None,
) -> ExportReport:
    """
    Write one layer to `path`, as it is or as it was.

    Parameters
    ----------
    format : by default what the path's extension says
    datum : of the coordinates written; one other than WGS 84 is stated in the file's name too
    as_of : the state at this time (aware, inclusive); asks for the right to see history
    grid : (grid layer, code): only elements in this grid
    headings : ids come back in an import by themselves, titles too
    encoding : of CSV: `utf-8-sig` (default), `utf-8` or `gb18030`

    Raises
    ------
    PermissionDenied, NotFound (no such layer, grid or folder), CrsUnknownError, FormatUnknown,
    FormatCannotHold, LiveFileRefused
    """
    layer = district.catalogue.layer(layer_id)
    _require(district, user, [layer], as_of)
    if grid is not None:
        lookup.require_grid(district, user, *grid)
    path, datum, headings = Path(path), parse_datum(datum), parse_headings(headings)
    format = parse_format(format if format is not None else path)
    with district.database.read() as connection:
        sequence = sequence_of(connection)
        elements = _elements(district, connection, layer, as_of, grid)
    report = _Writer(district, user, datum, as_of, headings, sequence)
    frame = report.frame(layer, elements)
    remarks = report.remarks([layer], elements, grid)
    if format is Format.CSV:
        frame[_MARK_COLUMN] = report.mark(elements)
    written = write_table(
        frame,
        path,
        format=format,
        datum=datum,
        title=layer.title,
        remarks=remarks,
        encoding=encoding,
        forbidden=district.settings.database_file,
    )
    notes = [one for one in written.notes if format is not Format.CSV]
    return report.finished(written, {layer.id: elements}, layer.title, notes)


def export_district(
    district: District,
    user: User,
    path: Path,
    *,
    datum: Datum | str = "wgs84",
    as_of: datetime | None = None,
    layers: Sequence[str] | None = None,
    headings: Headings | str = Headings.IDS,
) -> ExportReport:
    """
    Write every layer that the user sees (or those of `layers`) into one GeoPackage, each under its Chinese
    title: a snapshot of one moment for QGIS and other programs.

    Raises
    ------
    PermissionDenied, NotFound, CrsUnknownError, LiveFileRefused
    """
    chosen = (
        [district.catalogue.layer(one) for one in layers]
        if layers is not None
        else access.visible_layers(district, user)
    )
    _require(district, user, chosen, as_of)
    path, datum = Path(path), parse_datum(datum)
    tables: list[tuple[str, pandas.DataFrame]] = []
    found: dict[str, list[Element]] = {}
    with district.database.read() as connection:
        sequence = sequence_of(connection)
        report = _Writer(district, user, datum, as_of, parse_headings(headings), sequence)
        for layer in chosen:
            found[layer.id] = _elements(district, connection, layer, as_of, None)
            tables.append((layer.title, report.frame(layer, found[layer.id])))
    remarks = report.remarks(chosen, list(chain.from_iterable(found.values())), None)
    written = write_layers(
        tables, path, datum=datum, remarks=remarks, forbidden=district.settings.database_file
    )
    return report.finished(written, found, "全部图层", written.notes)


def _require(district: District, user: User, layers: Iterable[Layer], as_of: datetime | None) -> None:
    for layer in layers:
        access.require(district, user, Permission.EXPORT, layer.id)
        access.require_sight(district, user, layer)
        if as_of is not None:
            access.require(district, user, Permission.VIEW_HISTORY, layer.id)


def _elements(
    district: District,
    connection: Connection,
    layer: Layer,
    as_of: datetime | None,
    grid: tuple[str, str] | None,
) -> list[Element]:
    if as_of is None:
        return stored.find(connection, Query(layer.id, grid=grid))
    elements = history.as_of(connection, layer.id, as_of)
    if grid is None:
        return elements
    # which grid an element lay in is not part of its history: by its place then, and the grid of today
    area = district.frames.by_code(grid[0], [grid[1]])[grid[1]]
    shapely.prepare(area)
    places = membership.representative_points(np.array([one.geometry for one in elements], dtype=object))
    inside = shapely.intersects(area, places)
    return [one for one, is_inside in zip(elements, inside, strict=True) if is_inside]


@dataclass(frozen=True, slots=True)
class _Writer:
    """What all tables of one export share."""

    district: District
    user: User
    datum: Datum
    as_of: datetime | None
    headings: Headings
    sequence: int

    def frame(self, layer: Layer, elements: Sequence[Element]) -> geopandas.GeoDataFrame:
        """The elements as a table, as this user may see them."""
        columns: dict[str, list[Any]] = {"id": [one.id for one in elements]}
        columns |= {"code": [one.code for one in elements], "name": [one.name for one in elements]}
        seen = [masked(self.user, layer, one) for one in elements]
        for one in layer.fields:
            columns[one.name] = self._values(one, elements, seen)
        in_words = self.headings is Headings.TITLES
        columns |= {
            "source": [one.source.title if in_words else one.source.value for one in elements],
            "revision": [one.revision for one in elements],
            "verified_at": [one.verified_at for one in elements],
            "due_at": [one.due_at for one in elements],
            "updated_at": [one.updated_at for one in elements],
        }
        titles = _titles(layer)
        frame = pandas.DataFrame(
            {titles[name] if in_words else name: typed(values) for name, values in columns.items()},
            index=range(len(elements)),
        )
        geometry = np.empty(len(elements), dtype=object)
        geometry[:] = [one.geometry for one in elements]
        return geopandas.GeoDataFrame(frame, geometry=geometry, crs=4326)

    def _values(self, field: Field, elements: Sequence[Element], seen: Sequence[Element]) -> list[Any]:
        values: list[Any] = []
        for whole, shown in zip(elements, seen, strict=True):
            value = shown.properties.get(field.name)
            if value is None and whole.properties.get(field.name) is not None:
                values.append(MASKED_COUNT)
            elif self.headings is Headings.TITLES and value is not None:
                values.append(_in_words(field, value))
            else:
                values.append(_in_type(field, value))
        # a hidden figure is no number; a column of both is one of texts
        return [None if one is None else str(one) for one in values] if MASKED_COUNT in values else values

    def remarks(
        self, layers: Sequence[Layer], elements: Sequence[Element], grid: tuple[str, str] | None
    ) -> list[tuple[str, str]]:
        """What the file says about itself."""
        now = self.district.clock()
        remarks = [
            ("内容", "、".join(one.title for one in layers)),
            ("导出人", f"{self.user.display_name}({self.user.username})"),
            ("导出时间", _china(now)),
            ("数据时间", _china(self.as_of or now)),
            ("数据序号", str(self.sequence)),
            ("坐标系", self.datum.title),
        ]
        if grid is not None:
            title = self.district.catalogue.layer(grid[0]).title
            remarks.append(("范围", f"{title} {grid[1]}"))
        if not self.user.may(Permission.VIEW_SENSITIVE):
            remarks.append(("隐私", f"小于 {SMALL_COUNT} 的数量已隐去,显示为“{MASKED_COUNT}”。"))
        if _is_simulated(elements):
            remarks.append(("声明", SIMULATED_REMARK))
        return [*remarks, ("来源", f"警务网格一张图 {__version__}")]

    def mark(self, elements: Sequence[Element]) -> str:
        """The same in one cell, for a format that has no place for remarks."""
        simulated = ";含模拟数据" if _is_simulated(elements) else ""
        who = f"{self.user.display_name}({self.user.username})"
        return f"{who} {_china(self.district.clock())} 导出;第 {self.sequence} 次更新;{self.datum.title}{simulated}"

    def finished(
        self, written: WriteReport, found: Mapping[str, Sequence[Element]], title: str, notes: Sequence[str]
    ) -> ExportReport:
        """Log the export and report it; a file whose export cannot be logged does not stay."""
        rows = {layer: len(elements) for layer, elements in found.items()}
        when = "" if self.as_of is None else f",{_china(self.as_of)} 的状态"
        detail = (
            f"{sum(rows.values())} 个要素,{written.format.title},{self.datum},第 {self.sequence} 次更新{when}"
        )
        try:
            with self.district.database.write() as connection:
                access_log.append(
                    connection,
                    at=self.district.clock(),
                    kind="export",
                    username=self.user.username,
                    address=self.user.address,
                    action="export",
                    target=",".join(rows)[:200],
                    detail=detail,
                )
        except BaseException:
            written.path.unlink(missing_ok=True)
            raise
        return ExportReport(
            path=written.path,
            format=written.format,
            datum=self.datum,
            rows=rows,
            sequence=self.sequence,
            is_simulated=any(map(_is_simulated, found.values())),
            suggested_name=suggested_name(title, written.format, self.datum),
            notes=tuple(notes),
        )


def _is_simulated(elements: Iterable[Element]) -> bool:
    return any(one.source is Source.SIMULATED for one in elements)


def _titles(layer: Layer) -> dict[str, str]:
    """A heading for each column, no two alike."""
    titles = {"id": "要素标识", "code": "编码", "name": "名称"}
    titles |= {one.name: f"{one.title}({one.unit})" if one.unit else one.title for one in layer.fields}
    system = {
        "source": "数据来源", "revision": "版本号", "verified_at": "核实时间", "due_at": "到期时间",
        "updated_at": "更新时间",
    }  # fmt: skip
    titles |= {name: title for name, title in system.items() if name not in titles}
    taken: set[str] = set()
    for name, title in titles.items():
        titles[name] = title if title not in taken else f"{title}_{name}"
        taken.add(titles[name])
    return titles


def _in_words(field: Field, value: Any) -> Any:
    if field.type is FieldType.CHOICE:
        return field.choice_title(value)
    if field.type is FieldType.BOOLEAN:
        return "是" if value else "否"
    return _in_type(field, value)


def _in_type(field: Field, value: Any) -> Any:
    """The value in the type that formats know; as it is where it does not read as that (a soft breach)."""
    try:
        if field.type is FieldType.DATE and isinstance(value, str):
            return date.fromisoformat(value)
        if field.type is FieldType.DATETIME and isinstance(value, str):
            return datetime.fromisoformat(value)
    except ValueError:
        return value
    return value


def _china(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}(北京时间)"


def run_job(context: JobContext) -> dict[str, Any]:
    """
    Export in a worker, into the job's folder.

    Parameters of the job: layer (None: the whole district), format, datum, as_of (RFC 3339), grid, headings,
    encoding. The result is the report; `name` is the file's name in the job's folder.
    """
    asked = context.parameters
    as_of = datetime.fromisoformat(asked["as_of"]) if asked.get("as_of") else None
    context.progress(0.1, "读取数据")
    datum, headings = asked.get("datum", "wgs84"), asked.get("headings", "ids")
    if asked.get("layer") is None:
        path = context.folder / "export.gpkg"
        report = export_district(
            context.district, context.user, path, datum=datum, as_of=as_of, headings=headings
        )
    else:
        format = parse_format(asked["format"])
        report = export_layer(
            context.district,
            context.user,
            asked["layer"],
            context.folder / f"export{format.extension}",
            format=format,
            datum=datum,
            as_of=as_of,
            grid=tuple(asked["grid"]) if asked.get("grid") else None,
            headings=headings,
            encoding=asked.get("encoding"),
        )
    context.progress(1.0, "完成")
    return report.document() | {"name": report.path.name}
