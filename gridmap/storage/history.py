"""
Revisions in the store: the one table behind audit, undo, as-of reading and live refresh.

Each revision carries a keyed hash over its own facts and the hash of the one before, so a revision that was
changed, taken out or put in later shows. The payload enters by a keyed hash of its own: it can be redacted
without breaking the chain, and the hash that stays tells nothing about it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, update

from gridmap.domain.elements import Box, Element, Operation, Revision, from_payload, payload_box, time_text
from gridmap.storage import bulk
from gridmap.storage.database import GENESIS, Commit
from gridmap.storage.tables import district_state
from gridmap.storage.tables import revision as table

_CHUNK = 5_000
_SEEN_COLUMNS = (
    "sequence",
    "element_id",
    "layer",
    "revision",
    "operation",
    "actor",
    "at",
    "reason",
    "base_revision",
)


def _keyed(secret: bytes, text: str) -> str:
    return _keyer(secret)(text)


def _keyer(secret: bytes) -> Callable[[str], str]:
    """The keyed hash of a text, for many texts: the key is prepared once, which is half of the work."""
    prepared = hmac.new(secret, digestmod="sha256")

    def keyed(text: str) -> str:
        one = prepared.copy()
        one.update(text.encode())
        return one.hexdigest()

    return keyed


_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _link(secret: bytes, previous: str, facts: Sequence[Any], payload_hash: str) -> str:
    return _keyed(secret, _to_json([previous, *facts, payload_hash]))


def append(
    commit: Commit,
    elements: Sequence[Element],
    payloads: Sequence[str],
    operation: Operation,
    bases: Sequence[int | None],
) -> None:
    """Write one revision per element, chained to the newest one, and move the commit's chain head."""
    keys = ((one.id, one.layer, one.revision, base) for one, base in zip(elements, bases, strict=True))
    _append(commit, keys, payloads, operation)


def append_new(commit: Commit, layer: str, ids: Sequence[str], payloads: Sequence[str]) -> None:
    """Write the first revision of each of these new elements, as `append` does."""
    _append(commit, ((one, layer, 1, None) for one in ids), payloads, Operation.CREATE)


def _append(
    commit: Commit,
    keys: Iterable[tuple[str, str, int, int | None]],
    payloads: Sequence[str],
    operation: Operation,
) -> None:
    """`keys` are element id, layer, revision and base revision of each payload."""
    keyed, at, kind = _keyer(commit.secret), time_text(commit.at), operation.value
    # the link's JSON by hand, as `verify` makes it with the library: this loop is the slow part of an import
    middle = f'"{kind}",{_to_json(commit.actor)},"{at}",{_to_json(commit.reason)}'
    head = commit.chain_head
    rows: list[tuple[Any, ...]] = []
    for (element_id, layer, revision, base), payload in zip(keys, payloads, strict=True):
        payload_hash = keyed(payload)
        text = (
            f'["{head}",{commit.sequence},"{element_id}","{layer}",{revision},'
            f'{middle},{"null" if base is None else base},"{payload_hash}"]'
        )
        head = keyed(text)
        rows.append(
            (
                commit.sequence, element_id, layer, revision, kind, commit.actor, at, commit.reason, base,
                payload, payload_hash, head,
            )
        )  # fmt: skip
    commit.chain_head = head
    bulk.insert(commit.connection, "revision", (*_SEEN_COLUMNS, "payload", "payload_hash", "hash"), rows)


def _to_revision(row: Any) -> Revision:
    state = None
    if row.payload is not None:
        state = from_payload(
            row.payload,
            id=row.element_id,
            layer=row.layer,
            revision=row.revision,
            sequence=row.sequence,
            updated_at=row.at,
            updated_by=row.actor,
        )
    return Revision(
        pk=row.pk,
        sequence=row.sequence,
        element_id=row.element_id,
        layer=row.layer,
        revision=row.revision,
        operation=Operation(row.operation),
        element=state,
        actor=row.actor,
        at=row.at,
        reason=row.reason,
        base_revision=row.base_revision,
        hash=row.hash,
    )


