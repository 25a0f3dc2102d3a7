"""What people do on the map, as steps of a test."""

from __future__ import annotations

import re
from itertools import combinations, count

import shapely
from playwright.sync_api import FloatRect, FrameLocator, Page, expect

from gridmap.domain.elements import Element
from gridmap.storage.elements import get
from tests.support.district import element, put
from tests.support.live import FRAME, Live

# Codes are never reused: every test takes the next number.
numbers = count(101)


def make_station(live: Live) -> Element:
    """A new workstation in the eastern town, well away from all others."""
    number = next(numbers)
    place = shapely.Point(121.506 + (number % 17) * 0.005, 30.936 + (number // 17 % 3) * 0.004)
    [made] = put(
        live.district,
        element(
            "workstation", f"JWZ{number}", f"东镇{number}号站", place, opening_hours="24h", officer_count=3
        ),
    )
    return made


def stored(live: Live, one: Element) -> Element:
    """The element as the store has it now, deleted or not."""
    with live.district.database.read() as connection:
        found = get(connection, one.id)
    assert found is not None
    return found


def find(app: FrameLocator, one: Element) -> None:
    """Search by code and open the hit."""
    box = app.get_by_role("combobox", name="搜索要素")
    box.fill(one.code or "")
    # at once: what was asked for comes, not what happens to be listed
    box.press("Enter")
    expect(app.locator("#gm-right h2")).to_have_text(one.name)
    # comes with the answer that also tells whether one may edit
    app.get_by_text("经纬度").or_(app.get_by_text("数据来源")).first.wait_for()


def drag(
    page: Page, app: FrameLocator, dx: int, dy: int, *, what: str = ".gm-edit-icon", nth: int = 0
) -> None:
    """Drag the marker (or vertex) that is being edited by so many pixels."""
    box = app.locator(what).nth(nth).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2, steps=4)
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def click_map(page: Page, across: float, down: float) -> None:
    """Click the map at these shares of its width and height."""
    box = page.locator(FRAME).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)


def receipt(app: FrameLocator, words: str | re.Pattern[str]) -> None:
    """Wait for the receipt of a write that says so."""
    expect(app.locator('.gm-toast[data-key="receipt"]')).to_contain_text(words)


def edit_fields(app: FrameLocator, **values: str) -> None:
    """Open the form and type; titles of fields are given as keywords."""
    app.get_by_role("button", name="修改", exact=True).click()
    for label, value in values.items():
        app.locator(".gm-form").get_by_label(label).fill(value)


def save_form(app: FrameLocator) -> None:
    app.locator(".gm-panel-foot").get_by_role("button", name="保存").click()


def save_shape(app: FrameLocator) -> None:
    app.locator("#gm-bar").get_by_role("button", name="保存").click()


def overlaps(app: FrameLocator, *parts: str) -> list[tuple[str, str]]:
    """The pairs of parts whose boxes share more than an edge."""
    boxes = {one: app.locator(one).bounding_box() for one in parts}
    assert all(boxes.values()), boxes
    return [
        (first, second)
        for first, second in combinations(parts, 2)
        if _shared(boxes[first], boxes[second], "x", "width") > 0.5
        and _shared(boxes[first], boxes[second], "y", "height") > 0.5
    ]


def _shared(first: FloatRect, second: FloatRect, start: str, size: str) -> float:
    """How many pixels two boxes have in common in one direction; negative where they lie apart."""
    ends = min(one[start] + one[size] for one in (first, second))  # type: ignore[literal-required]
    return ends - max(one[start] for one in (first, second))  # type: ignore[literal-required]
