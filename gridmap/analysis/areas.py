"""
Responsibility areas: which point answers for which place.

The network Voronoi gives every place to the point nearest along the roads; balanced areas trade some of that
nearness for equal loads. Both are connected by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridmap.analysis._drawing import Drawing
from gridmap.analysis._highs import Lp, LpInfeasible
from gridmap.analysis._watch import Watch
from gridmap.analysis.coverage import exact_weights
from gridmap.analysis.network import By, Direction, RoadGraph
from gridmap.analysis.siting import InfeasibleError
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_LIKELY_CENTERS = 8
"""The transport program first offers each unit this many of its cheapest centers, then all."""
_CAUTION = 0.6
"""Share of the tolerance the program may use: whole, connected units need the rest."""


# nearest along the network


@dataclass(frozen=True, slots=True, eq=False)
class NetworkAreas:
    """
    A network split by nearest point.

    Attributes
    ----------
    cost : (n nodes,) to the nearest point, `inf` where none is reached
    owner : (n nodes,) place of that point in the list given, -1 where none is reached
    """

    cost: Floats
    owner: Ints


def network_areas(
    graph: RoadGraph,
    sources: ArrayLike,
    *,
    by: By = "seconds",
    direction: Direction = Direction.FROM_SOURCES,
    offset: ArrayLike | None = None,
) -> NetworkAreas:
    """
    Each node with the source nearest along the network (network Voronoi).

    The least-cost way from an area's point to any of its nodes stays inside the area, so each area is one
    connected piece of network. Parameters as in `RoadGraph.nearest`.
    """
    cost, owner = graph.nearest(sources, by=by, direction=direction, offset=offset)
    return NetworkAreas(cost, owner)


def area_polygons(
    node_xy: ArrayLike, owner: ArrayLike, count: int, within: shapely.Geometry
) -> NDArray[np.object_]:
    """
    Areas as polygons that share out `within` exactly: every place goes with its straight-line nearest node.

    Nodes of no owner (-1) give their surroundings to the nearest owned node. An area may have several pieces
    where water or an odd road divides it; `shapely.get_num_geometries` tells.

    Parameters
    ----------
    node_xy : (n, 2) metres, projected CRS
    owner : (n,) 0 to `count` - 1, or -1
    within : polygon or multi-polygon in the same CRS

    Returns
    -------
    (count,) polygons or multi-polygons, empty where an area has no node.
    """
    xy, owners = np.asarray(node_xy, dtype=np.float64), np.asarray(owner)
    result = np.array([shapely.Polygon()] * count, dtype=object)
    known = np.flatnonzero(owners >= 0)
    if len(known) == 0:
        return result
    # nodes on one place would make empty cells: the first keeps it
    _, first = np.unique(xy[known], axis=0, return_index=True)
    known = known[first]
    if len(np.unique(owners[known])) == 1:
        result[owners[known[0]]] = within
        return result
    points = shapely.multipoints(xy[known])
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=within, ordered=True))
    for number in np.unique(owners[known]).tolist():
        merged = shapely.coverage_union_all(cells[owners[known] == number])
        result[number] = _polygonal(shapely.intersection(merged, within))
    return result


def _polygonal(geometry: shapely.Geometry) -> shapely.Geometry:
    """The geometry without the points and lines that an intersection leaves where areas only touch."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = shapely.get_parts(geometry)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


# balanced loads


def balanced_areas(
    cost: ArrayLike,
    weight: ArrayLike,
    adjacency: ArrayLike | sparse.sparray | sparse.spmatrix,
    centers: Sequence[int],
    *,
    tolerance: float,
) -> Ints:
    """
    One connected area per center, loads as equal as asked, total weighted cost low.

    A transport program shares units out under the load limit; each area keeps the piece around its center,
    loose pieces join a neighbour, then border units move from full areas to emptier ones as long as nothing
    comes apart. Where units are too heavy or the map too narrow for the limit, the loads come as near to it
    as these moves bring them: `load_ratio` tells.

    Parameters
    ----------
    cost : (n, k) from unit to center, >= 0, `inf` where unreachable
    weight : (n,) load of a unit, >= 0
    adjacency : (n, n) matrix, dense or sparse, non-zero where two units touch; or (e, 2) pairs of units
    centers : (k,) the unit in which each center lies, all different
    tolerance : > 0; no area should carry more than (1 + tolerance) times the mean load

    Returns
    -------
    (n,) number of the area (place in `centers`) of each unit.

    Raises
    ------
    InfeasibleError
        Some units are not connected to any center; `rows` names them.
    InvalidInput
        Shapes disagree, a number is negative or NaN, or two centers share a unit.

    References
    ----------
    Hess et al. (1965), Nonpartisan political redistricting by computer (transport, then contiguity).
    """
    matrix, load, near, seeds = _checked(cost, weight, adjacency, centers, tolerance)
    n, k = matrix.shape
    if n == 0:
        return np.zeros(0, np.intp)
    limit = (1 + tolerance) * load.sum() / k
    area = _transported(matrix, load, seeds, (1 + _CAUTION * tolerance) * load.sum() / k)
    drawing = Drawing(matrix, load, near, seeds, area, limit)
    drawing.connect()
    other = Drawing(matrix, load, near, seeds, area, limit)
    other.grow()
    # where the program's pieces lay far apart, areas grown evenly from their centers are the better start
    if max(drawing.sums) > 2 * max(max(other.sums), limit):
        drawing = other
    drawing.level()
    drawing.shorten()
    return np.array(drawing.area, np.intp)


