"""
Editing grids as a partition: every edit changes all the grids it touches in one commit, or none.

Moving a border, splitting, merging and re-numbering keep the ground covered exactly once, give no code out
twice, and note what became of each grid. An edit that reaches into another officer's area becomes a proposal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain import grids as ground
from gridmap.domain.codes import CodeScheme, default_scheme, parse_scheme
from gridmap.domain.crs import to_metric
from gridmap.domain.elements import Element, Operation, Source, due_after, new_id
from gridmap.domain.grids import NOBODY, Edit, Transfer
from gridmap.domain.layers import FieldClass, FieldType, Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput, NotFound, RevisionRequired, StateConflict, TooLarge
from gridmap.services import access, elements, membership, partition, reverting
from gridmap.services.district import District
from gridmap.services.elements import Also, InvalidElement
from gridmap.storage import elements as stored
from gridmap.storage import history as revisions
from gridmap.storage import lineage as descents
from gridmap.storage import proposals as inbox
from gridmap.storage import settings as choices
from gridmap.storage.database import Commit
from gridmap.storage.lineage import Descent, Link
from gridmap.storage.proposals import Proposal
from gridmap.validation.attributes import Problem, clean_values
from gridmap.validation.geometry import MAX_VERTICES, geometry_problems

# How often an edit is computed anew when somebody else writes a grid between looking and storing.
_TRIES = 20
# Neighbours are looked for this far (degrees) beyond an edit, so that those that only touch are found.
_TOUCHING_DEGREES = 1e-6


class NoPartition(InvalidInput):
    """
    The layer's areas may overlap, so its borders belong to one area each.

    Attributes
    ----------
    layer : its id
    """

    title = "不是网格图层"


class GridsBusy(StateConflict):
    """Others keep writing grids of this layer; nothing was stored."""

    title = "网格正被他人修改"


@dataclass(frozen=True, slots=True)
class GridReceipt:
    """
    What a grid edit answers.

    Either it is stored (`sequence`; `changed` are grids with other ground, vertices, code or values, `created`
    and `retired` the new and the ended ones), or it waits for the other side (`proposal`, nothing stored).
    A trial run has neither. `warnings` are Chinese sentences.
    """

    changed: tuple[Element, ...] = ()
    created: tuple[Element, ...] = ()
    retired: tuple[Element, ...] = ()
    warnings: tuple[str, ...] = ()
    sequence: int | None = None
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    An edit that is worked out and not stored.

    `before` are the states it was worked out from, by id; `as_of` the commit they stand for.
    """

    layer: Layer
    before: Mapping[str, Element]
    as_of: int
    changed: tuple[Element, ...] = ()
    created: tuple[Element, ...] = ()
    retired: tuple[Element, ...] = ()
    descent: Descent | None = None
    links: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def changes(self) -> list[tuple[Element | None, Element | None]]:
        """Each state before with the one after."""
        pairs: list[tuple[Element | None, Element | None]] = [(None, one) for one in self.created]
        return pairs + [(self.before[one.id], one) for one in (*self.changed, *self.retired)]


# --- codes and lineage ------------------------------------------------------------------------------------


def scheme_of(district: District, layer_id: str) -> CodeScheme:
    """How codes of the layer are written: as the district chose, else as usual."""
    district.catalogue.layer(layer_id)
    with district.database.read() as connection:
        chosen = choices.get(connection, f"codes.{layer_id}")
    return parse_scheme(**chosen) if chosen else default_scheme(layer_id)


def choose_scheme(district: District, user: User, layer_id: str, scheme: CodeScheme) -> None:
    """Write the layer's codes by `scheme` from now on; administrators only."""
    access.require(district, user, Permission.ADMINISTER, layer_id)
    district.catalogue.layer(layer_id)
    value = {"text": scheme.text, "order": scheme.order.value, "band_m": scheme.band_m}
    with district.database.write() as connection:
        choices.put(connection, f"codes.{layer_id}", value)


