"""The watch sees a page stray, and the closed network lets nothing out."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.browser import Watch, forget, is_foreign
from tests.support.live import Live


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


def test_only_the_look_at_an_element_that_has_just_gone_is_forgiven() -> None:
    element = "http://127.0.0.1:1/api/elements/governance_grid/cbff5ae8-86e6-4948-9deb-0bd4f42b31dd"
    said = "console: Failed to load resource: the server responded with a status of {} (…) ({})"
    forgiven = [said.format(404, url) for url in (element, f"{element}/photos")]
    not_forgiven = [
        said.format(500, element),
        said.format(404, "http://127.0.0.1:1/api/elements/governance_grid/"),
    ]
    assert Watch(errors=forgiven + not_forgiven).unexpected_errors() == not_forgiven


LEAVE_BEHIND = """async () => {
  localStorage.setItem("left", "1");
  document.cookie = "left=1";
  await new Promise((done) => (indexedDB.open("left").onsuccess = done));
}"""
FOUND = """async () => [
  localStorage.length, document.cookie.includes("left"), (await indexedDB.databases()).length
]"""


def test_a_context_that_goes_from_test_to_test_forgets_who_was_there(
    context: BrowserContext, live_server: Live, watch: Watch
) -> None:
    watch.allow("status of 401")
    page = live_server.open(context, "/signin")
    live_server.sign_in(context, "keeper")
    context.route("**/api/session", lambda route: route.abort())
    page.evaluate(LEAVE_BEHIND)
    assert page.evaluate(FOUND) == [1, True, 1]
    forget(context, watch.origins())
    assert context.pages == []
    assert context.cookies() == []
    page = live_server.open(context, "/signin")
    assert page.evaluate(FOUND) == [0, False, 0]
    # nothing stands in its way any more
    assert page.goto(f"{live_server.server.base_url}/api/session")


def test_a_watch_that_left_records_nothing_more(
    context: BrowserContext, live_server: Live, watch: Watch
) -> None:
    watch.allow("later|status of 401")
    earlier = Watch()
    earlier.follow(context)
    page = context.new_page()
    page.goto(f"{live_server.server.base_url}/api/health")
    seen = list(earlier.requests)
    assert seen
    earlier.leave(context)
    context.new_page().set_content("<script>console.error('later'); throw new Error('later')</script>")
    page.goto(f"{live_server.server.base_url}/api/session")
    context.new_page().goto(f"{live_server.server.base_url}/api/health")
    assert (earlier.requests, earlier.errors) == (seen, [])
