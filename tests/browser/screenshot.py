"""`make screenshot`: draw the README's picture of the map page, from the demo district as it is served."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from gridmap.settings import PROJECT_ROOT
from gridmap.setup.system import find_chromium
from tests.benchmarks.served import serving_demo
from tests.support.browser import CHROMIUM_ARGUMENTS

VIEW = "/map#12.5/30.925/121.475"
TARGET = PROJECT_ROOT / "docs" / "images" / "map.png"


def main(target: Path = TARGET) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    with serving_demo() as live, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_ARGUMENTS))
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        live.sign_in(context, "officer")
        page = live.open_map(context, VIEW)
        page.wait_for_timeout(6_000)  # tiles and labels come to rest
        page.screenshot(path=str(target))
        browser.close()
    # 256 colours are enough for a drawing, and a third of the bytes
    Image.open(target).convert("RGB").quantize(256).save(target, optimize=True)
    print(target.relative_to(PROJECT_ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
