"""Elements in the store: reading them one by one, in pages and in bulk; writing them with their revisions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, Select, and_, case, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from gridmap.domain.elements import Element, Operation, Source, properties_text, time_text, to_payload
from gridmap.domain.names import search_key
from gridmap.storage import bulk, lineage, sqlite
from gridmap.storage.database import Commit, in_box
from gridmap.storage.geometry import decode_column, encode_column, ewkb_text
from gridmap.storage.history import append
from gridmap.storage.tables import element as table
from gridmap.storage.tables import membership, place_grid

_CHUNK = 5_000
_BULK = 20_000
_COLUMNS = [one for one in table.c if one.name not in ("pk", "search_key")]


def _to_element(row: Any) -> Element:
    values = dict(row._mapping)
    values["geometry"] = values.pop("geom")
    values["source"] = Source(values["source"])
    return Element(**values)


def get(connection: Connection, element_id: str) -> Element | None:
    """The element with this id, retired ones too; None when there is none."""
    row = connection.execute(select(*_COLUMNS).where(table.c.id == element_id)).one_or_none()
    return None if row is None else _to_element(row)


def get_many(connection: Connection, ids: Iterable[str]) -> dict[str, Element]:
    """The elements with these ids that exist, by id."""
    wanted = list(ids)
    found: dict[str, Element] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(*_COLUMNS).where(table.c.id.in_(wanted[start : start + _CHUNK]))
        found |= {row.id: _to_element(row) for row in connection.execute(query)}
    return found


def codes_taken(connection: Connection, layer: str, codes: Iterable[str]) -> dict[str, str]:
    """
    Ids of the layer's elements, retired ones too, that hold one of `codes`, by code.

    A code that an element gave up counts as its own for ever.
    """
    wanted = [code for code in codes if code]
    taken = lineage.holders(connection, layer, wanted)
    for start in range(0, len(wanted), _CHUNK):
        query = select(table.c.code, table.c.id).where(
            table.c.layer == layer, table.c.code.in_(wanted[start : start + _CHUNK])
        )
        taken |= {row.code: row.id for row in connection.execute(query)}
    return taken


@dataclass(frozen=True, slots=True)
class Trace:
    """Where an id is in use: its layer, whether it is retired, and its revision."""

    id: str
    layer: str
    code: str | None
    is_retired: bool
    revision: int


def traces(connection: Connection, ids: Iterable[str]) -> dict[str, Trace]:
    """Which of `ids` are in use, in any layer, retired elements included; by id."""
    wanted = list(ids)
    found: dict[str, Trace] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(table.c.id, table.c.layer, table.c.code, table.c.is_retired, table.c.revision)
        rows = connection.execute(query.where(table.c.id.in_(wanted[start : start + _CHUNK])))
        found |= {row.id: Trace(*row) for row in rows}
    return found


def retired(connection: Connection, layer: str) -> list[Trace]:
    """The retired elements of a layer."""
    query = (
        select(table.c.id, table.c.layer, table.c.code, table.c.is_retired, table.c.revision)
        .where(table.c.layer == layer)
        .where(table.c.is_retired.is_(True))
    )
    return [Trace(*row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Query:
    """
    Which elements of one layer are asked for.

    `box` is (min_lon, min_lat, max_lon, max_lat), both ends included, tested against bounding boxes;
    `equals` compares properties or code and name as text; `text` matches name, code or pinyin;
    `updated_from` and `updated_until` (aware times, inclusive) bound the time of the last write.
    """

    layer: str
    box: tuple[float, float, float, float] | None = None
    equals: Mapping[str, str] | None = None
    text: str = ""
    grid: tuple[str, str] | None = None
    updated_from: datetime | None = None
    updated_until: datetime | None = None
    is_retired: bool | None = False
    ids: Sequence[str] | None = None


def _property_text(name: str) -> ColumnElement[str]:
    if name in ("code", "name", "source"):
        return table.c[name]
    value = table.c.properties[name]
    return value.as_string()


def _like(text: str) -> str:
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _lies_in(grid: tuple[str, str]) -> ColumnElement[bool]:
    layer, code = grid
    members = (
        select(membership.c.element_id)
        .join(place_grid, place_grid.c.place_pk == membership.c.place_pk)
        .where(place_grid.c.grid_layer == layer, place_grid.c.grid_code == code)
    )
    return table.c.id.in_(members)


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [table.c.layer == query.layer]
    if query.is_retired is not None:
        conditions.append(table.c.is_retired.is_(query.is_retired))
    if query.box is not None:
        conditions.append(in_box(table.c.pk, table.c.geom, query.box))
    for name, value in (query.equals or {}).items():
        column = _property_text(name)
        # SQLite hands JSON booleans over as 1 and 0, PostgreSQL as texts
        same = {"true": ["true", "1"], "false": ["false", "0"]}.get(value.lower(), [value])
        conditions.append(or_(*(column == one for one in same)))
    if query.text:
        conditions.append(table.c.search_key.like(_like(query.text), escape="\\"))
    if query.grid is not None:
        conditions.append(_lies_in(query.grid))
    if query.updated_from is not None:
        conditions.append(table.c.updated_at >= query.updated_from)
    if query.updated_until is not None:
        conditions.append(table.c.updated_at <= query.updated_until)
    if query.ids is not None:
        conditions.append(table.c.id.in_(query.ids))
    return conditions


def find(connection: Connection, query: Query, *, limit: int | None = None, offset: int = 0) -> list[Element]:
    """The elements that `query` asks for, in the order in which they were made."""
    statement = select(*_COLUMNS).where(and_(*_conditions(query))).order_by(table.c.pk).offset(offset)
    return [_to_element(row) for row in connection.execute(statement.limit(limit))]


def count(connection: Connection, query: Query) -> int:
    """How many elements `query` asks for."""
    return connection.execute(
        select(func.count()).select_from(table).where(and_(*_conditions(query)))
    ).scalar_one()


def counts(connection: Connection) -> dict[str, int]:
    """How many living elements each layer has; layers without any are left out."""
    statement = (
        select(table.c.layer, func.count())
        .where(table.c.is_retired.is_(False))
        .group_by(table.c.layer)
    )  # fmt: skip
    return {layer: number for layer, number in connection.execute(statement)}


def has_simulated(connection: Connection) -> bool:
    """Whether any living element is simulated."""
    statement = (
        select(table.c.pk)
        .where(table.c.source == Source.SIMULATED.value, table.c.is_retired.is_(False))
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def search(
    connection: Connection,
    text: str,
    layers: Sequence[str],
    *,
    limit: int,
    grid: tuple[str, str] | None = None,
) -> list[Element]:
    """
    Living elements of `layers` (inside `grid`, where given) whose code, name or pinyin contains `text`.

    An equal code or name comes first, then those that begin with the text, then the others.
    """
    wanted = text.strip().lower()
    rank = case(
        (or_(func.lower(table.c.code) == wanted, func.lower(table.c.name) == wanted), 0),
        (table.c.search_key.like(_like(wanted)[1:], escape="\\"), 1),
        else_=2,
    )
    statement: Select[Any] = (
        select(*_COLUMNS)
        .where(table.c.layer.in_(layers))
        .where(table.c.is_retired.is_(False))
        .where(table.c.search_key.like(_like(wanted), escape="\\"))
        .order_by(rank, func.length(table.c.name), table.c.code)
        .limit(limit)
    )
    if grid is not None:
        statement = statement.where(_lies_in(grid))
    return [_to_element(row) for row in connection.execute(statement)]


@dataclass(frozen=True, slots=True)
class LayerArrays:
    """
    One layer in bulk: parallel arrays, one entry per element.

    `properties` are JSON texts; `geometry` is lon, lat. `sequence` is the newest commit among them.
    """

    pk: np.ndarray
    id: np.ndarray
    code: np.ndarray
    name: np.ndarray
    geometry: np.ndarray
    properties: np.ndarray
    source: np.ndarray
    revision: np.ndarray
    due_at: np.ndarray
    is_retired: np.ndarray
    sequence: int

    def __len__(self) -> int:
        return len(self.pk)


def read_layer(connection: Connection, layer: str, *, after: int = 0) -> LayerArrays:
    """The layer's elements that were written after commit `after`; retired ones only when `after` is given."""
    living = "" if after else "AND NOT is_retired"
    if connection.engine.dialect.name == "sqlite":
        geom, properties = "geom", "properties"
    else:
        geom, properties = "ST_AsBinary(geom)", "properties::text"
    rows = connection.exec_driver_sql(
        f"SELECT pk, id, code, name, {geom}, {properties}, source, revision, due_at, is_retired, sequence "
        f"FROM element WHERE layer = {_mark(connection)} AND sequence > {_mark(connection)} {living} ORDER BY pk",
        (layer, after),
    ).fetchall()
    columns: list[Any] = list(zip(*rows, strict=True)) or [()] * 11

    def texts(values: Sequence[Any]) -> np.ndarray:
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array

    return LayerArrays(
        pk=np.array(columns[0], dtype=np.int64),
        id=texts(columns[1]),
        code=texts(columns[2]),
        name=texts(columns[3]),
        geometry=decode_column([bytes(one) for one in columns[4]]),
        properties=texts(columns[5]),
        source=texts(columns[6]),
        revision=np.array(columns[7], dtype=np.int64),
        due_at=texts(columns[8]),
        is_retired=np.array(columns[9], dtype=bool),
        sequence=max(columns[10], default=after),
    )


