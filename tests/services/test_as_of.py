"""Who may see the map as it stood: readers of history all of it, makers of stories the drawn map alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import shapely

from gridmap.domain.roles import Role, User
from gridmap.errors import PermissionDenied
from gridmap.services import as_of, tiles
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, element, make_district, put, seed

PRESENTER = User("presenter", "示例汇报员", Role.PRESENTER)
# the tile of both towns
Z, ROW, COL = 10, 419, 857
# a tile, by row and column, in which a name is drawn
TILE_OF_DUE = 6710, 13720


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
    for user, layer in ((VIEWER, "town"), (VIEWER, "care_point")):
        with pytest.raises(PermissionDenied):
            past(store, user, layer)


def test_where_nobody_wrote_since_the_kept_tile_of_now_is_the_past_one(
    store: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tiles.tile(store, ADMIN, ["road"], Z, ROW, COL).content
    with monkeypatch.context() as patch:
        patch.setattr(tiles, "_make", lambda *_, **__: pytest.fail("drawn once more"))
        assert past(store, ADMIN, "road") == made != b""
    road = element("road", None, "新路", shapely.LineString([(121.42, 30.93), (121.55, 30.93)]), oneway=False)
    put(store, replace(road, properties={**road.properties, "class": "primary"}))
    assert past(store, ADMIN, "road") == made
    assert tiles.tile(store, ADMIN, ["road"], Z, ROW, COL).content != made


def test_what_grew_overdue_since_was_not_marked_then(store: District) -> None:
    # nobody wrote the layer since, yet its tile of now is another one
    assert store.catalogue.layer("workstation").freshness
    put(
        store,
        replace(
            element("workstation", "JWZ77", "将逾期", shapely.Point(121.47, 30.93)), due_at=store.clock()
        ),
    )
    then = store.clock()
    store.clock.advance(days=3)
    now = tiles.tile(store, ADMIN, ["workstation"], 14, *TILE_OF_DUE).content
    assert as_of.tile(store, ADMIN, ["workstation"], 14, *TILE_OF_DUE, then).content != now != b""
