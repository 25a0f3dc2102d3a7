"""What the map page shows: layers and legend, search, grids, details, history, and how it looks."""

from __future__ import annotations

import json
import re

import pytest
import shapely
from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page, expect

from gridmap.domain.crs import wgs84_to_gcj02
from gridmap.domain.elements import Element
from gridmap.services import elements
from tests.browser.checks import assert_looks_right, axe_violations
from tests.support.district import ADMIN, KEEPER, element, put
from tests.support.live import FRAME, Live, OpenMap, map_frame
from tests.support.mapping import click_map, edit_fields, find, numbers, stored


def inside(page: Page):
    """The map's own frame, for questions that only its scripts can answer."""
    return next(one for one in page.frames if "streamlit_folium" in one.url)


def drawn(page: Page, app: FrameLocator) -> None:
    """Wait until all tiles in view are there and painted."""
    app.locator('body[data-tiles="loaded"]').wait_for()
    page.wait_for_timeout(300)


def view(page: Page) -> tuple[int, float, float]:
    return tuple(
        inside(page).evaluate(
            "[Gridmap.app.map.getZoom(), Gridmap.app.map.getCenter().lat, Gridmap.app.map.getCenter().lng]"
        )
    )


def go(page: Page, app: FrameLocator, lat: float, lon: float, zoom: int) -> None:
    inside(page).evaluate(f"Gridmap.app.map.setView([{lat}, {lon}], {zoom}, {{animate: false}})")
    drawn(page, app)


def colour_at(page: Page, lat: float, lon: float) -> list[int]:
    """The painted colour at a place, from the tile canvases."""
    return inside(page).evaluate(
        """([lat, lon]) => {
          const p = Gridmap.app.map.latLngToContainerPoint([lat, lon]);
          const box = Gridmap.app.map.getContainer().getBoundingClientRect();
          for (const canvas of document.querySelectorAll(".gm-vector canvas.leaflet-tile")) {
            const r = canvas.getBoundingClientRect();
            const [x, y] = [box.x + p.x - r.x, box.y + p.y - r.y];
            if (x < 0 || y < 0 || x >= r.width || y >= r.height) continue;
            const scale = canvas.width / r.width;
            return [...canvas.getContext("2d").getImageData(Math.round(x * scale), Math.round(y * scale), 1, 1).data];
          }
          return [0, 0, 0, 0];
        }""",
        [lat, lon],
    )


# --- drawing and layers ------------------------------------------------------------------------------------


def test_the_map_opens_on_the_district_with_roads_and_symbols(open_as: OpenMap) -> None:
    page, app = open_as("officer2", fresh=True)
    drawn(page, app)
    zoom, lat, lon = view(page)
    assert zoom >= 11
    assert abs(lat - 30.95) < 0.05
    assert abs(lon - 121.5) < 0.1
    assert colour_at(page, 30.985, 121.42)[3] == 255, "the district's ground is painted"
    red, _, blue, _ = colour_at(page, 30.92, 121.49)
    assert red > blue + 60, "the main road is there in its colour"
    # left of the star in its middle
    blue_marker = colour_at(page, 30.93, 121.58 - 4.5 * 360 / (256 * 2**zoom))
    assert blue_marker[2] > blue_marker[0] + 40, "the workstation's shield is there in its colour"


def test_switching_a_layer_off_and_on_asks_the_server_for_nothing(open_as: OpenMap) -> None:
    page, app = open_as("officer2", fresh=True)
    drawn(page, app)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/ogc/tiles/" in request.url else None)
    box = app.locator('input[data-layer="workstation"]')
    place = (30.93 + 0.0005, 121.58)
    with_marker = colour_at(page, *place)
    box.uncheck()
    page.wait_for_timeout(400)
    without = colour_at(page, *place)
    box.check()
    page.wait_for_timeout(400)
    assert without != with_marker
    assert colour_at(page, *place) == with_marker
    assert asked == []


