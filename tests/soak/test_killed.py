"""The server is killed in the middle of a stream of edits: receipts hold, and what has none goes through once."""

from __future__ import annotations

import http.client
import itertools
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridmap.services.district import District
from tests.api.serving import serving_process
from tests.soak.editors import (
    Client,
    Draft,
    Record,
    assert_nothing_lost,
    coded,
    names_stored,
    number_of,
    people,
    send,
    stations,
    together,
)
from tests.support.district import make_district, seed

_CODES = itertools.count(2000)


@pytest.fixture
def district(database_url: str, tmp_path: Path) -> Iterator[District]:
    made = make_district(database_url, tmp_path, lambda: datetime.now(UTC))
    seed(made)
    yield made
    made.close()


def stream(client: Client, record: Record, own: str, who: int) -> None:
    """
    Send what has no receipt, then edit on until the server is gone; the edit under way stays a draft.

    A draft is written down before it is sent and struck out by its receipt alone, as the map's queue does.
    """
    try:
        for draft in list(record.drafts):
            settle(client, record, draft, who)
        _, etag, _ = client.ask("GET", f"/ogc/collections/workstation/items/{own}")
        base = number_of(etag)
        for at in itertools.count():
            number = next(_CODES)
            name = f"站{who}之{number}"
            draft = (
                Draft(name, code=f"JWZ{number}") if at % 4 == 3 else Draft(name, element_id=own, base=base)
            )
            record.drafts.append(draft)
            receipt = settle(client, record, draft, who)
            if not draft.is_new:
                base = receipt
    except (OSError, http.client.HTTPException):
        client.close()


def settle(client: Client, record: Record, draft: Draft, who: int) -> int:
    status, receipt = send(client, draft, f"soak-{who}-{draft.code}")
    record.answers[status] += 1
    assert receipt is not None, f"the server refused {draft} with {status}"
    record.receipts.append(receipt)
    record.drafts.remove(draft)
    return receipt.revision


def survive(district: District, *, kills: int, editors: int = 4) -> tuple[int, int]:
    """Kill the server so often; the numbers of receipts and of drafts that went through after a restart."""
    tokens = people(district, editors)
    own = [one.id for one in stations(district, editors)]
    records = [Record() for _ in tokens]
    chance, left = random.Random(kills), 0

    def at_work(url: str, who: int) -> None:
        stream(Client(url, tokens[who]), records[who], own[who], who)

    for _ in range(kills):
        with serving_process(district) as (url, process):
            moment = chance.uniform(0.0, 1.0)
            # however slow the machine: some receipts first, and then at any moment of the next edits
            goal = sum(len(one.receipts) for one in records) + editors + 1

            def kill(process=process, moment=moment, goal=goal) -> None:
                patience = time.monotonic() + 60
                while sum(len(one.receipts) for one in records) < goal and time.monotonic() < patience:
                    time.sleep(0.01)
                time.sleep(moment)
                process.kill()

            together([kill, *(lambda who=who: at_work(url, who) for who in range(editors))])  # type: ignore[misc]
            left += sum(len(one.drafts) for one in records)
    with serving_process(district) as (url, _):
        for who, record in enumerate(records):
            client = Client(url, tokens[who])
            for draft in list(record.drafts):
                settle(client, record, draft, who)
            client.close()
    receipts = [receipt for one in records for receipt in one.receipts]
    assert not any(one.drafts for one in records)
    assert_nothing_lost(district, receipts)
    for who, record in enumerate(records):
        told = [one.name for one in record.receipts if one.element_id == own[who]]
        assert names_stored(district, own[who])[1:] == told, "an edit went through twice, or without a word"
    new = [one for one in receipts if one.element_id not in own]
    assert all(coded(district, f"JWZ{one.name.rpartition('之')[2]}") == 1 for one in new)
    return len(receipts), left


def test_receipts_outlive_a_killed_server_and_drafts_go_through_once(district: District) -> None:
    receipts, left = survive(district, kills=1)
    assert receipts > 4
    assert left > 0, "nothing was under way when the server was killed"


@pytest.mark.soak
def test_twenty_kills_lose_no_receipt(district: District, capsys: pytest.CaptureFixture[str]) -> None:
    receipts, left = survive(district, kills=20)
    with capsys.disabled():
        print(
            f"\n20 kills, {district.database.engine.dialect.name}: {receipts} receipts, {left} drafts sent again"
        )
    assert left >= 20
