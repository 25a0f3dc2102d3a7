"""Writers take turns before they take connections, so that whoever writes can also read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from gridmap.storage import database as stores
from gridmap.storage.database import Database, sequence_of

AT = datetime(2026, 3, 2, tzinfo=UTC)
# More than the five connections, and ten in haste, that a pool has by default.
WRITERS = 30


def test_many_writers_who_read_beside_writing_do_not_wait_for_each_others_connections(
    database: Database, monkeypatch
) -> None:
    monkeypatch.setattr(stores, "_SECONDS_TO_WAIT", 20.0)
    begin, done, errors = threading.Barrier(WRITERS), [], []

    def write() -> None:
        begin.wait()
        try:
            with database.commit(actor="editor", at=AT) as commit, database.read() as beside:
                done.append(sequence_of(beside) < commit.sequence)
        except Exception as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    assert done == [True] * WRITERS