def test_a_layer_out_of_its_scale_range_says_so(open_as: OpenMap) -> None:
    page, app = open_as("officer2")
    go(page, app, 30.95, 121.5, 11)
    row = app.locator(".gm-layer", has_text="场所行业")
    expect(row).to_contain_text("放大后显示")
    go(page, app, 30.95, 121.5, 17)
    expect(row).not_to_contain_text("放大后显示")


def test_layers_are_listed_by_group_with_counts_and_a_legend_of_cases(open_as: OpenMap) -> None:
    _, app = open_as("officer2", fresh=True)
    expect(app.locator(".gm-group")).to_contain_text(["行政区划", "警务网格"])
    expect(app.locator(".gm-layer", has_text="街镇").locator(".gm-count")).to_have_text("2")
    risk = app.locator(".gm-layer", has_text="风险点")
    risk.get_by_role("button", name="风险点的图例").click()
    for words in ("红(重大)", "橙(较大)", "黄(一般)", "蓝(低)", "已结案"):
        expect(risk).to_contain_text(words)
    assert risk.locator(".gm-legend canvas").count() == 5


def test_place_and_layers_are_kept_for_the_account_and_in_the_address(open_as: OpenMap) -> None:
    page, app = open_as("officer2", fresh=True)
    app.locator('input[data-layer="road"]').uncheck()
    go(page, app, 30.93, 121.53, 14)
    page.wait_for_url(re.compile(r"#14/30\.93\d*/121\.53"))
    page.reload()
    app.locator("body[data-ready]").wait_for()
    zoom, lat, lon = view(page)
    assert (zoom, round(lat, 3), round(lon, 3)) == (14, 30.93, 121.53)
    expect(app.locator('input[data-layer="road"]')).not_to_be_checked()


def test_the_shell_stays_the_same_when_the_page_runs_again(open_as: OpenMap) -> None:
    """Leaving to another page and coming back is a new frame; a rerun of this page is not."""
    page, app = open_as("admin", fresh=True)
    go(page, app, 30.93, 121.53, 14)
    inside(page).evaluate("window.isTheSame = true")
    page.keyboard.press("r")  # Streamlit's own key for a rerun
    page.wait_for_timeout(1500)
    assert inside(page).evaluate("window.isTheSame") is True
    assert view(page)[0] == 14


# --- finding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["JWZ04", "东镇第二", "dongzhen", "dzdejwz"])
def test_an_element_is_found_by_code_name_and_pinyin(open_as: OpenMap, words: str) -> None:
    page, app = open_as("viewer")
    app.get_by_role("combobox", name="搜索要素").fill(words)
    hit = app.locator("#gm-results [role=option]").filter(has_text="东镇第二警务站")
    hit.click()
    expect(app.locator("#gm-right h2")).to_have_text("东镇第二警务站")
    zoom, lat, lon = view(page)
    assert zoom >= 15
    assert abs(lat - 30.97) < 0.01
    assert abs(lon - 121.56) < 0.02


def test_a_search_without_hits_says_so_and_escape_clears_it(open_as: OpenMap) -> None:
    _, app = open_as("viewer")
    box = app.get_by_role("combobox", name="搜索要素")
    box.fill("没有这样的东西")
    expect(app.locator("#gm-results")).to_contain_text("没有找到")
    box.press("Escape")
    expect(app.locator("#gm-results")).to_be_hidden()
    expect(box).to_have_value("")


def test_a_grid_narrows_the_view_and_the_search(open_as: OpenMap) -> None:
    page, app = open_as("officer2")
    app.get_by_label("网格类型").select_option(label="警务网格")
    grid = app.get_by_role("combobox", name="网格", exact=True)
    grid.fill("310199102001001")
    grid.press("Enter")
    expect(grid).to_have_value("东镇一格")
    app.locator(".leaflet-gm-mask-pane path[stroke='#15366d']").wait_for()
    _, lat, lon = view(page)
    assert 30.9 < lat < 30.95
    assert 121.5 < lon < 121.6
    app.get_by_role("combobox", name="搜索要素").fill("警务站")
    app.locator("#gm-results [role=option]").first.wait_for()
    names = app.locator("#gm-results [role=option]").all_inner_texts()
    assert any("东镇第一警务站" in one for one in names)
    assert not any("西镇" in one or "东镇第二" in one for one in names)


