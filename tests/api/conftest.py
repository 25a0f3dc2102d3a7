"""The small district behind the HTTP API, in this process, and clients for the people who work on it."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from gridmap.api import app as api
from gridmap.domain.elements import Element
from gridmap.domain.roles import User
from gridmap.services import accounts
from gridmap.services.district import District
from gridmap.storage import accounts as stored_accounts
from tests.support.clock import FakeClock
from tests.support.district import (
    ADMIN,
    ANALYST,
    KEEPER,
    OFFICER_EAST,
    OFFICER_WEST,
    VIEWER,
    make_district,
    seed,
)

with warnings.catch_warnings():
    # Starlette wants its client to stand on another HTTP library one day; it works on this one
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PEOPLE = (ADMIN, KEEPER, OFFICER_WEST, OFFICER_EAST, ANALYST, VIEWER)
PASSWORD = "Xiao-Qiao-Liu-Shui-47"


@dataclass
class World:
    """A served district: its elements by code or name, and clients by person."""

    district: District
    elements: dict[str, Element]
    tokens: dict[str, str]
    clock: FakeClock
    _open: list[TestClient] = field(default_factory=list)

    def app(self) -> Starlette:
        """The routes as any ASGI server would run them."""

        def get_district() -> District:
            return self.district

        return Starlette(routes=api.routes(get_district), middleware=api.middleware(get_district))

    def client(self, user: User | None = None, **options: Any) -> TestClient:
        """A program that acts for `user` by token; for nobody without one."""
        made = TestClient(self.app(), base_url="http://map.example", **options)
        if user is not None:
            made.headers["Authorization"] = f"Bearer {self.tokens[user.username]}"
        made.follow_redirects = False
        self._open.append(made)
        return made

    def browser(self, user: User) -> TestClient:
        """Somebody signed in by password, with the header that our pages send."""
        made = self.client()
        answer = made.post("/api/session", json={"username": user.username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        made.headers["X-Gridmap"] = "1"
        return made

    def with_settings(self, **changes: Any) -> World:
        """The same district under other settings."""
        return replace(
            self, district=replace(self.district, settings=replace(self.district.settings, **changes)), _open=[]
        )

    def close(self) -> None:
        for one in self._open:
            one.close()
        self.district.close()


def _people(district: District) -> dict[str, str]:
    """An account and a token for everybody; one password, hashed once, so that tests do not wait for Argon2."""
    for user in PEOPLE:
        accounts.add(
            district, accounts.CONSOLE, username=user.username, display_name=user.display_name,
            role=user.role, layers=user.layers, area=user.area, password=PASSWORD,
        )  # fmt: skip
    with district.database.write() as connection:
        for user in PEOPLE:
            stored_accounts.change(connection, user.username, {"must_change_password": False})
    return {
        user.username: accounts.create_token(district, accounts.CONSOLE, user.username, "tests", 30)
        for user in PEOPLE
    }


@dataclass(frozen=True)
class _Template:
    file: Path
    elements: dict[str, Element]
    tokens: dict[str, str]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> _Template:
    """A seeded GeoPackage, made once; tests work on copies."""
    home = tmp_path_factory.mktemp("template")
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    elements, tokens = seed(district), _people(district)
    district.close()
    return _Template(home / "district.gpkg", elements, tokens)


def _copy(template: _Template, home: Path) -> World:
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template.file, home / "district.gpkg")
    clock = FakeClock()
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, clock)
    return World(district, template.elements, template.tokens, clock)


@pytest.fixture
def world(template: _Template, tmp_path: Path) -> Iterator[World]:
    """A fresh district on the embedded store, to write in."""
    made = _copy(template, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def quiet_world(template: _Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A district that the tests of one file share: they must not write."""
    made = _copy(template, tmp_path_factory.mktemp("quiet"))
    before = made.district.database.sequence()
    yield made
    assert made.district.database.sequence() == before, "a test wrote into the shared district"
    made.close()


@pytest.fixture(params=["gpkg", "postgis"])
def either_world(
    request: pytest.FixtureRequest, template: _Template, tmp_path: Path
) -> Iterator[World]:
    """A fresh district on either database: for the rules that the store itself enforces."""
    if request.param == "gpkg":
        made = _copy(template, tmp_path)
    else:
        clock = FakeClock()
        district = make_district(request.getfixturevalue("postgis_url"), tmp_path, clock)
        made = World(district, seed(district), _people(district), clock)
    yield made
    made.close()


ItemPath = Callable[[Element], str]


def item_path(element: Element) -> str:
    """Where an element stands in the OGC API."""
    return f"/ogc/collections/{element.layer}/items/{element.id}"


def station_feature(number: int = 7, lon: float = 121.57, lat: float = 30.91, **properties: Any) -> dict[str, Any]:
    """A workstation as a client sends it."""
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": {
            "code": f"JWZ{number:02}",
            "name": f"东镇第{number}警务站",
            "opening_hours": "24h",
            "officer_count": 4,
            **properties,
        },
    }
