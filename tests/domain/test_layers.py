"""The built-in layers, and what a layer says of its elements."""

import pytest

from gridmap.domain.layer_files import load_catalogue
from gridmap.errors import NotFound
from gridmap.settings import DATA_FOLDER

BUILT_IN = {
    "district", "town", "committee", "police_station", "police_beat", "police_grid", "governance_grid",
    "micro_grid", "workstation", "police_office", "safe_house", "service_point", "premises",
    "residential_area", "care_point", "incident", "risk", "road", "barrier", "crossing",
}  # fmt: skip


def test_the_built_in_layers_are_all_there() -> None:
    assert set(load_catalogue([DATA_FOLDER / "layers"]).layers) == BUILT_IN


def test_every_built_in_title_and_field_title_is_chinese() -> None:
    for layer in load_catalogue([DATA_FOLDER / "layers"]):
        for title in (layer.title, *(one.title for one in layer.fields)):
            assert any("\u4e00" <= character <= "\u9fff" for character in title), (layer.id, title)


def test_risk_grades_differ_in_shape_as_well_as_colour() -> None:
    symbols = load_catalogue([DATA_FOLDER / "layers"]).layer("risk").symbol_rule.symbols.values()
    assert len({one.shape for one in symbols}) == len({one.color for one in symbols}) == 4


def test_a_closed_risk_looks_closed_whatever_its_grade() -> None:
    risk = load_catalogue([DATA_FOLDER / "layers"]).layer("risk")
    closed = {id(risk.symbol_for({"grade": grade, "state": "closed"})) for grade in ("red", "blue", None)}
    assert len(closed) == 1
    assert risk.symbol_for({"grade": "red", "state": "handling"}) is risk.symbol_rule.symbols["red"]
    assert risk.symbol_for({"grade": "unheard of", "state": "handling"}) is risk.symbol
    assert risk.symbol_rule.fields == ("grade", "state")


def test_an_unknown_layer_is_not_found_and_says_which_there_are() -> None:
    with pytest.raises(NotFound, match="workstation"):
        load_catalogue([DATA_FOLDER / "layers"]).layer("work_station")


def test_the_first_fitting_freshness_rule_decides() -> None:
    premises = load_catalogue([DATA_FOLDER / "layers"]).layer("premises")
    assert premises.days_until_due({"category": "危化品", "grade": "一级"}) == 7
    assert premises.days_until_due({"category": "旅馆业", "grade": "一级"}) == 30
    assert premises.days_until_due({"category": "旅馆业"}) == 180


def test_a_layer_without_freshness_rules_is_never_due() -> None:
    assert load_catalogue([DATA_FOLDER / "layers"]).layer("road").days_until_due({}) is None
