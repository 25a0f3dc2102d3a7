"""Photos of elements, in the store itself, so that a backup has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from gridmap.storage.tables import Time, metadata

table = Table(
    "photo",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("element_id", String(36), nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
)

_FACTS = [one for one in table.c if one.name != "content"]


@dataclass(frozen=True, slots=True)
class Photo:
    """What there is to say about a photo; its content, a JPEG file, is read apart."""

    id: str
    element_id: str
    width: int
    height: int
    size: int
    created_at: datetime
    created_by: str


def add(connection: Connection, photo: Photo, content: bytes) -> None:
    """Keep a photo."""
    values = {one.name: getattr(photo, one.name) for one in _FACTS}
    connection.execute(insert(table).values(**values, content=content))


def of_element(connection: Connection, element_id: str) -> list[Photo]:
    """The element's photos, oldest first."""
    statement = (
        select(*_FACTS).where(table.c.element_id == element_id).order_by(table.c.created_at, table.c.id)
    )
    return [Photo(**row._mapping) for row in connection.execute(statement)]


def count(connection: Connection, element_id: str) -> int:
    """How many photos the element has."""
    return connection.execute(
        select(func.count()).select_from(table).where(table.c.element_id == element_id)
    ).scalar_one()


def content(connection: Connection, element_id: str, photo_id: str) -> bytes | None:
    """The JPEG file of one of the element's photos."""
    statement = select(table.c.content).where(table.c.id == photo_id, table.c.element_id == element_id)
    return connection.execute(statement).scalar()


def drop(connection: Connection, element_id: str, photo_id: str) -> bool:
    """Delete a photo for good; whether there was one."""
    statement = delete(table).where(table.c.id == photo_id, table.c.element_id == element_id)
    return connection.execute(statement).rowcount > 0