def lineage(district: District, user: User, layer_id: str, code: str) -> list[Link]:
    """Every step that leads to or from this code, oldest first; steps taken back say so."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    access.require(district, user, Permission.VIEW_HISTORY, layer.id)
    with district.database.read() as connection:
        return descents.of_code(connection, layer_id, code)


# --- edits ------------------------------------------------------------------------------------------------


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
    also: Also | None = None,
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

    def plan() -> Plan:
        grid = _present(district, layer, element_id, base_revision)
        sight = _around(district, layer, [grid.geometry, outline], [grid.id])
        at = sight.position(grid.id)
        parent, may_take = _family(district, layer, sight, at)
        edit = ground.redrawn(sight.areas, at, outline, within=parent, may_take=may_take)
        return _border_plan(layer, sight, edit)

    def arguments() -> dict[str, Any]:
        return {"element": element_id, "outline": _hex(outline), "base_revision": base_revision}

    title = f"调整{layer.title}边界"
    return _run(district, user, _Order("border", title, plan, arguments), reason, propose, dry_run, also)


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
    also: Also | None = None,
) -> GridReceipt:
    """
    Make `line` (lon, lat) the common border of two neighbours; all their other borders stay.

    Raises
    ------
    As `move_border`; InvalidInput where the two have different parents.
    """
    layer = _require_grids(district, user, layer_id, line)

    def plan() -> Plan:
        pair = [_present(district, layer, one, base_revisions.get(one)) for one in (first_id, second_id)]
        sight = _around(district, layer, [one.geometry for one in pair], [one.id for one in pair])
        first, second = sight.position(first_id), sight.position(second_id)
        _, same = _family(district, layer, sight, first)
        if not same[second]:
            raise InvalidInput(
                "the two grids have different parents", zh="两个网格不属于同一上级,不能移动公共边界。"
            )
        return _border_plan(layer, sight, ground.realigned(sight.areas, first, second, line))

    def arguments() -> dict[str, Any]:
        revisions_ = {one: base_revisions.get(one) for one in (first_id, second_id)}
        return {"first": first_id, "second": second_id, "line": _hex(line), "base_revisions": revisions_}

    title = f"重画{layer.title}公共边界"
    return _run(district, user, _Order("line", title, plan, arguments), reason, propose, dry_run, also)


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
    also: Also | None = None,
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

    def plan() -> Plan:
        grid = _present(district, layer, element_id, base_revision)
        sight = _around(district, layer, [grid.geometry], [grid.id])
        at = sight.position(grid.id)
        edit = ground.divided(sight.areas, at, line)
        fresh = edit.areas[len(sight.areas) :]
        scheme = scheme_of(district, layer_id)
        fresh = fresh[scheme.reading_order(_middles(fresh))]
        parts = _parts(
            layer, grid, fresh, _new_codes(district, layer, scheme, grid, len(fresh), codes), names
        )
        warning = f"已按面积分摊:{'、'.join(_counts(layer, grid))},请核实" if _counts(layer, grid) else ""
        others = _others(sight, edit, skip=[grid.id])
        return Plan(
            layer, sight.by_id, sight.as_of, others, parts, (replace(grid, is_retired=True),),
            Descent.SPLIT, tuple((grid.id, one.id) for one in parts), tuple(filter(None, [warning])),
        )  # fmt: skip

    def arguments() -> dict[str, Any]:
        return {
            "element": element_id, "line": _hex(line), "base_revision": base_revision,
            "names": list(names), "codes": list(codes),
        }  # fmt: skip

    title = f"拆分{layer.title}"
    return _run(district, user, _Order("split", title, plan, arguments), reason, propose, dry_run, also)


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
    also: Also | None = None,
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
    chosen = list(dict.fromkeys(element_ids))
    if into is not None and into not in chosen:
        raise InvalidInput(f"{into} is none of the grids to merge", zh="保留的网格不在所选网格中。")

    def plan() -> Plan:
        grids = [_present(district, layer, one, base_revisions.get(one)) for one in chosen]
        sight = _around(district, layer, [one.geometry for one in grids], chosen)
        _, same = _family(district, layer, sight, sight.position(chosen[0]))
        if not all(same[sight.position(one)] for one in chosen):
            raise InvalidInput("the grids have different parents", zh="所选网格不属于同一上级,不能合并。")
        edit = ground.joined(sight.areas, [sight.position(one) for one in chosen])
        leader = next((one for one in grids if one.id == into), max(grids, key=lambda one: one.geometry.area))
        whole, warnings = _merged(layer, leader, grids, edit.areas[-1])
        whole = replace(whole, name=leader.name if name is None else name)
        retired = tuple(replace(one, is_retired=True) for one in grids if one.id != into)
        others = _others(sight, edit, skip=chosen)
        if into is not None:
            links = tuple((one.id, into) for one in retired)
            return Plan(
                layer, sight.by_id, sight.as_of, (*others, whole), (), retired, Descent.MERGE, links, warnings
            )
        scheme = scheme_of(district, layer_id)
        [fresh] = _new_codes(district, layer, scheme, leader, 1, [code] if code else [])
        whole = replace(_anew(whole), code=fresh)
        links = tuple((one.id, whole.id) for one in grids)
        return Plan(
            layer, sight.by_id, sight.as_of, others, (whole,), retired, Descent.MERGE, links, warnings
        )

    def arguments() -> dict[str, Any]:
        return {
            "elements": chosen, "base_revisions": {one: base_revisions.get(one) for one in chosen},
            "into": into, "name": name, "code": code,
        }  # fmt: skip

    title = f"合并{layer.title}"
    return _run(district, user, _Order("merge", title, plan, arguments), reason, propose, dry_run, also)


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

    def plan() -> Plan:
        frame = district.frames.frame(layer.id)
        codes = frame.arrays.code[frame.living].astype(str)
        at = frame.living[np.char.startswith(codes, prefix)] if len(codes) else frame.living
        if len(at) == 0:
            raise NotFound(f"no grid code begins with {prefix}", zh=f"没有编码以“{prefix}”开头的网格。")
        with district.database.read() as connection:
            used = descents.codes_ever_used(connection, layer.id, prefix)
            present = stored.get_many(connection, frame.arrays.id[at].tolist())
        scheme = scheme_of(district, layer_id)
        new = scheme.renumbered(frame.arrays.code[at].tolist(), _middles(frame.arrays.geometry[at]), used)
        grids = {one.code: one for one in present.values()}
        changed = tuple(replace(grids[old], code=fresh) for old, fresh in new.items() if old in grids)
        links = tuple((one.id, one.id) for one in changed)
        return Plan(layer, present, frame.sequence, changed, descent=Descent.RENUMBER, links=links)

    order = _Order("renumber", f"重新编号{layer.title}", plan, lambda: {"prefix": prefix})
    return _run(district, user, order, reason, False, dry_run, None)


def transfer(
    district: District,
    user: User,
    layer_id: str,
    pieces: Sequence[tuple[BaseGeometry, str | None, str | None]],
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
    named = sorted({one for _, giver, taker in pieces for one in (giver, taker) if one is not None})

    def plan() -> Plan:
        grids = [_present(district, layer, one, base_revisions.get(one)) for one in named]
        shapes = [*(one.geometry for one in grids), *(piece for piece, _, _ in pieces)]
        sight = _around(district, layer, shapes, named)
        moves = [
            Transfer(
                piece,
                NOBODY if giver is None else sight.position(giver),
                NOBODY if taker is None else sight.position(taker),
            )
            for piece, giver, taker in pieces
        ]
        edit = ground.reassigned(sight.areas, moves)
        if any(edit.areas[sight.position(one)] is None for one in named):
            raise InvalidInput(
                "a grid would lose all its ground", zh="有网格会失去全部范围,请改用合并或停用。"
            )
        return Plan(layer, sight.by_id, sight.as_of, _others(sight, edit))

    order = _Order("transfer", f"调整{layer.title}范围", plan, dict)
    return _run(district, user, order, reason, False, False, None)


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

    def plan() -> Plan:
        grids = [_present(district, layer, one, base_revisions.get(one)) for one in outlines]
        shapes = [*(one.geometry for one in grids), *outlines.values()]
        sight = _around(district, layer, shapes, list(outlines))
        areas = sight.areas
        for at, one in enumerate(sight.grids):
            areas[at] = outlines.get(one.id, one.geometry)
        if shapely.is_valid(areas).all():
            missing: dict[int, list[tuple[float, float]]] = {}
            for vertex in ground.loose_vertices(areas):
                missing.setdefault(vertex.j, []).append(vertex.place)
            for at, places in missing.items():
                areas[at] = ground.with_vertices(areas[at], places)
        return Plan(layer, sight.by_id, sight.as_of, _others(sight, Edit(areas)))

    order = _Order("redraw", f"重画{layer.title}", plan, dict)
    return _run(district, user, order, reason, False, False, None)


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
    rest: dict[str, Any] = {"reason": reason, "propose": False, "also": also, "dry_run": dry_run}
    match kind:
        case "border":
            rest |= {"base_revision": arguments["base_revision"]}
            return move_border(
                district, user, layer_id, arguments["element"], shapely.from_wkb(arguments["outline"]), **rest
            )
        case "line":
            pair = arguments["first"], arguments["second"]
            rest |= {"base_revisions": arguments["base_revisions"]}
            return move_line(district, user, layer_id, *pair, shapely.from_wkb(arguments["line"]), **rest)
        case "split":
            rest |= {name: arguments[name] for name in ("base_revision", "names", "codes")}
            line = shapely.from_wkb(arguments["line"])
            return split(district, user, layer_id, arguments["element"], line, **rest)
        case "merge":
            rest |= {name: arguments[name] for name in ("base_revisions", "into", "name", "code")}
            return merge(district, user, layer_id, arguments["elements"], **rest)
    raise InvalidInput(f"no grid edit is called {kind!r}", zh="提议的类型无法识别。")


# --- looking ----------------------------------------------------------------------------------------------


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


def _present(district: District, layer: Layer, element_id: str, base_revision: int | None) -> Element:
    """The living grid, where its ground is still that of `base_revision`; else EditConflict."""
    if base_revision is None:
        raise RevisionRequired(
            f"the revision that the edit of {element_id} is based on is missing",
            zh="缺少所依据的版本号,请刷新后再试。",
        )
    present = elements.living(district, layer, element_id)
    if present.revision == base_revision:
        return present
    with district.database.read() as connection:
        base = revisions.at_revision(connection, element_id, base_revision)
    if base is None or base.element is None or base.element.is_retired:
        raise elements.stale(present, base_revision)
    if reverting.ground_moved(base.element, present):
        raise elements.stale(present, base_revision)
    return present


@dataclass(frozen=True, slots=True)
class _Sight:
    """The grids that an edit may touch, as of one commit."""

    grids: tuple[Element, ...]
    as_of: int

    @property
    def areas(self) -> np.ndarray:
        array = np.empty(len(self.grids), dtype=object)
        array[:] = [one.geometry for one in self.grids]
        return array

    @property
    def by_id(self) -> dict[str, Element]:
        return {one.id: one for one in self.grids}

    def position(self, element_id: str) -> int:
        return next(at for at, one in enumerate(self.grids) if one.id == element_id)


def _around(district: District, layer: Layer, shapes: Sequence[BaseGeometry], must: Sequence[str]) -> _Sight:
    frame = district.frames.frame(layer.id)
    reach = shapely.union_all([one.buffer(_TOUCHING_DEGREES) for one in shapes if one.is_valid])
    ids = {*frame.arrays.id[frame.query(reach, predicate="intersects")].tolist(), *must}
    with district.database.read() as connection:
        found = stored.get_many(connection, sorted(ids))
    living = tuple(one for one in found.values() if not one.is_retired)
    if not set(must) <= {one.id for one in living}:
        raise elements.stale(None, 0)
    broken = [one.code or one.name for one in living if not one.geometry.is_valid]
    if broken:
        raise StateConflict(
            f"the shape of grid {broken[0]} is invalid; repair it first",
            zh=f"“{broken[0]}”的图形无效,请先在网格体检中修复。",
            grid_codes=broken,
        )
    return _Sight(tuple(sorted(living, key=lambda one: one.code or "")), frame.sequence)


def _family(
    district: District, layer: Layer, sight: _Sight, at: int
) -> tuple[BaseGeometry | None, list[bool]]:
    """The parent's ground, and which of the grids in sight lie in the same parent."""
    parent = partition.parent_of(district, layer, sight.grids[at].geometry)
    if parent is None:
        return None, [True] * len(sight.grids)
    inner = membership.representative_points(sight.areas)
    return parent, shapely.intersects(parent, inner).tolist()


