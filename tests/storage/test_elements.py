"""Elements in the store, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
import shapely
from sqlalchemy import text

from gridmap.domain.elements import Element, Operation, new_id
from gridmap.storage import elements, history, migrate
from gridmap.storage.database import Database
from gridmap.storage.elements import Query

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def station(number: int = 1, *, lon: float = 121.5, lat: float = 30.9, **values: object) -> Element:
    """A workstation on the map."""
    return Element(
        id=new_id(),
        layer="workstation",
        code=f"JWZ{number:02}",
        name=f"示范警务站{number:02}",
        geometry=shapely.Point(lon, lat),
        properties={"officer_count": number, "opening_hours": "24h", "is_open": number % 2 == 0, **values},
    )


def store(database: Database, *made: Element, operation: Operation = Operation.CREATE, at: datetime = NOON):
    with database.commit(actor="示例民警01", at=at, reason="测试") as commit:
        return elements.save(commit, made, operation)


def test_a_stored_element_comes_back_equal(database: Database) -> None:
    [stored] = store(database, station())

    with database.read() as connection:
        assert elements.get(connection, stored.id) == stored
    assert (stored.revision, stored.sequence, stored.created_by) == (1, 1, "示例民警01")


@pytest.mark.parametrize(
    "geometry",
    [
        shapely.Point(121.123456789012, 30.987654321098),
        shapely.LineString([(121.1, 30.9), (121.2, 30.95)]),
        shapely.MultiPolygon([shapely.box(121.1, 30.8, 121.2, 30.9), shapely.box(121.3, 30.8, 121.4, 30.9)]),
    ],
    ids=lambda geometry: geometry.geom_type,
)
def test_geometry_comes_back_to_the_last_bit(database: Database, geometry: shapely.Geometry) -> None:
    made = Element(new_id(), "road", None, "", geometry)
    store(database, made)

    with database.read() as connection:
        one = elements.get(connection, made.id)
        arrays = elements.read_layer(connection, "road")
    assert shapely.equals_identical(one.geometry, geometry)
    assert shapely.equals_identical(arrays.geometry[0], geometry)


def test_a_commit_that_fails_leaves_no_trace(database: Database) -> None:
    def fail_half_way() -> None:
        with database.commit(actor="a", at=NOON) as commit:
            elements.save(commit, [station()], Operation.CREATE)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail_half_way()

    assert database.sequence() == 0
    with database.read() as connection:
        assert elements.counts(connection) == {}


def test_a_commit_without_a_write_takes_no_number(database: Database) -> None:
    with database.commit(actor="a", at=NOON):
        pass

    assert database.sequence() == 0


def test_a_box_finds_what_it_touches_and_nothing_else(database: Database) -> None:
    inside, border, outside = station(1, lon=121.5), station(2, lon=121.6), station(3, lon=121.7)
    store(database, inside, border, outside)

    with database.read() as connection:
        found = elements.find(connection, Query("workstation", box=(121.4, 30.8, 121.6, 31.0)))
    assert [one.code for one in found] == ["JWZ01", "JWZ02"]


def test_a_box_is_exact_far_below_what_the_index_tells_apart(database: Database) -> None:
    made = [station(step, lon=121.5 + step * 1e-9) for step in range(4)]
    store(database, *made)

    with database.read() as connection:
        found = elements.find(
            connection, Query("workstation", box=(made[1].geometry.x, 30.8, made[2].geometry.x, 31.0))
        )
    assert [one.code for one in found] == ["JWZ01", "JWZ02"]


def test_a_moved_element_is_found_at_its_new_place_only(database: Database) -> None:
    [stored] = store(database, station(lon=121.5))
    from dataclasses import replace

    store(database, replace(stored, geometry=shapely.Point(121.9, 30.9)), operation=Operation.UPDATE)

    with database.read() as connection:
        assert not elements.find(connection, Query("workstation", box=(121.4, 30.8, 121.6, 31.0)))
        assert elements.find(connection, Query("workstation", box=(121.8, 30.8, 122.0, 31.0)))


@pytest.mark.parametrize(
    ("equals", "codes"),
    [
        ({"code": "JWZ02"}, ["JWZ02"]),
        ({"officer_count": "3"}, ["JWZ03"]),
        ({"is_open": "true"}, ["JWZ02"]),
        ({"is_open": "false"}, ["JWZ01", "JWZ03"]),
        ({"opening_hours": "24h", "officer_count": "1"}, ["JWZ01"]),
        ({"opening_hours": "day"}, []),
    ],
)
def test_properties_filter_by_their_text(
    database: Database, equals: dict[str, str], codes: list[str]
) -> None:
    store(database, station(1), station(2), station(3))

    with database.read() as connection:
        query = Query("workstation", equals=equals)
        assert [one.code for one in elements.find(connection, query)] == codes
        assert elements.count(connection, query) == len(codes)


@pytest.mark.parametrize("words", ["JWZ02", "jwz02", "警务站02", "jingwuzhan02", "sfjwz02"])
def test_search_finds_by_code_name_pinyin_and_initials(database: Database, words: str) -> None:
    store(database, station(1), station(2), station(12))

    with database.read() as connection:
        found = elements.search(connection, words, ["workstation"], limit=10)
    assert [one.code for one in found] == ["JWZ02"]


def test_search_takes_percent_and_underscore_literally(database: Database) -> None:
    store(database, station(1))

    with database.read() as connection:
        assert elements.search(connection, "%", ["workstation"], limit=10) == []
        assert elements.search(connection, "JWZ_1", ["workstation"], limit=10) == []


def test_pages_together_hold_every_element_once(database: Database) -> None:
    store(database, *(station(number) for number in range(1, 24)))

    with database.read() as connection:
        pages = [elements.find(connection, Query("workstation"), limit=10, offset=at) for at in (0, 10, 20)]
    assert [one.code for page in pages for one in page] == [f"JWZ{number:02}" for number in range(1, 24)]


def test_only_what_was_written_later_is_read_after_a_commit(database: Database) -> None:
    [first] = store(database, station(1))
    store(database, station(2))

    with database.read() as connection:
        arrays = elements.read_layer(connection, "workstation", after=first.sequence)
    assert list(arrays.code) == ["JWZ02"]
    assert arrays.sequence == 2


def test_as_of_answers_the_state_of_that_time(database: Database) -> None:
    from dataclasses import replace

    [first] = store(database, station(1), at=NOON)
    [second] = store(
        database, replace(first, name="改名"), operation=Operation.UPDATE, at=NOON + timedelta(hours=1)
    )
    store(
        database, replace(second, is_retired=True), operation=Operation.DELETE, at=NOON + timedelta(hours=2)
    )

    def names(hours: float) -> list[str]:
        with database.read() as connection:
            then = history.as_of(connection, "workstation", NOON + timedelta(hours=hours))
        return [one.name for one in then]

    assert names(-0.1) == []
    assert names(0) == ["示范警务站01"]
    assert names(1.5) == ["改名"]
    assert names(2) == []


def test_the_chain_of_untouched_revisions_is_valid(database: Database) -> None:
    store(database, station(1), station(2))
    store(database, station(3))

    with database.read() as connection:
        report = history.verify(connection, b"a secret of the tests")
    assert report.is_valid
    assert report.revisions == 3


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE revision SET payload = replace(payload, '示范', '别的') WHERE pk = 2",
        "UPDATE revision SET actor = 'somebody else' WHERE pk = 2",
        "DELETE FROM revision WHERE pk = 2",
        "DELETE FROM revision WHERE pk = 3",
    ],
)
def test_a_changed_chain_is_noticed(database: Database, tampering: str) -> None:
    store(database, station(1), station(2), station(3))
    with database.write() as connection:
        connection.execute(text(tampering))

    with database.read() as connection:
        assert not history.verify(connection, b"a secret of the tests").is_valid


def test_a_redacted_revision_keeps_the_chain_valid(database: Database) -> None:
    [stored] = store(database, station(1))
    with database.write() as connection:
        assert history.redact(connection, stored.id, 1)

    with database.read() as connection:
        report = history.verify(connection, b"a secret of the tests")
        [left] = history.of_element(connection, stored.id)
    assert report.is_valid
    assert report.redacted == 1
    assert left.element is None


def test_tables_and_migrations_agree(database: Database) -> None:
    migrate.check(database)
    assert migrate.current(database) == migrate.newest()


def test_a_store_can_go_back_to_nothing_and_up_again(database: Database) -> None:
    migrate.downgrade(database, "base")
    assert migrate.current(database) is None
    migrate.upgrade(database)
    assert database.sequence() == 0
