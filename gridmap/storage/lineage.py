"""What became of grids in the store: which code and element followed which, commit by commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Select, insert, or_, select, union, update

from gridmap.storage.tables import element
from gridmap.storage.tables import lineage as table

_CHUNK = 5_000
_DEEPEST = 200


class Descent(Enum):
    """How one grid, or code, came out of another."""

    SPLIT = "split"
    MERGE = "merge"
    RENUMBER = "renumber"
    RECODE = "recode"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"split": "拆分", "merge": "合并", "renumber": "重新编号", "recode": "改编码"}[self.value]


@dataclass(frozen=True, slots=True)
class Link:
    """
    One step: what was element `from_id` with `from_code` became element `to_id` with `to_code`.

    `undone_in` is the commit that took the step back; None while it holds.
    """

    sequence: int
    layer: str
    kind: Descent
    from_id: str
    from_code: str | None
    to_id: str
    to_code: str | None
    undone_in: int | None = None


def add(connection: Connection, links: Sequence[Link]) -> None:
    """Note these steps."""
    rows = [
        {
            "sequence": one.sequence, "layer": one.layer, "kind": one.kind.value, "from_id": one.from_id,
            "from_code": one.from_code, "to_id": one.to_id, "to_code": one.to_code, "undone_in": one.undone_in,
        }
        for one in links
    ]  # fmt: skip
    if rows:
        connection.execute(insert(table), rows)


def _links(connection: Connection, statement: Select[Any]) -> list[Link]:
    return [
        Link(
            row.sequence, row.layer, Descent(row.kind), row.from_id, row.from_code, row.to_id, row.to_code,
            row.undone_in,
        )
        for row in connection.execute(statement.order_by(table.c.pk))
    ]  # fmt: skip


def of_code(connection: Connection, layer: str, code: str) -> list[Link]:
    """All steps, forwards and back, that lead to or from this code, oldest first; undone ones too."""
    seen: dict[tuple[int, str, str], Link] = {}
    codes, asked = {code}, set[str]()
    while fresh := codes - asked:
        asked |= fresh
        statement = select(table).where(
            table.c.layer == layer, or_(table.c.from_code.in_(fresh), table.c.to_code.in_(fresh))
        )
        for one in _links(connection, statement):
            seen[one.sequence, one.from_id, one.to_id] = one
            codes |= {each for each in (one.from_code, one.to_code) if each}
        if len(asked) > _DEEPEST:
            break
    return sorted(seen.values(), key=lambda one: (one.sequence, one.to_code or ""))


def holders(connection: Connection, layer: str, codes: Iterable[str]) -> dict[str, str]:
    """Ids of the elements that once had one of `codes` and gave it up, by code."""
    wanted = [code for code in codes if code]
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        for code, holder in ((table.c.from_code, table.c.from_id), (table.c.to_code, table.c.to_id)):
            statement = select(code, holder).where(table.c.layer == layer, code.in_(part))
            found |= dict(connection.execute(statement).all())
    return found


def all_holders(connection: Connection, layer: str) -> dict[str, str]:
    """Ids of the layer's elements that once had a code and gave it up, or have one that followed, by code."""
    rows = connection.execute(
        select(table.c.from_code, table.c.from_id, table.c.to_code, table.c.to_id).where(
            table.c.layer == layer
        )
    )
    found: dict[str, str] = {}
    for row in rows:
        found |= {code: one for code, one in ((row.from_code, row.from_id), (row.to_code, row.to_id)) if code}
    return found


def codes_ever_used(connection: Connection, layer: str, prefix: str) -> set[str]:
    """Every code of the layer that begins with `prefix` and that any element has or had."""
    pattern = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    parts = [
        select(column).where(within == layer, column.like(pattern, escape="\\"))
        for column, within in (
            (element.c.code, element.c.layer), (table.c.from_code, table.c.layer), (table.c.to_code, table.c.layer),
        )
    ]  # fmt: skip
    return set(connection.execute(union(*parts)).scalars())


def successors(connection: Connection, codes: Iterable[str]) -> set[str]:
    """The codes that hold today what `codes` (of any grid layer) once named; those never retired are left out."""
    ends: set[str] = set()
    waiting, asked = set(codes), set[str]()
    for _ in range(_DEEPEST):
        fresh = waiting - asked
        if not fresh:
            break
        asked |= fresh
        statement = select(table.c.to_code).where(
            table.c.from_code.in_(fresh), table.c.undone_in.is_(None), table.c.to_code.is_not(None)
        )
        found = set(connection.execute(statement).scalars())
        ends |= found
        waiting |= found
    return ends


def undo(connection: Connection, sequence: int, undone_in: int) -> None:
    """Mark the steps of commit `sequence` as taken back; where they were that commit's undoings, as valid again."""
    connection.execute(
        update(table)
        .where(table.c.sequence == sequence, table.c.undone_in.is_(None))
        .values(undone_in=undone_in)
    )
    connection.execute(update(table).where(table.c.undone_in == sequence).values(undone_in=None))


def undo_after(connection: Connection, layer: str, sequence: int, undone_in: int) -> None:
    """Let the layer's steps stand as they stood after commit `sequence`: later ones are taken back in `undone_in`."""
    mine = table.c.layer == layer
    connection.execute(
        update(table)
        .where(mine, table.c.sequence > sequence, table.c.undone_in.is_(None))
        .values(undone_in=undone_in)
    )
    connection.execute(
        update(table)
        .where(
            mine, table.c.sequence <= sequence, table.c.undone_in > sequence, table.c.undone_in < undone_in
        )
        .values(undone_in=None)
    )