def _middles(areas: np.ndarray) -> np.ndarray:
    """(n, 2) metres: the middle of each area, by which it is numbered."""
    return shapely.get_coordinates(shapely.centroid(to_metric(areas)))


# --- working out ------------------------------------------------------------------------------------------


def _others(sight: _Sight, edit: Edit, skip: Sequence[str] = ()) -> tuple[Element, ...]:
    """The grids in sight whose border changed, with their new one."""
    return tuple(
        replace(one, geometry=area)
        for one, area in zip(sight.grids, edit.areas, strict=False)
        if area is not one.geometry and area is not None and one.id not in skip
    )


def _border_plan(layer: Layer, sight: _Sight, edit: Edit) -> Plan:
    warnings = []
    if edit.clipped is not None:
        warnings.append(f"超出上级范围的 {partition.area_m2(edit.clipped):,.0f} 平方米未计入")
    free = sum(partition.area_m2(one.piece) for one in edit.transfers if one.giver == NOBODY)
    if free:
        warnings.append(f"接管了原来不属于任何网格的 {free:,.0f} 平方米")
    changed = _others(sight, edit)
    for one in changed:
        if shapely.get_num_geometries(one.geometry) > shapely.get_num_geometries(
            sight.by_id[one.id].geometry
        ):
            warnings.append(f"“{one.code}”被分成了不相连的几块")
    if any(one.taker == NOBODY for one in edit.transfers):
        warnings.append("让出的部分中有与其他网格重叠的范围")
    return Plan(layer, sight.by_id, sight.as_of, changed, warnings=tuple(warnings))


