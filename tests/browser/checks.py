"""
An automatic look at a page: what overflows, is cut off, too pale, too small to touch, or not drawn at all.

It finds what can be measured. Whether the page also reads well is for a person who looks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Frame, Page

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
LOOK = Path(__file__).with_name("checks.js").read_text("utf-8")

MIN_CONTRAST = 4.5
MIN_TARGET_PX = 40


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a page; `kind` is overflow, clipped, contrast, target, glyph, garbled or image."""

    kind: str
    where: str
    text: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where} “{self.text}” {self.detail}"


def _own_frames(page: Page) -> list[Frame]:
    return [
        frame
        for frame in page.frames
        if not frame.is_detached() and frame.url.startswith(("http", "about:", "data:"))
    ]


def look(page: Page, *, ignore: Sequence[str] = (), kinds: Sequence[str] | None = None) -> list[Flaw]:
    """
    Flaws of the page and of every frame in it, at its present size and state.

    Parameters
    ----------
    ignore : CSS selectors; elements inside a match are not looked at. Say why beside each use.
    kinds : look for these only
    """
    options = {"minContrast": MIN_CONTRAST, "minTarget": MIN_TARGET_PX, "ignore": list(ignore)}
    found: list[Flaw] = []
    for frame in _own_frames(page):
        try:
            if frame != page.main_frame and not frame.frame_element().is_visible():
                continue
            found += [Flaw(**flaw) for flaw in frame.evaluate(LOOK, options)]
        except Error as error:
            # A frame may go away while we look (a rerun of the page); one that stays must be looked at.
            if not frame.is_detached():
                raise AssertionError(f"could not look at {frame.url}: {error}") from error
    return [flaw for flaw in dict.fromkeys(found) if kinds is None or flaw.kind in kinds]


def assert_looks_right(page: Page, *, ignore: Sequence[str] = (), kinds: Sequence[str] | None = None) -> None:
    """Fail with the list of flaws, worst kinds first."""
    flaws = look(page, ignore=ignore, kinds=kinds)
    lines = "\n".join(f"  {flaw}" for flaw in sorted(flaws, key=lambda f: (f.kind, f.where)))
    assert not flaws, f"{len(flaws)} flaws on {page.url}:\n{lines}"


def axe_violations(page: Page, *, rules: Sequence[str] | None = None) -> list[str]:
    """
    What axe-core finds (WCAG 2 A and AA), one line per element: "rule: target, help text".

    A second, independent opinion beside `look`; its file is a development package that set-up installs.
    """
    if not AXE.is_file():
        raise FileNotFoundError(f"{AXE.relative_to(ROOT)} is missing; run `make setup`")
    options: dict[str, Any] = {
        "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    }
    if rules is not None:
        options = {"runOnly": {"type": "rule", "values": list(rules)}}
    page.evaluate(AXE.read_text("utf-8") + "\n;0")
    result = page.evaluate(f"axe.run(document, {json.dumps(options)})")
    return [
        f"{violation['id']}: {' '.join(map(str, node['target']))}, {violation['help']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
