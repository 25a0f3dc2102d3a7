"""
Coverage, siting and shapes on a generated city and on the demo, beside what a peer needs for the same answer.

Each peer gets the same arrays in the same process, and its answer is compared before its time is. Times are the
processor's, best of three where that is quick: the machine may be shared. Peak memory, over what the process
held before, stands behind a name as "ours / theirs MB". spopt, access and pandana are no part of the project:
where one is not installed, a line says so.
"""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import highspy
import networkx as nx
import numpy as np
import shapely
from scipy import sparse

from gridmap.analysis.access import e2sfca
from gridmap.analysis.areas import balanced_areas, load_ratio, network_areas
from gridmap.analysis.coverage import closures, coverage
from gridmap.analysis.network import Direction, RoadGraph
from gridmap.analysis.shapes import TravelRaster
from gridmap.analysis.siting import Siting, lscp, mclp, p_center, p_median
from gridmap.analysis.whatif import Drag, WhatIf
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.places import City, DemoDistrict, Place, neighbours


def seconds(action: Callable[[], object]) -> float:
    """Processor seconds of an action."""
    start = time.process_time()
    action()
    return time.process_time() - start


def best(action: Callable[[], object], times: int = 3) -> float:
    """The shortest of several runs."""
    gc.collect()
    return min(seconds(action) for _ in range(times))


def peak_mb(action: Callable[[], object]) -> float:
    """Most memory held during an action beyond what was held before it, native code included (Linux)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_kb("VmRSS")
    action()
    return max(0.0, (_status_kb("VmHWM") - before) / 1024)


def _status_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def peer(name: str) -> ModuleType | None:
    """A peer's module, or None and a line that says why its figure is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        print(f"   {name} is not installed ({missing}): its comparison is left out", flush=True)
        return None


def measure() -> Iterator[Figure]:
    """All figures, of each place in turn; then published kinds of siting problems."""
    for make in (City, DemoDistrict):
        place = make()
        print(f"   {place.name}: {len(place.xy):,} nodes, {len(place.edges):,} streets", flush=True)
        for part in (_network, _access, _shapes, _dragging, _closures, _areas, _siting):
            for figure in part(place):
                yield replace(figure, name=f"{place.name}: {figure.name}")
    yield from _published()


# network


def _network(place: Place) -> Iterator[Figure]:
    nodes = np.arange(len(place.xy))
    graph = place.car
    ours = best(lambda: graph.cost(place.points, nodes, limit=900))
    flat = nx.DiGraph()
    flat.add_weighted_edges_from(
        zip(graph.tail.tolist(), graph.head.tolist(), graph.seconds.tolist(), strict=True)
    )
    both = ~graph.oneway
    flat.add_weighted_edges_from(
        zip(graph.head[both].tolist(), graph.tail[both].tolist(), graph.seconds[both].tolist(), strict=True)
    )

    def by_networkx() -> list[dict[int, float]]:
        search = nx.single_source_dijkstra_path_length
        return [search(flat, point, cutoff=900) for point in place.points.tolist()]

    theirs = seconds(by_networkx)
    held = (
        f"{peak_mb(lambda: graph.cost(place.points, nodes, limit=900)):.0f} / {peak_mb(by_networkx):.0f} MB"
    )
    cost = graph.cost(place.points, nodes, limit=900)
    for row, found in enumerate(by_networkx()):
        np.testing.assert_allclose(cost[row, list(found)], list(found.values()), rtol=1e-9)
        assert np.isfinite(cost[row]).sum() == len(found)
    yield Figure(
        f"car matrix of the points within 900 s ({held})",
        ours,
        "s",
        1 / 20,
        theirs,
        "networkx",
        is_ratio=True,
    )
    taken = best(lambda: network_areas(graph, place.points))
    yield Figure("responsibility areas: nearest point of every node", taken, "s", 0.05)
    pandana = peer("pandana")
    if pandana is not None:
        yield from _pandana(place, pandana, ours)


