"""
Work packages: elements taken along in a GeoPackage, edited in other software, and brought back.

Each row carries its id and the revision it left with, which is the base of a three-way merge when it comes
back: what nobody else touched is stored, what others changed too waits for a person, by the same rules as an
edit on the map. A row that is gone was deleted, a row without id is new. Bringing the same file back twice
changes nothing the second time.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import WGS84, parse_datum, to_wgs84
from gridmap.domain.elements import Element, new_id
from gridmap.domain.layers import FieldType, Layer
from gridmap.domain.merge import Choice, merge
from gridmap.domain.roles import Permission, User
from gridmap.errors import GridmapError, InvalidInput, NotFound, StateConflict
from gridmap.exchange import list_layers, read_table, write_layers
from gridmap.services import access, elements, grids, imports, merging, reverting
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.services.exports import SIMULATED_REMARK
from gridmap.services.membership import representative_points
from gridmap.services.merging import MergeConflict
from gridmap.storage import access_log
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage import packages as kept
from gridmap.storage.database import Commit
from gridmap.storage.elements import Query
from gridmap.storage.packages import Trouble, WaitingEdit, WorkPackage
from gridmap.validation.attributes import clean_values

MOST_ELEMENTS = 100_000
# Columns beside code, name and the layer's fields.
ID, REVISION, PACKAGE = "id", "revision", "package"


class PackageUnknown(NotFound):
    """
    A file is no work package of this district, or which one it is cannot be told.

    Attributes
    ----------
    packages : ids of the packages that the file names
    """

    title = "不是本系统的工作包"


@dataclass(frozen=True, slots=True)
class Sent:
    """A package that went out: the record of it, its file, and how many elements of each layer it holds."""

    package: WorkPackage
    path: Path
    rows: Mapping[str, int]
    suggested_name: str


@dataclass(frozen=True, slots=True)
class Returned:
    """
    What came of bringing a package back.

    Ids of elements that were created, changed and deleted; `merged` are those among the changed whose other
    fields somebody else had changed meanwhile; `waiting` are edits for a person to decide. On a trial run
    nothing is stored, and the lists say what would happen.
    """

    package: WorkPackage
    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    waiting: tuple[WaitingEdit, ...] = ()
    unchanged: int = 0
    notes: tuple[str, ...] = ()


# --- taking along -----------------------------------------------------------------------------------------


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
    PermissionDenied, NotFound (no such layer, grid or folder), TooLarge, LiveFileRefused
    """
    chosen = [district.catalogue.layer(one) for one in dict.fromkeys(layers)]
    if not chosen:
        raise InvalidInput("a package needs a layer", zh="请至少选择一个图层。")
    for layer in chosen:
        access.require(district, user, Permission.EXPORT, layer.id)
        access.require_edit(district, user, layer)
        access.require_sight(district, user, layer)
    with district.database.read() as connection:
        found = {layer.id: stored.find(connection, Query(layer.id, grid=grid)) for layer in chosen}
    sequence = max((one.sequence for part in found.values() for one in part), default=0)
    if own_area:
        found = {layer: _own(district, user, part) for layer, part in found.items()}
    if sum(map(len, found.values())) > MOST_ELEMENTS:
        raise InvalidInput(
            f"more than {MOST_ELEMENTS} elements",
            zh=f"工作包最多 {MOST_ELEMENTS:,} 个要素,请选择较小的范围。",
        )
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
    is_simulated = any(one.source.value == "simulated" for part in found.values() for one in part)
    remarks = [
        ("工作包", package.id),
        ("领取人", user.username),
        *([("声明", SIMULATED_REMARK)] if is_simulated else []),
    ]
    written = write_layers(tables, path, remarks=remarks, forbidden=district.settings.database_file)
    try:
        _note(district, user, package)
    except BaseException:
        written.path.unlink(missing_ok=True)
        raise
    rows = {layer: len(part) for layer, part in found.items()}
    return Sent(package, written.path, rows, f"{title}_{package.at:%Y%m%d}.gpkg")


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


_DTYPES = {FieldType.INTEGER: "Int64", FieldType.NUMBER: "float64", FieldType.BOOLEAN: "boolean"}


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


