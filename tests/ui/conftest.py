"""Pages run without a browser, for whoever a test says is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from argon2 import PasswordHasher
from streamlit.testing.v1 import AppTest, app_test

from gridmap.services import accounts
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.ui import gate
from gridmap.ui.pages import FOLDER
from tests.support.clock import FakeClock
from tests.support.district import make_district, seed


@dataclass
class Visit:
    """Opens pages as somebody: `key` is the session in the cookie, `passwords` those of the demo accounts."""

    district: District
    passwords: dict[str, str]
    key: str | None = None
    errors: list[str] = field(default_factory=list)

    def sign_in(self, username: str, password: str | None = None) -> Visit:
        signed = accounts.sign_in(
            self.district, username, password or self.passwords[username], address="10.1.1.7"
        )
        self.key = signed.key
        return self

    def page(self, name: str) -> AppTest:
        """The page after its first run; a run that raised fails the test."""
        return fine(AppTest.from_file(FOLDER / f"{name}.py", default_timeout=20).run())


def fine(page: AppTest) -> AppTest:
    assert not page.exception, page.exception[0]
    return page


def texts(page: AppTest) -> str:
    """Everything to be read on the page."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "success", "warning", "error", "info")
    found = [one.value for kind in kinds for one in getattr(page, kind)]
    return "\n".join([*found, *(one.proto.body for one in page.get("html"))])


@pytest.fixture(scope="session", autouse=True)
def no_leftovers() -> Iterator[None]:
    """AppTest leaves its folder to the end of the process, which Python calls a leak."""
    yield
    app_test.TMP_DIR.cleanup()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    home = tmp_path_factory.mktemp("ui")
    made = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    seed(made)
    yield made
    made.close()


@pytest.fixture
def visit(store: District, monkeypatch: pytest.MonkeyPatch) -> Visit:
    monkeypatch.setattr(
        accounts.passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    )
    made = Visit(store, accounts.create_demo_accounts(store))
    monkeypatch.setattr(districts, "running", lambda: store)
    monkeypatch.setattr(gate, "session_key", lambda: made.key)
    monkeypatch.setattr(gate, "address", lambda: "10.1.1.7")
    return made


def press(page: AppTest, label: str) -> AppTest:
    """The page after its button with this label was pressed."""
    [button] = [one for one in page.button if one.label == label]
    return fine(button.click().run())
