"""
A district on two banks of a canal, small enough for paper.

Metres from a corner; the canal runs north along x = 100 with one bridge, at y = 1000.

    y=1000  o---------[bridge]---------B     A, B: workstations      o: crossroads
            |            |             |     west road x = 0, east road x = 200, both 0 to 1000
            |          canal         D3 50   streets along y = 0 (no bridge) and y = 1000
         D1 100          |             |
            |            |           D2 300
    y=0     A---------   |   ----------o

On foot: A-D1 400 m, B-D1 800 m, B-D2 950 m, A-D2 2150 m, B-D3 100 m, A-D3 1300 m.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import from_metric, metric_crs
from gridmap.domain.elements import Element
from gridmap.services.district import District
from tests.support.district import element, make_district, put

CORNER = (358_000.0, 3_420_000.0)
CRS = metric_crs(121.5, 30.9)
WEST, EAST = "310199101", "310199102"
WEST_GRID, EAST_GRID = f"{WEST}001001", f"{EAST}001001"
PEOPLE = {"D1": 100, "D2": 300, "D3": 50}


def placed(geometry: BaseGeometry) -> BaseGeometry:
    """A geometry in metres from the corner, in degrees."""
    moved = shapely.transform(geometry, lambda xy: xy + np.array(CORNER))
    return from_metric(np.array([moved], dtype=object), CRS)[0]


def lonlat(x: float, y: float) -> tuple[float, float]:
    """Degrees of a place in metres from the corner."""
    point = placed(shapely.Point(x, y))
    return point.x, point.y


def _line(*xy: tuple[float, float]) -> BaseGeometry:
    return placed(shapely.LineString(xy))


def home(code: str, x: float, y: float, people: int) -> Element:
    """A residential area around a place."""
    area = placed(shapely.Point(x, y).buffer(5, quad_segs=1))
    return element("residential_area", code, code, area, kind="小区", population=people)


def station(code: str, x: float, y: float, **fields: Any) -> Element:
    """A workstation at a place."""
    given = {"opening_hours": "24h", "officer_count": 3, "readiness_minutes": 0, **fields}
    return element("workstation", code, f"{code}站", shapely.Point(lonlat(x, y)), **given)


def road(name: str, *xy: tuple[float, float], **fields: Any) -> Element:
    """A road along places."""
    return element("road", None, name, _line(*xy), **{"class": "residential", "oneway": False, **fields})


def canal_elements() -> list[Element]:
    """Everything, areas first."""
    west, east = shapely.box(-300, -300, 100, 1300), shapely.box(100, -300, 500, 1300)
    return [
        element("district", "310199", "运河区", placed(shapely.box(-300, -300, 500, 1300))),
        element("town", WEST, "河西镇", placed(west)),
        element("town", EAST, "河东镇", placed(east)),
        element("police_grid", WEST_GRID, "河西一格", placed(west)),
        element("police_grid", EAST_GRID, "河东一格", placed(east)),
        road("西路", (0, 0), (0, 500), (0, 1000)),
        road("东路", (200, 0), (200, 500), (200, 1000)),
        road("南街", (0, 0), (200, 0)),
        road("北街", (0, 1000), (100, 1000), (200, 1000)),
        element("barrier", None, "运河", _line((100, -500), (100, 1500)), kind="water"),
        element("crossing", None, "北桥", shapely.Point(lonlat(100, 1000)), kind="bridge"),
        station("JWZ01", 0, 0, readiness_minutes=2),
        station("JWZ02", 200, 1000, opening_hours="day", officer_count=2),
        home("D1", 0, 400, PEOPLE["D1"]),
        home("D2", 200, 50, PEOPLE["D2"]),
        home("D3", 200, 900, PEOPLE["D3"]),
    ]


def make_canal(
    url: str, folder: Path, clock: Callable[[], Any], *, without: tuple[str, ...] = ()
) -> District:
    """The district on a new store; `without` leaves layers out."""
    district = make_district(url, folder, clock)
    made = [one for one in canal_elements() if one.layer not in without]
    areas = [one for one in made if one.layer in ("district", "town", "police_grid")]
    put(district, *areas)
    rest = [one for one in made if one not in areas]
    if rest:
        put(district, *rest)
    return district
