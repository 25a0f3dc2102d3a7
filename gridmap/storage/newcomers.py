"""
Many new elements of one layer, as columns from the file to the table.

`elements.save` stores the same, element by element. A hundred thousand element objects that nobody looks at cost
a third of an import, so those who bring that many hand columns over instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

import numpy as np

from gridmap.domain.elements import Source, payload_text, shared_payload, time_text
from gridmap.domain.names import search_key
from gridmap.storage import bulk, sqlite
from gridmap.storage.database import Commit
from gridmap.storage.elements import ROW
from gridmap.storage.geometry import encode_column, ewkb_text
from gridmap.storage.history import append_new

_CHUNK = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Newcomers:
    """
    New elements of one layer: parallel columns, and what they share.

    `properties` are JSON texts with sorted names and without blanks, as `properties_text` makes them;
    `geometry` is lon, lat.
    """

    layer: str
    ids: Sequence[str]
    codes: Sequence[str | None]
    names: Sequence[str]
    geometry: np.ndarray[Any, Any]
    properties: Sequence[str]
    due_at: Sequence[datetime | None]
    source: Source
    verified_at: datetime
    verified_by: str

    def __len__(self) -> int:
        return len(self.ids)


def add(commit: Commit, new: Newcomers) -> None:
    """Write the elements with their first revisions, in the commit's turn, as `elements.save` would."""
    if not len(new):
        return
    is_embedded = commit.connection.engine.dialect.name == "sqlite"
    if is_embedded:
        sqlite.prepare_bulk(commit.connection)
    for start in range(0, len(new), _CHUNK):
        _add_part(commit, new, slice(start, start + _CHUNK), is_embedded=is_embedded)
    if is_embedded:
        last = commit.connection.exec_driver_sql(
            "SELECT seq FROM sqlite_sequence WHERE name = 'element'"
        ).scalar_one()
        keys = range(last + 1 - len(new), last + 1)
        sqlite.index_boxes(commit.connection, keys, new.geometry, is_new=True)


def _add_part(commit: Commit, new: Newcomers, part: slice, *, is_embedded: bool) -> None:
    ids, codes, names = new.ids[part], new.codes[part], new.names[part]
    properties, due = new.properties[part], new.due_at[part]
    wkb, blobs = encode_column(new.geometry[part])
    now = time_text(commit.at)
    columns = (
        ids,
        repeat(new.layer),
        codes,
        names,
        blobs if is_embedded else map(ewkb_text, wkb),
        properties,
        repeat(new.source.value),
        repeat(1),
        repeat(commit.sequence),
        repeat(time_text(new.verified_at)),
        repeat(new.verified_by),
        map(time_text, due),
        repeat(now),
        repeat(commit.actor),
        repeat(now),
        repeat(commit.actor),
        repeat(False),
        map(search_key, codes, names),
    )
    bulk.insert(commit.connection, "element", ROW, list(zip(*columns, strict=False)))
    payloads = [
        payload_text(
            code, name, shape, values,
            shared_payload(commit.at, commit.actor, due_at, False, new.source, new.verified_at, new.verified_by),
        )
        for code, name, shape, values, due_at in zip(codes, names, wkb, properties, due, strict=True)
    ]  # fmt: skip
    append_new(commit, new.layer, ids, payloads)
