"""The present state against the history: each element is what its newest revision says, and nothing else is there."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from gridmap.domain.elements import to_payload
from gridmap.storage import elements
from gridmap.storage.tables import element, revision

_CHUNK = 5_000


def differing(connection: Connection) -> Iterator[str]:
    """
    Ids of elements that are not as their newest revision has them, of missing ones, and of those without any.

    An element whose newest revision was redacted is compared by its number alone.
    """
    newest = select(func.max(revision.c.pk)).group_by(revision.c.element_id)
    rows = connection.execute(
        select(revision.c.element_id, revision.c.revision, revision.c.payload)
        .where(revision.c.pk.in_(newest))
        .order_by(revision.c.pk)
    ).all()
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        found = elements.get_many(connection, [row.element_id for row in part])
        for row in part:
            one = found.get(row.element_id)
            is_same = one is not None and one.revision == row.revision
            if not is_same or (row.payload is not None and to_payload(one) != row.payload):
                yield row.element_id
    unknown = select(element.c.id).where(element.c.id.not_in(select(revision.c.element_id)))
    yield from connection.execute(unknown.order_by(element.c.id)).scalars()
