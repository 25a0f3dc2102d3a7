"""The small district with people, officers, deadlines and a history of two months, for what leaders look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import shapely

from gridmap.domain.elements import Element, Source
from gridmap.domain.roles import Role, User
from gridmap.services import elements as service
from gridmap.services.district import District
from gridmap.storage.elements import Query, find
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, AREAS, STATIONS, element, make_district, put

PRESENTER = User("presenter", "示例汇报员", Role.PRESENTER)
# The second of March: the history begins in February, so that there is a month before.
BEGIN = datetime(2026, 2, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
# (code, lon, lat, people): the first two lie within ten minutes by e-bike of a workstation, on its road.
HOMES = [
    ("XQ-W1", 121.421, 30.9202, 1000),
    ("XQ-E1", 121.5202, 30.9202, 2000),
    ("XQ-W2", 121.41, 30.99, 300),
    ("XQ-E2", 121.59, 30.985, 400),
]
# (code, lon, lat, grade, state, reported, deadline)
RISKS = [
    ("FX0001", 121.43, 30.93, "red", "reported", "2026-03-18", "2026-03-19"),
    ("FX0002", 121.44, 30.94, "blue", "handling", "2026-03-10", "2026-03-30"),
    ("FX0003", 121.45, 30.93, "blue", "closed", "2026-02-15", "2026-02-20"),
    *(
        (f"FX01{n:02}", 121.53 + n / 1000, 30.97, "yellow", "accepted", "2026-03-05", "2026-03-25")
        for n in range(9)
    ),
]


def _home(code: str, lon: float, lat: float, people: int) -> Element:
    area = shapely.box(lon - 0.0005, lat - 0.0005, lon + 0.0005, lat + 0.0005)
    return element("residential_area", code, f"{code}小区", area, kind="小区", population=people)


def _risk(code: str, lon: float, lat: float, grade: str, state: str, reported: str, deadline: str) -> Element:
    return element(
        "risk", code, f"风险{code}", shapely.Point(lon, lat), category="消防隐患", grade=grade, state=state,
        reported_on=reported, deadline_on=deadline,
    )  # fmt: skip


def populated(url: str, home: Path, clock: FakeClock) -> District:
    """
    The district on `NOW`: six workstations, four homes (one came in March), twelve risks.

    In February there were five stations; all stations are due on the 12th of March, and the two western ones
    that were verified since are not overdue.
    """
    clock.set(BEGIN)
    district = make_district(url, home, clock)
    made = [
        element(
            layer, code, name, area,
            **({"community_officer": "示例民警01", "auxiliary_count": 2} if layer == "police_grid" else {}),
        )
        for layer, rows in AREAS.items()
        for code, name, area in rows
    ]  # fmt: skip
    put(district, *[replace(one, source=Source.SIMULATED) for one in made])
    road = {"class": "primary", "oneway": False}
    due = datetime(2026, 3, 12, 15, 59, 59, 999999, tzinfo=UTC)
    stations = [
        replace(
            element("workstation", code, name, shapely.Point(lon, lat), opening_hours="24h", officer_count=3),
            verified_at=BEGIN, verified_by="admin", due_at=due,
        )
        for code, name, lon, lat in STATIONS
    ]  # fmt: skip
    put(
        district,
        *stations[:5],
        *(_home(*one) for one in HOMES[:3]),
        element("road", None, "测试大道", shapely.LineString([(121.4, 30.92), (121.5, 30.92)]), **road),
        element("road", None, "测试东路", shapely.LineString([(121.5, 30.92), (121.6, 30.92)]), **road),
        _risk(*RISKS[2]),
    )
    clock.set(NOW - timedelta(days=1))
    put(district, stations[5], _home(*HOMES[3]), *(_risk(*one) for one in RISKS if one[0] != "FX0003"))
    with district.database.read() as connection:
        first = find(connection, Query("workstation"))[:2]
    for one in first:
        service.verify(district, ADMIN, "workstation", one.id, base_revision=one.revision)
    clock.set(NOW)
    return district
