"""A layer at an earlier time, read as its difference from today: most elements are the same at both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from gridmap.domain.elements import Element
from gridmap.storage.history import _revisions
from gridmap.storage.tables import revision as table


@dataclass(frozen=True, slots=True)
class Difference:
    """
    How a layer at a time differs from the layer today.

    `touched` are the ids of elements written since; `states` what those of them were that existed then.
    """

    touched: frozenset[str]
    states: tuple[Element, ...]


def difference(connection: Connection, layer: str, at: datetime) -> Difference:
    """What has been written in the layer after `at`, and what it was at `at` (inclusive)."""
    since = select(table.c.element_id).where(table.c.layer == layer, table.c.at > at).distinct()
    touched = frozenset(connection.execute(since).scalars())
    if not touched:
        return Difference(touched, ())
    newest = (
        select(func.max(table.c.pk))
        .where(table.c.layer == layer, table.c.at <= at, table.c.element_id.in_(since))
        .group_by(table.c.element_id)
    )  # fmt: skip
    found = _revisions(connection, select(table).where(table.c.pk.in_(newest)).order_by(table.c.element_id))
    states = [one.element for one in found if one.element is not None and not one.element.is_retired]
    return Difference(touched, tuple(states))


def first_write(connection: Connection) -> datetime | None:
    """When the district's history begins; None for an empty one."""
    return connection.execute(select(table.c.at).order_by(table.c.pk).limit(1)).scalar()


def sequence_at(connection: Connection, at: datetime) -> int:
    """The newest commit of the district at `at` (inclusive); 0 before the first."""
    return connection.execute(select(func.max(table.c.sequence)).where(table.c.at <= at)).scalar() or 0
