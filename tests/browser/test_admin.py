"""The administrator opens accounts, hands over passwords and takes access away; every section looks right."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from gridmap.domain.roles import Role
from gridmap.errors import AuthenticationRequired
from gridmap.services import accounts
from gridmap.services.accounts import CONSOLE
from tests.browser.checks import assert_looks_right
from tests.browser.conftest import DESKTOP, TABLET
from tests.browser.test_signin import settled, sign_in
from tests.support.live import Live

_numbers = count(1)
TABS = ["账号", "接口令牌", "登录与拒绝记录", "后台任务", "系统状态"]


def open_admin(live_server: Live, context: BrowserContext) -> Page:
    live_server.sign_in(context, "admin")
    page = live_server.open(context, "/admin")
    settled(page)
    page.locator(".gm-table").first.wait_for()
    return page


def choose(page: Page, box: Locator, words: str, option: str) -> None:
    """Pick by typing, once the page stands still: an open list closes when the page scrolls."""
    box.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box.fill(words)
    page.get_by_role("option", name=option).click()


@pytest.mark.parametrize("viewport", [DESKTOP, TABLET], ids=lambda v: str(v["width"]))
def test_every_section_looks_right(
    live_server: Live, new_context: Callable[..., BrowserContext], viewport: dict[str, int]
) -> None:
    page = open_admin(live_server, new_context(viewport=viewport))
    for name in TABS:
        page.get_by_role("tab", name=name, exact=True).click()
        expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
        assert_looks_right(page)


@pytest.mark.parametrize("viewport", [DESKTOP, TABLET], ids=lambda v: str(v["width"]))
def test_the_own_account_page_looks_right(
    live_server: Live, new_context: Callable[..., BrowserContext], viewport: dict[str, int]
) -> None:
    context = new_context(viewport=viewport)
    live_server.sign_in(context, "officer")
    page = live_server.open(context, "/account")
    settled(page)
    page.get_by_role("button", name="创建令牌").wait_for()
    assert_looks_right(page)


def test_a_new_officer_gets_a_password_and_signs_in_with_it(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    username = f"west{next(_numbers)}"
    page = open_admin(live_server, new_context())
    form = page.get_by_test_id("stForm").filter(has=page.get_by_role("button", name="新建账号"))
    form.get_by_label("用户名").fill(username)
    form.get_by_label("姓名或岗位").fill("示例民警03")
    choose(page, form.get_by_role("combobox", name="角色"), "社区", "社区民警")
    choose(page, form.get_by_role("combobox", name="责任区(镇街"), "西镇", "310199101 西镇(街镇)")
    page.keyboard.press("Escape")
    form.get_by_role("button", name="新建账号").click()

    password = page.locator(".gm-secret code").inner_text()
    assert_looks_right(page)
    page.get_by_role("button", name="复制").click()
    expect(page.get_by_role("button", name="已复制")).to_be_visible()
    page.get_by_role("button", name="已记下").click()
    expect(page.locator(".gm-secret")).to_have_count(0)
    made = {one.username: one for one in accounts.list_accounts(live_server.district, CONSOLE)}[username]
    assert (made.role, made.area) == (Role.OFFICER, {"310199101"})

    other = new_context().new_page()
    other.goto(f"{live_server.server.base_url}/signin")
    sign_in(other, username, password)
    other.wait_for_url("**/account")


def test_a_closed_account_is_out_at_its_next_step(
    live_server: Live, new_context: Callable[..., BrowserContext]
) -> None:
    username = f"east{next(_numbers)}"
    accounts.add(
        live_server.district, CONSOLE, username=username, display_name="示例民警04", role=Role.OFFICER,
        password="grey-otter-48-moss",
    )  # fmt: skip
    key = accounts.sign_in(live_server.district, username, "grey-otter-48-moss", address="").key
    page = open_admin(live_server, new_context())
    choose(page, page.get_by_role("combobox", name="选择账号"), username, f"{username} · 示例民警04")
    page.get_by_role("button", name="停用账号").click()
    assert accounts.user_of_session(live_server.district, key).username == username
    page.get_by_role("button", name="确定停用").click()

    expect(page.get_by_text(f"已停用账号 {username}。")).to_be_visible()
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(live_server.district, key)
    # the same account stays picked
    expect(page.get_by_role("button", name="启用账号")).to_be_visible()


def test_a_name_with_markup_is_shown_as_text(live_server: Live, context: BrowserContext) -> None:
    accounts.add(
        live_server.district, CONSOLE, username=f"markup{next(_numbers)}",
        display_name='<img src=x onerror="window.hit=1"> **粗**', role=Role.VIEWER,
    )  # fmt: skip
    page = open_admin(live_server, context)
    expect(page.get_by_text('<img src=x onerror="window.hit=1"> **粗**').first).to_be_visible()
    assert page.evaluate("window.hit") is None
