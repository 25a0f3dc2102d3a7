"""总览: the service's figures as tiles, shades that say where it is worst, a card for the area that was clicked."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from gridmap.domain.layer_files import load_catalogue
from gridmap.services import cards, figures, overview
from gridmap.services.district import District
from gridmap.settings import DATA_FOLDER
from gridmap.ui import overview_board, overview_card, scenes, widgets
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, VIEWER, make_district
from tests.support.leaders import populated
from tests.ui.conftest import Visit, fine, texts


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("overview")
    made = populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


def scene_of(page: AppTest) -> dict[str, Any]:
    """What the map is told."""
    [found] = re.findall(r'data-scene="([^"]*)"', texts(page))
    return json.loads(html.unescape(found))


def say(monkeypatch: pytest.MonkeyPatch, **fact: str) -> None:
    """Let the map say this from now on, as its component keeps its last value."""
    monkeypatch.setattr(scenes, "st_folium", lambda *_, **__: fact)


def test_every_figure_of_the_service_is_a_tile_with_its_change(visit: Visit, store: District) -> None:
    shown = texts(visit.sign_in("admin").page("overview"))
    whole = overview.overview(store, ADMIN)
    for one in whole.figures:
        assert f'data-figure="{one.key}"' in shown
        assert f"<span>{one.title}</span><b>{one.text}" in shown
    changed = [one for one in whole.figures if one.change and one.key != "open_risks"]
    assert changed
    # what happened is compared with the whole month before, what stands with its end
    words = {one.key: "较上月末" if one.key != "new_risks" else "较上月" for one in changed}
    assert "new_risks" in words
    assert all(f"{one.change_text}<i> {words[one.key]}</i>" in shown for one in changed)
    assert whole.stamp.text in shown


def test_small_counts_stay_hidden_from_a_viewer(visit: Visit, store: District) -> None:
    shown = texts(visit.sign_in("viewer").page("overview"))
    whole = overview.overview(store, VIEWER)
    hidden = [one for one in whole.figures if one.is_hidden]
    assert hidden
    for one in hidden:
        assert f"<span>{one.title}</span><b>*</b>" in shown
    assert "小于 5 的数量及可据以推算的数字已隐去" in shown


def test_the_worst_area_is_darkest_whichever_way_the_figure_counts(visit: Visit, store: District) -> None:
    whole = overview.overview(store, ADMIN)
    page = visit.sign_in("admin").page("overview")
    for key in ("covered_share", "gap_people"):
        [column] = [one for one in figures.COLUMNS if one.key == key]
        page = fine(page.selectbox(key="overview.column").set_value(column).run())
        scene = scene_of(page)
        worst = whole.towns.ordered(key)[0]
        shade = {one["code"]: one["color"] for one in scene["areas"]}
        assert shade[worst.code] == overview_board.SHADES[-1]
        assert len(set(shade.values())) == 2
        assert {one["color"] for one in scene["legend"]} == set(shade.values())
        assert scene["meaning"] == "颜色越深越需关注"


def test_what_is_hidden_has_no_shade_and_no_number(visit: Visit, store: District) -> None:
    [column] = [one for one in figures.COLUMNS if one.key == "open_risks"]
    page = visit.sign_in("viewer").page("overview")
    page = fine(page.selectbox(key="overview.column").set_value(column).run())
    hidden = {one.code for one in overview.overview(store, VIEWER).towns.rows if "open_risks" in one.hidden}
    assert hidden
    for one in scene_of(page)["areas"]:
        if one["code"] in hidden:
            assert (one["text"], one["color"]) == ("*", "")


def test_a_click_on_the_map_opens_the_card_once(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    visit.sign_in("officer")
    say(monkeypatch, kind="area", layer="town", code="310199101", n="1")
    page = visit.page("overview")
    assert '<h2 class="gm-card-name" tabindex="0">西镇</h2>' in texts(page)
    assert scene_of(page)["chosen"] == {"layer": "town", "code": "310199101"}
    page = fine(page.button(key="overview.back").click().run())
    assert '<h2 class="gm-card-name" tabindex="0">' not in texts(page)
    assert "街镇排名" in texts(page)


def test_an_area_that_is_gone_is_told(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, kind="area", layer="town", code="999", n="1")
    page = visit.sign_in("officer").page("overview")
    assert "没有编码为“999”的街镇" in page.warning[0].value


def test_names_from_data_stay_text(store: District) -> None:
    card = cards.card(store, ADMIN, "town", "310199101")
    assert card.posts
    posts = tuple(replace(one, name="<script>站</script>") for one in card.posts)
    shown = overview_card.card_html(replace(card, name="<img src=x>", posts=posts))
    assert "<img" not in shown
    assert "<script" not in shown
    assert "&lt;img src=x&gt;" in shown


def test_an_empty_district_says_what_to_do(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("empty")
    empty = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    visit.sign_in("viewer")
    monkeypatch.setattr(overview_board.districts, "running", lambda: empty)
    monkeypatch.setattr("gridmap.ui.gate.require", lambda *_: VIEWER)
    assert "还没有街镇或网格" in texts(visit.page("overview"))
    empty.close()


def test_white_words_can_be_read_on_every_grade() -> None:
    def luminance(color: str) -> float:
        channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    layer = load_catalogue([DATA_FOLDER / "layers"]).layer("risk")
    assert layer.symbol_rule is not None
    for one in layer.symbol_rule.symbols.values():
        assert 1.05 / (luminance(widgets.deep(one.color)) + 0.05) >= 4.5, one.color


def test_a_station_that_was_clicked_shows_its_card(
    visit: Visit, store: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit.sign_in("admin").page("overview")
    found = cards.post_card(store, ADMIN, cards.post_ids(store, ADMIN)[0][0])
    say(monkeypatch, kind="area", layer="workstation", code=found.place.element_id, n="1")
    shown = texts(fine(page.run()))
    assert f'tabindex="0">{found.place.name}</h2>' in shown
    for one in found.figures:
        assert f"<span>{one.title}</span><b>{one.text}" in shown
    assert f"直线 {found.nearest_m:,.0f} 米" in shown
    assert scene_of(page)["chosen"] == {"layer": "workstation", "code": found.place.element_id}


def test_text_of_a_station_is_never_markup(store: District) -> None:
    found = cards.post_card(store, ADMIN, cards.post_ids(store, ADMIN)[0][0])
    found = replace(found, facts=(("<b>", "<script>"),), place=replace(found.place, name="<i>站</i>"))
    shown = overview_card.post_html(found)
    assert "<script>" not in shown
    assert "<i>站" not in shown
    assert "没有其他警务站" in overview_card.post_html(replace(found, nearest=None, nearest_m=None))