def _mark(connection: Connection) -> str:
    return "?" if connection.engine.dialect.name == "sqlite" else "%s"


def layer_sequence(connection: Connection, layer: str) -> int:
    """The newest commit that touched the layer; 0 when none did."""
    statement = select(func.max(table.c.sequence)).where(table.c.layer == layer)
    return connection.execute(statement).scalar() or 0


def layer_extents(connection: Connection) -> dict[str, tuple[float, float, float, float]]:
    """The bounding box (min_lon, min_lat, max_lon, max_lat) of each layer's living elements."""
    if connection.engine.dialect.name == "sqlite":
        sql = (
            "SELECT layer, min(min_x), min(min_y), max(max_x), max(max_y) FROM element "
            "JOIN element_bbox USING (pk) WHERE NOT is_retired GROUP BY layer"
        )
    else:
        sql = (
            "SELECT layer, min(ST_XMin(geom)), min(ST_YMin(geom)), max(ST_XMax(geom)), max(ST_YMax(geom)) "
            "FROM element WHERE NOT is_retired GROUP BY layer"
        )
    return {row[0]: tuple(row[1:]) for row in connection.exec_driver_sql(sql)}


def save(
    commit: Commit,
    elements: Sequence[Element],
    operation: Operation,
    *,
    bases: Sequence[int | None] | None = None,
) -> list[Element]:
    """
    Write `elements` and one revision for each, in the commit's turn.

    An element whose `revision` is 0 is new. The stored ones come back: with the next revision number, the
    commit's sequence, its actor and its time. `bases` are the revisions that the editors had seen.
    """
    if not elements:
        return []
    if len(elements) >= _BULK and commit.connection.engine.dialect.name == "sqlite":
        sqlite.prepare_bulk(commit.connection)
    stored: list[Element] = []
    fresh: list[Element] = []
    # chunk by chunk, so that what was encoded is written while it is warm, and gone before the next
    for start in range(0, len(elements), _CHUNK):
        part = [_stamped(one, commit) for one in elements[start : start + _CHUNK]]
        encoded = _encode(part)
        is_new = [one.revision == 1 for one in part]
        _insert(commit.connection, encoded, [at for at, new in enumerate(is_new) if new])
        _update(commit.connection, encoded, [at for at, new in enumerate(is_new) if not new])
        seen = bases[start : start + _CHUNK] if bases else [None] * len(part)
        append(commit, part, encoded.payloads, operation, seen)
        stored += part
        fresh += [one for one, new in zip(part, is_new, strict=True) if new]
    if fresh and commit.connection.engine.dialect.name == "sqlite":
        _index_new(commit.connection, fresh)
    return stored