def _revisions(connection: Connection, statement: Select[Any]) -> list[Revision]:
    return [_to_revision(row) for row in connection.execute(statement)]


def of_element(connection: Connection, element_id: str) -> list[Revision]:
    """All revisions of one element, newest first."""
    statement = select(table).where(table.c.element_id == element_id).order_by(table.c.revision.desc())
    return _revisions(connection, statement)


def at_revision(connection: Connection, element_id: str, number: int) -> Revision | None:
    """Revision `number` of an element; None when there is none."""
    statement = select(table).where(table.c.element_id == element_id, table.c.revision == number)
    return next(iter(_revisions(connection, statement)), None)


def after(connection: Connection, sequence: int, *, limit: int = 1_000) -> list[Revision]:
    """
    Revisions of commits after `sequence`, oldest first: at most `limit`, but never half a commit's worth
    unless that commit alone is larger.
    """
    statement = select(table).where(table.c.sequence > sequence).order_by(table.c.pk).limit(limit)
    return _revisions(connection, statement)


@dataclass(frozen=True, slots=True)
class Touch:
    """
    What a commit did to one element, without the element itself.

    `boxes` are where it was and where it is now (west, south, east, north, degrees); empty where that is redacted.
    """

    sequence: int
    layer: str
    element_id: str
    revision: int
    operation: Operation
    actor: str
    at: datetime
    boxes: tuple[Box, ...]


def touched_after(connection: Connection, sequence: int, *, limit: int) -> list[Touch]:
    """Which elements were written by commits after `sequence`, oldest first, at most `limit`."""
    earlier = table.alias()
    previous = and_(earlier.c.element_id == table.c.element_id, earlier.c.revision == table.c.revision - 1)
    statement = (
        select(
            table.c.sequence, table.c.layer, table.c.element_id, table.c.revision, table.c.operation,
            table.c.actor, table.c.at, earlier.c.payload.label("was"), table.c.payload.label("now"),
        )
        .select_from(table.outerjoin(earlier, previous))
        .where(table.c.sequence > sequence)
        .order_by(table.c.pk)
        .limit(limit)
    )  # fmt: skip
    return [
        Touch(
            row.sequence, row.layer, row.element_id, row.revision, Operation(row.operation), row.actor, row.at,
            tuple(dict.fromkeys(payload_box(one) for one in (row.was, row.now) if one is not None)),
        )
        for row in connection.execute(statement)
    ]  # fmt: skip


def before_sequence(connection: Connection, sequence: int) -> dict[str, Revision]:
    """The revision that each element written by this commit had before it; new elements are left out."""
    written = select(table.c.element_id, table.c.revision).where(table.c.sequence == sequence).subquery()
    statement = select(table).join(
        written,
        and_(table.c.element_id == written.c.element_id, table.c.revision == written.c.revision - 1),
    )
    return {one.element_id: one for one in _revisions(connection, statement)}


def of_sequence(connection: Connection, sequence: int) -> list[Revision]:
    """All revisions of one commit, in the order they were written."""
    return _revisions(connection, select(table).where(table.c.sequence == sequence).order_by(table.c.pk))


