"""The layer catalogue and its faults."""

from pathlib import Path

import pytest

from gridmap.domain.layers import CatalogueError, GeometryType, Shape, load_catalogue
from gridmap.domain.roles import Role
from gridmap.errors import NotFound
from gridmap.settings import DATA_FOLDER

BUILT_IN = {
    "district", "town", "committee", "police_station", "police_beat", "police_grid", "governance_grid",
    "micro_grid", "workstation", "police_office", "safe_house", "service_point", "premises",
    "residential_area", "care_point", "incident", "risk", "road", "barrier", "crossing",
}  # fmt: skip

MINIMAL = """
id = "lamp"
title = "路灯"
geometry = "Point"
symbol = { shape = "circle", color = "#ffcc00" }
"""


def load(folder: Path, text: str):
    (folder / "lamp.toml").write_text(text, encoding="utf-8")
    return load_catalogue([folder])


def test_the_built_in_layers_are_all_there() -> None:
    assert set(load_catalogue([DATA_FOLDER / "layers"]).layers) == BUILT_IN


def test_every_built_in_title_and_field_title_is_chinese() -> None:
    for layer in load_catalogue([DATA_FOLDER / "layers"]):
        for title in (layer.title, *(one.title for one in layer.fields)):
            assert any("\u4e00" <= character <= "\u9fff" for character in title), (layer.id, title)


def test_risk_grades_differ_in_shape_as_well_as_colour() -> None:
    symbols = load_catalogue([DATA_FOLDER / "layers"]).layer("risk").symbol_rule.symbols.values()
    assert len({one.shape for one in symbols}) == len({one.color for one in symbols}) == 4


def test_a_deployment_adds_a_layer_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "lamp.toml").write_text(MINIMAL, encoding="utf-8")
    catalogue = load_catalogue([DATA_FOLDER / "layers", tmp_path])

    lamp = catalogue.layer("lamp")
    assert len(catalogue) == len(BUILT_IN) + 1
    assert (lamp.title, lamp.geometry, lamp.symbol.shape) == ("路灯", GeometryType.POINT, Shape.CIRCLE)
    assert Role.OFFICER in lamp.editors
    assert Role.VIEWER not in lamp.editors


def field(text: str) -> str:
    return f'{MINIMAL}\n[[fields]]\nname = "power_w"\ntitle = "功率"\n{text}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id = [", ["lamp.toml", "not a TOML file"]),
        (MINIMAL.replace('"Point"', '"Circle"'), ["lamp.toml: geometry", "must be one of", "Circle"]),
        (MINIMAL.replace("#ffcc00", "yellow"), ["symbol: color", "hex colour"]),
        (MINIMAL.replace('"circle"', '"dashed"'), ["symbol: shape", "marker shape"]),
        (MINIMAL.replace('id = "lamp"', 'id = "Lamp 1"'), ["id", "lower-case"]),
        (MINIMAL.replace('title = "路灯"', ""), ["title", "is required"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\ncolour = 1'), ["colour", "not a known key"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\nparent = "pole"'), ["parent", "no layer 'pole'"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\neditors = ["king"]'), ["editors", "king"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\ncode_pattern = "("'), ["code_pattern", "regular"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\nmin_zoom = 9\nmax_zoom = 3'), ["min_zoom"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\nmin_zoom = "9"'), ["min_zoom", "a whole number"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\ngrid = true'), ["grid", "MultiPolygon"]),
        (field('type = "watt"'), ["power_w: type", "watt"]),
        (field('type = "choice"'), ["power_w: choices", "at least one"]),
        (field('type = "choice"\nchoices = ["一", "一"]'), ["choices", "differ"]),
        (field('type = "integer"\nminimum = 5\nmaximum = 1'), ["minimum", "above maximum"]),
        (field('type = "integer"\ndefault = "many"'), ["default", "does not fit"]),
        (field('type = "integer"\nrule = "firm"'), ["rule", "firm"]),
        (field('type = "text"').replace('"power_w"', '"code"'), ["code", "already"]),
        (field('type = "text"') + '\n[[fields]]\nname = "power_w"\ntitle = "二"\ntype = "text"', ["same name"]),
        (MINIMAL + "\n[[freshness]]\ndays = 0", ["freshness 1: days"]),
    ],
)  # fmt: skip
def test_a_fault_names_file_key_and_rule(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, text)
    assert all(word in "\n".join(caught.value.faults) for word in words), caught.value.faults


def test_all_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL.replace("#ffcc00", "yellow"), encoding="utf-8")
    (tmp_path / "b.toml").write_text(MINIMAL.replace('"circle"', '"heart"'), encoding="utf-8")

    with pytest.raises(CatalogueError) as caught:
        load_catalogue([tmp_path])
    text = "\n".join(caught.value.faults)
    assert "a.toml" in text
    assert "b.toml" in text
    assert "taken by" in text


def test_an_empty_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no layer file"):
        load_catalogue([tmp_path])


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