def _new_codes(
    district: District, layer: Layer, scheme: CodeScheme, like: Element, count: int, given: Sequence[str]
) -> list[str]:
    if given:
        if len(given) != count or len(set(given)) != count:
            raise InvalidInput(
                f"{count} different codes are needed, {len(set(given))} were given",
                zh=f"需要 {count} 个不同的新编码,收到 {len(set(given))} 个。",
            )
        return list(given)
    prefix, _ = scheme.split(like.code or "")
    with district.database.read() as connection:
        used = descents.codes_ever_used(connection, layer.id, prefix)
    return scheme.next_codes(prefix, used, count)


def _anew(model: Element) -> Element:
    """An element that is not stored yet, with everything that `model` says of the ground."""
    return replace(
        model, id=new_id(), revision=0, sequence=0, created_at=None, created_by=None, updated_at=None,
        updated_by=None, is_retired=False,
    )  # fmt: skip


def _counts(layer: Layer, grid: Element) -> list[str]:
    """Titles of the layer's counts that the grid has a number for."""
    return [one.title for one in _count_fields(layer) if grid.properties.get(one.name) is not None]


def _count_fields(layer: Layer) -> list[Any]:
    return [
        one for one in layer.fields if one.field_class is FieldClass.COUNT and one.type is FieldType.INTEGER
    ]


