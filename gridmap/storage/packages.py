"""Work packages that went out, and the edits in them that wait for a person, in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gridmap.storage.tables import waiting_edit, work_package


@dataclass(frozen=True, slots=True)
class WorkPackage:
    """
    What somebody took along: `contents` are revisions by element id, by layer id, as of commit `sequence`.

    `layer` is the layer's id, or `*` for several.
    """

    id: str
    layer: str
    username: str
    title: str
    sequence: int
    at: datetime
    contents: Mapping[str, Mapping[str, int]]
    returned_at: datetime | None = None


def add(connection: Connection, one: WorkPackage) -> None:
    """Keep a package that went out."""
    connection.execute(
        insert(work_package).values(
            id=one.id,
            layer=one.layer,
            username=one.username,
            title=one.title,
            sequence=one.sequence,
            at=one.at,
            contents={layer: dict(ids) for layer, ids in one.contents.items()},
            returned_at=one.returned_at,
        )
    )


def get(connection: Connection, package_id: str) -> WorkPackage | None:
    """The package with this id."""
    row = connection.execute(select(work_package).where(work_package.c.id == package_id)).one_or_none()
    return None if row is None else WorkPackage(**row._mapping)


def of_account(connection: Connection, username: str | None) -> list[WorkPackage]:
    """Packages of one account (None: of all), newest first."""
    statement = select(work_package).order_by(work_package.c.at.desc(), work_package.c.id)
    if username is not None:
        statement = statement.where(work_package.c.username == username)
    return [WorkPackage(**row._mapping) for row in connection.execute(statement)]


def mark_returned(connection: Connection, package_id: str, at: datetime) -> None:
    """Note that the package came back."""
    connection.execute(update(work_package).where(work_package.c.id == package_id).values(returned_at=at))


class Trouble(Enum):
    """Why an edit waits."""

    CONFLICT = "conflict"
    DELETED = "deleted"
    INVALID = "invalid"
    REFUSED = "refused"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {
            "conflict": "与他人的修改冲突", "deleted": "删除与修改冲突", "invalid": "不符合规则", "refused": "未被接受",
        }[self.value]  # fmt: skip


@dataclass(frozen=True, slots=True)
class WaitingEdit:
    """
    An edit of a package that a person must decide.

    `changes` are attribute values, `geometry` hexadecimal WKB (None: as in the base); `is_delete` says that
    the element was deleted in the package. `element_id` is empty for a new element.
    """

    id: str
    package_id: str
    layer: str
    element_id: str
    base_revision: int | None
    is_delete: bool
    changes: Mapping[str, Any]
    geometry: str | None
    problem: Trouble
    message: str
    created_by: str
    created_at: datetime
    state: str = "open"
    decided_by: str | None = None
    decided_at: datetime | None = None


def put_waiting(connection: Connection, edits: Sequence[WaitingEdit]) -> None:
    """Keep these edits; open ones of the same package and element are replaced."""
    table = waiting_edit
    for one in edits:
        connection.execute(
            delete(table).where(
                table.c.package_id == one.package_id,
                table.c.element_id == one.element_id,
                table.c.element_id != "",
                table.c.state == "open",
            )
        )
    rows = [
        {
            "id": one.id, "package_id": one.package_id, "layer": one.layer, "element_id": one.element_id,
            "base_revision": one.base_revision, "is_delete": one.is_delete, "changes": dict(one.changes),
            "geometry": one.geometry, "problem": one.problem.value, "message": one.message,
            "created_by": one.created_by, "created_at": one.created_at, "state": one.state,
        }
        for one in edits
    ]  # fmt: skip
    if rows:
        connection.execute(insert(table), rows)


def forget_new(connection: Connection, package_id: str) -> None:
    """Drop the open new elements of a package, which comes back once more with them."""
    table = waiting_edit
    connection.execute(
        delete(table).where(
            table.c.package_id == package_id, table.c.element_id == "", table.c.state == "open"
        )
    )


def _waiting(row: Any) -> WaitingEdit:
    values = dict(row._mapping)
    values["problem"] = Trouble(values["problem"])
    return WaitingEdit(**values)


def waiting(
    connection: Connection, *, username: str | None = None, package_id: str | None = None
) -> list[WaitingEdit]:
    """Open edits, of one account or one package or all, oldest first."""
    table = waiting_edit
    statement = select(table).where(table.c.state == "open").order_by(table.c.created_at, table.c.id)
    if username is not None:
        statement = statement.where(table.c.created_by == username)
    if package_id is not None:
        statement = statement.where(table.c.package_id == package_id)
    return [_waiting(row) for row in connection.execute(statement)]


def get_waiting(connection: Connection, edit_id: str) -> WaitingEdit | None:
    """The waiting edit with this id, decided ones too."""
    row = connection.execute(select(waiting_edit).where(waiting_edit.c.id == edit_id)).one_or_none()
    return None if row is None else _waiting(row)


def close(connection: Connection, edit_id: str, state: str, *, by: str, at: datetime) -> bool:
    """Close an open edit; whether it was still open."""
    statement = (
        update(waiting_edit)
        .where(waiting_edit.c.id == edit_id, waiting_edit.c.state == "open")
        .values(state=state, decided_by=by, decided_at=at)
    )
    return connection.execute(statement).rowcount == 1
