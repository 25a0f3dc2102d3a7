"""
What a change would do, fast enough for every mouse move (推演).

The last change of the list is the one in the hand: if it moves or adds a point, all others are settled once
and kept, and each new place costs one search as far as the threshold.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridmap.analysis.snapping import Snap
from gridmap.analysis.whatif import Drag, Effect, WhatIf
from gridmap.domain.crs import xy_in_metres
from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import Add, Move
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import gaps as shapes
from gridmap.services import situations
from gridmap.services.coverage import number
from gridmap.services.district import District
from gridmap.services.networks import SNAP_M
from gridmap.services.questions import Question
from gridmap.services.situations import Situation
from gridmap.services.snapshots import Shelf

Floats = NDArray[np.float64]
_settled = Shelf(8)
_hands = Shelf(16)
_SMALL = 5


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Covered people in all and per grid (demand in none last), and who."""

    covered: float
    by_group: Floats
    is_covered: NDArray[np.bool_]


class _Settled:
    """One situation with what its points cover, ready for a point in the hand."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        # the engine's searches share one matrix: one place at a time
        self.lock = threading.RLock()
        groups = situation.groups
        self.group = np.where(groups.of_demand < 0, len(groups), groups.of_demand)
        cover = situation.cover
        self.weight = cover.weight
        self.today = self.state(cover.is_covered)
        self.engine: WhatIf | None = None
        if situation.network is not None:
            self.engine = WhatIf(
                situation.network.graph, situation.demand_snap, situation.demand.weight, situation.point_snap,
                situation.threshold, group=groups.of_demand, groups=len(groups), ready=situation.ready,
                direction=situation.direction, off_road_mps=situation.network.off_road_mps,
            )  # fmt: skip

    @cached_property
    def walls(self) -> shapely.STRtree:
        """Where the network's barriers are."""
        assert self.situation.network is not None
        return shapely.STRtree(self.situation.network.walls)

    def state(self, is_covered: NDArray[np.bool_]) -> _State:
        by_group = np.bincount(
            self.group[is_covered], self.weight[is_covered], minlength=len(self.situation.groups) + 1
        ).astype(np.float64)
        return _State(float(self.weight[is_covered].sum()), by_group, is_covered)

    def column(self, point: str) -> int:
        """The place of an active point among the active."""
        rows = np.flatnonzero(self.situation.points.id[self.situation.active] == point)
        if len(rows) == 0:
            raise NotFound(f"no active point {point}", zh="没有这个站点,或它此时未开放。", point=point)
        return int(rows[0])


class _Hand:
    """A point in the hand: what the others cover, and what a place adds."""

    def __init__(self, settled: _Settled, gone: Sequence[int], ready: float) -> None:
        self.settled, self.gone, self.ready = settled, list(gone), ready
        situation = settled.situation
        self.drag: Drag | None = None
        if settled.engine is not None:
            self.drag = settled.engine.pick_up(gone, ready=ready, snap_distance_m=SNAP_M)
            return
        others = np.delete(situation.cost, self.gone, axis=1)
        self.others = (others <= situation.threshold).any(axis=1)

    def at(self, xy: Floats) -> tuple[_State, Snap | None]:
        """The state with the point at this place (metres)."""
        situation = self.settled.situation
        if self.drag is not None:
            assert situation.network is not None
            place = self.drag.snap(xy, barriers=self._walls(xy))
            effect: Effect = self.drag.at(place)
            return _State(effect.covered, effect.by_group, effect.is_covered), place
        near = np.hypot(*(situation.demand.xy - xy).T) <= situation.threshold
        return self.settled.state(self.others | near), None

    def _walls(self, xy: Floats) -> NDArray[np.object_]:
        """Only the barriers near the place: a tree over all of them for one point would take longer than the rest."""
        network = self.settled.situation.network
        assert network is not None
        around = shapely.box(*(xy - SNAP_M), *(xy + SNAP_M))
        return network.walls[self.settled.walls.query(around)]


