"""
Requests that arrive again: carried out once, and answered each time as the first time.

The answer names the revision that the request itself stored. A client that went on from the entity tag of a
later one would overwrite what it never saw.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import Connection

from gridmap.domain.roles import User
from gridmap.errors import NotFound
from gridmap.services.district import District
from gridmap.services.elements.results import Receipt
from gridmap.storage import history as revisions
from gridmap.storage import idempotency
from gridmap.storage.database import Commit
from gridmap.storage.idempotency import Key


def key_of(user: User, given: str | Key | None, *content: Any) -> Key | None:
    """
    The sender's own name for a request together with what it asks, so that it cannot stand for something else
    later; None where nothing is given, and a Key as it is: that of the wider request which this one is part of.
    """
    if not given or isinstance(given, Key):
        return given or None
    text = json.dumps(content, default=str, sort_keys=True)
    return Key(user.username, given, hashlib.sha256(text.encode()).hexdigest())


def answered(district: District, key: Key | None) -> Receipt | None:
    """The receipt that was given for this key; None where there is none. Raises as `answered_in`."""
    if key is None:
        return None
    with district.database.read() as connection:
        return answered_in(connection, key)


def answered_in(connection: Connection, key: Key) -> Receipt | None:
    """
    The same within a transaction.

    Raises
    ------
    StateConflict
        The key was used for a request with other content.
    NotFound
        What the request stored was redacted since.
    """
    kept = idempotency.find(connection, key)
    if kept is None:
        return None
    # keys of earlier releases stand for creations
    past = revisions.at_revision(connection, kept["id"], kept.get("revision", 1))
    if past is None or past.element is None:
        raise NotFound(
            f"the request was carried out; what it stored in element {kept['id']} was redacted since",
            zh="该请求此前已保存,但当时的内容已被清除,请刷新后查看要素现状。",
            element=kept["id"],
        )
    return Receipt(past.element, tuple(kept.get("warnings", ())), is_repeat=True)


def keep(commit: Commit, key: Key, receipt: Receipt) -> None:
    """Keep what is answered to this key, in the commit that stores it."""
    written = receipt.element
    response = {"id": written.id, "revision": written.revision, "warnings": list(receipt.warnings)}
    idempotency.keep(commit.connection, key, response, commit.at)
