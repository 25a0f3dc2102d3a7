"""Presence wakes those who listen, on both databases, and goes no further than the reader may see."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridmap.services import changes, presence
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import KEEPER, OFFICER_WEST, VIEWER, make_district, seed

CLIENT = "one-of-the-maps"


@pytest.fixture
def district(database_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = make_district(database_url, tmp_path, clock)
    yield made
    changes.close_feeds(wait=True)
    made.close()


def test_coming_and_turning_to_something_else_wakes_listeners_and_a_mere_beat_does_not(
    district: District, clock: FakeClock
) -> None:
    station = seed(district)["JWZ01"]
    woken = threading.Event()
    end = changes.feed(district).listen(woken.set)

    def be(**place: object) -> None:
        woken.clear()
        presence.be(district, OFFICER_WEST, CLIENT, **place)

    be()
    assert woken.wait(5)
    clock.advance(seconds=15)
    be()
    assert not woken.wait(0.7)
    be(layer_id="workstation", element_id=station.id)
    assert woken.wait(5)
    woken.clear()
    presence.leave(district, OFFICER_WEST, CLIENT)
    assert woken.wait(5)
    end()


def test_a_work_grid_is_found_for_a_place_and_nothing_is_kept_of_those_who_cannot_edit(
    district: District,
) -> None:
    seed(district)
    [one] = presence.be(district, KEEPER, CLIENT, place=(121.41, 30.96))
    assert (one.grid_code, one.grid_name, one.element) == ("310199101001002", "西镇二格", None)
    assert presence.be(district, VIEWER, CLIENT, place=(121.41, 30.96)) == ()
    assert [one.username for one in presence.people(district, KEEPER)] == ["keeper"]
    [nowhere] = presence.be(district, KEEPER, CLIENT, place=(0.0, 0.0))
    assert nowhere.grid_code is None
