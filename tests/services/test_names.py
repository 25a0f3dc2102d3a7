"""People read names where the store keeps accounts, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from gridmap.domain.roles import Role
from gridmap.errors import EditConflict
from gridmap.services import accounts, comparing, elements, merging, names
from gridmap.services.district import District
from gridmap.services.merging import MergeConflict
from gridmap.services.problems import problem
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, KEEPER, OFFICER_WEST, open_store


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    for username, name in (("officer1", "示例民警01"), ("keeper", "示例网格管理员"), ("twin", "示例民警01")):
        role = Role.GRID_KEEPER if username == "keeper" else Role.OFFICER
        accounts.add(made, ADMIN, username=username, display_name=name, role=role, area=["310199101"])
    accounts.set_rights(made, ADMIN, "twin", display_name="示例民警09")
    yield made
    made.close()


def test_an_account_is_called_by_its_name_and_any_other_word_stands_for_itself(district: District) -> None:
    assert names.of(district, ["officer1", None, "示例民警", "officer1"]) == {
        "officer1": "示例民警01",
        "示例民警": "示例民警",
    }
    assert (names.one(district, "keeper"), names.one(district, None)) == ("示例网格管理员", "")
    assert names.with_accounts(district, ["keeper", "gone"]) == {
        "keeper": "示例网格管理员(keeper)",
        "gone": "gone",
    }


def test_two_people_of_one_name_are_told_apart_by_their_accounts(district: District) -> None:
    accounts.set_rights(district, ADMIN, "twin", display_name="示例民警01")
    assert names.of(district, ["officer1", "keeper"]) == {
        "officer1": "示例民警01(officer1)",
        "keeper": "示例网格管理员",
    }


def test_names_cost_one_query_however_many_are_asked_for_and_none_for_nobody(district: District) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    engine = district.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        names.of(district, [None, ""])
        assert asked == []
        names.of(district, ["officer1", "keeper", "twin", *(f"gone{at}" for at in range(200))])
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len([one for one in asked if one.startswith("SELECT")]) == 1


def test_a_conflict_names_the_person_and_keeps_the_account_as_a_fact(district: District) -> None:
    [station] = elements.search(district, KEEPER, "JWZ01")
    elements.change(
        district, OFFICER_WEST, "workstation", station.id, base_revision=1, changes={"name": "南桥站"}
    )
    with pytest.raises(EditConflict) as stale:
        elements.change(
            district, KEEPER, "workstation", station.id, base_revision=1, changes={"name": "北站"}
        )
    with pytest.raises(MergeConflict) as contested:
        merging.save(district, KEEPER, "workstation", station.id, base_revision=1, changes={"name": "北站"})
    for one in (stale.value, contested.value):
        told = problem(one)
        assert "示例民警01" in told["detail"]
        assert "officer1" not in told["detail"]
        assert (told["updated_by"], told["updated_by_name"]) == ("officer1", "示例民警01")


def test_commits_are_found_by_name_or_account_and_the_ledger_keeps_the_account(district: District) -> None:
    [station] = elements.search(district, KEEPER, "JWZ01")
    elements.verify(district, OFFICER_WEST, "workstation", station.id, base_revision=1)
    for asked in ("officer1", "示例民警01", "民警01"):
        [line] = comparing.commits(district, KEEPER, actor=asked)
        assert line.actor == "officer1"
    assert comparing.commits(district, KEEPER, actor="示例民警09") == []
