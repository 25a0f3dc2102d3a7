"""What is registered elsewhere, in the store: counts per grid, or lists of what should be on the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from gridmap.storage.tables import registered_count, registered_item


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a register; `grid_code` where the register says so."""

    code: str
    name: str
    grid_code: str | None = None


def put_counts(
    connection: Connection, layer: str, grid_layer: str, counts: Mapping[str, int], *, by: str, at: datetime
) -> None:
    """Keep these counts per grid code, in place of all earlier ones of this layer and grid layer."""
    table = registered_count
    connection.execute(delete(table).where(table.c.layer == layer, table.c.grid_layer == grid_layer))
    if counts:
        common = {"layer": layer, "grid_layer": grid_layer, "updated_at": at, "updated_by": by}
        connection.execute(
            insert(table),
            [{**common, "grid_code": code, "count": count} for code, count in sorted(counts.items())],
        )


def counts(connection: Connection, layer: str, grid_layer: str) -> dict[str, int]:
    """Registered counts by grid code."""
    table = registered_count
    statement = select(table.c.grid_code, table.c.count).where(
        table.c.layer == layer, table.c.grid_layer == grid_layer
    )
    return dict(connection.execute(statement).all())


def put_items(connection: Connection, layer: str, items: Sequence[Item], *, by: str, at: datetime) -> None:
    """Keep this register of a layer in place of the earlier one."""
    table = registered_item
    connection.execute(delete(table).where(table.c.layer == layer))
    if items:
        common = {"layer": layer, "updated_at": at, "updated_by": by}
        connection.execute(
            insert(table),
            [{**common, "code": one.code, "name": one.name, "grid_code": one.grid_code} for one in items],
        )


def items(connection: Connection, layer: str) -> list[Item]:
    """The register of a layer, by code."""
    table = registered_item
    statement = (
        select(table.c.code, table.c.name, table.c.grid_code)
        .where(table.c.layer == layer)
        .order_by(table.c.code)
    )
    return [Item(*row) for row in connection.execute(statement)]


def present(connection: Connection) -> dict[str, datetime]:
    """The layers that something is registered of, each with the time of its newest registration."""
    found: dict[str, datetime] = {}
    for table in (registered_count, registered_item):
        newest = select(table.c.layer, func.max(table.c.updated_at)).group_by(table.c.layer)
        for layer, at in connection.execute(newest):
            found[layer] = max(at, found.get(layer, at))
    return found
