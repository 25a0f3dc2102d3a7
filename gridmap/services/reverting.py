"""Taking a whole commit back: everything that it wrote stands again as it stood before, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import shapely

from gridmap.domain.elements import Element, Operation, Revision, to_payload
from gridmap.domain.roles import User
from gridmap.errors import NotFound, StateConflict
from gridmap.services import access, membership, names, partition
from gridmap.services.district import District
from gridmap.storage import elements as stored
from gridmap.storage import history, lineage


class CannotUndo(StateConflict):
    """
    A commit cannot be taken back: somebody wrote after it, or a state before it was redacted.

    Attributes
    ----------
    sequence : the commit
    elements : ids of the elements in the way
    updated_by : who wrote them since
    """

    title = "无法撤销"


@dataclass(frozen=True, slots=True)
class Reverted:
    """The commit that took another one back, and what it wrote."""

    sequence: int
    elements: tuple[Element, ...]


def ground_moved(first: Element | None, second: Element | None) -> bool:
    """Whether the two states cover different ground; vertices on a straight border make no difference."""
    if first is None or second is None or first.is_retired != second.is_retired:
        return True
    if shapely.equals_identical(first.geometry, second.geometry):
        return False
    if shapely.get_dimensions(first.geometry) < 2:
        return True
    change = shapely.symmetric_difference(first.geometry, second.geometry)
    return partition.area_m2(change) > partition.TOLERANCE_M2


def require_rights(
    district: District, user: User, changes: Sequence[tuple[Element | None, Element | None]], target: str
) -> None:
    """
    Pass when the user may make all these changes (state before, state after); raises PermissionDenied.

    An area that only gains or loses vertices on its border is free: its ground stays.
    """
    layers = sorted({state.layer for change in changes for state in change if state is not None})
    for layer_id in layers:
        access.require_edit(district, user, district.catalogue.layer(layer_id))
    for layer_id in layers:
        shapes = [
            state.geometry
            for before, after in changes
            for state in (before, after)
            if state is not None and state.layer == layer_id and is_touched(before, after)
        ]
        access.require_inside(district, user, district.catalogue.layer(layer_id), shapes, target)


def is_touched(before: Element | None, after: Element | None) -> bool:
    """Whether a change is more than vertices on a straight border."""
    if ground_moved(before, after):
        return True
    assert before is not None
    assert after is not None
    return before.values() != after.values()


def revert(district: District, user: User, sequence: int, *, reason: str = "") -> Reverted:
    """
    Take commit `sequence` back: what it made is retired, what it retired or changed is restored exactly.

    Raises
    ------
    NotFound (no such commit), CannotUndo, PermissionDenied, StateConflict (the map would be worse for it)
    """
    with district.database.read() as connection:
        written = history.of_sequence(connection, sequence)
        earlier = history.before_sequence(connection, sequence)
        present = stored.get_many(connection, [one.element_id for one in written])
    if not written:
        raise NotFound(
            f"there is no commit {sequence}", zh=f"没有编号为 {sequence} 的提交。", sequence=sequence
        )
    _require_untouched(district, written, earlier, present, sequence)
    goals = [_goal(present[one.element_id], earlier.get(one.element_id)) for one in written]
    changes = [(present[goal.id], goal) for goal in goals]
    require_rights(district, user, changes, f"commit {sequence}")
    text = reason or f"撤销提交 {sequence}"
    with district.database.commit(actor=user.username, at=district.clock(), reason=text) as commit:
        now = stored.get_many(commit.connection, list(present))
        _require_untouched(district, written, earlier, now, sequence)
        # written and taken back meanwhile: the same states under other numbers
        goals = [replace(one, revision=now[one.id].revision) for one in goals]
        for layer_id in sorted({one.layer for one in goals}):
            part = [one for one in goals if one.layer == layer_id]
            newest = max(now[one.id].sequence for one in part)
            # as it stood before, faults and all, unless somebody drew another grid since
            if stored.layer_sequence(commit.connection, layer_id) > newest:
                partition.check_together(district, district.catalogue.layer(layer_id), part)
        done: list[Element] = []
        for operation, is_retired in ((Operation.DELETE, True), (Operation.RESTORE, False)):
            part = [one for one in goals if one.is_retired is is_retired]
            done += stored.save(commit, part, operation, bases=[one.revision for one in part])
        lineage.undo(commit.connection, sequence, commit.sequence)
        membership.derive(district, commit.connection, done, [present[one.id] for one in done])
    return Reverted(commit.sequence, tuple(done))


def _goal(present: Element, earlier: Revision | None) -> Element:
    """What an element has to become, carrying its present revision number."""
    if earlier is None:
        return replace(present, is_retired=True)
    assert earlier.element is not None  # `_require_untouched` has seen to it
    return replace(earlier.element, revision=present.revision)


def _stands(written: Revision, present: Element) -> bool:
    """Whether the element is as that revision left it: never written since, or all of it taken back."""
    if present.revision == written.revision:
        return True
    return written.element is not None and to_payload(written.element) == to_payload(present)


def _require_untouched(
    district: District,
    written: Sequence[Revision],
    earlier: dict[str, Revision],
    present: dict[str, Element],
    sequence: int,
) -> None:
    later = [present[one.element_id] for one in written if not _stands(one, present[one.element_id])]
    if later:
        who = sorted({one.updated_by or "" for one in later})
        raise CannotUndo(
            f"{len(later)} element(s) of commit {sequence} were written since by {', '.join(who)}; "
            "undo the later edits first",
            zh=f"其中 {len(later)} 个要素之后又被 {'、'.join(names.of(district, who).values())} 修改,不能整体撤销,请先撤销之后的编辑。",
            sequence=sequence,
            elements=[one.id for one in later],
            updated_by=who,
        )
    lost = [one.element_id for one in earlier.values() if one.element is None]
    if lost:
        raise CannotUndo(
            f"{len(lost)} state(s) before commit {sequence} were redacted",
            zh="之前的内容已被清除,不能整体撤销。",
            sequence=sequence,
            elements=lost,
        )