def _pandana(place: Place, pandana: ModuleType, ours: float) -> Iterator[Figure]:
    pandas = importlib.import_module("pandas")
    graph = place.car
    both = ~graph.oneway
    tail, head = np.r_[graph.tail, graph.head[both]], np.r_[graph.head, graph.tail[both]]
    cost = np.r_[graph.seconds, graph.seconds[both]]
    made: list = []

    def build() -> None:
        network = pandana.Network(
            pandas.Series(place.xy[:, 0]),
            pandas.Series(place.xy[:, 1]),
            pandas.Series(tail),
            pandas.Series(head),
            pandas.DataFrame({"seconds": cost}),
            twoway=False,
        )
        made.append(network)

    ready = seconds(build)
    theirs = best(lambda: made[0].nodes_in_range(place.points.tolist(), 900))
    yield Figure(
        "car matrix of the points within 900 s (theirs rounded)",
        ours,
        "s",
        1 / 3,
        theirs,
        "pandana",
        is_ratio=True,
    )
    again = seconds(lambda: _fresh(place).cost(place.points[:1], [0]))
    yield Figure("network ready for its first answer", again, "s", None, ready, "pandana")


def _fresh(place: Place) -> RoadGraph:
    graph = place.car
    return RoadGraph.from_edges(
        place.xy, graph.tail, graph.head, graph.seconds, length_m=graph.length_m, oneway=graph.oneway
    )


# access


def _access(place: Place) -> Iterator[Figure]:
    bands = [(300.0, 1.0), (600.0, 0.68), (900.0, 0.22)]
    library = peer("access")
    for count in (5_000, 50_000):
        node, people = place.demand(count)
        cost = place.bike.cost(place.points, node, limit=900).T.copy()
        supply = place.rng.integers(2, 30, len(place.points)).astype(float)
        ours = best(lambda cost=cost, people=people, supply=supply: e2sfca(cost, people, supply, bands))
        name = f"E2SFCA, {count:,} demand points × points"
        if library is None:
            yield Figure(name, ours, "s")
            continue
        theirs, answer = _access_peer(library, cost, people, supply, bands)
        np.testing.assert_allclose(e2sfca(cost, people, supply, bands), answer, rtol=1e-9, atol=1e-15)
        yield Figure(name, ours, "s", 1 / 20, theirs, "access", is_ratio=True)


def _access_peer(
    library: ModuleType, cost: np.ndarray, people: np.ndarray, supply: np.ndarray, bands: list
) -> tuple[float, np.ndarray]:
    pandas = importlib.import_module("pandas")
    row, column = np.nonzero(np.isfinite(cost))
    pairs = pandas.DataFrame({"origin": row, "dest": column, "cost": cost[row, column]})
    demand = pandas.DataFrame({"id": np.arange(len(people)), "value": people})
    offer = pandas.DataFrame({"id": np.arange(len(supply)), "value": supply})
    model = library.Access(
        demand_df=demand,
        demand_index="id",
        demand_value="value",
        supply_df=offer,
        supply_index="id",
        supply_value="value",
        cost_df=pairs,
        cost_origin="origin",
        cost_dest="dest",
        cost_name="cost",
    )
    step = library.weights.step_fn(dict(bands))
    taken = best(lambda: model.enhanced_two_stage_fca(name="e", cost="cost", weight_fn=step), times=2)
    answer = model.access_df.filter(like="e_").iloc[:, 0].reindex(np.arange(len(people))).fillna(0.0)
    return taken, answer.to_numpy()


# shapes


def _shapes(place: Place) -> Iterator[Figure]:
    yield from _reach(place, "foot 15 min", place.foot, 900.0)
    yield from _reach(place, "car 10 min", place.car, 600.0)


def _reach(place: Place, name: str, graph: RoadGraph, level: float) -> Iterator[Figure]:
    raster = TravelRaster(graph, cell_m=25, barriers=place.walls)
    snap = graph.snap(place.xy[place.points], max_distance_m=50)
    by_node = graph.node_cost(snap, limit=level)

    def draw() -> list:
        return [raster.reach(cost, [level], snap.take([i]))[0] for i, cost in enumerate(by_node)]

    few = by_node[::10]
    ours = best(draw) / len(by_node)
    theirs = seconds(lambda: [_buffered(graph, cost, level) for cost in few]) / len(few)
    lean = seconds(lambda: [_buffered_once(graph, cost, level) for cost in few]) / len(few)
    places = place.somewhere(20_000)
    reached = (
        graph.point_cost(snap, graph.snap(places, max_distance_m=250, barriers=place.walls), limit=level)
        <= level
    )
    overlap = []
    for i, shape in enumerate(draw()):
        inside = shapely.contains_xy(shape, *places.T)
        if reached[i].sum() > 20:
            overlap.append((inside & reached[i]).sum() / (inside | reached[i]).sum())
    yield Figure(
        f"reach polygon, {name}, IoU {np.mean(overlap):.3f}",
        ours,
        "s",
        1 / 20,
        theirs,
        "OSMnx's buffered edges and nodes",
        is_ratio=True,
    )
    yield Figure(f"reach polygon, {name}", ours, "s", None, lean, "each edge buffered once, 60 m")


