"""Who asks for a page without a session lands on the sign-in page, and comes back to where they wanted to go."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from gridmap.api import signin
from gridmap.domain.roles import Role
from gridmap.errors import Unavailable
from gridmap.services import accounts
from gridmap.services.district import District
from tests.support.clock import FakeClock
from tests.support.district import make_district

PAGES = ("map", "account", "admin")
HTML = "<title>页面</title>"
PASSWORD = "grey-otter-48-moss"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("signin")
    made = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    accounts.add(
        made, accounts.CONSOLE, username="mouse", display_name="示例", role=Role.VIEWER, password=PASSWORD
    )
    yield made
    made.close()


@pytest.fixture
def district(store: District, clock: FakeClock) -> District:
    return replace(store, clock=clock)


def client(district: District, *, base: str = "") -> TestClient:
    async def other(request):
        return PlainTextResponse("other")

    app = Starlette(
        routes=[*signin.routes(lambda: district, base_path=base), Route("/{path:path}", other)],
        middleware=[Middleware(signin.Entrance, lambda: district, PAGES, HTML, base)],
    )
    return TestClient(app, follow_redirects=False)


def signed_in(district: District, *, settled: bool = True, base: str = "") -> TestClient:
    signed = accounts.sign_in(district, "mouse", PASSWORD, address="")
    if settled:
        with district.database.write() as connection:
            from gridmap.storage import accounts as stored

            stored.change(connection, "mouse", {"must_change_password": False})
    made = client(district, base=base)
    made.cookies.set(district.settings.cookie_name, signed.key)
    return made


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "/signin"),
        ("/map", "/signin?next=%2Fmap"),
        ("/map?element=1&layer=risk", "/signin?next=%2Fmap%3Felement%3D1%26layer%3Drisk"),
        ("/admin/", "/signin?next=%2Fadmin%2F"),
        ("/unknown", "/signin"),
        ("/pages/admin", "/signin"),
        ("/account/sub", "/signin"),
    ],
)
def test_a_page_without_a_session_leads_to_the_sign_in_page(
    district: District, path: str, location: str
) -> None:
    answer = client(district).get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/api/x",
        "/ogc",
        "/assets/ui/page.js",
        "/_stcore/health",
        "/static/js/a.js",
        "/component/a/b",
    ],
)
def test_what_is_no_page_is_let_through(district: District, path: str) -> None:
    assert client(district).get(path).text == "other"


@pytest.mark.parametrize("path", ["/pages/admin.py", "/index.html", "/.env", "/map.json", "/../secret.txt"])
def test_a_file_that_nobody_serves_is_not_found(district: District, path: str) -> None:
    for visitor in (client(district), signed_in(district)):
        answer = visitor.get(path)
        assert (answer.status_code, answer.text) == (404, "没有这个地址。")


def test_a_browser_that_asks_for_an_icon_gets_ours(district: District) -> None:
    assert client(district).get("/favicon.ico").headers["location"] == "/assets/ui/icon.svg"


def test_writes_are_let_through(district: District) -> None:
    assert client(district).post("/map").status_code == 405


def test_with_a_session_every_page_is_the_same_document(district: District) -> None:
    visitor = signed_in(district)
    for name in PAGES:
        answer = visitor.get(f"/{name}")
        assert (answer.status_code, answer.text) == (200, HTML)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/unknown", "/account/sub", "/pages/admin"])
def test_with_a_session_other_addresses_lead_to_the_first_page(district: District, path: str) -> None:
    assert signed_in(district).get(path).headers["location"] == "/map"


def test_a_first_password_leads_to_the_account_page(district: District) -> None:
    with district.database.write() as connection:
        from gridmap.storage import accounts as stored

        stored.change(connection, "mouse", {"must_change_password": True})
    visitor = signed_in(district, settled=False)
    assert visitor.get("/").headers["location"] == "/account"


def test_an_ended_session_is_none(district: District, clock: FakeClock) -> None:
    visitor = signed_in(district)
    clock.advance(minutes=30)
    assert visitor.get("/map").headers["location"].startswith("/signin")


def test_asking_for_pages_does_not_keep_a_session_alive(district: District, clock: FakeClock) -> None:
    visitor = signed_in(district)
    clock.advance(minutes=20)
    assert visitor.get("/map").status_code == 200
    clock.advance(minutes=10)
    assert visitor.get("/map").status_code == 303


def test_other_cookies_do_not_hide_the_session(district: District) -> None:
    visitor = signed_in(district)
    key = visitor.cookies.get(district.settings.cookie_name)
    visitor.cookies.clear()
    cookies = f'bad=a b"c; x=中; {district.settings.cookie_name}={key}; =y'
    assert visitor.get("/map", headers={"cookie": cookies.encode("utf-8")}).status_code == 200


def test_the_sign_in_page_needs_no_session_and_holds_no_inline_script(district: District) -> None:
    answer = client(district).get("/signin")
    assert answer.status_code == 200
    assert 'lang="zh-CN"' in answer.text
    assert "<script>" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert " style=" not in answer.text
    assert "{{" not in answer.text
    assert "模拟数据" not in answer.text


def test_the_sign_in_page_says_that_this_is_a_demo(district: District) -> None:
    accounts.create_demo_accounts(district)
    assert "模拟数据" in client(district).get("/signin").text
    for username in ("viewer", "presenter", "officer", "officer2", "keeper", "analyst"):
        accounts.set_active(district, accounts.CONSOLE, username, False)


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        (None, "/"),
        ("/admin", "/admin"),
        ("/map?element=1&layer=risk", "/map?element=1&layer=risk"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/signin?next=/signin", "/"),
        ("/map\r\nSet-Cookie: a=b", "/"),
        ("/要素", "/%E8%A6%81%E7%B4%A0"),
    ],
)
def test_who_is_signed_in_already_is_sent_on_but_never_elsewhere(
    district: District, wanted: str | None, target: str
) -> None:
    answer = signed_in(district).get("/signin", params={"next": wanted} if wanted else {})
    assert (answer.status_code, answer.headers["location"]) == (303, target)


def test_everything_stays_below_the_base_path(district: District) -> None:
    stranger = client(district, base="/gridmap")
    assert stranger.get("/gridmap/map").headers["location"] == "/gridmap/signin?next=%2Fgridmap%2Fmap"
    assert stranger.get("/gridmap").headers["location"] == "/gridmap/signin"
    assert stranger.get("/gridmap/signin").status_code == 200
    assert stranger.get("/gridmap/api/health").text == "other"
    visitor = signed_in(district, base="/gridmap")
    assert visitor.get("/gridmap/account").text == HTML
    assert visitor.get("/gridmap/").headers["location"] == "/gridmap/map"
    assert visitor.get("/gridmap/signin?next=/elsewhere").headers["location"] == "/gridmap/"


def test_a_missing_district_is_told_in_words(district: District) -> None:
    def missing() -> District:
        raise Unavailable("no <district>", zh="还没有建立<辖区>数据库。")

    app = Starlette(
        routes=signin.routes(missing), middleware=[Middleware(signin.Entrance, missing, PAGES, HTML)]
    )
    for path in ("/map", "/signin"):
        answer = TestClient(app).get(path)
        assert answer.status_code == 503
        assert "还没有建立&lt;辖区&gt;数据库。" in answer.text