def _parts(
    layer: Layer, grid: Element, areas: np.ndarray, codes: Sequence[str], names: Sequence[str]
) -> tuple[Element, ...]:
    if names and len(names) != len(areas):
        raise InvalidInput(
            f"the line makes {len(areas)} parts, {len(names)} names were given",
            zh=f"拆分成 {len(areas)} 个网格,请给出 {len(areas)} 个名称。",
        )
    called = list(names) or [f"{grid.name}-{number}" for number in range(1, len(areas) + 1)]
    shares = {
        one.name: _shared_out(grid.properties[one.name], shapely.area(areas))
        for one in _count_fields(layer)
        if grid.properties.get(one.name) is not None
    }
    parts = []
    for at, area in enumerate(areas):
        properties = {**grid.properties, **{name: counts[at] for name, counts in shares.items()}}
        part = replace(_anew(grid), geometry=area, code=codes[at], name=called[at], properties=properties)
        parts.append(replace(part, due_at=due_after(layer, properties, part.verified_at)))
    return tuple(parts)


def _shared_out(total: int, weights: np.ndarray) -> list[int]:
    """`total` shared out by weight in whole numbers that add up to it; largest remainders first."""
    exact = total * weights / weights.sum()
    counts = np.floor(exact).astype(int)
    rest = np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]
    counts[rest] += 1
    return counts.tolist()


def _merged(
    layer: Layer, leader: Element, grids: Sequence[Element], area: BaseGeometry
) -> tuple[Element, tuple[str, ...]]:
    properties = dict(leader.properties)
    for one in _count_fields(layer):
        numbers = [grid.properties[one.name] for grid in grids if grid.properties.get(one.name) is not None]
        if numbers:
            properties[one.name] = sum(numbers)
    counts = {one.name for one in _count_fields(layer)}
    differing = [
        one.title
        for one in layer.fields
        if one.name not in counts and len({str(grid.properties.get(one.name)) for grid in grids}) > 1
    ]
    warnings = (f"以下内容各网格不同,取自“{leader.code}”:{'、'.join(differing)}",) if differing else ()
    oldest = min(grids, key=lambda one: (one.verified_at is not None, _sortable(one.verified_at)))
    whole = replace(
        leader,
        geometry=area,
        properties=properties,
        source=Source.SIMULATED if any(one.source is Source.SIMULATED for one in grids) else Source.REAL,
        verified_at=oldest.verified_at,
        verified_by=oldest.verified_by,
        due_at=due_after(layer, properties, oldest.verified_at),
    )
    return whole, warnings


