"""Responsibility areas redrawn for equal loads, beside those of today."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridmap.analysis.areas import balanced_areas, load_ratio
from gridmap.analysis.coverage import line_cost
from gridmap.domain.crs import from_metric
from gridmap.domain.elements import time_text
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import gaps, situations
from gridmap.services.coverage import hidden_rows, number
from gridmap.services.district import District
from gridmap.services.questions import Question
from gridmap.services.situations import Situation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def balance(district: District, user: User, question: Question, *, tolerance: float = 0.2) -> dict[str, Any]:
    """
    Areas of whole grids (`by`), connected, no load above (1 + tolerance) times the mean where that can be had.

    Today, each grid belongs to the point nearest to its middle. `ratio` is the largest load over the mean,
    `mean` the mean cost of people to the point of their area; `people_moved` change areas.

    Raises
    ------
    InvalidInput
        There are no points, fewer grids than points, or the tolerance is not from 0.01 to 5.
    InfeasibleError
        Some grids touch no others and have no point.
    """
    if not 0.01 <= tolerance <= 5:
        raise InvalidInput(f"tolerance is {tolerance}; give 0.01 to 5", zh="均衡容差应在 1% 与 500% 之间。")
    situation, snapshot = situations.prepared(district, user, question)
    groups, active = situation.groups, situation.active
    usable = np.flatnonzero(situation.point_is_near)
    if len(usable) == 0:
        raise InvalidInput(
            "there is no active point to draw areas around", zh="没有可用的站点,无法划分责任区。"
        )
    if len(groups) < len(usable):
        raise InvalidInput(
            f"{len(groups)} grids cannot be shared out to {len(usable)} points; choose smaller grids",
            zh=f"{groups.layer.title}只有 {len(groups)} 个,少于站点数 {len(usable)},请改用更小的网格图层。",
        )
    place = shapely.get_coordinates(shapely.point_on_surface(groups.area))
    cost = _unit_cost(situation, place)[:, usable]
    load = np.bincount(
        groups.of_demand[groups.of_demand >= 0],
        situation.cover.weight[groups.of_demand >= 0],
        minlength=len(groups),
    ).astype(np.float64)
    centers = _centers(situation, usable, place)
    today = cost.argmin(axis=1)
    today[~np.isfinite(cost).any(axis=1)] = -1
    drawn = balanced_areas(cost, load, _neighbours(groups.area), centers.tolist(), tolerance=tolerance)
    return {
        "question": question.document(),
        "method": situation.method(),
        "crs": f"EPSG:{situation.crs.to_epsg()}",
        "data_time": time_text(snapshot.data_time),
        "sequence": snapshot.sequence,
        "is_simulated": situation.is_simulated,
        "tolerance": tolerance,
        **_figures(user, situation, active[usable], cost, load, today, drawn),
    }


def _unit_cost(situation: Situation, place: Floats) -> Floats:
    """(units, active points) cost between the middle of each unit and each point."""
    if situation.network is None:
        return line_cost(place, situation.points.xy[situation.active])
    made = situation.network
    found = made.graph.point_cost(
        situation.point_snap, made.snap(place), direction=situation.direction, off_road_mps=made.off_road_mps
    )
    return np.ascontiguousarray((found + situation.ready[:, None]).T)


def _centers(situation: Situation, usable: Ints, place: Floats) -> Ints:
    """The unit in which each point lies, or the nearest that no other point has."""
    xy = situation.points.xy[situation.active[usable]]
    area = situation.groups.area
    away = shapely.distance(shapely.points(xy)[:, None], area[None])
    middle = line_cost(xy, place)
    taken = np.zeros(len(area), bool)
    centers = np.full(len(usable), -1, np.intp)
    # points well inside a unit choose first, so that a neighbour's guest does not take their own
    for at in np.argsort(middle.min(axis=1), kind="stable").tolist():
        order = np.lexsort((middle[at], away[at]))
        centers[at] = next(unit for unit in order.tolist() if not taken[unit])
        taken[centers[at]] = True
    return centers


def _neighbours(area: NDArray[np.object_]) -> Ints:
    """(e, 2) pairs of units that share a piece of border, not only a corner."""
    first, second = shapely.STRtree(area).query(area, predicate="intersects")
    first, second = first[first < second], second[first < second]
    shared = shapely.intersection(shapely.boundary(area[first]), shapely.boundary(area[second]))
    touch = shapely.length(shared) > 1.0
    # grids drawn apart by a hair touch in no line: then common ground within a metre will do
    apart = ~touch & (
        shapely.area(shapely.intersection(shapely.buffer(area[first], 1.0), area[second])) > 2.0
    )
    keep = touch | apart
    return np.stack([first[keep], second[keep]], axis=1)


def _figures(
    user: User, situation: Situation, rows: Ints, cost: Floats, load: Floats, today: Ints, drawn: Ints
) -> dict[str, Any]:
    count = len(rows)
    known = today >= 0
    before = np.bincount(today[known], load[known], minlength=count)
    after = np.bincount(drawn, load, minlength=count)
    moved = known & (today != drawn)
    hidden = np.zeros(count, bool)
    if not user.may(Permission.VIEW_SENSITIVE):
        hidden = hidden_rows([before, after])[0]
    polygons = np.empty(count, dtype=object)
    for at in range(count):
        polygons[at] = shapely.union_all(situation.groups.area[drawn == at])
    shown = from_metric(polygons, situation.crs)
    points = situation.points
    listed = [
        {
            "id": points.id[row],
            "code": points.code[row],
            "name": points.name[row],
            "load_today": None if hidden[at] else number(before[at]),
            "load": None if hidden[at] else number(after[at]),
            "grids": situation.groups.code[drawn == at].tolist(),
        }
        for at, row in enumerate(rows)
    ]
    return {
        "ratio_today": float(load_ratio(today[known], load[known], count).max(initial=0.0)),
        "ratio": float(load_ratio(drawn, load, count).max(initial=0.0)),
        "mean_today": _mean(cost, load, today),
        "mean": _mean(cost, load, drawn),
        "grids_moved": int(moved.sum()),
        "people_moved": number(float(load[moved].sum())),
        "points": listed,
        "areas": {
            "type": "FeatureCollection",
            "features": [
                gaps.feature(
                    shown[at], {key: one[key] for key in ("id", "code", "name", "load", "load_today")}
                )
                for at, one in enumerate(listed)
            ],
        },
    }


def _mean(cost: Floats, load: Floats, area: Ints) -> float | None:
    own = np.where(area >= 0, cost[np.arange(len(area)), np.maximum(area, 0)], np.inf)
    some = np.isfinite(own) & (load > 0)
    return number(float(load[some] @ own[some] / load[some].sum())) if some.any() else None
