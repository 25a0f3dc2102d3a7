"""
The outline of the demo district, drawn by hand after the general shape of a district on a bay.

The lines below are our own drawing, coarse on purpose; no published boundary is traced. South of the sea wall
lie tidal flats: they belong to the coastal towns and carry no road and no building.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage
from scipy.spatial import cKDTree

from gridmap.demo.chance import Floats
from gridmap.demo.lattice import Lattice, Mask, lattice_for
from gridmap.demo.plane import to_plane

MARGIN_M = 3_000.0  # how far roads go on beyond the district's edge

# The big river in the north-west is both the district's edge and a barrier.
BIG_RIVER = (
    (121.290, 30.962), (121.330, 30.974), (121.357, 30.981), (121.388, 30.987), (121.408, 30.993),
    (121.428, 31.008), (121.452, 31.011), (121.470, 31.016), (121.484, 31.017), (121.492, 31.030), (121.495, 31.060),
)  # fmt: skip
_RIVER_EDGE = slice(2, 9)
OUTLINE = (
    *BIG_RIVER[_RIVER_EDGE],
    (121.505, 31.007), (121.522, 31.002), (121.545, 30.998), (121.575, 31.002), (121.605, 31.003),
    (121.625, 30.995), (121.660, 30.994), (121.692, 30.990), (121.720, 30.974), (121.748, 30.950),
    (121.768, 30.930), (121.776, 30.905), (121.772, 30.882), (121.764, 30.862), (121.772, 30.842),
    (121.787, 30.820), (121.740, 30.818), (121.680, 30.820), (121.635, 30.815), (121.595, 30.804),
    (121.550, 30.790), (121.510, 30.775), (121.476, 30.760), (121.458, 30.780), (121.440, 30.806),
    (121.425, 30.819), (121.392, 30.828), (121.378, 30.843), (121.380, 30.868), (121.372, 30.890),
    (121.355, 30.908), (121.349, 30.930), (121.356, 30.955),
)  # fmt: skip
# The sea wall, from beyond the western edge to beyond the eastern one; south of it is water or flats.
SEA_WALL = (
    (121.150, 30.760), (121.300, 30.780), (121.390, 30.799), (121.437, 30.801), (121.470, 30.797),
    (121.500, 30.803), (121.545, 30.809), (121.590, 30.821), (121.630, 30.833), (121.680, 30.841),
    (121.730, 30.846), (121.765, 30.853), (121.800, 30.862), (121.960, 30.875),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Land:
    """
    What lies where; all masks and sizes are (nx, ny), one entry a cell.

    Attributes
    ----------
    inside : cells of the district
    flats : cells of the district that are tidal flats
    dry : cells with firm ground, in the district and up to `MARGIN_M` beyond it
    beyond_river : dry cells on the far bank of the big river
    xy : (nx, ny, 2) metres, middles of the cells
    area_m2 : size of each cell
    """

    lattice: Lattice
    inside: Mask
    flats: Mask
    dry: Mask
    beyond_river: Mask
    xy: Floats
    area_m2: Floats

    @property
    def ground(self) -> Mask:
        """Cells of the district with firm ground."""
        return self.inside & ~self.flats

    def corner_tree(self) -> cKDTree:
        """Tree over all corners' metres, for `walk`."""
        uv = self.lattice.corners()
        return cKDTree(self.lattice.bend(uv[..., 0], uv[..., 1]).reshape(-1, 2))

    def cell_tree(self) -> cKDTree:
        """Tree over all cells' metres, for `walk`."""
        return cKDTree(self.xy.reshape(-1, 2))


def draw_land(seed: int, side_m: float) -> Land:
    """The land of the district on a lattice whose cells are about `side_m` wide."""
    outline = shapely.Polygon(to_plane(OUTLINE))
    west, south, east, north = outline.bounds
    # the plane's middle is not the outline's: the box reaches as far as the farther side
    lattice = lattice_for(
        seed, side_m, 2 * max(-west, east) + 2 * MARGIN_M, 2 * max(-south, north) + 2 * MARGIN_M
    )
    uv = lattice.middles()
    xy = lattice.bend(uv[..., 0], uv[..., 1])
    sea = shapely.Polygon([*to_plane(SEA_WALL), (90_000, -90_000), (-90_000, -90_000)])
    in_outline = shapely.contains_xy(outline, xy[..., 0], xy[..., 1])
    inside = _one_piece(in_outline)
    in_sea = shapely.contains_xy(sea, xy[..., 0], xy[..., 1])
    near = shapely.contains_xy(outline.buffer(MARGIN_M), xy[..., 0], xy[..., 1])
    over = shapely.Polygon(
        [*to_plane(BIG_RIVER), (-60_000, 60_000), (-60_000, to_plane(BIG_RIVER[:1])[0, 1])]
    )
    far_bank = shapely.contains_xy(over, xy[..., 0], xy[..., 1]) & ~inside
    return Land(
        lattice, inside, inside & in_sea, near & ~(in_sea & ~inside) & ~(inside & in_sea), far_bank & near, xy,
        _cell_areas(lattice),
    )  # fmt: skip


def _one_piece(mask: Mask) -> Mask:
    """The largest connected piece of `mask` with its holes filled."""
    labels, count = ndimage.label(mask)
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:])) if count else 0
    return ndimage.binary_fill_holes(labels == largest)


def _cell_areas(lattice: Lattice) -> Floats:
    uv = lattice.corners()
    p = lattice.bend(uv[..., 0], uv[..., 1])
    d1, d2 = p[1:, 1:] - p[:-1, :-1], p[:-1, 1:] - p[1:, :-1]
    return 0.5 * (d1[..., 0] * d2[..., 1] - d1[..., 1] * d2[..., 0])