def _sortable(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()


# --- storing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked: its kind and title, how to work it out, and its arguments for a proposal."""

    kind: str
    title: str
    plan: Callable[[], Plan]
    arguments: Callable[[], dict[str, Any]]


def _run(
    district: District,
    user: User,
    order: _Order,
    reason: str,
    propose: bool,
    dry_run: bool,
    also: Also | None,
) -> GridReceipt:
    for _ in range(_TRIES):
        plan = _sound(order.plan())
        plan = replace(plan, warnings=(*plan.warnings, *_crossed_lines(district, plan)))
        receipt = GridReceipt(plan.changed, plan.created, plan.retired, plan.warnings)
        if not plan.changes:
            return replace(receipt, warnings=(*plan.warnings, "没有改动,未保存"))
        own, theirs, is_within = _sides(district, user, plan)
        if not is_within and (not propose or not own):
            code = plan.before[(*theirs, *own)[0]].code
            zh = f"“{code}”的改动超出您的责任区,请联系相邻网格的民警或网格管理员。"
            raise access.refuse(district, user, "edit outside the own area", f"{plan.layer.id}/{code}", zh=zh)
        if dry_run or not is_within:
            written = [*plan.changed, *plan.created, *plan.retired]
            told = partition.check_together(district, plan.layer, written)
            receipt = replace(receipt, warnings=(*receipt.warnings, *told))
        if dry_run:
            return receipt
        if not is_within:
            return replace(receipt, proposal=_propose(district, user, order, plan, own, theirs, reason))
        done = _store(district, user, plan, reason or order.title, also)
        if done is not None:
            return done
    raise GridsBusy(
        "others keep writing these grids; try again", zh="网格正被他人连续修改,未保存,请稍后再试。"
    )


def _crossed_lines(district: District, plan: Plan) -> list[str]:
    """
    Warnings about grids that newly reach over the area their code begins with: a committee's line, say.

    The catalogue names one parent; codes often name another area in between, which grids should not cross.
    """
    scheme, found = scheme_of(district, plan.layer.id), []
    moved = [
        (before, after)
        for before, after in plan.changes
        if after is not None and not after.is_retired and reverting.ground_moved(before, after)
    ]
    ended = [plan.before[one.id].geometry for one in plan.retired]
    prefixes = {after.id: (after.code or "")[: -scheme.widths[-1]] for _, after in moved if after}
    for other in district.catalogue.grids:
        if other.id in (plan.layer.id, plan.layer.parent):
            continue
        areas = district.frames.by_code(other.id, sorted(set(prefixes.values())))
        for before, after in moved:
            area = areas.get(prefixes[after.id]) if after else None
            if after is None or area is None or not area.is_valid:
                continue
            # a new grid goes on from those that ended
            old = before.geometry if before is not None else shapely.union_all(ended)
            was = partition.area_m2(shapely.difference(old, area))
            over = partition.area_m2(shapely.difference(after.geometry, area))
            if over > was + partition.TOLERANCE_M2:
                found.append(f"“{after.code}”有 {over:,.0f} 平方米越过{other.title}界线")
    return found


def _sound(plan: Plan) -> Plan:
    """The plan with values as the store keeps them; raises InvalidElement where a grid breaks its layer's rules."""
    return replace(
        plan,
        changed=tuple(_clean(plan, one) for one in plan.changed),
        created=tuple(_clean(plan, one) for one in plan.created),
    )


def _clean(plan: Plan, one: Element) -> Element:
    found = geometry_problems(np.array([one.geometry], dtype=object), expected_type=plan.layer.geometry.value)
    problems = [Problem(0, "geometry", each.fault.value, each.message) for each in found]
    before = plan.before.get(one.id)
    if before is None or before.values() != one.values():
        values, more = clean_values(plan.layer, one.values())
        one, problems = one.with_values(values), problems + more
    hard = [each for each in problems if not each.is_warning]
    if hard:
        raise InvalidElement(hard)
    return one


def _sides(district: District, user: User, plan: Plan) -> tuple[list[str], list[str], bool]:
    """
    Ids of the grids that lose or gain ground or values, inside the user's area and outside of it; and whether
    the whole edit stays inside.
    """
    touched = [
        (before, after)
        for before, after in plan.changes
        if before is None or reverting.is_touched(before, after)
    ]
    shapes = [one.geometry for pair in touched for one in pair if one is not None]
    old = [before for before, _ in touched if before is not None]
    is_inside = {one.id: access.lies_inside(district, user, [one.geometry]) for one in old}
    own = [one for one, inside in is_inside.items() if inside]
    theirs = [one for one, inside in is_inside.items() if not inside]
    return own, theirs, not theirs and access.lies_inside(district, user, shapes)


def _propose(
    district: District, user: User, order: _Order, plan: Plan, own: list[str], theirs: list[str], reason: str
) -> Proposal:
    codes = "、".join(f"“{plan.before[one].code}”" for one in (*own, *theirs))
    made = Proposal(
        id=new_id(),
        kind=order.kind,
        layer=plan.layer.id,
        title=f"{order.title}:{codes}",
        reason=reason,
        arguments=order.arguments(),
        own_ids=own,
        their_ids=theirs,
        created_by=user.username,
        created_area=sorted(user.area),
        created_at=district.clock(),
    )
    with district.database.write() as connection:
        inbox.add(connection, made)
    return made


def _store(district: District, user: User, plan: Plan, reason: str, also: Also | None) -> GridReceipt | None:
    """Store the plan in one commit; None when somebody wrote what it was worked out from."""
    layer = plan.layer
    watched = [layer.id, *([layer.parent] if layer.parent else [])]
    watched += [one.id for one in district.catalogue if one.parent == layer.id and one.is_partition]
    with district.database.commit(actor=user.username, at=district.clock(), reason=reason) as commit:
        if any(stored.layer_sequence(commit.connection, one) > plan.as_of for one in watched):
            return None
        present = stored.get_many(commit.connection, [one.id for one in (*plan.changed, *plan.retired)])
        if any(present[one.id].revision != one.revision for one in (*plan.changed, *plan.retired)):
            return None
        _refuse_taken_codes(commit, plan)
        told = partition.check_together(district, layer, [*plan.changed, *plan.created, *plan.retired])
        retired = stored.save(commit, plan.retired, Operation.DELETE, bases=_bases(plan.retired))
        changed = stored.save(commit, plan.changed, Operation.UPDATE, bases=_bases(plan.changed))
        created = stored.save(commit, plan.created, Operation.CREATE)
        _note_lineage(commit, plan)
        written = [*retired, *changed, *created]
        membership.derive(district, commit.connection, written, [present.get(one.id) for one in written])
        if also is not None:
            also(commit)
        sequence = commit.sequence
    warnings = (*plan.warnings, *told)
    return GridReceipt(tuple(changed), tuple(created), tuple(retired), warnings, sequence)


def _bases(grids: Sequence[Element]) -> list[int | None]:
    return [one.revision for one in grids]


def _refuse_taken_codes(commit: Commit, plan: Plan) -> None:
    fresh = [
        one for one in (*plan.created, *plan.changed)
        if one.code and (one.id not in plan.before or plan.before[one.id].code != one.code)
    ]  # fmt: skip
    taken = stored.codes_taken(commit.connection, plan.layer.id, [one.code for one in fresh if one.code])
    for one in fresh:
        holder = taken.get(one.code or "", one.id)
        if holder != one.id:
            raise StateConflict(
                f"code {one.code} is taken by element {holder} of layer {plan.layer.id}; codes are never reused",
                zh=f"编码“{one.code}”已被使用(含已停用的网格),请换一个编码。",
                code=one.code,
                element=holder,
            )


def _note_lineage(commit: Commit, plan: Plan) -> None:
    if plan.descent is None:
        return
    codes = {one.id: one.code for one in (*plan.created, *plan.changed)}
    links = [
        Link(commit.sequence, plan.layer.id, plan.descent, start, plan.before[start].code, end, codes[end])
        for start, end in plan.links
    ]
    descents.add(commit.connection, links)


def _hex(geometry: BaseGeometry) -> str:
    return shapely.to_wkb(geometry, hex=True)
