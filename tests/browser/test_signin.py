"""Coming in and going out, as a person does it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from gridmap.domain.roles import Role
from gridmap.errors import AuthenticationRequired
from gridmap.services import accounts
from gridmap.services.accounts import CONSOLE
from tests.browser.checks import assert_looks_right, axe_violations
from tests.browser.conftest import DESKTOP, TABLET
from tests.support.browser import Watch
from tests.support.live import Live

PASSWORD = "grey-otter-48-moss"
_numbers = count(1)


@pytest.fixture
def newcomer(live_server: Live) -> tuple[str, str]:
    """Username and temporary password of an account that this test alone uses."""
    username = f"newcomer{next(_numbers)}"
    password = accounts.add(
        live_server.district, CONSOLE, username=username, display_name="示例新人", role=Role.VIEWER
    )
    return username, password


def sign_in(page: Page, username: str, password: str) -> None:
    page.get_by_label("用户名").fill(username)
    page.get_by_label("密码", exact=True).fill(password)
    page.get_by_role("button", name="登录", exact=True).click()


def settled(page: Page) -> None:
    """Wait until the page's script has run."""
    page.locator(".gm-bar").wait_for(state="attached")
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")


@pytest.mark.parametrize(
    "viewport", [DESKTOP, TABLET, {"width": 360, "height": 640}], ids=lambda v: str(v["width"])
)
def test_the_sign_in_page_looks_right(
    live_server: Live, new_context: Callable[..., BrowserContext], viewport: dict[str, int]
) -> None:
    page = live_server.open(new_context(viewport=viewport), "/signin")
    expect(page).to_have_title("登录 · 警务网格一张图")
    assert_looks_right(page)
    assert axe_violations(page) == []


def test_a_wrong_password_is_told_in_chinese_and_the_right_one_goes_where_one_wanted(
    live_server: Live, page: Page, watch: Watch
) -> None:
    watch.allow("status of 401")
    page.goto(f"{live_server.server.base_url}/account")
    assert page.url.endswith("/signin?next=%2Faccount")

    sign_in(page, "viewer", "")
    expect(page.get_by_role("alert")).to_have_text("请输入密码。")
    sign_in(page, "viewer", "wrong-password")
    expect(page.get_by_role("alert")).to_contain_text("用户名或密码不正确")
    expect(page.get_by_label("密码", exact=True)).to_have_value("")
    assert_looks_right(page)

    sign_in(page, "viewer", live_server.passwords["viewer"])
    page.wait_for_url("**/account")
    settled(page)
    expect(page.get_by_role("heading", name="我的账号")).to_be_visible()
    assert "viewer" in page.locator(".gm-table").first.inner_text()


def test_the_password_can_be_shown_and_hidden(live_server: Live, page: Page) -> None:
    page.goto(f"{live_server.server.base_url}/signin")
    field = page.get_by_label("密码", exact=True)
    field.fill("abc")
    page.get_by_role("button", name="显示").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="隐藏").click()
    expect(field).to_have_attribute("type", "password")


@pytest.mark.parametrize(
    "wanted", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)", "/signin"]
)
def test_a_link_with_a_strange_way_back_leads_into_the_application(
    live_server: Live, page: Page, wanted: str
) -> None:
    page.goto(f"{live_server.server.base_url}/signin?next={wanted}")
    sign_in(page, "viewer", live_server.passwords["viewer"])
    page.wait_for_url(f"{live_server.server.base_url}/map")


def test_when_the_server_is_away_the_page_says_so(live_server: Live, page: Page, watch: Watch) -> None:
    watch.allow("ERR_FAILED|ERR_INTERNET_DISCONNECTED")
    page.goto(f"{live_server.server.base_url}/signin")
    page.route("**/api/session", lambda route: route.abort())
    sign_in(page, "viewer", "whatever-it-is")
    expect(page.get_by_role("alert")).to_contain_text("无法连接服务器")
    expect(page.get_by_role("button", name="登录", exact=True)).to_be_enabled()


def test_signing_out_ends_the_session_and_clears_what_the_browser_kept(
    live_server: Live, page: Page, newcomer: tuple[str, str]
) -> None:
    username, first = newcomer
    district = live_server.district
    user = accounts.sign_in(district, username, first, address="").user
    accounts.change_password(district, user, first, PASSWORD)
    page.goto(f"{live_server.server.base_url}/signin?next=/account")
    sign_in(page, username, PASSWORD)
    page.wait_for_url("**/account")
    settled(page)
    key = next(c["value"] for c in page.context.cookies() if c["name"] == district.settings.cookie_name)
    page.evaluate(
        "name => { localStorage.setItem(`gridmap:work:${name}:draft:1`, '{}');"
        "localStorage.setItem('gridmap:work:other:draft:1', '{}') }",
        username,
    )

    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 项未保存")
    assert_looks_right(page, kinds=["contrast", "target", "clipped"])
    page.get_by_role("button", name="取消").click()
    accounts.user_of_session(district, key)
    page.get_by_role("button", name="退出登录").click()
    page.get_by_role("button", name="清除并退出").click()
    page.wait_for_url("**/signin")
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)
    assert page.evaluate("Object.keys(localStorage).filter(k => k.includes(':work:'))") == [
        "gridmap:work:other:draft:1"
    ]

    page.go_back()
    page.wait_for_url("**/signin?next=%2Faccount")


