"""A year of simulated incidents and risks."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest

from gridmap.demo.chance import stream
from gridmap.demo.events import INCIDENT_SHARES, draw_incidents, draw_risks, draw_visits, utc_text

TODAY = date(2026, 6, 30)


def test_incidents_fall_into_the_year_before_today_in_order() -> None:
    incidents = draw_incidents(stream(1, "x"), 3_000, TODAY)
    assert incidents.at == sorted(incidents.at)
    assert TODAY - timedelta(days=365) <= incidents.at[0].date()
    assert incidents.at[-1].date() < TODAY
    assert set(incidents.category) == set(INCIDENT_SHARES)


def test_thefts_happen_at_night_and_accidents_in_the_rush_hours() -> None:
    incidents = draw_incidents(stream(1, "x"), 6_000, TODAY)
    hours = {name: Counter() for name in INCIDENT_SHARES}
    for name, at in zip(incidents.category, incidents.at, strict=True):
        hours[name][at.hour] += 1
    night = sum(hours["盗窃"][h] for h in (22, 23, 0, 1, 2)) / hours["盗窃"].total()
    rush = sum(hours["交通"][h] for h in (7, 8, 17, 18)) / hours["交通"].total()
    assert night > 0.28
    assert rush > 0.28


def test_summer_has_more_incidents_than_winter() -> None:
    months = Counter(at.month for at in draw_incidents(stream(1, "x"), 8_000, TODAY).at)
    assert sum(months[m] for m in (6, 7, 8)) > 1.15 * sum(months[m] for m in (12, 1, 2))


def test_old_incidents_are_nearly_all_settled_and_new_ones_not() -> None:
    incidents = draw_incidents(stream(1, "x"), 6_000, TODAY)
    settled = np.array(incidents.is_settled)
    age = np.array([(TODAY - at.date()).days for at in incidents.at])
    assert settled[age > 40].mean() > 0.96
    assert 0.5 < settled[age <= 30].mean() < 0.85


def test_times_are_utc_texts_that_sort_as_they_fall() -> None:
    texts = [utc_text(at) for at in draw_incidents(stream(1, "x"), 200, TODAY).at]
    assert texts == sorted(texts)
    assert all(text.endswith("Z") and len(text) == 20 for text in texts)


def test_risks_show_every_grade_state_and_level_and_a_few_overdue() -> None:
    risks = draw_risks(stream(1, "x"), 400, TODAY)
    assert set(risks.grade) == {"red", "orange", "yellow", "blue"}
    assert set(risks.state) == {"reported", "accepted", "dispatched", "handling", "checking", "closed"}
    assert set(risks.handling_level) == {"grid", "net", "station"}
    overdue = [s != "closed" and d < TODAY for s, d in zip(risks.state, risks.deadline_on, strict=True)]
    assert 3 <= sum(overdue) <= 60
    assert all(d > r for r, d in zip(risks.reported_on, risks.deadline_on, strict=True))
    assert max(risks.reported_on) < TODAY


@pytest.mark.parametrize(("layer", "grade", "days"), [("workstation", None, 30), ("risk", ["red"] * 900, 3)])
def test_most_elements_were_verified_within_their_cycle(
    layer: str, grade: list[str] | None, days: int
) -> None:
    visits = draw_visits(stream(1, "x"), layer, grade, 900, TODAY)
    late = np.mean([(TODAY - day).days > days for day in visits])
    assert 0.05 < late < 0.2
    assert max(visits) <= TODAY
