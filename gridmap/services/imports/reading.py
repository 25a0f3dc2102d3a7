"""Files as tables, within what the deployment allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from gridmap.exchange import Limits, SourceTable, read_table
from gridmap.exchange.table import plain_values
from gridmap.services import columns
from gridmap.services.district import District


def read(
    district: District,
    path_or_bytes: Path | str | bytes,
    *,
    filename: str | None = None,
    layer_name: str | None = None,
    encoding: str | None = None,
    lon_column: str | None = None,
    lat_column: str | None = None,
) -> SourceTable:
    """A file as a table, within the deployment's limits; never the live database. Errors as `read_table`'s."""
    return read_table(
        path_or_bytes,
        filename=filename,
        layer_name=layer_name,
        encoding=encoding,
        lon_column=lon_column,
        lat_column=lat_column,
        limits=limits_of(district),
        forbidden=district.settings.database_file,
    )


def limits_of(district: District) -> Limits:
    """The most that one import may bring."""
    return Limits(
        max_bytes=district.settings.max_upload_mb * 2**20, max_rows=district.settings.max_import_rows
    )


def propose_mapping(district: District, layer_id: str, table: SourceTable) -> dict[str, str]:
    """The field for each column that seems to be one, by column."""
    layer = district.catalogue.layer(layer_id)
    samples = {name: plain_values(table.frame[name].head(500)) for name in table.columns}
    return columns.propose(layer, samples)


def only_where(table: SourceTable, where: Mapping[str, str]) -> SourceTable:
    """The rows of the table that have these texts in these columns."""
    if not where:
        return table
    keep = np.ones(len(table), dtype=bool)
    for column, text in where.items():
        if column not in table.columns:
            raise columns.MappingFault(
                f"no column {column!r}; the file has {', '.join(table.columns)}",
                zh=f"文件中没有“{column}”列。文件中的列:{'、'.join(table.columns[:30])}。",
                column=column,
            )
        keep &= np.array([str(value) == text for value in plain_values(table.frame[column])], dtype=bool)
    rows = table.rows[keep]
    left = set(rows.tolist())
    return replace(
        table,
        frame=table.frame[keep].reset_index(drop=True),
        rows=rows,
        problems=tuple(one for one in table.problems if one.row in left),
    )
