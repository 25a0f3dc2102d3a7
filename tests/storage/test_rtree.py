"""The packed box index is the index that SQLite would have made."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection

from gridmap.storage import migrate, rtree
from gridmap.storage.database import Database


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(f"sqlite:///{tmp_path / 'district.gpkg'}", secret=b"a secret of the tests")
    migrate.upgrade(database)
    with database.write() as opened:
        yield opened
    database.close()


def boxes_of(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.uniform((121.3, 30.7), (121.7, 31.0), (n, 2))
    size = np.where(rng.random((n, 1)) < 0.5, 0.0, rng.uniform(0, 0.02, (n, 2)))
    return np.column_stack([low[:, 0], low[:, 0] + size[:, 0], low[:, 1], low[:, 1] + size[:, 1]])


def hits(connection: Connection, box: tuple[float, float, float, float]) -> set[int]:
    query = "SELECT pk FROM element_bbox WHERE max_x >= ? AND min_x <= ? AND max_y >= ? AND min_y <= ?"
    return set(connection.exec_driver_sql(query, box).scalars())


def check(connection: Connection) -> str:
    return connection.exec_driver_sql("SELECT rtreecheck('element_bbox')").scalar_one()


@pytest.mark.parametrize("n", [0, 1, 43, 44, 2_000, 30_000])
def test_a_packed_index_is_sound_and_finds_every_box(connection: Connection, n: int) -> None:
    boxes = boxes_of(n, seed=n)
    rtree.pack(connection, np.arange(1, n + 1), boxes)

    assert check(connection) == "ok"
    for x, y, size in ((121.4, 30.8, 0.01), (121.5, 30.9, 0.1), (121.3, 30.7, 0.5), (120.0, 30.0, 0.1)):
        inside = (
            (boxes[:, 1] >= x) & (boxes[:, 0] <= x + size) & (boxes[:, 3] >= y) & (boxes[:, 2] <= y + size)
        )
        found = hits(connection, (x, x + size, y, y + size))
        # single precision may add boxes that nearly touch, and loses none
        assert set((np.flatnonzero(inside) + 1).tolist()) <= found
        assert len(found) <= inside.sum() + max(5, n // 1000)


def test_boxes_that_were_there_stay(connection: Connection) -> None:
    first = boxes_of(5_000, seed=1)
    for pk, box in enumerate(first[:300].tolist(), 1):
        connection.exec_driver_sql("INSERT INTO element_bbox VALUES (?, ?, ?, ?, ?)", (pk, *box))
    rtree.pack(connection, np.arange(301, 5_001), first[300:])

    assert check(connection) == "ok"
    assert hits(connection, (121.0, 122.0, 30.0, 32.0)) == set(range(1, 5_001))
    kept = connection.exec_driver_sql(
        "SELECT min_x, max_x, min_y, max_y FROM element_bbox ORDER BY pk"
    ).fetchall()
    assert np.abs(np.array(kept) - first).max() < 2e-5


def test_a_packed_index_takes_later_changes(connection: Connection) -> None:
    boxes = boxes_of(3_000, seed=2)
    rtree.pack(connection, np.arange(1, 3_001), boxes)
    for pk in range(3_001, 3_400):
        connection.exec_driver_sql("INSERT INTO element_bbox VALUES (?, 121.5, 121.5, 30.9, 30.9)", (pk,))
    for pk in range(1, 2_900):
        connection.exec_driver_sql("DELETE FROM element_bbox WHERE pk = ?", (pk,))
    connection.exec_driver_sql("INSERT OR REPLACE INTO element_bbox VALUES (2999, 10, 10, 10, 10)")

    assert check(connection) == "ok"
    assert hits(connection, (9.0, 11.0, 9.0, 11.0)) == {2999}
    assert hits(connection, (121.0, 122.0, 30.0, 32.0)) == set(range(2_900, 3_400)) - {2999}