def _within(graph: RoadGraph, cost: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The edges within a level, as numbers and as (k, 2, 2) ends."""
    use = np.flatnonzero((cost[graph.tail] <= level) & (cost[graph.head] <= level))
    return use, np.stack([graph.node_xy[graph.tail[use]], graph.node_xy[graph.head[use]]], axis=1)


def _buffered(graph: RoadGraph, cost: np.ndarray, level: float) -> shapely.Geometry:
    """
    The recipe of OSMnx's examples (`make_iso_polys`): edges 25 m wide, nodes 50 m, united.

    A street of two directions is two edges there. What its loop over the graph takes beside is left out, and it
    cuts along no canal.
    """
    use, ends = _within(graph, cost, level)
    both = ends[~graph.oneway[use]]
    edges = shapely.buffer(shapely.linestrings(np.concatenate([ends, both[:, ::-1]])), 25)
    nodes = shapely.buffer(shapely.points(graph.node_xy[cost <= level]), 50)
    return shapely.union_all(np.concatenate([nodes, edges]))


def _buffered_once(graph: RoadGraph, cost: np.ndarray, level: float) -> shapely.Geometry:
    """The least that a union of buffers can be: every street once, no nodes."""
    return shapely.union_all(shapely.buffer(shapely.linestrings(_within(graph, cost, level)[1]), 60))


# dragging


def _dragging(place: Place) -> Iterator[Figure]:
    yield _one_drag(place, 50_000, 0.010)
    yield _one_drag(place, 500_000, 0.015)
    yield _one_drag_with_gaps(place, 50_000)


def _held(place: Place, count: int) -> tuple[WhatIf, Drag, list[np.ndarray], np.ndarray]:
    """One of 40 points picked up, 400 grids to sum over, 80 places it is dragged to, and the homes."""
    graph, homes = place.car, place.homes(count)
    demand = graph.snap(homes, max_distance_m=1000, is_exact=False)
    points = graph.snap(place.xy[place.points], max_distance_m=50)
    group = place.rng.integers(0, 400, count)
    whatif = WhatIf(graph, demand, np.ones(count), points, 600.0, group=group, groups=400)
    drag = whatif.pick_up([3])
    way = [place.xy[place.points[3]] + step for step in place.rng.normal(0, 400, (80, 2))]
    drag.at(drag.snap(way[0]))
    return whatif, drag, way, homes


def _one_drag(place: Place, count: int, budget: float) -> Figure:
    _, drag, way, _ = _held(place, count)
    taken = [seconds(lambda xy=xy: drag.at(drag.snap(xy))) for xy in way]
    return Figure(f"one drag step, p95, {count:,} demand points", percentile(taken, 0.95), "s", budget)


def _one_drag_with_gaps(place: Place, count: int) -> Figure:
    whatif, drag, way, homes = _held(place, count)
    raster = TravelRaster(place.car, cell_m=50, barriers=place.walls)
    cost = np.delete(whatif.cost, 3, axis=0).min(axis=0)

    def step(xy: np.ndarray) -> None:
        at = drag.snap(xy)
        drag.at(at)
        by_node = drag.node_seconds(at)
        raster.gaps(by_node, 600.0, place.district, demand_xy=homes, weight=whatif.weight, cost=cost)

    step(way[0])
    taken = [seconds(lambda xy=xy: step(xy)) for xy in way[:20]]
    return Figure("one drag step with gap polygons, p95", percentile(taken, 0.95), "s", 0.15)


def _closures(place: Place) -> Iterator[Figure]:
    node, people = place.demand(50_000)
    cost = place.car.cost(place.points, node).T.copy()
    cover = coverage(cost, people, 600)
    yield Figure("closures of every point, 50,000 demand points", best(lambda: closures(cover)), "s", 0.05)
    yield Figure("coverage of 50,000 demand points × points", best(lambda: coverage(cost, people, 600)), "s")


# areas


def _areas(place: Place) -> Iterator[Figure]:
    xy = place.somewhere(2_000)
    pairs = neighbours(xy)
    load = place.rng.integers(20, 900, 2_000).astype(float)
    centers = place.rng.choice(2_000, len(place.points), replace=False)
    cost = np.hypot(*(xy[:, None] - xy[centers][None]).T).T
    area = balanced_areas(cost, load, pairs, centers, tolerance=0.2)
    ratio = float(load_ratio(area, load, len(place.points)).max())
    taken = best(lambda: balanced_areas(cost, load, pairs, centers, tolerance=0.2))
    yield Figure("balanced areas of 2,000 units, greatest load / mean", ratio, "×", 1.2 + 1e-9)
    yield Figure("balanced areas of 2,000 units", taken, "s", 2.0)


# siting


def _siting(place: Place) -> Iterator[Figure]:
    fixed = range(len(place.points))
    for count in (5_000, 50_000):
        node, people = place.demand(count)
        near = place.bike.cost(place.sites, node, limit=300, direction=Direction.TO_SOURCES).T <= 300
        reach = sparse.csr_array(near)
        yield from (_cover_most(reach, people, extra, fixed) for extra in (5, 10))
        if count == 5_000:
            yield from _beside_spopt(reach, people, near, fixed)


def _cover_most(reach: sparse.csr_array, people: np.ndarray, extra: int, fixed: range) -> Figure:
    answer = mclp(reach, people, extra, fixed=fixed)
    assert answer.is_optimal
    ours = best(lambda: mclp(reach, people, extra, fixed=fixed))
    model, theirs = _highs_cover(reach, people, extra, fixed)
    assert abs(model - answer.objective) <= 1e-6 * answer.objective
    # one second is the goal in itself; that the solver alone takes longer is shown beside it
    name = f"MCLP +{extra}, {reach.shape[0]:,} × {reach.shape[1]:,}, proven"
    return Figure(name, ours, "s", 1.0, theirs, "HiGHS, reduced sparse model")


def _highs_cover(
    reach: sparse.csr_array, people: np.ndarray, extra: int, fixed: range
) -> tuple[float, float]:
    """Covered people and seconds of HiGHS on the textbook model, fixed points and equal rows taken out first."""
    opened = np.zeros(reach.shape[1])
    opened[fixed] = 1
    bare = reach[reach @ opened == 0]
    weight = people[reach @ opened == 0]
    some = np.diff(bare.indptr) > 0
    bare, weight = bare[some][:, len(fixed) :], weight[some]
    patterns, which = np.unique(_patterns(bare), return_inverse=True)
    first = np.unique(which, return_index=True)[1]
    bare, weight = bare[first].astype(float), np.bincount(which, weight, minlength=len(patterns))
    n, m = bare.shape
    value = float(people[reach @ opened > 0].sum())

    def solve() -> float:
        model = highspy.Highs()
        model.setOptionValue("output_flag", False)
        model.setOptionValue("threads", 1)
        model.setOptionValue("mip_rel_gap", 0.0)
        every = np.arange(n + m, dtype=np.int32)
        model.addVars(n + m, np.zeros(n + m), np.ones(n + m))
        model.changeColsCost(n + m, every, np.r_[np.zeros(m), -weight])
        kinds = np.array([highspy.HighsVarType.kInteger] * m, dtype=object)
        model.changeColsIntegrality(m, every[:m], kinds)
        rows = sparse.csr_matrix(sparse.hstack([bare, -sparse.eye_array(n)]))
        model.addRows(n, np.zeros(n), np.full(n, np.inf), rows.nnz, rows.indptr[:-1], rows.indices, rows.data)
        model.addRow(extra, extra, m, every[:m], np.ones(m))
        model.run()
        return -float(model.getInfo().objective_function_value)

    found: list[float] = []
    taken = seconds(lambda: found.append(solve()))
    return value + found[0], taken


def _patterns(rows: sparse.csr_array) -> np.ndarray:
    """A word per row that equal rows share."""
    words = np.random.default_rng(0).integers(1, 2**62, rows.shape[1])
    return np.array([words[part].sum() for part in np.split(rows.indices, rows.indptr[1:-1])])


def _beside_spopt(
    reach: sparse.csr_array, people: np.ndarray, near: np.ndarray, fixed: range
) -> Iterator[Figure]:
    fewest = lscp(reach, fixed=fixed)
    assert fewest.is_optimal
    ours_all = best(lambda: lscp(reach, fixed=fixed), times=2)
    locate, pulp = peer("spopt.locate"), peer("pulp")
    if locate is None or pulp is None:
        yield Figure(f"LSCP {reach.shape[0]:,} × {reach.shape[1]:,}, proven", ours_all, "s")
        return
    # spopt takes costs: 0 within reach, 2 beyond; candidates that are open already are its predefined ones
    some = near.any(axis=1)
    cost = np.where(near, 0.0, 2.0)
    opened = np.zeros(cost.shape[1])
    opened[fixed] = 1
    answer = mclp(reach, people, 5, fixed=fixed)
    ours = best(lambda: mclp(reach, people, 5, fixed=fixed))
    found: list = []

    def cover_most() -> None:
        model = locate.MCLP.from_cost_matrix(
            cost, people, service_radius=1.0, p_facilities=len(fixed) + 5, predefined_facilities_arr=opened
        )
        found.append(model.solve(pulp.HiGHS(msg=False)))

    def cover_all() -> None:
        model = locate.LSCP.from_cost_matrix(cost[some], service_radius=1.0, predefined_facilities_arr=opened)
        found.append(model.solve(pulp.HiGHS(msg=False)))

    taken: list[float] = []
    theirs_mb = peak_mb(lambda: taken.append(seconds(cover_most)))
    ours_mb = peak_mb(lambda: mclp(reach, people, 5, fixed=fixed))
    assert abs(found[0].problem.objective.value() - answer.objective) <= 1e-6 * answer.objective
    name = f"MCLP +5, 5,000 × {reach.shape[1]:,}, proven ({ours_mb:.0f} / {theirs_mb:.0f} MB)"
    yield Figure(name, ours, "s", 1 / 300, taken[0], "spopt", is_ratio=True)
    theirs = seconds(cover_all)
    assert round(found[1].problem.objective.value()) == fewest.objective
    yield Figure(
        f"LSCP 5,000 × {reach.shape[1]:,}, proven", ours_all, "s", 1 / 100, theirs, "spopt", is_ratio=True
    )


def _published() -> Iterator[Figure]:
    """Networks made as the OR-Library's were: the longest proof of those sizes, and what two seconds bring."""
    taken: dict[str, list[float]] = {"p-median": [], "p-center": []}
    gaps = []
    for n, p in ((400, 5), (600, 10), (600, 200), (800, 5), (900, 10), (900, 90)):
        cost, people = _road_like(n, seed=n + p), np.ones(n)
        quick = p_median(cost, people, p, should_stop=_after(2.0))
        found: list[Siting] = []
        taken["p-median"].append(seconds(lambda: found.append(p_median(cost, people, p))))  # noqa: B023
        taken["p-center"].append(seconds(lambda: found.append(p_center(cost, p))))  # noqa: B023
        assert found[0].is_optimal, (n, p)
        assert found[1].is_optimal, (n, p)
        assert quick.bound <= found[0].objective <= quick.objective
        gaps.append(100 * (quick.objective / found[0].objective - 1))
    for name, times in taken.items():
        yield Figure(f"{name}, 400 to 900 nodes, slowest proof of six", max(times), "s", 60.0)
    yield Figure("p-median, mean gap to the optimum after 2 s", float(np.mean(gaps)), "%", 0.05)


def _after(limit: float) -> Callable[[], bool]:
    """Whether so many processor seconds have passed since now."""
    end = time.process_time() + limit
    return lambda: time.process_time() > end


def _road_like(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    lengths = {(i, i + 1): int(rng.integers(1, 101)) for i in range(n - 1)}
    while len(lengths) < n * n // 50:
        u, v = sorted(rng.integers(0, n, 2).tolist())
        if u != v:
            lengths[u, v] = int(rng.integers(1, 101))
    tail, head = np.array(list(lengths)).T
    graph = RoadGraph.from_edges(rng.random((n, 2)), tail, head, np.array(list(lengths.values()), float))
    return graph.cost(np.arange(n), np.arange(n))
