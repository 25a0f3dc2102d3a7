"""
Ground that changes hands: transfers between areas, and the areas put together again from their faces.

Only areas that a transferred piece touches may change, and by no vertex more than they need; the others stay
the very objects they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids.faces import Faces
from gridmap.domain.grids.polygons import Array, array_of, has_same_vertices, polygons_of
from gridmap.domain.grids.refusals import GridSwallowed

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Transfer:
    """`piece` goes from area `giver` to area `taker` (positions; NOBODY stands for ground without an area)."""

    piece: BaseGeometry
    giver: int
    taker: int


@dataclass(frozen=True, slots=True)
class Edit:
    """
    What an edit makes of areas.

    Attributes
    ----------
    areas : in the order given, new ones behind them; None where an area has no ground left, the very same
        object where nothing changed
    transfers : the ground that changed hands
    clipped : ground that the drawing took beyond the parent, and that was left out (None: none)
    """

    areas: Array
    transfers: tuple[Transfer, ...] = ()
    clipped: BaseGeometry | None = None

    @property
    def moved(self) -> set[int]:
        """Positions of the areas whose ground changed; others may have gained vertices alone."""
        return {one for move in self.transfers for one in (move.giver, move.taker)} - {NOBODY}


def reassigned(areas: ArrayLike, transfers: Sequence[Transfer]) -> Edit:
    """
    The areas after the transfers; a taker beyond the last position makes a new area.

    Parameters
    ----------
    areas : (n,) valid Polygon or MultiPolygon
    transfers : pieces that do not overlap each other; ground of a piece that the giver does not own stays
    """
    given = array_of(areas)
    if not transfers:
        return Edit(given)
    faces = Faces.of(given, [shapely.boundary(move.piece) for move in transfers])
    count = max(len(given), *(move.taker + 1 for move in transfers))
    change = Change.on(faces, new=count - len(given))
    for move in transfers:
        change.move(move.piece, faces.inside(move.piece), move.giver, move.taker)
    return Edit(change.assembled(given), tuple(transfers))


@dataclass(slots=True)
class Change:
    """
    An edit in the making.

    Attributes
    ----------
    owned : (areas, faces) bool, who owns which face so far; new areas behind the old ones
    transfers : the ground that changed hands
    """

    faces: Faces
    owned: Array
    transfers: list[Transfer]

    @classmethod
    def on(cls, faces: Faces, *, new: int = 0) -> Change:
        """Nothing handed over yet; `new` areas without ground stand behind the old ones."""
        nothing = np.zeros((new, len(faces.faces)), dtype=bool)
        return cls(faces, np.vstack([faces.owned, nothing]), [])

    def pieces(self, where: Array) -> list[tuple[BaseGeometry, Array]]:
        """The connected pieces of these faces, each with its faces; slips of the pen left out."""
        return [
            (piece, where & self.faces.inside(piece))
            for piece in polygons_of(self.faces.union(where))
            if not self.faces.scale.is_slight(piece)
        ]

    def move(self, piece: BaseGeometry, where: Array, giver: int, taker: int) -> None:
        """Hand the faces `where` over, as far as the giver has them, and note the piece."""
        had = where & (self.owned[giver] if giver != NOBODY else ~self.owned.any(axis=0))
        if giver != NOBODY:
            self.owned[giver, had] = False
        if taker != NOBODY:
            self.owned[taker, had] = True
        self.transfers.append(Transfer(piece, giver, taker))

    def done(self, areas: Array, clipped: BaseGeometry | None = None) -> Edit:
        """The finished edit; raises GridSwallowed where an old area has no ground left and none is new."""
        if not self.transfers:
            return Edit(areas, (), clipped)
        gone = np.flatnonzero(self.faces.owned.any(axis=1) & ~self.owned[: len(areas)].any(axis=1))
        if len(gone) and len(self.owned) == len(areas):
            raise GridSwallowed(
                f"area {gone[0]} would lose all its ground; merge the grids instead",
                zh="有网格会失去全部范围,未保存。如要合并,请使用“合并网格”。",
                index=int(gone[0]),
            )
        return Edit(self.assembled(areas), tuple(self.transfers), clipped)

    def assembled(self, areas: Array) -> Array:
        """Every area put together from the faces it owns now; None where it has none."""
        known = self.faces.known
        unions = array_of([self.faces.union(mine) for mine in self.owned])
        needless = known.needless(unions)
        is_near = self._is_near(areas)
        result = np.empty(len(unions), dtype=object)
        for at, union in enumerate(unions):
            before = areas[at] if at < len(areas) else None
            if not is_near[at]:
                result[at] = before
            elif not union.is_empty:
                after = known.restored(known.without(union, needless))
                result[at] = _like(shapely.orient_polygons(after), before)
        return result

    def _is_near(self, areas: Array) -> Array:
        """Which areas a piece touches (within a millimetre); new ones count as touched."""
        edges = shapely.union_all([shapely.boundary(move.piece) for move in self.transfers])
        near = np.ones(len(self.owned), dtype=bool)
        near[: len(areas)] = shapely.dwithin(areas, edges, self.faces.scale.units(1e-3))
        return near


def _like(after: BaseGeometry, before: BaseGeometry | None) -> BaseGeometry:
    """The area in the type it had, and the object itself where not a vertex changed."""
    if before is None:
        return after
    if has_same_vertices(before, after):
        return before
    is_multi = before.geom_type == "MultiPolygon" and after.geom_type == "Polygon"
    return MultiPolygon([after]) if is_multi else after
