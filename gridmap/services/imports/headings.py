"""Which column is which field."""

from __future__ import annotations

from gridmap.domain.privacy import find_in_values, mask_text
from gridmap.exchange.table import plain_values
from gridmap.services import columns
from gridmap.services.imports.work import Work


def map_columns(work: Work) -> None:
    frame = work.table.frame
    work.raw = {name: plain_values(frame[name]) for name in work.table.columns}
    proposed = columns.propose(work.layer, work.raw)
    work.mapping = columns.settle(work.layer, work.table.columns, proposed, work.options.mapping)
    work.column_of = {target: column for column, target in work.mapping.items()}
    grids = columns.grid_columns(work.district.catalogue, work.layer, work.raw.keys() - work.mapping.keys())
    work.grid_columns = grids
    work.ignored = tuple(name for name in work.table.columns if name not in work.mapping)
    for column in work.ignored:
        _warn_of_ignored(work, column)
    if work.n == 0:
        work.warnings.append("文件里没有数据行。")


def _warn_of_ignored(work: Work, column: str) -> None:
    finding = next((one for _, one in find_in_values(work.raw[column])), None)
    if finding is not None:
        work.warnings.append(
            f"“{mask_text(column)}”列{finding.chinese()},该列不导入;平台不保存个人信息,请不要在文件中携带。"
        )


def note_unreadable(work: Work) -> None:
    place_of = {row: at for at, row in enumerate(work.rows)}
    for one in work.table.problems:
        if one.row in place_of:
            work.refuse(place_of[one.row], one.column or "geometry", "unreadable", one.message)
