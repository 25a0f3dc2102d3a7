"""Many editors at once over HTTP: no accepted edit is lost, one of those who met wins, and how fast it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridmap.services import elements
from gridmap.services.district import District
from tests.api.serving import serving_process
from tests.soak.editors import (
    LAYER,
    Client,
    Receipt,
    Record,
    assert_nothing_lost,
    edit_until,
    figures,
    people,
    stations,
    together,
)
from tests.support.district import ADMIN, make_district, seed


@pytest.fixture
def district(database_url: str, tmp_path: Path) -> Iterator[District]:
    made = make_district(database_url, tmp_path, lambda: datetime.now(UTC))
    seed(made)
    yield made
    made.close()


def edited(
    district: District, *, editors: int, seconds: float, elements_each: float = 0.5
) -> dict[str, float]:
    """The figures of so many editors over half as many elements; fails where anything was lost."""
    tokens = people(district, editors)
    shared = [one.id for one in stations(district, max(2, int(editors * elements_each)))]
    records = [Record() for _ in tokens]
    with serving_process(district) as (url, _):
        begun = time.monotonic()
        deadline = begun + seconds
        together(
            [
                lambda who=who: edit_until(deadline, Client(url, tokens[who]), records[who], shared, who)  # type: ignore[misc]
                for who in range(editors)
            ]
        )
        took = time.monotonic() - begun
    statuses = {status for one in records for status in one.answers}
    assert statuses <= {200, 412}, f"something else went wrong: {statuses}"
    receipts = [receipt for one in records for receipt in one.receipts]
    assert_nothing_lost(district, receipts)
    # what is in the store is what was received, and nothing besides
    written = sum(len(elements.history(district, ADMIN, LAYER, one)) - 1 for one in shared)
    assert written == len(receipts)
    return figures(records, took)


def test_eight_editors_lose_nothing(district: District) -> None:
    found = edited(district, editors=8, seconds=5)
    assert found["stored"] > 0
    assert found["conflicts"] > 0, "they never met"


@pytest.mark.parametrize("name", ["站之一", "站之二"])
def test_a_lost_edit_and_two_winners_would_be_seen(gpkg_url: str, tmp_path: Path, name: str) -> None:
    """A planted fault: a receipt for something that was never stored, or one revision given out twice."""
    made = make_district(gpkg_url, tmp_path, lambda: datetime.now(UTC))
    [one] = stations(made, 1)
    elements.change(made, ADMIN, LAYER, one.id, base_revision=1, changes={"name": "站之一"})
    told = [Receipt(one.id, 2, "站之一"), *([] if name == "站之一" else [Receipt(one.id, 2, name)])]
    if name == "站之一":
        assert_nothing_lost(made, told)
        told = [Receipt(one.id, 2, "站之三")]
    with pytest.raises(AssertionError):
        assert_nothing_lost(made, told)
    made.close()


@pytest.mark.soak
def test_fifty_editors_lose_nothing_in_two_minutes(
    district: District, capsys: pytest.CaptureFixture[str]
) -> None:
    found = edited(district, editors=50, seconds=120)
    with capsys.disabled():
        words = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
        print(f"\n50 editors, 120 s, {district.database.engine.dialect.name}: {words}")
    assert found["stored"] > 50
