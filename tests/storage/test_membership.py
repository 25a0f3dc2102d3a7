"""Grids of elements in the store, on both databases."""

from sqlalchemy import func, select, text

from gridmap.storage import membership, migrate
from gridmap.storage.database import Database
from gridmap.storage.tables import place

NORTH = {"town": "310199101", "police_grid": "310199101001001"}
SOUTH = {"town": "310199101", "police_grid": "310199101001002"}


def put(database: Database, **grids: dict[str, str]) -> None:
    with database.write() as connection:
        membership.put(connection, list(grids), list(grids.values()), range(len(grids)))


def noted(database: Database, *ids: str) -> dict[str, dict[str, str]]:
    with database.read() as connection:
        return membership.grids_of(connection, ids)


def test_what_was_noted_comes_back(database: Database) -> None:
    put(database, a=NORTH, b=SOUTH, c={})

    assert noted(database, "a", "b", "c", "d") == {"a": NORTH, "b": SOUTH}
    with database.read() as connection:
        assert membership.of_element(connection, "a") == NORTH
        assert membership.of_element(connection, "c") == {}
        assert membership.of_elements(connection, ["a", "b"], "police_grid") == {
            "a": NORTH["police_grid"], "b": SOUTH["police_grid"],
        }  # fmt: skip


def test_a_combination_is_stored_once(database: Database) -> None:
    put(database, a=NORTH, b=dict(reversed(NORTH.items())))
    put(database, c=NORTH, d=SOUTH)

    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(place)).scalar() == 2


def test_a_later_note_replaces_the_earlier(database: Database) -> None:
    put(database, a=NORTH)
    put(database, a=SOUTH)
    assert noted(database, "a") == {"a": SOUTH}
    put(database, a={})
    assert noted(database, "a") == {}


def test_moving_in_one_grid_layer_leaves_the_others(database: Database) -> None:
    put(database, a=NORTH, b=NORTH, c={})
    with database.write() as connection:
        membership.move(connection, ["a", "b", "c"], "police_grid", [SOUTH["police_grid"], None, "x"])

    assert noted(database, "a", "b", "c") == {
        "a": SOUTH, "b": {"town": NORTH["town"]}, "c": {"police_grid": "x"},
    }  # fmt: skip


def test_the_change_of_form_keeps_every_membership(database: Database) -> None:
    migrate.downgrade(database, "0001")
    rows = [
        (one, layer, code) for one, grids in (("a", NORTH), ("b", NORTH)) for layer, code in grids.items()
    ]
    with database.write() as connection:
        for one, layer, code in rows:
            connection.execute(
                text("INSERT INTO membership VALUES (:one, :layer, :code)"),
                {"one": one, "layer": layer, "code": code},
            )

    migrate.upgrade(database)
    assert noted(database, "a", "b") == {"a": NORTH, "b": NORTH}

    migrate.downgrade(database, "0001")
    with database.read() as connection:
        back = connection.execute(text("SELECT element_id, grid_layer, grid_code FROM membership")).all()
    assert sorted(map(tuple, back)) == sorted(rows)
