"""Stories, briefings and packs are kept alike on both databases."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gridmap.storage import briefings, packs, stories
from gridmap.storage.briefings import StoredBriefing
from gridmap.storage.database import Database
from gridmap.storage.packs import StoredPack
from gridmap.storage.stories import StoredStory

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def story(**changes) -> StoredStory:
    made = StoredStory(
        str(uuid.uuid4()), "例会", [{"title": "一", "figures": ["people"]}], 1, "admin", AT, "admin", AT
    )
    return replace(made, **changes)


def briefing(**changes) -> StoredBriefing:
    made = StoredBriefing(
        str(uuid.uuid4()), "通报", "正文", "monthly", "full", AT, 7, 1, "admin", AT, "admin", AT
    )
    return replace(made, **changes)


def pack(**changes) -> StoredPack:
    made = StoredPack(
        str(uuid.uuid4()), "例会", "k" * 64, "full", {"atlas": "town"}, AT, 7, True, 15,
        [{"format": "pdf", "name": "pack.pdf", "bytes": 1}], "admin", AT,
    )  # fmt: skip
    return replace(made, **changes)


def test_a_story_comes_back_as_it_was_stored(database: Database) -> None:
    made = story()
    with database.write() as connection:
        stories.add(connection, made)
    with database.read() as connection:
        assert stories.get(connection, made.id) == made
        assert stories.get(connection, str(uuid.uuid4())) is None


def test_a_change_needs_the_newest_revision(database: Database) -> None:
    made = story()
    later = replace(made, title="周会", revision=2, updated_by="analyst", updated_at=AT + timedelta(hours=1))
    with database.write() as connection:
        stories.add(connection, made)
        assert stories.change(connection, later, base=1)
        assert not stories.change(connection, replace(later, title="月会"), base=1)
        assert stories.get(connection, made.id) == later


def test_the_last_changed_comes_first(database: Database) -> None:
    first, second = story(), story(updated_at=AT + timedelta(minutes=1))
    with database.write() as connection:
        stories.add(connection, first)
        stories.add(connection, second)
        assert stories.newest(connection) == [second, first]
        assert stories.remove(connection, second.id)
        assert not stories.remove(connection, second.id)
        assert stories.newest(connection) == [first]


def test_briefings_are_listed_by_scope(database: Database) -> None:
    full, masked = briefing(), briefing(scope="masked")
    with database.write() as connection:
        briefings.add(connection, full)
        briefings.add(connection, masked)
        assert briefings.newest(connection, ["full"]) == [full]
        assert briefings.newest(connection, ["masked"]) == [masked]
        changed = replace(full, text="改过", revision=2)
        assert briefings.change(connection, changed, base=1)
        assert not briefings.change(connection, changed, base=1)
        assert briefings.get(connection, full.id) == changed
        assert briefings.remove(connection, full.id)


def test_packs_are_found_by_scope_and_key(database: Database) -> None:
    one, other, masked = (
        pack(),
        pack(key="m" * 64, created_at=AT + timedelta(minutes=1)),
        pack(scope="masked"),
    )
    with database.write() as connection:
        for each in (one, other, masked):
            packs.add(connection, each)
        assert packs.newest(connection, "full") == [other, one]
        assert packs.newest(connection, "full", key=one.key) == [one]
        assert packs.newest(connection, "masked", key=one.key) == [masked]
        assert packs.get(connection, one.id) == one
        assert packs.remove(connection, one.id)
        assert packs.get(connection, one.id) is None
