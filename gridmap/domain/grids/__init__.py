"""
Areas that share their ground without overlap, and the edits that keep them so.

Every edit is a list of transfers: this piece of ground goes from one area to another. All borders are cut at
each other into faces, each face gets its owner, and the areas are put together again from their faces. So the
ground that one area loses is, vertex by vertex, the ground that another gains, and neighbours share every
vertex. Coordinates are degrees or metres, told apart by their range; nothing is projected, because a straight
edge in degrees is no straight edge in metres and both sides of a border must bend alike.
"""

from gridmap.domain.grids.borders import redrawn
from gridmap.domain.grids.dividers import divided, realigned
from gridmap.domain.grids.joining import joined
from gridmap.domain.grids.noding import LooseVertex, loose_vertices, noded, with_vertices
from gridmap.domain.grids.refusals import GridEditError, GridSwallowed, GroundLeftOver
from gridmap.domain.grids.scale import Scale, scale_of
from gridmap.domain.grids.transfers import NOBODY, Edit, Transfer, reassigned

__all__ = [
    "NOBODY", "Edit", "GridEditError", "GridSwallowed", "GroundLeftOver", "LooseVertex", "Scale", "Transfer", "divided",
    "joined", "loose_vertices", "noded", "realigned", "reassigned", "redrawn", "scale_of", "with_vertices",
]  # fmt: skip
