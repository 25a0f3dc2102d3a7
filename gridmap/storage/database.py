"""The store as a whole: one engine on either database, and the transactions that everything runs in."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Connection, Engine, insert, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from gridmap.errors import SettingsError, Unavailable
from gridmap.storage import postgres, sqlite
from gridmap.storage.tables import district_state

GENESIS = "0" * 64
_SECONDS_TO_WAIT = 60.0

_to_json = functools.partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class Commit:
    """
    One change of the district in the making: a transaction that has taken the district's turn.

    `sequence` is its number; whoever holds it is the only one who writes elements until it ends, so numbers
    become visible in order. `chain_head` is the hash of the newest revision and moves with every new one.
    """

    connection: Connection
    sequence: int
    chain_head: str
    actor: str
    at: datetime
    reason: str
    secret: bytes = field(repr=False)


class Database:
    """
    The store behind a URL: `sqlite:////path/district.gpkg` or `postgresql+psycopg://…`.

    Nothing is opened before the first use; `close` ends all connections.
    """

    def __init__(self, url: str, *, secret: bytes) -> None:
        self.url = url
        self._secret = secret
        self.engine = _engine(url)
        # on PostgreSQL each statement would otherwise see the commits made since the one before it
        repeatable = {} if self.is_embedded else {"isolation_level": "REPEATABLE READ"}
        self._reader = self.engine.execution_options(sqlite_begin="DEFERRED", **repeatable)
        self._turn = threading.RLock()

    @property
    def is_embedded(self) -> bool:
        """Whether this is the embedded GeoPackage store."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent state, waiting for nobody."""
        with self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction beside the elements: accounts, sessions, logs, jobs."""
        # on SQLite there is one turn for all writes
        with self._in_turn() if self.is_embedded else nullcontext(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """
        The turn among this process' writers, taken before a connection is.

        The store makes writers wait as well. But those who waited there would hold all connections of the pool,
        and the one whose turn it is, who reads beside writing, would wait for them.

        Raises
        ------
        Unavailable
            It does not come within a minute.
        """
        if not self._turn.acquire(timeout=_SECONDS_TO_WAIT):
            raise Unavailable(
                f"no turn to write within {_SECONDS_TO_WAIT:.0f} s; try again",
                zh="系统正忙,请稍后再试。您的修改尚未保存。",
            )
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def commit(self, *, actor: str, at: datetime, reason: str = "") -> Iterator[Commit]:
        """
        A transaction that changes elements, in the district's turn; all of it is stored or nothing.

        A commit in which no revision was written leaves no trace, not even a number.
        """
        with self._in_turn(), self.engine.begin() as connection:
            # taken first and by everybody: the row lock is the turn, on PostgreSQL as on SQLite
            row = connection.execute(
                update(district_state)
                .values(sequence=district_state.c.sequence + 1)
                .returning(district_state.c.sequence, district_state.c.chain_head)
            ).one()
            commit = Commit(connection, row.sequence, row.chain_head, actor, at, reason, self._secret)
            yield commit
            if commit.chain_head == row.chain_head:
                connection.rollback()
                return
            connection.execute(update(district_state).values(chain_head=commit.chain_head))
            if not self.is_embedded:
                postgres.announce(connection, commit.sequence)

    def sequence(self) -> int:
        """The number of the newest commit; 0 in an empty district."""
        with self.read() as connection:
            return sequence_of(connection)

    def create_spatial(self, connection: Connection) -> None:
        """Make what this database needs beside the plain tables."""
        (sqlite if self.is_embedded else postgres).create_spatial(connection)
        if connection.execute(select(district_state.c.id)).first() is None:
            connection.execute(insert(district_state).values(id=1, sequence=0, chain_head=GENESIS))

    def close(self) -> None:
        """End all connections."""
        self.engine.dispose()


def hold_turn(connection: Connection) -> None:
    """Take the district's turn in this transaction without a commit: nobody changes an element until it ends."""
    connection.execute(update(district_state).values(sequence=district_state.c.sequence))


def sequence_of(connection: Connection) -> int:
    """The number of the newest commit that this transaction sees."""
    return connection.execute(select(district_state.c.sequence)).scalar_one()


def _engine(url: str) -> Engine:
    if url.startswith("sqlite:///"):
        return sqlite.make_engine(url, json_serializer=_to_json)
    if url.startswith("postgresql"):
        return postgres.make_engine(url, json_serializer=_to_json)
    raise SettingsError(
        f"GRIDMAP_DATABASE_URL must start with sqlite:/// or postgresql+psycopg://, not {url.split(':')[0]!r}",
        zh="环境变量 GRIDMAP_DATABASE_URL 应以 sqlite:/// 或 postgresql+psycopg:// 开头。",
    )


# degrees by which an indexed box may be too large: more than two steps of a 32-bit number at 180
_INDEX_SLACK = 0.0001


class in_box(FunctionElement[bool]):
    """
    Whether the element's bounding box meets the lon/lat box (min_x, min_y, max_x, max_y), ends included.

    Both databases' indexes keep 32-bit numbers and find too much along the edge; the exact box decides.
    """

    inherit_cache = True
    type = Boolean()

    def __init__(self, pk: Any, geom: Any, box: tuple[float, float, float, float]) -> None:
        super().__init__(pk, geom, *box)


@compiles(in_box, "sqlite")
def _in_box_sqlite(predicate: in_box, compiler: Any, **options: Any) -> str:
    pk, _, min_x, min_y, max_x, max_y = (compiler.process(one, **options) for one in predicate.clauses)
    return (
        f"{pk} IN (SELECT pk FROM element_bbox WHERE max_x >= {min_x} AND min_x <= {max_x} "
        f"AND max_y >= {min_y} AND min_y <= {max_y} AND ("
        # well inside nothing needs a closer look
        f"max_x >= {min_x} + {_INDEX_SLACK} AND min_x <= {max_x} - {_INDEX_SLACK} "
        f"AND max_y >= {min_y} + {_INDEX_SLACK} AND min_y <= {max_y} - {_INDEX_SLACK} "
        f"OR box_meets((SELECT e.geom FROM element AS e WHERE e.pk = element_bbox.pk), "
        f"{min_x}, {min_y}, {max_x}, {max_y})))"
    )


@compiles(in_box, "postgresql")
def _in_box_postgresql(predicate: in_box, compiler: Any, **options: Any) -> str:
    _, geom, min_x, min_y, max_x, max_y = (compiler.process(one, **options) for one in predicate.clauses)
    return (
        f"({geom} && ST_MakeEnvelope({min_x}, {min_y}, {max_x}, {max_y}, 4326) "
        f"AND ST_XMax({geom}) >= {min_x} AND ST_XMin({geom}) <= {max_x} "
        f"AND ST_YMax({geom}) >= {min_y} AND ST_YMin({geom}) <= {max_y})"
    )
