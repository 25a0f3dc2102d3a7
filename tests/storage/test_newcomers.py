"""Elements stored as columns are the elements that would have been stored one by one, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from gridmap.domain.elements import Element, Operation, Source, new_ids, properties_text
from gridmap.storage import elements, history, migrate, newcomers
from gridmap.storage.database import Database
from gridmap.storage.elements import Query
from gridmap.storage.newcomers import Newcomers

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECRET = b"a secret of the tests"


def shape(number: int) -> Any:
    x, y = 121.4 + number / 1e4, 30.9 + number / 1e5
    return [
        shapely.Point(x, y),
        shapely.LineString([(x, y), (x + 0.01, y)]),
        shapely.box(x, y, x + 0.01, y + 0.01),
    ][number % 3]


def made(count: int) -> list[Element]:
    return [
        Element(
            id=element_id,
            layer="premises",
            code=None if number % 7 == 0 else f"CS{number:05}",
            name=["", '引号"与\\反斜杠', "示例场所"][number % 3],
            geometry=shape(number),
            properties={"staff_count": number, "is_key_unit": number % 2 == 0, "address": "甲路\n1号"}
            if number % 5
            else {},
            source=Source.SIMULATED,
            verified_at=NOON,
            verified_by="示例民警01",
            due_at=None if number % 4 else NOON + timedelta(days=number % 3),
        )
        for number, element_id in enumerate(new_ids(count))
    ]


def as_columns(rows: list[Element]) -> Newcomers:
    geometry = np.empty(len(rows), dtype=object)
    geometry[:] = [one.geometry for one in rows]
    return Newcomers(
        layer="premises",
        ids=[one.id for one in rows],
        codes=[one.code for one in rows],
        names=[one.name for one in rows],
        geometry=geometry,
        properties=[properties_text(one) for one in rows],
        due_at=[one.due_at for one in rows],
        source=Source.SIMULATED,
        verified_at=NOON,
        verified_by="示例民警01",
    )


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, secret=SECRET)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'other.gpkg'}", secret=SECRET)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.mark.parametrize("count", [1, 5_003])
def test_columns_and_elements_are_stored_alike(database: Database, other: Database, count: int) -> None:
    rows = made(count)
    with database.commit(actor="示例民警01", at=NOON, reason="导入") as commit:
        newcomers.add(commit, as_columns(rows))
    with other.commit(actor="示例民警01", at=NOON, reason="导入") as commit:
        elements.save(commit, rows, Operation.CREATE)

    states = []
    for one in (database, other):
        with one.read() as connection:
            stored = elements.find(connection, Query("premises"))
            chain = history.verify(connection, SECRET)
            keys = connection.exec_driver_sql("SELECT id, search_key FROM element ORDER BY id").all()
            states.append(
                ([(each, each.geometry.wkb) for each in stored], chain, [tuple(key) for key in keys])
            )
    assert states[0] == states[1]
    assert states[0][1].is_valid
    assert states[0][1].revisions == count


def test_columns_are_found_by_place(database: Database) -> None:
    with database.commit(actor="a", at=NOON) as commit:
        newcomers.add(commit, as_columns(made(3_000)))

    with database.read() as connection:
        found = elements.find(connection, Query("premises", box=(121.5, 30.9, 121.5, 31.0)))
    expected = [
        number for number in range(3_000) if shape(number).bounds[0] <= 121.5 <= shape(number).bounds[2]
    ]
    assert len(found) == len(expected) > 0
