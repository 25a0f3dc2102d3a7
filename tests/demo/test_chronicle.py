"""The demo's past: what came when, was verified and moved on."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from gridmap.demo import Demo
from gridmap.demo.chronicle import BEGAN_DAYS, Chronicle
from gridmap.demo.events import cycle_days


@pytest.fixture(scope="module")
def told(small_demo: Demo) -> Chronicle:
    return small_demo.chronicle


def test_the_map_was_filled_before_the_year_began(told: Chronicle, small_demo: Demo) -> None:
    assert told.began == small_demo.today - timedelta(days=BEGAN_DAYS)
    for days in told.appeared.values():
        assert told.began <= min(days) <= max(days) < small_demo.today


def test_four_of_forty_workstations_opened_during_the_year(told: Chronicle) -> None:
    assert sum(day > told.began for day in told.appeared["workstation"]) == 4


def test_each_element_was_verified_by_the_day_it_came_and_never_in_the_future(
    told: Chronicle, small_demo: Demo
) -> None:
    for layer, every in told.visits.items():
        came = told.appeared.get(layer, [told.began] * len(every))
        for days, day in zip(every, came, strict=True):
            assert list(days) == sorted(days)
            assert days[0] <= day
            assert days[-1] <= small_demo.today


def test_visits_come_about_once_a_cycle(told: Chronicle) -> None:
    days = told.visits["workstation"]
    between = np.concatenate([np.diff([one.toordinal() for one in each]) for each in days if len(each) > 2])
    assert 0.9 < between.mean() / cycle_days("workstation", None, 1)[0] < 1.2


@pytest.mark.parametrize("months", [1, 3, 6, 12])
def test_about_as_much_was_overdue_then_as_is_now(told: Chronicle, small_demo: Demo, months: int) -> None:
    def overdue(at: date) -> float:
        late = []
        for layer in ("safe_house", "care_point", "police_office"):
            cycle = int(cycle_days(layer, None, 1)[0])
            for days in told.visits[layer]:
                seen = [one for one in days if one <= at]
                if seen:
                    late.append((at - seen[-1]).days > cycle)
        return float(np.mean(late))

    assert 0.05 < overdue(small_demo.today) < 0.25
    assert 0.05 < overdue(small_demo.today - timedelta(days=30 * months)) < 0.25


def test_risks_moved_on_after_their_report_and_closed_ones_mostly_within_their_term(
    told: Chronicle, small_demo: Demo
) -> None:
    risks = small_demo.layers["risk"]
    reported = [date.fromisoformat(one) for one in risks["reported_on"]]
    deadline = [date.fromisoformat(one) for one in risks["deadline_on"]]
    assert all(a <= b <= small_demo.today for a, b in zip(reported, told.moved_on, strict=True))
    closed = (risks["state"] == "closed").to_numpy()
    in_time = np.array([moved <= last for moved, last in zip(told.moved_on, deadline, strict=True)])
    assert 0.6 < in_time[closed].mean() < 1
