"""The watch sees a page stray, and the closed network lets nothing out."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.browser import Watch, is_foreign


@pytest.mark.parametrize(
    ("url", "foreign"),
    [
        ("http://127.0.0.1:8501/api/health", False),
        ("ws://localhost:8501/_stcore/stream", False),
        ("data:image/png;base64,AAAA", False),
        ("blob:http://127.0.0.1/1", False),
        ("https://tiles.example/1/2/3.png", True),
        ("http://10.0.0.1/", True),
        ("http://127.0.0.1.example/", True),
    ],
)
def test_only_this_machine_is_not_foreign(url: str, foreign: bool) -> None:
    assert is_foreign(url) is foreign


def test_a_request_elsewhere_is_recorded_and_fails(context: BrowserContext, watch: Watch) -> None:
    page = context.new_page()
    page.set_content('<img src="http://elsewhere.example/pixel.png">')
    page.wait_for_function("document.images[0].complete")
    with pytest.raises(AssertionError, match="elsewhere.example"):
        watch.assert_clean()
    assert page.evaluate("document.images[0].naturalWidth") == 0
    watch.foreign.clear()
    watch.allow("ERR_NAME_NOT_RESOLVED")


def test_an_error_in_a_script_fails_unless_it_is_expected(page: Page, watch: Watch) -> None:
    page.set_content("<script>setTimeout(() => { throw new Error('缺图层') })</script>")
    page.wait_for_timeout(50)
    with pytest.raises(AssertionError, match="缺图层"):
        watch.assert_clean()
    watch.allow("缺图层")
    watch.assert_clean()
