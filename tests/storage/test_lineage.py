"""Lineage of grids in the store, on both databases."""

import pytest

from gridmap.storage import lineage
from gridmap.storage.database import Database
from gridmap.storage.lineage import Descent, Link


def link(sequence: int, kind: Descent, start: str, end: str, layer: str = "police_grid") -> Link:
    return Link(sequence, layer, kind, f"id-{start}", start, f"id-{end}", end)


@pytest.fixture
def told(database: Database) -> Database:
    """1 was split into 3 and 4; 4 and 2 were merged to 5; 5 became 6."""
    links = [
        link(10, Descent.SPLIT, "1", "3"), link(10, Descent.SPLIT, "1", "4"),
        link(11, Descent.MERGE, "2", "5"), link(11, Descent.MERGE, "4", "5"),
        Link(12, "police_grid", Descent.RENUMBER, "id-5", "5", "id-5", "6"),
        link(13, Descent.SPLIT, "1", "9", layer="micro_grid"),
    ]  # fmt: skip
    with database.write() as connection:
        lineage.add(connection, links)
    return database


def test_a_code_is_followed_to_what_holds_its_ground_today(told: Database) -> None:
    with told.read() as connection:
        assert lineage.successors(connection, ["2"]) == {"5", "6"}
        assert lineage.successors(connection, ["3"]) == set()
        assert lineage.successors(connection, ["1"]) >= {"3", "6"}


def test_the_story_of_a_code_has_ancestors_and_descendants_of_its_layer(told: Database) -> None:
    with told.read() as connection:
        story = lineage.of_code(connection, "police_grid", "5")
    assert [(one.sequence, one.from_code, one.to_code) for one in story] == [
        (10, "1", "3"), (10, "1", "4"), (11, "2", "5"), (11, "4", "5"), (12, "5", "6"),
    ]  # fmt: skip


def test_codes_given_up_are_remembered_with_their_holder(told: Database) -> None:
    with told.read() as connection:
        assert lineage.holders(connection, "police_grid", ["5", "6", "7", ""]) == {"5": "id-5", "6": "id-5"}
        assert lineage.codes_ever_used(connection, "police_grid", "") == {"1", "2", "3", "4", "5", "6"}
        assert lineage.codes_ever_used(connection, "police_grid", "%") == set()


def test_an_undone_step_no_longer_leads_anywhere_until_it_is_redone(told: Database) -> None:
    with told.write() as connection:
        lineage.undo(connection, 12, 20)
        assert lineage.successors(connection, ["2"]) == {"5"}
        assert lineage.of_code(connection, "police_grid", "6")[-1].undone_in == 20
        lineage.undo(connection, 20, 21)
        assert lineage.successors(connection, ["2"]) == {"5", "6"}
