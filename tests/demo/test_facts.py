"""The facts that the demo district starts from."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from gridmap.demo.facts import FACTS_FOLDER, FactsError, read_facts


def test_there_are_twelve_towns_and_352_committees() -> None:
    facts = read_facts()
    assert len(facts.towns) == 12
    assert Counter(one.kind for one in facts.committees) == {"居委会": 177, "村委会": 175}
    assert facts.residents == 1_140_872


def test_a_committee_is_of_the_kind_its_name_ends_with() -> None:
    assert all(one.name.endswith(one.kind) for one in read_facts().committees)


def test_codes_are_unique_text_of_twelve_digits_within_a_town() -> None:
    facts = read_facts()
    codes = [one.code for one in facts.committees]
    assert len(set(codes)) == 352
    assert all(len(code) == 12 and code.isdigit() for code in codes)
    assert {one.town_code for one in facts.committees} == {town.code for town in facts.towns}


def test_towns_add_up_to_the_known_area() -> None:
    facts = read_facts()
    assert sum(town.area_km2 for town in facts.towns) == pytest.approx(805.36, abs=0.05)
    assert all(town.land_km2 <= town.area_km2 for town in facts.towns)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match="missing"):
        read_facts(tmp_path)


def test_a_committee_of_an_unknown_town_is_refused(tmp_path: Path) -> None:
    shutil.copytree(FACTS_FOLDER, tmp_path / "facts")
    with (tmp_path / "facts" / "committees.txt").open("a", encoding="utf-8") as file:
        file.write("310120999001 无名居委会\n")
    with pytest.raises(FactsError, match="310120999"):
        read_facts(tmp_path / "facts")
