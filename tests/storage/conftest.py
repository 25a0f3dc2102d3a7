"""An empty district on either database."""

from collections.abc import Iterator

import pytest

from gridmap.storage import migrate
from gridmap.storage.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, secret=b"a secret of the tests")
    migrate.upgrade(made)
    yield made
    made.close()