def _index_new(connection: Connection, fresh: Sequence[Element]) -> None:
    """Write the boxes of elements that were inserted just now, one after the other."""
    last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'element'").scalar_one()
    geometries = np.empty(len(fresh), dtype=object)
    geometries[:] = [one.geometry for one in fresh]
    sqlite.index_boxes(connection, range(last + 1 - len(fresh), last + 1), geometries, is_new=True)


def _stamped(one: Element, commit: Commit) -> Element:
    # by hand: `replace` looks every field up anew, which tells at a hundred thousand
    return Element(
        id=one.id,
        layer=one.layer,
        code=one.code,
        name=one.name,
        geometry=one.geometry,
        properties=one.properties,
        source=one.source,
        revision=one.revision + 1,
        sequence=commit.sequence,
        verified_at=one.verified_at,
        verified_by=one.verified_by,
        due_at=one.due_at,
        created_at=one.created_at or commit.at,
        created_by=one.created_by or commit.actor,
        updated_at=commit.at,
        updated_by=commit.actor,
        is_retired=one.is_retired,
    )


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Elements with their costly parts encoded column by column; parallel lists."""

    elements: list[Element]
    geometries: np.ndarray
    wkb: list[bytes]
    blobs: list[bytes]
    properties: list[str]
    payloads: list[str]

    def row(self, at: int, *, is_embedded: bool) -> tuple[Any, ...]:
        """The values of `ROW` for one element, as the database keeps them."""
        one = self.elements[at]
        return (
            one.id,
            one.layer,
            one.code,
            one.name,
            self.blobs[at] if is_embedded else ewkb_text(self.wkb[at]),
            self.properties[at],
            _SOURCES[one.source],
            one.revision,
            one.sequence,
            time_text(one.verified_at),
            one.verified_by,
            time_text(one.due_at),
            time_text(one.created_at),
            one.created_by,
            time_text(one.updated_at),
            one.updated_by,
            one.is_retired,
            search_key(one.code, one.name),
        )


ROW = (
    "id", "layer", "code", "name", "geom", "properties", "source", "revision", "sequence", "verified_at",
    "verified_by", "due_at", "created_at", "created_by", "updated_at", "updated_by", "is_retired", "search_key",
)  # fmt: skip


_SOURCES = {one: one.value for one in Source}


def _encode(elements: list[Element]) -> _Encoded:
    geometries = np.empty(len(elements), dtype=object)
    geometries[:] = [one.geometry for one in elements]
    wkb, blobs = encode_column(geometries)
    properties = [properties_text(one) for one in elements]
    payloads = [
        to_payload(one, wkb=shape, properties=values)
        for one, shape, values in zip(elements, wkb, properties, strict=True)
    ]
    return _Encoded(elements, geometries, wkb, blobs, properties, payloads)


def _insert(connection: Connection, encoded: _Encoded, which: list[int]) -> None:
    if not which:
        return
    if connection.engine.dialect.name != "sqlite":
        bulk.insert(connection, "element", ROW, [encoded.row(at, is_embedded=False) for at in which])
        return
    last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'element'").scalar() or 0
    rows = [(pk, *encoded.row(at, is_embedded=True)) for pk, at in enumerate(which, last + 1)]
    bulk.insert(connection, "element", ("pk", *ROW), rows)


def _update(connection: Connection, encoded: _Encoded, which: list[int]) -> None:
    if not which:
        return
    is_embedded = connection.engine.dialect.name == "sqlite"
    mark = _mark(connection)
    columns = ", ".join(f"{name} = {mark}" for name in ROW[1:])
    rows = [encoded.row(at, is_embedded=is_embedded) for at in which]
    connection.exec_driver_sql(
        f"UPDATE element SET {columns} WHERE id = {mark}", [(*row[1:], row[0]) for row in rows]
    )
    if is_embedded:
        ids = [row[0] for row in rows]
        pks: dict[str, int] = {}
        for start in range(0, len(ids), _CHUNK):
            query = select(table.c.id, table.c.pk).where(table.c.id.in_(ids[start : start + _CHUNK]))
            pks |= dict(connection.execute(query).all())
        sqlite.index_boxes(connection, [pks[one] for one in ids], encoded.geometries[which])


def properties_of(arrays: LayerArrays, index: int) -> dict[str, Any]:
    """The properties of one entry of a layer in bulk."""
    return json.loads(arrays.properties[index])


def bounds_of(elements: Sequence[Element]) -> tuple[float, float, float, float] | None:
    """The lon/lat box around these elements; None when there are none."""
    if not elements:
        return None
    return tuple(shapely.total_bounds([one.geometry for one in elements]).tolist())