# --- bringing back ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the file with what it has to say: attributes as the store keeps them, geometry in WGS 84."""

    number: int
    element_id: str
    values: Mapping[str, Any]
    geometry: BaseGeometry | None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Work:
    """The bringing back of one package, as it goes along."""

    district: District
    user: User
    package: WorkPackage
    dry_run: bool
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    waiting: list[WaitingEdit] = field(default_factory=list)
    unchanged: int = 0

    @property
    def reason(self) -> str:
        return f"工作包回传:{self.package.title}"

    def wait(
        self,
        layer: Layer,
        trouble: Trouble,
        message: str,
        *,
        element_id: str = "",
        base: int | None = None,
        changes: Mapping[str, Any] | None = None,
        geometry: BaseGeometry | None = None,
        is_delete: bool = False,
    ) -> None:
        """Put an edit aside for a person."""
        self.waiting.append(
            WaitingEdit(
                new_id(), self.package.id, layer.id, element_id, base, is_delete, dict(changes or {}),
                None if geometry is None else shapely.to_wkb(geometry, hex=True), trouble, message[:1000],
                self.user.username, self.district.clock(),
            )
        )  # fmt: skip


def bring_back(
    district: District,
    user: User,
    file: Path | bytes,
    *,
    filename: str = "package.gpkg",
    package_id: str | None = None,
    dry_run: bool = False,
) -> Returned:
    """
    Store the edits of a package's file; those that cannot be stored by themselves wait for a person.

    Every stored edit is a commit of its own, except outlines of grids, which go together. `package_id` is only
    needed where the file has no row left that tells.

    Raises
    ------
    PackageUnknown, PermissionDenied (somebody else's package), FileBroken and others of reading, InvalidInput
    """
    access.require(district, user, Permission.IMPORT, "work package")
    options: dict[str, Any] = {
        "limits": imports.limits_of(district),
        "forbidden": district.settings.database_file,
    }
    if isinstance(file, bytes):
        options["filename"] = filename
    names = list_layers(file, **options)
    titles = {one.title: one for one in district.catalogue}
    tables = {
        titles[name].id: read_table(file, layer_name=name, **options) for name in names if name in titles
    }
    package = _package(district, user, tables, package_id)
    notes = [f"图层“{name}”不属于本系统,未读取。" for name in names if name not in titles]
    work = _Work(district, user, package, dry_run)
    for layer_id, contents in package.contents.items():
        layer = district.catalogue.layer(layer_id)
        access.require_edit(district, user, layer)
        if layer_id not in tables:
            # a layer that is missing was not taken along any further; nobody deletes a layer by leaving it out
            notes.append(f"文件中没有图层“{layer.title}”,其中的要素保持不变。")
            continue
        _bring_layer(work, layer, contents, _rows(layer, tables[layer_id]))
    if not dry_run:
        with district.database.write() as connection:
            kept.forget_new(connection, package.id)
            kept.put_waiting(connection, work.waiting)
            kept.mark_returned(connection, package.id, district.clock())
    return Returned(
        package, tuple(work.created), tuple(work.changed), tuple(work.merged), tuple(work.deleted),
        tuple(work.waiting), work.unchanged, tuple(notes),
    )  # fmt: skip


