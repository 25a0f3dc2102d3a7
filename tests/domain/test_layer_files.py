"""Layer files, and their faults told all together."""

from pathlib import Path

import pytest

from gridmap.domain.layer_files import CatalogueError, load_catalogue
from gridmap.domain.layers import GeometryType, OrderRule, Shape
from gridmap.domain.roles import Role
from gridmap.settings import DATA_FOLDER

MINIMAL = """
id = "lamp"
title = "路灯"
geometry = "Point"
symbol = { shape = "circle", color = "#ffcc00" }
"""


def load(folder: Path, text: str):
    (folder / "lamp.toml").write_text(text, encoding="utf-8")
    return load_catalogue([folder])


def test_a_deployment_adds_a_layer_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "lamp.toml").write_text(MINIMAL, encoding="utf-8")
    catalogue = load_catalogue([DATA_FOLDER / "layers", tmp_path])

    lamp = catalogue.layer("lamp")
    assert len(catalogue) == len(load_catalogue([DATA_FOLDER / "layers"])) + 1
    assert (lamp.title, lamp.geometry, lamp.symbol.shape) == ("路灯", GeometryType.POINT, Shape.CIRCLE)
    assert Role.OFFICER in lamp.editors
    assert Role.VIEWER not in lamp.editors


def field(text: str) -> str:
    return f'{MINIMAL}\n[[fields]]\nname = "power_w"\ntitle = "功率"\n{text}'


def dates(rule: str) -> str:
    fields = "".join(
        f'[[fields]]\nname = "{name}"\ntitle = "{name}"\ntype = "{type_}"\n'
        for name, type_ in (
            ("lit_on", "date"),
            ("out_on", "date"),
            ("seen_at", "datetime"),
            ("count", "integer"),
        )
    )
    return f"{MINIMAL}\n{fields}\n[[rules]]\n{rule}"


def test_a_layer_may_say_that_one_date_is_never_before_another(tmp_path: Path) -> None:
    lamp = load(tmp_path, dates('field = "out_on"\nnot_before = "lit_on"')).layer("lamp")
    assert lamp.rules == (OrderRule("out_on", not_before="lit_on"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (dates('field = "out_on"'), ["rules 1: not_before", "is required"]),
        (dates('field = "out"\nnot_before = "lit_on"'), ["rules 1: field", "date or datetime field", "'out'"]),
        (dates('field = "count"\nnot_before = "lit_on"'), ["rules 1: field", "date or datetime field"]),
        (dates('field = "seen_at"\nnot_before = "lit_on"'), ["rules 1: not_before", "the type of the other"]),
        (dates('field = "out_on"\nnot_before = "out_on"'), ["rules 1: not_before", "the field itself"]),
        (dates('field = "out_on"\nafter = "lit_on"'), ["rules 1: after", "not a known key"]),
        ("id = [", ["lamp.toml", "not a TOML file"]),
        (MINIMAL.replace('"Point"', '"Circle"'), ["lamp.toml: geometry", "must be one of", "Circle"]),
        (MINIMAL.replace("#ffcc00", "yellow"), ["symbol: color", "hex colour"]),
        (MINIMAL.replace('"circle"', '"dashed"'), ["symbol: shape", "marker shape"]),
        (MINIMAL.replace('id = "lamp"', 'id = "Lamp 1"'), ["id", "lower-case"]),
        (MINIMAL.replace('title = "路灯"', ""), ["title", "is required"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\ncolour = 1'), ["colour", "not a known key"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\nparent = "pole"'), ["parent", "no layer 'pole'"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\neditors = ["king"]'), ["editors", "king"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\neditors = "admin"'), ["editors", "must be an array"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\neditors = [["admin"]]'), ["editors", "is not a role"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\ncode_pattern = "("'), ["code_pattern", "regular"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\nmin_zoom = 9\nmax_zoom = 3'), ["min_zoom"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\nmin_zoom = "9"'), ["min_zoom", "a whole number"]),
        (MINIMAL.replace('title = "路灯"', 'title = "路灯"\ngrid = true'), ["grid", "MultiPolygon"]),
        (field('type = "watt"'), ["power_w: type", "watt"]),
        (field('type = "choice"'), ["power_w: choices", "at least one"]),
        (field('type = "choice"\nchoices = ["一", "一"]'), ["choices", "differ"]),
        (field('type = "choice"\nchoices = 3'), ["choices", "must be an array"]),
        (field('type = "choice"\nchoices = ["一"]\ndefault = ["一"]'), ["default", "does not fit"]),
        (field('type = "integer"\nminimum = 5\nmaximum = 1'), ["minimum", "above maximum"]),
        (field('type = "integer"\ndefault = "many"'), ["default", "does not fit"]),
        (field('type = "integer"\nrule = "firm"'), ["rule", "firm"]),
        (field('type = "text"').replace('"power_w"', '"code"'), ["code", "already"]),
        (field('type = "text"') + '\n[[fields]]\nname = "power_w"\ntitle = "二"\ntype = "text"', ["same name"]),
        (MINIMAL + "\n[[freshness]]\ndays = 0", ["freshness 1: days"]),
        (field('type = "text"').replace('symbol = ', 'symbol_by = "power_w"\nsymbol = ')
         + '\n[[symbols]]\nfield = "watt"\nvalue = "old"', ["symbols 1: field", "watt"]),
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
