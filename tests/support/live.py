"""The whole application on a small district, with an account of each role, for tests in a browser."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import BrowserContext, FrameLocator, Page

from gridmap.services import accounts
from gridmap.services.district import District
from tests.browser.server import Server, run_server
from tests.support.district import make_district, seed

OpenMap = Callable[..., tuple[Page, FrameLocator]]

FRAME = 'iframe[title="streamlit_folium.st_folium"]'


@dataclass(frozen=True, slots=True)
class Live:
    """
    A running application and what a test needs to use it.

    `district` is this process' own door to the same store: for making elements and for looking at what was
    stored. The officers' areas are the two towns: `officer` has the western one, `officer2` the eastern.
    """

    server: Server
    district: District
    passwords: dict[str, str]

    def sign_in(self, context: BrowserContext, username: str) -> None:
        """Give the context a session of this account, without the sign-in page."""
        answer = context.request.post(
            f"{self.server.base_url}/api/session",
            data={"username": username, "password": self.passwords[username]},
            headers={"X-Gridmap": "1"},
        )
        assert answer.status == 200, answer.text()

    def open(self, context: BrowserContext, path: str = "/") -> Page:
        page = context.new_page()
        page.goto(self.server.base_url + path)
        return page

    def open_map(self, context: BrowserContext, path: str = "/map") -> Page:
        """The map page with the map drawn."""
        page = self.open(context, path)
        map_frame(page).locator("body[data-ready]").wait_for()
        return page


def map_frame(page: Page) -> FrameLocator:
    """The map application inside the page."""
    return page.frame_locator(FRAME)


RESET = """async () => {
  document.querySelectorAll("dialog[open]").forEach((one) => one.close());
  if (Gridmap.edit.work) Gridmap.edit.abandon(Gridmap.edit.work.draft.id);
  Gridmap.select.close();
  document.querySelectorAll(".gm-toast").forEach((one) => one.remove());
  document.getElementById("gm-search").value = "";
  const kind = document.getElementById("gm-grid-kind");
  if (kind.value) { kind.value = ""; kind.dispatchEvent(new Event("change")); }
  localStorage.clear();
  sessionStorage.clear();
  Gridmap.emit("undo");
  Gridmap.emit("pending");
  document.getElementById("gm-home").click();
}"""


def reset_map(page: Page) -> None:
    """Put an open map back to where it began, as far as the tests' steps move it."""
    frame = next(one for one in page.frames if "streamlit_folium" in one.url)
    frame.evaluate(RESET)
    page.mouse.move(5, 5)


@contextmanager
def running_application(
    folder: Path | None = None, *, is_seeded: bool = True, args: Sequence[str] = ()
) -> Iterator[Live]:
    """The application on an embedded store of its own, until the block ends."""
    with tempfile.TemporaryDirectory() as made:
        home = folder or Path(made)
        url = f"sqlite:///{home / 'district.gpkg'}"
        district = make_district(url, home, lambda: datetime.now(UTC))
        if is_seeded:
            seed(district)
        passwords = accounts.create_demo_accounts(district)
        env = {
            "GRIDMAP_HOME": str(home),
            "GRIDMAP_DATABASE_URL": url,
            "GRIDMAP_SECRET": "a secret of the tests",
            "GRIDMAP_SIGNINS_PER_MINUTE": "600",
            "GRIDMAP_PHOTOS": "1",
        }
        try:
            with run_server(args, env=env, log_file=home / "server.log") as server:
                yield Live(server, district, passwords)
        finally:
            district.close()
