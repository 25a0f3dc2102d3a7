"""Editors who speak HTTP: each edits, remembers every receipt it was given, and sends again what has none."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import shapely

from gridmap.domain.elements import Element
from gridmap.domain.roles import Role
from gridmap.services import accounts, elements
from gridmap.services.accounts import CONSOLE
from gridmap.services.district import District
from gridmap.storage import accounts as stored_accounts
from gridmap.storage import history
from gridmap.storage.accounts import AccountRow
from gridmap.storage.elements import Query
from tests.support.district import ADMIN, element, put

LAYER = "workstation"
ITEMS = f"/ogc/collections/{LAYER}/items"
_SECONDS_TO_WAIT = 60.0


@dataclass(frozen=True)
class Receipt:
    """The server's word that an edit is stored: revision `revision` of `element_id` has this name."""

    element_id: str
    revision: int
    name: str


@dataclass
class Draft:
    """An edit that was sent, or is about to be, and has no receipt: a new element, or a name on a revision."""

    name: str
    code: str = ""
    element_id: str = ""
    base: int = 0

    @property
    def is_new(self) -> bool:
        return not self.element_id


@dataclass
class Record:
    """What one editor did."""

    receipts: list[Receipt] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class Client:
    """One connection that acts for one account."""

    def __init__(self, base_url: str, token: str) -> None:
        parts = urlsplit(base_url)
        self.connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=_SECONDS_TO_WAIT
        )
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/geo+json"}

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, str, dict[str, Any]]:
        """Status, ETag and document of the answer; raises OSError or HTTPException where there is none."""
        text = None if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, text, {**self.headers, **named})
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers.get("ETag", ""), json.loads(content) if content else {}

    def close(self) -> None:
        self.connection.close()


def number_of(etag: str) -> int:
    """The revision that an ETag names."""
    return int(etag.strip('"'))


def people(district: District, count: int) -> list[str]:
    """A token for each of `count` grid keepers."""
    with district.database.write() as connection:
        for at in range(count):
            stored_accounts.add(
                connection,
                AccountRow(
                    f"editor{at:02d}", f"示例民警{at:02d}", Role.GRID_KEEPER, frozenset({"*"}), frozenset({"*"}), None,
                    False, True, True, district.clock(),
                ),
            )  # fmt: skip
    return [accounts.create_token(district, CONSOLE, f"editor{at:02d}", "soak") for at in range(count)]


def stations(district: District, count: int, first: int = 1000) -> list[Element]:
    """`count` workstations to edit."""
    return put(
        district,
        *(
            element(
                LAYER, f"JWZ{first + at:04d}", "测试站", shapely.Point(121.41 + at % 80 / 1000, 30.91 + at // 80 / 1000),
                opening_hours="24h", officer_count=2,
            )
            for at in range(count)
        ),
    )  # fmt: skip


def send(client: Client, draft: Draft, key: str) -> tuple[int, Receipt | None]:
    """
    Send a draft, perhaps not for the first time; the status, and the receipt where it is stored.

    A new element is known again by its key. An edit that finds itself stored already has been received.
    """
    if draft.is_new:
        place = {"type": "Point", "coordinates": [121.45, 30.95]}
        properties = {"code": draft.code, "name": draft.name, "opening_hours": "24h", "officer_count": 1}
        body = {"type": "Feature", "geometry": place, "properties": properties}
        status, etag, document = client.ask("POST", ITEMS, body, Idempotency_Key=key)
        return status, Receipt(document["id"], number_of(etag), draft.name) if status == 201 else None
    path = f"{ITEMS}/{draft.element_id}"
    body = {"type": "Feature", "properties": {"name": draft.name}}
    status, etag, _ = client.ask("PATCH", path, body, If_Match=f'"{draft.base}"')
    if status == 412:
        _, etag, present = client.ask("GET", path)
        if present["properties"]["name"] == draft.name:
            return 200, Receipt(draft.element_id, number_of(etag), draft.name)
    return status, Receipt(draft.element_id, number_of(etag), draft.name) if status == 200 else None


def together(works: Sequence[Callable[[], None]]) -> None:
    """Run all of these at once; the first error comes out."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if errors:
        raise errors[0]


def edit_until(deadline: float, client: Client, record: Record, shared: Sequence[str], who: int) -> None:
    """Read an element that others edit too, give it a name of one's own, again and again."""
    chance, at = random.Random(who), 0
    while time.monotonic() < deadline:
        identity = chance.choice(shared)
        _, etag, _ = client.ask("GET", f"{ITEMS}/{identity}")
        draft = Draft(f"站{who}之{at}", element_id=identity, base=number_of(etag))
        at += 1
        begun = time.perf_counter()
        status, receipt = send(client, draft, "")
        record.seconds.append(time.perf_counter() - begun)
        record.answers[status] += 1
        if receipt is not None:
            record.receipts.append(receipt)
    client.close()


def figures(records: Sequence[Record], seconds: float) -> dict[str, float]:
    """Throughput and times of all editors together."""
    times = np.array([one for record in records for one in record.seconds])
    stored = sum(len(one.receipts) for one in records)
    return {
        "stored": stored,
        "conflicts": sum(one.answers[412] for one in records),
        "stored_per_second": stored / seconds,
        "median_ms": float(np.median(times) * 1000),
        "p95_ms": float(np.percentile(times, 95) * 1000),
    }


def assert_nothing_lost(district: District, receipts: Sequence[Receipt]) -> None:
    """Every receipt is a revision in the store, each revision of one receipt, and the chain is whole."""
    assert len({(one.element_id, one.revision) for one in receipts}) == len(receipts), "two won one revision"
    for identity in {one.element_id for one in receipts}:
        past = {
            one.revision: one.element.name
            for one in elements.history(district, ADMIN, LAYER, identity)
            if one.element is not None
        }
        for one in receipts:
            if one.element_id == identity:
                assert past.get(one.revision) == one.name, f"receipt {one} is not in the store"
    with district.database.read() as connection:
        report = history.verify(connection, district.settings.secret)
    assert report.is_valid, report.problem


def names_stored(district: District, identity: str) -> list[str]:
    """Every name that an element ever got, oldest first."""
    past = elements.history(district, ADMIN, LAYER, identity)
    return [one.element.name for one in reversed(past) if one.element is not None]


def coded(district: District, code: str) -> int:
    """How many elements have this code."""
    return elements.find(district, ADMIN, Query(LAYER, equals={"code": code}, is_retired=None)).total
