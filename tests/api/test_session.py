"""Signing in over HTTP: a cookie that scripts cannot read, and writes that no other page can send."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from gridmap.services import accounts
from gridmap.storage import access_log
from gridmap.storage import accounts as stored
from tests.api.conftest import PASSWORD, World, item_path, station_feature
from tests.support.district import ADMIN, KEEPER, OFFICER_EAST, VIEWER


def test_signing_in_gives_the_user_and_a_cookie_out_of_reach_of_scripts(world: World) -> None:
    client = world.client()
    answer = client.post("/api/session", json={"username": "viewer", "password": PASSWORD})
    morsel = SimpleCookie(answer.headers["set-cookie"])["gridmap_session"]

    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (
        True,
        "lax",
        "/",
        "",
    )
    assert answer.json()["user"]["role"] == "viewer"
    assert PASSWORD not in answer.text
    assert client.get("/api/session").json() == answer.json()


def test_the_cookie_keeps_to_tls_and_to_the_base_path(world: World) -> None:
    secure = world.with_settings(secure_cookies=True, base_path="/wangge").client()
    answer = secure.post("/wangge/api/session", json={"username": "viewer", "password": PASSWORD})
    morsel = SimpleCookie(answer.headers["set-cookie"])["gridmap_session"]

    assert (morsel["secure"], morsel["path"]) == (True, "/wangge")
    plain = world.with_settings(secure_cookies=True).client()
    named = plain.post("/api/session", json={"username": "viewer", "password": PASSWORD}).headers[
        "set-cookie"
    ]
    assert named.startswith("__Host-gridmap=")


@pytest.mark.parametrize(
    "body", [{"username": "viewer", "password": "wrong"}, {"username": "nobody", "password": "x"}]
)
def test_a_wrong_password_and_an_unknown_name_sound_alike(world: World, body: dict[str, str]) -> None:
    answer = world.client().post("/api/session", json=body)

    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/sign-in-failed")
    assert "set-cookie" not in answer.headers


def test_too_many_wrong_passwords_must_wait(world: World) -> None:
    client = world.with_settings(signins_per_minute=2).client()
    answers = [
        client.post("/api/session", json={"username": "viewer", "password": "wrong"}) for _ in range(3)
    ]

    assert [one.status_code for one in answers] == [401, 401, 429]
    assert answers[-1].headers["retry-after"] == "60"


@pytest.mark.parametrize(
    "sent",
    [
        {"data": {"username": "viewer", "password": PASSWORD}},
        {"content": b'{"username": "viewer"}', "headers": {"Content-Type": "text/plain"}},
        {"json": {"username": "viewer"}},
        {"json": {"username": ["viewer"], "password": PASSWORD}},
        {"json": []},
        {"json": {"username": "viewer", "password": "x" * 1001}},
    ],
)
def test_sign_in_takes_json_texts_only(quiet_world: World, sent: dict[str, object]) -> None:
    assert quiet_world.client().post("/api/session", **sent).status_code in (400, 415)


def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(world: World) -> None:
    browser, copy = world.browser(VIEWER), world.client()
    copy.cookies = browser.cookies.copy() if hasattr(browser.cookies, "copy") else dict(browser.cookies)
    assert copy.get("/api/session").status_code == 200

    assert browser.delete("/api/session").status_code == 204
    assert browser.get("/api/session").status_code == 401
    assert copy.get("/api/session").status_code == 401


def test_a_session_ends_when_it_is_idle(world: World) -> None:
    browser = world.browser(VIEWER)
    world.clock.advance(minutes=29)
    assert browser.get("/api/catalogue").status_code == 200

    world.clock.advance(minutes=31)
    assert browser.get("/api/catalogue").status_code == 401


def test_a_session_writes_only_with_the_header_of_our_own_pages(world: World) -> None:
    browser, path = world.browser(ADMIN), item_path(world.elements["JWZ01"])
    del browser.headers["X-Gridmap"]
    bare = browser.patch(path, json={"properties": {"name": "x"}}, headers={"If-Match": "*"})

    assert (bare.status_code, bare.json()["type"]) == (403, "/problems/csrf-header-missing")
    assert browser.delete("/api/session").status_code == 403
    assert browser.get(path).headers["etag"] == '"1"'
    ours = browser.patch(
        path, json={"properties": {"name": "x"}}, headers={"If-Match": "*", "X-Gridmap": "1"}
    )
    assert ours.status_code == 200


def test_a_token_writes_without_that_header_and_with_its_accounts_rights(world: World) -> None:
    assert (
        world.client(KEEPER).post("/ogc/collections/workstation/items", json=station_feature()).status_code
        == 201
    )
    assert (
        world.client(VIEWER).post("/ogc/collections/workstation/items", json=station_feature(8)).status_code
        == 403
    )


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Bearer ", "Basic dmlld2VyOng=", "bearer gm_x y", "Bearer \u00e9"]
)
def test_a_wrong_authorization_is_nobody(quiet_world: World, header: str) -> None:
    answer = quiet_world.client().get("/api/session", headers={"Authorization": header.encode()})

    assert answer.status_code == 401


def test_a_token_that_was_revoked_or_whose_account_was_closed_opens_nothing(world: World) -> None:
    client = world.client(OFFICER_EAST)
    assert client.get("/api/catalogue").status_code == 200

    accounts.set_active(world.district, accounts.CONSOLE, OFFICER_EAST.username, False)
    assert client.get("/api/catalogue").status_code == 401


def test_until_the_first_password_is_changed_nothing_else_answers(world: World) -> None:
    browser = world.browser(VIEWER)
    with world.district.database.write() as connection:
        stored.change(connection, "viewer", {"must_change_password": True})

    for path in ("/api/catalogue", "/ogc/collections", "/api/changes", "/api/jobs"):
        answer = browser.get(path)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/password-change-required"), (
            path
        )
    assert browser.get("/api/session").json()["user"]["must_change_password"]
    changed = browser.post("/api/session/password", json={"old": PASSWORD, "new": "Qing-Shan-Lü-Shui-58"})
    assert changed.status_code == 204, changed.text
    assert browser.get("/api/catalogue").status_code == 200


def test_a_weak_new_password_is_refused_and_the_old_one_stays(world: World) -> None:
    browser = world.browser(VIEWER)

    assert browser.post("/api/session/password", json={"old": PASSWORD, "new": "viewer"}).status_code == 422
    assert (
        browser.post(
            "/api/session/password", json={"old": "wrong", "new": "Qing-Shan-Lü-Shui-58"}
        ).status_code
        == 401
    )
    assert world.browser(VIEWER).get("/api/session").status_code == 200


def test_refusals_are_logged_with_the_address(world: World) -> None:
    world.client(VIEWER).get("/ogc/collections/risk/items")
    behind = world.with_settings(trusts_proxy=True).client(VIEWER)
    behind.get("/ogc/collections/risk/items", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})

    with world.district.database.read() as connection:
        lines = access_log.newest(connection, kinds=("refusal",), limit=2)
    assert [(one.username, one.target, one.address) for one in lines] == [
        ("viewer", "risk", "198.51.100.7"),
        ("viewer", "risk", "testclient"),
    ]


def test_the_sight_of_a_sensitive_layer_is_logged_once_an_hour(world: World) -> None:
    client = world.client(ADMIN)
    for minutes in (0, 10, 61):
        world.clock.advance(minutes=minutes)
        client.get("/ogc/collections/risk/items")
        client.get("/ogc/collections/road/items")

    with world.district.database.read() as connection:
        lines = access_log.newest(connection, kinds=("view",))
    assert [(one.username, one.target) for one in lines] == [("admin", "risk"), ("admin", "risk")]
