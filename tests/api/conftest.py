"""The small district behind the HTTP API, in this process, and clients for the people who work on it."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from starlette.applications import Starlette

from gridmap.api import app as api
from gridmap.domain.elements import Element
from gridmap.domain.roles import User
from gridmap.services import accounts, changes
from gridmap.services.district import District, assemble
from gridmap.settings import load_settings
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
from tests.support.postgis import Cluster

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
            self,
            district=replace(self.district, settings=replace(self.district.settings, **changes)),
            _open=[],
        )

    def close(self) -> None:
        for one in self._open:
            one.close()
        changes.close_feeds(wait=True)
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
        user.username: accounts.create_token(district, accounts.CONSOLE, user.username, "tests", 730)
        for user in PEOPLE
    }


@dataclass(frozen=True)
class _Template:
    """A seeded store that tests copy: making one takes seconds, copying it next to nothing."""

    url: str
    elements: dict[str, Element]
    tokens: dict[str, str]


def _make_template(url: str, home: Path) -> _Template:
    district = make_district(url, home, FakeClock())
    elements, tokens = seed(district), _people(district)
    district.close()
    return _Template(url, elements, tokens)


@pytest.fixture(scope="session")
def gpkg_template(tmp_path_factory: pytest.TempPathFactory) -> _Template:
    home = tmp_path_factory.mktemp("template")
    return _make_template(f"sqlite:///{home / 'district.gpkg'}", home)


@pytest.fixture(scope="session")
def postgis_template(
    postgis_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[_Template]:
    with postgis_cluster.database() as url:
        yield _make_template(url, tmp_path_factory.mktemp("template"))


def _opened(template: _Template, url: str, home: Path) -> World:
    settings = load_settings(
        {"GRIDMAP_HOME": str(home), "GRIDMAP_DATABASE_URL": url}, secret=b"a secret of the tests"
    )
    clock = FakeClock()
    return World(assemble(settings, clock=clock), template.elements, template.tokens, clock)


def _copied(template: _Template, home: Path) -> World:
    shutil.copyfile(template.url.removeprefix("sqlite:///"), home / "district.gpkg")
    return _opened(template, f"sqlite:///{home / 'district.gpkg'}", home)


@pytest.fixture
def world(gpkg_template: _Template, tmp_path: Path) -> Iterator[World]:
    """A fresh district on the embedded store, to write in."""
    made = _copied(gpkg_template, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def quiet_world(gpkg_template: _Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A district that the tests of one file share: they must not write."""
    made = _copied(gpkg_template, tmp_path_factory.mktemp("quiet"))
    before = made.district.database.sequence()
    yield made
    assert made.district.database.sequence() == before, "a test wrote into the shared district"
    made.close()


@pytest.fixture
def postgis_world(postgis_template: _Template, postgis_cluster: Cluster, tmp_path: Path) -> Iterator[World]:
    """A fresh district on PostGIS, to write in."""
    with postgis_cluster.database(make_url(postgis_template.url).database or "") as url:
        made = _opened(postgis_template, url, tmp_path)
        yield made
        made.close()


@pytest.fixture(params=["gpkg", "postgis"])
def either_world(request: pytest.FixtureRequest) -> World:
    """A fresh district on either database: for the rules that the store itself enforces."""
    return request.getfixturevalue("world" if request.param == "gpkg" else "postgis_world")


def item_path(element: Element) -> str:
    """Where an element stands in the OGC API."""
    return f"/ogc/collections/{element.layer}/items/{element.id}"


def station_feature(
    number: int = 7, lon: float = 121.57, lat: float = 30.91, **properties: Any
) -> dict[str, Any]:
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
