"""Which grid each element lies in, as the services derived it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from gridmap.storage.tables import element
from gridmap.storage.tables import membership as table

_CHUNK = 5_000


class Member(NamedTuple):
    """One element in one grid."""

    element_id: str
    grid_layer: str
    grid_code: str


def replace(
    connection: Connection, ids: Sequence[str], members: Sequence[Member], *, grid_layer: str | None = None
) -> None:
    """Forget the grids of these elements (of one grid layer only where given) and store `members`."""
    for start in range(0, len(ids), _CHUNK):
        statement = delete(table).where(table.c.element_id.in_(ids[start : start + _CHUNK]))
        if grid_layer is not None:
            statement = statement.where(table.c.grid_layer == grid_layer)
        connection.execute(statement)
    for start in range(0, len(members), _CHUNK):
        connection.execute(insert(table), [one._asdict() for one in members[start : start + _CHUNK]])


def of_element(connection: Connection, element_id: str) -> dict[str, str]:
    """The codes of the grids one element lies in, by grid layer."""
    statement = select(table.c.grid_layer, table.c.grid_code).where(table.c.element_id == element_id)
    rows = connection.execute(statement)
    return {layer: code for layer, code in rows}


def of_elements(connection: Connection, ids: Sequence[str], grid_layer: str) -> dict[str, str]:
    """The grid code of each of these elements in one grid layer; those outside every grid are left out."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), _CHUNK):
        statement = select(table.c.element_id, table.c.grid_code).where(
            table.c.grid_layer == grid_layer, table.c.element_id.in_(ids[start : start + _CHUNK])
        )
        found |= {key: value for key, value in connection.execute(statement)}
    return found


def counts(connection: Connection, layer: str, grid_layer: str) -> dict[str, int]:
    """How many living elements of `layer` lie in each grid of `grid_layer`, by grid code."""
    statement = (
        select(table.c.grid_code, func.count())
        .join(element, element.c.id == table.c.element_id)
        .where(table.c.grid_layer == grid_layer, element.c.layer == layer, element.c.is_retired.is_(False))
        .group_by(table.c.grid_code)
    )
    return {key: value for key, value in connection.execute(statement)}
