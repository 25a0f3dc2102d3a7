"""The months before the demo's today: when each element came onto the map, was verified, and changed its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import geopandas as gpd
import numpy as np

from gridmap.demo.chance import stream
from gridmap.demo.events import DAYS, VISITED_LAYERS, cycle_days, draw_visits, term_days
from gridmap.domain.freshness import day_of

BEGAN_DAYS = DAYS + 40
"""The map was first filled so many days ago: a year, and the month before it to compare with."""
_OPENED_DAYS_AGO = (250, 120, 40, 1)
"""When the youngest workstations opened."""
_YOUNG_SHARE = {"police_office": 0.08, "safe_house": 0.15, "service_point": 0.1, "premises": 0.06}
"""How many of a layer's elements came during the year."""
_SETTLED = "closed"


@dataclass(frozen=True, slots=True)
class Chronicle:
    """
    What happened when, in row order of each layer.

    Attributes
    ----------
    began : the day the map was first filled
    appeared : per layer of which some came later, the day each element came
    visits : per layer that is visited regularly, the days each element was verified, oldest first; one at least
        lies not after the day it came
    moved_on : the day each risk came into its state, not before it was reported
    """

    began: date
    appeared: Mapping[str, Sequence[date]]
    visits: Mapping[str, Sequence[Sequence[date]]]
    moved_on: Sequence[date]


def write_chronicle(seed: int, layers: Mapping[str, gpd.GeoDataFrame], today: date) -> Chronicle:
    """The chronicle of a district's layers; `layers` as in `Demo`."""
    began = today - timedelta(days=BEGAN_DAYS)
    appeared = {
        "incident": [_local_day(one) for one in layers["incident"]["occurred_at"]],
        "risk": [date.fromisoformat(one) for one in layers["risk"]["reported_on"]],
        "workstation": _openings(seed, len(layers["workstation"]), began, today),
    }
    for name, share in _YOUNG_SHARE.items():
        rng = stream(seed, f"young {name}")
        is_young = rng.random(len(layers[name])) < share
        age = rng.integers(1, DAYS, len(layers[name]))
        appeared[name] = [
            today - timedelta(days=int(days)) if young else began
            for young, days in zip(is_young, age, strict=True)
        ]
    visits = {
        name: _visits(seed, name, layers[name], appeared.get(name), began, today) for name in VISITED_LAYERS
    }
    return Chronicle(began, appeared, visits, _moves(seed, layers["risk"], today))


def _local_day(text: str) -> date:
    return day_of(datetime.fromisoformat(text))


def _openings(seed: int, count: int, began: date, today: date) -> list[date]:
    days = [began] * count
    young = stream(seed, "openings").choice(np.arange(1, count), len(_OPENED_DAYS_AGO), replace=False)
    for station, ago in zip(young.tolist(), _OPENED_DAYS_AGO, strict=True):
        days[station] = today - timedelta(days=ago)
    return days


def _visits(
    seed: int,
    name: str,
    layer: gpd.GeoDataFrame,
    appeared: Sequence[date] | None,
    began: date,
    today: date,
) -> list[list[date]]:
    """The last visit of each element, and backwards from there one a cycle, to the day it came."""
    grade = layer["grade"].tolist() if "grade" in layer else None
    last = draw_visits(stream(seed, f"visits {name}"), name, grade, len(layer), today)
    cycle = cycle_days(name, grade, len(layer))
    rng = stream(seed, f"earlier visits {name}")
    result = []
    for row, day in enumerate(last):
        came = None if appeared is None or appeared[row] == began else appeared[row]
        days = [day if came is None else max(day, came)]
        # what came later was seen on that day; the rest had been visited before the map was filled
        while days[-1] > (came or began):
            earlier = days[-1] - timedelta(days=max(1, round(cycle[row] * (0.6 + 0.9 * rng.random()))))
            days.append(earlier if came is None else max(earlier, came))
        result.append(days[::-1])
    return result


def _moves(seed: int, risks: gpd.GeoDataFrame, today: date) -> list[date]:
    """A closed case was closed within its term, nearly always; one on its way moved between report and today."""
    part = stream(seed, "moves").random(len(risks))
    moved = []
    for row, (text, grade, state) in enumerate(
        zip(risks["reported_on"], risks["grade"], risks["state"], strict=True)
    ):
        reported = date.fromisoformat(text)
        span = (today - reported).days
        if state == _SETTLED:
            span = min(span, int(term_days(grade) * (0.4 + 0.8 * part[row])))
        else:
            span = int(span * part[row])
        moved.append(reported + timedelta(days=span))
    return moved
