"""The single HTML file of a pack opens from a stick: map, layers and popups, with no network at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from gridmap.settings import PROJECT_ROOT

# In a process of its own, since localising changes folium's classes for good.
MAKE_PACK = """
import shapely
from pathlib import Path
from gridmap.services.packs import making
from gridmap.services.packs.requests import parse_request
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, element, put
from tests.support.leaders import populated
home = Path.cwd()
district = populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
put(district, element("workstation", "JWZ66", "<img src=x onerror=alert(1)>", shapely.Point(121.55, 30.955),
                      opening_hours="24h", officer_count=1))
request = parse_request({"formats": ["html"], "atlas": "town"})
making.make(district, ADMIN, request, home / "pack")
"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("pack")
    subprocess.run(
        [sys.executable, "-c", MAKE_PACK], cwd=home, check=True, env={"PYTHONPATH": str(PROJECT_ROOT)}
    )
    return home / "pack" / "pack.html"


def test_the_page_works_with_no_network_and_asks_nobody(
    new_context: Callable[..., BrowserContext], pack: Path, watch
) -> None:
    context = new_context(offline=True)
    page = context.new_page()
    page.goto(pack.as_uri())
    marks = page.locator(".leaflet-marker-icon.gm")
    expect(marks.first).to_be_visible()
    # one request: the file itself
    asked = [one for one in watch.requests if not one.startswith(("data:", "blob:"))]
    assert [one.rsplit("/", 1)[-1] for one in asked] == ["pack.html"]

    panel = page.locator("#panel")
    expect(panel.get_by_text("模拟数据", exact=True)).to_be_visible()
    expect(panel.locator(".tiles").first).to_contain_text("3,700人")
    # our own font, not one of the machine
    family = page.evaluate("getComputedStyle(document.querySelector('#panel')).fontFamily")
    assert family.startswith("GridmapSans") or family.startswith('"GridmapSans')
    assert page.evaluate("document.fonts.check('16px GridmapSans', '警务网格')")

    before = marks.count()
    page.locator(".leaflet-control-layers").hover()
    page.locator(".leaflet-control-layers label").filter(has_text="警务站").locator("input").uncheck()
    expect(marks).to_have_count(before - 7)
    page.locator(".leaflet-control-layers label").filter(has_text="警务站").locator("input").check()
    expect(marks).to_have_count(before)

    page.get_by_text("东镇", exact=True).last.click()
    expect(page.locator("details[open]")).to_contain_text("人口")


def test_text_from_data_stays_text(new_context: Callable[..., BrowserContext], pack: Path) -> None:
    page = new_context(offline=True).new_page()
    page.goto(pack.as_uri())
    expect(page.locator(".leaflet-marker-icon.gm").first).to_be_visible()
    page.evaluate("""() => {
        for (const layer of Object.values(map_gridmap_offline._layers)) {
            const words = layer.feature && layer.feature.properties.words;
            if (words && words.includes("JWZ66")) layer.fire("click", {latlng: layer.getLatLng()}, true);
        }
    }""")
    popup = page.locator(".leaflet-popup-content")
    expect(popup).to_contain_text("<img src=x onerror=alert(1)>")
    assert popup.locator("img").count() == 0