def load_ratio(area: ArrayLike, weight: ArrayLike, count: int) -> Floats:
    """Each area's load over the mean load; ones when there is no load at all."""
    load = np.bincount(np.asarray(area, np.intp), exact_weights(weight), minlength=count)
    return load / load.mean() if load.sum() else np.ones(count)


def _checked(
    cost: ArrayLike,
    weight: ArrayLike,
    adjacency: ArrayLike | sparse.sparray | sparse.spmatrix,
    centers: Sequence[int],
    tolerance: float,
) -> tuple[Floats, Floats, sparse.csr_array, Ints]:
    matrix = np.asarray(cost, dtype=np.float64)
    load = exact_weights(weight)
    seeds = np.asarray(centers, dtype=np.intp)
    if matrix.ndim != 2 or matrix.shape != (len(load), seeds.size) or seeds.ndim != 1:
        raise InvalidInput(
            f"cost is {matrix.shape}, weight {load.shape}, centers {seeds.shape}; give (n, k), (n,), (k,)",
            zh="成本矩阵、人口与中心的形状不一致。",
        )
    n, k = matrix.shape
    if not (matrix >= 0).all():
        raise InvalidInput("cost is negative or NaN; use inf for unreachable", zh="成本矩阵含负数或空值。")
    if not 0 < tolerance < np.inf:
        raise InvalidInput(f"tolerance is {tolerance}; give a share above 0", zh="均衡容差须大于 0。")
    if n and (k == 0 or ((seeds < 0) | (seeds >= n)).any() or len(np.unique(seeds)) < k):
        raise InvalidInput(
            f"centers must be different units of 0..{n - 1}, one at least: {seeds.tolist()}",
            zh="中心须位于互不相同的有效单元内,且至少一个。",
        )
    near = _neighbours(adjacency, n)
    component = csgraph.connected_components(near, directed=False)[1] if n else np.zeros(0, np.intp)
    lost = np.flatnonzero(~np.isin(component, component[seeds]))
    if lost.size:
        raise InfeasibleError(
            f"{len(lost)} units are not connected to any center, first unit {lost[0]}; add a center there",
            zh=f"有 {len(lost)} 个单元与任何中心都不相连,请在那里增设中心。",
            rows=lost.tolist(),
        )
    return matrix, load, near, seeds


def _neighbours(adjacency: ArrayLike | sparse.sparray | sparse.spmatrix, n: int) -> sparse.csr_array:
    """Symmetric 0/1 adjacency without loops."""
    if sparse.issparse(adjacency):
        entries = sparse.coo_array(adjacency)
        entries.eliminate_zeros()
        shape, row, column = entries.shape, entries.row, entries.col
    else:
        array = np.asarray(adjacency)
        shape = array.shape
        if array.ndim == 2 and shape[1] == 2 and shape != (n, n) or array.size == 0:
            row, column = array.reshape(-1, 2).T.astype(np.intp)
            shape = (n, n)
        else:
            row, column = np.nonzero(array) if array.ndim == 2 else (np.zeros(0, int), np.zeros(0, int))
    if shape != (n, n) or (
        len(row) and (min(row.min(), column.min()) < 0 or max(row.max(), column.max()) >= n)
    ):
        raise InvalidInput(
            f"adjacency has shape {shape} or names a unit outside 0..{n - 1}", zh="相邻关系与单元个数不一致。"
        )
    apart = row != column
    row, column = np.r_[row[apart], column[apart]], np.r_[column[apart], row[apart]]
    near = sparse.csr_array((np.ones(len(row)), (row, column)), shape=(n, n))
    near.sum_duplicates()
    near.data[:] = 1
    return near


def _transported(cost: Floats, load: Floats, seeds: Ints, limit: float) -> Ints:
    """Each unit's main area in the cheapest sharing of load under the limit; its cheapest where that fails."""
    n, k = cost.shape
    nearest = cost.argmin(axis=1)
    nearest[seeds] = np.arange(k)
    if load.sum() == 0 or k == 1:
        return nearest
    for offered in (min(_LIKELY_CENTERS, k), k):
        order = np.argsort(cost, axis=1, kind="stable")[:, :offered]
        unit, center = np.repeat(np.arange(n), offered), order.ravel()
        keep = np.isfinite(cost[unit, center]) & ~np.isin(unit, seeds)
        # a unit without weight or way costs the program nothing: it stays with its nearest
        keep &= load[unit] > 0
        unit, center = np.r_[unit[keep], seeds], np.r_[center[keep], np.arange(k)]
        used, row = np.unique(unit, return_inverse=True)
        spent = np.where(np.isfinite(cost), cost, 0.0)[unit, center] * load[unit]
        columns = np.arange(len(unit))
        lp = Lp(spent / max(spent.max(), 1e-300), np.zeros(len(unit)), np.ones(len(unit)), Watch())
        lp.add_rows(
            np.ones(len(used)),
            np.ones(len(used)),
            sparse.csr_array((np.ones(len(unit)), (row, columns)), shape=(len(used), len(unit))),
        )
        heaviest = max(limit, float(load[seeds].max()))
        lp.add_rows(
            np.full(k, -np.inf),
            np.full(k, 1.0),
            sparse.csr_array((load[unit] / heaviest, (center, columns)), shape=(k, len(unit))),
        )
        try:
            share = lp.solve().x
        except LpInfeasible:
            continue
        main = np.lexsort((share, row))
        last = np.r_[row[main][1:] != row[main][:-1], True]
        nearest[used] = center[main[last]]
        return nearest
    return nearest
