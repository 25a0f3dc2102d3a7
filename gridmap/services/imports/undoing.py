"""Taking a whole import back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gridmap.domain.elements import Element, Operation
from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import NotFound
from gridmap.services import access, membership
from gridmap.services.district import District
from gridmap.services.imports.ground import judged
from gridmap.services.imports.identity import UNDO_REASON
from gridmap.services.imports.plans import ImportNotUndoable, ImportReceipt
from gridmap.services.imports.storing import is_import
from gridmap.storage import elements as stored
from gridmap.storage import history, lineage


def undo_import(district: District, user: User, sequence: int) -> ImportReceipt:
    """
    Take a whole import back, in one commit: new elements are retired, changed ones get their old state.

    Only while nobody wrote to any of its elements since. A file imported again brings the retired ones back.

    Raises
    ------
    NotFound
        Commit `sequence` is no import.
    ImportNotUndoable
        Elements were written since, or their earlier state was redacted.
    PermissionDenied
        It is another account's import and the user is no administrator, or the layer is closed to the user.
    """
    with district.database.read() as connection:
        revisions = history.of_sequence(connection, sequence)
        past = history.before_sequence(connection, sequence)
    if not revisions or not is_import(revisions[0].reason):
        raise NotFound(
            f"commit {sequence} is no import", zh=f"编号 {sequence} 不是一次批量导入。", sequence=sequence
        )
    layer = district.catalogue.layer(revisions[0].layer)
    access.require(district, user, Permission.IMPORT, layer.id)
    access.require_edit(district, user, layer)
    if revisions[0].actor != user.username and not user.may(Permission.ADMINISTER):
        raise access.refuse(
            district, user, "undo the import of another account", str(sequence), zh="只能撤销自己的导入。"
        )
    reason = f"{UNDO_REASON} {sequence}"
    ids = [one.element_id for one in revisions]
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        present = stored.get_many(commit.connection, ids)
        _require_untouched(revisions, present, past, sequence)
        retired = [replace(present[one], is_retired=True) for one in ids if one not in past]
        back = [_as_before(present[one], past[one].element) for one in ids if one in past]
        again = [one for one in back if one.is_retired]
        changed = [one for one in back if not one.is_retired]
        if layer.is_partition:
            _refuse_overlap_after(district, layer, ids, changed, sequence)
        written: list[Element] = []
        for elements, operation in (
            (retired + again, Operation.DELETE), (changed, Operation.UPDATE),
        ):  # fmt: skip
            bases = [one.revision for one in elements]
            written += stored.save(commit, elements, operation, bases=bases)
        lineage.undo(commit.connection, sequence, commit.sequence)
        membership.derive(district, commit.connection, written, [present[one.id] for one in written])
    return ImportReceipt(commit.sequence, 0, len(changed), 0, 0, 0, len(retired) + len(again))


def _refuse_overlap_after(
    district: District, layer: Layer, ids: Sequence[str], back: Sequence[Element], sequence: int
) -> None:
    """Grids that come back must not lie on ground that a neighbour has taken over meanwhile."""
    frame = district.frames.frame(layer.id)
    living = frame.living
    others = frame.arrays.geometry[living[~np.isin(frame.arrays.id[living].astype(str), ids)]]
    areas = np.array([*(one.geometry for one in back), *others], dtype=object)
    if len(back) and any(one.i < len(back) for one in judged(areas, len(areas)).overlaps):
        raise ImportNotUndoable(
            f"grids that import {sequence} had changed would overlap their neighbours of today",
            zh=f"恢复后的{layer.title}会与相邻{layer.title}重叠,不能撤销,请逐个处理。",
            sequence=sequence,
            changed=len(back),
        )


def _as_before(present: Element, past: Element | None) -> Element:
    assert past is not None  # `_require_untouched` has seen to it
    return replace(past, revision=present.revision)


def _require_untouched(
    revisions: Sequence[history.Revision],
    present: Mapping[str, Element],
    past: Mapping[str, history.Revision],
    sequence: int,
) -> None:
    touched = sum(present[one.element_id].revision != one.revision for one in revisions)
    lost = sum(one.element is None for one in past.values())
    if touched or lost:
        raise ImportNotUndoable(
            f"{touched} elements of import {sequence} were written since, {lost} earlier states were redacted",
            zh=f"这次导入之后,其中 {touched + lost} 个要素又被修改(或原内容已清除),不能整体撤销,请逐个恢复。",
            sequence=sequence,
            changed=touched,
        )
