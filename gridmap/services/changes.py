"""
What changed in the district, told to everybody who listens.

One thread per process looks at the store's commit number (woken by PostgreSQL's notices, else twice a second)
and wakes the listeners; it runs only while there are any. What a commit did is read from the revisions, so a
listener that was away asks for everything after the number it knows.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count

from gridmap.domain.roles import User
from gridmap.errors import Unavailable
from gridmap.services import access, names
from gridmap.services.district import District
from gridmap.storage import history, postgres, presence
from gridmap.storage.database import Database
from gridmap.storage.history import Touch

_log = logging.getLogger("gridmap")

MOST_CHANGES = 500
MOST_LISTENERS = 1_000
_POLL_SECONDS = 0.5
# how long a stop may take, and how often the number is read when no notice comes
_NOTICE_SECONDS = 1.0
_UNANNOUNCED_SECONDS = 10.0
_RETRY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What commits after some number did, up to commit `sequence`.

    `touches` are oldest first; None when there are too many to tell and everything should be loaded anew.
    `called` has the names of those who wrote, by account.
    """

    sequence: int
    touches: tuple[Touch, ...] | None
    called: Mapping[str, str] = field(default_factory=dict)


def after(district: District, user: User, sequence: int) -> Changes:
    """
    What this user can see of the commits after `sequence`.

    A number the district has not reached (it was restored from a backup) asks for loading anew.
    """
    present = district.database.sequence()
    if sequence == present:
        return Changes(present, ())
    if sequence > present:
        return Changes(present, None)
    known = _read(district, sequence)
    if known.touches is None:
        return known
    visible = {one.id for one in access.visible_layers(district, user)}
    return replace(known, touches=tuple(one for one in known.touches if one.layer in visible))


# the newest answer of each store: all listeners that are up to date ask the same question at the same time
_newest: weakref.WeakKeyDictionary[Database, tuple[int, Changes]] = weakref.WeakKeyDictionary()
_newest_lock = threading.Lock()


def _read(district: District, sequence: int) -> Changes:
    database = district.database
    with _newest_lock:
        asked, known = _newest.get(database, (-1, None))
        if asked == sequence and known is not None and known.sequence >= database.sequence():
            return known
        with database.read() as connection:
            touches = history.touched_after(connection, sequence, limit=MOST_CHANGES + 1)
        present = touches[-1].sequence if touches else sequence
        if len(touches) > MOST_CHANGES:
            fresh = Changes(database.sequence(), None)
        else:
            called = names.of(district, [one.actor for one in touches])
            fresh = Changes(present, tuple(touches), called)
        _newest[database] = (sequence, fresh)
        return fresh


# the newest commit, and who is there
_State = tuple[int, presence.Token]


def _state(database: Database) -> _State:
    sequence = database.sequence()
    with database.read() as connection:
        return sequence, presence.token(connection)


class Feed:
    """Wakes listeners when the district has moved on, or somebody in it has."""

    def __init__(self, database: Database) -> None:
        # the registry below holds feeds by their database: a strong reference here would keep both for good
        self._database = weakref.ref(database)
        self._listeners: dict[int, Callable[[], None]] = {}
        self._numbers = count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # told to stop, and perhaps still looking at the store a last time
        self._leaving: list[threading.Thread] = []
        self.is_closed = False

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """
        Call `wake` (from another thread, and quickly) after every commit from now on, when somebody comes, goes
        or turns to something else, and when the feed closes.

        Answers the function that ends it.

        Raises
        ------
        Unavailable
            Too many listen already.
        """
        database = self._database()
        assert database is not None, "whoever listens holds the district"
        present = _state(database)
        with self._lock:
            if len(self._listeners) >= MOST_LISTENERS:
                raise Unavailable(
                    f"{MOST_LISTENERS} listeners already; close some", zh="实时刷新的连接过多,请稍后再试。"
                )
            number = next(self._numbers)
            self._listeners[number] = wake
            if self._thread is None and not self.is_closed:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(database, present, self._stop), name="changes", daemon=True
                )
                self._thread.start()

        def end() -> None:
            with self._lock:
                self._listeners.pop(number, None)
                if not self._listeners:
                    self._let_go()

        return end

    def _let_go(self) -> None:
        self._stop.set()
        self._leaving = [one for one in (*self._leaving, self._thread) if one is not None and one.is_alive()]
        self._thread = None

    @property
    def is_watching(self) -> bool:
        """Whether the thread runs, which it does while somebody listens."""
        return self._thread is not None

    def close(self, *, wait: bool = False) -> None:
        """Wake everybody a last time, with `is_closed` set, and stop; with `wait`, until nobody uses the store."""
        with self._lock:
            self.is_closed = True
            self._let_go()
            leaving = list(self._leaving)
        self._wake_all()
        for one in leaving if wait else ():
            one.join(2 * _NOTICE_SECONDS)

    def _wake_all(self) -> None:
        with self._lock:
            listeners = list(self._listeners.items())
        for number, wake in listeners:
            try:
                wake()
            except RuntimeError:  # its event loop is closed, and so the listener is gone
                with self._lock:
                    self._listeners.pop(number, None)

    def _run(self, database: Database, known: _State, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                known = self._watch(database, known, stop)
            except Exception:
                _log.warning("the store does not answer; live refresh waits for it", exc_info=True)
                stop.wait(_RETRY_SECONDS)

    def _watch(self, database: Database, known: _State, stop: threading.Event) -> _State:
        with ExitStack() as stack:
            heard = None
            if not database.is_embedded:
                heard = stack.enter_context(postgres.listening(database.engine))
            while not stop.is_set():
                present = _state(database)
                if present != known:
                    known = present
                    self._wake_all()
                if heard is None:
                    stop.wait(_POLL_SECONDS)
                else:
                    _await_notice(heard, stop)
        return known


def _await_notice(heard: Callable[[float], bool], stop: threading.Event) -> None:
    for _ in range(int(_UNANNOUNCED_SECONDS / _NOTICE_SECONDS)):
        if heard(_NOTICE_SECONDS) or stop.is_set():
            return


_feeds: weakref.WeakKeyDictionary[Database, Feed] = weakref.WeakKeyDictionary()
_feeds_lock = threading.Lock()


def feed(district: District) -> Feed:
    """The feed of this district in this process."""
    with _feeds_lock:
        known = _feeds.get(district.database)
        if known is None or known.is_closed:
            known = _feeds[district.database] = Feed(district.database)
        return known


def close_feeds(*, wait: bool = False) -> None:
    """End all feeds of this process, so that nobody waits for a server that stops; `wait` as in `Feed.close`."""
    with _feeds_lock:
        feeds = list(_feeds.values())
    for one in feeds:
        one.close(wait=wait)
