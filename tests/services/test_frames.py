"""Frames keep step with the store, whatever is written in whatever order."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmap.domain.elements import Element, Operation, new_id
from gridmap.services import frames as module
from gridmap.services.frames import Frames, Movement
from gridmap.storage import elements, migrate
from gridmap.storage.database import Database
from tests.support.clock import FakeClock

CLOCK = FakeClock()


def point(number: int) -> Element:
    return Element(new_id(), "workstation", f"JWZ{number}", "站", shapely.Point(121 + number / 100, 30))


def write(database: Database, *made: Element, operation: Operation = Operation.CREATE) -> list[Element]:
    with database.commit(actor="a", at=CLOCK()) as commit:
        return elements.save(commit, made, operation)


def content(frames: Frames) -> dict[str, tuple[int, float]]:
    frame = frames.frame("workstation")
    return {
        frame.arrays.code[at]: (int(frame.arrays.revision[at]), frame.arrays.geometry[at].x)
        for at in frame.living
    }  # fmt: skip


@pytest.fixture
def database(gpkg_url: str):
    made = Database(gpkg_url, secret=b"x")
    migrate.upgrade(made)
    yield made
    made.close()


STEPS = st.lists(st.tuples(st.sampled_from(["add", "move", "drop", "look"]), st.integers(0, 5)), max_size=14)


@given(steps=STEPS, rebase_least=st.sampled_from([0, 2, 1000]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_frame_that_followed_equals_a_fresh_one(monkeypatch, steps, rebase_least) -> None:
    monkeypatch.setattr(module, "_REBASE_LEAST", rebase_least)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'd.gpkg'}", secret=b"x")
        migrate.upgrade(database)
        following, living = Frames(database), []
        for number, (step, which) in enumerate(steps):
            if step == "add":
                living += write(database, point(number))
            elif step == "look":
                content(following)
            elif living:
                one = living.pop(which % len(living))
                if step == "move":
                    moved = replace(one, geometry=shapely.Point(122 + number / 100, 30))
                    living += write(database, moved, operation=Operation.UPDATE)
                else:
                    write(database, replace(one, is_retired=True), operation=Operation.DELETE)
        expected = {one.code: (one.revision, one.geometry.x) for one in living}
        assert content(following) == content(Frames(database)) == expected
        frame = following.frame("workstation")
        found = frame.in_box((120, 29, 123, 31))
        assert sorted(frame.arrays.code[found]) == sorted(expected)
        assert len(frame) == len(expected)
        database.close()


def test_a_moved_element_is_found_at_its_new_place_only(database: Database) -> None:
    frames = Frames(database)
    [one] = write(database, point(1))
    frames.frame("workstation")
    write(database, replace(one, geometry=shapely.Point(125, 30)), operation=Operation.UPDATE)

    frame = frames.frame("workstation")
    assert len(frame.in_box((121, 29, 122, 31))) == 0
    assert len(frame.in_box((124, 29, 126, 31))) == 1
    assert frame.position(one.id) == frame.in_box((124, 29, 126, 31))[0]


def test_listeners_hear_where_something_was_and_where_it_is_now(database: Database) -> None:
    frames, heard = Frames(database), []
    [one] = write(database, point(1))
    frames.frame("workstation")
    frames.on_movement(heard.append)
    write(database, replace(one, geometry=shapely.Point(125, 30)), operation=Operation.UPDATE)
    frames.frame("workstation")

    [movement] = heard
    assert isinstance(movement, Movement)
    assert movement.layer == "workstation"
    np.testing.assert_allclose(movement.boxes, [[121.01, 30, 121.01, 30], [125, 30, 125, 30]])


def test_a_layer_without_elements_is_an_empty_frame(database: Database) -> None:
    frame = Frames(database).frame("workstation")
    assert len(frame) == 0
    assert len(frame.in_box((-180, -90, 180, 90))) == 0
    assert frame.position("nobody") is None