def preview(district: District, user: User, question: Question, *, gaps: bool = False) -> dict[str, Any]:
    """
    What the question's changes do to coverage: totals before and after, and the grids that change.

    Before is today, without the stored scenario and all changes. With `gaps`, the gap polygons of every grid
    that the changes touch, as GeoJSON.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput
        See `situations.prepare`.
    """
    started = time.perf_counter()
    situations.require(district, user, question)
    before, snapshot = situations.prepared(district, user, question.today())
    question = replace(situations.resolved(district, question), scenario=None)
    today = _settle(district, before).today
    held = question.changes[-1] if question.changes else None
    place: Snap | None = None
    hand: _Hand | None = None
    if isinstance(held, Move | Add):
        rest = replace(question, changes=question.changes[:-1])
        settled = _settle(district, situations.prepare(district, user, rest))
        with settled.lock:
            hand, xy = _hand(district, settled, held)
            after, place = hand.at(xy)
    else:
        settled = _settle(district, situations.prepare(district, user, question))
        after, xy = settled.today, None
    situation = settled.situation
    document = _figures(situation, today, after, user.may(Permission.VIEW_SENSITIVE))
    document["off_network"] = _off_network(settled, question, place)
    document["gaps"] = None
    if gaps:
        document["gaps"] = _gaps(district, user, before, settled, hand, xy, place, after)
    return document | {
        "unit": situation.unit,
        "sequence": snapshot.sequence,
        "is_simulated": situation.is_simulated,
        "milliseconds": round((time.perf_counter() - started) * 1000, 2),
    }


def _settle(district: District, situation: Situation) -> _Settled:
    return _settled.of(district).get(situation.key, lambda: _Settled(situation))


def _hand(district: District, settled: _Settled, held: Move | Add) -> tuple[_Hand, Floats]:
    situation = settled.situation
    points = situation.points
    if isinstance(held, Move):
        gone = [settled.column(held.id)]
        ready = float(situation.ready[gone[0]])
    else:
        gone = []
        ready = 0.0
        if situation.question.has_readiness:
            typical = float(np.median(points.ready_s)) if len(points) else 0.0
            ready = typical if held.readiness_minutes is None else held.readiness_minutes * 60
    xy = xy_in_metres(held.lon, held.lat, situation.crs)
    if not np.isfinite(xy).all():
        raise InvalidInput("the place is outside the projection", zh="位置超出投影范围,请检查坐标。")
    key = (situation.key, tuple(gone), ready)
    return _hands.of(district).get(key, lambda: _Hand(settled, gone, ready)), xy


def _off_network(settled: _Settled, question: Question, place: Snap | None) -> list[int]:
    """Which of the changes put a point where no road is near: their index."""
    situation = settled.situation
    found = []
    near = dict(zip(situation.points.id[situation.active], situation.point_is_near, strict=True))
    added = 0
    for index, one in enumerate(question.changes):
        is_held = place is not None and index == len(question.changes) - 1
        if isinstance(one, Add):
            added += 1
        identity = one.id if isinstance(one, Move) else f"new-{added}" if isinstance(one, Add) else None
        if identity is None:
            continue
        is_near = (
            bool(place.is_snapped[0]) if is_held and place is not None else bool(near.get(identity, True))
        )
        if not is_near:
            found.append(index)
    return found


def _figures(situation: Situation, before: _State, after: _State, sees_small: bool) -> dict[str, Any]:
    groups = situation.groups
    people = np.bincount(
        np.where(groups.of_demand < 0, len(groups), groups.of_demand),
        situation.cover.weight,
        minlength=len(groups) + 1,
    )
    total = float(situation.cover.weight.sum())

    def shown(value: float) -> float | None:
        return None if not sees_small and 0 < abs(value) < _SMALL else number(value)

    def whole(state: _State) -> dict[str, Any]:
        left = total - state.covered
        hides = not sees_small and (0 < state.covered < _SMALL or 0 < left < _SMALL)
        return {
            "people": number(total),
            "covered": None if hides else number(state.covered),
            "uncovered": None if hides else number(left),
            "covered_share": None if hides else state.covered / total if total else 0.0,
        }

    changed = np.flatnonzero(after.by_group != before.by_group)
    rows = []
    for at in changed.tolist():
        figures = (people[at], before.by_group[at], after.by_group[at])
        parts = (*figures, figures[0] - figures[1], figures[0] - figures[2], figures[2] - figures[1])
        hides = not sees_small and any(0 < abs(one) < _SMALL for one in parts)
        rows.append(
            {
                "code": groups.code[at] if at < len(groups) else None,
                "name": groups.name[at] if at < len(groups) else f"不在{groups.layer.title}内",
                "people": None if hides else number(figures[0]),
                "before": None if hides else number(figures[1]),
                "covered": None if hides else number(figures[2]),
                "uncovered": None if hides else number(figures[0] - figures[2]),
                "covered_share": None if hides or not figures[0] else float(figures[2] / figures[0]),
                "is_hidden": hides,
            }
        )
    return {
        "before": whole(before),
        "after": whole(after),
        "gained": shown(after.covered - before.covered),
        "groups": rows,
    }