def test_a_page_left_open_shows_nothing_more_once_its_session_has_ended(
    live_server: Live, page: Page, newcomer: tuple[str, str]
) -> None:
    username, first = newcomer
    user = accounts.sign_in(live_server.district, username, first, address="").user
    accounts.change_password(live_server.district, user, first, PASSWORD)
    page.goto(f"{live_server.server.base_url}/signin?next=/account")
    sign_in(page, username, PASSWORD)
    page.wait_for_url("**/account")
    settled(page)
    accounts.revoke_sessions(live_server.district, CONSOLE, username)

    page.get_by_label("用途").fill("脚本")
    page.get_by_role("button", name="创建令牌").click()
    expect(page.get_by_role("heading", name="请登录")).to_be_visible()
    expect(page.get_by_role("heading", name="我的账号")).to_have_count(0)
    assert accounts.list_tokens(live_server.district, CONSOLE, username) == []
    page.get_by_role("link", name="前往登录").click()
    page.wait_for_url("**/signin?next=%2Faccount")


def test_a_first_password_must_be_changed_before_anything_else(
    live_server: Live, page: Page, newcomer: tuple[str, str]
) -> None:
    username, first = newcomer
    base = live_server.server.base_url
    page.goto(f"{base}/signin?next=/map")
    sign_in(page, username, first)
    page.wait_for_url(f"{base}/account")
    settled(page)
    expect(page.get_by_text("您使用的是初始密码")).to_be_visible()
    expect(page.get_by_test_id("stTopNavLink")).to_have_count(0)
    page.goto(f"{base}/map")
    expect(page.get_by_role("heading", name="请先修改初始密码")).to_be_visible()
    page.get_by_role("link", name="修改密码").click()

    page.get_by_label("当前密码").fill(first)
    page.get_by_label("新密码", exact=True).fill(PASSWORD)
    page.get_by_label("再次输入新密码").fill(PASSWORD)
    page.get_by_role("button", name="修改密码").click()
    expect(page.get_by_text("密码已修改")).to_be_visible()
    expect(page.get_by_test_id("stTopNavLink").filter(has_text="一张图")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/map", "/account", "/admin", "/pages/admin", "/admin/x"])
def test_no_address_shows_a_page_without_a_session(live_server: Live, page: Page, path: str) -> None:
    page.goto(live_server.server.base_url + path)
    assert "/signin" in page.url


def test_the_file_of_a_page_has_no_address(live_server: Live, page: Page, watch: Watch) -> None:
    watch.allow("status of 404")
    answer = page.goto(f"{live_server.server.base_url}/pages/admin.py")
    assert answer is not None
    assert (answer.status, answer.text()) == (404, "没有这个地址。")


@pytest.mark.parametrize("path", ["/map", "/admin"])
def test_a_run_asked_for_over_the_socket_without_a_session_meets_the_gate(
    live_server: Live, context: BrowserContext, path: str
) -> None:
    live_server.sign_in(context, "admin")
    page = context.new_page()

    def lose_the_session(route: Route) -> None:
        context.clear_cookies()
        route.continue_()

    # asked for after the page and before its socket
    page.route("**/_stcore/host-config", lose_the_session)
    page.goto(live_server.server.base_url + path)
    expect(page.get_by_role("heading", name="请登录")).to_be_visible(timeout=15_000)
    expect(page.locator(".gm-bar, iframe")).to_have_count(0)
    expect(page.get_by_test_id("stTopNavLink")).to_have_count(0)


def test_a_viewer_sees_no_administration_and_is_refused_at_its_address(
    live_server: Live, context: BrowserContext
) -> None:
    live_server.sign_in(context, "viewer")
    page = live_server.open(context, "/admin")
    settled(page)
    expect(page.get_by_role("heading", name="没有权限")).to_be_visible()
    expect(page.get_by_test_id("stTopNavLink").filter(has_text="系统管理")).to_have_count(0)
    expect(page.get_by_test_id("stTopNavLink").filter(has_text="我的账号")).to_have_count(1)
    assert_looks_right(page)
    page.get_by_role("link", name="返回首页").click()
    page.wait_for_url("**/map")


def test_streamlits_own_words_are_chinese(live_server: Live, context: BrowserContext) -> None:
    live_server.sign_in(context, "viewer")
    page = live_server.open(context, "/account")
    settled(page)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("button", name="显示密码").first).to_be_visible()
    english = page.evaluate(
        "() => [...document.querySelectorAll('[aria-label], [title], [placeholder]')]"
        ".flatMap(e => ['aria-label', 'title', 'placeholder'].map(n => e.getAttribute(n)))"
        ".filter(t => t && /^[A-Z][a-z]+( [a-z]+)*$/.test(t))"
    )
    assert english == []