def _package(
    district: District, user: User, tables: Mapping[str, Any], package_id: str | None
) -> WorkPackage:
    stated = Counter(
        str(one)
        for table in tables.values()
        if PACKAGE in table.frame
        for one in table.frame[PACKAGE]
        if isinstance(one, str) and one
    )
    named = [package_id] if package_id else list(stated)
    if len(named) != 1:
        raise PackageUnknown(
            f"the file names {len(named)} packages; choose one",
            zh="无法判断这是哪个工作包,请从列表中选择。"
            if not named
            else "文件中混有多个工作包,请分别回传。",
            packages=named,
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
        raise access.refuse(
            district,
            user,
            "bring back the package of another account",
            package.id,
            zh="只能回传自己领取的工作包。",
        )
    return package


def _rows(layer: Layer, table: Any) -> list[_Row]:
    datum = parse_datum(table.declared_crs) if table.declared_crs else WGS84
    shapes = to_wgs84(table.geometry, datum)
    broken = {one.row: one.message for one in table.problems}
    names = {"code", "name", *layer.field_names}
    rows, seen = [], set[str]()
    for (number, record, _), shape in zip(table.records(), shapes, strict=True):
        element_id = str(record.get(ID) or "").strip()
        if element_id in seen:  # a copy keeps the id of what it was copied from
            element_id = ""
        seen.add(element_id)
        values, problems = clean_values(layer, {name: record.get(name) for name in names if name in record})
        # a column that was dropped says nothing about its values
        said = {name: value for name, value in values.items() if name in record}
        hard = [one for one in problems if not one.is_warning and one.field in record]
        # what breaks a rule is kept as it was written, for whoever sets it right
        said |= {one.field: _plain(record[one.field]) for one in hard}
        messages = [one.message for one in hard]
        if number in broken:
            messages.append(broken[number])
        rows.append(_Row(number, element_id, said, shape, tuple(messages)))
    return rows


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _bring_layer(work: _Work, layer: Layer, contents: Mapping[str, int], rows: Sequence[_Row]) -> None:
    with work.district.database.read() as connection:
        present = stored.get_many(connection, contents)
        bases = {
            one: revisions.at_revision(connection, one, number) if present[one].revision != number else None
            for one, number in contents.items()
            if one in present
        }
    base: dict[str, Element] = {}
    for one, number in contents.items():
        if one in present:
            past = bases[one]
            state = present[one] if present[one].revision == number else past.element if past else None
            if state is not None:
                base[one] = state
    known = {row.element_id: row for row in rows if row.element_id in contents}
    outlines: list[tuple[_Row, Element]] = []
    for row in known.values():
        _bring_row(work, layer, row, base.get(row.element_id), contents[row.element_id], outlines)
    _bring_outlines(work, layer, outlines)
    for one in contents:
        if one not in known:
            _bring_deletion(work, layer, present.get(one), base.get(one), contents[one])
    counts = Counter[str]()
    for row in rows:
        if row.element_id not in contents:
            _bring_new(work, layer, row, counts)


def _bring_row(
    work: _Work,
    layer: Layer,
    row: _Row,
    base: Element | None,
    number: int,
    outlines: list[tuple[_Row, Element]],
) -> None:
    if base is None:
        work.wait(
            layer,
            Trouble.REFUSED,
            "领取时的版本已不可读,无法比较",
            element_id=row.element_id,
            base=number,
            changes=row.values,
            geometry=row.geometry,
        )
        return
    if row.geometry is None:
        work.wait(
            layer, Trouble.INVALID, "图形缺失", element_id=base.id, base=number, changes=_changes(base, row)
        )
        return
    geometry = None if _same_shape(base.geometry, row.geometry) else row.geometry
    changes = _changes(base, row)
    if row.problems:
        text = ";".join(row.problems[:5])
        work.wait(
            layer, Trouble.INVALID, text, element_id=base.id, base=number, changes=changes, geometry=geometry
        )
        return
    if geometry is not None and layer.is_partition:
        outlines.append((row, base))
        geometry = None
        if not changes:
            return
    if not changes and geometry is None:
        work.unchanged += 1
        return
    _attempt(work, layer, base.id, number, changes, geometry)


def _changes(base: Element, row: _Row) -> dict[str, Any]:
    before = base.values()
    return {name: value for name, value in row.values.items() if before.get(name) != value}


def _same_shape(first: BaseGeometry, second: BaseGeometry) -> bool:
    """Whether the vertices are the same; other programs turn a part into a multi-part of one and back."""
    if shapely.equals_identical(first, second):
        return True
    one, other = (shapely.get_parts(each) for each in (first, second))
    return len(one) == len(other) and bool(shapely.equals_identical(one, other).all())


def _attempt(
    work: _Work,
    layer: Layer,
    element_id: str,
    number: int,
    changes: Mapping[str, Any],
    geometry: BaseGeometry | None,
) -> None:
    """Merge one edit with what is stored; what cannot be merged waits."""

    def save() -> None:
        if work.dry_run:
            _refuse_conflict(work, layer, element_id, number, changes, geometry)
            work.changed.append(element_id)
            return
        before = elements.living(work.district, layer, element_id).revision
        done = merging.save(
            work.district, work.user, layer.id, element_id, base_revision=number, changes=changes,
            geometry=geometry, reason=work.reason,
        )  # fmt: skip
        if done.receipt.element.revision == before:
            work.unchanged += 1
            return
        work.changed.append(element_id)
        if done.merged_fields:
            work.merged.append(element_id)

    _guarded(work, layer, save, element_id=element_id, base=number, changes=changes, geometry=geometry)


def _refuse_conflict(
    work: _Work,
    layer: Layer,
    element_id: str,
    number: int,
    changes: Mapping[str, Any],
    geometry: BaseGeometry | None,
) -> None:
    """Raise MergeConflict where storing would; a trial run sees conflicts and no other refusals."""
    with work.district.database.read() as connection:
        theirs = stored.get(connection, element_id)
        past = revisions.at_revision(connection, element_id, number)
    assert theirs is not None
    assert past is not None
    assert past.element is not None
    base = past.element
    mine = replace(base, geometry=geometry or base.geometry).with_values({**base.values(), **changes})
    found = merge(base, mine, theirs)
    if theirs.is_retired or found.conflicts:
        raise MergeConflict(
            "a conflict", zh=f"{theirs.updated_by} 修改了相同的内容。", conflicts=found.conflicts
        )


def _guarded(work: _Work, layer: Layer, act: Callable[[], None], **edit: Any) -> None:
    """Act; a refusal puts the edit aside."""
    try:
        act()
    except MergeConflict as error:
        work.wait(layer, Trouble.CONFLICT, error.chinese(), **edit)
    except InvalidElement as error:
        work.wait(layer, Trouble.INVALID, error.chinese(), **edit)
    except GridmapError as error:
        work.wait(layer, Trouble.REFUSED, error.chinese(), **edit)


def _bring_outlines(work: _Work, layer: Layer, outlines: Sequence[tuple[_Row, Element]]) -> None:
    """Outlines of grids, together: a border that was moved on both sides fits only so."""
    fitting: dict[str, BaseGeometry] = {}
    numbers: dict[str, int] = {}
    for row, base in outlines:
        assert row.geometry is not None
        with work.district.database.read() as connection:
            theirs = stored.get(connection, base.id)
        if theirs is None or theirs.is_retired or reverting.ground_moved(base, theirs):
            message = f"{theirs.updated_by if theirs else ''} 已修改该网格的范围"
            work.wait(
                layer,
                Trouble.CONFLICT,
                message,
                element_id=base.id,
                base=base.revision,
                geometry=row.geometry,
            )
        else:
            fitting[base.id], numbers[base.id] = row.geometry, theirs.revision
    if not fitting:
        return
    try:
        if not work.dry_run:
            grids.redraw(
                work.district, work.user, layer.id, fitting, base_revisions=numbers, reason=work.reason
            )
    except GridmapError as error:
        for row, base in outlines:
            if base.id in fitting:
                work.wait(
                    layer,
                    Trouble.REFUSED,
                    error.chinese(),
                    element_id=base.id,
                    base=base.revision,
                    geometry=row.geometry,
                )
        return
    work.changed += [one for one in fitting if one not in work.changed]


def _bring_deletion(
    work: _Work, layer: Layer, present: Element | None, base: Element | None, number: int
) -> None:
    if present is None or present.is_retired:
        work.unchanged += 1
        return
    same = (
        base is not None
        and base.values() == present.values()
        and _same_shape(base.geometry, present.geometry)
    )
    if not same:
        work.wait(
            layer, Trouble.DELETED, f"您在工作包中删除了该要素,但 {present.updated_by} 已修改它",
            element_id=present.id, base=number, is_delete=True,
        )  # fmt: skip
        return

    def remove() -> None:
        if not work.dry_run:
            elements.delete(
                work.district,
                work.user,
                layer.id,
                present.id,
                base_revision=present.revision,
                reason=work.reason,
            )
        work.deleted.append(present.id)

    _guarded(work, layer, remove, element_id=present.id, base=number, is_delete=True)


def _bring_new(work: _Work, layer: Layer, row: _Row, counts: Counter[str]) -> None:
    if row.problems or row.geometry is None:
        text = ";".join(row.problems[:5]) or "图形缺失"
        work.wait(
            layer, Trouble.INVALID, f"第 {row.number} 行:{text}", changes=row.values, geometry=row.geometry
        )
        return
    content = json.dumps(
        [dict(row.values), shapely.to_wkb(row.geometry, hex=True)], default=str, sort_keys=True
    )
    digest = hashlib.sha256(content.encode()).hexdigest()[:32]
    counts[digest] += 1
    key = f"package:{work.package.id}:{digest}:{counts[digest]}"

    def make() -> None:
        assert row.geometry is not None
        if work.dry_run:
            work.created.append(f"第 {row.number} 行")
            return
        done = elements.create(
            work.district,
            work.user,
            layer.id,
            row.values,
            row.geometry,
            reason=work.reason,
            idempotency_key=key,
        )
        if done.is_repeat:
            work.unchanged += 1
        else:
            work.created.append(done.element.id)

    _guarded(work, layer, make, changes=row.values, geometry=row.geometry)


# --- deciding ---------------------------------------------------------------------------------------------


def waiting(district: District, user: User, *, package_id: str | None = None) -> list[WaitingEdit]:
    """Edits of returned packages that wait for this user (grid keepers and administrators: for anybody)."""
    with district.database.read() as connection:
        return kept.waiting(
            connection, username=None if user.writes_everywhere else user.username, package_id=package_id
        )


def _open(district: District, user: User, edit_id: str) -> WaitingEdit:
    with district.database.read() as connection:
        found = kept.get_waiting(connection, edit_id)
    if found is None or not (user.writes_everywhere or found.created_by == user.username):
        raise NotFound(f"no waiting edit {edit_id}", zh="没有这条待处理的修改。", edit=edit_id)
    if found.state != "open":
        raise StateConflict(f"edit {edit_id} was decided", zh="这条修改已处理。", edit=edit_id)
    return found


def conflict(district: District, user: User, edit_id: str) -> MergeConflict | None:
    """The three sides of a waiting edit as it stands today; None where it could now be stored as it is."""
    edit = _open(district, user, edit_id)
    layer = district.catalogue.layer(edit.layer)
    access.require_sight(district, user, layer)
    if not edit.element_id or edit.base_revision is None:
        return None
    with district.database.read() as connection:
        theirs = stored.get(connection, edit.element_id)
        past = revisions.at_revision(connection, edit.element_id, edit.base_revision)
    if theirs is None or past is None or past.element is None:
        return None
    shape = shapely.from_wkb(edit.geometry) if edit.geometry else past.element.geometry
    mine = replace(past.element, geometry=shape).with_values({**past.element.values(), **edit.changes})
    mine = replace(mine, is_retired=edit.is_delete)
    found = merge(past.element, mine, theirs)
    if not (found.conflicts or theirs.is_retired or edit.is_delete):
        return None
    return MergeConflict(
        f"element {theirs.id} was changed by {theirs.updated_by} since revision {edit.base_revision}",
        zh=edit.message,
        base=past.element,
        mine=mine,
        theirs=theirs,
        conflicts=found.conflicts,
        revision=theirs.revision,
        base_revision=edit.base_revision,
        updated_by=theirs.updated_by,
        updated_at=theirs.updated_at.isoformat() if theirs.updated_at else None,
    )


def decide(
    district: District,
    user: User,
    edit_id: str,
    *,
    choices: Mapping[str, Choice] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Element | None:
    """
    Store a waiting edit, with a side chosen for each field in conflict and, where given, values set right.

    A waiting deletion is carried out. The element as it stands then comes back (None: nothing was left to do).

    Raises
    ------
    NotFound, StateConflict (decided already), MergeConflict (fields that `choices` leave open), InvalidElement,
    PermissionDenied
    """
    edit = _open(district, user, edit_id)
    layer = district.catalogue.layer(edit.layer)
    values = {**edit.changes, **(changes or {})}
    geometry = shapely.from_wkb(edit.geometry) if edit.geometry else None
    reason = "工作包回传:已人工确认"

    def close(commit: Commit) -> None:
        if not kept.close(commit.connection, edit.id, "stored", by=user.username, at=district.clock()):
            raise StateConflict(f"edit {edit_id} was decided", zh="这条修改刚刚已被处理。", edit=edit_id)

    if not edit.element_id:
        if geometry is None:
            raise InvalidInput("the new element has no place", zh="新要素没有图形,请在地图上新建。")
        made = elements.create(
            district, user, layer.id, values, geometry, reason=reason, idempotency_key=f"waiting:{edit.id}"
        ).element
        _finish(district, user, edit, "stored")
        return made
    if edit.is_delete:
        present = elements.living(district, layer, edit.element_id)
        gone = elements.delete(
            district, user, layer.id, present.id, base_revision=present.revision, reason=reason
        ).element
        _finish(district, user, edit, "stored")
        return gone
    done = merging.save(
        district, user, layer.id, edit.element_id, base_revision=edit.base_revision, changes=values,
        geometry=geometry, choices=choices, reason=reason, also=close,
    )  # fmt: skip
    with district.database.read() as connection:
        after = kept.get_waiting(connection, edit.id)
    if after is not None and after.state == "open":  # every choice was theirs: nothing was written
        _finish(district, user, edit, "stored")
    return done.receipt.element


def drop(district: District, user: User, edit_id: str) -> None:
    """Let a waiting edit go; the map stays as it is."""
    _finish(district, user, _open(district, user, edit_id), "dropped")


def _finish(district: District, user: User, edit: WaitingEdit, state: str) -> None:
    with district.database.write() as connection:
        if not kept.close(connection, edit.id, state, by=user.username, at=district.clock()):
            raise StateConflict(f"edit {edit.id} was decided", zh="这条修改刚刚已被处理。", edit=edit.id)
