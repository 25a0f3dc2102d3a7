"""The dry run: every row judged, nothing stored."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gridmap.domain.crs import Datum, parse_datum
from gridmap.domain.elements import Source
from gridmap.domain.privacy import mask_text
from gridmap.domain.roles import Permission, User
from gridmap.exchange import SourceTable
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.imports.changes import compare
from gridmap.services.imports.ground import check_area, check_partition
from gridmap.services.imports.headings import map_columns, note_unreadable
from gridmap.services.imports.identity import match_rows
from gridmap.services.imports.places import check_geometry
from gridmap.services.imports.plans import ImportPlan, Mode, Options, Progress, parse_mode
from gridmap.services.imports.reading import read
from gridmap.services.imports.surroundings import look_around
from gridmap.services.imports.values import check_attributes
from gridmap.services.imports.work import Work


def plan(
    district: District,
    user: User,
    layer_id: str,
    table: SourceTable | Path | str | bytes,
    *,
    datum: Datum | str,
    mapping: Mapping[str, str | None] | None = None,
    mode: Mode | str = Mode.ALL,
    filename: str = "",
    values: Mapping[str, Mapping[str, str]] | None = None,
    where: Mapping[str, str] | None = None,
    source: Source = Source.REAL,
    progress: Progress | None = None,
) -> ImportPlan:
    """
    What an import of `table` would do, every bad row by number, field and rule. Nothing is stored.

    Parameters
    ----------
    table : what `read` gave, or a file
    datum : of the file's coordinates, as its user states it; nothing in a file tells for sure
    mapping : field by column, on top of what `propose_mapping` finds; None or "" leaves a column out
    mode : what `apply` does by default
    filename : what the file is called, for the history
    values : for a field, what values of the file mean: `{"class": {"trunk": "primary"}}`
    where : only rows that have these texts in these columns
    source : mark of new elements for which the file says nothing

    Raises
    ------
    PermissionDenied, NotFound (no such layer or field), CrsUnknownError, MappingFault, and the errors of `read`
    """
    layer = district.catalogue.layer(layer_id)
    access.require(district, user, Permission.IMPORT, layer_id)
    access.require_edit(district, user, layer)
    datum = parse_datum(datum)
    for name in values or {}:
        if name not in ("code", "name"):
            layer.field(name)
    if not isinstance(table, SourceTable):
        filename = filename or (Path(table).name if isinstance(table, (str, Path)) else "上传的文件")
        table = read(district, table, filename=filename)
    options = Options(mapping, values or {}, where or {}, source)
    with collector_at_rest():
        return planned(
            Work(
                district,
                user,
                layer,
                table,
                datum,
                parse_mode(mode),
                mask_text(filename),
                options,
                progress or silent,
            )
        )


def silent(share: float, message: str) -> None:
    """Progress that nobody watches."""


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """A hundred thousand new objects are no garbage: looking for some among them costs a sixth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def planned(work: Work) -> ImportPlan:
    """Run all checks, in the order in which they need one another."""
    sequence = work.district.database.sequence()
    work.frame = work.district.frames.frame(work.layer.id)
    work.position = {work.frame.arrays.id[at]: at for at in work.frame.living}
    map_columns(work)
    note_unreadable(work)
    work.progress(0.05, "检查图形")
    check_geometry(work)
    work.progress(0.2, "检查属性")
    check_attributes(work)
    work.progress(0.45, "与现有要素比对")
    match_rows(work)
    check_area(work)
    check_partition(work)
    work.progress(0.65, "整理变化")
    compare(work)
    look_around(work)
    work.progress(0.9, "汇总")
    return _finished(work, sequence)


def _finished(work: Work, sequence: int) -> ImportPlan:
    known = set(work.table.rows[work.is_good].tolist())
    return ImportPlan(
        layer=work.layer,
        filename=work.filename,
        table=work.table,
        datum=work.datum,
        mapping=dict(sorted(work.mapping.items(), key=lambda one: work.table.columns.index(one[0]))),
        ignored=work.ignored,
        mode=work.mode,
        username=work.user.username,
        sequence=sequence,
        actions=work.actions,
        problems=tuple(sorted(work.problems, key=lambda one: one.row)),
        remarks=tuple(sorted((one for one in work.remarks if one.row in known), key=lambda one: one.row)),
        warnings=tuple(work.warnings),
        unknown_choices={name: tuple(values) for name, values in work.unknown.items() if values},
        writes=tuple(work.writes),
        newcomers=work.newcomers,
        options=work.options,
    )
