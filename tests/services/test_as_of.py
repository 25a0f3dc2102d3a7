"""Who may see the map as it stood: readers of history all of it, makers of stories the drawn map alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gridmap.domain.roles import Role, User
from gridmap.errors import PermissionDenied
from gridmap.services import as_of
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, make_district, seed

PRESENTER = User("presenter", "示例汇报员", Role.PRESENTER)
# the tile of both towns
Z, ROW, COL = 10, 419, 857


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("as_of")
    clock = FakeClock()
    made = make_district(f"sqlite:///{home / 'district.gpkg'}", home, clock)
    seed(made)
    clock.advance(days=2)
    yield made
    made.close()


def past(store: District, user: User, layer: str = "town") -> bytes:
    return as_of.tile(store, user, [layer], Z, ROW, COL, store.clock() - timedelta(days=1)).content


def test_a_presenter_sees_the_drawn_map_of_the_past(store: District) -> None:
    assert past(store, PRESENTER) == past(store, ADMIN) != b""


def test_a_presenter_reads_no_element_of_the_past(store: District) -> None:
    at = store.clock() - timedelta(days=1)
    with pytest.raises(PermissionDenied):
        as_of.identify(store, PRESENTER, 121.42, 30.92, tolerance=10, layers=["workstation"], at=at)


def test_a_viewer_and_a_hidden_layer_stay_closed(store: District) -> None:
    for user, layer in ((VIEWER, "town"), (PRESENTER, "care_point")):
        with pytest.raises(PermissionDenied):
            past(store, user, layer)