def test_an_officer_sees_the_own_area_and_goes_there(open_as: OpenMap) -> None:
    page, app = open_as("officer2")
    app.locator(".leaflet-gm-mask-pane path[stroke='#00796b']").wait_for()
    go(page, app, 30.95, 121.42, 13)
    app.get_by_role("button", name="我的责任区").click()
    _, lat, lon = view(page)
    # the eastern town, whatever the panel on the left covers
    shown = inside(page).evaluate("Gridmap.app.map.getBounds().contains([[30.9, 121.5], [31.0, 121.6]])")
    assert shown
    assert 121.48 < lon < 121.6
    assert 30.9 < lat < 31.0
    _, everywhere = open_as("keeper")
    expect(everywhere.locator("#gm-mine")).to_be_hidden()


def chooser(app: FrameLocator) -> Locator:
    """The chooser of a grid, with police grids to choose from."""
    app.get_by_label("网格类型").select_option(label="警务网格")
    grid = app.get_by_role("combobox", name="网格", exact=True)
    expect(grid).to_be_enabled()
    return grid


@pytest.mark.parametrize("words", ["dzeg", "dongzhenerge", "东镇二", "102001002"])
def test_a_grid_is_found_by_initials_pinyin_name_and_part_of_its_code(open_as: OpenMap, words: str) -> None:
    _, app = open_as("viewer")
    grid = chooser(app)
    grid.fill(words)
    options = app.locator("#gm-grid-list [role=option]")
    expect(options).to_have_count(1)
    options.click()
    expect(grid).to_have_value("东镇二格")
    expect(app.locator("#gm-grid-list")).to_be_hidden()


def test_grids_are_listed_by_town_and_chosen_with_the_keyboard_alone(open_as: OpenMap) -> None:
    page, app = open_as("viewer")
    grid = chooser(app)
    grid.focus()
    grid.press("ArrowDown")
    groups = app.locator("#gm-grid-list [role=group]")
    expect(groups).to_have_count(2)
    expect(groups.nth(0)).to_have_accessible_name("西镇")
    expect(groups.nth(1).get_by_role("option")).to_have_count(2)
    assert_looks_right(page)
    assert axe_violations(inside(page)) == []
    for _ in range(3):
        grid.press("ArrowDown")
    expect(app.locator("#gm-grid-list [aria-selected=true]")).to_contain_text("东镇一格")
    grid.press("Enter")
    expect(grid).to_have_value("东镇一格")
    expect(app.get_by_role("combobox", name="搜索要素")).to_have_attribute(
        "placeholder", "在“东镇一格”内搜索"
    )
    grid.fill("没有这样的网格")
    expect(app.locator("#gm-grid-list")).to_contain_text("没有找到")
    grid.press("Escape")
    expect(app.locator("#gm-grid-list")).to_be_hidden()
    expect(grid).to_have_value("东镇一格")
    grid.press("Tab")
    page.keyboard.press("Enter")  # the button that clears it
    expect(grid).to_have_value("")
    expect(grid).to_be_focused()
    expect(app.locator(".leaflet-gm-mask-pane path[stroke='#15366d']")).to_have_count(0)


def test_another_kind_of_grid_forgets_the_chosen_one(open_as: OpenMap) -> None:
    _, app = open_as("viewer")
    grid = chooser(app)
    grid.fill("东镇一格")
    grid.press("Enter")
    app.get_by_label("网格类型").select_option(label="街镇")
    expect(grid).to_have_value("")
    expect(app.locator(".leaflet-gm-mask-pane path[stroke='#15366d']")).to_have_count(0)
    grid.click()
    expect(app.locator("#gm-grid-list [role=option]")).to_have_count(2)
    expect(app.locator("#gm-grid-list [role=group]")).to_have_count(0)


