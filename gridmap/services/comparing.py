"""History as a tool: two dates side by side, a layer or a commit brought back, who edited when."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import shapely
from sqlalchemy import Connection

from gridmap.domain.elements import Element, Operation, to_payload
from gridmap.domain.freshness import day_of
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput, StateConflict
from gridmap.services import access, elements, membership, names, partition, reverting
from gridmap.services.district import District
from gridmap.services.reverting import Reverted
from gridmap.storage import activity, lineage
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage.activity import CommitLine
from gridmap.storage.elements import Query


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One element that is not the same at two dates.

    `before` or `after` is None where it did not exist. `fields` are the names of changed attributes (`code`
    and `name` among them); `moved_m` is how far its middle moved, in metres, where its geometry changed.
    """

    before: Element | None
    after: Element | None
    fields: tuple[str, ...] = ()
    moved_m: float | None = None

    @property
    def element(self) -> Element:
        """The later state, or the last one of a removed element."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def is_moved(self) -> bool:
        """Whether its geometry changed."""
        return self.moved_m is not None


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    A layer at two dates. An element that moved and changed is in both lists.

    Confirming that an element is unchanged is no difference.
    """

    layer: str
    earlier: datetime
    later: datetime
    added: tuple[Difference, ...]
    removed: tuple[Difference, ...]
    moved: tuple[Difference, ...]
    changed: tuple[Difference, ...]
    unchanged: int


def compare(
    district: District, user: User, layer_id: str, earlier: datetime, later: datetime | None = None
) -> Comparison:
    """
    What differs between two dates (both inclusive; `later` is now by default).

    Raises
    ------
    InvalidInput (the dates are the wrong way round), PermissionDenied, NotFound
    """
    layer = district.catalogue.layer(layer_id)
    until = later or district.clock()
    if earlier.tzinfo is None or until.tzinfo is None or earlier > until:
        raise InvalidInput(
            "the earlier date must come first, both with an offset", zh="请先选较早的日期,再选较晚的日期。"
        )
    then = {
        one.id: elements.masked(user, layer, one) for one in elements.as_of(district, user, layer_id, earlier)
    }
    now = {
        one.id: elements.masked(user, layer, one) for one in elements.as_of(district, user, layer_id, until)
    }
    both = [_difference(then[one], now[one]) for one in sorted(then.keys() & now.keys())]
    real = [one for one in both if one.fields or one.is_moved]
    return Comparison(
        layer_id,
        earlier,
        until,
        tuple(Difference(None, now[one]) for one in sorted(now.keys() - then.keys())),
        tuple(Difference(then[one], None) for one in sorted(then.keys() - now.keys())),
        tuple(one for one in real if one.is_moved),
        tuple(one for one in real if one.fields),
        len(both) - len(real),
    )


def _difference(before: Element, after: Element) -> Difference:
    first, second = before.values(), after.values()
    names = tuple(
        sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    )
    if shapely.equals_identical(before.geometry, after.geometry):
        return Difference(before, after, names)
    middles = [one.geometry.centroid for one in (before, after)]
    return Difference(before, after, names, partition.distance_m(*middles))


# --- bringing back ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """A layer brought back to a date: the commit (None on a trial run, or with nothing to do) and the counts."""

    sequence: int | None
    restored: int
    changed: int
    retired: int


def restore_layer(
    district: District, user: User, layer_id: str, at: datetime, *, reason: str = "", dry_run: bool = False
) -> Restored:
    """
    Bring a whole layer back to its state at `at` (inclusive), in one commit, which can be undone.

    What was made since is retired; what was retired or changed since is as it was. Only for those who may
    write the layer in the whole district.

    Raises
    ------
    PermissionDenied, StateConflict (a state of then was redacted; somebody writes right now; a partition
    would be worse than it is), InvalidInput, NotFound
    """
    layer = _require_keeper(district, user, layer_id)
    if at.tzinfo is None or at > district.clock():
        raise InvalidInput("the date must have an offset and lie in the past", zh="请选择一个过去的时间。")
    with district.database.read() as connection:
        newest = stored.layer_sequence(connection, layer_id)
        goals, before = _goals(connection, layer_id, at)
        reached = activity.sequence_at(connection, layer_id, at)
    counts = Counter(_what(before[one.id], one) for one in goals)
    found = Restored(None, counts["restored"], counts["changed"], counts["retired"])
    if dry_run or not goals:
        return found
    text = reason or f"{layer.title}恢复到 {at.isoformat(timespec='minutes')}"
    with district.database.commit(actor=user.username, at=district.clock(), reason=text) as commit:
        if stored.layer_sequence(commit.connection, layer_id) != newest:
            raise StateConflict(
                "somebody wrote in the layer meanwhile; try again", zh="其间有人修改了该图层,未恢复,请重试。"
            )
        partition.check_together(district, layer, goals)
        written: list[Element] = []
        for operation, is_retired in ((Operation.DELETE, True), (Operation.RESTORE, False)):
            part = [one for one in goals if one.is_retired is is_retired]
            written += stored.save(commit, part, operation, bases=[one.revision for one in part])
        lineage.undo_after(commit.connection, layer_id, reached, commit.sequence)
        membership.derive(district, commit.connection, written, [before[one.id] for one in written])
    return replace(found, sequence=commit.sequence)


