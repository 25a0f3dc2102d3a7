"""A small district that tests can check on paper, and the people who work on it."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element, Operation, new_id
from gridmap.domain.roles import Role, User
from gridmap.services import membership
from gridmap.services.district import District, assemble, prepare_store
from gridmap.settings import load_settings
from gridmap.storage import elements, migrate
from tests.support.clock import FakeClock

ADMIN = User("admin", "示例管理员", Role.ADMIN, area=frozenset({"*"}))
KEEPER = User("keeper", "示例网格管理员", Role.GRID_KEEPER, area=frozenset({"*"}))
OFFICER_WEST = User("officer1", "示例民警01", Role.OFFICER, area=frozenset({"310199101"}))
OFFICER_EAST = User("officer2", "示例民警02", Role.OFFICER, area=frozenset({"310199102"}))
ANALYST = User("analyst", "示例研判员", Role.ANALYST, area=frozenset({"*"}))
VIEWER = User("viewer", "示例查看者", Role.VIEWER)

START = datetime(2026, 3, 2, 8, tzinfo=UTC)

# Two towns side by side, 0.1 degree wide each, meeting at 121.5 E; two grids in each, one above the other.
WEST, EAST = shapely.box(121.4, 30.9, 121.5, 31.0), shapely.box(121.5, 30.9, 121.6, 31.0)
AREAS: dict[str, list[tuple[str, str, BaseGeometry]]] = {
    "district": [("310199", "测试区", shapely.union_all([WEST, EAST]))],
    "town": [("310199101", "西镇", WEST), ("310199102", "东镇", EAST)],
    "police_grid": [
        ("310199101001001", "西镇一格", shapely.box(121.4, 30.9, 121.5, 30.95)),
        ("310199101001002", "西镇二格", shapely.box(121.4, 30.95, 121.5, 31.0)),
        ("310199102001001", "东镇一格", shapely.box(121.5, 30.9, 121.6, 30.95)),
        ("310199102001002", "东镇二格", shapely.box(121.5, 30.95, 121.6, 31.0)),
    ],
}
STATIONS = [
    ("JWZ01", "西镇第一警务站", 121.42, 30.92),
    ("JWZ02", "西镇第二警务站", 121.46, 30.97),
    ("JWZ03", "东镇第一警务站", 121.52, 30.92),
    ("JWZ04", "东镇第二警务站", 121.56, 30.97),
    ("JWZ05", "东镇第三警务站", 121.58, 30.93),
    ("JWZ06", "西镇第三警务站", 121.44, 30.91),
]


def open_store(url: str, home: Path, clock: Callable[[], datetime]) -> District:
    """The district on a store that has its tables."""
    settings = load_settings(
        {"GRIDMAP_HOME": str(home), "GRIDMAP_DATABASE_URL": url}, secret=b"a secret of the tests"
    )
    return assemble(settings, clock=clock)


def make_district(url: str, home: Path, clock: Callable[[], datetime]) -> District:
    """An empty district on the store `url`, with its tables: those of a new file are copied, not made."""
    district = open_store(url, home, clock)
    file = district.settings.database_file
    if file is not None and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_empty_file())
    elif migrate.current(district.database) is None:
        prepare_store(district)
    return district


def _file_of(fill: Callable[[District], object]) -> bytes:
    """A GeoPackage whose tables were made and that `fill` was given."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "district.gpkg"
        district = open_store(f"sqlite:///{file}", Path(home), FakeClock())
        prepare_store(district)
        fill(district)
        district.close()  # takes the write-ahead log into the file
        return file.read_bytes()


@functools.cache
def _empty_file() -> bytes:
    return _file_of(lambda _: None)


@functools.cache
def seeded_file() -> bytes:
    """A GeoPackage with `seeded_elements`: copying it takes a twentieth of seeding one."""
    return _file_of(lambda district: seed(district, seeded_elements()))


def element(layer: str, code: str | None, name: str, geometry: BaseGeometry, **properties: Any) -> Element:
    """An element that is not stored yet."""
    return Element(new_id(), layer, code, name, geometry, properties)


def put(district: District, *made: Element) -> list[Element]:
    """Store elements past all rules, as an import would."""
    with district.database.commit(actor="admin", at=district.clock(), reason="测试数据") as commit:
        written = elements.save(commit, made, Operation.CREATE)
        membership.derive(district, commit.connection, written, [None] * len(written))
    return written


def remove(district: District, *gone: Element) -> None:
    """Take living elements off the map past all rules, as a store from elsewhere may have it."""
    retired = [replace(one, is_retired=True) for one in gone]
    with district.database.commit(actor="admin", at=district.clock(), reason="测试数据") as commit:
        written = elements.save(commit, retired, Operation.DELETE, bases=[one.revision for one in gone])
        membership.derive(district, commit.connection, written, list(gone))


def small_elements() -> dict[str, Element]:
    """Two towns, four grids, six workstations, two roads, a river, a risk and a care point; by code or name."""
    made = [
        element(layer, code, name, geometry)
        for layer, rows in AREAS.items()
        for code, name, geometry in rows
    ]  # fmt: skip
    made += [
        element("workstation", code, name, shapely.Point(lon, lat), opening_hours="24h", officer_count=3)
        for code, name, lon, lat in STATIONS
    ]
    road = {"class": "primary", "oneway": False}
    made += [
        element("road", None, "测试大道", shapely.LineString([(121.4, 30.92), (121.6, 30.92)]), **road),
        element("road", None, "测试北路", shapely.LineString([(121.45, 30.9), (121.45, 31.0)]), **road),
        element("barrier", None, "测试河", shapely.LineString([(121.5, 30.9), (121.5, 31.0)]), kind="water"),
        element(
            "risk", "FX0001", "测试风险", shapely.Point(121.55, 30.96),
            category="消防隐患", grade="red", state="reported",
        ),
        element("care_point", "GAD001", "测试关爱点", shapely.Point(121.43, 30.93), kind="高龄独居", care_count=3),
    ]  # fmt: skip
    return {one.code or one.name: one for one in made}


@functools.cache
def seeded_elements() -> dict[str, Element]:
    """The elements of the seeded stores that tests copy: the same ones all the time."""
    return small_elements()


def seed(district: District, made: Mapping[str, Element] | None = None) -> dict[str, Element]:
    """Store the small district; by code or name."""
    by_name = dict(made or small_elements())
    listed = list(by_name.values())
    # areas first, so that everything else finds its grid
    put(district, *listed[:7])
    put(district, *listed[7:])
    return by_name
