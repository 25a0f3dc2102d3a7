"""Work packages taken along: the elements of some layers in a GeoPackage, each with its revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import shapely

from gridmap.domain.elements import Element, Source, new_id
from gridmap.domain.layers import FieldType, Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.exchange import write_layers
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.exports import SIMULATED_REMARK
from gridmap.services.membership import representative_points
from gridmap.storage import access_log
from gridmap.storage import elements as stored
from gridmap.storage import packages as kept
from gridmap.storage.elements import Query
from gridmap.storage.packages import WorkPackage

# Columns beside code, name and the layer's fields.
ID, REVISION, PACKAGE = "id", "revision", "package"

MOST_ELEMENTS = 100_000
_DTYPES = {FieldType.INTEGER: "Int64", FieldType.NUMBER: "float64", FieldType.BOOLEAN: "boolean"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A package that went out: the record of it, its file, and how many elements of each layer it holds."""

    package: WorkPackage
    path: Path
    rows: Mapping[str, int]
    suggested_name: str


def send(
    district: District,
    user: User,
    layers: Sequence[str],
    path: Path,
    *,
    title: str = "工作包",
    grid: tuple[str, str] | None = None,
    own_area: bool = True,
) -> Sent:
    """
    Write a work package to `path` (`.gpkg`): one GeoPackage layer per layer, named by its Chinese title.

    Parameters
    ----------
    grid : (grid layer, code): only elements in this grid
    own_area : only elements in the user's area, which are those the user may edit

    Raises
    ------
    PermissionDenied, NotFound (no such layer, grid or folder), InvalidInput (no layer, or more than
    `MOST_ELEMENTS` elements), LiveFileRefused
    """
    chosen = _chosen(district, user, layers)
    with district.database.read() as connection:
        found = {layer.id: stored.find(connection, Query(layer.id, grid=grid)) for layer in chosen}
    sequence = max((one.sequence for part in found.values() for one in part), default=0)
    if own_area:
        found = {layer: _own(district, user, part) for layer, part in found.items()}
    _refuse_too_many(sum(map(len, found.values())))
    package = WorkPackage(
        id=new_id(),
        layer=chosen[0].id if len(chosen) == 1 else "*",
        username=user.username,
        title=title,
        sequence=sequence,
        at=district.clock(),
        contents={layer: {one.id: one.revision for one in part} for layer, part in found.items()},
    )
    tables = [(layer.title, _frame(layer, found[layer.id], package.id)) for layer in chosen]
    is_simulated = any(one.source is Source.SIMULATED for part in found.values() for one in part)
    remarks = [("工作包", package.id), ("领取人", f"{user.display_name}({user.username})")]
    if is_simulated:
        remarks.append(("声明", SIMULATED_REMARK))
    written = write_layers(tables, path, remarks=remarks, forbidden=district.settings.database_file)
    try:
        _note(district, user, package)
    except BaseException:
        written.path.unlink(missing_ok=True)
        raise
    rows = {layer: len(part) for layer, part in found.items()}
    return Sent(package, written.path, rows, f"{title}_{package.at:%Y%m%d}.gpkg")


def _chosen(district: District, user: User, layers: Sequence[str]) -> list[Layer]:
    """The layers, each once; raises where the user may not take one along."""
    chosen = [district.catalogue.layer(one) for one in dict.fromkeys(layers)]
    if not chosen:
        raise InvalidInput("a package needs a layer", zh="请至少选择一个图层。")
    for layer in chosen:
        access.require(district, user, Permission.EXPORT, layer.id)
        access.require_edit(district, user, layer)
        access.require_sight(district, user, layer)
    return chosen


def _refuse_too_many(count: int) -> None:
    if count > MOST_ELEMENTS:
        raise InvalidInput(
            f"{count} elements are more than {MOST_ELEMENTS}",
            zh=f"工作包最多 {MOST_ELEMENTS:,} 个要素,请选择较小的范围。",
        )


def _own(district: District, user: User, part: Sequence[Element]) -> list[Element]:
    area = access.area_of(district, user)
    if area is None or not part:
        return list(part)
    shapes = np.empty(len(part), dtype=object)
    shapes[:] = [one.geometry for one in part]
    shapely.prepare(area)
    inside = shapely.intersects(area, representative_points(shapes))
    return [one for one, is_inside in zip(part, inside, strict=True) if is_inside]


def _note(district: District, user: User, package: WorkPackage) -> None:
    count = sum(map(len, package.contents.values()))
    with district.database.write() as connection:
        kept.add(connection, package)
        access_log.append(
            connection,
            at=package.at,
            kind="export",
            username=user.username,
            address=user.address,
            action="package",
            target=",".join(package.contents)[:200],
            detail=f"工作包 {package.id},{count} 个要素",
        )


def _frame(layer: Layer, part: Sequence[Element], package_id: str) -> geopandas.GeoDataFrame:
    columns: dict[str, pandas.Series] = {
        ID: pandas.Series([one.id for one in part], dtype=object),
        REVISION: pandas.Series([one.revision for one in part], dtype="Int64"),
        PACKAGE: pandas.Series([package_id] * len(part), dtype=object),
        "code": pandas.Series([one.code for one in part], dtype=object),
        "name": pandas.Series([one.name for one in part], dtype=object),
    }
    for one in layer.fields:
        values = [each.properties.get(one.name) for each in part]
        columns[one.name] = _column(one.type, values)
    geometry = np.empty(len(part), dtype=object)
    geometry[:] = [one.geometry for one in part]
    return geopandas.GeoDataFrame(pandas.DataFrame(columns), geometry=geometry, crs=4326)


def _column(kind: FieldType, values: Sequence[Any]) -> pandas.Series:
    try:
        return pandas.Series(values, dtype=_DTYPES.get(kind, "object"))
    except (TypeError, ValueError):  # a soft rule let something else in
        return pandas.Series([None if one is None else str(one) for one in values], dtype=object)


def sent(district: District, user: User) -> list[WorkPackage]:
    """Packages that the user took along (grid keepers and administrators: all), newest first."""
    access.require(district, user, Permission.EXPORT, "work packages")
    with district.database.read() as connection:
        return kept.of_account(connection, None if user.writes_everywhere else user.username)