def _require_keeper(district: District, user: User, layer_id: str) -> Layer:
    layer = district.catalogue.layer(layer_id)
    access.require(district, user, Permission.VIEW_HISTORY, layer_id)
    access.require_edit(district, user, layer)
    if not user.writes_everywhere:
        raise access.refuse(
            district, user, "restore a layer", layer_id, zh="恢复整个图层由网格管理员或系统管理员进行。"
        )
    return layer


def _goals(connection: Connection, layer_id: str, at: datetime) -> tuple[list[Element], dict[str, Element]]:
    """What elements have to become, with present revision numbers, and what they are."""
    present = {one.id: one for one in stored.find(connection, Query(layer_id))}
    past = {one.id: one for one in revisions.as_of(connection, layer_id, at)}
    present |= stored.get_many(connection, past.keys() - present.keys())
    ids = sorted(present)
    _refuse_redacted(connection, [one for one in ids if one not in past], at)
    goals = []
    for one in ids:
        now = present[one]
        goal = replace(past[one], revision=now.revision) if one in past else replace(now, is_retired=True)
        if to_payload(goal) != to_payload(now):
            goals.append(goal)
    return goals, present


def _refuse_redacted(connection: Connection, ids: Sequence[str], at: datetime) -> None:
    """Elements that seem not to have existed at `at` may have a redacted state: then nothing is restored."""
    lost = revisions.redacted_at(connection, ids, at)
    if lost:
        raise StateConflict(
            f"{len(lost)} state(s) of that date were redacted; restore elements one by one",
            zh=f"其中 {len(lost)} 个要素当时的内容已被清除,不能整体恢复,请逐个恢复。",
            elements=lost,
        )


def _what(before: Element, after: Element) -> str:
    if after.is_retired:
        return "retired"
    return "restored" if before.is_retired else "changed"


def undo_commit(district: District, user: User, sequence: int) -> Reverted:
    """
    Take a whole commit back: an import, a grid edit, a single save. Only while nobody wrote to its elements since.

    Raises
    ------
    NotFound, CannotUndo, PermissionDenied, StateConflict
    """
    access.require(district, user, Permission.VIEW_HISTORY, f"commit {sequence}")
    return reverting.revert(district, user, sequence)


def commits(
    district: District,
    user: User,
    *,
    layers: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str | None = None,
    limit: int = 200,
) -> list[CommitLine]:
    """
    The newest commits in layers the user sees: what may be taken back, or looked at. Newest first.

    `actor` is the account or (part of) the name of whoever wrote.
    """
    actors = None if actor is None else names.find(district, actor)
    with district.database.read() as connection:
        return activity.commits(
            connection,
            layers=_seen(district, user, layers),
            since=since,
            until=until,
            actors=actors,
            limit=limit,
        )


def first_at(district: District, user: User) -> datetime | None:
    """When the oldest commit in layers the user sees was made; None in an empty district."""
    seen = _seen(district, user, ())
    with district.database.read() as connection:
        return activity.first_at(connection, layers=seen)


def _seen(district: District, user: User, layers: Sequence[str]) -> list[str]:
    access.require(district, user, Permission.VIEW_HISTORY, "activity")
    for one in layers:
        access.require_sight(district, user, district.catalogue.layer(one))
    return list(layers) or [one.id for one in access.visible_layers(district, user)]


# --- who edited when --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Activity:
    """What one person wrote on one day of China, by operation."""

    day: date
    actor: str
    display_name: str
    created: int
    updated: int
    verified: int
    deleted: int
    restored: int

    @property
    def total(self) -> int:
        """All writes together."""
        return self.created + self.updated + self.verified + self.deleted + self.restored


def series(
    district: District, user: User, since: datetime, until: datetime, *, layers: Sequence[str] = ()
) -> tuple[Activity, ...]:
    """
    Who wrote how much on each day from `since` (inclusive) to `until` (exclusive); days without writes are left out.

    Raises
    ------
    PermissionDenied, NotFound
    """
    seen = _seen(district, user, layers)
    with district.database.read() as connection:
        edits = activity.edits(connection, since=since, until=until, layers=seen)
    called = names.of(district, [one.actor for one in edits])
    groups: dict[tuple[date, str], Counter[Operation]] = defaultdict(Counter)
    for one in edits:
        groups[day_of(one.at), one.actor][one.operation] += 1
    return tuple(
        Activity(
            day, actor, called[actor], count[Operation.CREATE], count[Operation.UPDATE],
            count[Operation.VERIFY], count[Operation.DELETE], count[Operation.RESTORE],
        )
        for (day, actor), count in sorted(groups.items())
    )  # fmt: skip