def test_a_click_opens_the_topmost_element_and_lists_what_lies_under_it(open_as: OpenMap) -> None:
    page, app = open_as("officer2")
    go(page, app, 30.93, 121.58, 14)
    click_map(page, 0.5, 0.5)
    expect(app.locator("#gm-right h2")).to_have_text("东镇第三警务站")
    app.get_by_text(re.compile(r"此处还有 \d+ 个要素")).click()
    app.get_by_role("button", name=re.compile("^东镇一格")).click()
    expect(app.locator("#gm-right h2")).to_have_text("东镇一格")
    page.keyboard.press("Escape")
    expect(app.locator("#gm-right")).to_be_hidden()


def test_two_elements_on_one_spot_are_offered_for_choice(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    point = station.geometry
    [twin] = put(
        live_server.district,
        element("police_office", f"JWS{next(numbers)}", "同处警务室", shapely.Point(point.x, point.y)),
    )
    page, app = open_as("officer2")
    go(page, app, point.y, point.x, 15)
    click_map(page, 0.5, 0.5)
    expect(app.locator("#gm-right h2")).to_have_text(re.compile(r"此处有 \d+ 个要素"))
    app.get_by_role("button", name=re.compile(f"^{twin.name}")).click()
    expect(app.locator("#gm-right h2")).to_have_text(twin.name)
    elements.delete(live_server.district, ADMIN, twin.layer, twin.id, base_revision=1)


def test_a_layer_switched_on_later_is_fetched_by_itself(open_as: OpenMap, live_server: Live) -> None:
    page, app = open_as("officer2", fresh=True)
    go(page, app, 30.93, 121.43, 17)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/ogc/tiles/" in request.url else None)
    app.locator('input[data-layer="care_point"]').check()
    drawn(page, app)
    assert asked
    assert all(url.endswith("collections=care_point") for url in asked)
    red, green, blue, _ = colour_at(page, 30.93, 121.43)
    assert red > green + 60, "the care point's diamond is drawn"
    assert blue > green


def test_details_name_units_choices_grids_and_what_is_due(
    open_as: OpenMap, live_server: Live, station: Element
) -> None:
    _, app = open_as("officer2")
    find(app, station)
    facts = app.locator(".gm-facts")
    expect(facts.nth(0)).to_contain_text("24小时")
    expect(facts.nth(0)).to_contain_text("3 人")
    expect(facts.nth(1)).to_contain_text("东镇一格 · 310199102001001")
    expect(facts.nth(2)).to_contain_text("从未核实")


def test_the_state_as_of_a_time_before_the_element_was_made_says_so(
    open_as: OpenMap, live_server: Live, station: Element, watch
) -> None:
    watch.allow("status of 404")
    _, app = open_as("officer2")
    find(app, station)
    app.get_by_role("tab", name="截至日期").click()
    app.get_by_role("button", name="一年前").click()
    expect(app.get_by_text("在所选时间,该要素还不存在或已删除。")).to_be_visible()


def test_a_script_in_a_name_stays_text(open_as: OpenMap, live_server: Live, station: Element) -> None:
    evil = "<img src=x onerror=window.isHurt=1>"
    changed = elements.change(
        live_server.district, KEEPER, station.layer, station.id, base_revision=1, changes={"name": evil}
    ).element
    page, app = open_as("officer2")
    find(app, changed)
    app.get_by_role("tab", name="历史").click()
    expect(app.locator(".gm-revision").first).to_contain_text(evil)
    edit = app.get_by_role("tab", name="详情")
    edit.click()
    edit_fields(app, 名称=evil + "2")
    page.keyboard.press("Escape")
    app.get_by_role("dialog").get_by_role("button", name="放弃").click()
    assert inside(page).evaluate("window.isHurt") is None
    assert stored(live_server, station).name == evil


# --- states -----------------------------------------------------------------------------------------------------


def test_a_failed_start_says_why_and_tries_again(people, live_server: Live, watch) -> None:
    watch.allow("status of 503")
    context: BrowserContext = people("officer2")
    watch.follow(context)
    page = context.new_page()
    problem = {"title": "服务暂时不可用", "detail": "数据库暂时没有响应,请稍后再试。", "status": 503}
    page.route(
        "**/api/catalogue",
        lambda route: route.fulfill(
            status=503, content_type="application/problem+json", body=json.dumps(problem)
        ),
    )
    page.goto(live_server.server.base_url + "/map")
    app = map_frame(page)
    expect(app.get_by_role("alert")).to_have_text("数据库暂时没有响应,请稍后再试。")
    page.unroute("**/api/catalogue")
    app.get_by_role("button", name="重试").click()
    app.locator("body[data-ready]").wait_for()
    page.close()


def test_an_empty_district_says_what_to_do(people, live_server: Live, watch) -> None:
    context: BrowserContext = people("admin")
    watch.follow(context)
    page = context.new_page()

    def emptied(route) -> None:
        document = route.fetch().json()
        for layer in document["layers"]:
            layer.update(count=0, extent=None)
        document["district"]["bounds"] = None
        route.fulfill(json=document)

    page.route("**/api/catalogue", emptied)
    page.goto(live_server.server.base_url + "/map")
    app = map_frame(page)
    expect(app.get_by_text("还没有数据")).to_be_visible()
    expect(app.get_by_text("批量导入")).to_be_visible()
    assert_looks_right(page)
    page.close()


# --- looks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (800, 1280)])
def test_the_page_looks_right_at_every_size(
    live_server: Live, new_context, station: Element, width: int, height: int
) -> None:
    context = new_context(viewport={"width": width, "height": height})
    live_server.sign_in(context, "officer2")
    page = live_server.open_map(context)
    app = map_frame(page)
    drawn(page, app)
    assert_looks_right(page)
    frame = page.locator(FRAME).bounding_box()
    assert frame is not None
    assert frame["width"] == width
    assert abs(frame["y"] + frame["height"] - height) < 1
    assert page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")

    find(app, station)
    assert_looks_right(page)
    app.get_by_role("tab", name="历史").click()
    app.locator(".gm-revision").first.wait_for()
    assert_looks_right(page)
    app.get_by_role("tab", name="详情").click()
    edit_fields(app, 名称="看看表单")
    assert_looks_right(page)
    app.locator(".gm-panel-foot").get_by_role("button", name="取消").click()
    assert_looks_right(page)
    app.get_by_role("dialog").get_by_role("button", name="放弃").click()
    if width < 900:
        app.locator("#gm-open-left").click()
        expect(app.locator("#gm-left")).to_be_visible()
        assert_looks_right(page)


def test_another_opinion_on_accessibility_finds_nothing(open_as: OpenMap, station: Element) -> None:
    page, app = open_as("officer2")
    find(app, station)
    assert axe_violations(page) == []
    assert axe_violations(inside(page)) == []


def test_the_map_can_be_worked_with_the_keyboard_alone(
    open_as: OpenMap, station: Element, live_server: Live
) -> None:
    page, app = open_as("officer2")
    app.locator("#map_div").focus()
    page.keyboard.press("/")
    page.keyboard.type(station.code or "")
    app.locator("#gm-results [role=option]", has_text=station.code).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(app.locator("#gm-right h2")).to_have_text(station.name)
    app.get_by_role("tab", name="详情").focus()
    page.keyboard.press("ArrowRight")
    expect(app.get_by_role("tab", name="历史")).to_be_focused()
    expect(app.locator(".gm-revision")).to_have_count(1)


# --- tiles of another datum -------------------------------------------------------------------------------------------


def test_gcj02_is_computed_in_the_browser_as_on_the_server(open_as: OpenMap) -> None:
    page, _ = open_as("viewer")
    places = [
        (121.47, 30.91),
        (116.39, 39.9),
        (72.01, 0.83),
        (137.8, 55.8),
        (87.6, 43.8),
        (140.0, 35.0),
        (121.5, -3.0),
    ]
    for lon, lat in places:
        found = inside(page).evaluate("([lon, lat]) => Gridmap.datum.wgs84ToGcj02(lon, lat)", [lon, lat])
        expected = wgs84_to_gcj02(lon, lat)
        assert abs(found[0] - expected[0]) < 1e-11
        assert abs(found[1] - expected[1]) < 1e-11


@pytest.mark.parametrize("zoom", [10, 13, 16, 18])
def test_a_gcj02_picture_lies_within_a_pixel_of_the_truth(open_as: OpenMap, zoom: int) -> None:
    page, app = open_as("viewer")
    go(page, app, 30.93, 121.53, zoom)
    errors = inside(page).evaluate(
        """(zoom) => {
          const layer = new Gridmap.datum.ShiftedTiles({url: ""});
          layer._map = Gridmap.app.map;
          const world = 256 * 2 ** zoom;
          const project = (lon, lat) => {
            const s = Math.sin((lat * Math.PI) / 180);
            return [((lon + 180) / 360) * world, (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * world];
          };
          const worst = [];
          for (let i = 0; i < 200; i++) {
            const lon = 121.3 + 0.5 * ((i * 37) % 200) / 200, lat = 30.8 + 0.3 * ((i * 91) % 200) / 200;
            const [x, y] = project(lon, lat);
            const tile = {x: Math.floor(x / 256), y: Math.floor(y / 256), z: zoom};
            const part = (n) => Math.floor(((n / 256) % 1) * Gridmap.datum.PARTS);
            const shift = layer.shiftOf(tile, part(x), part(y));
            // where the source has this place, and where our tile takes it from
            const [gx, gy] = project(...Gridmap.datum.wgs84ToGcj02(lon, lat));
            worst.push(Math.hypot(gx - (x + shift.x), gy - (y + shift.y)));
          }
          return Math.max(...worst);
        }""",
        zoom,
    )
    assert errors < 1.0


def test_a_gcj02_source_of_the_settings_can_be_chosen_and_is_drawn_shifted(
    people, live_server: Live, watch
) -> None:
    context: BrowserContext = people("viewer")
    watch.follow(context)
    page = context.new_page()
    asked: list[str] = []

    def with_source(route) -> None:
        document = route.fetch().json()
        url = "/pictures/{z}/{x}/{y}.svg"
        document["tile_sources"] = [
            {"title": "内网影像", "url": url, "datum": "gcj02", "max_zoom": 18, "attribution": ""}
        ]
        route.fulfill(json=document)

    def picture(route) -> None:
        asked.append(route.request.url)
        box = '<rect width="256" height="256" fill="#00aa00"/>'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256">{box}</svg>'
        route.fulfill(content_type="image/svg+xml", body=svg)

    page.route("**/api/catalogue", with_source)
    page.route("**/pictures/**", picture)
    page.goto(live_server.server.base_url + "/map")
    app = map_frame(page)
    app.locator("body[data-ready]").wait_for()
    go(page, app, 30.93, 121.53, 16)
    assert asked == []
    app.get_by_label("内网影像(已纠偏)").check()
    app.locator(".gm-raster canvas.leaflet-tile-loaded").first.wait_for()
    page.wait_for_timeout(500)
    moved, _ = wgs84_to_gcj02(121.53, 30.93)
    column = int((moved + 180) / 360 * 2**16)
    assert any(f"/16/{column}/" in one for one in asked)
    corners = [[0, 0], [255, 0], [0, 255], [255, 255], [127, 127], [128, 128]]
    greens = inside(page).evaluate(
        """(corners) => [...document.querySelectorAll(".gm-raster canvas.leaflet-tile-loaded")].map((canvas) =>
             corners.map(([x, y]) => canvas.getContext("2d").getImageData(x, y, 1, 1).data.join()))""",
        corners,
    )
    assert greens, "tiles were drawn"
    assert {one for tile in greens for one in tile} == {"0,170,0,255"}, "each tile is covered to its corners"
    page.evaluate("localStorage.clear()")
    page.close()
