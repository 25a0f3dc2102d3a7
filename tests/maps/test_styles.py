"""Symbols have one source: every shape of the catalogue can be drawn, and sizes follow the zoom without jumps."""

from __future__ import annotations

import json
import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridmap.domain.layer_files import load_catalogue
from gridmap.domain.layers import Catalogue, Shape
from gridmap.maps import styles
from gridmap.settings import DATA_FOLDER

LINES = {Shape.SOLID, Shape.DASHED, Shape.DOTTED, Shape.DOUBLE}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue([DATA_FOLDER / "layers"])


def test_every_shape_has_an_outline_or_a_dash() -> None:
    assert set(styles.OUTLINES) == set(Shape) - LINES
    assert set(styles.DASHES) == LINES


@pytest.mark.parametrize("shape", styles.OUTLINES, ids=lambda one: one.value)
def test_an_outline_is_a_simple_figure_that_fills_its_square(shape: Shape) -> None:
    figure = shapely.Polygon(styles.OUTLINES[shape])
    assert figure.is_valid
    assert figure.contains(shapely.Point(0, 0))
    west, south, east, north = figure.bounds
    assert max(-west, -south, east, north) <= 1.12
    assert min(east - west, north - south) > 1.5
    if shape in styles.INSETS:
        assert figure.buffer(1e-9).covers(shapely.Polygon(styles.INSETS[shape]))


def test_no_two_outlines_look_alike() -> None:
    figures = {shape: shapely.Polygon(ring) for shape, ring in styles.OUTLINES.items()}
    for first, one in figures.items():
        for second, other in figures.items():
            if first is not second:
                alike = one.intersection(other).area / one.union(other).area
                assert alike < 0.93, (first, second)


def test_no_two_visible_cases_share_shape_and_colour(catalogue: Catalogue) -> None:
    seen: dict[tuple[str, str], str] = {}
    for layer in catalogue:
        if layer.geometry.value != "Point":
            continue
        rule = layer.symbol_rule
        for symbol in rule.symbols.values() if rule else [layer.symbol]:
            look = (symbol.shape.value, symbol.color)
            assert look not in seen, f"{layer.id} looks like {seen.get(look)}"
            seen[look] = layer.id


def test_the_layers_style_is_what_the_catalogue_says(catalogue: Catalogue) -> None:
    style = styles.layer_style(catalogue.layer("risk"))
    assert style["symbol_by"] == "grade"
    assert style["symbols"]["red"] == styles.symbol_style(catalogue.layer("risk").symbol_rule.symbols["red"])
    assert styles.layer_style(catalogue.layer("workstation"))["symbols"] == {}


def test_the_map_style_is_plain_json_and_names_every_shape() -> None:
    style = json.loads(json.dumps(styles.map_style()))
    assert set(style["outlines"]) | set(style["dashes"]) == {shape.value for shape in Shape}


STOPS = [styles.MARKER_SCALE, styles.BASE_LINE_SCALE, styles.BORDER_SCALE, styles.BASE_LINE_OPACITY]


@pytest.mark.parametrize("stops", STOPS)
def test_a_scale_holds_outside_its_stops_and_meets_them(stops: styles.Stops) -> None:
    for zoom, factor in stops:
        assert math.isclose(styles.scaled(stops, zoom), factor)
    assert styles.scaled(stops, -5) == stops[0][1]
    assert styles.scaled(stops, 99) == stops[-1][1]


@given(st.floats(0, 24), st.floats(0, 0.01), st.sampled_from(STOPS))
def test_a_scale_never_jumps_nor_shrinks(zoom: float, step: float, stops: styles.Stops) -> None:
    first, second = styles.scaled(stops, zoom), styles.scaled(stops, zoom + step)
    assert -1e-12 <= second - first <= 2 * step + 1e-9
