"""Map figures: true to scale, a legend of exactly what was drawn, words in our own font."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from pyproj import Geod

from gridmap.domain.layer_files import load_catalogue
from gridmap.domain.layers import (
    Choice,
    Field,
    FieldType,
    GeometryType,
    Layer,
    Shape,
    Symbol,
    SymbolException,
    SymbolRule,
)
from gridmap.errors import InvalidInput
from gridmap.maps import fonts, painting
from gridmap.maps.figure import FigureSpec, Highlight, Picture, at_resolution, draw
from gridmap.maps.ground import ground_for, scale_bar
from gridmap.maps.painting import Drawn
from gridmap.settings import DATA_FOLDER

CATALOGUE = load_catalogue([DATA_FOLDER / "layers"])
BOX = (121.4, 30.9, 121.5, 30.97)
GEOD = Geod(ellps="WGS84")


def points(
    layer: str, places: list[tuple[float, float]], values: list[dict], names: list[str] | None = None
) -> Drawn:
    geometry = shapely.points(places) if places else np.array([], dtype=object)
    return Drawn(CATALOGUE.layer(layer), geometry, values, names or [])


def spec(*layers: Drawn, **changes) -> FigureSpec:
    return FigureSpec(BOX, layers, width_mm=180, height_mm=120, dpi=96, **changes)


@pytest.mark.parametrize("latitude", [0.0, 20.0, 31.0, 45.0, 53.0])
@pytest.mark.parametrize("width", [0.005, 0.1, 0.6])
def test_the_scale_bar_is_right_to_one_percent(latitude: float, width: float) -> None:
    box = (121.4, latitude - width / 3, 121.4 + width, latitude + width / 3)
    picture = draw(replace(spec(), box=box))
    left, right = picture.bar_px
    # what the bar covers on the map, measured on the ellipsoid from west to east in the middle
    middle = 121.4 + width / 2
    pixels_per_degree = picture.pixel(middle + 0.001, latitude)[0] - picture.pixel(middle, latitude)[0]
    degrees = (right - left) / (pixels_per_degree / 0.001)
    _, _, metres = GEOD.inv(middle, latitude, middle + degrees, latitude)
    assert metres == pytest.approx(picture.bar.length_m, rel=0.01)


def test_distances_north_to_south_are_right_to_one_percent_too() -> None:
    picture = draw(spec())
    (x0, y0), (x1, y1) = picture.pixel(121.45, 30.92), picture.pixel(121.45, 30.95)
    pixels = y0 - y1
    assert x0 == pytest.approx(x1)
    left, right = picture.bar_px
    metres = pixels * picture.bar.length_m / (right - left)
    assert metres == pytest.approx(GEOD.inv(121.45, 30.92, 121.45, 30.95)[2], rel=0.01)


def test_the_bar_on_the_paper_is_as_long_as_it_says() -> None:
    picture = draw(spec(title="比例尺"))
    row = np.asarray(picture.image.convert("L"))
    left, right = (round(one) for one in picture.bar_px)
    middle = row.shape[0] - round((0.5 + 4) * 96 / 25.4)
    line = row[middle]
    # dark, light, dark, light: it begins dark at the left end, and its frame ends at the right one
    assert line[left + 4] < 90
    dark = np.flatnonzero(line[left - 4 : right + 6] < 140) + left - 4
    assert abs(dark[0] - left) <= 2
    assert abs(dark[-1] - right) <= 2


def test_the_legend_lists_exactly_what_was_drawn() -> None:
    risks = points(
        "risk",
        [(121.45, 30.93), (121.46, 30.94), (121.9, 30.94)],
        [{"grade": "red"}, {"grade": "red"}, {"grade": "blue"}],
    )
    posts = points("workstation", [(121.44, 30.92)], [{}])
    far = points("service_point", [(122.5, 30.92)], [{}])
    picture = draw(spec(risks, posts, far))
    # the blue risk and the service point lie outside
    assert [one.title for one in picture.legend] == ["警务站", "风险点:红(重大)"]


def test_a_symbol_below_its_zoom_is_neither_drawn_nor_listed() -> None:
    homes = points("risk", [(121.45, 30.93)], [{"grade": "yellow"}])
    whole = draw(replace(spec(homes), box=(121.0, 30.6, 121.9, 31.2)))
    near = draw(replace(spec(homes), box=(121.44, 30.92, 121.46, 30.94)))
    assert whole.legend == ()
    assert [one.title for one in near.legend] == ["风险点:黄(一般)"]


def test_an_unfilled_area_around_the_view_is_not_listed() -> None:
    town = Drawn(CATALOGUE.layer("town"), np.array([shapely.box(120, 30, 123, 32)]), [{}])
    beside = Drawn(CATALOGUE.layer("town"), np.array([shapely.box(121.45, 30, 123, 32)]), [{}])
    assert draw(spec(town)).legend == ()
    assert [one.title for one in draw(spec(beside)).legend] == ["街镇"]


def color_at(picture: Picture, lon: float, lat: float) -> tuple[int, int, int]:
    x, y = picture.pixel(lon, lat)
    return picture.image.getpixel((round(x), round(y)))  # type: ignore[return-value]


def test_symbols_have_the_live_map_s_colours_at_their_places() -> None:
    post = points("workstation", [(121.47, 30.95)], [{}])
    picture = draw(at_resolution(spec(post), 192))
    x, y = picture.pixel(121.47, 30.95)
    around = np.asarray(picture.image)[round(y) - 12 : round(y) + 12, round(x) - 12 : round(x) + 12].reshape(
        -1, 3
    )
    assert (around == (0x1F, 0x4E, 0x9D)).all(axis=1).sum() > 60
    assert color_at(draw(spec()), 121.47, 30.95) != (0x1F, 0x4E, 0x9D)


def test_a_hole_in_an_area_stays_open() -> None:
    solid = Symbol(Shape.SOLID, "#c62828", size=1, fill_opacity=1.0)
    ring = shapely.Polygon(
        shapely.box(121.42, 30.91, 121.48, 30.96).exterior,
        [shapely.box(121.44, 30.93, 121.46, 30.94).exterior],
    )
    picture = draw(spec(highlights=(Highlight(np.array([ring]), solid, "环"),)))
    assert color_at(picture, 121.43, 30.92) == (198, 40, 40)
    assert color_at(picture, 121.45, 30.935) != (198, 40, 40)


def test_what_is_made_up_is_marked() -> None:
    plain = np.asarray(draw(spec(footer="数据时间")).image)
    marked = np.asarray(draw(spec(footer="数据时间", is_simulated=True)).image)
    red = (0xB3, 0x26, 0x1E)
    assert not (plain == red).all(axis=2).any()
    assert (marked == red).all(axis=2).any()


def test_the_watermark_reaches_over_the_map() -> None:
    plain, marked = (
        np.asarray(draw(spec()).image, dtype=int),
        np.asarray(draw(spec(watermark="某人")).image, dtype=int),
    )
    changed = np.argwhere(np.abs(plain - marked).sum(axis=2) > 0)
    assert len(changed) > 200
    assert np.ptp(changed[:, 0]) > plain.shape[0] / 2


def test_a_wide_ground_has_its_legend_below() -> None:
    many = points("workstation", [(121.44, 30.92)], [{}])
    wide = draw(replace(spec(many), box=(121.4, 30.9, 121.8, 30.95), height_mm=160))
    assert wide.frame_px[2] == pytest.approx(179 * 96 / 25.4, rel=0.01)
    assert wide.frame_px[3] < 135 * 96 / 25.4


def test_names_never_stand_upon_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(121.45 + 0.0004 * n, 30.935) for n in range(12)]
    crowd = points("workstation", places, [{}] * 12, [f"示范警务站{n:02}" for n in range(12)])
    names: list[shapely.Polygon] = []
    hits: list[tuple[float, float, float, float]] = []
    write = painting.write

    def watching(canvas: painting.Canvas, *arguments: Any, **options: Any) -> bool:
        before = list(canvas.taken)
        is_written = write(canvas, *arguments, **options)
        if is_written:
            name = shapely.box(*canvas.taken[-1])
            names.append(name)
            hits.extend(one for one in before if name.intersection(shapely.box(*one)).area > 0)
        return is_written

    monkeypatch.setattr(painting, "write", watching)
    draw(replace(spec(crowd), box=(121.44, 30.93, 121.46, 30.94), always_named=frozenset({"workstation"})))
    assert len(names) > 1
    # neither on another name nor on a mark
    assert hits == []


def test_a_box_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput):
        draw(replace(spec(), box=(121.5, 30.9, 121.4, 30.97)))


def test_the_same_figure_is_drawn_twice_alike() -> None:
    post = points("workstation", [(121.47, 30.95)], [{}])
    assert draw(spec(post)).png() == draw(spec(post)).png()


def test_a_png_knows_its_resolution() -> None:
    image = Image.open(io.BytesIO(draw(spec()).png()))
    assert image.info["dpi"] == pytest.approx((96, 96), abs=0.1)


def test_the_bar_takes_round_lengths() -> None:
    for width in (0.003, 0.02, 0.4, 2.0):
        bar = scale_bar(ground_for((121.4, 31, 121.4 + width, 31 + width / 2), 7, 4))
        assert str(int(bar.length_m)).rstrip("0") in {"1", "2", "5"}


def test_every_choice_and_title_of_the_catalogue_can_be_printed() -> None:
    words = [layer.title for layer in CATALOGUE]
    words += [one.title for layer in CATALOGUE for field in layer.fields for one in field.choices]
    for text in words:
        for is_bold in (False, True):
            assert fonts.printable(text, is_bold=is_bold) == text
    assert fonts.printable("好\U0001f600\n坏") == f"好{fonts.MISSING} 坏"


def test_a_subset_holds_the_characters_and_little_else() -> None:
    from fontTools.ttLib import TTFont

    content = fonts.subset("警务网格123")
    found = TTFont(io.BytesIO(content)).getBestCmap()
    assert set(map(ord, "警务网格123")) <= set(found)
    assert len(content) < 20_000


def test_a_layer_may_vary_its_lines() -> None:
    layer = Layer(
        "pipe", "管线", "设施", GeometryType.LINE, (), Symbol(Shape.SOLID, "#112233", 3),
        symbol_rule=SymbolRule("kind", {"double": Symbol(Shape.DOUBLE, "#aa0000", 4, title="双线"),
                                        "dash": Symbol(Shape.DASHED, "#00aa00", 2, title="虚线")}),
    )  # fmt: skip
    lines = np.array(
        [shapely.LineString([(121.41, 30.91 + n / 100), (121.49, 30.91 + n / 100)]) for n in range(3)]
    )
    picture = draw(spec(Drawn(layer, lines, [{"kind": "double"}, {"kind": "dash"}, {}])))
    assert {one.title for one in picture.legend} == {"管线", "管线:双线", "管线:虚线"}


def test_an_exception_has_a_line_of_its_own_in_the_legend() -> None:
    state = Field("state", "状态", FieldType.CHOICE, choices=(Choice("old", "停用"),))
    layer = Layer(
        "pipe", "管线", "设施", GeometryType.LINE, (state,), Symbol(Shape.SOLID, "#112233", 3),
        symbol_rule=SymbolRule(
            "kind", {"dash": Symbol(Shape.DASHED, "#00aa00", 2, title="虚线")},
            (SymbolException("state", "old", Symbol(Shape.DOTTED, "#888888", 1)),),
        ),
    )  # fmt: skip
    lines = np.array([shapely.LineString([(121.41, 30.92), (121.49, 30.92)])] * 2)
    picture = draw(spec(Drawn(layer, lines, [{"kind": "dash"}, {"kind": "dash", "state": "old"}])))
    assert {one.title for one in picture.legend} == {"管线:虚线", "管线:停用"}
