"""What a returned file says: which package it is, and the rows of each layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import WGS84, parse_datum, to_wgs84
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import NotFound
from gridmap.exchange import SourceTable, list_layers, read_table
from gridmap.services import access, imports
from gridmap.services.district import District
from gridmap.services.packages.sending import ID, PACKAGE
from gridmap.storage import packages as kept
from gridmap.storage.packages import WorkPackage
from gridmap.validation.attributes import clean_values


class PackageUnknown(NotFound):
    """
    A file is no work package of this district, or which one it is cannot be told.

    Attributes
    ----------
    packages : ids of the packages that the file names
    """

    title = "不是本系统的工作包"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row of the file with what it has to say.

    Attributes
    ----------
    element_id : empty for a new element
    values : attributes as the store keeps them; one that breaks a rule as it was written
    geometry : WGS 84
    problems : hard rules that the row breaks (Chinese)
    """

    number: int
    element_id: str
    values: Mapping[str, Any]
    geometry: BaseGeometry | None
    problems: tuple[str, ...] = ()


def tables_of(
    district: District, file: Path | bytes, filename: str
) -> tuple[dict[str, SourceTable], list[str]]:
    """The file's tables by layer id, and notes about those that belong to no layer; raises what reading raises."""
    options: dict[str, Any] = {
        "limits": imports.limits_of(district),
        "forbidden": district.settings.database_file,
    }
    if isinstance(file, bytes):
        options["filename"] = filename
    names = list_layers(file, **options)
    layers = {one.title: one.id for one in district.catalogue}
    tables = {layers[name]: read_table(file, layer_name=name, **options) for name in names if name in layers}
    return tables, [f"图层“{name}”不属于本系统,未读取。" for name in names if name not in layers]


def package_of(
    district: District, user: User, tables: Mapping[str, SourceTable], package_id: str | None
) -> WorkPackage:
    """
    The package that the file's rows name, or the one with `package_id`.

    Raises
    ------
    PackageUnknown, PermissionDenied (somebody else's)
    """
    named = [package_id] if package_id else _named_in(tables)
    if len(named) != 1:
        several = "文件中混有多个工作包,请分别回传。"
        none = "无法判断这是哪个工作包,请从列表中选择。"
        raise PackageUnknown(
            f"the file names {len(named)} packages; choose one", zh=several if named else none, packages=named
        )
    with district.database.read() as connection:
        package = kept.get(connection, named[0])
    if package is None:
        raise PackageUnknown(
            f"no work package {named[0]} went out from here",
            zh="文件不是从本系统领取的工作包,请用导入功能。",
            packages=named,
        )
    if package.username != user.username and not user.writes_everywhere:
        what, zh = "bring back the package of another account", "只能回传自己领取的工作包。"
        raise access.refuse(district, user, what, package.id, zh=zh)
    return package


def _named_in(tables: Mapping[str, SourceTable]) -> list[str]:
    frames = [table.frame for table in tables.values() if PACKAGE in table.frame]
    stated = Counter(one for frame in frames for one in frame[PACKAGE] if isinstance(one, str) and one)
    return list(stated)


def rows_of(layer: Layer, table: SourceTable) -> list[Row]:
    """The rows with their attributes checked and their places in WGS 84; a copy of a row is a new element."""
    datum = parse_datum(table.declared_crs) if table.declared_crs else WGS84
    shapes = to_wgs84(table.geometry, datum)
    broken = {one.row: one.message for one in table.problems}
    rows, seen = [], set[str]()
    for (number, record, _), shape in zip(table.records(), shapes, strict=True):
        element_id = str(record.get(ID) or "").strip()
        if element_id in seen:  # a copy keeps the id of what it was copied from
            element_id = ""
        seen.add(element_id)
        values, problems = _said(layer, record)
        if number in broken:
            problems.append(broken[number])
        rows.append(Row(number, element_id, values, shape, tuple(problems)))
    return rows


def _said(layer: Layer, record: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values of the columns that are there, and messages about hard rules; a dropped column says nothing."""
    names = {"code", "name", *layer.field_names} & record.keys()
    values, problems = clean_values(layer, {name: record[name] for name in names})
    said = {name: value for name, value in values.items() if name in record}
    hard = [one for one in problems if not one.is_warning and one.field in record]
    # what breaks a rule is kept as it was written, for whoever sets it right
    said |= {one.field: _plain(record[one.field]) for one in hard}
    return said, [one.message for one in hard]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