def _gaps(
    district: District,
    user: User,
    before: Situation,
    settled: _Settled,
    hand: _Hand | None,
    xy: Floats | None,
    place: Snap | None,
    after: _State,
) -> dict[str, Any]:
    """The gaps of every grid where what is reached differs from today."""
    situation = settled.situation
    by_node, sources = (np.zeros(0), None) if situation.network is None else _by_node(settled, hand, place)
    grids = _touched(district, before, settled, hand, xy, by_node, after)
    if situation.network is None:
        now = shapes.circles(situation)
        if hand is not None and xy is not None:
            own = shapely.Point(xy).buffer(situation.threshold, quad_segs=32)
            now = np.concatenate([np.delete(now, hand.gone), np.array([own], dtype=object)])
    else:
        now = np.array([shapes.reached(district, situation, by_node, sources, grids)], dtype=object)
    pieces = shapes.uncovered_pieces(situation, now, after.is_covered, grids)
    near = situation.cover.near
    found = shapes.described(
        district, situation, pieces, near.cost[:, 0], near.point[:, 0],
        sees_small=user.may(Permission.VIEW_SENSITIVE),
    )  # fmt: skip
    # costs to a point in the hand are not known for all: the place to look at is good, the figures would not be
    unknown = {} if hand is None else {"worst": None, "nearest": None}
    return {
        "type": "FeatureCollection",
        "groups": situation.groups.code[grids].tolist(),
        "features": [shapes.feature(one.polygon, one.document() | unknown) for one in found],
    }


def _by_node(settled: _Settled, hand: _Hand | None, place: Snap | None) -> tuple[Floats, Snap | None]:
    """Every node's cost to its nearest point, with the hand's, and the points that cells beside them count from."""
    situation = settled.situation
    if hand is None or hand.drag is None or place is None:
        return situation.by_node[0], None if situation.ready.any() else situation.point_snap
    with settled.lock:
        by_node = hand.drag.node_seconds(place)
    if situation.ready.any() or hand.ready:
        return by_node, None
    others = situation.point_snap.take(np.setdiff1d(np.arange(len(situation.active)), hand.gone))
    together = Snap(
        np.r_[others.edge, place.edge],
        np.r_[others.fraction, place.fraction],
        np.r_[others.offset_m, place.offset_m],
    )
    return by_node, together


def _touched(
    district: District,
    before: Situation,
    settled: _Settled,
    hand: _Hand | None,
    xy: Floats | None,
    now: Floats,
    after: _State,
) -> NDArray[np.intp]:
    """Grids in which anybody, any node, or a point itself changes sides."""
    situation = settled.situation
    groups = situation.groups
    if len(groups) == 0:
        return np.zeros(0, np.intp)
    moved = after.is_covered != before.cover.is_covered
    found = [groups.of_demand[moved]]
    old, new = before.points.xy[before.active], situation.points.xy[situation.active]
    if hand is not None and xy is not None:
        new = np.vstack([np.delete(new, hand.gone, axis=0), xy])
    tree = shapely.STRtree(groups.area)
    only = np.array([one for one in {*map(tuple, old.tolist())} ^ {*map(tuple, new.tolist())}]).reshape(-1, 2)
    if situation.network is None:
        around = shapely.buffer(shapely.points(only), situation.threshold)
        found.append(tree.query(around, predicate="intersects")[1])
    else:
        found.append(tree.query(shapely.points(only), predicate="intersects")[1])
        then = before.by_node[0]
        # a scenario adds nodes behind those that are there
        changed = (now[: len(then)] <= situation.threshold) != (then <= situation.threshold)
        found.append(shapes.node_grids(district, situation)[: len(then)][changed])
    grids = np.unique(np.concatenate(found))
    return grids[grids >= 0]
