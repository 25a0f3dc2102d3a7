"""Listeners hear of every commit, see what they may see, and cost nothing while there are none."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from shapely import Point

from gridmap.errors import Unavailable
from gridmap.services import changes
from gridmap.services.changes import Feed
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, element, make_district, put


@pytest.fixture
def district(database_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = make_district(database_url, tmp_path, clock)
    yield made
    changes.close_feeds(wait=True)
    made.close()


def station(number: int) -> object:
    return element("workstation", f"JWZ{number:02}", f"第{number}站", Point(121.4 + number / 1000, 30.9))


def risk(number: int) -> object:
    return element(
        "risk", f"FX{number:04}", "风险", Point(121.4, 30.9), category="反诈", grade="red", state="reported"
    )


def test_changes_are_told_by_layer_in_order(district: District) -> None:
    put(district, station(1))
    put(district, station(2), risk(1))

    everything = changes.after(district, ADMIN, 0)
    assert everything.sequence == 2
    assert [(one.sequence, one.layer) for one in everything.touches or ()] == [
        (1, "workstation"),
        (2, "workstation"),
        (2, "risk"),
    ]
    assert [one.layer for one in changes.after(district, VIEWER, 1).touches or ()] == ["workstation"]
    assert changes.after(district, ADMIN, 2).touches == ()


def test_too_many_changes_ask_for_loading_anew(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_CHANGES", 2)
    put(district, *(station(n) for n in range(1, 4)))

    told = changes.after(district, ADMIN, 0)
    assert (told.sequence, told.touches) == (1, None)


def test_a_number_the_district_never_reached_asks_for_loading_anew(district: District) -> None:
    put(district, station(1))

    told = changes.after(district, ADMIN, 50)
    assert (told.sequence, told.touches) == (1, None)


def test_listeners_are_woken_by_every_commit_of_any_process(district: District) -> None:
    feed, woken = changes.feed(district), threading.Semaphore(0)
    end = feed.listen(woken.release)
    other = District(
        district.settings, district.catalogue, district.database, district.frames, district.clock
    )
    try:
        for number in (1, 2):
            put(other, station(number))
            assert woken.acquire(timeout=10), "nobody was woken"
    finally:
        end()


def test_the_thread_runs_only_while_somebody_listens(district: District) -> None:
    feed = changes.feed(district)
    assert not feed.is_watching

    ends = [feed.listen(lambda: None) for _ in range(2)]
    ends[0]()
    assert feed.is_watching
    ends[1]()
    assert not feed.is_watching
    ends[1]()
    again = feed.listen(lambda: None)
    assert feed.is_watching
    again()


def test_closing_wakes_everybody_and_the_next_feed_is_a_new_one(district: District) -> None:
    feed, woken = changes.feed(district), threading.Event()
    feed.listen(woken.set)
    changes.close_feeds()

    assert woken.is_set()
    assert feed.is_closed
    assert not feed.is_watching
    assert changes.feed(district) is not feed


def test_a_listener_whose_loop_is_gone_does_not_disturb_the_others(district: District) -> None:
    feed, woken = changes.feed(district), threading.Event()

    def broken() -> None:
        raise RuntimeError("Event loop is closed")

    ends = [feed.listen(broken), feed.listen(woken.set)]
    put(district, station(1))
    assert woken.wait(10)
    for end in ends:
        end()


def test_listeners_are_limited(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_LISTENERS", 1)
    feed = changes.feed(district)
    end = feed.listen(lambda: None)
    with pytest.raises(Unavailable):
        feed.listen(lambda: None)
    end()


def test_the_feed_outlives_a_store_that_does_not_answer(
    gpkg_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_RETRY_SECONDS", 0.01)
    district = make_district(gpkg_url, tmp_path, clock)
    feed, woken, real, failures = changes.feed(district), threading.Event(), district.database.sequence, []

    def sometimes() -> int:
        if threading.current_thread().name == "changes" and len(failures) < 2:
            failures.append(1)
            raise ConnectionError("away")
        return real()

    monkeypatch.setattr(district.database, "sequence", sometimes)
    end = feed.listen(woken.set)
    put(district, station(1))
    assert woken.wait(10)
    assert len(failures) == 2
    end()
    changes.close_feeds(wait=True)
    district.close()


def test_a_feed_keeps_no_district_alive(gpkg_url: str, tmp_path: Path, clock: FakeClock) -> None:
    district = make_district(gpkg_url, tmp_path, clock)
    feed = changes.feed(district)
    assert isinstance(feed, Feed)
    feed.listen(lambda: None)()
    known = weakref.ref(district.database)
    feed.close(wait=True)
    district.close()
    del district
    gc.collect()
    assert known() is None
