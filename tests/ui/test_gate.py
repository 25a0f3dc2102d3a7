"""Nobody gets past the gate of a page without a session and the permission it asks for."""

import ast
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gridmap.services import accounts
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.storage import access_log
from gridmap.ui import gate, state
from gridmap.ui.pages import FOLDER, pages
from tests.ui.conftest import Visit, texts

PAGES = [one.name for one in pages()]
GUARDED = [one.name for one in pages() if one.permission is not None]


@pytest.mark.parametrize("name", PAGES)
def test_the_guard_is_the_first_statement_of_a_page(name: str) -> None:
    body = ast.parse((FOLDER / f"{name}.py").read_text("utf-8")).body
    first = next(
        one
        for one in body
        if not isinstance(one, ast.Import | ast.ImportFrom)
        and not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    )
    assert "require(" in ast.unparse(first)


def test_every_page_file_is_in_the_menu() -> None:
    assert {one.stem for one in FOLDER.glob("*.py")} <= set(PAGES)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("key", [None, "guess"])
def test_a_page_asked_for_without_a_session_shows_nothing_but_the_way_in(
    visit: Visit, name: str, key: str | None
) -> None:
    visit.key = key
    page = visit.page(name)
    assert [one.value for one in page.header] == ["请登录"]
    assert 'href="/signin' in texts(page)
    assert not page.title
    assert not page.button


def test_a_page_is_closed_as_soon_as_the_session_ends(visit: Visit) -> None:
    page = visit.sign_in("viewer").page("account")
    assert [one.value for one in page.title] == ["我的账号"]
    accounts.sign_out(visit.district, visit.key)
    page.run()
    assert not page.title
    assert [one.value for one in page.header] == ["请登录"]


@pytest.mark.parametrize("username", ["viewer", "presenter", "officer", "keeper", "analyst"])
def test_the_administrators_page_refuses_everybody_else_and_logs_it(visit: Visit, username: str) -> None:
    page = visit.sign_in(username).page("admin")
    assert [one.value for one in page.header] == ["没有权限"]
    assert not page.title
    assert not page.button
    with visit.district.database.read() as connection:
        line = access_log.newest(connection, kinds=("refusal",), limit=1)[0]
    assert (line.username, line.action, line.address) == (username, "administer", "10.1.1.7")


@pytest.mark.parametrize("name", GUARDED)
def test_a_first_password_opens_no_page_but_the_account(visit: Visit, name: str) -> None:
    first = accounts.reset_password(visit.district, accounts.CONSOLE, "admin")
    page = visit.sign_in("admin", first).page(name)
    assert [one.value for one in page.header] == ["请先修改初始密码"]
    assert 'href="/account"' in texts(page)


def test_what_a_tab_remembers_is_not_for_the_next_person(visit: Visit) -> None:
    visit.sign_in("viewer")
    page = visit.page("account")
    mine = page.session_state["gridmap"]
    mine.notice, mine.element = "只给前一个人看", "e1"
    visit.sign_in("officer")
    page.run()
    assert "只给前一个人看" not in texts(page)
    assert page.session_state["gridmap"] == state.State("officer")


def test_the_menu_follows_the_role(visit: Visit) -> None:
    users = {
        one: accounts.sign_in(visit.district, one, word, address="").user
        for one, word in visit.passwords.items()
    }
    seen = {name: {one.name for one in pages() if one.is_for(user)} for name, user in users.items()}
    assert "admin" in seen["admin"]
    assert not [name for name in seen if "admin" in seen[name] and name != "admin"]
    assert all({"map", "account"} <= names for names in seen.values())


@pytest.mark.parametrize(
    ("trusts_proxy", "headers", "ip", "address"),
    [
        (False, {}, None, "127.0.0.1"),
        (False, {}, "10.1.1.9", "10.1.1.9"),
        (False, {"X-Forwarded-For": "1.2.3.4"}, "10.1.1.9", "10.1.1.9"),
        (True, {"X-Forwarded-For": "1.2.3.4, 10.2.2.2"}, "10.1.1.9", "10.2.2.2"),
        (True, {}, "10.1.1.9", "10.1.1.9"),
    ],
)
def test_the_logged_address_is_believed_only_from_the_own_proxy(
    store: District,
    monkeypatch: pytest.MonkeyPatch,
    trusts_proxy: bool,
    headers: dict[str, str],
    ip: str | None,
    address: str,
) -> None:
    settings = replace(store.settings, trusts_proxy=trusts_proxy)
    monkeypatch.setattr(districts, "running", lambda: replace(store, settings=settings))
    monkeypatch.setattr(gate.st, "context", SimpleNamespace(headers=headers, ip_address=ip))
    assert gate.address() == address