def last_reasons(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The reason given for the newest revision of each of these elements, by id."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), _CHUNK):
        newest = (
            select(func.max(table.c.pk))
            .where(table.c.element_id.in_(ids[start : start + _CHUNK]))
            .group_by(table.c.element_id)
        )  # fmt: skip
        rows = connection.execute(select(table.c.element_id, table.c.reason).where(table.c.pk.in_(newest)))
        found |= dict(rows.all())
    return found


def as_of(connection: Connection, layer: str, at: datetime) -> list[Element]:
    """
    The layer's elements as they stood at `at` (inclusive); those retired by then are left out.

    An element whose revision of that time was redacted is left out too.
    """
    newest = (
        select(func.max(table.c.pk))
        .where(table.c.layer == layer, table.c.at <= at)
        .group_by(table.c.element_id)
    )  # fmt: skip
    states = _revisions(connection, select(table).where(table.c.pk.in_(newest)).order_by(table.c.element_id))
    return [one.element for one in states if one.element is not None and not one.element.is_retired]


def as_of_sequence(connection: Connection, layer: str, sequence: int) -> list[Element]:
    """The layer's elements as they stood after commit `sequence`; otherwise as `as_of`."""
    newest = (
        select(func.max(table.c.pk))
        .where(table.c.layer == layer, table.c.sequence <= sequence)
        .group_by(table.c.element_id)
    )  # fmt: skip
    states = _revisions(connection, select(table).where(table.c.pk.in_(newest)).order_by(table.c.element_id))
    return [one.element for one in states if one.element is not None and not one.element.is_retired]


def time_of(connection: Connection, sequence: int) -> datetime | None:
    """When the newest commit up to `sequence` was made; None where there is none."""
    statement = select(table.c.at).where(table.c.sequence <= sequence).order_by(table.c.pk.desc()).limit(1)
    return connection.execute(statement).scalar_one_or_none()


def redacted_at(connection: Connection, ids: Sequence[str], at: datetime) -> list[str]:
    """Those of `ids` whose state at `at` (inclusive) was redacted."""
    found: list[str] = []
    for start in range(0, len(ids), _CHUNK):
        newest = (
            select(func.max(table.c.pk))
            .where(table.c.element_id.in_(ids[start : start + _CHUNK]), table.c.at <= at)
            .group_by(table.c.element_id)
        )  # fmt: skip
        statement = select(table.c.element_id).where(table.c.pk.in_(newest), table.c.payload.is_(None))
        found += connection.execute(statement).scalars()
    return found


def element_as_of(connection: Connection, element_id: str, at: datetime) -> Element | None:
    """One element as it stood at `at` (inclusive); None before its first revision or where redacted."""
    statement = (
        select(table)
        .where(table.c.element_id == element_id, table.c.at <= at)
        .order_by(table.c.pk.desc())
        .limit(1)
    )  # fmt: skip
    return next((one.element for one in _revisions(connection, statement)), None)


def redact(connection: Connection, element_id: str, number: int) -> bool:
    """Drop the payload of one revision and keep its hash; whether there was one to drop."""
    statement = (
        update(table)
        .where(table.c.element_id == element_id, table.c.revision == number, table.c.payload.is_not(None))
        .values(payload=None)
    )
    return connection.execute(statement).rowcount > 0


@dataclass(frozen=True, slots=True)
class ChainReport:
    """
    What verifying the chain found.

    `broken_at` is the primary key of the first revision that does not fit; None when all fit.
    """

    revisions: int
    redacted: int
    head: str
    broken_at: int | None
    problem: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether every revision fits and the newest is the stored head."""
        return self.broken_at is None and not self.problem


def _rows(connection: Connection) -> Iterator[Any]:
    last = 0
    while True:
        chunk = connection.execute(
            select(table).where(table.c.pk > last).order_by(table.c.pk).limit(_CHUNK)
        ).all()
        if not chunk:
            return
        yield from chunk
        last = chunk[-1].pk


def verify(connection: Connection, secret: bytes) -> ChainReport:
    """Recompute the whole chain and compare it with what is stored."""
    head, count, redacted = GENESIS, 0, 0
    for row in _rows(connection):
        count += 1
        if row.payload is None:
            redacted += 1
        elif _keyed(secret, row.payload) != row.payload_hash:
            return ChainReport(count, redacted, head, row.pk, "the payload was changed")
        facts = [time_text(row.at) if name == "at" else row._mapping[name] for name in _SEEN_COLUMNS]
        head = _link(secret, head, facts, row.payload_hash)
        if head != row.hash:
            return ChainReport(
                count, redacted, head, row.pk, "the revision does not follow from the one before"
            )
    stored = connection.execute(select(district_state.c.chain_head)).scalar_one()
    problem = "" if stored == head else "the newest revisions are missing"
    return ChainReport(count, redacted, head, None, problem)
