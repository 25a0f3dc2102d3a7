"""The edits of grids that people and programs ask for, each with the rights and revisions it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import InvalidInput, TooLarge
from gridmap.services import access, reverting
from gridmap.services.district import District
from gridmap.services.elements import Also
from gridmap.services.grids.borders import NewLine, NewOutline
from gridmap.services.grids.numbers import NewNumbers
from gridmap.services.grids.outlines import DrawnOutlines, HandedPieces, Piece
from gridmap.services.grids.parts import Merge, Split
from gridmap.services.grids.plans import GridReceipt, Proposable
from gridmap.services.grids.storing import carry_through
from gridmap.validation.geometry import MAX_VERTICES

_KINDS: dict[str, type[Proposable]] = {one.kind: one for one in (NewOutline, NewLine, Split, Merge)}


class NoPartition(InvalidInput):
    """
    The layer's areas may overlap, so its borders belong to one area each.

    Attributes
    ----------
    layer : its id
    """

    title = "不是网格图层"


def _require_grids(district: District, user: User, layer_id: str, *drawn: BaseGeometry) -> Layer:
    layer = district.catalogue.layer(layer_id)
    if any(shapely.get_num_coordinates(one) > MAX_VERTICES for one in drawn):
        raise TooLarge(
            f"more than {MAX_VERTICES} vertices", zh=f"图形顶点过多(上限 {MAX_VERTICES:,} 个),请简化后重试。"
        )
    access.require_edit(district, user, layer)
    if not layer.is_partition:
        raise NoPartition(
            f"layer {layer_id} is no partition; edit its elements one by one",
            zh=f"“{layer.title}”不是铺满划分的网格图层,请逐个编辑要素。",
            layer=layer_id,
        )
    return layer


def move_border(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    outline: BaseGeometry,
    *,
    base_revision: int | None,
    reason: str = "",
    propose: bool = True,
    dry_run: bool = False,
) -> GridReceipt:
    """
    Give a grid a new outline (lon, lat); neighbours give and take exactly the difference inside the parent.

    Only the ground of the grid must be as it was in `base_revision`; other fields may have changed since.

    Raises
    ------
    RevisionRequired, EditConflict, PermissionDenied, NotFound, NoPartition, GridEditError, GroundLeftOver,
    GridSwallowed, ChildOutsideError, GridsBusy
    """
    layer = _require_grids(district, user, layer_id, outline)
    edit = NewOutline(element_id, outline, base_revision)
    return carry_through(district, user, layer, edit, reason=reason, may_ask=propose, dry_run=dry_run)


def move_line(
    district: District,
    user: User,
    layer_id: str,
    first_id: str,
    second_id: str,
    line: BaseGeometry,
    *,
    base_revisions: Mapping[str, int],
    reason: str = "",
    propose: bool = True,
    dry_run: bool = False,
) -> GridReceipt:
    """
    Make `line` (lon, lat) the common border of two neighbours; all their other borders stay.

    Raises
    ------
    As `move_border`; InvalidInput where the two have different parents.
    """
    layer = _require_grids(district, user, layer_id, line)
    edit = NewLine(first_id, second_id, line, base_revisions)
    return carry_through(district, user, layer, edit, reason=reason, may_ask=propose, dry_run=dry_run)


def split(
    district: District,
    user: User,
    layer_id: str,
    element_id: str,
    line: BaseGeometry,
    *,
    base_revision: int | None,
    names: Sequence[str] = (),
    codes: Sequence[str] = (),
    reason: str = "",
    propose: bool = True,
    dry_run: bool = False,
) -> GridReceipt:
    """
    Cut a grid by `line` (lon, lat) into new grids; the old one ends and its code is never used again.

    The parts are numbered in the scheme's order, with `codes` and `names` where given (as many as parts).
    Counts are shared out by area, so that their sum stays.

    Raises
    ------
    As `move_border`; InvalidElement, StateConflict (a code is taken), CodesExhausted, CodeSchemeError
    """
    layer = _require_grids(district, user, layer_id, line)
    edit = Split(element_id, line, base_revision, tuple(names), tuple(codes))
    return carry_through(district, user, layer, edit, reason=reason, may_ask=propose, dry_run=dry_run)


def merge(
    district: District,
    user: User,
    layer_id: str,
    element_ids: Sequence[str],
    *,
    base_revisions: Mapping[str, int],
    into: str | None = None,
    name: str | None = None,
    code: str | None = None,
    reason: str = "",
    propose: bool = True,
    dry_run: bool = False,
) -> GridReceipt:
    """
    Make neighbouring grids one: a new grid, or the one with id `into`, which then keeps its code and history.

    The others end; codes are never used again. Counts are added up; other values are those of the largest
    grid (or of `into`).

    Raises
    ------
    As `split`
    """
    layer = _require_grids(district, user, layer_id)
    edit = Merge(tuple(dict.fromkeys(element_ids)), base_revisions, into, name, code)
    return carry_through(district, user, layer, edit, reason=reason, may_ask=propose, dry_run=dry_run)


def renumber(
    district: District,
    user: User,
    layer_id: str,
    prefix: str,
    *,
    reason: str = "",
    dry_run: bool = False,
) -> GridReceipt:
    """
    Number the living grids whose codes begin with `prefix` in the scheme's order.

    Grids that are in order from the first on keep their codes; the rest get numbers never used before.

    Raises
    ------
    PermissionDenied, NotFound (no grid has such a code), CodeSchemeError, CodesExhausted, GridsBusy
    """
    layer = _require_grids(district, user, layer_id)
    return carry_through(district, user, layer, NewNumbers(prefix), reason=reason, dry_run=dry_run)


def transfer(
    district: District,
    user: User,
    layer_id: str,
    pieces: Sequence[Piece],
    *,
    base_revisions: Mapping[str, int],
    reason: str = "",
) -> GridReceipt:
    """
    Hand pieces of ground (lon, lat) over: each from one grid to another, by id; None stands for no grid.

    Raises
    ------
    As `move_border`; a transfer out of the user's area is refused and not proposed
    """
    layer = _require_grids(district, user, layer_id, *(piece for piece, _, _ in pieces))
    return carry_through(district, user, layer, HandedPieces(pieces, base_revisions), reason=reason)


def redraw(
    district: District,
    user: User,
    layer_id: str,
    outlines: Mapping[str, BaseGeometry],
    *,
    base_revisions: Mapping[str, int],
    reason: str = "",
) -> GridReceipt:
    """
    Give several grids new outlines (lon, lat) at once, as another program drew them: nothing is handed over.

    Refused when they overlap, or leave ground to nobody, by more than 1 m²; vertices that neighbours lack are
    put in.

    Raises
    ------
    As `move_border`; an edit outside the user's area is refused and not proposed
    """
    layer = _require_grids(district, user, layer_id, *outlines.values())
    return carry_through(district, user, layer, DrawnOutlines(outlines, base_revisions), reason=reason)


def carry_out(
    district: District,
    user: User,
    layer_id: str,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    reason: str,
    also: Also | None = None,
    dry_run: bool = False,
) -> GridReceipt:
    """Do what a proposal of `kind` says, with the rights of `user`; raises what the edit itself raises."""
    if kind not in _KINDS:
        raise InvalidInput(f"no grid edit is called {kind!r}", zh="提议的类型无法识别。")
    layer = _require_grids(district, user, layer_id)
    edit = _KINDS[kind].read(arguments)
    return carry_through(district, user, layer, edit, reason=reason, dry_run=dry_run, also=also)


def undo(district: District, user: User, sequence: int) -> GridReceipt:
    """
    Take a whole grid edit back, exactly; refused when somebody wrote one of its grids since.

    Raises
    ------
    NotFound, CannotUndo, PermissionDenied
    """
    done = reverting.revert(district, user, sequence, reason=f"撤销网格编辑(提交 {sequence})")
    return GridReceipt(
        changed=tuple(one for one in done.elements if not one.is_retired),
        retired=tuple(one for one in done.elements if one.is_retired),
        sequence=done.sequence,
    )
